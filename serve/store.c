// The database: its rows and its transactions; store_open.c makes, opens and identifies it.
//
// A row of `prediction` has the columns of the enum below, then those of the transaction with t_
// before their names, then `outside`. Inputs and label values are blobs of little-endian numbers in
// the plan's order: as columns of their own they cost 4 µs a row.
#include "serve/store.h"

#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    C_ORDER,
    C_RECEIVED,
    C_CLOCK,
    C_MODEL,
    C_PROBABILITY,
    C_REVIEW,
    C_REASONS,
    C_INPUTS = C_REASONS + 2 * N_REASONS,
    C_LABEL_VALUES,
    C_COLUMNS
};
enum { R_VERSION, R_SHA256, R_THRESHOLD, R_LABEL, R_ROW }; // what STORE_ROW puts before them

int store_failed(const struct store *s, const char *what, struct err *err)
{
    return err_set(err, "%s: cannot %s: %s", s->path, what, sqlite3_errmsg(s->db));
}

static int take_numbers(void *x, int n, char **values, char **names)
{
    (void)names;
    for (int i = 0; i < n; i++)
        ((int64_t *)x)[i] = values[i] ? strtoll(values[i], NULL, 10) : 0;
    return 0;
}

int store_execute(struct store *s, const char *what, int64_t *x, struct err *err, const char *fmt,
                  ...)
{
    va_list args;
    va_start(args, fmt);
    char *sql = sqlite3_vmprintf(fmt, args);
    va_end(args);
    if (x)
        *x = 0;
    const int rc = sql ? sqlite3_exec(s->db, sql, x ? take_numbers : NULL, x, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return rc == SQLITE_OK ? 0 : store_failed(s, what, err);
}

static void bind_numbers(sqlite3_stmt *q, int n, const int64_t *values)
{
    for (int i = 0; i < n; i++)
        sqlite3_bind_int64(q, 1 + i, values[i]);
}

// Run a statement and reset it. x: as in store_execute.
static int run(struct store *s, sqlite3_stmt *q, const char *what, int64_t *x, struct err *err)
{
    const int step = sqlite3_step(q);
    const int rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : store_failed(s, what, err);
    if (x)
        *x = step == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_reset(q);
    return rc;
}

int store_prepare(struct store *s, struct err *err)
{
#define TIME "'%%Y-%%m-%%dT%%H:%%M:%%SZ'"
    static const char *const texts[STORE_STATEMENTS] = {
        [STORE_INSERT] = "INSERT INTO prediction VALUES (?%s)",
        [STORE_ROW] =
            ("SELECT version, sha256, threshold, coalesce((SELECT label FROM feedback"
             " WHERE prediction = ?1 AND clock <= ?2 ORDER BY seq DESC LIMIT 1), -1), prediction.*"
             " FROM prediction JOIN model ON id = model WHERE seq = ?1"),
        [STORE_FIND] =
            ("SELECT seq FROM prediction WHERE seq = (SELECT seq FROM seen WHERE id = ?)"),
        [STORE_NEWEST] = "SELECT inputs, probability FROM prediction ORDER BY seq DESC LIMIT ?",
        [STORE_PUT_ID] = "INSERT OR REPLACE INTO seen VALUES (?, ?)",
        [STORE_LABELS] = ("SELECT json_group_array(json_object('label', label, 'order', seq,"
                          " 'received', strftime(" TIME ", received / 1000, 'unixepoch'),"
                          " 'clock', iif(?2, clock, strftime(" TIME ", clock, 'unixepoch'))))"
                          " FROM (SELECT * FROM feedback WHERE prediction = ?1 ORDER BY seq)"),
        [STORE_PUT_LABEL] = "INSERT INTO feedback VALUES (?, ?, ?, ?, nullif(?, -1), ?)",
        [STORE_PUT_MODEL] = ("INSERT INTO model (version, sha256, threshold, first_used)"
                             " VALUES (?, ?, ?, ?) ON CONFLICT (sha256, version)"
                             " DO UPDATE SET version = version RETURNING id"),
    };
    const struct schema *schema = &s->plan->schema;
    sqlite3_str *marks = sqlite3_str_new(s->db);
    size_t more = C_COLUMNS + schema->n - (schema_find_kind(schema, COLUMN_LABEL) >= 0);
    for (; more > 0; more--)
        sqlite3_str_appendall(marks, ", ?");
    char *all = sqlite3_str_finish(marks);
    int rc = 0;
    for (size_t i = 0; i < STORE_STATEMENTS && rc == 0; i++) {
        char *sql = sqlite3_mprintf(texts[i], all);
        if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL))
            rc = store_failed(s, "prepare a statement", err);
        sqlite3_free(sql);
    }
    sqlite3_free(all);
    if (rc == 0)
        store_labels_as_of(s, INT64_MAX);
    return rc;
}

