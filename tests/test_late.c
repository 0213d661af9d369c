// Events that come late: placed by their time, they get the features of their place there, and what
// arrives after them sees them. Against the definitions of the language (tests/windows.h), and
// against a state to which the same events came in the order of their time.
#include "features/snapshot.h"
#include "tests/windows.h"

#include <fcntl.h>
#include <float.h>

static char path[300];
static struct plan plan; // of definitions[]

static int setup(void **state)
{
    int rc = scratch_make(state);
    snprintf(path, sizeof path, "%s/%s", scratch, SNAPSHOT_NAME);
    make_windows();
    plan_make(&plan, definitions, N_HELPERS + n_windows);
    return rc;
}

static int teardown(void **state)
{
    plan_release(&plan);
    return scratch_remove(state);
}

static void save(const struct state *s)
{
    struct err err = {""};
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    if (snapshot_save(s, fd, SNAPSHOT_NAME, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(close(fd), 0);
}

static void load(struct state *s, const struct plan *p, unsigned threads)
{
    struct err err = {""};
    state_make(s, p, threads);
    if (snapshot_load(s, path, &err))
        fail_msg("%s", err.msg);
}

static void save_and_load(struct state *s)
{
    const struct plan *p = s->plan;
    save(s);
    state_release(s);
    load(s, p, 1);
}

// How many events are older than one of their key that arrived before.
static size_t count_late(const struct rows *r, const uint64_t *key)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        for (size_t j = 0; j < i; j++)
            if (key[j] == key[i] && r->time[j] > r->time[i]) {
                n++;
                break;
            }
    return n;
}

// Every `stride`th window, for all rows.
static void assert_defined(const struct rows *r, const struct results *results, size_t stride)
{
    double *x[N_X];
    oracle_columns(r, x);
    for (size_t k = r->n % stride; k < n_windows; k += stride)
        for (size_t i = 0; i < r->n; i++) {
            double expected = window_at(&windows[k], r, x[windows[k].x], i);
            double got = results->values[k * r->n + i];
            if (!same_bits(got, expected))
                fail_msg("%s, row %zu: %a, not %a", texts[k], i, got, expected);
        }
    for (int k = 0; k < N_X; k++)
        free(x[k]);
}

static void a_late_event_gets_every_window_of_its_place_in_time_to_the_bit(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 7, 250};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct rows rows;
        struct results results;
        rows_random(&rows, 250, seed);
        rows_delay(&rows, 0, LATE_SECONDS, seed);
        assert_true(count_late(&rows, rows.customer) > 20);
        assert_true(count_late(&rows, rows.terminal) > 10);
        run_all(&plan, 1, &rows, blocks[seed - 1], &results);
        assert_defined(&rows, &results, 1);
        free(results.values);
        rows_release(&rows);
    }
}

// A snapshot keeps as little as may be kept, so each loaded state has just what late events need.
static void a_snapshot_in_the_middle_of_late_arrivals_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    struct rows rows;
    struct results whole, parts;
    struct state s;
    rows_random(&rows, 2001, 5);
    rows_delay(&rows, 0, LATE_SECONDS, 5);
    run_all(&plan, 1, &rows, 100, &whole);
    results_init(&parts, &plan, rows.n);
    state_make(&s, &plan, 1);
    for (size_t i = 0; i < rows.n; i += 20) {
        run_rows(&s, &rows, i, rows.n - i < 20 ? rows.n : i + 20, 1, &parts);
        save_and_load(&s);
    }
    assert_memory_equal(whole.values, parts.values, rows.n * plan.n_inputs * sizeof *whole.values);
    assert_defined(&rows, &parts, 37);
    state_release(&s);
    free(whole.values);
    free(parts.values);
    rows_release(&rows);
}

