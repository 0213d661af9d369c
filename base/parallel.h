// parallel: run one function on several threads, wait for all, and report the first failure.
//
// Stages split their work into a number of pieces that does not depend on the number of threads,
// and add partial results in the order of the pieces. So results do not depend on it either.
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include "base/err.h"

// Processors this process may use, at least 1.
unsigned parallel_threads(void);

enum { PARALLEL_MAX = 1024 };

// Call fn(arg, i, err) for i in 0 .. n-1 (n at most PARALLEL_MAX), each on its own thread, the last
// on the calling one. A call whose thread cannot be started runs on the calling thread. Returns
// when all have ended: 0, or -1 with the message of the smallest i that failed.
typedef int parallel_fn(void *arg, unsigned i, struct err *err);
int parallel_run(unsigned n, parallel_fn *fn, void *arg, struct err *err);

#endif
