// features/snapshot: a state that was saved and loaded goes on to the same bits, also between late
// events, and a file that no state wrote is refused, also when its checksum is right.
#include "features/snapshot.h"

#include "tests/support.h"

#include <fcntl.h>
#include <xxhash.h>

enum { N_ROWS = 1600 };

static const struct definition definitions[] = {
    {"_risk", "mean(terminal, label, 7d, delay=1h, prior=0.01, weight=5)"},
    {"a", "count(customer, 12h) + count(customer, all, past)"},
    {"b", "sum(customer, _risk * amount, 1d)"},
    {"c", "mean(terminal, amount / 3, 2d, past)"},
    {"d", "since(terminal)"}, // infinite at first: not_finite counts
    {"e", "onehot(channel, \"web\")"},
};

static char path[300];
static struct plan plan;

static int setup(void **state)
{
    int rc = scratch_make(state);
    snprintf(path, sizeof path, "%s/%s", scratch, SNAPSHOT_NAME);
    plan_make(&plan, definitions, LENGTH(definitions));
    return rc;
}

static int teardown(void **state)
{
    plan_release(&plan);
    return scratch_remove(state);
}

struct bytes {
    uint64_t *words;
    size_t n; // bytes
};

static struct bytes save(const struct state *s)
{
    struct err err = {""};
    struct bytes b;
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (snapshot_save(s, fd, SNAPSHOT_NAME, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(close(fd), 0);
    b.words = (uint64_t *)scratch_read(path, &b.n);
    return b;
}

static void load(struct state *s, const struct plan *p, unsigned threads)
{
    struct err err = {""};
    state_make(s, p, threads);
    if (snapshot_load(s, path, &err))
        fail_msg("%s", err.msg);
}

// Run the rows with a stop after every `step`, each time going on with other threads; the last
// file.
static struct bytes run_with_stops(const struct plan *p, const struct row *r, size_t step,
                                   double *results)
{
    struct state s;
    struct bytes b = {NULL, 0};
    state_make(&s, p, 1);
    for (size_t i = 0; i < N_ROWS; i += step) {
        run_rows(&s, r, i, i + step < N_ROWS ? i + step : N_ROWS, 37, results);
        free(b.words);
        b = save(&s);
        state_release(&s);
        load(&s, p, 1 + (unsigned)(i / step) % 3);
    }
    state_release(&s);
    return b;
}

static void assert_same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.words, b.words, a.n);
    free(a.words);
    free(b.words);
}

static void stops_change_neither_features_nor_the_last_snapshot(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 20, 500, 1599};
    const size_t n = N_ROWS * plan.n_inputs;
    double *whole = xcalloc(n, sizeof *whole), *parts = xcalloc(n, sizeof *parts);
    for (int late = 0; late < 2; late++) {
        struct row *r = rows_random(N_ROWS, 5);
        if (late)
            rows_delay(r, N_ROWS, LATE_SECONDS, 5);
        for (size_t i = 0; i < LENGTH(steps); i++) {
            assert_same_bytes(run_with_stops(&plan, r, N_ROWS, whole),
                              run_with_stops(&plan, r, steps[i], parts));
            assert_memory_equal(whole, parts, n * sizeof *whole);
        }
        free(r);
    }
    free(whole);
    free(parts);
}

static void after_late_events_a_snapshot_is_what_it_had_been_in_time_order(void **state)
{
    (void)state;
    static const struct definition over_columns[] = {
        {"a", "sum(customer, amount, 7d) / 3"},
        {"b", "mean(terminal, label * amount / 3, 3d, delay=1d)"},
        {"c", "count(customer, all, past) + min(since(terminal), 86400)"},
    };
    struct plan p;
    plan_make(&p, over_columns, LENGTH(over_columns));
    double *ignored = xcalloc(N_ROWS * p.n_inputs, sizeof *ignored);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct row *r = rows_random(N_ROWS, seed);
        for (size_t i = 0; i < N_ROWS; i++)
            r[i].time = 3 * r[i].time / 2 + (int64_t)i; // no two alike
        struct bytes in_order = run_with_stops(&p, r, N_ROWS, ignored);
        rows_delay(r, N_ROWS, LATE_SECONDS, seed);
        assert_same_bytes(in_order, run_with_stops(&p, r, seed % 2 ? 1 : N_ROWS, ignored));
        free(r);
    }
    free(ignored);
    plan_release(&p);
}

static void a_snapshot_holds_the_position_and_what_windows_of_late_events_still_reach(void **state)
{
    (void)state;
    const struct definition d = {"n", "count(customer, 60s)"};
    struct row many[5000] = {{0}};
    double results[5000];
    struct plan p;
    struct state s;
    plan_make(&p, &d, 1);
    for (size_t i = 0; i < LENGTH(many); i++)
        many[i].time = (int64_t)i * 3600;
    state_make(&s, &p, 1);
    run_rows(&s, many, 0, LENGTH(many), LENGTH(many), results);
    s.position = UINT64_MAX - 5;
    struct bytes b = save(&s);
    assert_in_range(b.n / sizeof *b.words, 170, 200); // 7 days have 168 of the 5000 events
    state_release(&s);
    load(&s, &p, 2);
    assert_true(s.position == UINT64_MAX - 5);
    free(b.words);
    state_release(&s);
    plan_release(&p);
}

// ---- files that are refused ----

