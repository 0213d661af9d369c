// calibration against values by hand, the parts of the Brier score row by row, and Wilson's interval as
// published.
#include "train/calibration.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 3000 };

static uint64_t seed;

static uint64_t draw(uint64_t m)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % m;
}

static void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", got, expected, tolerance);
}

// Three bins: 4 rows of 0.05 with one fraud, 2 of 0.35 with one fraud, and 0.95 and 1 with two.
static struct calibration by_hand(void)
{
    static const double probability[] = {0.05, 0.05, 0.05, 0.05, 0.35, 0.35, 0.95, 1};
    static const int fraud[] = {0, 0, 1, 0, 1, 0, 1, 1};
    struct calibration c = {0};
    for (int r = 0; r < 8; r++)
        calibration_row(&c, probability[r], fraud[r]);
    return c;
}

static void the_calibration_error_equals_the_one_by_hand(void **state)
{
    (void)state;
    const struct calibration c = by_hand();
    // (4 |0.05 - 1/4| + 2 |0.35 - 1/2| + 2 |0.975 - 1|) / 8
    assert_near(calibration_ece(&c), 0.14375, 1e-15);
    assert_near(calibration_mean_probability(&c), 0.35625, 1e-15);
}

static void the_parts_of_the_brier_score_equal_those_by_hand(void **state)
{
    (void)state;
    const struct calibration c = by_hand();
    // 3 (0.05)² + (0.95)² + (0.65)² + (0.35)² + (0.05)² + 0, over 8 rows
    const struct brier_parts b = calibration_brier(&c, 0.1821875);
    assert_near(b.reliability, (4 * 0.04 + 2 * 0.0225 + 2 * 0.000625) / 8, 1e-15);
    assert_near(b.resolution, (4 * 0.0625 + 2 * 0.25) / 8, 1e-15);
    assert_near(b.uncertainty, 0.25, 1e-15);
    assert_near(b.within, 2 * 0.000625 / 8, 1e-15); // 0.95 and 1 stand 0.025 off their mean
}

// ---- random scores ---------------------------------------------------------------------------------

static double probability[ROWS];
static int fraud[ROWS];

// More rows at low probabilities, none from 0.6 to 0.7, and a few of 1.
static void sample_make(struct calibration *c)
{
    *c = (struct calibration){0};
    seed = 3;
    for (int r = 0; r < ROWS; r++) {
        double u = (double)draw(1000) / 999;
        probability[r] = u * u >= 0.6 && u * u < 0.7 ? 0.2 : u * u;
        fraud[r] = (double)draw(1000) < 800 * u;
        calibration_row(c, probability[r], fraud[r]);
    }
}

static double mean(const double *x, const int *bin, int b, double *n)
{
    double sum = 0;
    *n = 0;
    for (int r = 0; r < ROWS; r++)
        if (b < 0 || bin[r] == b) {
            sum += x[r];
            ++*n;
        }
    return *n > 0 ? sum / *n : 0;
}

// Stephenson, Coelho, Jolliffe 2008: what scores differ inside their bins, less twice what of it goes
// with the labels.
static void the_parts_of_the_brier_score_make_it_up_again(void **state)
{
    (void)state;
    struct calibration c;
    double y[ROWS], brier = 0, within = 0, ece = 0, n = 0;
    int bin[ROWS];
    sample_make(&c);
    for (int r = 0; r < ROWS; r++) {
        y[r] = fraud[r];
        brier += (probability[r] - y[r]) * (probability[r] - y[r]) / ROWS;
        for (bin[r] = 9; probability[r] < bin[r] / 10.0;)
            bin[r]--;
    }
    for (int b = 0; b < 10; b++) {
        double p = mean(probability, bin, b, &n), o = mean(y, bin, b, &n);
        ece += n / ROWS * fabs(p - o);
        for (int r = 0; r < ROWS; r++)
            if (bin[r] == b)
                within += (probability[r] - p) * (probability[r] - p - 2 * (y[r] - o)) / ROWS;
    }
    const struct brier_parts parts = calibration_brier(&c, brier);
    assert_near(parts.reliability - parts.resolution + parts.uncertainty + within, brier, 1e-13);
    assert_near(parts.within, within, 1e-13);
    double share = mean(y, bin, -1, &n);
    assert_near(parts.uncertainty, share * (1 - share), 1e-15);
    assert_near(calibration_ece(&c), ece, 1e-13);
    assert_near(calibration_mean_probability(&c), mean(probability, bin, -1, &n), 1e-13);
}

static void scores_that_are_the_shares_of_frauds_have_no_error(void **state)
{
    (void)state;
    struct calibration c = {0};
    double brier = 0;
    for (int b = 0; b < 10; b++)
        for (int r = 0; r < 20; r++) {
            double p = b / 10.0 + 0.05;
            calibration_row(&c, p, r < 2 * b + 1); // 20 p of 20
            brier += (p - (r < 2 * b + 1)) * (p - (r < 2 * b + 1)) / 200;
        }
    const struct brier_parts parts = calibration_brier(&c, brier);
    assert_near(calibration_ece(&c), 0, 1e-15);
    assert_near(parts.reliability, 0, 1e-15);
    assert_near(parts.within, 0, 1e-15);
    assert_near(parts.uncertainty - parts.resolution, brier, 1e-15);
}

