// profile: the dialect of a CSV that nobody has described yet, and what its columns hold.
//
// One pass counts the rows, another one keeps every k-th, about 200,000 or 256 MB at most; all else is
// computed from this sample, over the different texts of each column.
//
//     profile_read(&p, "my.csv", &err)     the dialect, and the columns
//     profile_label(&p, column, "yes|Y")   which rows are positive
//     profile_values(&p, column)           fills p.values, with their rows and positives
//
//     draft_make("my.csv", "churn", stdout, stderr, &err)
//
// draft_make (draft.c) guesses the .ini of a dataset from it; docs/own-data.md says how.
//
// Ownership: a profile owns its texts and lives as long as its program.
#ifndef INGEST_PROFILE_H
#define INGEST_PROFILE_H

#include "ingest/csv.h"
#include "ingest/schema.h"

#include <stdio.h>

enum look { LOOK_EMPTY, LOOK_TEXT, LOOK_NUMBER, LOOK_TIME };

struct profile_value { // one of the different texts of a column
    const char *text;
    bool missing, good; // it is empty or in na; it is a number or time, where the column is one
    double number;      // times: seconds since 1970; of other texts the share of positives
    // Rows of the sample whose label is not missing, perhaps none; those of them that are positive,
    // and those after the split.
    uint32_t rows, positives, later;
};

struct profile_column {
    const char *header; // the name, "" where there is none
    enum look look;
    char format[32], strip[12];    // of times; characters to take out of numbers
    const char *twice;             // a text such as 1.234, which all are like; or NULL
    const char *unit;              // of numbers that are times, or NULL
    bool either;                   // no value says whether the day or the month comes first
    bool whole, rising;            // all are integers; none is below that of the row before
    size_t missing, bad, distinct; // rows without a value; of another kind; different values
    double common; // share of the rows whose value has 60 bytes at most, and 1 % of the rows
    double min, median, max; // of numbers and times
    char frequent[96];
    struct profile_value top[2]; // the two most frequent ones
    size_t classes;              // different values, without those of one or two rows in thousands

    // Set by the draft. out: why the column is left out, or NULL.
    enum column_kind kind;
    const char *out;
    char name[64];

    // Private: the different texts, and which of them a row of the sample has.
    const char **texts;
    uint32_t *codes; // [n_sample]
    size_t n_texts;
};

struct profile {
    const char *file, *encoding; // encoding: NULL for UTF-8
    const char *marks;           // of decimals, then of thousands: 0 where there are none
    char delimiter;
    bool header, utf16;
    uint64_t skip, rows;              // lines before the header, or the first row
    uint64_t step;                    // every step-th row is in the sample
    uint64_t bad_rows, bad_line;      // with another number of fields, and the first of them,
    const char *fault;                // and what else is wrong with that, or NULL
    uint64_t not_utf8, not_utf8_line; // rows that are not, and the first of them
    const char *na[16];               // texts that mean a missing value
    size_t n_na, n_sample, n, n_values, n_names;
    struct profile_column *columns; // [n]
    struct profile_value *values;   // [n_values] in the order of their numbers
    char *
        names; // of a row before the first that has one less, or NULL; n_names: of any other number

    // Private.
    char **sample; // [n_sample] the texts of a row that no column took yet; a 0 ends each
    size_t bytes;
    int8_t *answers; // [n_sample] 1 positive, 0 not, -1 no label
    bool *later;     // [n_sample]
};

int profile_read(struct profile *p, const char *file, struct err *err);
// Mark the rows whose label is one of positive, separated by '|', as positive.
void profile_label(struct profile *p, const struct profile_column *c, const char *positive);
void profile_values(struct profile *p, const struct profile_column *c);
// Rows whose number or time in the column is above the last one are later.
void profile_split(struct profile *p, const struct profile_column *c, double last);
// The area under the ROC curve, at least 0.5, where these values alone rank the label.
double profile_auc(const struct profile *p);

// Print the .ini, and a table of the columns. label: NULL to guess it; a header or "#3", optionally with
// "=" and the positive values, separated by '|'.
int draft_make(const char *file, const char *label, FILE *ini, FILE *table, struct err *err);

#endif
