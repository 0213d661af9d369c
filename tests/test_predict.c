// The JSON of /predict against features and scores of a small model that are computed by hand, and
// bodies that are refused.
#include "serve/http.h"
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

#define SAME   "{\"id\":7,\"time\":1538381700,\"customer\":7,\"amount\":1,\"age\":150}"
#define SECOND "\"id\":\"T2\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""

TEST_CASE(a_transaction_is_answered_with_probability_decision_and_reasons)
{
    const double x[SMALL_INPUTS] = {57.16, 0, 1, 57.16, 33, 0, 1, 0},
                 p = 1 / (1 + exp(-small_margin(x)));
    // |term|: channel 1.49, night .35, amount .21, count .1; then mean .0973, age .0583
    static const int order[] = {6, 1, 0, 2}, end[] = {8, 2, 1, 3};
    static const char *const names[] = {"channel[shop]", "night", "amount", "count_1d"};
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
        double sum = 0;
        for (int i = k ? order[k] : 5; i < end[k]; i++) // of a onehot that of all its inputs
            sum += small_weight[i] * ((double)(float)x[i] - small_mean[i]) / small_scale[i];
        assert_string_equal(text(one, "feature"), names[k]);
        assert_true((float)number(one, "value") == (float)x[order[k]]);
        assert_near(number(one, "contribution"), sum);
    }
    a = ask("{" SECOND ",\"amount\":900}");
    assert_true(number(a, "probability") > small_threshold);
    assert_string_equal(text(a, "decision"), "review");
}

// Its raw value is stored and shown; its contribution is that of the end of the range. The decision
// is sent again as it was, whatever model decides then.
TEST_CASE(inputs_outside_the_range_of_training_are_named_counted_and_sent_again)
{
    static const char body[] = "{" BASE ",\"amount\":5000,\"age\":150}";
    const double x[SMALL_INPUTS] = {5000, 0, 1, 5000, 150, 1, 0, 0};
    const json_t *a = ask(body), *names = json_object_get(a, "outside_training");
    assert_near(number(a, "probability"), 1 / (1 + exp(-small_margin(x))));
    assert_int_equal(json_array_size(names), 2);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "amount");
    assert_string_equal(json_string_value(json_array_get(names, 1)), "age");
    const json_t *reason = json_array_get(json_object_get(a, "reasons"), 1);
    assert_string_equal(text(reason, "feature"), "amount");
    assert_true(number(reason, "value") == 5000);
    assert_near(number(reason, "contribution"), 0.9 * (1000 - 50) / 30);
    const atomic_ullong *counted = small.service.counters.outside;
    assert_true(counted[0] == 1 && counted[3] == 0 && counted[4] == 1);
    assert_int_equal(count("SELECT count(outside) FROM prediction"), 1);
    char *first = xstrdup(reply.text);
    small.service.champion->model.inputs[0].max = 1e9;
    restart();
    ask("[" SAME "," SAME "]"); // of another customer, twice
    assert_true(small.service.counters.outside[4] == 1);
    assert_true(json_equal(json_array_get(latest, 0), json_array_get(latest, 1)));
    ask(body);
    assert_string_equal(reply.text, first);
    free(first);
    assert_null(json_object_get(ask("{" SECOND ",\"amount\":9}"), "outside_training"));
}

TEST_CASE(a_model_may_review_whatever_lies_outside_the_range_of_training)
{
    for (int review = 0; review < 2; review++) {
        small.service.champion->model.review_outside = review;
        for (int age = 120; age < 122; age++) {
            const char *body =
                formatted("{\"id\":%d,\"time\":1538381700,\"customer\":%d,\"amount\":1,\"age\":%d}",
                          age + 9 * review, age, age);
            assert_string_equal(text(ask(body), "decision"),
                                review && age > 120 ? "review" : "approve");
        }
    }
}

