// results: metrics.json, everything known about the quality of a version. Page, model card and
// terminal (train/report.h) only show what is in it.
//
//     {"test":   {metrics of train/metrics.h, "intervals": {"roc_auc": [low, high], ...}},
//      "folds":  [{"train","test","threshold_from", metrics}, ...],    fold 0 is "test"
//      "summary": {"roc_auc": {"folds","mean","sd","worst","worst_test"}, ...}  over the folds in
//                 which the metric is defined; worst is null where neither direction is better
//      "curve":  {"threshold": [...], "frauds": [...], "genuine": [...]}  test rows of fold 0 at
//                 or above some hundred thresholds, from which precision, recall and so on follow
//      "l2", "false_positives_at_recall",           train/evaluate.h
//      "bootstrap": {"unit","units","replicates","seed"} or null        train/bootstrap.h
//      "validation": [{"l2","mean_average_precision"}, ...],
//      "threshold": {"policy": "alerts_per_day", "alerts_per_day"}
//                or {"policy": "cost", "cost_fraud","cost_alert","test_cost","test_cost_no_alert",
//                    "test_cost_all_alerts"},
//      "data":   {"train": {"rows","known","frauds","days","unknown","fraud_share"},
//                 "test":  {"rows","frauds","days","alerts_per_day","fraud_share"}},
//      "weights": [{"feature","mean","scale","weight","standard_error","low","high","z",
//                   "odds_ratio"}, ...], "intercept": {"weight","standard_error"},
//      "reliability": [{"from","to","rows","mean_probability","fraud_share","low","high"}, ...],
//      "scores": {"from","to","genuine": [...], "frauds": [...]},
//      "slices": [{"name","small","many_small", "slices": [{"slicing","name","small", metrics,
//                  "fraud_share", "difference": {...}, "ratio": {...}}, ...]}, ...],
//      "baselines": [{"name","inputs": [...],"l2","test","folds","summary","curve",
//                     "false_positives_at_recall","change","better",   change: model / baseline - 1
//                     "difference": {"roc_auc": [value, low, high], ...}}, ...],   model - baseline
//      "warnings": {"few_rows","known_cards","no_validation","threshold_from_training",
//                   "over_budget"},
//      "card": {"intended_use","data","limits"}}    those that [card] has
//
// train/report.h adds "about" and "text". A weight belongs to the standardised input; low and high
// are its 95 % interval, weight ± 1.96 standard errors; odds_ratio = exp(weight) is for a standard
// deviation. "reliability" has the non-empty ranges of ten of probability, low and high by Wilson.
// "scores" counts rows in equal ranges of log-odds; the outermost ranges hold everything beyond.
// A number that is not defined is null.
#ifndef TRAIN_RESULTS_H
#define TRAIN_RESULTS_H

#include "train/evaluate.h"

// NULL and a message for a bad key or value in [card]. To be released by the caller.
json_t *results_new(const struct evaluation *v, const struct config *config, struct err *err);

#endif
