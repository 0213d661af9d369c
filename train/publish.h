// publish: a model, what is known of it, and its report become a version of the registry.
//
// Everything is borrowed. Errors: those of the registry, of gnuplot and of the disk; no version is
// left then.
#ifndef TRAIN_PUBLISH_H
#define TRAIN_PUBLISH_H

#include "train/evaluate.h"

// registry: its folder; config: the path of the .ini; results: train/results.h.
int publish(const char *registry, bool promote, const char *config, const struct model *m,
            const struct evaluation *v, const json_t *results, int64_t *version, struct err *err);

#endif