TEST_CASE(an_id_comes_back_as_it_was_sent)
{
    const char *rest = ",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"1\",\"amount\":1}";
    const char *odd = "{\"id\":\"a\\\"\\\\\\n\\u0001\\u007f</script>\\ud83d\\ude00 \xc3\xa9\"";
    assert_string_equal(text(ask(formatted("%s%s", odd, rest)), "id"),
                        "a\"\\\n\x01\x7f</script>\xf0\x9f\x98\x80 \xc3\xa9");
    const json_t *id =
        json_object_get(ask(formatted("{\"id\":-9223372036854775808%s", rest)), "id");
    assert_true(json_is_integer(id) && json_integer_value(id) == INT64_MIN);
}

TEST_CASE(absent_null_and_empty_fields_take_the_missing_value)
{
    static const char *const rest[] = {"", ",\"age\":null,\"channel\":null", ",\"channel\":\"\""};
    for (int i = 0; i < 3; i++) {
        const char *body = formatted(
            "{\"id\":%d,\"time\":1538381700,\"customer\":%d,\"amount\":10%s}", i, i, rest[i]);
        assert_scored(ask(body), 10, 1, 10);
    }
    const json_t *a = ask("{" BASE ",\"amount\":10,\"channel\":\"fax\"}"); // an unknown category
    assert_near(number(a, "probability"),
                1 / (1 + exp(-small_margin((double[]){10, 0, 1, 10, 40, 0, 0, 0}))));
    // A number that is missing stays so, also where the model puts in another one.
    ask("{" BASE ",\"age\":null,\"amount\":10,\"channel\":\"fax\"}");
    assert_int_equal(reply.status, 200);
    expect("{" BASE ",\"age\":40,\"amount\":10,\"channel\":\"fax\"}", 409);
    assert_int_equal(count("SELECT count(*) FROM prediction WHERE t_age IS NULL"), 4);
    record(&small.service, "T1", 2, &reply);
    assert_contains(reply.text, "\"age\":null,");
    recent_write_decisions(&small.service.recent, false, &reply);
    assert_contains(reply.text, "\"age\":null}");
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
    static const char late[] =
        "{\"id\":2,\"time\":\"2018-09-24T08:14:59Z\",\"customer\":\"596\",\"amount\":1}";
    expect(late, 409);
    assert_non_null(strstr(text(latest, "detail"), "is 7 days 0 h older than"));
    ask_what_if(late);
    assert_int_equal(reply.status, 409);
    static const char array[] =
        "[{" BASE ",\"amount\":10},{" SECOND ",\"amount\":10},{\"id\":9,"
        "\"time\":\"2018-09-01T00:00:00Z\",\"customer\":\"596\",\"amount\":1}]";
    for (int store = 0; store < 2; store++) {
        predict(&small.service, array, sizeof array - 1, store, &reply);
        take_answer();
        assert_int_equal(reply.status, 409);
        assert_int_equal(json_integer_value(json_object_get(latest, "index")), 2);
        assert_string_equal(text(latest, "field"), "time");
    }
    assert_int_equal(small.service.state.events, 1);
    assert_scored(ask("{" SECOND ",\"amount\":30}"), 30, 2, 20);
    // A key that nobody has seen may be as late as it likes.
    assert_scored(ask("{\"id\":3,\"time\":\"2018-09-01T08:00:00Z\",\"customer\":8,\"amount\":7}"),
                  7, 1, 7);
}

static int status_at(long long time)
{
    static int id;
    ask(formatted("{\"id\":%d,\"time\":%lld,\"customer\":\"1\",\"amount\":1}", ++id, time));
    return reply.status;
}

// All are the same transaction, so that each after the first gets the answer that was stored.
TEST_CASE(a_time_is_rounded_down_to_a_whole_second)
{
    static const char *const times[] = {"\"2018-10-01T08:15:00Z\"",
                                        "\"2018-10-01T08:15:00.123Z\"",
                                        "\"2018-10-01T08:15:00.123456+00:00\"",
                                        "\"2018-10-01T10:15:00.999999999+02:00\"",
                                        "\"2018-10-01 08:15:00.5\"",
                                        "1538381700.75"};
    for (size_t i = 0; i < LENGTH(times); i++) {
        expect(formatted("{\"id\":1,\"time\":%s,\"customer\":1,\"amount\":1}", times[i]), 200);
    }
    assert_int_equal(count("SELECT count(*) FROM prediction WHERE t_time = 1538381700"), 1);
}

