// rejects: rejects.csv, the rows that broke the schema and why.
//
// Columns: line (physical, 1-based), column (our name; empty where the row as a whole is wrong),
// reason, value (empty for ids and keys) and, where raw rows are kept, row. Mode 0600, because it
// may hold what the table must not. Written next to the old file, which the commit replaces.
#ifndef INGEST_REJECTS_H
#define INGEST_REJECTS_H

#include "base/output.h"

#include <stdbool.h>
#include <stdint.h>

struct rejects {
    struct output output;
    bool keep_raw;
    char *text; // not written yet
    size_t used, size;
    uint64_t n;
    char first[256]; // "line 17: amount: not a number"
};

struct reject {
    uint64_t line;
    const char *column, *reason;
    const char *value; // may be NULL
    size_t value_n;
    const char *row; // of the reader that keeps raw rows
    size_t row_n;
};

int rejects_open(struct rejects *r, const char *path, bool keep_raw, struct err *err);
int rejects_add(struct rejects *r, const struct reject *reject, struct err *err);
// Of so many rows, are no more rejected than this share? If not, the file is committed, to show why.
int rejects_check(struct rejects *r, const char *input, uint64_t rows, double max_share,
                  struct err *err);
int rejects_commit(struct rejects *r, struct err *err);
// Without a commit before, the old file stands.
void rejects_release(struct rejects *r);

#endif
