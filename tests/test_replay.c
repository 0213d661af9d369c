// The program replay: which requests it sends, what it writes and prints, against a server that
// answers as a test says. tests/test_replay_server.c uses the real server.
#define EACH setup, teardown
#include "base/value.h"
#include "tests/scripted.h"

#define CONFIG(time)                                                                               \
    "[columns]\nid = I, id\ntime = T, time\ncustomer = C, key\n"                                   \
    "amount = A, number, missing=0\nchannel = H, category, missing=none\n"                         \
    "label = L, label, missing=-1\n[input]\nmax_reject_rate = 0.5\ntime_format = " time "\n"
#define HEADER "I,T,C,A,H,other,L\n"

static char out[1 << 16]; // of the last replay

// rows: "id:seconds:label", the label may be empty. Amounts are 10, 20, ...
static void write_rows(const char *rows)
{
    char id[32], label[2], time[TIME_TEXT];
    long seconds;
    FILE *f = fopen(scratch_path("a.csv"), "w");
    assert_non_null(f);
    fputs(HEADER, f);
    for (int n = 0, used; sscanf(rows, " %31[^:]:%ld:%n", id, &seconds, &used) == 2;) { // NOLINT
        rows += used;
        snprintf(label, sizeof label, "%s", *rows == ' ' ? "" : rows);
        rows += strlen(label);
        time_text(time, 1522540800 + seconds); // 2018-04-01
        fprintf(f, "%s,%.10s %.8s,c,%d,web,,%s\n", id, time, time + 11, 10 * ++n, label);
    }
    assert_int_equal(fclose(f), 0);
}

// Run replay after a shell command or a pipe. The server then ends; the parts are in the output.
static void replay(const char *before, const char *arguments, int expected, const char *parts)
{
    const int status =
        run_command(out, sizeof out,
                    "PATH=\"$(cd \"${ASSAY_BIN:-build/bin}\" && pwd):$PATH\"; cd '%s' && "
                    "{ %s timeout 60 replay --config r.ini --url http://127.0.0.1:%d/ %s\n}",
                    scratch, before, scripted.port, arguments);
    scripted_stop();
    if (status != expected)
        fail_msg("%s: exit status %d, expected %d:\n%s", arguments, status, expected, out);
    assert_parts(out, parts);
}

static void add_ids(FILE *f, const json_t *body, const char *between)
{
    const json_t *label;
    const size_t n = json_is_array(body) ? json_array_size(body) : 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(body) ? json_array_get(body, i) : body;
        fprintf(f, "%s%s", i ? between : "", json_string_value(json_object_get(item, "id")));
        if ((label = json_object_get(item, "label")))
            fprintf(f, "=%d", (int)json_integer_value(label));
    }
}

// All requests in order: "a" is the transaction a, "b+c" an array of two, "[a=0 b=1]" two labels.
static const char *requests(void)
{
    static char text[1 << 16];
    FILE *f = fmemopen(text, sizeof text, "w");
    *text = '\0';
    for (size_t i = 0; i < scripted.n; i++) {
        const struct scripted_request *q = &scripted.requests[i];
        const bool feedback = strcmp(q->path, "feedback") == 0;
        fprintf(f, "%s%s", i ? " " : "", feedback ? "[" : "");
        add_ids(f, q->body, feedback ? " " : "+");
        fputs(feedback ? "]" : "", f);
    }
    fclose(f);
    return text;
}

static void play(const char *rows, const char *arguments, const char *script, int status,
                 const char *sent, const char *parts)
{
    write_rows(rows);
    scripted_start(script);
    const char *all = formatted("--connections 1 %s a.csv", arguments);
    replay("", all, status, parts);
    if (strcmp(requests(), sent) != 0)
        fail_msg("%s: sent '%s', expected '%s'\n%s", all, requests(), sent, out);
}

// ---- what is sent ----

// bodies: with ' in place of ".
static void expect_bodies(const char *config, const char *csv, const char *bodies)
{
    scratch_text("r.ini", config);
    scratch_text("a.csv", csv);
    scripted_start("");
    replay("", "--connections 1 a.csv", 0, "");
    assert_contains(scripted.requests[0].head, "Content-Type: application/json\r\n");
    assert_int_equal(scripted.n_peers, 1); // the connection was kept
    for (size_t i = 0; i < scripted.n; i++) {
        char *body = json_dumps(scripted.requests[i].body, JSON_COMPACT | JSON_REAL_PRECISION(15));
        for (char *at = body; (at = strchr(at, '"'));)
            *at = '\'';
        if (strncmp(bodies, body, strlen(body)) != 0)
            fail_msg("%s, expected %s", body, bodies);
        bodies += strlen(body) + 1; // a line break
        free(body);
    }
    assert_string_equal(bodies - 1, "");
}

