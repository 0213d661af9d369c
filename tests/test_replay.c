// What replay sends and in which order, what it writes, and when: against a server that answers by
// a script. What it makes of errors is in test_replay_errors.c; the real server in
// test_replay_server.c.
#include "tests/replaying.h"

// ---- what is sent ----

static void a_transaction_is_the_schemas_columns_without_the_label(void **state)
{
    (void)state;
    scratch_text("a.csv", HEADER "T1,2018-04-01 08:15:00,58,50.45,web,x,1\n"
                                 "\"a\"\"b\\\",2018-04-01 08:15:01,\xc3\xa9,-3,,x,\n"
                                 "\"two\nlines\",2018-04-01 08:15:02,007,,atm,x,0\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 3);
    assert_request(0, "/predict",
                   "{\"id\":\"T1\",\"time\":\"2018-04-01T08:15:00Z\",\"customer\":\"58\","
                   "\"amount\":50.45,\"channel\":\"web\"}");
    assert_request(1, "/predict",
                   "{\"id\":\"a\\\"b\\\\\",\"time\":\"2018-04-01T08:15:01Z\","
                   "\"customer\":\"\xc3\xa9\",\"amount\":-3}");
    assert_request(2, "/predict",
                   "{\"id\":\"two\\u000alines\",\"time\":\"2018-04-01T08:15:02Z\","
                   "\"customer\":\"007\",\"channel\":\"atm\"}");
    assert_contains(scripted.requests[0].head, "Content-Type: application/json\r\n");
    assert_int_equal(scripted.requests[2].peer, 0); // the connection was kept
    assert_contains(out, "3 sent, 3 answered, 0 failed; 0 rows");
}

static void numbers_go_over_as_they_are_written_where_json_allows_it(void **state)
{
    static const char *const numbers[][2] = {
        {"12.50", "12.50"},
        {"1e3", "1e3"},
        {"1E-2", "1E-2"},
        {"0", "0"},
        {"-0.10", "-0.10"},
        {"0.1e+1", "0.1e+1"},
        {".5", "0.5"},
        {"5.", "5"},
        {"+7", "7"},
        {"007", "7"},
        {"00.1", "0.10000000000000001"},
        {"-0", "-0.0"},
        {"-.0", "-0.0"},
        {"1.e2", "100"},
        {"123456789012345", "123456789012345"},
        {"0000000000000000000012", "12"},
    };
    char csv[4096] = HEADER, row[128];
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(row, sizeof row, "T,2018-04-01 08:15:00,c,%s,w,,\n", numbers[i][0]);
        strcat(csv, row); // NOLINT: 16 rows of 40 bytes
    }
    scratch_text("a.csv", csv);
    scripted_start(NULL, 0);
    replay("", "--connections 1 a.csv");
    assert_int_equal(scripted.n_requests, sizeof numbers / sizeof *numbers);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(row, sizeof row, "\"amount\":%s,", numbers[i][1]);
        assert_contains(scripted.requests[i].body, row);
    }
}

static void epochs_and_numbers_of_rows_go_over_as_numbers(void **state)
{
    (void)state;
    scratch_text("r.ini", COLUMNS("epoch"));
    scratch_text("a.csv", HEADER "T1,1e3,c,1,w,,\nT2,-5.0,c,1,w,,\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 a.csv"), 0);
    assert_contains(scripted.requests[0].body, "\"time\":1000,");
    assert_contains(scripted.requests[1].body, "\"time\":-5,");
    scripted_forget();

    scratch_text("r.ini", "[input]\ntime_format = row\nmax_reject_rate = 0.5\n"
                          "[columns]\namount = A, number\n");
    scratch_text("a.csv", "A\n1\nbad\n3\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 a.csv"), 0);
    assert_request(0, "/predict", "{\"amount\":1,\"time\":0}");
    assert_request(1, "/predict", "{\"amount\":3,\"time\":2}"); // as ingest counts: bad ones too
}

static void arrays_hold_so_many_transactions_and_the_last_the_rest(void **state)
{
    static const size_t sizes[] = {3, 3, 1};
    (void)state;
    write_rows("a.csv", 7);
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 --batch 3 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *body = json_loads(scripted.requests[i].body, 0, NULL);
        assert_int_equal(json_array_size(body), sizes[i]);
        json_decref(body);
    }
    assert_contains(out, "7 sent, 7 answered");
    assert_contains(out, "approve 7");
}

