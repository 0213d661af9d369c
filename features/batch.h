// batch: a column table into a feature table, in blocks of rows in time order.
//
// The feature table has the ingested table's id, time, keys, categories and label, one float32
// column per input of the plan, and beside them the state after the last row (snapshot.h). Its rows
// are in time order; rows with equal times keep their order. Its provenance: {"table": the ingested
// table's, "config_xxh3", "plan", "not_finite", "program"}.
//
//     batch_open(&b, table_path, &config, &err)      checks, fits onehots on the training window
//     batch_run(&b, output_path, threads, until, &err)
//     batch_release(&b)
//
// Memory: per-key state and one block; where the input is not in time order, 16 bytes a row more.
#ifndef FEATURES_BATCH_H
#define FEATURES_BATCH_H

#include "features/plan.h"
#include "ingest/table.h"

struct batch {
    struct table table;
    struct plan plan;
    uint64_t *order;      // [table.rows] row numbers in time order; NULL: they are already
    uint64_t config_xxh3; // of the sections that features read
    uint64_t rows;        // written
    uint64_t not_finite;  // values replaced by 0
};

int batch_open(struct batch *b, const char *table_path, const struct config *c, struct err *err);
// Only rows before `until` (seconds since 1970-01-01 UTC; INT64_MAX for all).
int batch_run(struct batch *b, const char *output, unsigned threads, int64_t until,
              struct err *err);
void batch_release(struct batch *b);

#endif
