// The steps of a decision: read, look up, run, score, store, write. All but the first and the last
// are on the writer's thread.
#include "base/memory.h"
#include "serve/transaction.h"

#include <inttypes.h>

struct predict_request {
    struct service *service;
    struct reply *reply;
    struct body body;
    bool store;             // false: nothing is stored or counted, and no id is looked up
    struct store_row *rows; // [body.n]
    int64_t *memory;        // holds all that follows
    size_t *source;         // [body.n]: whose decision it gets, for ids that come twice
    size_t *fresh;          // [n_fresh]: the transactions whose id was not known
    size_t n_fresh;
    int64_t newest;       // of their times and the state's
    void **columns;       // [schema.n], each [body.n]: a block of them for the state
    float **inputs;       // [n_inputs], each [body.n]: as state_run writes them
    double *label_values; // [n_fresh][2][n_lanes]: as state_label_values writes them
};

static void *take(int64_t **at, size_t n)
{
    *at += n;
    return *at - n;
}

// All in one block of 8-byte units, which no value exceeds.
static void allocate(struct predict_request *q)
{
    const struct plan *p = q->service->plan;
    const size_t n = q->body.n, n_values = n * 2 * p->n_label_lanes;
    q->rows = store_rows_new(p, n);
    q->memory = xcalloc((2 + p->schema.n + p->n_inputs) * n + p->schema.n + p->n_inputs + n_values,
                        sizeof *q->memory);
    int64_t *at = q->memory;
    q->source = take(&at, n);
    q->fresh = take(&at, n);
    q->columns = take(&at, p->schema.n);
    for (size_t c = 0; c < p->schema.n; c++)
        q->columns[c] = take(&at, n);
    q->inputs = take(&at, p->n_inputs);
    for (size_t i = 0; i < p->n_inputs; i++)
        q->inputs[i] = take(&at, n);
    q->label_values = take(&at, n_values);
}

// ---- on the writer's thread ----

#define REFUSE(q, event, column, fmt, ...)                                                         \
    reply_problem((q)->reply, 409, (q)->service->plan->schema.columns[column].name,                \
                  body_index(&(q)->body, event), fmt "; nothing of this request was counted",      \
                  __VA_ARGS__)

// True if the event is the transaction that has its id; otherwise the request is refused.
static bool is_same(struct predict_request *q, size_t event, const struct store_row *known)
{
    const struct schema *schema = &q->service->plan->schema;
    struct store_row *row = &q->rows[event];
    for (size_t c = 0; c < schema->n; c++) {
        const enum column_kind kind = schema->columns[c].kind;
        if (kind == COLUMN_TIME && row->values[c] == NEXT_ROW)
            row->values[c] = known->values[c];
        if (kind == COLUMN_CATEGORY
                ? strcmp(row->texts[c], known->texts[c]) == 0
                : kind == COLUMN_LABEL ||
                      memcmp(&row->values[c], &known->values[c], sizeof *row->values) == 0)
            continue;
        REFUSE(q, event, c,
               "the transaction that came first with this id had another '%s'; send the same "
               "again, or give this one an id of its own",
               schema->columns[c].name);
        return false;
    }
    return true;
}

// Its values become the next ones of the columns, as the state takes them. A row without a number
// follows the ones before it.
static void add_fresh(struct predict_request *q, size_t event)
{
    const struct schema *schema = &q->service->plan->schema;
    int64_t *values = q->rows[event].values, *time = &values[schema_find_kind(schema, COLUMN_TIME)];
    if (*time == NEXT_ROW)
        *time = q->newest == INT64_MIN ? 0 : q->newest + 1;
    q->newest = *time > q->newest ? *time : q->newest;
    for (size_t c = 0; c < schema->n; c++) {
        const size_t size = column_size(schema->columns[c].kind);
        memcpy((char *)q->columns[c] + q->n_fresh * size, &values[c], size);
    }
    q->fresh[q->n_fresh++] = event;
}

