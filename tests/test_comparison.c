// The measures of drift are held against values of SciPy 1.10.1 (the call is named beside each),
// sums by hand and slow definitions. Periods of rows in memory are compared with the same rows
// picked by hand; drift.json and the printed table are read back.
#include "monitor/comparison.h"

#include "tests/release.h"
#include "tests/training.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

// ---- measures ----

// Sorted, with many ties within a sample and between two.
static void fill(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.25 * (double)(draw(23)) - 2;
    sort_doubles(x, n);
}

static const double A[] = {-1.5, 0.5, 1.25, 1.25, 2, 3.5, 3.5, 7};
static const double B[] = {1.25, 2, 2, 3.5, 4, 9.75};

static struct drift counted(const uint64_t *p, const uint64_t *q, size_t bins)
{
    const double any[] = {1};
    return drift_measure(any, 1, any, 1, p, q, bins);
}

// Counts with one edge at 0.
static struct drift measure(const double *a, size_t n, const double *b, size_t m)
{
    uint64_t p[2] = {0}, q[2] = {0};
    for (size_t i = 0; i < n; i++)
        p[a[i] >= 0]++;
    for (size_t i = 0; i < m; i++)
        q[b[i] >= 0]++;
    return drift_measure(a, n, b, m, p, q, 2);
}

TEST_CASE(psi_is_the_sum_by_hand_and_finite_where_bins_are_empty)
{
    // Shares (10 + 1/2)/21 twice, 10.5/41 and 30.5/41:
    // (10.5/41 - 1/2) ln(10.5/20.5) + (30.5/41 - 1/2) ln(30.5/20.5) = 10/41 ln(61/21)
    const uint64_t p[] = {10, 10}, q[] = {10, 30};
    assert_near(drift_psi(p, q, 2), 10.0 / 41 * log(61.0 / 21), 1e-15);
    // Shares 30.5, 70.5, 0.5 of 101.5 and 20.5, 0.5, 30.5 of 51.5.
    const uint64_t first[] = {30, 70, 0}, last[] = {20, 0, 30};
    assert_near(drift_psi(first, last, 3), 5.764851356613271, 1e-12);
    assert_near(drift_psi(last, first, 3), 5.764851356613271, 1e-12);
}

TEST_CASE(the_measures_agree_with_scipy)
{
    // scipy.spatial.distance.jensenshannon([10,20,30,40,0], [15,0,35,30,20])
    const uint64_t p[] = {10, 20, 30, 40, 0}, q[] = {15, 0, 35, 30, 20};
    const uint64_t one[] = {5, 0, 1}, other[] = {0, 9, 0}; // disjoint
    assert_near(counted(p, q, 5).jensen_shannon, 0.3816969227443573, 1e-14);
    assert_near(counted(one, other, 3).jensen_shannon, sqrt(log(2)), 1e-15);
    // scipy.stats.ks_2samp(A, B).statistic, scipy.stats.wasserstein_distance(A, B)
    const struct drift d = measure(A, COUNT(A), B, COUNT(B));
    assert_near(d.ks, 1.0 / 3, 1e-15);
    assert_near(d.wasserstein, 1.5624999999999998, 1e-14);
}

static double slow_ks(const double *a, size_t n, const double *b, size_t m)
{
    double d = 0;
    for (size_t i = 0; i < n + m; i++) {
        double at = i < n ? a[i] : b[i - n], gap = 0;
        for (size_t k = 0; k < n + m; k++)
            gap += k < n ? (a[k] <= at) / (double)n : -(b[k - n] <= at) / (double)m;
        d = fmax(d, fabs(gap));
    }
    return d;
}

// A value of a stands for m equal masses and a value of b for n: the k-th mass moves to the k-th
// place, and the distance is the mean way.
static double slow_wasserstein(const double *a, size_t n, const double *b, size_t m)
{
    double sum = 0;
    for (size_t k = 0; k < n * m; k++)
        sum += fabs(a[k / m] - b[k / n]);
    return sum / (double)(n * m);
}

