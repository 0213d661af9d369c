#include "base/value.h"
#include "serve/service.h"

#include <inttypes.h>

struct record_request {
    struct service *service;
    const char *id;
    size_t n;
    struct reply *reply;
};

static void write_transaction(const struct record_request *q, const struct store_row *row)
{
    const struct schema *schema = &q->service->plan->schema;
    struct reply *r = q->reply;
    for (size_t c = 0; c < schema->n; c++) {
        const enum column_kind kind = schema->columns[c].kind;
        const void *value = &row->values[c];
        if (kind == COLUMN_LABEL)
            continue;
        reply_name(r, schema->columns[c].name);
        if (kind == COLUMN_ID)
            reply_string(r, q->id, q->n);
        else if (kind == COLUMN_TIME)
            decision_write_time(row->values[c], q->service->plan, r);
        else if (kind == COLUMN_NUMBER)
            reply_number(r, *(const double *)value);
        else if (kind == COLUMN_CATEGORY)
            reply_string(r, row->texts[c], strlen(row->texts[c]));
        else // as text, since most readers of JSON would round it
            reply_add(r, "\"%" PRIu64 "\"", *(const uint64_t *)value);
    }
}

static int run(void *arg, struct err *err)
{
    const struct record_request *q = arg;
    struct service *s = q->service;
    const struct plan *p = s->plan;
    const int column = schema_find_kind(&p->schema, COLUMN_ID);
    const struct store_row *row;
    struct reply *r = q->reply;
    char received[TIME_TEXT];
    int64_t order = 0;
    if (column >= 0 &&
        store_find(&s->store,
                   pseudonym_hash(&s->pseudonym, p->schema.columns[column].name, q->id, q->n),
                   &order, err))
        return -1;
    if (order == 0) {
        reply_problem(r, 404, "id", -1,
                      "no transaction of this id was predicted, or it is no longer kept");
        return 0;
    }
    if (store_get(&s->store, order, &row, err))
        return -1;
    reply_text(r, "{\"id\":");
    reply_string(r, q->id, q->n);
    reply_add(r, ",\"order\":%" PRId64 ",\"received\":\"%s\",\"clock\":", order,
              time_text(received, row->received / 1000));
    decision_write_time(row->clock, p, r);
    reply_text(r, ",\"transaction\":{");
    write_transaction(q, row);
    reply_text(r, "},\"inputs\":{");
    for (size_t i = 0; i < p->n_inputs; i++) {
        reply_name(r, p->inputs[i].name);
        reply_add(r, "%.9g", (double)row->x[i]);
    }
    reply_text(r, "},");
    decision_write_members(&row->decision, row->outside, p, r);
    return store_write_labels(&s->store, order, r, err);
}

// Runs on the writer's thread, which has the newest ids.
void record(struct service *s, const char *id, size_t n, struct reply *r)
{
    struct record_request q = {s, id, n, r};
    reply_reset(r);
    service_run(s, run, &q, r);
}
