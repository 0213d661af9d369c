// The measures of drift are held against values of SciPy 1.10.1 (the call is named beside each),
// sums by hand and slow definitions.
#include "monitor/drift.h"

#include "tests/training.h"
#include "train/metrics.h"

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
    const struct drift d = measure(A, LENGTH(A), B, LENGTH(B));
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
    assert_true(d.wasserstein_normalised == 0 && d.ks == 0 && d.out_of_range == 0);
    d = measure(constant, 3, other, 3);
    assert_is(d.wasserstein_normalised, NAN);
    assert_near(d.wasserstein, 0.1, 1e-15);
    assert_near(d.out_of_range, 1.0 / 3, 1e-15);
    d = measure(A, LENGTH(A), NULL, 0);
    assert_true(isnan(d.psi) && isnan(d.jensen_shannon) && isnan(d.ks));
    assert_true(isnan(d.wasserstein) && isnan(d.wasserstein_normalised));
    assert_true(isnan(d.out_of_range) && isnan(d.mean_current));
    assert_near(d.mean_reference, 2.1875, 1e-15);
}

TESTS(NULL, NULL)
