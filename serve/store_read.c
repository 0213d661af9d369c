// All rows in their order again: transactions and labels, merged by their order numbers.
#include "serve/store.h"

#include "ingest/table.h"

#include <stdlib.h>
#include <string.h>

int store_block_init(struct store_block *b, const struct store *s, size_t capacity, struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    *b = (struct store_block){.capacity = capacity,
                              .columns = calloc(schema->n, sizeof *b->columns),
                              .x = calloc(s->plan->n_inputs, sizeof *b->x)};
    bool bad = !b->columns || !b->x;
    for (size_t c = 0; c < schema->n && !bad; c++)
        bad = !(b->columns[c] = calloc(capacity, column_size(schema->columns[c].kind)));
    for (size_t i = 0; i < s->plan->n_inputs && !bad; i++)
        bad = !(b->x[i] = calloc(capacity, sizeof *b->x[i]));
    return bad ? err_set(err, "out of memory") : 0;
}

void store_block_release(struct store_block *b, const struct store *s)
{
    for (size_t c = 0; b->columns && c < s->plan->schema.n; c++)
        free(b->columns[c]);
    for (size_t i = 0; b->x && i < s->plan->n_inputs; i++)
        free(b->x[i]);
    free(b->columns);
    free(b->x);
    *b = (struct store_block){0};
}

// The order number of the row that a statement comes to; INT64_MAX at its end.
static int advance(struct store *s, sqlite3_stmt *q, int64_t *order, struct err *err)
{
    int rc = sqlite3_step(q);
    *order = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : INT64_MAX;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_failed(s, "read", err);
}

static int read_from(struct store *s, struct store_reader *r, int64_t event, int64_t label,
                     struct err *err)
{
    char *sql = store_select(s, "WHERE seq >= ? ORDER BY seq");
    *r = (struct store_reader){0};
    int rc = sql ? sqlite3_prepare_v2(s->db, sql, -1, &r->events, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db,
                                "SELECT seq, prediction, was, label FROM feedback WHERE seq >= ? "
                                "ORDER BY seq",
                                -1, &r->labels, NULL);
    if (rc != SQLITE_OK)
        return store_failed(s, "read", err);
    sqlite3_bind_int64(r->events, 1, event);
    sqlite3_bind_int64(r->labels, 1, label);
    return advance(s, r->events, &r->event, err) || advance(s, r->labels, &r->label, err) ? -1 : 0;
}

int store_read(struct store *s, struct store_reader *r, int64_t from, struct err *err)
{
    return read_from(s, r, from, from, err);
}

int store_read_newest(struct store *s, struct store_reader *r, int n, struct err *err)
{
    sqlite3_stmt *q = NULL;
    *r = (struct store_reader){0};
    if (sqlite3_prepare_v2(s->db,
                           "SELECT min(seq) FROM (SELECT seq FROM prediction ORDER BY seq DESC "
                           "LIMIT ?)",
                           -1, &q, NULL))
        return store_failed(s, "read", err);
    sqlite3_bind_int(q, 1, n);
    const int64_t from = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    return read_from(s, r, from, INT64_MAX, err);
}

int store_newest_labels(struct store *s, int n,
                        void (*take)(void *arg, int64_t order, bool review, int label), void *arg,
                        struct err *err)
{
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(
            s->db,
            "SELECT p.seq, p.review, f.label FROM"
            " (SELECT prediction, label, max(seq) AS seq FROM"
            "  (SELECT * FROM feedback ORDER BY seq DESC LIMIT ?) GROUP BY prediction)"
            " AS f JOIN prediction AS p ON p.seq = f.prediction ORDER BY f.seq",
            -1, &q, NULL))
        return store_failed(s, "read the labels", err);
    sqlite3_bind_int(q, 1, n);
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW)
        take(arg, sqlite3_column_int64(q, 0), sqlite3_column_int(q, 1), sqlite3_column_int(q, 2));
    if (rc != SQLITE_DONE)
        store_failed(s, "read the labels", err);
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? 0 : -1;
}

int store_peek(const struct store_reader *r)
{
    if (r->event == INT64_MAX && r->label == INT64_MAX)
        return STORE_END;
    return r->event < r->label ? STORE_IS_EVENT : STORE_IS_LABEL;
}

static void take_value(const struct store *s, sqlite3_stmt *q, int at, size_t column,
                       struct store_block *b)
{
    const enum column_kind kind = s->plan->schema.columns[column].kind;
    void *to = b->columns[column];
    if (kind == COLUMN_NUMBER)
        ((double *)to)[b->n] = sqlite3_column_double(q, at);
    else if (kind == COLUMN_CATEGORY)
        ((uint32_t *)to)[b->n] =
            dictionary_find(&s->dictionaries[column], (const char *)sqlite3_column_text(q, at),
                            (size_t)sqlite3_column_bytes(q, at));
    else
        ((int64_t *)to)[b->n] = sqlite3_column_int64(q, at);
}

int store_take_event(struct store *s, struct store_reader *r, struct store_block *b,
                     struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    int at = C_COLUMNS;
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind != COLUMN_LABEL)
            take_value(s, r->events, at++, c, b);
    for (size_t i = 0; i < s->plan->n_inputs; i++)
        b->x[i][b->n] = (float)sqlite3_column_double(r->events, at++);
    b->n++;
    b->order = r->event;
    b->received = sqlite3_column_int64(r->events, C_RECEIVED);
    return advance(s, r->events, &r->event, err);
}

int store_take_label(struct store *s, struct store_reader *r, struct store_label *l,
                     struct err *err)
{
    const bool known = sqlite3_column_type(r->labels, 2) != SQLITE_NULL;
    *l = (struct store_label){.order = r->label,
                              .event = sqlite3_column_int64(r->labels, 1),
                              .was = known ? sqlite3_column_int(r->labels, 2) : -1,
                              .label = sqlite3_column_int(r->labels, 3)};
    return advance(s, r->labels, &r->label, err);
}

void store_reader_release(struct store_reader *r)
{
    sqlite3_finalize(r->events);
    sqlite3_finalize(r->labels);
    *r = (struct store_reader){0};
}
