// store: ids that are known, what a row holds, and what is no database of this service.
#include "tests/stored.h"

#include <inttypes.h>
#include <sys/wait.h>
#include <time.h>

// ---- ids -------------------------------------------------------------------------------------------

static void an_id_seen_before_has_its_answer_again_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char body[256], *first = strdup(ask(f, transaction(body, sizeof body, 1)));
    assert_string_equal(ask(f, transaction(body, sizeof body, 1)), first);
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
    char one[256], two[256], three[256], array[2048];
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

static void expect_other(struct fixture *f, const char *body, const char *field, int index)
{
    json_t *a = json_loads(ask(f, body), 0, NULL), *i = json_object_get(a, "index");
    assert_int_equal(f->reply.status, 409);
    assert_string_equal(json_string_value(json_object_get(a, "field")), field);
    assert_int_equal(i ? json_integer_value(i) : -1, index);
    json_decref(a);
}

// In the same request, in another, and after a restart; nothing beside it in the array counts.
static void an_id_of_another_transaction_is_refused_with_what_differs(void **state)
{
    struct fixture *f = *state;
    static const char fields[][16] = {"time", "customer", "amount", "age", "channel"};
    static const char first[] = "{\"id\":1,\"time\":1538381700,\"customer\":1,\"amount\":5,"
                                "\"age\":30,\"channel\":\"atm\"}";
    static const char *const values[][5] = {{"1538381701", "1", "5", "30", "\"atm\""},
                                            {"1538381700", "2", "5", "30", "\"atm\""},
                                            {"1538381700", "1", "5.5", "30", "\"atm\""},
                                            {"1538381700", "1", "5", "null", "\"atm\""},
                                            {"1538381700", "1", "5", "30", "\"phone\""}};
    char body[256], array[640];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 5; i++) {
            const char *const *v = values[i];
            snprintf(body, sizeof body,
                     "{\"id\":\"1\",\"time\":%s,\"customer\":%s,\"amount\":%s,\"age\":%s,"
                     "\"channel\":%s}",
                     v[0], v[1], v[2], v[3], v[4]);
            snprintf(array, sizeof array,
                     "[{\"id\":2,\"time\":1538381700,\"customer\":1,\"amount\":5},%s,%s]", first,
                     body);
            expect_other(f, array, fields[i], 2);
            if (round > 0)
                expect_other(f, body, fields[i], -1);
        }
        assert_int_equal(f->small.service.state.events, round > 0);
        ask(f, first);
        assert_int_equal(f->reply.status, 200);
        if (round == 1)
            restart(f);
    }
    assert_int_equal(count(f, "SELECT count(*) FROM prediction"), 1);
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
        sprintf(body, "{\"id\":%d,\"time\":%d,\"customer\":%d,\"amount\":1}", i, 1538381700 + i,
                i % 999);
        ask(f, body);
        assert_int_equal(f->reply.status, 200);
    }
    assert_true(f->small.service.state.events == events);
    free(body);
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
    expect_refusal(*state, "PRAGMA user_version = 3", "newer program");
}

static void another_programs_database_is_refused(void **state)
{
    expect_refusal(*state, "PRAGMA application_id = 7", "another program");
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

static void a_checkpoint_from_before_the_rows_that_were_dropped_is_refused(void **state)
{
    struct fixture *f = *state;
    free(answers(f, 0, 20));
    expect_refusal(f, "INSERT OR REPLACE INTO meta VALUES ('dropped', 100)",
                   "its checkpoint is an older one, and its rows before order 100 were dropped");
}

static void a_row_with_a_reason_that_is_no_input_is_refused(void **state)
{
    struct fixture *f = *state;
    free(answers(f, 0, 20));
    expect_refusal(f, "UPDATE prediction SET reason_1 = 9999 WHERE seq = 3", "was altered");
}

// Names that SQLite takes for no file, and files that are none of its; nothing is left beside them.
static void what_is_no_place_for_a_database_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    char text[128];
    snprintf(text, sizeof text, "%s/text", f->small.folder);
    const char *const paths[] = {":memory:", "file:x.db", "", "/dev/null", f->small.folder, text};
    service_release(&f->small.service);
    small_write(text, "no database\n", 12, 0600);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char lock[160];
        f->small.files.database = paths[i];
        assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
        assert_non_null(
            strstr(err.msg, i < 3 ? "give the path of a file" : i < 5 ? "" : "not a database"));
        snprintf(lock, sizeof lock, "%s.lock", paths[i]);
        assert_int_equal(access(lock, F_OK), -1);
    }
}

// All that is beside the database is beside what the link names, whatever the name it is opened by.
static void a_link_is_followed(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    char body[256], link[128], beside[160];
    char *first = strdup(ask(f, transaction(body, sizeof body, 1)));
    service_release(&f->small.service);
    snprintf(link, sizeof link, "%s/link.db", f->small.folder);
    assert_int_equal(symlink("assay.db", link), 0);
    f->small.files.database = link;
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
    assert_string_equal(ask(f, transaction(body, sizeof body, 1)), first);
    ask(f, transaction(body, sizeof body, 2));
    assert_int_equal(f->reply.status, 200);
    snprintf(beside, sizeof beside, "%s.lock", link);
    assert_int_equal(access(beside, F_OK), -1);
    free(first);
    service_release(&f->small.service);
    assert_int_equal(unlink(f->small.database), 0);
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    assert_non_null(strstr(err.msg, "cannot follow the link"));
}

