// Nodes and tracks run in levels, each split over threads: nodes by events, tracks by shards of
// keys. No thread adds to what another one adds to, so the split cannot be seen in the results.
#include "features/state.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "base/value.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { AHEAD = 6 }; // events between asking for memory and using it

// ---- histories by key ----

// Pseudonyms are evenly distributed over 64 bits under a secret key, so they are their own hash:
// the high half chooses the shard, the low bits the slot.
static struct shard *find_shard(const struct state *s, size_t track, uint64_t key)
{
    return &s->shards[track * s->threads + ((key >> 32) * s->threads >> 32)];
}

// The slot of a key, or the free one where it belongs.
static struct keyed_history *find_slot(const struct shard *shard, uint64_t key)
{
    size_t i = key & (shard->capacity - 1);
    while (shard->slots[i].history.capacity > 0 && shard->slots[i].key != key)
        i = (i + 1) & (shard->capacity - 1);
    return &shard->slots[i];
}

static struct history *find_history(const struct state *s, size_t track, uint64_t key)
{
    struct keyed_history *slot = find_slot(find_shard(s, track, key), key);
    return slot->history.capacity > 0 ? &slot->history : NULL;
}

// The table is at most half full.
static void grow(struct shard *shard)
{
    const struct shard old = *shard;
    shard->capacity = 2 * old.capacity;
    shard->slots = xcalloc(shard->capacity, sizeof *shard->slots);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].history.capacity > 0)
            *find_slot(shard, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

struct history *state_history(struct state *s, size_t track, uint64_t key, uint64_t room)
{
    struct history *found = find_history(s, track, key);
    struct shard *shard = find_shard(s, track, key);
    if (found)
        return found;
    if (2 * ++shard->n > shard->capacity)
        grow(shard);
    struct keyed_history *slot = find_slot(shard, key);
    slot->key = key;
    history_reserve(&slot->history, &s->plan->tracks[track].shape, room);
    return &slot->history;
}

// ---- making and dropping ----

void state_init(struct state *s, const struct plan *plan, unsigned threads)
{
    *s = (struct state){.plan = plan, .threads = threads, .last_time = INT64_MIN};
    s->shards = xcalloc(plan->n_tracks * threads, sizeof *s->shards);
    for (size_t i = 0; i < plan->n_tracks * threads; i++) {
        s->shards[i].capacity = 64;
        s->shards[i].slots = xcalloc(64, sizeof *s->shards[i].slots);
    }
    s->values = xcalloc(plan->n_nodes, sizeof *s->values);
    s->text_codes = xcalloc(plan->n_nodes, sizeof *s->text_codes);
}

void state_release(struct state *s)
{
    for (size_t i = 0; s->plan && i < s->plan->n_tracks * s->threads; i++) {
        for (size_t k = 0; k < s->shards[i].capacity; k++)
            history_release(&s->shards[i].slots[k].history);
        free(s->shards[i].slots);
    }
    for (size_t i = 0; s->plan && i < s->plan->n_nodes; i++) {
        free(s->values[i]);
        free(s->text_codes ? s->text_codes[i].is : NULL);
    }
    free(s->shards);
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
        bool *is = xcalloc(n, sizeof *is);
        EACH_TEXT(node)
        for (size_t k = 0; k < n; k++)
            is[k] |= strcmp(texts[k], text) == 0;
        free(s->text_codes[i].is);
        s->text_codes[i] = (struct text_codes){n, is};
    }
}

// ---- nodes of one event ----

struct run {
    struct state *state;
    const struct events *events;
    const int64_t *time; // the events' times
    float *const *out;
    int label; // 0 or 1: all events count as that; -1: as the label column says
    int level;
    bool tracks; // this step runs the tracks of the level, after its nodes
};

static double date_part(double time, bool month)
{
    const time_t seconds = (time_t)time;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return month ? tm.tm_mon + 1 : tm.tm_mday;
}

static double second_of_day(double time)
{
    return time - (double)(day_of((int64_t)time) * SECONDS_PER_DAY);
}

// One loop an operation, which the compiler can vectorise: over x of the events' column, or over x, y
// and z of the operands.
#define READ(op, type, expression)                                                                 \
    case op:                                                                                       \
        for (size_t i = first; i < end; i++) {                                                     \
            const type x = ((const type *)column)[i];                                              \
            out[i] = (double)(expression);                                                         \
        }                                                                                          \
        break;
