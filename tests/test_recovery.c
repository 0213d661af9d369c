// recovery: what was acknowledged is there after the service ends, in whatever way, and the state comes
// out of database and checkpoint to the same bits, also when old rows were dropped.
#include "tests/stored.h"

#include <time.h>

// ---- restarts --------------------------------------------------------------------------------------

// The same requests to a service that never stops.
static void compare(struct fixture *f, void (*stop)(struct fixture *f))
{
    struct fixture other = {0};
    struct err err = {""};
    assert_int_equal(small_service_make(&other.small, &err), 0);
    for (int part = 0; part < 3; part++) {
        char *a = answers(f, part * 40, 40), *b = answers(&other, part * 40, 40);
        assert_string_equal(a, b);
        free(a);
        free(b);
        stop(f);
    }
    reply_release(&other.reply);
    small_service_remove(&other.small);
}

static void stop_crash(struct fixture *f)
{
    crash(f, true);
}

static void stop_without_checkpoint(struct fixture *f)
{
    crash(f, false);
}

static void a_restart_goes_on_to_the_same_bits(void **state)
{
    compare(*state, restart);
}

static void a_crash_goes_on_to_the_same_bits(void **state)
{
    compare(*state, stop_crash);
}

static void without_a_checkpoint_all_rows_are_replayed_to_the_same_bits(void **state)
{
    compare(*state, stop_without_checkpoint);
}

static void the_newest_decisions_drift_and_quality_are_known_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct recent *r = &f->small.service.recent;
    const struct model *m = &f->small.service.champion->model;
    struct reply before = {0}, after = {0};
    double drift[2][SMALL_INPUTS + 1];
    uint64_t quality[2][2][2];
    free(answers(f, 0, 80));
    tell(f, "{\"id\":\"T1\",\"label\":0}"); // it was 1
    reply_reset(&before);
    recent_write_decisions(r, &before);
    recent_quality(r, quality[0]);
    assert_int_equal(recent_drift(r, m, drift[0]), 80);
    assert_int_equal(quality[0][0][0] + quality[0][0][1] + quality[0][1][0] + quality[0][1][1], 20);
    restart(f);
    m = &f->small.service.champion->model;
    reply_reset(&after);
    recent_write_decisions(r, &after);
    recent_quality(r, quality[1]);
    assert_int_equal(recent_drift(r, m, drift[1]), 80);
    assert_string_equal(before.text, after.text);
    assert_memory_equal(quality[0], quality[1], sizeof quality[0]);
    assert_memory_equal(drift[0], drift[1], sizeof drift[0]);
    reply_release(&before);
    reply_release(&after);
}

static void a_damaged_checkpoint_is_said_and_replaced_by_the_rows(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct err err = {""};
    free(answers(f, 0, 20));
    service_release(&f->small.service);
    snprintf(path, sizeof path, "%s-state", f->small.database);
    assert_int_equal(truncate(path, 100), 0);
    f->small.files.report = report;
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
    assert_non_null(strstr(reported, "-state"));
    assert_int_equal(f->small.service.state.events, 20);
}

static void a_new_database_beside_the_checkpoint_of_another_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128], previous[128];
    struct err err = {""};
    free(answers(f, 0, 20));
    service_release(&f->small.service);
    unlink(f->small.database);
    snprintf(path, sizeof path, "%s-state", f->small.database);
    snprintf(previous, sizeof previous, "%s-state-1", f->small.database);
    for (int i = 0; i < 2; i++) { // the checkpoint, and then the one before it alone
        assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
        assert_non_null(strstr(err.msg, i ? "-state-1: exists" : "-state: exists"));
        assert_non_null(strstr(err.msg, "put that back, or move this away"));
        assert_int_not_equal(access(f->small.database, F_OK), 0); // and none was made
        rename(path, previous);
    }
}

static void rows_that_were_altered_are_found_out(void **state)
{
    struct fixture *f = *state;
    char path[128], *why;
    struct err err = {""};
    sqlite3 *db;
    free(answers(f, 0, 20));
    service_release(&f->small.service);
    snprintf(path, sizeof path, "%s-state", f->small.database);
    unlink(path);
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE prediction SET t_amount = 99 WHERE seq = 3", NULL, NULL, &why),
        SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    assert_non_null(strstr(err.msg, "amount was "));
}

// Two checkpoints, the newer damaged; the next must not be kept beside that one, but beside the good.
static void a_damaged_checkpoint_does_not_take_the_place_of_the_one_before(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct err err = {""};
    snprintf(path, sizeof path, "%s-state", f->small.database);
    f->small.files.report = report;
    for (int part = 0; part < 3; part++) {
        free(answers(f, part * 20, 20));
        service_release(&f->small.service);
        if (part > 0)
            assert_int_equal(truncate(path, 100), 0);
        *reported = '\0';
        assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
        assert_int_equal(*reported != '\0', part > 0);
        assert_int_equal(f->small.service.state.events, 20 * (part + 1));
        // In the second and third round it began with the one before, of the first 20 transactions.
        if (part > 0)
            assert_int_equal(f->small.service.writer.saved_order, 25);
    }
}

// ---- retention -------------------------------------------------------------------------------------

static int load_with_retain(struct fixture *f, int64_t days, struct err *err)
{
    service_release(&f->small.service);
    f->small.files.retain = days;
    return service_load(&f->small.service, &f->small.files, err);
}

