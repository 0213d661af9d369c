// deploy: the rules, the dashboard and the unit, checked by the tools that read them, and against what
// the programs offer. test_prometheus.c and test_nginx.c run the daemons.
#include "tests/deploy.h"

#include <ctype.h>

static char *alerts, *alert_tests;

static char *joined(char *a, char *b)
{
    const size_t size = strlen(a) + strlen(b) + 1;
    char *both = malloc(size);
    assert_non_null(both);
    snprintf(both, size, "%s%s", a, b);
    free(a);
    free(b);
    return both;
}

static int files_read(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    bin = getenv("ASSAY_BIN") ? getenv("ASSAY_BIN") : "build/bin";
    snprintf(folder, sizeof folder, "%s/assay-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    alerts = file_text("deploy/alerts.yml");
    alert_tests =
        joined(file_text("deploy/alerts_test.yml"), file_text("deploy/alerts_days_test.yml"));
    return tools_to_path() || !mkdtemp(folder) ? -1 : 0;
}

static int files_free(void **state)
{
    (void)state;
    free(alerts);
    free(alert_tests);
    return run("rm -rf '%s'", folder);
}

static void succeed(const char *command)
{
    int status = run("%s", command);
    if (status)
        fail_msg("%s: exit status %d\n%s", command, status, log_text());
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

// ---- Prometheus' files ----

static void prometheus_takes_the_configuration_and_the_rules(void **state)
{
    (void)state;
    succeed("promtool check config deploy/prometheus.yml");
    succeed("promtool check rules --lint=all --lint-fatal deploy/alerts.yml");
}

static void each_alert_fires_when_it_should_and_not_before(void **state)
{
    (void)state;
    succeed("timeout 200 promtool test rules deploy/alerts_test.yml deploy/alerts_days_test.yml");
}

// The text from one alert to the next, in a buffer of its own; NULL after the last.
static const char *alert_block(const char **at, char name[64])
{
    static char block[4096];
    const char *start = strstr(*at, "- alert: ");
    if (!start)
        return NULL;
    assert_int_equal(sscanf(start, "- alert: %63[A-Za-z]", name), 1);
    const char *end = strstr(start + 1, "- alert: ");
    snprintf(block, sizeof block, "%.*s", (int)(end ? (size_t)(end - start) : strlen(start)),
             start);
    *at = start + 1;
    return block;
}

static void each_alert_has_its_words_and_a_test_of_both_kinds(void **state)
{
    (void)state;
    static const char *const parts[] = {"expr: ", "for: ", "severity: ", "summary: \"",
                                        "description: >-"};
    const char *at = alerts, *block;
    char name[64], asked[128], fires[128];
    size_t n = 0;
    for (; (block = alert_block(&at, name)); n++) {
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if (count(block, parts[i]) != 1)
                fail_msg("%s: '%s' does not stand there once", name, parts[i]);
        snprintf(asked, sizeof asked, "expr: 'ALERTS{alertname=\"%s\", alertstate=\"firing\"}'",
                 name);
        snprintf(fires, sizeof fires, "'ALERTS{alertname=\"%s\", alertstate=\"firing\", ", name);
        const size_t expected = count(alert_tests, fires);
        if (expected == 0 || count(alert_tests, asked) <= expected)
            fail_msg("%s: not tested to fire and not to fire", name);
    }
    assert_true(n >= 15);
}

// ---- Grafana's dashboard ----

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text || !*text)
        fail_msg("%s is missing in %s", key, json_dumps(object, 0));
    return text;
}

static void check_data_source(const json_t *object)
{
    const json_t *source = json_object_get(object, "datasource");
    assert_string_equal(text_of(source, "type"), "prometheus");
    assert_string_equal(text_of(source, "uid"), "${datasource}");
}

// A query as Prometheus gets it: Grafana's variables replaced.
static json_t *rule_of(const json_t *target, size_t number)
{
    static const char variable[] = "$__rate_interval";
    char name[32], text[1024];
    snprintf(text, sizeof text, "%s", text_of(target, "expr"));
    for (char *at; (at = strstr(text, variable));) {
        char *rest = at + sizeof variable - 1;
        memcpy(at, "5m", 2);
        memmove(at + 2, rest, strlen(rest) + 1);
    }
    snprintf(name, sizeof name, "panel:%zu", number);
    return json_pack("{s:s, s:s}", "record", name, "expr", text);
}

