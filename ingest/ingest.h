// ingest: a CSV and its .ini to a column table, the whole stage in one call.
//
// The old table stands until the new one is whole. When more rows break the schema than [input]
// max_reject_rate allows, no table is written, but rejects.csv is, so that one can see why.
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ingest {
    const char *config;  // the .ini
    const char *input;   // NULL: [input] file; "-" is standard input
    const char *output;  // the table's folder
    const char *rejects; // NULL: rejects.csv beside the table
    const char *key;     // the pseudonym key's file
    bool keep_raw_rejects;

    // Set by ingest_run.
    uint64_t rows, rejected;
    uint64_t bytes; // of the input as it was read, before decompression
};

int ingest_run(struct ingest *g, struct err *err);

#endif