// The batch saw some of the days before its end without the events that were still on their way.
static void events_from_before_the_end_of_a_batch_are_placed_in_its_snapshot(void **state)
{
    (void)state;
    enum { N = 1000, END = 600 };
    struct rows rows;
    struct results results;
    struct arrival *arrivals = calloc(N, sizeof *arrivals);
    struct state s;
    size_t in_batch = 0;
    uint64_t seed = 3;
    rows_random(&rows, N, 8);
    const int64_t end = rows.time[END];
    for (size_t i = 0; i < N; i++) {
        const bool waits = rows.time[i] > end - LATE_SECONDS && random_below(&seed, 4) == 0;
        arrivals[i] = (struct arrival){rows.time[i] <= end && !waits ? INT64_MIN : end, i};
        in_batch += rows.time[i] <= end && !waits;
    }
    rows_arrange(&rows, 0, arrivals);
    assert_in_range(in_batch, END / 2, END - 10);
    results_init(&results, &plan, N);
    state_make(&s, &plan, 2);
    run_rows(&s, &rows, 0, in_batch, N, &results);
    save_and_load(&s);
    run_rows(&s, &rows, in_batch, N, 1, &results);
    assert_true(count_late(&rows, rows.customer) > 10);
    assert_defined(&rows, &results, 11);
    state_release(&s);
    free(results.values);
    free(arrivals);
    rows_release(&rows);
}

// ---- one execution against others ----

// Windows over columns only, and over features.
static const struct definition over_columns[] =
    {
        {"a", "sum(customer, amount, 7d) / 3"},
        {"b", "mean(terminal, label * amount / 3, 3d, delay=1d)"},
        {"c", "count(customer, all, past)"},
        {"d", "min(since(terminal), 86400)"},
        {"e", "onehot(channel, \"web\")"},
},
                               over_features[] = {
                                   {"_many", "count(customer, 1d) > 2"},
                                   {"a", "sum(terminal, _many * amount / 7, 5d)"},
                                   {"b", "mean(customer, mean(terminal, label, 1d, delay=1h), 7d)"},
                                   {"c", "since(customer)"},
                                   {"d", "sum(customer, log1p(amount), 9d)"}, // NaN below -1
};
enum { N_OVER_COLUMNS = 5, N_OVER_FEATURES = 5 };

static void blocks_of_any_size_and_threads_place_late_events_alike(void **state)
{
    (void)state;
    enum { N = 3000 };
    static const size_t blocks[] = {3, 100, 1024, N};
    struct plan p;
    struct rows rows;
    struct results singly, other;
    plan_make(&p, over_features, N_OVER_FEATURES);
    rows_random(&rows, N, 9);
    rows_delay(&rows, 0, LATE_SECONDS, 9);
    run_all(&p, 1, &rows, 1, &singly);
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
        for (unsigned threads = 1; threads <= 3; threads++) {
            run_all(&p, threads, &rows, blocks[b], &other);
            assert_memory_equal(singly.values, other.values,
                                N * p.n_inputs * sizeof *singly.values);
            free(other.values);
        }
    free(singly.values);
    rows_release(&rows);
    plan_release(&p);
}

// The snapshot after events [0, n), then the features of the others.
static char *run_and_save(const struct plan *p, const struct rows *r, size_t n, size_t block,
                          struct results *results, size_t *bytes)
{
    struct state s;
    state_make(&s, p, 1);
    results_init(results, p, r->n);
    run_rows(&s, r, 0, n, block, results);
    save(&s);
    run_rows(&s, r, n, r->n, block, results);
    state_release(&s);
    return scratch_read(path, bytes);
}

static void after_late_events_a_state_is_what_it_had_been_after_the_same_in_time_order(void **state)
{
    (void)state;
    enum { N = 2500, LATE = 2000 };
    struct plan p;
    plan_make(&p, over_columns, N_OVER_COLUMNS);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct rows rows;
        struct results in_order, late;
        size_t n_in_order, n_late;
        rows_random(&rows, N, seed);
        for (size_t i = 0; i < N; i++)
            rows.time[i] = 3 * rows.time[i] / 2 + (int64_t)i; // no two alike
        char *a = run_and_save(&p, &rows, LATE, 100, &in_order, &n_in_order);
        rows.n = LATE;
        rows_delay(&rows, 0, LATE_SECONDS, seed);
        rows.n = N;
        assert_true(count_late(&rows, rows.terminal) > 100);
        char *b = run_and_save(&p, &rows, LATE, seed % 2 ? 1 : 50, &late, &n_late);
        assert_int_equal(n_in_order, n_late);
        assert_memory_equal(a, b, n_late);
        for (size_t k = 0; k < p.n_inputs; k++)
            assert_memory_equal(in_order.values + k * N + LATE, late.values + k * N + LATE,
                                (N - LATE) * sizeof *late.values);
        free(a);
        free(b);
        free(in_order.values);
        free(late.values);
        rows_release(&rows);
    }
    plan_release(&p);
}

