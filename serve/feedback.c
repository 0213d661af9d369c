#include "base/memory.h"
#include "serve/transaction.h"

#include <inttypes.h>

struct item {
    const json_t *id; // NULL: it was named by its order
    uint64_t pseudonym;
    int64_t order; // of the transaction
    int label;
    bool changed;
};

struct feedback_request {
    struct service *service;
    struct reply *reply;
    struct body body;
    struct item *items; // [body.n]
};

static int read_item(const struct feedback_request *q, struct item *item, const json_t *v,
                     long index)
{
    struct reply *r = q->reply;
    if (!json_is_object(v))
        return reply_problem(r, 422, NULL, index,
                             "element %ld is not {\"id\": ..., \"label\": 0 or 1}", index);
    const json_t *is = json_object_get(v, "label"), *order = json_object_get(v, "order");
    const json_int_t label = json_is_boolean(is) ? json_is_true(is) : json_integer_value(is);
    item->id = json_object_get(v, "id");
    item->order = json_integer_value(order);
    if (!item->id == !order ||
        (order ? item->order < 1
               : transaction_pseudonym(&q->service->plan->schema, &q->service->pseudonym, item->id,
                                       &item->pseudonym)))
        return reply_problem(r, 422, order ? "order" : "id", index,
                             "either 'id' must be the string or integer of a transaction, or "
                             "'order' its integer in GET /decisions");
    if (!(json_is_integer(is) || json_is_boolean(is)) || label < 0 || label > 1)
        return reply_problem(r, 422, "label", index, "'label' must be 0, 1, false or true");
    if (json_object_size(v) > 2)
        return reply_problem(r, 400, NULL, index,
                             "feedback has 'id' or 'order', 'label', and nothing else, whatever "
                             "[columns] calls them");
    item->label = (int)label;
    return 0;
}

static int read_all(struct feedback_request *q, const char *body, size_t n)
{
    if (schema_find_kind(&q->service->plan->schema, COLUMN_LABEL) < 0)
        return reply_problem(q->reply, 409, NULL, -1,
                             "the model's [columns] have no label, so no transaction can get one");
    if (body_parse(&q->body, body, n, 2, "feedback", q->reply))
        return -1;
    q->items = xcalloc(q->body.n, sizeof *q->items);
    for (size_t i = 0; i < q->body.n; i++)
        if (read_item(q, &q->items[i], body_element(&q->body, i), body_index(&q->body, i)))
            return -1;
    return 0;
}

// ---- on the writer's thread ----

static int apply(struct service *s, struct item *item, struct err *err)
{
    const struct store_row *row;
    if (store_get(&s->store, item->order, &row, err))
        return -1;
    const struct store_label label = {row->label, item->label};
    const bool review = row->decision.review;
    item->changed = label.was != label.label;
    if (!item->changed)
        return 0;
    store_relabel(&s->store, &label, &s->state);
    atomic_fetch_add(&s->counters.labels[review][label.label == 1], 1);
    return store_put_label(&s->store, item->order, s->state.last_time, &label, err);
}

static int run(void *arg, struct err *err)
{
    struct feedback_request *q = arg;
    struct service *s = q->service;
    for (size_t i = 0; i < q->body.n; i++) {
        struct item *item = &q->items[i];
        if (item->id ? store_find(&s->store, item->pseudonym, &item->order, err)
                     : store_has(&s->store, &item->order, err))
            return -1;
        if (item->order > 0)
            continue;
        reply_problem(
            q->reply, 404, item->id ? "id" : "order", body_index(&q->body, i),
            "no such transaction was predicted, or it is no longer kept; no label of this "
            "request was applied");
        return 0;
    }
    for (size_t i = 0; i < q->body.n; i++)
        if (apply(s, &q->items[i], err))
            return -1;
    return 0;
}

static void write_labels(const struct feedback_request *q, struct reply *r)
{
    for (size_t i = 0; i < q->body.n; i++) {
        body_mark(&q->body, i, r);
        reply_text(r, "{");
        if (q->items[i].id)
            decision_write_id(q->items[i].id, r);
        else
            reply_add(r, "\"order\":%" PRId64 ",", q->items[i].order);
        reply_add(r, "\"label\":%d,\"changed\":%s}", q->items[i].label,
                  q->items[i].changed ? "true" : "false");
    }
    body_mark(&q->body, q->body.n, r);
}

void feedback(struct service *s, const char *body, size_t n, struct reply *r)
{
    struct feedback_request q = {.service = s, .reply = r};
    reply_reset(r);
    if (read_all(&q, body, n) == 0 && service_run(s, run, &q, r) == 0)
        write_labels(&q, r);
    free(q.items);
    json_decref(q.body.document);
}
