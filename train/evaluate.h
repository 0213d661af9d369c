// evaluate: chooses l2 and threshold without looking at the test rows, and measures every fold, for
// the model and for each baseline alike.
//
// l2: the best mean average precision over the validation cuts of fold 0 (train/cut.h); of equal
// ones the largest; without any validation cut the largest. Each fold is fitted anew with it on its
// own training rows. Threshold (train/threshold.h): of the scores on the fold's validation cuts, or
// of its training rows where these do not do: a budget needs a row that can be an alert, costs a fraud.
//
// A validation cut counts where its training rows hold both classes and its test rows a fraud.
//
// Ownership: an evaluation owns its contenders until evaluation_release; it borrows the examples.
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H

#include "train/contender.h"
#include "train/slices.h"

struct evaluation {
    size_t n_folds;
    struct contender model;
    struct contender *baselines; // [n_baselines], the first is the constant
    size_t n_baselines;
    struct slicing *slicings; // [n_slicings], of the model on fold 0
    size_t n_slicings;
};

// config: [baselines] and [slices] are read from it.
int evaluation_run(struct evaluation *v, const struct examples *e, const struct split *split,
                   const struct settings *settings, const struct config *config, unsigned threads,
                   struct err *err);
void evaluation_release(struct evaluation *v);

// The false positives on fold 0's test rows when a contender's threshold is lowered just until it finds
// as many of the frauds as the model does at the model's own threshold; -1 where that is none.
int evaluation_false_positives(const struct evaluation *v, const struct contender *c,
                               int64_t *count, struct err *err);

#endif
