// The JSON of /predict against hand-computed features and scores of a small model.
#include "tests/small_fixture.h"

#include <math.h>
#include <time.h>

static const json_t *ask_bytes(struct fixture *f, const char *body, size_t n)
{
    predict(&f->small.service, body, n, &f->reply);
    return take_answer(f);
}

static const json_t *ask(struct fixture *f, const char *body)
{
    return ask_bytes(f, body, strlen(body));
}

static double number(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static const char *text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    assert_non_null(s);
    return s;
}

// The definition, written out once more.
static double expected(const double x[SMALL_INPUTS])
{
    double margin = small_intercept;
    for (int i = 0; i < SMALL_INPUTS; i++)
        margin += small_weight[i] * ((double)(float)x[i] - small_mean[i]) / small_scale[i];
    return 1 / (1 + exp(-margin));
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-14 * fabs(b)))
        fail_msg("%.17g is not %.17g", a, b);
}

#define BASE   "\"id\":\"T1\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""

#define SECOND "\"id\":\"T2\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""
#define THIRD  "\"id\":\"T3\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""

static void a_transaction_is_answered_with_the_models_probability(void **state)
{
    struct fixture *f = *state;
    const json_t *a = ask(f, "{" BASE ",\"amount\":57.16,\"age\":33,\"channel\":\"shop\"}");
    assert_int_equal(f->reply.status, 200);
    assert_string_equal(text(a, "id"), "T1");
    double p = expected((double[]){57.16, 0, 1, 57.16, 33, 0, 1, 0});
    assert_near(number(a, "probability"), p);
    assert_string_equal(text(a, "decision"), p >= small_threshold ? "review" : "approve");
    assert_true(number(a, "threshold") == small_threshold);
    assert_string_equal(text(a, "model"), "1");
    assert_string_equal(text(a, "sha256"), f->small.service.model.sha256);
}

static void a_probability_above_the_threshold_is_for_review(void **state)
{
    const json_t *a = ask(*state, "{" BASE ",\"amount\":900}");
    assert_true(number(a, "probability") > small_threshold);
    assert_string_equal(text(a, "decision"), "review");
}

static void the_windows_remember_what_was_asked_before(void **state)
{
    struct fixture *f = *state;
    ask(f, "{" BASE ",\"amount\":10}");
    ask(f, "{\"id\":2,\"time\":\"2018-10-01T09:00:00Z\",\"customer\":\"7\",\"amount\":70}");
    const json_t *a = ask(f, "{\"id\":3,\"time\":\"2018-10-01T20:00:00Z\",\"customer\":\"596\","
                             "\"amount\":30}");
    assert_near(number(a, "probability"), expected((double[]){30, 0, 2, 20, 40, 1, 0, 0}));
}

static void an_array_is_run_in_its_order_and_answered_in_it(void **state)
{
    struct fixture *f = *state;
    const json_t *a = ask(f, "[{" BASE ",\"amount\":10},{" SECOND ",\"amount\":30}]");
    assert_int_equal(json_array_size(a), 2);
    assert_near(number(json_array_get(a, 0), "probability"),
                expected((double[]){10, 0, 1, 10, 40, 1, 0, 0}));
    assert_near(number(json_array_get(a, 1), "probability"),
                expected((double[]){30, 0, 2, 20, 40, 1, 0, 0}));
}

static void an_array_and_single_requests_give_the_same_bits(void **state)
{
    struct fixture *f = *state;
    struct fixture other = {0};
    struct err err = {""};
    double singly[3];
    static const char *const bodies[] = {"{" BASE ",\"amount\":10.1}",
                                         "{" SECOND ",\"amount\":11.1}",
                                         "{" THIRD ",\"amount\":12.1}"};
    char array[1024];
    for (int i = 0; i < 3; i++)
        singly[i] = number(ask(f, bodies[i]), "probability");
    snprintf(array, sizeof array, "[%s,%s,%s]", bodies[0], bodies[1], bodies[2]);
    assert_int_equal(small_service_make(&other.small, &err), 0);
    const json_t *a = ask(&other, array);
    for (size_t i = 0; i < 3; i++)
        assert_true(number(json_array_get(a, i), "probability") == singly[i]);
    release(&other);
}

