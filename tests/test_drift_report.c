// monitor/drift_report: drift.json is read back, and the table is read as a person would.
#include "monitor/drift_report.h"

#include "tests/scratch.h"

#include <math.h>

// Two inputs and the score over two weeks; times around midnight and before 1970.
static const struct comparison *example(void)
{
    static const int64_t time[] = {1532563198, 1532563200, 1532649599, 1533168000};
    static char name[] = "time", path[] = "build/features";
    static struct table_column column = {.name = name, .kind = COLUMN_TIME, .data = time};
    static const struct table table = {.path = path, .rows = 4, .columns = &column, .n = 1};
    static const struct model model = {.sha256 = "5e1f"};
    static double psi[3][2] = {{0.125, NAN}, {1.0 / 3, 0.5}, {0, 0.0625}};
    static struct week weeks[] = {{-1, {1, 2}}, {17738, {2, 4}}};
    static struct comparison_column columns[] = {
        {"amount", {0.25, 0.1, 0.2, 0.5, 1.5, NAN, 0.75, 2, 1e300}, psi[0], true},
        {"night", {NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0.5, NAN}, psi[1], false},
        {"score", {1.0 / 3, 0.1, 0.2, 0.5, 1.5, 3, 0.75, 2, 4}, psi[2], true},
    };
    static struct comparison c = {.model = &model,
                                  .reference = {&table, {0, 1}},
                                  .current = {&table, {1, 4}},
                                  .limits = {0.2, 1},
                                  .columns = columns,
                                  .n = 3,
                                  .weeks = weeks,
                                  .n_weeks = 2,
                                  .reference_performance = {.known = false},
                                  .current_performance = {true, {.tally.rows = 3, .roc_auc = 0.75}},
                                  .enough_rows = true,
                                  .drifted = true};
    return &c;
}

static json_t *written(const struct comparison *c)
{
    struct err err;
    json_error_t why;
    const char *path = scratch_path("drift.json");
    assert_int_equal(drift_report_write(c, path, &err), 0);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    assert_non_null(json);
    return json;
}

static double real(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_real(value));
    return json_real_value(value);
}

static const char *string(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    assert_non_null(value);
    return value;
}

static void the_file_says_what_was_compared_and_the_verdict(void **state)
{
    (void)state;
    json_t *json = written(example());
    const json_t *reference = json_object_get(json, "reference");
    const json_t *current = json_object_get(json, "current");
    assert_string_equal(string(json, "format"), "assay drift");
    assert_int_equal(json_integer_value(json_object_get(json, "version")), 1);
    assert_string_equal(string(json, "model"), "5e1f");
    assert_true(real(json, "psi_alert") == 0.2);
    assert_int_equal(json_integer_value(json_object_get(json, "min_rows")), 1);
    assert_true(json_is_true(json_object_get(json, "drifted")));
    assert_true(json_is_true(json_object_get(json, "enough_rows")));
    assert_string_equal(string(reference, "table"), "build/features");
    assert_int_equal(json_integer_value(json_object_get(reference, "rows")), 1);
    assert_string_equal(string(reference, "from"), "2018-07-25T23:59:58Z");
    assert_string_equal(string(reference, "to"), "2018-07-25T23:59:58Z");
    assert_int_equal(json_integer_value(json_object_get(current, "rows")), 3);
    assert_string_equal(string(current, "from"), "2018-07-26T00:00:00Z");
    assert_string_equal(string(current, "to"), "2018-08-02T00:00:00Z");
    json_decref(json);
}

static void measures_come_back_as_the_same_doubles(void **state)
{
    (void)state;
    json_t *json = written(example());
    const json_t *inputs = json_object_get(json, "inputs"), *score = json_object_get(json, "score");
    assert_int_equal(json_array_size(inputs), 2);
    const json_t *amount = json_array_get(inputs, 0);
    assert_string_equal(string(amount, "name"), "amount");
    assert_true(real(amount, "psi") == 0.25 && real(amount, "jensen_shannon") == 0.1);
    assert_true(real(amount, "ks") == 0.2 && real(amount, "ks_p") == 0.5);
    assert_true(real(amount, "wasserstein") == 1.5 && real(amount, "out_of_range") == 0.75);
    assert_true(real(amount, "mean_reference") == 2 && real(amount, "mean_current") == 1e300);
    assert_true(json_is_true(json_object_get(amount, "drifted")));
    assert_string_equal(string(score, "name"), "score");
    assert_true(real(score, "psi") == 1.0 / 3 && real(score, "wasserstein_normalised") == 3);
    json_decref(json);
}

