// csv: blocks of rows from a strict CSV (RFC 4180): a file, a pipe or standard input; plain, gzip
// or zstd, whatever its name.
//
// Rows end in LF or CRLF; a quoted field may hold the delimiter, line breaks and doubled quotes. A
// UTF-8 byte order mark, blank lines, and spaces and tabs around an unquoted field are skipped.
// These are errors that name the line: a quote that is not closed, is inside an unquoted field or is
// followed by text, a 0 byte, a carriage return alone, a field of more than 64 KB, more than 10000
// fields. Compressed data must be whole, with nothing behind it.
//
//     csv_open(&csv, "transactions.csv", ',', &err)
//     while (csv_next(&csv, &block, CSV_BLOCK_ROWS, &err) == 0 && block.n_rows > 0) ...
//
// Ownership: a block owns its texts until the next csv_next into it; zero it before its first use.
// Both live as long as the program.
#ifndef INGEST_CSV_H
#define INGEST_CSV_H

#include "base/err.h"

#include <csv.h>
#include <stdbool.h>
#include <stdint.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

enum { CSV_BLOCK_ROWS = 16384, CSV_MAX_FIELD = 65536, CSV_MAX_FIELDS = 10000 };

struct csv_field {
    uint32_t at, n; // text[at .. at + n), then a 0 byte
};

struct csv_row {
    uint64_t line;   // 1-based physical line of its first byte
    size_t first, n; // fields[first .. first + n)
};

struct csv_block {
    char *text;
    size_t used, text_size;
    struct csv_field *fields;
    size_t n_fields, fields_size;
    struct csv_row *rows;
    size_t n_rows, rows_size;
};

struct csv {
    const char *name;   // for messages; borrowed
    uint64_t size;      // of the file, 0 for a pipe
    uint64_t bytes;     // read so far, before decompression
    XXH3_state_t *hash; // of them
    const char *data;   // data[at .. n) was read but is not in a block yet
    size_t at, n;
    int fd;
    bool ended;

    // The others are private to csv.c.
    bool gzipped, inside; // inside a gzip member or zstd frame
    bool special;         // a quote, a carriage return or a 0 byte is in data
    char *raw, *text;     // as read and, of compressed files, decompressed
    size_t raw_at, raw_n;
    z_stream gzip;
    ZSTD_DStream *zstd; // NULL where it is not zstd
    struct csv_parser parser;
    uint64_t line;      // of data[at]
    struct csv_row row; // being read
    unsigned rows_in_line;
    struct csv_block *block;
};

// path "-" is standard input.
int csv_open(struct csv *c, const char *path, char delimiter, struct err *err);
// At most max_rows rows, and not much more than a megabyte; n_rows is 0 at the end.
int csv_next(struct csv *c, struct csv_block *block, size_t max_rows, struct err *err);

#endif
