// What replay sends again, how it counts what is not answered, and what it says of files and
// command lines that are wrong: against a server that answers by a script.
#include "tests/replaying.h"

#include <time.h>

// ---- sent again ----

static void a_request_without_a_whole_answer_is_sent_again_as_it_was(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_CUT}, {.kind = TURN_CLOSE}};
    (void)state;
    write_rows("a.csv", 2);
    scripted_start(turns, 2);
    assert_exit(replay("", "--connections 1 --retry 30 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 4);
    assert_string_equal(scripted.requests[0].body, scripted.requests[1].body);
    assert_string_equal(scripted.requests[0].body, scripted.requests[2].body);
    assert_contains(scripted.requests[3].body, "\"T1\"");
    assert_contains(out, "2 sent, 2 answered");
    assert_contains(out, "2 sent again");
}

static void an_overloaded_server_is_asked_again_when_it_says(void **state)
{
    static const struct turn turns[] = {
        {.kind = TURN_TELL, .status = 503, .headers = "Retry-After: 1\r\n", .body = "{}"},
        {.kind = TURN_TELL, .status = 429, .body = "{}"}};
    struct timespec a, b;
    (void)state;
    write_rows("a.csv", 1);
    scripted_start(turns, 2);
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_exit(replay("", "--retry 30 a.csv"), 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_int_equal(scripted.n_requests, 3);
    assert_string_equal(scripted.requests[0].body, scripted.requests[2].body);
    assert_true((double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec) >= 1);
}

static void what_waits_to_be_sent_again_keeps_its_place_on_one_connection(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_TELL, .status = 503, .body = "{}"},
                                        {.kind = TURN_TELL, .status = 503, .body = "{}"}};
    (void)state;
    write_rows("a.csv", 2);
    scripted_start(turns, 2);
    assert_exit(replay("", "--connections 1 --retry 30 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 4);
    for (size_t i = 0; i < 4; i++)
        assert_contains(scripted.requests[i].body, i < 3 ? "\"T0\"" : "\"T1\"");
}

static void a_wait_that_ends_after_the_retry_time_is_an_error_at_once(void **state)
{
    static const struct turn turns[] = {
        {.kind = TURN_TELL, .status = 503, .headers = "Retry-After: 3600\r\n", .body = "{}"}};
    (void)state;
    write_rows("a.csv", 2);
    scripted_start(turns, 1);
    assert_exit(replay("", "--connections 1 --retry 5 a.csv"), 1);
    assert_int_equal(scripted.n_requests, 2);
    assert_contains(out, "2 sent, 1 answered");
}

static void other_statuses_are_not_sent_again(void **state)
{
    static const struct turn turns[] = {{.kind = TURN_TELL, .status = 500, .body = "{}"},
                                        {.kind = TURN_TELL, .status = 409, .body = "{}"}};
    (void)state;
    write_rows("a.csv", 2);
    scripted_start(turns, 2);
    assert_exit(replay("", "--connections 1 --retry 5 a.csv"), 1);
    assert_int_equal(scripted.n_requests, 2);
    assert_contains(out, "2 sent, 0 answered");
}

static void expect_end_by_401(const char *before, const char *arguments, const char *told)
{
    static const struct turn turns[] = {{.kind = TURN_TELL, .status = 401, .body = "{}"}};
    write_rows("a.csv", 9);
    scripted_start(turns, 1);
    assert_exit(replay(before, arguments), 1);
    assert_int_equal(scripted.n_requests, 1);
    assert_contains(out, told);
}

static void a_token_that_is_missing_ends_the_replay(void **state)
{
    (void)state;
    expect_end_by_401("", "--connections 1 a.csv",
                      "wants a token (401): give its file with --token-file");
}

static void a_token_that_is_not_the_servers_ends_the_replay(void **state)
{
    (void)state;
    scratch_text("token", "0123456789abcdef\n");
    expect_end_by_401("chmod 600 token;", "--connections 1 --token-file token a.csv",
                      "token: is not the token of the server at http://127.0.0.1:");
}

// ---- errors ----

static void errors_are_counted_by_kind_with_the_text_of_the_first(void **state)
{
    static const struct turn turns[] = {
        {.kind = TURN_TELL, .status = 503, .body = "{\"detail\":\"the queue is full\"}"},
        {.kind = TURN_TELL, .status = 503, .body = "{\"detail\":\"later\"}"},
        {.kind = TURN_TELL, .status = 502, .body = "<html>\nbad \x1b[2J gateway"},
        {.kind = TURN_CUT}};
    (void)state;
    write_rows("a.csv", 10);
    scripted_start(turns, 4);
    assert_exit(replay("", "--connections 1 --batch 2 a.csv"), 1);
    assert_contains(out, "10 sent, 2 answered, 8 failed");
    assert_contains(out, "error           4 predict: 503 Service Unavailable: the queue is full\n");
    assert_contains(out, "2 predict: 502 Unknown: <html> bad  [2J gateway\n");
    assert_contains(out, "2 predict: no answer: ");
}

static void an_answer_that_is_none_is_an_error(void **state)
{
    static const struct turn turns[] = {
        {.kind = TURN_TELL, .status = 200, .body = "[]"},
        {.kind = TURN_TELL, .status = 200, .body = "{\"id\":"},
        {.kind = TURN_TELL, .status = 200, .body = ""},
        {.kind = TURN_TELL,
         .status = 200,
         .body = "{\"id\":\"T3\",\"decision\":\"approve\",\"model\":\"1\"}"},
        {.kind = TURN_TELL,
         .status = 200,
         .body = "{\"id\":\"T9\",\"probability\":0.5,\"decision\":\"approve\",\"model\":\"1\"}"},
        {.kind = TURN_TELL,
         .status = 200,
         .body = "{\"id\":\"T5\",\"probability\":1.5,\"decision\":\"approve\",\"model\":\"1\"}"},
        {.kind = TURN_TELL,
         .status = 200,
         .body = "{\"id\":\"T6\",\"probability\":0.5,\"model\":\"1\"}"},
        {.kind = TURN_TELL, .status = 204, .body = ""},
    };
    (void)state;
    write_rows("a.csv", 9);
    scripted_start(turns, 8);
    assert_exit(replay("", "--connections 1 a.csv"), 1);
    assert_contains(out, "9 sent, 1 answered");
    assert_contains(out, "7 predict: not understood: ");
    assert_contains(out, "1 predict: 204 No Content: ");
    assert_contains(out, "approve 1\n");
}

static void a_short_array_is_no_answer_of_any(void **state)
{
    static const struct turn turns[] = {
        {.kind = TURN_TELL,
         .status = 200,
         .body = "[{\"id\":\"T0\",\"probability\":0.5,\"decision\":\"approve\",\"model\":\"1\"}]"}};
    (void)state;
    write_rows("a.csv", 2);
    scripted_start(turns, 1);
    assert_exit(replay("", "--connections 1 --batch 2 a.csv"), 1);
    assert_contains(out, "2 sent, 0 answered");
}

static void a_server_that_is_not_there_is_told(void **state)
{
    (void)state;
    write_rows("a.csv", 300);
    scripted_start(NULL, 0);
    int port = scripted.port;
    scripted_stop(); // so nobody listens there now
    char url[64];
    snprintf(url, sizeof url, "--url http://127.0.0.1:%d a.csv", port);
    assert_exit(replay("", url), 1);
    assert_contains(out, "is the server running? --retry SECONDS");
    assert_null(strstr(out, "300 sent"));
}

static void a_time_of_which_there_is_no_row_is_an_error(void **state)
{
    (void)state;
    write_rows("a.csv", 3);
    scripted_start(NULL, 0);
    assert_exit(replay("", "--from 2019-04-01 a.csv"), 1);
    assert_contains(out,
                    "a.csv: none of its 3 rows is of the time that --from and --until leave; the "
                    "newest is of 2018-04-01T00:00:02Z");
}

// ---- the file and the command line ----

static void rows_that_break_the_schema_are_told_and_not_sent(void **state)
{
    (void)state;
    scratch_text("a.csv", HEADER "T0,2018-04-01 00:00:00,c,1,w,,\n"
                                 "T1,2018-04-01 00:00:01,c,12;5,w,,\n"
                                 "T2,yesterday,c,1,w,,\n"
                                 "T3,2018-04-01 00:00:03\n"
                                 "\xff,2018-04-01 00:00:04,c,1,w,,\n"
                                 "T5,2018-04-01 00:00:05,c,1,w,,\n"
                                 "T6,2018-04-01 00:00:06,c,1,w,,\n"
                                 "T7,2018-04-01 00:00:07,c,1,w,,\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--connections 1 a.csv"), 0);
    assert_int_equal(scripted.n_requests, 4);
    assert_contains(out, "replay: a.csv:3: amount: not a number: \"12;5\"; not sent\n");
    assert_contains(out, "replay: a.csv:4: time: not a time of the form %Y-%m-%d %H:%M:%S: "
                         "\"yesterday\"; not sent\n");
    assert_contains(out, "replay: a.csv:5: 2 fields where the header has 7; not sent\n");
    assert_contains(out, "replay: a.csv:6: id: not UTF-8; not sent\n");
    assert_contains(out, "4 sent, 4 answered, 0 failed; 4 rows");
}

static void more_of_them_than_allowed_fail_the_replay(void **state)
{
    (void)state;
    scratch_text("a.csv", HEADER "T0,2018-04-01 00:00:00,c,1,w,,\nT1,x,c,1,w,,\nT2,y,c,1,w,,\n");
    scripted_start(NULL, 0);
    assert_exit(replay("", "--output o.csv a.csv"), 1);
    assert_contains(out, "2 of 3 rows (66.7 %) break the schema, allowed are 50 %; the first: "
                         "a.csv:3: time: ");
    assert_contains(out, "1 sent, 1 answered, 0 failed; 2 rows");
    assert_int_not_equal(access(scratch_path("o.csv"), F_OK), 0);
}

static void files_that_cannot_be_read_are_told(void **state)
{
    (void)state;
    scripted_start(NULL, 0);
    assert_exit(replay("", "none.csv"), 1);
    assert_contains(out, "replay: none.csv: ");
    assert_exit(replay("", ""), 1);
    assert_contains(out, "[input] file is missing");
    scratch_text("a.csv", "I,T,C\n");
    assert_exit(replay("", "a.csv"), 1);
    assert_contains(out, "no column has the header 'A'");
    scratch_text("a.csv", HEADER);
    assert_exit(replay("", "a.csv"), 1);
    assert_contains(out, "no rows behind the header");
}

static void mistaken_command_lines_exit_with_2(void **state)
{
    static const char *const lines[][2] = {
        {"--conections 1", "did you mean 'connections'?"},
        {"--connections 0", "not within 1 .. 1024"},
        {"--batch 1001", "not within 1 .. 1000"},
        {"--rate -1", "not within 0"},
        {"--labels soon", "not a whole number"},
        {"--from 2018-13-01", "--from: '2018-13-01' is neither"},
        {"--until tomorrow", "--until: 'tomorrow' is neither"},
        {"--url ftp://127.0.0.1", "--url: 'ftp://127.0.0.1' is not an address"},
        {"--url 'http://127.0.0.1/?a=b'", "is not an address"},
        {"--url nonsense", "is not an address"},
        {"a.csv b.csv", "unexpected argument"},
    };
    (void)state;
    scripted_start(NULL, 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_exit(replay("", lines[i][0]), 2);
        assert_contains(out, lines[i][1]);
    }
    assert_exit(replay("", "--help"), 0);
    assert_contains(out, "usage: replay [OPTIONS] [FILE]");
    assert_contains(out, "requests in flight, 1: strictly in order (default 8)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        replay_test(a_request_without_a_whole_answer_is_sent_again_as_it_was),
        replay_test(an_overloaded_server_is_asked_again_when_it_says),
        replay_test(what_waits_to_be_sent_again_keeps_its_place_on_one_connection),
        replay_test(a_wait_that_ends_after_the_retry_time_is_an_error_at_once),
        replay_test(other_statuses_are_not_sent_again),
        replay_test(a_token_that_is_missing_ends_the_replay),
        replay_test(a_token_that_is_not_the_servers_ends_the_replay),
        replay_test(errors_are_counted_by_kind_with_the_text_of_the_first),
        replay_test(an_answer_that_is_none_is_an_error),
        replay_test(a_short_array_is_no_answer_of_any),
        replay_test(a_server_that_is_not_there_is_told),
        replay_test(a_time_of_which_there_is_no_row_is_an_error),
        replay_test(rows_that_break_the_schema_are_told_and_not_sent),
        replay_test(more_of_them_than_allowed_fail_the_replay),
        replay_test(files_that_cannot_be_read_are_told),
        replay_test(mistaken_command_lines_exit_with_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
