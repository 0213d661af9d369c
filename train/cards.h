// cards: how the Fraud Detection Handbook (Le Borgne et al., ULB 2022, chapters 3.4 and 4.2)
// measures a detector of stolen cards.
//
// A card with a known fraud is blocked, so its later rows need no model. Labels arrive after 7
// days: on test day d the rows of every card are left out that had a fraud from the first training
// row through day d - 8. All metrics are of the remaining rows.
//
// Card precision at 100 is the share of stolen cards that reviewers find: on each test day every
// card that was not found on an earlier test day has the highest score and label of its rows of
// that day, the 100 cards with the highest scores are checked, and precision = found / 100. The
// result is the mean over the test days. Equal scores keep the order of their rows.
//
// Arrays are borrowed. Rows are in time order.
#ifndef TRAIN_CARDS_H
#define TRAIN_CARDS_H

#include "features/split.h"
#include "train/examples.h"

enum { CARDS_CHECKED = 100, LABEL_DELAY_DAYS = 7 };

// judged[i]: the label of row test.first + i, or LABEL_KNOWN_CARD (train/metrics.h) where it is
// left out. first is the first training row. Without cards every row stays.
void cards_judge(const struct examples *e, uint64_t first, struct row_range test, int8_t *judged);

// score[i], judged[i]: of row test.first + i. NAN without cards or rows. daily: NULL, or room for
// the precision of each day on which the test has rows; it is left alone without cards.
double cards_precision(const struct examples *e, struct row_range test, const double *score,
                       const int8_t *judged, double *daily);

#endif