TEST_CASE(sample_measures_agree_with_their_slow_definitions)
{
    for (int round = 0; round < 200; round++) {
        double a[40] = {0}, b[40] = {0};
        size_t n = 1 + draw(40), m = 1 + draw(40);
        fill(a, n);
        fill(b, m);
        const struct drift d = measure(a, n, b, m), back = measure(b, m, a, n);
        assert_near(d.ks, slow_ks(a, n, b, m), 1e-13);
        assert_near(d.wasserstein, slow_wasserstein(a, n, b, m), 1e-12);
        assert_true(d.ks == back.ks && d.wasserstein == back.wasserstein);
    }
}

TEST_CASE(the_p_value_agrees_with_scipy_on_both_series)
{
    // scipy.special.kolmogorov(x); n = m = 2 makes λ = d.
    const double expected[][2] = {{0.2, 0.999999999999495},     {0.5, 0.9639452436648751},
                                  {0.828, 0.4993296211937983},  {0.999, 0.27107316411506394},
                                  {1.0, 0.26999967167735456},   {1.2, 0.11224966667072497},
                                  {1.63, 0.009846364888486529}, {2.5, 7.453306344157342e-06}};
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_near(drift_ks_p(expected[i][0], 2, 2), expected[i][1], 1e-14);
    assert_true(drift_ks_p(0, 10, 10) == 1);
    // λ = 0.1 · sqrt(100 · 300 / 400)
    assert_near(drift_ks_p(0.1, 100, 300), drift_ks_p(sqrt(0.75), 2, 2), 1e-14);
}

TEST_CASE(the_summary_holds_means_spread_and_range_or_nothing_without_rows)
{
    const double a[] = {10, 30}, b[] = {0, 10, 20, 30, 40}; // a: mean 20, sd 10
    struct drift d = measure(a, 2, b, 5);
    assert_true(d.mean_reference == 20 && d.mean_current == 20);
    assert_near(d.out_of_range, 0.4, 1e-15);
    // In order, fifths of b against halves of a: 0.2·10 + 0.2·0 + 0.1·10, and the same mirrored
    assert_near(d.wasserstein, 6, 1e-14);
    assert_near(d.wasserstein_normalised, 0.6, 1e-15);
    // a constant reference has no spread to normalise by
    const double constant[] = {0.1, 0.1, 0.1}, other[] = {0.1, 0.1, 0.4};
    d = measure(constant, 3, constant, 2);
    assert_true(d.wasserstein_normalised == 0 && d.ks == 0 && d.ks_p == 1 && d.out_of_range == 0);
    d = measure(constant, 3, other, 3);
    assert_is(d.wasserstein_normalised, NAN);
    assert_near(d.wasserstein, 0.1, 1e-15);
    assert_near(d.out_of_range, 1.0 / 3, 1e-15);
    d = measure(A, COUNT(A), NULL, 0);
    assert_true(isnan(d.psi) && isnan(d.jensen_shannon) && isnan(d.ks) && isnan(d.ks_p));
    assert_true(isnan(d.wasserstein) && isnan(d.wasserstein_normalised));
    assert_true(isnan(d.out_of_range) && isnan(d.mean_current));
    assert_near(d.mean_reference, 2.1875, 1e-15);
}

// ---- periods ----

enum { DAY_ROWS = 96, ROWS = 4000 };
enum { REFERENCE_END = 15 * DAY_ROWS, CURRENT_FIRST = 17 * DAY_ROWS }; // of SPLIT below
static const int64_t START = 1532476800;                               // 2018-07-25
#define SPLIT "[split]\ntrain = 2018-07-25 .. 2018-08-08\ntest = 2018-08-10 .. 2018-08-10\n"

// Rows with two inputs and labels, a model of them, and its comparison.
static int64_t seconds[ROWS];
static float moving[ROWS], steady[ROWS];
static int8_t label[ROWS];
static const float *x[] = {moving, steady};
static struct examples rows;
static struct model_input inputs[2];
static struct model model = {.inputs = inputs, .n_inputs = 2, .sha256 = "5e1f"};
static struct comparison c;

