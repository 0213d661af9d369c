// The server as a process, over real sockets: what it answers, and how it begins and ends.
//
// The artifacts are made by the real programs from the committed sample. ASSAY_BIN names the folder
// of the programs.
#include "tests/server.h"

// ---- routes ----

static void the_first_line_names_model_address_state_and_database(void **state)
{
    (void)state;
    assert_non_null(strstr(shared.line, "serve: model 1 (sha256 "));
    assert_non_null(strstr(shared.line, " up to 2018-05-02T"));
    assert_non_null(strstr(shared.line, ", new database /"));
}

// What README.md's curl line sends: the text between the quotes behind -d.
static void read_readme(char *body, size_t size)
{
    char line[512];
    FILE *f = fopen("README.md", "r");
    assert_non_null(f);
    body[0] = '\0';
    while (!*body && fgets(line, sizeof line, f)) {
        const char *data = strstr(line, "-d '{");
        if (data)
            snprintf(body, size, "%.*s", (int)strcspn(data + 4, "'"), data + 4);
    }
    fclose(f);
    assert_true(*body);
}

static void the_line_of_the_readme_is_answered(void **state)
{
    struct answer a;
    char body[512];
    (void)state;
    int fd = dial(shared.port);
    read_readme(body, sizeof body);
    say_post(fd, body);
    hear(fd, &a);
    close(fd);
    assert_int_equal(a.status, 200);
    json_t *json = answer_json(&a);
    assert_string_equal(json_string_value(json_object_get(json, "id")), "T1");
    double p = json_number_value(json_object_get(json, "probability"));
    assert_true(p > 0 && p < 1);
    assert_int_equal(json_array_size(json_object_get(json, "reasons")), 4);
    json_decref(json);
    answer_free(&a);
}

