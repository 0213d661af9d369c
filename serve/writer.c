// The one thread that changes the state and writes the database, its queue, and the checkpoints.
#define _GNU_SOURCE // closefrom, prctl
#include "base/output.h"
#include "base/progress.h"
#include "features/snapshot.h"
#include "serve/service.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RESTART_SECONDS = 5 }; // that a supervisor may take

// A checkpoint each so many rows, or each hour in which rows came, bounds what a restart replays. While a
// child writes one or rows are being dropped, or rows wait for a checkpoint, the writer looks after it
// that often though no job comes.
enum {
    CHECKPOINT_ROWS = 500000,
    CHECKPOINT_SECONDS = 3600,
    RETRY_SECONDS = 60,
    CHORE_MS = 50,
    CHECKPOINT_MS = 10000,
    DROP_ROWS = 256
};

static const char BROKEN[] =
    "a write has failed, and nothing is decided until the server is started again";
static const char HELD[] =
    "another program holds the database, so nothing is decided; try again later";

static int refuse(struct reply *r, bool held)
{
    reply_problem(r, 503, NULL, -1, "%s", held ? HELD : BROKEN);
    r->retry_after = held ? 1 : RESTART_SECONDS;
    return -1;
}

int service_ready(struct service *s, struct reply *r)
{
    const bool broken = atomic_load(&s->writer.broken);
    if (!broken && !atomic_load(&s->store.held))
        return 0;
    return r ? refuse(r, !broken) : -1;
}

static void break_down(struct service *s, const struct err *err)
{
    if (atomic_load(&s->writer.broken))
        return;
    atomic_store(&s->writer.broken, true);
    service_report(s, true, "%s; nothing more is decided", err->msg);
}

// ---- the queue -------------------------------------------------------------------------------------

// Groups are let go in order, and group g + 2 is gathered only after g was let go: so all who sleep on a
// futex wait for one group. Who is late to wake may find a later number; numbers may wrap.
static void wait_for(atomic_uint *done, uint32_t group)
{
    for (uint32_t is; (int32_t)((is = atomic_load(done)) - group) < 0;)
        syscall(SYS_futex, done, FUTEX_WAIT_PRIVATE, is, NULL, NULL, 0);
}

