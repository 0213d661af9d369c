// calibration: whether of the rows with a probability of 0.3 three in ten are frauds.
//
// Rows are counted in ten equally wide bins of probability. With n_b rows in bin b, their mean
// probability p_b and fraud share o_b, of n rows with fraud share o:
//
//     ece = Σ n_b/n |p_b − o_b|     expected calibration error (Naeini, Cooper, Hauskrecht, AAAI 2015)
//     brier = reliability − resolution + uncertainty + within
//         reliability = Σ n_b/n (p_b − o_b)²      how far probabilities are off, 0 is best
//         resolution  = Σ n_b/n (o_b − o)²        how far they part the rows, more is better
//         uncertainty = o (1 − o)                 of the data, whatever the model
//         within      = what the bins hide, as scores differ inside a bin
//     (Murphy 1973; Stephenson, Coelho, Jolliffe, Weather and Forecasting 23, 2008)
//
// All are NAN without rows.
#ifndef TRAIN_CALIBRATION_H
#define TRAIN_CALIBRATION_H

#include <stdint.h>

// How many standard deviations a 95 % interval of the normal distribution reaches.
#define Z_95 1.959963984540054

enum { CALIBRATION_BINS = 10 };

struct calibration {
    uint64_t rows[CALIBRATION_BINS], frauds[CALIBRATION_BINS];
    double probability[CALIBRATION_BINS]; // sums
};

struct brier_parts {
    double reliability, resolution, uncertainty, within;
};

void calibration_row(struct calibration *c, double probability, int fraud);
void calibration_add(struct calibration *c, const struct calibration *other, uint64_t times);
double calibration_ece(const struct calibration *c);
// Of all rows; NAN where there are none.
double calibration_mean_probability(const struct calibration *c);
struct brier_parts calibration_brier(const struct calibration *c, double brier);
// The 95 % interval of a share of n rows, of which k are frauds; n > 0 (Wilson 1927).
void wilson_interval(uint64_t k, uint64_t n, double *low, double *high);

#endif
