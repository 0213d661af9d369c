// features/window: one key's history against a brute force over all its earlier events in exact
// integers, and the promise about memory. test_state.c holds whole windows against their definition.
#include "tests/support.h"

enum { N = 1500 };

// Every kind of edge: now, past, short and long ones, and one that no event reaches.
static const int64_t edges[] = {EDGE_NOW, EDGE_PAST, 1, 30, 31, 3600, 86400, 1000000000};
enum { N_EDGES = LENGTH(edges) };

static int64_t times[N];
static double values[N];

// Is event j behind the edge, seen from event i: old enough by the edge's definition?
static bool behind(size_t j, size_t i, int edge)
{
    if (edge < 0)
        return false; // from the first event on: none is left out
    if (edges[edge] == EDGE_NOW || edges[edge] == EDGE_PAST)
        return edges[edge] == EDGE_NOW || j < i;
    return times[j] <= times[i] - edges[edge];
}

static void check_window(const struct history *h, const struct shape *s, size_t i, int upper,
                         int lower)
{
    uint64_t count = 0;
    __int128 sum = 0;
    for (size_t j = 0; j <= i; j++)
        if (behind(j, i, upper) && !behind(j, i, lower)) {
            count++;
            sum += exact(values[j]);
        }
    assert_true(history_count(h, upper, lower) == (double)count);
    assert_true(same_bits(history_sum(h, s, 0, upper, lower), ldexp((double)sum, -80)));
}

// All windows of every `stride`th event.
static void run_against_brute_force(size_t stride)
{
    const struct shape s = shape_make(edges, N_EDGES, 1);
    struct history h = {0};
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(history_insert(&h, &s, times[i]), 0);
        assert_int_equal(history_add(&h, &s, 0, values[i]), 0);
        for (int upper = 0; upper < N_EDGES && i % stride == 0; upper++)
            for (int lower = -1; lower < N_EDGES; lower++)
                if (lower < 0 || (lower > 1 && edges[lower] > edges[upper]))
                    check_window(&h, &s, i, upper, lower);
    }
    history_release(&h);
}

static void sums_are_rounded_correctly_whatever_their_values(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int kind = 0; kind < 4; kind++) {
        int64_t time = -500000;
        for (size_t i = 0; i < N; i++) {
            const double cents = ((double)random_below(&seed, 100000) - 50000) / 100,
                         fraction = (double)(random_bits(&seed) >> 19) * 0x1p-45;
            time += (int64_t)random_below(&seed, random_below(&seed, 4) ? 60 : 90000);
            times[i] = kind == 3 ? 1000 : time; // all at one time
            values[i] = kind == 0   ? cents
                        : kind == 1 ? rint(ldexp(fraction, (int)random_below(&seed, 80))) * 0x1p-60
                        : kind == 2 ? (i == 0 ? 0x1p45 : fraction * 0x1p-15)
                                    : 0.01;
        }
        run_against_brute_force(17);
    }
}

static void a_sum_does_not_drift_over_many_events(void **state)
{
    (void)state;
    const int64_t ten[] = {EDGE_NOW, 10, 50, 60};
    const struct shape s = shape_make(ten, 4, 1);
    struct history h = {0};
    assert_true(history_last(&h, &s) == INT64_MIN);
    for (int64_t i = 0; i < 200000; i++) {
        assert_int_equal(history_insert(&h, &s, i), 0);
        assert_int_equal(history_add(&h, &s, 0, 0.1), 0);
    }
    assert_true(same_bits(history_sum(&h, &s, 0, 0, 1), ldexp((double)(10 * exact(0.1)), -80)));
    assert_true(
        same_bits(history_sum(&h, &s, 0, 0, -1), ldexp((double)(200000 * exact(0.1)), -80)));
    history_insert(&h, &s, 300000); // the window between the last two edges is empty
    assert_true(same_bits(history_sum(&h, &s, 0, 2, 3), 0));
    history_release(&h);
}

static void memory_is_bounded_by_the_longest_window_and_how_late_an_event_may_come(void **state)
{
    (void)state;
    const int64_t day[] = {EDGE_NOW, 3600, 86400}, all[] = {EDGE_NOW, EDGE_PAST};
    const struct shape bounded = shape_make(day, 3, 1), unbounded = shape_make(all, 2, 1);
    struct history h = {0}, whole = {0};
    for (int64_t i = 0; i < 100000; i++) {
        history_insert(&h, &bounded, i * 3600);
        history_add(&h, &bounded, 0, 1);
        history_insert(&whole, &unbounded, i * 86400);
        history_add(&whole, &unbounded, 0, 3);
        assert_true(i < 24 || history_sum(&h, &bounded, 0, 0, 2) == 24);
        assert_true(history_sum(&whole, &unbounded, 0, 1, -1) == 3 * (double)i);
    }
    assert_true(h.capacity <= 512); // 8 days have 192 events
    assert_int_equal(h.next - history_oldest_needed(&h, &bounded), 24 + LATE_SECONDS / 3600 + 1);
    assert_true(whole.capacity <= 16);
    assert_int_equal(whole.next - history_oldest_needed(&whole, &unbounded), 7 + 1);
    history_release(&h);
    history_release(&whole);
}

static void a_burst_grows_the_ring_and_later_events_see_it_whole(void **state)
{
    (void)state;
    const int64_t day[] = {EDGE_NOW, 86400};
    const struct shape s = shape_make(day, 2, 0);
    struct history h = {0};
    for (int64_t i = 0; i < 5000; i++)
        history_insert(&h, &s, i < 10 ? i * 90000 : 900000);
    history_insert(&h, &s, 900000 + 86399);
    assert_true(history_count(&h, 0, 1) == 4991);
    history_insert(&h, &s, 900000 + 86400);
    assert_true(history_count(&h, 0, 1) == 2);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_rounded_correctly_whatever_their_values),
        cmocka_unit_test(a_sum_does_not_drift_over_many_events),
        cmocka_unit_test(memory_is_bounded_by_the_longest_window_and_how_late_an_event_may_come),
        cmocka_unit_test(a_burst_grows_the_ring_and_later_events_see_it_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
