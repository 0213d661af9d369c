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
// An event that comes late is put in its place by time, behind those of its own time. The history
// is seen as ending with it while its values are added and its windows are read:
//
//     if (time >= history_last(&h, &shape))
//         history_push(&h, &shape, time)
//     else
//         history_insert(&h, &shape, time, &later)
//     history_add(...), history_count(...), ...   the same for both
//     if (later)
//         history_resume(&h, &shape, later)     the later events behind it again
//
// Both ways the history comes to what it had been, had its events arrived in the order of time.
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

// How much older than its key's newest event an event may be, in seconds (in rows, where time is
// the row number): seven days. Terminals without a connection collect their transactions and upload
// them later; most do so within days. A longer bound would cost memory, for a history keeps its
// events by so much longer than its windows reach.
#define LATE_SECONDS (INT64_C(7) * 86400)

// What the histories of a track have in common.
struct shape {
    const int64_t *edges; // as in struct track
    size_t n_edges, n_lanes;
    int64_t keep; // seconds before the newest event that a late one can still look back to
};

// keep: the furthest edge and LATE_SECONDS. edges is borrowed.
struct shape shape_make(const int64_t *edges, size_t n_edges, size_t n_lanes);

struct history {
    uint64_t first, next; // number of the oldest event kept, and of the one to come
    uint64_t capacity;    // events, a power of two
    union word *words;    // n_edges cursors, then per event its time and (hi, lo) per lane
};

// Make room and place an event, whose time must not be before history_last. 0, or -1 out of memory,
// and then nothing has changed.
int history_push(struct history *h, const struct shape *s, int64_t time);
// The same for an event that is older than history_last, by no more than LATE_SECONDS. The history
// ends with it until history_resume; *later is the number of events behind it. Takes time in
// proportion to that number.
int history_insert(struct history *h, const struct shape *s, int64_t time, uint64_t *later);
// The events behind the inserted one are seen again, their totals increased by its values. Returns
// how many of their values would make a total not finite now, and count as 0.
uint64_t history_resume(struct history *h, const struct shape *s, uint64_t later);
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

// The oldest event that some edge of a late event can still reach; what is older need not be saved.
// It or one before it is at least shape.keep older than the newest, or the first of all.
uint64_t history_oldest_needed(const struct history *h, const struct shape *s);
// The 1 + 2 · n_lanes words of event number i, first <= i < next.
union word *history_event(const struct history *h, const struct shape *s, uint64_t i);
// Room for n events, for a history that is to be filled from a snapshot. 0 or -1.
int history_reserve(struct history *h, const struct shape *s, uint64_t n);
void history_release(struct history *h);

#endif
