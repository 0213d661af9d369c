// transaction: a bad body is refused, the field and the element are named, and nothing is counted.
#include "tests/asking.h"

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
    {"{" BASE ",\"amount\":1,\"label\":null}", 422, -1, "label", "leave it out"},
    {"{" BASE ",\"amount\":1,\"channel\":3}", 422, -1, "channel", "must be a string"},
    {"{" BASE ",\"amuont\":1}", 400, -1, "amuont", "did you mean 'amount'?"},
    {"{" BASE ",\"amount\\u0000\":1}", 400, -1, NULL, ""},
    {"{\"id\":1,\"time\":1,\"customer\":1.5,\"amount\":1}", 422, -1, "customer", "a number"},
    {"{\"id\":1,\"time\":1,\"customer\":\"\",\"amount\":1}", 422, -1, "customer", "missing"},
    {"{\"id\":1.5,\"time\":1,\"customer\":1,\"amount\":1}", 422, -1, "id", "a number"},
    {"{\"time\":1,\"customer\":1,\"amount\":1}", 422, -1, "id", "missing"},
    {"{\"id\":1,\"time\":\"2018-02-30T00:00:00Z\",\"customer\":1,\"amount\":1}", 422, -1, "time",
     "2018-02-30"},
    {"{\"id\":1,\"time\":\"2018-02-20T00:00:00.5Z\",\"customer\":1,\"amount\":1}", 422, -1, "time",
     "whole"},
    {"{\"id\":1,\"time\":\"2018-02-20\",\"customer\":1,\"amount\":1}", 422, -1, "time", "whole"},
    {"{\"id\":1,\"time\":1.5,\"customer\":1,\"amount\":1}", 422, -1, "time", "1.5"},
    {"{\"id\":1,\"time\":1e300,\"customer\":1,\"amount\":1}", 422, -1, "time", "years"},
    {"{\"id\":1,\"time\":{},\"customer\":1,\"amount\":1}", 422, -1, "time", "an object"},
    {"[{" BASE ",\"amount\":10},{" BASE ",\"amount\":-1}]", 422, 1, "amount", "less"},
    {"[{" BASE ",\"amount\":1},7]", 422, 1, NULL, "element 1"},
    {"[{" BASE ",\"amount\":1},{\"id\":\"T0\",\"time\":5,\"customer\":\"596\",\"amount\":1}]", 409,
     1, "time", "late"},
    {"", 400, -1, NULL, ""},
    {"5", 400, -1, NULL, ""},
    {"[]", 400, -1, NULL, "no transaction"},
    {"{\"id\":\"\\u0000\"}", 400, -1, NULL, ""},
};

TEST_CASE(a_bad_body_is_refused_with_its_place_and_nothing_is_counted)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const json_t *a = ask(cases[i].body), *index = json_object_get(a, "index");
        const char *field = json_string_value(json_object_get(a, "field"));
        if (reply.status != cases[i].status || !strstr(text(a, "detail"), cases[i].says) ||
            (index ? json_integer_value(index) : -1) != cases[i].index ||
            (cases[i].field && (!field || strcmp(field, cases[i].field) != 0)))
            fail_msg("%s: %s", cases[i].body, reply.text);
        assert_string_equal(text(a, "error"), text(a, "detail"));
        assert_int_equal(json_integer_value(json_object_get(a, "status")), cases[i].status);
    }
    assert_true(small.service.state.events == 0);
}

TEST_CASE(an_array_of_1000_is_answered_and_one_of_1001_is_not)
{
    static const char one[] = "{" BASE ",\"amount\":1}";
    char *body = xmalloc(1002 * sizeof one);
    size_t n = 0;
    for (int i = 0; i < 1001; i++)
        n += (size_t)sprintf(body + n, "%c%s", i ? ',' : '[', one);
    strcpy(body + n, "]");
    ask(body);
    assert_int_equal(reply.status, 413);
    strcpy(body + n - sizeof one, "]"); // instead of the comma before the last element
    const json_t *a = ask(body);
    assert_int_equal(reply.status, 200);
    assert_int_equal(json_array_size(a), 1000);
    free(body);
}

TEST_CASE(a_long_unknown_name_makes_a_valid_reply)
{
    char body[4096];
    size_t n = (size_t)sprintf(body, "{\"x");
    for (int i = 0; i < 500; i++) // the euro sign: the cut falls inside one
        n += (size_t)sprintf(body + n, "\xe2\x82\xac");
    strcpy(body + n, "\":1}");
    expect(body, 400);
}

TEST_CASE(a_label_is_applied_once_and_can_change)
{
    static const char *const told[][2] = {
        {"{\"id\":\"T1\",\"label\":1}", "{\"id\":\"T1\",\"label\":1,\"changed\":true}"},
        {"{\"id\":\"T1\",\"label\":1}", "{\"id\":\"T1\",\"label\":1,\"changed\":false}"},
        {"[{\"id\":\"T1\",\"label\":0}]", "[{\"id\":\"T1\",\"label\":0,\"changed\":true}]"},
    };
    expect("{" BASE ",\"amount\":1}", 200);
    for (int i = 0; i < 3; i++) {
        tell(told[i][0]);
        assert_string_equal(reply.text, told[i][1]);
    }
    assert_int_equal(count("SELECT count(*) FROM feedback"), 2);
}

TEST_CASE(bad_feedback_is_refused_as_a_whole)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } bad[] = {
        {"[]", 400, "no feedback"},
        {"[{\"id\":\"T1\",\"label\":1},5]", 422, "element 1"},
        {"{\"id\":1.5,\"label\":1}", 422, "'id' must be"},
        {"{\"id\":\"\",\"label\":1}", 422, "'id' must be"},
        {"{\"id\":\"T1\",\"label\":2}", 422, "'label' must be"},
        {"{\"id\":\"T1\"}", 422, "'label' must be"},
        {"{\"id\":\"T1\",\"label\":1,\"x\":1}", 400, "nothing else"},
        {"[{\"id\":\"T1\",\"label\":1},{\"id\":\"T9\",\"label\":1}]", 404, "\"index\":1"},
    };
    expect("{" BASE ",\"amount\":1}", 200);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tell(bad[i].body);
        if (reply.status != bad[i].status || !strstr(reply.text, bad[i].says))
            fail_msg("%s: %s", bad[i].body, reply.text);
    }
    assert_int_equal(count("SELECT count(*) FROM feedback"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bad_body_is_refused_with_its_place_and_nothing_is_counted),
        TEST(an_array_of_1000_is_answered_and_one_of_1001_is_not),
        TEST(a_long_unknown_name_makes_a_valid_reply),
        TEST(a_label_is_applied_once_and_can_change),
        TEST(bad_feedback_is_refused_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