#define CASE(op, expression)                                                                       \
    case op:                                                                                       \
        for (size_t i = first; i < end; i++) {                                                     \
            const double x = a[i], y = b[i], z = c[i];                                             \
            (void)x, (void)y, (void)z;                                                             \
            out[i] = (expression);                                                                 \
        }                                                                                          \
        break;

// A node that is no window, for events [first, end). Its operands are there already.
static void run_node(const struct run *r, size_t node, size_t first, size_t end)
{
    const struct node *n = &r->state->plan->nodes[node];
    const struct text_codes codes = r->state->text_codes[node];
    const bool reads_column = n->op < NODE_ADD;
    const void *column = reads_column ? r->events->columns[n->a] : NULL;
    double *const *values = r->state->values, *out = values[node];
    const double *a = values[reads_column ? 0 : n->a], *b = values[n->b], *c = values[n->c];
    const double value = n->value;
    const int32_t offset = r->state->plan->schema.utc_offset;
    // clang-format off
    switch (n->op) {
    READ(NODE_COLUMN, double, isnan(x) ? value : x)
    READ(NODE_MISSING, double, isnan(x))
    READ(NODE_TIME, int64_t, x)
    READ(NODE_IS_TEXT, uint32_t, x < codes.n && codes.is[x])
    case NODE_LABEL:
        for (size_t i = first; i < end; i++)
            out[i] = r->label >= 0 ? r->label : column && ((const int8_t *)column)[i] == 1;
        break;
    CASE(NODE_ADD, x + y)
    CASE(NODE_SUB, x - y)
    CASE(NODE_MUL, x * y)
    CASE(NODE_DIV, y == 0 ? 0 : x / y)
    CASE(NODE_LT, x < y)
    CASE(NODE_LE, x <= y)
    CASE(NODE_GT, x > y)
    CASE(NODE_GE, x >= y)
    CASE(NODE_EQ, x == y)
    CASE(NODE_NE, x != y)
    CASE(NODE_AND, x != 0 && y != 0)
    CASE(NODE_OR, x != 0 || y != 0)
    CASE(NODE_MIN, y < x || isnan(y) ? y : x)
    CASE(NODE_MAX, y > x || isnan(y) ? y : x)
    CASE(NODE_POW, pow(x, y))
    CASE(NODE_IF, x != 0 ? y : z)
    CASE(NODE_HINGE, x > value ? x - value : 0)
    CASE(NODE_NEG, -x)
    CASE(NODE_NOT, x == 0)
    CASE(NODE_ABS, fabs(x))
    CASE(NODE_FLOOR, floor(x))
    CASE(NODE_SQRT, sqrt(x))
    CASE(NODE_EXP, exp(x))
    CASE(NODE_LOG, log(x))
    CASE(NODE_LOG1P, log1p(x))
    CASE(NODE_SIN, sin(x))
    CASE(NODE_COS, cos(x))
    CASE(NODE_MINUTE, floor(fmod(second_of_day(x + offset), 3600) / 60))
    CASE(NODE_HOUR, floor(second_of_day(x + offset) / 3600))
    CASE(NODE_WEEKDAY, (double)(((day_of((int64_t)x + offset) + 3) % 7 + 7) % 7)) // day 0: Thursday
    CASE(NODE_DAY, date_part(x + offset, false))
    CASE(NODE_MONTH, date_part(x + offset, true))
    default: // a number
        for (size_t i = first; i < end; i++)
            out[i] = value;
    }
    // clang-format on
}

// Inputs leave the plan: rounded to float32, once.
static void round_inputs(const struct run *r, size_t first, size_t end)
{
    const struct plan *p = r->state->plan;
    uint64_t bad = 0;
    for (size_t k = 0; k < p->n_inputs; k++) {
        const double *values = r->state->values[p->inputs[k].node];
        for (size_t i = first; i < end; i++) {
            const float x = (float)values[i];
            bad += isfinite(x) ? 0 : 1;
            r->out[k][i] = isfinite(x) ? x : 0;
        }
    }
    if (bad)
        atomic_fetch_add(&r->state->not_finite, bad);
}

static void run_rows(const struct run *r, unsigned worker)
{
    const struct plan *p = r->state->plan;
    const unsigned workers = r->state->threads;
    size_t n = r->events->n, first = n * worker / workers, end = n * (worker + 1) / workers;
    for (size_t node = 0; node < p->n_nodes; node++)
        if (p->nodes[node].level == r->level && p->nodes[node].op < NODE_COUNT)
            run_node(r, node, first, end);
    if (r->level == p->n_levels - 1)
        round_inputs(r, first, end);
}

