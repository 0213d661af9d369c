// The engine: rounds of row-wise nodes and of tracks, each split over threads.
//
// Row-wise work is split by events, tracks by shards of keys. No thread adds to what another one
// does, so the split cannot be seen in the results.
#define _DEFAULT_SOURCE // reallocarray
#include "features/state.h"

#include "base/parallel.h"
#include "features/eval.h"
#include "ingest/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Below this many events threads cost more than they bring.
enum { MIN_PARALLEL = 1024, AHEAD = 6 };

static bool is_window(enum node_op op)
{
    return op == NODE_COUNT || op == NODE_SUM || op == NODE_MEAN || op == NODE_SINCE;
}

unsigned state_shard(const struct state *s, uint64_t key)
{
    // The high half of the key scaled to the shards; the table's slots use the low bits.
    return (unsigned)((key >> 32) * s->threads >> 32);
}

// ---- making and dropping ----

static int init_track(struct state *s, size_t t)
{
    const struct track *track = &s->plan->tracks[t];
    struct state_track *st = &s->tracks[t];
    st->shape = shape_make(track->edges, track->n_edges, track->n_lanes);
    st->shards = calloc(s->threads, sizeof *st->shards);
    st->windows = calloc(s->plan->n_nodes, sizeof *st->windows);
    if (!st->shards || !st->windows)
        return -1;
    for (size_t i = 0; i < s->plan->n_nodes; i++)
        if (s->plan->nodes[i].track == (int)t)
            st->windows[st->n_windows++] = (int)i;
    return 0;
}

int state_init(struct state *s, const struct plan *plan, unsigned threads, struct err *err)
{
    *s = (struct state){.plan = plan, .threads = threads, .last_time = INT64_MIN};
    s->tracks = calloc(plan->n_tracks + 1, sizeof *s->tracks);
    s->text_codes = malloc((plan->n_nodes + 1) * sizeof *s->text_codes);
    s->values = calloc(plan->n_nodes + 1, sizeof *s->values);
    bool bad = !s->tracks || !s->text_codes || !s->values;
    for (size_t t = 0; t < plan->n_tracks && !bad; t++)
        bad = init_track(s, t) != 0;
    if (bad) {
        state_release(s);
        return err_set(err, "out of memory");
    }
    memset(s->text_codes, 0xff, plan->n_nodes * sizeof *s->text_codes);
    return 0;
}

void state_release(struct state *s)
{
    for (size_t t = 0; s->tracks && t < s->plan->n_tracks; t++) {
        for (unsigned i = 0; s->tracks[t].shards && i < s->threads; i++)
            histories_release(&s->tracks[t].shards[i]);
        free(s->tracks[t].shards);
        free(s->tracks[t].windows);
    }
    for (size_t i = 0; s->values && i < s->plan->n_nodes; i++)
        free(s->values[i]);
    free(s->tracks);
    free(s->text_codes);
    free(s->values);
    *s = (struct state){0};
}

void state_bind(struct state *s, int column, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < s->plan->n_nodes; i++) {
        const struct node *node = &s->plan->nodes[i];
        if (node->op != NODE_IS_TEXT || node->a != column)
            continue;
        s->text_codes[i] = UINT32_MAX;
        for (size_t k = 0; k < n; k++)
            if (strcmp(texts[k], node->text) == 0)
                s->text_codes[i] = (uint32_t)k;
    }
}

// ---- a block ----

struct run {
    struct state *state;
    const struct events *events;
    const int64_t *time; // the events' times
    struct block block;
    float *const *out;
    unsigned workers;
    int level;
};

static double window_value(const struct node *n, const struct history *h, const struct shape *s)
{
    size_t lane = (size_t)n->lane;
    switch (n->op) {
    case NODE_COUNT:
        return history_count(h, n->upper, n->lower);
    case NODE_SUM:
        return history_sum(h, s, lane, n->upper, n->lower);
    case NODE_MEAN: {
        double weight = history_count(h, n->upper, n->lower) + n->weight;
        double sum = history_sum(h, s, lane, n->upper, n->lower) + n->weight * n->prior;
        return weight == 0 ? 0 : sum / weight;
    }
    default:
        return history_since(h, s);
    }
}

// Place an event by its time; *later: events behind it that are out of sight. -1: out of memory.
static int place(struct history *h, const struct shape *s, int64_t time, uint64_t *later)
{
    *later = 0;
    if (time < history_last(h, s))
        return history_insert(h, s, time, later);
    return history_push(h, s, time);
}

