// Making and opening the database, and telling what it is.
#include "serve/store.h"

#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CACHE_KIB = 65536 };

extern const char schema_sql[]; // schema.sql

static int create(struct store *s, const struct store_identity *identity, struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    sqlite3_str *columns = sqlite3_str_new(s->db), *inputs = sqlite3_str_new(s->db);
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind != COLUMN_LABEL)
            sqlite3_str_appendf(columns, ", \"t_%w\" %s", schema->columns[c].name,
                                schema->columns[c].kind == COLUMN_NUMBER     ? "REAL"
                                : schema->columns[c].kind == COLUMN_CATEGORY ? "TEXT"
                                                                             : "INTEGER");
    for (size_t i = 0; i < s->plan->n_inputs; i++)
        sqlite3_str_appendf(inputs, "%s(%d, %Q)", i > 0 ? ", " : "", (int)i,
                            s->plan->inputs[i].name);
    char *more = sqlite3_str_finish(columns), *names = sqlite3_str_finish(inputs);
    const int rc =
        store_execute(s, "create the tables", NULL, err, schema_sql, identity->plan, identity->base,
                      identity->key_fingerprint, names, more, STORE_APPLICATION, STORE_SCHEMA);
    sqlite3_free(more);
    sqlite3_free(names);
    return rc;
}

// SQLite takes some names for something else than a file, and puts its log beside the file that a
// link names, so no link is followed. A new file is made here, so that only its owner can read it and
// its log. Its folder must exist: a mistyped name would begin a new history.
static int open_file(struct store *s, bool write, struct err *err)
{
    const int flags = write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    struct stat st;
    if (!*s->path || *s->path == ':' || strncmp(s->path, "file:", 5) == 0)
        return err_set(err, "--database '%s': give the path of a file, like var/assay.db", s->path);
    const int fd =
        open(s->path, O_NOFOLLOW | O_NONBLOCK | (write ? O_RDWR | O_CREAT : O_RDONLY), 0600);
    if (fd < 0)
        return err_sys(err, "%s: cannot open the database", s->path);
    const int unknown = fstat(fd, &st);
    close(fd);
    if (unknown || !S_ISREG(st.st_mode))
        return err_set(err, "%s: not a file; give --database a path of its own", s->path);
    if (sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL))
        return store_failed(s, "open", err);
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    return 0;
}

// Two servers on one file would each know half of the windows. A record lock, because a child that
// writes a checkpoint does not inherit it; on a file of its own, because SQLite locks the database.
static int take_lock(struct store *s, struct err *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = xasprintf("%s.lock", s->path);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (s->lock >= 0 && fcntl(s->lock, F_SETLK, &whole) == 0)
        return 0;
    if (s->lock >= 0 && (errno == EACCES || errno == EAGAIN))
        return err_set(err, "%s: another server writes to it", s->path);
    return err_sys(err, "%s.lock: cannot lock", s->path);
}

// Only reads, so that nothing is made beside a file of another program.
static int check_kind(struct store *s, int64_t *kind, struct err *err)
{
    if (store_execute(s, "read", kind, err,
                      "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM sqlite_schema) THEN 0"
                      " WHEN (SELECT application_id FROM pragma_application_id) <> %d THEN -1"
                      " ELSE (SELECT user_version FROM pragma_user_version) END",
                      STORE_APPLICATION))
        return -1;
    const int64_t schema = *kind;
    if (schema == 0 || schema == STORE_SCHEMA)
        return 0;
    if (schema < 0)
        return err_set(err, "%s: is a database of another program", s->path);
    return err_set(err,
                   "%s: was written by %s program (schema %" PRId64 "; this one reads %d); use "
                   "that program, or keep it elsewhere and start with a new one (--database)",
                   s->path, schema > STORE_SCHEMA ? "a newer" : "an older", schema, STORE_SCHEMA);
}

// Writes to an unlinked file are lost when the process ends, and another program that opens a new
// file under its name would damage the first.
int store_check_places(struct store *s, struct err *err)
{
    struct stat st;
    for (size_t i = 0; i < STORE_FILES; i++) {
        if (stat(s->files[i], &st) || (s->inodes[i] && st.st_ino != s->inodes[i]))
            return err_set(err,
                           "%s: was moved, removed or replaced under the server; put it back, with "
                           "all that belongs to it, before you start the server again",
                           s->files[i]);
        if (!s->inodes[i] && st.st_mode & (S_IRWXG | S_IRWXO) && chmod(s->files[i], 0600))
            return err_sys(err, "%s: others may read it: chmod 600 it", s->files[i]);
        s->inodes[i] = st.st_ino;
    }
    return 0;
}