// ---- by hand ----

enum { N_SEEN = 4 };
static const struct definition seen[N_SEEN] = {{"n", "count(customer, 100s)"},
                                               {"sum", "sum(customer, amount, all)"},
                                               {"since", "since(customer)"},
                                               {"at_terminal", "sum(terminal, amount, 60s, past)"}};

struct event {
    int64_t time;
    uint64_t customer, terminal;
    double amount;
    double expected[N_SEEN];
};

static void assert_events(const struct event *events, size_t n, size_t block)
{
    struct plan p;
    struct rows rows;
    struct results results;
    plan_make(&p, seen, N_SEEN);
    rows_random(&rows, n, 1);
    for (size_t i = 0; i < n; i++) {
        rows.time[i] = events[i].time;
        rows.customer[i] = events[i].customer;
        rows.terminal[i] = events[i].terminal;
        rows.amount[i] = events[i].amount;
    }
    run_all(&p, 1, &rows, block, &results);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < N_SEEN; k++)
            if (results.values[k * n + i] != events[i].expected[k])
                fail_msg("%s of event %zu: %g, not %g", seen[k].name, i, results.values[k * n + i],
                         events[i].expected[k]);
    free(results.values);
    rows_release(&rows);
    plan_release(&p);
}

static void a_late_event_counts_behind_those_of_its_own_time(void **state)
{
    (void)state;
    static const struct event events[] = {
        {1000, 1, 1, 1, {1, 1, INFINITY, 0}},    {1050, 1, 1, 2, {2, 3, 50, 1}},
        {1000, 1, 1, 10, {2, 11, 0, 1}},         {1000, 1, 1, 20, {3, 31, 0, 11}},
        {999, 1, 1, 100, {1, 100, INFINITY, 0}}, {1050, 1, 1, 200, {6, 333, 0, 133}},
        {1099, 1, 1, 400, {6, 733, 49, 202}},
    };
    assert_events(events, 7, 1);
    assert_events(events, 7, 7);
}

static void an_event_may_be_late_for_one_of_its_keys_and_in_order_for_another(void **state)
{
    (void)state;
    static const struct event events[] = {
        {1000, 1, 7, 1, {1, 1, INFINITY, 0}}, {1030, 2, 7, 2, {1, 2, INFINITY, 1}},
        {1010, 1, 7, 4, {2, 5, 10, 1}},       // late at its terminal
        {1010, 2, 8, 8, {1, 8, INFINITY, 0}}, // late for its customer
        {1040, 2, 7, 16, {3, 26, 10, 7}},     {1040, 1, 8, 32, {3, 37, 30, 8}},
    };
    assert_events(events, 6, 1);
    assert_events(events, 6, 6);
}

static void what_was_computed_before_a_late_event_arrived_stays_as_it_was(void **state)
{
    (void)state;
    // n: 1, 2, then the late one has 2; the sum of n knows the second event's as it was, 2.
    static const struct definition d = {"s", "sum(customer, count(customer, 100s), all)"};
    static const int64_t times[] = {1000, 1020, 1010, 1030};
    static const double expected[] = {1, 1 + 2, 1 + 2, 1 + 2 + 2 + 4};
    struct plan p;
    struct rows rows;
    struct results results;
    plan_make(&p, &d, 1);
    rows_random(&rows, 4, 1);
    for (size_t i = 0; i < 4; i++) {
        rows.time[i] = times[i];
        rows.customer[i] = 3;
    }
    run_all(&p, 1, &rows, 1, &results);
    for (size_t i = 0; i < 4; i++)
        assert_true(results.values[i] == expected[i]);
    free(results.values);
    rows_release(&rows);
    plan_release(&p);
}

