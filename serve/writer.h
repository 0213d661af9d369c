// writer: the one thread that changes the state and writes the database, with its queue and its
// checkpoints.
//
// Group commit: the writer takes all jobs that wait, runs them in the order in which they came,
// commits once, and only then lets the requests go on. So the database has the events in the order of
// the state, and everything that is acknowledged is committed.
#ifndef SERVE_WRITER_H
#define SERVE_WRITER_H

#include "serve/counters.h"

enum job_outcome {
    JOB_FAILED,    // a write has failed: nothing is decided until the server is started again
    JOB_BUSY,      // another program holds the database
    JOB_FULL,      // too many jobs wait
    JOB_COMMITTED, // the only outcome after which the state holds what the job did
};

// Work for the writer. run may change state and store, and returns -1 where these are of no more
// use; a request that is refused is no such failure.
struct job {
    int (*run)(void *arg, struct err *err);
    void *arg;
    enum job_outcome outcome;
    struct job *next;
};

struct writer {
    struct state *state;
    struct store *store;
    struct counters *counters;
    void (*report)(const char *what, bool fatal); // as in service_files
    size_t limit;                                 // jobs that may wait
    int64_t base_time; // newest event of the snapshot that the database began with
    pthread_t thread;
    bool started;
    bool data_clock;      // see writer_now
    pthread_mutex_t lock; // around the next four
    pthread_cond_t work;
    struct job *first, *last; // the group that is being gathered
    uint32_t group;           // its number
    bool stopping;
    // The number of the last group that is done, for even and for odd numbers. Each is a futex, so
    // that one system call wakes all that wait for a group, while those of the next group sleep on.
    atomic_uint done[2];
    atomic_size_t waiting;
    atomic_bool broken;
    atomic_llong newest;      // time of the newest event
    atomic_llong position;    // order number of the state
    atomic_llong saved_order; // order number of the checkpoint
    atomic_llong saved_time;  // when it was written, seconds since 1970
    char *checkpoint;         // its name
    pid_t child;              // that writes one; 0: none
    int64_t child_order;      // its order number
    int64_t due_order;        // order number from which on the next checkpoint is due
    int64_t due_time;         // and the time, if rows came
};

// state, store, counters, limit and the locks are set; the rest is 0 or from the recovery.
int writer_start(struct writer *w, struct err *err);
// Any thread: waits until the job is committed or refused.
enum job_outcome writer_run(struct writer *w, struct job *job);
void writer_stop(struct writer *w); // writes a last checkpoint; zeroed, too
// Any thread: the latest time that counts as past, seconds since 1970: the later of the clock and
// the base's newest event, which no client can move; with data_clock that of all events.
int64_t writer_now(const struct writer *w);
// Let other threads see where the state is, which holds all rows of the store.
void writer_note_state(struct writer *w);
void writer_report(struct writer *w, bool fatal, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
