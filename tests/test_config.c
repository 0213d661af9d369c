// base/config: entries know where they stand, and what inih would let pass is an error.
#include "base/config.h"
#include "tests/scratch.h"

static int load(struct config *c, const char *text, struct err *err)
{
    return config_load(c, scratch_text("test.ini", text), err);
}

static void assert_config_error(const char *text, const char *message)
{
    struct config c;
    struct err err;
    if (load(&c, text, &err) == 0)
        fail_msg("taken: %s", text);
    assert_contains(err.msg, message);
}

static void entries_know_their_line_and_column(void **state)
{
    (void)state;
    struct config c;
    struct err err = {""};
    if (load(&c, "; a comment\n[input]\nfile =  a=b ; why\n\n[features]\n  x= log1p(x)\n", &err))
        fail_msg("%s", err.msg);
    assert_int_equal(c.n, 2);
    const struct config_entry *e = config_find(&c, "input", "file");
    assert_string_equal(e->value, "a=b");
    assert_int_equal(e->line, 3);
    assert_int_equal(e->column, 9);
    e = config_find(&c, "features", "x");
    assert_int_equal(e->line, 6);
    assert_int_equal(e->column, 6);
    assert_null(config_find(&c, "features", "file"));
    assert_null(config_find(&c, "split", "x"));
    config_release(&c);
}

static void an_indented_line_goes_on_with_the_value(void **state)
{
    (void)state;
    struct config c;
    struct err err = {""};
    if (load(&c, "[features]\nx = a +\n    b\n    + c\ny = 1\n", &err))
        fail_msg("%s", err.msg);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.entries[0].value, "a + b + c");
    config_release(&c);
}

static void a_long_line_is_an_error_not_cut(void **state)
{
    (void)state;
    for (int n = 180; n < 1200; n += n < 205 ? 1 : 200) {
        struct config c;
        struct err err;
        char text[2048];
        snprintf(text, sizeof text, "[input]\nfile = %0*d\nx = 1\n", n - 7, 0);
        int rc = load(&c, text, &err);
        if (rc == 0) {
            assert_true(n <= 198);
            assert_int_equal(strlen(config_find(&c, "input", "file")->value), n - 7);
            config_release(&c);
        } else {
            assert_true(n > 198);
            assert_contains(err.msg, "test.ini:2: the line is longer than 198 bytes");
        }
    }
}

static void mistakes_are_named_with_their_line(void **state)
{
    (void)state;
    assert_config_error("[input]\nfile = a\nfile = b\n",
                        "test.ini:3: 'file' stands in [input] already, in line 2");
    assert_config_error("[inputs]\nfile = a\n",
                        "test.ini:2: unknown section [inputs], did you mean 'input'?");
    assert_config_error("file = a\n", "test.ini:1: ");
    assert_config_error("[input]\nfile\n", "test.ini:2: neither '[section]' nor 'key = value'");
    assert_config_error("[input\n", "test.ini:1: neither '[section]' nor 'key = value'");
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    assert_int_equal(config_load(&c, scratch_path("none.ini"), &err), -1);
    assert_contains(err.msg, "none.ini: cannot open: No such file or directory");
    assert_int_equal(config_load(&c, scratch, &err), -1);
    assert_contains(err.msg, "Is a directory");
}

static void unknown_keys_are_named_with_the_nearest(void **state)
{
    (void)state;
    static const char *const known[] = {"train", "test", "folds"};
    struct config c;
    struct err err;
    assert_int_equal(load(&c, "[split]\ntrain = 1\n[model]\nother = 1\n", &err), 0);
    assert_int_equal(config_check_keys(&c, "split", known, 3, &err), 0);
    config_release(&c);
    assert_int_equal(load(&c, "[split]\ntrain = 1\nfold = 1\n", &err), 0);
    assert_int_equal(config_check_keys(&c, "split", known, 3, &err), -1);
    assert_contains(err.msg, "test.ini:3: unknown key 'fold' in [split], did you mean 'folds'?");
    config_release(&c);
}

