// recovery: the state that the rows of a database lead to, from a snapshot or a checkpoint on.
#include "serve/store.h"

#include "base/memory.h"

#include <inttypes.h>

int dictionaries_of_plan(struct dictionary *d, const struct plan *p, struct err *err)
{
    uint32_t code;
    for (size_t i = 0; i < p->n_nodes; i++)
        EACH_TEXT(&p->nodes[i])
    if (dictionary_code(&d[p->nodes[i].a], text, &code, err))
        return -1;
    return 0;
}

int recovery_load(struct state *s, const struct plan *p, const struct dictionary *dictionaries,
                  uint64_t key_fingerprint, const char *path, struct err *err)
{
    state_init(s, p, 1);
    for (size_t c = 0; c < p->schema.n; c++)
        if (p->schema.columns[c].kind == COLUMN_CATEGORY)
            state_bind(s, (int)c, (const char *const *)dictionaries[c].texts, dictionaries[c].n);
    if (snapshot_load(s, path, err) == 0) {
        if (s->key_fingerprint == key_fingerprint)
            return 0;
        err_set(err,
                "%s: was made under another pseudonym key than this one, so none of its keys "
                "would be found again",
                path);
    }
    state_release(s);
    return -1;
}

struct replay {
    struct state *state;
    struct store *store;
    struct replayed *found;
    struct store_row *computed; // what the state gives for a row: inputs and label values
    float **out;                // [n_inputs]: the places of the inputs
    int64_t events;             // so far
};

static void compare(const struct replay *r, const struct store_row *row, const char *what,
                    double was, double is)
{
    if (was == is || r->found->differ++ > 0)
        return;
    err_set(&r->found->first,
            "%s: order %" PRId64 ": %s was stored as %.17g and is computed as %.17g: the file was "
            "altered, or its rows do not follow this state",
            r->store->path, row->order, what, was, is);
}

static int replay_row(void *arg, const struct store_row *row, const struct store_label *label,
                      struct err *err)
{
    struct replay *r = arg;
    const struct plan *p = r->store->plan;
    const struct events one = {1, r->store->columns};
    const size_t lanes = p->n_label_lanes;
    r->events++;
    if (label) {
        store_relabel(r->store, label, r->state);
        return 0;
    }
    if (state_run(r->state, &one, r->out, err))
        return err_prefix(err, "%s: order %" PRId64, r->store->path, row->order);
    state_label_values(r->state, &one, r->computed->label_values);
    for (size_t i = 0; i < p->n_inputs; i++)
        compare(r, row, p->inputs[i].name, (double)row->x[i], (double)r->computed->x[i]);
    for (size_t i = 0; i < 2 * lanes; i++)
        compare(r, row, "a label value", row->label_values[i], r->computed->label_values[i]);
    r->found->rows++;
    r->found->values += p->n_inputs + 2 * lanes;
    return 0;
}

int recovery_replay(struct state *s, struct store *store, struct replayed *found, struct err *err)
{
    enum { PART = 10000 }; // order numbers that are read at a time
    const size_t n = store->plan->n_inputs;
    struct replay r = {s, store, found, store_rows_new(store->plan, 1), xcalloc(n, sizeof *r.out),
                       0};
    const int64_t first = (int64_t)s->position + 1, next = store->next;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        r.out[i] = &r.computed->x[i];
    for (int64_t from = first; from < next && rc == 0; from += PART)
        rc = store_each(store, from, from + PART < next ? from + PART : next, replay_row, &r, err);
    if (rc == 0 && r.events != next - first)
        rc =
            err_set(err,
                    "%s: has %" PRId64 " rows between order %" PRId64
                    ", where the state ends, and its own end at %" PRId64
                    ": these two do not belong together, or rows were deleted: give a later state, "
                    "or keep it elsewhere and start with a new one (--database)",
                    store->path, r.events, first - 1, next - 1);
    free(r.computed);
    free(r.out);
    return rc ? -1 : 0;
}
