// base/err: messages that are never longer than their room, and the nearest known name.
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
// cmocka.h wants the four before it
#include <cmocka.h>

static void messages_are_built_from_the_inside_out(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set(&err, "row %d", 7), -1);
    assert_string_equal(err.msg, "row 7");
    assert_int_equal(err_prefix(&err, "%s", "a.csv"), -1);
    assert_string_equal(err.msg, "a.csv: row 7");
    errno = ENOENT;
    assert_int_equal(err_sys(&err, "%s", "a.csv"), -1);
    assert_string_equal(err.msg, "a.csv: No such file or directory");
}

static void a_long_message_is_cut_not_overrun(void **state)
{
    (void)state;
    struct err err;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    err_prefix(&err, "%s", "front");
    assert_memory_equal(err.msg, "front: xxx", 10);
    err_prefix(&err, "%s", text);
    errno = ENOENT;
    err_sys(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

static void the_nearest_name_is_within_a_third_of_the_letters(void **state)
{
    (void)state;
    static const char *const known[] = {"count", "sum", "mean", "since", "weekday"};
    assert_string_equal(err_nearest("cuont", known, 5), "count");  // swapped
    assert_string_equal(err_nearest("cont", known, 5), "count");   // missing
    assert_string_equal(err_nearest("countt", known, 5), "count"); // too many
    assert_string_equal(err_nearest("sun", known, 5), "sum");      // replaced
    assert_string_equal(err_nearest("wekdya", known, 5), "weekday");
    assert_null(err_nearest("minimum", known, 5));
    assert_null(err_nearest("", known, 5));
    assert_null(err_nearest("xyz", known, 5));
}

static void a_hint_is_a_question_or_nothing(void **state)
{
    (void)state;
    static const char *const known[] = {"number"};
    char hint[64];
    assert_string_equal(err_did_you_mean(hint, sizeof hint, "nunber", known, 1),
                        ", did you mean 'number'?");
    assert_string_equal(err_did_you_mean(hint, sizeof hint, "key", known, 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_built_from_the_inside_out),
        cmocka_unit_test(a_long_message_is_cut_not_overrun),
        cmocka_unit_test(the_nearest_name_is_within_a_third_of_the_letters),
        cmocka_unit_test(a_hint_is_a_question_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
