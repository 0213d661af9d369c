// base/option: command lines taken as the table says, and every other one explained.
#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
// cmocka.h wants the four before it
#include <cmocka.h>

static const char *config;
static int64_t threads;
static bool force;
static struct err err;

// Parse words separated by spaces; the result of option_parse, and argv in words.
static char *words[16];
static int n_words;

static int parse(const char *line)
{
    static char text[256];
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &config, "the description", 0, 0},
        {"threads", "N", OPTION_INT, &threads, "worker threads", 1, 8},
        {"force", NULL, OPTION_FLAG, &force, "do it all the same", 0, 0},
    };
    const struct program program = {"prog", "INPUT [OUTPUT]", "Do it.", "prog a b", specs, 3, 1, 2};
    config = "default.ini";
    threads = 2;
    force = false;
    snprintf(text, sizeof text, "prog %s", line);
    n_words = 0;
    for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
        words[n_words++] = w;
    words[n_words] = NULL;
    return option_parse(&program, n_words, words, &err);
}

static void options_stand_before_or_behind_the_arguments(void **state)
{
    (void)state;
    int first = parse("a --config=x.ini b --threads 8 --force");
    assert_int_equal(n_words - first, 2);
    assert_string_equal(words[first], "a");
    assert_string_equal(words[first + 1], "b");
    assert_string_equal(config, "x.ini");
    assert_int_equal(threads, 8);
    assert_true(force);
}

static void what_is_not_given_keeps_its_default(void **state)
{
    (void)state;
    assert_int_equal(parse("a"), 1);
    assert_string_equal(config, "default.ini");
    assert_int_equal(threads, 2);
    assert_false(force);
}

static void words_behind_two_dashes_are_arguments(void **state)
{
    (void)state;
    int first = parse("-- --force");
    assert_true(first > 0);
    assert_string_equal(words[first], "--force");
    assert_false(force);
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a --confg x", "unknown option --confg, did you mean 'config'? (see --help)"},
        {"a -x", "unknown option -x"},
        {"a -config x", "unknown option -c: options begin with --"},
        {"a --config", "--config needs a value"},
        {"a --threads many", "--threads: 'many' is not a whole number"},
        {"a --threads 2x", "--threads: '2x' is not a whole number"},
        {"a --threads=", "--threads: '' is not a whole number"},
        {"a --threads 9", "--threads: 9 is not within 1 .. 8"},
        {"a --threads 0", "--threads: 0 is not within 1 .. 8"},
        {"a --threads 99999999999999999999", "is not within 1 .. 8"},
        {"a --force=yes", "--force takes no value"},
        {"", "missing argument: usage: prog [OPTIONS] INPUT [OUTPUT]"},
        {"a b c", "unexpected argument 'c': usage: prog [OPTIONS] INPUT [OUTPUT]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i][0]), -1);
        if (!strstr(err.msg, cases[i][1]))
            fail_msg("'%s' gave: %s", cases[i][0], err.msg);
    }
}

static void help_and_version_are_always_there(void **state)
{
    (void)state;
    assert_int_equal(parse("--help"), 0);
    assert_int_equal(parse("--version"), 0);
    assert_int_equal(option_exit(NULL, 0, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_or_behind_the_arguments),
        cmocka_unit_test(what_is_not_given_keeps_its_default),
        cmocka_unit_test(words_behind_two_dashes_are_arguments),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(help_and_version_are_always_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
