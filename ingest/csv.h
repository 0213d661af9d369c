// csv: blocks of rows from a CSV of RFC 4180, with libcsv, strictly.
//
// Rows end in LF or CRLF; a quoted field may hold the delimiter, line breaks and doubled quotes; a
// UTF-8 byte order mark in front is skipped, blank lines too. Spaces and tabs around an unquoted
// field are not part of it. Whatever puts the boundaries of rows in doubt is an error of the file,
// which names the line: a quote that is not closed, stands inside an unquoted field or is followed
// by text, a 0 byte, a carriage return alone, a field of more than 64 KB, more than 10000 fields.
// The number of fields is the caller's to check, row by row.
//
//     csv_open(&csv, "transactions.csv", ',', &err)
//     csv_next(&csv, &block, 1, &err)            the header: all its fields
//     csv_select(&csv, wanted, n)                from now on only these columns' fields are kept
//     while (csv_next(&csv, &block, CSV_BLOCK_ROWS, &err) == 0 && block.n_rows > 0) ...
//     csv_block_release(&block), csv_release(&csv)
//
// Two blocks may be in use at once, one being filled while the other is read. Ownership: a block
// owns its texts until the next csv_next into it. A block must be zeroed before its first use.
#ifndef INGEST_CSV_H
#define INGEST_CSV_H

#include "ingest/input.h"

#include <csv.h>

enum { CSV_BLOCK_ROWS = 16384, CSV_MAX_FIELD = 65536, CSV_MAX_FIELDS = 10000 };

struct csv_field {
    uint32_t at, n; // text[at .. at + n), then a 0 byte
};

struct csv_row {
    uint64_t line;    // 1-based physical line of its first byte
    size_t first;     // its kept fields: fields[first] on, in the file's order
    uint32_t columns; // all its fields, also those not kept
    uint32_t kept;
    size_t raw, raw_n; // raw[raw .. raw + raw_n) where keep_raw is set
};

struct csv_block {
    char *text;
    size_t used, text_size;
    struct csv_field *fields;
    size_t n_fields, fields_size;
    struct csv_row *rows;
    size_t n_rows, rows_size;
    char *raw; // the rows' bytes as they came, line breaks included
    size_t raw_used, raw_size;
};

struct csv {
    struct input input;
    struct csv_parser parser;
    bool parser_made;
    bool keep_raw;      // the caller may set it before the first csv_next
    const bool *wanted; // [n_wanted] by column, borrowed; NULL: all
    size_t n_wanted;
    const char *data; // the input's current piece: data[at..n)
    size_t at, n;
    const char *zero;     // the first 0 byte in it, or NULL
    bool quotes, returns; // whether '"' and '\r' are in it
    uint64_t line;        // of data[at]
    struct csv_row row;
    struct csv_block *block; // being filled
    unsigned rows_in_line;
    bool ended;
};

int csv_open(struct csv *c, const char *path, char delimiter, struct err *err);
void csv_select(struct csv *c, const bool *wanted, size_t n);
// At most max_rows rows, and no more than fit a megabyte or so; n_rows is 0 at the end.
int csv_next(struct csv *c, struct csv_block *block, size_t max_rows, struct err *err);
void csv_block_release(struct csv_block *block);
void csv_release(struct csv *c);

#endif
