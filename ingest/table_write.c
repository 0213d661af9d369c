// Writes a table's folder: columns through a buffer each, hashed and measured on the way.
//
// The shape in a column's header is known only at the end, so the header is written last. Reading
// is table.c's.
#include "ingest/table_format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { BUFFER_BYTES = 1 << 18 };

struct table_writer_column {
    char *name;
    enum column_kind kind;
    int fd;
    char *buffer; // [BUFFER_BYTES]
    size_t used;
    uint64_t rows, nulls;
    double min, max;
    XXH3_state_t *hash;
    char **dictionary;
    size_t dictionary_size;
};

int table_writer_open(struct table_writer *w, const char *path, const struct table_column *columns,
                      size_t n, struct err *err)
{
    static const char blank[NPY_HEADER];
    char file[TABLE_FILE_NAME];
    *w = (struct table_writer){.columns = calloc(n, sizeof *w->columns)};
    if (!w->columns)
        return err_set(err, "%s: out of memory", path);
    if (output_dir_open(&w->dir, path, TABLE_MANIFEST, err))
        goto fail;
    for (; w->n < n; w->n++) {
        struct table_writer_column *c = &w->columns[w->n];
        *c = (struct table_writer_column){.name = strdup(columns[w->n].name),
                                          .kind = columns[w->n].kind,
                                          .fd = -1,
                                          .min = INFINITY,
                                          .max = -INFINITY,
                                          .buffer = malloc(BUFFER_BYTES),
                                          .hash = XXH3_createState()};
        if (!c->name || !c->buffer || !c->hash) {
            err_set(err, "%s: out of memory", path);
            w->n++;
            goto fail;
        }
        XXH3_64bits_reset(c->hash);
        if (table_file_name(file, c->name, err) == 0)
            c->fd = output_dir_create(&w->dir, file, err);
        if (c->fd < 0 || write_all(c->fd, blank, sizeof blank, path, err)) {
            w->n++;
            goto fail;
        }
    }
    return 0;
fail:
    table_writer_release(w);
    return -1;
}

// ---- values ---------------------------------------------------------------------------------------

#define MEASURE(type)                                                                              \
    for (size_t i = 0; i < n; i++) {                                                               \
        double x = (double)((const type *)values)[i];                                              \
        c->min = x < c->min ? x : c->min;                                                          \
        c->max = x > c->max ? x : c->max;                                                          \
    }

static void measure_labels(struct table_writer_column *c, const int8_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool known = values[i] >= 0;
        c->nulls += !known;
        c->min = known && values[i] < c->min ? values[i] : c->min;
        c->max = known && values[i] > c->max ? values[i] : c->max;
    }
}

// Range and unknown labels; the range of a pseudonym says nothing.
static void measure(struct table_writer_column *c, const void *values, size_t n)
{
    switch (c->kind) {
    case COLUMN_ID:
    case COLUMN_KEY:
        break;
    case COLUMN_TIME:
        MEASURE(int64_t)
        break;
    case COLUMN_NUMBER:
        MEASURE(double)
        break;
    case COLUMN_CATEGORY:
        MEASURE(uint32_t)
        break;
    case COLUMN_FEATURE:
        MEASURE(float)
        break;
    case COLUMN_LABEL:
        measure_labels(c, values, n);
        break;
    }
}

static int flush(const struct table_writer *w, struct table_writer_column *c, struct err *err)
{
    XXH3_64bits_update(c->hash, c->buffer, c->used);
    if (write_all(c->fd, c->buffer, c->used, w->dir.path, err))
        return -1;
    c->used = 0;
    return 0;
}

int table_writer_append(struct table_writer *w, size_t column, const void *values, size_t rows,
                        struct err *err)
{
    struct table_writer_column *c = &w->columns[column];
    const char *p = values;
    size_t left = rows * column_size(c->kind);
    measure(c, values, rows);
    c->rows += rows;
    while (left > 0) {
        size_t room = BUFFER_BYTES - c->used, n = left < room ? left : room;
        memcpy(c->buffer + c->used, p, n);
        c->used += n;
        p += n;
        left -= n;
        if (c->used == BUFFER_BYTES && flush(w, c, err))
            return -1;
    }
    return 0;
}

static void free_dictionary(struct table_writer_column *c)
{
    for (size_t i = 0; i < c->dictionary_size; i++)
        free(c->dictionary[i]);
    free(c->dictionary);
    c->dictionary = NULL;
    c->dictionary_size = 0;
}

