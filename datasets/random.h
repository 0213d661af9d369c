// random: the simulator's random numbers, the same on every machine.
//
//     struct rng r = rng_stream(seed, 3);     any number of independent streams for a seed
//     double x = rng_uniform(&r, 5, 100);
//
// Only the logarithm in rng_normal comes from libm. Its last bit may differ between systems, which
// changes no rounded value, unless one lies within 1e-12 of the rounding's edge.
#ifndef DATASETS_RANDOM_H
#define DATASETS_RANDOM_H

#include <math.h>
#include <stdint.h>

// xoshiro256++ (Blackman, Vigna: Scrambled Linear Pseudorandom Number Generators, 2021).
struct rng {
    uint64_t s[4];
};

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): output i
// is a mixture of the bits of seed + (i + 1) · gamma. Stream k starts from outputs 4k to 4k + 3.
static inline struct rng rng_stream(int64_t seed, uint64_t stream)
{
    const uint64_t gamma = 0x9e3779b97f4a7c15;
    uint64_t x = (uint64_t)seed + 4 * stream * gamma;
    struct rng r;
    for (int i = 0; i < 4; i++) {
        uint64_t z = x += gamma;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        r.s[i] = z ^ z >> 31;
    }
    return r;
}

static inline uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s, result = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static inline double rng_uniform(struct rng *r, double low, double high)
{
    return low + (high - low) * ((double)(rng_next(r) >> 11) * 0x1p-53);
}

// 0 .. n-1; the bias is below n / 2^32.
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

// Two independent standard normal values: Marsaglia's polar method.
static inline void rng_normal(struct rng *r, double z[2])
{
    double u, v, q;
    do {
        u = rng_uniform(r, -1, 1);
        v = rng_uniform(r, -1, 1);
        q = u * u + v * v;
    } while (q >= 1 || q == 0);
    double f = sqrt(-2 * log(q) / q);
    z[0] = u * f;
    z[1] = v * f;
}

// Poisson with mean m, given exp(-m), for small m: Knuth, The Art of Computer Programming 2, 3.4.1.
static inline int rng_poisson(struct rng *r, double exp_minus_m)
{
    int n = 0;
    double p = rng_uniform(r, 0, 1);
    while (p > exp_minus_m) {
        p *= rng_uniform(r, 0, 1);
        n++;
    }
    return n;
}

// k different numbers below n (all n where n < k), for small k; returns how many. out: [k].
static inline uint32_t rng_sample(struct rng *r, uint32_t n, uint32_t k, uint32_t *out)
{
    k = k < n ? k : n;
    for (uint32_t i = 0; i < k;) {
        out[i] = rng_below(r, n);
        uint32_t j = 0;
        while (out[j] != out[i])
            j++;
        i += j == i;
    }
    return k;
}

#endif