static void let_go(atomic_uint *done, uint32_t group)
{
    atomic_store(done, group);
    syscall(SYS_futex, done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

int service_run(struct service *s, struct job *job, struct reply *r)
{
    struct writer *w = &s->writer;
    if (atomic_fetch_add(&w->waiting, 1) >= w->limit) {
        atomic_fetch_sub(&w->waiting, 1);
        atomic_fetch_add(&s->counters.refused, 1);
        reply_problem(r, 503, NULL, -1, "%zu requests are waiting already; try again later",
                      w->limit);
        r->retry_after = 1;
        return -1;
    }
    job->outcome = JOB_FAILED;
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    const uint32_t group = w->group;
    const bool idle = !w->first;
    if (idle)
        w->first = job;
    else
        w->last->next = job;
    w->last = job;
    if (idle)
        pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    wait_for(&w->done[group % 2], group);
    atomic_fetch_sub(&w->waiting, 1);
    if (job->outcome == JOB_COMMITTED)
        return 0;
    return refuse(r, job->outcome == JOB_BUSY);
}

// How long the writer may wait for jobs; -1: as long as none come.
static long idle_ms(const struct service *s)
{
    const struct writer *w = &s->writer;
    if (w->child > 0 || w->drop_from > 0 || atomic_load(&s->store.held))
        return CHORE_MS;
    return (int64_t)s->state.position > w->saved_order ? CHECKPOINT_MS : -1;
}

// All jobs that wait are a group; NULL where there is something else to do, or nothing more.
static struct job *take_group(struct service *s, uint32_t *group, bool *stopping)
{
    struct writer *w = &s->writer;
    const long ms = idle_ms(s);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping)
        if (ms < 0)
            pthread_cond_wait(&w->work, &w->lock);
        else if (pthread_cond_timedwait(&w->work, &w->lock, &until))
            break;
    struct job *jobs = w->first;
    *group = w->group;
    w->group += jobs != NULL;
    w->first = w->last = NULL;
    *stopping = w->stopping;
    pthread_mutex_unlock(&w->lock);
    return jobs;
}

// Somebody with sqlite3, say, may hold the database; nothing has been changed when it is found out. Told
// when it begins and when it ends.
static int begin(struct service *s, struct err *err)
{
    const bool was_held = atomic_load(&s->store.held);
    const int rc = store_begin(&s->store, err);
    const bool held = rc == STORE_BUSY;
    if (rc >= 0 && held != was_held)
        service_report(s, false,
                       held ? "%s: another program holds it; requests get 503 until it lets go"
                            : "%s: was let go; transactions are decided again",
                       s->store.path);
    return rc;
}

// ---- checkpoints -----------------------------------------------------------------------------------

// What the checkpoint holds must be on disk as rows, too, else a power cut could leave it ahead. The one
// before is kept, for where this one is damaged some day; a damaged one does not take its place.
static int save_checkpoint(struct service *s, struct err *err)
{
    struct output o = {0};
    int rc = store_sync(&s->store, err);
    if (rc == 0)
        rc = output_open(&o, s->writer.checkpoint, 0600, err);
    if (rc == 0)
        rc = snapshot_save(&s->state, o.fd, s->writer.checkpoint, err);
    if (rc == 0 && s->writer.checkpoint_is_good &&
        rename(s->writer.checkpoint, s->writer.previous) && errno != ENOENT)
        rc = err_sys(err, "%s: cannot rename", s->writer.checkpoint);
    if (rc == 0)
        rc = output_commit(&o, err);
    output_release(&o);
    return rc;
}

// The next is due after so many rows more, or so much time in which rows came.
static void plan_checkpoint(struct service *s, int64_t rows, int64_t seconds)
{
    s->writer.due_order = (int64_t)s->state.position + rows;
    s->writer.due_time = (int64_t)time(NULL) + seconds;
}

// A child has the state as it is now, for nothing but the time to copy page tables. It keeps nothing
// open that is the parent's, and ends with the writer's thread.
static void fork_checkpoint(struct service *s)
{
    struct writer *w = &s->writer;
    struct err err;
    const pid_t parent = getpid();
    w->child = fork();
    w->child_order = (int64_t)s->state.position;
    if (w->child > 0)
        return;
    if (w->child < 0) { // there is no process to be had
        w->child = 0;
        plan_checkpoint(s, CHECKPOINT_ROWS / 2, RETRY_SECONDS);
        return;
    }
    closefrom(STDERR_FILENO + 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (save_checkpoint(s, &err) == 0)
        _exit(0);
    dprintf(STDERR_FILENO, "serve: %s\n", err.msg); // no lock of stdio, which may be taken for ever
    _exit(1);
}

static void checkpoint_saved(struct service *s, int64_t order)
{
    struct writer *w = &s->writer;
    w->previous_order = w->saved_order;
    w->checkpoint_is_good = true;
    atomic_store(&w->saved_order, order);
    atomic_store(&w->saved_time, (long long)time(NULL));
    plan_checkpoint(s, CHECKPOINT_ROWS, CHECKPOINT_SECONDS);
    if (w->retain_seconds > 0)
        w->drop_from = s->store.first;
}

static void child_ended(struct service *s, int status)
{
    s->writer.child = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        checkpoint_saved(s, s->writer.child_order);
    else // it said why
        plan_checkpoint(s, CHECKPOINT_ROWS / 2, RETRY_SECONDS);
}

static void look_after_child(struct service *s)
{
    struct writer *w = &s->writer;
    int status;
    if (w->child > 0 && waitpid(w->child, &status, WNOHANG) == w->child)
        child_ended(s, status);
}

// Some rows that only history needs, in a transaction of their own.
static int drop_some(struct service *s, struct err *err)
{
    struct writer *w = &s->writer;
    const int64_t until = s->state.last_time - w->retain_seconds;
    const int rc = begin(s, err);
    if (rc) // another time
        return rc == STORE_BUSY ? 0 : -1;
    const int dropped =
        store_drop(&s->store, &w->drop_from, w->previous_order + 1, until, DROP_ROWS, err);
    if (dropped < 0 || store_commit(&s->store, err))
        return -1;
    if (dropped == 0)
        w->drop_from = 0;
    return 0;
}

// No request may come to find out: who asks first whether it is ready sends none.
static int try_again(struct service *s, struct err *err)
{
    const int rc = begin(s, err);
    if (rc == 0)
        return store_commit(&s->store, err);
    return rc == STORE_BUSY ? 0 : -1;
}

static bool wants_checkpoint(const struct service *s)
{
    const struct writer *w = &s->writer;
    const int64_t at = (int64_t)s->state.position;
    return at >= w->due_order || (at > w->saved_order && time(NULL) >= w->due_time);
}

static void do_chores(struct service *s)
{
    struct writer *w = &s->writer;
    struct err err;
    look_after_child(s);
    if (atomic_load(&w->broken))
        return;
    if ((atomic_load(&s->store.held) && try_again(s, &err)) ||
        (w->drop_from > 0 && drop_some(s, &err)))
        break_down(s, &err);
    if (w->child == 0 && wants_checkpoint(s))
        fork_checkpoint(s);
}

// ---- the loop --------------------------------------------------------------------------------------

static enum job_outcome run_jobs(struct service *s, struct job *jobs, struct err *err)
{
    const double start = seconds_now();
    if (atomic_load(&s->writer.broken))
        return JOB_FAILED;
    const int rc = begin(s, err);
    if (rc)
        return rc == STORE_BUSY ? JOB_BUSY : JOB_FAILED;
    for (struct job *j = jobs; j; j = j->next)
        if (j->run(s, j->arg, err))
            return JOB_FAILED;
    if (store_commit(&s->store, err))
        return JOB_FAILED;
    s->state.position = (uint64_t)s->store.next - 1;
    atomic_store(&s->writer.position, (long long)s->state.position);
    atomic_store(&s->writer.newest, (long long)s->state.last_time);
    counters_commit(&s->counters, seconds_now() - start);
    return JOB_COMMITTED;
}

// What is in the state and not yet in a checkpoint is saved, so that the next start has nothing to do.
static void save_last(struct service *s)
{
    struct writer *w = &s->writer;
    struct err err;
    int status;
    if (w->child > 0 && waitpid(w->child, &status, 0) == w->child)
        child_ended(s, status);
    if (!atomic_load(&w->broken) && (int64_t)s->state.position > w->saved_order &&
        save_checkpoint(s, &err))
        err_report("serve", &err);
}

static void *write_jobs(void *arg)
{
    struct service *s = arg;
    struct err err;
    bool stopping = false;
    while (!stopping) {
        uint32_t group;
        struct job *jobs = take_group(s, &group, &stopping);
        if (jobs) {
            const enum job_outcome outcome = run_jobs(s, jobs, &err);
            if (outcome == JOB_FAILED)
                break_down(s, &err);
            for (struct job *j = jobs; j; j = j->next)
                j->outcome = outcome;
            let_go(&s->writer.done[group % 2], group);
            sched_yield(); // those that were let go, and bring the next, run first: half as many commits
        }
        do_chores(s);
        store_log_tend(&s->store);
    }
    save_last(s);
    return NULL;
}

int writer_start(struct service *s, struct err *err)
{
    struct writer *w = &s->writer;
    pthread_condattr_t monotonic;
    w->group = 2;                       // those before it count as let go: done is 0
    pthread_mutex_init(&w->lock, NULL); // cannot fail without attributes
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (w->retain_seconds > 0 && w->previous_order > 0)
        w->drop_from = s->store.first;
    plan_checkpoint(s, CHECKPOINT_ROWS - ((int64_t)s->state.position - w->saved_order),
                    CHECKPOINT_SECONDS);
    if (pthread_create(&w->thread, NULL, write_jobs, s))
        return err_set(err, "there is no thread to write the database on");
    w->started = true;
    return 0;
}

void writer_stop(struct service *s)
{
    struct writer *w = &s->writer;
    if (w->started) {
        pthread_mutex_lock(&w->lock);
        w->stopping = true;
        pthread_cond_signal(&w->work);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
        pthread_mutex_destroy(&w->lock);
        pthread_cond_destroy(&w->work);
    }
    free(w->checkpoint);
    free(w->previous);
    *w = (struct writer){0};
}