// In one block, since every request makes some.
struct store_row *store_rows_new(const struct plan *p, size_t n)
{
    const size_t columns = p->schema.n, lanes = 2 * p->n_label_lanes;
    struct store_row *rows =
        xcalloc(n, sizeof *rows + columns * (sizeof(int64_t) + sizeof(char *)) +
                       lanes * sizeof(double) + p->n_inputs * (sizeof(float) + 1));
    int64_t *values = (void *)(rows + n);
    const char **texts = (void *)(values + n * columns);
    double *label_values = (void *)(texts + n * columns);
    float *x = (void *)(label_values + n * lanes);
    unsigned char *outside = (void *)(x + n * p->n_inputs);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct store_row){.values = values + i * columns,
                                     .texts = texts + i * columns,
                                     .x = x + i * p->n_inputs,
                                     .outside = outside + i * p->n_inputs,
                                     .label_values = label_values + i * lanes};
    return rows;
}

static size_t label_values_size(const struct store *s)
{
    return 2 * s->plan->n_label_lanes * sizeof(double);
}

// ---- ids ----
//
// An index over random numbers touches another page of the database with every row, which makes
// twenty times the writes of the rows themselves (measured: 45,000 rows a second instead of
// 225,000). So the newest ids stay in memory and move to the table `seen` one of 256 ranges at a
// time: a page is then written once for hundreds of ids. After a crash they are read again from the
// rows. A range is a plain array: scanning some 256 pairs takes a quarter of the time that SQLite
// takes for a table in memory.

static void keep_id(struct store *s, int64_t id, int64_t order)
{
    struct store_ids *range = &s->ids[(uint64_t)id >> 56];
    ARRAY_GROW(range->ids, range->n + 1, range->size);
    range->ids[range->n++] = (struct store_id){id, order};
    s->kept++;
}

static int keep(void *store, int n, char **values, char **names)
{
    (void)n, (void)names;
    keep_id(store, strtoll(values[0], NULL, 10), strtoll(values[1], NULL, 10));
    return 0;
}

int store_keep_ids(struct store *s, struct err *err)
{
    const int id = schema_find_kind(&s->plan->schema, COLUMN_ID);
    s->swept = s->next;
    if (id < 0)
        return 0;
    char *sql = sqlite3_mprintf("SELECT \"t_%w\", seq FROM prediction WHERE seq >= coalesce("
                                "(SELECT value FROM meta WHERE key = 'merged'), 0)",
                                s->plan->schema.columns[id].name);
    const int rc = sqlite3_exec(s->db, sql, keep, s, NULL);
    sqlite3_free(sql);
    return rc ? store_failed(s, "read the ids", err) : 0;
}

static int move_ids(struct store *s, struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_PUT_ID];
    while (s->kept > STORE_KEPT) {
        struct store_ids *range = &s->ids[s->id_range];
        for (; range->n > 0; range->n--, s->kept--) {
            const struct store_id *last = &range->ids[range->n - 1];
            bind_numbers(q, 2, (int64_t[]){last->id, last->order});
            if (run(s, q, "write an id", NULL, err))
                return -1;
        }
        s->id_range = (s->id_range + 1) % STORE_RANGES;
        if (s->id_range > 0)
            continue;
        if (store_execute(s, "write ids", NULL, err,
                          "INSERT OR REPLACE INTO meta VALUES ('merged', %lld)", s->swept))
            return -1;
        s->swept = s->next;
    }
    return 0;
}

// ---- transactions of the database ----

// A program that has opened the file and holds a write lock is waited for once, for STORE_BUSY_MS, and
// then not again until it has let go.
int store_begin(struct store *s, struct err *err)
{
    sqlite3_reset(s->statements[STORE_ROW]);
    const int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    const bool held = rc == SQLITE_BUSY;
    if (held != atomic_exchange(&s->held, held))
        sqlite3_busy_timeout(s->db, held ? 0 : STORE_BUSY_MS);
    if (held)
        return STORE_BUSY;
    return rc ? store_failed(s, "begin a transaction", err) : 0;
}

int store_commit(struct store *s, struct err *err)
{
    sqlite3_reset(s->statements[STORE_ROW]); // an open read would keep the log from restarting
    if (store_check_places(s, err))
        return -1;
    if (move_ids(s, err))
        return -1;
    return store_execute(s, "commit", NULL, err, "COMMIT");
}

