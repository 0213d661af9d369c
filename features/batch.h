// batch: a column table into a feature table, in blocks of rows in time order.
//
// The feature table has the ingested table's id, time, keys, categories and label, one float32
// column per input of the plan, and beside them the state after the last row (snapshot.h). Its rows
// are in time order; rows with equal times keep their order. Its provenance: {"table": the ingested
// table's, "config_xxh3", "plan", "not_finite", "program"}. onehots are fitted to the training
// window of [split].
//
// Memory: the state and one block; for a table out of time order 16 bytes a row, 24 while it sorts.
#ifndef FEATURES_BATCH_H
#define FEATURES_BATCH_H

#include "base/config.h"

#include <stdint.h>

struct batch_result {
    uint64_t rows;       // written
    uint64_t not_finite; // values replaced by 0
    const char *warning; // plan_warning
};

// Only rows before `until` (seconds since 1970-01-01 UTC; INT64_MAX for all).
int batch_run(const struct config *c, const char *table, const char *output, unsigned threads,
              int64_t until, struct batch_result *result, struct err *err);

#endif
