// The pages in a browser: the dashboard against the real server, and a report as a file. Checks in
// the page's own language are in checks.js.
#include "tests/browser.h"

#define LIVE     "document.body.dataset.state === 'live'"
#define TEXT(id) "document.getElementById('" id "').textContent"
#define DECIDED  "!document.getElementById('result-full').hidden"

static void open_page(const struct server *s)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s->port);
    browser_open(url);
    browser_wait("document.body.dataset.state !== 'starting'");
}

static void assert_no_complaint(void)
{
    char text[2000];
    if (browser_complaints(text, sizeof text) > 0)
        fail_msg("the console has: %s", text);
}

static void assert_text(const char *expression, const char *expected)
{
    json_t *text = browser_value(expression);
    assert_string_equal(json_string_value(text), expected);
    json_decref(text);
}

// A function of checks.js, with its arguments, finds nothing wrong.
static void assert_check(const char *call)
{
    static char code[16384], script[sizeof code + 64];
    FILE *f = fopen("tests/checks.js", "r");
    assert_non_null(f);
    code[fread(code, 1, sizeof code - 1, f)] = '\0';
    fclose(f);
    snprintf(script, sizeof script, "%s; return %s", code, call);
    json_t *value = browser_run(script);
    if (!json_is_string(value) || *json_string_value(value))
        fail_msg("%s: %s", call, json_string_value(value));
    json_decref(value);
}

// ---- the dashboard ----

