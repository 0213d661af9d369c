// The dashboard in a browser, against the real server. Screenshots are left in build/screenshots/.
#define _GNU_SOURCE // strcasestr
#include "tests/browser.h"

#define LIVE "document.body.dataset.state === 'live'"

static void open_page(const struct server *s)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s->port);
    browser_open(url);
}

static void assert_no_complaint(void)
{
    char text[2000];
    if (browser_complaints(text, sizeof text) > 0)
        fail_msg("the console has: %s", text);
}

// ---- the page ----

static json_t *decisions_of_the_server(void)
{
    struct answer a;
    ask(&a, GET("/decisions"));
    json_t *json = json_loadb(a.text, a.n, 0, NULL);
    answer_free(&a);
    assert_non_null(json);
    return json;
}

static void a_transaction_is_decided_and_its_reasons_are_shown(void **state)
{
    char shown[32];
    (void)state;
    browser_size(1280, 900, false);
    open_page(&shared);
    browser_wait(LIVE);
    browser_click("#unusual");
    browser_type("#field-customer", "58");
    browser_type("#field-amount", "612.5");
    browser_click("#send");
    browser_wait("!document.getElementById('result-full').hidden");
    json_t *json = decisions_of_the_server();
    const json_t *newest = json_array_get(json_object_get(json, "decisions"), 0);
    double p = json_number_value(json_object_get(newest, "probability"));
    snprintf(shown, sizeof shown, p > 0.99995 ? "> 0.9999" : "%.4f", p);
    assert_true(p > 0.00005);
    char *probability = browser_text("document.getElementById('result-probability').textContent");
    char *decision = browser_text("document.getElementById('result-decision').textContent");
    assert_string_equal(probability, shown);
    assert_string_equal(decision, json_string_value(json_object_get(newest, "decision")));
    assert_true(browser_number("document.querySelectorAll('#reasons tr').length") == 4);
    assert_true(browser_is("[...document.querySelectorAll('#reasons i')].every((bar, i) => "
                           "(i > 0 || bar.offsetWidth > 20) && bar.className === "
                           "(bar.closest('tr').lastChild.textContent[0] === '+' ? 'review' : "
                           "'approve'))"));
    free(probability);
    free(decision);
    json_decref(json);
    assert_no_complaint();
}

// By Prometheus' own definitions: of the format's text, and of histogram_quantile.
static void metrics_and_quantiles_are_read_as_prometheus_means_them(void **state)
{
    (void)state;
    open_page(&shared);
    assert_true(browser_is(
        "(() => {"
        "  const m = new Metrics('# HELP a {x=\"1\"} 2\\na{k=\"q\\\\\"} \\\\n\",v=\"1\"} 3 17\\n"
        "a{v=\"2\"} 4e1\\nb NaN\\nh_bucket{le=\"+Inf\"} 9\\nh_bucket{le=\"0.5\"} 4\\n');"
        "  return m.sum('a') === 43 && m.sum('a', {v: '1'}) === 3 && m.get('none') === undefined"
        "    && m.all('a')[0].labels.k === 'q\"} \\n' && Number.isNaN(m.get('b'))"
        "    && JSON.stringify(m.histogram('h').counts) === '[4,5]'"
        "    && m.histogram('h').edges[1] === Infinity"
        "    && quantile([1, 2, 4, Infinity], [0, 10, 10, 0], 0.5) === 2"
        "    && quantile([1, 2, 4, Infinity], [0, 10, 10, 0], 0.75) === 3"
        "    && quantile([1, 2, Infinity], [4, 0, 0], 0.5) === 0.5"
        "    && quantile([1, 2, Infinity], [0, 0, 4], 0.99) === 2"
        "    && quantile([1, Infinity], [0, 0], 0.5) === null; })()"));
}

