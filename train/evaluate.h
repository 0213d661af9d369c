// evaluate: chooses l2 and threshold without looking at the test rows, and measures every fold.
//
//     [model]
//     l2 = 1e-4, 1e-3, 1e-2        candidates; default 1e-3
//     alerts_per_day = 100         the review budget; default 100
//
// l2: the best mean average precision over the validation cuts of fold 0 (train/cut.h); of equal
// ones the largest; without any validation cut the largest. Each fold is fitted anew with it on its
// own training rows. Threshold: of all scores on the fold's validation cuts the one at rank
// alerts_per_day · days, so that as many alerts a day, on average, are at or above it; without a
// validation cut the scores of the training rows serve.
//
// A validation cut counts where its training rows hold both classes and its test rows a fraud.
//
// Ownership: an evaluation owns its folds and trials until evaluation_release; it borrows the
// examples.
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H

#include "train/metrics.h"
#include "train/trial.h"

enum { MAX_CANDIDATES = 16 };

struct settings {
    double l2[MAX_CANDIDATES];
    size_t n_l2;
    int64_t alerts_per_day;
};

int settings_from_config(struct settings *s, const struct config *c, struct err *err);

struct fold {
    const struct trial *trial; // its model and test scores
    double threshold;
    const char *threshold_from; // "validation" or "training"
    struct metrics metrics;
};

struct evaluation {
    struct trials trials;
    double validation[MAX_CANDIDATES]; // mean average precision of settings.l2[i]; NAN: no cut
    double l2;                         // the chosen one
    struct fold *folds;                // [n_folds], fold 0 is the model
    size_t n_folds;
};

int evaluation_run(struct evaluation *v, const struct examples *e, const struct split *split,
                   const struct settings *settings, unsigned threads, struct err *err);
void evaluation_release(struct evaluation *v);

#endif
