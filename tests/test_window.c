// features/window: one key's history against a brute force over all its earlier events, in exact
// integers, and the promises about memory and about numbers that are not finite.
#include "features/window.h"

#include "tests/support.h"

#include <float.h>
#include <math.h>

enum { N = 1500, N_LANES = 2 };

// Every kind of edge: now, past, short and long ones, and one that no event reaches.
static const int64_t edges[] = {EDGE_NOW, EDGE_PAST, 1, 2, 30, 31, 60, 3600, 86400, 1000000000};
enum { N_EDGES = sizeof edges / sizeof *edges };
static const struct shape shape = {edges, N_EDGES, N_LANES, 1000000000 + LATE_SECONDS};

static int64_t times[N];
static double values[N_LANES][N];

// A double as a whole number of 2^-64, without loss, and back, rounded once to the nearest double.
static __int128 exact(double x)
{
    double scaled = ldexp(x, 64);
    assert_true(fabs(scaled) < 0x1p126 && scaled == rint(scaled));
    return (__int128)scaled;
}

static double rounded(__int128 x)
{
    return ldexp((double)x, -64);
}

// Is event j behind the edge, seen from event i: old enough by the edge's definition?
static bool behind(size_t j, size_t i, int edge)
{
    if (edge < 0)
        return false; // from the first event on: none is left out
    if (edges[edge] == EDGE_NOW)
        return true;
    if (edges[edge] == EDGE_PAST)
        return j < i;
    return times[j] <= times[i] - edges[edge];
}

static void check_window(const struct history *h, size_t i, int upper, int lower)
{
    uint64_t count = 0;
    __int128 sums[N_LANES] = {0};
    for (size_t j = 0; j <= i; j++) {
        if (!behind(j, i, upper) || behind(j, i, lower))
            continue;
        count++;
        for (size_t l = 0; l < N_LANES; l++)
            sums[l] += exact(values[l][j]);
    }
    assert_true(history_count(h, upper, lower) == (double)count);
    for (size_t l = 0; l < N_LANES; l++)
        assert_true(same_bits(history_sum(h, &shape, l, upper, lower), rounded(sums[l])));
}

// All windows whose lower edge is further away than the upper one.
static void check_windows(const struct history *h, size_t i)
{
    for (int upper = 0; upper < N_EDGES; upper++) {
        check_window(h, i, upper, -1);
        for (int lower = 2; lower < N_EDGES; lower++)
            if (edges[lower] > edges[upper])
                check_window(h, i, upper, lower);
    }
}

// Every `stride`th event is compared, the others only counted.
static void run_against_brute_force(size_t stride)
{
    struct history h = {0};
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(history_insert(&h, &shape, times[i]), 0);
        for (size_t l = 0; l < N_LANES; l++)
            assert_int_equal(history_add(&h, &shape, l, values[l][i]), 0);
        double since = history_since(&h, &shape);
        assert_true(i == 0 ? isinf(since) && since > 0
                           : since == (double)(times[i] - times[i - 1]));
        assert_int_equal(history_last(&h, &shape), times[i]);
        if (i % stride == 0 || i == N - 1)
            check_windows(&h, i);
    }
    history_release(&h);
}

static void counts_and_sums_of_cents_equal_brute_force_to_the_bit(void **state)
{
    (void)state;
    uint64_t seed = 7;
    int64_t time = -500000;
    for (size_t i = 0; i < N; i++) {
        times[i] = time += random_step(&seed);
        values[0][i] = (double)random_below(&seed, 100000) / 100;
        values[1][i] = ((double)random_below(&seed, 100000) - 50000) / 100;
    }
    run_against_brute_force(17);
}

static void sums_over_forty_binary_orders_of_magnitude_are_rounded_correctly(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (size_t i = 0; i < N; i++) {
        times[i] = (int64_t)i / 3 * 10;
        for (size_t l = 0; l < N_LANES; l++) {
            double mantissa = (double)(random_bits(&seed) >> 11) * 0x1p-53;
            values[l][i] = ldexp(mantissa, (int)random_below(&seed, 40) - 20) *
                           (random_below(&seed, 2) ? 1 : -1);
            values[l][i] = ldexp(rint(ldexp(values[l][i], 64)), -64);
        }
    }
    run_against_brute_force(61);
}

static void events_at_one_time_count_in_their_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) {
        times[i] = 1000;
        values[0][i] = values[1][i] = 0.01;
    }
    run_against_brute_force(101);
}

static void a_sum_does_not_drift_over_many_events(void **state)
{
    (void)state;
    const int64_t ten[] = {EDGE_NOW, 10};
    const struct shape s = shape_make(ten, 2, 1);
    struct history h = {0};
    for (int64_t i = 0; i < 200000; i++) {
        assert_int_equal(history_insert(&h, &s, i), 0);
        assert_int_equal(history_add(&h, &s, 0, 0.1), 0);
    }
    assert_true(same_bits(history_sum(&h, &s, 0, 0, 1), rounded(10 * exact(0.1))));
    assert_true(same_bits(history_sum(&h, &s, 0, 0, -1), rounded(200000 * exact(0.1))));
    assert_true(history_count(&h, 0, -1) == 200000);
    history_release(&h);
}

static void an_amount_of_2_to_the_60_does_not_blur_the_small_ones_after_it(void **state)
{
    (void)state;
    uint64_t seed = 13;
    for (size_t i = 0; i < N; i++) {
        times[i] = (int64_t)i * 10;
        for (size_t l = 0; l < N_LANES; l++)
            values[l][i] = i == 0 ? 0x1p60 : ldexp((double)(random_bits(&seed) >> 19), -45);
    }
    run_against_brute_force(47);
}