static void an_integer_key_is_the_key_of_its_decimal_text(void **state)
{
    struct fixture *f = *state;
    ask(f, "{" BASE ",\"amount\":10}");
    const json_t *a = ask(f, "{\"id\":\"T2\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":596,"
                             "\"amount\":10}");
    assert_near(number(a, "probability"), expected((double[]){10, 0, 2, 10, 40, 1, 0, 0}));
}

static void every_way_to_write_a_time_means_the_same_second(void **state)
{
    static const char *const same[] = {"\"2018-10-01T08:15:00Z\"",
                                       "\"2018-10-01T10:15:00+02:00\"",
                                       "\"2018-10-01 08:15:00\"",
                                       "\"2018-10-01T08:15:00.000Z\"",
                                       "\"2018-10-01T01:15:00-07:00\"",
                                       "1538381700",
                                       "1538381700.0"};
    struct fixture *f = *state;
    char body[256];
    const char *form = "{\"id\":\"%s%zu\",\"time\":%s,\"customer\":\"%zu\",\"amount\":1}";
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        snprintf(body, sizeof body, form, "T", i, same[i], i);
        ask(f, body);
        assert_int_equal(f->reply.status, 200);
        snprintf(body, sizeof body, form, "U", i, "1537776899",
                 i); // seven days and a second before
        ask(f, body);
        assert_int_equal(f->reply.status, 409); // so none is earlier
        snprintf(body, sizeof body, form, "V", i, "1537776900", i);
        ask(f, body);
        assert_int_equal(f->reply.status, 200); // and none is later
    }
    assert_true(f->small.service.state.last_time == 1538381700);
}

static void
a_transaction_that_comes_more_than_seven_days_late_is_refused_and_not_counted(void **state)
{
    struct fixture *f = *state;
    ask(f, "{" BASE ",\"amount\":10}");
    ask(f, "{\"id\":2,\"time\":\"2018-09-24T08:14:59Z\",\"customer\":\"596\",\"amount\":1}");
    assert_int_equal(f->reply.status, 409);
    assert_non_null(strstr(text(f->answer, "detail"), "comes 1 s too late"));
    const json_t *a = ask(f, "{" SECOND ",\"amount\":30}");
    assert_near(number(a, "probability"), expected((double[]){30, 0, 2, 20, 40, 1, 0, 0}));
}

static void a_late_element_is_named_by_its_index_and_nothing_of_the_array_is_counted(void **state)
{
    struct fixture *f = *state;
    ask(f, "{" BASE ",\"amount\":10}");
    const json_t *a = ask(f, "[{" BASE ",\"amount\":10},{" SECOND ",\"amount\":10},"
                             "{\"id\":9,\"time\":\"2018-09-01T00:00:00Z\",\"customer\":\"596\","
                             "\"amount\":1}]");
    assert_int_equal(f->reply.status, 409);
    assert_int_equal(json_integer_value(json_object_get(a, "index")), 2);
    assert_string_equal(text(a, "field"), "time");
    assert_int_equal(f->small.service.state.events, 1);
}

static void a_late_transaction_is_answered_and_counted_at_its_own_time(void **state)
{
    struct fixture *f = *state;
    ask(f, "{" BASE ",\"amount\":10}");
    const json_t *a = ask(f, "{\"id\":2,\"time\":\"2018-09-30T08:15:00Z\",\"customer\":\"596\","
                             "\"amount\":40}");
    assert_near(number(a, "probability"), expected((double[]){40, 0, 1, 40, 40, 1, 0, 0}));
    a = ask(f, "{" SECOND ",\"amount\":70}"); // a day later: in the week, not in the day
    assert_near(number(a, "probability"), expected((double[]){70, 0, 2, 40, 40, 1, 0, 0}));
}

static int status_at(struct fixture *f, long long time)
{
    static int id;
    char body[128];
    snprintf(body, sizeof body, "{\"id\":%d,\"time\":%lld,\"customer\":\"1\",\"amount\":1}", ++id,
             time);
    ask(f, body);
    return f->reply.status;
}

