#include "features/window.h"

#include "base/memory.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct history_event *history_event(const struct history *h, const struct shape *s, uint64_t i)
{
    char *events = (char *)(h->cursors + s->n_edges);
    return (struct history_event *)(events + (i - h->first) * s->event_size);
}

// ---- numbers of two doubles ----

// a + b without loss (Knuth's TwoSum); needs round to nearest and no contraction.
static struct total two_sum(double a, double b)
{
    double s = a + b, t = s - a;
    return (struct total){s, (a - (s - t)) + (b - t)};
}

// The same where |a| >= |b| (Dekker).
static struct total quick_two_sum(double a, double b)
{
    double s = a + b;
    return (struct total){s, b - (s - a)};
}

static struct total add(struct total t, double x)
{
    struct total s = two_sum(t.hi, x);
    return quick_two_sum(s.hi, s.lo + t.lo);
}

static double difference(struct total a, struct total b)
{
    struct total s = two_sum(a.hi, -b.hi), t = two_sum(a.lo, -b.lo);
    s = quick_two_sum(s.hi, s.lo + t.hi);
    return s.hi + (s.lo + t.lo);
}

static bool is_finite(struct total t)
{
    return isfinite(t.hi) && isfinite(t.lo);
}

// ---- edges ----

// An event lies behind an edge when it is exactly that old or older: windows include their near end
// and exclude their far end.
static bool is_behind(const struct history_event *event, int64_t edge_time)
{
    return event->time <= edge_time;
}

// The number of events behind a time, with those that are no longer kept.
static uint64_t count_behind(const struct history *h, const struct shape *s, int64_t edge_time)
{
    uint64_t i;
    LOWER_BOUND(i, h->first, h->next, is_behind(history_event(h, s, i), edge_time));
    return i;
}

void history_move_cursors(struct history *h, const struct shape *s)
{
    const int64_t time = history_last(h, s);
    for (size_t e = 0; e < s->n_edges; e++) {
        const int64_t edge = s->edges[e];
        uint64_t cursor = h->cursors[e];
        if (edge == EDGE_NOW || edge == EDGE_PAST) {
            cursor = edge == EDGE_NOW ? h->next : h->next - 1;
        } else {
            while (cursor > h->first && !is_behind(history_event(h, s, cursor - 1), time - edge))
                cursor--;
            // Stops at the newest event at the latest, which is not yet `edge` seconds old.
            while (is_behind(history_event(h, s, cursor), time - edge))
                cursor++;
        }
        h->cursors[e] = cursor;
    }
}

// ---- room ----

struct shape shape_make(const int64_t *edges, size_t n_edges, size_t n_lanes)
{
    int64_t furthest = 0;
    for (size_t e = 0; e < n_edges; e++)
        if (edges[e] > furthest)
            furthest = edges[e];
    const size_t size = sizeof(struct history_event) + n_lanes * sizeof(struct total);
    return (struct shape){edges, n_edges, n_lanes, size, furthest + LATE_SECONDS};
}

uint64_t history_oldest_needed(const struct history *h, const struct shape *s)
{
    // The event before a cursor holds the total there, so one more is kept than windows count.
    uint64_t cursor = h->next ? count_behind(h, s, history_last(h, s) - s->keep) : 0;
    return cursor > h->first ? cursor - 1 : h->first;
}

void history_reserve(struct history *h, const struct shape *s, uint64_t n)
{
    const size_t cursors = s->n_edges * sizeof *h->cursors;
    h->cursors = xreallocarray(h->cursors, 1, cursors + n * s->event_size);
    if (h->capacity == 0)
        memset(h->cursors, 0, cursors);
    h->capacity = n;
}

// A full history drops what no window reaches, and grows where that frees less than half of it:
// either way the next insertion that comes here is as many events away as were moved.
static void make_room(struct history *h, const struct shape *s)
{
    if (h->next - h->first < h->capacity)
        return;
    const uint64_t needed = history_oldest_needed(h, s);
    if (h->next - needed > h->capacity / 2) {
        history_reserve(h, s, 2 * h->capacity);
        return;
    }
    memmove(history_event(h, s, h->first), history_event(h, s, needed),
            (h->next - needed) * s->event_size);
    h->first = needed;
}

void history_release(struct history *h)
{
    free(h->cursors);
    *h = (struct history){0};
}

