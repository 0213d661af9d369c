// split: what [split] may say, and which rows that is.
#include "features/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int parse(struct split *s, const char *text, struct err *err)
{
    char folder[] = "/tmp/test_split_XXXXXX", path[64];
    struct config c;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.ini", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "[split]\n%s", text);
    fclose(f);
    int rc = config_load(&c, path, err);
    if (rc == 0) {
        rc = split_from_config(s, &c, err);
        config_release(&c);
    }
    unlink(path);
    rmdir(folder);
    return rc;
}

static void assert_refused(const char *text, const char *words)
{
    struct split s = {0};
    struct err err = {""};
    assert_int_equal(parse(&s, text, &err), -1);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not say '%s'", err.msg, words);
}

static void days_are_whole_and_both_included(void **state)
{
    (void)state;
    struct split s = {0};
    struct err err;
    assert_int_equal(
        parse(&s, "train = 1970-01-02 .. 1970-01-03\ntest = 1970-01-05 .. 1970-01-05", &err), 0);
    assert_int_equal(s.folds, 1);
    assert_string_equal(s.test.text, "1970-01-05 .. 1970-01-05");
    const int64_t time[] = {86399, 86400, 100000, 3 * 86400 - 1, 3 * 86400, 4 * 86400, 5 * 86400};
    struct row_range train = split_rows(&s.train, 0, time, 7),
                     test = split_rows(&s.test, 0, time, 7);
    assert_int_equal(train.first, 1);
    assert_int_equal(train.end, 4);
    assert_int_equal(test.first, 5);
    assert_int_equal(test.end, 6);
}

static void a_part_moves_by_days_forward_and_back(void **state)
{
    (void)state;
    struct split s = {0};
    struct err err;
    int64_t time[100];
    for (int i = 0; i < 100; i++)
        time[i] = (i - 50) * 43200; // two rows a day, from before 1970 on
    assert_int_equal(parse(&s,
                           "train = 1970-01-02 .. 1970-01-03\ntest = 1970-01-05 .. 1970-01-05\n"
                           "folds = 4",
                           &err),
                     0);
    assert_int_equal(s.folds, 4);
    for (int64_t days = -20; days <= 20; days++) {
        struct row_range r = split_rows(&s.train, days, time, 100);
        assert_int_equal(r.first, 52 + 2 * days);
        assert_int_equal(r.end, 56 + 2 * days);
    }
    struct row_range late = split_rows(&s.train, 70, time, 100);
    assert_int_equal(late.first, 100);
    assert_int_equal(late.end, 100);
}

static void shares_that_touch_share_no_row_and_leave_none_out(void **state)
{
    (void)state;
    struct split s = {0};
    struct err err;
    assert_int_equal(parse(&s, "train = 0% .. 62.5%\ntest = 62.5% .. 100%", &err), 0);
    for (uint64_t rows = 0; rows < 50; rows++) {
        struct row_range train = split_rows(&s.train, 7, NULL, rows);
        struct row_range test = split_rows(&s.test, 7, NULL, rows);
        assert_int_equal(train.first, 0);
        assert_int_equal(train.end, test.first);
        assert_int_equal(test.end, rows);
    }
    assert_int_equal(split_rows(&s.train, 0, NULL, 16).end, 10);
}

static void mistakes_are_refused_and_named(void **state)
{
    (void)state;
    const char *good = "train = 2018-07-25 .. 2018-07-31\n";
    assert_refused(good, "no test");
    assert_refused("test = 2018-07-25 .. 2018-07-31\n", "no train");
    assert_refused("train = 2018-07-25\ntest = 0% .. 1%", "not FROM .. TO");
    assert_refused("train = 2018-07-25..2018-07-26\ntest = 0% .. 1%", "not FROM .. TO");
    assert_refused("train = 2018-07-25 .. 2018-07-26 x\ntest = 0% .. 1%", "not FROM .. TO");
    assert_refused("train = 2018-02-30 .. 2018-03-26\ntest = 0% .. 1%", "'2018-02-30' is neither");
    assert_refused("train = 2018-02-20 .. tomorrow\ntest = 0% .. 1%", "'tomorrow' is neither");
    assert_refused("train = 0% .. 101%\ntest = 0% .. 1%", "'101%' is neither");
    assert_refused("train = -1% .. 10%\ntest = 0% .. 1%", "'-1%' is neither");
    assert_refused("train = nan% .. 10%\ntest = 0% .. 1%", "'nan%' is neither");
    assert_refused("train = 0% .. 2018-07-25\ntest = 0% .. 1%", "do not go together");
    assert_refused("train = 60% .. 60%\ntest = 0% .. 1%", "ends before it begins");
    assert_refused("train = 2018-07-25 .. 2018-07-24\ntest = 0% .. 1%", "ends before it begins");
    assert_refused("train = 2018-07-25 .. 2018-07-26\ntest = 0% .. 1%", "both be days");
    assert_refused("train = 2018-07-25 .. 2018-07-31\ntest = 2018-07-31 .. 2018-08-01",
                   "begins before train");
    assert_refused("train = 0% .. 60%\ntest = 60% .. 70%\nfolds = 2", "folds move by weeks");
    assert_refused("train = 0% .. 60%\ntest = 60% .. 70%\nfolds = 0", "not within 1");
    assert_refused("train = 0% .. 60%\ntest = 60% .. 70%\nfold = 1", "did you mean 'folds'");
}

static void a_mistake_is_shown_where_it_stands(void **state)
{
    (void)state;
    struct split s = {0};
    struct err err;
    assert_int_equal(parse(&s, "test = 0% .. 1%\ntrain = 0% ..  x%\n", &err), -1);
    assert_non_null(strstr(err.msg, ":3:16: [split] train: 'x%'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_whole_and_both_included),
        cmocka_unit_test(a_part_moves_by_days_forward_and_back),
        cmocka_unit_test(shares_that_touch_share_no_row_and_leave_none_out),
        cmocka_unit_test(mistakes_are_refused_and_named),
        cmocka_unit_test(a_mistake_is_shown_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
