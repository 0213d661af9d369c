#define _GNU_SOURCE // closefrom, pthread_cond_clockwait
#include "serve/writer.h"

#include "base/progress.h"
#include "features/snapshot.h"

#include <limits.h>
#include <linux/futex.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// A checkpoint after so many rows, or after an hour in which rows came, bounds what a restart
// replays.
enum { CHECKPOINT_ROWS = 500000, CHECKPOINT_SECONDS = 3600, RETRY_SECONDS = 60 };
// How long the writer waits for jobs, while it has chores and otherwise.
static const double chore_seconds = 0.05, idle_seconds = 10;

void writer_report(struct writer *w, bool fatal, const char *fmt, ...)
{
    char what[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (w->report)
        w->report(what, fatal);
}

static void break_down(struct writer *w, const struct err *err)
{
    if (!atomic_exchange(&w->broken, true))
        writer_report(w, true, "%s; nothing more is decided", err->msg);
}

enum job_outcome writer_run(struct writer *w, struct job *job)
{
    if (atomic_fetch_add(&w->waiting, 1) >= w->limit) {
        atomic_fetch_sub(&w->waiting, 1);
        return JOB_FULL;
    }
    job->outcome = JOB_FAILED;
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    const uint32_t group = w->group;
    if (w->first) {
        w->last->next = job;
    } else {
        w->first = job;
        pthread_cond_signal(&w->work);
    }
    w->last = job;
    pthread_mutex_unlock(&w->lock);
    // Groups end in order, and group g + 2 is gathered only after group g has ended, so all that
    // sleep on a futex wait for the same group. A late waker may find a later number; numbers may
    // wrap.
    atomic_uint *done = &w->done[group % 2];
    for (uint32_t is; (int32_t)((is = atomic_load(done)) - group) < 0;)
        syscall(SYS_futex, done, FUTEX_WAIT_PRIVATE, is, NULL, NULL, 0);
    atomic_fetch_sub(&w->waiting, 1);
    return job->outcome;
}

// All jobs that wait become a group; NULL after a while without any, or at the end.
static struct job *take_group(struct writer *w, uint32_t *group, bool *stopping)
{
    const bool chores = w->child > 0 || atomic_load(&w->store->held);
    const double end = seconds_now() + (chores ? chore_seconds : idle_seconds);
    const struct timespec until = {(time_t)end, (long)(1e9 * fmod(end, 1))};
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping &&
           pthread_cond_clockwait(&w->work, &w->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    struct job *jobs = w->first;
    *group = w->group;
    w->group += jobs != NULL;
    w->first = NULL;
    *stopping = w->stopping;
    pthread_mutex_unlock(&w->lock);
    return jobs;
}

// Another program, sqlite3 for example, may hold the database. Reported when it starts and when it
// ends.
static int begin(struct writer *w, struct err *err)
{
    const bool was_held = atomic_load(&w->store->held);
    const int rc = store_begin(w->store, err);
    const bool held = rc == STORE_BUSY;
    if (rc >= 0 && held != was_held)
        writer_report(w, false,
                      held ? "%s: another program holds it; requests get 503 until it lets go"
                           : "%s: is free again; transactions are decided again",
                      w->store->path);
    return rc;
}

int64_t writer_now(const struct writer *w)
{
    const int64_t clock = (int64_t)time(NULL),
                  newest = w->data_clock ? atomic_load(&w->newest) : w->base_time;
    return newest > clock ? newest : clock;
}

void writer_note_state(struct writer *w)
{
    w->state->position = (uint64_t)w->store->next - 1;
    atomic_store(&w->position, (long long)w->state->position);
    atomic_store(&w->newest, (long long)w->state->last_time);
}

static enum job_outcome run_jobs(struct writer *w, struct job *jobs)
{
    const double start = seconds_now();
    struct err err;
    if (atomic_load(&w->broken))
        return JOB_FAILED;
    int rc = begin(w, &err);
    if (rc == STORE_BUSY)
        return JOB_BUSY;
    for (struct job *j = jobs; j && rc == 0; j = j->next)
        rc = j->run(j->arg, &err);
    if (rc || store_commit(w->store, &err)) {
        break_down(w, &err);
        return JOB_FAILED;
    }
    writer_note_state(w);
    counters_observe(&w->counters->commit, counters_seconds, seconds_now() - start);
    return JOB_COMMITTED;
}

// The rows must be on disk before the checkpoint, else a power cut could leave it ahead of them.
static int save_checkpoint(struct writer *w, struct err *err)
{
    struct output o = {0};
    const int rc = store_sync(w->store, err) || output_open(&o, w->checkpoint, 0600, err) ||
                           snapshot_save(w->state, o.fd, w->checkpoint, err) ||
                           output_commit(&o, err)
                       ? -1
                       : 0;
    output_release(&o);
    return rc;
}

// A child has the state as it is now, at the cost of copying page tables. It keeps none of the
// parent's files open and ends with the writer's thread.
static void fork_checkpoint(struct writer *w)
{
    struct err err;
    const pid_t parent = getpid(), child = fork();
    w->due_order = (int64_t)w->state->position + CHECKPOINT_ROWS;
    w->due_time = (int64_t)time(NULL) + RETRY_SECONDS; // unless it succeeds
    w->child = child > 0 ? child : 0;
    w->child_order = (int64_t)w->state->position;
    if (child != 0)
        return;
    closefrom(STDERR_FILENO + 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (save_checkpoint(w, &err) == 0)
        _exit(0);
    writer_report(w, false, "%s", err.msg);
    _exit(1);
}

// Take note of a child that has ended. One that failed has reported why.
static void end_checkpoint(struct writer *w, int options)
{
    int status;
    if (w->child == 0 || waitpid(w->child, &status, options) != w->child)
        return;
    w->child = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return;
    w->due_time = (int64_t)time(NULL) + CHECKPOINT_SECONDS;
    atomic_store(&w->saved_order, w->child_order);
    atomic_store(&w->saved_time, (long long)time(NULL));
}

// Load balancers stop sending requests once /readyz fails, so no request would find out that a held
// database is free.
static int probe(struct writer *w, struct err *err)
{
    const int rc = begin(w, err);
    return rc == STORE_BUSY ? 0 : rc || store_commit(w->store, err) ? -1 : 0;
}

static bool is_unsaved(const struct writer *w)
{
    return (int64_t)w->state->position > w->saved_order;
}

static void do_chores(struct writer *w)
{
    struct err err;
    end_checkpoint(w, WNOHANG);
    if (atomic_load(&w->broken))
        return;
    if (atomic_load(&w->store->held) && probe(w, &err))
        break_down(w, &err);
    else if (w->child == 0 && ((int64_t)w->state->position >= w->due_order ||
                               (is_unsaved(w) && time(NULL) >= w->due_time)))
        fork_checkpoint(w);
    store_log_tend(&w->store->log);
}

static void *write_jobs(void *arg)
{
    struct writer *w = arg;
    struct err err;
    for (bool stopping = false; !stopping;) {
        uint32_t group;
        struct job *jobs = take_group(w, &group, &stopping);
        if (jobs) {
            const enum job_outcome outcome = run_jobs(w, jobs);
            for (struct job *j = jobs; j; j = j->next)
                j->outcome = outcome;
            atomic_store(&w->done[group % 2], group);
            syscall(SYS_futex, &w->done[group % 2], FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
            sched_yield(); // first the requests that bring the next group: half as many commits
        }
        do_chores(w);
    }
    end_checkpoint(w, 0); // with a last one the next start has nothing to replay
    if (!atomic_load(&w->broken) && is_unsaved(w) && save_checkpoint(w, &err))
        writer_report(w, false, "%s", err.msg);
    return NULL;
}

int writer_start(struct writer *w, struct err *err)
{
    w->group = 2; // done is 0, so those before it count as ended
    w->due_order = w->saved_order + CHECKPOINT_ROWS;
    w->due_time = (int64_t)time(NULL) + CHECKPOINT_SECONDS;
    if (pthread_create(&w->thread, NULL, write_jobs, w))
        return err_set(err, "cannot start a thread to write the database");
    w->started = true;
    return 0;
}

void writer_stop(struct writer *w)
{
    if (w->started) {
        pthread_mutex_lock(&w->lock);
        w->stopping = true;
        pthread_cond_signal(&w->work);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    free(w->checkpoint);
    *w = (struct writer){0};
}
