// nginx: deploy/nginx.conf in front of the real server, asked through TLS.
//
// A client is an address: 127.0.0.1 is the inside, 127.0.0.2 and above are outside.
#include "tests/deploy.h"

#define NAME     "assay.test"
#define OUTSIDE  "--interface 127.0.0.2 "
#define OUTSIDE2 "--interface 127.0.0.3 "
#define JSON     "-H 'Content-Type: application/json' "

static pid_t nginx;
static int tls_port, plain_port;

// ---- nginx as a process ----

static int make_certificate(void)
{
    return run("cd %s && mkdir -m 711 nginx nginx/log nginx/lib && chmod 711 . && "
               "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
               "-subj /CN=" NAME " -addext subjectAltName=DNS:" NAME " "
               "-keyout nginx/key.pem -out nginx/fullchain.pem",
               folder);
}

static void make_configuration(const char *path)
{
    static const char *const paths[] = {
        "/run/nginx.pid",         "/var/log/nginx/error.log", "/var/log/nginx/assay.log",
        "/var/lib/nginx/body",    "/var/lib/nginx/proxy",     "/var/lib/nginx/fastcgi",
        "/var/lib/nginx/uwsgi",   "/var/lib/nginx/scgi",      "/etc/ssl/assay/fullchain.pem",
        "/etc/ssl/assay/key.pem",
    };
    static const char *const files[] = {
        "pid",         "log/error.log", "log/assay.log", "lib/body",      "lib/proxy",
        "lib/fastcgi", "lib/uwsgi",     "lib/scgi",      "fullchain.pem", "key.pem",
    };
    enum { N_PATHS = sizeof paths / sizeof *paths };
    char text[N_PATHS + 4][300];
    struct place places[N_PATHS + 6];
    size_t n = 0;
    for (; n < N_PATHS; n++) {
        snprintf(text[n], sizeof text[n], "%s/nginx/%s", folder, files[n]);
        places[n] = (struct place){paths[n], text[n]};
    }
    snprintf(text[N_PATHS], 300, "server 127.0.0.1:%d ", shared.port);
    snprintf(text[N_PATHS + 1], 300, "listen 127.0.0.1:%d ssl http2 default_server;", tls_port);
    snprintf(text[N_PATHS + 2], 300, "listen 127.0.0.1:%d ssl http2;", tls_port);
    snprintf(text[N_PATHS + 3], 300, "listen 127.0.0.1:%d default_server;", plain_port);
    places[n++] = (struct place){"server 127.0.0.1:8080 ", text[N_PATHS]};
    places[n++] = (struct place){"listen 443 ssl http2 default_server;", text[N_PATHS + 1]};
    places[n++] = (struct place){"listen      443 ssl http2;", text[N_PATHS + 2]};
    places[n++] = (struct place){"listen 80 default_server;", text[N_PATHS + 3]};
    places[n++] = (struct place){"server_name assay.example.com;", "server_name " NAME ";"};
    places[n++] = (struct place){"https://assay.example.com$", "https://" NAME "$"};
    copy_with("deploy/nginx.conf", path, places, n);
}

static int nginx_start(void **state)
{
    char conf[300], log[300], errors[300];
    if (tools_to_path() || server_artifacts(state) || make_certificate()) {
        fprintf(stderr, "%s\n", log_text());
        return -1;
    }
    tls_port = free_port();
    plain_port = free_port();
    snprintf(conf, sizeof conf, "%s/nginx/nginx.conf", folder);
    snprintf(log, sizeof log, "%s/nginx/output", folder);
    snprintf(errors, sizeof errors, "%s/nginx/log/early", folder);
    make_configuration(conf);
    char *const argv[] = {"nginx", "-p", folder, "-e",          errors,
                          "-c",    conf, "-g",   "daemon off;", NULL};
    nginx = background(log, argv);
    if (await_port(nginx, tls_port) == 0)
        return 0;
    char *said = file_text(log);
    fprintf(stderr, "nginx: %s\n", said);
    free(said);
    return -1;
}

static int nginx_end(void **state)
{
    const int status = nginx > 0 ? end_process(nginx) : 0;
    if (status)
        fprintf(stderr, "nginx ended with %d\n", status);
    return server_remove(state) || status;
}

// ---- asking ----

