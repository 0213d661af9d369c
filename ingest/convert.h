// convert: rows of texts become columns of values in a table, or lines in rejects.csv.
//
// A row is taken as a whole or not at all; the first column of the schema that it breaks is why.
//
//     convert_open(&c, &csv, &schema, &pseudonym, &err)     reads the header
//     convert_rows(&c, &writer, &rejects, &err)             all rows that follow
//     convert_release(&c)
//
// To read a CSV under a schema without making a table: pseudonym NULL, and convert_row for each row
// instead of convert_rows. The same rows are taken; ids and keys are 0, and categories get no code.
//
// rejects.csv has the columns line (physical, 1-based), column (empty where the whole row is wrong),
// reason, value (empty for ids and keys) and, if raw rows are kept, row. Its mode is 0600, because it
// may hold what the table must not. Ownership: the converter borrows what it is given.
#ifndef INGEST_CONVERT_H
#define INGEST_CONVERT_H

#include "ingest/csv.h"
#include "ingest/dictionary.h"
#include "ingest/pseudonym.h"
#include "ingest/schema.h"
#include "ingest/table.h"

#include <stdio.h>

struct convert_column {
    const struct schema_column *schema;
    size_t field; // its place in a row of the CSV, SIZE_MAX for row numbers
    void *values; // [CSV_BLOCK_ROWS] of the kind's type
    struct dictionary dictionary;
};

struct convert {
    struct csv *csv;
    const struct schema *schema;
    const struct pseudonym *pseudonym;
    struct convert_column *columns; // [schema->n]
    size_t n_fields;                // of the header
    char reason[128];               // the latest one that holds a number or a format
    uint64_t seen, rows;            // rows so far, and how many of them were taken

    // Private to convert.c.
    struct table_writer *writer;
    struct rejects *rejects;
    struct csv_block blocks[2]; // blocks[current] is converted while the other is read
    int current;
};

struct reject {
    uint64_t line;
    const char *column, *reason;
    const char *value; // may be NULL
    size_t value_n;
    const char *row; // of a reader that keeps raw rows
    size_t row_n;
};

struct rejects {
    struct output output;
    bool keep_raw;
    FILE *file; // through a buffer into output
    uint64_t n;
    char first[256]; // "line 17: amount: not a number"
};

int convert_open(struct convert *c, struct csv *csv, const struct schema *schema,
                 const struct pseudonym *pseudonym, struct err *err);
// Set values[r] of each column; false, and why, where the row breaks the schema. *why points into
// the block, the schema and the converter.
bool convert_row(struct convert *c, const struct csv_block *block, const struct csv_row *row,
                 size_t r, struct reject *why);
int convert_rows(struct convert *c, struct table_writer *writer, struct rejects *rejects,
                 struct err *err);
// Are there rows, and no more rejected than this share? If not, rejects.csv is committed, to show why.
int convert_check(const struct convert *c, struct rejects *rejects, double max_share,
                  struct err *err);
// Where the table comes from, for its manifest; NULL where the CSV's name is not UTF-8.
json_t *convert_provenance(const struct convert *c, const struct config *config);
void convert_release(struct convert *c);

int rejects_open(struct rejects *r, const char *path, bool keep_raw, struct err *err);
int rejects_commit(struct rejects *r, struct err *err);
void rejects_release(struct rejects *r); // without a commit before, the old file stands

#endif
