// bootstrap: confidence intervals of the metrics, by drawing whole days, or rows without a clock.
//
// Rows of one day are not independent, because a stolen card buys several times. So a replicate
// draws whole days with replacement, as many as the test has, and computes every metric of them. An
// interval goes from percentile 2.5 to 97.5 of 1000 replicates (Efron, Tibshirani: An Introduction
// to the Bootstrap, 1993, chapters 13 and 8); with few days (seven are few) it tends to be too short.
// Below five days hours are drawn; below five hours there are no intervals. Without a clock rows are
// drawn, as if they were independent; of more than 20,000 rows neighbours are drawn together.
//
// The draws depend only on the number of days, so two candidates on the same rows are compared
// replicate by replicate. A replicate's card precision is the mean of its days, each with the cards
// that were found before it in the real order; hours have none.
#ifndef TRAIN_BOOTSTRAP_H
#define TRAIN_BOOTSTRAP_H

#include "train/metrics.h"

enum { BOOTSTRAP_REPLICATES = 1000, BOOTSTRAP_SEED = 1, BOOTSTRAP_LEAST_UNITS = 5 };

// The metrics of metric_list, then the alerts a day, or without a clock their share of the rows.
enum { BOOTSTRAP_ALERTS = N_METRICS, N_BOOTSTRAP };

struct interval {
    double low, high, error; // NAN where the metric has no meaning in some replicate
};

struct bootstrap {
    const char *unit; // "day", "hour" or "row"; NULL: too few for intervals
    size_t units;
    double (*values)[N_BOOTSTRAP]; // [BOOTSTRAP_REPLICATES], to be freed; NULL without a unit
};

// score[i], judged[i]: of row test.first + i.
void bootstrap_run(struct bootstrap *b, const struct examples *e, struct row_range test,
                   const double *score, const int8_t *judged, double threshold);
// The interval and the standard error (the replicates' standard deviation) of a's metric or, with b,
// of a's minus b's. PAIRED: both are of the same rows, so the same draws are compared. INDEPENDENT:
// of other rows, so draw r of a is compared with draw r + 1 of b.
enum bootstrap_rows { PAIRED, INDEPENDENT };
struct interval bootstrap_interval(const struct bootstrap *a, const struct bootstrap *b,
                                   size_t metric, enum bootstrap_rows rows);

#endif
