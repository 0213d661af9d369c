// Opens a table: maps its columns and trusts nothing that the folder says before it is checked.
//
// The manifest may be hostile: every member is looked at, and a column's file must have exactly the
// header, the size and the checksum that follow from it. Writing is table_write.c's.
#include "base/parallel.h"
#include "ingest/table_format.h"

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

// ---- the format -----------------------------------------------------------------------------------

size_t column_size(enum column_kind kind)
{
    static const unsigned char sizes[] = {
        [COLUMN_ID] = 8,       [COLUMN_TIME] = 8,  [COLUMN_KEY] = 8,    [COLUMN_NUMBER] = 8,
        [COLUMN_CATEGORY] = 4, [COLUMN_LABEL] = 1, [COLUMN_FEATURE] = 4};
    return sizes[kind];
}

const char *npy_dtype(enum column_kind kind)
{
    static const char *const dtypes[] = {
        [COLUMN_ID] = "<u8",     [COLUMN_TIME] = "<i8",     [COLUMN_KEY] = "<u8",
        [COLUMN_NUMBER] = "<f8", [COLUMN_CATEGORY] = "<u4", [COLUMN_LABEL] = "|i1",
        [COLUMN_FEATURE] = "<f4"};
    return dtypes[kind];
}

void npy_header(char header[NPY_HEADER], enum column_kind kind, uint64_t rows)
{
    enum { MAGIC = 10, TEXT = NPY_HEADER - MAGIC };
    char text[TEXT + 1];
    int n = snprintf(text, sizeof text,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRIu64 ",), }",
                     npy_dtype(kind), rows);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = TEXT; // little-endian, below 256
    header[9] = 0;
    memset(header + MAGIC, ' ', TEXT);
    memcpy(header + MAGIC, text, (size_t)n);
    header[NPY_HEADER - 1] = '\n';
}

int table_file_name(char file[TABLE_FILE_NAME], const char *name, struct err *err)
{
    size_t n = 0;
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = c >= ' ' && c != 0x7f && c != '/' && c != '%' && !(c == '.' && p == name);
        if (n + 3 + sizeof ".npy" > TABLE_FILE_NAME)
            return err_set(err, "the column name '%.40s...' is too long for a file", name);
        n += (size_t)snprintf(file + n, TABLE_FILE_NAME - n, plain ? "%c" : "%%%02X", c);
    }
    if (n == 0)
        return err_set(err, "a column has no name");
    memcpy(file + n, ".npy", sizeof ".npy");
    return 0;
}

const char *checksum_text(char buf[17], uint64_t xxh3)
{
    snprintf(buf, 17, "%016" PRIx64, xxh3);
    return buf;
}

// Exactly 16 lower-case hexadecimal digits; 0 or -1.
static int checksum_parse(const char *text, uint64_t *xxh3)
{
    if (!text || strlen(text) != 16 || text[strspn(text, "0123456789abcdef")] != '\0')
        return -1;
    *xxh3 = strtoull(text, NULL, 16);
    return 0;
}

// ---- the manifest ---------------------------------------------------------------------------------

static int dictionary_from_json(struct table_column *c, const json_t *texts, struct err *err)
{
    size_t n = json_array_size(texts);
    if (!json_is_array(texts) || n > UINT32_MAX)
        return err_set(err, "its dictionary is no array of texts");
    c->dictionary = calloc(n + 1, sizeof *c->dictionary);
    if (!c->dictionary)
        return err_set(err, "out of memory");
    for (; c->dictionary_size < n; c->dictionary_size++) {
        const char *text = json_string_value(json_array_get(texts, c->dictionary_size));
        if (!text)
            return err_set(err, "entry %zu of its dictionary is no text", c->dictionary_size);
        c->dictionary[c->dictionary_size] = strdup(text);
        if (!c->dictionary[c->dictionary_size])
            return err_set(err, "out of memory");
    }
    return 0;
}

// A number or null.
static int limit_from_json(const json_t *j, const char *key, double *value)
{
    const json_t *v = json_object_get(j, key);
    *value = json_is_number(v) ? json_number_value(v) : (double)NAN;
    return json_is_number(v) || json_is_null(v) ? 0 : -1;
}

