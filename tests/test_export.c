// export: the table, and verification, of a small service that runs meanwhile.
#define EACH setup, end
#include "tests/asking.h"

static char out[8192];      // what the last export printed
static struct table served; // that it wrote

enum { START = 1538352000 }; // 2018-10-01T00:00:00Z

static int export(const char *options)
{
    const char *bin = getenv("ASSAY_BIN") ? getenv("ASSAY_BIN") : "build/bin";
    return run_command(
        out, sizeof out,
        "%s/export --database %s --models %s --config %s/small.ini --output %s/served "
        "--state %s %s",
        bin, small.database, small.models, small.folder, small.folder, small.state, options);
}

// parts: as in assert_parts.
static void expect_export(int status, const char *parts, const char *options)
{
    const int found = export(options);
    if (found != status)
        fail_msg("export %s: exit status %d, expected %d:\n%s", options, found, status, out);
    assert_parts(out, parts);
}

static void open_served(void)
{
    struct err err = {""};
    const char *path = formatted("%s/served", small.folder);
    table_release(&served);
    must(table_open(&served, path, &err), &err);
}

static const void *column(const char *name, enum column_kind kind)
{
    struct err err = {""};
    const void *data = table_data(&served, name, kind, &err);
    must(!data, &err);
    return data;
}

static double number_of(const char *name, uint64_t row)
{
    return ((const double *)column(name, COLUMN_NUMBER))[row];
}

static int label_of(uint64_t row)
{
    return ((const int8_t *)column("label", COLUMN_LABEL))[row];
}

static void ask_at(const char *id, long long seconds)
{
    expect(
        formatted("{\"id\":\"%s\",\"time\":%lld,\"customer\":1,\"amount\":5}", id, START + seconds),
        200);
}

static void label(const char *id, int is)
{
    tell(formatted("{\"id\":\"%s\",\"label\":%d}", id, is));
    assert_int_equal(reply.status, 200);
}

// ---- the table ----

// What SQLite says of the row is the oracle.
static void compare_row(uint64_t row, sqlite3_stmt *q)
{
    const struct table_column *channel = &served.columns[table_find(&served, "channel")];
    const uint64_t *id = column("id", COLUMN_ID), *customer = column("customer", COLUMN_KEY);
    const int64_t *time = column("time", COLUMN_TIME);
    const float *x = sqlite3_column_blob(q, 0);
    const struct plan *p = small.service.plan;
    assert_int_equal(sqlite3_column_bytes(q, 0), SMALL_INPUTS * sizeof *x);
    for (size_t i = 0; i < SMALL_INPUTS; i++)
        assert_memory_equal((const float *)column(p->inputs[i].name, COLUMN_FEATURE) + row, &x[i],
                            sizeof *x);
    assert_true(number_of("_probability", row) == sqlite3_column_double(q, 1));
    assert_true(number_of("_decision", row) == sqlite3_column_double(q, 2));
    assert_true(number_of("_version", row) == sqlite3_column_double(q, 3));
    assert_int_equal(label_of(row), sqlite3_column_int(q, 4));
    assert_int_equal(time[row], sqlite3_column_int64(q, 5));
    assert_true(id[row] == (uint64_t)sqlite3_column_int64(q, 6));
    assert_true(customer[row] == (uint64_t)sqlite3_column_int64(q, 7));
    assert_string_equal(channel->dictionary[((const uint32_t *)channel->data)[row]],
                        (const char *)sqlite3_column_text(q, 8));
}

