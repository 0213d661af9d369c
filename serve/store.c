// Opens, creates and identifies the database; begins and commits. Rows are store_rows.c's, their order
// store_read.c's.
#include "serve/store.h"

#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CACHE_KIB = 65536, BUSY_MS = 1000 };

int store_failed(const struct store *s, const char *what, struct err *err)
{
    return err_set(err, "%s: cannot %s: %s", s->path, what, sqlite3_errmsg(s->db));
}

static int execute(struct store *s, const char *what, const char *sql, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_failed(s, what, err);
}

int store_prepare(struct store *s, enum store_statement which, const char *sql, struct err *err)
{
    if (!sql)
        return err_set(err, "%s: out of memory", s->path);
    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->statements[which], NULL))
        return store_failed(s, "prepare a statement", err);
    return 0;
}

int store_run(struct store *s, sqlite3_stmt *q, const char *what, struct err *err)
{
    int rc = sqlite3_step(q) == SQLITE_DONE ? 0 : store_failed(s, what, err);
    sqlite3_reset(q);
    return rc;
}

// A number that a query returns.
static int query(struct store *s, const char *sql, int64_t *x, struct err *err)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    *x = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_failed(s, "read", err);
}

// ---- opening ---------------------------------------------------------------------------------------

char *store_name_beside(const char *path, const char *end)
{
    const size_t size = strlen(path) + strlen(end) + 1;
    char *name = malloc(size);
    if (name)
        snprintf(name, size, "%s%s", path, end);
    return name;
}

// Two servers on one file would each know half of the windows. A record lock, since a child that writes
// a checkpoint does not inherit it.
static int take_lock(struct store *s, struct err *err)
{
    char path[4096];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(path, sizeof path, "%s.lock", s->path);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return err_sys(err, "%s: cannot open the lock", path);
    if (fcntl(s->lock, F_SETLK, &whole) == 0)
        return 0;
    if (errno == EACCES || errno == EAGAIN)
        return err_set(err, "%s: another server writes to it", s->path);
    return err_sys(err, "%s: cannot lock", path);
}

// Names that SQLite takes for something else, and files that are none of its, are refused before anything
// is made beside them.
static int check_path(const struct store *s, struct err *err)
{
    static const char magic[] = "SQLite format 3";
    char begin[sizeof magic] = {0};
    struct stat st;
    if (!*s->path || *s->path == ':' || strncmp(s->path, "file:", 5) == 0)
        return err_set(err, "--database '%s': give the path of a file, like var/assay.db", s->path);
    if (stat(s->path, &st))
        return 0; // it is new
    FILE *f = S_ISREG(st.st_mode) ? fopen(s->path, "rb") : NULL;
    const size_t n = f ? fread(begin, 1, sizeof begin, f) : 0;
    if (f)
        fclose(f);
    if (f && (n == 0 || memcmp(begin, magic, sizeof magic) == 0))
        return 0;
    return err_set(
        err, "%s: is no SQLite database, or cannot be read; give --database a path of its own",
        s->path);
}

// Made here, so that nobody else can read it, and neither its log, which takes the file's mode. Its folder
// must be there: a mistyped name would begin a new history.
static int make_file(const struct store *s, struct err *err)
{
    int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "%s: cannot open or make the database there", s->path);
    close(fd);
    return 0;
}

static int check_kind(struct store *s, int64_t *schema, struct err *err)
{
    int64_t application, tables;
    if (query(s, "PRAGMA application_id", &application, err) ||
        query(s, "PRAGMA user_version", schema, err) ||
        query(s, "SELECT count(*) FROM sqlite_schema", &tables, err))
        return -1;
    if (tables > 0 && application != STORE_APPLICATION)
        return err_set(err, "%s: a database, but none of serve's", s->path);
    if (*schema > STORE_SCHEMA)
        return err_set(err,
                       "%s: was written by a newer program (schema %" PRId64
                       ", this one knows %d); use that one",
                       s->path, *schema, STORE_SCHEMA);
    return 0;
}

// Where there is no shared memory, SQLite goes on without.
static int check_log(struct store *s, struct err *err)
{
    sqlite3_stmt *q = NULL;
    const bool wal = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode", -1, &q, NULL) == SQLITE_OK &&
                     sqlite3_step(q) == SQLITE_ROW &&
                     strcmp((const char *)sqlite3_column_text(q, 0), "wal") == 0;
    sqlite3_finalize(q);
    return wal ? 0 : err_set(err, "%s: is no file that keeps a write-ahead log", s->path);
}

static int connect(struct store *s, enum store_durability durability, struct err *err)
{
    char pragmas[256];
    if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
        return s->db ? store_failed(s, "open", err) : err_set(err, "%s: out of memory", s->path);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    int64_t schema;
    if (check_kind(s, &schema, err))
        return -1;
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=0;"
             "PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY",
             durability == STORE_FULL ? "FULL" : "NORMAL", CACHE_KIB);
    if (execute(s, "set up", pragmas, err) || check_log(s, err) ||
        (schema == 0 && store_create(s, err)))
        return -1;
    return store_log_start(s, pragmas, err);
}

