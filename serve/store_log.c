// SQLite's write-ahead log goes into the file on a thread of its own, for that takes two fsyncs, in which
// nobody would be answered. Commits stall, too, while much is on its way to the disk, so little is moved
// at a time: with 100 pages instead of 4000 the slowest 1 % of the requests wait half as long.
//
// For this there is a second connection, which does nothing else. Versions of SQLite before 3.51.3
// can damage a file where a checkpoint begins while another connection restarts the log, which the
// first commit does after all of the log was moved (sqlite.org/wal.html, "The WAL-reset bug"). So one
// begins here only when pages are left to move: then no commit restarts the log before it has ended.
// While commits go on the log thus is never moved whole; when it has grown to its bound, the writer
// moves the short rest itself, and its next commit begins the log anew; at twice the bound, on a slow
// disk, whatever the rest is.
#include "serve/store.h"

#include <string.h>

// Pages of the log, of 4 KB: that are moved at a time at least, from which on it is to begin anew, that the
// writer moves itself then, and that lie between two tries.
enum { LOG_PAGES = 100, LOG_BOUND = 8000, LOG_REST = 400, LOG_STEP = 50 };

// How many pages of the log are in the file when it returns. Where a reader stands in the way, fewer than
// all; where it failed, as on a full disk, the writer's commits will say so.
static int move_pages(sqlite3 *db)
{
    int pages = 0, moved = 0;
    sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
    return moved > 0 ? moved : 0;
}

static void *move_log(void *arg)
{
    struct store_log *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (!l->wanted) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        const unsigned begun = l->begun;
        pthread_mutex_unlock(&l->lock);
        const int moved = move_pages(l->db);
        pthread_mutex_lock(&l->lock);
        if (l->begun == begun) // else the pages that were moved are of the log before
            l->moved = moved;
        l->wanted = false;
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
    if (pages < l->pages) { // it began anew
        pthread_mutex_lock(&l->lock);
        l->begun++;
        l->moved = 0;
        pthread_mutex_unlock(&l->lock);
        l->asked = 0;
    }
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
    if (l->pages - l->asked < LOG_STEP)
        return;
    pthread_mutex_lock(&l->lock);
    const int rest = l->pages - l->moved;
    const bool idle = !l->wanted, due = rest >= LOG_PAGES || (rest > 0 && l->pages >= LOG_BOUND),
               whole =
                   idle && l->pages >= LOG_BOUND && (rest < LOG_REST || l->pages >= 2 * LOG_BOUND);
    if (idle && due)
        l->asked = l->pages;
    if (idle && due && !whole) {
        l->wanted = true;
        pthread_cond_signal(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
    if (whole && due)
        l->moved = move_pages(s->db); // the other thread is idle
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
