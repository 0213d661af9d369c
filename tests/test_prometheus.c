// prometheus: /metrics of the real server as Prometheus reads it, and every name that the alerts and the
// dashboard ask for in it.
#include "tests/deploy.h"

static pid_t prometheus;
static int port; // of Prometheus

// ---- the server and its metrics ----

// A transaction of a customer and a terminal of its own; whether it goes to review.
static bool predict(int id, double amount)
{
    char body[256];
    struct answer a;
    snprintf(body, sizeof body,
             "{\"id\":\"P%d\",\"time\":\"2018-05-20T03:%02d:00Z\",\"customer\":\"p%d\","
             "\"terminal\":\"p%d\",\"amount\":%.2f}",
             id, id % 60, id, id, amount);
    int fd = dial(shared.port);
    say_post(fd, body);
    hear(fd, &a);
    close(fd);
    const bool review = strstr(a.text, "\"decision\":\"review\"");
    answer_free(&a);
    if (a.status != 200)
        fail_msg("%s: %s", body, a.head);
    return review;
}

static void feedback(int id, int label)
{
    char body[64], request[256];
    struct answer a;
    snprintf(body, sizeof body, "{\"id\":\"P%d\",\"label\":%d}", id, label);
    snprintf(request, sizeof request,
             "POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    ask(&a, request);
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

// The text of /metrics, in folder/metrics too; to be freed.
static char *metrics(void)
{
    char path[300];
    struct answer a;
    ask(&a, GET("/metrics"));
    if (a.status != 200)
        fail_msg("/metrics: %s%s", a.head, a.text);
    assert_non_null(strstr(a.head, "Content-Type: text/plain; version=0.0.4"));
    snprintf(path, sizeof path, "%s/metrics", folder);
    write_file(path, a.text);
    return a.text;
}

// Precision and recall are there once a reviewed transaction turned out to be fraud.
static void make_every_metric_defined(void)
{
    int reviewed = 0;
    for (int id = 1; id <= 12; id++)
        if (predict(id, 10 << id))
            reviewed = id;
    assert_true(reviewed > 0); // one of 10 to 40960 is much for any model
    feedback(reviewed, 1);
}

static void the_metrics_pass_the_check_of_promtool(void **state)
{
    (void)state;
    make_every_metric_defined();
    free(metrics());
    if (run("promtool check metrics <%s/metrics", folder))
        fail_msg("%s", log_text());
}

// Whether a sample of this name stands in the text.
static bool has_sample(const char *text, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at++)
        if ((at == text || at[-1] == '\n') && (at[n] == '{' || at[n] == ' '))
            return true;
    return false;
}

// Names that begin with assay_ or process_, but for those of recording rules, which stand behind a colon.
static size_t check_names(const char *path, const char *prefix, const char *exposed)
{
    char *text = file_text(path), name[128];
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, prefix)); at++) {
        if (at > text && (at[-1] == ':' || at[-1] == '_'))
            continue;
        assert_int_equal(sscanf(at, "%127[a-z0-9_]", name), 1);
        if (!has_sample(exposed, name))
            fail_msg("%s: %s is not in /metrics:\n%s", path, name, exposed);
        n++;
    }
    free(text);
    return n;
}

static void every_metric_of_alerts_and_dashboard_is_exposed(void **state)
{
    (void)state;
    static const char *const files[] = {"deploy/alerts.yml", "deploy/grafana.json"};
    char *exposed = metrics();
    for (size_t i = 0; i < 2; i++) {
        assert_true(check_names(files[i], "assay_", exposed) >= 20);
        assert_true(check_names(files[i], "process_", exposed) >= 1);
    }
    free(exposed);
}

// ---- Prometheus ----

