// access: how a request is named, what the log holds, and who may ask.
#include "tests/server.h"

// An answer's X-Request-Id, in a buffer of its own.
static const char *id_of(const struct answer *a)
{
    static char id[128];
    const char *at = strstr(a->head, "X-Request-Id: ");
    if (!at || sscanf(at, "X-Request-Id: %127[^\r]", id) != 1)
        fail_msg("no X-Request-Id in %s", a->head);
    return id;
}

static void a_request_is_known_by_its_clients_id_or_one_of_ours(void **state)
{
    (void)state;
    struct answer a;
    char before[128];
    ask(&a, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: Trace.1_a-b\r\n\r\n");
    assert_string_equal(id_of(&a), "Trace.1_a-b");
    answer_free(&a);
    ask(&a, "GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: \"}{\"\r\n\r\n");
    assert_int_equal(strspn(id_of(&a), "0123456789abcdef"), 16);
    snprintf(before, sizeof before, "%s", id_of(&a));
    answer_free(&a);
    ask(&a, GET("/healthz"));
    assert_int_equal(strspn(id_of(&a), "0123456789abcdef"), 16);
    assert_string_not_equal(id_of(&a), before);
    answer_free(&a);
    ask(&a, "NO HTTP AT ALL\r\n\r\n");
    assert_int_equal(strlen(id_of(&a)), 16);
    answer_free(&a);
}

static void check_line(const char *line, const char *id, const char *method, const char *path,
                       int status)
{
    json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const char *time, *i, *m, *p;
    int code, bytes;
    double seconds;
    assert_int_equal(json_unpack_ex(j, NULL, JSON_STRICT, "{s:s, s:s, s:s, s:s, s:i, s:i, s:F}",
                                    "time", &time, "id", &i, "method", &m, "path", &p, "status",
                                    &code, "bytes", &bytes, "seconds", &seconds),
                     0);
    if (id)
        assert_string_equal(i, id);
    assert_string_equal(m, method);
    assert_string_equal(p, path);
    assert_int_equal(code, status);
    assert_true(bytes > 0 && seconds >= 0 && seconds < WAIT_MS);
    json_decref(j);
}

// A line is written after its answer, so those of several connections stand in any order.
static const char *with(char lines[][512], int n, const char *word)
{
    for (int i = 0; i < n; i++)
        if (strstr(lines[i], word))
            return lines[i];
    fail_msg("no line has %s", word);
    return NULL;
}

static void the_access_log_holds_nothing_that_a_client_sent_but_its_id(void **state)
{
    (void)state;
    static const char body[] = "{\"customer\":\"geheim\",\"geheim\":1}";
    char request[512], path[300], lines[8][512] = {{0}};
    struct answer a;
    int n = 0;
    server_begin(&own, "8", NULL);
    snprintf(request, sizeof request, JSON_POST "X-Request-Id: r1\r\nContent-Length: %zu\r\n\r\n%s",
             sizeof body - 1, body);
    ask_own(&a, request);
    answer_free(&a);
    ask_own(&a, GET("/geheim?geheim=1"));
    answer_free(&a);
    ask_own(&a, "GEHEIM /model HTTP/1.1\r\nHost: x\r\n\r\n");
    answer_free(&a);
    ask_own(&a, "GET /readyz HTTP/1.1\r\nHost: x\r\nX-Request-Id: ge heim\r\n\r\n");
    answer_free(&a);
    assert_int_equal(server_end(&own), 0);
    snprintf(path, sizeof path, "%s/access.log", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (n < 8 && fgets(lines[n], sizeof lines[n], f))
        assert_null(strstr(lines[n++], "eheim"));
    fclose(f);
    assert_int_equal(n, 4);
    check_line(with(lines, n, "/predict"), "r1", "POST", "/predict", 400);
    check_line(with(lines, n, "404"), NULL, "-", "-", 404);
    check_line(with(lines, n, "/readyz"), NULL, "GET", "/readyz", 200);
}

#define WITH(token) "Authorization: " token "\r\n\r\n"
#define TOKEN       "Bearer 0123456789abcdef"

static void with_a_token_only_health_is_told_without_it(void **state)
{
    (void)state;
    char path[300];
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {GET("/healthz"), 200},
        {GET("/readyz"), 200},
        {GET("/model"), 401},
        {GET("/nowhere"), 401},
        {"GET /model HTTP/1.1\r\nHost: x\r\n" WITH("Bearer 0123456789abcdee"), 401},
        {"GET /model HTTP/1.1\r\nHost: x\r\n" WITH("Basic 0123456789abcdef"), 401},
        {"GET /model HTTP/1.1\r\nHost: x\r\n" WITH(TOKEN), 200},
        {"GET /nowhere HTTP/1.1\r\nHost: x\r\n" WITH(TOKEN), 404},
        {JSON_POST "Content-Length: 2\r\n\r\n{}", 401},
        {JSON_POST "Content-Length: 2\r\n" WITH(TOKEN) "{}", 422},
    };
    snprintf(path, sizeof path, "%s/token", folder);
    assert_int_equal(run("umask 077; : >%s", path), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(strchr(TOKEN, ' ') + 1, f);
    assert_int_equal(fclose(f), 0);
    server_begin(&own, "8", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a;
        ask_own(&a, cases[i].request);
        if (a.status != cases[i].status)
            fail_msg("%s: %d", cases[i].request, a.status);
        const char *wants = strstr(a.head, "WWW-Authenticate: Bearer realm=\"assay\"\r\n");
        assert_true((a.status == 401) == (wants != NULL));
        answer_free(&a);
    }
    assert_int_equal(server_end(&own), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_known_by_its_clients_id_or_one_of_ours),
        cmocka_unit_test_teardown(the_access_log_holds_nothing_that_a_client_sent_but_its_id,
                                  server_end_own),
        cmocka_unit_test_teardown(with_a_token_only_health_is_told_without_it, server_end_own),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
