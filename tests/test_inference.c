// The Open Inference Protocol against hand-computed scores of a small model, and against /predict.
#include "serve/inference.h"
#include "tests/small_fixture.h"

#include <math.h>

#define NAME "models" // of the registry's folder

static const json_t *ask_bytes(struct fixture *f, const char *body, size_t n)
{
    inference(&f->small.service, NAME, "", body, n, &f->reply);
    return take_answer(f);
}

static const json_t *ask(struct fixture *f, const char *body)
{
    return ask_bytes(f, body, strlen(body));
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
    json_t *shape = json_pack(
        "{s:s, s:[i], s:s, s:O}", "name", "probability", "shape", 2, "datatype", "FP64", "data",
        json_object_get(json_array_get(json_object_get(a, "outputs"), 0), "data"));
    assert_true(json_equal(json_array_get(json_object_get(a, "outputs"), 0), shape));
    json_decref(shape);
    assert_string_equal(json_string_value(json_object_get(a, "model_name")), NAME);
    assert_string_equal(json_string_value(json_object_get(a, "model_version")), "1");
    assert_null(json_object_get(a, "id"));
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
        n += (size_t)snprintf(body + n, sizeof body - n, "]}]}");
        const json_t *a = ask_bytes(f, body, n);
        assert_int_equal(f->reply.status, rows == 1000 ? 200 : 413);
        if (rows == 1000)
            assert_near(number(a, "margin", 999), expected_margin((double[SMALL_INPUTS]){999}));
    }
}

static void nothing_is_counted(void **state)
{
    struct fixture *f = *state;
    const uint64_t events = f->small.service.state.events;
    ask(f, REQUEST("", "FP32", "2", "[" LOW "," HIGH "]"));
    assert_int_equal(f->reply.status, 200);
    assert_int_equal(f->small.service.state.events, events);
    assert_true(f->small.service.state.last_time == INT64_MIN);
}

// ---- what is refused ----

static const struct refusal {
    const char *body;
    int status;
    const char *field, *words;
} refusals[] = {
    {"", 400, NULL, "not JSON"},
    {"{\"inputs\":[", 400, NULL, "not JSON"},
    {"[]", 400, NULL, "must be an inference request"},
    {"{\"inputs\":[],\"inputs\":[]}", 400, NULL, "duplicate"},
    {"{}", 422, "inputs", "'inputs' is missing"},
    {"{\"inputs\":{}}", 422, "inputs", "must be an array, not an object"},
    {"{\"inputs\":[]}", 422, "inputs", "0 tensors"},
    {"{\"inputs\":[1,2]}", 422, "inputs", "2 tensors"},
    {"{\"inputs\":[1]}", 422, "inputs[0]", "must be an object, not an integer"},
    {"{\"inputs\":[{}]}", 422, "inputs[0].name", "is missing"},
    {"{\"inputs\":[{\"name\":1}]}", 422, "inputs[0].name", "must be a string"},
    {"{\"inputs\":[{\"name\":\"x\"}]}", 400, "inputs[0].name", "no input 'x', but 'features'"},
    {"{\"inputs\":[{\"name\":\"features\"}]}", 422, "inputs[0].datatype", "is missing"},
    {REQUEST("", "INT64", "1", "[" LOW "]"), 422, "inputs[0].datatype", "FP32 and FP64"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\"}]}", 422, "inputs[0].shape",
     "is missing"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[8]}]}", 422,
     "inputs[0].shape", "must be [n, 8]"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[1,8,1]}]}", 422,
     "inputs[0].shape", "must be [n, 8]"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[1.5,8]}]}", 422,
     "inputs[0].shape", "whole numbers"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[1,7]}]}", 422,
     "inputs[0].shape", "the model has 8 inputs"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[1,-8]}]}", 422,
     "inputs[0].shape", "the model has 8 inputs"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[1,8]}]}", 422,
     "inputs[0].data", "is missing"},
    {REQUEST("", "FP32", "0", "[]"), 422, "inputs[0].shape", "at least one row"},
    {REQUEST("", "FP32", "-1", "[]"), 422, "inputs[0].shape", "at least one row"},
    {REQUEST("", "FP32", "9223372036854775807", "[]"), 413, "inputs[0].shape", "1000 rows"},
    {REQUEST("", "FP32", "1", "\"AAAA\""), 422, "inputs[0].data", "must be an array"},
    {REQUEST("", "FP32", "1", "[1,2,3]"), 422, "inputs[0].data",
     "has 3 elements; by the shape [1, 8] it has 8"},
    {REQUEST("", "FP32", "2", "[" LOW "]"), 422, "inputs[0].data", "it has 16"},
    {REQUEST("", "FP32", "2", "[[" LOW "]]"), 422, "inputs[0].data", "it has 2"},
    {REQUEST("", "FP32", "2", "[[" LOW "],[1]]"), 422, "inputs[0].data[1]", "it has 8"},
    {REQUEST("", "FP32", "2", "[[" LOW "],1]"), 422, "inputs[0].data[1]", "must be an array"},
    {REQUEST("", "FP32", "1", "[[[1],0,1,1,1,0,1,0]]"), 422, "inputs[0].data[0][0]",
     "must be a number, not an array"},
    {REQUEST("", "FP32", "1", "[1,0,1,null,1,0,1,0]"), 422, "inputs[0].data[3]", "not null"},
    {REQUEST("", "FP32", "1", "[1,0,1,\"1\",1,0,1,0]"), 422, "inputs[0].data[3]", "not a string"},
    {REQUEST("", "FP32", "1", "[true,0,1,1,1,0,1,0]"), 422, "inputs[0].data[0]", "not true"},
    {REQUEST("", "FP64", "1", "[1,0,1,1,1,0,1,-1e39]"), 422, "inputs[0].data[7]", "float32"},
    {REQUEST("", "FP64", "1", "[1,0,1,1,1,0,1,1e999]"), 400, NULL, "not JSON"},
    {REQUEST("", "FP64", "1", "[1,0,1,1,1,0,1,NaN]"), 400, NULL, "not JSON"},
    {REQUEST("\"id\":1,", "FP32", "1", "[" LOW "]"), 422, "id", "must be a string"},
    {REQUEST("\"parameters\":1,", "FP32", "1", "[" LOW "]"), 422, "parameters", "an object"},
    {REQUEST("\"outputs\":{},", "FP32", "1", "[" LOW "]"), 422, "outputs", "must be an array"},
    {REQUEST("\"outputs\":[1],", "FP32", "1", "[" LOW "]"), 422, "outputs[0]", "an object"},
    {REQUEST("\"outputs\":[{}],", "FP32", "1", "[" LOW "]"), 422, "outputs[0].name", "missing"},
    {REQUEST("\"outputs\":[{\"name\":\"margin\"},{\"name\":\"score\"}],", "FP32", "1", "[" LOW "]"),
     400, "outputs[1].name", "no output 'score', but probability, margin and review"},
    {REQUEST("\"outputs\":[{\"name\":\"margin\"},{\"name\":\"margin\"}],", "FP32", "1",
             "[" LOW "]"),
     400, "outputs[1].name", "twice"},
    {REQUEST("\"outputs\":[{\"name\":\"margin\",\"parameters\":{\"binary_data\":true}}],", "FP32",
             "1", "[" LOW "]"),
     400, "outputs[0].parameters", "binary"},
    {REQUEST("\"parameters\":{\"binary_data_output\":true},", "FP32", "1", "[" LOW "]"), 400,
     "parameters", "binary"},
    {"{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[1,8],"
     "\"parameters\":{\"binary_data_size\":32}}]}",
     400, "inputs[0].parameters", "binary"},
};