static int setup(void **state)
{
    if (scratch_make(state))
        return -1;
    scratch_text("r.ini", CONFIG("%Y-%m-%d %H:%M:%S"));
    return 0;
}

static int teardown(void **state)
{
    scripted_forget();
    return scratch_remove(state);
}

TEST_CASE(a_transaction_is_the_columns_of_the_schema_without_the_label)
{
    expect_bodies(
        CONFIG("%Y-%m-%d %H:%M:%S"),
        HEADER "T1,2018-04-01 08:15:00,58,50.45,web,x,1\n"
               "\"a\"\"b\\\",2018-04-01 08:15:01,\xc3\xa9,-3,,x,\n"
               "\"two\nlines\",2018-04-01 08:15:02,007,,atm,x,0\n",
        "{'id':'T1','time':'2018-04-01T08:15:00Z','customer':'58','amount':50.45,'channel':'web'}\n"
        "{'id':'a\\'b\\\\','time':'2018-04-01T08:15:01Z','customer':'\xc3\xa9','amount':-3.0}\n"
        "{'id':'two\\nlines','time':'2018-04-01T08:15:02Z','customer':'007','channel':'atm'}");
    expect_bodies(CONFIG("epoch"), HEADER "T1,-1e3,c,1,w,,\nT2,-5.0,c,.1,w,,\nT3,0,c,-0,w,,\n",
                  "{'id':'T1','time':-1000,'customer':'c','amount':1.0,'channel':'w'}\n"
                  "{'id':'T2','time':-5,'customer':'c','amount':0.1,'channel':'w'}\n"
                  "{'id':'T3','time':0,'customer':'c','amount':-0.0,'channel':'w'}");
    expect_bodies("[input]\ntime_format = %d.%m.%y\nutc_offset = +02:00\nmax_reject_rate = 0.5\n"
                  "header = none\ndelimiter = semicolon\ndecimal = comma\nthousands = .\nna = ?\n"
                  "encoding = windows-1252\n[columns]\ntime = #1, time\ncustomer = #2, key\n"
                  "channel = #2, category, missing=none\nx = #3, number, missing=flag, strip=%\n",
                  "1.4.18;?;1.234,5 %\n1.4.18;\xe9;?\n",
                  "{'time':'2018-03-31T22:00:00Z','customer':'?','x':1234.5}\n"
                  "{'time':'2018-03-31T22:00:00Z','customer':'\xc3\xa9','channel':'\xc3\xa9'}");
    // the numbers of rows: rejected ones count, as in ingest
    expect_bodies(
        "[input]\ntime_format = row\nmax_reject_rate = 0.5\n[columns]\namount = A, number\n",
        "A\n1\nbad\n3\n", "{'amount':1.0,'time':0}\n{'amount':3.0,'time':2}");
}

TEST_CASE(rows_of_the_period_go_out_in_order_alone_or_in_arrays)
{
    play("a:0: b:1: c:2:", "", "", 0, "a b c",
         "3 sent, 3 answered, 0 failed; 0 rows that break the schema\nrequests|approve 3");
    play("a:0: b:1: c:2: d:3: e:4: f:5: g:6:", "--batch 3", "", 0, "a+b+c d+e+f g",
         "7 answered|requests        3,");
    play("a:-1: b:0: c:86400: d:86399:", "--from 2018-04-01 --until '2018-04-02 00:00:00'", "", 0,
         "b d", "");
    play("a:0: b:1:", "--from 2019-04-01", "", 1, "",
         "a.csv: no row is between --from and --until|2018-04-01T00:00:01Z");
}

