// inference: scores against hand-computed ones of a small model and against /predict, and requests
// that are refused.
#include "serve/http.h"
#include "tests/asking.h"

#define MODEL         "/v2/models/models" // the last is the name of the registry's folder
#define BARE(members) "{\"inputs\":[{\"name\":\"features\"" members "}]}"
#define SHAPE(shape)  BARE(",\"datatype\":\"FP32\",\"shape\":" shape)
#define REQUEST(more, type, rows, data)                                                            \
    "{" more "\"inputs\":[{\"name\":\"features\",\"datatype\":\"" type "\",\"shape\":[" rows       \
    ",8],\"data\":" data "}]}"
#define LOW       "57.16,0,1,57.16,33,1,0,0"
#define HIGH      "900,1,3,300.5,40,1,0,0"
#define ONE(more) REQUEST(more, "FP32", "1", "[" LOW "]")
static const double low[] = {57.16, 0, 1, 57.16, 33, 1, 0, 0};
static const double high[] = {900, 1, 3, 300.5, 40, 1, 0, 0};

// A request to that path.
static struct request request(const char *path)
{
    reply_reset(&reply);
    return (struct request){.service = &small.service, .reply = &reply, .path = path};
}

static const json_t *infer(const char *body)
{
    struct request q = request(MODEL "/infer");
    inference(&q, body, strlen(body));
    return take_answer();
}

struct scores {
    double probability, margin;
    bool review;
};

// Those of a row, where all outputs are answered.
static struct scores scores_of(const json_t *answer, size_t row)
{
    const json_t *outputs = json_object_get(answer, "outputs"), *data[3];
    assert_int_equal(json_array_size(outputs), 3);
    for (size_t o = 0; o < 3; o++)
        data[o] = json_array_get(json_object_get(json_array_get(outputs, o), "data"), row);
    assert_true(json_is_boolean(data[2]));
    return (struct scores){json_real_value(data[0]), json_real_value(data[1]),
                           json_is_true(data[2])};
}

static void check_row(const json_t *answer, size_t row, const double x[SMALL_INPUTS])
{
    const struct scores s = scores_of(answer, row);
    const double margin = small_margin(x);
    assert_true(fabs(s.margin - margin) <= 1e-14 * fabs(margin));
    assert_true(fabs(s.probability - 1 / (1 + exp(-margin))) <= 1e-14);
    assert_int_equal(s.review, s.probability >= small_threshold);
}

TEST_CASE(rows_flat_or_nested_are_scored_and_not_counted)
{
    json_t *flat = json_deep_copy(infer(REQUEST("", "FP32", "2", "[" LOW "," HIGH "]")));
    check_row(flat, 0, low);
    check_row(flat, 1, high);
    assert_contains(reply.text, "{\"model_name\":\"models\",\"model_version\":\"1\",\"outputs\":["
                                "{\"name\":\"probability\",\"shape\":[2],\"datatype\":\"FP64\"");
    assert_true(json_equal(flat, infer(REQUEST("", "FP64", "2", "[[" LOW "],[" HIGH "]]"))));
    assert_int_equal(small.service.state.events, 0);
    json_decref(flat);
}

TEST_CASE(a_probability_at_the_threshold_is_for_review)
{
    double *threshold = &small.service.champion->model.threshold;
    *threshold = scores_of(infer(ONE("")), 0).probability;
    assert_true(scores_of(infer(ONE("")), 0).review);
    *threshold = nextafter(*threshold, 1);
    assert_false(scores_of(infer(ONE("")), 0).review);
}

TEST_CASE(the_same_features_give_the_bits_of_predict)
{
    const double p = scores_of(infer(ONE("")), 0).probability;
    const json_t *a = ask("{" BASE ",\"amount\":57.16,\"age\":33,\"channel\":\"web\"}");
    assert_true(number(a, "probability") == p);
}

TEST_CASE(a_double_is_rounded_to_a_float32_as_a_feature_is)
{
    const double m = scores_of(infer(REQUEST("", "FP64", "1", "[0.1,0,0,0,0,0,0,0]")), 0).margin;
    assert_true(
        scores_of(infer(formatted(REQUEST("", "FP64", "1", "[%.17g,0,0,0,0,0,0,0]"), (double)0.1f)),
                  0)
            .margin == m);
    infer(REQUEST("", "FP64", "1", "[3.4028234663852886e38,0,0,0,0,0,0,-3.4e38]"));
    assert_int_equal(reply.status, 200); // the largest float32
}

TEST_CASE(outputs_and_id_are_as_asked_for)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {ONE("\"outputs\":[{\"name\":\"review\"},"
             "{\"name\":\"margin\",\"parameters\":{\"binary_data\":true}}],"),
         "\"outputs\":[{\"name\":\"review\",\"shape\":[1],\"datatype\":\"BOOL\",\"data\":[false]},"
         "{\"name\":\"margin\""},
        {ONE("\"id\":\"a\\\"\\u00e9\\u0001\","), ",\"id\":\"a\\\"\xc3\xa9\\u0001\","},
        {ONE("\"id\":null,\"parameters\":null,"), "\"model_version\":\"1\",\"outputs\":"},
        {ONE("\"parameters\":{\"x\":[1]},\"other\":[null],"), "\"name\":\"review\""}, // ignored
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        infer(cases[i].body);
        if (reply.status != 200 || !strstr(reply.text, cases[i].words))
            fail_msg("%s\n%s", cases[i].body, reply.text);
    }
}

