// replay_latency: a histogram of durations of fixed size, whatever their number and span.
//
// Log-linear, as Gil Tene's HdrHistogram (hdrhistogram.org): below 2^LATENCY_BITS nanoseconds each
// value has a bucket of its own; above, each power of two is cut into 2^(LATENCY_BITS - 1) buckets
// of equal width. So a quantile is told too high by less than 1/128 of itself, and never too low;
// the largest is exact.
//
//     static struct latency l;                zeroed: empty
//     latency_add(&l, 250000)
//     latency_quantile(&l, 0.99)              nanoseconds
#ifndef SERVE_REPLAY_LATENCY_H
#define SERVE_REPLAY_LATENCY_H

#include <stdint.h>

enum { LATENCY_BITS = 8, LATENCY_BUCKETS = (64 - LATENCY_BITS + 2) << (LATENCY_BITS - 1) };

struct latency {
    uint64_t n, max;
    uint64_t counts[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, uint64_t nanoseconds);
// The smallest value that at least the share q of all does not exceed, 0 <= q <= 1, as the upper
// edge of its bucket; 0 where there is none.
uint64_t latency_quantile(const struct latency *l, double q);

#endif
