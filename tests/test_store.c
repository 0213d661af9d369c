// store: known ids, the contents of a row, and files that cannot be a database.
#include "tests/asking.h"

#include <time.h>

TEST_CASE(an_id_seen_before_gets_its_answer_again_and_changes_nothing)
{
    static const char negative[] =
        "{\"id\":\"-\",\"time\":1538381700,\"customer\":1,\"amount\":-0.0}";
    for (int i = 0; i < 2; i++) { // SQLite has no -0 among its REAL values without a fraction
        const char *body = i ? negative : transaction(1);
        expect(body, 200);
        char *first = xstrdup(reply.text);
        for (int k = 0; k < 2; k++) {
            expect(body, 200);
            assert_string_equal(reply.text, first);
            restart();
        }
        free(first);
    }
    assert_int_equal(small.service.state.events, 2);
    assert_int_equal(count("SELECT count(*) FROM prediction"), 2);
}

#define WITH_ID(id) "{\"id\":" id ",\"time\":1538381700,\"customer\":1,\"amount\":5}"

TEST_CASE(an_array_with_known_and_repeated_ids_counts_each_once)
{
    static const char array[] =
        "[" WITH_ID("2") "," WITH_ID("1") "," WITH_ID("3") "," WITH_ID("2") "]";
    json_t *known = json_deep_copy(ask(WITH_ID("1"))), *first = json_deep_copy(ask(array));
    assert_int_equal(json_array_size(first), 4);
    assert_true(json_equal(json_array_get(first, 1), known));
    assert_true(json_equal(json_array_get(first, 0), json_array_get(first, 3)));
    assert_true(json_equal(first, ask(array)));
    assert_int_equal(small.service.state.events, 3);
    json_decref(known);
    json_decref(first);
}

static void expect_other(const char *body, const char *field, int index)
{
    const json_t *a = ask(body), *i = json_object_get(a, "index");
    assert_int_equal(reply.status, 409);
    assert_string_equal(text(a, "field"), field);
    assert_int_equal(i ? json_integer_value(i) : -1, index);
}

// In the same request, in another, and after a restart; nothing else in the array counts.
TEST_CASE(an_id_of_another_transaction_is_refused_with_the_field_that_differs)
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
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < LENGTH(others); i++) {
            const char *body = formatted("{\"id\":\"1\",\"time\":%s", others[i].rest);
            expect_other(formatted("[" WITH_ID("2") ",%s,%s]", first, body), others[i].field, 2);
            if (round > 0)
                expect_other(body, others[i].field, -1);
        }
        assert_int_equal(small.service.state.events, round > 0);
        expect(first, 200);
        if (round == 1)
            restart();
    }
    assert_int_equal(count("SELECT count(*) FROM prediction"), 1);
}

TEST_CASE(ids_that_moved_to_the_table_are_found_there)
{
#define NUMBERED "{\"id\":%d,\"time\":%d,\"customer\":%d,\"amount\":1}"
    enum { ROWS = STORE_KEPT + 30000, PART = 1000 };
    char *body = xmalloc(PART * 96);
    for (int i = 0; i < ROWS; i += PART) {
        size_t n = 0;
        for (int k = i; k < i + PART; k++)
            n += (size_t)sprintf(body + n, k == i ? "[" NUMBERED : "," NUMBERED, k, 1538381700 + k,
                                 k % 999);
        memcpy(body + n, "]", 2);
        expect(body, 200);
    }
    assert_true(count("SELECT count(*) FROM seen") > 100);
    assert_true(small.service.store.kept <= STORE_KEPT);
    restart();
    const uint64_t events = small.service.state.events;
    for (int i = 0; i < ROWS; i += 101) {
        sprintf(body, NUMBERED, i, 1538381700 + i, i % 999);
        expect(body, 200);
    }
    assert_true(small.service.state.events == events);
    free(body);
}

// Names that SQLite does not take for a file, and other files; nothing is left beside them.
TEST_CASE(a_name_that_cannot_be_a_database_is_refused)
{
    const char *text = formatted("%s/text", small.folder);
    const char *link = formatted("%s/link", small.folder);
    const char *missing = formatted("%s/mistyped/assay.db", small.folder);
    const struct {
        const char *path, *words;
    } cases[] = {{":memory:", "give the path of a file"},
                 {"/dev/null", "not a file"},
                 {small.folder, "Is a directory"},
                 {text, "not a database"},
                 {link, "symbolic links"},
                 {missing, "mistyped/assay.db: cannot open"}};
    stop();
    shell("echo no database >text; ln -s assay.db link");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        small.files.database = cases[i].path;
        expect_no_start(cases[i].words);
        assert_int_equal(access(formatted("%s.lock", cases[i].path), F_OK), -1);
    }
}

TEST_CASE(a_database_that_others_could_read_becomes_its_owners_alone)
{
    expect(transaction(1), 200);
    shell("cp assay.db x.db; cp assay.db-wal x.db-wal; cp assay.db-shm x.db-shm"); // as of a kill
    stop();
    shell("for f in '' -wal -shm; do mv x.db$f assay.db$f; done; rm assay.db-state*; chmod 666 "
          "assay.db assay.db-???");
    start();
    expect(transaction(2), 200);
    shell("[ -z \"$(find . -name 'assay.db*' -perm /077)\" ]");
    assert_int_equal(small.service.state.events, 2);
}

