// report: the files of a version that tell what its model is worth.
//
//     metrics.json     {"test": {...}, "folds": [{"train","test", ..., "threshold_from"}, ...],
//                       "validation": [{"l2","mean_average_precision"}, ...], "l2",
//                       "alerts_per_day"}; "test" and "..." are the metrics of train/metrics.h,
//                       "test" is fold 0's; what has no meaning is null
//     roc.tsv          threshold, false_positive_rate, true_positive_rate
//     pr.tsv           threshold, recall, precision
//     reliability.tsv  from, to, rows, mean_probability, fraud_share of ten equal ranges of scores
//
// The curves are of fold 0's test rows. roc and pr hold the points at which the curve turns. Tabs
// between the columns, names in the first line.
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "base/output.h"
#include "train/evaluate.h"

int report_write(struct output_dir *folder, const struct evaluation *v,
                 const struct settings *settings, struct err *err);

// A version's metrics as an aligned text to print: fold 0, and the mean and standard deviation over
// all folds. path: its metrics.json.
int report_print(const char *path, struct err *err);

#endif
