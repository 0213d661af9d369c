// service: the champion model, the windows' state and the database, and the one order of events.
//
// Any thread may call predict, feedback, service_run, service_ready, service_reload, and the like; one
// thread calls service_watch a few times a second. service_release writes a checkpoint.
//
// The keys of the snapshot were made under the pseudonym key, so the key file must be the one that
// ingest used: it is read and never made here.
//
// A reload replaces the champion, but not the plan. state, store and the members of `writer` belong
// to the writer's thread, writer.c. Everything else is constant after service_load and may be read by any
// thread. A service owns all it points to until service_release; it must not be moved in memory.
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "ingest/pseudonym.h"
#include "serve/counters.h"
#include "train/model.h"

struct service_files {
    const char *models;   // the registry's folder
    const char *drift;    // what monitor wrote last; need not exist
    const char *state;    // the snapshot that features wrote
    const char *key;      // pseudonym key
    const char *database; // its checkpoint is beside it, with "-state" after the name
    bool full;            // commits survive a power cut, not only the end of the process
    bool data_clock;      // see service_now
    int64_t queue;        // jobs that may wait; more are refused
    // Tell the operator, from any thread; fatal: nothing is decided any more. May be NULL.
    void (*report)(const char *what, bool fatal);
};

// writer.c: the thread that changes the state and writes the database.
struct writer {
    int64_t base_time; // newest event of the snapshot that the database began with
    pthread_t thread;
    bool started;
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

// A model that decides.
struct champion {
    struct model model;
    char version[24]; // of the model, decimal
    int64_t loaded;   // seconds since 1970
    char *text;       // what GET /model answers
};

struct service {
    const struct service_files *files;
    char *name; // the model's: the last component of that folder's path, links followed
    struct champion *champion;
    struct champion *first;       // the one that the service started with
    const struct plan *plan;      // the first one's
    char *loop;                   // what GET /loop answers, by service_watch
    int64_t seen[2];              // of its files, by service_watch
    pthread_rwlock_t replacement; // around champion and loop
    pthread_mutex_t reloading;    // one reload at a time
    struct pseudonym pseudonym;
    struct dictionary *dictionaries; // [plan->schema.n]: of categories, what the plan asks for
    struct state state;
    struct store store;
    struct writer writer;
    struct recent recent;
    struct counters counters;
    int64_t started; // seconds since 1970
};

// files: borrowed until the release.
int service_load(struct service *s, const struct service_files *files, struct err *err);
void service_release(struct service *s);

// Work for the writer: it may change state and store, and returns -1 where these are of no more use; a
// request that is refused is no such failure. 0 once it is committed; -1 where it was not (503), or
// where it has refused the request: the reply holds the problem.
int service_run(struct service *s, int (*run)(void *arg, struct err *err), void *arg,
                struct reply *r);

// 0 while transactions are decided; else -1, and the reply, where it is not NULL, holds a 503. The
// operator gets the details; clients are not told paths.
int service_ready(struct service *s, struct reply *r);

// The latest time that counts as past, seconds since 1970: the later of the clock and the base's newest
// event, which no client can move; with data_clock that of all events.
int64_t service_now(const struct service *s);
// Let other threads see where the state is, which holds all rows of the store.
void service_note_state(struct service *s);
void service_report(struct service *s, bool fatal, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int writer_start(struct service *s, struct err *err);
void writer_stop(struct service *s); // writes a last checkpoint; zeroed, too

// Champion and loop are not replaced between these two, which must not be nested.
const struct champion *service_hold(struct service *s);
void service_let(struct service *s);

// POST /predict and POST /feedback (docs/server.md, openapi.json). body: n bytes, without a 0 at the
// end. r is reset first. Answers are in the order of the body, and nothing of a refused request is
// counted. An id that was seen before, with the same transaction, gets its stored answer again. store
// false: nothing is stored, counted or remembered, and no id is looked up.
void predict(struct service *s, const char *body, size_t n, bool store, struct reply *r);
void feedback(struct service *s, const char *body, size_t n, struct reply *r);

// GET /decisions?id=: one decision as it was stored, with its inputs, and its labels until now. ids
// and keys of the transaction are pseudonyms, except the id that was asked for, n bytes.
void record(struct service *s, const char *id, size_t n, struct reply *r);

// Replace the champion by the registry's. Refused where its file is not the one that was trained,
// or where it has other columns or features than the running state; RELOAD_LATER where there is no
// thread for it. Reports the outcome.
enum { RELOAD_LATER = -2 };
int service_reload(struct service *s, struct err *err);

// Call service_reload if the registry's ledger has changed and names another champion than the one
// that decides, and update what GET /loop answers. The thread needs a large stack: JSON recurses.
void service_watch(struct service *s);

#endif