// n transactions as one array, later than all before.
static void decide(int n)
{
    static int call;
    char body[8192];
    struct answer a;
    size_t length = 0;
    call++;
    for (int i = 0; i < n; i++)
        length += (size_t)snprintf(body + length, sizeof body - length,
                                   "%c{\"id\":\"d%d-%d\",\"time\":\"2018-07-0%dT10:00:%02dZ\","
                                   "\"customer\":%d,\"terminal\":%d,\"amount\":%d}",
                                   i ? ',' : '[', call, i, call, i, 100 + i, 200 + i, 10 + 40 * i);
    snprintf(body + length, sizeof body - length, "]");
    int fd = dial(shared.port);
    say_post(fd, body);
    hear(fd, &a);
    close(fd);
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

#define POINTS(id) "Chart.getChart('" id "').data.datasets"
#define SUM(id)                                                                                    \
    POINTS(id) ".flatMap((set) => set.data).reduce((sum, point) => sum + (point.y ?? 0), 0)"
#define ROWS "document.querySelectorAll('#decisions tr').length"

static void charts_move_and_the_table_grows_with_what_is_decided(void **state)
{
    char wait[256];
    (void)state;
    browser_size(1280, 900, false);
    open_page(&shared);
    browser_wait(LIVE " && Chart.getChart('chart-scores') !== undefined");
    browser_wait("Chart.getChart('chart-rate').data.datasets[0].data.length >= 2");
    double scores = browser_number(SUM("chart-scores")), rows = browser_number(ROWS);
    double decisions = browser_number(SUM("chart-decisions"));
    decide(20);
    snprintf(wait, sizeof wait, SUM("chart-scores") " === %g", scores + 20);
    browser_wait(wait);
    snprintf(wait, sizeof wait, SUM("chart-decisions") " === %g", decisions + 20);
    browser_wait(wait);
    snprintf(wait, sizeof wait, ROWS " === %g", rows + 20 < 50 ? rows + 20 : 50);
    browser_wait(wait);
    browser_wait(POINTS("chart-rate") "[1].data.some((point) => point.y > 0)");
    browser_wait(POINTS("chart-latency") "[1].data.some((point) => point.y > 0)");
    assert_no_complaint();
}

// What the page draws of drift is what the server says, the largest first.
static void every_drift_of_the_metrics_has_its_bar(void **state)
{
    (void)state;
    open_page(&shared);
    decide(40);
    browser_wait(
        "fetch('/metrics').then((answer) => answer.text()).then((text) => {"
        "  const said = [...text.matchAll(/^assay_(?:feature|score)_drift_psi\\S* (\\S+)/gm)]"
        "    .map((m) => Number(m[1])).filter(Number.isFinite).sort((a, b) => b - a).slice(0, 24);"
        "  const drawn = Chart.getChart('chart-drift')?.data.datasets[0].data;"
        "  return said.length > 0 && JSON.stringify(said) === JSON.stringify(drawn); })");
    assert_no_complaint();
}

static void a_problem_is_shown_at_its_field(void **state)
{
    char text[2000];
    (void)state;
    open_page(&shared);
    browser_wait(LIVE);
    browser_type("#field-amount", "12,50");
    browser_click("#send");
    browser_wait("document.getElementById('error-amount').textContent.includes('a number')");
    assert_true(browser_is("document.activeElement.id === 'field-amount' && "
                           "document.activeElement.getAttribute('aria-invalid') === 'true'"));
    browser_type("#field-amount", "-3");
    browser_click("#send");
    browser_wait("document.getElementById('error-amount').textContent.includes('less than 0')");
    browser_type("#field-amount", "3");
    browser_click("#send");
    browser_wait("!document.getElementById('result-full').hidden && "
                 "document.getElementById('error-amount').textContent === '' && "
                 "!document.querySelector('[aria-invalid]')");
    // The browser itself notes the two answers of 422.
    assert_int_equal(browser_complaints(text, sizeof text), 2);
}

// ---- looks ----

// Texts of less contrast than 4.5 to the background behind them (WCAG 2.1, 1.4.3), as a list in words.
static const char dim_texts[] =
    "(() => {"
    "const light = (c) => c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : "
    "  ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], "
    "0);"
    "const rgb = (text) => text.match(/[\\d.]+/g).map(Number);"
    "const behind = (e) => { const c = rgb(getComputedStyle(e).backgroundColor);"
    "  return c.length === 3 || c[3] === 1 ? c.slice(0, 3) : behind(e.parentElement); };"
    "const texts = [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() &&"
    "  !e.closest('canvas, svg, :disabled') && [...e.childNodes].some((n) => n.nodeType === 3 && "
    "  n.data.trim()));"
    "const dim = texts.filter((e) => { const a = light(rgb(getComputedStyle(e).color).slice(0, 3)),"
    "  b = light(behind(e)); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5; });"
    "return texts.length < 50 ? 'too few texts' : dim.map((e) => e.outerHTML.slice(0, 80)).join(); "
    "})()";

// Elements that stand out of the page's width.
static const char wide_elements[] =
    "[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && "
    "!e.closest('.unseen, thead') && (e.getBoundingClientRect().right > innerWidth + 0.5 || "
    "e.getBoundingClientRect().left < -0.5)).map((e) => e.outerHTML.slice(0, 80)).join()";

static void assert_empty(const char *expression, const char *what)
{
    char *text = browser_text(expression);
    if (*text)
        fail_msg("%s: %s", what, text);
    free(text);
}

static void it_fits_phones_and_desktops_and_is_readable_in_both_schemes(void **state)
{
    static const struct {
        int width, height;
    } sizes[] = {{1280, 900}, {768, 1024}, {390, 844}, {360, 740}};
    char name[64], wait[256];
    (void)state;
    open_page(&shared);
    browser_wait(LIVE);
    browser_click("#unusual");
    browser_click("#send");
    browser_wait("!document.getElementById('result-full').hidden");
    for (int i = 0; i < 8; i++) {
        int width = sizes[i / 2].width;
        bool dark = i % 2;
        browser_size(width, sizes[i / 2].height, dark);
        // Charts follow the size in a callback of the browser's.
        snprintf(wait, sizeof wait,
                 "innerWidth === %d && matchMedia('(prefers-color-scheme: %s)').matches && "
                 "Object.values(Chart.instances).every((c) => c.width === "
                 "c.canvas.parentElement.clientWidth)",
                 width, dark ? "dark" : "light");
        browser_wait(wait);
        assert_true(browser_number("document.documentElement.scrollWidth") <= width);
        assert_empty(wide_elements, "wider than the page");
        assert_empty(dim_texts, "too little contrast");
        snprintf(name, sizeof name, "dashboard-%d-%s", width, dark ? "dark" : "light");
        browser_shoot(name);
    }
    assert_no_complaint();
}

static void everything_has_a_name_for_those_who_do_not_see_it(void **state)
{
    (void)state;
    open_page(&shared);
    browser_wait(LIVE " && Object.keys(Chart.instances).length === 5");
    assert_empty("[...document.querySelectorAll('input')].filter((e) => !e.labels.length)"
                 ".map((e) => e.id).join()",
                 "without a label");
    assert_empty("[...document.querySelectorAll('canvas')].filter((e) => "
                 "!e.getAttribute('aria-label') || !e.textContent).map((e) => e.id).join()",
                 "without a text");
    assert_empty("[...document.querySelectorAll('table')].filter((e) => "
                 "e.querySelectorAll('th[scope=col]').length !== e.tHead.rows[0].cells.length)"
                 ".map((e) => e.className).join()",
                 "without headers");
    assert_true(browser_is("document.documentElement.lang === 'en' && "
                           "document.querySelectorAll('h1').length === 1"));
}

// Without this no test could tell that the console stays empty.
static void what_the_policy_forbids_is_refused_and_complained_of(void **state)
{
    char text[2000];
    (void)state;
    open_page(&shared);
    browser_wait(LIVE);
    assert_true(
        browser_is("(() => { const script = document.createElement('script'); "
                   "script.textContent = 'window.ran = true'; document.body.append(script); "
                   "return window.ran === undefined; })()"));
    assert_true(browser_complaints(text, sizeof text) > 0);
    assert_non_null(strstr(text, "Content Security Policy"));
}

// ---- trouble ----

static void a_server_that_is_away_is_said_and_so_is_its_return(void **state)
{
    (void)state;
    server_begin(&own, "16", NULL);
    open_page(&own);
    browser_wait(LIVE);
    kill(own.pid, SIGSTOP);
    browser_wait("document.body.dataset.state === 'away' && "
                 "document.getElementById('alarm').textContent.includes('does not answer')");
    kill(own.pid, SIGCONT);
    browser_wait(LIVE " && document.getElementById('alarm').hidden");
    browser_open("about:blank");
    assert_int_equal(server_end(&own), 0);
    assert_no_complaint();
}

static void write_token(char *path, size_t size, const char *token)
{
    snprintf(path, size, "%s/token", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(token, f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static void a_token_that_is_wanted_is_asked_for_and_kept_for_the_tab(void **state)
{
    char path[300], text[2000];
    (void)state;
    write_token(path, sizeof path, "0123456789abcdef.token");
    server_begin(&own, "16", path);
    open_page(&own);
    browser_wait("document.body.dataset.state === 'locked' && "
                 "document.getElementById('token').checkVisibility() && "
                 "!document.getElementById('try').checkVisibility()");
    browser_shoot("dashboard-token");
    browser_type("#token", "of-another-server");
    browser_click("#access button");
    browser_wait("document.getElementById('token-error').textContent.includes('not take')");
    browser_type("#token", "0123456789abcdef.token");
    browser_click("#access button");
    browser_wait(LIVE " && document.getElementById('try').checkVisibility()");
    browser_complaints(text, sizeof text); // of the answers of 401
    open_page(&own);
    browser_wait(LIVE);
    browser_click("#send");
    browser_wait("!document.getElementById('result-full').hidden");
    assert_true(browser_is("localStorage.length === 0 && document.cookie === ''"));
    assert_no_complaint();
    browser_open("about:blank");
    assert_int_equal(server_end(&own), 0);
}

// ---- the group ----

static int start(void **state)
{
    if (server_artifacts(state))
        return -1;
    browser_start();
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
        cmocka_unit_test(a_transaction_is_decided_and_its_reasons_are_shown),
        cmocka_unit_test(metrics_and_quantiles_are_read_as_prometheus_means_them),
        cmocka_unit_test(charts_move_and_the_table_grows_with_what_is_decided),
        cmocka_unit_test(every_drift_of_the_metrics_has_its_bar),
        cmocka_unit_test(a_problem_is_shown_at_its_field),
        cmocka_unit_test(it_fits_phones_and_desktops_and_is_readable_in_both_schemes),
        cmocka_unit_test(everything_has_a_name_for_those_who_do_not_see_it),
        cmocka_unit_test(what_the_policy_forbids_is_refused_and_complained_of),
        cmocka_unit_test_teardown(a_server_that_is_away_is_said_and_so_is_its_return,
                                  server_end_own),
        cmocka_unit_test_teardown(a_token_that_is_wanted_is_asked_for_and_kept_for_the_tab,
                                  server_end_own),
    };
    return cmocka_run_group_tests(tests, start, end);
}
