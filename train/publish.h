// publish: an evaluation's model and its report become a version of the registry.
#ifndef TRAIN_PUBLISH_H
#define TRAIN_PUBLISH_H

#include "train/evaluate.h"

// The model is that of the evaluation's fold 0. results: train/results.h. The number of threads
// changes nothing. On an error no version is left. Everything is borrowed.
int publish(const char *registry, bool promote, const struct config *config,
            const struct evaluation *v, const struct examples *e, const json_t *results,
            unsigned threads, int64_t *version, struct err *err);

#endif
