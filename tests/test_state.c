// features/state: every window against its definition, one execution against others (blocks,
// threads, keys), events and labels that come late, and numbers that are not finite.
#include "tests/support.h"

#include <float.h>
#include <time.h>

static void assert_same(const char *what, size_t row, double got, double expected)
{
    if (!same_bits(got, expected))
        fail_msg("%s, row %zu: %a, not %a", what, row, got, expected);
}

// ---- the definition of windows: for each row a loop over all rows that arrived before it ----

// The values that a window may add up: columns, and helper features.
enum { X_AMOUNT, X_LABEL, X_RISK, X_DEEP, N_X, N_ORACLE = 250 };

struct window {
    int64_t length, delay; // length 0: all
    double prior, weight;
    enum node_op op; // COUNT, SUM or MEAN
    int key;         // CUSTOMER or TERMINAL
    int x;
    bool past;
};

static uint64_t key_of(const struct row *r, int key)
{
    return key == CUSTOMER ? r->customer : r->terminal;
}

// Does row j, which is row i or arrived before it, lie in the window of row i?
static bool inside(const struct window *w, const struct row *r, size_t j, size_t i)
{
    const int64_t end = r[i].time - w->delay;
    return key_of(&r[j], w->key) == key_of(&r[i], w->key) && !(w->past && j == i) &&
           r[j].time <= end && (w->length == 0 || r[j].time > end - w->length);
}

// x: what each row adds. Sums are exact integers, so they are rounded once.
static double window_at(const struct window *w, const struct row *r, const double *x, size_t i)
{
    __int128 sum = 0;
    double count = 0;
    for (size_t j = 0; j <= i; j++)
        if (inside(w, r, j, i)) {
            count++;
            sum += exact(x[j]);
        }
    const double total = ldexp((double)sum, -80), divisor = count + w->weight;
    if (w->op != NODE_MEAN)
        return w->op == NODE_COUNT ? count : total;
    return divisor == 0 ? 0 : (total + w->weight * w->prior) / divisor;
}

static double since_at(const struct row *r, int key, size_t i)
{
    double since = INFINITY;
    for (size_t j = 0; j < i; j++)
        if (key_of(&r[j], key) == key_of(&r[i], key) && r[j].time <= r[i].time)
            since = fmin(since, (double)(r[i].time - r[j].time));
    return since;
}

// The helpers _risk and _deep as features, and as the oracle computes them.
static const struct definition helpers[] = {
    {"_risk", "mean(terminal, label, 7d, delay=1h, prior=0.25, weight=8)"},
    {"_deep", "sum(customer, count(terminal, 1d) + min(since(customer), 3600), 12h, past)"},
};

static void oracle_columns(const struct row *r, double x[N_X][N_ORACLE])
{
    const struct window count = {86400, 0, 0, 0, NODE_COUNT, TERMINAL, 0, false},
                        risk = {7 * 86400, 3600, 0.25, 8, NODE_MEAN, TERMINAL, 0, false},
                        deep = {12 * 3600, 0, 0, 0, NODE_SUM, CUSTOMER, 0, true};
    double added[N_ORACLE];
    for (size_t i = 0; i < N_ORACLE; i++) {
        x[X_AMOUNT][i] = r[i].amount;
        x[X_LABEL][i] = r[i].label == 1 ? 1 : 0;
        x[X_RISK][i] = window_at(&risk, r, x[X_LABEL], i);
        added[i] = window_at(&count, r, x[X_AMOUNT], i) + fmin(since_at(r, CUSTOMER, i), 3600);
        x[X_DEEP][i] = window_at(&deep, r, added, i);
    }
}

static const struct {
    const char *text;
    int64_t seconds;
} lengths[] = {{"1s", 1},      {"2s", 2},      {"90s", 90}, {"15m", 900},
               {"12h", 43200}, {"7d", 604800}, {"all", 0}},
  delays[] = {{"", 0}, {", delay=1s", 1}, {", delay=90s", 90}, {", delay=2d", 172800}};

enum { N_HELPERS = LENGTH(helpers), ALL_WINDOWS = LENGTH(lengths) * LENGTH(delays) * N_X * 12 };
static struct window windows[ALL_WINDOWS];
static char names[ALL_WINDOWS][16], texts[ALL_WINDOWS][128];