static void an_error_points_a_caret_at_its_byte(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    assert_int_equal(load(&c, "[features]\nx = a + bb\n", &err), 0);
    assert_int_equal(config_error(&c, &c.entries[0], 4, &err, "no '%s'", "bb"), -1);
    assert_contains(err.msg, "test.ini:2:9: [features] x: no 'bb'\n  a + bb\n      ^");
    config_error(&c, &c.entries[0], -1, &err, "is missing");
    assert_contains(err.msg, "test.ini:2: [features] x: is missing");
    config_release(&c);
    // No column where the value stands on several lines.
    assert_int_equal(load(&c, "[features]\nx = a +\n  bb\n", &err), 0);
    assert_int_equal(config_error(&c, &c.entries[0], 4, &err, "no '%s'", "bb"), -1);
    assert_contains(err.msg, "test.ini:2: [features] x: no 'bb'\n  a + bb\n      ^");
    config_release(&c);
}

static void numbers_are_checked_against_their_limits(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    double v = 7;
    int64_t i = 7;
    assert_int_equal(load(&c, "[model]\na = 1e-3\nb = x\nc = 2.5\nd = 0x1\ne = 12\nf = \n", &err),
                     0);
    assert_int_equal(config_number(&c, "model", "none", 0, 1, &v, &err), 0);
    assert_true(v == 7);
    assert_int_equal(config_number(&c, "model", "a", 0, 1, &v, &err), 0);
    assert_true(v == 1e-3);
    assert_int_equal(config_number(&c, "model", "a", 1, 2, &v, &err), -1);
    assert_contains(err.msg, "test.ini:2:5: [model] a: 1e-3 is not within 1 .. 2");
    assert_int_equal(config_number(&c, "model", "b", 0, 1, &v, &err), -1);
    assert_contains(err.msg, "'x' is not a number");
    assert_int_equal(config_number(&c, "model", "d", 0, 1, &v, &err), -1);
    assert_int_equal(config_number(&c, "model", "f", 0, 1, &v, &err), -1);
    assert_int_equal(config_int(&c, "model", "e", 0, 99, &i, &err), 0);
    assert_int_equal(i, 12);
    assert_int_equal(config_int(&c, "model", "c", 0, 99, &i, &err), -1);
    assert_contains(err.msg, "'2.5' is not a whole number");
    config_release(&c);
}

static uint64_t checksum(const char *text)
{
    static const char *const sections[] = {"input", "columns"};
    struct config c;
    struct err err;
    assert_int_equal(load(&c, text, &err), 0);
    uint64_t h = config_checksum(&c, sections, 2);
    config_release(&c);
    return h;
}

static void the_checksum_is_of_settings_not_of_layout(void **state)
{
    (void)state;
    uint64_t h = checksum("[input]\nfile = a\n[columns]\nx = X, id\n");
    assert_true(
        h ==
        checksum("; new\n[input]\nfile=a ; why\n\n[columns]\nx   =   X, id\n[model]\nl2 = 1\n"));
    assert_true(h != checksum("[input]\nfile = b\n[columns]\nx = X, id\n"));
    assert_true(h != checksum("[input]\nfile = a\n[columns]\ny = X, id\n"));
    assert_true(h != checksum("[input]\nfile = a\nx = X, id\n[columns]\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(entries_know_their_line_and_column),
        scratch_test(an_indented_line_goes_on_with_the_value),
        scratch_test(a_long_line_is_an_error_not_cut),
        scratch_test(mistakes_are_named_with_their_line),
        scratch_test(a_missing_file_is_named),
        scratch_test(unknown_keys_are_named_with_the_nearest),
        scratch_test(an_error_points_a_caret_at_its_byte),
        scratch_test(numbers_are_checked_against_their_limits),
        scratch_test(the_checksum_is_of_settings_not_of_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
