#include "monitor/drift.h"

#include <math.h>

// ---- counts ----

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

static double jensen_shannon(const uint64_t *p, const uint64_t *q, size_t bins)
{
    double n = total(p, bins), m = total(q, bins), sum = 0;
    for (size_t b = 0; b < bins; b++) {
        double from = (double)p[b] / n, to = (double)q[b] / m, middle = 0.5 * (from + to);
        sum += from > 0 ? 0.5 * from * log(from / middle) : 0; // 0 · ln 0 is 0
        sum += to > 0 ? 0.5 * to * log(to / middle) : 0;
    }
    return sqrt(fmax(sum, 0)); // rounding may leave a sum just below 0
}

// ---- samples ----

// Walks both samples a[n] and b[m] upwards, one distinct value at a time; i and j values are <= at.
// |F − G| is `gap` from there to the next value.
static void compare(const double *a, size_t n, const double *b, size_t m, struct drift *d)
{
    double gap = 0, last = 0;
    for (size_t i = 0, j = 0; i < n || j < m;) {
        const double at = j == m || (i < n && a[i] <= b[j]) ? a[i++] : b[j++];
        while (i < n && a[i] == at)
            i++;
        while (j < m && b[j] == at)
            j++;
        d->wasserstein += gap > 0 ? gap * (at - last) : 0;
        gap = fabs((double)i / (double)n - (double)j / (double)m);
        d->ks = fmax(d->ks, gap);
        last = at;
    }
}

static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n; // NAN without values
}

// Divides by n; exactly 0 where all values are equal.
static double standard_deviation(const double *x, size_t n, double centre)
{
    double sum = 0;
    if (x[0] == x[n - 1])
        return 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - centre) * (x[i] - centre);
    return sqrt(sum / (double)n);
}

struct drift drift_measure(const double *reference, size_t n, const double *current, size_t m,
                           const uint64_t *p, const uint64_t *q, size_t bins)
{
    struct drift d = {NAN, NAN, NAN, NAN, NAN, NAN, mean(reference, n), mean(current, m)};
    if (n == 0 || m == 0)
        return d;
    d.psi = drift_psi(p, q, bins);
    d.jensen_shannon = jensen_shannon(p, q, bins);
    d.ks = d.wasserstein = 0;
    compare(reference, n, current, m, &d);
    const double sd = standard_deviation(reference, n, d.mean_reference);
    if (sd > 0 || d.wasserstein == 0)
        d.wasserstein_normalised = sd > 0 ? d.wasserstein / sd : 0;
    d.out_of_range = 0;
    for (size_t i = 0; i < m; i++)
        d.out_of_range += current[i] < reference[0] || current[i] > reference[n - 1];
    d.out_of_range /= (double)m;
    return d;
}
