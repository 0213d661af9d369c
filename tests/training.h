// training: random numbers, comparisons and a config from text, for the tests of train/.
#ifndef TESTS_TRAINING_H
#define TESTS_TRAINING_H

#include "base/config.h"
#include "tests/scratch.h"

#include <math.h>

enum { DAY = 86400, HOUR = 3600 };

static uint64_t seed;

// 0 .. m - 1, by Knuth's linear congruential generator, which is easy to repeat in Python.
static inline uint64_t draw(uint64_t m)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % m;
}

// NAN is near NAN alone.
static inline void assert_near(double got, double expected, double tolerance)
{
    if (isnan(expected) ? !isnan(got) : !(fabs(got - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", got, expected, tolerance);
}

static inline void assert_is(double got, double expected)
{
    assert_near(got, expected, 0);
}

// The caller releases it.
static inline struct config config_of(const char *text)
{
    struct config c;
    struct err err;
    must(config_load(&c, scratch_text("test.ini", text), &err), &err);
    return c;
}

#endif
