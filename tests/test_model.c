// model: what is written comes back to the bit, a damaged file is refused by what is wrong with
// it, and a score is the sum that the header states.
#include "train/model.h"

#include "tests/scratch.h"

#include <math.h>

static const char *const valid =
    "{\"format\": \"assay model\", \"version\": 1,\n"
    " \"plan\": {\"schema\": {\"time_format\": \"epoch\", \"columns\": [\n"
    "   {\"name\": \"id\", \"header\": \"ID\", \"kind\": \"id\"},\n"
    "   {\"name\": \"time\", \"header\": \"T\", \"kind\": \"time\"},\n"
    "   {\"name\": \"amount\", \"header\": \"A\", \"kind\": \"number\"},\n"
    "   {\"name\": \"label\", \"header\": \"L\", \"kind\": \"label\"}]},\n"
    "  \"features\": [{\"name\": \"amount\", \"expression\": \"amount\"},\n"
    "   {\"name\": \"night\", \"expression\": \"hour(time) <= 6\"}]},\n"
    " \"inputs\": [\n"
    "  {\"name\": \"amount\", \"mean\": 50.25, \"scale\": 40.1, \"weight\": 0.7,\n"
    "   \"reference\": {\"edges\": [10.5, 20.0], \"counts\": [3, 4, 5]}},\n"
    "  {\"name\": \"night\", \"mean\": 0.1, \"scale\": 0.3, \"weight\": -0.05,\n"
    "   \"reference\": {\"edges\": [1.0], \"counts\": [10, 2]}}],\n"
    " \"intercept\": -4.5, \"threshold\": 0.125, \"l2\": 0.001,\n"
    " \"score_reference\": {\"edges\": [0.01], \"counts\": [7, 5]},\n"
    " \"training\": {\"train\": \"2018-07-25 .. 2018-07-31\", \"test\": \"2018-08-08 .. "
    "2018-08-14\",\n"
    "  \"rows\": 12, \"frauds\": 2, \"threshold_from\": \"validation\"},\n"
    " \"provenance\": {\"data_xxh3\": \"0123456789abcdef\", \"config_xxh3\": "
    "\"fedcba9876543210\",\n"
    "  \"program\": \"assay 0.1.0\"}}\n";

static void load(struct model *m, const char *text)
{
    struct err err = {""};
    if (model_load(m, scratch_text("model.json", text), &err))
        fail_msg("%s", err.msg);
}

static void assert_refused(const char *text, const char *words)
{
    struct model m;
    struct err err = {""};
    const char *path = scratch_text("model.json", text);
    assert_int_equal(model_load(&m, path, &err), -1);
    assert_contains(err.msg, words);
    assert_contains(err.msg, path);
}

// The valid file with its first `from` replaced.
static void assert_change_refused(const char *from, const char *to, const char *words)
{
    char text[8192];
    const char *at = strstr(valid, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - valid), valid, to, at + strlen(from));
    assert_refused(text, words);
}

static void a_model_comes_back_as_it_was_written(void **state)
{
    (void)state;
    struct model m, back;
    load(&m, valid);
    m.inputs[0].weight = 1.0 / 3;
    m.inputs[1].mean = 0.1 + 0.2;
    m.intercept = nextafter(-4, 0);
    char *text = model_to_text(&m);
    assert_non_null(text);
    load(&back, text);
    assert_true(back.inputs[0].weight == 1.0 / 3);
    assert_true(back.inputs[1].mean == 0.1 + 0.2);
    assert_true(back.intercept == nextafter(-4, 0));
    assert_true(back.threshold == 0.125);
    assert_string_equal(back.inputs[1].name, "night");
    assert_int_equal(back.inputs[0].reference.n_edges, 2);
    assert_int_equal(back.inputs[0].reference.counts[2], 5);
    char *again = model_to_text(&back);
    assert_string_equal(again, text);
    free(again);
    free(text);
    model_release(&m);
    model_release(&back);
}

static void its_identity_is_the_sha256_of_the_files_bytes(void **state)
{
    (void)state;
    struct model m;
    char out[256];
    load(&m, valid);
    assert_int_equal(run_command(out, sizeof out, "sha256sum %s", scratch_path("model.json")), 0);
    assert_memory_equal(out, m.sha256, 64);
    model_release(&m);
}

static void a_margin_is_the_intercept_and_the_contributions_in_order(void **state)
{
    (void)state;
    struct model m;
    const float x[] = {123.45f, 1};
    double c[2];
    load(&m, valid);
    model_contributions(&m, x, c);
    assert_true(c[0] == 0.7 * (((double)123.45f - 50.25) / 40.1));
    assert_true(c[1] == -0.05 * ((1 - 0.1) / 0.3));
    assert_true(model_margin(&m, x) == (-4.5 + c[0]) + c[1]);
    model_release(&m);
}

