// The tables and their rows: what is written, and what single rows are read for.
//
// Columns of `prediction`: what is ours by its name, then the transaction's with t_ before their names,
// the features with f_, and per window over the label what the row adds to it if it is genuine and if
// it is fraud. REAL values without a fraction take the space of integers in SQLite.
#include "serve/store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_stored(const struct schema_column *c)
{
    return c->kind != COLUMN_LABEL;
}

// ---- the text of statements ------------------------------------------------------------------------

static const char *const sql_types[] = {
    [COLUMN_ID] = "INTEGER",   [COLUMN_TIME] = "INTEGER",  [COLUMN_KEY] = "INTEGER",
    [COLUMN_NUMBER] = "REAL",  [COLUMN_CATEGORY] = "TEXT", [COLUMN_LABEL] = "INTEGER",
    [COLUMN_FEATURE] = "REAL",
};

static void add_columns(sqlite3_str *sql, const struct store *s, bool typed)
{
    const struct schema *schema = &s->plan->schema;
    for (size_t c = 0; c < schema->n; c++)
        if (is_stored(&schema->columns[c]))
            sqlite3_str_appendf(sql, ", \"t_%w\"%s%s", schema->columns[c].name, typed ? " " : "",
                                typed ? sql_types[schema->columns[c].kind] : "");
    for (size_t i = 0; i < s->plan->n_inputs; i++)
        sqlite3_str_appendf(sql, ", \"f_%w\"%s", s->plan->inputs[i].name, typed ? " REAL" : "");
    for (size_t l = 0; l < s->n_lanes; l++)
        sqlite3_str_appendf(sql, ", genuine_%d%s", (int)l, typed ? " REAL" : "");
    for (size_t l = 0; l < s->n_lanes; l++)
        sqlite3_str_appendf(sql, ", fraud_%d%s", (int)l, typed ? " REAL" : "");
}

static int n_columns(const struct store *s)
{
    int n = C_COLUMNS;
    for (size_t c = 0; c < s->plan->schema.n; c++)
        n += is_stored(&s->plan->schema.columns[c]);
    return n + (int)(s->plan->n_inputs + 2 * s->n_lanes);
}

int store_create(struct store *s, struct err *err)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);
    sqlite3_str_appendall(
        sql,
        "BEGIN IMMEDIATE;"
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
        "CREATE TABLE model (id INTEGER PRIMARY KEY, version INTEGER, sha256 TEXT, threshold REAL,"
        " first_used INTEGER, UNIQUE (sha256, version));"
        "CREATE TABLE seen (id INTEGER PRIMARY KEY, seq INTEGER);"
        "CREATE TABLE feedback (seq INTEGER PRIMARY KEY, received INTEGER,"
        " prediction INTEGER, was INTEGER, label INTEGER);"
        "CREATE INDEX feedback_prediction ON feedback (prediction, seq);"
        "CREATE TABLE prediction (seq INTEGER PRIMARY KEY, received INTEGER,"
        " model INTEGER REFERENCES model, probability REAL, review INTEGER,"
        " reason_1 INTEGER, contribution_1 REAL, reason_2 INTEGER, contribution_2 REAL,"
        " reason_3 INTEGER, contribution_3 REAL, reason_4 INTEGER, contribution_4 REAL");
    add_columns(sql, s, true);
    sqlite3_str_appendf(sql,
                        ");"
                        "CREATE VIEW label AS SELECT prediction, label, received, max(seq) AS seq"
                        " FROM feedback GROUP BY prediction;"
                        "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                        STORE_APPLICATION, STORE_SCHEMA);
    char *text = sqlite3_str_finish(sql);
    if (!text)
        return err_set(err, "%s: out of memory", s->path);
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    sqlite3_free(text);
    return rc == SQLITE_OK ? 0 : store_failed(s, "create the tables", err);
}

static int prepare_insert(struct store *s, struct err *err)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);
    sqlite3_str_appendall(sql, "INSERT INTO prediction VALUES (?");
    for (int i = 1; i < n_columns(s); i++)
        sqlite3_str_appendall(sql, ", ?");
    sqlite3_str_appendall(sql, ")");
    char *text = sqlite3_str_finish(sql);
    int rc = store_prepare(s, STORE_INSERT, text, err);
    sqlite3_free(text);
    return rc;
}

char *store_select(const struct store *s, const char *more)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);
    sqlite3_str_appendall(sql,
                          "SELECT seq, received, model, probability, review, reason_1,"
                          " contribution_1, reason_2, contribution_2, reason_3, contribution_3,"
                          " reason_4, contribution_4");
    add_columns(sql, s, false);
    sqlite3_str_appendf(sql, " FROM prediction %s", more);
    return sqlite3_str_finish(sql);
}

