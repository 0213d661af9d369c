// window: the kernel. The history of one key, and exact windows over it in O(1) amortised.
//
// An event i of a key has a time and, per lane, a value. The history keeps for each event its time
// t_i and the running totals S_i = x_0 + ... + x_i; an edge e has a cursor c(e), the number of
// events with time <= t - e, where t is the newest event's time. Then
//
//     count over (t - d - w, t - d]  =  c(d) - c(d + w)
//     sum   over (t - d - w, t - d]  =  S_{c(d)-1} - S_{c(d+w)-1}
//
// Cursors only move forward, so all windows of a key share one pass over its events. Totals are
// unevaluated sums of two doubles (106 bits; Dekker 1971, Knuth TAOCP 2, 4.2.2), so a difference of
// two totals is the sum of the values between them, correctly rounded wherever 106 bits hold the
// total: nothing drifts, an empty window sums to 0, and the result does not depend on what came
// before.
//
//     history_push(&h, &shape, time)            the new event, totals as those before it
//     history_add(&h, &shape, lane, x)          its value of one lane
//     history_count(&h, upper, lower), history_sum(...), history_since(...)
//
// Ownership: a history owns its one allocation until history_release. Zeroed, it is empty.
#ifndef FEATURES_WINDOW_H
#define FEATURES_WINDOW_H

#include "features/plan.h"

struct total { // the number hi + lo, |lo| <= ulp(hi) / 2
    double hi, lo;
};

union word { // a history's allocation is an array of these
    int64_t time;
    uint64_t cursor;
    double value;
};

// What the histories of a track have in common.
struct shape {
    const int64_t *edges; // as in struct track
    size_t n_edges, n_lanes;
};

struct history {
    uint64_t first, next; // number of the oldest event kept, and of the one to come
    uint64_t capacity;    // events, a power of two
    union word *words;    // n_edges cursors, then per event its time and (hi, lo) per lane
};

// Make room and place an event, whose time must not be before history_last. 0, or -1 out of memory,
// and then nothing has changed.
int history_push(struct history *h, const struct shape *s, int64_t time);
// Add to a lane of the newest event. A value that is not finite, or would make the total so, counts
// as 0; returns 1 where that happened, else 0.
int history_add(struct history *h, const struct shape *s, size_t lane, double x);

// The value `was` that an event of that time gave to a lane becomes `is`, as if it had been so from the
// start; both finite. Of several such events any one is taken, for windows cannot part them. An event
// that is no longer kept changes the total of all before. Takes time in proportion to the events since.
void history_revise(struct history *h, const struct shape *s, int64_t time, size_t lane, double was,
                    double is);

// upper and lower are indices into shape.edges; lower -1: from the first event on.
double history_count(const struct history *h, int upper, int lower);
double history_sum(const struct history *h, const struct shape *s, size_t lane, int upper,
                   int lower);
// Seconds between the newest event and the one before; infinite where there is none.
double history_since(const struct history *h, const struct shape *s);
// Time of the newest event; INT64_MIN where there is none.
int64_t history_last(const struct history *h, const struct shape *s);

// The oldest event that some edge can still reach; what is older need not be saved.
uint64_t history_oldest_needed(const struct history *h, const struct shape *s);
// The 1 + 2 · n_lanes words of event number i, first <= i < next.
union word *history_event(const struct history *h, const struct shape *s, uint64_t i);
// Room for n events, for a history that is to be filled from a snapshot. 0 or -1.
int history_reserve(struct history *h, const struct shape *s, uint64_t n);
void history_release(struct history *h);

#endif