static void only_rows_of_the_period_are_sent(void **state)
{
    (void)state;
    scratch_text("a.csv", HEADER "a,2018-04-01 23:59:59,c,1,w,,\n"
                                 "b,2018-04-02 00:00:00,c,1,w,,\n"
                                 "c,2018-04-03 00:00:00,c,1,w,,\n"
                                 "d,2018-04-02 23:59:59,c,1,w,,\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 --from 2018-04-02 --until 2018-04-03 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 2);
    assert_contains(scripted.requests[0].body, "\"id\":\"b\"");
    assert_contains(scripted.requests[1].body, "\"id\":\"d\"");
}

static void the_input_may_be_compressed_or_a_pipe(void **state)
{
    (void)state;
    write_rows("a.csv", 5);
    scripted_start(NULL, 0);
    assert_exit(replay("gzip a.csv;", "a.csv.gz"), 0);
    assert_contains(out, "5 sent, 5 answered");
    scripted_forget();
    scripted_start(NULL, 0);
    assert_exit(
        replay("{ zcat a.csv.gz; sleep 0.1; echo 'Z,2018-04-02 00:00:00,c,1,w,,'; } |", "-"), 0);
    assert_contains(out, "6 sent, 6 answered");
}

static void the_token_is_shown_and_one_that_others_may_read_is_refused(void **state)
{
    (void)state;
    write_rows("a.csv", 1);
    scratch_text("token", "0123456789abcdef\n");
    scripted_start(NULL, 0);
    assert_exit(replay("chmod 600 token;", "--token-file token a.csv"), 0);
    assert_contains(scripted.requests[0].head, "\r\nAuthorization: Bearer 0123456789abcdef\r\n");
    scripted_forget();
    scripted_start(NULL, 0);
    assert_exit(replay("chmod 644 token;", "--token-file token a.csv"), 1);
    assert_contains(out, "chmod 600");
    assert_int_equal(scripted.n_requests, 0);
}

// ---- labels ----

static void labels_come_before_the_first_transaction_that_may_know_them(void **state)
{
    static const char *const order[] = {
        "a", "b", "[{\"id\":\"b\",\"label\":1},{\"id\":\"a\",\"label\":0}]",
        "c", "d", "[{\"id\":\"c\",\"label\":1}]",
        "e"};
    (void)state;
    // b is earlier than a; d has none; c falls due exactly at e's time; e's never does
    scratch_text("a.csv", HEADER "a,2018-04-01 12:00:01,c,1,w,,0\n"
                                 "b,2018-04-01 12:00:00,c,1,w,,1\n"
                                 "c,2018-04-03 12:00:01,c,1,w,,1\n"
                                 "d,2018-04-05 12:00:00,c,1,w,,\n"
                                 "e,2018-04-05 12:00:01,c,1,w,,1\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 --labels 2 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 7);
    for (size_t i = 0; i < 7; i++) {
        char id[16];
        snprintf(id, sizeof id, "{\"id\":\"%s\",\"time\"", order[i]);
        if (*order[i] == '[')
            assert_request(i, "/feedback", order[i]);
        else
            assert_contains(scripted.requests[i].body, id);
    }
    assert_contains(out, "3 posted, 3 new to the server, 0 failed, 1 not yet due");
}

static void transactions_wait_until_the_labels_before_them_are_answered(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_ANSWER}, {.kind = TURN_HOLD, .ms = 200}};
    (void)state;
    scratch_text("a.csv", HEADER "a,2018-04-01 00:00:00,c,1,w,,0\n"
                                 "b,2018-04-02 00:00:00,c,1,w,,\n");
    scripted_start(turns, 2);
    assert_exit(replay("", "--connections 4 --labels 1 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 3);
    assert_string_equal(scripted.requests[1].path, "/feedback");
    assert_false(scripted.requests[2].overtook);
}

static void a_batch_ends_where_a_label_is_due_and_its_answer_is_waited_for(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_ANSWER}, {.kind = TURN_HOLD, .ms = 200}};
    (void)state;
    scratch_text("a.csv", HEADER "a,2018-04-01 00:00:00,c,1,w,,0\n"
                                 "b,2018-04-01 00:00:00,c,1,w,,1\n"
                                 "c,2018-04-01 00:00:00,c,1,w,,1\n"
                                 "d,2018-04-02 00:00:00,c,1,w,,1\n"
                                 "e,2018-04-02 00:00:00,c,1,w,,1\n");
    scripted_start(turns, 2);
    assert_exit(replay("", "--connections 4 --batch 2 --labels 1 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 4);
    assert_contains(scripted.requests[0].body, "\"id\":\"b\"");
    assert_contains(scripted.requests[1].body, "[{\"id\":\"c\"");
    assert_request(2, "/feedback",
                   "[{\"id\":\"a\",\"label\":0},{\"id\":\"b\",\"label\":1},"
                   "{\"id\":\"c\",\"label\":1}]");
    assert_contains(scripted.requests[3].body, "\"id\":\"e\"");
    assert_false(scripted.requests[2].overtook);
    assert_false(scripted.requests[3].overtook);
}

static void the_label_of_a_transaction_that_was_not_answered_is_not_posted(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_TELL, .status = 422, .body = "{}"}};
    (void)state;
    scratch_text("a.csv", HEADER "a,2018-04-01 00:00:00,c,1,w,,0\n"
                                 "b,2018-04-01 00:00:00,c,1,w,,1\n"
                                 "c,2018-04-02 00:00:00,c,1,w,,\n");
    scripted_start(turns, 1);
    assert_exit(replay("", "--connections 1 --labels 1 a.csv"), 1);
    assert_int_equal(scripted.n_requests, 4);
    assert_request(2, "/feedback", "[{\"id\":\"b\",\"label\":1}]");
}

