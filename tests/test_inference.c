// The Open Inference Protocol against hand-computed scores of a small model, and against /predict.
#include "serve/inference.h"
#include "tests/small_fixture.h"

#include <math.h>

#define NAME "models" // of the registry's folder

static const json_t *ask(struct fixture *f, const char *body)
{
    inference(&f->small.service, NAME, "", body, strlen(body), &f->reply);
    return take_answer(f);
}

// A tensor's value, found by the output's name.
static const json_t *value(const json_t *answer, const char *output, size_t row)
{
    size_t i;
    const json_t *o;
    json_array_foreach(json_object_get(answer, "outputs"), i, o)
    {
        if (strcmp(json_string_value(json_object_get(o, "name")), output) == 0)
            return json_array_get(json_object_get(o, "data"), row);
    }
    fail_msg("no output %s", output);
    return NULL;
}

static double number(const json_t *answer, const char *output, size_t row)
{
    const json_t *v = value(answer, output, row);
    assert_true(json_is_real(v));
    return json_real_value(v);
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-14 * fabs(b)))
        fail_msg("%.17g is not %.17g", a, b);
}

// The definition, written out once more.
static double expected_margin(const double x[SMALL_INPUTS])
{
    double margin = small_intercept;
    for (int i = 0; i < SMALL_INPUTS; i++)
        margin += small_weight[i] * ((double)(float)x[i] - small_mean[i]) / small_scale[i];
    return margin;
}

#define TENSOR(type, rows, data)                                                                   \
    "{\"name\":\"features\",\"datatype\":\"" type "\",\"shape\":[" rows ",8],\"data\":" data "}"
#define REQUEST(more, type, rows, data) "{" more "\"inputs\":[" TENSOR(type, rows, data) "]}"
#define LOW                             "57.16,0,1,57.16,33,1,0,0"
#define HIGH                            "900,1,3,300.5,40,1,0,0"
static const double low[] = {57.16, 0, 1, 57.16, 33, 1, 0, 0};
static const double high[] = {900, 1, 3, 300.5, 40, 1, 0, 0};

// ---- scores ----

static void rows_are_answered_with_probability_margin_and_review(void **state)
{
    struct fixture *f = *state;
    const json_t *a = ask(f, REQUEST("", "FP32", "2", "[" LOW "," HIGH "]"));
    assert_int_equal(f->reply.status, 200);
    const double margins[] = {expected_margin(low), expected_margin(high)};
    for (size_t row = 0; row < 2; row++) {
        assert_near(number(a, "margin", row), margins[row]);
        assert_near(number(a, "probability", row), 1 / (1 + exp(-margins[row])));
    }
    assert_true(json_is_false(value(a, "review", 0)));
    assert_true(json_is_true(value(a, "review", 1)));
    assert_non_null(strstr(f->reply.text, "{\"name\":\"probability\",\"shape\":[2],"
                                          "\"datatype\":\"FP64\",\"data\":["));
    assert_string_equal(json_string_value(json_object_get(a, "model_name")), NAME);
    assert_string_equal(json_string_value(json_object_get(a, "model_version")), "1");
    assert_null(json_object_get(a, "id"));
    assert_int_equal(f->small.service.state.events, 0); // no transaction is counted
}

static void a_probability_at_the_threshold_is_for_review(void **state)
{
    struct fixture *f = *state;
    double p = number(ask(f, REQUEST("", "FP32", "1", "[" LOW "]")), "probability", 0);
    f->small.service.champion->model.threshold = p;
    assert_true(json_is_true(value(ask(f, REQUEST("", "FP32", "1", "[" LOW "]")), "review", 0)));
    f->small.service.champion->model.threshold = nextafter(p, 1);
    assert_true(json_is_false(value(ask(f, REQUEST("", "FP32", "1", "[" LOW "]")), "review", 0)));
}

static void the_same_features_give_the_bits_of_predict(void **state)
{
    static const char transaction[] =
        "{\"id\":\"T1\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\",\"amount\":57.16,"
        "\"age\":33,\"channel\":\"web\"}";
    struct fixture *f = *state;
    double p = number(ask(f, REQUEST("", "FP64", "1", "[" LOW "]")), "probability", 0);
    predict(&f->small.service, transaction, sizeof transaction - 1, &f->reply);
    const json_t *a = take_answer(f);
    assert_true(json_real_value(json_object_get(a, "probability")) == p);
}