uint64_t history_insert(struct history *h, const struct shape *s, int64_t time)
{
    const size_t size = s->event_size;
    uint64_t hidden = 0;
    make_room(h, s);
    if (time < history_last(h, s)) {
        hidden = h->next - count_behind(h, s, time);
        h->next -= hidden;
        memmove(history_event(h, s, h->next + 1), history_event(h, s, h->next), hidden * size);
    }
    struct history_event *event = history_event(h, s, h->next);
    if (h->next == 0)
        memset(event, 0, size);
    else
        memcpy(event, history_event(h, s, h->next - 1), size);
    event->time = time;
    h->next++;
    history_move_cursors(h, s);
    return hidden;
}

uint64_t history_add(struct history *h, const struct shape *s, size_t lane, double x)
{
    struct total *t = &history_event(h, s, h->next - 1)->totals[lane];
    const struct total sum = add(*t, x);
    if (!is_finite(sum))
        return 1;
    *t = sum;
    return 0;
}

// Compute the totals of the events after `at` again, since its own was `old` and changed. Each
// event's value is the difference that it made to the total before it, and is added in the same
// order.
static uint64_t add_again(struct history *h, const struct shape *s, size_t lane, uint64_t at,
                          struct total old)
{
    struct total sum = history_event(h, s, at)->totals[lane];
    uint64_t bad = 0;
    if (sum.hi == old.hi && sum.lo == old.lo)
        return 0;
    for (uint64_t i = at + 1; i < h->next; i++) {
        struct total *total = &history_event(h, s, i)->totals[lane];
        const struct total changed = add(sum, difference(*total, old));
        if (is_finite(changed))
            sum = changed;
        else
            bad++;
        old = *total;
        *total = sum;
    }
    return bad;
}

static struct total total_before(const struct history *h, const struct shape *s, size_t lane,
                                 uint64_t event)
{
    return event == 0 ? (struct total){0, 0} : history_event(h, s, event - 1)->totals[lane];
}

uint64_t history_resume(struct history *h, const struct shape *s, uint64_t hidden)
{
    const uint64_t at = h->next - 1;
    uint64_t bad = 0;
    if (hidden == 0)
        return 0;
    h->next += hidden;
    for (size_t l = 0; l < s->n_lanes; l++)
        bad += add_again(h, s, l, at, total_before(h, s, l, at));
    history_move_cursors(h, s);
    return bad;
}

// ---- values that change later ----

// Is the total before event i known? That before the oldest event kept is gone.
static bool has_total_before(const struct history *h, uint64_t i)
{
    return i == 0 || i > h->first;
}

// The event of that time with that value, or the last of that time. Where it is no longer kept, the
// oldest that is: its total includes the value.
static uint64_t find_event(const struct history *h, const struct shape *s, int64_t time,
                           size_t lane, double value)
{
    uint64_t found = h->first;
    for (uint64_t i = count_behind(h, s, time - 1); i < h->next; i++) {
        const struct history_event *event = history_event(h, s, i);
        if (event->time != time)
            break;
        found = i;
        if (has_total_before(h, i) &&
            difference(event->totals[lane], total_before(h, s, lane, i)) == value)
            break;
    }
    return found;
}

void history_revise(struct history *h, const struct shape *s, int64_t time, size_t lane, double was,
                    double is)
{
    const uint64_t at = find_event(h, s, time, lane, was);
    struct total *total = &history_event(h, s, at)->totals[lane];
    const struct total old = *total;
    *total = add(has_total_before(h, at) ? total_before(h, s, lane, at) : add(old, -was), is);
    add_again(h, s, lane, at, old);
}

static uint64_t cursor_at(const struct history *h, int edge)
{
    return edge < 0 ? 0 : h->cursors[edge];
}

double history_count(const struct history *h, int upper, int lower)
{
    return (double)(cursor_at(h, upper) - cursor_at(h, lower));
}

double history_sum(const struct history *h, const struct shape *s, size_t lane, int upper,
                   int lower)
{
    uint64_t to = cursor_at(h, upper), from = cursor_at(h, lower);
    if (to == from)
        return 0;
    return difference(total_before(h, s, lane, to), total_before(h, s, lane, from));
}

double history_since(const struct history *h, const struct shape *s)
{
    if (h->next < 2)
        return INFINITY;
    return (double)(history_event(h, s, h->next - 1)->time -
                    history_event(h, s, h->next - 2)->time);
}

int64_t history_last(const struct history *h, const struct shape *s)
{
    return h->next == 0 ? INT64_MIN : history_event(h, s, h->next - 1)->time;
}
