// Threads for one function, started and joined in one call.
#define _GNU_SOURCE // sched_getaffinity
#include "base/parallel.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

unsigned parallel_threads(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

struct call {
    void (*fn)(void *arg, unsigned i);
    void *arg;
    unsigned i;
};

static void *run(void *p)
{
    const struct call *call = p;
    call->fn(call->arg, call->i);
    return NULL;
}

void parallel_run(unsigned n, void (*fn)(void *arg, unsigned i), void *arg)
{
    struct call calls[PARALLEL_MAX];
    pthread_t threads[PARALLEL_MAX];
    bool started[PARALLEL_MAX];
    assert(n <= PARALLEL_MAX);
    for (unsigned i = 0; i + 1 < n; i++) {
        calls[i] = (struct call){fn, arg, i};
        started[i] = pthread_create(&threads[i], NULL, run, &calls[i]) == 0;
    }
    if (n > 0)
        fn(arg, n - 1);
    for (unsigned i = 0; i + 1 < n; i++) {
        if (started[i])
            pthread_join(threads[i], NULL);
        else
            fn(arg, i);
    }
}
