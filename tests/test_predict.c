// The JSON of /predict against features and scores of a small model that are computed by hand.
#include "tests/asking.h"

#include <time.h>

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-14 * fabs(b)))
        fail_msg("%.17g is not %.17g", a, b);
}

static void assert_scored(const json_t *answer, double amount, double count, double mean)
{
    assert_near(number(answer, "probability"),
                1 / (1 + exp(-small_margin((double[]){amount, 0, count, mean, 40, 1, 0, 0}))));
}

#define SECOND "\"id\":\"T2\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""

TEST_CASE(a_transaction_is_answered_with_probability_decision_and_reasons)
{
    const double x[SMALL_INPUTS] = {57.16, 0, 1, 57.16, 33, 0, 1, 0},
                 p = 1 / (1 + exp(-small_margin(x)));
    // |term|: shop 1.125, web .4, night .35, amount .21; then count .1, mean .0973, age .0583, ...
    static const int order[] = {6, 5, 1, 0};
    static const char *const names[] = {"channel[shop]", "channel[web]", "night", "amount"};
    const json_t *a = ask("{" BASE ",\"amount\":57.16,\"age\":33,\"channel\":\"shop\"}");
    assert_string_equal(text(a, "id"), "T1");
    assert_near(number(a, "probability"), p);
    assert_string_equal(text(a, "decision"), p >= small_threshold ? "review" : "approve");
    assert_true(number(a, "threshold") == small_threshold);
    assert_string_equal(text(a, "model"), "1");
    assert_string_equal(text(a, "sha256"), small.service.champion->model.sha256);
    const json_t *reasons = json_object_get(a, "reasons");
    assert_int_equal(json_array_size(reasons), 4);
    for (size_t k = 0; k < 4; k++) {
        const json_t *one = json_array_get(reasons, k);
        const int i = order[k];
        assert_string_equal(text(one, "feature"), names[k]);
        assert_true((float)number(one, "value") == (float)x[i]);
        assert_near(number(one, "contribution"),
                    small_weight[i] * ((double)(float)x[i] - small_mean[i]) / small_scale[i]);
    }
    a = ask("{" SECOND ",\"amount\":900}");
    assert_true(number(a, "probability") > small_threshold);
    assert_string_equal(text(a, "decision"), "review");
}

TEST_CASE(an_id_comes_back_as_it_was_sent)
{
    const char *rest = ",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"1\",\"amount\":1}";
    const char *odd = "{\"id\":\"a\\\"\\\\\\n\\u0001\\u007f</script>\\ud83d\\ude00 \xc3\xa9\"";
    char body[256];
    snprintf(body, sizeof body, "%s%s", odd, rest);
    assert_string_equal(text(ask(body), "id"), "a\"\\\n\x01\x7f</script>\xf0\x9f\x98\x80 \xc3\xa9");
    snprintf(body, sizeof body, "{\"id\":-9223372036854775808%s", rest);
    const json_t *id = json_object_get(ask(body), "id");
    assert_true(json_is_integer(id) && json_integer_value(id) == INT64_MIN);
}

TEST_CASE(absent_null_and_empty_fields_take_the_missing_value)
{
    static const char *const rest[] = {"", ",\"age\":null,\"channel\":null", ",\"channel\":\"\""};
    for (int i = 0; i < 3; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"id\":%d,\"time\":\"2018-10-01T08:15:00Z\",\"customer\":%d,\"amount\":10%s}", i,
                 i, rest[i]);
        assert_scored(ask(body), 10, 1, 10);
    }
    const json_t *a = ask("{" BASE ",\"amount\":10,\"channel\":\"fax\"}"); // an unknown category
    assert_near(number(a, "probability"),
                1 / (1 + exp(-small_margin((double[]){10, 0, 1, 10, 40, 0, 0, 1}))));
}