static void curl(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// Ask NAME for a path; the answer, head and all, is log_text().
static void curl(const char *fmt, ...)
{
    char rest[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(rest, sizeof rest, fmt, args);
    va_end(args);
    int status =
        run("curl -si --max-time 20 --cacert %s/nginx/fullchain.pem --path-as-is "
            "--connect-to " NAME ":443:127.0.0.1:%d --connect-to " NAME ":80:127.0.0.1:%d %s",
            folder, tls_port, plain_port, rest);
    if (status)
        fail_msg("curl %s: exit status %d\n%s", rest, status, log_text());
}

// The status of the answer; HTTP/1.1 or HTTP/2.
static int status_of(const char *text)
{
    const char *at = strncmp(text, "HTTP/", 5) == 0 ? strchr(text, ' ') : NULL;
    return at ? (int)strtol(at, NULL, 10) : -1;
}

static void expect(int status, const char *part)
{
    const char *text = log_text();
    if (status_of(text) != status || !strstr(text, part))
        fail_msg("expected %d and '%s', not\n%s", status, part, text);
}

static void expect_problem(int status)
{
    char number[32];
    snprintf(number, sizeof number, "\"status\":%d", status);
    expect(status, number);
    expect(status, "application/problem+json");
    const char *body = strstr(log_text(), "\r\n\r\n");
    json_t *j = body ? json_loads(body, 0, NULL) : NULL;
    assert_non_null(j);
    assert_true(strlen(json_string_value(json_object_get(j, "detail"))) > 10);
    assert_non_null(json_object_get(j, "title"));
    json_decref(j);
}

// What the server itself has logged, one line for each request that reached it.
static char *server_log(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/access.log", folder);
    return file_text(path);
}

static bool reached(const char *word)
{
    char *text = server_log();
    bool found = strstr(text, word);
    free(text);
    return found;
}

static size_t requests_that_reached(void)
{
    char *text = server_log();
    size_t n = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n++;
    free(text);
    return n;
}

// Send a file of raw bytes through TLS; what comes back is log_text().
static void say_raw(const char *bytes)
{
    char path[300];
    snprintf(path, sizeof path, "%s/raw", folder);
    write_file(path, bytes);
    run("timeout 10 openssl s_client -quiet -servername " NAME " -connect 127.0.0.1:%d <%s "
        "2>/dev/null",
        tls_port, path);
}

// ---- tests ----

#define TRANSACTION(id, customer)                                                                  \
    "-d '{\"id\":\"" id "\",\"time\":\"2018-05-20T08:15:00Z\",\"customer\":\"" customer            \
    "\",\"terminal\":\"" customer "\",\"amount\":57.16}' "

static void a_prediction_comes_through_tls_in_both_versions_of_http(void **state)
{
    (void)state;
    curl("--http1.1 " JSON TRANSACTION("N1", "n1") "https://" NAME "/predict");
    expect(200, "HTTP/1.1 200");
    expect(200, "\"probability\":");
    curl("--http2 " JSON TRANSACTION("N2", "n2") "https://" NAME "/predict");
    expect(200, "HTTP/2 200");
    expect(200, "\"id\":\"N2\"");
    expect(200, "trict-");
    curl("--http2 https://" NAME "/readyz");
    expect(200, "strict-transport-security: max-age=63072000");
    expect(200, "\"status\":\"ready\"");
}

static void a_body_in_chunks_arrives_with_a_length(void **state)
{
    (void)state;
    curl("--http1.1 -H 'Transfer-Encoding: chunked' " JSON TRANSACTION("N3", "n3") "https://" NAME
                                                                                   "/predict");
    expect(200, "\"id\":\"N3\"");
}

// How often a word stands in a text.
static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

static void a_request_keeps_its_id_or_gets_one_that_the_server_logs_too(void **state)
{
    (void)state;
    char id[64] = "", line[96];
    curl("-H 'X-Request-Id: trace-4711' https://" NAME "/model");
    assert_int_equal(count(log_text(), "trace-4711"), 1);
    assert_true(reached("\"id\":\"trace-4711\""));
    curl("--http1.1 -H 'X-Request-Id: }{ bad' https://" NAME "/model");
    assert_int_equal(count(log_text(), "X-Request-Id: "), 1);
    assert_int_equal(sscanf(strstr(log_text(), "X-Request-Id: "), "X-Request-Id: %63s", id), 1);
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    snprintf(line, sizeof line, "\"id\":\"%s\"", id);
    assert_true(reached(line));
}

static void a_body_beyond_the_limit_is_refused_and_one_at_it_touches_no_disk(void **state)
{
    (void)state;
    char path[300];
    run("head -c 1048576 /dev/zero >%s/full; head -c 1048577 /dev/zero >%s/over", folder, folder);
    static const char *const versions[] = {"--http1.1", "--http2"};
    for (size_t i = 0; i < 2; i++) {
        curl("%s " JSON "-H 'X-Request-Id: large' -H Expect: --data-binary @%s/over https://" NAME
             "/predict",
             versions[i], folder);
        expect_problem(413);
        curl("%s " JSON "-H Expect: --data-binary @%s/full https://" NAME "/predict", versions[i],
             folder);
        expect(400, "a byte of 0 at offset 0"); // the server's own words
    }
    assert_false(reached("\"large\""));
    snprintf(path, sizeof path, "%s/nginx/log/error.log", folder);
    char *errors = file_text(path);
    assert_non_null(strstr(errors, "too large body")); // so it would stand there
    assert_null(strstr(errors, "temporary file"));
    free(errors);
}

#define RAW(lines) "POST /predict HTTP/1.1\r\nHost: " NAME "\r\nX-Request-Id: smuggled\r\n" lines
#define CLOSE      "Connection: close\r\n"
#define INNER      "GET /admin/reload HTTP/1.1\r\nHost: " NAME "\r\nX-Request-Id: smuggled\r\n\r\n"

static void what_could_smuggle_a_request_does_not_reach_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        int status;
    } cases[] = {
        {RAW("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" INNER), 400},
        {RAW("Content-Length: 0\r\nContent-Length: 90\r\n\r\n" INNER), 400},
        {RAW("Content-Length: 0, 90\r\n\r\n" INNER), 400},
        {RAW("Content-Length: +0\r\n\r\n" INNER), 400},
        {RAW("Content-Length : 90\r\n\r\n" INNER), 400},
        {RAW("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" INNER), 501},
        {RAW("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" INNER), 501},
        {RAW("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" INNER), 400},
        {RAW("Transfer-Encoding: chunked\r\n\r\nZ\r\n\r\n" INNER), 400},
        {RAW("Host: other\r\nContent-Length: 0\r\n\r\n" INNER), 400},
        {RAW("Content-Length: 0\r\n X: folded\r\n\r\n" INNER), 400},
        {"GET /model HTTP/1.1\r\nX-Request-Id: smuggled\r\n\r\n", 400},
        {"GET http://other/model HTTP/1.1\r\nHost: other\r\nX-Request-Id: smuggled\r\n" CLOSE
         "\r\n",
         421},
        {"smuggled\r\n\r\n", 400},
    };
    const size_t before = requests_that_reached();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        say_raw(cases[i].bytes);
        if (status_of(log_text()) != cases[i].status)
            fail_msg("%s: not %d but\n%s", cases[i].bytes, cases[i].status, log_text());
        if (reached("smuggled"))
            fail_msg("%s: reached the server", cases[i].bytes);
    }
    assert_int_equal(requests_that_reached(), before);
    say_raw("GET /model HTTP/1.1\r\nHost: " NAME "\r\nX-Request-Id: honest\r\nUpgrade: h2c\r\n"
            "Connection: close, Upgrade, X-Request-Id\r\nX_Request_Id: smuggled\r\n\r\n");
    assert_int_equal(status_of(log_text()), 200); // what is bad about it stays with nginx
    assert_true(reached("\"honest\"") && !reached("smuggled"));
}