static void check_panel(const json_t *panel, json_t *rules)
{
    const json_t *targets = json_object_get(panel, "targets"), *target;
    size_t i;
    text_of(panel, "title");
    text_of(panel, "description");
    assert_true(json_is_integer(json_object_get(json_object_get(panel, "gridPos"), "w")));
    check_data_source(panel);
    assert_true(json_array_size(targets) > 0);
    if (strcmp(text_of(panel, "type"), "heatmap") != 0)
        text_of(json_object_get(json_object_get(panel, "fieldConfig"), "defaults"), "unit");
    json_array_foreach(targets, i, target)
    {
        check_data_source(target);
        json_array_append_new(rules, rule_of(target, json_array_size(rules)));
    }
}

static void each_panel_of_the_dashboard_has_queries_that_prometheus_parses(void **state)
{
    (void)state;
    char path[300], command[400];
    json_error_t error;
    json_t *dashboard = json_load_file("deploy/grafana.json", JSON_REJECT_DUPLICATES, &error);
    if (!dashboard)
        fail_msg("deploy/grafana.json:%d: %s", error.line, error.text);
    json_t *rules = json_array(), *panel;
    size_t i, rows = 0;
    assert_true(json_integer_value(json_object_get(dashboard, "schemaVersion")) >= 38);
    assert_true(json_is_null(json_object_get(dashboard, "uid")));
    json_array_foreach(json_object_get(dashboard, "panels"), i, panel)
    {
        if (strcmp(text_of(panel, "type"), "row") == 0)
            rows++;
        else
            check_panel(panel, rules);
    }
    assert_int_equal(rows, 6);
    assert_true(json_array_size(rules) > 30);
    json_t *file = json_pack("{s:[{s:s, s:o}]}", "groups", "name", "dashboard", "rules", rules);
    snprintf(path, sizeof path, "%s/dashboard.yml", folder);
    assert_int_equal(json_dump_file(file, path, JSON_INDENT(1)), 0); // JSON is YAML
    snprintf(command, sizeof command, "promtool check rules --lint=none %s", path);
    succeed(command);
    json_decref(file);
    json_decref(dashboard);
}

// ---- the unit and the container ----

// `serve --help` knows each option that stands between two words of a file.
static void check_options(const char *path, const char *from, const char *to)
{
    char *text = file_text(path);
    char option[64];
    size_t n = 0;
    assert_int_equal(run("%s/serve --help", bin), 0);
    const char *at = strstr(text, from), *end = at ? strstr(at, to) : NULL;
    for (; end && (at = strstr(at, "--")) && at < end; at += 2) {
        if (!islower((unsigned char)at[2]))
            continue;
        assert_int_equal(sscanf(at, "%63[a-z-]", option), 1);
        if (!strstr(log_text(), option))
            fail_msg("%s: serve has no %s", path, option);
        n++;
    }
    assert_true(n >= 4);
    free(text);
}

static void the_options_of_unit_and_container_are_the_servers(void **state)
{
    (void)state;
    check_options("deploy/assay.service", "ExecStart=", "\n#");
    check_options("deploy/Dockerfile", "ENTRYPOINT ", "\n#");
}

static void systemd_takes_the_unit_and_finds_it_closed(void **state)
{
    (void)state;
    char path[300];
    if (run("systemd-analyze --version"))
        skip(); // a machine without systemd
    snprintf(path, sizeof path, "%s/assay.service", folder);
    char *unit = replaced(file_text("deploy/assay.service"),
                          &(struct place){"=/opt/assay/bin/serve", "=/bin/true"});
    write_file(path, unit);
    free(unit);
    assert_int_equal(run("systemd-analyze verify %s", path), 0);
    assert_string_equal(log_text(), ""); // warnings end with 0
    if (run("systemd-analyze security --offline=true --threshold=20 %s", path))
        fail_msg("an exposure above 2.0:\n%s", log_text());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus_takes_the_configuration_and_the_rules),
        cmocka_unit_test(each_alert_fires_when_it_should_and_not_before),
        cmocka_unit_test(each_alert_has_its_words_and_a_test_of_both_kinds),
        cmocka_unit_test(each_panel_of_the_dashboard_has_queries_that_prometheus_parses),
        cmocka_unit_test(the_options_of_unit_and_container_are_the_servers),
        cmocka_unit_test(systemd_takes_the_unit_and_finds_it_closed),
    };
    return cmocka_run_group_tests(tests, files_read, files_free);
}