static void more_than_1000_labels_are_several_requests(void **state)
{
    (void)state;
    FILE *f = fopen(scratch_path("a.csv"), "w");
    assert_non_null(f);
    fputs(HEADER, f);
    for (int i = 0; i < 1500; i++)
        fprintf(f, "T%d,2018-04-01 00:00:00,c,1,w,,%d\n", i, i % 2);
    fputs("Z,2018-04-01 00:00:00,c,1,w,,\nlast,2018-04-02 00:00:00,c,1,w,,\n", f);
    assert_int_equal(fclose(f), 0);
    scripted_start(NULL, 0);
    assert_exit(replay("", "--batch 1000 --labels 1 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 5);
    for (size_t i = 2; i < 4; i++) {
        json_t *body = json_loads(scripted.requests[i].body, 0, NULL);
        assert_string_equal(scripted.requests[i].path, "/feedback");
        assert_int_equal(json_array_size(body), i == 2 ? 1000 : 500);
        assert_string_equal(json_string_value(json_object_get(json_array_get(body, 0), "id")),
                            i == 2 ? "T0" : "T1000");
        json_decref(body);
    }
    assert_contains(out, "1500 posted");
}

static void labels_that_the_server_refuses_fail_the_replay(void **state)
{
    static const struct turn turns[] = {
        {.kind = TURN_ANSWER},
        {.kind = TURN_TELL, .status = 404, .body = "{\"detail\":\"no transaction a\"}"}};
    (void)state;
    scratch_text("a.csv", HEADER "a,2018-04-01 00:00:00,c,1,w,,0\nb,2018-04-02 00:00:00,c,1,w,,\n");
    scripted_start(turns, 2);
    assert_exit(replay("", "--connections 1 --labels 1 a.csv"), 1);
    assert_contains(out, "2 sent, 2 answered");
    assert_contains(out, "0 posted, 0 new to the server, 1 failed");
    assert_contains(out, "1 feedback: 404 Not Found: no transaction a");
}

static void labels_need_an_id_and_a_label_column(void **state)
{
    (void)state;
    scratch_text("r.ini",
                 "[input]\ntime_format = row\n[columns]\namount = A, number\nlabel = L, label\n");
    scratch_text("a.csv", "A,L\n1,0\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--labels 1 a.csv"), 1);
    assert_contains(out, "no column of kind id");
    assert_int_equal(scripted.n_requests, 0);
}

// ---- the output ----

static void the_output_has_a_line_for_each_transaction_in_the_order_of_the_rows(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_HOLD}};
    (void)state;
    scratch_text("a.csv", HEADER "T0,2018-04-01 00:00:00,c,123.4,w,,\n"
                                 "\"a,\"\"b\",2018-04-01 00:00:01,c,500,w,,\n"
                                 "T2,2018-04-01 00:00:02,c,1000,w,,\n");
    scripted_start(turns, 1);
    assert_exit(replay("", "--connections 2 --output o.csv a.csv"), 0);
    assert_contains(scripted.requests[0].body, "T0"); // and was answered after the second
    assert_file_is(scratch_path("o.csv"), "id,probability,decision,model\n"
                                          "T0,0.12340000000000001,approve,7\n"
                                          "\"a,\"\"b\",0.5,review,7\n"
                                          "T2,1,review,7\n");
    assert_contains(out, "approve 1");
    assert_contains(out, "review 2");
}

