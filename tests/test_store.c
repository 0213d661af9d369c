// store and recovery: what was acknowledged is there after the service ends, in whatever way, and the
// state comes out of database and snapshot to the same bits.
#include "tests/small_service.h"

#include "serve/feedback.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

struct fixture {
    struct small_service small;
    struct reply reply;
};

static char reported[1200];
static atomic_bool fatal;

static void report(const char *what, bool is_fatal)
{
    snprintf(reported, sizeof reported, "%s", what);
    atomic_store(&fatal, is_fatal);
}

static int setup(void **state)
{
    struct err err = {""};
    struct fixture *f = calloc(1, sizeof *f);
    atomic_store(&fatal, false);
    *state = f;
    if (f && small_service_make(&f->small, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    reply_release(&f->reply);
    small_service_remove(&f->small);
    free(f);
    return 0;
}

static const char *ask(struct fixture *f, const char *body)
{
    predict(&f->small.service, body, strlen(body), &f->reply);
    return f->reply.text;
}

static const char *tell(struct fixture *f, const char *body)
{
    feedback(&f->small.service, body, strlen(body), &f->reply);
    return f->reply.text;
}

static void restart(struct fixture *f)
{
    struct err err = {""};
    service_release(&f->small.service);
    if (service_load(&f->small.service, &f->small.files, &err))
        fail_msg("%s", err.msg);
}

// As after kill -9: nothing but what was committed. A copy of the files is opened instead.
static void crash(struct fixture *f, bool keep_checkpoint)
{
    struct err err = {""};
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && rm -f copy*; for f in assay.db*; do cp $f copy${f#assay}; done",
             f->small.folder);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a folder of ours
    service_release(&f->small.service);
    snprintf(command, sizeof command,
             "cd %s && rm -f assay.db%s; for f in copy.db*; do mv $f assay${f#copy}; done; rm -f "
             "assay.db-shm",
             f->small.folder, keep_checkpoint ? "" : "-state");
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    if (service_load(&f->small.service, &f->small.files, &err))
        fail_msg("%s", err.msg);
}

// A transaction of the i-th, most in order, some late.
static const char *transaction(char *body, size_t size, int i)
{
    const long long time = 1538381700 + i * 600 - (i % 7 == 3 ? 5000 : 0);
    snprintf(body, size,
             "{\"id\":\"T%d\",\"time\":%lld,\"customer\":%d,\"amount\":%d.25,\"channel\":\"%s\"}",
             i, time, i % 5, 10 + i * 7 % 90, i % 3 ? "web" : "shop \\\"x\\\"");
    return body;
}

static char *answers(struct fixture *f, int from, int n)
{
    const size_t size = (size_t)n * 1024 + 1;
    char body[256], *all = calloc(1, size);
    size_t length = 0;
    assert_non_null(all);
    for (int i = from; i < from + n; i++) {
        length += (size_t)snprintf(all + length, size - length, "%s",
                                   ask(f, transaction(body, sizeof body, i)));
        assert_int_equal(f->reply.status, 200);
        if (i % 4 == 2) {
            snprintf(body, sizeof body, "{\"id\":\"T%d\",\"label\":%d}", i - 1, i % 8 == 2);
            tell(f, body);
            assert_int_equal(f->reply.status, 200);
        }
    }
    return all;
}

static int64_t count(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(f->small.database, &db, SQLITE_OPEN_READONLY, NULL),
                     SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL))
        fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

// ---- ids -------------------------------------------------------------------------------------------

static void an_id_seen_before_has_its_answer_again_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char body[256], *first = strdup(ask(f, transaction(body, sizeof body, 1)));
    assert_string_equal(ask(f, transaction(body, sizeof body, 1)), first);
    assert_string_equal(ask(f, "{\"id\":\"T1\",\"time\":1538381700,\"customer\":9,\"amount\":1}"),
                        first);
    assert_int_equal(f->small.service.state.events, 1);
    restart(f);
    assert_string_equal(ask(f, transaction(body, sizeof body, 1)), first);
    assert_int_equal(f->small.service.state.events, 1);
    assert_int_equal(count(f, "SELECT count(*) FROM prediction"), 1);
    free(first);
}