static int setup(void **state)
{
    const struct histogram quarters = {.n_edges = 3, .edges = {0.25, 0.5, 0.75}};
    seed = 3;
    for (size_t i = 0; i < ROWS; i++) {
        seconds[i] = START + (int64_t)i * 900;
        steady[i] = (float)draw(1 << 24) / (1 << 24);
        moving[i] = (float)draw(1 << 24) / (1 << 24) + (i >= CURRENT_FIRST ? 0.2F : 0);
        label[i] = 0;
    }
    rows = (struct examples){
        .table.path = "a/table", .rows = ROWS, .x = x, .time = seconds, .label = label};
    inputs[0] = (struct model_input){"moving", 0.5, 0.3, 2, -1e9, 1e9, quarters};
    inputs[1] = (struct model_input){"steady", 0.5, 0.3, 0, -1e9, 1e9, quarters};
    model.score_reference = (struct histogram){.n_edges = 1, .edges = {0.5}};
    return scratch_make(state);
}

static void comparison_release(void)
{
    for (size_t i = 0; c.columns && i < c.n; i++)
        free(c.columns[i].week_psi);
    free(c.columns);
    free(c.weeks);
    c = (struct comparison){0};
}

static int teardown(void **state)
{
    comparison_release();
    return scratch_remove(state);
}

static int compare(const struct examples *other, unsigned threads, const char *ini, struct err *err)
{
    struct config config = config_of(ini);
    comparison_release();
    int rc = comparison_init(&c, &model, &rows, other, &config, threads, err);
    config_release(&config);
    return rc;
}

static void compare_with(unsigned threads, const char *ini)
{
    struct err err = {""};
    must(compare(NULL, threads, ini, &err), &err);
}

// Counts between the edges by definition, and the sorted values.
static void pick(const float *from, size_t first, size_t end, double *out, uint64_t counts[4])
{
    for (size_t i = first; i < end; i++) {
        out[i - first] = from[i];
        counts[(from[i] >= 0.25F) + (from[i] >= 0.5F) + (from[i] >= 0.75F)]++;
    }
    sort_doubles(out, end - first);
}

TEST_CASE(columns_are_measured_on_the_rows_of_both_periods_with_any_number_of_threads)
{
    static double before[ROWS], after[ROWS];
    for (size_t i = 0; i < 4; i++) {
        uint64_t p[4] = {0}, q[4] = {0};
        compare_with(i < 2 ? 1 : 7, SPLIT);
        assert_int_equal(c.n, 3);
        assert_string_equal(c.columns[i % 2].name, inputs[i % 2].name);
        pick(x[i % 2], 0, REFERENCE_END, before, p);
        pick(x[i % 2], CURRENT_FIRST, ROWS, after, q);
        struct drift expected =
            drift_measure(before, REFERENCE_END, after, ROWS - CURRENT_FIRST, p, q, 4);
        assert_memory_equal(&c.columns[i % 2].drift, &expected, sizeof expected);
    }
    // The probability increases with `moving` alone, so ranks, and with them KS, are the same.
    double sum = 0;
    assert_is(c.columns[2].drift.ks, c.columns[0].drift.ks);
    for (size_t i = CURRENT_FIRST; i < ROWS; i++)
        sum += 1 / (1 + exp(-2 * ((double)moving[i] - 0.5) / 0.3));
    assert_near(c.columns[2].drift.mean_current, sum / (ROWS - CURRENT_FIRST), 1e-12);
}

