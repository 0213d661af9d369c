#include "base/memory.h"
#include "base/value.h"
#include "serve/transaction.h"

#include <inttypes.h>

static void write_transaction(const struct schema *schema, const struct store_row *row,
                              const json_t *id, struct reply *r)
{
    char time[TIME_TEXT];
    for (size_t c = 0; c < schema->n; c++) {
        const enum column_kind kind = schema->columns[c].kind;
        const void *value = &row->values[c];
        if (kind == COLUMN_LABEL)
            continue;
        reply_name(r, schema->columns[c].name);
        if (kind == COLUMN_ID)
            reply_string(r, json_string_value(id), json_string_length(id));
        else if (kind == COLUMN_TIME)
            reply_add(r, "\"%s\"", time_text(time, row->values[c]));
        else if (kind == COLUMN_NUMBER)
            reply_add(r, "%.17g", *(const double *)value);
        else if (kind == COLUMN_CATEGORY)
            reply_string(r, row->texts[c], strlen(row->texts[c]));
        else // as text, since most readers of JSON would round it
            reply_add(r, "\"%" PRIu64 "\"", *(const uint64_t *)value);
    }
}

static int write_record(struct store *s, int64_t order, const json_t *id, struct reply *r,
                        struct err *err)
{
    const struct plan *p = s->plan;
    const struct store_row *row;
    char received[TIME_TEXT], clock[TIME_TEXT];
    if (store_get(s, order, &row, err))
        return -1;
    reply_text(r, "{");
    decision_write_id(id, r);
    reply_add(r, "\"order\":%" PRId64 ",\"received\":\"%s\",\"clock\":\"%s\",\"transaction\":{",
              order, time_text(received, row->received / 1000), time_text(clock, row->clock));
    write_transaction(&p->schema, row, id, r);
    reply_text(r, "},\"inputs\":{");
    for (size_t i = 0; i < p->n_inputs; i++) {
        reply_name(r, p->inputs[i].name);
        reply_add(r, "%.9g", (double)row->x[i]);
    }
    reply_text(r, "},");
    decision_write_members(&row->decision, row->outside, p, r);
    reply_text(r, ",\"labels\":");
    if (store_write_labels(s, order, r, err))
        return -1;
    reply_text(r, "}");
    return 0;
}

int record_write(struct store *s, const struct pseudonym *key, const char *id, size_t n,
                 struct reply *r, struct err *err)
{
    json_t *text = xchecked(json_stringn_nocheck(id, n));
    uint64_t pseudonym;
    int64_t order = 0;
    int rc = 0;
    if (transaction_pseudonym(&s->plan->schema, key, text, &pseudonym) == 0)
        rc = store_find(s, pseudonym, &order, err);
    if (rc == 0 && order == 0)
        reply_problem(r, 404, "id", -1,
                      "no transaction of this id was predicted, or it is no longer kept");
    else if (rc == 0)
        rc = write_record(s, order, text, r, err);
    json_decref(text);
    return rc;
}

struct record_request {
    struct service *service;
    struct reply *reply;
    const char *id;
    size_t n;
};

static int run(void *arg, struct err *err)
{
    const struct record_request *q = arg;
    return record_write(&q->service->store, &q->service->pseudonym, q->id, q->n, q->reply, err);
}

// On the writer's thread, since only that may read while it writes.
void record(struct service *s, const char *id, size_t n, struct reply *r)
{
    struct record_request q = {s, r, id, n};
    struct job job = {.run = run, .arg = &q};
    reply_reset(r);
    service_run(s, &job, r);
}