static void an_array_with_known_and_repeated_ids_counts_each_once(void **state)
{
    struct fixture *f = *state;
    char one[256], two[256], three[256], array[1024];
    char *first = strdup(ask(f, transaction(one, sizeof one, 1)));
    snprintf(array, sizeof array, "[%s,%s,%s,%s]", transaction(two, sizeof two, 2), one,
             transaction(three, sizeof three, 3), two);
    json_t *a = json_loads(ask(f, array), 0, NULL), *known = json_loads(first, 0, NULL);
    assert_int_equal(json_array_size(a), 4);
    assert_true(json_equal(json_array_get(a, 1), known));
    assert_true(json_equal(json_array_get(a, 0), json_array_get(a, 3)));
    assert_int_equal(f->small.service.state.events, 3);
    json_t *again = json_loads(ask(f, array), 0, NULL);
    assert_true(json_equal(a, again));
    assert_int_equal(f->small.service.state.events, 3);
    json_decref(a);
    json_decref(again);
    json_decref(known);
    free(first);
}

// SQLite has no -0 among its REAL values without a fraction.
static void a_negative_zero_is_repeated_as_it_was_answered(void **state)
{
    struct fixture *f = *state;
    static const char body[] = "{\"id\":1,\"time\":1538381700,\"customer\":1,\"amount\":-0.0}";
    char *first = strdup(ask(f, body));
    assert_int_equal(f->reply.status, 200);
    assert_string_equal(ask(f, body), first);
    restart(f);
    assert_string_equal(ask(f, body), first);
    free(first);
}

static void ids_that_went_to_the_table_are_found_there(void **state)
{
    enum { ROWS = IDS_KEPT + 30000, PART = 1000 };
    struct fixture *f = *state;
    char *body = malloc(PART * 96);
    assert_non_null(body);
    for (int i = 0; i < ROWS; i += PART) {
        size_t n = 0;
        for (int k = i; k < i + PART; k++)
            n += (size_t)sprintf(body + n, "%c{\"id\":%d,\"time\":%d,\"customer\":%d,\"amount\":1}",
                                 k == i ? '[' : ',', k, 1538381700 + k, k % 999);
        sprintf(body + n, "]");
        ask(f, body);
        assert_int_equal(f->reply.status, 200);
    }
    assert_true(count(f, "SELECT count(*) FROM seen") > 100);
    assert_true(f->small.service.store.ids.n <= IDS_KEPT);
    restart(f);
    const uint64_t events = f->small.service.state.events;
    for (int i = 0; i < ROWS; i += 101) {
        sprintf(body, "{\"id\":%d,\"time\":1538381700,\"customer\":1,\"amount\":1}", i);
        ask(f, body);
        assert_int_equal(f->reply.status, 200);
    }
    assert_true(f->small.service.state.events == events);
    free(body);
}

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
    const struct model *m = &f->small.service.model;
    struct reply before = {0}, after = {0};
    double drift[2][SMALL_INPUTS + 1];
    uint64_t quality[2][2][2];
    free(answers(f, 0, 80));
    tell(f, "{\"id\":\"T1\",\"label\":0}"); // it was 1
    reply_reset(&before);
    recent_write_decisions(r, &m->plan, &before);
    recent_quality(r, quality[0]);
    assert_int_equal(recent_drift(r, m, drift[0]), 80);
    assert_int_equal(quality[0][0][0] + quality[0][0][1] + quality[0][1][0] + quality[0][1][1], 20);
    restart(f);
    reply_reset(&after);
    recent_write_decisions(r, &m->plan, &after);
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
    struct err err = {""};
    free(answers(f, 0, 20));
    service_release(&f->small.service);
    unlink(f->small.database);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    assert_non_null(strstr(err.msg, "move it away, too"));
    assert_int_not_equal(access(f->small.database, F_OK), 0); // and none was made
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

static void expect_refusal(struct fixture *f, const char *sql, const char *words)
{
    struct err err = {""};
    sqlite3 *db;
    service_release(&f->small.service);
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    if (!strstr(err.msg, words))
        fail_msg("%s", err.msg);
}

static void a_newer_schema_is_refused(void **state)
{
    expect_refusal(*state, "PRAGMA user_version = 2", "newer program");
}

static void another_programs_database_is_refused(void **state)
{
    expect_refusal(*state, "PRAGMA application_id = 7", "none of serve's");
}