static void an_empty_window_sums_to_zero(void **state)
{
    (void)state;
    const int64_t delayed[] = {50, 60};
    const struct shape s = shape_make(delayed, 2, 1);
    struct history h = {0};
    for (int64_t i = 0; i < 100; i++) {
        assert_int_equal(history_insert(&h, &s, i * 100), 0);
        assert_int_equal(history_add(&h, &s, 0, 1e15 / 3 * (double)(i + 1)), 0);
        assert_true(same_bits(history_sum(&h, &s, 0, 0, 1), 0));
        assert_true(history_count(&h, 0, 1) == 0);
    }
    history_release(&h);
}

static void a_value_that_is_not_finite_counts_as_zero_and_is_reported(void **state)
{
    (void)state;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const int64_t now[] = {EDGE_NOW};
    const struct shape s = shape_make(now, 1, 1);
    struct history h = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(history_insert(&h, &s, 1), 0);
        assert_int_equal(history_add(&h, &s, 0, bad[i]), 1);
        assert_int_equal(history_insert(&h, &s, 1), 0);
        assert_int_equal(history_add(&h, &s, 0, 2.5), 0);
    }
    assert_true(history_sum(&h, &s, 0, 0, -1) == 7.5);
    assert_true(history_count(&h, 0, -1) == 6);
    history_release(&h);
}

static void a_value_that_would_make_the_total_overflow_counts_as_zero(void **state)
{
    (void)state;
    const int64_t now[] = {EDGE_NOW};
    const struct shape s = shape_make(now, 1, 1);
    struct history h = {0};
    assert_int_equal(history_insert(&h, &s, 1), 0);
    assert_int_equal(history_add(&h, &s, 0, DBL_MAX), 0);
    assert_int_equal(history_insert(&h, &s, 2), 0);
    assert_int_equal(history_add(&h, &s, 0, DBL_MAX), 1);
    assert_int_equal(history_insert(&h, &s, 3), 0);
    assert_int_equal(history_add(&h, &s, 0, -DBL_MAX), 0);
    assert_true(history_sum(&h, &s, 0, 0, -1) == 0);
    history_release(&h);
}

static void memory_is_bounded_by_the_longest_window_and_how_late_an_event_may_come(void **state)
{
    (void)state;
    const int64_t day[] = {EDGE_NOW, 3600, 86400};
    const struct shape s = shape_make(day, 3, 1);
    struct history h = {0};
    for (int64_t i = 0; i < 100000; i++) {
        assert_int_equal(history_insert(&h, &s, i * 3600), 0);
        assert_int_equal(history_add(&h, &s, 0, 1), 0);
        if (i >= 24)
            assert_true(history_sum(&h, &s, 0, 0, 2) == 24);
    }
    assert_true(h.capacity <= 512); // 8 days have 192 events
    assert_int_equal(h.next - history_oldest_needed(&h, &s), 24 + LATE_SECONDS / 3600 + 1);
    history_release(&h);
}

static void windows_without_a_beginning_keep_what_a_late_event_may_come_before(void **state)
{
    (void)state;
    const int64_t all[] = {EDGE_NOW, EDGE_PAST};
    const struct shape s = shape_make(all, 2, 1);
    struct history h = {0};
    for (int64_t i = 0; i < 10000; i++) {
        assert_int_equal(history_insert(&h, &s, i * 86400), 0);
        assert_int_equal(history_add(&h, &s, 0, 3), 0);
        assert_true(history_sum(&h, &s, 0, 1, -1) == 3 * (double)i);
    }
    assert_true(h.capacity <= 16);
    assert_int_equal(h.next - history_oldest_needed(&h, &s), 7 + 1);
    history_release(&h);
}

static void a_burst_grows_the_ring_and_later_events_see_it_whole(void **state)
{
    (void)state;
    const int64_t day[] = {EDGE_NOW, 86400};
    const struct shape s = shape_make(day, 2, 1);
    struct history h = {0};
    for (int64_t i = 0; i < 5000; i++) {
        assert_int_equal(history_insert(&h, &s, i < 10 ? i * 90000 : 900000), 0);
        assert_int_equal(history_add(&h, &s, 0, 1), 0);
    }
    assert_int_equal(history_insert(&h, &s, 900000 + 86399), 0);
    assert_true(history_count(&h, 0, 1) == 4991);
    assert_int_equal(history_insert(&h, &s, 900000 + 86400), 0);
    assert_true(history_count(&h, 0, 1) == 2 && history_sum(&h, &s, 0, 0, 1) == 0);
    history_release(&h);
}

static void an_empty_history_has_no_last_event(void **state)
{
    (void)state;
    struct history h = {0};
    assert_true(history_last(&h, &shape) == INT64_MIN);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_sums_of_cents_equal_brute_force_to_the_bit),
        cmocka_unit_test(sums_over_forty_binary_orders_of_magnitude_are_rounded_correctly),
        cmocka_unit_test(events_at_one_time_count_in_their_order),
        cmocka_unit_test(a_sum_does_not_drift_over_many_events),
        cmocka_unit_test(an_amount_of_2_to_the_60_does_not_blur_the_small_ones_after_it),
        cmocka_unit_test(an_empty_window_sums_to_zero),
        cmocka_unit_test(a_value_that_is_not_finite_counts_as_zero_and_is_reported),
        cmocka_unit_test(a_value_that_would_make_the_total_overflow_counts_as_zero),
        cmocka_unit_test(memory_is_bounded_by_the_longest_window_and_how_late_an_event_may_come),
        cmocka_unit_test(windows_without_a_beginning_keep_what_a_late_event_may_come_before),
        cmocka_unit_test(a_burst_grows_the_ring_and_later_events_see_it_whole),
        cmocka_unit_test(an_empty_history_has_no_last_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