// Rows go while nobody asks.
static void wait_for_rows(struct fixture *f, int64_t n)
{
    for (int ms = 0; ms < 20000 && count(f, "SELECT count(*) FROM prediction") > n; ms += 10)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_int_equal(count(f, "SELECT count(*) FROM prediction"), n);
}

static void retention_drops_what_is_old_and_a_restart_goes_on(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    char body[256];
    assert_int_equal(load_with_retain(f, 1, &err), -1);
    assert_non_null(strstr(err.msg, " days at least, or 0"));
    assert_int_equal(load_with_retain(f, 40, &err), 0);
    free(answers(f, 0, 20));
    ask(f, "{\"id\":\"N\",\"time\":1548381700,\"customer\":1,\"amount\":5}"); // 115 days later
    assert_int_equal(f->reply.status, 200);
    restart(f); // with a checkpoint, and then with a second one: what both have may go
    ask(f, "{\"id\":\"O\",\"time\":1548381800,\"customer\":1,\"amount\":5}");
    restart(f);
    wait_for_rows(f, 2);
    assert_int_equal(count(f, "SELECT count(*) FROM feedback"), 0);
    const uint64_t events = f->small.service.state.events;
    ask(f, transaction(body, sizeof body, 1)); // forgotten, and now too late
    assert_int_equal(f->reply.status, 409);
    tell(f, "{\"id\":\"T1\",\"label\":1}");
    assert_int_equal(f->reply.status, 404);
    restart(f);
    assert_true(f->small.service.state.events == events);
    crash(f, true);
    assert_true(f->small.service.state.events == events);
    // The newest checkpoint is damaged: the one before it, and the rows since.
    service_release(&f->small.service);
    f->small.files.report = report;
    snprintf(body, sizeof body, "%s-state", f->small.database);
    assert_int_equal(truncate(body, 100), 0);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
    assert_non_null(strstr(reported, "going back"));
    assert_true(f->small.service.state.events == events);
    service_release(&f->small.service);
    unlink(body);
    snprintf(body, sizeof body, "%s-state-1", f->small.database);
    unlink(body);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    assert_non_null(strstr(err.msg, "were dropped"));
}

// A row that stays in front of those that go: their ids are forgotten all the same.
static void an_id_whose_row_was_dropped_is_new_again(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    char body[256];
    assert_int_equal(load_with_retain(f, 15, &err), 0);
    ask(f, "{\"id\":\"A\",\"time\":\"2018-10-20T00:00:00Z\",\"customer\":9,\"amount\":1}");
    for (int i = 0; i < 9; i++) {
        snprintf(body, sizeof body,
                 "{\"id\":%d,\"time\":\"2018-10-01T00:00:00Z\",\"customer\":1,\"amount\":1}", i);
        ask(f, body);
    }
    ask(f, "{\"id\":\"B\",\"time\":\"2018-10-25T00:00:00Z\",\"customer\":9,\"amount\":1}");
    restart(f);
    ask(f, "{\"id\":\"C\",\"time\":\"2018-10-25T00:00:01Z\",\"customer\":9,\"amount\":1}");
    restart(f);
    wait_for_rows(f, 3);
    assert_int_equal(count(f, "SELECT min(seq) FROM prediction"), 1);
    const uint64_t events = f->small.service.state.events;
    tell(f, "{\"id\":4,\"label\":1}");
    assert_int_equal(f->reply.status, 404);
    ask(f, "{\"id\":4,\"time\":\"2018-10-01T00:00:00Z\",\"customer\":1,\"amount\":1}");
    assert_int_equal(f->reply.status, 200);
    assert_true(f->small.service.state.events == events + 1);
    ask(f, "{\"id\":\"A\",\"time\":\"2018-10-20T00:00:00Z\",\"customer\":9,\"amount\":1}");
    assert_true(f->small.service.state.events == events + 1);
    restart(f);
    ask(f, "{\"id\":4,\"time\":\"2018-10-01T00:00:00Z\",\"customer\":1,\"amount\":1}");
    assert_true(f->small.service.state.events == events + 1);
}

// The state is newer than all rows: they all go, and what comes then is kept track of.
static void when_all_rows_were_dropped_retention_goes_on(void **state)
{
    struct fixture *f = *state;
    struct store *store = &f->small.service.store;
    struct err err = {""};
    int64_t from = 1;
    free(answers(f, 0, 20));
    service_release(&f->small.service);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
    writer_stop(&f->small.service.writer); // from here on this thread writes
    assert_int_equal(store_begin(store, &err), 0);
    assert_int_equal(store_drop(store, &from, store->next, INT64_MAX, 1000, &err), 20);
    assert_int_equal(store_commit(store, &err), 0);
    assert_true(from > 1 && store->dropped == store->next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restart_goes_on_to_the_same_bits),
        TEST(a_crash_goes_on_to_the_same_bits),
        TEST(without_a_checkpoint_all_rows_are_replayed_to_the_same_bits),
        TEST(the_newest_decisions_drift_and_quality_are_known_after_a_restart),
        TEST(a_damaged_checkpoint_is_said_and_replaced_by_the_rows),
        TEST(a_damaged_checkpoint_does_not_take_the_place_of_the_one_before),
        TEST(a_new_database_beside_the_checkpoint_of_another_is_refused),
        TEST(rows_that_were_altered_are_found_out),
        TEST(an_id_whose_row_was_dropped_is_new_again),
        TEST(when_all_rows_were_dropped_retention_goes_on),
        TEST(retention_drops_what_is_old_and_a_restart_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