TEST_CASE(rows_out_of_time_order_are_sorted)
{
    play("c:2: a:0: d:2: b:1:", "--batch 3", "", 0, "a+b+c d", "4 sent, 4 answered, 0 failed; 0");
    play("c:172801:1 b:1:0 a:0:1 d:345601:", "--labels 2", "", 0, "a b [a=1 b=0] c [c=1] d", "");
    play("c:90000: a:0: d:180000: b:1:", "--until 2018-04-02", "", 0, "a b", "");
    write_rows("b:1:0 a:0:1 c:172801:1");
    scripted_start("");
    replay("cat a.csv |", "--connections 1 --labels 2 -", 0, "");
    assert_string_equal(requests(), "a b [a=1 b=0] c");
}

TEST_CASE(the_input_may_be_compressed_or_a_pipe)
{
    write_rows("a:0: b:1:");
    scripted_start("");
    replay("gzip a.csv;", "a.csv.gz", 0, "2 sent, 2 answered");
    scripted_start("");
    replay("{ zcat a.csv.gz; sleep 0.1; echo 'Z,2018-04-02 00:00:00,c,1,w,,'; } |", "-", 0,
           "3 sent, 3 answered");
}

TEST_CASE(the_token_is_shown_and_a_wrong_one_ends_the_replay)
{
    assert_int_equal(chmod(scratch_text("token", "0123456789abcdef\n"), 0600), 0);
    write_rows("a:0: b:0:");
    scripted_start("");
    replay("", "--token-file token a.csv", 0, "");
    assert_contains(scripted.requests[0].head, "\r\nAuthorization: Bearer 0123456789abcdef\r\n");
    play("a:0: b:0:", "--token-file token", "401 {}", 1, "a",
         "predict: 401 Unknown|use --token-file with its token");
    play("a:0: b:0:", "--token-file none", "", 1, "", "none: cannot open");
}

// ---- labels ----

TEST_CASE(labels_come_before_the_first_transaction_that_may_know_them)
{
    // d has no label; c's is due exactly at e's time
    play("a:0:1 b:1:0 c:172801:1 d:345600: e:345601:1", "--labels 2", "", 0,
         "a b [a=1 b=0] c d [c=1] e", "3 posted, 3 new to the server, 0 failed, 1 not yet due");
    play("a:0:0 b:0:1 c:86400:", "--labels 1", "422 {}", 1, "a b [b=1] c", "3 sent, 2 answered");
    play("a:0:0 b:86400:", "--labels 1", "ok|404 {\"title\":\"Not Found\",\"detail\":\"no a\"}", 1,
         "a [a=0] b",
         "feedback: 404 Not Found: no a\n|2 sent, 2 answered|"
         "0 posted, 0 new to the server, 1 failed");
    // the labels due within a batch come before it; it ends before a row that waits for one of them
    play("a:0:0 b:0:1 c:0:1 d:86400:1 e:86400:1", "--batch 2 --labels 1", "", 0,
         "a+b [a=0 b=1] c [c=1] d+e", "2 not yet due");
    play("a:0:0 b:1:1 c:86400:1 d:86401:1 e:86402:1", "--batch 3 --labels 1", "", 0,
         "a+b [a=0 b=1] c+d+e", "3 not yet due");
}

TEST_CASE(a_file_replayed_in_parts_sends_each_row_and_label_once)
{
    const char *const rows = "a:0:1 b:1:0 c:86400:1 d:172801:0 e:259200:1 f:432001:";
    play(rows, "--labels 2 --until 2018-04-03", "", 0, "a b c", "0 posted|3 not yet due");
    play(rows, "--labels 2 --from 2018-04-03 --until 2018-04-05 --labels-from 2018-04-01", "", 0,
         "[a=1 b=0] d [c=1] e", "2 sent, 2 answered, 0 failed|3 posted|2 not yet due");
    play(rows, "--labels 2 --from 2018-04-05 --labels-from 2018-04-03 --output o.csv", "", 0,
         "[d=0 e=1] f", "1 sent, 1 answered|2 posted|0 not yet due");
    assert_file_is(scratch_path("o.csv"),
                   "id,probability,decision,model\nf,0.059999999999999998,approve,7\n");
    // without it rows before --from are left out, and without --labels it would do nothing
    play(rows, "--labels 2 --from 2018-04-03", "", 0, "d e [d=0 e=1] f", "3 sent");
    play(rows, "--from 2018-04-05 --labels-from 2018-04-01", "", 2, "", "goes with --labels");
    // a later time leaves labels out that an earlier replay may have posted
    play(rows, "--labels 2 --labels-from 2018-04-03", "", 0, "a b c d e [d=0 e=1] f", "6 sent");
    play("a:0:1 b:86400:0 c:86401:0",
         "--rate 2 --labels 1 --from 2018-04-02 --labels-from 2018-04-01", "", 0, "[a=1] b c",
         "seconds         0.5");
}

