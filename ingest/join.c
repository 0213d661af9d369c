// Columns of all tables are put behind each other; then the rows that stay are picked in time order.
#define _GNU_SOURCE // qsort_r
#include "ingest/table.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const void *first(const struct table *t, enum column_kind kind)
{
    const int c = table_find_kind(t, kind);
    return c < 0 ? NULL : t->columns[c].data;
}

// ---- columns ----

// Codes of one table's dictionary become those of all.
static int recode(uint32_t *codes, uint64_t rows, const struct table_column *c,
                  struct dictionary *all, struct err *err)
{
    uint32_t *code = xcalloc(c->dictionary_size, sizeof *code);
    int rc = 0;
    for (size_t k = 0; k < c->dictionary_size && rc == 0; k++)
        rc = dictionary_code(all, c->dictionary[k], &code[k], err);
    for (uint64_t r = 0; r < rows && rc == 0; r++)
        codes[r] = code[codes[r]];
    free(code);
    return rc;
}

// c: in, a column of one table; out, of all.
static int join_column(struct table_column *c, const struct table *tables, const uint64_t *rows,
                       size_t n, uint64_t all, struct err *err)
{
    struct dictionary texts = {0};
    const size_t size = column_size(c->kind);
    char *data = xmalloc(all * size), *end = data;
    for (size_t i = 0; i < n; end += rows[i++] * size) {
        const struct table *t = &tables[i];
        const void *from = table_data(t, c->name, c->kind, err);
        if (!from)
            return -1;
        memcpy(end, from, rows[i] * size);
        if (c->kind == COLUMN_CATEGORY && recode((uint32_t *)(void *)end, rows[i],
                                                 &t->columns[table_find(t, c->name)], &texts, err))
            return err_prefix(err, "%s: %s", t->path, c->name);
    }
    free(texts.sorted);
    *c = (struct table_column){c->name, c->kind, data, 0, texts.texts, texts.n};
    return 0;
}

// Those that all tables have; of one table, as they are.
static int join_columns(struct table *to, const struct table *tables, const uint64_t *rows,
                        size_t n, struct err *err)
{
    to->columns = xcalloc(tables->n, sizeof *to->columns);
    to->n = 0;
    for (size_t c = 0; c < tables->n; c++) {
        size_t have = 0;
        while (have < n && table_find(&tables[have], tables->columns[c].name) >= 0)
            have++;
        if (have < n)
            continue;
        to->columns[to->n] = tables->columns[c];
        if (n > 1 && join_column(&to->columns[to->n], tables, rows, n, to->rows, err))
            return -1;
        to->n++;
    }
    return 0;
}

// ---- rows ----

// The first row of each id; it takes the label of a later one if it has none.
static uint64_t pick_once(const struct table *t, const uint64_t *id, uint64_t *picked)
{
    int8_t *label = (int8_t *)first(t, COLUMN_LABEL);
    uint64_t n = 0, size = 2;
    while (size < 2 * t->rows)
        size *= 2;
    uint64_t *seen = xcalloc(size, sizeof *seen); // row + 1; ids are pseudonyms, so their own hash
    for (uint64_t r = 0; r < t->rows; r++) {
        uint64_t at = id[r] % size;
        while (seen[at] && id[seen[at] - 1] != id[r])
            at = (at + 1) % size;
        if (!seen[at]) {
            seen[at] = r + 1;
            picked[n++] = r;
        } else if (label && label[seen[at] - 1] < 0) {
            label[seen[at] - 1] = label[r];
        }
    }
    free(seen);
    return n;
}

static int check_apart(const int64_t *time, const struct table *tables, const uint64_t *rows,
                       size_t n, struct err *err)
{
    int64_t latest = INT64_MIN, before;
    for (size_t i = 0; i < n; time += rows[i++]) {
        before = latest;
        for (uint64_t r = 0; r < rows[i]; r++) {
            if (i > 0 && time[r] <= before)
                return err_set(err,
                               "%s: begins before %s has ended, and has no id column that shows "
                               "which rows are the same: give tables that do not overlap, the "
                               "oldest first",
                               tables[i].path, tables[i - 1].path);
            latest = time[r] > latest ? time[r] : latest;
        }
    }
    return 0;
}

