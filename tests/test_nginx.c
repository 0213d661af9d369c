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
    shared.more[0] = "--allow-host";
    shared.more[1] = "assay.test";
    shared.more[2] = "--health-port";
    shared.more[3] = "0";
    if (tools_to_path() || server_artifacts(state))
        return -1;
    succeed("cd $F && chmod 711 . && mkdir -m 711 nginx nginx/log nginx/lib && "
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
            "-subj /CN=assay.test -addext subjectAltName=DNS:assay.test "
            "-keyout nginx/key.pem -out nginx/fullchain.pem");
    // one request a minute instead of 200 a second: a slow machine floods, too
    succeed("sed -e \"s|/run/nginx.pid|$F/nginx/pid|; s|/var/log/nginx|$F/nginx/log|\" "
            "-e \"s|/var/lib/nginx|$F/nginx/lib|; s|/etc/ssl/assay|$F/nginx|\" "
            "-e 's|127.0.0.1:8080|127.0.0.1:%d|; s|127.0.0.1:8081|127.0.0.1:%d|' "
            "-e 's|assay.example.com|assay.test|' "
            "-e 's|listen  *443|listen %s:8443|; s|listen 80|listen %s:8480|' "
            "-e 's|rate=200r/s|rate=1r/m|' deploy/nginx.conf >$F/nginx/nginx.conf",
            shared.port, health_port(&shared), address, address);
    succeed("nginx -p $F -e nginx/log/early -c nginx/nginx.conf");
    return 0;
}

static int nginx_end(void **state)
{
    const int status = run("cd $F/nginx && kill $(cat pid) && for i in $(seq 200); do "
                           "test -e pid || exit 0; sleep 0.1; done; exit 1");
    return server_remove(state) || status;
}

static int status_of(const char *text)
{
    const char *at = strncmp(text, "HTTP/", 5) == 0 ? strchr(text, ' ') : NULL;
    return at ? (int)strtol(at, NULL, 10) : -1;
}

// The head and body that curl gets have the parts; from 400 on the body is a problem document.
static void expect(int status, const char *parts, const char *arguments)
{
    succeed("cd $F && curl -si --max-time 60 --cacert nginx/fullchain.pem --path-as-is "
            "--connect-to assay.test:443:%s:8443 --connect-to assay.test:80:%s:8480 %s",
            address, address, arguments);
    const char *text = log_text(), *body = strstr(text, "\r\n\r\n");
    if (status_of(text) != status)
        fail_msg("curl %s: expected %d\n%s", arguments, status, text);
    assert_parts(text, parts);
    if (status < 400)
        return;
    json_t *j = body ? json_loads(body, 0, NULL) : NULL;
    assert_parts(text, "application/problem+json");
    assert_int_equal(json_integer_value(json_object_get(j, "status")), status);
    assert_true(strlen(json_string_value(json_object_get(j, "detail"))) > 10);
    json_decref(j);
}