static void a_time_a_day_after_both_the_clock_and_the_newest_is_refused(void **state)
{
    enum { DAY = 86400, SLACK = 600 }; // the test may be slow
    struct fixture *f = *state;
    long long now = (long long)time(NULL);
    assert_int_equal(status_at(f, now + DAY + SLACK), 422);
    assert_string_equal(text(f->answer, "field"), "time");
    assert_non_null(strstr(text(f->answer, "detail"), "in the future"));
    assert_int_equal(status_at(f, now + DAY - SLACK), 200); // nothing was counted before
    assert_int_equal(status_at(f, now + 2 * DAY - 2 * SLACK), 200);
    assert_int_equal(status_at(f, now + 3 * DAY - 2 * SLACK + 1), 422);
    assert_int_equal(status_at(f, 253402300799), 422);
    assert_true(f->small.service.state.last_time == now + 2 * DAY - 2 * SLACK);
}

static void a_number_of_a_row_has_no_clock_to_be_ahead_of(void **state)
{
    struct fixture *f = *state;
    memcpy(f->small.service.model.plan.schema.time_format, "row", sizeof "row");
    assert_int_equal(status_at(f, 1), 200);
    assert_int_equal(status_at(f, 253402300799), 200);
}

// As when memory ran out in the middle of a block (features/state.h).
static void a_state_of_no_use_is_503_and_not_ready_and_claims_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(service_ready(&f->small.service, NULL), 0);
    f->small.service.state.broken = true;
    ask(f, "{" BASE ",\"amount\":10}");
    assert_int_equal(f->reply.status, 503);
    assert_null(strstr(f->reply.text, "counted"));
    assert_int_equal(service_ready(&f->small.service, NULL), -1);
}

static void the_model_is_told_as_its_file_has_it(void **state)
{
    struct fixture *f = *state;
    char path[128];
    const char *name;
    json_t *value;
    snprintf(path, sizeof path, "%s/1/model.json", f->small.models);
    json_t *file = json_load_file(path, 0, NULL);
    json_t *told = json_loads(f->small.service.model_text, 0, NULL);
    assert_int_equal(json_object_size(told), json_object_size(file) + 2);
    json_object_foreach(file, name, value)
    {
        assert_true(json_equal(json_object_get(told, name), value));
    }
    assert_string_equal(text(told, "model"), "1");
    assert_string_equal(text(told, "sha256"), f->small.service.model.sha256);
    json_decref(told);
    json_decref(file);
}

static void an_older_transaction_of_another_key_is_answered(void **state)
{
    struct fixture *f = *state;
    ask(f, "{" BASE ",\"amount\":10}");
    ask(f, "{\"id\":2,\"time\":\"2018-10-01T08:00:00Z\",\"customer\":\"597\",\"amount\":1}");
    assert_int_equal(f->reply.status, 200);
}

static void one_bad_element_refuses_the_array_and_nothing_is_counted(void **state)
{
    struct fixture *f = *state;
    const json_t *a = ask(f, "[{" BASE ",\"amount\":10},{" BASE ",\"amount\":-1}]");
    assert_int_equal(f->reply.status, 422);
    assert_int_equal(json_integer_value(json_object_get(a, "index")), 1);
    assert_string_equal(text(a, "field"), "amount");
    assert_true(f->small.service.state.events == 0);
    ask(f, "[{" BASE ",\"amount\":1},{\"id\":\"T0\",\"time\":5,\"customer\":\"596\","
           "\"amount\":1}]");
    assert_int_equal(f->reply.status, 409);
    assert_true(f->small.service.state.events == 0);
}

static void absent_null_and_empty_fields_take_the_missing_value(void **state)
{
    struct fixture *f = *state;
    double p = expected((double[]){10, 0, 1, 10, 40, 1, 0, 0});
    const char *rest[] = {"", ",\"age\":null,\"channel\":null", ",\"channel\":\"\""};
    for (int i = 0; i < 3; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"id\":%d,\"time\":\"2018-10-01T08:15:00Z\",\"customer\":%d,\"amount\":10%s}", i,
                 i, rest[i]);
        assert_near(number(ask(f, body), "probability"), p);
    }
}

static void an_unknown_category_is_counted_with_the_rest(void **state)
{
    const json_t *a = ask(*state, "{" BASE ",\"amount\":10,\"channel\":\"fax\"}");
    assert_near(number(a, "probability"), expected((double[]){10, 0, 1, 10, 40, 0, 0, 1}));
}