static void compare_all(void)
{
    static const char sql[] =
        "SELECT inputs, probability, review, version, coalesce((SELECT label FROM label WHERE "
        "prediction = p.seq), -1), t_time, t_id, t_customer, t_channel FROM prediction AS p JOIN "
        "model AS m ON m.id = p.model ORDER BY t_time, seq";
    uint64_t row = 0;
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(small.database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    for (; sqlite3_step(q) == SQLITE_ROW; row++)
        compare_row(row, q);
    sqlite3_finalize(q);
    sqlite3_close(db);
    assert_true(row == served.rows && row > 60);
}

static int end(void **state)
{
    table_release(&served);
    return teardown(state);
}

// Late transactions and equal times are among them, and another version decides the last ones.
TEST_CASE(the_table_has_the_rows_as_they_were_served_in_the_order_of_their_times)
{
    const json_t *as_of;
    free(answers(0, 60));
    ask_at("equal 1", 100000);
    ask_at("late", 50000);
    ask_at("equal 2", 100000);
    ask_at("equal 3", 100000);
    small.service.champion->model.version = 2;
    small.service.champion->model.review_outside = true;
    expect("{\"id\":\"outside\",\"time\":1538452000,\"customer\":1,\"amount\":5,\"age\":130}", 200);
    expect_export(0, ": 15 known; of the other transactions 46 should|export           65 ", "");
    open_served();
    compare_all();
    assert_true(number_of("_version", 63) == 1 && number_of("_version", 64) == 2);
    assert_true(number_of("_decision", 64) == 1 && number_of("_probability", 64) < small_threshold);
    as_of = json_object_get(served.provenance, "labels_as_of");
    assert_int_equal(json_integer_value(as_of), START + 100000);
    shell("cp -r served first"); // the same rows give the same bytes
    expect_export(0, "", "");
    shell("diff -r served first");
}

TEST_CASE(transactions_have_their_raw_columns_alone)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    uint64_t row = 0;
    free(answers(0, 60));
    expect_export(0, ": 15 known|export           60 ", "--transactions");
    open_served();
    const struct schema *schema = &small.service.plan->schema;
    const struct table_column *channel = &served.columns[table_find(&served, "channel")];
    assert_int_equal(served.n, schema->n);
    for (size_t c = 0; c < schema->n; c++)
        column(schema->columns[c].name, schema->columns[c].kind);
    assert_int_equal(sqlite3_open_v2(small.database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_prepare_v2(db,
                       "SELECT t_id, t_amount, t_age, t_channel FROM prediction ORDER BY t_time",
                       -1, &q, NULL);
    for (; sqlite3_step(q) == SQLITE_ROW; row++) {
        assert_true(((const int64_t *)column("id", COLUMN_ID))[row] == sqlite3_column_int64(q, 0));
        assert_true(number_of("amount", row) == sqlite3_column_double(q, 1));
        assert_true((sqlite3_column_type(q, 2) == SQLITE_NULL
                         ? isnan(number_of("age", row))
                         : number_of("age", row) == sqlite3_column_double(q, 2)));
        assert_string_equal(channel->dictionary[((const uint32_t *)channel->data)[row]],
                            (const char *)sqlite3_column_text(q, 3));
    }
    assert_int_equal(row, 60);
    sqlite3_finalize(q);
    sqlite3_close(db);
    expect_export(0, "export           60 ", ""); // one kind of export may replace the other
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// Ten have the same time, and every third one arrives up to two hours late.
TEST_CASE(more_rows_than_are_read_at_a_time_come_out_once_each)
{
    enum { ROWS = 25000, PART = 1000, AMOUNTS = 10000 };
    char *body = xmalloc(PART * 96);
    uint64_t *ids = xcalloc(ROWS, sizeof *ids);
    for (int i = 0; i < ROWS; i += PART) {
        size_t n = 0;
        for (int k = i; k < i + PART; k++)
            n += (size_t)sprintf(
                body + n, "%c{\"id\":%d,\"time\":%d,\"customer\":%d,\"amount\":%d}",
                k == i ? '[' : ',', k, START + k / 10 * 200 - (k % 3 == 0 ? 200 * (k % 37) : 0),
                k % 99, k % AMOUNTS);
        memcpy(body + n, "]", 2);
        expect(body, 200);
    }
    expect_export(0, "export        25000 ", "");
    expect_export(0, "250000 values, 0 differ; 0 transactions before", "--verify");
    open_served();
    const int64_t *time = column("time", COLUMN_TIME);
    const float *amount = column("amount", COLUMN_FEATURE);
    assert_int_equal(served.rows, ROWS);
    memcpy(ids, column("id", COLUMN_ID), ROWS * sizeof *ids);
    qsort(ids, ROWS, sizeof *ids, by_value);
    for (int i = 1; i < ROWS; i++) {
        const int later = (int)(amount[i] - amount[i - 1]); // in the order of arrival
        assert_true(ids[i - 1] < ids[i] && time[i - 1] <= time[i]);
        assert_true(time[i - 1] < time[i] || (later + AMOUNTS) % AMOUNTS < AMOUNTS / 2);
    }
    free(ids);
    free(body);
}

// label_delay is an hour.
TEST_CASE(labels_are_those_that_the_data_clock_had_reached_and_a_period_has_its_rows_alone)
{
    static const struct {
        const char *as_of, *counts;
        int label;
    } cases[] = {
        {"1970-01-01",
         ": 0 known; of the other transactions 0 should have one by now and 4 are younger", -1},
        {"'2018-10-01 01:59:59'",
         ": 0 known; of the other transactions 1 should have one by now and 3 are", -1},
        {"'2018-10-01 02:00:00'",
         ": 1 known; of the other transactions 1 should have one by now and 2 are", 1},
        {"'2018-10-01 03:59:59'",
         ": 1 known; of the other transactions 2 should have one by now and 1 are", 1},
        {"'2018-10-01 04:00:00'",
         ": 1 known; of the other transactions 2 should have one by now and 1 are", 0},
    };
    char checksum[17] = "";
    ask_at("A", 0);
    ask_at("B", 3600);
    ask_at("C", 7200);
    label("A", 1);
    ask_at("D", 14400);
    label("A", 0);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        expect_export(0, cases[i].counts, formatted("--labels-as-of %s", cases[i].as_of));
        open_served();
        assert_int_equal(label_of(0), cases[i].label);
        assert_int_equal(label_of(1), -1);
        json_t *table = json_object_get(served.provenance, "table");
        const bool same = strcmp(checksum, text(table, "input_xxh3")) == 0;
        assert_int_equal(same, i > 0 && cases[i].label == cases[i - 1].label);
        snprintf(checksum, sizeof checksum, "%s", text(table, "input_xxh3"));
    }
    expect_export(0, "export            2 ",
                  "--from 2018-10-01T01:00:00Z --until '2018-10-01 04:00:00'");
}

// ---- one decision ----

TEST_CASE(a_decision_is_told_with_its_inputs_and_all_its_labels)
{
    static const double inputs[SMALL_INPUTS] = {17.25, 0, 1, 17.25, 40, 1, 0, 0};
    size_t i = 0;
    const char *name;
    json_t *x;
    expect(transaction(0), 200);
    expect(transaction(1), 200);
    const json_t *answer = json_deep_copy(latest);
    label("T1", 1);
    expect(transaction(2), 200);
    label("T1", 0);
    record(&small.service, "T1", 2, &reply);
    const json_t *told = take_answer(), *members = json_object_get(told, "inputs");
    json_object_foreach((json_t *)members, name, x)
    {
        assert_string_equal(name, small.service.plan->inputs[i].name);
        assert_true(json_number_value(x) == inputs[i++]);
    }
    assert_int_equal(i, SMALL_INPUTS);
    json_object_foreach((json_t *)answer, name, x)
    { // all that /predict answered
        assert_true(json_equal(x, json_object_get(told, name)));
    }
    json_decref((json_t *)answer);
    members = json_object_get(told, "transaction");
    assert_string_equal(text(members, "id"), "T1");
    assert_string_equal(text(members, "time"), "2018-10-01T08:25:00Z");
    assert_string_equal(text(members, "channel"), "web");
    assert_true(number(members, "amount") == 17.25);
    assert_int_equal((int64_t)strtoull(text(members, "customer"), NULL, 10),
                     count("SELECT t_customer FROM prediction WHERE seq = 2"));
    assert_int_equal(number(told, "order"), 2);
    assert_string_equal(text(told, "clock"), "2018-10-01T08:25:00Z");
    members = json_object_get(told, "labels");
    assert_int_equal(json_array_size(members), 2);
    assert_int_equal(number(json_array_get(members, 0), "label"), 1);
    assert_string_equal(text(json_array_get(members, 0), "clock"), "2018-10-01T08:25:00Z");
    assert_int_equal(number(json_array_get(members, 1), "label"), 0);
    assert_int_equal(number(json_array_get(members, 1), "order"), 5);
    assert_string_equal(text(json_array_get(members, 1), "clock"), "2018-10-01T08:35:00Z");
}

TEST_CASE(an_unknown_id_is_an_error)
{
    expect(transaction(1), 200);
    record(&small.service, "T2", 2, &reply);
    assert_int_equal(reply.status, 404);
    assert_string_equal(text(take_answer(), "field"), "id");
}

// ---- verification ----

TEST_CASE(what_was_served_can_be_computed_again)
{
    free(answers(0, 60)); // 8 inputs and 2 label values
    expect_export(0, "600 values, 0 differ; 0 transactions before|state.bin cannot", "--verify");
    expect_export(1, "/nowhere: cannot open", "--verify --state /nowhere");
    restart();
    free(answers(60, 20));
    expect_export(0, "800 values, 0 differ; 0 transactions before", "--verify");
    expect_export(0, "200 values, 0 differ; 60 transactions before|-state cannot",
                  formatted("--verify --state %s-state", small.database));
}

TEST_CASE(a_value_that_differs_is_named)
{
    static const struct {
        const char *sql, *parts;
    } cases[] = {
        {"UPDATE prediction SET t_amount = 99 WHERE seq = 3",
         "200 values, |order 3: amount was stored as 24.25 and is computed as 99"},
        {"UPDATE prediction SET label_values = zeroblob(16) WHERE seq = 3",
         "200 values, 1 differ|order 3: a label value was stored as 0 and is computed as 24.25"},
        {"UPDATE prediction SET t_time = t_time + 1000000 WHERE seq = 3", "order 10: an event of"},
        {"UPDATE prediction SET t_time = 'noon' WHERE seq = 3", "3 was altered"},
        {"UPDATE prediction SET t_amount = NULL WHERE seq = 3", "3 was altered"},
    };
    free(answers(0, 20));
    stop();
    shell("mkdir good; cp assay.db* good");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        database_change(small.database, cases[i].sql);
        expect_export(1, cases[i].parts, "--verify");
        shell("rm assay.db*; cp good/* .");
    }
    start();
}

static int count_row(void *arg, const struct store_row *row, const struct store_label *change,
                     struct err *err)
{
    (void)row, (void)change, (void)err;
    ++*(int *)arg;
    return 0;
}

TEST_CASE(rows_that_are_deleted_are_missed)
{
    const struct plan *p = small.service.plan;
    const struct dictionary *known = small.service.dictionaries;
    struct store reader;
    struct err err = {""};
    int rows = 0;
    free(answers(0, 20));
    must(store_open_reader(&reader, small.database, &err) || store_bind(&reader, p, known, &err),
         &err);
    database_change(small.database, "DELETE FROM prediction WHERE seq = 23");
    expect_export(1, "has 24 rows between order 0, where the state ends, and its own end at 25",
                  "--verify");
    assert_int_equal(store_each_by_time(&reader, INT64_MIN, INT64_MAX, count_row, &rows, &err), 0);
    assert_int_equal(rows, 19);
    store_close(&reader);
}

// ---- beside a server, and without one ----

static atomic_bool enough;
static atomic_int asked, refused;

static void *ask_on(void *arg)
{
    struct reply r = {0};
    for (int i = 0; !atomic_load(&enough); i++) {
        const char *body = transaction(i);
        predict(&small.service, body, strlen(body), true, &r);
        atomic_fetch_add(r.status == 200 ? &asked : &refused, 1);
    }
    reply_release(&r);
    return arg;
}

TEST_CASE(a_server_goes_on_meanwhile)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_on, NULL), 0);
    for (int i = 0; i < 4; i++) {
        while (atomic_load(&asked) < 1000 * (i + 1))
            poll(NULL, 0, 1);
        const int before = atomic_load(&asked);
        expect_export(0, " values, 0 differ", "--verify");
        expect_export(0, "", "");
        open_served();
        assert_true(served.rows >= (uint64_t)before);
        assert_true(atomic_load(&asked) > before);
    }
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&refused), 0);
}

