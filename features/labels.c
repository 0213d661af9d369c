// Evaluates the nodes that depend on the label once for each label, and revises histories.
#include "features/labels.h"

#include "features/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_labelled(const struct plan *p, const struct track *t, size_t lane)
{
    return p->nodes[t->lanes[lane]].labelled;
}

size_t labels_count(const struct plan *p)
{
    size_t n = 0;
    for (size_t t = 0; t < p->n_tracks; t++)
        for (size_t l = 0; l < p->tracks[t].n_lanes; l++)
            n += is_labelled(p, &p->tracks[t], l);
    return n;
}

// The labelled nodes have places of their own, the others are where state_run left them.
struct view {
    double **values; // [n_nodes]
    double *own;     // [labelled nodes][events]
    int8_t *label;   // [events]
    const void **columns;
};

static int view_make(struct view *v, const struct state *s, const struct events *e, struct err *err)
{
    const struct plan *p = s->plan;
    size_t labelled = 0;
    for (size_t i = 0; i < p->n_nodes; i++)
        labelled += p->nodes[i].labelled;
    v->values = calloc(p->n_nodes + 1, sizeof *v->values);
    v->own = calloc(labelled * e->n + 1, sizeof *v->own);
    v->label = calloc(e->n + 1, sizeof *v->label);
    v->columns = calloc(p->schema.n + 1, sizeof *v->columns);
    if (!v->values || !v->own || !v->label || !v->columns)
        return err_set(err, "out of memory for labels");
    labelled = 0;
    for (size_t i = 0; i < p->n_nodes; i++)
        v->values[i] = p->nodes[i].labelled ? v->own + labelled++ * e->n : s->values[i];
    for (size_t c = 0; c < p->schema.n; c++)
        v->columns[c] = p->schema.columns[c].kind == COLUMN_LABEL ? v->label : e->columns[c];
    return 0;
}

static void view_release(struct view *v)
{
    free(v->values);
    free(v->own);
    free(v->label);
    free(v->columns);
}

static void evaluate(const struct view *v, const struct state *s, size_t n, int8_t label,
                     double *out, size_t count)
{
    const struct plan *p = s->plan;
    const struct events events = {n, v->columns};
    const struct block block = {p, &events, v->values, s->text_codes};
    size_t k = 0;
    memset(v->label, label, n);
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].labelled)
            eval_node(&block, i, 0, n);
    for (size_t t = 0; t < p->n_tracks; t++)
        for (size_t l = 0; l < p->tracks[t].n_lanes; l++) {
            if (!is_labelled(p, &p->tracks[t], l))
                continue;
            const double *values = v->values[p->tracks[t].lanes[l]];
            for (size_t e = 0; e < n; e++) // a window takes what is not finite as 0
                out[e * count + k] = isfinite(values[e]) ? values[e] : 0;
            k++;
        }
}

int labels_values(struct state *s, const struct events *events, double *genuine, double *fraud,
                  struct err *err)
{
    const size_t count = labels_count(s->plan);
    struct view v = {0};
    int rc = view_make(&v, s, events, err);
    if (rc == 0) {
        evaluate(&v, s, events->n, 0, genuine, count);
        evaluate(&v, s, events->n, 1, fraud, count);
    }
    view_release(&v);
    return rc;
}

void labels_change(struct state *s, const struct events *one, const double *was, const double *is)
{
    const struct plan *p = s->plan;
    const int64_t *time = one->columns[schema_find_kind(&p->schema, COLUMN_TIME)];
    size_t k = 0;
    for (size_t t = 0; t < p->n_tracks; t++) {
        const struct state_track *st = &s->tracks[t];
        const uint64_t key = *(const uint64_t *)one->columns[p->tracks[t].column];
        struct history *h = histories_find(&st->shards[state_shard(s, key)], key);
        for (size_t l = 0; l < p->tracks[t].n_lanes; l++) {
            if (!is_labelled(p, &p->tracks[t], l))
                continue;
            if (h && was[k] != is[k])
                history_revise(h, &st->shape, time[0], l, was[k], is[k]);
            k++;
        }
    }
}
