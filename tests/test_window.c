// features/window: sums of any numbers and the promise about memory. test_state.c holds every kind
// of window against its definition.
#include "tests/support.h"

// Sums over the last 1000 events, and over all, against exact integers.
TEST_CASE(sums_are_rounded_correctly_whatever_their_values)
{
    enum { N = 20000, WINDOW = 1000 };
    static const int64_t edges[] = {EDGE_NOW, WINDOW};
    static double values[N];
    const struct shape s = shape_make(edges, 2, 1);
    uint64_t seed = 7;
    for (int kind = 0; kind < 3; kind++) {
        struct history h = {0};
        history_reserve(&h, &s, 1);
        __int128 all = 0, window = 0;
        for (int i = 0; i < N; i++) {
            const double fraction = (double)(random_bits(&seed) >> 19) * 0x1p-45;
            values[i] = kind == 0   ? 0.1
                        : kind == 1 ? rint(ldexp(fraction, (int)random_below(&seed, 80))) * 0x1p-60
                                    : (i == 0 ? 0x1p45 : fraction * 0x1p-15);
            all += exact(values[i]);
            window += exact(values[i]) - (i < WINDOW ? 0 : exact(values[i - WINDOW]));
            assert_int_equal(history_insert(&h, &s, i) + history_add(&h, &s, 0, values[i]), 0);
            assert_true(same_bits(history_sum(&h, &s, 0, 0, -1), ldexp((double)all, -80)));
            assert_true(same_bits(history_sum(&h, &s, 0, 0, 1), ldexp((double)window, -80)));
        }
        history_release(&h);
    }
}

TEST_CASE(memory_is_bounded_by_the_longest_window_and_how_late_an_event_may_come)
{
    const int64_t day[] = {EDGE_NOW, 3600, 86400}, all[] = {EDGE_NOW, EDGE_PAST};
    const struct shape bounded = shape_make(day, 3, 1), unbounded = shape_make(all, 2, 1);
    struct history h = {0}, whole = {0};
    history_reserve(&h, &bounded, 1);
    history_reserve(&whole, &unbounded, 1);
    assert_true(history_last(&h, &bounded) == INT64_MIN);
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
    for (int i = 0; i < 5000; i++) // a burst grows the ring
        history_insert(&h, &bounded, 100000 * 3600);
    assert_true(history_count(&h, 0, 1) == 5000 && history_count(&h, 0, 2) == 5000 + 23);
    history_release(&h);
    history_release(&whole);
}

TESTS(NULL, NULL)
