// csv_rows: a CSV's rows as text, " [field] [field]\n" each, by our reader and by libcsv alone.
#ifndef TESTS_CSV_ROWS_H
#define TESTS_CSV_ROWS_H

#include "ingest/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void print_field(void *text, size_t n, void *file)
{
    fputs(" [", file);
    fwrite(text, 1, n, file);
    putc(']', file);
}

static inline void print_row(int terminator, void *file)
{
    (void)terminator;
    putc('\n', file);
}

// Allocated; NULL where libcsv refuses it.
static inline char *rows_by_libcsv(const void *data, size_t n)
{
    struct csv_parser p;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL))
        abort();
    bool bad = csv_parse(&p, data, n, print_field, print_row, f) != n ||
               csv_fini(&p, print_field, print_row, f);
    csv_free(&p);
    fclose(f);
    if (bad)
        free(text);
    return bad ? NULL : text;
}

// The programs need none: their CSV lives as long as they do.
static inline void csv_release(struct csv *c)
{
    if (c->gzipped)
        inflateEnd(&c->gzip);
    ZSTD_freeDStream(c->zstd);
    XXH3_freeState(c->hash);
    free(c->raw);
    free(c->text);
    free(c->data);
    free(c->coded);
    csv_free(&c->parser);
    if (c->iconv)
        iconv_close(c->iconv);
    if (c->fd >= 0)
        close(c->fd);
}

static inline void block_release(struct csv_block *b)
{
    free(b->text);
    free(b->fields);
    free(b->rows);
}

static int rows_faults __attribute__((unused)); // of the latest rows_by_us

// Allocated; perhaps with "line:" before each row, and at the end "! " and the error if there is
// one.
static inline char *rows_by_us(const char *path, char delimiter, bool lines)
{
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    char *text = NULL;
    size_t size;
    uint64_t line = 0;
    rows_faults = 0;
    FILE *f = open_memstream(&text, &size);
    int rc = csv_open(&c, path, delimiter, NULL, &err);
    while (rc == 0 && (rc = csv_next(&c, &b, 3, &err)) == 0 && b.n_rows > 0)
        for (const struct csv_row *row = b.rows; row < b.rows + b.n_rows; row++) {
            if (row->line <= line || row->first + row->n > b.n_fields)
                abort();
            line = row->line;
            if (lines)
                fprintf(f, "%d:", (int)line);
            if (row->fault)
                fprintf(f, "! %s", row->fault);
            rows_faults += row->fault != NULL;
            for (size_t i = row->first; i < row->first + row->n; i++) {
                char *field = b.text + b.fields[i].at;
                if (b.fields[i].at + b.fields[i].n >= b.text_size || strlen(field) != b.fields[i].n)
                    abort();
                print_field(field, b.fields[i].n, f);
            }
            print_row('\n', f);
        }
    if (rc)
        fprintf(f, "! %s", err.msg);
    block_release(&b);
    csv_release(&c);
    fclose(f);
    return text;
}

#endif