static void a_database_of_another_plan_state_or_key_is_refused(void **state)
{
    struct fixture *f = *state;
    expect_refusal(f, "UPDATE meta SET value = value + 1 WHERE key = 'plan_xxh3'", "--database");
    expect_refusal(f,
                   "UPDATE meta SET value = value - 1 WHERE key = 'plan_xxh3';"
                   "UPDATE meta SET value = value + 1 WHERE key = 'base_xxh3'",
                   "--state");
    expect_refusal(f,
                   "UPDATE meta SET value = value - 1 WHERE key = 'base_xxh3';"
                   "UPDATE meta SET value = value + 1 WHERE key = 'key_fingerprint'",
                   "another key");
}

static void a_checkpoint_ahead_of_its_database_is_refused(void **state)
{
    struct fixture *f = *state;
    free(answers(f, 0, 20));
    expect_refusal(f, "DELETE FROM prediction WHERE seq > 10; DELETE FROM feedback WHERE seq > 10",
                   "do not belong together");
}

// A record lock belongs to a process, so another one has to ask.
static void a_second_server_on_the_same_database_is_refused(void **state)
{
    struct fixture *f = *state;
    int status;
    const pid_t pid = fork();
    if (pid == 0) {
        struct store other;
        struct err err = {""};
        store_open(&other, f->small.database, &f->small.service.model.plan, NULL, STORE_NORMAL,
                   &err);
        _exit(strstr(err.msg, "another server") ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// ---- what is written -------------------------------------------------------------------------------

static void a_row_holds_the_transaction_its_features_and_its_decision(void **state)
{
    struct fixture *f = *state;
    char body[256];
    json_t *a = json_loads(ask(f, transaction(body, sizeof body, 1)), 0, NULL);
    assert_non_null(a);
    assert_int_equal(count(f, "SELECT t_time FROM prediction"), 1538382300);
    assert_int_equal(count(f, "SELECT t_amount = 17.25 AND f_amount = 17.25 AND f_count_1d = 1 AND "
                              "\"f_channel[web]\" = 1 AND t_channel = 'web' FROM prediction"),
                     1);
    assert_int_equal(count(f, "SELECT version FROM prediction JOIN model ON model.id = model"), 1);
    assert_true(count(f, "SELECT received FROM prediction") / 1000 >= (int64_t)time(NULL) - 100);
    assert_int_equal(
        count(f, "SELECT count(*) FROM prediction WHERE t_customer = 1 OR t_id = 'T1'"), 0);
    assert_int_equal(count(f, "SELECT review FROM prediction"),
                     strcmp(json_string_value(json_object_get(a, "decision")), "review") == 0);
    json_decref(a);
}

static void a_commit_that_fails_stops_the_service(void **state)
{
    struct fixture *f = *state;
    char body[256];
    sqlite3 *db;
    f->small.service.report = report;
    ask(f, transaction(body, sizeof body, 1));
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE model", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    f->small.service.version_number = 2; // another model wants an entry
    ask(f, transaction(body, sizeof body, 2));
    assert_int_equal(f->reply.status, 503);
    assert_non_null(strstr(f->reply.text, "started again"));
    assert_null(strstr(f->reply.text, f->small.folder)); // no path goes to a client
    assert_int_equal(f->reply.retry_after, 5);
    assert_true(atomic_load(&fatal));
    assert_non_null(strstr(reported, "no such table"));
    assert_false(service_ready(&f->small.service));
    ask(f, transaction(body, sizeof body, 3));
    assert_int_equal(f->reply.status, 503);
}

static void *ask_aside(void *arg)
{
    struct fixture *f = arg;
    static const char body[] = "{\"id\":\"A\",\"time\":1538381700,\"customer\":1,\"amount\":1}";
    static struct reply reply;
    predict(&f->small.service, body, sizeof body - 1, &reply);
    const bool answered = reply.status == 200;
    reply_release(&reply);
    return answered ? f : NULL;
}

// Somebody with a transaction open in sqlite3, say.
static void who_holds_the_write_lock_is_waited_for_and_the_queue_has_an_end(void **state)
{
    struct fixture *f = *state;
    char body[256];
    pthread_t thread;
    void *answered;
    sqlite3 *db;
    f->small.service.writer.limit = 1;
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_create(&thread, NULL, ask_aside, f), 0);
    while (atomic_load(&f->small.service.writer.waiting) == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    ask(f, transaction(body, sizeof body, 1));
    assert_int_equal(f->reply.status, 503);
    assert_int_equal(f->reply.retry_after, 1);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    pthread_join(thread, &answered);
    assert_non_null(answered);
    ask(f, transaction(body, sizeof body, 1));
    assert_int_equal(f->reply.status, 200);
}

static void a_database_that_another_program_holds_is_503_until_it_lets_go(void **state)
{
    struct fixture *f = *state;
    char body[256];
    sqlite3 *db;
    f->small.service.report = report;
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ask(f, transaction(body, sizeof body, 1));
    assert_int_equal(f->reply.status, 503);
    assert_int_equal(f->reply.retry_after, 1);
    assert_non_null(strstr(reported, "another program holds it"));
    assert_true(service_ready(&f->small.service));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ask(f, transaction(body, sizeof body, 1));
    assert_int_equal(f->reply.status, 200);
    assert_int_equal(f->small.service.state.events, 1);
}

static void retention_drops_what_is_old_and_a_restart_goes_on(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    char body[256];
    service_release(&f->small.service);
    f->small.files.retain = 1;
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    assert_non_null(strstr(err.msg, "windows reach back"));
    f->small.files.retain = 40;
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
    free(answers(f, 0, 20));
    ask(f, "{\"id\":\"N\",\"time\":1548381700,\"customer\":1,\"amount\":5}"); // 115 days later
    assert_int_equal(f->reply.status, 200);
    restart(f); // with a checkpoint, and then with a second one: what both have may go
    ask(f, "{\"id\":\"O\",\"time\":1548381800,\"customer\":1,\"amount\":5}");
    restart(f);
    for (int ms = 0; ms < 20000 && count(f, "SELECT count(*) FROM prediction") > 2; ms += 10)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    assert_int_equal(count(f, "SELECT count(*) FROM prediction"), 2);
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
    service_release(&f->small.service);
    f->small.files.retain = 15;
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
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
    for (int ms = 0; ms < 20000 && count(f, "SELECT count(*) FROM prediction") > 3; ms += 10)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
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
    int64_t from;
    free(answers(f, 0, 20));
    service_release(&f->small.service);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
    writer_stop(&f->small.service); // from here on this thread writes
    from = store->first;
    assert_int_equal(store_begin(store, &err), 0);
    assert_int_equal(store_drop(store, &from, store->next, INT64_MAX, 1000, &err), 20);
    assert_int_equal(store_commit(store, &err), 0);
    assert_true(store->first == store->next);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_seen_before_has_its_answer_again_and_changes_nothing),
        TEST(an_array_with_known_and_repeated_ids_counts_each_once),
        TEST(a_negative_zero_is_repeated_as_it_was_answered),
        TEST(ids_that_went_to_the_table_are_found_there),
        TEST(a_restart_goes_on_to_the_same_bits),
        TEST(a_crash_goes_on_to_the_same_bits),
        TEST(without_a_checkpoint_all_rows_are_replayed_to_the_same_bits),
        TEST(the_newest_decisions_drift_and_quality_are_known_after_a_restart),
        TEST(a_damaged_checkpoint_is_said_and_replaced_by_the_rows),
        TEST(a_new_database_beside_the_checkpoint_of_another_is_refused),
        TEST(rows_that_were_altered_are_found_out),
        TEST(a_newer_schema_is_refused),
        TEST(another_programs_database_is_refused),
        TEST(a_database_of_another_plan_state_or_key_is_refused),
        TEST(a_checkpoint_ahead_of_its_database_is_refused),
        TEST(a_second_server_on_the_same_database_is_refused),
        TEST(a_row_holds_the_transaction_its_features_and_its_decision),
        TEST(a_commit_that_fails_stops_the_service),
        TEST(who_holds_the_write_lock_is_waited_for_and_the_queue_has_an_end),
        TEST(an_id_whose_row_was_dropped_is_new_again),
        TEST(a_database_that_another_program_holds_is_503_until_it_lets_go),
        TEST(when_all_rows_were_dropped_retention_goes_on),
        TEST(retention_drops_what_is_old_and_a_restart_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
