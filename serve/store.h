// store: the database of served transactions, var/assay.db: SQLite in WAL mode. The server has three
// connections: one that writes, one that moves the log into the file (store_log.c), and one that reads
// what the dashboard shows (counters.h). docs/database.md describes the tables.
//
// Every transaction with its inputs and decision, and every label that came later, is a row with an
// order number. Replaying the rows in their order over the snapshot that the database began with
// gives the state again, to the bit.
//
// store_begin and store_commit enclose a group of requests; acknowledge only after the commit.
// Errors: -1 and SQLite's message with the file. After a failed write only store_close may follow.
// The store borrows plan and dictionaries and is not thread-safe.
#ifndef SERVE_STORE_H
#define SERVE_STORE_H

#include "features/state.h"
#include "ingest/table.h"
#include "serve/reply.h"
#include "train/model.h"

#include <pthread.h>
#include <sqlite3.h>

// ---- a decision, decision.c ----
//
// The model's answer for one transaction, and the text that a client reads. A stored decision is
// written again to the same bytes.

enum { N_REASONS = 4 };

struct decision {
    int64_t version; // of the model, in the registry
    char sha256[65]; // of the model
    double threshold, probability;
    bool review;
    bool repeated; // its id was known: this is the stored answer
    int n_reasons;
    struct reason reasons[N_REASONS]; // the largest |contribution| first
};

// x[n_inputs]: the event's inputs; outside[n_inputs]: set to 1 for each that lies outside the range
// of training.
void decision_make(struct decision *d, const struct model *m, const float *x,
                   unsigned char *outside);
// The member "id", as it was sent, and a comma.
void decision_write_id(const json_t *id, struct reply *r);
// A time of the data: a text, or the number of a row where these have no time.
void decision_write_time(int64_t time, const struct plan *p, struct reply *r);
// The members from "probability" on; and "reasons" alone.
void decision_write_members(const struct decision *d, const unsigned char *outside,
                            const struct plan *p, struct reply *r);
void decision_write_reasons(const struct decision *d, const struct plan *p, struct reply *r);

// ---- the database ----

enum { STORE_SCHEMA = 3, STORE_APPLICATION = 0x41534159 }; // PRAGMA user_version, application_id

struct store_log {        // the writer's, except what the lock protects
    sqlite3 *writer, *db; // connections of the writer, NULL before the start, and of the thread
    pthread_t thread;
    int asked;            // pages when a move was last asked for
    pthread_mutex_t lock; // around the rest
    pthread_cond_t work;
    unsigned begun;   // how often the log was restarted
    int pages, moved; // of the log, and how many of them are in the file, too
    bool wanted, stop;
};

struct store_row { // a transaction with its decision
    int64_t order;
    int64_t received; // milliseconds since 1970
    int64_t clock;    // the data clock: time of the newest event, of its own request included
    struct decision decision;
    int64_t *values;        // [schema.n]: each holds a value of its column's C type
    const char **texts;     // [schema.n]: of category columns
    float *x;               // [n_inputs]
    unsigned char *outside; // [n_inputs]: 1 where x lay outside the range of the model's training
    double *label_values;   // [2][n_lanes]: added to each lane if it is genuine, if it is fraud
    int label;              // store_get's: the newest known (store_labels_as_of), -1: none
};
struct store_row *store_rows_new(const struct plan *p, size_t n); // [n], to be freed

struct store_label { // that became known, or changed
    int was, label;  // was: -1 where none was known
};

struct store_identity {       // what a database goes on from, and cannot change
    uint64_t plan;            // its checksum
    uint64_t base;            // checksum of the snapshot that it began with
    uint64_t key_fingerprint; // of its pseudonyms
};

enum store_statement {
    STORE_INSERT,
    STORE_ROW,
    STORE_FIND,
    STORE_NEWEST,
    STORE_PUT_ID,
    STORE_LABELS,
    STORE_PUT_LABEL,
    STORE_PUT_MODEL,
    STORE_STATEMENTS
};
enum { STORE_KEPT = 65536, STORE_RANGES = 256 }; // ids in memory, and their ranges
enum { STORE_BUSY_MS = 1000 };                   // that a lock of another program is waited for
enum { STORE_FILES = 3 };                        // the database, its log and SQLite's shared memory

struct store {
    char *files[STORE_FILES], *path; // path: the first of them
    ino_t inodes[STORE_FILES];
    atomic_bool held; // another program was found to hold a write lock; any thread may read it
    int lock;         // descriptor of the lock file
    sqlite3 *db;
    struct store_identity identity;
    const struct plan *plan;
    const struct dictionary *dictionaries; // [plan->schema.n]: of categories
    sqlite3_stmt *statements[STORE_STATEMENTS];
    struct store_log log;
    struct store_ids {
        struct store_id {
            int64_t id, order;
        } * ids; // [n]
        size_t n, size;
    } ids[STORE_RANGES];   // of the newest rows, by the highest byte; empty in a reader
    size_t kept;           // ids in all ranges
    int id_range;          // whose ids move to the table next
    int64_t swept;         // ids of lower order numbers will be there when all ranges have moved
    struct decision model; // whose model was written last
    int64_t model_id;      // and its id there
    struct store_row *one; // what store_get returns
    const void **columns;  // [schema.n]: the places of its values, for struct events
    int64_t next;          // the next order number
};