static void health_readiness_and_the_model_are_told(void **state)
{
    struct answer a;
    (void)state;
    ask(&a, GET("/healthz"));
    assert_int_equal(a.status, 200);
    assert_string_equal(a.text, "{\"status\":\"ok\"}");
    answer_free(&a);
    ask(&a, GET("/readyz?now"));
    assert_int_equal(a.status, 200);
    answer_free(&a);
    ask(&a, GET("/model"));
    json_t *json = answer_json(&a);
    assert_string_equal(json_string_value(json_object_get(json, "model")), "1");
    assert_int_equal(strlen(json_string_value(json_object_get(json, "sha256"))), 64);
    const json_t *first = json_array_get(json_object_get(json, "inputs"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "amount");
    assert_true(json_number_value(json_object_get(first, "scale")) > 0);
    assert_true(json_is_number(json_object_get(json, "threshold")));
    assert_non_null(strstr(a.text, "mean(terminal, label, 7d, delay=7d)"));
    json_decref(json);
    answer_free(&a);
}

static void head_is_get_without_the_text(void **state)
{
    struct answer get, head;
    (void)state;
    ask(&get, GET("/model"));
    int fd = dial(shared.port);
    const char *request = "HEAD /model HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    say(fd, request, strlen(request));
    assert_int_equal(try_hear(fd, &head, false), 0);
    assert_int_equal(head.status, 200);
    assert_int_equal(strtoul(strstr(head.head, "Content-Length: ") + 16, NULL, 10), get.n);
    assert_true(is_closed(fd));
    close(fd);
    fd = dial(shared.port);
    request = "HEAD /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    say(fd, request, strlen(request));
    answer_free(&head);
    assert_int_equal(try_hear(fd, &head, false), 0);
    assert_int_equal(head.status, 404);
    assert_true(is_closed(fd));
    close(fd);
    answer_free(&get);
    answer_free(&head);
}

static void a_method_that_a_path_does_not_take_is_405_and_options_tells(void **state)
{
    static const struct {
        const char *request;
        int status;
        const char *head;
    } cases[] = {
        {GET("/predict"), 405, "Allow: POST, OPTIONS\r\n"},
        {"DELETE /model HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow: GET, HEAD, OPTIONS\r\n"},
        {"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, "Allow: GET"},
        {"OPTIONS /predict HTTP/1.1\r\nHost: x\r\n\r\n", 204, "Allow: POST, OPTIONS\r\n"},
        {"OPTIONS /predict HTTP/1.1\r\nHost: x\r\nOrigin: http://e\r\n"
         "Access-Control-Request-Method: POST\r\n\r\n",
         204, "Allow: POST, OPTIONS\r\n"},
        {GET("/page"), 404, "application/problem+json"},
        {GET("/predict/"), 404, ""},
        {GET("/../model"), 404, ""},
        {GET("//model"), 404, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a;
        ask(&a, cases[i].request);
        if (a.status != cases[i].status || !strstr(a.head, cases[i].head) ||
            strstr(a.head, "Access-Control"))
            fail_msg("%s: %s", cases[i].request, a.head);
        answer_free(&a);
    }
}

static void answers_follow_each_other_on_one_connection(void **state)
{
    struct answer a;
    (void)state;
    int fd = dial(shared.port);
    const char *two = GET("/healthz") JSON_POST "Content-Length: 2\r\n\r\n{}" GET("/readyz");
    static const int statuses[] = {200, 422, 200};
    say(fd, two, strlen(two));
    for (int i = 0; i < 3; i++) {
        hear(fd, &a);
        assert_int_equal(a.status, statuses[i]);
        assert_non_null(strstr(a.head, "Connection: keep-alive"));
        answer_free(&a);
    }
    close(fd);
}

// ---- many at once, and the end ----

struct client {
    int number, bad;
};

static void *ask_many(void *p)
{
    struct client *c = p;
    char body[256], request[512];
    int fd = dial(shared.port);
    for (int i = 0; i < 50; i++) {
        struct answer a;
        int n = snprintf(body, sizeof body,
                         "{\"id\":\"%d-%d\",\"time\":%d,\"customer\":\"client %d\","
                         "\"terminal\":\"c%d\",\"amount\":1.5}",
                         c->number, i, 1600000000 + i, c->number, c->number);
        n = snprintf(request, sizeof request, JSON_POST "Content-Length: %d\r\n\r\n%s", n, body);
        say(fd, request, (size_t)n);
        if (try_hear(fd, &a, true) || a.status != 200)
            c->bad++;
        answer_free(&a);
    }
    close(fd);
    return NULL;
}

static void clients_at_the_same_time_are_all_answered(void **state)
{
    enum { CLIENTS = 8 };
    pthread_t threads[CLIENTS];
    struct client clients[CLIENTS];
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(clients[i].bad, 0);
}

static void connections_are_closed_when_they_take_all_threads(void **state)
{
    struct answer a;
    (void)state;
    server_begin(&own, "2", NULL);
    int one = dial(own.port), two, three;
    say(one, GET("/healthz"), strlen(GET("/healthz")));
    hear(one, &a);
    assert_non_null(strstr(a.head, "Connection: keep-alive"));
    answer_free(&a);
    two = dial(own.port);
    say(two, GET("/healthz"), strlen(GET("/healthz")));
    hear(two, &a);
    assert_non_null(strstr(a.head, "Connection: close"));
    answer_free(&a);
    three = dial(own.port); // would wait for `two` otherwise
    say(three, GET("/healthz"), strlen(GET("/healthz")));
    hear(three, &a);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    close(one);
    close(two);
    close(three);
    assert_int_equal(server_end(&own), 0);
}

static void a_server_that_cannot_start_says_why(void **state)
{
    (void)state;
#define SERVE                                                                                      \
    "%s/serve --models %s/models --state %s/before/state.bin --key %s/key --database "             \
    "%s/none.db "
    assert_int_equal(run(SERVE "--host 0.0.0.0", bin, folder, folder, folder, folder), 1);
    assert_non_null(strstr(log_text(), "0.0.0.0"));
    assert_int_equal(run(SERVE "--port %d", bin, folder, folder, folder, folder, shared.port), 1);
    assert_non_null(strstr(log_text(), "cannot listen"));
    assert_int_equal(run(SERVE "--key %s/none", bin, folder, folder, folder, folder, folder), 1);
    assert_non_null(strstr(log_text(), "/none: "));
    assert_int_equal(run(SERVE "--models %s/none", bin, folder, folder, folder, folder, folder), 1);
    assert_int_equal(run(SERVE "--prot 1", bin, folder, folder, folder, folder), 2);
    assert_int_equal(run(SERVE "--port 70000", bin, folder, folder, folder, folder), 2);
}

// The last test, since the server is gone then.
static void sigterm_answers_what_is_in_flight_and_exits_with_0(void **state)
{
    static const char head[] = JSON_POST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    struct answer a;
    (void)state;
    int fd = dial(shared.port);
    say(fd, head, sizeof head - 1);
    hear(fd, &a); // 100: the request is in flight
    answer_free(&a);
    kill(shared.pid, SIGTERM);
    poll(NULL, 0, 50);
    say(fd, "{}", 2);
    hear(fd, &a);
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.head, "Connection: close"));
    answer_free(&a);
    close(fd);
    assert_int_equal(server_end(&shared), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_names_model_address_state_and_database),
        cmocka_unit_test(the_line_of_the_readme_is_answered),
        cmocka_unit_test(health_readiness_and_the_model_are_told),
        cmocka_unit_test(head_is_get_without_the_text),
        cmocka_unit_test(a_method_that_a_path_does_not_take_is_405_and_options_tells),
        cmocka_unit_test(answers_follow_each_other_on_one_connection),
        cmocka_unit_test(clients_at_the_same_time_are_all_answered),
        cmocka_unit_test_teardown(connections_are_closed_when_they_take_all_threads,
                                  server_end_own),
        cmocka_unit_test(a_server_that_cannot_start_says_why),
        cmocka_unit_test(sigterm_answers_what_is_in_flight_and_exits_with_0),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