// An id may be known from the database, or from an earlier element of the array.
static int look_up(struct predict_request *q, size_t event, struct err *err)
{
    struct store *store = &q->service->store;
    struct store_row *rows = q->rows;
    const int id = q->store ? schema_find_kind(&q->service->plan->schema, COLUMN_ID) : -1;
    const struct store_row *stored;
    int64_t order = 0;
    size_t first = id < 0 ? event : 0;
    q->source[event] = event;
    if (id >= 0 && store_find(store, (uint64_t)rows[event].values[id], &order, err))
        return -1;
    if (order > 0) {
        if (store_get(store, order, &stored, err))
            return -1;
        if (is_same(q, event, stored)) {
            rows[event].decision = stored->decision;
            memcpy(rows[event].outside, stored->outside, q->service->plan->n_inputs);
        }
        return 0;
    }
    while (first < event && rows[first].values[id] != rows[event].values[id])
        first++;
    if (first == event)
        add_fresh(q, event);
    else if (is_same(q, event, &rows[first]))
        q->source[event] = first;
    return 0;
}

static int decide(struct predict_request *q, const struct champion *c, size_t k, struct err *err)
{
    struct service *s = q->service;
    struct store_row *row = &q->rows[q->fresh[k]];
    const size_t n_values = 2 * s->plan->n_label_lanes;
    row->order = s->store.next;
    row->clock = s->state.last_time;
    for (size_t i = 0; i < s->plan->n_inputs; i++)
        row->x[i] = q->inputs[i][k];
    memcpy(row->label_values, q->label_values + k * n_values, n_values * sizeof(double));
    decision_make(&row->decision, &c->model, row->x, row->outside);
    return q->store ? store_put(&s->store, row, err) : 0;
}

static int run(void *arg, struct err *err)
{
    struct predict_request *q = arg;
    struct service *s = q->service;
    struct err late = {""};
    q->newest = s->state.last_time;
    for (size_t i = 0; i < q->body.n && q->reply->status == 200; i++)
        if (look_up(q, i, err))
            return -1;
    if (q->reply->status != 200) // refused: nothing is counted
        return 0;
    if (q->n_fresh > 0) {
        const struct events events = {q->n_fresh, (const void *const *)q->columns};
        if ((q->store ? state_run : state_try)(&s->state, &events, q->inputs, &late)) {
            REFUSE(q, q->fresh[s->state.refused], schema_find_kind(&s->plan->schema, COLUMN_TIME),
                   "%s", late.msg);
            return 0;
        }
        if (q->store)
            state_label_values(&s->state, &events, q->label_values);
        const struct champion *c = service_hold(s); // all decisions of a request are one model's
        int rc = 0;
        for (size_t k = 0; k < q->n_fresh && rc == 0; k++)
            rc = decide(q, c, k, err);
        service_let(s);
        if (rc)
            return -1;
    }
    for (size_t i = 0; i < q->body.n && q->store; i++) {
        struct store_row *row = &q->rows[i], *source = &q->rows[q->source[i]];
        if (source != row) { // it came twice in one array: answered twice and counted once
            row->decision = source->decision;
            row->decision.repeated = true;
            row->outside = source->outside;
        }
        counters_decision(&s->counters, row, s->plan->n_inputs);
    }
    return 0;
}

// ---- on the request's thread ----

static void write_decisions(const struct predict_request *q, struct reply *r)
{
    const struct plan *p = q->service->plan;
    const int id = schema_find_kind(&p->schema, COLUMN_ID);
    for (size_t i = 0; i < q->body.n; i++) {
        body_mark(&q->body, i, r);
        reply_text(r, "{");
        if (id >= 0)
            decision_write_id(
                json_object_get(body_element(&q->body, i), p->schema.columns[id].name), r);
        else if (q->store)
            reply_add(r, "\"order\":%" PRId64 ",", q->rows[i].order);
        decision_write_members(&q->rows[i].decision, q->rows[i].outside, p, r);
        reply_text(r, "}");
    }
    body_mark(&q->body, q->body.n, r);
}

void predict(struct service *s, const char *body, size_t n, bool store, struct reply *r)
{
    struct predict_request q = {.service = s, .reply = r, .store = store};
    reply_reset(r);
    if (body_parse(&q.body, body, n, s->plan->schema.n, "transaction", r) == 0) {
        allocate(&q);
        if (transactions_read(s, &q.body, q.rows, r) == 0 && service_run(s, run, &q, r) == 0)
            write_decisions(&q, r);
    }
    free(q.rows);
    free(q.memory);
    json_decref(q.body.document);
}
