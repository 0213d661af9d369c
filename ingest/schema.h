// schema: the columns of a dataset, as the [columns] section declares them.
//
//     name = HEADER, kind[, min=NUMBER][, max=NUMBER][, missing=VALUE]
//
// Exactly one time, at most one id and one label; any number of keys, numbers and categories. Where
// [input] time_format = row no time is declared: a column "time" with an empty header is made, whose
// values are the rows' numbers from 0 on. A header with a comma in it stands in double quotes. min
// and max are for numbers; missing= is for all but id and time, and limits do not apply to it (a
// label's may be -1, not known). The schema travels as JSON through the manifests of the tables
// and inside the model, so a server knows without the .ini what a transaction looks like.
//
// Ownership: a schema owns its strings until schema_release.
#ifndef INGEST_SCHEMA_H
#define INGEST_SCHEMA_H

#include "base/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum column_kind {
    COLUMN_ID,       // uint64, pseudonym of the text
    COLUMN_TIME,     // int64, seconds since 1970-01-01 UTC
    COLUMN_KEY,      // uint64, pseudonym of the text: what windows are grouped by
    COLUMN_NUMBER,   // float64
    COLUMN_CATEGORY, // uint32, index into the column's dictionary
    COLUMN_LABEL,    // int8: 1 fraud, 0 genuine, -1 not known
    COLUMN_FEATURE,  // float32, made by features/; not a kind of [columns]
};

// Numbers beyond it are refused unless the column's min or max allow them: sums of numbers within it
// are exact to the cent, and no single one can swamp the history of its key.
#define SCHEMA_LIMIT 1e15

struct schema_column {
    char *name;
    char *header; // the CSV's name for it, "" for the time that is made
    enum column_kind kind;
    double min, max; // numbers; -SCHEMA_LIMIT, SCHEMA_LIMIT where the .ini has no other
    char *missing;   // what an empty field stands for, NULL: an empty field rejects the row
    int line;        // in the .ini, 0 where it came from JSON
};

struct schema {
    struct schema_column *columns; // in the order of the .ini
    size_t n;
    char *time_format; // as in [input], e.g. "%Y-%m-%d %H:%M:%S", "epoch" or "row"
};

// "id", "time", "key", "number", "category", "label", "feature"
const char *column_kind_name(enum column_kind kind);
// 0 and *kind, or -1 for an unknown name.
int column_kind_parse(const char *name, enum column_kind *kind);

int schema_from_config(struct schema *s, const struct config *c, struct err *err);
// The JSON form: {"time_format": ..., "columns":
// [{"name","header","kind","min"?,"max"?,"missing"?}]}.
json_t *schema_to_json(const struct schema *s); // NULL: out of memory
int schema_from_json(struct schema *s, const json_t *json, struct err *err);
void schema_release(struct schema *s);

// time_format row: times are the numbers of rows, and have no clock.
bool schema_counts_rows(const struct schema *s);
// time_format epoch or row: times are written as whole numbers.
bool schema_times_are_numbers(const struct schema *s);

// Index of the column with that name, or -1.
int schema_find(const struct schema *s, const char *name);
// Index of the only column of a kind (id, time, label), or -1.
int schema_find_kind(const struct schema *s, enum column_kind kind);

#endif
