// Evaluates the nodes that depend on the label once for each label, and revises histories.
#include "features/labels.h"

#include "features/eval.h"

#include <math.h>

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

// The nodes that depend on the label, over the block that ran last, with that label for all events.
static void evaluate(const struct state *s, const struct events *events, int label, double *out)
{
    const struct plan *p = s->plan;
    const struct block block = {p, events, s->values, s->text_codes, label};
    const size_t count = labels_count(p);
    size_t k = 0;
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].labelled)
            eval_node(&block, i, 0, events->n);
    for (size_t t = 0; t < p->n_tracks; t++)
        for (size_t l = 0; l < p->tracks[t].n_lanes; l++) {
            if (!is_labelled(p, &p->tracks[t], l))
                continue;
            const double *values = s->values[p->tracks[t].lanes[l]];
            for (size_t e = 0; e < events->n; e++) // a window takes what is not finite as 0
                out[e * count + k] = isfinite(values[e]) ? values[e] : 0;
            k++;
        }
}

void labels_values(struct state *s, const struct events *events, double *genuine, double *fraud)
{
    evaluate(s, events, 0, genuine);
    evaluate(s, events, 1, fraud);
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
