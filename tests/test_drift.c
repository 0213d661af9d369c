// Measures of drift against values of SciPy 1.10.1 (the call is named beside each), sums by hand,
// and slow definitions.
#include "monitor/drift.h"

#include "tests/scratch.h"

#include <math.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not %.17g", value, expected);
}

static uint64_t next_random(void)
{
    static uint64_t s = 88172645463325252u; // Marsaglia's xorshift64
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}

static int compare_doubles(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

// Sorted, with many ties within a sample and between two.
static void fill(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.25 * (double)(next_random() % 23) - 2;
    qsort(x, n, sizeof *x, compare_doubles);
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

static void psi_is_the_sum_by_hand_and_finite_where_bins_are_empty(void **state)
{
    (void)state;
    // Shares (10 + 1/2)/21 twice, 10.5/41 and 30.5/41:
    // (10.5/41 - 1/2) ln(10.5/20.5) + (30.5/41 - 1/2) ln(30.5/20.5) = 10/41 ln(61/21)
    const uint64_t p[] = {10, 10}, q[] = {10, 30};
    assert_near(drift_psi(p, q, 2), 10.0 / 41 * log(61.0 / 21), 1e-15);
    // Shares 30.5, 70.5, 0.5 of 101.5 and 20.5, 0.5, 30.5 of 51.5.
    const uint64_t first[] = {30, 70, 0}, last[] = {20, 0, 30};
    assert_near(drift_psi(first, last, 3), 5.764851356613271, 1e-12);
    assert_near(drift_psi(last, first, 3), 5.764851356613271, 1e-12);
}

static void jensen_shannon_agrees_with_scipy(void **state)
{
    (void)state;
    // scipy.spatial.distance.jensenshannon([10,20,30,40,0], [15,0,35,30,20])
    const uint64_t p[] = {10, 20, 30, 40, 0}, q[] = {15, 0, 35, 30, 20};
    assert_near(counted(p, q, 5).jensen_shannon, 0.3816969227443573, 1e-14);
    assert_near(counted(q, p, 5).jensen_shannon, 0.3816969227443573, 1e-14);
    const uint64_t one[] = {5, 0, 1}, other[] = {0, 9, 0}; // disjoint
    assert_near(counted(one, other, 3).jensen_shannon, sqrt(log(2)), 1e-15);
}

static void equal_shares_are_no_drift(void **state)
{
    (void)state;
    const uint64_t p[] = {3, 0, 12, 1}, doubled[] = {6, 0, 24, 2};
    double twice[2 * COUNT(A)];
    for (size_t i = 0; i < COUNT(twice); i++)
        twice[i] = A[i / 2];
    assert_true(drift_psi(p, p, 4) == 0);
    assert_true(counted(p, p, 4).jensen_shannon == 0);
    assert_true(counted(p, doubled, 4).jensen_shannon == 0);
    const struct drift d = measure(A, COUNT(A), twice, COUNT(twice));
    assert_true(d.ks == 0 && d.ks_p == 1 && d.wasserstein == 0);
}

static void kolmogorov_smirnov_and_wasserstein_agree_with_scipy(void **state)
{
    (void)state;
    // scipy.stats.ks_2samp(A, B).statistic, scipy.stats.wasserstein_distance(A, B)
    const struct drift d = measure(A, COUNT(A), B, COUNT(B));
    assert_near(d.ks, 1.0 / 3, 1e-15);
    assert_near(d.wasserstein, 1.5624999999999998, 1e-14);
}

static double share_up_to(const double *x, size_t n, double at)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += x[i] <= at;
    return (double)k / (double)n;
}

static double slow_ks(const double *a, size_t n, const double *b, size_t m)
{
    double d = 0;
    for (size_t i = 0; i < n + m; i++) {
        double at = i < n ? a[i] : b[i - n];
        d = fmax(d, fabs(share_up_to(a, n, at) - share_up_to(b, m, at)));
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

static void sample_measures_agree_with_their_slow_definitions(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        double a[40] = {0}, b[40] = {0};
        size_t n = 1 + next_random() % 40, m = 1 + next_random() % 40;
        fill(a, n);
        fill(b, m);
        const struct drift d = measure(a, n, b, m), back = measure(b, m, a, n);
        assert_near(d.ks, slow_ks(a, n, b, m), 1e-15);
        assert_near(d.wasserstein, slow_wasserstein(a, n, b, m), 1e-12);
        assert_true(d.ks == back.ks && d.wasserstein == back.wasserstein);
    }
}

static void the_p_value_agrees_with_scipy_on_both_series(void **state)
{
    (void)state;
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

static void the_summary_holds_means_spread_and_range(void **state)
{
    (void)state;
    const double a[] = {1, 3}, b[] = {0, 1, 2, 3, 4}; // a: mean 2, sd 1
    struct drift d = measure(a, 2, b, 5);
    assert_true(d.mean_reference == 2 && d.mean_current == 2);
    assert_near(d.out_of_range, 0.4, 1e-15);
    // In order, fifths of b against halves of a: 0.2·1 + 0.2·0 + 0.1·1, and the same mirrored
    assert_near(d.wasserstein, 0.6, 1e-15);
    assert_near(d.wasserstein_normalised, 0.6, 1e-15);
    const double wide[] = {10, 30}, tenfold[] = {0, 10, 20, 30, 40};
    d = measure(wide, 2, tenfold, 5);
    assert_near(d.wasserstein, 6, 1e-14);
    assert_near(d.wasserstein_normalised, 0.6, 1e-15);
}

static void a_constant_reference_has_no_spread_to_normalise_by(void **state)
{
    (void)state;
    const double constant[] = {0.1, 0.1, 0.1}, other[] = {0.1, 0.1, 0.4};
    struct drift same = measure(constant, 3, constant, 2), moved = measure(constant, 3, other, 3);
    assert_true(same.wasserstein_normalised == 0 && same.ks == 0 && same.ks_p == 1);
    assert_true(same.out_of_range == 0);
    assert_true(isnan(moved.wasserstein_normalised));
    assert_near(moved.wasserstein, 0.1, 1e-15);
    assert_near(moved.out_of_range, 1.0 / 3, 1e-15);
}

static void an_empty_period_has_no_measures(void **state)
{
    (void)state;
    struct drift d = measure(A, COUNT(A), NULL, 0);
    assert_true(isnan(d.psi) && isnan(d.jensen_shannon) && isnan(d.ks) && isnan(d.ks_p));
    assert_true(isnan(d.wasserstein) && isnan(d.wasserstein_normalised));
    assert_true(isnan(d.out_of_range) && isnan(d.mean_current));
    assert_near(d.mean_reference, 2.1875, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(psi_is_the_sum_by_hand_and_finite_where_bins_are_empty),
        cmocka_unit_test(jensen_shannon_agrees_with_scipy),
        cmocka_unit_test(equal_shares_are_no_drift),
        cmocka_unit_test(kolmogorov_smirnov_and_wasserstein_agree_with_scipy),
        cmocka_unit_test(sample_measures_agree_with_their_slow_definitions),
        cmocka_unit_test(the_p_value_agrees_with_scipy_on_both_series),
        cmocka_unit_test(the_summary_holds_means_spread_and_range),
        cmocka_unit_test(a_constant_reference_has_no_spread_to_normalise_by),
        cmocka_unit_test(an_empty_period_has_no_measures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
