// features/state: every function of the language against the definitions of the language, written
// down naively (tests/windows.h), and one execution against the others: blocks of any size,
// threads, keys.
#include "tests/windows.h"

#include <float.h>
#include <math.h>
#include <time.h>

static void every_window_equals_its_definition_to_the_bit(void **state)
{
    (void)state;
    struct plan plan;
    make_windows();
    plan_make(&plan, definitions, N_HELPERS + n_windows);
    assert_int_equal(plan.n_inputs, n_windows);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct rows rows;
        struct results results;
        double *x[N_X];
        rows_random(&rows, 250, seed);
        oracle_columns(&rows, x);
        run_all(&plan, 1, &rows, seed == 1 ? 1 : 100, &results);
        for (size_t k = 0; k < n_windows; k++)
            for (size_t i = 0; i < rows.n; i++) {
                double expected = window_at(&windows[k], &rows, x[windows[k].x], i);
                double got = results.values[k * rows.n + i];
                if (!same_bits(got, expected))
                    fail_msg("%s, row %zu: %a, not %a", texts[k], i, got, expected);
            }
        for (int k = 0; k < N_X; k++)
            free(x[k]);
        free(results.values);
        rows_release(&rows);
    }
    plan_release(&plan);
}

// ---- the functions of one event ----

static struct tm utc(int64_t time)
{
    time_t t = (time_t)time;
    struct tm tm;
    assert_non_null(gmtime_r(&t, &tm));
    return tm;
}

static double expected_scalar(size_t k, const struct rows *r, size_t i)
{
    double a = r->amount[i];
    switch (k) {
    case 0:
        return utc(r->time[i]).tm_hour;
    case 1:
        return (utc(r->time[i]).tm_wday + 6) % 7;
    case 2:
        return log1p(fabs(a));
    case 3:
        return fmin(a, 10.5);
    case 4:
        return fmax(a, -10.5);
    case 5:
        return a == 0 ? 0 : 1 / a;
    case 6:
        return -a * 3 - a / 7 + 2;
    case 7:
        return (a < 10) + 2 * (a <= 0) + 4 * (a > 50) + 8 * (a >= 100) + 16 * (a == 20) +
               32 * (a != 20);
    case 8:
        return (double)r->time[i];
    case 9:
        return since_at(r, r->customer, i);
    default:
        return since_at(r, r->terminal, i) < 60 ? since_at(r, r->terminal, i) : 60;
    }
}

static const struct definition scalars[] = {
    {"f0", "hour(time)"},
    {"f1", "weekday(time)"},
    {"f2", "log1p(abs(amount))"},
    {"f3", "min(amount, 10.5)"},
    {"f4", "max(amount, -10.5)"},
    {"f5", "1 / amount"},
    {"f6", "-amount * 3 - amount / 7 + 2"},
    {"f7", "(amount < 10) + 2 * (amount <= 0) + 4 * (amount > 50) + 8 * (amount >= 100) + "
           "16 * (amount == 20) + 32 * (amount != 20)"},
    {"f8", "time"},
    {"f9", "since(customer)"},
    {"f10", "min(since(terminal), 60)"},
};
enum { N_SCALARS = sizeof scalars / sizeof *scalars };

static void every_function_of_one_event_equals_its_definition_to_the_bit(void **state)
{
    (void)state;
    struct plan plan;
    struct rows rows;
    struct results results;
    plan_make(&plan, scalars, N_SCALARS);
    rows_random(&rows, 1500, 3);
    for (size_t i = 0; i < rows.n; i += 10)
        rows.amount[i] = (double)(i % 30); // 0, 10 and 20
    run_all(&plan, 1, &rows, 64, &results);
    for (size_t k = 0; k < N_SCALARS; k++)
        for (size_t i = 0; i < rows.n; i++) {
            double expected = expected_scalar(k, &rows, i), got = results.values[k * rows.n + i];
            if (!same_bits(got, expected))
                fail_msg("%s, row %zu: %a, not %a", scalars[k].expression, i, got, expected);
        }
    free(results.values);
    rows_release(&rows);
    plan_release(&plan);
}

