// The files that tell how good a version is, made by the real programs from the committed sample:
// they are complete and agree with each other. test_page.c opens report.html in a browser.
#include "tests/stages.h"

#include <jansson.h>
#include <math.h>

#define READ(file) scratch_read(scratch_path("work/models/" file), NULL)

static json_t *load_metrics(void)
{
    json_error_t why;
    json_t *j = json_load_file(scratch_path("work/models/1/metrics.json"), 0, &why);
    if (!j)
        fail_msg("metrics.json: %s", why.text);
    return j;
}

static const json_t *get(const json_t *j, const char *a, const char *b)
{
    return json_object_get(json_object_get(j, a), b);
}

static double value(const json_t *j, const char *name)
{
    return json_number_value(json_object_get(j, name));
}

static const char *text(const json_t *j, const char *name)
{
    return json_string_value(json_object_get(j, name));
}

static const json_t *at(const json_t *j, const char *name, size_t i)
{
    return json_array_get(json_object_get(j, name), i);
}

static double sum(const json_t *list, const char *name)
{
    double all = 0;
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        all += json_number_value(name ? json_object_get(item, name) : item);
    }
    return all;
}

// ---- the files ----------------------------------------------------------------------------------

static void a_version_has_its_model_metrics_report_and_card(void **state)
{
    (void)state;
    succeed("ls models/1");
    assert_string_equal(out, "card.md\nmetrics.json\nmodel.json\nmodel.onnx\nreport.html\n");
    expect(1, "", "cd models/1; grep -nwiE 'nan|inf|infinity' *.json *.md");
    expect(1, "", "grep -rnF '{{' models/1");
}

// Neither language, time zone, threads nor folder change a byte.
static void the_same_input_gives_the_same_bytes_of_every_file(void **state)
{
    (void)state;
    succeed("mkdir home && HOME=$PWD/home LANG=de_DE.UTF-8 LC_ALL=C.UTF-8 TZ=Asia/Tokyo "
            "train " SAMPLE "--threads 1 --output again features && diff -r models/1 again/1");
}

// ---- metrics.json -------------------------------------------------------------------------------

static void assert_curve(const json_t *candidate, double frauds, double genuine)
{
    const json_t *curve = json_object_get(candidate, "curve");
    const json_t *found = json_object_get(curve, "frauds"),
                 *wrong = json_object_get(curve, "genuine");
    const size_t n = json_array_size(found);
    double area = 0, x = 0, y = 0;
    assert_int_equal(json_array_size(wrong), n);
    assert_int_equal(json_array_size(json_object_get(curve, "threshold")), n);
    for (size_t i = 0; i < n; i++) {
        const double f = json_number_value(json_array_get(found, i));
        const double g = json_number_value(json_array_get(wrong, i));
        assert_true(f >= y && g >= x);
        area += (g - x) * (f + y) / 2;
        x = g;
        y = f;
    }
    assert_true(x == genuine && y == frauds);
    const double auc = value(json_object_get(candidate, "test"), "roc_auc");
    assert_true(fabs(area / (frauds * genuine) - auc) < 5e-3);
}

static void each_curve_ends_with_all_rows_and_has_the_area_of_the_metrics(void **state)
{
    (void)state;
    json_t *m = load_metrics();
    const json_t *test = json_object_get(m, "test"), *baseline;
    const double frauds = value(test, "frauds"), genuine = value(test, "rows") - frauds;
    size_t i;
    assert_curve(m, frauds, genuine);
    json_array_foreach(json_object_get(m, "baselines"), i, baseline)
    {
        assert_curve(baseline, frauds, genuine);
    }
    assert_int_equal(i, 2);
    json_decref(m);
}

static void the_ranges_of_probability_hold_all_rows(void **state)
{
    (void)state;
    json_t *m = load_metrics();
    const json_t *test = json_object_get(m, "test"), *bins = json_object_get(m, "reliability"), *b;
    size_t i;
    assert_true(sum(bins, "rows") == value(test, "rows"));
    json_array_foreach(bins, i, b)
    {
        assert_true(value(b, "low") <= value(b, "fraud_share") &&
                    value(b, "fraud_share") <= value(b, "high"));
    }
    assert_int_equal(json_array_size(get(m, "scores", "genuine")), 40);
    assert_true(sum(get(m, "scores", "frauds"), NULL) == value(test, "frauds"));
    assert_true(sum(get(m, "scores", "genuine"), NULL) ==
                value(test, "rows") - value(test, "frauds"));
    json_decref(m);
}

// ---- the card and the terminal ------------------------------------------------------------------

