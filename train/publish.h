// publish: an evaluation's model and its report become a version of the registry.
#ifndef TRAIN_PUBLISH_H
#define TRAIN_PUBLISH_H

#include "train/evaluate.h"

// The model of fold 0 is completed for it. results: train/results.h. On an error no version is left.
int publish(const char *registry, bool promote, const struct config *config, struct evaluation *v,
            json_t *results, int64_t *version, struct err *err);

#endif
