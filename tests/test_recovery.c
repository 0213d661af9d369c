// recovery: everything acknowledged is there after the service ends, in whatever way, and the state
// comes out of database and checkpoint to the same bits, also after old rows were dropped.
#include "tests/asking.h"

#include <time.h>

static void crash_without_checkpoint(struct fixture *f)
{
    shell(f, "rm -f assay.db-state");
    crash(f);
}

// Compared with a service that never stops.
static void after_any_end_the_service_goes_on_to_the_same_bits(void **state)
{
    static void (*const ends[])(struct fixture *) = {restart, crash, crash_without_checkpoint};
    struct fixture *f = *state, other = {0};
    struct err err = {""};
    assert_int_equal(small_service_make(&other.small, &err), 0);
    for (int part = 0; part < 9; part++) {
        char *a = answers(f, part * 20, 20), *b = answers(&other, part * 20, 20);
        assert_string_equal(a, b);
        free(a);
        free(b);
        ends[part % 3](f);
    }
    release(&other);
}

static void the_newest_decisions_drift_and_quality_are_known_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct reply shown[2] = {0};
    double drift[2][SMALL_INPUTS + 1];
    uint64_t quality[2][2][2];
    free(answers(f, 0, 80));
    tell(f, "{\"id\":\"T1\",\"label\":0}"); // it was 1
    for (int i = 0; i < 2; i++) {
        struct recent *r = &f->small.service.recent;
        reply_reset(&shown[i]);
        recent_write_decisions(r, &shown[i]);
        recent_quality(r, quality[i]);
        assert_int_equal(recent_drift(r, &f->small.service.champion->model, drift[i]), 80);
        restart(f);
    }
    const uint64_t(*q)[2] = quality[0];
    assert_int_equal(q[0][0] + q[0][1] + q[1][0] + q[1][1], 20);
    assert_string_equal(shown[0].text, shown[1].text);
    assert_memory_equal(quality[0], quality[1], sizeof quality[0]);
    assert_memory_equal(drift[0], drift[1], sizeof drift[0]);
    reply_release(&shown[0]);
    reply_release(&shown[1]);
}

// The newer of two checkpoints is damaged: the next must not be kept beside it, but beside the good
// one.
static void a_damaged_checkpoint_is_reported_and_does_not_replace_the_one_before(void **state)
{
    struct fixture *f = *state;
    f->small.files.report = report;
    for (int part = 0; part < 3; part++) {
        free(answers(f, part * 20, 20));
        stop(f);
        if (part > 0)
            shell(f, "truncate -s 100 assay.db-state");
        *reported = '\0';
        start(f);
        assert_int_equal(strstr(reported, "-state") != NULL, part > 0);
        assert_int_equal(f->small.service.state.events, 20 * (part + 1));
        // In the second and third part it began with the one before, of the first 20 transactions.
        if (part > 0)
            assert_int_equal(f->small.service.writer.saved_order, 25);
    }
    stop(f);
    shell(f, "truncate -s 100 assay.db-state; rm assay.db-state-1");
    start(f); // from the first row on
    assert_int_equal(f->small.service.state.events, 60);
}

static void a_new_database_beside_the_checkpoint_of_another_is_refused(void **state)
{
    struct fixture *f = *state;
    free(answers(f, 0, 20));
    stop(f);
    shell(f, "rm assay.db");
    expect_no_start(f, "-state: exists");
    shell(f, "mv assay.db-state assay.db-state-1");
    expect_no_start(f, "-state-1: exists");
    assert_int_not_equal(access(f->small.database, F_OK), 0); // and none was made
}

static void an_altered_or_foreign_database_is_refused(void **state)
{
    static const struct {
        const char *sql, *words;
        bool without_checkpoint;
    } cases[] = {
        {"UPDATE prediction SET t_amount = 99 WHERE seq = 3", "amount was ", true},
        {"UPDATE prediction SET inputs = zeroblob(31) WHERE seq = 3", "3 was altered", true},
        {"UPDATE prediction SET label_values = NULL WHERE seq = 3", "3 was altered", true},
        {"UPDATE prediction SET reason_1 = 9999 WHERE seq = 3", "3 was altered", false},
        {"UPDATE prediction SET t_channel = NULL WHERE seq = 3", "3 was altered", false},
        {"UPDATE prediction SET model = 7 WHERE seq = 3", "3 is not there", false},
        {"UPDATE meta SET value = value + 1 WHERE key = 'plan_xxh3'", "--database", false},
        {"UPDATE meta SET value = value + 1 WHERE key = 'base_xxh3'", "--state", false},
        {"UPDATE meta SET value = 7 WHERE key = 'key_fingerprint'", "another key", false},
        {"DELETE FROM prediction WHERE seq > 10; DELETE FROM feedback WHERE seq > 10",
         "do not belong together", false},
        {"INSERT INTO meta VALUES ('dropped', 100)", "no checkpoint since then", false},
        {"PRAGMA user_version = 3", "a newer program", false},
        {"PRAGMA user_version = 1", "an older program (schema 1; this one reads 2)", false},
        {"PRAGMA application_id = 7", "another program", false},
    };
    struct fixture *f = *state;
    free(answers(f, 0, 20));
    stop(f);
    shell(f, "mkdir good; cp assay.db* good");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        database_change(f->small.database, cases[i].sql);
        if (cases[i].without_checkpoint)
            shell(f, "rm assay.db-state");
        expect_no_start(f, cases[i].words);
        shell(f, "rm assay.db*; cp good/* .");
    }
    start(f);
}