// Of two rows, by their numbers.
static int by_time(const void *a, const void *b, void *times)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    const int64_t *t = times;
    if (t[x] != t[y])
        return t[x] < t[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

static const void *gather(const struct table_column *c, const uint64_t *rows, uint64_t n)
{
    const size_t size = column_size(c->kind);
    const char *from = c->data;
    char *to = xmalloc(n * size);
    for (uint64_t i = 0; i < n; i++)
        memcpy(to + i * size, from + rows[i] * size, size);
    return to;
}

static void pick_rows(struct table *t, bool joined)
{
    const int64_t *time = first(t, COLUMN_TIME);
    const uint64_t *id = joined ? first(t, COLUMN_ID) : NULL;
    uint64_t *rows = xmalloc(t->rows * sizeof *rows), n = t->rows, i = 1;
    for (uint64_t r = 0; r < n; r++)
        rows[r] = r;
    if (id)
        n = pick_once(t, id, rows);
    while (i < n && time[rows[i]] >= time[rows[i - 1]])
        i++;
    if (i < n)
        qsort_r(rows, n, sizeof *rows, by_time, (void *)time);
    for (size_t c = 0; c < t->n && (i < n || n < t->rows); c++) {
        const void *data = t->columns[c].data;
        t->columns[c].data = gather(&t->columns[c], rows, n);
        if (joined)
            free((void *)data);
    }
    t->rows = n;
    free(rows);
}

// ---- tables ----

// What ingest or export says of the rows; a feature table has it as its "table".
static json_t *origin(const struct table *t)
{
    json_t *table = json_object_get(t->provenance, "table");
    return table ? table : t->provenance;
}

static const char *origin_text(const struct table *t, const char *key)
{
    const char *text = json_string_value(json_object_get(origin(t), key));
    return text ? text : "";
}

static json_t *join_provenance(const struct table *tables, size_t n)
{
    const json_t *last = origin(&tables[n - 1]);
    json_t *origins = json_array();
    uint64_t xxh3 = 0;
    char sum[17];
    for (size_t i = 0; i < n; i++) {
        const char *text = origin_text(&tables[i], "input_xxh3");
        xxh3 = XXH3_64bits_withSeed(text, strlen(text), xxh3);
        json_array_append(origins, origin(&tables[i]));
    }
    json_t *about = json_pack("{s:o, s:s, s:O*, s:O*}", "tables", origins, "input_xxh3",
                              checksum_text(sum, xxh3), "key_fingerprint",
                              json_object_get(last, "key_fingerprint"), "labels_as_of",
                              json_object_get(last, "labels_as_of"));
    if (origin(tables) == tables->provenance)
        return about;
    json_t *all = json_copy(tables->provenance);
    json_object_set_new(all, "table", about);
    return all;
}

int table_join(struct table *to, const struct table *tables, size_t n, const uint64_t *rows,
               struct err *err)
{
    *to = *tables;
    to->rows = rows[0];
    for (size_t i = 1; i < n; i++) {
        if (strcmp(origin_text(&tables[i], "key_fingerprint"),
                   origin_text(tables, "key_fingerprint")) != 0)
            return err_set(err,
                           "%s: its ids and keys were made under another pseudonym key than those "
                           "of %s, so they do not match: ingest both with the same --key",
                           tables[i].path, tables->path);
        to->rows += rows[i];
        to->path = xasprintf("%s + %s", to->path, tables[i].path);
    }
    if (join_columns(to, tables, rows, n, err))
        return -1;
    const int64_t *time = first(to, COLUMN_TIME);
    if (!time)
        return err_set(err, "%s: has no time column", to->path);
    if (!first(to, COLUMN_ID) && check_apart(time, tables, rows, n, err))
        return -1;
    if (n > 1)
        to->provenance = join_provenance(tables, n);
    pick_rows(to, n > 1);
    return 0;
}