TEST_CASE(a_request_that_does_not_fit_is_refused_and_says_where)
{
    static const struct {
        const char *body;
        int status;
        const char *field, *words;
    } cases[] = {
        {"{\"inputs\":[", 400, "", "not JSON"},
        {"{}", 422, "", "inputs; an inference request is {"},
        {"[]", 422, "", "an inference request is {"},
        {"{\"inputs\":[]}", 422, "", "[n, 8]"},
        {BARE(",\"datatype\":\"FP32\",\"shape\":[1,8]"), 422, "", "data"},
        {SHAPE("[8]"), 422, "", "[n, 8]"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"\",\"shape\":[1,8],\"data\":0}]}", 400,
         "inputs[0].name", "'features'"},
        {REQUEST("", "INT64", "1", "[" LOW "]"), 422, "inputs[0].datatype", "FP32"},
        {REQUEST("", "FP32", "1001", "[]"), 413, "inputs[0].shape", "1 to 1000 rows"},
        {SHAPE("[1,7],\"data\":[1]"), 422, "inputs[0].shape", "8 inputs"},
        {REQUEST("", "FP32", "1000", "0"), 422, "inputs[0].data", "8000 numbers"},
        {REQUEST("", "FP32", "1", "[1,2,3]"), 422, "inputs[0].data", "8 numbers"},
        {REQUEST("", "FP32", "2", "[[" LOW "],[1]]"), 422, "inputs[0].data", "2 arrays of 8"},
        {REQUEST("", "FP32", "1", "[[[1],0,1,1,1,0,1,0]]"), 422, "inputs[0].data", "value 0 of"},
        {REQUEST("", "FP32", "1", "[1,0,1,null,1,0,1,0]"), 422, "inputs[0].data",
         "value 3 of row 0"},
        {REQUEST("", "FP64", "2", "[[" LOW "],[1,0,1,1,1,0,1,-1e39]]"), 422, "inputs[0].data",
         "value 7 of row 1"},
        {ONE("\"id\":1,"), 422, "id", "a string"},
        {ONE("\"outputs\":1,"), 422, "outputs", "an array"},
        {ONE("\"outputs\":[{\"name\":\"x\"}],"), 400, "outputs", "outputs[0]"},
        {ONE("\"outputs\":[{\"name\":\"margin\"},{\"name\":\"review\"},{\"name\":\"margin\"},"
             "{\"name\":\"margin\"}],"),
         400, "outputs", "outputs[3]"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const json_t *a = infer(cases[i].body), *field = json_object_get(a, "field");
        if (reply.status != cases[i].status || !strstr(reply.text, cases[i].words) ||
            strcmp(field ? json_string_value(field) : "", cases[i].field) != 0)
            fail_msg("%s\n%s", cases[i].body, reply.text);
    }
}

TEST_CASE(another_model_or_version_is_not_found)
{
    static const struct {
        const char *path, *body;
        int status;
        const char *words;
    } cases[] = {{"/v2/models/other/infer", ONE(""), 404, "no model 'other' here, but 'models'"},
                 {MODEL "/versions/2/infer", ONE(""), 404, "but version 1"},
                 {MODEL "/versions/1/infer", ONE(""), 200, "outputs"},
                 {"/v2/models/other/infer", "{", 404, "no model"}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct request q = request(cases[i].path);
        inference(&q, cases[i].body, strlen(cases[i].body));
        assert_int_equal(reply.status, cases[i].status);
        assert_non_null(strstr(reply.text, cases[i].words));
    }
}

TEST_CASE(the_metadata_names_the_features_in_their_order)
{
    struct request q = request(MODEL "/versions/1");
    inference_model(&q);
    assert_string_equal(
        reply.text, "{\"name\":\"models\",\"versions\":[\"1\"],\"platform\":\"assay_json\","
                    "\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP32\",\"shape\":[-1,8],"
                    "\"parameters\":{\"feature_names\":[\"amount\",\"night\",\"count_1d\","
                    "\"mean_7d\",\"age\",\"channel[web]\",\"channel[shop]\",\"channel[*]\"]}}],"
                    "\"outputs\":[{\"name\":\"probability\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                    "{\"name\":\"margin\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                    "{\"name\":\"review\",\"datatype\":\"BOOL\",\"shape\":[-1]}]}");
}

TEST_CASE(it_is_ready_until_a_write_has_failed)
{
    struct request q = request(MODEL "/ready");
    inference_ready(&q);
    assert_int_equal(reply.status, 200);
    atomic_store(&small.service.writer.broken, true);
    inference_ready(&q);
    assert_int_equal(reply.status, 503);
}

TESTS(NULL, NULL)