static int connect(struct store *s, bool full, const struct store_identity *identity,
                   struct err *err)
{
    char pragmas[256];
    int64_t schema;
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=0;"
             "PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY",
             full ? "FULL" : "NORMAL", CACHE_KIB);
    if (check_kind(s, &schema, err) || take_lock(s, err) ||
        store_execute(s, "set up", NULL, err, "%s", pragmas) ||
        (schema == 0 && create(s, identity, err)))
        return -1;
    return store_log_start(&s->log, s->db, s->path, pragmas, err);
}

static int read_identity(struct store *s, struct err *err)
{
    int64_t is[3];
    if (store_execute(s, "read", is, err,
                      "SELECT max(value) FILTER (WHERE key = 'plan_xxh3'),"
                      " max(value) FILTER (WHERE key = 'base_xxh3'),"
                      " max(value) FILTER (WHERE key = 'key_fingerprint') FROM meta"))
        return -1;
    s->identity = (struct store_identity){(uint64_t)is[0], (uint64_t)is[1], (uint64_t)is[2]};
    return 0;
}

static int check_identity(struct store *s, const struct store_identity *wanted, struct err *err)
{
    const struct store_identity *is = &s->identity;
    const char *why =
        is->plan != wanted->plan
            ? "holds transactions with other [columns] or [features] than the model's; keep it "
              "elsewhere and start with a new one (--database, make serve DATABASE=FILE)"
        : is->key_fingerprint != wanted->key_fingerprint
            ? "its pseudonyms were made under another key than this one"
        : is->base != wanted->base
            ? "goes on from another state than this one; give --state the snapshot that it began "
              "with, or keep it elsewhere and start with a new one (--database)"
            : NULL;
    return why ? err_set(err, "%s: %s", s->path, why) : 0;
}

static void begin(struct store *s, const char *path)
{
    *s = (struct store){
        .lock = -1,
        .log = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER},
        .files = {xstrdup(path), xasprintf("%s-wal", path), xasprintf("%s-shm", path)}};
    s->path = s->files[0];
}

int store_bind(struct store *s, const struct plan *plan, const struct dictionary *dictionaries,
               struct err *err)
{
    static const char next[] = "SELECT 1 + max(coalesce((SELECT max(seq) FROM prediction), 0),"
                               " coalesce((SELECT max(seq) FROM feedback), 0))";
    const size_t n = plan->schema.n;
    s->plan = plan;
    s->dictionaries = dictionaries;
    s->one = store_rows_new(plan, 1);
    s->columns = xcalloc(n, sizeof *s->columns);
    for (size_t c = 0; c < n; c++)
        s->columns[c] = &s->one->values[c];
    return store_execute(s, "read", &s->next, err, next) || store_prepare(s, err) ? -1 : 0;
}

int store_open(struct store *s, const char *path, const struct plan *plan,
               const struct dictionary *dictionaries, bool full,
               const struct store_identity *identity, struct err *err)
{
    begin(s, path);
    s->plan = plan;
    return open_file(s, true, err) || connect(s, full, identity, err) || read_identity(s, err) ||
                   check_identity(s, identity, err) || store_check_places(s, err) ||
                   store_bind(s, plan, dictionaries, err) || store_keep_ids(s, err)
               ? -1
               : 0;
}

int store_open_reader(struct store *s, const char *path, struct err *err)
{
    int64_t schema;
    begin(s, path);
    if (open_file(s, false, err))
        return -1;
    if (check_kind(s, &schema, err)) {
        const int code = sqlite3_errcode(s->db) & 0xff;
        return code == SQLITE_CANTOPEN || code == SQLITE_READONLY
                   ? err_set(err,
                             "%s: to read it, SQLite has to write its -shm beside it: copy it "
                             "to a folder where it can",
                             path)
                   : -1;
    }
    return schema ? read_identity(s, err) : err_set(err, "%s: is an empty database", path);
}

// Not by open_file: closing a file ends all record locks that this process has on it, SQLite's too.
int store_open_second(struct store *s, const struct store *first, struct err *err)
{
    begin(s, first->path);
    if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL))
        return store_failed(s, "open", err);
    return store_bind(s, first->plan, first->dictionaries, err);
}

void store_close(struct store *s)
{
    for (size_t i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    for (size_t i = 0; i < STORE_FILES; i++)
        free(s->files[i]);
    for (size_t i = 0; i < STORE_RANGES; i++)
        free(s->ids[i].ids);
    store_log_stop(&s->log);
    sqlite3_close(s->db); // moves the log into the file
    if (s->path && s->lock >= 0)
        close(s->lock);
    free(s->one);
    free(s->columns);
    *s = (struct store){0};
}
