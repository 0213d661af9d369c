// deploy: Prometheus scrapes a real server under the rules; the dashboard, the unit and the container
// are compared with what the server offers. test_nginx.c runs nginx.
#include "tests/deploy.h"

static struct server prometheus;

// A transaction of a customer and a terminal of its own; whether it goes to review.
static bool predict(int id, double amount)
{
    succeed("curl -sS --fail --max-time 60 -H 'Content-Type: application/json' "
            "http://127.0.0.1:%d/predict -d '{\"id\":\"P%d\",\"time\":\"2018-05-20T03:%02d:00Z\","
            "\"customer\":\"p%d\",\"terminal\":\"p%d\",\"amount\":%.2f}'",
            shared.port, id, id % 60, id, id, amount);
    return strstr(log_text(), "\"decision\":\"review\"");
}

// Precision and recall are defined after a reviewed transaction turned out to be fraud. The metrics
// are in folder/metrics then.
static int metrics_make(void **state)
{
    int reviewed = 0;
    if (tools_to_path() || server_artifacts(state))
        return -1;
    for (int id = 1; id <= 12; id++)
        reviewed = predict(id, 10 << id) ? id : reviewed;
    assert_true(reviewed > 0); // 10 to 40960 is much for any model
    succeed("curl -sS --fail --max-time 60 -H 'Content-Type: application/json' "
            "http://127.0.0.1:%d/feedback -d '{\"id\":\"P%d\",\"label\":1}'",
            shared.port, reviewed);
    succeed("curl -sS --fail --max-time 60 http://127.0.0.1:%d/metrics -o $F/metrics", shared.port);
    return 0;
}

static int all_end(void **state)
{
    const int status = prometheus.pid > 0 ? server_end(&prometheus) : 0;
    return server_remove(state) || status;
}

TEST_CASE(promtool_takes_metrics_configuration_and_rules)
{
    succeed("promtool check metrics <$F/metrics");
    succeed("promtool check config deploy/prometheus.yml");
    succeed("promtool check rules --lint=all --lint-fatal deploy/alerts.yml");
}

TEST_CASE(each_alert_has_its_words_and_fires_when_it_should)
{
    succeed("timeout 250 promtool test rules deploy/alerts_test.yml deploy/alerts_days_test.yml");
    succeed(
        "cd deploy && for part in 'expr: ' 'for: ' 'severity: ' 'summary: \"' 'description: >-'; "
        "do sed -n '/- alert:/,$p' alerts.yml | grep -c \"$part\"; done | sort -u >$F/n && "
        "grep -c -- '- alert:' alerts.yml | cmp - $F/n");
    // a test in which it fires, and one in which it does not
    succeed("cd deploy && for a in $(grep -oP 'alert: \\K\\w+' alerts.yml); do "
            "k=$(grep -ohP \"&\\K[a-z_]+(?= .*alertname=\\\"$a\\\")\" alerts_*test.yml) && "
            "grep -hE \"[*&]$k[ ,]\" alerts_*test.yml >$F/uses && grep -q exp_samples $F/uses && "
            "grep -qv exp_samples $F/uses || { echo $a is not tested both ways; exit 1; }; done");
}

TEST_CASE(each_panel_of_the_dashboard_has_its_words_and_queries)
{
    json_t *dashboard = json_load_file("deploy/grafana.json", JSON_REJECT_DUPLICATES, NULL), *panel;
    size_t i;
    assert_true(json_integer_value(json_object_get(dashboard, "schemaVersion")) >= 38);
    assert_int_equal(json_array_size(json_object_get(dashboard, "panels")), 38);
    json_array_foreach(json_object_get(dashboard, "panels"), i, panel)
    {
        const char *uid, *title, *description = "row", *type;
        if (json_unpack(panel, "{s:s, s:s}", "type", &type, "title", &title) ||
            (strcmp(type, "row") != 0 &&
             (json_unpack(panel, "{s:s, s:{s:s}, s:[{s:s}]}", "description", &description,
                          "datasource", "uid", &uid, "targets", "expr", &type) ||
              strcmp(uid, "${datasource}") != 0)))
            fail_msg("panel %zu is not complete", i);
    }
    json_decref(dashboard);
    succeed(
        "{ echo 'groups: [{name: panels, rules: ['; grep -oP '\"expr\": \\K\"(\\\\.|[^\"])*\"' "
        "deploy/grafana.json | sed 's/\\$__rate_interval/5m/g; s/.*/{record: \"a:b\", expr: &},/'; "
        "echo ']}]'; } >$F/panels.yml && test $(wc -l <$F/panels.yml) -ge 40 && "
        "promtool check rules --lint=none $F/panels.yml");
}

