// store: known ids, the contents of a row, and files that cannot be a database.
#include "tests/asking.h"

#include <sys/wait.h>
#include <time.h>

static void an_id_seen_before_gets_its_answer_again_and_changes_nothing(void **state)
{
    static const char negative[] =
        "{\"id\":\"-\",\"time\":1538381700,\"customer\":1,\"amount\":-0.0}";
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) { // SQLite has no -0 among its REAL values without a fraction
        const char *body = i ? negative : transaction(1);
        expect(f, body, 200);
        char *first = xstrdup(f->reply.text);
        for (int k = 0; k < 2; k++) {
            expect(f, body, 200);
            assert_string_equal(f->reply.text, first);
            restart(f);
        }
        free(first);
    }
    assert_int_equal(f->small.service.state.events, 2);
    assert_int_equal(count(f, "SELECT count(*) FROM prediction"), 2);
}

static void an_array_with_known_and_repeated_ids_counts_each_once(void **state)
{
    struct fixture *f = *state;
    char *one = xstrdup(transaction(1)), *two = xstrdup(transaction(2));
    char *array = xasprintf("[%s,%s,%s,%s]", two, one, transaction(3), two);
    json_t *known = json_deep_copy(ask(f, one)), *first = json_deep_copy(ask(f, array));
    assert_int_equal(json_array_size(first), 4);
    assert_true(json_equal(json_array_get(first, 1), known));
    assert_true(json_equal(json_array_get(first, 0), json_array_get(first, 3)));
    assert_int_equal(f->small.service.state.events, 3);
    assert_true(json_equal(first, ask(f, array)));
    assert_int_equal(f->small.service.state.events, 3);
    json_decref(known);
    json_decref(first);
    free(one);
    free(two);
    free(array);
}

static void expect_other(struct fixture *f, const char *body, const char *field, int index)
{
    const json_t *a = ask(f, body), *i = json_object_get(a, "index");
    assert_int_equal(f->reply.status, 409);
    assert_string_equal(text(a, "field"), field);
    assert_int_equal(i ? json_integer_value(i) : -1, index);
}

// In the same request, in another, and after a restart; nothing else in the array counts.
static void an_id_of_another_transaction_is_refused_with_the_field_that_differs(void **state)
{
    static const char first[] = "{\"id\":1,\"time\":1538381700,\"customer\":1,\"amount\":5,"
                                "\"age\":30,\"channel\":\"atm\"}";
    static const struct {
        const char *field, *rest;
    } others[] = {
        {"time", "1538381701,\"customer\":1,\"amount\":5,\"age\":30,\"channel\":\"atm\"}"},
        {"customer", "1538381700,\"customer\":2,\"amount\":5,\"age\":30,\"channel\":\"atm\"}"},
        {"amount", "1538381700,\"customer\":1,\"amount\":5.5,\"age\":30,\"channel\":\"atm\"}"},
        {"age", "1538381700,\"customer\":1,\"amount\":5,\"age\":null,\"channel\":\"atm\"}"},
        {"channel", "1538381700,\"customer\":1,\"amount\":5,\"age\":30,\"channel\":\"phone\"}"},
    };
    struct fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            char *body = xasprintf("{\"id\":\"1\",\"time\":%s", others[i].rest);
            char *array = xasprintf("[{\"id\":2,\"time\":1538381700,\"customer\":1,\"amount\":5},"
                                    "%s,%s]",
                                    first, body);
            expect_other(f, array, others[i].field, 2);
            if (round > 0)
                expect_other(f, body, others[i].field, -1);
            free(array);
            free(body);
        }
        assert_int_equal(f->small.service.state.events, round > 0);
        expect(f, first, 200);
        if (round == 1)
            restart(f);
    }
    assert_int_equal(count(f, "SELECT count(*) FROM prediction"), 1);
}

static void ids_that_moved_to_the_table_are_found_there(void **state)
{
    enum { ROWS = IDS_KEPT + 30000, PART = 1000 };
    struct fixture *f = *state;
    char *body = xmalloc(PART * 96);
    for (int i = 0; i < ROWS; i += PART) {
        size_t n = 0;
        for (int k = i; k < i + PART; k++)
            n += (size_t)sprintf(body + n, "%c{\"id\":%d,\"time\":%d,\"customer\":%d,\"amount\":1}",
                                 k == i ? '[' : ',', k, 1538381700 + k, k % 999);
        sprintf(body + n, "]");
        predict(&f->small.service, body, n + 1, &f->reply);
        assert_int_equal(f->reply.status, 200);
    }
    assert_true(count(f, "SELECT count(*) FROM seen") > 100);
    assert_true(f->small.service.store.ids.n <= IDS_KEPT);
    restart(f);
    const uint64_t events = f->small.service.state.events;
    for (int i = 0; i < ROWS; i += 101) {
        sprintf(body, "{\"id\":%d,\"time\":%d,\"customer\":%d,\"amount\":1}", i, 1538381700 + i,
                i % 999);
        expect(f, body, 200);
    }
    assert_true(f->small.service.state.events == events);
    free(body);
}