// All functions of all values, keys, lengths and options. Returns how many.
static size_t make_windows(struct plan *p)
{
    static const char *const xs[N_X] = {", amount", ", label", ", _risk", ", _deep"},
                             *const functions[] = {"count", "sum", "mean"};
    static struct definition definitions[N_HELPERS + ALL_WINDOWS];
    size_t n = 0;
    memcpy(definitions, helpers, sizeof helpers);
    for (size_t code = 0; code < ALL_WINDOWS; code++) {
        const size_t l = code / (12 * N_X) % LENGTH(lengths),
                     d = code / (12 * N_X * LENGTH(lengths));
        struct window w = {.op = NODE_COUNT + code % 3,
                           .length = lengths[l].seconds,
                           .delay = delays[d].seconds,
                           .past = code / 3 % 2,
                           .key = code / 6 % 2 ? CUSTOMER : TERMINAL,
                           .x = (int)(code / 12 % N_X)};
        const bool smooth = w.op == NODE_MEAN && w.x == X_LABEL;
        if ((w.x == X_LABEL && w.delay == 0) || (w.op == NODE_COUNT && w.x > 0))
            continue; // the label without a delay is no plan; a count adds nothing up
        w.prior = smooth ? -0.25 : 0;
        w.weight = smooth ? 20 : 0;
        snprintf(names[n], sizeof names[n], "w%zu", n);
        snprintf(texts[n], sizeof texts[n], "%s(%s%s, %s%s%s%s)", functions[code % 3],
                 w.key == CUSTOMER ? "customer" : "terminal", w.op == NODE_COUNT ? "" : xs[w.x],
                 lengths[l].text, w.past ? ", past" : "", delays[d].text,
                 smooth ? ", weight=20, prior = -.25" : "");
        definitions[N_HELPERS + n] = (struct definition){names[n], texts[n]};
        windows[n++] = w;
    }
    plan_make(p, definitions, N_HELPERS + n);
    return n;
}

TEST_CASE(every_window_equals_its_definition_for_late_events_too)
{
    static const size_t blocks[] = {1, 100, 1, 7, N_ORACLE};
    static double x[N_X][N_ORACLE];
    struct plan p;
    const size_t n = make_windows(&p);
    for (uint64_t seed = 1; seed <= LENGTH(blocks); seed++) {
        struct row *r = rows_random(N_ORACLE, seed, seed > 2 ? LATE_SECONDS : 0);
        oracle_columns(r, x);
        double *results = run_all(&p, 1, r, N_ORACLE, blocks[seed - 1]);
        for (size_t k = 0; k < n; k++)
            for (size_t i = 0; i < N_ORACLE; i++)
                assert_same(texts[k], i, results[i * n + k],
                            window_at(&windows[k], r, x[windows[k].x], i));
        free(results);
        free(r);
    }
    plan_release(&p);
}

// ---- one execution against others ----

// Every function of the language, windows inside windows among them.
static const struct definition language[] = {
    {"_fast", "count(customer, 90s) > 2"},
    {"a", "log1p(abs(amount)) + min(amount, 3) * max(amount, -3) / 7"},
    {"b", "(hour(time) <= 6) + (weekday(time) >= 5)"},
    {"c", "since(terminal)"},
    {"d", "sum(terminal, amount, 12h, past)"},
    {"e", "mean(terminal, label, 28d, delay=7d, prior=0.01, weight=30)"},
    {"f", "amount / mean(customer, amount, 1d, past)"},
    {"g", "sum(terminal, _fast * amount / 3, 7d)"},
    {"h", "mean(customer, mean(terminal, label, 1d, delay=1h), 7d) != 0"},
    {"i", "mean(terminal, sum(customer, count(terminal, 15m) / 3, 1h), 1d, delay=30s)"},
    {"j", "onehot(channel, \"web\", \"chip\")"},
    {"k", "sum(customer, log1p(amount), all)"}, // NaN below -1
    {"m", "onehot(channel, \"web\", *, \"chip\", \"none\")"},
    {"n", "hinges(if(hour(time) > 9 and not channel == \"web\", amount, sqrt(amount)), -3.5, 20)"},
    {"o", "sum(customer, sin(pow(amount, 3)) + exp(floor(log(amount) / 7)), 3h)"},
    {"l", "(amount < 20) - (amount >= 40) + (amount == 30) * -amount"},
};
enum { N_ROWS = 2500 };

