// features/state: every function of the language against the definitions of the language, written
// down naively (for each row a loop over all rows before it, sums in exact integers), and one
// execution against the others: blocks of any size, threads, keys.
#include "tests/support.h"

#include <float.h>
#include <math.h>
#include <time.h>

// ---- the oracle for windows ----

// What a window may add up: columns and helper features, computed by the oracle itself.
enum { X_AMOUNT, X_LABEL, X_COUNT, X_RISK, X_SINCE, X_DEEP, N_X };

struct window {
    int64_t length, delay; // length 0: all
    char op;               // c count, s sum, m mean
    bool past;
    int key; // CUSTOMER or TERMINAL
    int x;
    double prior, weight;
};

// The helpers that are X_COUNT .. X_DEEP, each over what stands before it.
static const struct definition helpers[] = {
    {"_count", "count(terminal, 1d)"},
    {"_risk", "mean(terminal, label, 7d, delay=1h, prior=0.25, weight=8)"},
    {"_since", "min(since(customer), 3600)"},
    {"_deep", "sum(customer, _count + _since, 12h, past)"},
};
enum { N_HELPERS = sizeof helpers / sizeof *helpers };

static __int128 exact(double x)
{
    double scaled = ldexp(x, 80);
    assert_true(fabs(scaled) < 0x1p126 && scaled == rint(scaled));
    return (__int128)scaled;
}

static const uint64_t *key_column(const struct rows *r, int key)
{
    return key == CUSTOMER ? r->customer : r->terminal;
}

// Does row j, at or before row i and of the same key, lie in the window of row i?
static bool inside(const struct window *w, const int64_t *time, size_t j, size_t i)
{
    if (w->past && j == i)
        return false;
    if (time[j] > time[i] - w->delay)
        return false;
    return w->length == 0 || time[j] > time[i] - w->delay - w->length;
}

static double window_at(const struct window *w, const struct rows *r, const double *x, size_t i)
{
    const uint64_t *key = key_column(r, w->key);
    __int128 sum = 0;
    double count = 0;
    for (size_t j = 0; j <= i; j++)
        if (key[j] == key[i] && inside(w, r->time, j, i)) {
            count++;
            sum += w->op == 'c' ? 0 : exact(x[j]);
        }
    double total = ldexp((double)sum, -80);
    if (w->op == 'c')
        return count;
    if (w->op == 's')
        return total;
    double divisor = count + w->weight;
    return divisor == 0 ? 0 : (total + w->weight * w->prior) / divisor;
}

static double since_at(const struct rows *r, const uint64_t *key, size_t i)
{
    for (size_t j = i; j-- > 0;)
        if (key[j] == key[i])
            return (double)(r->time[i] - r->time[j]);
    return INFINITY;
}

static void oracle_columns(const struct rows *r, double *x[N_X])
{
    const struct window count = {86400, 0, 'c', false, TERMINAL, 0, 0, 0},
                        risk = {7 * 86400, 3600, 'm', false, TERMINAL, 0, 0.25, 8},
                        deep = {12 * 3600, 0, 's', true, CUSTOMER, 0, 0, 0};
    double *added = calloc(r->n, sizeof *added);
    for (int k = 0; k < N_X; k++)
        assert_non_null(x[k] = calloc(r->n, sizeof **x));
    assert_non_null(added);
    for (size_t i = 0; i < r->n; i++) {
        double since = since_at(r, r->customer, i);
        x[X_AMOUNT][i] = r->amount[i];
        x[X_LABEL][i] = r->label[i] == 1 ? 1 : 0;
        x[X_COUNT][i] = window_at(&count, r, NULL, i);
        x[X_RISK][i] = window_at(&risk, r, x[X_LABEL], i);
        x[X_SINCE][i] = since < 3600 ? since : 3600;
        added[i] = x[X_COUNT][i] + x[X_SINCE][i];
        x[X_DEEP][i] = window_at(&deep, r, added, i);
    }
    free(added);
}

// ---- windows as text ----

static const struct {
    const char *text;
    int64_t seconds;
} lengths[] = {{"1s", 1},      {"2s", 2},      {"90s", 90}, {"15m", 900},
               {"12h", 43200}, {"7d", 604800}, {"all", 0}},
  delays[] = {{"", 0}, {", delay=1s", 1}, {", delay=90s", 90}, {", delay=2d", 172800}};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths, N_DELAYS = sizeof delays / sizeof *delays };