int64_t store_bytes(const struct store *s)
{
    struct stat st;
    int64_t bytes = 0;
    for (size_t i = 0; i < STORE_FILES - 1; i++) // without the shared memory
        bytes += stat(s->files[i], &st) == 0 ? (int64_t)st.st_size : 0;
    return bytes;
}

// SQLite synced the file itself when it moved the log there.
int store_sync(const struct store *s, struct err *err)
{
    const int fd = open(s->files[1], O_RDONLY | O_CLOEXEC);
    const int rc = fd < 0 || fsync(fd) ? err_sys(err, "%s: cannot sync", s->files[1]) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

// ---- writing ----

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// The entry of the decision's model, made where it is new.
static int find_model(struct store *s, const struct decision *d, struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_PUT_MODEL];
    if (s->model_id > 0 && s->model.version == d->version &&
        strcmp(s->model.sha256, d->sha256) == 0)
        return 0;
    sqlite3_bind_int64(q, 1, d->version);
    sqlite3_bind_text(q, 2, d->sha256, -1, SQLITE_TRANSIENT);
    sqlite3_bind_double(q, 3, d->threshold);
    sqlite3_bind_int64(q, 4, clock_ms());
    s->model = *d;
    return run(s, q, "write a model", &s->model_id, err);
}

int store_put(struct store *s, const struct store_row *row, struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    const struct decision *d = &row->decision;
    sqlite3_stmt *q = s->statements[STORE_INSERT];
    int at = 1 + C_COLUMNS;
    if (find_model(s, d, err))
        return -1;
    bind_numbers(q, 4, (int64_t[]){s->next, clock_ms(), row->clock, s->model_id});
    sqlite3_bind_double(q, 1 + C_PROBABILITY, d->probability);
    sqlite3_bind_int(q, 1 + C_REVIEW, d->review);
    for (int k = 0; k < d->n_reasons; k++) { // all rows have equally many; the rest stay NULL
        sqlite3_bind_int(q, 1 + C_REASONS + 2 * k, d->reasons[k].input);
        sqlite3_bind_double(q, 2 + C_REASONS + 2 * k, d->reasons[k].contribution);
    }
    sqlite3_bind_blob64(q, 1 + C_INPUTS, row->x, s->plan->n_inputs * sizeof *row->x, SQLITE_STATIC);
    sqlite3_bind_blob64(q, 1 + C_LABEL_VALUES, row->label_values, label_values_size(s),
                        SQLITE_STATIC);
    for (size_t c = 0; c < schema->n; c++) {
        const enum column_kind kind = schema->columns[c].kind;
        if (kind == COLUMN_CATEGORY)
            sqlite3_bind_text(q, at++, row->texts[c], -1, SQLITE_STATIC);
        else if (kind == COLUMN_NUMBER)
            sqlite3_bind_double(q, at++, *(const double *)(const void *)&row->values[c]);
        else if (kind != COLUMN_LABEL) // ids and keys are unsigned, and stored with the same bits
            sqlite3_bind_int64(q, at++, row->values[c]);
    }
    const bool none = !memchr(row->outside, 1, s->plan->n_inputs); // NULL takes no room
    sqlite3_bind_blob64(q, at, none ? NULL : row->outside, s->plan->n_inputs, SQLITE_STATIC);
    if (run(s, q, "write a transaction", NULL, err))
        return -1;
    const int id = schema_find_kind(schema, COLUMN_ID);
    if (id >= 0)
        keep_id(s, row->values[id], s->next);
    s->next++;
    return 0;
}

int store_put_label(struct store *s, int64_t order, int64_t clock, const struct store_label *label,
                    struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_PUT_LABEL];
    bind_numbers(q, 6, (int64_t[]){s->next++, clock_ms(), clock, order, label->was, label->label});
    return run(s, q, "write a label", NULL, err);
}

void store_relabel(const struct store *s, const struct store_label *label, struct state *state)
{
    const struct events one = {1, s->columns};
    const double *genuine = s->one->label_values, *fraud = genuine + state->plan->n_label_lanes;
    state_relabel(state, &one, label->was == 1 ? fraud : genuine,
                  label->label == 1 ? fraud : genuine);
}

// ---- reading ----

static int read_blob(sqlite3_stmt *q, int at, void *to, size_t size)
{
    const void *blob = sqlite3_column_blob(q, at);
    if ((size_t)sqlite3_column_bytes(q, at) != size || (size > 0 && !blob))
        return -1;
    if (size > 0)
        memcpy(to, blob, size);
    return 0;
}

