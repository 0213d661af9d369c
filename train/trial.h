// trial: a model fitted on the training rows of a cut, and its scores on the cut's test rows.
//
// The scores are those that serving would give: model_margin on the float32 inputs, row by row.
// A trial is kept, because the test of one fold is often the validation of a later one.
//
// Ownership: trials own their models and scores until trials_release.
#ifndef TRAIN_TRIAL_H
#define TRAIN_TRIAL_H

#include "train/cards.h"
#include "train/cut.h"
#include "train/examples.h"
#include "train/model.h"

struct trial {
    struct cut cut;
    double l2;
    struct model model;     // mean, scale and weight of the inputs, and the intercept; nothing else
    double *standard_error; // [n_inputs + 1]: of the weights, then of the intercept
    double *score;          // [cut.test.end - cut.test.first]
    int8_t *judged;         // of the same rows: what metrics judge by (train/cards.h)
    double average_precision; // of the judged rows, NAN where they have no fraud
    uint64_t rows, frauds;    // that trained, with a known label
    struct trial *next;
};

// The rows of a cut as train/cards.h looks at them.
struct card_rows card_rows_of(const struct examples *e, const struct cut *cut);

struct trials {
    const struct examples *examples;
    unsigned threads;
    struct trial *list;
};

// The trial of these rows and this l2, run where it has not been; NULL and a message otherwise.
struct trial *trials_get(struct trials *trials, const struct cut *cut, double l2, struct err *err);
void trials_release(struct trials *trials);

// score[i]: the probability of row rows.first + i. Allocated, to be freed by the caller; NULL and a
// message when out of memory.
double *scores_new(const struct examples *e, const struct model *m, struct row_range rows,
                   unsigned threads, struct err *err);

#endif