static bool is_in(const char *file, const char *word)
{
    return run("grep -qF -- '%s' $F/%s", word, file) == 0;
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

TEST_CASE(predictions_come_through_tls_in_both_versions_of_http)
{
    expect(200, "HTTP/1.1 200|\"probability\":", "--http1.1 " TRANSACTION("N1"));
    expect(200, "HTTP/2 200|\"id\":\"N2\"", "--http2 " TRANSACTION("N2"));
    expect(200, "strict-transport-security: max-age=63072000|\"status\":\"ready\"",
           "--http2 " URL "/readyz");
    expect(200, "\"id\":\"N3\"", "--http1.1 -H 'Transfer-Encoding: chunked' " TRANSACTION("N3"));
}

TEST_CASE(a_request_keeps_its_id_or_gets_one_that_the_server_logs_too)
{
    char id[64] = "";
    expect(200, "trace-4711", "-H 'X-Request-Id: trace-4711' " URL "/model");
    await_line("access.log", "\"id\":\"trace-4711\"");
    expect(200, "X-Request-Id: ", "--http1.1 -H 'X-Request-Id: }{ bad' " URL "/model");
    const char *at = strstr(log_text(), "X-Request-Id: ");
    assert_int_equal(sscanf(at, "X-Request-Id: %63s", id), 1);
    assert_null(strstr(at + 1, "X-Request-Id: "));
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    await_line("access.log", id);
}

TEST_CASE(a_body_over_the_limit_is_refused_and_one_at_it_touches_no_disk)
{
#define BODY(file)                                                                                 \
    JSON "-H 'X-Request-Id: " file "' -H Expect: --data-binary @" file " " URL "/predict"
    succeed("cd $F && head -c 1048576 /dev/zero >full && head -c 1048577 /dev/zero >over");
    expect(413, "", "--http2 " BODY("over"));
    expect(400, "a byte of 0 at offset 0", "--http2 " BODY("full"));
    await_line("access.log", "\"full\"");
    assert_false(is_in("access.log", "\"over\""));
    await_line("nginx/log/error.log", "too large body");
    assert_false(is_in("nginx/log/error.log", "temporary file"));
}

#define RAW(lines)                                                                                 \
    "POST /predict HTTP/1.1\r\nHost: assay.test\r\nX-Request-Id: smuggled\r\n" lines "\r\n\r\n"
#define INNER "GET /admin/reload HTTP/1.1\r\nHost: assay.test\r\nX-Request-Id: smuggled\r\n\r\n"

static void expect_raw(int status, const char *bytes)
{
    char *path = path_join(folder, "raw");
    FILE *f = fopen(path, "w");
    assert_true(f && fputs(bytes, f) >= 0 && fclose(f) == 0);
    free(path);
    run("cd $F && timeout 60 openssl s_client -quiet -servername assay.test -connect %s:8443 <raw "
        "2>/dev/null",
        address);
    if (status_of(log_text()) != status)
        fail_msg("%s: not %d but\n%s", bytes, status, log_text());
}

TEST_CASE(what_could_smuggle_a_request_does_not_reach_the_server)
{
    expect_raw(400, RAW("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0") INNER);
    expect_raw(400, RAW("Content-Length: 0\r\nContent-Length: 90") INNER);
    expect_raw(400, RAW("Content-Length: 0, 90") INNER);
    expect_raw(501, RAW("Transfer-Encoding: chunked, identity\r\n\r\n0") INNER);
    expect_raw(400, RAW("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0") INNER);
    expect_raw(400, RAW("Transfer-Encoding: chunked\r\n\r\nZ") INNER);
    expect_raw(400, RAW("Content-Length: 0\r\n X: folded") INNER);
    expect_raw(400, "GET /model HTTP/1.1\r\nX-Request-Id: smuggled\r\n\r\n");
    expect_raw(421, "GET http://other/model HTTP/1.1\r\nHost: other\r\nX-Request-Id: smuggled\r\n"
                    "Connection: close\r\n\r\n");
    // whatever is wrong with this one stays with nginx
    expect_raw(200, "GET /model HTTP/1.1\r\nHost: assay.test\r\nX-Request-Id: honest\r\n"
                    "Connection: close, Upgrade, X-Request-Id\r\nUpgrade: h2c\r\n"
                    "X_Request_Id: smuggled\r\n\r\n");
    await_line("access.log", "\"honest\"");
    assert_false(is_in("access.log", "smuggled"));
    assert_false(is_in("access.log", "/admin/reload"));
}

TEST_CASE(inner_paths_are_refused_to_the_outside_however_they_are_spelt)
{
    static const char *const paths[] = {"/metrics",
                                        "/admin/reload",
                                        "/%61dmin/reload",
                                        "//admin/reload",
                                        "/predict/../admin/reload",
                                        "/",
                                        "/decisions",
                                        "/docs",
                                        "/model/metrics.json",
                                        "/metrics?x=/predict",
                                        "/v2/../metrics",
                                        "/nowhere"};
    for (size_t i = 0; i < LENGTH(paths); i++)
        for (int post = 0; post < 2; post++) {
            expect(403, "",
                   formatted(OUTSIDE "-H 'X-Request-Id: intruder' %s '" URL "%s'",
                             post ? "-X POST" : "", paths[i]));
        }
    expect(200, "\"features\"", OUTSIDE URL "/model");
    expect(200, "\"sha256\"", "-X POST -H 'X-Request-Id: operator' " URL "/admin/reload");
    expect(200, "\"sha256\"",
           "-X POST -H 'Origin: " URL "' " URL "/admin/reload"); // the dashboard's
    expect(403, "another site", "-X POST -H 'Origin: http://assay.test' " URL "/admin/reload");
    expect(200, "text/plain", "-H 'X-Request-Id: scraper' " URL "/metrics -o scraped -D -");
    await_line("access.log", "\"scraper\"");
    assert_false(is_in("access.log", "\"intruder\""));
}

TEST_CASE(a_client_that_asks_too_often_gets_429_and_the_others_their_answers)
{
    // 401 are allowed at once, and as many more as there were minutes
    succeed("cd $F && curl -s --http1.1 --max-time 100 --cacert nginx/fullchain.pem "
            "--connect-to assay.test:443:%s:8443 " FLOODING "'" URL "/metrics?[1-1000]' -o flood",
            address);
    expect(429, "etry-", FLOODING URL "/model");
    expect(200, "ok", FLOODING URL "/healthz");
    expect(200, "features", OUTSIDE URL "/model");
}

TEST_CASE(plain_http_is_redirected_for_readers_and_refused_for_writers)
{
    const char *tls_port =
        formatted("-H 'X-Request-Id: plain' -H 'Host: assay.test' http://%s:8443/model", address);
    expect(308, "Location: " URL "/model?a=b\r\n", "'http://assay.test/model?a=b'");
    expect(403, "", "-H 'X-Request-Id: plain' " JSON "-d '{}' http://assay.test/predict");
    expect(400, "", tls_port);
    expect(421, "", "-H 'Host: other.test' -H 'X-Request-Id: plain' " URL "/model");
    assert_false(is_in("access.log", "\"plain\""));
}

static void shake_hands(bool good, const char *parts, const char *arguments)
{
    const int status =
        run("timeout 60 openssl s_client -connect %s:8443 %s </dev/null", address, arguments);
    if ((status == 0) != good)
        fail_msg("%s: %d\n%s", arguments, status, log_text());
    assert_parts(log_text(), parts);
}

TEST_CASE(only_modern_tls_and_our_name_get_a_handshake)
{
    shake_hands(true, "", "-servername assay.test -tls1_3");
    shake_hands(true, "ECDHE", "-servername assay.test -tls1_2");
    shake_hands(false, "", "-servername assay.test -tls1_1 -cipher ALL:@SECLEVEL=0");
    shake_hands(false, "", "-servername assay.test -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA");
    shake_hands(false, "unrecognized name", "-servername other.test -tls1_2");
}

TEST_CASE(the_log_is_json_and_holds_nothing_of_what_clients_send)
{
    expect(400, "",
           JSON "-H 'User-Agent: secret' -H 'Referer: secret' -H 'X-Request-Id: seen' "
                "-d '{\"customer\":\"secret\"}' '" URL "/predict?card=secret'");
    expect(400, "", "-X SECRET '" URL "/secret?card=secret'");
    expect(200, "", URL "/healthz?secret");
    expect(200, "", "-H 'X-Request-Id: last' " URL "/model");
    await_line("nginx/log/assay.log", "\"id\":\"last\"");
    succeed("cd $F/nginx/log && ! grep -iE 'secret|healthz' assay.log && "
            "grep '\"id\":\"seen\"' assay.log | "
            "grep '\"method\":\"POST\",\"path\":\"/predict\",\"status\":400'");
    succeed(
        "s='\"[^\"]*\"' n='[0-9.]+'; ! grep -vE \"^\\{\\\"time\\\":$s,\\\"id\\\":$s,"
        "\\\"client\\\":$s,\\\"protocol\\\":$s,\\\"tls\\\":$s,\\\"method\\\":$s,\\\"path\\\":$s,"
        "\\\"status\\\":$n,\\\"bytes\\\":$n,\\\"seconds\\\":$n,\\\"server_status\\\":$s,"
        "\\\"server_seconds\\\":$s\\}$\" %s/nginx/log/assay.log",
        folder);
}

// The last test: it ends the server.
TEST_CASE(without_the_server_the_answer_is_a_problem_at_once)
{
    assert_int_equal(server_end(&shared), 0);
    expect(502, "Retry-After: 1\r\n|Strict-Transport-Security: |X-Request-Id: ",
           "--http1.1 " TRANSACTION("N9"));
    expect(502, "", URL "/readyz");
}

TESTS(nginx_start, nginx_end)