static int read_decision(const struct store *s, sqlite3_stmt *q, const float *x, struct decision *d)
{
    *d = (struct decision){.version = sqlite3_column_int64(q, R_VERSION),
                           .threshold = sqlite3_column_double(q, R_THRESHOLD),
                           .probability = sqlite3_column_double(q, R_ROW + C_PROBABILITY),
                           .review = sqlite3_column_int(q, R_ROW + C_REVIEW),
                           .repeated = true};
    snprintf(d->sha256, sizeof d->sha256, "%s", (const char *)sqlite3_column_text(q, R_SHA256));
    if (sqlite3_column_type(q, R_ROW + C_PROBABILITY) != SQLITE_FLOAT || // or it would be read as 0
        sqlite3_column_type(q, R_ROW + C_REVIEW) != SQLITE_INTEGER)
        return -1;
    for (int at = R_ROW + C_REASONS; d->n_reasons < N_REASONS; at += 2) {
        const int input = sqlite3_column_int(q, at);
        if (sqlite3_column_type(q, at) == SQLITE_NULL)
            break;
        if (input < 0 || (size_t)input >= s->plan->n_inputs)
            return -1;
        d->reasons[d->n_reasons++] =
            (struct reason){input, x[input] + 0.0F, sqlite3_column_double(q, at + 1)};
    }
    return 0;
}

static int read_columns(struct store *s, sqlite3_stmt *q)
{
    int at = R_ROW + C_COLUMNS;
    for (size_t c = 0; c < s->plan->schema.n; c++) {
        const enum column_kind kind = s->plan->schema.columns[c].kind;
        void *value = &s->one->values[c];
        const int type = kind == COLUMN_CATEGORY ? SQLITE_TEXT
                         : kind == COLUMN_NUMBER ? SQLITE_FLOAT
                                                 : SQLITE_INTEGER;
        const bool missing = column_fits_missing(&s->plan->schema.columns[c]) &&
                             sqlite3_column_type(q, at) == SQLITE_NULL; // NaN was stored as that
        if (kind != COLUMN_LABEL && sqlite3_column_type(q, at) != type && !missing)
            return -1;
        if (kind == COLUMN_CATEGORY) {
            s->one->texts[c] = (const char *)sqlite3_column_text(q, at++);
            *(uint32_t *)value = dictionary_find(&s->dictionaries[c], s->one->texts[c]);
        } else if (kind == COLUMN_NUMBER) {
            *(double *)value = missing ? NAN : sqlite3_column_double(q, at);
            at++;
        } else if (kind != COLUMN_LABEL) {
            *(int64_t *)value = sqlite3_column_int64(q, at++);
        }
    }
    return 0;
}

int store_get(struct store *s, int64_t order, const struct store_row **row, struct err *err)
{
    struct store_row *one = s->one;
    sqlite3_stmt *q = s->statements[STORE_ROW];
    sqlite3_reset(q);
    sqlite3_bind_int64(q, 1, order);
    const int rc = sqlite3_step(q), outside = sqlite3_column_count(q) - 1;
    if (rc == SQLITE_DONE)
        return err_set(err, "%s: transaction %" PRId64 " is not there", s->path, order);
    if (rc != SQLITE_ROW)
        return store_failed(s, "read a transaction", err);
    one->order = order;
    one->received = sqlite3_column_int64(q, R_ROW + C_RECEIVED);
    one->clock = sqlite3_column_int64(q, R_ROW + C_CLOCK);
    one->label = sqlite3_column_int(q, R_LABEL);
    memset(one->outside, 0, s->plan->n_inputs);
    if ((sqlite3_column_type(q, outside) != SQLITE_NULL &&
         read_blob(q, outside, one->outside, s->plan->n_inputs)) ||
        read_blob(q, R_ROW + C_INPUTS, one->x, s->plan->n_inputs * sizeof *one->x) ||
        read_blob(q, R_ROW + C_LABEL_VALUES, one->label_values, label_values_size(s)) ||
        read_decision(s, q, one->x, &one->decision) || read_columns(s, q))
        return err_set(err, "%s: transaction %" PRId64 " was altered", s->path, order);
    *row = one;
    return 0;
}

void store_labels_as_of(struct store *s, int64_t clock)
{
    sqlite3_reset(s->statements[STORE_ROW]);
    sqlite3_bind_int64(s->statements[STORE_ROW], 2, clock); // a reset keeps it
}

