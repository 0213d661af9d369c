// cut: folds move forward by weeks, validation moves back until it is clear of the training rows.
#include "train/cut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { DAY = 86400, DAYS = 100 };

static int64_t noon[DAYS]; // one row a day from 1970-01-01 on, so a row is its day

static int fill(void **state)
{
    (void)state;
    for (int d = 0; d < DAYS; d++)
        noon[d] = (int64_t)d * DAY + DAY / 2;
    return 0;
}

// Train for a week from a day on, a week's gap, test for a week.
static struct split weeks(double train, int64_t folds)
{
    return (struct split){
        {false, train, train + 7, ""}, {false, train + 14, train + 21, ""}, folds};
}

static void assert_rows(struct row_range r, uint64_t first, uint64_t end)
{
    assert_int_equal(r.first, first);
    assert_int_equal(r.end, end);
}

static void each_fold_is_a_week_later(void **state)
{
    (void)state;
    struct split s = weeks(30, 3);
    struct cut c;
    struct err err;
    for (int64_t k = 0; k < 3; k++) {
        assert_int_equal(cut_fold(&c, &s, k, noon, DAYS, &err), 0);
        assert_rows(c.train, (uint64_t)(30 + 7 * k), (uint64_t)(37 + 7 * k));
        assert_rows(c.test, (uint64_t)(44 + 7 * k), (uint64_t)(51 + 7 * k));
    }
    assert_string_equal(c.train_text, "1970-02-14 .. 1970-02-20");
    assert_string_equal(c.test_text, "1970-02-28 .. 1970-03-06");
    assert_true(c.test_days == 7);
}

static void a_fold_that_the_data_does_not_reach_names_what_to_change(void **state)
{
    (void)state;
    struct split s = weeks(65, 4);
    struct cut c;
    struct err err = {""};
    assert_int_equal(cut_fold(&c, &s, 2, noon, DAYS, &err), 0);
    assert_int_equal(cut_fold(&c, &s, 3, noon, DAYS, &err), -1);
    assert_non_null(strstr(err.msg, "set [split] folds to 3 or less"));
    struct split far = weeks(1000, 1);
    assert_int_equal(cut_fold(&c, &far, 0, noon, DAYS, &err), -1);
    assert_non_null(strstr(err.msg, "no rows in [split] train"));
    struct split late = weeks(90, 1);
    assert_int_equal(cut_fold(&c, &late, 0, noon, DAYS, &err), -1);
    assert_non_null(strstr(err.msg, "no rows in [split] test"));
}

static void validation_ends_before_training_begins_by_the_fewest_weeks(void **state)
{
    (void)state;
    struct cut c;
    struct split s = weeks(50, 4);
    for (int64_t k = 0; k < 4; k++) {
        assert_true(cut_validation(&c, &s, 0, k, noon, DAYS));
        assert_rows(c.train, (uint64_t)(29 - 7 * k), (uint64_t)(36 - 7 * k));
        assert_rows(c.test, (uint64_t)(43 - 7 * k), (uint64_t)(50 - 7 * k));
    }
    s.test.to++; // a day longer: a week more
    assert_true(cut_validation(&c, &s, 0, 0, noon, DAYS));
    assert_rows(c.test, 36, 44);
}

static void a_later_folds_validation_moves_with_it(void **state)
{
    (void)state;
    struct cut c;
    struct split s = weeks(50, 4);
    assert_true(cut_validation(&c, &s, 2, 0, noon, DAYS));
    assert_rows(c.train, 43, 50);
    assert_true(cut_validation(&c, &s, 3, 0, noon, DAYS)); // fold 0's own cut
    assert_rows(c.train, 50, 57);
    assert_rows(c.test, 64, 71);
}

static void validation_reaches_back_as_far_as_the_first_row(void **state)
{
    (void)state;
    struct cut c;
    struct split s = weeks(28, 4);
    assert_true(cut_validation(&c, &s, 0, 0, noon, DAYS)); // trains from day 7 on
    assert_true(cut_validation(&c, &s, 0, 1, noon, DAYS)); // from day 0 on
    assert_false(cut_validation(&c, &s, 0, 2, noon, DAYS));
    assert_false(cut_validation(&c, &s, 0, 1, noon + 1, DAYS - 1)); // its first day is missing
    assert_false(cut_validation(&c, &s, 0, 0, noon, 0));
}

static void with_shares_the_last_quarter_of_the_training_rows_validates(void **state)
{
    (void)state;
    struct split s = {{true, 0, 0.6, "0% .. 60%"}, {true, 0.6, 1, "60% .. 100%"}, 1};
    struct cut c;
    struct err err;
    assert_int_equal(cut_fold(&c, &s, 0, noon, DAYS, &err), 0);
    assert_rows(c.train, 0, 60);
    assert_rows(c.test, 60, 100);
    assert_string_equal(c.train_text, "0% .. 60%");
    assert_true(cut_validation(&c, &s, 0, 0, noon, DAYS));
    assert_rows(c.train, 0, 45);
    assert_rows(c.test, 45, 60);
    assert_true(c.test_days == 14); // from the first row to the last
    assert_false(cut_validation(&c, &s, 0, 1, noon, DAYS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fold_is_a_week_later),
        cmocka_unit_test(a_fold_that_the_data_does_not_reach_names_what_to_change),
        cmocka_unit_test(validation_ends_before_training_begins_by_the_fewest_weeks),
        cmocka_unit_test(a_later_folds_validation_moves_with_it),
        cmocka_unit_test(validation_reaches_back_as_far_as_the_first_row),
        cmocka_unit_test(with_shares_the_last_quarter_of_the_training_rows_validates),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
