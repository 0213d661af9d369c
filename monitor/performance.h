// performance: how well scores rank and alert on rows with labels, and what to expect where there
// are no labels yet.
//
// The estimate (CBPE, confidence-based performance estimation, as in NannyML) takes a row of
// probability p as p frauds and 1 − p genuine rows:
//
//     precision          Σ_alerts p / alerts
//     recall             Σ_alerts p / F, F = Σ p
//     average_precision  Σ_k (F_k − F_{k−1})/F · F_k/N_k over the distinct scores, falling, where F_k
//                        and N_k are the frauds and the rows with at least that score
//
// It is right as long as inputs mean what they meant in training. A change of the concept, other
// frauds behind the same inputs, cannot be seen in it.
#ifndef MONITOR_PERFORMANCE_H
#define MONITOR_PERFORMANCE_H

#include "train/bootstrap.h"

struct estimate {
    double average_precision, precision, recall; // NAN without rows, or without alerts
};

struct performance {
    struct metrics metrics;
    struct bootstrap bootstrap;
    struct estimate estimate; // of the same rows
};

// score[i] and judged[i] (train/metrics.h) belong to row rows.first + i. Rows of known cards do not
// count.
//
// The bootstrap's values are the caller's to free.
void performance_measure(struct performance *p, const struct examples *e, struct row_range rows,
                         const double *score, const int8_t *judged, double threshold);
struct estimate estimate_make(const double *score, const int8_t *judged, size_t n,
                              double threshold);
// The alerts a day, known labels or not, and their 95 % interval. judged NULL: of known cards, too.
double alerts_per_day(const struct examples *e, struct row_range rows, const double *score,
                      const int8_t *judged, double threshold, struct interval *interval);

#endif
