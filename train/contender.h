// contender: what competes on the same folds: the model, and what it is held against.
//
//     [baselines]
//     amount   = amount                   one input: the rule amount > t
//     handbook = amount, weekend, night   fewer inputs
//
// Every contender is a logistic regression on some of the feature table's inputs, with l2 and
// threshold chosen as the model's are. On one input the score rises with it, or falls where its weight is
// below 0, so it ranks rows as the rule amount > t, or amount < t, does. `constant`, on no input at all, is always there: it gives every
// row the share of frauds in training.
//
// Ownership: a contender owns its name and its list of inputs, and what evaluate.h adds to it, until
// contender_release; it borrows the examples.
#ifndef TRAIN_CONTENDER_H
#define TRAIN_CONTENDER_H

#include "train/bootstrap.h"
#include "train/metrics.h"
#include "train/settings.h"
#include "train/trial.h"

struct fold {
    const struct trial *trial; // its model and test scores
    double threshold;
    const char *threshold_from; // "validation" or "training"
    struct metrics metrics;
};

struct contender {
    char *name;
    struct examples examples; // a view: its own x, names and n_inputs, all else shared
    struct trials trials;
    double validation[MAX_CANDIDATES]; // mean average precision of settings.l2[i]; NAN: no cut
    double l2;                         // the chosen one
    struct fold *folds;                // [n_folds], fold 0 is the model
    struct bootstrap bootstrap;        // of fold 0
};

enum { BASELINES_MAX = 16 };

// The model: all inputs of the examples.
int contender_init(struct contender *c, const struct examples *e, struct err *err);
// constant, and those of [baselines]: *list has *n of them, to be released one by one and freed.
int contenders_from_config(struct contender **list, size_t *n, const struct examples *e,
                           const struct config *config, struct err *err);
void contender_release(struct contender *c);

#endif
