// Sums over bins of probability, and what follows from them.
#include "train/calibration.h"

#include <math.h>

void calibration_row(struct calibration *c, double probability, int fraud)
{
    int b = probability < 1 ? (int)(probability * CALIBRATION_BINS) : CALIBRATION_BINS - 1;
    c->rows[b]++;
    c->frauds[b] += fraud != 0;
    c->probability[b] += probability;
}

void calibration_add(struct calibration *c, const struct calibration *other, uint64_t times)
{
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        c->rows[b] += times * other->rows[b];
        c->frauds[b] += times * other->frauds[b];
        c->probability[b] += (double)times * other->probability[b];
    }
}

static struct calibration totals(const struct calibration *c)
{
    struct calibration t = {0};
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        t.rows[0] += c->rows[b];
        t.frauds[0] += c->frauds[b];
        t.probability[0] += c->probability[b];
    }
    return t;
}

double calibration_ece(const struct calibration *c)
{
    double apart = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++)
        apart += fabs(c->probability[b] - (double)c->frauds[b]);
    return apart / (double)totals(c).rows[0]; // 0 / 0 is NAN
}

double calibration_mean_probability(const struct calibration *c)
{
    const struct calibration t = totals(c);
    return t.probability[0] / (double)t.rows[0];
}

struct brier_parts calibration_brier(const struct calibration *c, double brier)
{
    const struct calibration t = totals(c);
    const double n = (double)t.rows[0], share = (double)t.frauds[0] / n;
    struct brier_parts parts = {.uncertainty = share * (1 - share)};
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        if (c->rows[b] == 0)
            continue;
        double rows = (double)c->rows[b], observed = (double)c->frauds[b] / rows;
        double off = c->probability[b] / rows - observed, parted = observed - share;
        parts.reliability += rows / n * off * off;
        parts.resolution += rows / n * parted * parted;
    }
    if (t.rows[0] == 0)
        parts.reliability = parts.resolution = NAN;
    parts.within = brier - (parts.reliability - parts.resolution + parts.uncertainty);
    return parts;
}

void wilson_interval(uint64_t k, uint64_t n, double *low, double *high)
{
    const double z = Z_95, m = (double)n, p = (double)k / m, z2 = z * z / m;
    const double centre = (p + z2 / 2) / (1 + z2);
    const double half = z * sqrt(p * (1 - p) / m + z2 / m / 4) / (1 + z2);
    *low = k == 0 ? 0 : centre - half;
    *high = k == n ? 1 : centre + half;
}
