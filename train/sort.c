// Radix sort of 64-bit keys, and of doubles through keys that have the same order.
#include "train/sort.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES = 8, VALUES = 256 };

static const uint64_t SIGN = UINT64_C(1) << 63;

static unsigned byte_of(uint64_t key, int b)
{
    return (unsigned)(key >> (8 * b)) & 0xff;
}

// One stable pass by byte b, whose values occur counts[] times.
static void scatter(const uint64_t *from, uint64_t *to, size_t n, int b, const size_t *counts)
{
    size_t next[VALUES], sum = 0;
    for (int v = 0; v < VALUES; v++) {
        next[v] = sum;
        sum += counts[v];
    }
    for (size_t i = 0; i < n; i++)
        to[next[byte_of(from[i], b)]++] = from[i];
}

int sort_keys(uint64_t *keys, size_t n)
{
    size_t counts[BYTES][VALUES] = {{0}};
    if (n < 2)
        return 0;
    uint64_t *other = malloc(n * sizeof *other);
    if (!other)
        return -1;
    for (size_t i = 0; i < n; i++)
        for (int b = 0; b < BYTES; b++)
            counts[b][byte_of(keys[i], b)]++;
    uint64_t *from = keys, *to = other;
    for (int b = 0; b < BYTES; b++) {
        if (counts[b][byte_of(from[0], b)] == n)
            continue;
        scatter(from, to, n, b, counts[b]);
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys)
        memcpy(keys, from, n * sizeof *keys);
    free(other);
    return 0;
}

// IEEE 754: the bits of positive numbers stand in the numbers' order, those of negative ones in the
// reverse.
static uint64_t to_key(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static double from_key(uint64_t key)
{
    uint64_t bits = key & SIGN ? key ^ SIGN : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int sort_doubles(double *values, size_t n)
{
    uint64_t *keys = malloc((n + 1) * sizeof *keys);
    if (!keys)
        return -1;
    for (size_t i = 0; i < n; i++)
        keys[i] = to_key(values[i]);
    int rc = sort_keys(keys, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        values[i] = from_key(keys[i]);
    free(keys);
    return rc;
}