static void assert_refused(const struct plan *p, const char *words)
{
    struct state s;
    struct err err = {"(loaded)"};
    state_make(&s, p, 2);
    int rc = snapshot_load(&s, path, &err);
    state_release(&s);
    if (rc != -1 || !strstr(err.msg, words) || !strstr(err.msg, path))
        fail_msg("%s\nlacks: %s", err.msg, words);
}

static void write_bytes(const void *data, size_t n)
{
    unlink(path); // some file systems flush a file that is emptied and written again
    scratch_bytes(SNAPSHOT_NAME, data, n);
}

static void files_that_were_cut_or_altered_anywhere_are_refused(void **state)
{
    (void)state;
    struct row *r = rows_random(N_ROWS, 41);
    struct state s;
    double results[12 * 8];
    state_make(&s, &plan, 1);
    run_rows(&s, r, 0, 12, 12, results);
    struct bytes b = save(&s);
    state_release(&s);
    free(r);
    for (size_t i = 0; i < b.n; i++) {
        write_bytes(b.words, i);
        assert_refused(&plan, "snapshot");
        ((unsigned char *)b.words)[i] ^= 0x20;
        write_bytes(b.words, b.n);
        assert_refused(&plan, i < 8 ? "not a snapshot of this version" : "damaged");
        ((unsigned char *)b.words)[i] ^= 0x20;
    }
    write_bytes(b.words, b.n);
    struct definition other[LENGTH(definitions)];
    struct plan p;
    memcpy(other, definitions, sizeof other);
    other[1].expression = "count(customer, 12h) + count(customer, all)";
    plan_make(&p, other, LENGTH(other));
    assert_refused(&p, "other feature expressions");
    plan_release(&p);
    unlink(path);
    assert_refused(&plan, "No such file");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(&plan, "not a snapshot");
    assert_int_equal(rmdir(path), 0);
    free(b.words);
}

// ---- forged files: any numbers, with the right checksum ----

// A plan of one track, one lane and two edges: every word of its snapshot is known.
//     0 magic, 1 plan, 2 events, 3 last time, 4 not finite, 5 number of tracks, 6 fingerprint,
//     7 position, 8 number of keys, 9 key, 10 first, 11 next, 12 and 13 cursors,
//     14 .. 22 three events [time, hi, lo], 23 the second key, ... with one event, and the checksum
static const struct definition small = {"n", "mean(customer, amount, 100s, past)"};
enum { KEYS = 8, KEY, FIRST, NEXT, CURSORS, EVENTS = CURSORS + 2 };

static const struct {
    size_t word;
    uint64_t value;
} forged[] = {
    {3, 19}, // an event is newer than the newest
    {KEYS, 1},
    {KEYS, 3},
    {KEY, 9}, // keys are not in order
    {FIRST, UINT64_MAX},
    {FIRST, 1},
    {NEXT, 0},
    {NEXT, UINT64_MAX},
    {CURSORS, 4},
    {CURSORS + 1, UINT64_MAX},
    {EVENTS, 11}, // times decrease
    {EVENTS, UINT64_C(1) << 63},
    {EVENTS + 6, INT64_MAX},
    {EVENTS + 1, UINT64_C(0x7ff0000000000000)}, // a total is not finite
    {EVENTS + 5, UINT64_C(0x7ff8000000000000)},
};

static void write_forged(struct bytes b)
{
    b.words[b.n / 8 - 1] = XXH3_64bits(b.words, b.n - 8);
    write_bytes(b.words, b.n);
}

static void forged_numbers_are_refused(void **state)
{
    (void)state;
    const struct row few[] = {
        {.customer = 5}, {.time = 10, .customer = 5}, {.time = 20, .customer = 5}, {.customer = 9}};
    struct plan p;
    struct state s;
    double results[4];
    plan_make(&p, &small, 1);
    state_make(&s, &p, 1);
    run_rows(&s, few, 0, 4, 4, results);
    struct bytes b = save(&s), cut = b;
    state_release(&s);
    for (size_t i = 0; i < LENGTH(forged); i++) {
        const uint64_t before = b.words[forged[i].word];
        b.words[forged[i].word] = forged[i].value;
        write_forged(b);
        assert_refused(&p, "damaged");
        b.words[forged[i].word] = before;
    }
    for (cut.n = 8; cut.n < b.n; cut.n += 8) {
        const uint64_t before = cut.words[cut.n / 8 - 1];
        write_forged(cut);
        assert_refused(&p, "snapshot");
        cut.words[cut.n / 8 - 1] = before;
    }
    // Three events that claim to follow five others, seconds before them, which are not there.
    b.words[FIRST] = 5;
    b.words[NEXT] = 8;
    b.words[CURSORS] = 7;
    b.words[CURSORS + 1] = 6;
    write_forged(b);
    assert_refused(&p, "damaged");
    b.words[EVENTS] -= (uint64_t)(100 + LATE_SECONDS - 20); // as old as is needed at 20
    write_forged(b);
    load(&s, &p, 1);
    state_release(&s);
    free(b.words);
    plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_change_neither_features_nor_the_last_snapshot),
        cmocka_unit_test(after_late_events_a_snapshot_is_what_it_had_been_in_time_order),
        cmocka_unit_test(a_snapshot_holds_the_position_and_what_windows_of_late_events_still_reach),
        cmocka_unit_test(files_that_were_cut_or_altered_anywhere_are_refused),
        cmocka_unit_test(forged_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