TEST_CASE(every_metric_in_alerts_and_dashboard_is_exposed)
{
    // names of recording rules follow a colon
    succeed("grep -hoE '(^|[^:_a-z])(assay|process)_[a-z0-9_]+' deploy/alerts.yml "
            "deploy/grafana.json | grep -oE '(assay|process)_.*' | sort -u >$F/asked; "
            "test $(wc -l <$F/asked) -ge 25 && while read -r name; do "
            "grep -qE \"^$name[{ ]\" $F/metrics || { echo \"no $name\"; exit 1; }; done <$F/asked");
}

TEST_CASE(the_options_of_unit_and_container_are_the_servers)
{
    succeed(
        "serve --help >$F/help; for file in assay.service Dockerfile; do "
        "options=$(sed -n '/^ExecStart=\\|^ENTRYPOINT /,/^#/p' deploy/$file | "
        "grep -v '^#' | grep -oE -- '--[a-z-]+') && test $(echo \"$options\" | wc -l) -ge 4 && "
        "for o in $options; do grep -qE -- \"^ +$o \" $F/help || { echo $file: no $o; exit 1; }; "
        "done || exit 1; done");
}

TEST_CASE(systemd_takes_the_unit_and_finds_it_closed)
{
    if (run("systemd-analyze --version"))
        skip(); // a machine without systemd
    succeed("sed 's|=/opt/assay/bin/serve|=/bin/true|' deploy/assay.service >$F/assay.service");
    succeed("systemd-analyze verify $F/assay.service");
    assert_string_equal(log_text(), ""); // it exits with 0 after warnings
    succeed("systemd-analyze security --offline=true --threshold=20 $F/assay.service");
}

static void prometheus_start(void)
{
    succeed("cp deploy/alerts.yml $F && sed -e 's|127.0.0.1:8081|127.0.0.1:%d|; s|: 15s|: 1s|' "
            "-e 's|timeout: 10s|timeout: 1s|' deploy/prometheus.yml >$F/prometheus.yml",
            shared.port);
    char *command = xasprintf("cd %s && exec prometheus --config.file=prometheus.yml "
                              "--storage.tsdb.path=tsdb --web.listen-address=%s:9090 "
                              ">prometheus.log 2>&1",
                              folder, own_address());
    prometheus.pid = fork();
    if (prometheus.pid == 0)
        _exit(execl("/bin/sh", "sh", "-c", command, (char *)NULL));
    free(command);
    succeed("curl -sS --fail --retry 200 --retry-delay 1 --retry-all-errors --retry-max-time 100 "
            "http://%s:9090/-/ready || { cat $F/prometheus.log; exit 1; }",
            own_address());
}

// The value of a query that gives one sample; -1 if it gives none.
static double value_of(const char *query)
{
    succeed("curl -sS --max-time 60 -G http://%s:9090/api/v1/query --data-urlencode 'query=%s'",
            own_address(), query);
    const char *at = strstr(log_text(), "\"value\":[");
    return at ? strtod(strchr(at, ',') + 2, NULL) : -1;
}

static void await_value(const char *query, double at_least)
{
    for (int ms = 0; value_of(query) < at_least; ms += 200) {
        if (ms > WAIT_MS)
            fail_msg("%s: below %g: %s", query, at_least, log_text());
        poll(NULL, 0, 200);
    }
}

TEST_CASE(prometheus_sees_the_predictions_grow)
{
    prometheus_start();
    await_value("up{job=\"assay\"}", 1);
    predict(101, 20);
    await_value("sum(assay_predictions_total)", 1);
    const double before = value_of("sum(assay_predictions_total)");
    for (int id = 102; id <= 106; id++)
        predict(id, 20);
    await_value("sum(assay_predictions_total)", before + 5);
    await_value("count(assay_model_info)", 1);
}

TEST_CASE(its_rules_evaluate_without_an_error_and_no_alert_fires)
{
    await_value("job:assay_predictions:rate5m", 0);
    succeed("cd $F && curl -sS --max-time 60 http://%s:9090/api/v1/rules >rules && "
            "test $(grep -o '\"health\":' rules | wc -l) -ge 28 && "
            "! grep -oE '.{200}\"(health\":\"err|state\":\"firing)\".{200}' rules",
            own_address());
}

TESTS(metrics_make, all_end)