TEST_CASE(performance_is_that_of_the_rows_with_labels)
{
    double known = 0, frauds = 0;
    for (size_t i = 0; i < ROWS; i++) {
        label[i] = (int8_t)(i % 7 == 0 ? -1 : (float)draw(8) < 4 * moving[i]);
        known += i >= CURRENT_FIRST && label[i] >= 0;
        frauds += i >= CURRENT_FIRST && label[i] == 1;
    }
    compare_with(2, SPLIT);
    assert_is(c.current.metrics.tally.rows, known);
    assert_is(c.current.metrics.tally.frauds, frauds);
    assert_true(c.reference.metrics.roc_auc > 0.6 && c.current.metrics.roc_auc > 0.6);
    rows.label = NULL;
    compare_with(2, SPLIT);
    assert_true(c.reference.metrics.tally.rows == 0 && c.current.metrics.tally.rows == 0);
}

TEST_CASE(an_alarm_needs_size_and_rows_and_the_settings_must_make_sense)
{
    static const char *const cases[][2] = {
        {SPLIT "[monitor]\npsi_alert = -1\n", "-1 is not within 0"},
        {"[split]\ntrain = 2017-01-01 .. 2017-01-02\ntest = 2018-08-10 .. 2018-08-10\n",
         "a/table: no row lies in the training part"}};
    compare_with(2, SPLIT); // psi_alert is 0.2
    assert_true(c.columns[0].drifted && !c.columns[1].drifted && c.drifted && c.enough_rows);
    compare_with(2, SPLIT "[monitor]\nmin_rows = 1441\n"); // the reference has 1440
    assert_true(c.columns[0].drift.psi >= 0.2);
    assert_true(!c.columns[0].drifted && !c.drifted && !c.enough_rows);
    compare_with(2, SPLIT "[monitor]\npsi_alert = 10\n");
    assert_true(!c.drifted && c.enough_rows);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {""};
        assert_int_equal(compare(NULL, 2, cases[i][0], &err), -1);
        assert_contains(err.msg, cases[i][1]);
    }
}

TEST_CASE(another_table_that_is_the_same_has_not_drifted)
{
    struct err err;
    rows.rows = REFERENCE_END;
    struct examples other = rows;
    must(compare(&other, 2, SPLIT, &err), &err);
    for (const struct comparison_column *k = c.columns; k < c.columns + c.n; k++)
        assert_true(k->drift.psi == 0 && k->drift.jensen_shannon == 0 && k->drift.ks_p == 1 &&
                    k->drift.wasserstein == 0 && k->drift.ks == 0 && k->drift.out_of_range == 0);
    assert_false(c.drifted);
}

TEST_CASE(weeks_are_counted_from_the_first_day_of_the_current_period)
{
    static double values[ROWS];
    // The period begins on 2018-08-11; nothing happens in the three weeks after 2018-08-24.
    const size_t pause = 31 * DAY_ROWS;
    for (size_t i = pause; i < ROWS; i++)
        seconds[i] += 21 * DAY;
    compare_with(1, SPLIT);
    const int64_t first = START / DAY + 17, from[] = {first, first + 7, first + 35, first + 42};
    const size_t ends[] = {24 * DAY_ROWS, pause, 38 * DAY_ROWS, ROWS};
    assert_int_equal(c.n_weeks, 4);
    uint64_t p[4] = {0};
    pick(moving, 0, REFERENCE_END, values, p);
    for (size_t k = 0, row = CURRENT_FIRST; k < 4; row = ends[k++]) {
        uint64_t q[4] = {0};
        assert_int_equal(c.weeks[k].from, from[k]);
        assert_int_equal(c.weeks[k].rows.first, row);
        assert_int_equal(c.weeks[k].rows.end, ends[k]);
        pick(moving, row, ends[k], values, q);
        assert_is(c.columns[0].week_psi[k], drift_psi(p, q, 4));
    }
}

// ---- drift.json and the table ----

static void assert_number(const char *text, const char *name, double value)
{
    char number[64];
    snprintf(number, sizeof number, isnan(value) ? "\"%s\": null" : "\"%s\": %.17g", name, value);
    assert_contains(text, number);
}

