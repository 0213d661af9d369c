// state: runs a plan over events and keeps what the windows need to know of the past.
//
// One engine for both executions: batch calls state_run with blocks of thousands of events, a
// server with one event at a time, and the features are the same to the last bit, for any blocks,
// any number of threads and any pseudonym key. Memory: per key the events that some window of an
// event can still reach that comes as late as may be, and one block.
//
//     state_init(&s, &plan, threads, &err)
//     state_bind(&s, column, texts, n)         once per category column: what its codes mean
//     snapshot_load(&s, path, &err)            to go on where another state ended (snapshot.h)
//     state_run(&s, &events, out, &err)        events in the order in which they arrive, see below
//     state_release(&s)
//
// Events are placed by their time, those with equal times in the order of arrival. One that comes
// late, older than the newest event of its key, gets the features that a batch over all events that
// have arrived so far would give it; the key's later events are moved up, and what arrives from
// then on sees it in its windows. What was computed before it arrived stays as it was: the features
// of the key's later events, and so also their values in windows over features (in a batch over all
// events those would know of the late one).
//
// How late is bounded: at most LATE_SECONDS before the newest event of its key (window.h).
// state_run checks that of all events before it changes anything, and refuses the block where one
// comes later still. Only when memory runs out is the state no longer of use; state_run then refuses
// all further blocks.
//
// Ownership: the state borrows the plan, which must outlive it and stay where it is, and the texts
// it is bound to. One thread at a time may call into a state.
#ifndef FEATURES_STATE_H
#define FEATURES_STATE_H

#include "features/histories.h"
#include "features/plan.h"

#include <stdatomic.h>
#include <stdint.h>

struct events {
    size_t n;
    // columns[c]: n values of schema column c, of its kind's C type (ingest/schema.h). The label's
    // may be NULL: a label that is not known counts as 0, genuine so far.
    const void *const *columns;
};

struct state_track {
    struct shape shape;
    struct histories *shards; // [threads]
    int *windows;             // the nodes that read this track
    size_t n_windows;
};

struct state { // for state.c and snapshot.c
    const struct plan *plan;
    unsigned threads;
    struct state_track *tracks; // [plan->n_tracks]
    uint32_t *text_codes;       // [plan->n_nodes], see eval.h
    double **values;            // [plan->n_nodes][capacity]: a block's results
    size_t capacity;
    uint64_t events;                  // seen in all
    int64_t last_time;                // of the newest event, INT64_MIN where none
    atomic_uint_least64_t not_finite; // results and window values that were replaced by 0
    bool broken;                      // memory ran out
    size_t refused;                   // the event of the block that was refused last
    uint64_t position;                // the caller's: for a server, the last order number of its
                                      // database that the state holds; 0 from a batch
    uint64_t key_fingerprint;         // ingest/pseudonym.h; 0 until batch or a snapshot sets it
};

int state_init(struct state *s, const struct plan *plan, unsigned threads, struct err *err);
void state_release(struct state *s);

// The dictionary of a category column: events carry codes into texts; a code >= n is no known
// value.
void state_bind(struct state *s, int column, const char *const *texts, size_t n);

// out[i][e]: input i of the plan for event e, i < plan->n_inputs, e < events->n. Values that are
// not finite become 0 and are counted.
int state_run(struct state *s, const struct events *events, float *const *out, struct err *err);

// Which of the shards a key belongs to.
unsigned state_shard(const struct state *s, uint64_t key);

#endif
