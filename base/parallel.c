#define _GNU_SOURCE // sched_getaffinity
#include "base/parallel.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

unsigned parallel_threads(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

struct call {
    parallel_fn *fn;
    void *arg;
    unsigned i;
    pthread_t thread;
    bool started;
    int rc;
    struct err err;
};

static void *run(void *p)
{
    struct call *c = p;
    c->rc = c->fn(c->arg, c->i, &c->err);
    return NULL;
}

int parallel_run(unsigned n, parallel_fn *fn, void *arg, struct err *err)
{
    assert(n <= PARALLEL_MAX);
    if (n == 1) // the server's way for one request: no allocation
        return fn(arg, 0, err);
    struct call *calls = xcalloc(n, sizeof *calls);
    for (unsigned i = 0; i < n; i++) {
        struct call *c = &calls[i];
        *c = (struct call){.fn = fn, .arg = arg, .i = i};
        c->started = i + 1 < n && pthread_create(&c->thread, NULL, run, c) == 0;
    }
    int rc = 0;
    for (unsigned i = n; i-- > 0;) { // backwards: the last call is for this thread
        struct call *c = &calls[i];
        if (c->started)
            pthread_join(c->thread, NULL);
        else
            run(c);
        if (c->rc) {
            *err = c->err;
            rc = -1;
        }
    }
    free(calls);
    return rc;
}
