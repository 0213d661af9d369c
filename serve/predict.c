// Read, look up, run, score, store, write: the steps of a decision. All between reading and writing is
// on the writer's thread (service.h).
#include "serve/predict.h"

#include "ingest/table.h"
#include "serve/transaction.h"

#include <string.h>
#include <time.h>

// What one request needs.
struct decisions {
    struct service *service;
    struct arena arena; // of all arrays here
    struct transactions transactions;
    struct decision *decisions; // [transactions.n]
    float *features;            // [n_inputs][transactions.n]
    float **inputs;             // [n_inputs], into features, as state_run writes them
    float *x;                   // [n_inputs] of one event
    double *contributions;      // [n_inputs] of one event
    double *genuine, *fraud;    // [transactions.n][lanes]
    size_t *source;             // [transactions.n]: whose decision it is, for ids that come twice
    size_t *fresh;              // [n_fresh]: the transactions whose id was not known
    size_t n_fresh;
    bool refused; // nothing was counted; the rest says why
    struct err refusal;
    size_t refused_event;
    int refused_column;
};

static int allocate(struct decisions *d)
{
    const size_t n_inputs = d->service->plan->n_inputs, n = d->transactions.n;
    const size_t n_lanes = d->service->store.n_lanes;
    struct arena *a = &d->arena;
    d->decisions = arena_take(a, n, sizeof *d->decisions);
    d->features = arena_take(a, n_inputs * n, sizeof *d->features);
    d->inputs = arena_take(a, n_inputs, sizeof *d->inputs);
    d->x = arena_take(a, n_inputs, sizeof *d->x);
    d->contributions = arena_take(a, n_inputs, sizeof *d->contributions);
    d->genuine = arena_take(a, n * n_lanes, sizeof *d->genuine);
    d->fraud = arena_take(a, n * n_lanes, sizeof *d->fraud);
    d->source = arena_take(a, n, sizeof *d->source);
    d->fresh = arena_take(a, n, sizeof *d->fresh);
    for (size_t i = 0; i < n_inputs && !a->failed; i++)
        d->inputs[i] = d->features + i * n;
    return a->failed ? -1 : 0;
}

// ---- on the writer's thread ------------------------------------------------------------------------

// An id that names two transactions: one of them would be lost.
static void refuse_id(struct decisions *d, size_t event, int column)
{
    d->refused = true;
    d->refused_event = event;
    d->refused_column = column;
    err_set(&d->refusal,
            "the transaction that came first with this id had another '%s'; send the "
            "same again, or give this one an id of its own",
            d->service->plan->schema.columns[column].name);
}

static bool differs(const struct transactions *t, enum column_kind kind, size_t c, size_t a,
                    size_t b)
{
    if (kind == COLUMN_LABEL)
        return false;
    if (kind == COLUMN_CATEGORY)
        return strcmp(t->texts[c][a], t->texts[c][b]) != 0;
    if (kind == COLUMN_NUMBER)
        return ((const double *)t->columns[c])[a] != ((const double *)t->columns[c])[b];
    return ((const int64_t *)t->columns[c])[a] != ((const int64_t *)t->columns[c])[b];
}

// The decision that the store has of an id, if it is of this transaction.
static int take_stored(struct decisions *d, size_t event, int64_t order, struct err *err)
{
    struct store *store = &d->service->store;
    const struct store_row row = {.columns = (const void *const *)d->transactions.columns,
                                  .texts = (const char *const *const *)d->transactions.texts,
                                  .event = event};
    int column;
    if (store_differs(store, order, &row, &column, err))
        return -1;
    if (column < 0)
        return store_decision(store, order, &d->decisions[event], err);
    refuse_id(d, event, column);
    return 0;
}

// The place of the same id before it in the array, or its own.
static void find_earlier(struct decisions *d, const uint64_t *ids, size_t event)
{
    const struct schema *schema = &d->service->plan->schema;
    size_t first = 0;
    while (ids[first] != ids[event])
        first++;
    d->source[event] = first;
    for (size_t c = 0; first < event && c < schema->n && !d->refused; c++)
        if (differs(&d->transactions, schema->columns[c].kind, c, first, event))
            refuse_id(d, event, (int)c);
}

static int find_fresh(struct decisions *d, struct err *err)
{
    const int column = schema_find_kind(&d->service->plan->schema, COLUMN_ID);
    const uint64_t *ids = column < 0 ? NULL : d->transactions.columns[column];
    for (size_t i = 0; i < d->transactions.n && !d->refused; i++) {
        int64_t order = 0;
        d->source[i] = i;
        if (ids && store_find(&d->service->store, ids[i], &order, err))
            return -1;
        if (order > 0 && take_stored(d, i, order, err))
            return -1;
        if (order == 0 && ids)
            find_earlier(d, ids, i);
        if (order == 0 && d->source[i] == i)
            d->fresh[d->n_fresh++] = i;
    }
    return 0;
}

