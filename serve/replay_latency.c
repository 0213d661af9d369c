// Which bucket a duration has, and back.
//
// A value of more than LATENCY_BITS bits is shifted right until that many are left; the first of
// them is 1, so each shift has HALF buckets of its own, behind those of the shifts before.
#include "serve/replay_latency.h"

#include <math.h>

enum { HALF = 1 << (LATENCY_BITS - 1) };

static unsigned shift_of(uint64_t value)
{
    unsigned bits = value ? 64 - (unsigned)__builtin_clzll(value) : 0;
    return bits > LATENCY_BITS ? bits - LATENCY_BITS : 0;
}

static uint64_t bucket_of(uint64_t value)
{
    unsigned shift = shift_of(value);
    return (uint64_t)shift * HALF + (value >> shift);
}

// The largest value of a bucket.
static uint64_t upper_edge(uint64_t bucket)
{
    unsigned shift = bucket < 2 * HALF ? 0 : (unsigned)(bucket / HALF) - 1;
    uint64_t first = (bucket - (uint64_t)shift * HALF) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

void latency_add(struct latency *l, uint64_t nanoseconds)
{
    l->counts[bucket_of(nanoseconds)]++;
    l->n++;
    if (nanoseconds > l->max)
        l->max = nanoseconds;
}

uint64_t latency_quantile(const struct latency *l, double q)
{
    uint64_t rank = (uint64_t)ceil(q * (double)l->n), seen = 0;
    for (uint64_t b = 0; b < LATENCY_BUCKETS; b++) {
        seen += l->counts[b];
        if (seen > 0 && seen >= rank) {
            uint64_t edge = upper_edge(b);
            return edge < l->max ? edge : l->max;
        }
    }
    return l->max;
}
