// convert: rows of texts become columns of values in a table, or lines in rejects.csv.
//
// A row is taken as a whole or not at all; the first column of the schema that it breaks is the
// reason.
//
//     convert_open(&c, &csv, &schema, &pseudonym, &err)     reads the header
//     convert_rows(&c, &writer, &rejects, &err)             all rows that follow
//     convert_release(&c)
//
// To read a CSV under a schema without making a table: pseudonym NULL, and convert_row for each row
// instead of convert_rows. The same rows are taken; ids and keys are 0, and categories get no code.
//
// Ownership: the converter borrows what it is given.
#ifndef INGEST_CONVERT_H
#define INGEST_CONVERT_H

#include "ingest/csv.h"
#include "ingest/dictionary.h"
#include "ingest/pseudonym.h"
#include "ingest/rejects.h"
#include "ingest/schema.h"
#include "ingest/table.h"

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
};

int convert_open(struct convert *c, struct csv *csv, const struct schema *schema,
                 const struct pseudonym *pseudonym, struct err *err);
// Set values[r] of each column; false, and why, where the row breaks the schema. *why points into
// the block, the schema and the converter.
bool convert_row(struct convert *c, const struct csv_block *block, const struct csv_row *row,
                 size_t r, struct reject *why);
int convert_rows(struct convert *c, struct table_writer *writer, struct rejects *rejects,
                 struct err *err);
void convert_release(struct convert *c);

#endif
