// transaction: what is no transaction is refused, the field and the element are named, and nothing is counted.
#include "tests/asking.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_bad_element_refuses_the_array_and_nothing_is_counted),
        TEST(what_does_not_fit_is_refused_and_the_field_is_named),
        TEST(what_is_no_transaction_is_refused),
        TEST(an_element_that_is_no_object_is_named_by_its_index),
        TEST(a_byte_of_0_is_refused_wherever_it_stands),
        TEST(deep_nesting_is_refused_and_brackets_in_a_text_are_not_nesting),
        TEST(an_array_of_1000_is_answered_and_one_of_1001_is_not),
        TEST(a_long_unknown_name_makes_a_valid_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
