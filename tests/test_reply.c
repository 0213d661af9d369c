// reply: numbers, strings as JSON reads them, and bodies that are refused.
#include "serve/reply.h"
#include "tests/scratch.h"

#include <math.h>

TEST_CASE(a_number_has_its_digits_and_one_that_is_not_finite_is_null)
{
    struct reply r = {0};
    reply_number(&r, 0.1, 17);
    reply_text(&r, " ");
    reply_number(&r, (double)0.1F, 9);
    reply_text(&r, " ");
    reply_number(&r, INFINITY, 17);
    assert_string_equal(r.text, "0.10000000000000001 0.100000001 null");
    reply_release(&r);
}

TEST_CASE(a_string_comes_back_from_its_json)
{
    static const struct {
        const char *text, *back; // back: NULL: the same
    } cases[] = {{"", NULL},
                 {"plain", NULL},
                 {"\"\\/\n\x01\x1f\x7f", NULL},
                 {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
                 {"a\xff\xc3(\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd"}};
    struct reply r = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reply_reset(&r);
        reply_string(&r, cases[i].text, strlen(cases[i].text));
        json_t *v = json_loadb(r.text, r.n, JSON_DECODE_ANY, NULL);
        assert_string_equal(json_string_value(v), cases[i].back ? cases[i].back : cases[i].text);
        json_decref(v);
    }
    reply_release(&r);
}

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

TEST_CASE(a_body_that_cannot_be_parsed_is_400_and_without_memory_503)
{
    static const struct {
        const char *body;
        size_t n;
        const char *words;
    } cases[] = {
        {"", 0, "not JSON"},
        {"{\"a\":1", 6, "line 1, column 6"},
        {"{\"a\":1,\"a\":2}", 13, "duplicate"},
        {"{\"a\":1}\0", 8, "byte of 0 at offset 7"},
        {"{\"a\\", 4, "not JSON"},
        {"[99999999999999999999]", 22, "sent as a string"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1", 34, "deeper than 32"},
    };
    struct reply r = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(json_from_body(cases[i].body, cases[i].n, &r));
        assert_int_equal(r.status, 400);
        if (!strstr(r.text, cases[i].words))
            fail_msg("%s: %s", cases[i].body, r.text);
    }
    static const char quoted[] = "[\"[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]";
    json_t *v = json_from_body(quoted, sizeof quoted - 1, &r);
    assert_non_null(v); // brackets in a string are no nesting
    json_decref(v);
    json_set_alloc_funcs(no_memory, free);
    v = json_from_body("[1]", 3, &r);
    json_set_alloc_funcs(malloc, free);
    assert_null(v);
    assert_int_equal(r.status, 503);
    reply_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_has_its_digits_and_one_that_is_not_finite_is_null),
        cmocka_unit_test(a_string_comes_back_from_its_json),
        cmocka_unit_test(a_body_that_cannot_be_parsed_is_400_and_without_memory_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
