// folds: which rows train and which rows test, for every fold and for its validation.
//
// [split] (features/split.h) states fold 0; fold k is the same days moved forward by k weeks. l2 and
// threshold of a fold are chosen by prequential validation (Fraud Detection Handbook, chapter 5.3) on
// folds that end before its training begins: the fold moved back by the fewest weeks that do that, and
// by one week more for each further one. With shares instead of days the last quarter of the training
// rows validates a fit on the first three.
//
// A validation fold is used where its training rows hold both classes and its test rows a fraud.
//
// Ownership: released by folds_free; the examples are only read.
#ifndef TRAIN_FOLDS_H
#define TRAIN_FOLDS_H

#include "features/split.h"
#include "train/examples.h"

struct fold {
    struct row_range train, test;
    double train_days, test_days; // their duration
    char train_text[64], test_text[64];
    int8_t *judged; // [test.end - test.first]: the test rows' labels as metrics judge them
    struct fold
        *validation; // [n_validation], the latest first; these have no validation themselves
    size_t n_validation;
};

// split->folds of them; NULL and a message where the rows do not reach one.
struct fold *folds_new(const struct split *split, const struct examples *e, struct err *err);
void folds_free(struct fold *folds, size_t n);

#endif