static void a_folder_that_is_not_there_is_not_made(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    char folder[128], database[160];
    service_release(&f->small.service);
    snprintf(folder, sizeof folder, "%s/mistyped", f->small.folder);
    snprintf(database, sizeof database, "%s/assay.db", folder);
    f->small.files.database = database;
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    assert_non_null(strstr(err.msg, "mistyped/assay.db: cannot open or make"));
    assert_int_equal(access(folder, F_OK), -1);
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
        const struct store_identity identity = {0};
        store_open(&other, f->small.database, f->small.service.plan, NULL, STORE_NORMAL, &identity,
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
    assert_int_equal(count(f, "SELECT t_amount = 17.25 AND length(inputs) = 32 AND clock = t_time AND "
                              "t_channel = 'web' FROM prediction"),
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
    f->small.service.writer.report = report;
    ask(f, transaction(body, sizeof body, 1));
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE model", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    f->small.service.champion->number = 2; // another model wants an entry
    ask(f, transaction(body, sizeof body, 2));
    assert_int_equal(f->reply.status, 503);
    assert_non_null(strstr(f->reply.text, "started again"));
    assert_null(strstr(f->reply.text, f->small.folder)); // no path goes to a client
    assert_int_equal(f->reply.retry_after, 5);
    assert_true(atomic_load(&fatal));
    assert_non_null(strstr(reported, "no such table"));
    assert_int_equal(service_ready(&f->small.service, &f->reply), -1);
    assert_non_null(strstr(f->reply.text, "started again"));
    ask(f, transaction(body, sizeof body, 3));
    assert_int_equal(f->reply.status, 503);
}

// What is acknowledged then would be in a file that nobody opens again. What was before is not lost when
// the file is put back.
static void a_file_that_is_moved_or_removed_stops_the_service(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct fixture *f = *state;
    char body[256], name[128], moved[160];
    for (int i = 0; i < 3; i++) {
        struct err err = {""};
        snprintf(name, sizeof name, "%s%s", f->small.database, ends[i]);
        snprintf(moved, sizeof moved, "%s-moved", name);
        f->small.service.writer.report = report;
        ask(f, transaction(body, sizeof body, i));
        assert_int_equal(f->reply.status, 200);
        assert_int_equal(rename(name, moved), 0);
        ask(f, transaction(body, sizeof body, i + 10));
        assert_int_equal(f->reply.status, 503);
        assert_true(atomic_load(&fatal));
        assert_non_null(strstr(reported, "was moved, removed or replaced"));
        service_release(&f->small.service);
        if (i == 0) {
            assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
            assert_non_null(strstr(err.msg, "put that back"));
            assert_int_equal(rename(moved, name), 0);
        }
        assert_int_equal(service_load(&f->small.service, &f->small.files, &err), 0);
        assert_int_equal(count(f, "SELECT count(*) FROM prediction"), i + 1);
        assert_int_equal(f->small.service.state.events, i + 1);
    }
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
    f->small.service.writer.report = report;
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ask(f, transaction(body, sizeof body, 1));
    assert_int_equal(f->reply.status, 503);
    assert_int_equal(f->reply.retry_after, 1);
    assert_non_null(strstr(reported, "another program holds it"));
    assert_int_equal(service_ready(&f->small.service, &f->reply), -1);
    assert_non_null(strstr(f->reply.text, "another program"));
    assert_int_equal(f->reply.retry_after, 1);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    for (int ms = 0; ms < 5000 && service_ready(&f->small.service, NULL);
         ms++) // no request tells it
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_equal(service_ready(&f->small.service, NULL), 0);
    ask(f, transaction(body, sizeof body, 1));
    assert_non_null(strstr(reported, "is free again"));
    assert_int_equal(f->reply.status, 200);
    assert_int_equal(f->small.service.state.events, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_seen_before_has_its_answer_again_and_changes_nothing),
        TEST(an_array_with_known_and_repeated_ids_counts_each_once),
        TEST(an_id_of_another_transaction_is_refused_with_what_differs),
        TEST(a_negative_zero_is_repeated_as_it_was_answered),
        TEST(ids_that_went_to_the_table_are_found_there),
        TEST(a_newer_schema_is_refused),
        TEST(another_programs_database_is_refused),
        TEST(a_database_of_another_plan_state_or_key_is_refused),
        TEST(a_checkpoint_ahead_of_its_database_is_refused),
        TEST(a_checkpoint_from_before_the_rows_that_were_dropped_is_refused),
        TEST(a_row_with_a_reason_that_is_no_input_is_refused),
        TEST(what_is_no_place_for_a_database_is_refused),
        TEST(a_link_is_followed),
        TEST(a_folder_that_is_not_there_is_not_made),
        TEST(a_second_server_on_the_same_database_is_refused),
        TEST(a_row_holds_the_transaction_its_features_and_its_decision),
        TEST(a_commit_that_fails_stops_the_service),
        TEST(a_file_that_is_moved_or_removed_stops_the_service),
        TEST(who_holds_the_write_lock_is_waited_for_and_the_queue_has_an_end),
        TEST(a_database_that_another_program_holds_is_503_until_it_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