static void a_probability_is_the_logistic_function_of_the_margin(void **state)
{
    (void)state;
    assert_true(model_probability(0) == 0.5);
    assert_true(fabs(model_probability(log(3)) - 0.75) < 1e-15);
    assert_true(fabs(model_probability(-log(3)) - 0.25) < 1e-15);
    assert_true(model_probability(1000) == 1);
    assert_true(model_probability(-1000) == 0);
}

static void every_missing_member_is_named(void **state)
{
    (void)state;
    static const char *const members[] = {"format",
                                          "version",
                                          "plan",
                                          "inputs",
                                          "intercept",
                                          "threshold",
                                          "l2",
                                          "training",
                                          "provenance",
                                          "mean",
                                          "scale",
                                          "weight",
                                          "edges",
                                          "counts",
                                          "rows",
                                          "frauds",
                                          "test",
                                          "threshold_from",
                                          "data_xxh3",
                                          "program",
                                          "reference",
                                          "schema",
                                          "score_reference",
                                          "config_xxh3"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char from[32], to[32];
        snprintf(from, sizeof from, "\"%s\":", members[i]);
        snprintf(to, sizeof to, "\"no_%s\":", members[i]);
        assert_change_refused(from, to, members[i]);
    }
}

static void members_nobody_knows_are_refused(void **state)
{
    (void)state;
    assert_change_refused("\"l2\"", "\"x\": 0, \"l2\"", "x");
    assert_change_refused("\"mean\"", "\"extra\": 0, \"mean\"", "extra");
    assert_change_refused("\"frauds\"", "\"extra\": 0, \"frauds\"", "extra");
    assert_change_refused("\"program\"", "\"path\": \"/x\", \"program\"", "path");
}

static void numbers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_change_refused("40.1", "0.0", "scale above 0");
    assert_change_refused("40.1", "-1.0", "scale above 0");
    assert_change_refused("40.1", "\"40.1\"", "inputs[0]");
    assert_change_refused("50.25", "1e999", "is not JSON");
    assert_change_refused("50.25", "NaN", "is not JSON");
    assert_change_refused("50.25", "null", "inputs[0]");
    assert_change_refused("0.125", "1.5", "threshold must be within 0 .. 1");
    assert_change_refused("0.125", "-0.5", "threshold must be within 0 .. 1");
    assert_change_refused("0.001", "-0.001", "l2");
    assert_change_refused("[10.5, 20.0]", "[20.0, 10.5]", "inputs[0].reference: edges[1]");
    assert_change_refused("[7, 5]", "[7]", "score_reference");
}

static void inputs_must_be_those_of_the_plan(void **state)
{
    (void)state;
    assert_change_refused("{\"name\": \"night\", \"mean\"", "{\"name\": \"day\", \"mean\"",
                          "inputs[1] is day, but the plan's is night");
    assert_change_refused("{\"name\": \"night\", \"expression\": \"hour(time) <= 6\"}",
                          "{\"name\": \"_n\", \"expression\": \"hour(time) <= 6\"}",
                          "has 2 inputs, but its plan makes 1");
    assert_change_refused("hour(time)", "hour(nothing)", "nothing");
}

static void another_format_or_version_is_refused(void **state)
{
    (void)state;
    assert_change_refused("assay model", "other model", "its format is 'other model'");
    assert_change_refused("\"version\": 1", "\"version\": 2", "this program reads version 1");
}

static void a_file_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    char text[8192];
    for (size_t n = 0; n + 2 < strlen(valid); n += 41) {
        snprintf(text, sizeof text, "%.*s", (int)n, valid);
        assert_refused(text, "is not JSON");
    }
}

static void a_repeated_member_or_bytes_behind_the_end_are_refused(void **state)
{
    (void)state;
    assert_change_refused("\"l2\"", "\"l2\": 0.5, \"l2\"", "duplicate");
    char text[8192];
    snprintf(text, sizeof text, "%s{}", valid);
    assert_refused(text, "is not JSON");
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct model m;
    struct err err;
    assert_int_equal(model_load(&m, scratch_path("none.json"), &err), -1);
    assert_contains(err.msg, "none.json: cannot open: No such file");
    assert_int_equal(model_load(&m, scratch_path("."), &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_model_comes_back_as_it_was_written),
        scratch_test(its_identity_is_the_sha256_of_the_files_bytes),
        scratch_test(a_margin_is_the_intercept_and_the_contributions_in_order),
        scratch_test(a_probability_is_the_logistic_function_of_the_margin),
        scratch_test(every_missing_member_is_named),
        scratch_test(members_nobody_knows_are_refused),
        scratch_test(numbers_that_cannot_be_are_refused),
        scratch_test(inputs_must_be_those_of_the_plan),
        scratch_test(another_format_or_version_is_refused),
        scratch_test(a_file_cut_off_anywhere_is_refused),
        scratch_test(a_repeated_member_or_bytes_behind_the_end_are_refused),
        scratch_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