enum { DAY = 86400, SLACK = 600 }; // a test may be slow

// Of nine throwaway keys each moved the limit on by a day, and the tenth was the victim's.
TEST_CASE(clients_cannot_move_a_key_further_ahead_than_a_day_after_the_clock)
{
    const long long now = (long long)time(NULL);
    assert_int_equal(status_at(now), 200);
    for (int i = 1; i <= 10; i++)
        assert_int_equal(status_at(now + i * DAY - SLACK), i == 1 ? 200 : 422);
    assert_string_equal(text(latest, "field"), "time");
    assert_non_null(strstr(text(latest, "detail"), "is 9 days 23 h in the future"));
    assert_int_equal(status_at(now), 200);
    restart();
    assert_int_equal(status_at(now + 2 * DAY - SLACK), 422);
}

TEST_CASE(the_data_clock_is_the_newest_transaction_and_the_wall_clock_that_of_the_first_state)
{
    long long now = (long long)time(NULL);
    stop();
    small.files.data_clock = true;
    start();
    assert_int_equal(status_at(now + DAY + SLACK), 422);
    assert_int_equal(status_at(now + DAY - SLACK), 200); // nothing was counted before
    assert_int_equal(status_at(now + 2 * DAY - 2 * SLACK), 200);
    assert_int_equal(status_at(now + 3 * DAY - 2 * SLACK + 1), 422);
    assert_int_equal(status_at(253402300799), 422);
    assert_true(small.service.state.last_time == now + 2 * DAY - 2 * SLACK);
    writer_stop(&small.service); // from here on this thread has the state
    small.service.state.position = 0;
    const int fd = open(small.state, O_WRONLY | O_TRUNC);
    struct err err;
    assert_int_equal(snapshot_save(&small.service.state, fd, small.state, &err), 0);
    close(fd);
    stop();
    shell("rm assay.db*");
    small.files.data_clock = false;
    for (int i = 0; i < 2; i++) {
        start();
        assert_int_equal(status_at(now + 3 * DAY - 2 * SLACK), 200); // and does not move the limit
        assert_int_equal(status_at(now + 3 * DAY), 422);
        stop();
    }
    start();
    // A number of a row has no clock to be ahead of.
    memcpy(small.service.first->model.plan.schema.time_format, "row", sizeof "row");
    assert_int_equal(status_at(253402300799), 200);
}

TEST_CASE(a_row_without_its_number_follows_the_newest_one)
{
    memcpy(small.service.first->model.plan.schema.time_format, "row", sizeof "row");
    assert_int_equal(status_at(41), 200);
    for (int again = 0; again < 2; again++)
        expect("[{\"id\":\"a\",\"customer\":1,\"amount\":1},{\"id\":\"b\",\"customer\":1,"
               "\"amount\":1},"
               "{\"id\":\"a\",\"customer\":1,\"amount\":1}]",
               200);
    assert_int_equal(count("SELECT sum(t_time) FROM prediction"), 41 + 42 + 43);
    char *document = openapi_text(&small.service);
    assert_non_null(strstr(document, "\"required\":[\"id\",\"customer\",\"amount\"]"));
    free(document);
    expect("{\"id\":\"a\",\"time\":41,\"customer\":1,\"amount\":1}", 409);
    tell("{\"id\":\"b\",\"label\":1}");
    record(&small.service, "b", 1, &reply);
    assert_non_null(strstr(reply.text, "\"clock\":43,\"transaction\":{\"id\":\"b\",\"time\":43,"));
    assert_non_null(strstr(reply.text, "\"clock\":43}]}"));
    reply_reset(&reply);
    recent_write_decisions(&small.service.recent, false, &reply);
    assert_non_null(strstr(reply.text, "Z\",\"time\":43,\"numbers\""));
}

