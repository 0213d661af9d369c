// schema: the columns of a dataset, as its .ini declares them, and where its CSV is.
//
//     [columns]
//     name = HEADER, kind[, min=NUMBER][, max=NUMBER][, missing=VALUE][, strip=BYTES]
//         [, positive=TEXT|TEXT]
//
// Exactly one time, at most one id and one label; any number of keys, numbers and categories. A
// header with a comma needs double quotes. min and max are for numbers; missing= is for all kinds
// but id and time, and limits do not apply to it (a label's may be -1, not known); of a number it may
// be median, mean or flag: then tables and rows hold NaN, and a plan fills it in. HEADER #3 is the
// third column, unless a header is "#3". A key and a category may have the same header. With [input]
// time_format = row the schema gets a column "time" of row numbers from 0 on. The schema travels as
// JSON in tables and in the model, so a server needs no .ini to know what a transaction looks like;
// strip and positive are left out, as requests have no such texts.
//
// Ownership: a schema owns its strings. Release it after an error, too; a dataset lives as long as
// its program.
#ifndef INGEST_SCHEMA_H
#define INGEST_SCHEMA_H

#include "base/config.h"

#include <jansson.h>
#include <stdbool.h>

enum column_kind {
    COLUMN_ID,       // uint64, pseudonym of the text
    COLUMN_TIME,     // int64, seconds since 1970-01-01 UTC
    COLUMN_KEY,      // uint64, pseudonym of the text: what windows are grouped by
    COLUMN_NUMBER,   // float64
    COLUMN_CATEGORY, // uint32, index into the column's dictionary
    COLUMN_LABEL,    // int8: 1 fraud, 0 genuine, -1 not known
    COLUMN_FEATURE,  // float32, made by features/; not a kind of [columns]
};

// Numbers beyond it are refused unless the column's min or max allow them: sums of numbers within
// it are exact to the cent.
#define SCHEMA_LIMIT 1e15

struct schema_column {
    char *name;
    char *header; // the CSV's name for it, "" for row numbers
    enum column_kind kind;
    double min, max; // of numbers; infinite for other kinds
    char *missing;   // the value of an empty field; NULL: an empty field rejects the row
    double fill;     // what a plan found for missing=median, mean or flag; NaN before
    char *strip;     // bytes to remove from a number, or NULL
    char *positive;  // texts of label 1, separated by '|'; NULL: 1 and true, 0 and false
};

struct schema {
    struct schema_column *columns; // in the order of the .ini
    size_t n;
    char *time_format;  // as in [input], e.g. "%Y-%m-%d %H:%M:%S", "epoch" or "row"
    int64_t unit;       // seconds that an epoch counts, 1 by default
    int32_t utc_offset; // seconds that local time is ahead of UTC: of times without %z, and of days
};

extern const char *const column_kinds[]; // "id", "time", "key", ..., by kind
// -1 for another name.
int column_kind_parse(const char *name, enum column_kind *kind);

// Letters, digits and _, 63 at most, no digit first: names stand in expressions and name files.
bool schema_is_name(const char *s);

int schema_from_config(struct schema *s, const struct config *c, struct err *err);
// {"time_format", "unit"?, "utc_offset"?, "columns": [{"name", "header", "kind", "min"?, "max"?,
// "missing"?, "fill"?}, ...]}
json_t *schema_to_json(const struct schema *s);
int schema_from_json(struct schema *s, const json_t *json, struct err *err);
void schema_release(struct schema *s);

bool schema_counts_rows(const struct schema *s);       // time_format row: there is no clock
bool schema_times_are_numbers(const struct schema *s); // time_format epoch, epoch_ms or row
// A time as the CSV writes it, in seconds since 1970-01-01 UTC; -1 where it is none.
int schema_time(const struct schema *s, const char *text, size_t n, int64_t *seconds);
// missing= is median, mean or flag, so a missing value is NaN.
bool column_fits_missing(const struct schema_column *c);
// Is the text one of those of positive=TEXT|TEXT?
bool schema_is_positive(const char *positive, const char *text);
// Index of the column with that name, or of the only column of a kind (id, time, label); or -1.
int schema_find(const struct schema *s, const char *name);
int schema_find_kind(const struct schema *s, enum column_kind kind);

struct dataset {
    struct config config;
    struct schema schema;
    const char *file;                   // in config, or the caller's input; "-" is standard input
    double max_reject_rate;             // share of rows that may break the schema
    char delimiter, decimal, thousands; // thousands: 0 for none
    bool no_header;                     // its columns are #1, #2, ...
    int64_t skip;                       // lines before the header or the first row
    const char *encoding;               // as iconv calls it, NULL for UTF-8
    char **na;                          // [n_na] texts that mean a missing value
    size_t n_na;
};

// config: the .ini; input: a file instead of that of [input], or NULL.
int dataset_load(struct dataset *d, const char *config, const char *input, struct err *err);

#endif
