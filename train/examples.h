// examples: a feature table as training and monitoring see it, one array per input and per other
// column in use, mapped from the table's files. Ownership: it lives as long as its program.
#ifndef TRAIN_EXAMPLES_H
#define TRAIN_EXAMPLES_H

#include "base/value.h"
#include "features/split.h"
#include "ingest/table.h"
#include "train/model.h"

struct examples {
    struct table table;
    struct plan plan;
    uint64_t rows; // in time order
    size_t n_inputs;
    const float **x;      // x[i][r]: input i of row r
    const char **names;   // [n_inputs], of the plan
    const int8_t *label;  // label[r]: 1, 0, -1 not known; NULL where a model's table has none
    const int64_t *time;  // time[r], local seconds since 1970 (utc_offset), or the row's number
    bool counts_rows;     // there is no clock: no days, no weeks, no delays
    const uint64_t *card; // card[r]: the key that [split] blocked names; NULL until it is chosen
    int64_t labels_as_of; // local time at which the labels were known; INT64_MAX: all are
    const struct examples *parts; // [n_parts] that were joined to these; NULL: none were
    size_t n_parts;
    const struct examples *before; // has rows earlier than the first of these; NULL: none
};

// trained: the plan of a model, which has to be that of the table; NULL: to train on it, which needs
// labels.
int examples_open(struct examples *e, const char *path, const struct plan *trained,
                  struct err *err);
// Whether rows of this table trained the model, which has its plan: in the training window, the values
// have to fill the bins of the model's references as they did then, but for one row in a thousand,
// because late transactions may have come since.
bool examples_trained(const struct examples *e, const struct model *m);
// A time in words: ISO 8601 with the offset, or "row 7".
const char *examples_time(const struct examples *e, int64_t time, char text[TIME_TEXT]);
// Joins tables of one plan in memory by table_join (ingest/table.h). It takes only the mature rows of
// all tables but the last one, which says when the labels were known.
int examples_join(struct examples *e, const struct examples *tables, size_t n, int64_t label_delay,
                  struct err *err);
// examples_open of n tables, and examples_join, with [split] label_delay.
int examples_open_all(struct examples *e, char *const *paths, size_t n, const struct plan *trained,
                      const struct config *config, struct err *err);
// The first of the rows, whose labels have had label_delay seconds to become known. Among later rows
// only frauds that were found quickly have a label, which would bias every metric.
struct row_range mature_rows(const struct examples *e, struct row_range rows, int64_t label_delay);

#endif