// One event enters the history of its key, and the track's windows are read. -1: out of memory.
static int run_event(const struct run *r, size_t t, struct histories *shard, uint64_t key,
                     size_t event)
{
    const struct track *track = &r->state->plan->tracks[t];
    const struct state_track *st = &r->state->tracks[t];
    double **values = r->state->values;
    struct history *h = histories_get(shard, key);
    uint64_t bad = 0, later;
    if (!h || place(h, &st->shape, r->time[event], &later))
        return -1;
    for (size_t l = 0; l < track->n_lanes; l++)
        bad += (uint64_t)history_add(h, &st->shape, l, values[track->lanes[l]][event]);
    for (size_t w = 0; w < st->n_windows; w++) {
        int node = st->windows[w];
        values[node][event] = window_value(&r->state->plan->nodes[node], h, &st->shape);
    }
    if (later)
        bad += history_resume(h, &st->shape, later);
    if (bad)
        atomic_fetch_add(&r->state->not_finite, bad);
    return 0;
}

// What a worker does with one track: the events of the keys in its shard.
struct share {
    const struct run *run;
    size_t track;
    const uint64_t *keys; // [events->n]
    unsigned worker;
};

// The shard of event i's key; NULL where that is another worker's, who may be changing it now, or
// where the block ends before i.
static struct histories *own_shard(const struct share *s, size_t i)
{
    const struct run *r = s->run;
    if (i >= r->events->n)
        return NULL;
    unsigned shard = state_shard(r->state, s->keys[i]);
    bool own = r->workers == 1 || shard == s->worker; // workers are 1 or as many as shards
    return own ? &r->state->tracks[s->track].shards[shard] : NULL;
}

// The memory of a history is reached in two steps; each is asked for some events ahead.
static void prefetch(const struct share *s, size_t i)
{
    const struct histories *soon = own_shard(s, i + AHEAD), *later = own_shard(s, i + 2 * AHEAD);
    if (later)
        histories_prefetch_slot(later, s->keys[i + 2 * AHEAD]);
    if (soon)
        histories_prefetch_event(soon, &s->run->state->tracks[s->track].shape, s->keys[i + AHEAD]);
}

static int run_share(const struct share *s)
{
    const struct run *r = s->run;
    for (size_t i = 0; i < r->events->n; i++) {
        prefetch(s, i);
        struct histories *shard = own_shard(s, i);
        if (shard && run_event(r, s->track, shard, s->keys[i], i))
            return -1;
    }
    return 0;
}

static int run_tracks(void *arg, unsigned worker, struct err *err)
{
    const struct run *r = arg;
    const struct plan *p = r->state->plan;
    int failed = 0;
    for (size_t t = 0; t < p->n_tracks; t++)
        if (p->tracks[t].level == r->level)
            failed |=
                run_share(&(struct share){r, t, r->events->columns[p->tracks[t].column], worker});
    return failed ? err_set(err, "out of memory") : 0;
}

// Inputs leave the plan: rounded to float32, once.
static void round_inputs(const struct run *r, size_t first, size_t end)
{
    const struct plan *p = r->state->plan;
    uint64_t bad = 0;
    for (size_t k = 0; k < p->n_inputs; k++) {
        const double *values = r->state->values[p->inputs[k].node];
        for (size_t i = first; i < end; i++) {
            float x = (float)values[i];
            bool ok = isfinite(x);
            bad += ok ? 0 : 1;
            r->out[k][i] = ok ? x : 0;
        }
    }
    if (bad)
        atomic_fetch_add(&r->state->not_finite, bad);
}

static int run_rows(void *arg, unsigned worker, struct err *err)
{
    const struct run *r = arg;
    const struct plan *p = r->state->plan;
    size_t n = r->events->n, first = n * worker / r->workers, end = n * (worker + 1) / r->workers;
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].level == r->level && !is_window(p->nodes[i].op))
            eval_node(&r->block, i, first, end);
    if (r->level == p->n_levels - 1)
        round_inputs(r, first, end);
    (void)err;
    return 0;
}

static int reserve(struct state *s, size_t n, struct err *err)
{
    if (n <= s->capacity)
        return 0;
    for (size_t i = 0; i < s->plan->n_nodes; i++) {
        double *values = reallocarray(s->values[i], n, sizeof *values);
        if (!values)
            return err_set(err, "out of memory");
        s->values[i] = values;
    }
    s->capacity = n;
    return 0;
}