TEST_CASE(nothing_is_in_flight_while_labels_are_posted)
{
    write_rows("a:0:0 b:0:1 c:0:1 d:86400:1 e:86400:1");
    scripted_start("hold 200|ok|ok|hold 200");
    replay("", "--connections 4 --labels 1 a.csv", 0, "");
    assert_int_equal(scripted.n, 6);
    assert_string_equal(scripted.requests[3].path, "feedback");
    assert_false(scripted.requests[3].overtook || scripted.requests[4].overtook);
}

TEST_CASE(more_than_1000_labels_are_several_requests)
{
    scratch_text("a.csv", HEADER);
    scripted_start("");
    replay("{ cat a.csv; seq -f 'T%g,2018-04-01 00:00:00,c,1,w,,1' 1500; "
           "echo 'last,2018-04-02 00:00:00,c,1,w,,'; } |",
           "--connections 1 --batch 500 --labels 1 -", 0, "1500 posted");
    assert_int_equal(scripted.n, 6);
    assert_contains(requests(), "T999=1 T1000=1] [T1001=1");
}

// ---- the output and the rate ----

TEST_CASE(the_output_has_a_line_for_each_transaction_in_the_order_of_the_rows)
{
    scratch_text("a.csv", HEADER "T0,2018-04-01 00:00:00,c,123.4,w,,\n"
                                 "\"a,\"\"b\",2018-04-01 00:00:01,c,500,w,,\n"
                                 "\" \",2018-04-01 00:00:02,c,1000,w,,\n");
    scripted_start("hold 20000"); // the first is answered last
    replay("", "--connections 2 --output o.csv a.csv", 0, "approve 1|review 2");
    assert_file_is(scratch_path("o.csv"), "id,probability,decision,model\n"
                                          "T0,0.12340000000000001,approve,7\n"
                                          "\"a,\"\"b\",0.5,review,7\n\" \",1,review,7\n");
    scripted_start("500 {}");
    replay("", "--connections 1 --batch 2 --output o.csv a.csv", 1, "");
    assert_file_is(scratch_path("o.csv"), "id,probability,decision,model\n"
                                          "T0,,,\n\"a,\"\"b\",,,\n\" \",1,review,7\n");
}

TEST_CASE(an_output_of_a_replay_that_broke_off_is_not_written)
{
    scratch_text("o.csv", "old\n");
    play("a:0: b:1: c:2:", "--output o.csv", "ok|401 {}", 1, "a b", "2 sent, 1 answered");
    assert_file_is(scratch_path("o.csv"), "old\n");
    scratch_text("a.csv", "\x1f\x8b\x08");
    scripted_start("");
    replay("", "--output o.csv a.csv", 1, "a.csv: the compressed data ends early");
    assert_int_equal(scripted.n, 0); // the file is read first
    assert_file_is(scratch_path("o.csv"), "old\n");
}

static double printed(const char *before)
{
    const char *at = strstr(out, before);
    assert_non_null(at);
    return strtod(at + strlen(before), NULL);
}

// Transaction k is due at 10 k ms, and the first answer takes 300 ms: half of the others wait at
// least 150 ms, and the last is due after 290 ms.
TEST_CASE(latency_counts_from_when_the_rate_makes_a_transaction_due)
{
    char rows[512] = "";
    for (int i = 0; i < 30; i++)
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "T%d:0: ", i);
    write_rows(rows);
    scripted_start("slow 300");
    replay("", "--connections 1 --rate 100 a.csv", 0, "30 sent, 30 answered");
    assert_true(printed("p50 ") >= 150);
    assert_true(printed("max ") >= 300);
    scripted_start("");
    replay("", "--connections 8 --rate 100 a.csv", 0, "");
    assert_true(printed("seconds ") >= 0.28);
}

// ---- errors ----