int table_writer_dictionary(struct table_writer *w, size_t column, const char *const *texts,
                            size_t n, struct err *err)
{
    struct table_writer_column *c = &w->columns[column];
    free_dictionary(c);
    c->dictionary = calloc(n + 1, sizeof *c->dictionary);
    for (; c->dictionary && c->dictionary_size < n; c->dictionary_size++) {
        c->dictionary[c->dictionary_size] = strdup(texts[c->dictionary_size]);
        if (!c->dictionary[c->dictionary_size])
            break;
    }
    if (!c->dictionary || c->dictionary_size < n)
        return err_set(err, "%s: out of memory", w->dir.path);
    return 0;
}

int table_writer_file(struct table_writer *w, const char *name, struct err *err)
{
    return output_dir_create(&w->dir, name, err);
}

// ---- commit ---------------------------------------------------------------------------------------

static json_t *dictionary_to_json(const struct table_writer_column *c)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < c->dictionary_size; i++)
        if (json_array_append_new(texts, json_string(c->dictionary[i]))) {
            json_decref(texts);
            return NULL;
        }
    return texts;
}

json_t *json_number_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *column_to_json(const struct table_writer_column *c)
{
    char xxh3[17];
    json_t *j = json_pack(
        "{ss, ss, ss, so, so, sI, ss}", "name", c->name, "kind", column_kind_name(c->kind), "dtype",
        npy_dtype(c->kind), "min", json_number_or_null(c->min), "max", json_number_or_null(c->max),
        "nulls", (json_int_t)c->nulls, "xxh3", checksum_text(xxh3, XXH3_64bits_digest(c->hash)));
    if (j && c->kind == COLUMN_CATEGORY &&
        json_object_set_new(j, "dictionary", dictionary_to_json(c))) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static char *manifest_text(const struct table_writer *w, uint64_t rows, const json_t *provenance)
{
    json_t *columns = json_array();
    int bad = 0;
    for (size_t i = 0; i < w->n; i++)
        bad |= json_array_append_new(columns, column_to_json(&w->columns[i]));
    json_t *copy = provenance ? json_deep_copy(provenance) : json_object();
    json_t *j = json_pack("{ss, si, sI, so, so}", "format", TABLE_FORMAT, "version", TABLE_VERSION,
                          "rows", (json_int_t)rows, "columns", columns, "provenance", copy);
    char checksum[17], *text = NULL;
    uint64_t xxh3;
    bad = bad || !j || manifest_xxh3(j, &xxh3) ||
          json_object_set_new(j, "xxh3", json_string(checksum_text(checksum, xxh3)));
    if (!bad)
        text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(j);
    return text;
}

static int write_manifest(struct table_writer *w, uint64_t rows, const json_t *provenance,
                          struct err *err)
{
    char *text = manifest_text(w, rows, provenance);
    if (!text)
        return err_set(err, "%s: out of memory", w->dir.path);
    int rc = output_dir_file(&w->dir, TABLE_MANIFEST, text, strlen(text), err);
    free(text);
    return rc;
}

static int finish_column(const struct table_writer *w, struct table_writer_column *c, uint64_t rows,
                         struct err *err)
{
    char header[NPY_HEADER];
    if (c->rows != rows)
        return err_set(err, "%s: column %s has %llu rows, the first has %llu", w->dir.path, c->name,
                       (unsigned long long)c->rows, (unsigned long long)rows);
    npy_header(header, c->kind, rows);
    if (flush(w, c, err))
        return -1;
    if (lseek(c->fd, 0, SEEK_SET) != 0)
        return err_sys(err, "%s: cannot go back to the header", w->dir.path);
    return write_all(c->fd, header, sizeof header, w->dir.path, err);
}

int table_writer_commit(struct table_writer *w, const json_t *provenance, struct err *err)
{
    uint64_t rows = w->n ? w->columns[0].rows : 0;
    for (size_t i = 0; i < w->n; i++)
        if (finish_column(w, &w->columns[i], rows, err))
            return -1;
    for (size_t i = 0; i < w->n; i++) {
        int fd = w->columns[i].fd;
        w->columns[i].fd = -1;
        if (output_dir_close(&w->dir, fd, err))
            return -1;
    }
    if (write_manifest(w, rows, provenance, err))
        return -1;
    return output_dir_commit(&w->dir, err);
}

void table_writer_release(struct table_writer *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct table_writer_column *c = &w->columns[i];
        if (c->fd >= 0)
            close(c->fd);
        free_dictionary(c);
        XXH3_freeState(c->hash);
        free(c->buffer);
        free(c->name);
    }
    free(w->columns);
    output_dir_release(&w->dir);
    *w = (struct table_writer){0};
}
