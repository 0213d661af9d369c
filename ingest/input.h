// input: the bytes of a file, a pipe or standard input, decompressed where they are gzip or zstd.
//
// The format is known by its first bytes, not by the name. Members or frames one after the other
// are one text; a stream that ends early, is damaged, or is followed by anything else is an error.
//
//     input_open(&in, "-", &err)
//     while (input_next(&in, &data, &n, &err) == 0 && n > 0) ... data[0..n) until the next call
//     input_release(&in)
//
// Ownership: data belongs to the input.
#ifndef INGEST_INPUT_H
#define INGEST_INPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

struct input {
    const char *name; // for messages; borrowed
    int fd;
    uint64_t size;  // of a regular file, 0 where it is not known
    uint64_t bytes; // raw bytes read so far
    XXH3_state_t *hash;
    enum { INPUT_PLAIN, INPUT_GZIP, INPUT_ZSTD } format;
    char *raw; // what was read and not yet used: raw[at..used)
    size_t at, used;
    char *text; // what was decompressed
    z_stream gzip;
    ZSTD_DStream *zstd;
    bool inside; // within a member or frame: the end of the file would cut it
};

// path "-" is standard input.
int input_open(struct input *in, const char *path, struct err *err);
// *n is 0 at the end.
int input_next(struct input *in, const char **data, size_t *n, struct err *err);
// XXH3 of the raw bytes read so far.
uint64_t input_xxh3(const struct input *in);
void input_release(struct input *in);

#endif
