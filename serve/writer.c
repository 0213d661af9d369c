// The one thread that changes the state and writes the database, with its queue and its checkpoints.
//
// Group commit: it takes all jobs that wait, runs them in the order in which they came, commits once,
// and only then lets the requests go on. So the database has the events in the order of the state, and
// everything that is acknowledged is committed.
#define _GNU_SOURCE // closefrom, pthread_cond_clockwait
#include "serve/service.h"

#include "base/progress.h"

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
// The writer waits so long for jobs, while it has chores and otherwise.
static const double chore_seconds = 0.05, idle_seconds = 10;

enum outcome {
    FAILED,    // a write has failed: nothing is decided until the server is started again
    BUSY,      // another program holds the database
    FULL,      // too many jobs wait
    COMMITTED, // the only outcome after which the state holds what the job did
};

struct job {
    int (*run)(void *arg, struct err *err);
    void *arg;
    enum outcome outcome;
    struct job *next;
};

void service_report(struct service *s, bool fatal, const char *fmt, ...)
{
    char what[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (s->files->report)
        s->files->report(what, fatal);
}

static void break_down(struct service *s, const struct err *err)
{
    if (!atomic_exchange(&s->writer.broken, true))
        service_report(s, true, "%s; nothing more is decided", err->msg);
}

static int refuse(struct reply *r, enum outcome outcome)
{
    static const char *const why[] = {
        [FAILED] = "a write has failed; nothing is decided until the server is started again",
        [BUSY] = "another program holds the database, so nothing is decided; try again later",
        [FULL] = "too many requests are waiting already; try again later",
    };
    return r ? reply_problem(r, 503, NULL, -1, "%s", why[outcome]) : -1;
}

int service_ready(struct service *s, struct reply *r)
{
    if (atomic_load(&s->writer.broken))
        return refuse(r, FAILED);
    return atomic_load(&s->store.held) ? refuse(r, BUSY) : 0;
}

int service_run(struct service *s, int (*run)(void *arg, struct err *err), void *arg,
                struct reply *r)
{
    struct writer *w = &s->writer;
    struct job job = {.run = run, .arg = arg};
    if (atomic_fetch_add(&w->waiting, 1) >= (size_t)s->files->queue) {
        atomic_fetch_sub(&w->waiting, 1);
        atomic_fetch_add(&s->counters.refused, 1);
        return refuse(r, FULL);
    }
    pthread_mutex_lock(&w->lock);
    const uint32_t group = w->group;
    if (w->first) {
        w->last->next = &job;
    } else {
        w->first = &job;
        pthread_cond_signal(&w->work);
    }
    w->last = &job;
    pthread_mutex_unlock(&w->lock);
    // Groups end in order, and group g + 2 is gathered only after group g has ended, so all that
    // sleep on a futex wait for the same group. A late waker may find a later number; numbers may
    // wrap.
    atomic_uint *done = &w->done[group % 2];
    for (uint32_t is; (int32_t)((is = atomic_load(done)) - group) < 0;)
        syscall(SYS_futex, done, FUTEX_WAIT_PRIVATE, is, NULL, NULL, 0);
    atomic_fetch_sub(&w->waiting, 1);
    if (job.outcome != COMMITTED)
        return refuse(r, job.outcome);
    return r->status == 200 ? 0 : -1;
}

// All jobs that wait become a group; NULL after a while without any, or at the end.
static struct job *take_group(struct service *s, uint32_t *group, bool *stopping)
{
    struct writer *w = &s->writer;
    const bool chores = w->child > 0 || atomic_load(&s->store.held);
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
static int begin(struct service *s, struct err *err)
{
    const bool was_held = atomic_load(&s->store.held);
    const int rc = store_begin(&s->store, err);
    const bool held = rc == STORE_BUSY;
    if (rc >= 0 && held != was_held)
        service_report(s, false,
                       held ? "%s: another program holds it; requests get 503 until it lets go"
                            : "%s: is free again; transactions are decided again",
                       s->store.path);
    return rc;
}

int64_t service_now(const struct service *s)
{
    const struct writer *w = &s->writer;
    const int64_t clock = (int64_t)time(NULL),
                  newest = s->files->data_clock ? atomic_load(&w->newest) : w->base_time;
    return newest > clock ? newest : clock;
}

void service_note_state(struct service *s)
{
    struct writer *w = &s->writer;
    s->state.position = (uint64_t)s->store.next - 1;
    atomic_store(&w->position, (long long)s->state.position);
    atomic_store(&w->newest, (long long)s->state.last_time);
}

static enum outcome run_jobs(struct service *s, struct job *jobs)
{
    const double start = seconds_now();
    struct err err;
    if (atomic_load(&s->writer.broken))
        return FAILED;
    int rc = begin(s, &err);
    if (rc == STORE_BUSY)
        return BUSY;
    for (struct job *j = jobs; j && rc == 0; j = j->next)
        rc = j->run(j->arg, &err);
    if (rc || store_commit(&s->store, &err)) {
        break_down(s, &err);
        return FAILED;
    }
    service_note_state(s);
    counters_observe(&s->counters.commit, counters_seconds, seconds_now() - start);
    return COMMITTED;
}

// The rows must be on disk before the checkpoint, else a power cut could leave it ahead of them.
static int save_checkpoint(struct service *s, struct err *err)
{
    const struct writer *w = &s->writer;
    struct output o = {0};
    const int rc = store_sync(&s->store, err) || output_open(&o, w->checkpoint, 0600, err) ||
                           snapshot_save(&s->state, o.fd, w->checkpoint, err) ||
                           output_commit(&o, err)
                       ? -1
                       : 0;
    output_release(&o);
    return rc;
}

// A child has the state as it is now, at the cost of copying page tables. It keeps none of the
// parent's files open and ends with the writer's thread.
static void fork_checkpoint(struct service *s)
{
    struct writer *w = &s->writer;
    struct err err;
    const pid_t parent = getpid(), child = fork();
    w->due_order = (int64_t)s->state.position + CHECKPOINT_ROWS;
    w->due_time = (int64_t)time(NULL) + RETRY_SECONDS; // unless it succeeds
    w->child = child > 0 ? child : 0;
    w->child_order = (int64_t)s->state.position;
    if (child != 0)
        return;
    closefrom(STDERR_FILENO + 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (save_checkpoint(s, &err) == 0)
        _exit(0);
    service_report(s, false, "%s", err.msg);
    _exit(1);
}

// Take note of a child that has ended. One that failed has reported why.
static void end_checkpoint(struct service *s, int options)
{
    struct writer *w = &s->writer;
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
static int probe(struct service *s, struct err *err)
{
    const int rc = begin(s, err);
    return rc == STORE_BUSY ? 0 : rc || store_commit(&s->store, err) ? -1 : 0;
}

static bool is_unsaved(const struct service *s)
{
    return (int64_t)s->state.position > s->writer.saved_order;
}

static void do_chores(struct service *s)
{
    const struct writer *w = &s->writer;
    struct err err;
    end_checkpoint(s, WNOHANG);
    if (atomic_load(&w->broken))
        return;
    if (atomic_load(&s->store.held) && probe(s, &err))
        break_down(s, &err);
    else if (w->child == 0 && ((int64_t)s->state.position >= w->due_order ||
                               (is_unsaved(s) && time(NULL) >= w->due_time)))
        fork_checkpoint(s);
    store_log_tend(&s->store.log);
}

static void *write_jobs(void *arg)
{
    struct service *s = arg;
    struct writer *w = &s->writer;
    struct err err;
    for (bool stopping = false; !stopping;) {
        uint32_t group;
        struct job *jobs = take_group(s, &group, &stopping);
        if (jobs) {
            const enum outcome outcome = run_jobs(s, jobs);
            for (struct job *j = jobs; j; j = j->next)
                j->outcome = outcome;
            atomic_store(&w->done[group % 2], group);
            syscall(SYS_futex, &w->done[group % 2], FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
            sched_yield(); // first the requests that bring the next group: half as many commits
        }
        do_chores(s);
    }
    end_checkpoint(s, 0); // with a last one the next start has nothing to replay
    if (!atomic_load(&w->broken) && is_unsaved(s) && save_checkpoint(s, &err))
        service_report(s, false, "%s", err.msg);
    return NULL;
}

int writer_start(struct service *s, struct err *err)
{
    struct writer *w = &s->writer;
    w->group = 2; // done is 0, so those before it count as ended
    w->due_order = w->saved_order + CHECKPOINT_ROWS;
    w->due_time = (int64_t)time(NULL) + CHECKPOINT_SECONDS;
    if (pthread_create(&w->thread, NULL, write_jobs, s))
        return err_set(err, "cannot start a thread to write the database");
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
    }
    free(w->checkpoint);
    *w = (struct writer){0};
}
