// SQLite's write-ahead log moves into the file on a thread and a connection of its own, because that
// takes two fsyncs, during which no request would be answered. Commits also stall while much data is
// on its way to the disk, so little is moved at a time: with 100 pages instead of 4000 the slowest
// 1 % of the requests wait half as long.
//
// Versions of SQLite before 3.51.3 can damage a file where a checkpoint begins while another
// connection restarts the log (sqlite.org/wal.html, "The WAL-reset bug"), and the first commit after
// all of the log was moved restarts it. So the thread begins a move only while pages are left to
// move, and never moves the log whole under steady commits. When the log has grown to its bound, the
// writer moves the short rest itself, and its next commit restarts the log; at twice the bound, on a
// slow disk, it moves the rest whatever its length.
#include "serve/store.h"

// Pages of the log, of 4 KB: moved at a time at least, from which on it is to be restarted, that
// the writer moves itself then, and between two tries.
enum { LOG_PAGES = 100, LOG_BOUND = 8000, LOG_REST = 400, LOG_STEP = 50 };

// Returns the number of pages of the log that are in the file: not all where a reader is in the way.
// If it fails, as on a full disk, the writer's commits report it.
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
        if (l->begun == begun) // else they are pages of the log before the restart
            l->moved = moved;
        l->wanted = false;
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

// SQLite calls it after each commit of the writer.
static int count_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store_log *l = arg;
    (void)db, (void)name;
    pthread_mutex_lock(&l->lock);
    if (pages < l->pages) { // it was restarted
        l->begun++;
        l->moved = l->asked = 0;
    }
    l->pages = pages;
    pthread_mutex_unlock(&l->lock);
    return SQLITE_OK;
}

int store_log_start(struct store_log *l, sqlite3 *writer, const char *path, const char *pragmas,
                    struct err *err)
{
    if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
        sqlite3_exec(l->db, pragmas, NULL, NULL, NULL))
        return err_set(err, "%s: cannot open a second time: %s", path, sqlite3_errmsg(l->db));
    if (pthread_create(&l->thread, NULL, move_log, l))
        return err_set(err, "cannot start a thread to move the database's log");
    l->writer = writer;
    sqlite3_wal_hook(writer, count_pages, l);
    return 0;
}

void store_log_tend(struct store_log *l)
{
    if (l->pages - l->asked < LOG_STEP)
        return;
    pthread_mutex_lock(&l->lock);
    const int rest = l->pages - l->moved;
    const bool full = l->pages >= LOG_BOUND, due = rest >= LOG_PAGES || (rest > 0 && full),
               whole = full && (rest < LOG_REST || l->pages >= 2 * LOG_BOUND),
               move = !l->wanted && due; // while the other thread is idle
    if (move) {
        l->asked = l->pages;
        l->wanted = !whole;
        pthread_cond_signal(&l->work);
    }
    pthread_mutex_unlock(&l->lock);
    if (move && whole)
        l->moved = move_pages(l->writer);
}

void store_log_stop(struct store_log *l)
{
    if (l->writer) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_signal(&l->work);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    sqlite3_close(l->db);
    memset(l, 0, sizeof *l);
}
