// comparison: the drift of a period's rows against the rows a model was trained on.
//
// Of every input of the model, and of its probability (the last column, named "score"), over the
// bins of the model's reference histograms. Besides the whole period, PSI of each of its weeks,
// and the model's performance on both sides where there are labels.
//
//     struct period reference = {&features, training_rows}, current = {&features, later_rows};
//     comparison_init(&c, &model, &reference, &current, &limits, threads, &err)
//     ... c.columns[i].drift, c.drifted
//     comparison_release(&c)
//
// An alarm needs size and numbers: PSI of at least psi_alert, and min_rows rows on both sides.
// Nothing is sampled. Memory: per thread one column of both periods, and as much again twice while
// it is sorted. The result does not depend on the number of threads.
//
// Errors: a table without an input of the model or without a time column, time that goes back, a
// value that is not finite, a reference without rows. An empty current period is none: its measures
// are NAN.
// Ownership: a comparison owns its arrays until comparison_release, and borrows the model and both
// tables, which must outlive it.
#ifndef MONITOR_COMPARISON_H
#define MONITOR_COMPARISON_H

#include "features/split.h"
#include "ingest/table.h"
#include "monitor/drift.h"
#include "train/metrics.h"
#include "train/model.h"

#include <stdbool.h>

struct period {
    const struct table *table; // of features
    struct row_range rows;
};

struct limits {       // the [monitor] section
    double psi_alert; // default 0.2
    int64_t min_rows; // default 1000
};

// Seven days from the current period's first day (UTC) on; weeks without a row are left out.
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

// What the model's scores were worth where labels have come; the members that need cards are NAN.
struct performance {
    bool known; // some row has a label
    struct metrics metrics;
};

struct comparison {
    const struct model *model;
    struct period reference, current;
    struct limits limits;
    struct comparison_column *columns; // [n]: the model's inputs in their order, then the score
    size_t n;
    struct week *weeks; // [n_weeks]
    size_t n_weeks;
    struct performance reference_performance, current_performance;
    bool enough_rows;
    bool drifted; // some column did
};

int limits_from_config(struct limits *l, const struct config *c, struct err *err);

int comparison_init(struct comparison *c, const struct model *m, const struct period *reference,
                    const struct period *current, const struct limits *limits, unsigned threads,
                    struct err *err);
void comparison_release(struct comparison *c);

#endif
