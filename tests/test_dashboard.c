// The dashboard's files, over raw sockets. The page that they make is tested in test_page.c.
#include "tests/server.h"

static const struct {
    const char *path, *type, *file;
} files[] = {
    {"/", "text/html; charset=utf-8", "web/dashboard.html"},
    {"/web/style.css", "text/css; charset=utf-8", "web/style.css"},
    {"/web/page.js", "text/javascript; charset=utf-8", "web/page.js"},
    {"/web/chart.js", "text/javascript; charset=utf-8", "web/chart.js"},
    {"/web/form.js", "text/javascript; charset=utf-8", "web/form.js"},
    {"/web/dashboard.js", "text/javascript; charset=utf-8", "web/dashboard.js"},
    {"/web/icon.svg", "image/svg+xml", "web/icon.svg"},
    {"/web/chart.min.js", "text/javascript; charset=utf-8",
     "/usr/share/javascript/chart.js/chart.min.js"},
};
enum { N_FILES = sizeof files / sizeof *files };

static void assert_has(const char *head, const char *line)
{
    if (!strstr(head, line))
        fail_msg("no '%s' in %s", line, head);
}

static void assert_is_file(const struct answer *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(a->n + 1);
    assert_non_null(f);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, a->n + 1, f), a->n);
    assert_memory_equal(text, a->text, a->n);
    free(text);
    fclose(f);
}

static void each_file_comes_whole_with_its_type_and_a_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_FILES; i++) {
        char request[128], line[128];
        struct answer a;
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", files[i].path);
        snprintf(line, sizeof line, "\r\nContent-Type: %s\r\n", files[i].type);
        ask(&a, request);
        assert_int_equal(a.status, 200);
        assert_has(a.head, line);
        assert_has(a.head, "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; ");
        assert_has(a.head, "\r\nX-Content-Type-Options: nosniff\r\n");
        assert_is_file(&a, files[i].file);
        answer_free(&a);
    }
}

// The head of an answer is not that of the one before on the same connection.
static void no_other_answer_has_the_policy_of_a_file_before_it(void **state)
{
    struct answer page, health;
    (void)state;
    int fd = dial(shared.port);
    say(fd, GET("/web/chart.min.js"), strlen(GET("/web/chart.min.js")));
    hear(fd, &page);
    say(fd, GET("/healthz"), strlen(GET("/healthz")));
    hear(fd, &health);
    close(fd);
    assert_non_null(strstr(page.head, "Content-Security-Policy"));
    assert_null(strstr(health.head, "Content-Security-Policy"));
    assert_string_equal(health.text, "{\"status\":\"ok\"}");
    answer_free(&page);
    answer_free(&health);
}

static void with_a_token_the_files_are_open_and_what_they_ask_for_is_not(void **state)
{
    struct answer a;
    char path[300], request[128];
    (void)state;
    snprintf(path, sizeof path, "%s/token", folder);
    assert_int_equal(run("umask 077; printf 0123456789abcdef >%s", path), 0);
    server_begin(&own, "8", path);
    for (size_t i = 0; i < N_FILES; i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", files[i].path);
        ask_own(&a, request);
        assert_int_equal(a.status, 200);
        answer_free(&a);
    }
    ask_own(&a, GET("/model"));
    assert_int_equal(a.status, 401);
    answer_free(&a);
    assert_int_equal(server_end(&own), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_comes_whole_with_its_type_and_a_policy),
        cmocka_unit_test(no_other_answer_has_the_policy_of_a_file_before_it),
        cmocka_unit_test_teardown(with_a_token_the_files_are_open_and_what_they_ask_for_is_not,
                                  server_end_own),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