TEST_CASE(the_windows_know_a_keys_earlier_and_late_transactions_at_their_own_time)
{
    assert_scored(ask("{" BASE ",\"amount\":10}"), 10, 1, 10);
    ask("{\"id\":2,\"time\":\"2018-10-01T08:00:00Z\",\"customer\":\"7\",\"amount\":70}");
    assert_scored(ask("{\"id\":3,\"time\":\"2018-09-30T08:15:00Z\",\"customer\":\"596\","
                      "\"amount\":40}"), // late
                  40, 1, 40);
    // A day later it is in the week, but not in the day. An integer is the key of its decimal text.
    assert_scored(ask("{\"id\":4,\"time\":\"2018-10-01T20:00:00Z\",\"customer\":596,"
                      "\"amount\":70}"),
                  70, 2, 40);
}

TEST_CASE(more_than_seven_days_late_is_refused_with_all_of_the_array)
{
    ask("{" BASE ",\"amount\":10}");
    expect("{\"id\":2,\"time\":\"2018-09-24T08:14:59Z\",\"customer\":\"596\",\"amount\":1}", 409);
    assert_non_null(strstr(text(latest, "detail"), "comes 1 s too late"));
    expect("[{" BASE ",\"amount\":10},{" SECOND ",\"amount\":10},{\"id\":9,"
           "\"time\":\"2018-09-01T00:00:00Z\",\"customer\":\"596\",\"amount\":1}]",
           409);
    assert_int_equal(json_integer_value(json_object_get(latest, "index")), 2);
    assert_string_equal(text(latest, "field"), "time");
    assert_int_equal(small.service.state.events, 1);
    assert_scored(ask("{" SECOND ",\"amount\":30}"), 30, 2, 20);
}

static int status_at(long long time)
{
    static int id;
    char body[128];
    snprintf(body, sizeof body, "{\"id\":%d,\"time\":%lld,\"customer\":\"1\",\"amount\":1}", ++id,
             time);
    ask(body);
    return reply.status;
}

TEST_CASE(a_time_a_day_after_both_the_clock_and_the_newest_is_refused)
{
    enum { DAY = 86400, SLACK = 600 }; // the test may be slow
    long long now = (long long)time(NULL);
    assert_int_equal(status_at(now + DAY + SLACK), 422);
    assert_string_equal(text(latest, "field"), "time");
    assert_non_null(strstr(text(latest, "detail"), "in the future"));
    assert_int_equal(status_at(now + DAY - SLACK), 200); // nothing was counted before
    assert_int_equal(status_at(now + 2 * DAY - 2 * SLACK), 200);
    assert_int_equal(status_at(now + 3 * DAY - 2 * SLACK + 1), 422);
    assert_int_equal(status_at(253402300799), 422);
    assert_true(small.service.state.last_time == now + 2 * DAY - 2 * SLACK);
    // A number of a row has no clock to be ahead of.
    memcpy(small.service.first->model.plan.schema.time_format, "row", sizeof "row");
    assert_int_equal(status_at(253402300799), 200);
}

TEST_CASE(a_service_needs_a_champion_its_key_and_an_unaltered_state)
{
    static const struct {
        const char *change, *words;
    } cases[] = {
        {"mv key other-key", "key"}, // and none is made
        {"test ! -e key; printf 'another 16 bytes' >key; chmod 600 key", "another pseudonym key"},
        {"mv other-key key; truncate -s 20 state.bin", "state.bin"},
        {"mv models/champion models/none", "champion"},
    };
    stop();
    shell("rm assay.db*");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        shell(cases[i].change);
        expect_no_start(cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_transaction_is_answered_with_probability_decision_and_reasons),
        TEST(an_id_comes_back_as_it_was_sent),
        TEST(absent_null_and_empty_fields_take_the_missing_value),
        TEST(the_windows_know_a_keys_earlier_and_late_transactions_at_their_own_time),
        TEST(more_than_seven_days_late_is_refused_with_all_of_the_array),
        TEST(a_time_a_day_after_both_the_clock_and_the_newest_is_refused),
        TEST(a_service_needs_a_champion_its_key_and_an_unaltered_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