static int prometheus_start(void **state)
{
    char target[64], config[300], storage[320], listen[64], log[300];
    (void)state;
    port = free_port();
    snprintf(target, sizeof target, "\"127.0.0.1:%d\"", shared.port);
    snprintf(config, sizeof config, "%s/prometheus.yml", folder);
    snprintf(storage, sizeof storage, "--storage.tsdb.path=%s/tsdb", folder);
    snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%d", port);
    snprintf(log, sizeof log, "%s/prometheus.log", folder);
    const struct place places[] = {{"\"127.0.0.1:8080\"", target},
                                   {"scrape_interval: 15s", "scrape_interval: 1s"},
                                   {"scrape_timeout: 10s", "scrape_timeout: 1s"},
                                   {"evaluation_interval: 15s", "evaluation_interval: 1s"}};
    copy_with("deploy/prometheus.yml", config, places, sizeof places / sizeof *places);
    if (run("cp deploy/alerts.yml %s", folder))
        return -1;
    char file[320];
    snprintf(file, sizeof file, "--config.file=%s", config);
    char *const argv[] = {"prometheus", file, storage, listen, NULL};
    prometheus = background(log, argv);
    if (await_port(prometheus, port) == 0)
        return 0;
    char *said = file_text(log);
    fprintf(stderr, "prometheus: %s\n", said);
    free(said);
    return -1;
}

static int all_end(void **state)
{
    const int status = prometheus > 0 ? end_process(prometheus) : 0;
    if (status)
        fprintf(stderr, "prometheus ended with %d\n", status);
    return server_remove(state) || status;
}

// The value of a query that gives one sample; -1 while it gives none.
static double query(const char *expression)
{
    run("curl -s --max-time 10 --data-urlencode 'query=%s' http://127.0.0.1:%d/api/v1/query",
        expression, port);
    json_t *reply = json_loads(log_text(), 0, NULL), *result;
    const char *value;
    double number = -1;
    if (json_unpack(reply, "{s:{s:o}}", "data", "result", &result) == 0 &&
        json_array_size(result) == 1 &&
        json_unpack(json_array_get(result, 0), "{s:[f,s]}", "value", &number, &value) == 0)
        number = strtod(value, NULL);
    json_decref(reply);
    return number;
}

static void await_value(const char *expression, double at_least)
{
    for (int ms = 0; ms < WAIT_MS; ms += 200) {
        if (query(expression) >= at_least)
            return;
        poll(NULL, 0, 200);
    }
    fail_msg("%s: below %g after %d ms\n%s", expression, at_least, WAIT_MS, log_text());
}

static void prometheus_sees_the_predictions_grow(void **state)
{
    (void)state;
    await_value("up{job=\"assay\"}", 1);
    predict(101, 20);
    await_value("sum(assay_predictions_total)", 1);
    const double before = query("sum(assay_predictions_total)");
    for (int id = 102; id <= 106; id++)
        predict(id, 20);
    await_value("sum(assay_predictions_total)", before + 5);
    await_value("sum(increase(assay_predictions_total[1m]))", 5);
    await_value("count(assay_model_info)", 1);
}

static void its_rules_evaluate_without_an_error_and_no_alert_is_raised(void **state)
{
    (void)state;
    char path[300];
    json_t *groups, *group, *rule;
    size_t i, k, n = 0;
    await_value("job:assay_predictions:rate5m", 0);
    run("curl -s --max-time 10 http://127.0.0.1:%d/api/v1/rules", port);
    snprintf(path, sizeof path, "%s/log", folder);
    json_t *reply = json_load_file(path, 0, NULL);
    assert_int_equal(json_unpack(reply, "{s:{s:o}}", "data", "groups", &groups), 0);
    json_array_foreach(groups, i, group)
    {
        json_array_foreach(json_object_get(group, "rules"), k, rule)
        {
            const char *health = json_string_value(json_object_get(rule, "health"));
            const char *alert = json_string_value(json_object_get(rule, "state"));
            if (strcmp(health, "err") == 0 || (alert && strcmp(alert, "firing") == 0))
                fail_msg("%s", json_dumps(rule, 0));
            n++;
        }
    }
    assert_true(n > 25);
    json_decref(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_metrics_pass_the_check_of_promtool),
        cmocka_unit_test(every_metric_of_alerts_and_dashboard_is_exposed),
        cmocka_unit_test_setup(prometheus_sees_the_predictions_grow, prometheus_start),
        cmocka_unit_test(its_rules_evaluate_without_an_error_and_no_alert_is_raised),
    };
    return tools_to_path() || cmocka_run_group_tests(tests, server_artifacts, all_end);
}
