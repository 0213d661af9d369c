// table: the one data format. A folder with one NumPy .npy file per column and a manifest.json.
//
// Each column is `<name>.npy`, format 1.0, little-endian, shape (rows,), data from byte 128 on, as
// numpy.load(..., mmap_mode="r") reads it; a name has no '/' (the parser of features writes it as
// %2F). The manifest says
//
//     {"format": "assay table", "version": 1, "rows": N,
//      "columns": [{"name", "kind", "dtype", "min", "max", "nulls", "xxh3", "dictionary"?}, ...],
//      "provenance": {...},       decided by the writer's caller
//      "xxh3": ...}               of all the other members, written compact and sorted
//
// min and max are null where no row has a value, and for id and key; nulls counts labels of -1 and
// numbers that are NaN: missing, until the plan's value takes their place.
// xxh3 is the hash of the data bytes, 16 hexadecimal digits.
//
// Writing:                                       Reading:
//     table_writer_open(&w, path, columns, n)        table_open(&t, path, &err)
//     table_writer_append(&w, c, values, rows)       x = table_data(&t, "amount", kind, &err)
//     ... any block sizes, column by column
//     table_writer_finish(&w, provenance, &err)
//     output_commit(&w.dir, &err)
//     table_writer_release(&w)
//
// A table appears as a whole at its commit (base/output.h); memory does not depend on the rows. The
// reader maps the columns and checks every file's size, header and checksum, so an altered or
// truncated table is an error that names the file. Ownership: a table that was opened lives as long
// as its program. A writer is to be released after an error, too.
#ifndef INGEST_TABLE_H
#define INGEST_TABLE_H

#include "base/output.h"
#include "ingest/schema.h"

#include <jansson.h>
#include <stdint.h>

struct table_column {
    char *name;
    enum column_kind kind;
    const void *data;  // [rows] values of the kind's type
    uint64_t xxh3;     // of the data bytes
    char **dictionary; // category: the texts by code, else NULL
    size_t dictionary_size;
};

struct table {
    char *path;
    int dir; // only while it is opened, so that all files are of one table
    uint64_t rows;
    uint64_t xxh3; // the manifest's, which covers those of all columns
    struct table_column *columns;
    size_t n;
    json_t *summary; // per column {"name","kind","min","max","nulls","distinct"}, of the manifest;
                     // distinct: texts of a category, else null
    json_t *provenance;
};

// Bytes of one value of a kind.
size_t column_size(enum column_kind kind);

int table_open(struct table *t, const char *path, struct err *err);
// Index of a column, or -1.
int table_find(const struct table *t, const char *name);
// The values of the first column of a kind; NULL where there is none.
const void *table_first(const struct table *t, enum column_kind kind);
// The values of a column; NULL and a message where it does not exist or is of another kind.
const void *table_data(const struct table *t, const char *name, enum column_kind kind,
                       struct err *err);

// Several tables as one in memory, in time order, equal times in the order of tables and rows. It has
// the columns that all of them have, and the first rows[i] rows of tables[i]. An id that is in two
// tables counts once: the earlier table's row stays, and takes the later one's label where its own is
// not known. Refused: tables of different pseudonym keys, and tables without ids whose times overlap.
// One table in time order is not copied. Provenance: {"tables": those of all, "input_xxh3" over
// theirs, "key_fingerprint", "labels_as_of" of the last}; of feature tables, as the "table" of the
// first one's, and examples_join sets labels_as_of. The summary is the first one's. There are no
// checksums. In join.c.
int table_join(struct table *to, const struct table *tables, size_t n, const uint64_t *rows,
               struct err *err);

// Put the rows in a random order and replace `time` by 0 to rows - 1. Each class of label is ordered
// by XXH3 of (row, seed), and the classes are interleaved: row k of n of a class comes at (k + 1/2) / n
// of all, so that every range of rows has the classes' shares. In join.c.
int table_shuffle(struct table *t, uint64_t seed, struct err *err);

// The texts of a category column, whose codes count from 0 in the order of arrival. A zeroed one is
// empty; it owns copies of the texts until dictionary_release.
enum { DICTIONARY_MAX = 65536 }; // a column with more distinct values is a key
struct dictionary {
    char **texts; // [n] by code
    size_t n, size;
    json_t *codes; // by text
};

// The code of a text, which is added if it is new; -1 where that would be more than DICTIONARY_MAX.
int dictionary_code(struct dictionary *d, const char *text, uint32_t *code, struct err *err);
// The code of a text, d->n if it is not there.
uint32_t dictionary_find(const struct dictionary *d, const char *text);
void dictionary_release(struct dictionary *d);

struct table_writer {
    struct output dir; // further files of the table may be created in it before the commit
    struct table_writer_column *columns; // private to table.c
    size_t n;
    bool (*keep)(void *arg, uint64_t row); // of several threads; NULL: finish drops no rows
    void *keep_arg;
};

// Only name, kind and dictionary of the columns are read; they are borrowed until the commit.
int table_writer_open(struct table_writer *w, const char *path, const struct table_column *columns,
                      size_t n, struct err *err);
// values: [rows] of the kind's type. Threads may append to different columns at the same time.
int table_writer_append(struct table_writer *w, size_t column, const void *values, size_t rows,
                        struct err *err);
// A category column's dictionary, where it is not known before; borrowed until the commit.
void table_writer_dictionary(struct table_writer *w, size_t column, const struct dictionary *d);
// All columns must have the same number of rows. provenance, an object, is stolen. The commit of
// w->dir is the caller's.
int table_writer_finish(struct table_writer *w, json_t *provenance, struct err *err);
void table_writer_release(struct table_writer *w);

// For artifacts of all stages: a number, null where it is not finite.
json_t *json_number(double x);
// Replace a file by the JSON.
int json_save(const json_t *j, const char *path, struct err *err);
// A 64-bit checksum as 16 hexadecimal digits; buf holds 17.
const char *checksum_text(char buf[17], uint64_t xxh3);

#endif
