// comparison: the drift of a period's rows against the rows a model was trained on, as drift.json
// and as a table.
//
//     comparison_init(&c, &model, &features, NULL, &config, threads, &err)
//     comparison_write(&c, "drift.json", &err), comparison_print(&c)
//
// Each input of the model and its score is measured over the bins of the model's reference
// histograms, and PSI for each week, too. A column has drifted where PSI reaches psi_alert and both
// sides have min_rows rows. The result does not depend on the number of threads; each holds one
// column of both periods, and the same again while it sorts.
//
// drift.json:
//     {"format": "assay drift", "version": 1, "model": sha256 of model.json,
//      "reference": {"table", "rows", "from", "to"}, "current": {...},   UTC times of the first and
//                                                       the last row, null without rows
//      "psi_alert", "min_rows", "enough_rows", "drifted",
//      "inputs": [{"name", "psi", "ks", "ks_p", "jensen_shannon", "wasserstein",
//                  "wasserstein_normalised", "out_of_range", "mean_reference", "mean_current",
//                  "drifted", "weeks": [{"from", "rows", "psi"}]}],
//      "score": {the same},
//      "performance": {"reference": {as in metrics.json, see train/metrics.h}, "current": {...}}}
// Performance is null where no label is known, and so is a measure that is not defined (drift.h).
// There is no clock time in it: the same input gives the same file.
//
// Without current rows the measures are NAN; a reference without rows is an error. Ownership: a
// comparison borrows model and tables, and lives as long as its program.
#ifndef MONITOR_COMPARISON_H
#define MONITOR_COMPARISON_H

#include "monitor/drift.h"
#include "train/evaluate.h"

#include <stdatomic.h>

struct period {
    const struct examples *examples;
    struct row_range rows;
    struct metrics metrics; // of the score; without judged rows where no label is known
};

// Seven days, counted from the current period's first day (UTC); weeks without a row are left out.
struct week {
    int64_t from; // days since 1970-01-01
    struct row_range rows;
};

struct comparison_column {
    const char *name; // the model's
    struct drift drift;
    double *week_psi; // [n_weeks]
    bool drifted;
};

struct comparison {
    const struct model *model;
    struct period reference, current;
    double psi_alert;                  // [monitor], default 0.2
    int64_t min_rows;                  // [monitor], default 1000
    struct comparison_column *columns; // [n]: the model's inputs in their order, then "score"
    size_t n;
    struct week *weeks; // [n_weeks]
    size_t n_weeks, weeks_capacity;
    bool enough_rows;
    bool drifted;       // some column did
    atomic_size_t next; // column to measure
};

// The training rows of features against all rows of other, or, where other is NULL, against the
// rows of features after the test window; both were opened with the model's plan. config: [split]
// and [monitor] are read.
int comparison_init(struct comparison *c, const struct model *m, const struct examples *features,
                    const struct examples *other, const struct config *config, unsigned threads,
                    struct err *err);
size_t period_rows(const struct period *p);

// Write drift.json to path, whole or not at all.
int comparison_write(const struct comparison *c, const char *path, struct err *err);
// Print the table to stdout, the column with the largest PSI first.
void comparison_print(const struct comparison *c);

#endif
