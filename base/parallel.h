// parallel: run one function on several threads, wait for all, and hear of the first failure.
//
// Stages split their work into pieces whose number does not depend on the number of threads, and
// add partial results in the order of the pieces, so results do not depend on it either.
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include "base/err.h"

// Processors this process may use, at least 1.
unsigned parallel_threads(void);

enum { PARALLEL_MAX = 1024 };

// Call fn(arg, i, err) for i in 0 .. n-1, the last on the calling thread, the others each on a new
// one (or here, one after the other, where the system gives no thread). Returns when all have: 0, or
// -1 with the message of the smallest i that failed. n is at most PARALLEL_MAX.
// It has no failure of its own.
typedef int parallel_fn(void *arg, unsigned i, struct err *err);
int parallel_run(unsigned n, parallel_fn *fn, void *arg, struct err *err);

#endif
