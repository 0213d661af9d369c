// convert: rows of texts become columns of values in a table, or lines in rejects.csv.
//
// A row is taken whole or not at all; the first column that breaks the schema is its reason.
//
//     convert_open(&c, name, &schema, &pseudonym, &writer, &rejects, &err)   name: the CSV's
//     convert_header(&c, &block, &err)           the header's row: which field is which column
//     convert_block(&c, &block, &err)            the following rows, block by block
//     convert_finish(&c, &err)                   dictionaries to the writer
//     convert_release(&c)
//
// Who wants no table leaves pseudonym, writer and rejects NULL, and calls convert_row in place of
// the last two: the same rows are taken, ids and keys are 0, and no category gets a code.
//
// Ownership: the converter borrows all that it is given; nothing of a block is kept.
#ifndef INGEST_CONVERT_H
#define INGEST_CONVERT_H

#include "ingest/csv.h"
#include "ingest/dictionary.h"
#include "ingest/pseudonym.h"
#include "ingest/rejects.h"
#include "ingest/schema.h"
#include "ingest/table.h"
#include "ingest/value.h"

struct convert_column; // private to convert.c

struct convert {
    const char *name; // for messages
    const struct schema *schema;
    const struct pseudonym *pseudonym;
    struct table_writer *writer;
    struct rejects *rejects;
    struct convert_column *columns; // [schema->n]
    size_t *order;                  // [n_order]: schema column of each field that is kept
    size_t n_order;
    size_t *categories; // [n_categories]: places in order whose column is a category
    size_t n_categories;
    int64_t *row_numbers; // values of the time column where rows are numbered, else NULL
    bool *wanted;         // [n_wanted] by field of the file: for csv_select
    size_t n_wanted;
    char ragged[80]; // the latest reason that holds numbers of fields
    uint64_t seen;   // rows so far, also rejected ones
    uint64_t rows;   // rows taken
};

int convert_open(struct convert *c, const char *name, const struct schema *schema,
                 const struct pseudonym *pseudonym, struct table_writer *writer,
                 struct rejects *rejects, struct err *err);
int convert_header(struct convert *c, const struct csv_block *header, struct err *err);
int convert_block(struct convert *c, const struct csv_block *block, struct err *err);
// The values of one row at place r of the columns' buffers; false, and why, where it breaks the
// schema. *why points into the block, the schema and the converter.
bool convert_row(struct convert *c, const struct csv_block *block, const struct csv_row *row,
                 size_t r, struct reject *why);
// A column's buffer: [CSV_BLOCK_ROWS] values of its kind's type.
const void *convert_values(const struct convert *c, size_t column);
void convert_finish(struct convert *c);
void convert_release(struct convert *c);

#endif
