// features/snapshot: a state that was saved and loaded goes on to the same bits, and a file that is
// not what a state wrote is refused, also when its checksum is right.
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
enum { N_DEFINITIONS = sizeof definitions / sizeof *definitions };

static char path[300];
static struct plan plan;
static struct rows rows;

static int setup(void **state)
{
    int rc = scratch_make(state);
    snprintf(path, sizeof path, "%s/%s", scratch, SNAPSHOT_NAME);
    plan_make(&plan, definitions, N_DEFINITIONS);
    rows_random(&rows, N_ROWS, 41);
    return rc;
}

static int teardown(void **state)
{
    rows_release(&rows);
    plan_release(&plan);
    return scratch_remove(state);
}

// ---- files ----

struct bytes {
    uint64_t *words;
    size_t n; // bytes
};

static struct bytes read_back(void)
{
    struct bytes b = {NULL, 0};
    b.words = (uint64_t *)scratch_read(path, &b.n); // with room for a word more
    assert_non_null(b.words);
    return b;
}

static void write_bytes(const void *data, size_t n)
{
    unlink(path); // some file systems flush a file that is emptied and written again
    scratch_bytes(SNAPSHOT_NAME, data, n);
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

// Load into a fresh state of any number of threads; 0 or -1 and a message.
static int load_by(const struct plan *p, unsigned threads, struct state *s, struct err *err)
{
    state_make(s, p, threads);
    return snapshot_load(s, path, err);
}

// The file after the first n events, as one thread saves it.
static struct bytes saved_after(size_t n)
{
    struct state s;
    struct results results;
    state_make(&s, &plan, 1);
    results_init(&results, &plan, N_ROWS);
    run_rows(&s, &rows, 0, n, 100, &results);
    save(&s);
    free(results.values);
    state_release(&s);
    return read_back();
}

// ---- going on ----

// Stop after n events, load with other threads, go on; twice saved it must be the same file.
static void stop_and_go_on(size_t n, unsigned before, unsigned after, const struct results *whole)
{
    struct state s;
    struct results results;
    struct err err = {""};
    state_make(&s, &plan, before);
    results_init(&results, &plan, N_ROWS);
    run_rows(&s, &rows, 0, n, N_ROWS, &results);
    save(&s);
    struct bytes first = read_back();
    state_release(&s);
    if (load_by(&plan, after, &s, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(s.events, n);
    save(&s);
    struct bytes second = read_back();
    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.words, second.words, first.n);
    run_rows(&s, &rows, n, N_ROWS, 37, &results);
    assert_memory_equal(results.values, whole->values, N_ROWS * plan.n_inputs * sizeof(double));
    save(&s);
    free(first.words);
    free(second.words);
    free(results.values);
    state_release(&s);
}

static void a_stop_in_the_middle_changes_neither_features_nor_the_last_snapshot(void **state)
{
    (void)state;
    static const size_t stops[] = {0, 1, 2, 500, 1599, 1600};
    struct results whole;
    struct bytes straight = saved_after(N_ROWS);
    run_all(&plan, 1, &rows, 100, &whole);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        for (unsigned before = 1; before <= 3; before++)
            for (unsigned after = 1; after <= 3; after++) {
                stop_and_go_on(stops[i], before, after, &whole);
                struct bytes end = read_back();
                assert_int_equal(end.n, straight.n);
                assert_memory_equal(end.words, straight.words, end.n);
                free(end.words);
            }
    free(straight.words);
    free(whole.values);
}

static void a_loaded_state_refuses_events_that_come_too_late_for_those_it_saw(void **state)
{
    (void)state;
    struct state s;
    struct results results;
    struct err err = {""};
    free(saved_after(800).words);
    assert_int_equal(load_by(&plan, 2, &s, &err), 0);
    results_init(&results, &plan, N_ROWS);
    assert_int_equal(run_block(&s, &rows, 0, 1, &results, &err), -1);
    assert_contains(err.msg, "too late: it is");
    run_rows(&s, &rows, 800, N_ROWS, 1, &results);
    free(results.values);
    state_release(&s);
}

static void the_position_of_the_caller_travels_with_the_state(void **state)
{
    (void)state;
    struct state s;
    struct err err = {""};
    free(saved_after(100).words);
    assert_int_equal(load_by(&plan, 1, &s, &err), 0);
    assert_true(s.position == 0);
    s.position = UINT64_MAX - 5;
    save(&s);
    state_release(&s);
    assert_int_equal(load_by(&plan, 2, &s, &err), 0);
    assert_true(s.position == UINT64_MAX - 5);
    state_release(&s);
}

static void a_snapshot_holds_only_what_windows_of_late_events_still_reach(void **state)
{
    (void)state;
    const struct definition d = {"n", "count(customer, 60s)"};
    struct plan p;
    struct state s;
    struct results results;
    struct rows many;
    plan_make(&p, &d, 1);
    rows_random(&many, 5000, 3);
    for (size_t i = 0; i < many.n; i++) {
        many.time[i] = (int64_t)i * 3600;
        many.customer[i] = 1;
    }
    state_make(&s, &p, 1);
    results_init(&results, &p, many.n);
    run_rows(&s, &many, 0, many.n, many.n, &results);
    save(&s);
    struct bytes b = read_back();
    assert_in_range(b.n / sizeof *b.words, 170, 200); // 7 days have 168 of the 5000 events
    free(b.words);
    free(results.values);
    rows_release(&many);
    state_release(&s);
    plan_release(&p);
}

// ---- files that are refused ----

static void assert_refused(const struct plan *p, const char *message)
{
    struct state s;
    struct err err = {"(loaded)"};
    int rc = load_by(p, 2, &s, &err);
    state_release(&s);
    if (rc != -1 || !strstr(err.msg, message) || !strstr(err.msg, path))
        fail_msg("%s\nlacks: %s", err.msg, message);
}

static void a_truncated_snapshot_is_refused_at_every_length(void **state)
{
    (void)state;
    struct bytes b = saved_after(12);
    for (size_t n = 0; n < b.n; n++) {
        write_bytes(b.words, n);
        assert_refused(&plan, "snapshot");
    }
    free(b.words);
}

static void a_snapshot_with_any_byte_altered_or_added_is_refused(void **state)
{
    (void)state;
    struct bytes b = saved_after(12);
    for (size_t i = 0; i < b.n; i++) {
        ((unsigned char *)b.words)[i] ^= 0x20;
        write_bytes(b.words, b.n);
        assert_refused(&plan, i < 8 ? "not a snapshot of this version" : "checksum");
        ((unsigned char *)b.words)[i] ^= 0x20;
    }
    b.words[b.n / 8] = 0;
    write_bytes(b.words, b.n + 8);
    assert_refused(&plan, "checksum");
    free(b.words);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    unlink(path);
    assert_refused(&plan, "No such file");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(&plan, "snapshot");
    assert_int_equal(rmdir(path), 0);
    write_bytes("", 0);
    assert_refused(&plan, "empty");
}

static void a_snapshot_of_other_expressions_is_refused(void **state)
{
    (void)state;
    struct definition other[N_DEFINITIONS];
    struct plan p;
    memcpy(other, definitions, sizeof other);
    other[1].expression = "count(customer, 12h) + count(customer, all)";
    plan_make(&p, other, N_DEFINITIONS);
    free(saved_after(12).words);
    assert_refused(&p, "other feature expressions");
    plan_release(&p);
}

// ---- forged files: any numbers, with the right checksum ----

// A plan of one track, one lane and two edges: every word of its snapshot is known.
//     0 magic, 1 plan, 2 events, 3 last time, 4 not finite, 5 number of tracks, 6 fingerprint,
//     7 position, 8 number of keys, 9 key, 10 first, 11 next, 12 and 13 cursors,
//     14 .. 22 three events [time, hi, lo], 23 the second key, ... with one event, and the checksum
static const struct definition small = {"n", "mean(customer, amount, 100s, past)"};
enum { KEYS = 8, KEY, FIRST, NEXT, CURSORS, EVENTS = CURSORS + 2 };

static struct bytes small_snapshot(const struct plan *p)
{
    struct state s;
    struct results results;
    struct rows few;
    rows_random(&few, 4, 1);
    for (size_t i = 0; i < 4; i++) {
        few.time[i] = 10 * (int64_t)i;
        few.customer[i] = i == 3 ? 9 : 5;
    }
    state_make(&s, p, 1);
    results_init(&results, p, 4);
    run_rows(&s, &few, 0, 4, 4, &results);
    save(&s);
    free(results.values);
    rows_release(&few);
    state_release(&s);
    return read_back();
}

static void write_forged(struct bytes *b)
{
    b->words[b->n / 8 - 1] = XXH3_64bits(b->words, b->n - 8);
    write_bytes(b->words, b->n);
}

static void forged_numbers_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t word;
        uint64_t value;
        const char *message;
    } cases[] = {
        {5, 0, "other feature expressions"},
        {5, 2, "other feature expressions"},
        {KEYS, 1, "too long"},
        {KEYS, 3, "too short"},
        {KEYS, UINT64_MAX, "too short"},
        {KEY, 9, "keys are not in order"},
        {KEY, 10, "keys are not in order"},
        {FIRST, 3, "number of events is wrong"},
        {FIRST, 4, "number of events is wrong"},
        {FIRST, UINT64_MAX, "number of events is wrong"},
        {FIRST, 1, "damaged"},
        {NEXT, 0, "number of events is wrong"},
        {NEXT, 1000, "number of events is wrong"},
        {NEXT, UINT64_MAX, "number of events is wrong"},
        {CURSORS, 4, "a cursor points outside its history"},
        {CURSORS + 1, UINT64_MAX, "a cursor points outside its history"},
        {EVENTS, 11, "times decrease"},
        {EVENTS, UINT64_C(1) << 63, "a time is out of range"},
        {EVENTS + 6, INT64_MAX, "a time is out of range"},
        {EVENTS + 1, UINT64_C(0x7ff0000000000000), "a total is not finite"},
        {EVENTS + 5, UINT64_C(0x7ff8000000000000), "a total is not finite"},
    };
    struct plan p;
    plan_make(&p, &small, 1);
    struct bytes b = small_snapshot(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = b.words[cases[i].word];
        b.words[cases[i].word] = cases[i].value;
        write_forged(&b);
        assert_refused(&p, cases[i].message);
        b.words[cases[i].word] = before;
    }
    write_forged(&b);
    struct state s;
    struct err err;
    assert_int_equal(load_by(&p, 1, &s, &err), 0); // unforged it is fine
    state_release(&s);
    free(b.words);
    plan_release(&p);
}

