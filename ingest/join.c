// The rows that stay are picked from all tables and put in order; then each column is copied.
#include "ingest/table.h"

#include "base/memory.h"
#include "base/value.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct pick {
    int64_t time;
    uint64_t id, row;
    uint32_t table;
    int8_t label;
};

static int by_time(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    return x->time != y->time     ? ORDER(x->time, y->time)
           : x->table != y->table ? ORDER(x->table, y->table)
                                  : ORDER(x->row, y->row);
}

static int by_id(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    return x->id != y->id ? ORDER(x->id, y->id) : ORDER(x->table, y->table);
}

// The rows of all tables, each id once; without ids tables must not overlap.
static int pick_rows(struct pick *picks, uint64_t *n_picks, const struct table *tables,
                     const uint64_t *rows, size_t n, bool with_ids, struct err *err)
{
    uint64_t all = 0, k = 0;
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        const uint64_t *id = table_first(&tables[i], COLUMN_ID);
        const int64_t *time = table_first(&tables[i], COLUMN_TIME), before = latest;
        const int8_t *label = table_first(&tables[i], COLUMN_LABEL);
        for (uint64_t r = 0; r < rows[i]; r++) {
            if (!with_ids && i > 0 && time[r] <= before)
                return err_set(err,
                               "%s: begins before %s has ended, and no id column shows which rows "
                               "are the same: give tables that do not overlap, the oldest first",
                               tables[i].path, tables[i - 1].path);
            latest = time[r] > latest ? time[r] : latest;
            picks[all] = (struct pick){time[r], with_ids ? id[r] : all, r, (uint32_t)i,
                                       label ? label[r] : -1};
            all++;
        }
    }
    qsort(picks, all, sizeof *picks, by_id);
    for (uint64_t i = 0; i < all; i++)
        if (k == 0 || picks[i].id != picks[k - 1].id)
            picks[k++] = picks[i];
        else if (picks[k - 1].label < 0)
            picks[k - 1].label = picks[i].label;
    qsort(picks, k, sizeof *picks, by_time);
    *n_picks = k;
    return 0;
}

// c: in, a column of one table; out, of all.
static int join_column(struct table_column *c, const struct table *tables, size_t n,
                       const struct pick *picks, uint64_t rows, struct err *err)
{
    const size_t size = column_size(c->kind);
    struct dictionary texts = {0};
    char *to = xmalloc(rows * size);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const struct table_column *k = &tables[i].columns[table_find(&tables[i], c->name)];
        const char *from = table_data(&tables[i], c->name, c->kind, err);
        uint32_t *codes = xcalloc(k->dictionary_size, sizeof *codes); // what the table's become
        rc = from ? 0 : -1;
        for (size_t d = 0; d < k->dictionary_size && rc == 0; d++)
            if (dictionary_code(&texts, k->dictionary[d], &codes[d], err))
                rc = err_prefix(err, "%s: %s", tables[i].path, c->name);
        for (uint64_t r = 0; r < rows && rc == 0; r++) {
            if (picks[r].table != i)
                continue;
            const void *value = from + picks[r].row * size;
            memcpy(to + r * size,
                   c->kind == COLUMN_LABEL      ? &picks[r].label
                   : c->kind == COLUMN_CATEGORY ? &codes[*(const uint32_t *)value]
                                                : value,
                   size);
        }
        free(codes);
    }
    json_decref(texts.codes);
    *c = (struct table_column){c->name, c->kind, to, 0, texts.texts, texts.n};
    return rc;
}

static bool is_in_order(const int64_t *time, uint64_t rows)
{
    uint64_t r = 1;
    while (r < rows && time[r] >= time[r - 1])
        r++;
    return r >= rows;
}

// The provenance that ingest or export wrote; a feature table keeps it as its "table".
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
    uint64_t all = 0;
    bool with_ids = n > 1;
    *to = *tables;
    for (size_t i = 0; i < n; i++) {
        if (!table_first(&tables[i], COLUMN_TIME))
            return err_set(err, "%s: has no time column", tables[i].path);
        if (strcmp(origin_text(&tables[i], "key_fingerprint"),
                   origin_text(tables, "key_fingerprint")) != 0)
            return err_set(err,
                           "%s: its ids and keys were made under another pseudonym key than those "
                           "of %s, so they do not match: ingest both with the same --key",
                           tables[i].path, tables->path);
        with_ids = with_ids && table_first(&tables[i], COLUMN_ID);
        all += rows[i];
    }
    to->rows = all;
    if (n == 1 && is_in_order(table_first(tables, COLUMN_TIME), all))
        return 0;
    struct pick *picks = xcalloc(all, sizeof *picks);
    int rc = pick_rows(picks, &to->rows, tables, rows, n, with_ids, err);
    to->columns = xcalloc(tables->n, sizeof *to->columns);
    to->n = 0;
    for (size_t c = 0; c < tables->n && rc == 0; c++) {
        size_t have = 0;
        while (have < n && table_find(&tables[have], tables->columns[c].name) >= 0)
            have++;
        if (have < n)
            continue;
        to->columns[to->n] = tables->columns[c];
        rc = join_column(&to->columns[to->n++], tables, n, picks, to->rows, err);
    }
    free(picks);
    for (size_t i = 1; i < n; i++) {
        char *before = to->path;
        to->path = xasprintf("%s + %s", before, tables[i].path);
        free(i > 1 ? before : NULL);
    }
    if (n > 1)
        to->provenance = join_provenance(tables, n);
    return rc;
}

int table_shuffle(struct table *t, uint64_t seed, struct err *err)
{
    const int8_t *label = table_first(t, COLUMN_LABEL);
    struct pick *picks = xcalloc(t->rows, sizeof *picks);
    int64_t *times = xmalloc(t->rows * sizeof *times);
    uint64_t of_class[3] = {0}, rank = 0;
    for (uint64_t r = 0; r < t->rows; r++) {
        const int8_t class = label ? label[r] : -1;
        picks[r] = (struct pick){class, r, XXH3_64bits_withSeed(&r, sizeof r, seed), 0, class};
        of_class[class + 1]++;
    }
    qsort(picks, t->rows, sizeof *picks, by_time);   // by class and hash
    for (uint64_t i = 0; i < t->rows; i++, rank++) { // the share of the class that is before it
        rank = i > 0 && picks[i].label != picks[i - 1].label ? 0 : rank;
        const double share = ((double)rank + 0.5) / (double)of_class[picks[i].label + 1];
        times[picks[i].id] = (int64_t)(share * 0x1p62);
    }
    free(picks);
    const struct table from = *t;
    struct table_column *time = t->columns;
    while (time->kind != COLUMN_TIME)
        time++;
    time->data = times;
    if (table_join(t, &from, 1, &from.rows, err))
        return -1;
    int64_t *numbers = (int64_t *)t->columns[time - from.columns].data;
    for (uint64_t r = 0; r < t->rows; r++)
        numbers[r] = (int64_t)r;
    if (numbers == times) // the rows were in this order
        return 0;
    free(times);
    return 0;
}
