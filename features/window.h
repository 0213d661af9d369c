// window: the history of one key, and exact windows over it in O(1) amortised.
//
// Event i of a key has a time and, per lane, a value x_i. The history keeps its time and running
// totals S_i = x_0 + ... + x_i. An edge e has a cursor c(e): the number of events with a time of at
// most t - e, where t is the newest event's time. Then
//
//     count over (t - d - w, t - d]  =  c(d) - c(d + w)
//     sum   over (t - d - w, t - d]  =  S_{c(d)-1} - S_{c(d+w)-1}
//
// plan_window in plan.c places a window's edges; is_behind in window.c says what is behind an edge.
//
// Totals are unevaluated sums of two doubles (106 bits; Dekker 1971, Knuth TAOCP 2, 4.2.2), so a
// difference of two totals is the sum of the values between them, correctly rounded wherever 106
// bits hold the total: it neither drifts nor depends on what came before.
//
// history_insert, history_add for each lane, then history_count and so on, and history_resume.
// A late event is placed after those of its own time, and newer ones are hidden until
// history_resume: then the history is as if all had arrived in the order of their times. A zeroed
// history is empty.
#ifndef FEATURES_WINDOW_H
#define FEATURES_WINDOW_H

#include <stddef.h>
#include <stdint.h>

// An event may be this much older than its key's newest one, in seconds (in rows, where time is
// the row number). Terminals without a connection upload their transactions days later. A longer
// bound costs memory: histories keep events that much longer.
#define LATE_SECONDS (INT64_C(7) * 86400)

// Two special edges: all events so far, and all before the current one.
enum { EDGE_NOW = 0, EDGE_PAST = -1 };

struct total { // the number hi + lo, |lo| <= ulp(hi) / 2
    double hi, lo;
};

struct history_event {
    int64_t time;
    struct total totals[]; // [n_lanes], the event's own values included
};

struct shape {            // what the histories of a track have in common
    const int64_t *edges; // seconds before the newest event, or EDGE_NOW, EDGE_PAST; borrowed
    size_t n_edges, n_lanes;
    size_t event_size; // bytes
    int64_t keep;      // the furthest edge and LATE_SECONDS: what is older than that is not needed
};

struct shape shape_make(const int64_t *edges, size_t n_edges, size_t n_lanes);

struct history {
    uint64_t first, next; // numbers of the oldest event kept, and of the one to come
    uint64_t capacity;    // events; 0: nothing is allocated
    uint64_t *cursors;    // [n_edges]; after them, in the same allocation, the events kept
};

// Add an event, at most LATE_SECONDS older than the newest. Returns how many newer ones are hidden
// now, and takes time in proportion to that number.
uint64_t history_insert(struct history *h, const struct shape *s, int64_t time);
// Add to a lane of the event that was inserted last. Returns 1 where the value counts as 0, because
// it or the total would not be finite; else 0.
uint64_t history_add(struct history *h, const struct shape *s, size_t lane, double x);
// Show the hidden events again. Returns how many of their values count as 0 now.
uint64_t history_resume(struct history *h, const struct shape *s, uint64_t hidden);

// Change the value `was`, which an event of that time gave to a lane, to `is`; both are finite. Of
// several such events any is changed, since no window separates them. One that is no longer kept
// changes all totals.
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

// The oldest event that an edge of a late event can still reach.
uint64_t history_oldest_needed(const struct history *h, const struct shape *s);
// Event number i, first <= i < next.
struct history_event *history_event(const struct history *h, const struct shape *s, uint64_t i);
// Bring the cursors to the newest event. Insertions do it; only a late event moves them back.
void history_move_cursors(struct history *h, const struct shape *s);
// Make room for n events in all; a history needs room for one before its first event.
void history_reserve(struct history *h, const struct shape *s, uint64_t n);
void history_release(struct history *h);

#endif
