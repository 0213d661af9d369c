// The reader trusts nothing in the folder before it is checked: the manifest may be hostile.
#include "ingest/table.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FORMAT   "assay table"
#define MANIFEST "manifest.json"
enum { VERSION = 1, HEADER = 128, FILE_NAME = 256 };

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

// ---- the format -----------------------------------------------------------------------------------

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

// Any name becomes a file in the table's folder and nowhere else.
static int file_name(char file[FILE_NAME], const char *name, struct err *err)
{
    size_t n = 0;
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = c >= ' ' && c != 0x7f && c != '/' && c != '%' && !(c == '.' && p == name);
        if (n + 3 + sizeof ".npy" > FILE_NAME)
            return err_set(err, "the column name '%.40s...' is too long for a file", name);
        n += (size_t)snprintf(file + n, FILE_NAME - n, plain ? "%c" : "%%%02X", c);
    }
    memcpy(file + n, ".npy", sizeof ".npy");
    return 0;
}

const char *checksum_text(char buf[17], uint64_t xxh3)
{
    snprintf(buf, 17, "%016" PRIx64, xxh3);
    return buf;
}

json_t *json_number_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

// Of all members but its own "xxh3".
static uint64_t manifest_xxh3(const json_t *manifest)
{
    json_t *rest = json_copy((json_t *)manifest); // shallow; jansson's copy does not take const
    json_object_del(rest, "xxh3");
    char *text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    uint64_t xxh3 = XXH3_64bits(text, strlen(text));
    json_decref(rest);
    free(text);
    return xxh3;
}

// ---- reading the manifest -------------------------------------------------------------------------

static int checksum_from_json(const json_t *object, uint64_t *xxh3, struct err *err)
{
    const char *text = json_string_value(json_object_get(object, "xxh3"));
    if (!text || strlen(text) != 16 || text[strspn(text, "0123456789abcdef")] != '\0')
        return err_set(err, "its xxh3 is not 16 hexadecimal digits");
    *xxh3 = strtoull(text, NULL, 16);
    return 0;
}

static int dictionary_from_json(struct table_column *c, const json_t *texts, struct err *err)
{
    if (!json_is_array(texts))
        return err_set(err, "its dictionary is not an array of texts");
    const size_t n = json_array_size(texts);
    c->dictionary = xcalloc(n, sizeof *c->dictionary);
    for (; c->dictionary_size < n; c->dictionary_size++) {
        const char *text = json_string_value(json_array_get(texts, c->dictionary_size));
        if (!text)
            return err_set(err, "entry %zu of its dictionary is not a text", c->dictionary_size);
        c->dictionary[c->dictionary_size] = xstrdup(text);
    }
    return 0;
}

// A number or null.
static int limit_from_json(const json_t *column, const char *key, double *value, struct err *err)
{
    const json_t *v = json_object_get(column, key);
    *value = json_is_number(v) ? json_number_value(v) : (double)NAN;
    return json_is_number(v) || json_is_null(v) ? 0 : err_set(err, "its %s is not a number", key);
}

static int column_from_json(struct table_column *c, const json_t *j, uint64_t rows, struct err *err)
{
    const char *kind = json_string_value(json_object_get(j, "kind"));
    const char *dtype = json_string_value(json_object_get(j, "dtype"));
    const json_t *nulls = json_object_get(j, "nulls");
    if (!kind || column_kind_parse(kind, &c->kind))
        return err_set(err, "its kind '%.40s' is not known", kind ? kind : "");
    if (!dtype || strcmp(dtype, types[c->kind].dtype) != 0)
        return err_set(err, "its dtype is not %s", types[c->kind].dtype);
    if (!json_is_integer(nulls) || json_integer_value(nulls) < 0 ||
        (uint64_t)json_integer_value(nulls) > rows)
        return err_set(err, "its nulls are not a number from 0 to rows");
    c->nulls = (uint64_t)json_integer_value(nulls);
    if (limit_from_json(j, "min", &c->min, err) || limit_from_json(j, "max", &c->max, err) ||
        checksum_from_json(j, &c->xxh3, err))
        return -1;
    return c->kind == COLUMN_CATEGORY
               ? dictionary_from_json(c, json_object_get(j, "dictionary"), err)
               : 0;
}