TEST_CASE(what_is_sent_again_is_the_same_and_keeps_its_place)
{
    play("a:0: b:0:", "--retry 30", "cut|close", 0, "a a a b", "2 sent, 2 answered|2 sent again");
    play("a:0: b:0:", "--retry 30", "503@1 |429 ", 0, "a a a b", "2 sent again|seconds         1.");
    play("a:0: b:0:", "--retry 5", "503@3600 ", 1, "a b", "2 sent, 1 answered"); // too late
}

TEST_CASE(the_first_errors_are_printed_and_all_are_counted)
{
    play("a:0: b:0: c:0: d:0: e:0: f:0: g:0: h:0: i:0:", "--batch 2",
         "503 {\"title\":\"Service Unavailable\",\"detail\":\"queue is full\"}|"
         "503 {\"detail\":\"later\"}|502 <html>\nbad \x1b[2J gateway|cut",
         1, "a+b c+d e+f g+h i",
         "predict: 503 Service Unavailable: queue is full\n|predict: 503 Unknown: later\n|"
         "predict: 502 Unknown: <html> bad  [2J gateway\n|predict: no answer: |"
         "9 sent, 1 answered, 8 failed");
    play("a:0: b:0: c:0: d:0: e:0: f:0: g:0: h:0: i:0:", "",
         "200 []|200 {\"id\":|200 |200 {\"id\":\"d\",\"decision\":\"approve\",\"model\":\"1\"}|"
         "200 {\"id\":\"x\",\"decision\":\"approve\",\"probability\":0.5,\"model\":\"1\"}|"
         "200 [[]]|"
         "200 {\"id\":\"g\",\"probability\":0.5,\"model\":\"1\"}|204 ",
         1, "a b c d e f g h i",
         "predict: 200 not understood: []\n|predict: 204 Unknown: \n|9 sent, 1 answered|"
         "approve 1  review 0\n");
}

TEST_CASE(a_missing_server_ends_the_replay)
{
    write_rows("a:0: b:0: c:0: d:0: e:0: f:0: g:0: h:0: i:0:");
    scripted_start("");
    const char *url = formatted("--url http://127.0.0.1:%d a.csv", scripted.port);
    scripted_stop();
    replay("", url, 1, "is the server running? --retry SECONDS");
    assert_null(strstr(out, " sent, "));
}

TEST_CASE(rows_that_break_the_schema_are_counted_and_not_sent)
{
    scratch_text("a.csv", HEADER "T0,2018-04-01 00:00:00,c,1,w,,\n"
                                 "T1,2018-04-01 00:00:01,c,12;5,w,,\n"
                                 "T2,yesterday,c,1,w,,\n"
                                 "T3,2018-04-01 00:00:03\n"
                                 "\xff,2018-04-01 00:00:04,c,1,w,,\n"
                                 "T5,2018-04-01 00:00:05,c,1,w,,\n"
                                 "T6,2018-04-01 00:00:06,c,1,w,,\n"
                                 "T7,2018-04-01 00:00:07,c,1,w,,\n");
    scripted_start("");
    replay("", "--connections 1 a.csv", 0,
           "4 sent, 4 answered, 0 failed; 4 rows that break the schema (ingest says why)");
    assert_string_equal(requests(), "T0 T5 T6 T7");
    scratch_text("a.csv", HEADER "T0,2018-04-01 00:00:00,c,1,w,,\nT1,x,c,1,w,,\nT2,y,c,1,w,,\n");
    scripted_start("");
    replay("", "a.csv", 1, "a.csv: 2 of 3 rows (66.7 %) break the schema, allowed are 50 %");
    assert_int_equal(scripted.n, 0);
}

TEST_CASE(wrong_files_and_command_lines_are_errors)
{
    scratch_text("no_id.ini", "[input]\ntime_format = epoch\n[columns]\ntime = T, time\n");
    scratch_text("a.csv", "I,T,C\n");
    scratch_text("empty.csv", HEADER);
    scripted_start("");
    replay("", "none.csv", 1, "replay: none.csv: ");
    replay("", "", 1, "[input] file is missing");
    replay("", "a.csv", 1, "no column has the header 'A'");
    replay("", "empty.csv", 1, "no rows after the header");
    replay("", "--config no_id.ini --labels 1 a.csv", 1, "[columns] has no column of kind id");
    replay("", "--from 2018-13-01", 2, "--from: '2018-13-01' is neither");
    replay("", "--help", 0, "requests in flight, 1: strictly in order (default 8)");
}

TESTS(NULL, NULL)
