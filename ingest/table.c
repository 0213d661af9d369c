// The reader trusts nothing in the folder before it is checked: the manifest may be hostile.
#include "ingest/table.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FORMAT   "assay table"
#define MANIFEST "manifest.json"
enum { VERSION = 1, HEADER = 128, BLOCK_ROWS = 8192, MAX_COLUMNS = 960 }; // all are open at once

static const struct {
    size_t size;
    const char *dtype;
} types[] = {
    [COLUMN_ID] = {8, "<u8"},      [COLUMN_TIME] = {8, "<i8"},  [COLUMN_KEY] = {8, "<u8"},
    [COLUMN_NUMBER] = {8, "<f8"},  [COLUMN_LABEL] = {1, "|i1"}, [COLUMN_CATEGORY] = {4, "<u4"},
    [COLUMN_FEATURE] = {4, "<f4"},
};

size_t column_size(enum column_kind kind)
{
    return types[kind].size;
}

// ---- the format ----

// NumPy Enhancement Proposal 1: magic, version, length of the rest, a Python dictionary padded with
// spaces.
static void npy_header(char header[HEADER], enum column_kind kind, uint64_t rows)
{
    enum { MAGIC = 10, TEXT = HEADER - MAGIC };
    char text[TEXT + 1];
    int n = snprintf(text, sizeof text,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRIu64 ",), }",
                     types[kind].dtype, rows);
    memset(header, ' ', HEADER);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", MAGIC); // 0x76: TEXT, little-endian
    memcpy(header + MAGIC, text, (size_t)n);
    header[HEADER - 1] = '\n';
}

const char *checksum_text(char buf[17], uint64_t xxh3)
{
    snprintf(buf, 17, "%016" PRIx64, xxh3);
    return buf;
}

json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

