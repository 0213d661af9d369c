// deploy/nginx.conf in front of the real server, asked through TLS.
//
// A client is an address: 127.0.0.1 is inside, 127.0.0.2 and above are outside.
#include "tests/deploy.h"

#define OUTSIDE  "--interface 127.0.0.2 "
#define FLOODING "--interface 127.0.0.3 "
#define URL      "https://assay.test"
#define JSON     "-H 'Content-Type: application/json' "
#define TRANSACTION(id)                                                                            \
    JSON "-d '{\"id\":\"" id "\",\"time\":\"2018-05-20T08:15:00Z\",\"customer\":\"" id             \
         "\",\"terminal\":\"1\",\"amount\":57.16}' " URL "/predict"

static const char *address;

// nginx is back from this call when it listens.
static int nginx_start(void **state)
{
    address = own_address();
    if (tools_to_path() || server_artifacts(state))
        return -1;
    succeed("cd %s && chmod 711 . && mkdir -m 711 nginx nginx/log nginx/lib && "
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
            "-subj /CN=assay.test -addext subjectAltName=DNS:assay.test "
            "-keyout nginx/key.pem -out nginx/fullchain.pem",
            folder);
    // one request a second instead of 200: a slow machine floods, too
    succeed("sed -e 's|/run/nginx.pid|%s/nginx/pid|; s|/var/log/nginx|%s/nginx/log|' "
            "-e 's|/var/lib/nginx|%s/nginx/lib|; s|/etc/ssl/assay|%s/nginx|' "
            "-e 's|127.0.0.1:8080|127.0.0.1:%d|; s|assay.example.com|assay.test|' "
            "-e 's|listen  *443|listen %s:8443|; s|listen 80|listen %s:8480|' "
            "-e 's|rate=200r/s|rate=1r/s|' deploy/nginx.conf >%s/nginx/nginx.conf",
            folder, folder, folder, folder, shared.port, address, address, folder);
    succeed("nginx -p %s -e nginx/log/early -c nginx/nginx.conf", folder);
    return 0;
}

static int nginx_end(void **state)
{
    const int status = run("cd %s/nginx && kill $(cat pid) && for i in $(seq 200); do "
                           "test -e pid || exit 0; sleep 0.1; done; exit 1",
                           folder);
    return server_remove(state) || status;
}

// ---- asking ----

static int status_of(const char *text)
{
    const char *at = strncmp(text, "HTTP/", 5) == 0 ? strchr(text, ' ') : NULL;
    return at ? (int)strtol(at, NULL, 10) : -1;
}

struct question {
    const char *curl;
    int status;
    const char *parts; // of the answer with its head
};

static void check_problem(const char *answer, int status)
{
    const char *body = strstr(answer, "\r\n\r\n");
    json_t *j = body ? json_loads(body, 0, NULL) : NULL;
    assert_parts(answer, "application/problem+json");
    assert_int_equal(json_integer_value(json_object_get(j, "status")), status);
    assert_true(strlen(json_string_value(json_object_get(j, "detail"))) > 10);
    assert_non_null(json_object_get(j, "title"));
    json_decref(j);
}

// Every answer from 400 on is a problem.
static void ask_all(const struct question *questions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct question *q = &questions[i];
        succeed("cd %s && curl -si --max-time 60 --cacert nginx/fullchain.pem --path-as-is "
                "--connect-to assay.test:443:%s:8443 --connect-to assay.test:80:%s:8480 %s",
                folder, address, address, q->curl);
        const char *text = log_text();
        if (status_of(text) != q->status)
            fail_msg("curl %s: expected %d\n%s", q->curl, q->status, text);
        assert_parts(text, q->parts);
        if (q->status >= 400)
            check_problem(text, q->status);
    }
}
#define ASK(questions) ask_all(questions, sizeof(questions) / sizeof *(questions))

static bool is_in(const char *file, const char *word)
{
    return run("grep -qF -- '%s' %s/%s", word, folder, file) == 0;
}

