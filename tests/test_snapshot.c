// features/snapshot: a state that was saved and loaded goes on to the same bits, also between late
// events, and a file that no state wrote is refused, also when its checksum is right.

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

static const char *snapshot_path(void)
{
    return scratch_path(SNAPSHOT_NAME);
}

struct bytes {
    uint64_t *words;
    size_t n; // bytes
};

// Save the state and read the file.
static struct bytes save(const struct state *s)
{
    struct err err = {""};
    struct bytes b = {NULL, 0};
    unlink(snapshot_path());
    int fd = open(snapshot_path(), O_WRONLY | O_CREAT | O_EXCL, 0600);
    must(snapshot_save(s, fd, SNAPSHOT_NAME, &err), &err);
    assert_int_equal(close(fd), 0);
    b.words = (uint64_t *)scratch_read(snapshot_path(), &b.n);
    assert_non_null(b.words);
    return b;
}

static void load(struct state *s, const struct plan *p, unsigned threads)
{
    struct err err = {""};
    state_make(s, p, threads);
    must(snapshot_load(s, snapshot_path(), &err), &err);
}

// Run the rows with a stop after every `step`, each time going on with other threads; the last
// file.
static struct bytes run_with_stops(const struct plan *p, const struct row *r, size_t n, size_t step,
                                   double *results)
{
    struct state s;
    struct bytes b = {NULL, 0};
    state_make(&s, p, 1);
    for (size_t i = 0; i < n; i += step) {
        run_rows(&s, r, i, i + step < n ? i + step : n, 37, results);
        free(b.words);
        s.position = UINT64_MAX - 5;
        b = save(&s);
        state_release(&s);
        load(&s, p, 1 + (unsigned)(i / step) % 3);
        assert_true(s.position == UINT64_MAX - 5);
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

TEST_CASE(stops_change_neither_features_nor_the_last_snapshot)
{
    static const size_t steps[] = {3, 20, 500, 1599};
    struct plan plan;
    plan_make(&plan, definitions, LENGTH(definitions));
    const size_t n = N_ROWS * plan.n_inputs;
    double *whole = xcalloc(n, sizeof *whole), *parts = xcalloc(n, sizeof *parts);
    for (size_t i = 0; i < 2 * LENGTH(steps); i++) {
        struct row *r = rows_random(N_ROWS, 5, i % 2 ? LATE_SECONDS : 0);
        assert_same_bytes(run_with_stops(&plan, r, N_ROWS, N_ROWS, whole),
                          run_with_stops(&plan, r, N_ROWS, steps[i / 2], parts));
        assert_memory_equal(whole, parts, n * sizeof *whole);
        free(r);
    }
    free(whole);
    free(parts);
    plan_release(&plan);
}

TEST_CASE(after_late_events_a_snapshot_is_what_it_had_been_in_time_order)
{
    static const struct definition over_columns[] = {
        {"a", "sum(customer, amount, 7d) / 3"},
        {"b", "mean(terminal, label * amount / 3, 3d, delay=1d)"},
        {"c", "count(customer, all, past) + min(since(terminal), 86400)"},
    };
    struct plan p;
    plan_make(&p, over_columns, LENGTH(over_columns));
    double *ignored = xcalloc(N_ROWS * p.n_inputs, sizeof *ignored);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct row *r = rows_random(N_ROWS, seed, 0);
        for (size_t i = 0; i < N_ROWS; i++)
            r[i].time = 3 * r[i].time / 2 + (int64_t)i; // no two alike
        struct bytes in_order = run_with_stops(&p, r, N_ROWS, N_ROWS, ignored);
        rows_delay(r, N_ROWS, LATE_SECONDS, seed);
        assert_same_bytes(in_order, run_with_stops(&p, r, N_ROWS, seed % 2 ? 7 : N_ROWS, ignored));
        free(r);
    }
    free(ignored);
    plan_release(&p);
}

static void assert_refused(const struct plan *p, const char *words)
{
    struct state s;
    struct err err = {"(loaded)"};
    state_make(&s, p, 2);
    int rc = snapshot_load(&s, snapshot_path(), &err);
    state_release(&s);
    assert_int_equal(rc, -1);
    assert_contains(err.msg, words);
    assert_contains(err.msg, snapshot_path());
}

static void write_bytes(const void *data, size_t n)
{
    unlink(snapshot_path()); // some file systems flush a file that is emptied and written again
    scratch_bytes(SNAPSHOT_NAME, data, n);
}

static struct bytes saved_after(const struct plan *p, const struct row *r, size_t n)
{
    double *ignored = xcalloc(n * p->n_inputs, sizeof *ignored);
    struct bytes b = run_with_stops(p, r, n, n, ignored);
    free(ignored);
    return b;
}

TEST_CASE(files_that_were_cut_or_altered_anywhere_are_refused)
{
    const struct definition other = {"n", "count(customer, 12h)"};
    struct row *r = rows_random(12, 41, 0);
    struct plan plan, p;
    plan_make(&plan, definitions, LENGTH(definitions));
    plan_make(&p, &other, 1);
    struct bytes b = saved_after(&plan, r, 12);
    assert_refused(&p, "other feature expressions");
    for (size_t i = 0; i < b.n; i++) {
        write_bytes(b.words, i);
        assert_refused(&plan, "snapshot");
        ((unsigned char *)b.words)[i] ^= 0x20;
        write_bytes(b.words, b.n);
        assert_refused(&plan, i < 8 ? "not a snapshot of this version" : "damaged");
        ((unsigned char *)b.words)[i] ^= 0x20;
    }
    unlink(snapshot_path());
    assert_refused(&plan, "No such file");
    plan_release(&p);
    plan_release(&plan);
    free(b.words);
    free(r);
}

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
    {KEY, 9}, // keys are not in order
    {FIRST, UINT64_MAX},
    {NEXT, 0},
    {EVENTS, 11}, // times decrease
    {EVENTS, UINT64_C(1) << 63},
    {EVENTS + 6, INT64_MAX},
    {EVENTS + 5, UINT64_C(0x7ff8000000000000)},
    {EVENTS + 1, UINT64_C(0x7ff0000000000000)}, // a total is not finite
};

