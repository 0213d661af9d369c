// cards: the Handbook's way to measure a detector of stolen cards (Le Borgne et al., Fraud Detection
// Handbook, ULB 2022, chapters 3.4 and 4.2).
//
// A card with a fraud that is known by now is blocked: what is bought with it needs no model. So of
// test day d the rows of all cards are left out that had a fraud from the first training row through
// day d - 8, labels coming in after 7 days. All metrics are of the rows that are left.
//
// Card precision at 100 is what a team of reviewers sees: each test day every card that was not found
// on an earlier test day stands with its highest score and label of that day, the 100 highest are
// checked, precision = found / 100; the mean over the test days is the result. Equal scores stand in
// the order of their rows.
//
// Arrays are borrowed. Rows are in time order.
#ifndef TRAIN_CARDS_H
#define TRAIN_CARDS_H

#include "base/err.h"
#include "features/split.h"

#include <stdint.h>

enum { CARDS_CHECKED = 100, LABEL_DELAY_DAYS = 7 };

struct card_rows {
    const uint64_t *card; // card[r] of row r of the table; NULL where there is none
    const int64_t *time;  // time[r], seconds
    const int8_t *label;  // label[r]: 1, 0, -1
    uint64_t first;       // the first training row
    struct row_range test;
};

// judged[i]: the label of row test.first + i, or LABEL_KNOWN_CARD (train/metrics.h) where it is left
// out. Without cards nothing is.
int cards_judge(const struct card_rows *c, int8_t *judged, struct err *err);

// score[i], judged[i]: of row test.first + i. NAN without cards or rows. daily: NULL, or room for the
// precision of each day on which the test has rows, in order, left alone where there are no cards.
int cards_precision(double *precision, double *daily, const struct card_rows *c,
                    const double *score, const int8_t *judged, struct err *err);

#endif