static int columns_from_json(struct table *t, const json_t *columns, struct err *err)
{
    const size_t n = json_array_size(columns);
    if (n == 0)
        return err_set(err, "it has no columns");
    t->columns = xcalloc(n, sizeof *t->columns);
    for (size_t i = 0; i < n; i++) {
        const json_t *j = json_array_get(columns, i);
        const char *name = json_string_value(json_object_get(j, "name"));
        if (!name || !*name)
            return err_set(err, "column %zu has no name", i);
        if (table_find(t, name) >= 0)
            return err_set(err, "two columns are named '%.100s'", name);
        struct table_column *c = &t->columns[t->n++];
        c->name = xstrdup(name);
        if (column_from_json(c, j, t->rows, err))
            return err_prefix(err, "column '%.100s'", name);
    }
    return 0;
}

static int manifest_from_json(struct table *t, const json_t *j, struct err *err)
{
    const char *format = json_string_value(json_object_get(j, "format"));
    const json_t *version = json_object_get(j, "version"), *rows = json_object_get(j, "rows");
    uint64_t xxh3;
    if (!format || strcmp(format, FORMAT) != 0)
        return err_set(err, "it is not the manifest of an assay table");
    if (json_integer_value(version) != VERSION)
        return err_set(err, "its version is not %d; make the table again", VERSION);
    if (!json_is_integer(rows) || json_integer_value(rows) < 0 ||
        json_integer_value(rows) > INT64_MAX / 16)
        return err_set(err, "its rows are not a number from 0 on");
    t->rows = (uint64_t)json_integer_value(rows);
    t->provenance = json_incref(json_object_get(j, "provenance"));
    if (!json_is_object(t->provenance))
        return err_set(err, "its provenance is not an object");
    if (columns_from_json(t, json_object_get(j, "columns"), err) ||
        checksum_from_json(j, &xxh3, err))
        return -1;
    if (xxh3 != manifest_xxh3(j))
        return err_set(err, "it was altered: its checksum differs; make the table again");
    return 0;
}

// dir: the table's folder, so that all files are of one table when another one takes its place.
static int manifest_load(struct table *t, int dir, struct err *err)
{
    json_error_t why;
    int fd = openat(dir, MANIFEST, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s/%s: cannot open", t->path, MANIFEST);
    json_t *j = json_loadfd(fd, JSON_REJECT_DUPLICATES, &why);
    close(fd);
    if (!j)
        return err_set(err, "%s/%s:%d: %s", t->path, MANIFEST, why.line, why.text);
    int rc = manifest_from_json(t, j, err);
    json_decref(j);
    return rc ? err_prefix(err, "%s/%s", t->path, MANIFEST) : 0;
}

// ---- reading the columns --------------------------------------------------------------------------

static int map_file(struct table_column *c, int fd, uint64_t rows, struct err *err)
{
    struct stat st;
    char header[HEADER];
    const uint64_t size = HEADER + rows * column_size(c->kind);
    if (fd < 0 || fstat(fd, &st))
        return err_sys(err, "cannot open, make the table again");
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return err_set(err, "it has %lld bytes, not the %llu of %llu rows; make the table again",
                       (long long)st.st_size, (unsigned long long)size, (unsigned long long)rows);
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, "cannot map it");
    c->map = map;
    c->map_size = size;
    c->data = (const char *)map + HEADER;
    npy_header(header, c->kind, rows);
    if (memcmp(map, header, HEADER) != 0)
        return err_set(err, "its header is not that of %llu values of %s", (unsigned long long)rows,
                       types[c->kind].dtype);
    return 0;
}

static int map_column(const struct table *t, struct table_column *c, int dir, struct err *err)
{
    char file[FILE_NAME];
    if (file_name(file, c->name, err))
        return -1;
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    int rc = map_file(c, fd, t->rows, err);
    if (fd >= 0)
        close(fd);
    return rc ? err_prefix(err, "%s/%s", t->path, file) : 0;
}

