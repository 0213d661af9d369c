// parallel: run one function on several threads and wait for all.
//
// Stages split their work into pieces whose number does not depend on the number of threads, and
// add partial results in the order of the pieces, so results do not depend on it either.
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

// Processors this process may use, at least 1.
unsigned parallel_threads(void);

enum { PARALLEL_MAX = 1024 };

// Call fn(arg, i) for i in 0 .. n-1, the last on the calling thread, the others each on a new one
// (or here, one after the other, where the system gives no thread). Returns when all have. n is at
// most PARALLEL_MAX.
void parallel_run(unsigned n, void (*fn)(void *arg, unsigned i), void *arg);

#endif
