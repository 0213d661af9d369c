// The CSV of decisions: order, the window of requests that wait, fields in quotes.
#include "serve/replay_output.h"
#include "tests/scratch.h"

static struct replay_output output;

static void put(uint64_t sequence, const char *text)
{
    struct err err = {""};
    struct reply lines = {0};
    reply_add(&lines, "%s\n", text);
    if (replay_output_put(&output, sequence, &lines, &err))
        fail_msg("%s", err.msg);
    assert_null(lines.text); // taken over
}

static void begin(void)
{
    struct err err = {""};
    if (replay_output_open(&output, scratch_path("o.csv"), &err))
        fail_msg("%s", err.msg);
}

static int end(void **state)
{
    replay_output_release(&output);
    return scratch_remove(state);
}

static void lines_stand_in_the_order_of_requests_whatever_that_of_answers(void **state)
{
    struct err err = {""};
    (void)state;
    begin();
    put(2, "c,,,\nd,,,");
    put(1, "b,,,");
    put(0, "a,,,");
    put(4, "f,,,");
    put(3, "e,,,");
    assert_int_equal(replay_output_commit(&output, &err), 0);
    assert_file_is(scratch_path("o.csv"),
                   "id,probability,decision,model\na,,,\nb,,,\nc,,,\nd,,,\ne,,,\nf,,,\n");
}

static void it_is_full_when_a_window_of_requests_waits_for_the_first(void **state)
{
    struct err err = {""};
    char text[32];
    (void)state;
    begin();
    for (uint64_t i = 1; i < REPLAY_WINDOW; i++) {
        assert_false(replay_output_full(&output, i));
        snprintf(text, sizeof text, "%ju,,,", (uintmax_t)i);
        put(i, text);
    }
    assert_true(replay_output_full(&output, REPLAY_WINDOW));
    put(0, "0,,,");
    assert_false(replay_output_full(&output, REPLAY_WINDOW));
    assert_int_equal(output.next, REPLAY_WINDOW);
    put(REPLAY_WINDOW, "last,,,");
    assert_int_equal(replay_output_commit(&output, &err), 0);
    char *text_of_file = scratch_read(scratch_path("o.csv"), NULL), *at = text_of_file;
    assert_non_null(text_of_file);
    for (int i = 0; i < REPLAY_WINDOW; i++) {
        assert_non_null(at = strchr(at, '\n'));
        assert_int_equal(strtol(++at, NULL, 10), i);
    }
    assert_contains(at, "\nlast,,,\n");
    free(text_of_file);
}

static void nothing_is_written_without_a_path_or_a_commit(void **state)
{
    struct err err = {""};
    struct reply lines = {0};
    (void)state;
    begin();
    put(0, "a,,,");
    replay_output_release(&output);
    assert_int_equal(scratch_count(scratch), 0);
    assert_int_equal(replay_output_open(&output, NULL, &err), 0);
    reply_add(&lines, "a,,,\n");
    assert_false(replay_output_full(&output, UINT64_MAX));
    assert_int_equal(replay_output_put(&output, 0, &lines, &err), 0);
    assert_int_equal(replay_output_commit(&output, &err), 0);
    assert_int_equal(scratch_count(scratch), 0);
    reply_release(&lines);
}

static void fields_are_in_quotes_where_a_reader_needs_them(void **state)
{
    static const char *const fields[][2] = {
        {"T1", "T1"},         {"", ""},         {"a,b", "\"a,b\""}, {"a\"b", "\"a\"\"b\""},
        {"a\nb", "\"a\nb\""}, {" a", "\" a\""}, {"\"", "\"\"\"\""}, {"\xc3\xa9", "\xc3\xa9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct reply r = {0};
        reply_bytes(&r, "", 0);
        csv_text(&r, fields[i][0]);
        assert_string_equal(r.text, fields[i][1]);
        reply_release(&r);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_stand_in_the_order_of_requests_whatever_that_of_answers),
        TEST(it_is_full_when_a_window_of_requests_waits_for_the_first),
        TEST(nothing_is_written_without_a_path_or_a_commit),
        TEST(fields_are_in_quotes_where_a_reader_needs_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
