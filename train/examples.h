// examples: a feature table as training sees it, one array per input and per other column in use.
//
// The arrays are mapped from the table's files. Errors: a table that features did not make, or one
// without labels. Ownership: released by examples_release, the arrays with it.
#ifndef TRAIN_EXAMPLES_H
#define TRAIN_EXAMPLES_H

#include "features/plan.h"
#include "ingest/table.h"

struct examples {
    struct table table;
    struct plan plan;
    uint64_t rows; // in time order
    size_t n_inputs;
    const float **x;      // x[i][r]: input i of row r
    const char **names;   // [n_inputs], of the plan
    const int8_t *label;  // label[r]: 1, 0, -1 not known
    const int64_t *time;  // time[r], seconds since 1970-01-01 UTC
    const uint64_t *card; // card[r]: the schema's first key; NULL where it has none
};

int examples_open(struct examples *e, const char *path, struct err *err);
void examples_release(struct examples *e);

#endif