static void a_transaction_without_an_answer_has_a_line_without_a_decision(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_TELL, .status = 500, .body = "{}"}};
    (void)state;
    write_rows("a.csv", 3);
    scripted_start(turns, 1);
    assert_exit(replay("", "--connections 1 --batch 2 --output o.csv a.csv"), 1);
    assert_file_is(scratch_path("o.csv"), "id,probability,decision,model\n"
                                          "T0,,,\nT1,,,\nT2,0.0030000000000000001,approve,7\n");
}

static void an_output_of_a_replay_that_broke_off_is_not_written(void **state)
{
    (void)state;
    scratch_text("o.csv", "old\n");
    scratch_text("a.csv", HEADER "T0,2018-04-01 00:00:00,c,1,w,,\n\"T1,2018-04-01");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--output o.csv a.csv"), 1);
    assert_file_is(scratch_path("o.csv"), "old\n");
    assert_contains(out, "a.csv:3: a quote is not closed");
    assert_contains(out, "1 sent, 1 answered"); // what was sent is waited for, and told
    assert_int_equal(scripted.n_requests, 1);
}

// ---- the rate ----

static void a_rate_sends_each_once_and_takes_its_time(void **state)
{
    (void)state;
    write_rows("a.csv", 200);
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 --rate 1000 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 200);
    for (size_t i = 0; i < 200; i++) {
        char id[32];
        snprintf(id, sizeof id, "\"id\":\"T%zu\"", i);
        assert_contains(scripted.requests[i].body, id);
    }
    const char *seconds = strstr(out, "\nseconds ");
    assert_non_null(seconds);
    assert_true(strtod(seconds + 9, NULL) >=
                0.19); // the last is due after 0.199 s; 2 digits are shown
}

// Request k is due at 10 k ms, and none is sent before 300 ms are over: half of them wait 200 ms
// or more.
static void a_slow_answer_counts_for_those_that_were_due_behind_it(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_SLOW, .ms = 300}};
    (void)state;
    write_rows("a.csv", 20);
    scripted_start(turns, 1);
    assert_exit(replay("", "--connections 1 --rate 100 a.csv"), 0);
    const char *p50 = strstr(out, "p50 ");
    assert_non_null(p50);
    assert_true(strtod(p50 + 4, NULL) >= 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        replay_test(a_transaction_is_the_schemas_columns_without_the_label),
        replay_test(numbers_go_over_as_they_are_written_where_json_allows_it),
        replay_test(epochs_and_numbers_of_rows_go_over_as_numbers),
        replay_test(arrays_hold_so_many_transactions_and_the_last_the_rest),
        replay_test(only_rows_of_the_period_are_sent),
        replay_test(the_input_may_be_compressed_or_a_pipe),
        replay_test(the_token_is_shown_and_one_that_others_may_read_is_refused),
        replay_test(labels_come_before_the_first_transaction_that_may_know_them),
        replay_test(a_batch_ends_where_a_label_is_due_and_its_answer_is_waited_for),
        replay_test(transactions_wait_until_the_labels_before_them_are_answered),
        replay_test(the_label_of_a_transaction_that_was_not_answered_is_not_posted),
        replay_test(more_than_1000_labels_are_several_requests),
        replay_test(labels_that_the_server_refuses_fail_the_replay),
        replay_test(labels_need_an_id_and_a_label_column),
        replay_test(the_output_has_a_line_for_each_transaction_in_the_order_of_the_rows),
        replay_test(a_transaction_without_an_answer_has_a_line_without_a_decision),
        replay_test(an_output_of_a_replay_that_broke_off_is_not_written),
        replay_test(a_rate_sends_each_once_and_takes_its_time),
        replay_test(a_slow_answer_counts_for_those_that_were_due_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
