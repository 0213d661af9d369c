// SQLite's write-ahead log goes into the file on a thread of its own, for that takes 20 ms of fsync for
// every 4000 pages, in which nobody would be answered.
//
// For this there is a second connection, which does nothing else. Versions of SQLite before 3.51.3 can
// damage a file where a checkpoint begins while another connection restarts the log, which the first
// commit does after all of the log was moved (sqlite.org/wal.html, "The WAL-reset bug"). So one begins
// here only when pages were written since the last ended: then not all is moved, and no commit restarts the
// log before this one has ended. While commits go on the log thus is never moved whole; when it has grown
// to its bound, the writer moves the short rest itself, and its next commit begins the log anew.
#include "serve/store.h"

#include <string.h>

// Pages of the log that are moved at a time, from which on it is to begin anew, and that the writer moves
// itself then: 16, 128 and 2 MB.
enum { LOG_PAGES = 4000, LOG_BOUND = 32000, LOG_REST = 500 };

static void *move_log(void *arg)
{
    struct store_log *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (!l->wanted) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        pthread_mutex_lock(&l->lock);
        l->wanted = false; // where it failed, as on a full disk, the writer's commits will say so
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

// After each commit: how many pages the log has.
static int count_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store_log *l = arg;
    (void)db;
    (void)name;
    if (pages < l->pages)
        l->moved = 0; // it began anew
    l->pages = pages;
    return SQLITE_OK;
}

int store_log_start(struct store *s, const char *pragmas, struct err *err)
{
    struct store_log *l = &s->log;
    if (sqlite3_open_v2(s->path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
        sqlite3_exec(l->db, pragmas, NULL, NULL, NULL))
        return err_set(err, "%s: cannot open a second time: %s", s->path, sqlite3_errmsg(l->db));
    pthread_mutex_init(&l->lock, NULL); // cannot fail without attributes
    pthread_cond_init(&l->work, NULL);
    if (pthread_create(&l->thread, NULL, move_log, l))
        return err_set(err, "there is no thread to move the database's log on");
    l->started = true;
    sqlite3_wal_hook(s->db, count_pages, l);
    return 0;
}

void store_log_tend(struct store *s)
{
    struct store_log *l = &s->log;
    const int rest = l->pages - l->moved;
    if (rest < LOG_PAGES && l->pages < LOG_BOUND)
        return;
    pthread_mutex_lock(&l->lock);
    const bool idle = !l->wanted, whole = idle && l->pages >= LOG_BOUND && rest < LOG_REST;
    if (idle && !whole) {
        l->moved = l->pages;
        l->wanted = true;
        pthread_cond_signal(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
    if (whole) {
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        l->moved = l->pages;
    }
}

void store_log_stop(struct store *s)
{
    struct store_log *l = &s->log;
    if (l->started) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_signal(&l->work);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
        pthread_mutex_destroy(&l->lock);
        pthread_cond_destroy(&l->work);
    }
    sqlite3_close(l->db);
    memset(l, 0, sizeof *l);
}