static void each_file_comes_whole_with_its_type_and_a_policy(void **state)
{
    static const char *const files[][3] = {
        {"/", "text/html", "web/dashboard.html"},
        {"/web/style.css", "text/css", "web/style.css"},
        {"/web/page.js", "text/javascript", "web/page.js"},
        {"/web/chart.js", "text/javascript", "web/chart.js"},
        {"/web/form.js", "text/javascript", "web/form.js"},
        {"/web/dashboard.js", "text/javascript", "web/dashboard.js"},
        {"/web/icon.svg", "image/svg+xml", "web/icon.svg"},
        {"/web/chart.min.js", "text/javascript", "/usr/share/javascript/chart.js/chart.min.js"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char text[300];
        struct answer a;
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", files[i][0]);
        ask(&a, text);
        assert_int_equal(a.status, 200);
        snprintf(text, sizeof text, "\r\nContent-Type: %s", files[i][1]);
        assert_non_null(strstr(a.head, text));
        assert_non_null(strstr(a.head, "\r\nContent-Security-Policy: default-src 'none'; "));
        FILE *f = fopen(files[i][2], "rb");
        char *bytes = calloc(1, a.n + 1);
        assert_int_equal(fread(bytes, 1, a.n + 1, f), a.n);
        assert_memory_equal(bytes, a.text, a.n);
        fclose(f);
        free(bytes);
        answer_free(&a);
    }
    check_answer_at(shared.port, GET("/web/none.js"), 404, "none.js");
}

static void a_transaction_is_decided_and_its_reasons_are_shown(void **state)
{
    char shown[32];
    struct answer a;
    (void)state;
    open_page(&shared);
    browser_click("#unusual");
    browser_type("#field-customer", "58");
    browser_type("#field-amount", "612.5");
    browser_click("#send");
    browser_wait(DECIDED);
    ask(&a, GET("/decisions"));
    json_t *json = answer_json(&a);
    const json_t *newest = json_array_get(json_object_get(json, "decisions"), 0);
    double p = json_number_value(json_object_get(newest, "probability"));
    snprintf(shown, sizeof shown, p > 0.99995 ? "> 0.9999" : "%.4f", p);
    assert_text(TEXT("result-probability"), shown);
    assert_text(TEXT("result-decision"), json_string_value(json_object_get(newest, "decision")));
    assert_check("reasons()");
    json_decref(json);
    answer_free(&a);
    assert_no_complaint();
}

// Twenty transactions as one array, after all others.
static void decide(void)
{
    char body[4096];
    struct answer a;
    size_t n = 0;
    for (int i = 0; i < 20; i++)
        n += (size_t)snprintf(body + n, sizeof body - n,
                              "%c{\"id\":\"d%d\",\"time\":\"2018-07-01T10:00:%02dZ\","
                              "\"customer\":%d,\"terminal\":%d,\"amount\":%d}",
                              i ? ',' : '[', i, i, 100 + i, 200 + i, 10 + 40 * i);
    snprintf(body + n, sizeof body - n, "]");
    int fd = dial(shared.port);
    say_post(fd, body);
    hear(fd, &a);
    close(fd);
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

static void charts_and_table_follow_what_is_decided(void **state)
{
    (void)state;
    open_page(&shared);
    assert_check("prometheus()");
    browser_wait(LIVE " && Chart.getChart('chart-scores') !== undefined && "
                      "Chart.getChart('chart-rate').data.datasets[0].data.length >= 2");
    assert_check("remember()");
    decide();
    browser_wait("grown() === '20 20 20'");
    browser_wait("['chart-rate', 'chart-latency'].every((id) => "
                 "Chart.getChart(id).data.datasets[1].data.some((point) => point.y > 0))");
    assert_check("drift()");
    assert_no_complaint();
}

static void a_problem_is_shown_at_its_field(void **state)
{
    char text[2000];
    (void)state;
    open_page(&shared);
    browser_type("#field-amount", "12,50");
    browser_click("#send");
    browser_wait(TEXT(
        "error-amount") ".includes('a number') && "
                        "document.querySelector('[aria-invalid=true]') === document.activeElement");
    browser_type("#field-amount", "3");
    browser_click("#send");
    browser_wait(DECIDED " && !document.querySelector('[aria-invalid]')");
    assert_text(TEXT("error-amount"), "");
    assert_int_equal(browser_complaints(text, sizeof text), 1); // the browser's about status 422
}

// Without this no test could tell that the console works.
static void the_policy_refuses_an_inline_script(void **state)
{
    char text[2000];
    (void)state;
    open_page(&shared);
    assert_check("inlined()");
    assert_true(browser_complaints(text, sizeof text) > 0);
    assert_non_null(strstr(text, "Content Security Policy"));
}

static void a_server_that_stops_answering_is_told_and_so_is_its_return(void **state)
{
    (void)state;
    server_begin(&own, "16", NULL);
    open_page(&own);
    kill(own.pid, SIGSTOP);
    browser_wait(
        "document.body.dataset.state === 'away' && " TEXT("alarm") ".includes('does not answer')");
    kill(own.pid, SIGCONT);
    browser_wait(LIVE " && document.getElementById('alarm').hidden");
    browser_open("about:blank");
    assert_int_equal(server_end(&own), 0);
    assert_no_complaint();
}

static void the_token_is_asked_for_and_kept_for_the_tab(void **state)
{
    char text[2000];
    (void)state;
    server_begin(&own, "16", token_file());
    open_page(&own);
    browser_wait("document.body.dataset.state === 'locked' && "
                 "!document.getElementById('try').checkVisibility()");
    browser_type("#token", "of-another-server");
    browser_click("#access button");
    browser_wait(TEXT("token-error") ".includes('not take')");
    browser_type("#token", TOKEN);
    browser_click("#access button");
    browser_wait(LIVE " && document.getElementById('try').checkVisibility()");
    browser_complaints(text, sizeof text); // the browser's about status 401
    open_page(&own);
    browser_wait(LIVE);
    browser_click("#send");
    browser_wait(DECIDED);
    assert_true(browser_is("localStorage.length === 0 && document.cookie === ''"));
    assert_no_complaint();
    browser_open("about:blank");
    assert_int_equal(server_end(&own), 0);
}

static void assert_fits_phones_and_desktops_in_both_schemes(void)
{
    static const int widths[] = {1440, 768, 390};
    for (int i = 0; i < 6; i++) {
        char wait[300];
        browser_size(widths[i / 2], 900, i % 2);
        snprintf(wait, sizeof wait,
                 "innerWidth === %d && matchMedia('(prefers-color-scheme: %s)').matches && "
                 "Object.values(Chart.instances).every((c) => "
                 "Math.abs(c.width - c.canvas.parentElement.clientWidth) <= 1)",
                 widths[i / 2], i % 2 ? "dark" : "light");
        browser_wait(wait);
        assert_check("flaws()");
    }
    browser_size(1280, 900, false);
}

static void the_dashboard_fits_and_is_readable(void **state)
{
    (void)state;
    open_page(&shared);
    browser_click("#unusual");
    browser_click("#send");
    browser_wait(DECIDED " && Object.keys(Chart.instances).length === 5");
    assert_fits_phones_and_desktops_in_both_schemes();
    assert_no_complaint();
}

// ---- the report ----

// A text of the .ini that would end the script if it were not escaped.
#define HOSTILE "</script><script>window.ran = true</script><!-- <b>"

static void open_report(void)
{
    char url[512];
    if (run("{ cat datasets/sample.ini; echo '[card]'; echo 'limits = " HOSTILE "'; } "
            ">%s/hostile.ini; %s/train --config %s/hostile.ini --output %s/hostile %s/features",
            folder, bin, folder, folder, folder))
        fail_msg("%s", log_text());
    snprintf(url, sizeof url, "file://%s/hostile/1/report.html", folder);
    browser_open(url);
    browser_wait("Object.keys(Chart.instances).length === 10");
}

static void the_report_shows_the_figures_and_loads_nothing(void **state)
{
    (void)state;
    open_report();
    assert_text("document.title", "Assay: hostile, version 1");
    assert_check("figures()");
    assert_text(TEXT("card-limits"), HOSTILE);
    assert_true(browser_is("window.ran === undefined"));
    assert_true(browser_is("performance.getEntriesByType('resource').length === 0"));
    assert_no_complaint();
}

static void the_report_fits_prints_and_is_readable(void **state)
{
    (void)state;
    open_report();
    assert_fits_phones_and_desktops_in_both_schemes();
    browser_size(1280, 900, true);
    assert_check("watchPrint()");
    browser_cdp("Page.printToPDF", json_object());
    assert_check("printed()");
    browser_size(1280, 900, false);
    assert_no_complaint();
}

// ---- the group ----

static int start(void **state)
{
    if (server_artifacts(state))
        return -1;
    browser_start();
    browser_size(1280, 900, false);
    return 0;
}

static int end(void **state)
{
    browser_end(state);
    return server_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_comes_whole_with_its_type_and_a_policy),
        cmocka_unit_test(a_transaction_is_decided_and_its_reasons_are_shown),
        cmocka_unit_test(charts_and_table_follow_what_is_decided),
        cmocka_unit_test(a_problem_is_shown_at_its_field),
        cmocka_unit_test(the_policy_refuses_an_inline_script),
        cmocka_unit_test_teardown(a_server_that_stops_answering_is_told_and_so_is_its_return,
                                  server_end_own),
        cmocka_unit_test_teardown(the_token_is_asked_for_and_kept_for_the_tab, server_end_own),
        cmocka_unit_test(the_dashboard_fits_and_is_readable),
        cmocka_unit_test(the_report_shows_the_figures_and_loads_nothing),
        cmocka_unit_test(the_report_fits_prints_and_is_readable),
    };
    return cmocka_run_group_tests(tests, start, end);
}
