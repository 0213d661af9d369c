// bootstrap: how far a metric would move on other days of the same kind.
//
// Rows of one day are not independent (a stolen card buys several times), so whole days are drawn
// with replacement, as many as the test has, and every metric is computed anew: 1000 times. The
// interval is that of the percentiles 2.5 and 97.5 (Efron, Tibshirani: An Introduction to the
// Bootstrap, 1993, chapters 13 and 8). Where the test has fewer than five days, hours are drawn;
// where it has fewer than five hours there are no intervals. Few days make intervals that are
// rather too short than too long: seven are few. A share that is 0 or 1 on every day has an interval of
// no width, which only says that no day differs.
//
// The draws depend on nothing but the number of days, so two contenders on the same rows are
// compared draw by draw: bootstrap_difference. Card precision is that of the days drawn, each with
// the cards that were found before it in the real order; on hours there is none.
//
// Ownership: released by bootstrap_release; inputs are borrowed during the call.
#ifndef TRAIN_BOOTSTRAP_H
#define TRAIN_BOOTSTRAP_H

#include "train/cards.h"
#include "train/metrics.h"

enum { BOOTSTRAP_REPLICATES = 1000, BOOTSTRAP_SEED = 1, BOOTSTRAP_LEAST_UNITS = 5 };

struct interval {
    double low, high; // NAN where the metric has no meaning in some replicate
};

struct bootstrap {
    const char *unit; // "day" or "hour"; NULL: too few for intervals
    size_t units;
    double (*values)[N_METRICS]; // [BOOTSTRAP_REPLICATES]; NULL without a unit
};

// score[i], judged[i]: of row rows->test.first + i.
int bootstrap_run(struct bootstrap *b, const struct card_rows *rows, const double *score,
                  const int8_t *judged, double threshold, struct err *err);
void bootstrap_release(struct bootstrap *b);
struct interval bootstrap_interval(const struct bootstrap *b, size_t metric);
// Of a's metric minus b's.
struct interval bootstrap_difference(const struct bootstrap *a, const struct bootstrap *b,
                                     size_t metric);

#endif