// Creates the database if it is missing. Refuses a symbolic link, and a database of another plan,
// identity or schema. Commits survive the end of the process, with full a power cut, too.
int store_open(struct store *s, const char *path, const struct plan *plan,
               const struct dictionary *dictionaries, bool full,
               const struct store_identity *identity, struct err *err);
// To read an existing one, while a server may write to it: first its identity, then, with the plan
// of that identity, the rest. It holds back the log only while one of these functions runs.
int store_open_reader(struct store *s, const char *path, struct err *err);
int store_bind(struct store *s, const struct plan *plan, const struct dictionary *dictionaries,
               struct err *err);
// A reader of what this process has open.
int store_open_second(struct store *s, const struct store *first, struct err *err);
void store_close(struct store *s); // also zeroed, or after a failed store_open

// STORE_BUSY where another program holds a write lock: after a second, and from then on at once.
enum { STORE_BUSY = 1 };
int store_begin(struct store *s, struct err *err);
int store_commit(struct store *s, struct err *err);
// Bytes on disk, with the write-ahead log.
int64_t store_bytes(const struct store *s);
// Sync all that was committed to disk, whatever the durability; any process may.
int store_sync(const struct store *s, struct err *err);

// *order: 0 where no transaction of that id is there.
int store_find(struct store *s, uint64_t id, int64_t *order, struct err *err);
// *order: set to 0 where no transaction has that number.
int store_has(struct store *s, int64_t *order, struct err *err);
// *row stays valid until the next store_get, store_begin or store_commit.
int store_get(struct store *s, int64_t order, const struct store_row **row, struct err *err);
// From now on store_get returns the newest label whose clock is not later. The last row becomes invalid.
void store_labels_as_of(struct store *s, int64_t clock);
// Add ,"labels":[...]}, the transaction's labels in their order as the last member.
int store_write_labels(struct store *s, int64_t order, struct reply *r, struct err *err);
// The row gets the next order number, and now as its time of receipt.
int store_put(struct store *s, const struct store_row *row, struct err *err);
// order: of the transaction. clock: the data clock.
int store_put_label(struct store *s, int64_t order, int64_t clock, const struct store_label *label,
                    struct err *err);
// Tell the state the label of the row that store_get has returned.
void store_relabel(const struct store *s, const struct store_label *label, struct state *state);
// Call take for each transaction and label with from <= order number < until, in their order, until
// it returns -1. row: the transaction, also of a label; label: NULL for a transaction.
typedef int store_take(void *arg, const struct store_row *row, const struct store_label *label,
                       struct err *err);
int store_each(struct store *s, int64_t from, int64_t until, store_take *take, void *arg,
               struct err *err);
// The same for the newest n transactions, or reviews, of the newest `among`, the newest first.
int store_each_newest(struct store *s, int among, bool reviews, int n, store_take *take, void *arg,
                      struct err *err);
// The inputs and probabilities of the newest n transactions: x[n][n_inputs], probabilities[n].
// Returns how many there are, or can be read.
size_t store_newest(struct store *s, size_t n, float *x, double *probabilities);

// The same as store_each for the transactions with from <= time < until, by time, equal times by
// order. Memory of both: up to 48 bytes for each, and SQLite's sort.
int store_each_by_time(struct store *s, int64_t from, int64_t until, store_take *take, void *arg,
                       struct err *err);

// store_log.c: a second connection that moves the log into the file.
int store_log_start(struct store_log *l, sqlite3 *writer, const char *path, const char *pragmas,
                    struct err *err);
// Keep the log short: after each commit, when no request waits.
void store_log_tend(struct store_log *l);
void store_log_stop(struct store_log *l);

// Run SQL, in sqlite3_mprintf's format. x[i] takes column i of the last row, and x[0] is 0 without
// rows; x may be NULL.
int store_execute(struct store *s, const char *what, int64_t *x, struct err *err, const char *fmt,
                  ...);
// ---- recovery.c: the state that the rows lead to, from a snapshot or a checkpoint on. The server
// starts with it, and `export --verify` checks with it what was served. ----

// The texts of categories that the plan asks for: fills d[p->schema.n], which is zeroed.
int dictionaries_of_plan(struct dictionary *d, const struct plan *p, struct err *err);
// Initialises the state, too; after an error there is nothing to release.
int recovery_load(struct state *s, const struct plan *p, const struct dictionary *dictionaries,
                  uint64_t key_fingerprint, const char *path, struct err *err);

struct replayed {
    uint64_t rows, values, differ; // transactions; their inputs and label values
    struct err first;              // about the first value that differs
};
// Replay what the store holds after the state's position, and compare each row's inputs and label
// values with the stored ones. A difference means that the file was altered, or that this program
// computes differently than the one that wrote it. A server may write meanwhile.
int recovery_replay(struct state *s, struct store *store, struct replayed *found, struct err *err);

// ---- between store.c and store_open.c ----

int store_failed(const struct store *s, const char *what, struct err *err); // with SQLite's message
int store_keep_ids(struct store *s, struct err *err);                       // the newest, in memory
int store_prepare(struct store *s, struct err *err);                        // the statements
// Check that the files are where they were. The first call notes where they are.
int store_check_places(struct store *s, struct err *err);

#endif