TEST_CASE(a_string_comes_back_from_its_json_and_what_is_not_utf8_as_a_mark)
{
    static const char *const cases[][2] = {
        {"\"\\/\n\x01\x1f\x7f", "\"\\/\n\x01\x1f\x7f"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xff\xc3(\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd"}};
    for (size_t i = 0; i < 3; i++) {
        reply_reset(&reply);
        reply_string(&reply, cases[i][0], strlen(cases[i][0]));
        json_t *v = json_loadb(reply.text, reply.n, JSON_DECODE_ANY, NULL);
        assert_string_equal(json_string_value(v), cases[i][1]);
        json_decref(v);
    }
}

// So many allocations succeed.
static int allocations;

static void *scarce_memory(size_t size)
{
    errno = ENOMEM;
    return allocations-- > 0 ? malloc(size) : NULL;
}

TEST_CASE(a_body_that_cannot_be_parsed_is_400_and_without_memory_503)
{
    static const struct {
        const char *body;
        size_t n;
        const char *words;
    } cases[] = {{"", 0, "not JSON"},
                 {"{\"a\":1", 6, "line 1, column 6"},
                 {"{\"a\":1,\"a\":2}", 13, "duplicate"},
                 {"{\"a\":1}\0", 8, "byte of 0 at offset 7"},
                 {"{\"a\\", 4, "not JSON"},
                 {"[99999999999999999999]", 22, "a number is out of range: line 1, column 21"},
                 {"{\"id\":1,\"amount\":1e400}", 23, "near '1e400'"},
                 {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1", 34, "deeper than 32"}};
    struct reply r = {0};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_null(json_from_body(cases[i].body, cases[i].n, 8, &r));
        assert_int_equal(r.status, 400);
        if (!strstr(r.text, cases[i].words))
            fail_msg("%s: %s", cases[i].body, r.text);
    }
    static const char quoted[] = "[\"[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]";
    json_t *v = json_from_body(quoted, sizeof quoted - 1, 8, &r);
    assert_non_null(v); // brackets in a string are no nesting
    json_decref(v);
    static const char some[] = "[{\"id\":\"\\u00e4\",\"x\":[1,2.5,true]}]";
    int n = 0;
    for (v = NULL; !v; n++) {
        json_set_alloc_funcs(scarce_memory, free);
        allocations = n;
        v = json_from_body(some, sizeof some - 1, 8, &r);
        json_set_alloc_funcs(malloc, free);
        assert_true(v || r.status == 503);
    }
    assert_true(n > 10);
    json_decref(v);
    reply_release(&r);
}

// A parsed value takes up to a hundred times the memory of its text.
TEST_CASE(a_body_of_more_values_than_a_request_needs_is_refused_before_it_is_parsed)
{
    static const char *const cases[] = {"{},", "1,", "\"\",", "[[]],", "\"a\":1,"};
    static char body[1 << 20];
    struct reply r = {0};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        for (size_t at = 0, n = strlen(cases[i]); at < sizeof body; at++)
            body[at] = at ? cases[i][(at - 1) % n] : '[';
        json_set_alloc_funcs(scarce_memory, free);
        allocations = 0;
        json_t *v = json_from_body(body, sizeof body, 8, &r);
        json_set_alloc_funcs(malloc, free);
        assert_null(v);
        assert_int_equal(r.status, 413);
        assert_contains(r.text, "more than 10000 values");
    }
    reply_release(&r);
}

// What a service holds that grows or changes with a transaction.
static void note_size(uint64_t size[7])
{
    const struct service *s = &small.service;
    const uint64_t all[7] = {s->state.events,
                             s->state.shards[0].n,
                             (uint64_t)s->state.last_time,
                             (uint64_t)s->store.next,
                             (uint64_t)s->store.kept,
                             s->dictionaries[5].n,
                             atomic_load(&s->counters.models[0].decisions[0]) +
                                 atomic_load(&s->counters.models[0].decisions[1]) +
                                 atomic_load(&s->counters.repeated) +
                                 atomic_load(&s->counters.outside[0])};
    memcpy(size, all, sizeof all);
}

// Ten transactions of five keys, so that later elements see earlier ones, some of them late.
static char *array_from(int from)
{
    char *all = xstrdup("");
    for (int i = 0; i < 10; i++) {
        char *more = xasprintf("%s%s%s", all, i ? "," : "[", transaction(from + i));
        free(all);
        all = more;
    }
    char *array = xasprintf("%s]", all);
    free(all);
    return array;
}

// Compared with a service that is never asked what if.
TEST_CASE(what_if_tells_what_predict_will_answer_and_leaves_no_trace)
{
    char *told[12];
    for (int asked = 0; asked < 2; asked++) {
        for (int k = 0; k < 12; k++) {
            uint64_t before[7], after[7];
            char *array = array_from(10 * k), *one = xstrdup(transaction(10 * k)), *what = NULL;
            note_size(before);
            if (asked) { // also of another transaction, with keys and a category that nobody has
                ask_what_if("{\"id\":1,\"time\":1538400000,\"customer\":\"new\",\"amount\":5000,"
                            "\"channel\":\"new\"}");
                assert_int_equal(reply.status, 200);
                const double p = number(ask_what_if(one), "probability");
                ask_what_if(array);
                assert_true(number(json_array_get(latest, 0), "probability") == p);
                what = xstrdup(reply.text);
            }
            note_size(after);
            assert_memory_equal(before, after, sizeof before);
            expect(array, 200);
            if (what)
                assert_string_equal(reply.text, what);
            if (asked)
                assert_string_equal(reply.text, told[k]);
            else
                told[k] = xstrdup(reply.text);
            tell(formatted("{\"id\":\"T%d\",\"label\":1}", 10 * k + 1));
            free(array);
            free(one);
            free(what);
        }
        if (!asked) {
            teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
    for (int k = 0; k < 12; k++)
        free(told[k]);
}

TEST_CASE(what_if_echoes_ids_and_takes_equal_ones_for_different_transactions)
{
    ask("{" BASE ",\"amount\":10}");
    assert_scored(ask_what_if("{" BASE ",\"amount\":30}"), 30, 2, 20); // a known id
    assert_string_equal(text(latest, "id"), "T1");
    ask_what_if("[{" SECOND ",\"amount\":30},{" SECOND ",\"amount\":80}]");
    assert_scored(json_array_get(latest, 1), 80, 3, 40);
    assert_scored(ask("{" SECOND ",\"amount\":50}"), 50, 2, 30);
}

static const struct {
    const char *body;
    int status, index; // -1: none
    const char *field, *says;
} cases[] = {
    {"{" BASE "}", 422, -1, "amount", "missing"},
    {"{" BASE ",\"amount\":\"5\"}", 422, -1, "amount", "not a string"},
    {"{" BASE ",\"amount\":-0.01}", 422, -1, "amount", "less than 0"},
    {"{" BASE ",\"amount\":10000.5}", 422, -1, "amount", "more than 10000"},
    {"{" BASE ",\"amount\":1,\"label\":1}", 422, -1, "label", "leave it out"},
    {"{" BASE ",\"amount\":1,\"channel\":3}", 422, -1, "channel", "must be a string"},
    {"{" BASE ",\"amuont\":1}", 400, -1, "amuont", "did you mean 'amount'?"},
    {"{" BASE ",\"amount\\u0000\":1}", 400, -1, NULL, ""},
    {"{\"id\":1,\"time\":1,\"customer\":1.5,\"amount\":1}", 422, -1, "customer", "a number"},
    {"{\"id\":1,\"time\":1,\"customer\":\"\",\"amount\":1}", 422, -1, "customer", "missing"},
    {"{\"id\":1,\"time\":\"2018-02-30T00:00:00Z\",\"customer\":1,\"amount\":1}", 422, -1, "time",
     "2018-02-30"},
    {"{\"id\":1,\"time\":\"2018-02-20\",\"customer\":1,\"amount\":1}", 422, -1, "time",
     "not a time"},
    {"{\"id\":1,\"time\":1e300,\"customer\":1,\"amount\":1}", 422, -1, "time", "years"},
    {"[{" BASE ",\"amount\":10},{" BASE ",\"amount\":-1}]", 422, 1, "amount", "less"},
    {"[{" BASE ",\"amount\":1},7]", 422, 1, NULL, "element 1"},
    {"[{" BASE ",\"amount\":1},{\"id\":\"T0\",\"time\":5,\"customer\":\"596\",\"amount\":1}]", 409,
     1, "time", "late"},
    {"{\"id\":\"\\u0000\"}", 400, -1, NULL, ""},
};

TEST_CASE(a_bad_body_is_refused_with_its_place_and_nothing_is_counted)
{
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const json_t *a = ask(cases[i].body), *index = json_object_get(a, "index");
        const char *field = json_string_value(json_object_get(a, "field"));
        if (reply.status != cases[i].status || !strstr(text(a, "detail"), cases[i].says) ||
            (index ? json_integer_value(index) : -1) != cases[i].index ||
            (cases[i].field && (!field || strcmp(field, cases[i].field) != 0)))
            fail_msg("%s: %s", cases[i].body, reply.text);
        assert_string_equal(text(a, "error"), text(a, "detail"));
        assert_int_equal(json_integer_value(json_object_get(a, "status")), cases[i].status);
        char *answer = xstrdup(reply.text);
        ask_what_if(cases[i].body);
        assert_string_equal(reply.text, answer);
        free(answer);
    }
    assert_true(small.service.state.events == 0);
}

TEST_CASE(an_array_of_1000_is_answered_and_one_of_1001_is_not)
{
    static const char one[] = ",{" BASE ",\"amount\":1}";
    char *body = xmalloc(1002 * sizeof one), *end = body;
    for (int i = 0; i < 1001; i++)
        end = stpcpy(end, one);
    body[0] = '[';
    memcpy(end, "]", 2);
    expect(body, 413);
    memcpy(end - strlen(one), "]", 2);
    expect(body, 200);
    assert_int_equal(json_array_size(latest), 1000);
    free(body);
}

TEST_CASE(a_label_is_applied_once_and_can_change)
{
    static const char *const told[][2] = {
        {"{\"id\":\"T1\",\"label\":1}", "{\"id\":\"T1\",\"label\":1,\"changed\":true}"},
        {"{\"id\":\"T1\",\"label\":1}", "{\"id\":\"T1\",\"label\":1,\"changed\":false}"},
        {"[{\"id\":\"T1\",\"label\":0}]", "[{\"id\":\"T1\",\"label\":0,\"changed\":true}]"},
        {"{\"id\":\"T1\",\"label\":true}", "{\"id\":\"T1\",\"label\":1,\"changed\":true}"},
        {"{\"id\":\"T1\",\"label\":false}", "{\"id\":\"T1\",\"label\":0,\"changed\":true}"},
        {"{\"order\":1,\"label\":0}", "{\"order\":1,\"label\":0,\"changed\":false}"},
        {"[{\"label\":1,\"order\":1}]", "[{\"order\":1,\"label\":1,\"changed\":true}]"},
    };
    expect("{" BASE ",\"amount\":1}", 200);
    for (size_t i = 0; i < LENGTH(told); i++) {
        tell(told[i][0]);
        assert_string_equal(reply.text, told[i][1]);
    }
    assert_int_equal(count("SELECT count(*) FROM feedback"), 5);
    assert_int_equal(count("SELECT label FROM label WHERE prediction = 1"), 1);
}

// A key in the place of the id is a dataset without one.
TEST_CASE(without_an_id_a_transaction_gets_its_label_by_its_order)
{
    small.service.plan->schema.columns[0].kind = COLUMN_KEY;
    const json_t *a = ask("[{" BASE ",\"amount\":1},{" BASE ",\"amount\":1}]");
    assert_true(number(json_array_get(a, 1), "order") == 2);
    assert_null(json_object_get(ask_what_if("{" BASE ",\"amount\":1}"), "order"));
    char *name = small.service.plan->schema.columns[0].name;
    memcpy(name, "ix", 3);
    assert_string_equal(
        text(ask("{" BASE "}"), "detail"),
        "unknown field 'id': [columns] has none; /feedback takes the answer's 'order'");
    memcpy(name, "id", 3);
    tell("{\"id\":\"T1\",\"label\":1}");
    assert_int_equal(reply.status, 422);
    tell("{\"order\":2,\"label\":1}");
    assert_string_equal(reply.text, "{\"order\":2,\"label\":1,\"changed\":true}");
    small.service.plan->schema.columns[0].kind = COLUMN_ID;
}

TEST_CASE(the_newest_decisions_have_their_labels_and_reviews_are_found_among_all_that_are_kept)
{
    struct recent *r = &small.service.recent;
    for (int i = 1; i <= 60; i++) { // the first two are reviewed
        expect(formatted("{\"id\":%d,\"time\":1538381700,\"customer\":%d,\"amount\":%d}", i, i,
                         i < 3 ? 900 : 1),
               200);
    }
    tell("[{\"order\":1,\"label\":1},{\"order\":60,\"label\":0}]");
    for (int restarted = 0; restarted < 2; restarted++) {
        reply_reset(&reply);
        recent_write_decisions(r, false, &reply);
        const json_t *all = json_object_get(take_answer(), "decisions");
        assert_int_equal(json_array_size(all), RECENT_SHOWN);
        assert_true(number(json_array_get(all, 0), "label") == 0);
        assert_null(json_object_get(json_array_get(all, 1), "label"));
        reply_reset(&reply);
        recent_write_decisions(r, true, &reply);
        all = json_object_get(take_answer(), "decisions");
        assert_int_equal(json_array_size(all), 2);
        assert_true(number(json_array_get(all, 1), "order") == 1);
        assert_true(number(json_array_get(all, 1), "label") == 1);
        assert_null(json_object_get(json_array_get(all, 0), "label"));
        restart();
    }
}

TEST_CASE(bad_feedback_is_refused_as_a_whole)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } bad[] = {{"[{\"id\":\"T1\",\"label\":1},5]", 422, "element 1"},
               {"{\"id\":1.5,\"label\":1}", 422, "'id' must be"},
               {"{\"id\":\"T1\",\"order\":1,\"label\":1}", 422, "or 'order'"},
               {"{\"label\":1}", 422, "or 'order'"},
               {"{\"order\":0,\"label\":1}", 422, "\"order\""},
               {"{\"order\":\"1\",\"label\":1}", 422, "\"order\""},
               {"{\"order\":2,\"label\":1}", 404, "\"order\""},
               {"[{\"order\":1,\"label\":1},{\"order\":9223372036854775807,\"label\":1}]", 404,
                "index\":1"},
               {"{\"id\":\"T1\",\"label\":1,\"x\":1}", 400, "nothing else"},
               {"[{\"id\":\"T1\",\"label\":1},{\"id\":\"T9\",\"label\":1}]", 404, "\"index\":1"}};
    expect("{" BASE ",\"amount\":1}", 200);
    for (size_t i = 0; i < LENGTH(bad); i++) {
        tell(bad[i].body);
        if (reply.status != bad[i].status || !strstr(reply.text, bad[i].says))
            fail_msg("%s: %s", bad[i].body, reply.text);
    }
    assert_int_equal(count("SELECT count(*) FROM feedback"), 0);
}

TESTS(NULL, NULL)
