// cut: where the rows are divided into those that train and those that measure.
//
// The [split] section is the cut of fold 0. Fold k is the same cut moved forward by k weeks.
// Settings are chosen by prequential validation (Fraud Detection Handbook, chapter 5.3), on cuts
// that end before the fold's training begins: the fold's cut moved back by the fewest weeks that do
// that, and by one week more each for the further ones. With shares instead of days the last
// quarter of the training rows validates a fit on the first three.
#ifndef TRAIN_CUT_H
#define TRAIN_CUT_H

#include "features/split.h"

struct cut {
    struct row_range train, test;
    double train_days, test_days; // how long they last
    char train_text[64], test_text[64];
};

// time[rows]. A fold that the rows do not reach is an error.
int cut_fold(struct cut *c, const struct split *s, int64_t fold, const int64_t *time, uint64_t rows,
             struct err *err);
// The k-th validation cut of a fold, from 0; false where the rows do not reach back to it.
bool cut_validation(struct cut *c, const struct split *s, int64_t fold, int64_t k,
                    const int64_t *time, uint64_t rows);

#endif