static void onehot_marks_one_value_and_the_rest_is_one_input(void **state)
{
    (void)state;
    const struct definition d = {"via", "onehot(channel, \"phone\", \"chip\", \"never seen\")"};
    static const double expected[4][4] = {// phone, chip, never seen, the rest; by code
                                          {0, 1, 0, 0}, // chip
                                          {0, 0, 0, 1}, // web
                                          {1, 0, 0, 0}, // phone
                                          {0, 0, 0, 1}};
    struct plan plan;
    struct rows rows;
    struct results results;
    plan_make(&plan, &d, 1);
    assert_int_equal(plan.n_inputs, 4);
    assert_string_equal(plan.inputs[0].name, "via[phone]");
    assert_string_equal(plan.inputs[3].name, "via[*]");
    rows_random(&rows, 100, 5);
    for (size_t i = 0; i < rows.n; i += 7)
        rows.channel[i] = UINT32_MAX; // as good as 3: no known value
    run_all(&plan, 1, &rows, 10, &results);
    for (size_t i = 0; i < rows.n; i++)
        for (size_t k = 0; k < 4; k++) {
            uint32_t code = rows.channel[i] < 3 ? rows.channel[i] : 3;
            assert_true(results.values[k * rows.n + i] == expected[code][k]);
        }
    free(results.values);
    rows_release(&rows);
    plan_release(&plan);
}

// ---- one execution against the others ----

// Every function of the language, windows inside windows among them.
static const struct definition language[] = {
    {"_fast", "count(customer, 90s) > 2"},
    {"a", "log1p(abs(amount)) + 1e-3"},
    {"b", "min(amount, 3) * max(amount, -3) / 7"},
    {"c", "hour(time) <= 6"},
    {"d", "weekday(time) >= 5"},
    {"e", "min(since(customer), 86400)"},
    {"f", "since(terminal)"},
    {"g", "count(customer, 7d)"},
    {"h", "sum(terminal, amount, 12h, past)"},
    {"i", "mean(customer, amount, all)"},
    {"j", "mean(terminal, label, 28d, delay=7d, prior=0.01, weight=30)"},
    {"k", "amount / mean(customer, amount, 1d, past)"},
    {"l", "sum(terminal, _fast * amount / 3, 7d)"},
    {"m", "mean(customer, mean(terminal, label, 1d, delay=1h), 7d) != 0"},
    {"n", "mean(terminal, sum(customer, count(terminal, 15m) / 3, 1h), 1d, delay=30s)"},
    {"o", "onehot(channel, \"web\", \"chip\")"},
    {"p", "sum(customer, log1p(amount), all)"}, // NaN below -1
    {"q", "(amount < 20) - (amount >= 40) + (amount == 30) * -amount"},
};
enum { N_LANGUAGE = sizeof language / sizeof *language, N_ROWS = 2500 };

static void assert_same_results(const struct results *a, const struct results *b)
{
    assert_int_equal(a->n * a->n_inputs, b->n * b->n_inputs);
    assert_memory_equal(a->values, b->values, a->n * a->n_inputs * sizeof *a->values);
}

static void blocks_of_any_size_and_single_events_give_the_same_bits(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 2, 3, 7, 100, 1023, 1024, 1025, N_ROWS};
    struct plan plan;
    struct rows rows;
    struct results whole, other;
    plan_make(&plan, language, N_LANGUAGE);
    rows_random(&rows, N_ROWS, 17);
    run_all(&plan, 1, &rows, N_ROWS, &whole);
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
        for (unsigned threads = 1; threads <= 3; threads++) {
            run_all(&plan, threads, &rows, blocks[b], &other);
            assert_same_results(&whole, &other);
            free(other.values);
        }
    free(whole.values);
    rows_release(&rows);
    plan_release(&plan);
}

// Keys as another secret would make them, and unlucky ones: all alike in their low or high bits.
static uint64_t other_key(int kind, uint64_t key)
{
    if (kind == 0)
        return (key + 1) * 0x9e3779b97f4a7c15u;
    if (kind == 1)
        return ~key;
    return kind == 2 ? key << 40 : key << 58;
}