// Names that SQLite does not take for a file, and other files; nothing is left beside them.
static void a_name_that_cannot_be_a_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[128], missing[128];
    snprintf(text, sizeof text, "%s/text", f->small.folder);
    snprintf(missing, sizeof missing, "%s/mistyped/assay.db", f->small.folder);
    const struct {
        const char *path, *words;
    } cases[] = {
        {":memory:", "give the path of a file"},
        {"file:x.db", "give the path of a file"},
        {"", "give the path of a file"},
        {"/dev/null", "not a file"},
        {f->small.folder, "Is a directory"},
        {text, "not a database"},
        {missing, "mistyped/assay.db: cannot open or make"},
    };
    stop(f);
    shell(f, "echo no database >text");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *lock = xasprintf("%s.lock", cases[i].path);
        f->small.files.database = cases[i].path;
        expect_no_start(f, cases[i].words);
        assert_int_equal(access(lock, F_OK), -1);
        free(lock);
    }
}

// Lock and checkpoint are beside the file that the link names.
static void a_link_is_followed(void **state)
{
    struct fixture *f = *state;
    char link[128];
    expect(f, transaction(1), 200);
    char *first = xstrdup(f->reply.text);
    stop(f);
    snprintf(link, sizeof link, "%s/link.db", f->small.folder);
    shell(f, "ln -s assay.db link.db");
    f->small.files.database = link;
    start(f);
    expect(f, transaction(1), 200);
    assert_string_equal(f->reply.text, first);
    free(first);
    stop(f);
    shell(f, "! test -e link.db.lock; test -e assay.db.lock; rm assay.db");
    expect_no_start(f, "cannot follow the link");
}

