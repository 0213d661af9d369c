// results: metrics.json, all that is known of how good a version is. Tables, report and model card are
// views of it (tables.h, report.h).
//
//     {"test":   {metrics of train/metrics.h, "intervals": {"roc_auc": [low, high], ...}},
//      "false_positives_at_recall",   as below, of the model itself
//      "folds":  [{"train","test","threshold_from", metrics}, ...],    fold 0 is "test"
//      "summary": {"roc_auc": {"folds","mean","sd","worst","worst_test"}, ...}  over the folds in
//                 which the metric has a meaning; worst is null where neither end is better
//      "bootstrap": {"unit","units","replicates","seed"} or null        train/bootstrap.h
//      "validation": [{"l2","mean_average_precision"}, ...], "l2",
//      "threshold": {"policy": "alerts_per_day", "alerts_per_day"}
//                or {"policy": "cost", "cost_fraud","cost_alert"},
//      "data":   {"train": {"rows","known","frauds","days"}, "test": {"rows","frauds","days"}},
//      "weights": [{"feature","mean","scale","weight","standard_error","low","high","z",
//                   "odds_ratio"}, ...], "intercept": {"weight","standard_error"},
//      "slices": [{"name", "slices": [{"name","small", metrics, "difference": {...},
//                  "ratio": {...}}, ...]}, ...],
//      "baselines": [{"name","inputs": [...],"l2","test","folds","summary",
//                     "difference": {"roc_auc": [value, low, high], ...},   model minus baseline
//                     "false_positives_at_recall"}, ...],
//      "card": {"intended_use","data","limits"}}                            as [card] has them
// A weight belongs to the standardised input; low and high are its 95 % interval, weight ± 1.96
// standard errors; odds_ratio = exp(weight) is per standard deviation. What has no meaning is null.
#ifndef TRAIN_RESULTS_H
#define TRAIN_RESULTS_H

#include "train/evaluate.h"

// NULL and a message: out of memory, or an unknown key in [card]. The caller's to release.
json_t *results_new(const struct evaluation *v, const struct settings *s,
                    const struct config *config, struct err *err);

#endif