int store_write_labels(struct store *s, int64_t order, struct reply *r, struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_LABELS];
    bind_numbers(q, 2, (int64_t[]){order, schema_counts_rows(&s->plan->schema)});
    const int rc = sqlite3_step(q) == SQLITE_ROW ? 0 : store_failed(s, "read labels", err);
    if (rc == 0)
        reply_add(r, ",\"labels\":%s}", (const char *)sqlite3_column_text(q, 0));
    sqlite3_reset(q);
    return rc;
}

int store_has(struct store *s, int64_t *order, struct err *err)
{
    return store_execute(s, "read", order, err, "SELECT seq FROM prediction WHERE seq = %lld",
                         *order);
}

int store_find(struct store *s, uint64_t id, int64_t *order, struct err *err)
{
    const struct store_ids *range = &s->ids[id >> 56];
    for (size_t i = range->n; i-- > 0;) // the newest ones are asked for again most often
        if (range->ids[i].id == (int64_t)id) {
            *order = range->ids[i].order;
            return 0;
        }
    sqlite3_bind_int64(s->statements[STORE_FIND], 1, (int64_t)id);
    return run(s, s->statements[STORE_FIND], "look for an id", order, err);
}

struct event {
    int64_t order, of; // of: 0, or the transaction that a label is for
    struct store_label label;
};

// a, b and c are the parameters of sql, which ends before the rows are read, so that the log is not
// held back.
static int take_each(struct store *s, const char *sql, int64_t a, int64_t b, int c,
                     store_take *take, void *arg, struct err *err)
{
    sqlite3_stmt *q = NULL;
    const struct store_row *row;
    struct event *events = NULL;
    size_t n_events = 0, room = 0;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL))
        return store_failed(s, "read", err);
    sqlite3_bind_int64(q, 1, a);
    sqlite3_bind_int64(q, 2, b);
    sqlite3_bind_int(q, 3, c);
    while (sqlite3_step(q) == SQLITE_ROW) {
        ARRAY_GROW(events, n_events + 1, room);
        events[n_events++] = (struct event){sqlite3_column_int64(q, 0),
                                            sqlite3_column_int64(q, 1),
                                            {sqlite3_column_int(q, 2), sqlite3_column_int(q, 3)}};
    }
    int rc = sqlite3_finalize(q) ? store_failed(s, "read", err) : 0;
    for (size_t i = 0; rc == 0 && i < n_events; i++) {
        const struct event *e = &events[i];
        rc = store_get(s, e->of ? e->of : e->order, &row, err) ||
                     take(arg, row, e->of ? &e->label : NULL, err)
                 ? -1
                 : 0;
    }
    sqlite3_reset(s->statements[STORE_ROW]);
    free(events);
    return rc;
}

int store_each(struct store *s, int64_t from, int64_t until, store_take *take, void *arg,
               struct err *err)
{
    static const char sql[] =
        "SELECT seq, 0, 0, 0 FROM prediction WHERE seq >= ?1 AND seq < ?2 UNION ALL"
        " SELECT seq, prediction, coalesce(was, -1), label FROM feedback"
        " WHERE seq >= ?1 AND seq < ?2 ORDER BY seq";
    return take_each(s, sql, from, until, 0, take, arg, err);
}

int store_each_newest(struct store *s, int among, bool reviews, int n, store_take *take, void *arg,
                      struct err *err)
{
    static const char sql[] = "SELECT seq, 0, 0, 0 FROM (SELECT seq, review FROM prediction"
                              " ORDER BY seq DESC LIMIT ?1) WHERE review >= ?2 LIMIT ?3";
    return take_each(s, sql, among, reviews, n, take, arg, err);
}

size_t store_newest(struct store *s, size_t n, float *x, double *probabilities)
{
    const size_t width = s->plan->n_inputs;
    sqlite3_stmt *q = s->statements[STORE_NEWEST];
    size_t found = 0;
    sqlite3_bind_int64(q, 1, (int64_t)n);
    while (sqlite3_step(q) == SQLITE_ROW &&
           read_blob(q, 0, x + found * width, width * sizeof *x) == 0)
        probabilities[found++] = sqlite3_column_double(q, 1);
    sqlite3_reset(q);
    return found;
}

int store_each_by_time(struct store *s, int64_t from, int64_t until, store_take *take, void *arg,
                       struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    char *sql = sqlite3_mprintf("SELECT seq, 0, 0, 0, \"t_%w\" AS t FROM prediction"
                                " WHERE t >= ?1 AND t < ?2 ORDER BY t, seq",
                                schema->columns[schema_find_kind(schema, COLUMN_TIME)].name);
    const int rc = take_each(s, sql, from, until, 0, take, arg, err);
    sqlite3_free(sql);
    return rc;
}