static void assert_line(const char *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void assert_line(const char *in, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    assert_contains(in, line);
}

static void card_and_terminal_have_the_figures(void **state)
{
    (void)state;
    json_t *m = load_metrics();
    const json_t *test = json_object_get(m, "test"), *fold = at(m, "folds", 1);
    const json_t *weight = at(m, "weights", 14), *slice = at(at(m, "slices", 0), "slices", 2);
    const json_t *range = get(test, "intervals", "brier"), *amount = at(m, "baselines", 1);
    const double low = json_number_value(json_array_get(range, 0));
    const double high = json_number_value(json_array_get(range, 1));
    char *card = READ("1/card.md");
    assert_line(card, "# Model card: sample, version 1\n\nIn the test (%s) it finds %.0f of %.0f ",
                text(at(m, "folds", 0), "test"),
                value(get(m, "test", "confusion"), "true_positives"), value(test, "frauds"));
    assert_line(card, "| brier | %.4f | %.4f to %.4f | ", value(test, "brier"), low, high);
    assert_line(card, "| %s | %.0f | %.0f | %.4f |", text(fold, "test"), value(fold, "rows"),
                value(fold, "frauds"), value(fold, "roc_auc"));
    assert_line(card, "| %s | %.3f | %.3f to %.3f |", text(weight, "feature"),
                value(weight, "weight"), value(weight, "low"), value(weight, "high"));
    assert_line(card, "| amount | %s | %.0f | %.0f | %.2f %% |", text(slice, "name"),
                value(slice, "rows"), value(slice, "frauds"), 100 * value(slice, "fraud_share"));
    succeed("registry --models models show");
    assert_line(out, "test 2018-04-29 .. 2018-05-05, %.0f rows", value(test, "rows"));
    assert_contains(out, "gives 5 alerts a day on the training rows.\n");
    assert_line(out, "\nbrier                 %7.4f  %6.4f to %6.4f ", value(test, "brier"), low,
                high);
    assert_line(out, "\namount                     1  %7.4f ",
                value(json_object_get(amount, "test"), "roc_auc"));
    free(card);
    json_decref(m);
}

static void costs_are_told_with_those_of_the_test(void **state)
{
    (void)state;
    succeed(
        "sed 's/^alerts_per_day.*/cost_fraud = 50\\ncost_alert = 2/' datasets/sample.ini >c.ini; "
        "rm -rf models; train --config c.ini --output models features");
    json_t *m = load_metrics();
    const json_t *test = json_object_get(m, "test"), *c = json_object_get(test, "confusion");
    char *card = READ("1/card.md");
    assert_line(card,
                "costs 50 and an alert 2. The test costs %.0f; without any alert it would cost "
                "%.0f, with an alert for every row %.0f.\n",
                50 * value(c, "false_negatives") +
                    2 * (value(c, "true_positives") + value(c, "false_positives")),
                50 * value(test, "frauds"), 2 * value(test, "rows"));
    free(card);
    json_decref(m);
}

// ---- the page -----------------------------------------------------------------------------------

// A text of the .ini ends neither the script that holds it nor the JSON.
static void the_page_holds_metrics_json_whatever_its_texts_are(void **state)
{
    (void)state;
    static const char begin[] = "<script type=\"application/json\" id=\"metrics\">";
    succeed("{ cat datasets/sample.ini; echo '[card]'; echo 'limits = </script><script>alert(1)"
            "</script><!-- \"\\ & {{x}} | *'; } >hostile.ini; rm -rf models; "
            "train --config hostile.ini --output models features");
    json_t *m = load_metrics();
    char *page = READ("1/report.html"), *at = strstr(page, begin), *card = READ("1/card.md");
    assert_non_null(at);
    char *end = strstr(at, "</script>");
    *end = '\0';
    json_t *held = json_loads(at + sizeof begin - 1, 0, NULL);
    assert_true(json_equal(held, m));
    assert_string_equal(text(json_object_get(m, "card"), "limits"),
                        "</script><script>alert(1)</script><!-- \"\\ & {{x}} | *");
    assert_contains(card,
                    "\\</script>\\<script>alert(1)\\</script>\\<!-- \"\\\\ \\& {{x}} \\| \\*");
    free(card);
    free(page);
    json_decref(held);
    json_decref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stages_test(a_version_has_its_model_metrics_report_and_card),
        stages_test(the_same_input_gives_the_same_bytes_of_every_file),
        stages_test(each_curve_ends_with_all_rows_and_has_the_area_of_the_metrics),
        stages_test(the_ranges_of_probability_hold_all_rows),
        stages_test(card_and_terminal_have_the_figures),
        stages_test(costs_are_told_with_those_of_the_test),
        stages_test(the_page_holds_metrics_json_whatever_its_texts_are),
    };
    return cmocka_run_group_tests(tests, stages_make, scratch_remove);
}
