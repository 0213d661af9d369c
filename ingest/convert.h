// convert: rows of texts become columns of values in a table, or lines in rejects.csv.
//
// A row is taken as a whole or not at all; a reject names the first column that breaks the schema. Of
// rows with the same id the table has the first; the others follow the rejects.
//
//     convert_open(&c, &dataset, &pseudonym, &err)    opens the CSV and reads its header
//     convert_table(&c, "build/table", "build/rejects.csv", &err)
//
// To read a CSV without making a table: pseudonym NULL, and convert_row for each row. The same rows
// are taken; ids and keys are 0, and categories get no code.
//
// rejects.csv has the columns line (physical, 1-based), column (empty where the whole row is
// wrong), reason and value (empty for ids and keys). Its mode is 0600, because it may hold what the
// table must not. The converter borrows what it is given, and lives as long as the program.
#ifndef INGEST_CONVERT_H
#define INGEST_CONVERT_H

#include "ingest/csv.h"
#include "ingest/pseudonym.h"
#include "ingest/table.h"

struct convert_column {
    const struct schema_column *schema;
    size_t field; // its place in a row of the CSV, SIZE_MAX for row numbers
    void *values; // [CSV_BLOCK_ROWS] of the kind's type
    struct dictionary dictionary;
};

struct convert {
    const struct dataset *dataset;
    const struct schema *schema; // the dataset's
    const struct pseudonym *pseudonym;
    struct convert_column *columns; // [schema->n]
    struct csv csv;
    size_t n_fields;               // of the header
    uint64_t seen, rows, repeated; // rows so far, those taken, those with the id of one taken

    // Private to convert.c.
    char reason[128];           // the latest one that holds a number or a format
    struct csv_block blocks[2]; // blocks[current] is converted while the other is read
    int current;
    struct table_writer writer;
    struct id_line {
        uint64_t id, line;
    } * ids;    // [CSV_BLOCK_ROWS] of the rows taken
    int ids_fd; // a file of all of them
    struct output rejects;
    char first_reject[256]; // "line 17: amount: not a number"
};

static inline uint64_t convert_broken(const struct convert *c) // rows that break the schema
{
    return c->seen - c->rows - c->repeated;
}

struct reject {
    uint64_t line;
    const char *column, *reason;
    const char *value; // NULL for ids and keys, and where the whole row is wrong
    size_t value_n;
};

int convert_open(struct convert *c, const struct dataset *dataset,
                 const struct pseudonym *pseudonym, struct err *err);
// Set values[r] of each column; false, and why, where the row breaks the schema. *why points into
// the block, the schema and the converter.
bool convert_row(struct convert *c, const struct csv_block *block, const struct csv_row *row,
                 size_t r, struct reject *why);
// -1 where none was taken, or a larger share of the rows than max_reject_rate breaks the schema.
int convert_check(const struct convert *c, struct err *err);
// All rows into a table. Where too many of them break the schema, only rejects.csv is written.
int convert_table(struct convert *c, const char *table, const char *rejects, struct err *err);

#endif
