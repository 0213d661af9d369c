// assemble: the complete model of an evaluation's fold 0: weights, threshold, reference histograms,
// plan and provenance. Ownership: released by model_release; shares nothing with the evaluation.
#ifndef TRAIN_ASSEMBLE_H
#define TRAIN_ASSEMBLE_H

#include "train/evaluate.h"

// config_xxh3: of the settings that decide about the model and about what is said of it, so that a
// version whose report would differ is another version. References are counted on `threads`
// threads; their number changes nothing.
int model_assemble(struct model *m, const struct evaluation *v, const struct examples *e,
                   uint64_t config_xxh3, unsigned threads, struct err *err);

#endif
