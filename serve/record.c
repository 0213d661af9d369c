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

static int write_record(const struct record *q, int64_t order, const json_t *id, struct err *err)
{
    const struct plan *p = q->store->plan;
    const struct store_row *row;
    struct reply *r = q->reply;
    char received[TIME_TEXT], clock[TIME_TEXT];
    if (store_get(q->store, order, &row, err))
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
    return store_write_labels(q->store, order, r, err);
}

int record_write(void *arg, struct err *err)
{
    const struct record *q = arg;
    json_t *id = xchecked(json_stringn_nocheck(q->id, q->n));
    uint64_t pseudonym;
    int64_t order = 0;
    int rc = 0;
    if (transaction_pseudonym(&q->store->plan->schema, q->key, id, &pseudonym) == 0)
        rc = store_find(q->store, pseudonym, &order, err);
    if (rc == 0 && order == 0)
        reply_problem(q->reply, 404, "id", -1,
                      "no transaction of this id was predicted, or it is no longer kept");
    else if (rc == 0)
        rc = write_record(q, order, id, err);
    json_decref(id);
    return rc;
}

// On the writer's thread, since only that may read while it writes.
void record(struct service *s, const char *id, size_t n, struct reply *r)
{
    struct record q = {&s->store, &s->pseudonym, id, n, r};
    reply_reset(r);
    service_run(s, record_write, &q, r);
}
