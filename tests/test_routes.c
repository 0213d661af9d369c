// routes: every path of the table over HTTP, patterns, and the Open Inference Protocol as clients speak
// it.
#include "serve/http.h"
#include "tests/server.h"

#define NAME "models" // of the registry's folder

static void ask_line(struct answer *a, const struct server *server, const char *method,
                     const char *path, const char *more)
{
    char request[1024];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, more);
    int fd = dial(server->port);
    say(fd, request, strlen(request));
    if (try_hear(fd, a, strcmp(method, "HEAD") != 0))
        fail_msg("%s %s: no whole answer: '%s'", method, path, a->head);
    close(fd);
}

static void assert_status(const struct answer *a, int status, const char *method, const char *path)
{
    if (a->status != status)
        fail_msg("%s %s: %d, not %d: %s", method, path, a->status, status, a->text);
}

// A path of the route's pattern that exists: the model's name and version, or a file's name, for {...}.
static const char *real_path(const struct route *route)
{
    static char path[256];
    char *out = path;
    for (const char *p = route->path; *p; p++) {
        if (*p != '{') {
            *out++ = *p;
            continue;
        }
        out = stpcpy(out, strncmp(p, "{model}", 7) == 0  ? NAME
                          : strncmp(p, "{file}", 6) == 0 ? "page.js"
                                                         : "1");
        p = strchr(p, '}');
    }
    *out = '\0';
    return path;
}

// ---- every route ----

static void every_route_says_its_methods_and_refuses_others(void **state)
{
    (void)state;
    const struct route *route;
    char allow[64];
    for (size_t i = 0; (route = route_at(i)); i++) {
        struct answer a;
        const char *path = real_path(route);
        snprintf(allow, sizeof allow, "\r\nAllow: %s\r\n", route->allow);
        ask_line(&a, &shared, "OPTIONS", path, "");
        assert_status(&a, 204, "OPTIONS", path);
        assert_non_null(strstr(a.head, allow));
        answer_free(&a);
        ask_line(&a, &shared, "DELETE", path, "");
        assert_status(&a, 405, "DELETE", path);
        assert_non_null(strstr(a.head, allow));
        answer_free(&a);
        const char *other = strstr(route->allow, "GET") ? "POST" : "GET";
        if (strstr(route->allow, other))
            continue;
        ask_line(&a, &shared, other, path, "Content-Length: 0\r\n");
        assert_status(&a, 405, other, path);
        answer_free(&a);
    }
}

static void head_is_the_head_of_get(void **state)
{
    (void)state;
    const struct route *route;
    for (size_t i = 0; (route = route_at(i)); i++) {
        struct answer get, head;
        char lengths[2][64] = {"", "?"};
        const char *path = real_path(route);
        if (!strstr(route->allow, "HEAD"))
            continue;
        int fd = dial(shared.port);
        char request[512];
        snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
        say(fd, request, strlen(request));
        assert_int_equal(try_hear(fd, &head, false), 0);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
        say(fd, request, strlen(request)); // a body behind the head would stand before this answer
        hear(fd, &get);
        close(fd);
        assert_status(&head, 200, "HEAD", path);
        assert_status(&get, 200, "GET", path);
        sscanf(strstr(head.head, "Content-Length: "), "%63[^\r]", lengths[0]);
        sscanf(strstr(get.head, "Content-Length: "), "%63[^\r]", lengths[1]);
        if (strcmp(path, "/metrics") != 0) // they differ from one request to the next
            assert_string_equal(lengths[0], lengths[1]);
        answer_free(&head);
        answer_free(&get);
    }
}

static void without_the_token_only_open_routes_answer(void **state)
{
    (void)state;
    char path[300];
    const struct route *route;
    snprintf(path, sizeof path, "%s/token", folder);
    assert_int_equal(run("umask 077; : >%s", path), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("0123456789abcdef", f);
    assert_int_equal(fclose(f), 0);
    server_begin(&own, "8", path);
    for (size_t i = 0; (route = route_at(i)); i++) {
        struct answer a;
        ask_line(&a, &own, "OPTIONS", real_path(route), "");
        assert_status(&a, route->open ? 204 : 401, "OPTIONS", route->path);
        answer_free(&a);
        ask_line(&a, &own, "OPTIONS", real_path(route),
                 "Authorization: Bearer 0123456789abcdef\r\n");
        assert_status(&a, 204, "OPTIONS", route->path);
        answer_free(&a);
    }
    assert_int_equal(server_end(&own), 0);
}

// What a browser does for a page of another site, and for our own.
static void a_page_of_another_site_may_not_post(void **state)
{
    static const struct {
        const char *origin;
        int status;
    } cases[] = {
        {"http://evil.example", 403}, {"null", 403}, {"http://x:8080", 200}, {"http://X", 200}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[256];
        struct answer a;
        snprintf(
            request, sizeof request,
            "POST /admin/reload HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\nContent-Length: 0\r\n\r\n",
            cases[i].origin);
        ask(&a, request);
        assert_int_equal(a.status, cases[i].status);
        answer_free(&a);
    }
}

static void health_is_open_and_what_scores_is_not(void **state)
{
    (void)state;
    const struct route *route;
    size_t open = 0;
    for (size_t i = 0; (route = route_at(i)); i++) {
        open += route->open;
        if (strstr(route->path, "infer") || strcmp(route->path, "/predict") == 0 ||
            strstr(route->path, "{model}"))
            assert_false(route->open);
        if (strstr(route->path, "/health") || strcmp(route->path, "/readyz") == 0)
            assert_true(route->open);
    }
    assert_true(open >= 4);
}

// ---- patterns ----

static void only_whole_segments_fit_a_pattern(void **state)
{
    (void)state;
    char long_path[600];
    const char *const paths[] = {"/v2/",
                                 "/v2/models",
                                 "/v2/models/",
                                 "/v2/models//infer",
                                 "/v2/models/" NAME "/",
                                 "/v2/models/" NAME "/infer/",
                                 "/v2/models/" NAME "/inferx",
                                 "/v2/models/" NAME "/versions",
                                 "/v2/models/" NAME "/versions/",
                                 "/v2/models/" NAME "/versions//infer",
                                 "/v2/models/" NAME "/versions/1/infer/x",
                                 "/v2/models/{model",
                                 "/v2/health",
                                 long_path};
    snprintf(long_path, sizeof long_path, "/v2/models/%0*d/infer", SEGMENT, 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct answer a;
        ask_line(&a, &shared, "GET", paths[i], "");
        assert_status(&a, 404, "GET", paths[i]);
        answer_free(&a);
    }
}

static void the_access_log_has_the_pattern_and_not_the_clients_text(void **state)
{
    (void)state;
    char path[300], text[4096];
    struct answer a;
    static const char *const wanted[] = {"\"path\":\"/v2/models/{model}\",\"status\":404",
                                         "\"path\":\"/v2/models/{model}/versions/{version}/ready\","
                                         "\"status\":404",
                                         "\"path\":\"/v2/models/{model}/infer\",\"status\":415"};
    server_begin(&own, "8", NULL);
    ask_line(&a, &own, "GET", "/v2/models/geheim", "");
    answer_free(&a);
    ask_line(&a, &own, "GET", "/v2/models/" NAME "/versions/geheim/ready", "");
    answer_free(&a);
    ask_line(&a, &own, "POST", "/v2/models/geheim/infer", "Content-Length: 0\r\n");
    answer_free(&a);
    assert_int_equal(server_end(&own), 0);
    snprintf(path, sizeof path, "%s/access.log", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    // Each is written after its answer, so those of three connections stand in any order.
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i]))
            fail_msg("%s is not in %s", wanted[i], text);
    assert_null(strstr(text, "geheim"));
}

