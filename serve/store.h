// store: the database of served transactions, var/assay.db: SQLite in WAL mode, one connection that
// writes, and one that moves what it wrote from the log into the file (store_log.c).
// docs/database.md describes it for those who open it.
//
// Every transaction with its features and decision, and every label that came later, is a row with an
// order number; both tables share the numbers, so replaying rows in their order over the snapshot that
// the database began with gives the state again, to the bit.
//
//     store_open(&s, path, &plan, dictionaries, STORE_NORMAL, &err)
//     store_claim(&s, &identity, &err)                  is it of this state? (a new one becomes so)
//     store_begin(&s, &err)
//     store_find(&s, id, &order, &err)                  0: never seen
//     store_differs(&s, order, &row, &column, &err)     is it the transaction that was counted then?
//     store_decision(&s, order, &decision, &err)        what was answered then
//     store_put(&s, &row, &err)                         gives it the next order number
//     store_event(&s, order, &event, &err)              what a label changes of it
//     store_put_label(&s, order, was, label, now, &err)
//     store_commit(&s, &err)                            acknowledge only now
//     store_close(&s)
//
// Errors: -1 and SQLite's message with the file. After a failed write only store_close is of use, for
// nobody knows what is on disk. A file that another process writes to is refused (a lock beside it),
// so is one of a newer schema.
//
// Ownership: the store borrows plan and dictionaries; it owns the served models until store_close.
// Not thread-safe.
#ifndef SERVE_STORE_H
#define SERVE_STORE_H

#include "features/state.h"
#include "ingest/dictionary.h"
#include "serve/decision.h"
#include "serve/ids.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

enum { STORE_SCHEMA = 1, STORE_APPLICATION = 0x41534159 }; // PRAGMA user_version, application_id

enum store_durability {
    STORE_NORMAL, // survives the death of the process: synchronous=NORMAL
    STORE_FULL,   // and that of the machine: synchronous=FULL
};

enum store_statement { // for the files of the store
    STORE_BEGIN,
    STORE_COMMIT,
    STORE_INSERT,
    STORE_ROW,
    STORE_LABEL,
    STORE_PUT_LABEL,
    STORE_PUT_SERVED,
    STORE_SEEN,
    STORE_PUT_SEEN,
    STORE_SWEEP_SEEN,
    STORE_PUT_META,
    STORE_KEPT,
    STORE_FIRST,
    STORE_WINDOW,
    STORE_DROP,
    STORE_DROP_LABELS,
    STORE_STATEMENTS
};

struct store_log { // store_log.c; but for what the lock is around, the writer's
    sqlite3 *db;   // of the thread
    pthread_t thread;
    bool started;
    int pages, asked;     // pages of the log now, and when a move was last asked for
    pthread_mutex_t lock; // around the rest
    pthread_cond_t work;
    unsigned begun; // how often the log began anew
    int moved;      // pages that are in the file, too
    bool wanted, stop;
};

enum { STORE_MAIN, STORE_WAL, STORE_SHM, STORE_FILES }; // SQLite's; the last is shared memory

struct store {
    char *path;
    char *files[STORE_FILES]; // where they are
    ino_t inodes[STORE_FILES];
    atomic_bool held; // another program was found to hold a write lock; any thread may read it
    int lock;         // descriptor of the lock file
    sqlite3 *db;
    const struct plan *plan;
    const struct dictionary *dictionaries; // [plan->schema.n]: of categories
    size_t n_lanes;                        // labels_count of the plan
    sqlite3_stmt *statements[STORE_STATEMENTS];
    struct store_log log;
    struct ids ids;
    struct served *served; // the newest first
    int64_t next;          // the order number to come
    int64_t first;         // the lowest transaction that is there, or next
    int64_t dropped;       // rows below it may be missing; 0: none is
};

int store_open(struct store *s, const char *path, const struct plan *plan,
               const struct dictionary *dictionaries, enum store_durability durability,
               struct err *err);
void store_close(struct store *s); // zeroed, or after a failed store_open, too

// What a database goes on from.
struct store_identity {
    uint64_t base;            // checksum of the snapshot that it began with
    uint64_t key_fingerprint; // of the pseudonyms in it
};
int store_claim(struct store *s, const struct store_identity *identity, struct err *err);

// STORE_BUSY where another program holds a write lock for longer than a second, or still does.
enum { STORE_BUSY = 1 };
int store_begin(struct store *s, struct err *err);
int store_commit(struct store *s, struct err *err);
// After each commit, whoever made it, when nobody waits: keep the write-ahead log short.
void store_log_tend(struct store *s);
// path with "-wal", "-state" or the like behind it, to be freed; NULL: out of memory.
char *store_name_beside(const char *path, const char *end);
// Bytes on disk, with the write-ahead log.
int64_t store_bytes(const struct store *s);
// Wait until all that was committed is on disk, whatever the durability; any process may.
int store_sync(const struct store *s, struct err *err);

