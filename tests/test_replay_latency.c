// The histogram of durations against the sorted durations themselves.
#include "serve/replay_latency.h"
#include "tests/scratch.h"

#include <math.h>

enum { N = 20000 };

static struct latency histogram;

static int empty(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// From nanoseconds to hours: as many values of 10 bits as of 40.
static uint64_t random_duration(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> (24 + (*seed >> 17) % 36);
}

// The smallest that at least the share q does not exceed, by its definition.
static uint64_t exact(const uint64_t *sorted, size_t n, double q)
{
    size_t k = 0;
    while (k + 1 < n && (double)(k + 1) < q * (double)n)
        k++;
    return sorted[k];
}

static void quantiles_are_those_of_the_sorted_values_within_a_128th(void **state)
{
    static const double shares[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.99999, 1};
    static uint64_t values[N];
    uint64_t seed = 5;
    (void)state;
    for (size_t i = 0; i < N; i++)
        latency_add(&histogram, values[i] = random_duration(&seed));
    qsort(values, N, sizeof *values, compare);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        uint64_t want = exact(values, N, shares[i]);
        uint64_t found = latency_quantile(&histogram, shares[i]);
        if (found < want || (double)(found - want) > (double)want / 128)
            fail_msg("quantile %g: %ju, exact is %ju", shares[i], (uintmax_t)found,
                     (uintmax_t)want);
    }
    assert_int_equal(latency_quantile(&histogram, 1), values[N - 1]);
    assert_int_equal(histogram.n, N);
    assert_int_equal(histogram.max, values[N - 1]);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 256; v++)
        latency_add(&histogram, v);
    for (uint64_t v = 0; v < 256; v++)
        assert_int_equal(latency_quantile(&histogram, (double)(v + 1) / 256), v);
}

// Each alone below a larger one, so that the answer is an edge and not the largest.
static void every_power_of_two_and_its_neighbours_find_their_bucket(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit < 64; bit++)
        for (int step = -1; step <= 1; step++) {
            uint64_t v = (UINT64_C(1) << bit) + (uint64_t)(int64_t)step;
            empty(NULL);
            latency_add(&histogram, v);
            latency_add(&histogram, UINT64_MAX);
            uint64_t found = latency_quantile(&histogram, 0.5);
            assert_true(found >= v);
            assert_true(found - v <= v / 128);
            assert_true(latency_quantile(&histogram, 1) == UINT64_MAX);
        }
}

static void an_empty_histogram_says_0(void **state)
{
    (void)state;
    assert_int_equal(latency_quantile(&histogram, 0.5), 0);
    assert_int_equal(latency_quantile(&histogram, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(quantiles_are_those_of_the_sorted_values_within_a_128th, empty),
        cmocka_unit_test_setup(small_values_are_exact, empty),
        cmocka_unit_test_setup(every_power_of_two_and_its_neighbours_find_their_bucket, empty),
        cmocka_unit_test_setup(an_empty_histogram_says_0, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