static void the_bits_do_not_depend_on_the_values_of_keys(void **state)
{
    (void)state;
    struct plan plan;
    struct rows rows;
    struct results before, after;
    plan_make(&plan, language, N_LANGUAGE);
    rows_random(&rows, N_ROWS, 23);
    run_all(&plan, 2, &rows, N_ROWS, &before);
    for (int kind = 0; kind < 4; kind++) {
        struct rows other;
        rows_random(&other, N_ROWS, 23);
        for (size_t i = 0; i < N_ROWS; i++) {
            other.customer[i] = other_key(kind, rows.customer[i]);
            other.terminal[i] = other_key(kind, rows.terminal[i]);
        }
        run_all(&plan, 3, &other, N_ROWS, &after);
        assert_same_results(&before, &after);
        free(after.values);
        rows_release(&other);
    }
    free(before.values);
    rows_release(&rows);
    plan_release(&plan);
}

static void thousands_of_keys_that_all_collide_are_kept_apart(void **state)
{
    (void)state;
    enum { KEYS = 1500 };
    const struct definition d = {"n", "count(customer, all)"};
    struct plan plan;
    struct rows rows;
    struct results results;
    plan_make(&plan, &d, 1);
    rows_random(&rows, 3 * (size_t)KEYS, 31);
    for (size_t i = 0; i < rows.n; i++)
        rows.customer[i] = (uint64_t)(i % KEYS) << 40;
    run_all(&plan, 2, &rows, 2000, &results);
    for (size_t i = 0; i < rows.n; i++) {
        size_t nth = i / KEYS + 1;
        assert_true(results.values[i] == (double)nth);
    }
    free(results.values);
    rows_release(&rows);
    plan_release(&plan);
}

// ---- the order of time ----

// Between the two halves of the events a block is tried; it must be refused and leave no trace.
static void assert_refused_without_a_trace(const struct rows *bad, const char *word)
{
    struct plan plan;
    struct rows rows;
    struct results whole, halves, ignored;
    struct state s;
    struct err err = {""};
    plan_make(&plan, language, N_LANGUAGE);
    rows_random(&rows, N_ROWS, 29);
    run_all(&plan, 1, &rows, 100, &whole);
    state_make(&s, &plan, 2);
    results_init(&halves, &plan, N_ROWS);
    results_init(&ignored, &plan, bad->n);
    run_rows(&s, &rows, 0, N_ROWS / 2, 100, &halves);
    uint64_t events = s.events, not_finite = atomic_load(&s.not_finite);
    assert_int_equal(run_block(&s, bad, 0, bad->n, &ignored, &err), -1);
    assert_contains(err.msg, word);
    assert_int_equal(s.events, events);
    assert_int_equal(atomic_load(&s.not_finite), not_finite);
    run_rows(&s, &rows, N_ROWS / 2, N_ROWS, 100, &halves);
    assert_same_results(&whole, &halves);
    free(whole.values);
    free(halves.values);
    free(ignored.values);
    rows_release(&rows);
    state_release(&s);
    plan_release(&plan);
}

static void
an_event_that_comes_too_late_for_one_of_its_keys_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct rows rows, bad;
    rows_random(&rows, N_ROWS, 29);
    rows_random(&bad, 1, 1);
    size_t last = N_ROWS / 2 - 1;
    bad.time[0] = rows.time[last] - LATE_SECONDS - 5;
    bad.customer[0] = rows.customer[last];
    bad.terminal[0] = 12345; // new
    assert_refused_without_a_trace(&bad, "comes 5 s too late: it is 604805 s older than the newest "
                                         "event of the same customer, of ");
    bad.customer[0] = 12345;
    bad.terminal[0] = rows.terminal[last];
    assert_refused_without_a_trace(&bad, "of the same terminal");
    assert_refused_without_a_trace(&bad, "may be at most 604800 s older");
    rows_release(&rows);
    rows_release(&bad);
}

static void a_block_with_an_event_too_late_for_another_in_it_is_refused_whole(void **state)
{
    (void)state;
    struct rows rows, bad;
    rows_random(&rows, N_ROWS, 29);
    rows_random(&bad, 4, 1);
    for (size_t i = 0; i < 4; i++) {
        bad.time[i] = rows.time[N_ROWS / 2 - 1] + (i == 1 ? LATE_SECONDS + 401 : 400 + (int64_t)i);
        bad.customer[i] = 77777;
    }
    bad.time[3] = 400;
    bad.customer[0] = bad.customer[2] = 12345;
    bad.terminal[0] = bad.terminal[2] = bad.terminal[3] + 1;
    assert_refused_without_a_trace(&bad, "an event of 1970-01-01T00:06:40Z comes ");
    rows_release(&rows);
    rows_release(&bad);
}