// Three events that claim to follow five others, seconds before them, which are not there.
static void a_history_that_begins_too_late_is_refused(void **state)
{
    (void)state;
    struct plan p;
    plan_make(&p, &small, 1);
    struct bytes b = small_snapshot(&p);
    b.words[FIRST] = 5;
    b.words[NEXT] = 8;
    b.words[CURSORS] = 7;
    b.words[CURSORS + 1] = 6;
    write_forged(&b);
    assert_refused(&p, "events that windows reach are missing");
    b.words[EVENTS] -= (uint64_t)(100 + LATE_SECONDS - 20); // as old as is needed at 20
    write_forged(&b);
    struct state s;
    struct err err;
    assert_int_equal(load_by(&p, 1, &s, &err), 0);
    state_release(&s);
    free(b.words);
    plan_release(&p);
}

static void a_forged_length_is_refused_at_every_word(void **state)
{
    (void)state;
    struct plan p;
    plan_make(&p, &small, 1);
    struct bytes b = small_snapshot(&p);
    size_t n = b.n;
    for (b.n = 8; b.n < n; b.n += 8) {
        uint64_t before = b.words[b.n / 8 - 1];
        write_forged(&b);
        assert_refused(&p, "snapshot");
        b.words[b.n / 8 - 1] = before;
    }
    b.n = n + 8;
    write_forged(&b);
    assert_refused(&p, "too long");
    free(b.words);
    plan_release(&p);
}

// ---- writing ----

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct state s;
    struct results results;
    struct err err = {""};
    state_make(&s, &plan, 1);
    results_init(&results, &plan, N_ROWS);
    run_rows(&s, &rows, 0, N_ROWS, N_ROWS, &results);
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(snapshot_save(&s, fd, "here/state.bin", &err), -1);
    assert_contains(err.msg, "here/state.bin: cannot write: No space left");
    close(fd);
    free(results.values);
    state_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_in_the_middle_changes_neither_features_nor_the_last_snapshot),
        cmocka_unit_test(a_loaded_state_refuses_events_that_come_too_late_for_those_it_saw),
        cmocka_unit_test(the_position_of_the_caller_travels_with_the_state),
        cmocka_unit_test(a_snapshot_holds_only_what_windows_of_late_events_still_reach),
        cmocka_unit_test(a_truncated_snapshot_is_refused_at_every_length),
        cmocka_unit_test(a_snapshot_with_any_byte_altered_or_added_is_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_snapshot_of_other_expressions_is_refused),
        cmocka_unit_test(forged_numbers_are_refused),
        cmocka_unit_test(a_history_that_begins_too_late_is_refused),
        cmocka_unit_test(a_forged_length_is_refused_at_every_word),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