static int column_from_json(struct table_column *c, const json_t *j, uint64_t rows, struct err *err)
{
    const char *kind = json_string_value(json_object_get(j, "kind"));
    const char *dtype = json_string_value(json_object_get(j, "dtype"));
    const json_t *nulls = json_object_get(j, "nulls");
    if (!kind || column_kind_parse(kind, &c->kind))
        return err_set(err, "its kind '%.40s' is not known", kind ? kind : "");
    if (!dtype || strcmp(dtype, npy_dtype(c->kind)) != 0)
        return err_set(err, "its dtype is not %s", npy_dtype(c->kind));
    if (limit_from_json(j, "min", &c->min) || limit_from_json(j, "max", &c->max))
        return err_set(err, "its min or max is no number");
    if (!json_is_integer(nulls) || json_integer_value(nulls) < 0 ||
        (uint64_t)json_integer_value(nulls) > rows)
        return err_set(err, "its nulls are no number from 0 to rows");
    c->nulls = (uint64_t)json_integer_value(nulls);
    if (checksum_parse(json_string_value(json_object_get(j, "xxh3")), &c->xxh3))
        return err_set(err, "its xxh3 is not 16 hexadecimal digits");
    if (c->kind == COLUMN_CATEGORY)
        return dictionary_from_json(c, json_object_get(j, "dictionary"), err);
    return 0;
}

static int columns_from_json(struct table *t, const json_t *columns, struct err *err)
{
    size_t n = json_array_size(columns);
    if (n == 0 || n > OUTPUT_MAX_FILES)
        return err_set(err, "the number of columns is not within 1 .. %d", OUTPUT_MAX_FILES);
    t->columns = calloc(n, sizeof *t->columns);
    if (!t->columns)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const json_t *j = json_array_get(columns, i);
        const char *name = json_string_value(json_object_get(j, "name"));
        if (!name || !*name)
            return err_set(err, "column %zu has no name", i);
        if (table_find(t, name) >= 0)
            return err_set(err, "two columns are named '%.100s'", name);
        struct table_column *c = &t->columns[t->n++];
        c->name = strdup(name);
        if (!c->name)
            return err_set(err, "out of memory");
        if (column_from_json(c, j, t->rows, err))
            return err_prefix(err, "column '%.100s'", name);
    }
    return 0;
}

int manifest_xxh3(const json_t *manifest, uint64_t *xxh3)
{
    json_t *rest = json_copy((json_t *)manifest); // shallow; jansson's copy does not take const
    json_object_del(rest, "xxh3");
    char *text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    json_decref(rest);
    if (!text)
        return -1;
    *xxh3 = XXH3_64bits(text, strlen(text));
    free(text);
    return 0;
}

static int manifest_verify(const json_t *j, struct err *err)
{
    uint64_t told, is;
    if (checksum_parse(json_string_value(json_object_get(j, "xxh3")), &told))
        return err_set(err, "its xxh3 is not 16 hexadecimal digits");
    if (manifest_xxh3(j, &is))
        return err_set(err, "out of memory");
    return is == told ? 0
                      : err_set(err, "it was altered: its checksum differs; make the table anew");
}

static int manifest_parse(struct table *t, const json_t *j, struct err *err)
{
    const char *format = json_string_value(json_object_get(j, "format"));
    const json_t *version = json_object_get(j, "version"), *rows = json_object_get(j, "rows");
    json_t *provenance = json_object_get(j, "provenance");
    if (!format || strcmp(format, TABLE_FORMAT) != 0)
        return err_set(err, "it is not the manifest of an assay table");
    if (json_integer_value(version) != TABLE_VERSION)
        return err_set(err, "its version is not %d; make the table anew", TABLE_VERSION);
    if (!json_is_integer(rows) || json_integer_value(rows) < 0 ||
        json_integer_value(rows) > INT64_MAX / 16)
        return err_set(err, "its rows are no number from 0 on");
    if (!json_is_object(provenance))
        return err_set(err, "its provenance is no object");
    t->rows = (uint64_t)json_integer_value(rows);
    t->provenance = json_incref(provenance);
    return columns_from_json(t, json_object_get(j, "columns"), err);
}