enum { MAX_WINDOWS = 1500 };
static struct window windows[MAX_WINDOWS];
static char names[MAX_WINDOWS][16], texts[MAX_WINDOWS][128];
static struct definition definitions[N_HELPERS + MAX_WINDOWS];
static size_t n_windows;

static void add_window(struct window w, const char *length, const char *options)
{
    static const char *const columns[N_COLUMNS] = {
        [CUSTOMER] = "customer", [TERMINAL] = "terminal"};
    static const char *const xs[N_X] = {"amount", "label", "_count", "_risk", "_since", "_deep"};
    assert_true(n_windows < MAX_WINDOWS);
    snprintf(names[n_windows], sizeof names[0], "w%zu", n_windows);
    snprintf(texts[n_windows], sizeof texts[0], "%s(%s, %s%s%s%s)",
             w.op == 'c'   ? "count"
             : w.op == 's' ? "sum"
                           : "mean",
             columns[w.key], w.op == 'c' ? "" : xs[w.x], w.op == 'c' ? "" : ", ", length, options);
    definitions[N_HELPERS + n_windows] = (struct definition){names[n_windows], texts[n_windows]};
    windows[n_windows++] = w;
}

// One key, length and delay: all functions of all values, with and without `past`.
static void add_windows(int key, size_t length, size_t delay)
{
    struct window w = {lengths[length].seconds, delays[delay].seconds, 'c', false, key, 0, 0, 0};
    for (int past = 0; past < 2; past++) {
        char options[64];
        snprintf(options, sizeof options, "%s%s", past ? ", past" : "", delays[delay].text);
        w.past = past;
        for (int x = 0; x < N_X; x++) {
            if (x == X_LABEL && w.delay == 0)
                continue; // a leak: no plan
            w.x = x;
            w.op = 's';
            add_window(w, lengths[length].text, options);
            w.op = 'm';
            add_window(w, lengths[length].text, options);
        }
        w.op = 'c';
        add_window(w, lengths[length].text, options);
    }
}

static void make_windows(void)
{
    n_windows = 0;
    memcpy(definitions, helpers, sizeof helpers);
    for (int key = CUSTOMER; key <= TERMINAL; key++)
        for (size_t l = 0; l < N_LENGTHS; l++)
            for (size_t d = 0; d < N_DELAYS; d++)
                add_windows(key, l, d);
    struct window smooth = {86400, 3600, 'm', false, TERMINAL, X_LABEL, 0.01, 20};
    add_window(smooth, "1d", ", delay=1h, weight=20, prior=0.01");
    smooth = (struct window){0, 0, 'm', true, CUSTOMER, X_AMOUNT, -2.5, 0.5};
    add_window(smooth, "all", ", prior = -2.5, past, weight=.5");
}

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

static void an_event_older_than_one_of_its_key_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct rows rows, bad;
    rows_random(&rows, N_ROWS, 29);
    rows_random(&bad, 1, 1);
    size_t last = N_ROWS / 2 - 1;
    bad.time[0] = rows.time[last] - 1;
    bad.customer[0] = rows.customer[last];
    bad.terminal[0] = 12345; // new
    assert_refused_without_a_trace(&bad, "customer");
    bad.customer[0] = 12345;
    bad.terminal[0] = rows.terminal[last];
    assert_refused_without_a_trace(&bad, "terminal");
    rows_release(&rows);
    rows_release(&bad);
}

static void a_block_that_goes_back_in_time_inside_is_refused_whole(void **state)
{
    (void)state;
    struct rows rows, bad;
    rows_random(&rows, N_ROWS, 29);
    rows_random(&bad, 3, 1);
    for (size_t i = 0; i < 3; i++) {
        bad.time[i] = rows.time[N_ROWS / 2 - 1] + (i == 1 ? 500 : 400);
        bad.customer[i] = 77777;
    }
    assert_refused_without_a_trace(&bad, "event 2");
    rows_release(&rows);
    rows_release(&bad);
}

static void events_of_different_keys_need_no_common_order(void **state)
{
    (void)state;
    const struct definition d[] = {{"n", "count(customer, 100s)"},
                                   {"s", "sum(terminal, amount, all, past)"}};
    static const int64_t times[] = {1000, 50, 1000, 51, 1099, 149};
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
        cmocka_unit_test(an_event_older_than_one_of_its_key_is_refused_and_changes_nothing),
        cmocka_unit_test(a_block_that_goes_back_in_time_inside_is_refused_whole),
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
