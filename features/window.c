// Histories as rings of words: the cursors first, then the events.
#include "features/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t stride(const struct shape *s)
{
    return 1 + 2 * s->n_lanes;
}

union word *history_event(const struct history *h, const struct shape *s, uint64_t i)
{
    return h->words + s->n_edges + (i & (h->capacity - 1)) * stride(s);
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

// ---- places in time ----

// The first kept event that is not older; h->next where all are.
static uint64_t first_since(const struct history *h, const struct shape *s, int64_t time)
{
    uint64_t from = h->first, to = h->next;
    while (from < to) {
        const uint64_t middle = from + (to - from) / 2;
        if (history_event(h, s, middle)->time < time)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

// The number of events up to and with a time, those that are no longer kept among them.
static uint64_t count_until(const struct history *h, const struct shape *s, int64_t time)
{
    return first_since(h, s, time + 1);
}

// ---- room ----

struct shape shape_make(const int64_t *edges, size_t n_edges, size_t n_lanes)
{
    int64_t furthest = 0;
    for (size_t e = 0; e < n_edges; e++)
        if (edges[e] > furthest)
            furthest = edges[e];
    return (struct shape){edges, n_edges, n_lanes, furthest + LATE_SECONDS};
}

uint64_t history_oldest_needed(const struct history *h, const struct shape *s)
{
    // No cursor of an event that comes as late as may be lies before this one, nor does its place.
    // The event before a cursor holds the total there, and the one before its place is its previous.
    uint64_t cursor = h->next ? count_until(h, s, history_last(h, s) - s->keep) : 0;
    return cursor > h->first ? cursor - 1 : h->first;
}

int history_reserve(struct history *h, const struct shape *s, uint64_t n)
{
    uint64_t capacity = h->capacity ? h->capacity : 4;
    while (capacity < n)
        capacity *= 2;
    if (capacity == h->capacity)
        return 0;
    if (capacity > (SIZE_MAX / sizeof(union word) - s->n_edges) / stride(s))
        return -1;
    union word *words = calloc(s->n_edges + capacity * stride(s), sizeof *words);
    if (!words)
        return -1;
    const struct history old = *h;
    h->capacity = capacity;
    h->words = words;
    if (old.capacity) {
        memcpy(words, old.words, s->n_edges * sizeof *words);
        for (uint64_t i = h->first; i < h->next; i++)
            memcpy(history_event(h, s, i), history_event(&old, s, i), stride(s) * sizeof *words);
        free(old.words);
    }
    return 0;
}

// A full ring drops what no window reaches, and grows where that frees less than half of it: either
// way the next push that comes here is as many events away as were moved.
static int make_room(struct history *h, const struct shape *s)
{
    if (h->next - h->first < h->capacity)
        return 0;
    if (h->capacity) {
        h->first = history_oldest_needed(h, s);
        if (h->next - h->first <= h->capacity / 2)
            return 0;
    }
    return history_reserve(h, s, h->capacity + 1);
}

void history_release(struct history *h)
{
    free(h->words);
    *h = (struct history){0};
}

// ---- totals ----

static struct total total_of(const struct history *h, const struct shape *s, size_t lane,
                             uint64_t event)
{
    const union word *w = history_event(h, s, event) + 1 + 2 * lane;
    return (struct total){w[0].value, w[1].value};
}

static void set_total(struct history *h, const struct shape *s, size_t lane, uint64_t event,
                      struct total t)
{
    union word *w = history_event(h, s, event) + 1 + 2 * lane;
    w[0].value = t.hi;
    w[1].value = t.lo;
}

static struct total total_at(const struct history *h, const struct shape *s, size_t lane,
                             uint64_t cursor)
{
    if (cursor == 0)
        return (struct total){0, 0};
    return total_of(h, s, lane, cursor - 1);
}

// The totals of the events behind `at` are computed again, after its own was changed: each event's
// value is the difference that it made to the total before, which was `old` for the first of them,
// and is added in the same order as it was. Returns how many now count as 0, as in history_add.
static uint64_t readd(struct history *h, const struct shape *s, size_t lane, uint64_t at,
                      struct total old)
{
    struct total sum = total_of(h, s, lane, at);
    uint64_t bad = 0;
    if (sum.hi == old.hi && sum.lo == old.lo)
        return 0;
    for (uint64_t i = at + 1; i < h->next; i++) {
        const struct total was = total_of(h, s, lane, i);
        const struct total is = add(sum, difference(was, old));
        if (isfinite(is.hi) && isfinite(is.lo))
            sum = is;
        else
            bad++;
        set_total(h, s, lane, i, sum);
        old = was;
    }
    return bad;
}

// ---- events ----

static void advance(struct history *h, const struct shape *s, int64_t time)
{
    for (size_t e = 0; e < s->n_edges; e++) {
        uint64_t *cursor = &h->words[e].cursor;
        int64_t edge = s->edges[e];
        if (edge == EDGE_NOW || edge == EDGE_PAST) {
            *cursor = edge == EDGE_NOW ? h->next : h->next - 1;
            continue;
        }
        // Ends at the newest event at the latest, for that is not yet `edge` seconds old.
        while (history_event(h, s, *cursor)->time <= time - edge)
            ++*cursor;
    }
}

// Event number h->next, in its place already: its totals are those before it.
static void append(struct history *h, const struct shape *s, int64_t time)
{
    union word *event = history_event(h, s, h->next);
    if (h->next == 0)
        memset(event, 0, stride(s) * sizeof *event);
    else
        memcpy(event, history_event(h, s, h->next - 1), stride(s) * sizeof *event);
    event->time = time;
    h->next++;
}

int history_push(struct history *h, const struct shape *s, int64_t time)
{
    if (make_room(h, s))
        return -1;
    append(h, s, time);
    advance(h, s, time);
    return 0;
}

int history_add(struct history *h, const struct shape *s, size_t lane, double x)
{
    union word *w = history_event(h, s, h->next - 1) + 1 + 2 * lane;
    struct total t = add((struct total){w[0].value, w[1].value}, x);
    if (!isfinite(t.hi) || !isfinite(t.lo))
        return 1;
    w[0].value = t.hi;
    w[1].value = t.lo;
    return 0;
}

// ---- events that come late ----

// The cursors of the newest event, from nothing; advance has them from those of the one before.
static void place_cursors(struct history *h, const struct shape *s)
{
    const int64_t time = history_last(h, s);
    for (size_t e = 0; e < s->n_edges; e++) {
        const int64_t edge = s->edges[e];
        uint64_t *cursor = &h->words[e].cursor;
        if (edge == EDGE_NOW || edge == EDGE_PAST)
            *cursor = edge == EDGE_NOW ? h->next : h->next - 1;
        else
            *cursor = count_until(h, s, time - edge);
    }
}

int history_insert(struct history *h, const struct shape *s, int64_t time, uint64_t *later)
{
    if (make_room(h, s))
        return -1;
    const uint64_t at = count_until(h, s, time);
    for (uint64_t i = h->next; i > at; i--)
        memcpy(history_event(h, s, i), history_event(h, s, i - 1), stride(s) * sizeof(union word));
    *later = h->next - at;
    h->next = at;
    append(h, s, time);
    place_cursors(h, s);
    return 0;
}

uint64_t history_resume(struct history *h, const struct shape *s, uint64_t later)
{
    const uint64_t at = h->next - 1;
    uint64_t bad = 0;
    h->next += later;
    for (size_t l = 0; l < s->n_lanes; l++)
        bad += readd(h, s, l, at, total_at(h, s, l, at));
    place_cursors(h, s);
    return bad;
}

// ---- values that change later ----

// The event of that time with that value, or the last of that time; h->next where there is none.
static uint64_t find_event(const struct history *h, const struct shape *s, int64_t time,
                           size_t lane, double value)
{
    uint64_t found = h->next;
    for (uint64_t i = first_since(h, s, time); i < h->next; i++) {
        if (history_event(h, s, i)->time != time)
            break;
        found = i;
        struct total before = {0, 0};
        if (i > h->first)
            before = total_of(h, s, lane, i - 1);
        if ((i > h->first || i == 0) && difference(total_of(h, s, lane, i), before) == value)
            break;
    }
    return found;
}

void history_revise(struct history *h, const struct shape *s, int64_t time, size_t lane, double was,
                    double is)
{
    const uint64_t at = find_event(h, s, time, lane, was);
    if (at == h->next) {
        for (uint64_t i = h->first; i < h->next; i++)
            set_total(h, s, lane, i, add(add(total_of(h, s, lane, i), -was), is));
        return;
    }
    struct total old = total_of(h, s, lane, at), sum = {0, 0};
    if (at > h->first)
        sum = total_of(h, s, lane, at - 1);
    else if (at > 0)
        sum = add(old, -was);
    sum = add(sum, is);
    set_total(h, s, lane, at, sum);
    readd(h, s, lane, at, old);
}

// ---- windows ----

static uint64_t cursor_at(const struct history *h, int edge)
{
    return edge < 0 ? 0 : h->words[edge].cursor;
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
    return difference(total_at(h, s, lane, to), total_at(h, s, lane, from));
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