static void the_bound_is_seven_days_before_the_newest_of_the_same_key(void **state)
{
    (void)state;
    static const int64_t times[] = {0, LATE_SECONDS + 50, 10 * LATE_SECONDS, 50, 49};
    struct plan p;
    struct rows rows;
    struct results results;
    struct state s;
    struct err err = {""};
    plan_make(&p, seen, N_SEEN);
    rows_random(&rows, 5, 1);
    for (size_t i = 0; i < 5; i++) {
        rows.time[i] = times[i];
        rows.customer[i] = rows.terminal[i] = i == 2 ? 9 : 1; // another key's bounds nothing
    }
    results_init(&results, &p, 5);
    state_make(&s, &p, 1);
    run_rows(&s, &rows, 0, 3, 1, &results);
    save_and_load(&s);
    run_rows(&s, &rows, 3, 4, 1, &results);
    assert_true(results.values[3] == 2);
    assert_int_equal(run_block(&s, &rows, 4, 1, &results, &err), -1);
    assert_contains(err.msg, "comes 1 s too late: it is 604801 s older");
    rows.customer[4] = 2;
    assert_int_equal(run_block(&s, &rows, 4, 1, &results, &err), -1);
    rows.terminal[4] = 2;
    assert_int_equal(run_block(&s, &rows, 4, 1, &results, &err), 0);
    assert_true(s.last_time == 10 * LATE_SECONDS);
    assert_int_equal(s.events, 5);
    free(results.values);
    state_release(&s);
    rows_release(&rows);
    plan_release(&p);
}

static void a_late_value_that_leaves_no_room_for_a_later_one_makes_it_count_as_zero(void **state)
{
    (void)state;
    static const struct definition d = {"s", "sum(customer, amount, all) / 1e300"};
    static const int64_t times[] = {1000, 1020, 1010, 1030};
    struct plan p;
    struct rows rows;
    struct results results;
    struct state s;
    plan_make(&p, &d, 1);
    rows_random(&rows, 4, 1);
    for (size_t i = 0; i < 4; i++) {
        rows.time[i] = times[i];
        rows.customer[i] = 3;
        rows.amount[i] = (double[]){1, DBL_MAX, DBL_MAX, -DBL_MAX}[i];
    }
    state_make(&s, &p, 1);
    results_init(&results, &p, 4);
    run_rows(&s, &rows, 0, 4, 1, &results);
    assert_true(results.values[2] == DBL_MAX / 1e300);
    assert_true(results.values[3] == 1 / 1e300); // in time order: 1, and max, not max, and -max
    assert_int_equal(atomic_load(&s.not_finite), 1);
    free(results.values);
    state_release(&s);
    rows_release(&rows);
    plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_event_gets_every_window_of_its_place_in_time_to_the_bit),
        cmocka_unit_test(a_snapshot_in_the_middle_of_late_arrivals_goes_on_to_the_same_bits),
        cmocka_unit_test(events_from_before_the_end_of_a_batch_are_placed_in_its_snapshot),
        cmocka_unit_test(blocks_of_any_size_and_threads_place_late_events_alike),
        cmocka_unit_test(
            after_late_events_a_state_is_what_it_had_been_after_the_same_in_time_order),
        cmocka_unit_test(a_late_event_counts_behind_those_of_its_own_time),
        cmocka_unit_test(an_event_may_be_late_for_one_of_its_keys_and_in_order_for_another),
        cmocka_unit_test(what_was_computed_before_a_late_event_arrived_stays_as_it_was),
        cmocka_unit_test(the_bound_is_seven_days_before_the_newest_of_the_same_key),
        cmocka_unit_test(a_late_value_that_leaves_no_room_for_a_later_one_makes_it_count_as_zero),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