// A record lock belongs to a process, so another one has to ask.
TEST_CASE(a_second_server_on_the_same_database_is_refused)
{
    int status;
    const pid_t pid = fork();
    if (pid == 0) {
        const struct store_identity identity = {0};
        struct store other;
        struct err err = {""};
        store_open(&other, small.database, small.service.plan, NULL, false, &identity, &err);
        _exit(strstr(err.msg, "another server") ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

TEST_CASE(a_row_holds_the_transaction_its_decision_and_the_clocks)
{
    const char *decision = text(ask(transaction(2)), "decision");
    assert_int_equal(count("SELECT t_time FROM prediction"), 1538382900);
    assert_int_equal(count("SELECT t_amount = 24.25 AND t_channel = 'web' FROM prediction"), 1);
    assert_int_equal(count("SELECT review FROM prediction"), strcmp(decision, "review") == 0);
    assert_int_equal(count("SELECT version FROM prediction JOIN model ON model.id = model"), 1);
    assert_true(count("SELECT received FROM prediction") / 1000 >= (int64_t)time(NULL) - 100);
    assert_int_equal(count("SELECT count(*) FROM prediction WHERE t_customer = 2 OR t_id = 'T2'"),
                     0);
    expect(transaction(3), 200); // a late one
    tell("{\"id\":\"T2\",\"label\":1}");
    expect(transaction(5), 200);
    tell("{\"id\":\"T2\",\"label\":0}");
    assert_int_equal(count("SELECT clock - t_time FROM prediction WHERE seq = 2"), 4400);
    assert_int_equal(count("SELECT clock FROM feedback WHERE was IS NULL"), 1538382900);
    assert_int_equal(count("SELECT clock FROM feedback WHERE was = 1"), 1538384700);
}

// The example of docs/database.md, as it is printed there.
TEST_CASE(the_documented_program_reads_the_blobs)
{
    char line[512];
    expect(transaction(1), 200);
    assert_int_equal(run_command(line, sizeof line,
                                 "sed -n '/^```python/,/^```$/{/^```/!p}' docs/database.md | "
                                 "sed 's,var/assay.db,%s,' | /usr/bin/python3 -",
                                 small.database),
                     0);
    assert_contains(line, "'amount': 17.25, 'night': 0.0, 'count_1d': 1.0");
    assert_contains(line, "(17.25,) if it is fraud");
}

TEST_CASE(a_commit_that_fails_stops_the_service)
{
    small.files.report = report;
    expect(transaction(1), 200);
    database_change(small.database, "DROP TABLE model");
    small.service.champion->model.version = 2; // another model wants an entry
    expect(transaction(2), 503);
    assert_non_null(strstr(reply.text, "started again"));
    assert_null(strstr(reply.text, small.folder)); // no path goes to a client
    assert_true(atomic_load(&fatal));
    assert_non_null(strstr(reported, "no such table"));
    assert_int_equal(service_ready(&small.service, &reply), -1);
    assert_non_null(strstr(reply.text, "started again"));
    expect(transaction(3), 503);
}

// Anything acknowledged afterwards would be in a file that is never opened again. Nothing from
// before is lost when the file is put back.
TEST_CASE(a_file_that_is_moved_or_removed_stops_the_service)
{
    static const char *const moves[] = {"mv assay.db moved", "mv assay.db-wal moved",
                                        "mv assay.db-shm moved"};
    for (int i = 0; i < 3; i++) {
        small.files.report = report;
        expect(transaction(i), 200);
        shell(moves[i]);
        expect(transaction(i + 10), 503);
        assert_true(atomic_load(&fatal));
        assert_non_null(strstr(reported, "was moved, removed or replaced"));
        stop();
        if (i == 0) {
            expect_no_start("put that back");
            shell("mv moved assay.db");
        }
        start();
        assert_int_equal(count("SELECT count(*) FROM prediction"), i + 1);
        assert_int_equal(small.service.state.events, i + 1);
    }
}

TEST_CASE(a_database_that_another_program_holds_is_503_until_it_lets_go)
{
    small.files.report = report;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(small.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    expect(transaction(1), 503);
    ask_what_if(transaction(1)); // like the same request that stores
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reported, "another program holds it"));
    assert_int_equal(service_ready(&small.service, &reply), -1);
    assert_non_null(strstr(reply.text, "another program"));
    sqlite3_close(db);                                                       // rolls back
    for (int ms = 0; ms < 5000 && service_ready(&small.service, NULL); ms++) // without requests
        poll(NULL, 0, 1);
    assert_int_equal(service_ready(&small.service, NULL), 0);
    expect(transaction(1), 200);
    assert_non_null(strstr(reported, "is free again"));
    assert_int_equal(small.service.state.events, 1);
}

TESTS(NULL, NULL)