static void events_of_different_keys_need_no_common_order(void **state)
{
    (void)state;
    const struct definition d[] = {{"n", "count(customer, 100s)"},
                                   {"s", "sum(terminal, amount, all, past)"}};
    static const int64_t times[] = {2000000, 50, 2000000, 51, 2000099, 149};
    static const double counts[] = {1, 1, 2, 2, 3, 3};
    struct plan plan;
    struct rows rows;
    struct results results;
    plan_make(&plan, d, 2);
    rows_random(&rows, 6, 1);
    for (size_t i = 0; i < 6; i++) {
        rows.time[i] = times[i];
        rows.customer[i] = rows.terminal[i] = i % 2;
        rows.amount[i] = (double)i;
    }
    for (size_t block = 1; block <= 6; block += 5) {
        run_all(&plan, 2, &rows, block, &results);
        for (size_t i = 0; i < 6; i++) {
            assert_true(results.values[i] == counts[i]);
            assert_true(results.values[6 + i] == (i < 2   ? 0
                                                  : i < 4 ? (double)(i - 2)
                                                          : 2.0 * (double)i - 6));
        }
        free(results.values);
    }
    rows_release(&rows);
    plan_release(&plan);
}

// ---- numbers that are not finite, and values that are not there ----

// Features of one event after another, and how many values were replaced.
static uint64_t run_amounts(const struct definition *d, size_t n, const double *amounts,
                            size_t n_rows, float *out)
{
    struct plan plan;
    struct state s;
    struct rows rows;
    struct err err;
    plan_make(&plan, d, n);
    rows_random(&rows, n_rows, 1);
    state_make(&s, &plan, 1);
    for (size_t i = 0; i < n_rows; i++) {
        float *columns[8];
        assert_true(plan.n_inputs <= 8);
        for (size_t k = 0; k < plan.n_inputs; k++)
            columns[k] = out + k * n_rows + i;
        const uint64_t key = 1;
        const int64_t time = 1000 * (int64_t)i;
        const void *event[N_COLUMNS] = {NULL, &time, &key, &key, &amounts[i], NULL, NULL};
        const struct events events = {1, event}; // no id, no category, no label
        assert_int_equal(state_run(&s, &events, columns, &err), 0);
    }
    uint64_t replaced = atomic_load(&s.not_finite);
    rows_release(&rows);
    state_release(&s);
    plan_release(&plan);
    return replaced;
}

static void the_first_since_is_infinite_inside_and_zero_outside(void **state)
{
    (void)state;
    const struct definition d[] = {{"capped", "min(since(customer), 60)"},
                                   {"swapped", "min(60, since(customer))"},
                                   {"bare", "since(customer)"},
                                   {"first", "since(customer) > 1e300"},
                                   {"inverse", "1 / since(customer)"}};
    const double amounts[] = {1, 2};
    float out[5][2] = {{0}};
    assert_int_equal(run_amounts(d, 5, amounts, 2, &out[0][0]), 1);
    assert_true(out[0][0] == 60 && out[0][1] == 60);
    assert_true(out[1][0] == 60 && out[1][1] == 60);
    assert_true(out[2][0] == 0 && out[2][1] == 1000);
    assert_true(out[3][0] == 1 && out[3][1] == 0);
    assert_true(out[4][0] == 0 && out[4][1] == 0.001f);
}

static void a_division_by_zero_is_zero_and_not_counted(void **state)
{
    (void)state;
    const struct definition d[] = {{"x", "amount / 0"},
                                   {"y", "amount / (amount - amount)"},
                                   {"z", "0 / 0 + amount / -0"},
                                   {"m", "mean(customer, amount, 1s, past)"}};
    const double amounts[] = {1, -2, 1e308};
    float out[4][3] = {{0}};
    assert_int_equal(run_amounts(d, 4, amounts, 3, &out[0][0]), 0);
    for (size_t k = 0; k < 4; k++)
        for (size_t i = 0; i < 3; i++)
            assert_true(out[k][i] == 0);
}