static void inner_paths_are_refused_to_the_outside_however_they_are_spelt(void **state)
{
    (void)state;
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
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        curl(OUTSIDE "-H 'X-Request-Id: intruder' -X POST 'https://" NAME "%s'", paths[i]);
        expect_problem(403);
        curl(OUTSIDE "-H 'X-Request-Id: intruder' 'https://" NAME "%s'", paths[i]);
        expect_problem(403);
    }
    assert_false(reached("\"intruder\""));
    curl(OUTSIDE "https://" NAME "/model");
    expect(200, "\"features\"");
    curl("-X POST -H 'X-Request-Id: operator' https://" NAME "/admin/reload");
    expect(200, "\"sha256\"");
    curl("-H 'X-Request-Id: scraper' https://" NAME "/metrics");
    assert_true(reached("\"scraper\""));
}

static void a_client_that_asks_too_often_gets_429_and_the_others_their_answers(void **state)
{
    (void)state;
    run("curl -si -w '\\n' --http1.1 --max-time 60 --cacert %s/nginx/fullchain.pem "
        "--connect-to " NAME ":443:127.0.0.1:%d " OUTSIDE2 "'https://" NAME "/metrics?[1-9000]' | "
        "grep -a -A 20 -m 1 '^HTTP/1.1 429'", // ends curl with the first of them
        folder, tls_port);
    expect(429, "\"status\":429");
    expect(429, "Retry-After: 1\r\n");
    curl(OUTSIDE2 "https://" NAME "/healthz");
    expect(200, "ok");
    curl(OUTSIDE "https://" NAME "/model");
    expect(200, "features");
}

