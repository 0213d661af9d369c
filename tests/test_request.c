// request: which requests are accepted, as bytes on real sockets, how long a body may take, and
// which tokens fit.
#include "serve/http.h"
#include "tests/server.h"

#include <sys/stat.h>

#define TEN(x) x x x x x x x x x x

// The request, as the second one of a connection, gets the status and a problem with the words, and
// the connection is closed, so that what follows cannot be taken for a request. status 0: no
// answer.
static void check_refused(const char *request, int status, const char *words)
{
    struct answer a;
    int fd = dial(shared.port);
    say(fd, GET("/healthz"), strlen(GET("/healthz")));
    hear(fd, &a);
    answer_free(&a);
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
    } cases[] = {
        {POST HOST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" REST, 400},
        {POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n" REST, 400},
        {POST HOST "Transfer-Encoding: chunked\r\n" REST, 501},
        {POST HOST "Transfer-Encoding: identity\r\n" REST, 501},
        {POST HOST "Transfer-Encoding : chunked\r\n" REST, 400},
        {POST HOST "Content-Length: 2\r\nContent-Length: 0\r\n" REST, 400},
        {POST HOST "Content-Length: 2, 2\r\n" REST, 400},
        {POST HOST "Content-Length: +2\r\n" REST, 400},
        {POST HOST "Content-Length: 0x2\r\n" REST, 400},
        {POST HOST "Content-Length: 2x\r\n" REST, 400},
        {POST HOST "Content-Length: 2 \r\n" REST, 400},
        {POST HOST "Content-Length:\r\n" REST, 411}, // by the library
        {POST HOST "Content-Length: 0000000000000000002\r\n" REST, 400},
        {POST HOST "Content-Length : 2\r\n" REST, 400},
        {POST HOST "Content_Length(: 2\r\n" REST, 400},
        {POST HOST REST, 411},
        {POST "Content-Length: 2\r\n" REST, 400},
        {POST HOST HOST "Content-Length: 2\r\n" REST, 400},
        {POST HOST "Host: y\r\nContent-Length: 2\r\n" REST, 400},
        {POST "Host:\r\nContent-Length: 2\r\n" REST, 400},
        {POST HOST "X: 1\r\n folded\r\nContent-Length: 2\r\n" REST, 400},
        {POST HOST "X: 1\r\n\tContent-Length: 2\r\n" REST, 400},
        {POST " " HOST "Content-Length: 2\r\n" REST, 400},
        {POST "\nHost: x\r\nContent-Length: 2\r\n" REST, 400},
        {POST "Host: x\nContent-Length: 2\r\n" REST, 400},
        {POST HOST "Content-Length: 2\nContent-Type: application/json\n\n{}", 400},
        {POST HOST "Content-Length: 2\r\nContent-Type: application/json\r\n\n{}", 400},
        {"POST /predict HTTP/1.1\nHost: x\r\nContent-Length: 2\r\n" REST, 400},
        {POST HOST TEN(TEN("X: 1\r\n")) "Content-Length: 2\r\n" REST, 431},
        {POST TEN(TEN("X: 1\r\n")) HOST "Content-Length: 2\r\n" REST, 431},
        {POST HOST "X: a\x01"
                   "b\r\nContent-Length: 2\r\n" REST,
         400},
        {GET("/predict%00x"), 400},
        {GET("/%68ealthz"), 400},
        {GET("http://x/healthz"), 0}, // the library hangs up
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 0},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
         400},
        {"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"\xff\xfe / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"PATCH /predict HTTP/1.1\r\nHost x\r\n\r\n", 400},
        {"PATCH /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\n\r\n", 400},
        {"GET /healthz HTTP/1.0\r\n\r\n", 200},
        {"GET /healthz HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", 400},
        {POST HOST "Expect: 200-ok\r\nContent-Length: 2\r\n" REST, 417},
        {POST HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415},
        {POST HOST "Content-Type: application/jsonp\r\nContent-Length: 2\r\n\r\n{}", 415},
        {POST HOST "Content-Length: 2\r\n\r\n{}", 415},
        {POST HOST "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
                   "Content-Length: 2\r\n\r\n{}",
         415},
        {POST HOST "Content-Length: 1048577\r\n" REST, 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i].request, cases[i].status, "");
}