// Keys as another secret would make them, and unlucky ones: all alike in their low or high bits.
static uint64_t other_key(size_t kind, uint64_t key)
{
    const uint64_t keys[] = {key, (key + 1) * 0x9e3779b97f4a7c15u, ~key, key << 40, key << 58};
    return keys[kind];
}

TEST_CASE(blocks_threads_and_keys_that_collide_do_not_change_a_bit)
{
    static const size_t blocks[] = {13, 97, 1023, 1024, N_ROWS};
    struct plan p;
    plan_make(&p, language, LENGTH(language));
    for (int late = 0; late < 2; late++) {
        struct row *r = rows_random(N_ROWS, 17, late * LATE_SECONDS), other[N_ROWS];
        double *singly = run_all(&p, 1, r, N_ROWS, 1);
        for (size_t b = 0; b < LENGTH(blocks); b++)
            for (unsigned threads = 1; threads <= 3; threads++) {
                for (size_t i = 0; i < N_ROWS; i++) {
                    other[i] = r[i];
                    other[i].customer = other_key(b, r[i].customer);
                    other[i].terminal = other_key(b, r[i].terminal);
                }
                double *results = run_all(&p, threads, other, N_ROWS, blocks[b]);
                assert_memory_equal(singly, results, N_ROWS * p.n_inputs * sizeof *results);
                free(results);
            }
        free(singly);
        free(r);
    }
    plan_release(&p);
}

// The last of n rows is refused, or none (words NULL).
static void assert_too_late(struct state *s, const struct row *r, size_t n, const char *words)
{
    double *ignored = xcalloc(n * s->plan->n_inputs, sizeof *ignored);
    struct err err = {""};
    const uint64_t events = s->events;
    assert_int_equal(run_block(s, r, n, ignored, &err), words ? -1 : 0);
    if (words)
        assert_contains(err.msg, words);
    assert_true(words ? s->refused == n - 1 && s->events == events : s->events == events + n);
    free(ignored);
}

TEST_CASE(a_block_with_an_event_that_is_too_late_is_refused_and_changes_nothing)
{
    enum { HALF = N_ROWS / 2, NEW = 12345 };
    struct plan p;
    struct state s;
    struct row *r = rows_random(N_ROWS, 29, 0), card = r[HALF - 1],
               three[] = {{.customer = NEW, .terminal = NEW},
                          {.customer = NEW, .terminal = NEW + 1, .time = LATE_SECONDS + 1},
                          {.customer = NEW, .terminal = NEW}};
    plan_make(&p, language, LENGTH(language));
    double *whole = run_all(&p, 1, r, N_ROWS, 100), *halves = xcalloc(N_ROWS * p.n_inputs, 8);
    card.time -= LATE_SECONDS + 5;
    card.terminal = NEW;
    state_make(&s, &p, 2);
    run_rows(&s, r, 0, HALF, 100, halves);
    assert_too_late(&s, &card, 1,
                    "it is 7 days 0 h older than the newest event of the same customer");
    assert_too_late(&s, three, 3, "it is 7 days 0 h older");
    three[1].time--;
    assert_too_late(&s, three, 3, NULL);
    run_rows(&s, r, HALF, N_ROWS, 100, halves);
    assert_memory_equal(whole, halves, N_ROWS * p.n_inputs * sizeof *whole);
    free(whole);
    free(halves);
    free(r);
    state_release(&s);
    plan_release(&p);
}