static void write_forged(struct bytes b)
{
    const uint64_t before = b.words[b.n / 8 - 1];
    b.words[b.n / 8 - 1] = XXH3_64bits(b.words, b.n - 8);
    write_bytes(b.words, b.n);
    b.words[b.n / 8 - 1] = before;
}

TEST_CASE(forged_numbers_are_refused)
{
    const struct row few[] = {
        {.customer = 5}, {.time = 10, .customer = 5}, {.time = 20, .customer = 5}, {.customer = 9}};
    struct plan p;
    struct state s;
    plan_make(&p, &small, 1);
    struct bytes b = saved_after(&p, few, 4);
    for (size_t i = 0; i < LENGTH(forged); i++) {
        const uint64_t before = b.words[forged[i].word];
        b.words[forged[i].word] = forged[i].value;
        write_forged(b);
        assert_refused(&p, "damaged");
        b.words[forged[i].word] = before;
    }
    for (size_t n = 8; n < b.n; n += 8) {
        write_forged((struct bytes){b.words, n});
        assert_refused(&p, "snapshot");
    }
    // Three events that claim to follow five others, seconds before them, which are not there.
    b.words[FIRST] = 5;
    b.words[NEXT] = 8;
    write_forged(b);
    assert_refused(&p, "damaged");
    b.words[EVENTS] -= (uint64_t)(100 + LATE_SECONDS - 20); // as old as is needed at 20
    write_forged(b);
    load(&s, &p, 1);
    state_release(&s);
    free(b.words);
    plan_release(&p);
}

TESTS(scratch_make, scratch_remove)
