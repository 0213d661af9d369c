// compare: is version B better than version A? docs/models.md has the rules, docs/formats.md the JSON.
//
// Both score the same rows, each decides at its own threshold. The rows begin where both trainings
// have ended and end where labels are mature (examples.h); cards blocked by a fraud are left out, one
// set for both (metrics.h, with a history of 28 days and label_delay).
//
// Intervals are of the differences B - A, with the same draws for both (bootstrap.h). B is better
// where the 95 % interval of the primary metric, which [retrain] metric names, lies above 0, and worse
// where it lies below. Below 14 days nothing is judged, because intervals of few days are too short.
// Without a clock rows are judged whatever their number; the table has to be that which trained both,
// in the same order. A true difference of
//
//     detectable = (z_0.975 + z_0.8) · standard error = 2.8 · standard error
//
// is shown by 80 % of such periods (Bloom, Minimum Detectable Effects, Evaluation Review 19, 1995).
// The worst slice has the lowest difference of the primary metric; small ones do not count.
#ifndef TRAIN_COMPARE_H
#define TRAIN_COMPARE_H

#include "train/evaluate.h"

enum { COMPARE_LEAST_DAYS = 14, COMPARE_FLIPS = 5000 };

// e: opened with its own plan. Only rows within the times count. The caller's; NULL and a message
// where the inputs of versions and tables differ, or no row is left.
json_t *compare_new(const struct model *a, const struct model *b, const struct examples *e,
                    const struct config *config, struct period_times within, struct err *err);

// Its template for template_print (report.h): verdict, figures and flips, in 24 lines.
extern const char compare_txt[];

#endif