// Readers index a dictionary without looking, so every code must have a text.
static bool has_all_texts(const struct table_column *c, uint64_t rows)
{
    const uint32_t *codes = c->data;
    uint32_t max = 0;
    for (uint64_t r = 0; r < rows; r++)
        max = codes[r] > max ? codes[r] : max;
    return rows == 0 || max < c->dictionary_size;
}

struct verify {
    const struct table *table;
    atomic_size_t next;
};

// Each thread takes the next column that none has taken.
static int verify_columns(void *arg, unsigned thread, struct err *err)
{
    (void)thread;
    struct verify *v = arg;
    const struct table *t = v->table;
    for (size_t i; (i = atomic_fetch_add(&v->next, 1)) < t->n;) {
        const struct table_column *c = &t->columns[i];
        if (XXH3_64bits(c->data, c->map_size - HEADER) != c->xxh3)
            return err_set(
                err, "%s: column '%s' was altered: its checksum differs; make the table again",
                t->path, c->name);
        if (c->kind == COLUMN_CATEGORY && !has_all_texts(c, t->rows))
            return err_set(err, "%s: column '%s' has a code that is not in its dictionary", t->path,
                           c->name);
    }
    return 0;
}

int table_open(struct table *t, const char *path, struct err *err)
{
    *t = (struct table){.path = xstrdup(path)};
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir < 0 ? err_sys(err, "%s: cannot open the table", path) : manifest_load(t, dir, err);
    for (size_t i = 0; i < t->n && rc == 0; i++)
        rc = map_column(t, &t->columns[i], dir, err);
    if (rc == 0)
        rc = parallel_run(parallel_threads(), verify_columns, &(struct verify){t, 0}, err);
    if (dir >= 0)
        close(dir);
    if (rc)
        table_release(t);
    return rc;
}

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct table_column *c = &t->columns[i];
        if (c->map)
            munmap(c->map, c->map_size);
        for (size_t k = 0; k < c->dictionary_size; k++)
            free(c->dictionary[k]);
        free(c->dictionary);
        free(c->name);
    }
    free(t->columns);
    free(t->path);
    json_decref(t->provenance);
    *t = (struct table){0};
}

int table_find(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

int table_find_kind(const struct table *t, enum column_kind kind)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->columns[i].kind == kind)
            return (int)i;
    return -1;
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
                column_kind_name(t->columns[i].kind), column_kind_name(kind));
    return NULL;
}

// ---- writing --------------------------------------------------------------------------------------

struct table_writer_column {
    char *name;
    enum column_kind kind;
    char **dictionary;
    size_t dictionary_size;
    int fd; // -1 before it is open and after it is closed
    uint64_t rows, nulls;
    double min, max;
    XXH3_state_t *hash;
};

static int open_column(struct table_writer *w, const struct table_column *column, struct err *err)
{
    static const char blank[HEADER]; // the header is written last, when the rows are known
    char file[FILE_NAME];
    struct table_writer_column *c = &w->columns[w->n++];
    *c = (struct table_writer_column){.name = xstrdup(column->name),
                                      .kind = column->kind,
                                      .dictionary = column->dictionary,
                                      .dictionary_size = column->dictionary_size,
                                      .fd = -1,
                                      .min = INFINITY,
                                      .max = -INFINITY,
                                      .hash = xchecked(XXH3_createState())};
    XXH3_64bits_reset(c->hash);
    if (file_name(file, c->name, err))
        return -1;
    c->fd = output_dir_create(&w->dir, file, err);
    return c->fd < 0 ? -1 : write_all(c->fd, blank, HEADER, w->dir.path, err);
}

int table_writer_open(struct table_writer *w, const char *path, const struct table_column *columns,
                      size_t n, struct err *err)
{
    *w = (struct table_writer){.columns = xcalloc(n, sizeof *w->columns)};
    int rc = output_dir_open(&w->dir, path, MANIFEST, err);
    while (w->n < n && rc == 0)
        rc = open_column(w, &columns[w->n], err);
    if (rc)
        table_writer_release(w);
    return rc;
}

