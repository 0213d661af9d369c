// csv: blocks of rows from a strict CSV (RFC 4180): a file, a pipe or standard input; plain, gzip
// or zstd, whatever its name.
//
// Lines end in LF, CRLF or CR, and a CR alone becomes LF. A quoted field may hold the delimiter, line
// breaks and doubled quotes. Blank lines, and spaces and tabs around an unquoted field, are skipped.
// Texts are UTF-8, or are converted to it; a byte order mark of UTF-8 or UTF-16 names their encoding.
// A line with a fault becomes a row that has no fields and says why: a quote that is not closed, is
// inside an unquoted field or is followed by text, a 0 byte, more than 10000 fields, or a row of more
// than 1 MiB. Reading goes on at the line after it. Compressed data must be whole, with nothing after
// it.
//
//     csv_open(&csv, "transactions.csv", ',', "windows-1252", &err)
//     while (csv_next(&csv, &block, CSV_BLOCK_ROWS, &err) == 0 && block.n_rows > 0) ...
//
// Ownership: a block owns its texts until the next csv_next into it; zero it before its first use.
// Both live as long as the program.
#ifndef INGEST_CSV_H
#define INGEST_CSV_H

#include "base/err.h"

#include <csv.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

enum { CSV_BLOCK_ROWS = 16384, CSV_MAX_FIELDS = 10000, CSV_MAX_ROW = 1 << 20 };

struct csv_field {
    uint32_t at, n; // text[at .. at + n), then a 0 byte
};

struct csv_row {
    uint64_t line;     // 1-based physical line of its first byte
    size_t first, n;   // fields[first .. first + n)
    const char *fault; // why it is no row, and n is 0; or NULL
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
    const char *name;                 // for messages; borrowed
    uint64_t size;                    // of the file, 0 for a pipe
    uint64_t bytes;                   // read so far, before decompression
    XXH3_state_t *hash;               // of them
    int64_t skip;                     // number of lines to leave out next
    char *data;                       // data[at .. n) is not in a block yet
    size_t last_at, at, n, data_size; // last_at: where the latest row begins
    unsigned unit;                    // bytes of the file's shortest character: 2 in UTF-16

    // The others are private to csv.c.
    int fd;
    char delimiter;
    bool begun, ended;    // the first piece was read, the last one
    bool gzipped, inside; // inside a gzip member or zstd frame
    char *raw, *text;     // as read and, of compressed files, decompressed
    size_t raw_at, raw_n, text_n;
    z_stream gzip;
    ZSTD_DStream *zstd; // NULL where it is not zstd
    iconv_t iconv;      // NULL: it is UTF-8
    char *coded;        // [coded_n] bytes that are not decoded yet
    size_t coded_n, coded_size;
    struct csv_parser parser;
    uint64_t line; // of data[at]
    struct csv_block *block;
};

// path "-" is standard input. encoding: a name that iconv knows; NULL: UTF-8.
int csv_open(struct csv *c, const char *path, char delimiter, const char *encoding,
             struct err *err);
// At most max_rows rows, and not much more than a megabyte; n_rows is 0 at the end.
int csv_next(struct csv *c, struct csv_block *block, size_t max_rows, struct err *err);
// After a csv_next of one row: the next one gives the row again.
void csv_again(struct csv *c);

#endif