static void results_that_are_not_finite_become_zero_and_are_counted(void **state)
{
    (void)state;
    const struct definition d[] = {{"log", "log1p(amount)"},          // -1: -inf, -2: NaN
                                   {"big", "amount * 1e300 * 1e300"}, // overflows a double
                                   {"wide", "amount * 1e39"},         // overflows a float32
                                   {"tiny", "amount * 1e-60"}}; // underflows to 0, which is finite
    const double amounts[] = {-1, -2, 3};
    float out[4][3] = {{0}};
    assert_int_equal(run_amounts(d, 4, amounts, 3, &out[0][0]), 2 + 3 + 3);
    assert_true(out[0][0] == 0 && out[0][1] == 0 && out[0][2] == (float)log1p(3));
    for (size_t i = 0; i < 3; i++)
        assert_true(out[1][i] == 0 && out[2][i] == 0 && out[3][i] == 0);
}

static void a_window_leaves_out_values_that_are_not_finite(void **state)
{
    (void)state;
    const struct definition d[] = {{"s", "sum(customer, log1p(amount), all)"},
                                   {"n", "count(customer, all)"}};
    const double amounts[] = {1, -1, -2, 1};
    float out[2][4] = {{0}};
    assert_int_equal(run_amounts(d, 2, amounts, 4, &out[0][0]), 2);
    assert_true(out[0][3] == (float)(2 * log1p(1)));
    assert_true(out[1][3] == 4);
}

static void a_sum_that_overflows_leaves_out_what_made_it_overflow(void **state)
{
    (void)state;
    const struct definition d[] = {{"s", "sum(customer, amount, 1500s) / 1e300"}};
    const double amounts[] = {DBL_MAX, DBL_MAX, 5e300, 7e300};
    float out[4] = {0};
    assert_int_equal(run_amounts(d, 1, amounts, 4, out), 3);
    assert_true(out[0] == (float)(DBL_MAX / 1e300) && out[1] == out[0]);
}

static void labels_that_are_not_there_count_as_genuine(void **state)
{
    (void)state;
    const struct definition d[] = {{"risk", "mean(terminal, label, all, delay=1s)"},
                                   {"n", "count(terminal, all, delay=1s)"}};
    const double amounts[] = {1, 2, 3};
    float out[2][3] = {{0}};
    assert_int_equal(run_amounts(d, 2, amounts, 3, &out[0][0]), 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(out[0][i] == 0 && out[1][i] == (float)i);
}

static void a_block_without_events_changes_nothing(void **state)
{
    (void)state;
    struct plan plan;
    struct state s;
    struct rows rows;
    struct results results;
    struct err err;
    plan_make(&plan, language, N_LANGUAGE);
    state_make(&s, &plan, 2);
    rows_random(&rows, 1, 1);
    results_init(&results, &plan, 1);
    assert_int_equal(run_block(&s, &rows, 0, 0, &results, &err), 0);
    assert_int_equal(s.events, 0);
    assert_true(s.last_time == INT64_MIN);
    free(results.values);
    rows_release(&rows);
    state_release(&s);
    plan_release(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_window_equals_its_definition_to_the_bit),
        cmocka_unit_test(every_function_of_one_event_equals_its_definition_to_the_bit),
        cmocka_unit_test(onehot_marks_one_value_and_the_rest_is_one_input),
        cmocka_unit_test(blocks_of_any_size_and_single_events_give_the_same_bits),
        cmocka_unit_test(the_bits_do_not_depend_on_the_values_of_keys),
        cmocka_unit_test(thousands_of_keys_that_all_collide_are_kept_apart),
        cmocka_unit_test(
            an_event_that_comes_too_late_for_one_of_its_keys_is_refused_and_changes_nothing),
        cmocka_unit_test(a_block_with_an_event_too_late_for_another_in_it_is_refused_whole),
        cmocka_unit_test(events_of_different_keys_need_no_common_order),
        cmocka_unit_test(the_first_since_is_infinite_inside_and_zero_outside),
        cmocka_unit_test(a_division_by_zero_is_zero_and_not_counted),
        cmocka_unit_test(results_that_are_not_finite_become_zero_and_are_counted),
        cmocka_unit_test(a_window_leaves_out_values_that_are_not_finite),
        cmocka_unit_test(a_sum_that_overflows_leaves_out_what_made_it_overflow),
        cmocka_unit_test(labels_that_are_not_there_count_as_genuine),
        cmocka_unit_test(a_block_without_events_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