// ---- windows ----

static double window_value(const struct node *n, const struct history *h, const struct shape *s)
{
    if (n->op == NODE_SINCE)
        return history_since(h, s);
    const double count = history_count(h, n->upper, n->lower);
    if (n->op == NODE_COUNT)
        return count;
    const double sum = history_sum(h, s, (size_t)n->lane, n->upper, n->lower);
    if (n->op == NODE_SUM)
        return sum;
    const double weight = count + n->weight;
    return weight == 0 ? 0 : (sum + n->weight * n->prior) / weight;
}

// One event enters the history of its key, and the track's windows are read.
static void run_event(const struct run *r, const struct track *t, struct history *h, size_t event)
{
    double **values = r->state->values;
    const uint64_t hidden = history_insert(h, &t->shape, r->time[event]);
    uint64_t bad = 0;
    for (size_t l = 0; l < t->n_lanes; l++)
        bad += history_add(h, &t->shape, l, values[t->lanes[l]][event]);
    for (size_t w = 0; w < t->n_windows; w++)
        values[t->windows[w]][event] =
            window_value(&r->state->plan->nodes[t->windows[w]], h, &t->shape);
    bad += history_resume(h, &t->shape, hidden);
    if (bad)
        atomic_fetch_add(&r->state->not_finite, bad);
}

static void prefetch(const struct state *s, size_t track, uint64_t key)
{
    const struct history *h = find_history(s, track, key);
    if (!h)
        return;
    __builtin_prefetch(h->cursors);
    __builtin_prefetch(history_event(h, &s->plan->tracks[track].shape, h->next - 1));
    __builtin_prefetch(history_event(h, &s->plan->tracks[track].shape, h->next));
}

// The events whose keys are in the worker's shard.
static void run_track(const struct run *r, size_t track, unsigned worker)
{
    struct state *s = r->state;
    const struct shard *own = &s->shards[track * s->threads + worker];
    const struct track *t = &s->plan->tracks[track];
    const uint64_t *keys = r->events->columns[t->column];
    const size_t n = r->events->n;
    for (size_t i = 0; i < n; i++) {
        const size_t soon = i + AHEAD;
        if (soon < n && find_shard(s, track, keys[soon]) == own)
            prefetch(s, track, keys[soon]);
        if (find_shard(s, track, keys[i]) == own)
            run_event(r, t, state_history(s, track, keys[i], 4), i);
    }
}

// With a few events, as in a server, no later ones are there whose memory could be asked for ahead, so
// ask for that of all tracks at once. Without it a served event takes a quarter longer.
static void prefetch_few(const struct run *r)
{
    const struct plan *p = r->state->plan;
    for (size_t t = 0; t < p->n_tracks && r->events->n < AHEAD; t++)
        for (size_t i = 0; i < r->events->n; i++)
            prefetch(r->state, t, ((const uint64_t *)r->events->columns[p->tracks[t].column])[i]);
}

// A worker's share of a step; it cannot fail.
static int run_share(void *arg, unsigned worker, struct err *err)
{
    const struct run *r = arg;
    const struct plan *p = r->state->plan;
    if (!r->tracks)
        run_rows(r, worker);
    for (size_t t = 0; t < p->n_tracks && r->tracks; t++)
        if (p->tracks[t].level == r->level)
            run_track(r, t, worker);
    (void)err;
    return 0;
}

// The newest time that the key of event i has in a track before that event.
static int64_t newest_before(const struct state *s, size_t track, const struct events *e,
                             const int64_t *time, size_t i)
{
    const struct track *t = &s->plan->tracks[track];
    const uint64_t *keys = e->columns[t->column];
    const struct history *h = find_history(s, track, keys[i]);
    int64_t newest = h ? history_last(h, &t->shape) : INT64_MIN;
    for (size_t k = 0; k < i; k++)
        if (keys[k] == keys[i] && time[k] > newest)
            newest = time[k];
    return newest;
}

static const int64_t *times_of(const struct state *s, const struct events *events)
{
    return events->columns[schema_find_kind(&s->plan->schema, COLUMN_TIME)];
}