static int prepare_row(struct store *s, struct err *err)
{
    char *sql = store_select(s, "WHERE seq = ?");
    int rc = store_prepare(s, STORE_ROW, sql, err);
    sqlite3_free(sql);
    return rc;
}

static int prepare_drop(struct store *s, struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    char *sql = sqlite3_mprintf(
        "DELETE FROM prediction WHERE seq BETWEEN ?1 AND ?2 AND seq < ?3 AND \"t_%w\" < ?4 AND NOT "
        "EXISTS (SELECT 1 FROM feedback AS f WHERE f.prediction = prediction.seq AND f.seq >= ?3)",
        schema->columns[schema_find_kind(schema, COLUMN_TIME)].name);
    int rc = store_prepare(s, STORE_DROP, sql, err);
    sqlite3_free(sql);
    return rc;
}

int store_prepare_rows(struct store *s, struct err *err)
{
    static const struct {
        enum store_statement which;
        const char *sql;
    } fixed[] = {
        {STORE_BEGIN, "BEGIN IMMEDIATE"},
        {STORE_COMMIT, "COMMIT"},
        {STORE_LABEL, "SELECT label FROM feedback WHERE prediction = ? ORDER BY seq DESC LIMIT 1"},
        {STORE_PUT_LABEL, "INSERT INTO feedback VALUES (?, ?, ?, ?, ?)"},
        {STORE_PUT_SERVED, "INSERT INTO model (version, sha256, threshold, first_used)"
                           " VALUES (?, ?, ?, ?)"},
        {STORE_SEEN, "SELECT seq FROM seen WHERE id = ?"},
        {STORE_PUT_SEEN, "INSERT OR REPLACE INTO seen VALUES (?, ?)"},
        {STORE_SWEEP_SEEN, "DELETE FROM seen WHERE id BETWEEN ? AND ? AND seq < ?"},
        {STORE_PUT_META, "INSERT OR REPLACE INTO meta VALUES (?, ?)"},
        {STORE_KEPT, "SELECT seq FROM prediction WHERE seq = ?"},
        {STORE_FIRST, "SELECT min(seq) FROM prediction WHERE seq > ?"},
        {STORE_WINDOW, "SELECT max(seq) FROM (SELECT seq FROM prediction WHERE seq >= ?"
                       " ORDER BY seq LIMIT ?)"},
        {STORE_DROP_LABELS, "DELETE FROM feedback WHERE prediction BETWEEN ? AND ? AND NOT EXISTS"
                            " (SELECT 1 FROM prediction AS p WHERE p.seq = feedback.prediction)"},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (store_prepare(s, fixed[i].which, fixed[i].sql, err))
            return -1;
    return prepare_insert(s, err) || prepare_row(s, err) || prepare_drop(s, err) ? -1 : 0;
}

// ---- writing ---------------------------------------------------------------------------------------

static void bind_value(sqlite3_stmt *q, int at, enum column_kind kind, const void *column, size_t e)
{
    if (kind == COLUMN_NUMBER)
        sqlite3_bind_double(q, at, ((const double *)column)[e]);
    else // ids and keys are unsigned, and stored with the same bits
        sqlite3_bind_int64(q, at, ((const int64_t *)column)[e]);
}

static void bind_decision(sqlite3_stmt *q, const struct decision *d)
{
    sqlite3_bind_int64(q, 1 + C_MODEL, d->served->id);
    sqlite3_bind_double(q, 1 + C_PROBABILITY, d->probability);
    sqlite3_bind_int(q, 1 + C_REVIEW, d->review);
    for (int k = 0; k < N_REASONS; k++) {
        const int at = 1 + C_REASONS + 2 * k;
        if (k < d->n_reasons) {
            sqlite3_bind_int(q, at, d->reasons[k].input);
            sqlite3_bind_double(q, at + 1, d->reasons[k].contribution);
        } else {
            sqlite3_bind_null(q, at);
            sqlite3_bind_null(q, at + 1);
        }
    }
}

int store_put(struct store *s, const struct store_row *row, struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    sqlite3_stmt *q = s->statements[STORE_INSERT];
    int at = 1 + C_COLUMNS;
    sqlite3_bind_int64(q, 1 + C_SEQ, s->next);
    sqlite3_bind_int64(q, 1 + C_RECEIVED, row->received);
    bind_decision(q, row->decision);
    for (size_t c = 0; c < schema->n; c++) {
        if (schema->columns[c].kind == COLUMN_CATEGORY)
            sqlite3_bind_text(q, at++, row->texts[c][row->event], -1, SQLITE_STATIC);
        else if (is_stored(&schema->columns[c]))
            bind_value(q, at++, schema->columns[c].kind, row->columns[c], row->event);
    }
    for (size_t i = 0; i < s->plan->n_inputs; i++)
        sqlite3_bind_double(q, at++, (double)row->x[i]);
    for (size_t l = 0; l < s->n_lanes; l++)
        sqlite3_bind_double(q, at++, row->genuine[l]);
    for (size_t l = 0; l < s->n_lanes; l++)
        sqlite3_bind_double(q, at++, row->fraud[l]);
    if (store_run(s, q, "write a transaction", err))
        return -1;
    const int id = schema_find_kind(schema, COLUMN_ID);
    if (id >= 0 && ids_add(&s->ids, ((const uint64_t *)row->columns[id])[row->event], s->next))
        return err_set(err, "out of memory for ids");
    s->next++;
    return 0;
}

int store_put_label(struct store *s, int64_t order, int was, int label, int64_t received,
                    struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_PUT_LABEL];
    sqlite3_bind_int64(q, 1, s->next);
    sqlite3_bind_int64(q, 2, received);
    sqlite3_bind_int64(q, 3, order);
    if (was < 0)
        sqlite3_bind_null(q, 4);
    else
        sqlite3_bind_int(q, 4, was);
    sqlite3_bind_int(q, 5, label);
    if (store_run(s, q, "write a label", err))
        return -1;
    s->next++;
    return 0;
}