static void a_measure_that_is_not_defined_is_null(void **state)
{
    (void)state;
    json_t *json = written(example());
    const json_t *inputs = json_object_get(json, "inputs");
    const json_t *amount = json_array_get(inputs, 0), *night = json_array_get(inputs, 1);
    assert_true(json_is_null(json_object_get(amount, "wasserstein_normalised")));
    assert_true(json_is_null(json_object_get(night, "psi")));
    assert_true(json_is_null(json_object_get(night, "mean_current")));
    assert_true(json_is_false(json_object_get(night, "drifted")));
    json_decref(json);
}

static void every_week_has_its_day_rows_and_psi(void **state)
{
    (void)state;
    json_t *json = written(example());
    const json_t *weeks =
        json_object_get(json_array_get(json_object_get(json, "inputs"), 0), "weeks");
    assert_int_equal(json_array_size(weeks), 2);
    const json_t *first = json_array_get(weeks, 0), *second = json_array_get(weeks, 1);
    assert_string_equal(string(first, "from"), "1969-12-31");
    assert_int_equal(json_integer_value(json_object_get(first, "rows")), 1);
    assert_true(real(first, "psi") == 0.125);
    assert_string_equal(string(second, "from"), "2018-07-26");
    assert_int_equal(json_integer_value(json_object_get(second, "rows")), 2);
    assert_true(json_is_null(json_object_get(second, "psi")));
    json_decref(json);
}

static void performance_is_there_where_labels_are(void **state)
{
    (void)state;
    json_t *json = written(example());
    const json_t *performance = json_object_get(json, "performance");
    assert_true(json_is_null(json_object_get(performance, "reference")));
    assert_true(real(json_object_get(performance, "current"), "roc_auc") == 0.75);
    json_decref(json);
}

static void a_period_without_rows_has_no_times(void **state)
{
    (void)state;
    struct comparison c = *example();
    c.current.rows = (struct row_range){4, 4};
    c.n_weeks = 0;
    json_t *json = written(&c);
    const json_t *current = json_object_get(json, "current");
    assert_int_equal(json_integer_value(json_object_get(current, "rows")), 0);
    assert_true(json_is_null(json_object_get(current, "from")));
    assert_true(json_is_null(json_object_get(current, "to")));
    json_decref(json);
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(drift_report_write(example(), "/proc/assay/drift.json", &err), -1);
    assert_contains(err.msg, "/proc/assay");
}

// What drift_report_print writes, allocated.
static char *printed(const struct comparison *c)
{
    struct err err;
    const char *path = scratch_path("table");
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0);
    assert_non_null(freopen(path, "w", stdout));
    int rc = drift_report_print(c, &err);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(rc, 0);
    char *text = scratch_read(path, NULL);
    assert_non_null(text);
    return text;
}

static void the_table_is_sorted_by_psi_and_ends_with_the_verdict(void **state)
{
    (void)state;
    char *text = printed(example());
    const char *score = strstr(text, "\nscore "), *amount = strstr(text, "\namount ");
    const char *night = strstr(text, "\nnight ");
    assert_true(score && amount && night && score < amount && amount < night);
    assert_contains(score, "0.3333");
    assert_contains(text, "3 rows  2018-07-26T00:00:00Z .. 2018-08-02T00:00:00Z");
    assert_contains(night, "\ndrifted: PSI reaches 0.2\n");
    assert_null(strstr(text, "nan"));
    free(text);
    struct comparison few = *example();
    few.enough_rows = false;
    text = printed(&few);
    assert_contains(text, "\nno verdict: fewer than min_rows = 1 rows on one side\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_says_what_was_compared_and_the_verdict),
        cmocka_unit_test(measures_come_back_as_the_same_doubles),
        cmocka_unit_test(a_measure_that_is_not_defined_is_null),
        cmocka_unit_test(every_week_has_its_day_rows_and_psi),
        cmocka_unit_test(performance_is_there_where_labels_are),
        cmocka_unit_test(a_period_without_rows_has_no_times),
        cmocka_unit_test(a_file_that_cannot_be_written_is_an_error),
        cmocka_unit_test(the_table_is_sorted_by_psi_and_ends_with_the_verdict),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