// drift.json and then the table hold these lines; drift.json every measure, too.
static void assert_written(const char *const lines[], size_t n)
{
    static const char *const measures[] = {"psi", "ks", "ks_p", "jensen_shannon", "wasserstein"};
    struct err err;
    const char *path = scratch_path("drift.json");
    must(comparison_write(&c, path, &err), &err);
    fflush(stdout);
    const int saved = dup(STDOUT_FILENO);
    assert_non_null(freopen(path, "a", stdout));
    comparison_print(&c);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    char *text = scratch_read(path, NULL);
    for (size_t i = 0; i < n; i++)
        assert_contains(text, lines[i]);
    for (size_t i = 0; i < c.n * COUNT(measures); i++)
        assert_number(text, measures[i % COUNT(measures)],
                      ((const double *)&c.columns[i / COUNT(measures)].drift)[i % COUNT(measures)]);
    for (size_t w = 0; w < c.n_weeks; w++)
        assert_number(text, "psi", c.columns[0].week_psi[w]);
    const char *first = strstr(text, "\nmoving "), *second = strstr(text, "\nsteady ");
    assert_true(first && second && first < second); // sorted by PSI
    assert_null(strstr(first, "nan"));
    free(text);
}

TEST_CASE(the_file_and_the_table_hold_the_periods_the_measures_and_the_verdict)
{
    static const char *const lines[] = {
        "\"format\": \"assay drift\",\n \"version\": 1,\n \"model\": \"5e1f\"",
        "\"min_rows\": 1000,\n \"enough_rows\": true,\n \"drifted\": true",
        "\"table\": \"a/table\",\n  \"rows\": 1440,\n  \"from\": \"2018-07-25T00:00:00Z\"",
        "\"to\": \"2018-08-08T23:45:00Z\"",
        "\"from\": \"2018-08-11T00:00:00Z\"",
        "\"from\": \"2018-08-18\",\n    \"rows\": 672",
        "\"performance\": {\n  \"reference\": null",
        "\"frauds\": 1,",
        "1440 rows  2018-07-25T00:00:00Z .. 2018-08-08T23:45:00Z  a/table",
        "\ndrifted: PSI reaches 0.2\n",
    };
    static const char *const without_rows[] = {
        "\"enough_rows\": false,\n \"drifted\": false", "\"weeks\": []",
        "\"rows\": 0,\n  \"from\": null,\n  \"to\": null",
        "\nno verdict: fewer than min_rows = 1000 rows on one side\n"};
    memset(label, -1, REFERENCE_END * sizeof *label);
    label[CURRENT_FIRST] = 1;
    compare_with(2, SPLIT);
    assert_written(lines, COUNT(lines));
    rows.rows = CURRENT_FIRST;
    compare_with(2, SPLIT);
    assert_written(without_rows, COUNT(without_rows));
}

TEST_CASE(a_table_whose_name_is_not_utf8_is_an_error)
{
    struct err err;
    rows.table.path = "a/\xff";
    compare_with(1, SPLIT);
    assert_int_equal(comparison_write(&c, scratch_path("drift.json"), &err), -1);
    assert_contains(err.msg, "not UTF-8");
    assert_int_equal(access(scratch_path("drift.json"), F_OK), -1);
}

#define PERIODS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(psi_is_the_sum_by_hand_and_finite_where_bins_are_empty),
        cmocka_unit_test(the_measures_agree_with_scipy),
        cmocka_unit_test(sample_measures_agree_with_their_slow_definitions),
        cmocka_unit_test(the_p_value_agrees_with_scipy_on_both_series),
        cmocka_unit_test(the_summary_holds_means_spread_and_range_or_nothing_without_rows),
        PERIODS(columns_are_measured_on_the_rows_of_both_periods_with_any_number_of_threads),
        PERIODS(performance_is_that_of_the_rows_with_labels),
        PERIODS(an_alarm_needs_size_and_rows_and_the_settings_must_make_sense),
        PERIODS(weeks_are_counted_from_the_first_day_of_the_current_period),
        PERIODS(another_table_that_is_the_same_has_not_drifted),
        PERIODS(the_file_and_the_table_hold_the_periods_the_measures_and_the_verdict),
        PERIODS(a_table_whose_name_is_not_utf8_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