static void nested_data_is_the_same_as_flat(void **state)
{
    struct fixture *f = *state;
    json_t *flat = json_deep_copy(ask(f, REQUEST("", "FP64", "2", "[" LOW "," HIGH "]")));
    const json_t *nested = ask(f, REQUEST("", "FP64", "2", "[[" LOW "],[" HIGH "]]"));
    assert_int_equal(f->reply.status, 200);
    assert_true(json_equal(flat, nested));
    json_decref(flat);
}

static void a_double_is_rounded_to_a_float32_as_a_feature_is(void **state)
{
    char body[512];
    struct fixture *f = *state;
    double p = number(ask(f, REQUEST("", "FP64", "1", "[0.1,0,0,0,0,0,0,0]")), "margin", 0);
    snprintf(body, sizeof body, REQUEST("", "FP64", "1", "[%.17g,0,0,0,0,0,0,0]"), (double)0.1f);
    assert_true(number(ask(f, body), "margin", 0) == p);
    assert_near(p, expected_margin((double[SMALL_INPUTS]){0.1}));
    ask(f, REQUEST("", "FP64", "1", "[3.4028234663852886e38,0,0,0,0,0,0,-3.4e38]"));
    assert_int_equal(f->reply.status, 200); // the largest float32
}

// ---- what may be asked ----

static void outputs_choose_and_order_the_answer(void **state)
{
    struct fixture *f = *state;
    const json_t *a =
        ask(f, REQUEST("\"outputs\":[{\"name\":\"review\"},"
                       "{\"name\":\"margin\",\"parameters\":{\"binary_data\":false}}],",
                       "FP32", "1", "[" LOW "]"));
    const json_t *outputs = json_object_get(a, "outputs");
    assert_int_equal(json_array_size(outputs), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(outputs, 0), "name")),
                        "review");
    assert_string_equal(json_string_value(json_object_get(json_array_get(outputs, 1), "name")),
                        "margin");
    a = ask(f, REQUEST("\"outputs\":[],", "FP32", "1", "[" LOW "]"));
    assert_int_equal(json_array_size(json_object_get(a, "outputs")), 3);
}

static void the_id_comes_back_and_what_is_unknown_is_ignored(void **state)
{
    struct fixture *f = *state;
    const json_t *a = ask(f, REQUEST("\"id\":\"a\\\"\\u00e9\\u0001\",\"parameters\":{\"x\":[1]},"
                                     "\"other\":[null],\"outputs\":null,",
                                     "FP32", "1", "[" LOW "]"));
    assert_int_equal(f->reply.status, 200);
    assert_string_equal(json_string_value(json_object_get(a, "id")), "a\"\xc3\xa9\x01");
    a = ask(f, REQUEST("\"id\":null,\"parameters\":null,", "FP32", "1", "[" LOW "]"));
    assert_int_equal(f->reply.status, 200);
    assert_null(json_object_get(a, "id"));
}

static void a_thousand_rows_are_scored_and_one_more_is_refused(void **state)
{
    static char body[64 * 1024];
    struct fixture *f = *state;
    for (int rows = 1000; rows <= 1001; rows++) {
        size_t n = (size_t)snprintf(
            body, sizeof body,
            "{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[%d,8],\"data\":[",
            rows);
        for (int row = 0; row < rows; row++)
            n += (size_t)snprintf(body + n, sizeof body - n, "%s%d,0,0,0,0,0,0,0", row ? "," : "",
                                  row);
        snprintf(body + n, sizeof body - n, "]}]}");
        const json_t *a = ask(f, body);
        assert_int_equal(f->reply.status, rows == 1000 ? 200 : 413);
        if (rows == 1000)
            assert_near(number(a, "margin", 999), expected_margin((double[SMALL_INPUTS]){999}));
    }
}

// ---- what is refused ----

#define BARE(members) "{\"inputs\":[{\"name\":\"features\"" members "}]}"
#define ONE(more)     REQUEST(more, "FP32", "1", "[" LOW "]")

