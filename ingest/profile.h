// profile: the dialect of a CSV that nobody has described yet, and what its columns hold.
//
// One pass keeps every k-th row, at most 200,000 or 256 MB; all else is computed from this sample, over
// the different texts of each column.
//
//     profile_read(&p, "my.csv", &err)     the dialect, and the columns
//     profile_label(&p, column, "yes|Y")   which rows are positive
//     profile_values(&p, column)           fills p.values, with their rows and positives
//
// Ownership: a profile owns its texts and lives as long as its program.
#ifndef INGEST_PROFILE_H
#define INGEST_PROFILE_H

#include "ingest/csv.h"

enum look { LOOK_EMPTY, LOOK_TEXT, LOOK_NUMBER, LOOK_TIME };

struct profile_value { // one of the different texts of a column
    const char *text;
    bool missing, good; // it is empty or in na; it is a number or time, where the column is one
    double number;      // times: seconds since 1970
    // Rows of the sample whose label is not missing, perhaps none; those of them that are positive,
    // and those after the split.
    uint32_t rows, positives, later;
};

struct profile_column {
    const char *header; // the name, "" where there is none
    enum look look;
    char format[32], strip[8];     // of times; characters to take out of numbers
    bool either;                   // no value says whether the day or the month stands first
    bool whole, rising;            // all are integers; none is below that of the row before
    size_t missing, bad, distinct; // rows without a value; of another kind; different values
    double common; // share of the rows whose value has 60 bytes at most, and 1 % of the rows
    double min, median, max; // of numbers and times
    char frequent[96];
    struct profile_value top[2]; // the two most frequent ones
    size_t classes;              // different values, without those of one or two rows in thousands

    // Private: the different texts, and which of them a row of the sample has.
    const char **texts;
    uint32_t *codes; // [n_sample]
    size_t n_texts;
};

struct profile {
    const char *file, *encoding;        // encoding: NULL for UTF-8
    char delimiter, decimal, thousands; // thousands: 0 where there are none
    bool header;
    uint64_t skip, rows;              // lines before the header, or the first row
    uint64_t step;                    // every step-th row is in the sample
    uint64_t bad_rows;                // with another number of fields, after the first row
    uint64_t bad_line;                // of the first of them
    uint64_t not_utf8, not_utf8_line; // rows of the sample that are not, and the first of all
    const char *names;  // texts of a row before the first that has a field less, or NULL
    const char *na[16]; // texts that mean a missing value
    size_t n_na, n_sample, n, n_values;
    struct profile_column *columns; // [n]
    struct profile_value *values;   // [n_values] numbers and times in their order

    // Private.
    char fault[128]; // why no delimiter will do
    char **sample;   // [n_sample] the texts of a row, each ends with a 0
    size_t bytes;
    int8_t *answers; // [n_sample] 1 positive, 0 not, -1 no label
    bool *later;     // [n_sample]
};

int profile_read(struct profile *p, const char *file, struct err *err);
// positive: the texts that are, separated by '|'. Returns their share of the rows.
double profile_label(struct profile *p, size_t column, const char *positive);
void profile_values(struct profile *p, size_t column);
// Rows whose number or time in the column is above the last one are later.
void profile_split(struct profile *p, size_t column, double last);
// How well these values alone rank the label: the area under the ROC curve, at least 0.5.
double profile_auc(struct profile *p);

#endif