int store_served(struct store *s, int64_t version, const struct model *m,
                 const struct served **served, struct err *err)
{
    for (*served = s->served; *served; *served = (*served)->next)
        if ((*served)->version == version && strcmp((*served)->sha256, m->sha256) == 0)
            return 0;
    sqlite3_stmt *q = s->statements[STORE_PUT_SERVED];
    sqlite3_bind_int64(q, 1, version);
    sqlite3_bind_text(q, 2, m->sha256, -1, SQLITE_STATIC);
    sqlite3_bind_double(q, 3, m->threshold);
    sqlite3_bind_int64(q, 4, (int64_t)time(NULL) * 1000);
    if (store_run(s, q, "write a model", err))
        return -1;
    struct served *new = calloc(1, sizeof *new);
    if (!new)
        return err_set(err, "out of memory");
    *new = (struct served){.id = sqlite3_last_insert_rowid(s->db),
                           .version = version,
                           .threshold = m->threshold,
                           .next = s->served};
    memcpy(new->sha256, m->sha256, sizeof new->sha256);
    served_describe(new);
    *served = s->served = new;
    return 0;
}

// A number that a statement returns for a parameter; none: what *x is.
static int look_up(struct store *s, enum store_statement which, int64_t parameter, int64_t *x,
                   struct err *err)
{
    sqlite3_stmt *q = s->statements[which];
    sqlite3_bind_int64(q, 1, parameter);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        *x = sqlite3_column_int64(q, 0);
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_failed(s, "read", err);
    sqlite3_reset(q);
    return rc;
}

int store_drop(struct store *s, int64_t *from, int64_t order, int64_t until, int n, struct err *err)
{
    sqlite3_stmt *drop = s->statements[STORE_DROP], *labels = s->statements[STORE_DROP_LABELS];
    int64_t to = 0;
    sqlite3_bind_int(s->statements[STORE_WINDOW], 2, n);
    if (look_up(s, STORE_WINDOW, *from, &to, err))
        return -1;
    if (to == 0)
        return 0;
    sqlite3_bind_int64(drop, 1, *from);
    sqlite3_bind_int64(drop, 2, to);
    sqlite3_bind_int64(drop, 3, order);
    sqlite3_bind_int64(drop, 4, until);
    if (store_run(s, drop, "drop old transactions", err))
        return -1;
    const int dropped = sqlite3_changes(s->db);
    sqlite3_bind_int64(labels, 1, *from);
    sqlite3_bind_int64(labels, 2, to);
    *from = to + 1;
    if (dropped == 0)
        return 0;
    if (store_run(s, labels, "drop old labels", err) ||
        store_put_meta(s, "dropped", (uint64_t)order, err) ||
        store_put_meta(s, "next", (uint64_t)s->next, err) ||
        look_up(s, STORE_FIRST, 0, &s->first, err))
        return -1;
    s->first = s->first ? s->first : s->next; // none is left
    s->dropped = order;
    return dropped;
}

// ---- reading one -----------------------------------------------------------------------------------

int store_find(struct store *s, uint64_t id, int64_t *order, struct err *err)
{
    *order = ids_find(&s->ids, id);
    if (*order == 0 && look_up(s, STORE_SEEN, (int64_t)id, order, err))
        return -1;
    if (*order == 0 || *order >= s->dropped)
        return 0;
    int64_t kept = 0; // its row may have been dropped, and its id be still there
    if (look_up(s, STORE_KEPT, *order, &kept, err))
        return -1;
    *order = kept;
    return 0;
}

