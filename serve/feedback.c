// Read, look up, change the windows, store, write; all but the first and last on the writer's thread.
#include "serve/feedback.h"

#include "serve/transaction.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct told {
    const json_t *id;
    uint64_t pseudonym;
    int64_t order; // of the transaction; 0: not there
    int label;
    bool changed;
};

struct labels {
    struct service *service;
    json_t *document;
    struct told *told; // [n]
    size_t n;
    bool array, missing; // missing: some id is not there
    struct store_event event;
};

// ---- reading ---------------------------------------------------------------------------------------

static int read_one(struct labels *l, struct told *t, const json_t *v, long index, struct reply *r)
{
    const struct schema *schema = &l->service->plan->schema;
    const char *id = schema->columns[schema_find_kind(schema, COLUMN_ID)].name;
    const char *label = schema->columns[schema_find_kind(schema, COLUMN_LABEL)].name;
    if (!json_is_object(v))
        return reply_problem(r, 422, NULL, index,
                             "element %ld is no feedback, {\"%s\": ..., \"%s\": 0 or 1}", index, id,
                             label);
    const json_t *is = json_object_get(v, label);
    t->id = json_object_get(v, id);
    if (transactions_pseudonym(l->service, t->id, &t->pseudonym))
        return reply_problem(r, 422, id, index,
                             "'%s' must be the string or integer of a transaction", id);
    if (!json_is_integer(is) || json_integer_value(is) < 0 || json_integer_value(is) > 1)
        return reply_problem(r, 422, label, index, "'%s' must be 1 for fraud or 0 for genuine",
                             label);
    if (json_object_size(v) > 2)
        return reply_problem(r, 400, NULL, index, "feedback has '%s' and '%s' and nothing else", id,
                             label);
    t->label = (int)json_integer_value(is);
    return 0;
}

static int read_all(struct labels *l, const char *body, size_t n, struct reply *r)
{
    const struct schema *schema = &l->service->plan->schema;
    if (schema_find_kind(schema, COLUMN_ID) < 0 || schema_find_kind(schema, COLUMN_LABEL) < 0)
        return reply_problem(
            r, 409, NULL, -1,
            "the model's [columns] have no id or no label, so no transaction can be "
            "told its label later");
    l->document = transactions_json(body, n, "feedback", r);
    if (!l->document)
        return -1;
    l->array = json_is_array(l->document);
    l->n = l->array ? json_array_size(l->document) : 1;
    l->told = calloc(l->n, sizeof *l->told);
    if (!l->told || store_event_init(&l->event, &l->service->store))
        return reply_problem(r, 503, NULL, -1, "out of memory for %zu labels", l->n);
    for (size_t i = 0; i < l->n; i++)
        if (read_one(l, &l->told[i], l->array ? json_array_get(l->document, i) : l->document,
                     l->array ? (long)i : -1, r))
            return -1;
    return 0;
}

// ---- on the writer's thread ------------------------------------------------------------------------

static int apply(struct labels *l, struct told *t, int64_t received, struct err *err)
{
    struct service *s = l->service;
    struct store_event *e = &l->event;
    if (store_event(&s->store, t->order, e, err))
        return -1;
    t->changed = e->label != t->label;
    if (!t->changed)
        return 0;
    const struct events one = {1, e->columns};
    state_relabel(&s->state, &one, e->label == 1 ? e->fraud : e->genuine,
                  t->label == 1 ? e->fraud : e->genuine);
    recent_label(&s->recent, t->order, e->review, e->label >= 0, t->label);
    counters_label(&s->counters, e->review, t->label == 1);
    return store_put_label(&s->store, t->order, e->label, t->label, received, err);
}

static int run(struct service *s, void *arg, struct err *err)
{
    struct labels *l = arg;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < l->n; i++) {
        if (store_find(&s->store, l->told[i].pseudonym, &l->told[i].order, err))
            return -1;
        l->missing = l->missing || l->told[i].order == 0;
    }
    for (size_t i = 0; i < l->n && !l->missing; i++)
        if (apply(l, &l->told[i], (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, err))
            return -1;
    return 0;
}

// ---- writing ---------------------------------------------------------------------------------------

static void write_labels(const struct labels *l, struct reply *r)
{
    const char *label =
        l->service->plan->schema.columns[schema_find_kind(&l->service->plan->schema, COLUMN_LABEL)]
            .name;
    if (l->array)
        reply_bytes(r, "[", 1);
    for (size_t i = 0; i < l->n; i++) {
        reply_bytes(r, i ? ",{" : "{", i ? 2 : 1);
        decision_write_id(l->told[i].id, r);
        reply_string(r, label, strlen(label));
        reply_add(r, ":%d,\"changed\":%s}", l->told[i].label,
                  l->told[i].changed ? "true" : "false");
    }
    if (l->array)
        reply_bytes(r, "]", 1);
}

static void refuse_missing(const struct labels *l, struct reply *r)
{
    const struct schema *schema = &l->service->plan->schema;
    size_t i = 0;
    while (l->told[i].order != 0)
        i++;
    reply_problem(r, 404, schema->columns[schema_find_kind(schema, COLUMN_ID)].name,
                  l->array ? (long)i : -1,
                  "no transaction of that id was predicted, or it is no longer kept; no label of "
                  "this request was applied");
}

void feedback(struct service *s, const char *body, size_t n, struct reply *r)
{
    struct labels l = {.service = s};
    struct job job = {.run = run, .arg = &l};
    reply_reset(r);
    if (read_all(&l, body, n, r) == 0 && service_run(s, &job, r) == 0) {
        if (l.missing)
            refuse_missing(&l, r);
        else
            write_labels(&l, r);
    }
    store_event_release(&l.event);
    free(l.told);
    json_decref(l.document);
}