TEST_CASE(times_before_1970_divisions_by_zero_and_values_that_are_not_finite)
{
    const double max = DBL_MAX, inf = INFINITY;
    // Events of one key; times in thousands of seconds.
    const struct {
        const char *expression;
        double amounts[4], expected[4];
        uint64_t replaced;
        int64_t times[4];
    } cases[] = {
        {"hour(time)", {0}, {23, 0, 0, 0}, 0, {-1, 0, 1, 2}},
        {"weekday(time)", {0}, {2, 3, 3, 4}, 0, {-1, 0, 86, 87}},
        {"min(since(customer), 60)", {0}, {60, 60, 60, 60}, 0, {0, 1, 2, 3}},
        {"since(customer)", {0}, {inf, 1000, 1000, 1000}, 1, {0, 1, 2, 3}},
        {"amount / 0 + 0 / 0 + amount / -0", {1, -2, max}, {0}, 0, {0, 1, 2, 3}},
        {"mean(customer, amount, 1s, past)", {1, 2, 3, 4}, {0}, 0, {0, 1, 2, 3}},
        {"log1p(amount)", {-1, -2}, {-inf, NAN}, 2, {0, 1, 2, 3}},
        {"amount * 1e300", {1, max, -max}, {1e300, inf, -inf}, 3, {0, 1, 2, 3}}, // 1e300: no float
        {"sum(customer, log1p(amount), all)", {0, -1, -2}, {0}, 2, {0, 1, 2, 3}},
        {"sum(customer, amount, 1500s)", {max, max, 5e300}, {max, max}, 2 + 2, {0, 1, 2, 3}},
        // In time order it is 1, max, max, -max: the second max leaves no room for the third.
        {"sum(customer, amount, all)", {1, max, max, -max}, {1, max, max, 1}, 1 + 2, {0, 2, 1, 3}},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct definition d = {"x", cases[i].expression};
        struct plan p;
        struct state s;
        struct row r[4] = {{0}};
        double results[4];
        for (size_t k = 0; k < 4; k++) {
            r[k].time = 1000 * cases[i].times[k];
            r[k].amount = cases[i].amounts[k];
        }
        plan_make(&p, &d, 1);
        state_make(&s, &p, 1);
        run_rows(&s, r, 0, 4, 1, results);
        for (size_t k = 0; k < 4; k++)
            assert_same(d.expression, k, results[k], cases[i].expected[k]);
        assert_int_equal(atomic_load(&s.not_finite), cases[i].replaced);
        state_release(&s);
        plan_release(&p);
    }
}

TEST_CASE(the_calendar_is_the_c_librarys_at_the_offset_of_the_schema)
{
    enum { N = 3000, FIRST_DAY = -719162, DAYS = 3652059 }; // years 1 to 9999
    static const struct definition d[] = {{"a", "minute(time)"},
                                          {"b", "hour(time)"},
                                          {"c", "weekday(time)"},
                                          {"d", "day(time)"},
                                          {"e", "month(time)"}};
    static struct row r[N];
    uint64_t seed = 3;
    struct plan p;
    struct tm tm;
    plan_make(&p, d, LENGTH(d));
    for (size_t i = 0; i < N; i++) // keys of their own, so that none is late
        r[i] = (struct row){.customer = i, .time = (int64_t)random_below(&seed, 86400)};
    for (size_t i = 0; i < N; i++)
        r[i].time += 86400 * (FIRST_DAY + (int64_t)random_below(&seed, DAYS));
    for (p.schema.utc_offset = -50400; p.schema.utc_offset <= 50400; p.schema.utc_offset += 29700) {
        double *x = run_all(&p, 1, r, N, N);
        for (size_t i = 0; i < N; i++) {
            gmtime_r(&(time_t){r[i].time + p.schema.utc_offset}, &tm);
            const int expected[] = {tm.tm_min, tm.tm_hour, (tm.tm_wday + 6) % 7, tm.tm_mday,
                                    tm.tm_mon + 1};
            for (size_t k = 0; k < LENGTH(expected); k++)
                assert_same(d[k].expression, i, x[i * LENGTH(d) + k], expected[k]);
        }
        free(x);
    }
    plan_release(&p);
}

enum { N_SERVED = 4000, DELAY = 1800, LANES = 4 };

static const struct definition labelled[] = {
    {"_many", "count(customer, 1d) > 2"},
    {"_fraud", "label * amount * (1 - _many)"},
    {"loss", "sum(terminal, _fraud, 3h, delay=1h)"},
    {"odd", "mean(customer, label * _many + (1 - label) * amount / 3, 2d, delay=30m)"},
    {"risk", "mean(terminal, label, 1d, delay=30m, prior=0.1, weight=2)"},
    {"ever", "sum(terminal, label, all, delay=1h)"},
    {"nested", "mean(customer, mean(terminal, label, 1d, delay=1h), 7d)"},
    {"plain", "count(customer, 1h)"},
    {"infinite", "sum(terminal, log1p(-label) + amount, 1d, delay=2h)"},
};

