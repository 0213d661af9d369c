// http: every route, who may ask, what is logged, and how the server starts and ends. The OpenAPI
// document against the table of routes, against what predict takes for a dataset with all kinds of
// columns, and against the answers of a running server (tests/openapi/check.py).
#define EACH NULL, server_end_own
#include "base/option.h" // ASSAY_VERSION
#include "serve/http.h"
#include "tests/asking.h"
#include "tests/server.h"

#define NAME "models" // of the registry's folder

// A path of the route's pattern that exists.
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

static void check_path(int port, const char *method, const char *path, const char *header,
                       int status, const char *words)
{
    check_answer_at(port, formatted("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, header),
                    status, words);
}

TEST_CASE(every_route_tells_its_methods_and_refuses_others)
{
    const struct route *route;
    char allow[64];
    for (route = routes; route->path; route++) {
        const char *path = real_path(route), *other = strstr(route->allow, "GET") ? "POST" : "GET";
        snprintf(allow, sizeof allow, "\r\nAllow: %s\r\n", route->allow);
        check_path(shared.port, "OPTIONS", path, "", 204, allow);
        check_path(shared.port, "DELETE", path, "", 405, allow);
        check_path(shared.port, other, path, "Content-Length: 0\r\n", 405, allow);
    }
    ask_at(shared.port, "OPTIONS /predict HTTP/1.1\r\nHost: x\r\nOrigin: http://e\r\n"
                        "Access-Control-Request-Method: POST\r\n\r\n");
    assert_null(strstr(heard.head, "Access-Control"));
}

TEST_CASE(head_is_get_without_the_text)
{
    const struct route *route;
    for (route = routes; route->path; route++) {
        struct answer head;
        const char *path = real_path(route);
        if (!strstr(route->allow, "HEAD"))
            continue;
        int fd = dial(shared.port);
        const char *request =
            formatted("HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n" GET("%s"), path, path);
        say(fd, request, strlen(request));
        assert_int_equal(try_hear(fd, &head, false), 0);
        hear(fd); // a text after the head would be read as this answer
        close(fd);
        assert_int_equal(head.status, 200);
        assert_int_equal(heard.status, 200);
        if (strcmp(path, "/metrics") != 0) // it changes from one request to the next
            assert_int_equal(strtoul(strstr(head.head, "Content-Length: ") + 16, NULL, 10),
                             heard.n);
        answer_free(&head);
    }
    check_answer_at(shared.port, "HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404, "");
}

TEST_CASE(a_page_of_another_site_may_not_post)
{
#define FROM(origin) "Origin: " origin "\r\nContent-Length: 0\r\n"
    check_path(shared.port, "POST", "/admin/reload", FROM("http://evil.example"), 403, "");
    check_path(shared.port, "POST", "/admin/reload", FROM("null"), 403, "");
    check_path(shared.port, "POST", "/admin/reload", FROM("http://x:8080"), 403, "");
    check_path(shared.port, "POST", "/admin/reload", FROM("http://x:y@evil"), 403, "");
    check_path(shared.port, "POST", "/admin/reload", FROM("https://x"), 403, "");
    check_path(shared.port, "POST", "/admin/reload", FROM("http://X"), 200, "");
    check_path(shared.port, "POST", "/admin/reload",
               "X-Forwarded-Proto: https\r\n" FROM("https://x"), 200, "");
}

// server_begin gives --allow-host x. A name behind a ! is refused.
TEST_CASE(without_a_token_only_loopback_and_allowed_names_are_served)
{
    char hosts[] = "localhost LocalHost:1 127.0.0.1:8080 127.255.0.9 [::1]:80 X:80 !evil.example "
                   "!localhost.evil !127.0.0.1.evil !128.0.0.1 !127.1.evil:80 ![::2] !xx "
                   "!127.100.100.100.evil";
    for (const char *host = strtok(hosts, " "); host; host = strtok(NULL, " ")) {
        const bool good = *host != '!';
        check_answer_at(shared.port,
                        formatted("GET /decisions HTTP/1.1\r\nHost: %s\r\n\r\n", host + !good),
                        good ? 200 : 403, good ? "" : "neither loopback nor named by --allow-host");
    }
    check_answer_at(shared.port, "GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, "");
}

TEST_CASE(without_the_token_only_open_routes_answer)
{
    const struct route *route;
    server_begin(&own, "8", token_file());
    for (route = routes; route->path; route++) {
        const char *path = real_path(route);
        const bool health = strstr(path, "/health") || strcmp(path, "/readyz") == 0;
        const bool page = strncmp(path, "/web/", 5) == 0 || strcmp(path, "/") == 0 ||
                          strcmp(path, "/report") == 0 || strcmp(path, "/card") == 0 ||
                          strcmp(path, "/docs") == 0;
        assert_int_equal(route->open, health || page);
        check_path(own.port, "OPTIONS", path, "", route->open ? 204 : 401,
                   route->open ? "" : "\r\nWWW-Authenticate: Bearer realm=\"assay\"\r\n");
        check_path(own.port, "OPTIONS", path, "Authorization: Bearer " TOKEN "\r\n", 204, "");
    }
    check_path(own.port, "GET", "/nowhere", "", 401, "");
    check_path(own.port, "GET", "/nowhere", "Authorization: Bearer " TOKEN "\r\n", 404, "");
    check_path(own.port, "GET", "/model", "Authorization: Bearer 0123456789abcdee\r\n", 401, "");
    check_answer_at(own.port, JSON_POST "Content-Length: 2\r\n\r\n{}", 401, "");
    check_answer_at(own.port,
                    "GET /model HTTP/1.1\r\nHost: any.example\r\n"
                    "Authorization: Bearer " TOKEN " \r\n\r\n",
                    200, "");
    assert_int_equal(server_end(&own), 0);
}

TEST_CASE(the_line_of_the_readme_is_answered)
{
    char *readme = scratch_read("README.md", NULL), *body = strstr(readme, "-d '{") + 4;
    body[strcspn(body, "'")] = '\0';
    check_answer_at(shared.port, json_post(body), 200, "{\"id\":\"T1\",\"probability\":0.");
    free(readme);
}

TEST_CASE(a_path_is_answered_exactly_or_not_found)
{
    char long_path[600]; // for longer than formatted keeps it
    const struct {
        const char *path, *words; // NULL: 404
    } cases[] = {{"/healthz", "{\"status\":\"ok\"}"},
                 {"/readyz?now", "{\"status\":\"ready\",\"model\":\"1\"}"},
                 {"/v2", "{\"name\":\"assay\",\"version\":\"0.2.0\",\"extensions\":[]}"},
                 {"/v2/health/live", "{\"live\":true}"},
                 {"/v2/health/ready", "{\"ready\":true}"},
                 {"/v2/models/" NAME "/ready", "{\"name\":\"models\",\"ready\":true}"},
                 {"/v2/models/" NAME "/versions/1/ready", "{\"name\":\"models\",\"ready\":true}"},
                 {"/web/none.js", NULL},
                 {"/predict/", NULL},
                 {"/v2/models/" NAME "/", NULL},
                 {"/v2/models/" NAME "/inferx", NULL},
                 {"/v2/models/" NAME "/versions//infer", NULL},
                 {"/v2/models/{model", NULL},
                 {long_path, NULL}};
    snprintf(long_path, sizeof long_path, "/v2/models/%0*d/infer", SEGMENT, 0);
    for (size_t i = 0; i < LENGTH(cases); i++)
        check_path(shared.port, "GET", cases[i].path, "", cases[i].words ? 200 : 404,
                   cases[i].words ? cases[i].words : "application/problem+json");
}

TEST_CASE(the_files_of_the_model_come_as_they_are_in_the_registry)
{
    static const char *const names[] = {"metrics.json", "card.md"};
    static const char *const types[] = {"application/json\r\n", "text/markdown; charset=utf-8\r\n"};
    for (size_t i = 0; i < 2; i++) {
        const char *name = formatted("models/1/%s", names[i]);
        const char *request = formatted(GET("/model/%s"), names[i]);
        ask_at(shared.port, request);
        assert_string_equal(heard.text, folder_text(name));
        assert_contains(heard.head, types[i]);
        succeed("mv $F/%s $F/moved", name);
        check_answer_at(shared.port, request, 404, "is gone from the registry, or unreadable");
        succeed("mkfifo $F/%s", name);
        check_answer_at(shared.port, request, 404, "is gone from the registry, or unreadable");
        succeed("mv $F/moved $F/%s", name);
        check_answer_at(shared.port, request, 200, types[i]);
    }
}

// Over HTTP; test_predict.c and test_recovery.c have what they answer.
TEST_CASE(two_routes_take_their_queries_and_refuse_others)
{
#define WHAT_IF(query)                                                                             \
    "POST " query " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 94"   \
    "\r\n\r\n{\"id\":\"W1\",\"time\":\"2018-05-20T00:00:00Z\",\"customer\":\"7\",\"terminal\":"    \
    "\"7\","                                                                                       \
    "\"amount\":        612.5}"
    static const char *const unknown[] = {"/decisions?id=", "/decisions?id=%00",
                                          "/decisions?id=W1%00", "/decisions?id=%ff%",
                                          "/decisions?id=W1%20"};
    static const char timed[] = "assay_predict_duration_seconds_count 0\n";
    server_begin(&own, "4", NULL);
    check_answer_at(own.port, WHAT_IF("/predict?store=false"), 200, "{\"id\":\"W1\",\"prob");
    check_answer_at(own.port, WHAT_IF("http://x/predict?store=false"), 200,
                    "{\"id\":\"W1\",\"prob");
    check_path(own.port, "GET", "/decisions", "", 200, "{\"decisions\":[]}");
    check_path(own.port, "GET", "/metrics", "", 200, timed);
    check_answer_at(own.port, WHAT_IF("/predict?store=no"), 400, "takes no query, or ?store=false");
    check_answer_at(own.port, WHAT_IF("/predict?store=false&x"), 400, "takes no query");
    check_answer_at(own.port, WHAT_IF("/predict?"), 200, "{\"id\":\"W1\"");
    // A request is counted after its answer.
    await_answer(own.port, GET("/metrics"), "assay_predict_duration_seconds_count 1\n");
    check_path(own.port, "GET", "/decisions?decision=review", "", 200, "{\"decisions\":[");
    check_path(own.port, "GET", "/decisions?decision=all", "", 400, "?decision=review");
    check_path(own.port, "GET", "/decisions?id=W%31", "", 200, "{\"id\":\"W1\",\"order\":1,");
    for (size_t i = 0; i < LENGTH(unknown); i++)
        check_path(own.port, "GET", unknown[i], "", 404, "no transaction of this id");
    check_path(own.port, "GET", "/decisions?id=W1&decision=review", "", 400, "or ?id=");
    check_path(own.port, "POST", "/predict?id=W1", "Content-Length: 0\r\n", 400, "takes no query");
    assert_int_equal(server_end(&own), 0);
}

TEST_CASE(another_version_and_binary_tensors_are_refused)
{
    static const struct {
        const char *version, *header;
        int status;
        const char *words;
    } cases[] = {{"", "", 422, "not found: inputs; an"},
                 {"/versions/2", "", 404, "version 1"},
                 {"", "Inference-Header-Content-Length: 2\r\n", 415, "\"error\":\"binary tensors"}};
    for (size_t i = 0; i < 3; i++)
        check_answer_at(shared.port,
                        formatted("POST /v2/models/" NAME "%s/infer HTTP/1.1\r\nHost: x\r\n%s"
                                  "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
                                  cases[i].version, cases[i].header),
                        cases[i].status, cases[i].words);
}

TEST_CASE(a_request_has_the_clients_id_or_one_of_ours)
{
    char ids[3][128];
    static const char *const requests[] = {
        "GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: \"}{\"\r\n\r\n", GET("/healthz"),
        "NO HTTP AT ALL\r\n\r\n"};
    check_path(shared.port, "GET", "/healthz", "X-Request-Id: Trace.1_a-b\r\n", 200,
               "\r\nX-Request-Id: Trace.1_a-b\r\n");
    for (size_t i = 0; i < 3; i++) {
        ask_at(shared.port, requests[i]);
        assert_int_equal(
            sscanf(strstr(heard.head, "X-Request-Id: "), "X-Request-Id: %127[^\r]", ids[i]), 1);
        assert_int_equal(strlen(ids[i]), 16);
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), 16);
    }
    assert_string_not_equal(ids[0], ids[1]);
}

TEST_CASE(the_access_log_contains_nothing_that_a_client_sent_but_its_id)
{
    static const char *const cases[][2] = {
        {JSON_POST "X-Request-Id: r1\r\nContent-Length: 12\r\n\r\n{\"geheim\":1}",
         "\"id\":\"r1\",\"method\":\"POST\",\"path\":\"/predict\",\"status\":400,\"bytes\":"},
        {GET("/geheim?geheim=1"), "\"method\":\"-\",\"path\":\"-\",\"status\":404"},
        {"GEHEIM /model HTTP/1.1\r\nHost: x\r\n\r\n",
         "\"method\":\"-\",\"path\":\"-\",\"status\":400"},
        {"GET /model HTTP/1.1\r\nHost: x\r\nX-Request-Id: ge heim\r\n\r\n",
         "\"method\":\"GET\",\"path\":\"/model\",\"status\":200"},
        {GET("/v2/models/geheim"), "\"path\":\"/v2/models/{model}\",\"status\":404"},
        {"POST /v2/models/geheim/versions/geheim/infer HTTP/1.1\r\nHost: x\r\n"
         "Content-Length: 0\r\n\r\n",
         "\"path\":\"/v2/models/{model}/versions/{version}/infer\",\"status\":415"},
    };
    server_begin(&own, "8", NULL);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        ask_at(own.port, cases[i][0]);
    }
    assert_int_equal(server_end(&own), 0);
    const char *log = folder_text("access.log"), *end;
    assert_null(strstr(log, "eheim"));
    // A line is written after its answer, so lines of several connections come in any order.
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_contains(log, cases[i][1]);
    for (; (end = strchr(log, '\n')); log = end + 1) {
        json_t *json = json_loadb(log, (size_t)(end - log), JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_object_size(json), 7);
        json_decref(json);
    }
}