static void start_with_retain(struct fixture *f, int64_t days)
{
    stop(f);
    f->small.files.retain = days;
    start(f);
}

static void old(struct fixture *f, const char *id, const char *day, int customer)
{
    char body[128];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"time\":\"2018-%sT00:00:00Z\",\"customer\":%d,\"amount\":1}", id, day,
             customer);
    expect(f, body, 200);
}

// Rows are dropped while there are no requests.
static void wait_for_rows(struct fixture *f, int64_t n)
{
    for (int ms = 0; ms < 20000 && count(f, "SELECT count(*) FROM prediction") > n; ms += 10)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_int_equal(count(f, "SELECT count(*) FROM prediction"), n);
}

static void retention_drops_old_rows_and_a_restart_goes_on(void **state)
{
    struct fixture *f = *state;
    stop(f);
    f->small.files.retain = 1;
    f->small.files.report = report;
    expect_no_start(f, " days at least, or 0");
    f->small.files.retain = 40;
    start(f);
    free(answers(f, 0, 20));
    old(f, "N", "12-24", 1);
    restart(f); // with a checkpoint, and then with a second one: rows that both have may go
    old(f, "O", "12-25", 1);
    restart(f);
    wait_for_rows(f, 2);
    assert_int_equal(count(f, "SELECT count(*) FROM feedback"), 0);
    const uint64_t events = f->small.service.state.events;
    expect(f, transaction(1), 409); // forgotten, and now too late
    tell(f, "{\"id\":\"T1\",\"label\":1}");
    assert_int_equal(f->reply.status, 404);
    restart(f);
    assert_true(f->small.service.state.events == events);
    crash(f);
    assert_true(f->small.service.state.events == events);
    stop(f);
    shell(f, "truncate -s 100 assay.db-state");
    start(f);
    assert_non_null(strstr(reported, "going back"));
    assert_true(f->small.service.state.events == events);
    stop(f);
    shell(f, "rm assay.db-state assay.db-state-1");
    expect_no_start(f, "were dropped");
}

// A row that stays before the dropped ones: their ids are forgotten all the same.
static void an_id_whose_row_was_dropped_is_new_again(void **state)
{
    struct fixture *f = *state;
    char id[16];
    start_with_retain(f, 15);
    old(f, "A", "10-20", 9);
    for (int i = 0; i < 9; i++) {
        snprintf(id, sizeof id, "%d", i);
        old(f, id, "10-01", 1);
    }
    old(f, "B", "10-25", 9);
    restart(f);
    old(f, "C", "10-25", 9);
    restart(f);
    wait_for_rows(f, 3);
    assert_int_equal(count(f, "SELECT min(seq) FROM prediction"), 1);
    const uint64_t events = f->small.service.state.events;
    tell(f, "{\"id\":4,\"label\":1}");
    assert_int_equal(f->reply.status, 404);
    old(f, "4", "10-01", 1);
    old(f, "A", "10-20", 9);
    assert_true(f->small.service.state.events == events + 1);
    restart(f);
    old(f, "4", "10-01", 1);
    assert_true(f->small.service.state.events == events + 1);
}

static void when_all_rows_were_dropped_order_numbers_go_on(void **state)
{
    struct fixture *f = *state;
    struct store *store = &f->small.service.store;
    struct err err = {""};
    int64_t from = 1;
    free(answers(f, 0, 20));
    restart(f);
    writer_stop(&f->small.service.writer); // from here on this thread writes
    const int64_t next = store->next;
    assert_int_equal(store_begin(store, &err), 0);
    assert_int_equal(store_drop(store, &from, next, INT64_MAX, 1000, &err), 20);
    assert_int_equal(store_commit(store, &err), 0);
    restart(f);
    assert_int_equal(f->small.service.store.next, next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(after_any_end_the_service_goes_on_to_the_same_bits),
        TEST(the_newest_decisions_drift_and_quality_are_known_after_a_restart),
        TEST(a_damaged_checkpoint_is_reported_and_does_not_replace_the_one_before),
        TEST(a_new_database_beside_the_checkpoint_of_another_is_refused),
        TEST(an_altered_or_foreign_database_is_refused),
        TEST(retention_drops_old_rows_and_a_restart_goes_on),
        TEST(an_id_whose_row_was_dropped_is_new_again),
        TEST(when_all_rows_were_dropped_order_numbers_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
