// threshold: from scores that were seen in validation to the score from which on a row is an alert.
//
//     by budget   the score at rank alerts_per_day · days, so that as many alerts a day, on average,
//                 are at or above it; where a tie would make them more, the next higher score
//     by cost     of all scores the one with the lowest  cost_fraud · frauds below it
//                 + cost_alert · rows at or above it; of equal ones the highest. Where no alert is
//                 worth its cost, the next number above the highest score, 1 at most.
//
// Without any score the threshold is 1.
#ifndef TRAIN_THRESHOLD_H
#define TRAIN_THRESHOLD_H

#include "train/settings.h"

// score[n], in days of time; judged[n] (train/metrics.h): rows of known cards give no alert, and for
// costs only rows with a known label count. Neither is changed.
int threshold_choose(double *threshold, const double *score, const int8_t *judged, size_t n,
                     double days, const struct settings *s, struct err *err);

#endif