TEST_CASE(requests_that_the_library_refuses_get_a_reason)
{
    check_refused("\x16\x03\x01 TLS\r\n\r\n", 400, "no head of HTTP/1.1 came whole");
    check_refused("GET /hea", 400, "no head of HTTP/1.1 came whole"); // and no more of it
    check_refused("BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "the method BREW is not known");
    check_refused(POST HOST "Content-Length: -2\r\n" REST, 411, "in digits is needed");
    check_refused("GET /\r\n\r\n", 400, "not valid HTTP/1.1");
    check_refused(POST HOST "no colon\r\n" REST, 400, "not valid HTTP/1.1");
}

static const char *head_of(char *request, int bytes)
{
    static const char first[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ";
    sprintf(request, "%s%0*d\r\n\r\n", first, bytes - (int)sizeof first + 1 - 4, 0);
    return request;
}

// The library calls a head malformed that is longer than its own buffer.
TEST_CASE(a_head_of_more_than_16_KiB_is_refused)
{
    static const int cases[][2] = {{16 * 1024 + 1, 431}, {60000, 431}, {70000, 400}};
    static char request[70001];
    check_answer_at(shared.port, head_of(request, 16 * 1024), 200, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(head_of(request, cases[i][0]), cases[i][1], "");
}

TEST_CASE(a_body_that_trickles_is_given_up)
{
    static const char head[] = JSON_POST "Content-Length: 1000\r\n\r\n";
    struct answer a;
    int trickling = dial(shared.port);
    say(trickling, head, sizeof head - 1);
    struct pollfd p = {trickling, POLLIN, 0};
    for (int ms = 0; ms < WAIT_MS && poll(&p, 1, 100) == 0; ms += 100)
        say(trickling, " ", 1);
    hear(trickling, &a);
    assert_int_equal(a.status, 408);
    answer_free(&a);
    assert_true(is_closed(trickling));
    close(trickling);
}

TEST_CASE(a_large_body_in_pieces_is_read_whole)
{
    enum { N = 125000, WRITE = 5000 };
    static char body[N], head[256];
    struct answer a;
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
    hear(fd, &a);
    close(fd);
    assert_int_equal(a.status, 422); // valid JSON, but no transaction
    answer_free(&a);
}

#define GOOD "aZ09-._~+/==aZ09"

TEST_CASE(a_file_holds_one_token_that_only_its_owner_may_read)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *error; // NULL: it is read
    } cases[] = {
        {GOOD, 0600, NULL},
        {GOOD "\n", 0600, NULL},
        {GOOD "\r\n", 0400, NULL},
        {TEN(TEN("xx")) TEN("xxxxx") "xxxxxx", 0600, NULL},
        {TEN(TEN("xx")) TEN("xxxxx") "xxxxxxx", 0600, "16 to 256"},
        {TEN(TEN("xxx")), 0600, "16 to 256"},
        {"", 0600, "16 to 256"},
        {"fifteen-letters", 0600, "16 to 256"},
        {GOOD " ", 0600, "16 to 256"},
        {GOOD "\nmore", 0600, "16 to 256"},
        {"sixteen letters!", 0600, "16 to 256"},
        {"\xc3\xa4" GOOD, 0600, "16 to 256"},
        {GOOD, 0640, "chmod 600"},
        {GOOD, 0604, "chmod 600"},
    };
    char name[32], token[TOKEN_TEXT];
    struct err err = {""};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(name, sizeof name, "token-%zu", i);
        const char *path = scratch_text(name, cases[i].text);
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
                                        "",
                                        GOOD,
                                        "Bearer",
                                        "Bearer ",
                                        "Basic " GOOD,
                                        "Bearer " GOOD "x",
                                        "Bearer aZ09-._~+/==aZ0",
                                        "Bearer AZ09-._~+/==aZ09"};
    assert_true(token_fits(GOOD, "Bearer " GOOD));
    assert_true(token_fits(GOOD, "bearer  " GOOD));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(token_fits(GOOD, wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_two_programs_could_read_differently_are_refused),
        cmocka_unit_test(requests_that_the_library_refuses_get_a_reason),
        cmocka_unit_test(a_head_of_more_than_16_KiB_is_refused),
        cmocka_unit_test(a_body_that_trickles_is_given_up),
        cmocka_unit_test(a_large_body_in_pieces_is_read_whole),
        cmocka_unit_test(a_file_holds_one_token_that_only_its_owner_may_read),
        cmocka_unit_test(only_the_token_after_bearer_fits),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
