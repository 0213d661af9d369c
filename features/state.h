// state: runs a plan over events and keeps what the windows need of the past.
//
// Features are the same to the last bit for any blocks, number of threads and pseudonym key.
// Memory: per key the events that a window of a late event can still reach, and one block.
//
// state_init, state_bind for each category column, snapshot_load if there is one, then state_run
// of events in the order in which they arrive.
//
// An event may be up to LATE_SECONDS (window.h) older than the newest one of its key. It gets the
// features that a batch over all events so far would give it. Earlier features stay as they were.
//
// A served event has no label yet and counts as genuine. The server keeps what it adds to the lanes
// under either label, and exchanges the values when it learns the label. If that is within the delay
// of every window over the label, all features equal those of a batch that knew it from the start.
//
// Ownership: the state borrows the plan, which must not move. One thread at a time may use a state.
#ifndef FEATURES_STATE_H
#define FEATURES_STATE_H

#include "features/plan.h"

#include <stdatomic.h>

struct events {
    size_t n;
    // columns[c]: n values of schema column c, of its kind's C type (ingest/schema.h). The label's
    // may be NULL: no label is known.
    const void *const *columns;
};

// A hash table of histories by key, with open addressing.
struct shard {
    struct keyed_history {
        uint64_t key;
        struct history history; // of capacity 0: free
    } * slots;
    size_t n, capacity; // capacity is a power of two
};

struct text_codes {
    size_t n;
    bool *is; // [n] whether a code stands for one of the texts
};

struct state {
    const struct plan *plan;
    unsigned threads;
    struct shard *shards;          // [plan->n_tracks][threads]
    struct text_codes *text_codes; // [plan->n_nodes] of IS_TEXT nodes
    double **values;               // [plan->n_nodes][capacity] a block's results
    size_t capacity;
    uint64_t events;                  // seen in all
    int64_t last_time;                // of the newest event, INT64_MIN where none
    atomic_uint_least64_t not_finite; // results and window values that were replaced by 0
    size_t refused;                   // the event of the block that was refused last
    uint64_t position;                // for the caller: a server stores the number of its last row
    uint64_t key_fingerprint;         // ingest/pseudonym.h; 0 until batch or a snapshot sets it
};

void state_init(struct state *s, const struct plan *plan, unsigned threads);
void state_release(struct state *s);

// The dictionary of a category column: events carry codes into texts, or others for unknown values.
void state_bind(struct state *s, int column, const char *const *texts, size_t n);

// out[i][e]: input i of the plan for event e. Values that are not finite become 0 and are counted.
// -1 where an event comes too late; then nothing has changed.
int state_run(struct state *s, const struct events *events, float *const *out, struct err *err);
// The same without changing the state, except for refused.
int state_try(struct state *s, const struct events *events, float *const *out, struct err *err);

// values[e][label][l]: what event e of the block that ran last adds to lane l of plan->label_lanes
// with label 0 and with label 1.
void state_label_values(struct state *s, const struct events *events, double *values);
// An earlier event, given by its time and keys, now adds is[l] instead of was[l].
void state_relabel(struct state *s, const struct events *one, const double *was, const double *is);

// The history of a key, made with room for that many events where it is missing. It stays valid
// until the next call.
struct history *state_history(struct state *s, size_t track, uint64_t key, uint64_t room);

// ---- in snapshot.c: a state on disk, so that a server starts where the batch ended ----
//
// Loading refuses a file that is truncated, altered or made by another plan. The same events under
// the same pseudonym key give the same bytes for any number of threads.

// The name of the snapshot inside a feature table's folder.
#define SNAPSHOT_NAME "state.bin"

// Write to fd; name is for messages.
int snapshot_save(const struct state *s, int fd, const char *name, struct err *err);
// s: fresh from state_init; after an error it can only be released.
int snapshot_load(struct state *s, const char *path, struct err *err);

// Numbers that a snapshot states, not verified.
struct snapshot_head {
    uint64_t position, checksum; // the checksum at its end
    int64_t last_time;           // as in struct state
};
int snapshot_peek(const char *path, struct snapshot_head *head, struct err *err);

#endif