static int check_order(struct state *s, const struct events *e, struct err *err)
{
    const int64_t *time = times_of(s, e);
    int64_t newest = s->last_time; // of all keys, so that most events need no closer look
    for (size_t i = 0; i < e->n; i++) {
        const int64_t bound = time[i] + LATE_SECONDS;
        for (size_t t = 0; bound < newest && t < s->plan->n_tracks; t++) {
            const int64_t same_key = newest_before(s, t, e, time, i);
            char is[TIME_TEXT], was[TIME_TEXT];
            s->refused = i;
            if (bound >= same_key)
                continue;
            const long long hours = (same_key - time[i]) / 3600;
            return err_set(err,
                           "an event of %s comes too late: it is %lld days %lld h older than "
                           "the newest event of the same %s, of %s, and may be at most %d days "
                           "older",
                           time_text(is, time[i]), hours / 24, hours % 24,
                           s->plan->schema.columns[s->plan->tracks[t].column].name,
                           time_text(was, same_key), (int)(LATE_SECONDS / SECONDS_PER_DAY));
        }
        newest = time[i] > newest ? time[i] : newest;
    }
    return 0;
}

int state_run(struct state *s, const struct events *events, float *const *out, struct err *err)
{
    const struct plan *p = s->plan;
    struct run r = {s, events, times_of(s, events), out, -1, 0, false};
    if (check_order(s, events, err))
        return -1;
    for (size_t i = 0; events->n > s->capacity && i < p->n_nodes; i++)
        s->values[i] = xreallocarray(s->values[i], events->n, sizeof *s->values[i]);
    s->capacity = events->n > s->capacity ? events->n : s->capacity;
    prefetch_few(&r);
    for (int step = 0; step < 2 * p->n_levels - 1; step++) { // the last level has no tracks
        r.level = step / 2;
        r.tracks = step % 2;
        parallel_run(s->threads, run_share, &r, err);
    }
    s->events += events->n;
    for (size_t i = 0; i < events->n; i++)
        s->last_time = r.time[i] > s->last_time ? r.time[i] : s->last_time;
    return 0;
}

// The run is on another state that has copies of these keys' histories and no others.
int state_try(struct state *s, const struct events *events, float *const *out, struct err *err)
{
    const struct plan *p = s->plan;
    struct state copy;
    state_init(&copy, p, 1);
    copy.last_time = s->last_time;
    free(copy.text_codes);
    copy.text_codes = s->text_codes; // borrowed
    for (size_t t = 0; t < p->n_tracks; t++)
        for (size_t i = 0; i < events->n; i++) {
            const uint64_t key = ((const uint64_t *)events->columns[p->tracks[t].column])[i];
            const struct history *h = find_history(s, t, key);
            if (!h || find_history(&copy, t, key))
                continue;
            const struct shape *shape = &p->tracks[t].shape;
            struct history *to = state_history(&copy, t, key, h->capacity);
            memcpy(to->cursors, h->cursors,
                   shape->n_edges * sizeof *h->cursors + (h->next - h->first) * shape->event_size);
            *to = (struct history){h->first, h->next, h->capacity, to->cursors};
        }
    const int rc = state_run(&copy, events, out, err);
    s->refused = copy.refused;
    copy.text_codes = NULL;
    state_release(&copy);
    return rc;
}

// ---- labels that arrive later ----

// Runs the nodes that depend on the label again, with the same label for all events.
void state_label_values(struct state *s, const struct events *events, double *values)
{
    const struct plan *p = s->plan;
    const size_t n = p->n_label_lanes;
    for (int label = 0; label < 2; label++) {
        const struct run r = {s, events, times_of(s, events), NULL, label, 0, false};
        for (size_t node = 0; node < p->n_nodes; node++)
            if (p->nodes[node].reads & READS_LABEL)
                run_node(&r, node, 0, events->n);
        for (size_t l = 0; l < n; l++) {
            const struct label_lane *lane = &p->label_lanes[l];
            const double *x = s->values[p->tracks[lane->track].lanes[lane->lane]];
            for (size_t i = 0; i < events->n; i++) // not finite counts as 0, as in a window
                values[(2 * i + (size_t)label) * n + l] = isfinite(x[i]) ? x[i] : 0;
        }
    }
}

void state_relabel(struct state *s, const struct events *one, const double *was, const double *is)
{
    const struct plan *p = s->plan;
    const int64_t *time = times_of(s, one);
    for (size_t l = 0; l < p->n_label_lanes; l++) {
        const struct label_lane *lane = &p->label_lanes[l];
        const struct track *t = &p->tracks[lane->track];
        const uint64_t *key = one->columns[t->column];
        struct history *h = find_history(s, lane->track, *key);
        if (h && was[l] != is[l])
            history_revise(h, &t->shape, *time, lane->lane, was[l], is[l]);
    }
}
