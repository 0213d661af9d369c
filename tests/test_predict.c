// The JSON of /predict against hand-computed features and scores of a small model.
#include "tests/asking.h"

#include <math.h>
#include <time.h>

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
    assert_string_equal(text(a, "sha256"), f->small.service.champion->model.sha256);
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
    memcpy(f->small.service.first->model.plan.schema.time_format, "row", sizeof "row");
    assert_int_equal(status_at(f, 1), 200);
    assert_int_equal(status_at(f, 253402300799), 200);
}

static void the_model_is_told_as_its_file_has_it(void **state)
{
    struct fixture *f = *state;
    char path[128];
    const char *name;
    json_t *value;
    snprintf(path, sizeof path, "%s/1/model.json", f->small.models);
    json_t *file = json_load_file(path, 0, NULL);
    json_t *told = json_loads(f->small.service.champion->text, 0, NULL);
    assert_int_equal(json_object_size(told), json_object_size(file) + 2);
    json_object_foreach(file, name, value)
    {
        assert_true(json_equal(json_object_get(told, name), value));
    }
    assert_string_equal(text(told, "model"), "1");
    assert_string_equal(text(told, "sha256"), f->small.service.champion->model.sha256);
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
        TEST(the_model_is_told_as_its_file_has_it),
        TEST(an_older_transaction_of_another_key_is_answered),
        TEST(absent_null_and_empty_fields_take_the_missing_value),
        TEST(an_unknown_category_is_counted_with_the_rest),
        TEST(an_id_comes_back_as_it_was_sent),
        TEST(the_reasons_are_the_four_largest_terms_of_the_margin),
        TEST(a_service_needs_the_key_file_and_does_not_make_it),
        TEST(a_service_refuses_a_key_that_the_state_was_not_made_with),
        TEST(a_service_needs_a_champion_and_an_unaltered_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