// A record lock belongs to a process, so another one has to ask.
static void a_second_server_on_the_same_database_is_refused(void **state)
{
    struct fixture *f = *state;
    int status;
    const pid_t pid = fork();
    if (pid == 0) {
        const struct store_identity identity = {0};
        struct store other;
        struct err err = {""};
        store_open(&other, f->small.database, f->small.service.plan, NULL, false, &identity, &err);
        _exit(strstr(err.msg, "another server") ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_row_holds_the_transaction_its_decision_and_the_clocks(void **state)
{
    struct fixture *f = *state;
    const char *decision = text(ask(f, transaction(2)), "decision");
    assert_int_equal(count(f, "SELECT t_time FROM prediction"), 1538382900);
    assert_int_equal(count(f, "SELECT t_amount = 24.25 AND t_channel = 'web' FROM prediction"), 1);
    assert_int_equal(count(f, "SELECT review FROM prediction"), strcmp(decision, "review") == 0);
    assert_int_equal(count(f, "SELECT version FROM prediction JOIN model ON model.id = model"), 1);
    assert_true(count(f, "SELECT received FROM prediction") / 1000 >= (int64_t)time(NULL) - 100);
    assert_int_equal(
        count(f, "SELECT count(*) FROM prediction WHERE t_customer = 2 OR t_id = 'T2'"), 0);
    expect(f, transaction(3), 200); // a late one
    tell(f, "{\"id\":\"T2\",\"label\":1}");
    expect(f, transaction(5), 200);
    tell(f, "{\"id\":\"T2\",\"label\":0}");
    assert_int_equal(count(f, "SELECT clock - t_time FROM prediction WHERE seq = 2"), 4400);
    assert_int_equal(count(f, "SELECT clock FROM feedback WHERE was IS NULL"), 1538382900);
    assert_int_equal(count(f, "SELECT clock FROM feedback WHERE was = 1"), 1538384700);
}

// The example of docs/database.md, as it is printed there.
static void the_documented_program_reads_the_blobs(void **state)
{
    struct fixture *f = *state;
    char command[512], line[512] = "";
    expect(f, transaction(1), 200);
    snprintf(command, sizeof command,
             "sed -n '/^```python/,/^```$/{/^```/!p}' docs/database.md | "
             "sed 's,var/assay.db,%s,' | /usr/bin/python3 -",
             f->small.database);
    FILE *pipe = popen(command, "r"); // NOLINT(cert-env33-c): a program of ours
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    assert_int_equal(pclose(pipe), 0);
    if (!strstr(line, "'amount': 17.25, 'night': 0.0, 'count_1d': 1.0") ||
        !strstr(line, "(17.25,) if it is fraud"))
        fail_msg("%s", line);
}

static void a_commit_that_fails_stops_the_service(void **state)
{
    struct fixture *f = *state;
    f->small.service.writer.report = report;
    expect(f, transaction(1), 200);
    database_change(f->small.database, "DROP TABLE model");
    f->small.service.champion->number = 2; // another model wants an entry
    expect(f, transaction(2), 503);
    assert_non_null(strstr(f->reply.text, "started again"));
    assert_null(strstr(f->reply.text, f->small.folder)); // no path goes to a client
    assert_int_equal(f->reply.retry_after, 5);
    assert_true(atomic_load(&fatal));
    assert_non_null(strstr(reported, "no such table"));
    assert_int_equal(service_ready(&f->small.service, &f->reply), -1);
    assert_non_null(strstr(f->reply.text, "started again"));
    expect(f, transaction(3), 503);
}

// Anything acknowledged afterwards would be in a file that is never opened again. Nothing from
// before is lost when the file is put back.
static void a_file_that_is_moved_or_removed_stops_the_service(void **state)
{
    static const char *const moves[] = {"mv assay.db moved", "mv assay.db-wal moved",
                                        "mv assay.db-shm moved"};
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        f->small.service.writer.report = report;
        expect(f, transaction(i), 200);
        shell(f, moves[i]);
        expect(f, transaction(i + 10), 503);
        assert_true(atomic_load(&fatal));
        assert_non_null(strstr(reported, "was moved, removed or replaced"));
        stop(f);
        if (i == 0) {
            expect_no_start(f, "put that back");
            shell(f, "mv moved assay.db");
        }
        start(f);
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

static sqlite3 *hold(const struct fixture *f)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void let_go(sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_short_hold_is_waited_for_and_the_queue_is_limited(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *answered;
    f->small.service.writer.limit = 1;
    sqlite3 *db = hold(f);
    assert_int_equal(pthread_create(&thread, NULL, ask_aside, f), 0);
    while (atomic_load(&f->small.service.writer.waiting) == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    expect(f, transaction(1), 503);
    assert_int_equal(f->reply.retry_after, 1);
    let_go(db);
    pthread_join(thread, &answered);
    assert_non_null(answered);
    expect(f, transaction(1), 200);
}

static void a_database_that_another_program_holds_is_503_until_it_lets_go(void **state)
{
    struct fixture *f = *state;
    f->small.service.writer.report = report;
    sqlite3 *db = hold(f);
    expect(f, transaction(1), 503);
    assert_int_equal(f->reply.retry_after, 1);
    assert_non_null(strstr(reported, "another program holds it"));
    assert_int_equal(service_ready(&f->small.service, &f->reply), -1);
    assert_non_null(strstr(f->reply.text, "another program"));
    let_go(db);
    for (int ms = 0; ms < 5000 && service_ready(&f->small.service, NULL); ms++) // without requests
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_equal(service_ready(&f->small.service, NULL), 0);
    expect(f, transaction(1), 200);
    assert_non_null(strstr(reported, "is free again"));
    assert_int_equal(f->small.service.state.events, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_seen_before_gets_its_answer_again_and_changes_nothing),
        TEST(an_array_with_known_and_repeated_ids_counts_each_once),
        TEST(an_id_of_another_transaction_is_refused_with_the_field_that_differs),
        TEST(ids_that_moved_to_the_table_are_found_there),
        TEST(a_name_that_cannot_be_a_database_is_refused),
        TEST(a_link_is_followed),
        TEST(a_second_server_on_the_same_database_is_refused),
        TEST(a_row_holds_the_transaction_its_decision_and_the_clocks),
        TEST(the_documented_program_reads_the_blobs),
        TEST(a_commit_that_fails_stops_the_service),
        TEST(a_file_that_is_moved_or_removed_stops_the_service),
        TEST(a_short_hold_is_waited_for_and_the_queue_is_limited),
        TEST(a_database_that_another_program_holds_is_503_until_it_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