// Move the fresh ones to the front of every column, where they are a block.
static void gather(struct decisions *d)
{
    const struct schema *schema = &d->service->plan->schema;
    struct transactions *t = &d->transactions;
    if (d->n_fresh == t->n)
        return;
    for (size_t c = 0; c < schema->n; c++) {
        const size_t size = column_size(schema->columns[c].kind);
        char *column = t->columns[c];
        for (size_t k = 0; k < d->n_fresh; k++) {
            memmove(column + k * size, column + d->fresh[k] * size, size);
            if (t->texts[c])
                t->texts[c][k] = t->texts[c][d->fresh[k]];
        }
    }
}

static int decide(struct decisions *d, const struct served *served, size_t k, int64_t received,
                  struct err *err)
{
    struct service *s = d->service;
    const size_t n_lanes = s->store.n_lanes;
    struct decision *decision = &d->decisions[d->fresh[k]];
    for (size_t i = 0; i < s->plan->n_inputs; i++)
        d->x[i] = d->inputs[i][k];
    decision_make(decision, &s->champion->model, served, d->x, d->contributions);
    const struct store_row row = {
        .received = received,
        .decision = decision,
        .columns = (const void *const *)d->transactions.columns,
        .texts = (const char *const *const *)d->transactions.texts,
        .event = k,
        .x = d->x,
        .genuine = d->genuine + k * n_lanes,
        .fraud = d->fraud + k * n_lanes,
    };
    if (store_put(&s->store, &row, err))
        return -1;
    recent_add(&s->recent, s->store.next - 1, &row);
    return 0;
}

// All decisions of a request are one model's.
static int decide_all(struct decisions *d, struct err *err)
{
    struct service *s = d->service;
    const struct served *served;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t received = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    service_hold(s);
    int rc = store_served(&s->store, s->champion->number, &s->champion->model, &served, err);
    for (size_t k = 0; k < d->n_fresh && rc == 0; k++)
        rc = decide(d, served, k, received, err);
    service_let(s);
    return rc;
}

// An id that came twice in one array is answered twice and counted once.
static void copy_repeated(struct decisions *d)
{
    for (size_t i = 0; i < d->transactions.n; i++)
        if (d->source[i] != i) {
            d->decisions[i] = d->decisions[d->source[i]];
            d->decisions[i].repeated = true;
        }
}

static void count(const struct decisions *d)
{
    for (size_t i = 0; i < d->transactions.n; i++)
        counters_decision(&d->service->counters, &d->decisions[i]);
}

static int run(struct service *s, void *arg, struct err *err)
{
    struct decisions *d = arg;
    if (find_fresh(d, err))
        return -1;
    if (d->refused)
        return 0;
    if (d->n_fresh == 0) {
        count(d);
        return 0;
    }
    gather(d);
    const struct events events = {d->n_fresh, (const void *const *)d->transactions.columns};
    if (state_run(&s->state, &events, d->inputs, &d->refusal)) {
        d->refused = true;
        d->refused_event = d->fresh[s->state.refused];
        d->refused_column = schema_find_kind(&s->plan->schema, COLUMN_TIME);
        return 0;
    }
    state_label_values(&s->state, &events, d->genuine, d->fraud);
    if (decide_all(d, err))
        return -1;
    copy_repeated(d);
    count(d);
    return 0;
}

// ---- on the request's ------------------------------------------------------------------------------

static void write_decisions(const struct decisions *d, struct reply *r)
{
    const struct transactions *t = &d->transactions;
    if (t->array)
        reply_bytes(r, "[", 1);
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0)
            reply_bytes(r, ",", 1);
        decision_write(&d->decisions[i], d->service->plan, transactions_id(t, d->service, i), r);
    }
    if (t->array)
        reply_bytes(r, "]", 1);
}

static void refuse(const struct decisions *d, struct reply *r)
{
    const struct schema *schema = &d->service->plan->schema;
    reply_problem(r, 409, schema->columns[d->refused_column].name,
                  d->transactions.array ? (long)d->refused_event : -1,
                  "%s; nothing of this request was counted", d->refusal.msg);
}

static void decide_request(struct service *s, struct decisions *d, struct reply *r)
{
    struct job job = {.run = run, .arg = d};
    if (allocate(d))
        reply_problem(r, 503, NULL, -1, "out of memory for %zu transactions", d->transactions.n);
    else if (service_run(s, &job, r))
        return; // and the reply says why
    else if (d->refused)
        refuse(d, r);
    else
        write_decisions(d, r);
}

void predict(struct service *s, const char *body, size_t n, struct reply *r)
{
    struct decisions d = {.service = s};
    reply_reset(r);
    if (transactions_parse(&d.transactions, s, &d.arena, body, n, r) == 0)
        decide_request(s, &d, r);
    transactions_release(&d.transactions);
    arena_release(&d.arena);
}
