// convert: rows of texts become columns of values in a table, or lines in rejects.csv.
//
// A row is taken as a whole or not at all. Of rows with the same id the table has the first; the
// others follow the rejects.
//
//     convert_open(&c, &dataset, &pseudonym, &err)    opens the CSV and reads its header
//     convert_table(&c, "build/table", "build/rejects.csv", &err)
//
// To read a CSV without making a table: pseudonym NULL, and convert_row for each row. The same rows
// are taken; ids and keys are 0, and categories get no code.
//
// rejects.csv has a line for each fault of a row, so that a spreadsheet can sort and count them:
// line (physical, 1-based), column (empty where the whole row is wrong), reason and value (empty for
// ids and keys). Its mode is 0600, because it may hold what the table must not. The converter borrows
// what it is given, and lives as long as the program.
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
    char reason[128];            // the latest one that holds a number or a format
    uint64_t faults, first_line; // rows with a fault here; where the first is, and what it says
    char first[256];
    bool positive;   // labels with positive=: has a row one of its values?
    char others[64]; // the first of the other values
};

struct reject {
    uint64_t line;
    const char *column, *reason; // column "": the whole row
    const char *value;           // NULL for ids and keys, and where the whole row is wrong
};

struct convert {
    const struct dataset *dataset;
    const struct schema *schema; // the dataset's
    const struct pseudonym *pseudonym;
    struct convert_column *columns; // [schema->n], and one for faults of whole rows
    struct csv csv;
    size_t n_fields;               // of the header
    bool blank_end;                // rows have one more, which is empty
    uint64_t seen, rows, repeated; // rows so far, those taken, those with the id of one taken
    struct reject *faults;         // [n_faults] of the latest row
    size_t n_faults;

    // Private to convert.c.
    struct csv_block blocks[2]; // blocks[current] is converted while the other is read
    int current;
    struct table_writer writer;
    struct id_line {
        uint64_t id, line;
    } * ids;    // [CSV_BLOCK_ROWS] of the rows taken
    int ids_fd; // a file of all of them
    struct output rejects;
};

static inline uint64_t convert_broken(const struct convert *c) // rows that break the schema
{
    return c->seen - c->rows - c->repeated;
}

int convert_open(struct convert *c, const struct dataset *dataset,
                 const struct pseudonym *pseudonym, struct err *err);
// Set values[r] of each column; false where the row breaks the schema. The faults point into the
// block, the schema and the converter.
bool convert_row(struct convert *c, const struct csv_block *block, const struct csv_row *row,
                 size_t r);
// Is the column's text missing: empty or, but for ids and keys, one of [input] na?
bool convert_missing(const struct convert *c, const struct schema_column *s, const char *text);
// Says how many rows break the schema, and what does most often; -1 where no row was taken, or they
// are a larger share than max_reject_rate.
int convert_check(const struct convert *c, struct err *err);
// All rows into a table. Where too many of them break the schema, only rejects.csv is written.
int convert_table(struct convert *c, const char *table, const char *rejects, struct err *err);

#endif