// The order numbers that are there, in both tables.
static int find_range(struct store *s, struct err *err)
{
    int64_t event, label;
    if (query(s, "SELECT max(seq) FROM prediction", &event, err) ||
        query(s, "SELECT max(seq) FROM feedback", &label, err) ||
        query(s, "SELECT value FROM meta WHERE key = 'dropped'", &s->dropped, err) ||
        query(s, "SELECT value FROM meta WHERE key = 'next'", &s->next, err))
        return -1;
    event = event > label ? event : label;
    s->next = s->next > event ? s->next : event + 1; // meta's is from when rows were dropped
    if (query(s, "SELECT min(seq) FROM prediction", &s->first, err))
        return -1;
    s->first = s->first ? s->first : s->next;
    return 0;
}

static int load_served(struct store *s, struct err *err)
{
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(s->db, "SELECT id, version, sha256, threshold FROM model ORDER BY id",
                           -1, &q, NULL))
        return store_failed(s, "read the models", err);
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        struct served *m = calloc(1, sizeof *m);
        if (!m)
            break;
        m->id = sqlite3_column_int64(q, 0);
        m->version = sqlite3_column_int64(q, 1);
        snprintf(m->sha256, sizeof m->sha256, "%s", (const char *)sqlite3_column_text(q, 2));
        m->threshold = sqlite3_column_double(q, 3);
        served_describe(m);
        m->next = s->served;
        s->served = m;
    }
    if (rc != SQLITE_DONE)
        store_failed(s, "read the models", err);
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? 0 : -1;
}

// Ids that were in memory only when the last process ended.
static int load_ids(struct store *s, struct err *err)
{
    const int column = schema_find_kind(&s->plan->schema, COLUMN_ID);
    if (column < 0)
        return 0;
    char *sql = sqlite3_mprintf("SELECT \"t_%w\", seq FROM prediction WHERE seq >= "
                                "coalesce((SELECT value FROM meta WHERE key = 'merged'), 0) "
                                "ORDER BY seq",
                                s->plan->schema.columns[column].name);
    sqlite3_stmt *q = NULL;
    int rc = sql ? sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    while (rc == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        if (ids_add(&s->ids, (uint64_t)sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)))
            rc = SQLITE_NOMEM;
    rc = sqlite3_finalize(q) == SQLITE_OK && rc == SQLITE_OK ? 0 : -1;
    return rc ? store_failed(s, "read the ids", err) : 0;
}

int store_open(struct store *s, const char *path, const struct plan *plan,
               const struct dictionary *dictionaries, enum store_durability durability,
               struct err *err)
{
    *s = (struct store){.path = strdup(path),
                        .lock = -1,
                        .plan = plan,
                        .dictionaries = dictionaries,
                        .n_lanes = plan->n_label_lanes};
    if (!s->path)
        return err_set(err, "out of memory");
    if (check_path(s, err) || make_file(s, err) || take_lock(s, err) || connect(s, durability, err))
        return -1;
    return 0;
}

void store_close(struct store *s)
{
    for (size_t i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    for (size_t i = 0; i < STORE_FILES; i++)
        free(s->files[i]);
    store_log_stop(s);
    sqlite3_close(s->db); // moves the log into the file
    if (s->path && s->lock >= 0)
        close(s->lock);
    ids_release(&s->ids);
    while (s->served) {
        struct served *next = s->served->next;
        free(s->served);
        s->served = next;
    }
    free(s->path);
    *s = (struct store){.lock = -1};
}

// ---- identity --------------------------------------------------------------------------------------

int store_put_meta(struct store *s, const char *key, uint64_t value, struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_PUT_META];
    sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, (int64_t)value);
    return store_run(s, q, "write the table meta", err);
}

static int check_identity(struct store *s, const struct store_identity *is, struct err *err)
{
    int64_t plan, base, key;
    if (query(s, "SELECT value FROM meta WHERE key = 'plan_xxh3'", &plan, err) ||
        query(s, "SELECT value FROM meta WHERE key = 'base_xxh3'", &base, err) ||
        query(s, "SELECT value FROM meta WHERE key = 'key_fingerprint'", &key, err))
        return -1;
    if ((uint64_t)plan != plan_checksum(s->plan))
        return err_set(
            err,
            "%s: holds transactions with other [columns] or [features] than the model's; "
            "keep it elsewhere and start with a new one (--database)",
            s->path);
    if ((uint64_t)key != is->key_fingerprint)
        return err_set(err, "%s: its pseudonyms were made under another key than this one",
                       s->path);
    if ((uint64_t)base != is->base)
        return err_set(
            err,
            "%s: goes on from another state than this one; give --state the snapshot that it "
            "began with, or keep it elsewhere and start with a new one (--database)",
            s->path);
    return 0;
}