static void an_id_comes_back_as_it_was_sent(void **state)
{
    struct fixture *f = *state;
    const char *rest = ",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"1\",\"amount\":1}";
    const char *odd = "{\"id\":\"a\\\"\\\\\\n\\u0001\\u007f</script>\\ud83d\\ude00 \xc3\xa9\"";
    char body[256];
    snprintf(body, sizeof body, "%s%s", odd, rest);
    assert_string_equal(text(ask(f, body), "id"),
                        "a\"\\\n\x01\x7f</script>\xf0\x9f\x98\x80 \xc3\xa9");
    snprintf(body, sizeof body, "{\"id\":-9223372036854775808%s", rest);
    const json_t *id = json_object_get(ask(f, body), "id");
    assert_true(json_is_integer(id) && json_integer_value(id) == INT64_MIN);
}

static void the_reasons_are_the_four_largest_terms_of_the_margin(void **state)
{
    struct fixture *f = *state;
    const double x[SMALL_INPUTS] = {57.16, 0, 1, 57.16, 33, 0, 1, 0};
    const json_t *a = ask(f, "{" BASE ",\"amount\":57.16,\"age\":33,\"channel\":\"shop\"}");
    const json_t *reasons = json_object_get(a, "reasons");
    // |term|: shop 1.125, web .4, night .35, amount .21; then count .1, mean .0973, age .0583, ...
    static const int order[] = {6, 5, 1, 0};
    static const char *const names[] = {"channel[shop]", "channel[web]", "night", "amount"};
    assert_int_equal(json_array_size(reasons), 4);
    for (size_t k = 0; k < 4; k++) {
        const json_t *one = json_array_get(reasons, k);
        int i = order[k];
        assert_string_equal(text(one, "feature"), names[k]);
        assert_true((float)number(one, "value") == (float)x[i]);
        assert_near(number(one, "contribution"),
                    small_weight[i] * ((double)(float)x[i] - small_mean[i]) / small_scale[i]);
    }
}

static void what_does_not_fit_is_refused_and_the_field_is_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body;
        int status;
        const char *field, *says;
    } cases[] = {
        {"{" BASE "}", 422, "amount", "missing"},
        {"{" BASE ",\"amount\":null}", 422, "amount", "missing"},
        {"{" BASE ",\"amount\":\"5\"}", 422, "amount", "not a string"},
        {"{" BASE ",\"amount\":true}", 422, "amount", "not true"},
        {"{" BASE ",\"amount\":[1]}", 422, "amount", "not an array"},
        {"{" BASE ",\"amount\":-0.01}", 422, "amount", "less than 0"},
        {"{" BASE ",\"amount\":10000.5}", 422, "amount", "more than 10000"},
        {"{" BASE ",\"amount\":1,\"label\":1}", 422, "label", "leave it out"},
        {"{" BASE ",\"amount\":1,\"label\":null}", 422, "label", "leave it out"},
        {"{" BASE ",\"amount\":1,\"channel\":3}", 422, "channel", "must be a string"},
        {"{" BASE ",\"amuont\":1}", 400, "amuont", "did you mean 'amount'?"},
        {"{" BASE ",\"amount\\u0000\":1}", 400, NULL, ""},
        {"{\"id\":1,\"time\":1,\"customer\":1.5,\"amount\":1}", 422, "customer", "a number"},
        {"{\"id\":1,\"time\":1,\"customer\":\"\",\"amount\":1}", 422, "customer", "missing"},
        {"{\"id\":1.5,\"time\":1,\"customer\":1,\"amount\":1}", 422, "id", "a number"},
        {"{\"time\":1,\"customer\":1,\"amount\":1}", 422, "id", "missing"},
        {"{\"id\":1,\"time\":\"2018-02-30T00:00:00Z\",\"customer\":1,\"amount\":1}", 422, "time",
         "2018-02-30"},
        {"{\"id\":1,\"time\":\"2018-02-20T00:00:00.5Z\",\"customer\":1,\"amount\":1}", 422, "time",
         "whole"},
        {"{\"id\":1,\"time\":\"2018-02-20\",\"customer\":1,\"amount\":1}", 422, "time", "whole"},
        {"{\"id\":1,\"time\":1.5,\"customer\":1,\"amount\":1}", 422, "time", "1.5"},
        {"{\"id\":1,\"time\":1e300,\"customer\":1,\"amount\":1}", 422, "time", "years"},
        {"{\"id\":1,\"time\":{},\"customer\":1,\"amount\":1}", 422, "time", "an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const json_t *a = ask(f, cases[i].body);
        const char *field = json_string_value(json_object_get(a, "field"));
        if (f->reply.status != cases[i].status || !strstr(text(a, "detail"), cases[i].says) ||
            (cases[i].field && (!field || strcmp(field, cases[i].field) != 0)))
            fail_msg("%s: %s", cases[i].body, f->reply.text);
        assert_string_equal(text(a, "error"), text(a, "detail"));
        assert_int_equal(json_integer_value(json_object_get(a, "status")), cases[i].status);
        assert_null(json_object_get(a, "index"));
    }
    assert_true(f->small.service.state.events == 0);
}