static void scores_that_are_always_wrong_have_an_error_of_1(void **state)
{
    (void)state;
    struct calibration c = {0};
    calibration_row(&c, 0, 1);
    calibration_row(&c, 1, 0);
    assert_near(calibration_ece(&c), 1, 0);
    assert_near(calibration_brier(&c, 1).reliability, 1, 0);
}

static void a_bin_holds_its_lower_edge_and_the_last_one_1_too(void **state)
{
    (void)state;
    static const double at[] = {0, -0.0, 0.0999, 0.25, 0.5, 0.4999, 0.9, 1, 1};
    static const uint64_t expected[CALIBRATION_BINS] = {3, 0, 1, 0, 1, 1, 0, 0, 0, 4};
    struct calibration c = {0};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        calibration_row(&c, at[i], 1);
    calibration_row(&c, nextafter(1, 0), 0);
    assert_memory_equal(c.rows, expected, sizeof expected);
    assert_int_equal(c.frauds[9], 3);
}

static void without_rows_nothing_has_a_meaning(void **state)
{
    (void)state;
    const struct calibration c = {0};
    const struct brier_parts b = calibration_brier(&c, NAN);
    assert_true(isnan(calibration_ece(&c)));
    assert_true(isnan(calibration_mean_probability(&c)));
    assert_true(isnan(b.reliability) && isnan(b.resolution));
    assert_true(isnan(b.uncertainty) && isnan(b.within));
}

static void adding_a_day_several_times_is_counting_its_rows_so_often(void **state)
{
    (void)state;
    static const uint64_t times[] = {3, 0, 1};
    struct calibration sum = {0}, counted = {0};
    seed = 8;
    for (int d = 0; d < 3; d++) {
        struct calibration day = {0};
        for (int r = 0; r < 50; r++) {
            double p = (double)draw(65) / 64; // sums are exact
            int y = draw(3) == 0;
            calibration_row(&day, p, y);
            for (uint64_t t = 0; t < times[d]; t++)
                calibration_row(&counted, p, y);
        }
        calibration_add(&sum, &day, times[d]);
    }
    assert_memory_equal(&sum, &counted, sizeof sum);
}

// ---- Wilson's interval -----------------------------------------------------------------------------

// Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3, four decimals.
static void wilsons_interval_equals_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        uint64_t k, n;
        double low, high;
    } published[] = {{81, 263, 0.2553, 0.3662},
                     {15, 148, 0.0624, 0.1605},
                     {0, 20, 0.0000, 0.1611},
                     {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < 4; i++) {
        double low = NAN, high = NAN;
        wilson_interval(published[i].k, published[i].n, &low, &high);
        assert_near(low, published[i].low, 0.5e-4);
        assert_near(high, published[i].high, 0.5e-4);
    }
}

// The shares that the test by the normal distribution does not refuse end where
// (k/n - p)² = z² p (1 - p) / n.
static void wilsons_interval_ends_where_the_share_seen_is_just_believable(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 10, 1000, 1000000};
    for (size_t i = 0; i < 5; i++)
        for (uint64_t tenth = 0; tenth <= 10; tenth++) {
            const uint64_t n = sizes[i], k = n * tenth / 10;
            const double share = (double)k / (double)n;
            double end[2];
            wilson_interval(k, n, &end[0], &end[1]);
            for (int e = 0; e < 2; e++)
                assert_near(fabs(share - end[e]), Z_95 * sqrt(end[e] * (1 - end[e]) / (double)n),
                            1e-12);
            assert_true(0 <= end[0] && end[0] <= share && share <= end[1] && end[1] <= 1);
        }
}

static void no_fraud_begins_at_0_and_nothing_but_frauds_ends_at_1(void **state)
{
    (void)state;
    const double z2 = Z_95 * Z_95;
    for (uint64_t n = 1; n < 100; n++) {
        double low = NAN, high = NAN;
        wilson_interval(0, n, &low, &high);
        assert_true(low == 0);
        assert_near(high, z2 / ((double)n + z2), 1e-14);
        wilson_interval(n, n, &low, &high);
        assert_near(low, (double)n / ((double)n + z2), 1e-14);
        assert_true(high == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calibration_error_equals_the_one_by_hand),
        cmocka_unit_test(the_parts_of_the_brier_score_equal_those_by_hand),
        cmocka_unit_test(the_parts_of_the_brier_score_make_it_up_again),
        cmocka_unit_test(scores_that_are_the_shares_of_frauds_have_no_error),
        cmocka_unit_test(scores_that_are_always_wrong_have_an_error_of_1),
        cmocka_unit_test(a_bin_holds_its_lower_edge_and_the_last_one_1_too),
        cmocka_unit_test(without_rows_nothing_has_a_meaning),
        cmocka_unit_test(adding_a_day_several_times_is_counting_its_rows_so_often),
        cmocka_unit_test(wilsons_interval_equals_the_published_ones),
        cmocka_unit_test(wilsons_interval_ends_where_the_share_seen_is_just_believable),
        cmocka_unit_test(no_fraud_begins_at_0_and_nothing_but_frauds_ends_at_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