// ---- rows ----

// One transaction and what was decided on it.
struct store_row {
    int64_t received; // milliseconds since 1970
    const struct decision *decision;
    const void *const *columns;      // [schema.n], each [events]: of struct events
    const char *const *const *texts; // [schema.n], each [events]: of category columns, else NULL
    size_t event;
    const float *x;                // [n_inputs]
    const double *genuine, *fraud; // [n_lanes], see features/labels.h
};
int store_put(struct store *s, const struct store_row *row, struct err *err);

// *order: 0 where no transaction of that id is there.
int store_find(struct store *s, uint64_t id, int64_t *order, struct err *err);
int store_decision(struct store *s, int64_t order, struct decision *d, struct err *err);
// *column: the first of the schema in which the row of that order number is not this one; -1: none. Of
// the row only columns, texts and event are read.
int store_differs(struct store *s, int64_t order, const struct store_row *row, int *column,
                  struct err *err);

// The model's entry, made where it is new.
int store_served(struct store *s, int64_t version, const struct model *m,
                 const struct served **served, struct err *err);

// What a label changes: one event as struct events holds it, with its lanes and what is known.
struct store_event {
    const void **columns;    // [schema.n]: one value of time and keys, in values; else NULL
    int64_t *values;         // [schema.n]
    double *genuine, *fraud; // [n_lanes]
    int label;               // -1: none yet
    bool review;             // what was decided
};
int store_event_init(struct store_event *e, const struct store *s); // -1: out of memory
void store_event_release(struct store_event *e);
int store_event(struct store *s, int64_t order, struct store_event *e, struct err *err);
// order: of the transaction; was: -1 where none was known.
int store_put_label(struct store *s, int64_t order, int was, int label, int64_t received,
                    struct err *err);

// Drop transactions of times before `until`, with order numbers below `order` and without a label of
// `order` or later: what the state of `order` needs no more. Looks at n rows from *from on, and moves it
// there; returns how many were dropped, or -1.
int store_drop(struct store *s, int64_t *from, int64_t order, int64_t until, int n,
               struct err *err);

// ---- reading in order ----

// Rows of transactions, as columns: what state_run takes.
struct store_block {
    size_t n, capacity;
    void **columns;          // [schema.n][capacity]
    float **x;               // [n_inputs][capacity]: the features that were stored
    int64_t order, received; // of the last one
};
int store_block_init(struct store_block *b, const struct store *s, size_t capacity,
                     struct err *err);
void store_block_release(struct store_block *b, const struct store *s);

struct store_label {
    int64_t order, event; // event: order number of the transaction
    int was, label;
};

struct store_reader {
    sqlite3_stmt *events, *labels;
    int64_t event, label; // order numbers of the rows they stand at; INT64_MAX at the end
};
enum { STORE_END, STORE_IS_EVENT, STORE_IS_LABEL };
// Everything from that order number on.
int store_read(struct store *s, struct store_reader *r, int64_t from, struct err *err);
// The newest n transactions, and no label.
int store_read_newest(struct store *s, struct store_reader *r, int n, struct err *err);
// What comes next; then one of the two takes it.
int store_peek(const struct store_reader *r);
int store_take_event(struct store *s, struct store_reader *r, struct store_block *b,
                     struct err *err);
int store_take_label(struct store *s, struct store_reader *r, struct store_label *l,
                     struct err *err);
void store_reader_release(struct store_reader *r);
// The newest n labels that count, one a transaction, the oldest first.
int store_newest_labels(struct store *s, int n,
                        void (*take)(void *arg, int64_t order, bool review, int label), void *arg,
                        struct err *err);

// ---- for the files of the store ----

int store_put_meta(struct store *s, const char *key, uint64_t value, struct err *err);
int store_failed(const struct store *s, const char *what, struct err *err);
int store_prepare(struct store *s, enum store_statement which, const char *sql, struct err *err);
// Run a statement that returns no row, and reset it.
int store_run(struct store *s, sqlite3_stmt *q, const char *what, struct err *err);
int store_log_start(struct store *s, const char *pragmas, struct err *err);
void store_log_stop(struct store *s);
int store_create(struct store *s, struct err *err);
int store_prepare_rows(struct store *s, struct err *err);
// "SELECT ... FROM prediction" and more, with the columns of a row at these places.
enum { C_SEQ, C_RECEIVED, C_MODEL, C_PROBABILITY, C_REVIEW, C_REASONS, C_COLUMNS = C_REASONS + 8 };
char *store_select(const struct store *s, const char *more); // to be freed by sqlite3_free

#endif