// What ends the server, at the command line and later; and the same as text.
TEST_CASE(with_an_access_log_every_line_on_stderr_is_json)
{
    static const char *const cases[][2] = {
        {"--port x --access-log", "--port: 'x' is not a whole number"},
        {"--clock x --access-log", "is neither wall nor data"},
        {"--access-log --models '%s/a \"\\\xff\nb'", "b: cannot open the registry"},
        {"--access-log --models '%s/models' --token-file '%s'", "is not a regular file"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const int status = run("serve %s", formatted(cases[i][0], folder, folder));
        assert_int_equal(status, i < 2 ? 2 : 1);
        json_t *json = json_loads(log_text(), JSON_REJECT_DUPLICATES, NULL);
        assert_string_equal(json_string_value(json_object_get(json, "level")), "error");
        assert_contains(json_string_value(json_object_get(json, "message")), cases[i][1]);
        json_decref(json);
    }
    assert_int_equal(run("serve --models none"), 1);
    assert_contains(log_text(), "serve: none: cannot open the registry: No such file");
}

TEST_CASE(connections_are_closed_when_they_take_all_threads)
{
    static const char *const wanted[] = {"keep-alive", "close", ""};
    int fds[3];
    server_begin(&own, "2", NULL);
    for (int i = 0; i < 3; i++) { // the third would wait for the second otherwise
        fds[i] = dial(own.port);
        say(fds[i], GET("/healthz"), strlen(GET("/healthz")));
        hear(fds[i]);
        assert_int_equal(heard.status, 200);
        assert_non_null(strstr(strstr(heard.head, "Connection: "), wanted[i]));
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    assert_int_equal(server_end(&own), 0);
}

TEST_CASE(a_server_says_what_it_serves_or_why_it_cannot_start)
{
    char port[32];
    const struct {
        const char *arguments;
        int status;
        const char *words;
    } cases[] = {{"--allow-host shop:80", 1, "without port"},
                 {"--allow-host '*'", 1, "wildcard"},
                 {port, 1, "cannot listen"},
                 {"--host localhost", 1, "IPv4"},
                 {"--host 0.0.0.0", 1, "0.0.0.0"},
                 {"--durability x", 2, "nor full"}};
    assert_contains(shared.line, "serve: model 1 (sha256 ");
    assert_contains(shared.line, " up to 2018-05-02T");
    assert_contains(shared.line, ", new database /");
    snprintf(port, sizeof port, "--port %d", shared.port);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const int status = run("serve --models $F/models --state $F/before/state.bin --key "
                               "$F/key --database $F/none.db %s",
                               cases[i].arguments);
        if (status != cases[i].status || !strstr(log_text(), cases[i].words))
            fail_msg("%s: %d, %s", cases[i].arguments, status, log_text());
    }
}

TEST_CASE(every_answer_of_a_server_is_as_documented)
{
    server_begin(&own, "8", NULL);
    succeed("/usr/bin/python3 tests/openapi/check.py http://127.0.0.1:%d", own.port);
    assert_int_equal(server_end(&own), 0);
}

static json_t *document; // of the small service

static json_t *member(json_t *object, const char *path)
{
    for (; *path && object; path += strcspn(path, " "), path += *path == ' ') {
        object = json_object_get(object, formatted("%.*s", (int)strcspn(path, " "), path));
    }
    return object;
}

static void make(const char *time_format)
{
    assert_int_equal(setup(NULL), 0);
    struct schema *schema = &small.service.first->model.plan.schema;
    free(schema->time_format);
    schema->time_format = strdup(time_format);
    char *text = openapi_text(&small.service);
    document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    free(text);
}

static void release(void)
{
    json_decref(document);
    teardown(NULL);
}

TEST_CASE(every_route_is_documented_with_its_methods_and_security)
{
    static const char *const methods[][2] = {
        {"get", "GET"}, {"post", "POST"}, {"put", "PUT"}, {"delete", "DELETE"}};
    const struct route *route;
    size_t n = 0;
    make("%Y-%m-%d %H:%M:%S");
    assert_string_equal(json_string_value(member(document, "info version")), ASSAY_VERSION);
    for (route = routes; route->path; route++) {
        json_t *item = json_object_get(member(document, "paths"), route->path);
        if (!item && strncmp(route->path, "/web/", 5) == 0)
            continue; // a file of the pages is no part of the interface
        n++;
        for (size_t m = 0; m < 4; m++) {
            json_t *operation = json_object_get(item, methods[m][0]);
            const json_t *security = member(operation, "security");
            const bool open = security && json_array_size(security) == 0;
            const bool has_401 = member(operation, "responses 401") != NULL;
            if ((operation != NULL) != (strstr(route->allow, methods[m][1]) != NULL) ||
                (operation && (open != route->open || has_401 == route->open)))
                fail_msg("%s %s", methods[m][0], route->path);
        }
    }
    assert_int_equal(n, json_object_size(member(document, "paths")));
    release();
}

// The schema takes the texts that predict takes: as '0' and '1' for each.
static void check_texts(const char *const *texts, size_t n, const char *taken)
{
    assert_int_equal(json_dump_file(document, scratch_path("document"), 0), 0);
    char all[4096] = "";
    for (size_t i = 0, used = 0; i < n; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s\n", texts[i]);
    scratch_text("texts", all);
    succeed("/usr/bin/python3 tests/openapi/check.py $F/document $F/texts");
    assert_string_equal(log_text(), taken);
    for (size_t i = 0; i < n; i++) {
        ask(texts[i]);
        if ((reply.status == 200) != (taken[i] == '1'))
            fail_msg("%s: %s", texts[i], reply.text);
    }
}

TEST_CASE(the_schema_takes_what_the_server_takes)
{
#define AT "\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"5\""
    static const char *const texts[] = {
        "{\"id\":1," AT ",\"amount\":1}",
        "{\"id\":\"2\"," AT ",\"amount\":1,\"age\":null,\"channel\":null}",
        "{\"id\":3," AT ",\"amount\":1,\"age\":41.5,\"channel\":\"other\"}",
        "{\"id\":4,\"time\":1538381700,\"customer\":5,\"amount\":10000}",
        "{\"id\":5," AT "}",
        "{\"id\":5," AT ",\"amount\":10001}",
        "{\"id\":5," AT ",\"amount\":-1}",
        "{\"id\":5," AT ",\"amount\":\"1\"}",
        "{\"id\":5," AT ",\"amount\":1,\"label\":1}",
        "{\"id\":5," AT ",\"amount\":1,\"other\":7}",
        "{\"id\":\"\",\"time\":1538381700,\"customer\":5,\"amount\":1}",
        "{\"id\":1.5,\"time\":1538381700,\"customer\":5,\"amount\":1}",
        "{\"id\":1,\"time\":1538381700,\"customer\":\"\",\"amount\":1}",
    };
    make("%Y-%m-%d %H:%M:%S");
    check_texts(texts, 13, "1111000000000");
    json_t *properties = member(document, "components schemas Transaction properties");
    assert_true(json_number_value(member(properties, "age default")) == 40);
    json_t *known = json_pack("[s, s, s]", "web", "shop", "phone");
    assert_true(json_equal(member(properties, "channel examples"), known));
    json_decref(known);
    release();
}

TEST_CASE(where_times_are_numbers_the_example_has_one)
{
    static const char *const formats[] = {"epoch", "row"};
    for (size_t i = 0; i < 2; i++) {
        make(formats[i]);
        json_t *examples = member(document, "components schemas Transaction examples");
        char *example = json_dumps(json_array_get(examples, 0), 0);
        assert_true(json_is_integer(member(json_array_get(examples, 0), "time")));
        check_texts((const char *[]){example, "{\"id\":1," AT ",\"amount\":1}"}, 2, "10");
        free(example);
        release();
    }
}

// The last test, since the server is gone then.
TEST_CASE(sigterm_answers_what_is_in_flight_and_exits_with_0)
{
    static const char head[] = JSON_POST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    int fd = dial(shared.port);
    say(fd, head, sizeof head - 1);
    hear(fd); // 100: the request is in flight
    kill(shared.pid, SIGTERM);
    poll(NULL, 0, 500); // the signal has been taken by then
    say(fd, "{}", 2);
    hear(fd);
    assert_int_equal(heard.status, 422);
    assert_non_null(strstr(heard.head, "Connection: close"));
    close(fd);
    assert_int_equal(server_end(&shared), 0);
}

TESTS(server_artifacts, server_remove)
