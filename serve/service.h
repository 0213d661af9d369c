// service: the champion model, the windows' state and the database, and the one order of events.
//
//     struct service s;
//     service_load(&s, &files, &err)           recovery.c: loads, checks, replays what the database holds
//     service_run(&s, &job)                    any thread, here and below
//     service_latest_time(&s)
//     service_ready(&s, &reply)
//     champion = service_hold(&s); ... champion->model ...; service_let(&s)
//     service_reload(&s, &err)                 the registry's new champion, without a stop
//     service_release(&s)                      writes a checkpoint
//
// One thread, the writer, changes the state and writes the database (writer.c). Requests hand it their
// jobs; it takes all that wait, does them in the order they came, commits once, and only then lets the
// requests go on: group commit. So the order of events in memory is the order in the database, and
// what is acknowledged is committed.
//
// The snapshot's keys were made under the pseudonym key, so the key file must be the one that
// ingest used: it is read and never made here.
//
// A reload replaces the champion, so it is read between service_hold and service_let. The plan stays:
// only a model with the same one can replace it. state, store and the members of `writer` belong to the
// writer. Everything else is constant after service_load and may be read by any thread.
// Ownership: a service owns all it points to until service_release.
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "features/state.h"
#include "ingest/dictionary.h"
#include "ingest/pseudonym.h"
#include "serve/counters.h"
#include "serve/recent.h"
#include "serve/store.h"
#include "train/model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct service_files {
    const char *models;   // the registry's folder
    const char *state;    // the snapshot that features wrote
    const char *key;      // pseudonym key
    const char *database; // its checkpoint stands beside it, with "-state" behind the name
    enum store_durability durability;
    int64_t retain; // days that a transaction is kept after its time at least; 0: for ever
    int64_t queue;  // jobs that may wait; more are refused
    // What an operator should know, from any thread; fatal: nothing is decided any more. May be NULL.
    void (*report)(const char *what, bool fatal);
};

// Work for the writer. run may change state and store, and returns -1 where these are of no use any
// more; a request that is refused is no such failure.
struct service;
enum job_outcome { JOB_FAILED, JOB_BUSY, JOB_COMMITTED };
struct job {
    int (*run)(struct service *s, void *arg, struct err *err);
    void *arg;
    enum job_outcome outcome; // service_run's, as the next
    struct job *next;
};

struct writer { // writer.c
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; // around the next five
    pthread_cond_t work;
    struct job *first, *last; // the group that is being gathered
    uint32_t group;           // its number
    bool stopping;
    // The number of the last group that was let go, of even and of odd ones: a futex each, so that all
    // who wait for a group wake by one system call, and those of the next sleep on.
    atomic_uint done[2];
    atomic_size_t waiting;
    size_t limit;
    atomic_bool broken;
    atomic_llong newest; // time of the newest event
    // The checkpoint, all the writer's but what is atomic.
    char *checkpoint, *previous; // names; the second is the one before
    bool checkpoint_is_good;     // this process has read or written it
    pid_t child;                 // that writes one; 0: none
    atomic_llong saved_order;    // the checkpoint's
    int64_t due_order, due_time; // when the next is
    int64_t previous_order;      // of the one before; 0: there is none
    int64_t child_order;         // that the child writes
    int64_t drop_from;           // rows to be looked at for retention; 0: none
    int64_t retain_seconds;      // 0: for ever
    atomic_llong saved_time;     // when the last was written, seconds since 1970
    atomic_llong position;       // of the state, for others
};

// A model that decides.
struct champion {
    struct model model;
    int64_t number;   // its version in the registry
    char version[24]; // the same, decimal
    int64_t loaded;   // seconds since 1970
    char *text;       // what GET /model answers
};

struct service {
    char *models; // the registry's folder
    char *name;   // the model's: the last component of that folder's path, links followed
    struct champion *champion;
    struct champion *first;       // the one that the service started with
    const struct plan *plan;      // the first one's
    pthread_rwlock_t replacement; // around champion
    pthread_mutex_t reloading;    // one reload at a time
    struct pseudonym pseudonym;
    struct dictionary *dictionaries; // [plan->schema.n]: of categories, what the plan asks for
    struct state state;
    struct store store;
    struct writer writer;
    struct recent recent;
    struct counters counters;
    int64_t started;                              // seconds since 1970
    void (*report)(const char *what, bool fatal); // as in service_files
};

int service_load(struct service *s, const struct service_files *files, struct err *err);
void service_release(struct service *s);

// The latest time that an event may have, seconds since 1970: a day after the wall clock or after
// the newest event, whichever is later. One event with a wrong clock would have all later ones of its
// keys refused. Times that count seconds from a start of their own (time_format epoch) lie far before
// the wall clock; numbers of rows have no clock: INT64_MAX.
int64_t service_latest_time(struct service *s);

// Waits until the job is done and committed: 0. -1: it was not, and the reply says so (503).
int service_run(struct service *s, struct job *job, struct reply *r);

// The champion is not replaced between these two, which must not be nested.
const struct champion *service_hold(struct service *s);
void service_let(struct service *s);

// Load the registry's champion and replace the present one. Refused where its file is not the one that
// was trained, or where it has other columns or features than the running state; then the present one
// stays. The outcome is reported either way.
int service_reload(struct service *s, struct err *err);

// 0 while transactions are decided; else -1, and the reply, where it is not NULL, says why (503): another
// program was found to hold the database, which the writer looks after until it lets go; or a write
// failed or memory ran out, for good, since the state may then hold what the database does not. What
// happened was reported; clients are not told paths and the like.
int service_ready(struct service *s, struct reply *r);

// ---- for the files of the service ----

void service_report(struct service *s, bool fatal, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int service_recover(struct service *s, const struct service_files *files, struct err *err);
int writer_start(struct service *s, struct err *err);
void writer_stop(struct service *s);

#endif
