// Any bytes as a file, plain or compressed: rows whose fields lie within their block, or an error;
// and where they are neither compressed nor marked, the fields that libcsv alone would give.
#define _GNU_SOURCE // memfd_create
#include "ingest/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A hash of all fields and row ends, in order.
struct trace {
    XXH3_state_t *hash;
};

static void trace_field(void *text, size_t n, void *arg)
{
    struct trace *t = arg;
    XXH3_64bits_update(t->hash, text, n);
    XXH3_64bits_update(t->hash, "\0F", 2);
}

static void trace_row(int terminator, void *arg)
{
    (void)terminator;
    struct trace *t = arg;
    XXH3_64bits_update(t->hash, "\0R", 2);
}

static int read_ours(const char *path, struct trace *t)
{
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    uint64_t line = 0;
    int rc = csv_open(&c, path, ',', &err);
    while (rc == 0 && (rc = csv_next(&c, &b, 7, &err)) == 0 && b.n_rows > 0)
        for (size_t r = 0; r < b.n_rows; r++) {
            const struct csv_row *row = &b.rows[r];
            if (row->line <= line || row->first + row->n > b.n_fields)
                abort();
            line = row->line;
            for (size_t f = row->first; f < row->first + row->n; f++) {
                if (b.fields[f].at + b.fields[f].n >= b.text_size ||
                    strlen(b.text + b.fields[f].at) != b.fields[f].n)
                    abort();
                trace_field(b.text + b.fields[f].at, b.fields[f].n, t);
            }
            trace_row('\n', t);
        }
    csv_block_release(&b);
    csv_release(&c);
    return rc;
}

static int read_libcsv(const uint8_t *data, size_t size, struct trace *t)
{
    struct csv_parser p;
    if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL))
        abort();
    int bad = csv_parse(&p, data, size, trace_field, trace_row, t) != size ||
              csv_fini(&p, trace_field, trace_row, t);
    csv_free(&p);
    return bad;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace ours = {XXH3_createState()}, theirs = {XXH3_createState()};
    char path[64];
    int fd = memfd_create("csv", MFD_CLOEXEC);
    if (!ours.hash || !theirs.hash || fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    XXH3_64bits_reset(ours.hash);
    XXH3_64bits_reset(theirs.hash);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = read_ours(path, &ours);
    // Ours refuses more than libcsv (0 bytes, lone carriage returns), never less.
    bool marked = size >= 3 && data[0] == 0xef;
    bool packed = size >= 3 && (data[0] == 0x1f || data[0] == 0x28);
    if (rc == 0 && !marked && !packed &&
        (read_libcsv(data, size, &theirs) ||
         XXH3_64bits_digest(ours.hash) != XXH3_64bits_digest(theirs.hash)))
        abort();
    XXH3_freeState(ours.hash);
    XXH3_freeState(theirs.hash);
    close(fd);
    return 0;
}
