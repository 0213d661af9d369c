// recovery: everything acknowledged is there after the service ends, in whatever way, and the state
// comes out of database and checkpoint to the same bits.
#include "tests/asking.h"

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
    int64_t quality[2][2][2];
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
    const int64_t(*q)[2] = quality[0];
    assert_int_equal(q[0][0] + q[0][1] + q[1][0] + q[1][1], 20);
    assert_string_equal(shown[0].text, shown[1].text);
    assert_memory_equal(quality[0], quality[1], sizeof quality[0]);
    assert_memory_equal(drift[0], drift[1], sizeof drift[0]);
    reply_release(&shown[0]);
    reply_release(&shown[1]);
}

TEST_CASE(a_damaged_checkpoint_is_reported_and_the_rows_suffice)
{
    small.files.report = report;
    free(answers(0, 20));
    stop();
    shell("truncate -s 100 assay.db-state");
    start();
    assert_contains(reported, "state.bin and all rows");
    assert_int_equal(small.service.state.events, 20);
}

TEST_CASE(a_new_database_beside_the_checkpoint_of_another_is_refused)
{
    free(answers(0, 20));
    stop();
    shell("rm assay.db");
    expect_no_start("-state: exists");
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
        {"UPDATE prediction SET reason_1 = 9999 WHERE seq = 3", "3 was altered", true},
        {"UPDATE prediction SET model = 7 WHERE seq = 3", "3 is not there", true},
        {"UPDATE meta SET value = value + 1 WHERE key = 'plan_xxh3'",
         "--database, make serve DATABASE=", false},
        {"UPDATE meta SET value = value + 1 WHERE key = 'base_xxh3'", "--state", false},
        {"UPDATE meta SET value = 7 WHERE key = 'key_fingerprint'", "another key", false},
        {"DELETE FROM prediction WHERE seq > 10; DELETE FROM feedback WHERE seq > 10",
         "do not belong together", false},
        {"PRAGMA user_version = 4", "a newer program", false},
        {"PRAGMA user_version = 2", "an older program (schema 2; this one reads 3)", false},
        {"UPDATE prediction SET outside = x'01' WHERE seq = 3", "3 was altered", true},
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

// docs/database.md has these lines.
TEST_CASE(old_rows_may_be_deleted_while_no_server_runs)
{
    char out[256];
    free(answers(0, 20));
    old("N", "12-24", 1);
    stop();
    assert_int_equal(run_command(out, sizeof out,
                                 "sed -n '/^CREATE TEMP TABLE gone/,/^```/{/^```/!p}' "
                                 "docs/database.md | sed s/400/70/ | sqlite3 '%s'",
                                 small.database),
                     0);
    start();
    assert_int_equal(count("SELECT count(*) FROM prediction"), 2); // N, and T17 with the last label
    old("O", "12-25", 1);
    tell("{\"id\":\"T1\",\"label\":1}");
    assert_int_equal(reply.status, 404);
    expect(transaction(1), 409); // forgotten, and now too late
    crash();
    assert_int_equal(small.service.state.events, 22);
    stop();
    shell("rm assay.db-state");
    expect_no_start("or rows were deleted");
}

TESTS(NULL, NULL)