struct served {
    struct row row;
    int8_t told;
    int64_t due; // when its label arrives
    double values[2][LANES];
};

static void tell(struct state *s, struct served *e, int label)
{
    const void *columns[N_COLUMNS];
    const struct events one = one_event(&e->row, columns);
    state_relabel(s, &one, e->values[e->told == 1], e->values[label == 1]);
    e->told = (int8_t)label;
}

// As a server has the event: without its label.
static void serve(struct state *s, struct served *e, double *results)
{
    struct err err;
    struct row unlabelled = e->row;
    const void *columns[N_COLUMNS];
    const struct events one = one_event(&e->row, columns);
    unlabelled.label = -1;
    columns[LABEL] = NULL;
    assert_int_equal(run_block(s, &unlabelled, 1, results, &err), 0);
    state_label_values(s, &one, e->values[0]);
}

// changes: how often a label is told wrongly before it is told right.
static void compare_with_batch(uint64_t seed, int64_t longest, int changes, int64_t late)
{
    static struct served events[N_SERVED];
    struct plan p;
    struct state s;
    struct row *r = rows_random(N_SERVED, seed, late);
    plan_make(&p, labelled, LENGTH(labelled));
    assert_int_equal(p.n_label_lanes, LANES);
    double *expected = run_all(&p, 1, r, N_SERVED, N_SERVED), *found = xcalloc(p.n_inputs, 8);
    state_make(&s, &p, 1);
    for (size_t i = 0, from = 0; i < N_SERVED; i++) {
        struct served *e = &events[i];
        *e = (struct served){.row = r[i], .told = -1, .due = r[i].time};
        e->due += (int64_t)random_below(&seed, (uint64_t)longest + 1);
        while (from < i && events[from].told == r[from].label)
            from++;
        for (size_t j = from; j < i; j++) {
            if (events[j].due > r[i].time || events[j].told == r[j].label || r[j].label < 0)
                continue;
            for (int k = 0; k < changes; k++)
                tell(&s, &events[j], (k + r[j].label + 1) % 2);
            tell(&s, &events[j], r[j].label);
        }
        serve(&s, e, found);
        assert_memory_equal(found, expected + i * p.n_inputs, p.n_inputs * sizeof *found);
    }
    free(expected);
    free(found);
    free(r);
    state_release(&s);
    plan_release(&p);
}

TEST_CASE(labels_told_within_the_delay_give_the_bits_of_batch)
{
    compare_with_batch(2, DELAY, 0, 100);
    compare_with_batch(3, DELAY, 2, 100);
    compare_with_batch(4, DELAY, 3, 100);
    compare_with_batch(5, DELAY, 1, LATE_SECONDS);
}

TEST_CASE(a_label_of_an_event_that_is_no_longer_kept_counts_in_windows_over_all)
{
    enum { N = 300, TOLD = 200 };
    static const struct definition ever[] = {{"ever", "sum(terminal, label, all, delay=1h)"},
                                             {"lately", "sum(terminal, label, 2h, delay=1h)"}};
    struct plan p;
    struct state s;
    struct row r[N];
    double results[N][2];
    const void *columns[N_COLUMNS];
    plan_make(&p, ever, 2);
    for (size_t i = 0; i < N; i++)
        r[i] = (struct row){.time = (int64_t)i * 60000, .terminal = 5};
    state_make(&s, &p, 1);
    run_rows(&s, r, 0, TOLD, 1, results[0]);
    assert_true(state_history(&s, 0, 5, 1)->first > 0);
    const struct events one = one_event(r, columns);
    state_relabel(&s, &one, (double[]){0, 0}, (double[]){1, 1});
    run_rows(&s, r, TOLD, N, 1, results[0]);
    for (size_t i = 0; i < N; i++)
        assert_true(results[i][0] == (i >= TOLD) && results[i][1] == 0);
    state_release(&s);
    plan_release(&p);
}

TESTS(NULL, NULL)