// Stands at the row of an order number until it is reset; NULL where there is none.
static sqlite3_stmt *row_at(struct store *s, int64_t order, struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_ROW];
    sqlite3_bind_int64(q, 1, order);
    if (sqlite3_step(q) == SQLITE_ROW)
        return q;
    if (sqlite3_errcode(s->db) == SQLITE_DONE)
        err_set(err, "%s: transaction %lld is not there", s->path, (long long)order);
    else
        store_failed(s, "read a transaction", err);
    sqlite3_reset(q);
    return NULL;
}

int store_decision(struct store *s, int64_t order, struct decision *d, struct err *err)
{
    sqlite3_stmt *q = row_at(s, order, err);
    if (!q)
        return -1;
    const int64_t model = sqlite3_column_int64(q, C_MODEL);
    int x = C_COLUMNS;
    for (size_t c = 0; c < s->plan->schema.n; c++)
        x += is_stored(&s->plan->schema.columns[c]);
    *d = (struct decision){.probability = sqlite3_column_double(q, C_PROBABILITY),
                           .review = sqlite3_column_int(q, C_REVIEW),
                           .repeated = true};
    for (const struct served *m = s->served; m && !d->served; m = m->next)
        d->served = m->id == model ? m : NULL;
    for (int at = C_REASONS; at < C_COLUMNS && sqlite3_column_type(q, at) != SQLITE_NULL; at += 2) {
        const int input = sqlite3_column_int(q, at);
        if (input < 0 || (size_t)input >= s->plan->n_inputs) {
            sqlite3_reset(q);
            return err_set(err,
                           "%s: transaction %lld has a reason that is no input: it was altered",
                           s->path, (long long)order);
        }
        d->reasons[d->n_reasons++] = (struct reason){
            input, (float)sqlite3_column_double(q, x + input), sqlite3_column_double(q, at + 1)};
    }
    sqlite3_reset(q);
    return d->served ? 0 : err_set(err, "%s: a transaction's model is not there", s->path);
}

static bool is_other(sqlite3_stmt *q, int at, enum column_kind kind, const struct store_row *row,
                     size_t c)
{
    if (kind == COLUMN_CATEGORY) {
        const char *text = (const char *)sqlite3_column_text(q, at); // NULL where it was altered
        return !text || strcmp(text, row->texts[c][row->event]) != 0;
    }
    if (kind == COLUMN_NUMBER)
        return sqlite3_column_double(q, at) != ((const double *)row->columns[c])[row->event];
    return sqlite3_column_int64(q, at) != ((const int64_t *)row->columns[c])[row->event];
}

int store_differs(struct store *s, int64_t order, const struct store_row *row, int *column,
                  struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    sqlite3_stmt *q = row_at(s, order, err);
    int at = C_COLUMNS;
    *column = -1;
    for (size_t c = 0; q && c < schema->n && *column < 0; c++)
        if (is_stored(&schema->columns[c]) && is_other(q, at++, schema->columns[c].kind, row, c))
            *column = (int)c;
    const bool bad = sqlite3_errcode(s->db) == SQLITE_NOMEM; // of a text
    sqlite3_reset(q);
    return bad ? store_failed(s, "read a transaction", err) : q ? 0 : -1;
}

int store_event_init(struct store_event *e, const struct store *s)
{
    *e = (struct store_event){.columns = calloc(s->plan->schema.n, sizeof *e->columns),
                              .values = calloc(s->plan->schema.n, sizeof *e->values),
                              .genuine = calloc(s->n_lanes + 1, sizeof *e->genuine),
                              .fraud = calloc(s->n_lanes + 1, sizeof *e->fraud)};
    return e->columns && e->values && e->genuine && e->fraud ? 0 : -1;
}

void store_event_release(struct store_event *e)
{
    free(e->columns);
    free(e->values);
    free(e->genuine);
    free(e->fraud);
}

int store_event(struct store *s, int64_t order, struct store_event *e, struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    int64_t label = -1;
    if (look_up(s, STORE_LABEL, order, &label, err))
        return -1;
    sqlite3_stmt *q = row_at(s, order, err);
    if (!q)
        return -1;
    int at = C_COLUMNS;
    for (size_t c = 0; c < schema->n; c++) {
        const enum column_kind kind = schema->columns[c].kind;
        e->columns[c] = NULL;
        if (kind == COLUMN_TIME || kind == COLUMN_KEY) {
            e->values[c] = sqlite3_column_int64(q, at);
            e->columns[c] = &e->values[c];
        }
        at += is_stored(&schema->columns[c]);
    }
    at += (int)s->plan->n_inputs;
    for (size_t l = 0; l < s->n_lanes; l++) {
        e->genuine[l] = sqlite3_column_double(q, at + (int)l);
        e->fraud[l] = sqlite3_column_double(q, at + (int)(s->n_lanes + l));
    }
    e->review = sqlite3_column_int(q, C_REVIEW);
    e->label = (int)label;
    sqlite3_reset(q);
    return 0;
}