// Labels below 0 are not known.
#define MEASURE(type)                                                                              \
    for (size_t i = 0; i < n; i++) {                                                               \
        const double x = (double)((const type *)values)[i];                                        \
        const bool known = c->kind != COLUMN_LABEL || x >= 0;                                      \
        c->nulls += !known;                                                                        \
        c->min = known && x < c->min ? x : c->min;                                                 \
        c->max = known && x > c->max ? x : c->max;                                                 \
    }

// The range of ids and keys says nothing, as they are pseudonyms.
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
        MEASURE(int8_t)
        break;
    }
}

int table_writer_append(struct table_writer *w, size_t column, const void *values, size_t rows,
                        struct err *err)
{
    struct table_writer_column *c = &w->columns[column];
    const size_t bytes = rows * column_size(c->kind);
    measure(c, values, rows);
    c->rows += rows;
    XXH3_64bits_update(c->hash, values, bytes);
    return write_all(c->fd, values, bytes, w->dir.path, err);
}

void table_writer_dictionary(struct table_writer *w, size_t column, char **texts, size_t n)
{
    w->columns[column].dictionary = texts;
    w->columns[column].dictionary_size = n;
}

static json_t *column_to_json(const struct table_writer_column *c)
{
    char xxh3[17];
    json_t *texts = c->kind == COLUMN_CATEGORY ? json_array() : NULL;
    for (size_t i = 0; i < c->dictionary_size; i++)
        json_array_append_new(texts, json_string(c->dictionary[i]));
    return json_pack("{ss, ss, ss, so, so, sI, ss, so*}", "name", c->name, "kind",
                     column_kind_name(c->kind), "dtype", types[c->kind].dtype, "min",
                     json_number_or_null(c->min), "max", json_number_or_null(c->max), "nulls",
                     (json_int_t)c->nulls, "xxh3", checksum_text(xxh3, XXH3_64bits_digest(c->hash)),
                     "dictionary", texts);
}

static int write_manifest(struct table_writer *w, uint64_t rows, const json_t *provenance,
                          struct err *err)
{
    char checksum[17];
    json_t *columns = json_array();
    for (size_t i = 0; i < w->n; i++)
        json_array_append_new(columns, column_to_json(&w->columns[i]));
    json_t *copy = provenance ? json_deep_copy(provenance) : json_object();
    json_t *j = json_pack("{ss, si, sI, so, so}", "format", FORMAT, "version", VERSION, "rows",
                          (json_int_t)rows, "columns", columns, "provenance", copy);
    json_object_set_new(j, "xxh3", json_string(checksum_text(checksum, manifest_xxh3(j))));
    char *text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    int rc = output_dir_file(&w->dir, MANIFEST, text, strlen(text), err);
    json_decref(j);
    free(text);
    return rc;
}

static int finish_column(struct table_writer *w, struct table_writer_column *c, uint64_t rows,
                         struct err *err)
{
    char header[HEADER];
    if (c->rows != rows)
        return err_set(err, "%s: column %s has %llu rows, the first has %llu", w->dir.path, c->name,
                       (unsigned long long)c->rows, (unsigned long long)rows);
    npy_header(header, c->kind, rows);
    if (lseek(c->fd, 0, SEEK_SET) != 0)
        return err_sys(err, "%s: cannot go back to the header", w->dir.path);
    if (write_all(c->fd, header, HEADER, w->dir.path, err))
        return -1;
    const int fd = c->fd;
    c->fd = -1;
    return output_dir_close(&w->dir, fd, err);
}

int table_writer_commit(struct table_writer *w, const json_t *provenance, struct err *err)
{
    const uint64_t rows = w->n ? w->columns[0].rows : 0;
    for (size_t i = 0; i < w->n; i++)
        if (finish_column(w, &w->columns[i], rows, err))
            return -1;
    if (write_manifest(w, rows, provenance, err))
        return -1;
    return output_dir_commit(&w->dir, err);
}

void table_writer_release(struct table_writer *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->columns[i].fd >= 0)
            close(w->columns[i].fd);
        XXH3_freeState(w->columns[i].hash);
        free(w->columns[i].name);
    }
    free(w->columns);
    output_dir_release(&w->dir);
    *w = (struct table_writer){0};
}