// ---- inference as clients speak it ----

static void post(struct answer *a, const char *path, const char *more, const char *body)
{
    char head[512];
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             path, more, strlen(body));
    int fd = dial(shared.port);
    say(fd, head, strlen(head));
    say(fd, body, strlen(body));
    hear(fd, a);
    close(fd);
}

// What a client does: ask for the model's shape, then send a row of it.
static void a_client_finds_the_shape_and_gets_a_score(void **state)
{
    (void)state;
    struct answer a;
    char body[2048];
    ask(&a, GET("/v2/models/" NAME));
    json_t *metadata = answer_json(&a);
    answer_free(&a);
    json_int_t rows, width;
    const char *name, *datatype;
    assert_int_equal(json_unpack(metadata, "{s:[{s:s, s:s, s:[I, I]}]}", "inputs", "name", &name,
                                 "datatype", &datatype, "shape", &rows, &width),
                     0);
    assert_int_equal(rows, -1);
    size_t n =
        (size_t)snprintf(body, sizeof body,
                         "{\"inputs\":[{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[1,%d],"
                         "\"data\":[",
                         name, datatype, (int)width);
    for (json_int_t i = 0; i < width; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "%s0.5", i ? "," : "");
    snprintf(body + n, sizeof body - n, "]}]}");
    json_decref(metadata);
    post(&a, "/v2/models/" NAME "/infer", "", body);
    assert_int_equal(a.status, 200);
    char *unversioned = a.text;
    post(&a, "/v2/models/" NAME "/versions/1/infer", "", body);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.text, unversioned);
    assert_non_null(strstr(a.text, "\"name\":\"probability\",\"shape\":[1],\"datatype\":\"FP64\""));
    free(unversioned);
    answer_free(&a);
    post(&a, "/v2/models/" NAME "/versions/2/infer", "", body);
    assert_int_equal(a.status, 404);
    answer_free(&a);
}

static void tensors_in_binary_are_refused_in_plain_words(void **state)
{
    (void)state;
    struct answer a;
    post(&a, "/v2/models/" NAME "/infer", "Inference-Header-Content-Length: 2\r\n", "{}");
    assert_int_equal(a.status, 415);
    assert_non_null(strstr(a.text, "\"error\":\"binary tensors are not read here"));
    answer_free(&a);
}

static void health_and_server_are_told_as_the_protocol_has_them(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {GET("/v2/health/live"), "{\"live\":true}"},
        {GET("/v2/health/ready"), "{\"ready\":true}"},
        {GET("/v2/models/" NAME "/ready"), "{\"name\":\"models\",\"ready\":true}"},
        {GET("/v2/models/" NAME "/versions/1/ready"), "{\"name\":\"models\",\"ready\":true}"},
    };
    struct answer a;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(&a, cases[i][0]);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.text, cases[i][1]);
        answer_free(&a);
    }
    ask(&a, GET("/v2"));
    assert_non_null(strstr(a.text, "{\"name\":\"assay\",\"version\":\""));
    answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_says_its_methods_and_refuses_others),
        cmocka_unit_test(head_is_the_head_of_get),
        cmocka_unit_test_teardown(without_the_token_only_open_routes_answer, server_end_own),
        cmocka_unit_test(a_page_of_another_site_may_not_post),
        cmocka_unit_test(health_is_open_and_what_scores_is_not),
        cmocka_unit_test(only_whole_segments_fit_a_pattern),
        cmocka_unit_test_teardown(the_access_log_has_the_pattern_and_not_the_clients_text,
                                  server_end_own),
        cmocka_unit_test(a_client_finds_the_shape_and_gets_a_score),
        cmocka_unit_test(tensors_in_binary_are_refused_in_plain_words),
        cmocka_unit_test(health_and_server_are_told_as_the_protocol_has_them),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