static void what_is_no_transaction_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {"",
                                         "{",
                                         "[",
                                         "5",
                                         "\"x\"",
                                         "null",
                                         "{}x",
                                         "{\"id\":01}",
                                         "[]",
                                         "{,}",
                                         "{\"id\":1,}",
                                         "{'id':1}",
                                         "\xff\xfe",
                                         "{\"\xff\":1}",
                                         "[1,2]]",
                                         "{\"id\":NaN}",
                                         "{\"id\":1e999}",
                                         "{\"id\":99999999999999999999}",
                                         "{\"id\":\"\\u0000\"}",
                                         "{\"id\":1,\"id\":2}",
                                         "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        ask(f, bodies[i]);
        if (f->reply.status != 400)
            fail_msg("%s: %s", bodies[i], f->reply.text);
    }
}

static void an_element_that_is_no_object_is_named_by_its_index(void **state)
{
    struct fixture *f = *state;
    const json_t *a = ask(f, "[{" BASE ",\"amount\":1},7]");
    assert_int_equal(f->reply.status, 422);
    assert_int_equal(json_integer_value(json_object_get(a, "index")), 1);
}

static void a_byte_of_0_is_refused_wherever_it_stands(void **state)
{
    struct fixture *f = *state;
    static const char good[] = "{" BASE ",\"amount\":1}";
    char body[sizeof good + 1];
    for (size_t at = 0; at <= sizeof good - 1; at++) {
        memcpy(body, good, at);
        body[at] = '\0';
        memcpy(body + at + 1, good + at, sizeof good - 1 - at);
        ask_bytes(f, body, sizeof good);
        assert_int_equal(f->reply.status, 400);
    }
}

static void deep_nesting_is_refused_and_brackets_in_a_text_are_not_nesting(void **state)
{
    struct fixture *f = *state;
    char body[4096];
    memset(body, '[', 2000);
    const json_t *a = ask_bytes(f, body, 2000);
    assert_int_equal(f->reply.status, 400);
    assert_non_null(strstr(text(a, "detail"), "deeper than 32"));
    ask(f, "{\"id\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\",\"time\":1,\"customer\":1,"
           "\"amount\":1}");
    assert_int_equal(f->reply.status, 200);
}

static void an_array_of_1000_is_answered_and_one_of_1001_is_not(void **state)
{
    struct fixture *f = *state;
    static const char one[] = "{" BASE ",\"amount\":1}";
    char *body = malloc(1002 * sizeof one);
    assert_non_null(body);
    size_t n = 0;
    body[n++] = '[';
    for (int i = 0; i < 1001; i++) {
        memcpy(body + n, one, sizeof one - 1);
        n += sizeof one - 1;
        body[n++] = i < 1000 ? ',' : ']';
    }
    ask_bytes(f, body, n);
    assert_int_equal(f->reply.status, 413);
    body[n - sizeof one - 1 + 0] = ']'; // the comma before the last element
    const json_t *a = ask_bytes(f, body, n - sizeof one);
    assert_int_equal(f->reply.status, 200);
    assert_int_equal(json_array_size(a), 1000);
    free(body);
}

static void a_long_unknown_name_makes_a_valid_reply(void **state)
{
    struct fixture *f = *state;
    char body[4096];
    size_t n = 0;
    n += (size_t)snprintf(body + n, sizeof body - n, "{\"x");
    for (int i = 0; i < 500; i++) // the euro sign: the cut falls inside one
        n += (size_t)snprintf(body + n, sizeof body - n, "\xe2\x82\xac");
    n += (size_t)snprintf(body + n, sizeof body - n, "\":1}");
    ask_bytes(f, body, n);
    assert_int_equal(f->reply.status, 400);
}

