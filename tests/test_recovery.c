// recovery: everything acknowledged is there after the service ends, in whatever way, and the state
// comes out of database and checkpoint to the same bits, also after old rows were dropped.
#include "tests/asking.h"

#include <time.h>

static void crash_without_checkpoint(void)
{
    shell("rm -f assay.db-state");
    crash();
}

// Compared with a service that never stops.
TEST_CASE(after_any_end_the_service_goes_on_to_the_same_bits)
{
    static void (*const ends[])(void) = {restart, crash, crash_without_checkpoint};
    char *all = answers(0, 180), *at = all;
    teardown(state);
    assert_int_equal(setup(state), 0);
    for (int part = 0; part < 9; part++) {
        char *some = answers(part * 20, 20);
        assert_memory_equal(some, at, strlen(some));
        at += strlen(some);
        free(some);
        ends[part % 3]();
    }
    assert_string_equal(at, "");
    free(all);
}

TEST_CASE(the_newest_decisions_drift_and_quality_are_known_after_a_restart)
{
    struct reply shown[2] = {0};
    double drift[2][SMALL_INPUTS + 1];
    uint64_t quality[2][2][2];
    free(answers(0, 80));
    tell("{\"id\":\"T1\",\"label\":0}"); // it was 1
    for (int i = 0; i < 2; i++) {
        struct recent *r = &small.service.recent;
        reply_reset(&shown[i]);
        recent_write_decisions(r, false, &shown[i]);
        recent_quality(r, quality[i]);
        assert_int_equal(recent_drift(r, &small.service.champion->model, drift[i]), 80);
        restart();
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
TEST_CASE(a_damaged_checkpoint_is_reported_and_does_not_replace_the_one_before)
{
    small.files.report = report;
    for (int part = 0; part < 3; part++) {
        free(answers(part * 20, 20));
        stop();
        if (part > 0)
            shell("truncate -s 100 assay.db-state");
        start();
        assert_int_equal(strstr(reported, "-state") != NULL, part > 0);
        assert_int_equal(small.service.state.events, 20 * (part + 1));
        // In the second and third part it began with the one before, of the first 20 transactions.
        if (part > 0)
            assert_int_equal(small.service.writer.saved_order, 25);
    }
    stop();
    shell("truncate -s 100 assay.db-state; rm assay.db-state-1");
    start(); // from the first row on
    assert_int_equal(small.service.state.events, 60);
}

TEST_CASE(a_new_database_beside_the_checkpoint_of_another_is_refused)
{
    free(answers(0, 20));
    stop();
    shell("rm assay.db");
    expect_no_start("-state: exists");
    shell("mv assay.db-state assay.db-state-1");
    expect_no_start("-state-1: exists");
    assert_int_not_equal(access(small.database, F_OK), 0); // and none was made
}

TEST_CASE(an_altered_or_foreign_database_is_refused)
{
    static const struct {
        const char *sql, *words;
        bool without_checkpoint;
    } cases[] = {
        {"UPDATE prediction SET t_amount = 99 WHERE seq = 3", "amount was ", true},
        {"UPDATE prediction SET label_values = NULL WHERE seq = 3", "3 was altered", true},
        {"UPDATE prediction SET reason_1 = 9999 WHERE seq = 3", "3 was altered", false},
        {"UPDATE prediction SET model = 7 WHERE seq = 3", "3 is not there", false},
        {"UPDATE meta SET value = value + 1 WHERE key = 'plan_xxh3'", "--database", false},
        {"UPDATE meta SET value = value + 1 WHERE key = 'base_xxh3'", "--state", false},
        {"UPDATE meta SET value = 7 WHERE key = 'key_fingerprint'", "another key", false},
        {"DELETE FROM prediction WHERE seq > 10; DELETE FROM feedback WHERE seq > 10",
         "do not belong together", false},
        {"INSERT INTO meta VALUES ('dropped', 100)", "no checkpoint since then", false},
        {"PRAGMA user_version = 4", "a newer program", false},
        {"PRAGMA user_version = 2", "an older program (schema 2; this one reads 3)", false},
        {"UPDATE prediction SET outside = x'01' WHERE seq = 3", "3 was altered", false},
    };
    free(answers(0, 20));
    stop();
    shell("mkdir good; cp assay.db* good");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        database_change(small.database, cases[i].sql);
        if (cases[i].without_checkpoint)
            shell("rm assay.db-state");
        expect_no_start(cases[i].words);
        shell("rm assay.db*; cp good/* .");
    }
    start();
}

// Of customer i.
static void ago(int i, long long seconds)
{
    ask(formatted("{\"id\":%d,\"time\":%lld,\"customer\":%d,\"amount\":1}", i,
                  (long long)time(NULL) - seconds, i));
}

TEST_CASE(retention_drops_old_rows_and_a_restart_goes_on)
{
    stop();
    small.files.retain = 1;
    small.files.report = report;
    expect_no_start(" days at least, or 0");
    small.files.retain = 40;
    start();
    free(answers(0, 20));
    old("N", "12-24", 1);
    restart(); // with a checkpoint, and then with a second one: rows that both have may go
    old("O", "12-25", 1);
    restart();
    wait_for_rows(2);
    assert_int_equal(count("SELECT count(*) FROM feedback"), 0);
    const uint64_t events = small.service.state.events;
    expect(transaction(1), 409); // forgotten, and now too late
    tell("{\"id\":\"T1\",\"label\":1}");
    assert_int_equal(reply.status, 404);
    restart();
    assert_true(small.service.state.events == events);
    crash();
    assert_true(small.service.state.events == events);
    stop();
    shell("truncate -s 100 assay.db-state");
    start();
    assert_non_null(strstr(reported, "going back"));
    assert_true(small.service.state.events == events);
    stop();
    shell("rm assay.db-state assay.db-state-1");
    expect_no_start("were dropped");
}

TEST_CASE(retention_does_not_follow_the_times_that_clients_claim)
{
    enum { DAY = 86400 };
    stop();
    small.files.retain = 15;
    start();
    ago(0, 20 * DAY);
    for (int i = 1; i <= 10; i++)
        ago(i, 5 * DAY);
    for (int i = 1; i <= 14; i++) // all but the first are refused
        ago(10 + i, 600 - i * DAY);
    restart();
    ago(99, 0);
    restart();
    wait_for_rows(12);
    assert_int_equal(count("SELECT count(*) FROM prediction WHERE t_time < unixepoch() - 172800"),
                     10);
}

// A row that stays before the dropped ones: their ids are forgotten all the same.
TEST_CASE(an_id_whose_row_was_dropped_is_new_again)
{
    stop();
    small.files.retain = 15;
    start();
    old("A", "10-20", 9);
    for (int i = 0; i < 9; i++) {
        const char *id = formatted("%d", i);
        old(id, "10-01", 1);
    }
    old("B", "10-25", 9);
    restart();
    old("C", "10-25", 9);
    restart();
    wait_for_rows(3);
    assert_int_equal(count("SELECT min(seq) FROM prediction"), 1);
    const uint64_t events = small.service.state.events;
    tell("{\"id\":4,\"label\":1}");
    assert_int_equal(reply.status, 404);
    old("4", "10-01", 1);
    old("A", "10-20", 9);
    assert_true(small.service.state.events == events + 1);
    restart();
    old("4", "10-01", 1);
    assert_true(small.service.state.events == events + 1);
}

TEST_CASE(when_all_rows_were_dropped_order_numbers_go_on)
{
    struct store *store = &small.service.store;
    struct err err = {""};
    int64_t from = 1;
    free(answers(0, 20));
    restart();
    writer_stop(&small.service.writer); // from here on this thread writes
    const int64_t next = store->next;
    assert_int_equal(store_begin(store, &err), 0);
    assert_int_equal(store_drop(store, &from, next, INT64_MAX, 1000, &err), 20);
    assert_int_equal(store_commit(store, &err), 0);
    restart();
    assert_int_equal(small.service.store.next, next);
}

TESTS(NULL, NULL)