static void a_request_that_does_not_fit_is_refused_and_says_where(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *field, *words;
    } cases[] = {
        {"", 400, NULL, "not JSON"},
        {"{\"inputs\":[", 400, NULL, "not JSON"},
        {"[]", 400, NULL, "must be an inference request"},
        {"{\"inputs\":[],\"inputs\":[]}", 400, NULL, "duplicate"},
        {"{}", 422, "inputs", "missing"},
        {"{\"inputs\":{}}", 422, "inputs", "an array, not an object"},
        {"{\"inputs\":[]}", 422, "inputs", "0 tensors"},
        {"{\"inputs\":[1,2]}", 422, "inputs", "2 tensors"},
        {"{\"inputs\":[1]}", 422, "inputs[0]", "an object, not an integer"},
        {"{\"inputs\":[{}]}", 422, "inputs[0].name", "missing"},
        {"{\"inputs\":[{\"name\":1}]}", 422, "inputs[0].name", "a string"},
        {"{\"inputs\":[{\"name\":\"x\"}]}", 400, "inputs[0].name", "'features'"},
        {BARE(""), 422, "inputs[0].datatype", "missing"},
        {REQUEST("", "INT64", "1", "[" LOW "]"), 422, "inputs[0].datatype", "FP32 and FP64"},
        {BARE(",\"datatype\":\"FP32\""), 422, "inputs[0].shape", "missing"},
        {BARE(",\"datatype\":\"FP32\",\"shape\":[8]"), 422, "inputs[0].shape", "[n, 8]"},
        {BARE(",\"datatype\":\"FP32\",\"shape\":[1,8,1]"), 422, "inputs[0].shape", "[n, 8]"},
        {BARE(",\"datatype\":\"FP32\",\"shape\":[1.5,8]"), 422, "inputs[0].shape", "whole"},
        {BARE(",\"datatype\":\"FP32\",\"shape\":[1,7]"), 422, "inputs[0].shape", "8 inputs"},
        {BARE(",\"datatype\":\"FP32\",\"shape\":[1,-8]"), 422, "inputs[0].shape", "8 inputs"},
        {BARE(",\"datatype\":\"FP32\",\"shape\":[1,8]"), 422, "inputs[0].data", "missing"},
        {REQUEST("", "FP32", "0", "[]"), 422, "inputs[0].shape", "1 to 1000"},
        {REQUEST("", "FP32", "-1", "[]"), 422, "inputs[0].shape", "1 to 1000"},
        {REQUEST("", "FP32", "9223372036854775807", "[]"), 413, "inputs[0].shape", "1 to 1000"},
        {REQUEST("", "FP32", "1", "\"AAAA\""), 422, "inputs[0].data", "an array"},
        {REQUEST("", "FP32", "1", "[1,2,3]"), 422, "inputs[0].data", "3 elements"},
        {REQUEST("", "FP32", "2", "[" LOW "]"), 422, "inputs[0].data", "it has 16"},
        {REQUEST("", "FP32", "2", "[[" LOW "]]"), 422, "inputs[0].data", "it has 2"},
        {REQUEST("", "FP32", "2", "[[" LOW "],[1]]"), 422, "inputs[0].data[1]", "it has 8"},
        {REQUEST("", "FP32", "2", "[[" LOW "],1]"), 422, "inputs[0].data[1]", "an array"},
        {REQUEST("", "FP32", "2", "[[" LOW "],[1,0,1,0,1,0,1,null]]"), 422, "inputs[0].data[1][7]",
         "not null"},
        {REQUEST("", "FP32", "1", "[[[1],0,1,1,1,0,1,0]]"), 422, "inputs[0].data[0][0]",
         "not an array"},
        {REQUEST("", "FP32", "1", "[1,0,1,\"1\",1,0,1,0]"), 422, "inputs[0].data[3]", "a string"},
        {REQUEST("", "FP32", "1", "[true,0,1,1,1,0,1,0]"), 422, "inputs[0].data[0]", "not true"},
        {REQUEST("", "FP64", "1", "[1,0,1,1,1,0,1,-1e39]"), 422, "inputs[0].data[7]", "float32"},
        {REQUEST("", "FP64", "1", "[1,0,1,1,1,0,1,1e999]"), 400, NULL, "not JSON"},
        {REQUEST("", "FP64", "1", "[1,0,1,1,1,0,1,NaN]"), 400, NULL, "not JSON"},
        {ONE("\"id\":1,"), 422, "id", "a string"},
        {ONE("\"parameters\":1,"), 422, "parameters", "an object"},
        {ONE("\"outputs\":{},"), 422, "outputs", "an array"},
        {ONE("\"outputs\":[1],"), 422, "outputs[0]", "an object"},
        {ONE("\"outputs\":[{}],"), 422, "outputs[0].name", "missing"},
        {ONE("\"outputs\":[{\"name\":\"margin\"},{\"name\":\"score\"}],"), 400, "outputs[1].name",
         "'score'"},
        {ONE("\"outputs\":[{\"name\":\"margin\"},{\"name\":\"margin\"}],"), 400, "outputs[1].name",
         "twice"},
        {ONE("\"outputs\":[{\"name\":\"margin\",\"parameters\":{\"binary_data\":true}}],"), 400,
         "outputs[0].parameters", "binary_data"},
        {ONE("\"parameters\":{\"binary_data_output\":true},"), 400, "parameters", "JSON only"},
        {BARE(",\"parameters\":{\"binary_data_size\":32}"), 400, "inputs[0].parameters", "binary"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const json_t *a = ask(f, cases[i].body);
        const char *field = json_string_value(json_object_get(a, "field"));
        const char *error = json_string_value(json_object_get(a, "error"));
        const bool same = cases[i].field ? field && strcmp(field, cases[i].field) == 0 : !field;
        if (f->reply.status != cases[i].status || !same || !error || !strstr(error, cases[i].words))
            fail_msg("%s\n%s", cases[i].body, f->reply.text);
    }
}

