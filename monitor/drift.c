// The measures themselves, on counts and on sorted samples. Which samples, which bins and what is
// an alarm is comparison.c's business.
#include "monitor/drift.h"

#include <math.h>
#include <stdbool.h>

static const double PI = 3.14159265358979323846;

static double total(const uint64_t *counts, size_t bins)
{
    uint64_t sum = 0;
    for (size_t b = 0; b < bins; b++)
        sum += counts[b];
    return (double)sum;
}

double drift_psi(const uint64_t *p, const uint64_t *q, size_t bins)
{
    double n = total(p, bins), m = total(q, bins), half = 0.5 * (double)bins, sum = 0;
    if (n == 0 || m == 0)
        return NAN;
    for (size_t b = 0; b < bins; b++) {
        double from = ((double)p[b] + 0.5) / (n + half), to = ((double)q[b] + 0.5) / (m + half);
        sum += (to - from) * log(to / from);
    }
    return sum;
}

// The term of a Kullback–Leibler divergence; 0 · ln 0 is 0.
static double divergence(double p, double m)
{
    return p > 0 ? p * log(p / m) : 0;
}

double drift_jensen_shannon(const uint64_t *p, const uint64_t *q, size_t bins)
{
    double n = total(p, bins), m = total(q, bins), sum = 0;
    if (n == 0 || m == 0)
        return NAN;
    for (size_t b = 0; b < bins; b++) {
        double from = (double)p[b] / n, to = (double)q[b] / m, middle = 0.5 * (from + to);
        sum += 0.5 * (divergence(from, middle) + divergence(to, middle));
    }
    return sqrt(fmax(sum, 0)); // rounding may leave a sum just below 0
}

// A walk over two sorted samples, stopping once at each of their distinct values.
struct walk {
    const double *a, *b;
    size_t n, m;
    size_t i, j; // values of a and of b that are <= at
    double at;
};

static bool step(struct walk *w)
{
    if (w->i == w->n && w->j == w->m)
        return false;
    bool from_a = w->j == w->m || (w->i < w->n && w->a[w->i] <= w->b[w->j]);
    w->at = from_a ? w->a[w->i] : w->b[w->j];
    while (w->i < w->n && w->a[w->i] == w->at)
        w->i++;
    while (w->j < w->m && w->b[w->j] == w->at)
        w->j++;
    return true;
}

// |F − G| at the walk's place and up to the next.
static double gap(const struct walk *w)
{
    return fabs((double)w->i / (double)w->n - (double)w->j / (double)w->m);
}

double drift_ks(const double *a, size_t n, const double *b, size_t m)
{
    if (n == 0 || m == 0)
        return NAN;
    double largest = 0;
    for (struct walk w = {.a = a, .b = b, .n = n, .m = m}; step(&w);)
        largest = fmax(largest, gap(&w));
    return largest;
}

double drift_wasserstein(const double *a, size_t n, const double *b, size_t m)
{
    if (n == 0 || m == 0)
        return NAN;
    struct walk w = {.a = a, .b = b, .n = n, .m = m};
    double area = 0, height = 0, last = 0;
    while (step(&w)) {
        area += height > 0 ? height * (w.at - last) : 0;
        height = gap(&w);
        last = w.at;
    }
    return area;
}

double drift_ks_p(double d, size_t n, size_t m)
{
    double x = d * sqrt((double)n / (double)(n + m) * (double)m), sum = 0;
    if (isnan(d) || x == 0)
        return isnan(d) ? NAN : 1;
    if (x < 1) {
        // There the series converges slowly, and its theta transform fast:
        // 1 − Q(x) = √(2π)/x Σ_k exp(−(2k − 1)² π² / (8 x²)).
        for (int k = 1; k <= 7; k += 2)
            sum += exp(-k * k * PI * PI / (8 * x * x));
        return 1 - sqrt(2 * PI) / x * sum;
    }
    for (int k = 1; k <= 5; k++)
        sum += (k % 2 ? 2 : -2) * exp(-2 * k * k * x * x);
    return sum;
}

static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n > 0 ? sum / (double)n : NAN;
}

// Of the sample itself (divided by n); exactly 0 where it is constant.
static double standard_deviation(const double *x, size_t n, double centre)
{
    double sum = 0;
    if (n == 0 || x[0] == x[n - 1])
        return 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - centre) * (x[i] - centre);
    return sqrt(sum / (double)n);
}

static double normalised(double wasserstein, double sd)
{
    if (sd > 0)
        return wasserstein / sd;
    return wasserstein == 0 ? 0 : NAN;
}

static double out_of_range(const double *reference, size_t n, const double *x, size_t m)
{
    size_t below = 0, above = 0;
    if (n == 0 || m == 0)
        return NAN;
    while (below < m && x[below] < reference[0])
        below++;
    while (above < m - below && x[m - 1 - above] > reference[n - 1])
        above++;
    return (double)(below + above) / (double)m;
}

struct drift drift_measure(const double *reference, size_t n, const double *current, size_t m,
                           const uint64_t *p, const uint64_t *q, size_t bins)
{
    struct drift d = {
        .psi = drift_psi(p, q, bins),
        .jensen_shannon = drift_jensen_shannon(p, q, bins),
        .ks = drift_ks(reference, n, current, m),
        .wasserstein = drift_wasserstein(reference, n, current, m),
        .out_of_range = out_of_range(reference, n, current, m),
        .mean_reference = mean(reference, n),
        .mean_current = mean(current, m),
    };
    d.ks_p = drift_ks_p(d.ks, n, m);
    d.wasserstein_normalised =
        normalised(d.wasserstein, standard_deviation(reference, n, d.mean_reference));
    return d;
}