static int load_with(struct service *s, const char *models, const char *state, const char *key,
                     struct err *err)
{
    char database[96];
    snprintf(database, sizeof database, "%.80s.other.db", key);
    const struct service_files files = {
        .models = models, .state = state, .key = key, .database = database, .queue = 10};
    return service_load(s, &files, err);
}

static void a_service_needs_the_key_file_and_does_not_make_it(void **state)
{
    struct fixture *f = *state;
    struct service other;
    struct err err;
    char path[128];
    snprintf(path, sizeof path, "%s/other-key", f->small.folder);
    assert_int_equal(load_with(&other, f->small.models, f->small.state, path, &err), -1);
    assert_non_null(strstr(err.msg, "other-key"));
    assert_int_equal(access(path, F_OK), -1);
}

static void a_service_refuses_a_key_that_the_state_was_not_made_with(void **state)
{
    struct fixture *f = *state;
    struct service other;
    struct err err;
    char path[128];
    snprintf(path, sizeof path, "%s/other-key", f->small.folder);
    assert_int_equal(small_write(path, "another 16 bytes", 16, 0600), 0);
    assert_int_equal(load_with(&other, f->small.models, f->small.state, path, &err), -1);
    assert_non_null(strstr(err.msg, "another pseudonym key"));
    remove(path);
}

static void a_service_needs_a_champion_and_an_unaltered_state(void **state)
{
    struct fixture *f = *state;
    struct service other;
    struct err err;
    assert_int_equal(load_with(&other, f->small.folder, f->small.state, f->small.key, &err), -1);
    assert_int_equal(truncate(f->small.state, 20), 0);
    assert_int_equal(load_with(&other, f->small.models, f->small.state, f->small.key, &err), -1);
    assert_non_null(strstr(err.msg, "state.bin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_transaction_is_answered_with_the_models_probability),
        TEST(a_probability_above_the_threshold_is_for_review),
        TEST(the_windows_remember_what_was_asked_before),
        TEST(an_array_is_run_in_its_order_and_answered_in_it),
        TEST(an_array_and_single_requests_give_the_same_bits),
        TEST(an_integer_key_is_the_key_of_its_decimal_text),
        TEST(every_way_to_write_a_time_means_the_same_second),
        TEST(a_transaction_that_comes_more_than_seven_days_late_is_refused_and_not_counted),
        TEST(a_late_element_is_named_by_its_index_and_nothing_of_the_array_is_counted),
        TEST(a_late_transaction_is_answered_and_counted_at_its_own_time),
        TEST(a_time_a_day_after_both_the_clock_and_the_newest_is_refused),
        TEST(a_number_of_a_row_has_no_clock_to_be_ahead_of),
        TEST(a_state_of_no_use_is_503_and_not_ready_and_claims_nothing),
        TEST(the_model_is_told_as_its_file_has_it),
        TEST(an_older_transaction_of_another_key_is_answered),
        TEST(one_bad_element_refuses_the_array_and_nothing_is_counted),
        TEST(absent_null_and_empty_fields_take_the_missing_value),
        TEST(an_unknown_category_is_counted_with_the_rest),
        TEST(an_id_comes_back_as_it_was_sent),
        TEST(the_reasons_are_the_four_largest_terms_of_the_margin),
        TEST(what_does_not_fit_is_refused_and_the_field_is_named),
        TEST(what_is_no_transaction_is_refused),
        TEST(an_element_that_is_no_object_is_named_by_its_index),
        TEST(a_byte_of_0_is_refused_wherever_it_stands),
        TEST(deep_nesting_is_refused_and_brackets_in_a_text_are_not_nesting),
        TEST(an_array_of_1000_is_answered_and_one_of_1001_is_not),
        TEST(a_long_unknown_name_makes_a_valid_reply),
        TEST(a_service_needs_the_key_file_and_does_not_make_it),
        TEST(a_service_refuses_a_key_that_the_state_was_not_made_with),
        TEST(a_service_needs_a_champion_and_an_unaltered_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