static void another_model_or_version_is_not_found_and_told_which_there_is(void **state)
{
    static const struct {
        const char *model, *version, *body;
        int status;
        const char *words;
    } cases[] = {
        {"other", "", ONE(""), 404, "no model 'other' here, but 'models'"},
        {NAME, "2", ONE(""), 404, "but version 1"},
        {NAME, "01", ONE(""), 404, "but version 1"},
        {NAME, "1", ONE(""), 200, "outputs"},
        {"other", "", "{", 404, "no model"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        inference(&f->small.service, cases[i].model, cases[i].version, cases[i].body,
                  strlen(cases[i].body), &f->reply);
        assert_int_equal(f->reply.status, cases[i].status);
        assert_non_null(strstr(f->reply.text, cases[i].words));
    }
}

// ---- what is told ----

static void assert_told(struct fixture *f, const char *expected)
{
    json_t *e = json_loads(expected, 0, NULL);
    assert_int_equal(f->reply.status, 200);
    assert_non_null(e);
    if (!json_equal(take_answer(f), e))
        fail_msg("%s", f->reply.text);
    json_decref(e);
}

static void the_metadata_names_the_features_in_their_order(void **state)
{
    struct fixture *f = *state;
    reply_reset(&f->reply);
    inference_model(&f->small.service, NAME, "1", &f->reply);
    assert_told(f, "{\"name\":\"models\",\"versions\":[\"1\"],\"platform\":\"assay_json\","
                   "\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[-1,8],"
                   "\"parameters\":{\"feature_names\":[\"amount\",\"night\",\"count_1d\","
                   "\"mean_7d\",\"age\",\"channel[web]\",\"channel[shop]\",\"channel[*]\"]}}],"
                   "\"outputs\":[{\"name\":\"probability\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                   "{\"name\":\"margin\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                   "{\"name\":\"review\",\"datatype\":\"BOOL\",\"shape\":[-1]}]}");
}

static void ready_is_told_until_a_write_has_failed(void **state)
{
    struct fixture *f = *state;
    struct service *s = &f->small.service;
    reply_reset(&f->reply);
    inference_ready(s, NAME, "", &f->reply);
    assert_told(f, "{\"name\":\"models\",\"ready\":true}");
    atomic_store(&s->writer.broken, true);
    inference_ready(s, NAME, "1", &f->reply);
    assert_int_equal(f->reply.status, 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_answered_with_probability_margin_and_review),
        TEST(a_probability_at_the_threshold_is_for_review),
        TEST(the_same_features_give_the_bits_of_predict),
        TEST(nested_data_is_the_same_as_flat),
        TEST(a_double_is_rounded_to_a_float32_as_a_feature_is),
        TEST(outputs_choose_and_order_the_answer),
        TEST(the_id_comes_back_and_what_is_unknown_is_ignored),
        TEST(a_thousand_rows_are_scored_and_one_more_is_refused),
        TEST(a_request_that_does_not_fit_is_refused_and_says_where),
        TEST(another_model_or_version_is_not_found_and_told_which_there_is),
        TEST(the_metadata_names_the_features_in_their_order),
        TEST(ready_is_told_until_a_write_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
