// drift_report: a comparison as JSON for programs and as a table for people.
//
// drift.json:
//     {"format": "assay drift", "version": 1, "model": sha256 of model.json,
//      "reference": {"table", "rows", "from", "to"}, "current": {...},   from, to: UTC times of the
//                                                       first and the last row, null without rows
//      "psi_alert", "min_rows", "enough_rows", "drifted",
//      "inputs": [{"name", "psi", "ks", "ks_p", "jensen_shannon", "wasserstein",
//                  "wasserstein_normalised", "out_of_range", "mean_reference", "mean_current",
//                  "drifted", "weeks": [{"from", "rows", "psi"}]}],
//      "score": {the same},
//      "performance": {"reference": {as in metrics.json, see train/metrics.h}, "current": {...}}}
// Performance is null where no label is known.
// A measure that is not defined (drift.h) is null; numbers are written with 17 significant digits.
// There is no clock time in it: the same tables and model give the same file.
#ifndef MONITOR_DRIFT_REPORT_H
#define MONITOR_DRIFT_REPORT_H

#include "monitor/comparison.h"

// Write drift.json to path, whole or not at all.
int drift_report_write(const struct comparison *c, const char *path, struct err *err);

// Print the table to stdout, the column with the largest PSI first.
int drift_report_print(const struct comparison *c, struct err *err);

#endif