// ---- events that come too late ----

// By how many seconds a time lies before another one; 0 where it does not.
static uint64_t seconds_before(int64_t time, int64_t other)
{
    return time < other ? (uint64_t)other - (uint64_t)time : 0;
}

// The newest time that a key has in a track before event i of the block.
static int64_t newest_before(const struct state *s, const struct state_track *track,
                             const uint64_t *keys, const int64_t *time, size_t i)
{
    const struct history *h = histories_find(&track->shards[state_shard(s, keys[i])], keys[i]);
    int64_t newest = h ? history_last(h, &track->shape) : INT64_MIN;
    for (size_t k = 0; k < i; k++)
        if (keys[k] == keys[i] && time[k] > newest)
            newest = time[k];
    return newest;
}

static int check_event(const struct state *s, const struct events *e, const int64_t *time, size_t i,
                       struct err *err)
{
    for (size_t t = 0; t < s->plan->n_tracks; t++) {
        int column = s->plan->tracks[t].column;
        int64_t newest = newest_before(s, &s->tracks[t], e->columns[column], time, i);
        uint64_t late = seconds_before(time[i], newest);
        char is[TIME_TEXT], was[TIME_TEXT];
        if (late > LATE_SECONDS)
            return err_set(err,
                           "an event of %s comes %llu s too late: it is %llu s older than the "
                           "newest event of the same %s, of %s, and may be at most %lld s older",
                           time_text(is, time[i]), (unsigned long long)(late - LATE_SECONDS),
                           (unsigned long long)late, s->plan->schema.columns[column].name,
                           time_text(was, newest), (long long)LATE_SECONDS);
    }
    return 0;
}

// No key has a newer event than the newest of all, so most events need not be looked at closer.
static int check_order(struct state *s, const struct events *e, const int64_t *time,
                       struct err *err)
{
    int64_t newest = s->last_time;
    for (size_t i = 0; i < e->n; i++) {
        if (seconds_before(time[i], newest) > LATE_SECONDS && check_event(s, e, time, i, err)) {
            s->refused = i;
            return -1;
        }
        newest = time[i] > newest ? time[i] : newest;
    }
    return 0;
}

// A few events have no others behind them to fetch their memory while these are run: ask for that of all
// tracks at once, first the slots, then the events.
static void prefetch_few(const struct run *r, bool slots)
{
    const struct plan *p = r->state->plan;
    for (size_t t = 0; t < p->n_tracks && r->events->n < AHEAD; t++) {
        const struct state_track *st = &r->state->tracks[t];
        const uint64_t *keys = r->events->columns[p->tracks[t].column];
        for (size_t i = 0; i < r->events->n; i++) {
            const struct histories *shard = &st->shards[state_shard(r->state, keys[i])];
            if (slots)
                histories_prefetch_slot(shard, keys[i]);
            else
                histories_prefetch_event(shard, &st->shape, keys[i]);
        }
    }
}

int state_run(struct state *s, const struct events *events, float *const *out, struct err *err)
{
    const struct plan *p = s->plan;
    const int64_t *time = events->columns[schema_find_kind(&p->schema, COLUMN_TIME)];
    if (events->n == 0)
        return 0;
    if (s->broken)
        return err_set(err, "out of memory in an earlier block");
    if (check_order(s, events, time, err))
        return -1;
    if (reserve(s, events->n, err)) {
        s->broken = true; // for a caller tells by it what is no fault of the events
        return -1;
    }
    struct run r = {.state = s,
                    .events = events,
                    .time = time,
                    .block = {p, events, s->values, s->text_codes, -1},
                    .out = out,
                    .workers = events->n < MIN_PARALLEL ? 1 : s->threads};
    prefetch_few(&r, true);
    for (r.level = 0; r.level < p->n_levels; r.level++) {
        int rc = parallel_run(r.workers, run_rows, &r, err);
        if (r.level == 0)
            prefetch_few(&r, false);
        if (rc == 0 && r.level < p->n_levels - 1) // the last level has no tracks
            rc = parallel_run(r.workers, run_tracks, &r, err);
        if (rc) {
            s->broken = true;
            return -1;
        }
    }
    s->events += events->n;
    for (size_t i = 0; i < events->n; i++)
        if (time[i] > s->last_time)
            s->last_time = time[i];
    return 0;
}
