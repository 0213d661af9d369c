// comparison: a period held against the rows that a model was trained and tested on: what moved, by
// how much, and is it more than usual? docs/monitoring.md has the rules of an alarm, docs/formats.md
// the format of drift.json.
//
//     struct comparison c = {.model = &model, .features = &features, .within = {from, INT64_MAX}};
//     comparison_run(&c, &config, threads, &err), drift = comparison_json(&c, "simulated")
//     comparison_write(drift, "drift.json", &err), comparison_print(drift, "drift.json")
//
// Inputs, score and decisions are held against the training window, over the bins of the model's
// reference histograms (drift.h); performance, where labels are mature (train/examples.h), against
// the test window, by the rules of the report (cards_judge; in the period its blocks are the weeks).
//
// Ownership: a comparison borrows model and tables, and lives as long as its program.
#ifndef MONITOR_COMPARISON_H
#define MONITOR_COMPARISON_H

#include "monitor/drift.h"
#include "train/metrics.h"

#include <stdatomic.h>

// A standard deviation of n weeks is off by a share of 1 / sqrt(2(n - 1)): 41 % with four.
enum { WEEKS_LEAST = 4, DAYS_PER_WEEK = 7 };

struct week {
    int64_t from; // days since 1970-01-01
    struct row_range rows;
    bool counts;
};

struct period {
    const struct examples *examples;
    struct row_range rows, whole; // whole: those of whole days
    struct week *weeks;           // [n_weeks]
    size_t n_weeks;
    double *score;  // [rows]
    int8_t *judged; // [rows] of the test and the current period
};

// What to expect where there are no labels (docs/monitoring.md): a row of probability p counts as p
// frauds and 1 − p genuine rows.
struct estimate {
    double average_precision, precision, recall; // NAN without rows, or without alerts
};

struct performance { // of rows with labels, without those of known cards
    struct metrics metrics;
    struct bootstrap bootstrap;
    struct estimate estimate; // of the same rows
};

struct comparison_column {
    const char *name, *kind;
    struct drift drift;
    struct histogram reference, current;
    double *weeks; // [weeks of the current period] their PSI; NAN where one does not count
    double bound;  // NAN: never alarms
    double moved;  // PSI of the newest week that reaches it
    int over;      // of the `last` newest weeks, how many reach it
    bool alarm;
};

struct comparison {
    // of the caller
    const struct model *model;
    struct examples *features, *other; // training and test; the period, NULL: it is in features
    struct period_times within; // of the period; INT64_MIN, INT64_MAX: as far as there are rows
    // [monitor], [split]
    double psi_alert, ap_drop;
    int64_t min_rows, label_delay;
    int least, last;
    // results
    struct period train, test, current;
    bool usual;                        // the weeks of training give the bounds, not psi_alert
    struct comparison_column *columns; // [n]: as in drift.json
    size_t n;
    struct row_range mature;           // of the current rows
    struct performance reference, now; // of the test window, of the mature rows
    struct performance *weeks;         // [current.n_weeks]; zeroed where labels are not mature
    struct interval *differences;      // [current.n_weeks] of average precision
    double *falls;                     // [current.n_weeks]: of AP, at least; NAN: does not count
    struct estimate estimate;          // of all current rows
    int performance_over;              // of the `last` newest weeks, in how many AP has fallen
    bool performance_alarm, drift;
    bool all_cards;     // alerts count on blocked cards, too, as no fraud of the period blocks any
    atomic_size_t next; // piece of work
};

// The result does not depend on the number of threads. Fails on a bad setting, and where the training
// rows are not those of the model.
int comparison_run(struct comparison *c, const struct config *config, unsigned threads,
                   struct err *err);
// score[n], judged[n] (train/metrics.h).
struct estimate estimate_make(const double *score, const int8_t *judged, size_t n,
                              double threshold);
// The alerts a day, known labels or not, and their 95 % interval; without a clock their share of the
// rows. judged NULL: of known cards, too.
double alerts_per_day(const struct examples *e, struct row_range rows, const double *score,
                      const int8_t *judged, double threshold, struct interval *interval);
size_t period_rows(const struct period *p);
size_t weeks_counting(const struct period *p); // weeks that count

// The rest is in verdict.c. drift.json, the caller's; NULL where a table's name is not UTF-8.
json_t *comparison_json(const struct comparison *c, const char *dataset);
// Writes path, and beside it its page .html and its metrics for Prometheus .prom.
int comparison_write(const json_t *drift, const char *path, struct err *err);
void comparison_print(const json_t *drift, const char *path);

#endif
