// split: which rows train, which test, and how the cut moves for folds: [split] of
// docs/configuration.md.
#ifndef FEATURES_SPLIT_H
#define FEATURES_SPLIT_H

#include "features/plan.h"

struct split_part {
    bool percent;
    double from, to; // [from, to) in shares of the rows, or in days since 1970-01-01
    char text[64];   // as written
};

struct split {
    struct split_part train, test;
    int64_t folds; // at least 1
    // The last quarter of the training rows validates, not the weeks before: with shares, and when a
    // model is retrained.
    bool last_quarter;
    // of split_labels:
    int64_t label_delay;          // seconds
    const char *label_delay_text; // as written
    const char *blocked;          // the schema's name of the key; NULL for none
};

struct row_range {
    uint64_t first, end; // rows [first, end)
};

int split_from_config(struct split *s, const struct config *c, struct err *err);
// The seed of shuffle, -1 without; an error where the plan or the split does not allow it.
int split_shuffle(const struct split *s, int64_t *seed, const struct config *c,
                  const struct plan *p, struct err *err);
// Sets label_delay and blocked. The split borrows strings of config and schema.
int split_labels(struct split *s, const struct config *c, const struct schema *schema,
                 struct err *err);

// Days [from, to) since 1970-01-01.
struct split_part split_days(int64_t from, int64_t to);
// The rows with from <= time < until, in time[0..rows), which does not decrease.
struct row_range time_rows(int64_t from, int64_t until, const int64_t *time, uint64_t rows);
// The rows of a part whose days are moved by `shift` seconds: by a week, or by -utc_offset where the
// times are UTC. Rows with the time of a cut all belong to the later part, so that a part can be found
// again by its times.
struct row_range split_rows(const struct split_part *part, int64_t shift, const int64_t *time,
                            uint64_t rows);

#endif
