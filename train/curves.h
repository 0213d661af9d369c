// curves: the points behind the report's plots, as files of tab-separated columns with their names in
// the first line, for gnuplot and whoever else draws.
//
//     roc.tsv          threshold, false_positive_rate, true_positive_rate
//     pr.tsv           threshold, recall, precision
//     tradeoff.tsv     threshold, alerts_per_day, recall, precision; alerts rise by 5 % a line
//     weeks.tsv        week, test, rows, frauds, and the metrics of each fold
//     reliability.tsv  from, to, rows, mean_probability, fraud_share, low, high: ten equal ranges of
//                      probability, with the 95 % interval of the share (Wilson)
//     scores.tsv       from, to, genuine, frauds: ranges of probability equally wide in log odds
//     weights.tsv      feature, weight, standard_error, low, high, z, odds_ratio
//     slices.tsv       slicing, slice, rows, frauds, roc_auc, average_precision, selection_rate,
//                      true_positive_rate, false_positive_rate, small; in names ' and / stand for
//                      double quotes and backslashes, which gnuplot would not show
//
// All are of fold 0's test rows but weeks. The first four also of each baseline but the constant, as
// roc_NAME.tsv and so on. roc and pr hold the points at which the curve turns, pr all with a
// further fraud. A number without a
// meaning is an empty field; without frauds or genuine rows a curve is its first line alone.
#ifndef TRAIN_CURVES_H
#define TRAIN_CURVES_H

#include "base/output.h"
#include "train/evaluate.h"

int curves_write(struct output_dir *folder, const struct evaluation *v, struct err *err);

#endif