// Log lines are written after the answer.
static void await_line(const char *file, const char *word)
{
    for (int ms = 0; !is_in(file, word); ms += 50) {
        if (ms > WAIT_MS)
            fail_msg("'%s' is not in %s", word, file);
        poll(NULL, 0, 50);
    }
}

// ---- tests ----

static void predictions_come_through_tls_in_both_versions_of_http(void **state)
{
    static const struct question questions[] = {
        {"--http1.1 " TRANSACTION("N1"), 200, "HTTP/1.1 200|\"probability\":"},
        {"--http2 " TRANSACTION("N2"), 200, "HTTP/2 200|\"id\":\"N2\""},
        {"--http2 " URL "/readyz", 200,
         "strict-transport-security: max-age=63072000|\"status\":\"ready\""},
        {"--http1.1 -H 'Transfer-Encoding: chunked' " TRANSACTION("N3"), 200, "\"id\":\"N3\""},
    };
    (void)state;
    ASK(questions);
}

static void a_request_keeps_its_id_or_gets_one_that_the_server_logs_too(void **state)
{
    static const struct question kept[] = {
        {"-H 'X-Request-Id: trace-4711' " URL "/model", 200, "trace-4711"}};
    static const struct question replaced[] = {
        {"--http1.1 -H 'X-Request-Id: }{ bad' " URL "/model", 200, "X-Request-Id: "}};
    char id[64] = "";
    (void)state;
    ASK(kept);
    await_line("access.log", "\"id\":\"trace-4711\"");
    ASK(replaced);
    const char *at = strstr(log_text(), "X-Request-Id: ");
    assert_int_equal(sscanf(at, "X-Request-Id: %63s", id), 1);
    assert_null(strstr(at + 1, "X-Request-Id: "));
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    await_line("access.log", id);
}

static void a_body_over_the_limit_is_refused_and_one_at_it_touches_no_disk(void **state)
{
#define BODY(file)                                                                                 \
    JSON "-H 'X-Request-Id: " file "' -H Expect: --data-binary @" file " " URL "/predict"
    static const struct question questions[] = {
        {"--http1.1 " BODY("over"), 413, ""},
        {"--http2 " BODY("over"), 413, ""},
        {"--http1.1 " BODY("full"), 400, "a byte of 0 at offset 0"}, // the server's words
        {"--http2 " BODY("full"), 400, "a byte of 0 at offset 0"},
    };
    (void)state;
    succeed("cd %s && head -c 1048576 /dev/zero >full && head -c 1048577 /dev/zero >over", folder);
    ASK(questions);
    await_line("access.log", "\"full\"");
    assert_false(is_in("access.log", "\"over\""));
    await_line("nginx/log/error.log", "too large body");
    assert_false(is_in("nginx/log/error.log", "temporary file"));
}

#define RAW(lines)                                                                                 \
    "POST /predict HTTP/1.1\r\nHost: assay.test\r\nX-Request-Id: smuggled\r\n" lines "\r\n\r\n"
#define INNER "GET /admin/reload HTTP/1.1\r\nHost: assay.test\r\nX-Request-Id: smuggled\r\n\r\n"

