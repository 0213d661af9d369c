// request: which requests are accepted, as bytes on real sockets, which tokens fit, and clients
// that are idle, slow or too many.
#include "base/progress.h"
#include "serve/http.h"
#include "tests/server.h"

#include <sys/resource.h>

#define TEN(x) x x x x x x x x x x

// The request, as the second one of a connection, gets the status and a problem with the words, and
// the connection is closed, so that what follows cannot be taken for a request. status 0: no
// answer.
static void check_refused(const char *request, int status, const char *words)
{
    struct answer a;
    int fd = dial(shared.port);
    say(fd, GET("/healthz"), strlen(GET("/healthz")));
    hear(fd);
    say(fd, request, strlen(request));
    const bool problem = try_hear(fd, &a, true) == 0 && a.status >= 400;
    if (a.status != status || !is_closed(fd) ||
        (problem && (!strstr(a.head, "application/problem+json") || !strstr(a.text, "\"error\":") ||
                     !strstr(a.text, words))))
        fail_msg("%s\n%s%s", request, a.head, a.text ? a.text : "");
    close(fd);
    answer_free(&a);
}

TEST_CASE(requests_that_two_programs_could_read_differently_are_refused)
{
#define POST "POST /predict HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define REST "Content-Type: application/json\r\n\r\n{}"
    static const struct {
        const char *request;
        int status;
    } cases[] = {{POST HOST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" REST, 400},
                 {POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n" REST, 400},
                 {POST HOST "Transfer-Encoding : chunked\r\n" REST, 400},
                 {POST HOST "Content-Length: 2\r\nContent-Length: 0\r\n" REST, 400},
                 {POST HOST "Content-Length: 2, 2\r\n" REST, 400},
                 {POST HOST "Content-Length: +2\r\n" REST, 400},
                 {POST HOST "Content-Length:\r\n" REST, 411}, // by the library
                 {POST HOST "Content-Length: 0000000000000000002\r\n" REST, 400},
                 {POST HOST "Content-Length : 2\r\n" REST, 400},
                 {POST HOST REST, 411},
                 {POST "Content-Length: 2\r\n" REST, 400},
                 {POST HOST HOST "Content-Length: 2\r\n" REST, 400},
                 {POST "Host:\r\nContent-Length: 2\r\n" REST, 400},
                 {POST "Host: u@x\r\nContent-Length: 2\r\n" REST, 400},
                 {POST "Host: x:8y\r\nContent-Length: 2\r\n" REST, 400},
                 {POST "Host: :80\r\nContent-Length: 2\r\n" REST, 400},
                 {POST HOST "X: 1\r\n folded\r\nContent-Length: 2\r\n" REST, 400},
                 {POST " " HOST "Content-Length: 2\r\n" REST, 400},
                 {POST "\nHost: x\r\nContent-Length: 2\r\n" REST, 400},
                 {POST "Host: x\nContent-Length: 2\r\n" REST, 400},
                 {POST HOST "Content-Length: 2\nContent-Type: application/json\n\n{}", 400},
                 {POST HOST "Content-Length: 2\r\nContent-Type: application/json\r\n\n{}", 400},
                 {"POST /predict HTTP/1.1\nHost: x\r\nContent-Length: 2\r\n" REST, 400},
                 {POST HOST TEN(TEN("X: 1\r\n")) "Content-Length: 2\r\n" REST, 431},
                 {POST TEN(TEN("X: 1\r\n")) HOST "Content-Length: 2\r\n" REST, 431},
                 {POST HOST "X: a\001b\r\nContent-Length: 2\r\n" REST, 400},
                 {GET("/predict%00x"), 400},
                 {GET("/%68ealthz"), 400},
                 {GET("http://u@x/healthz"), 400},
                 {GET("http://x"), 400},
                 {GET("*"), 400},
                 {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400},
                 {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
                 {"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505},
                 {"\xff\xfe / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
                 {"PATCH /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n", 501},
                 {"GET /healthz HTTP/1.1\r\n\r\n", 400},
                 {"GET /healthz HTTP/1.0\r\n\r\n", 200},
                 {POST HOST "Expect: 200-ok\r\nContent-Length: 2\r\n" REST, 417},
                 {POST HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415},
                 {POST HOST "Content-Length: 2\r\n\r\n{}", 415},
                 {POST HOST "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
                            "Content-Length: 2\r\n\r\n{}",
                  415},
                 {POST HOST "Content-Length: 1048577\r\n" REST, 413}};
    for (size_t i = 0; i < LENGTH(cases); i++)
        check_refused(cases[i].request, cases[i].status, "");
}

TEST_CASE(requests_that_the_library_refuses_get_a_reason)
{
    check_refused("\x16\x03\x01 TLS\r\n\r\n", 400, "has a control character");
    check_refused("GET / HTTP/1.1\r\nHost: x\r\nX: a\tb\r\n\r\n", 400, "a tab is one");
    check_refused("GET /hea", 408, "no head of HTTP/1.1 came whole within 2 s"); // and no more
    check_refused(POST HOST "Transfer-Encoding: chunked\r\n" REST, 501, "its Content-Length");
    check_refused(POST HOST "Transfer-Encoding: gzip\r\n" REST, 501, "its Content-Length");
    check_refused("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "its method");
    check_refused(POST HOST "Content-Length: -2\r\n" REST, 411, "in digits is needed");
    check_refused("GET /\r\n\r\n", 400, "not valid HTTP/1.1");
    check_refused(POST HOST "no colon\r\n" REST, 400, "not valid HTTP/1.1");
}

TEST_CASE(what_the_standard_allows_is_answered)
{
    static const struct {
        const char *request;
        int status;
        const char *words;
    } cases[] = {
        {GET("http://localhost:8080/healthz"), 200, "\"ok\""},
        {GET("HTTP://x/readyz?now"), 200, "\"ready\""},
        {"POST http://x/predict HTTP/1.1\r\n" HOST "Content-Length: 2\r\n" REST, 422, "'id'"},
        {POST HOST "Content-Length: 2  \r\n" REST, 422, "'id'"},
        {"GET /healthz HTTP/1.1\r\nHost: x:80 \r\nX-Request-Id: mine \r\n\r\n", 200,
         "Id: mine\r\n"},
        {"GET /healthz HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
         "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
         200, "\"ok\""},
        {"GET /healthz HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200,
         "\"ok\""},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int fd = dial(shared.port); // the second request of a connection
        say(fd, GET("/healthz"), strlen(GET("/healthz")));
        hear(fd);
        say(fd, cases[i].request, strlen(cases[i].request));
        hear(fd);
        if (heard.status != cases[i].status || !is_heard(cases[i].words) ||
            (strstr(heard.head, "Connection: close") && !is_closed(fd)))
            fail_msg("%s\n%s%s", cases[i].request, heard.head, heard.text);
        close(fd);
    }
    succeed("curl -sSf --max-time 60 --http2 http://127.0.0.1:%d/healthz", shared.port);
}

// The library calls a head malformed that is longer than its own buffer.
TEST_CASE(a_head_of_more_than_16_KiB_is_refused)
{
    static const int cases[][2] = {{16 * 1024, 200}, {16 * 1024 + 1, 431}, {70000, 400}};
    static const char first[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ";
    static char request[70001];
    for (size_t i = 0; i < LENGTH(cases); i++) {
        sprintf(request, "%s%0*d\r\n\r\n", first, cases[i][0] - (int)sizeof first + 1 - 4, 0);
        if (cases[i][1] == 200)
            check_answer_at(shared.port, request, 200, "");
        else
            check_refused(request, cases[i][1], "");
    }
}

// A byte every 1.8 s: the time is for the whole body, not for each byte.
TEST_CASE(a_body_that_trickles_is_given_up)
{
    const double start = seconds_now();
    static const char head[] = JSON_POST "Content-Length: 1000\r\n\r\n";
    int trickling = dial(shared.port);
    say(trickling, head, sizeof head - 1);
    struct pollfd p = {trickling, POLLIN, 0};
    for (int ms = 0; ms < WAIT_MS && poll(&p, 1, 1800) == 0; ms += 1800)
        say(trickling, " ", 1);
    hear(trickling);
    assert_int_equal(heard.status, 408);
    assert_true(is_closed(trickling));
    close(trickling);
    assert_true(seconds_now() - start < 9); // 2 s on a machine that is not busy
}

// The last of the whole answers is followed by a part of one, or by nothing.
TEST_CASE(a_client_that_never_reads_is_cut_off_and_counted)
{
    static const char request[] = GET("/web/chart.min.js");
    enum { N = 100 };
    struct answer a;
    server_begin(&own, "4", NULL); // enough that no answer ends the connection for want of workers
    int fd = dial(own.port), n = 0;
    for (int i = 0; i < N; i++)
        send(fd, request, sizeof request - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    await_answer(own.port, GET("/metrics"), "\nassay_http_answers_cut_total 1\n");
    while (try_hear(fd, &a, true) == 0) {
        n++;
        answer_free(&a);
    }
    assert_true(n < N);
    assert_true(is_closed(fd));
    answer_free(&a);
    close(fd);
    assert_int_equal(server_end(&own), 0);
}

TEST_CASE(a_large_body_in_pieces_is_read_whole)
{
    enum { N = 125000, WRITE = 5000 };
    static char body[N], head[256];
    memset(body, ' ', N);
    body[0] = '{';
    body[N - 1] = '}';
    int fd = dial(shared.port);
    snprintf(head, sizeof head, JSON_POST "Content-Length: %d\r\n\r\n", N);
    say(fd, head, strlen(head));
    for (size_t i = 0; i < N; i += WRITE) {
        say(fd, body + i, WRITE);
        poll(NULL, 0, 1);
    }
    hear(fd);
    close(fd);
    assert_int_equal(heard.status, 422); // valid JSON, but no transaction
}

#define GOOD "aZ09-._~+/==aZ09"

TEST_CASE(a_file_holds_one_token_that_only_its_owner_may_read)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *error; // NULL: it is read
    } cases[] = {{GOOD, 0600, NULL},
                 {GOOD "\n", 0600, NULL},
                 {GOOD "\r\n", 0400, NULL},
                 {TEN(TEN("xx")) TEN("xxxxx") "xxxxxx", 0600, NULL},
                 {TEN(TEN("xx")) TEN("xxxxx") "xxxxxxx", 0600, "16 to 256"},
                 {"", 0600, "16 to 256"},
                 {GOOD " ", 0600, "16 to 256"},
                 {GOOD "\nmore", 0600, "16 to 256"},
                 {"sixteen letters!", 0600, "16 to 256"},
                 {"\xc3\xa4" GOOD, 0600, "16 to 256"},
                 {GOOD, 0604, "chmod 600"}};
    char token[TOKEN_TEXT];
    struct err err = {""};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *path = scratch_text(formatted("token-%zu", i), cases[i].text);
        assert_int_equal(chmod(path, cases[i].mode), 0);
        const int rc = token_read(token, path, &err);
        if ((rc == 0) != !cases[i].error || (rc && !strstr(err.msg, cases[i].error)) ||
            strstr(err.msg, "aZ09"))
            fail_msg("case %zu: %d, %s", i, rc, err.msg);
        if (rc == 0)
            assert_memory_equal(token, cases[i].text, strlen(token));
    }
    assert_int_equal(token_read(token, "/none", &err), -1);
    assert_non_null(strstr(err.msg, "/none: cannot open"));
}

TEST_CASE(only_the_token_after_bearer_fits)
{
    static const char *const wrong[] = {NULL,
                                        GOOD,
                                        "Bearer ",
                                        "Basic " GOOD,
                                        "Bearer " GOOD "x",
                                        "Bearer aZ09-._~+/==aZ0",
                                        "Bearer AZ09-._~+/==aZ09"};
    assert_true(token_fits(GOOD, "Bearer " GOOD));
    assert_true(token_fits(GOOD, "bearer  " GOOD));
    for (size_t i = 0; i < LENGTH(wrong); i++)
        assert_false(token_fits(GOOD, wrong[i]));
}

// A client that hangs on has sent nothing, half a head, half a body, or a whole request.
static const char *const beginnings[] = {
    "", "POST /predict HTTP/1.1\r\nHost: x\r\nContent-",
    JSON_POST "Content-Length: 100\r\n\r\n{\"id\":", GET("/healthz")};

TEST_CASE(health_is_answered_at_once_while_1000_clients_hang_on)
{
    enum { CLIENTS = 1000, PROBES = 21 };
    static int clients[CLIENTS];
    struct rlimit files;
    int slow = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < CLIENTS + 100)
        skip(); // no descriptors for so many clients here
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    server_begin(&own, "2048", NULL);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = dial(own.port);
        say(clients[i], beginnings[i % 4], strlen(beginnings[i % 4]));
    }
    for (int i = 0; i < PROBES; i++) {
        const double start = seconds_now();
        check_answer_at(own.port, GET("/healthz"), 200, "ok");
        slow += seconds_now() - start > 0.1;
    }
    if (slow > PROBES / 2)
        fail_msg("%d of %d probes took longer than 0.1 s", slow, PROBES);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    assert_int_equal(server_end(&own), 0);
}

TEST_CASE(the_health_port_answers_health_and_metrics_while_no_worker_is_free)
{
    own.more[0] = "--health-port";
    own.more[1] = "0";
    server_begin(&own, "1", NULL);
    const int port = health_port(&own);
    int fd = dial(own.port);
    say(fd, JSON_POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        strlen(JSON_POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    hear(fd); // 100: the worker waits for the body
    static const char *const paths[] = {GET("/healthz"), GET("/readyz"), GET("/metrics"),
                                        GET("/v2/health/live"), GET("/v2/health/ready")};
    for (size_t i = 0; i < 5; i++)
        check_answer_at(port, paths[i], 200, "Connection: close");
    check_answer_at(port, GET("/model"), 404, "on this port");
    check_answer_at(port, JSON_POST "Content-Length: 2\r\n\r\n{}", 404, "on this port");
    check_answer_at(port, "GET /readyz HTTP/1.1\r\nHost: evil\r\n\r\n", 403, "");
    close(fd);
    assert_int_equal(server_end(&own), 0);
}

// ASSAY_HOSTILE: so many clients for so many seconds, and the times are held to the target.
TEST_CASE(clients_that_drip_hold_read_late_and_pipeline_do_no_harm)
{
    const char *soak = getenv("ASSAY_HOSTILE");
    own.more[0] = "--health-port";
    own.more[1] = "0";
    server_begin(&own, soak ? "2048" : "64", NULL);
    succeed("/usr/bin/python3 tests/hostile.py %d %d %s", own.port, health_port(&own),
            soak ? soak : "60 3");
    if (soak)
        fprintf(stderr, "%s", log_text());
    assert_int_equal(server_end(&own), 0);
}

TEST_CASE(a_client_that_hangs_on_is_cut_off)
{
    server_begin(&own, "16", NULL);
    for (size_t i = 0; i < 4; i++) {
        int fd = dial(own.port);
        struct answer a;
        say(fd, beginnings[i], strlen(beginnings[i]));
        // Nothing gets no answer; the connection ends either way.
        if (try_hear(fd, &a, true) == 0)
            assert_int_equal(a.status, i == 3 ? 200 : 408);
        else
            assert_true(i < 2);
        answer_free(&a);
        assert_true(is_closed(fd));
        close(fd);
    }
    assert_int_equal(server_end(&own), 0);
}

// One may wait, for a second; the other is told at once when to try again.
TEST_CASE(a_short_hold_of_the_database_is_waited_for_by_as_many_as_the_queue_takes)
{
    static const char body[] =
        "{\"id\":\"1\",\"time\":\"" DAY "T08:00:00Z\",\"customer\":1,\"terminal\":1,\"amount\":1}";
    sqlite3 *db;
    struct pollfd waiting[2];
    own.more[0] = "--queue";
    own.more[1] = "1";
    server_begin(&own, "16", NULL);
    assert_int_equal(sqlite3_open(own.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 2; i++) {
        waiting[i] = (struct pollfd){dial(own.port), POLLIN, 0};
        say_post(waiting[i].fd, body);
    }
    assert_int_equal(poll(waiting, 2, WAIT_MS), 1);
    const int refused = waiting[0].revents ? 0 : 1;
    hear(waiting[refused].fd);
    sqlite3_close(db); // rolls back
    assert_true(heard.status == 503 && strstr(heard.head, "\r\nRetry-After: 1\r\n"));
    hear(waiting[!refused].fd);
    assert_int_equal(heard.status, 200);
    close(waiting[0].fd);
    close(waiting[1].fd);
    assert_int_equal(server_end(&own), 0);
}

TESTS(server_artifacts, server_remove)