int json_save(const json_t *j, const char *path, struct err *err)
{
    struct output o;
    int rc = output_open(&o, path, 0644, err);
    if (rc == 0) {
        json_dumpf(j, o.file, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
        putc('\n', o.file);
        rc = output_commit(&o, err);
    }
    output_release(&o);
    return rc;
}

// The manifest must not have its member "xxh3" yet.
static uint64_t manifest_xxh3(const json_t *manifest)
{
    char *text = json_dumps(manifest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    uint64_t xxh3 = XXH3_64bits(text, strlen(text));
    free(text);
    return xxh3;
}

// ---- reading ----

static int column_from_json(struct table *t, json_t *json, struct err *err)
{
    json_error_t why;
    json_t *texts = NULL;
    const char *name, *kind, *xxh3;
    struct table_column *c = &t->columns[t->n];
    if (json_unpack_ex(json, &why, 0, "{ss, ss, ss, s?o}", "name", &name, "kind", &kind, "xxh3",
                       &xxh3, "dictionary", &texts))
        return err_set(err, "column %zu: %s", t->n, why.text);
    if (column_kind_parse(kind, &c->kind))
        return err_set(err, "column '%.100s': its kind '%.40s' is not known", name, kind);
    if (strchr(name, '/'))
        return err_set(err, "column '%.100s': its file would be in another folder", name);
    t->n++;
    c->name = xstrdup(name);
    c->xxh3 = strtoull(xxh3, NULL, 16);
    c->dictionary = texts ? xcalloc(json_array_size(texts), sizeof *c->dictionary) : NULL;
    for (; c->dictionary_size < json_array_size(texts); c->dictionary_size++) {
        const char *text = json_string_value(json_array_get(texts, c->dictionary_size));
        if (!text)
            return err_set(err, "column '%.100s': its dictionary is not of texts", name);
        c->dictionary[c->dictionary_size] = xstrdup(text);
    }
    static const char *const told[] = {"name", "kind", "min", "max", "nulls"};
    json_t *summary = json_pack("{so}", "distinct",
                                texts ? json_integer((json_int_t)c->dictionary_size) : json_null());
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        json_object_set(summary, told[i], json_object_get(json, told[i]));
    json_array_append_new(t->summary, summary);
    return 0;
}

static int manifest_from_json(struct table *t, json_t *json, struct err *err)
{
    json_error_t why;
    json_t *columns;
    json_int_t rows, version;
    const char *format, *xxh3;
    char told[18], is[17];
    if (json_unpack_ex(json, &why, 0, "{ss, sI, sI, so, sO, ss}", "format", &format, "version",
                       &version, "rows", &rows, "columns", &columns, "provenance", &t->provenance,
                       "xxh3", &xxh3))
        return err_set(err, "%s; make the table again", why.text);
    if (strcmp(format, FORMAT) != 0 || version != VERSION || !json_is_object(t->provenance))
        return err_set(err, "it is not of an assay table of version %d; make the table again",
                       VERSION);
    snprintf(told, sizeof told, "%s", xxh3);
    json_object_del(json, "xxh3");
    if (strcmp(told, checksum_text(is, manifest_xxh3(json))) != 0)
        return err_set(err, "it was altered: its checksum differs; make the table again");
    t->xxh3 = strtoull(told, NULL, 16);
    const size_t n = json_array_size(columns);
    if (rows < 0 || rows > INT64_MAX / 16 || n == 0 || n > MAX_COLUMNS)
        return err_set(err, "no table has %lld rows of %zu columns", (long long)rows, n);
    t->rows = (uint64_t)rows;
    t->columns = xcalloc(n, sizeof *t->columns);
    t->summary = json_array();
    for (size_t i = 0; i < n; i++)
        if (column_from_json(t, json_array_get(columns, i), err))
            return -1;
    return 0;
}

static int load_manifest(struct table *t, struct err *err)
{
    json_error_t why;
    int fd = openat(t->dir, MANIFEST, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s/%s: cannot open", t->path, MANIFEST);
    json_t *json = json_loadfd(fd, JSON_REJECT_DUPLICATES, &why);
    close(fd);
    if (!json)
        return err_set(err, "%s/%s:%d: %s", t->path, MANIFEST, why.line, why.text);
    int rc = manifest_from_json(t, json, err);
    json_decref(json);
    return rc ? err_prefix(err, "%s/%s", t->path, MANIFEST) : 0;
}

static int load_file(const struct table *t, struct table_column *c, int fd, struct err *err)
{
    struct stat st;
    char header[HEADER];
    const uint64_t size = HEADER + t->rows * column_size(c->kind);
    if (fd < 0 || fstat(fd, &st))
        return err_sys(err, "cannot open, make the table again");
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return err_set(err, "it has %lld bytes, not the %" PRIu64 " of %" PRIu64 " rows; %s",
                       (long long)st.st_size, size, t->rows, "make the table again");
    char *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, "cannot map it");
    c->data = map + HEADER;
    npy_header(header, c->kind, t->rows);
    if (memcmp(map, header, HEADER) != 0)
        return err_set(err, "its header is not that of %" PRIu64 " values of %s", t->rows,
                       types[c->kind].dtype);
    if (XXH3_64bits(c->data, size - HEADER) != c->xxh3)
        return err_set(err, "it was altered: its checksum differs; make the table again");
    const uint32_t *codes = c->data; // readers index the dictionary by them
    for (uint64_t r = 0; c->kind == COLUMN_CATEGORY && r < t->rows; r++)
        if (codes[r] >= c->dictionary_size)
            return err_set(err, "it has a code %u that is not in its dictionary",
                           (unsigned)codes[r]);
    return 0;
}

static int load_column(void *arg, unsigned i, struct err *err)
{
    struct table *t = arg;
    char *file = xasprintf("%s.npy", t->columns[i].name);
    int fd = openat(t->dir, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc = 0;
    if (load_file(t, &t->columns[i], fd, err))
        rc = err_prefix(err, "%s/%s", t->path, file);
    if (fd >= 0)
        close(fd);
    free(file);
    return rc;
}

int table_open(struct table *t, const char *path, struct err *err)
{
    *t = (struct table){xstrdup(path), open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .n = 0};
    int rc = t->dir < 0 ? err_sys(err, "%s: cannot open the table", path) : load_manifest(t, err);
    if (rc == 0)
        rc = parallel_run((unsigned)t->n, load_column, t, err);
    if (t->dir >= 0)
        close(t->dir);
    return rc;
}

int table_find(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

const void *table_first(const struct table *t, enum column_kind kind)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->columns[i].kind == kind)
            return t->columns[i].data;
    return NULL;
}

const void *table_data(const struct table *t, const char *name, enum column_kind kind,
                       struct err *err)
{
    const int i = table_find(t, name);
    if (i >= 0 && t->columns[i].kind == kind)
        return t->columns[i].data;
    if (i < 0)
        err_set(err, "%s: no column named '%s'", t->path, name);
    else
        err_set(err, "%s: column '%s' is of kind %s, not %s", t->path, name,
                column_kinds[t->columns[i].kind], column_kinds[kind]);
    return NULL;
}

// ---- writing ----

struct table_writer_column {
    struct table_column about;
    int fd; // -1 before it is open and after it is closed
    uint64_t rows, nulls;
    double min, max;
};

static int open_column(struct table_writer *w, const struct table_column *about, struct err *err)
{
    struct table_writer_column *c = &w->columns[w->n++];
    *c = (struct table_writer_column){*about, .min = INFINITY, .max = -INFINITY};
    char *file = xasprintf("%s.npy", about->name);
    c->fd = output_dir_create(&w->dir, file, err);
    free(file);
    lseek(c->fd, HEADER, SEEK_SET); // the header is written last, when the rows are known
    return c->fd < 0 ? -1 : 0;
}

int table_writer_open(struct table_writer *w, const char *path, const struct table_column *columns,
                      size_t n, struct err *err)
{
    *w = (struct table_writer){.columns = xcalloc(n, sizeof *w->columns)};
    if (n > MAX_COLUMNS)
        return err_set(err,
                       "%s: %zu columns, and a table has at most %d: give hinges fewer knots, or "
                       "leave out some",
                       path, n, MAX_COLUMNS);
    int rc = output_dir_open(&w->dir, path, MANIFEST, err);
    while (w->n < n && rc == 0)
        rc = open_column(w, &columns[w->n], err);
    return rc;
}

// Labels below 0 are not known, NaN is a number that is missing.
#define MEASURE(type)                                                                              \
    do                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                           \
            const double x = (double)((const type *)values)[i];                                    \
            const bool known = c->about.kind == COLUMN_LABEL ? x >= 0 : x == x;                    \
            c->nulls += !known;                                                                    \
            c->min = known && x < c->min ? x : c->min;                                             \
            c->max = known && x > c->max ? x : c->max;                                             \
        }                                                                                          \
    while (0)

// The range of ids and keys says nothing, as they are pseudonyms.
static void measure(struct table_writer_column *c, const void *values, size_t n)
{
    if (c->about.kind == COLUMN_TIME)
        MEASURE(int64_t);
    else if (c->about.kind == COLUMN_NUMBER)
        MEASURE(double);
    else if (c->about.kind == COLUMN_CATEGORY)
        MEASURE(uint32_t);
    else if (c->about.kind == COLUMN_FEATURE)
        MEASURE(float);
    else if (c->about.kind == COLUMN_LABEL)
        MEASURE(int8_t);
}

int table_writer_append(struct table_writer *w, size_t column, const void *values, size_t rows,
                        struct err *err)
{
    struct table_writer_column *c = &w->columns[column];
    c->rows += rows;
    return write_all(c->fd, values, rows * column_size(c->about.kind), w->dir.path, err);
}

void table_writer_dictionary(struct table_writer *w, size_t column, const struct dictionary *d)
{
    w->columns[column].about.dictionary = d->texts;
    w->columns[column].about.dictionary_size = d->n;
}

// Drop the rows that do not stay, measure the others and write the header.
static int finish_column(void *arg, unsigned i, struct err *err)
{
    struct table_writer *w = arg;
    struct table_writer_column *c = &w->columns[i];
    const size_t size = column_size(c->about.kind);
    const uint64_t written = c->rows;
    uint64_t room[BLOCK_ROWS]; // for any kind of value
    char *values = (char *)room, header[HEADER];
    XXH3_state_t *hash = xchecked(XXH3_createState());
    XXH3_64bits_reset(hash);
    c->rows = 0;
    bool good = true;
    for (uint64_t first = 0; first < written && good; first += BLOCK_ROWS) {
        const size_t n = written - first < BLOCK_ROWS ? (size_t)(written - first) : BLOCK_ROWS;
        const off_t to = (off_t)(HEADER + c->rows * size);
        size_t kept = w->keep ? 0 : n;
        good =
            pread(c->fd, values, n * size, (off_t)(HEADER + first * size)) == (ssize_t)(n * size);
        for (size_t k = 0; k < n && w->keep; k++)
            if (w->keep(w->keep_arg, first + k))
                memmove(values + size * kept++, values + size * k, size);
        if (w->keep)
            good = good && pwrite(c->fd, values, kept * size, to) == (ssize_t)(kept * size);
        measure(c, values, kept);
        XXH3_64bits_update(hash, values, kept * size);
        c->rows += kept;
    }
    c->about.xxh3 = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    npy_header(header, c->about.kind, c->rows);
    if (!good || pwrite(c->fd, header, HEADER, 0) != HEADER ||
        ftruncate(c->fd, (off_t)(HEADER + c->rows * size)))
        return err_sys(err, "%s: cannot write", w->dir.path);
    const int fd = c->fd;
    c->fd = -1;
    return output_dir_close(&w->dir, fd, err);
}

static json_t *column_to_json(const struct table_writer_column *c)
{
    char xxh3[17];
    json_t *texts = c->about.kind == COLUMN_CATEGORY ? json_array() : NULL;
    for (size_t i = 0; i < c->about.dictionary_size; i++)
        json_array_append_new(texts, json_string(c->about.dictionary[i]));
    return json_pack("{ss, ss, ss, so, so, sI, ss, so*}", "name", c->about.name, "kind",
                     column_kinds[c->about.kind], "dtype", types[c->about.kind].dtype, "min",
                     json_number(c->min), "max", json_number(c->max), "nulls", (json_int_t)c->nulls,
                     "xxh3", checksum_text(xxh3, c->about.xxh3), "dictionary", texts);
}

int table_writer_finish(struct table_writer *w, json_t *provenance, struct err *err)
{
    char checksum[17];
    json_t *columns = json_array();
    const int finished = parallel_run((unsigned)w->n, finish_column, w, err);
    for (size_t i = 0; i < w->n; i++) {
        assert(finished || w->columns[i].rows == w->columns[0].rows);
        json_array_append_new(columns, column_to_json(&w->columns[i]));
    }
    json_t *manifest =
        json_pack("{ss, si, sI, so, so}", "format", FORMAT, "version", VERSION, "rows",
                  (json_int_t)w->columns[0].rows, "columns", columns, "provenance", provenance);
    json_object_set_new(manifest, "xxh3",
                        json_string(checksum_text(checksum, manifest_xxh3(manifest))));
    char *text = json_dumps(manifest, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    const int rc = finished || output_dir_file(&w->dir, MANIFEST, text, strlen(text), err) ? -1 : 0;
    json_decref(manifest);
    free(text);
    return rc;
}

void table_writer_release(struct table_writer *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->columns[i].fd >= 0)
            close(w->columns[i].fd);
    free(w->columns);
    output_release(&w->dir);
    *w = (struct table_writer){0};
}

// ---- dictionaries ----

uint32_t dictionary_find(const struct dictionary *d, const char *text)
{
    const json_t *code = json_object_get(d->codes, text);
    return code ? (uint32_t)json_integer_value(code) : (uint32_t)d->n;
}

int dictionary_code(struct dictionary *d, const char *text, uint32_t *code, struct err *err)
{
    *code = dictionary_find(d, text);
    if (*code < d->n)
        return 0;
    if (d->n == DICTIONARY_MAX)
        return err_set(err, "more than %d different values; is it a key?", DICTIONARY_MAX);
    if (!d->codes)
        d->codes = json_object();
    json_object_set_new_nocheck(d->codes, text, json_integer(*code));
    ARRAY_GROW(d->texts, d->n + 1, d->size);
    d->texts[d->n++] = xstrdup(text);
    return 0;
}

void dictionary_release(struct dictionary *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->texts[i]);
    free(d->texts);
    json_decref(d->codes);
    *d = (struct dictionary){0};
}