static void what_could_smuggle_a_request_does_not_reach_the_server(void **state)
{
    static const struct {
        const char *bytes;
        int status;
    } cases[] = {
        {RAW("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0") INNER, 400},
        {RAW("Content-Length: 0\r\nContent-Length: 90") INNER, 400},
        {RAW("Content-Length: 0, 90") INNER, 400},
        {RAW("Content-Length: +0") INNER, 400},
        {RAW("Content-Length : 90") INNER, 400},
        {RAW("Transfer-Encoding: chunked, identity\r\n\r\n0") INNER, 501},
        {RAW("Transfer-Encoding: xchunked\r\n\r\n0") INNER, 501},
        {RAW("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0") INNER, 400},
        {RAW("Transfer-Encoding: chunked\r\n\r\nZ") INNER, 400},
        {RAW("Host: other\r\nContent-Length: 0") INNER, 400},
        {RAW("Content-Length: 0\r\n X: folded") INNER, 400},
        {"GET /model HTTP/1.1\r\nX-Request-Id: smuggled\r\n\r\n", 400},
        {"GET http://other/model HTTP/1.1\r\nHost: other\r\nX-Request-Id: smuggled\r\n"
         "Connection: close\r\n\r\n",
         421},
        {"smuggled\r\n\r\n", 400},
        // whatever is wrong with this one stays with nginx
        {"GET /model HTTP/1.1\r\nHost: assay.test\r\nX-Request-Id: honest\r\nUpgrade: h2c\r\n"
         "Connection: close, Upgrade, X-Request-Id\r\nX_Request_Id: smuggled\r\n\r\n",
         200},
    };
    char path[300];
    (void)state;
    snprintf(path, sizeof path, "%s/raw", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(cases[i].bytes, f);
        assert_int_equal(fclose(f), 0);
        run("timeout 60 openssl s_client -quiet -servername assay.test -connect %s:8443 <%s "
            "2>/dev/null",
            address, path);
        if (status_of(log_text()) != cases[i].status)
            fail_msg("%s: not %d but\n%s", cases[i].bytes, cases[i].status, log_text());
    }
    await_line("access.log", "\"honest\"");
    assert_false(is_in("access.log", "smuggled"));
    assert_false(is_in("access.log", "/admin/reload"));
}

static void inner_paths_are_refused_to_the_outside_however_they_are_spelt(void **state)
{
    static const char *const paths[] = {
        "/metrics",
        "/admin/reload",
        "/%61dmin/reload",
        "//admin/reload",
        "/predict/../admin/reload",
        "/",
        "/decisions",
        "/metrics?x=/predict",
        "/v2/../metrics",
        "/nowhere",
    };
    static const struct question questions[] = {
        {OUTSIDE URL "/model", 200, "\"features\""},
        {"-X POST -H 'X-Request-Id: operator' " URL "/admin/reload", 200, "\"sha256\""},
        {"-H 'X-Request-Id: scraper' " URL "/metrics -o scraped -D -", 200, "text/plain"},
    };
    char curl[256];
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int post = 0; post < 2; post++) {
            snprintf(curl, sizeof curl, OUTSIDE "-H 'X-Request-Id: intruder' %s '" URL "%s'",
                     post ? "-X POST" : "", paths[i]);
            ask_all(&(struct question){curl, 403, ""}, 1);
        }
    ASK(questions);
    await_line("access.log", "\"scraper\"");
    assert_false(is_in("access.log", "\"intruder\""));
}

static void a_client_that_asks_too_often_gets_429_and_the_others_their_answers(void **state)
{
    static const struct question questions[] = {
        {FLOODING URL "/model", 429, "etry-"},
        {FLOODING URL "/healthz", 200, "ok"},
        {OUTSIDE URL "/model", 200, "features"},
    };
    (void)state;
    // 401 are allowed at once, and as many more as there were seconds
    succeed("cd %s && curl -s --http1.1 --max-time 100 --cacert nginx/fullchain.pem "
            "--connect-to assay.test:443:%s:8443 " FLOODING "'" URL "/metrics?[1-1000]' -o flood",
            folder, address);
    ASK(questions);
}

static void plain_http_is_redirected_for_readers_and_refused_for_writers(void **state)
{
    char tls_port[256];
    const struct question questions[] = {
        {"'http://assay.test/model?a=b'", 308, "Location: " URL "/model?a=b\r\n"},
        {"-H 'X-Request-Id: plain' " JSON "-d '{}' http://assay.test/predict", 403, ""},
        {tls_port, 400, ""},
        {"-H 'Host: other.test' -H 'X-Request-Id: plain' " URL "/model", 421, ""},
    };
    (void)state;
    snprintf(tls_port, sizeof tls_port,
             "-H 'X-Request-Id: plain' -H 'Host: assay.test' http://%s:8443/model", address);
    ASK(questions);
    assert_false(is_in("access.log", "\"plain\""));
}