static int write_identity(struct store *s, const struct store_identity *is, struct err *err)
{
    if (store_begin(s, err) || store_put_meta(s, "plan_xxh3", plan_checksum(s->plan), err) ||
        store_put_meta(s, "base_xxh3", is->base, err) ||
        store_put_meta(s, "key_fingerprint", is->key_fingerprint, err))
        return -1;
    return store_commit(s, err);
}

// Where the files are, once all of them are there.
static int note_places(struct store *s, struct err *err)
{
    static const char *const ends[STORE_FILES] = {
        [STORE_MAIN] = "", [STORE_WAL] = "-wal", [STORE_SHM] = "-shm"};
    struct stat st;
    for (size_t i = 0; i < STORE_FILES; i++) {
        if (!(s->files[i] = store_name_beside(s->path, ends[i])))
            return err_set(err, "out of memory");
        if (stat(s->files[i], &st))
            return err_sys(err, "%s: cannot look at it", s->files[i]);
        s->inodes[i] = st.st_ino;
    }
    return 0;
}

int store_claim(struct store *s, const struct store_identity *identity, struct err *err)
{
    int64_t known;
    if (query(s, "SELECT count(*) FROM meta WHERE key = 'plan_xxh3'", &known, err) ||
        note_places(s, err))
        return -1;
    if (known && check_identity(s, identity, err))
        return -1;
    if (store_prepare_rows(s, err) || (!known && write_identity(s, identity, err)))
        return -1;
    return find_range(s, err) || load_served(s, err) || load_ids(s, err) ? -1 : 0;
}

// ---- transactions of the database ------------------------------------------------------------------

// Whoever opened the file with sqlite3 and holds a write lock is waited for once, for BUSY_MS, and then no
// more until he has let go.
int store_begin(struct store *s, struct err *err)
{
    sqlite3_stmt *q = s->statements[STORE_BEGIN];
    const int rc = sqlite3_step(q);
    const bool held = rc == SQLITE_BUSY;
    if (rc != SQLITE_DONE)
        store_failed(s, "begin a transaction", err);
    sqlite3_reset(q);
    if (held != atomic_exchange(&s->held, held))
        sqlite3_busy_timeout(s->db, held ? 0 : BUSY_MS);
    if (held)
        return STORE_BUSY;
    return rc == SQLITE_DONE ? 0 : -1;
}

// A range of ids that has grown old goes to the table, and what was dropped since goes from there.
static int merge_ids(struct store *s, struct err *err)
{
    const struct ids_range *r = ids_due(&s->ids);
    sqlite3_stmt *put = s->statements[STORE_PUT_SEEN], *sweep = s->statements[STORE_SWEEP_SEEN];
    const uint64_t low = (uint64_t)s->ids.due << 56, high = low | (UINT64_MAX >> 8);
    sqlite3_bind_int64(sweep, 1, (int64_t)low); // as signed numbers ranges do not wrap either
    sqlite3_bind_int64(sweep, 2, (int64_t)high);
    sqlite3_bind_int64(sweep, 3, s->first);
    if (s->dropped > 0 && store_run(s, sweep, "drop old ids", err)) // reads the whole range
        return -1;
    for (size_t i = 0; i < r->n; i++) {
        sqlite3_bind_int64(put, 1, (int64_t)r->seen[i].id);
        sqlite3_bind_int64(put, 2, r->seen[i].order);
        if (store_run(s, put, "write ids", err))
            return -1;
    }
    ids_drop(&s->ids);
    return store_put_meta(s, "merged", (uint64_t)ids_lowest(&s->ids, s->next), err);
}

// What goes into a file that has lost its name is gone with the process. Those who open another one under
// its name would damage the first.
static int check_places(struct store *s, struct err *err)
{
    struct stat st;
    for (size_t i = 0; i < STORE_FILES; i++)
        if (stat(s->files[i], &st) || st.st_ino != s->inodes[i])
            return err_set(
                err,
                "%s: was moved, removed or replaced under the server; put it back, with all "
                "that belongs to it, before you start it again",
                s->files[i]);
    return 0;
}

int store_commit(struct store *s, struct err *err)
{
    if (check_places(s, err))
        return -1;
    while (ids_want_merge(&s->ids))
        if (merge_ids(s, err))
            return -1;
    return store_run(s, s->statements[STORE_COMMIT], "commit", err);
}

int64_t store_bytes(const struct store *s)
{
    struct stat st;
    const int64_t bytes = stat(s->files[STORE_MAIN], &st) == 0 ? (int64_t)st.st_size : 0;
    return bytes + (stat(s->files[STORE_WAL], &st) == 0 ? (int64_t)st.st_size : 0);
}

// The library has synced the file itself when it moved the log there.
int store_sync(const struct store *s, struct err *err)
{
    const char *log = s->files[STORE_WAL];
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(err, "%s: cannot open", log);
    int rc = fsync(fd) ? err_sys(err, "%s: cannot sync", log) : 0;
    close(fd);
    return rc;
}