static void plain_http_is_redirected_for_readers_and_refused_for_writers(void **state)
{
    (void)state;
    curl("'http://" NAME "/model?a=b'");
    expect(308, "Location: https://" NAME "/model?a=b\r\n");
    curl("-H 'X-Request-Id: plain' " JSON "-d '{}' http://" NAME "/predict");
    expect_problem(403);
    run("curl -si --max-time 20 -H 'X-Request-Id: plain' -H 'Host: " NAME
        "' http://127.0.0.1:%d/model",
        tls_port);
    expect_problem(400);
    assert_false(reached("\"plain\""));
}

// Whether a handshake with these arguments of s_client comes about.
static bool shakes_hands(const char *arguments)
{
    return run("timeout 10 openssl s_client -connect 127.0.0.1:%d %s </dev/null", tls_port,
               arguments) == 0;
}

static void only_modern_tls_and_our_name_get_a_handshake(void **state)
{
    (void)state;
    assert_true(shakes_hands("-servername " NAME " -tls1_3"));
    assert_true(shakes_hands("-servername " NAME " -tls1_2"));
    assert_non_null(strstr(log_text(), "ECDHE"));
    assert_false(shakes_hands("-servername " NAME " -tls1_1 -cipher ALL:@SECLEVEL=0"));
    assert_false(shakes_hands("-servername " NAME " -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA"));
    assert_false(shakes_hands("-servername other.test -tls1_2"));
    assert_non_null(strstr(log_text(), "unrecognized name"));
    assert_false(shakes_hands("-noservername"));
    curl("-H 'Host: other.test' -H 'X-Request-Id: other' https://" NAME "/model");
    expect_problem(421);
    assert_false(reached("\"other\""));
}

static void check_line(const char *line)
{
    json_error_t error;
    const char *s;
    json_int_t n;
    double seconds;
    json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (!j)
        fail_msg("%s: %s", error.text, line);
    assert_int_equal(json_unpack_ex(j, &error, JSON_STRICT,
                                    "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:F,s:s,s:s}", "time", &s,
                                    "id", &s, "client", &s, "protocol", &s, "tls", &s, "method", &s,
                                    "path", &s, "status", &n, "bytes", &n, "seconds", &seconds,
                                    "server_status", &s, "server_seconds", &s),
                     0);
    json_decref(j);
}

static void the_log_is_json_and_holds_nothing_of_what_clients_send(void **state)
{
    (void)state;
    char path[300];
    size_t lines = 0;
    curl(JSON "-H 'User-Agent: geheim' -H 'Referer: geheim' -H 'X-Request-Id: seen' "
              "-d '{\"customer\":\"geheim\"}' 'https://" NAME "/predict?card=geheim'");
    curl("-X GEHEIM 'https://" NAME "/geheim?card=geheim'");
    curl("https://" NAME "/healthz?geheim");
    poll(NULL, 0, 100); // the line is written after the answer
    snprintf(path, sizeof path, "%s/nginx/log/assay.log", folder);
    char *text = file_text(path), *save = NULL;
    assert_null(strstr(text, "eheim"));
    assert_null(strstr(text, "EHEIM"));
    assert_null(strstr(text, "healthz"));
    assert_non_null(strstr(text, "\"id\":\"seen\""));
    assert_non_null(strstr(text, "\"method\":\"POST\",\"path\":\"/predict\",\"status\":422"));
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save), lines++)
        check_line(line);
    assert_true(lines >= 3);
    free(text);
}

// The last test: it ends the server.
static void without_the_server_the_answer_is_a_problem_at_once(void **state)
{
    (void)state;
    assert_int_equal(server_end(&shared), 0);
    curl("--http1.1 " JSON TRANSACTION("N9", "n9") "https://" NAME "/predict");
    expect_problem(502);
    expect(502, "Retry-After: 1\r\n");
    expect(502, "Strict-Transport-Security: ");
    assert_int_equal(count(log_text(), "X-Request-Id: "), 1);
    curl("https://" NAME "/readyz");
    expect_problem(502);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prediction_comes_through_tls_in_both_versions_of_http),
        cmocka_unit_test(a_body_in_chunks_arrives_with_a_length),
        cmocka_unit_test(a_request_keeps_its_id_or_gets_one_that_the_server_logs_too),
        cmocka_unit_test(a_body_beyond_the_limit_is_refused_and_one_at_it_touches_no_disk),
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
