// state: runs a plan over events and keeps what the windows need to know of the past.
//
// One engine for both executions: batch calls state_run with blocks of thousands of events, a
// server with one event at a time, and the features are the same to the last bit, for any blocks,
// any number of threads and any pseudonym key. Memory: per key the events that some window can
// still reach.
//
//     struct state *s = state_new(&plan, threads, &err)
//     state_bind(s, column, texts, n, &err)   once per category column: code -> text
//     state_run(s, &events, out, &err)        events in time order, see below
//     snapshot_save / snapshot_load           (features/snapshot.h)
//     state_free(s)
//
// Events of one key must not go back in time. state_run checks all events before it changes
// anything and refuses the block (-1) where one does: it names the event's index and column.
//
// Ownership: the state borrows the plan, which must outlive it, and copies what state_bind is
// given. One thread at a time may call into a state.
#ifndef FEATURES_STATE_H
#define FEATURES_STATE_H

#include "features/plan.h"

#include <stdint.h>

struct events {
    size_t n;
    // columns[c]: n values of schema column c, of its kind's C type (ingest/schema.h); NULL allowed
    // where plan_needs(plan, c) is false. Labels not known count as 0 (genuine so far).
    const void *const *columns;
};

struct state; // features/state.c

struct state *state_new(const struct plan *plan, unsigned threads, struct err *err);
void state_free(struct state *s);

// The dictionary of a category column: events carry codes into texts; a code >= n is no known
// value.
int state_bind(struct state *s, int column, const char *const *texts, size_t n, struct err *err);

// out[i][e]: input i of the plan for event e, i < plan->n_inputs, e < events->n. Values that were
// not finite are 0 and counted in state_not_finite.
int state_run(struct state *s, const struct events *events, float *const *out, struct err *err);

uint64_t state_events(const struct state *s);     // seen in all
int64_t state_last_time(const struct state *s);   // of the newest event, INT64_MIN where none
uint64_t state_not_finite(const struct state *s); // results replaced by 0

#endif