// After kill -9 the newest rows are in the log alone; and a copy may have no other file.
TEST_CASE(a_database_is_read_as_a_server_left_it)
{
    free(answers(0, 20));
    shell("mkdir copy; cp assay.db assay.db-wal copy");
    stop();
    shell("mkdir good; mv assay.db* good; mv copy/* .");
    expect_export(0, "200 values, 0 differ; 0 transactions", "--verify");
    expect_export(0, "export           20 ", "");
    shell("rm assay.db*; cp good/assay.db .");
    expect_export(0, "200 values, 0 differ; 0 transactions", "--verify");
    shell("rm assay.db*; mv good/* .");
    start(); // nothing hinders it
    assert_int_equal(small.service.state.events, 20);
}

// ---- what is refused ----

TEST_CASE(what_cannot_be_read_or_written_is_told)
{
    static const struct {
        int status;
        const char *change, *options, *words;
    } cases[] = {
        {2, "", "--from 2018-10-02 --until 2018-10-01", "--from must be earlier than --until"},
        {2, "", "--verify --transactions", "exclude each other"},
        {1, "", "--labels-as-of '2018-10-01 11:25:01'",
         "--labels-as-of 2018-10-01T11:25:01Z: is later than the newest transaction, of "
         "2018-10-01T11:25:00Z"},
        {1, "", "--output ''", "the name of the output is empty"},
        {1, "", "--database missing.db", "missing.db: cannot open the database: No such file"},
        {1, "", "--database :memory:", "give the path of a file"},
        {1, "echo text >assay.db", "", "file is not a database"},
        {1, "truncate -s 8192 assay.db", "", "malformed"},
        {1, "rm assay.db; sqlite3 assay.db 'CREATE TABLE x (y)'", "", "of another program"},
        {1, "sqlite3 assay.db 'PRAGMA user_version = 2'", "", "an older program (schema 2"},
        {1, "sqlite3 assay.db \"UPDATE meta SET value = 7 WHERE key = 'plan_xxh3'\"", "",
         "other [columns] or [features]"},
        {1,
         "sqlite3 assay.db \"UPDATE meta SET value = 7 WHERE key = 'base_xxh3'\"; rm "
         "assay.db-state",
         "--verify", "is not the state that"},
        {1, "sqlite3 assay.db 'DELETE FROM prediction; DELETE FROM feedback'", "", "of no time"},
    };
    free(answers(0, 20));
    stop();
    shell("mkdir good; cp assay.db* good");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        if (*cases[i].change)
            shell(cases[i].change);
        expect_export(cases[i].status, cases[i].words, cases[i].options);
        shell("rm assay.db*; cp good/* .; ! test -e served");
    }
    start();
}

// An earlier champion had the plan, the present one has another.
TEST_CASE(the_plan_comes_from_any_version_of_the_registry)
{
    expect(transaction(1), 200);
    shell("sed 's/[(]hour[(]time[)] <= 6[)]/(hour(time) <= 7)/' models/1/model.json >other.json; "
          "! cmp -s other.json models/1/model.json");
    struct err err = {""};
    char *text = scratch_read(formatted("%s/other.json", small.folder), NULL);
    if (!text || small_registry(small.models, text, &err))
        fail_msg("%s", err.msg);
    free(text);
    expect_export(0, "export            1 ", "");
    shell("sed -i s/1/2/ models/1/model.json"); // the only one that fits is damaged
    expect_export(1, "give --models|models/1", "");
}

TESTS(NULL, NULL)