static void only_modern_tls_and_our_name_get_a_handshake(void **state)
{
    static const struct {
        const char *arguments;
        bool good;
        const char *parts;
    } cases[] = {
        {"-servername assay.test -tls1_3", true, ""},
        {"-servername assay.test -tls1_2", true, "ECDHE"},
        {"-servername assay.test -tls1_1 -cipher ALL:@SECLEVEL=0", false, ""},
        {"-servername assay.test -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", false, ""},
        {"-servername other.test -tls1_2", false, "unrecognized name"},
        {"-noservername", false, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int status = run("timeout 60 openssl s_client -connect %s:8443 %s </dev/null",
                               address, cases[i].arguments);
        if ((status == 0) != cases[i].good)
            fail_msg("%s: %d\n%s", cases[i].arguments, status, log_text());
        assert_parts(log_text(), cases[i].parts);
    }
}

static void the_log_is_json_and_holds_nothing_of_what_clients_send(void **state)
{
    static const struct question questions[] = {
        {JSON "-H 'User-Agent: secret' -H 'Referer: secret' -H 'X-Request-Id: seen' "
              "-d '{\"customer\":\"secret\"}' '" URL "/predict?card=secret'",
         422, ""},
        {"-X SECRET '" URL "/secret?card=secret'", 501, ""},
        {URL "/healthz?secret", 200, ""},
        {"-H 'X-Request-Id: last' " URL "/model", 200, ""},
    };
    static const char *const members[] = {"time",  "id",      "client",        "protocol",
                                          "tls",   "method",  "path",          "status",
                                          "bytes", "seconds", "server_status", "server_seconds"};
    char path[300], *save = NULL;
    (void)state;
    ASK(questions);
    await_line("nginx/log/assay.log", "\"id\":\"last\"");
    snprintf(path, sizeof path, "%s/nginx/log/assay.log", folder);
    char *text = file_text(path);
    assert_int_equal(run("grep -i secret %s/nginx/log/assay.log", folder), 1);
    assert_null(strstr(text, "healthz"));
    assert_parts(text, "\"id\":\"seen\"|\"method\":\"POST\",\"path\":\"/predict\",\"status\":422");
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_object_size(j), sizeof members / sizeof *members);
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            assert_non_null(json_object_get(j, members[i]));
        json_decref(j);
    }
    free(text);
}

// The last test: it ends the server.
static void without_the_server_the_answer_is_a_problem_at_once(void **state)
{
    static const struct question questions[] = {
        {"--http1.1 " TRANSACTION("N9"), 502,
         "Retry-After: 1\r\n|Strict-Transport-Security: |X-Request-Id: "},
        {URL "/readyz", 502, ""},
    };
    (void)state;
    assert_int_equal(server_end(&shared), 0);
    ASK(questions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_come_through_tls_in_both_versions_of_http),
        cmocka_unit_test(a_request_keeps_its_id_or_gets_one_that_the_server_logs_too),
        cmocka_unit_test(a_body_over_the_limit_is_refused_and_one_at_it_touches_no_disk),
        cmocka_unit_test(what_could_smuggle_a_request_does_not_reach_the_server),
        cmocka_unit_test(inner_paths_are_refused_to_the_outside_however_they_are_spelt),
        cmocka_unit_test(a_client_that_asks_too_often_gets_429_and_the_others_their_answers),
        cmocka_unit_test(plain_http_is_redirected_for_readers_and_refused_for_writers),
        cmocka_unit_test(only_modern_tls_and_our_name_get_a_handshake),
        cmocka_unit_test(the_log_is_json_and_holds_nothing_of_what_clients_send),
        cmocka_unit_test(without_the_server_the_answer_is_a_problem_at_once),
    };
    return cmocka_run_group_tests(tests, nginx_start, nginx_end);
}
