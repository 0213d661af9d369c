// train/sort: against qsort, on the orders and bits that a radix sort could get wrong.
#include "train/sort.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the four before it
#include <cmocka.h>

enum { N = 20000 };
static double x[N], expected[N];

static uint64_t next_random(void)
{
    static uint64_t s = 88172645463325252u; // Marsaglia's xorshift64
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}

static int compare_doubles(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static void assert_sorts_like_qsort(size_t n)
{
    memcpy(expected, x, n * sizeof *x);
    qsort(expected, n, sizeof *x, compare_doubles);
    assert_int_equal(sort_doubles(x, n), 0);
    for (size_t i = 0; i < n; i++)
        assert_true(x[i] == expected[i]);
}

static void doubles_of_all_bits_sort_like_qsort(void **state)
{
    (void)state;
    for (size_t i = 0; i < N;) {
        uint64_t bits = next_random();
        memcpy(&x[i], &bits, sizeof bits);
        i += isfinite(x[i]) != 0;
    }
    assert_sorts_like_qsort(N);
}

static void values_that_began_as_floats_sort_like_qsort(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++)
        x[i] = (float)(1e-3 * (double)(int32_t)next_random());
    assert_sorts_like_qsort(N);
}

static void few_distinct_values_sort_like_qsort(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++)
        x[i] = (double)(next_random() % 3) - 1;
    assert_sorts_like_qsort(N);
    assert_sorts_like_qsort(N); // sorted already
    for (size_t i = 0; i < N; i++)
        x[i] = 7.5; // every pass can be left out
    assert_sorts_like_qsort(N);
}

static void extremes_and_short_arrays_sort(void **state)
{
    (void)state;
    const double extremes[] = {INFINITY, -0.0, DBL_MAX, 5e-324, 0.0,
                               -DBL_MAX, 1,    -5e-324, -1,     -INFINITY};
    memcpy(x, extremes, sizeof extremes);
    assert_sorts_like_qsort(10);
    assert_true(signbit(x[4]) && !signbit(x[5]));
    for (size_t n = 0; n < 4; n++) {
        for (size_t i = 0; i < n; i++)
            x[i] = -(double)i;
        assert_sorts_like_qsort(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_of_all_bits_sort_like_qsort),
        cmocka_unit_test(values_that_began_as_floats_sort_like_qsort),
        cmocka_unit_test(few_distinct_values_sort_like_qsort),
        cmocka_unit_test(extremes_and_short_arrays_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