static int manifest_load(struct table *t, int dir, struct err *err)
{
    json_error_t why;
    int fd = openat(dir, TABLE_MANIFEST, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s/%s: cannot open", t->path, TABLE_MANIFEST);
    json_t *j = json_loadfd(fd, JSON_REJECT_DUPLICATES, &why);
    close(fd);
    if (!j)
        return err_set(err, "%s/%s:%d: %s", t->path, TABLE_MANIFEST, why.line, why.text);
    int rc = manifest_parse(t, j, err);
    if (rc == 0)
        rc = manifest_verify(j, err);
    json_decref(j);
    return rc ? err_prefix(err, "%s/%s", t->path, TABLE_MANIFEST) : 0;
}

// ---- the columns ----------------------------------------------------------------------------------

static int map_file(struct table_column *c, int fd, uint64_t rows, struct err *err)
{
    struct stat st;
    char header[NPY_HEADER];
    uint64_t size = NPY_HEADER + rows * column_size(c->kind);
    if (fstat(fd, &st))
        return err_sys(err, "cannot look at it");
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return err_set(err, "it has %lld bytes, not the %llu of %llu rows; make the table anew",
                       (long long)st.st_size, (unsigned long long)size, (unsigned long long)rows);
    c->map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (c->map == MAP_FAILED) {
        c->map = NULL;
        return err_sys(err, "cannot map it");
    }
    c->map_size = size;
    c->data = (const char *)c->map + NPY_HEADER;
    npy_header(header, c->kind, rows);
    if (memcmp(c->map, header, NPY_HEADER) != 0)
        return err_set(err, "its header is not that of %llu values of %s", (unsigned long long)rows,
                       npy_dtype(c->kind));
    return 0;
}

static int map_column(const struct table *t, struct table_column *c, int dir, struct err *err)
{
    char file[TABLE_FILE_NAME];
    if (table_file_name(file, c->name, err))
        return err_prefix(err, "%s/%s", t->path, TABLE_MANIFEST);
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s/%s: cannot open, make the table anew", t->path, file);
    int rc = map_file(c, fd, t->rows, err);
    close(fd);
    return rc ? err_prefix(err, "%s/%s", t->path, file) : 0;
}

// Columns are hashed in parallel; each thread takes the next one that nobody has.
struct verify {
    const struct table *table;
    atomic_size_t next;
};

static int verify_some(void *arg, unsigned thread, struct err *err)
{
    (void)thread;
    struct verify *v = arg;
    for (size_t i; (i = atomic_fetch_add(&v->next, 1)) < v->table->n;) {
        const struct table_column *c = &v->table->columns[i];
        if (XXH3_64bits(c->data, c->map_size - NPY_HEADER) != c->xxh3)
            return err_set(err,
                           "%s: column '%s' was altered: its checksum differs; make the table anew",
                           v->table->path, c->name);
    }
    return 0;
}

static int verify_columns(const struct table *t, struct err *err)
{
    return parallel_run(parallel_threads(), verify_some, &(struct verify){t, 0}, err);
}

// A code must have a text: readers index the dictionary without a look.
static int check_codes(const struct table *t, struct err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct table_column *c = &t->columns[i];
        const uint32_t *codes = c->data;
        uint32_t max = 0;
        if (c->kind != COLUMN_CATEGORY)
            continue;
        for (uint64_t r = 0; r < t->rows; r++)
            max = codes[r] > max ? codes[r] : max;
        if (t->rows > 0 && max >= c->dictionary_size)
            return err_set(err, "%s: column '%s' has a code %u that its dictionary has not",
                           t->path, c->name, (unsigned)max);
    }
    return 0;
}

int table_open(struct table *t, const char *path, struct err *err)
{
    *t = (struct table){.path = strdup(path)};
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -1;
    if (!t->path) {
        err_set(err, "%s: out of memory", path);
        goto out;
    }
    if (dir < 0) {
        err_sys(err, "%s: cannot open the table", path);
        goto out;
    }
    rc = manifest_load(t, dir, err);
    for (size_t i = 0; i < t->n && rc == 0; i++)
        rc = map_column(t, &t->columns[i], dir, err);
    if (rc == 0)
        rc = verify_columns(t, err);
    if (rc == 0)
        rc = check_codes(t, err);
out:
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
    int i = table_find(t, name);
    if (i < 0) {
        err_set(err, "%s: no column named '%s'", t->path, name);
        return NULL;
    }
    if (t->columns[i].kind != kind) {
        err_set(err, "%s: column '%s' is of kind %s, not %s", t->path, name,
                column_kind_name(t->columns[i].kind), column_kind_name(kind));
        return NULL;
    }
    return t->columns[i].data;
}