static void a_request_that_does_not_fit_is_refused_and_says_where(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *c = &refusals[i];
        const json_t *a = ask(f, c->body);
        const char *field = json_string_value(json_object_get(a, "field"));
        const char *error = json_string_value(json_object_get(a, "error"));
        const bool same = c->field ? field && strcmp(field, c->field) == 0 : !field;
        if (f->reply.status != c->status || !same || !error || !strstr(error, c->words))
            fail_msg("%s\n%s", c->body, f->reply.text);
    }
}

static void the_largest_float32_is_a_value(void **state)
{
    struct fixture *f = *state;
    ask(f, REQUEST("", "FP64", "1", "[3.4028234663852886e38,0,0,0,0,0,0,-3.4e38]"));
    assert_int_equal(f->reply.status, 200);
}

static void deep_nesting_and_bytes_of_0_are_refused_before_parsing(void **state)
{
    struct fixture *f = *state;
    char deep[4096];
    memset(deep, '[', sizeof deep);
    const json_t *a = ask_bytes(f, deep, sizeof deep);
    assert_int_equal(f->reply.status, 400);
    assert_non_null(strstr(json_string_value(json_object_get(a, "error")), "nested deeper"));
    a = ask_bytes(f, "{\"a\":1}\0", 8);
    assert_int_equal(f->reply.status, 400);
    assert_non_null(strstr(json_string_value(json_object_get(a, "error")), "byte of 0"));
}

static void another_model_or_version_is_not_found_and_told_which_there_is(void **state)
{
    static const char body[] = REQUEST("", "FP32", "1", "[" LOW "]");
    struct fixture *f = *state;
    struct service *s = &f->small.service;
    inference(s, "other", "", body, sizeof body - 1, &f->reply);
    assert_int_equal(f->reply.status, 404);
    assert_non_null(strstr(f->reply.text, "no model 'other' here, but 'models'"));
    inference(s, NAME, "2", body, sizeof body - 1, &f->reply);
    assert_int_equal(f->reply.status, 404);
    assert_non_null(strstr(f->reply.text, "version '2' of 'models' is not being served, but "
                                          "version 1"));
    inference(s, NAME, "01", body, sizeof body - 1, &f->reply);
    assert_int_equal(f->reply.status, 404);
    inference(s, NAME, "1", body, sizeof body - 1, &f->reply);
    assert_int_equal(f->reply.status, 200);
    inference(s, "other", "", "{", 1, &f->reply);
    assert_int_equal(f->reply.status, 404);
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
        TEST(nothing_is_counted),
        TEST(a_request_that_does_not_fit_is_refused_and_says_where),
        TEST(the_largest_float32_is_a_value),
        TEST(deep_nesting_and_bytes_of_0_are_refused_before_parsing),
        TEST(another_model_or_version_is_not_found_and_told_which_there_is),
        TEST(the_metadata_names_the_features_in_their_order),
        TEST(ready_is_told_until_a_write_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
