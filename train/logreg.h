// logreg: L2-regularised logistic regression by Newton's method.
//
// Minimises, over the n rows whose label is known,
//
//     f(w, b) = (1/n) Σ_r log(1 + exp(−s_r m_r)) + (l2/2) ‖w‖²
//     m_r = b + Σ_i w_i z_ri,   z_ri = (x_ri − mean_i) / scale_i,   s_r = +1 fraud, −1 genuine
//
// (scikit-learn's C is 1/(l2·n)). The intercept b is not penalised. mean and scale (the population's
// standard deviation) are those of the known rows, to 7 significant digits (model.h); a constant
// input has scale 1 and weight 0.
// With p = 1/(1 + exp(−m)), y = 1 fraud, 0 genuine, and z extended by a 1 for the intercept:
//
//     gradient = (1/n) Σ (p − y) z + l2 w,    Hessian = (1/n) Σ p (1 − p) z zᵀ + l2 I
//
// The standard error of w_i is √((n H)⁻¹_ii), H with the penalty; NAN for a constant input. It takes
// rows as independent, which those of one card are not.
// (Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2nd ed., 4.4.1; line search:
// Nocedal, Wright: Numerical Optimization, 2nd ed., algorithm 3.1.)
//
// The result has the same bits for any number of threads. Memory does not grow with the rows.
// Errors: a class that is missing, no finite or no single optimum. The examples are borrowed, and
// the arrays live as long as the program.
#ifndef TRAIN_LOGREG_H
#define TRAIN_LOGREG_H

#include "train/examples.h"

struct logreg {
    const struct examples *examples;
    struct row_range rows; // those that train
    unsigned threads;
    size_t k;               // n_inputs + 1
    double known, frauds;   // rows with a known label, and with label 1
    double *mean, *scale;   // [n_inputs]
    double *min, *max;      // [n_inputs]: of the known rows
    double *w;              // [k]: weights of the z, then the intercept; a fit starts there
    double *standard_error; // [k]: of w, after a fit
    int passes;             // over the rows, of the last fit
    // of the last logreg_evaluate:
    const double *point; // [k]: the w
    double value;
    double *gradient; // [k]
    double *hessian;  // [k][k], its upper triangle (row <= column)
    double *sums;     // private, may be freed after a fit; holds gradient and Hessian, too
};

int logreg_init(struct logreg *s, const struct examples *e, struct row_range rows, unsigned threads,
                struct err *err);
// Fits until the gradient's Euclidean norm is below 1e-10, then takes one more step. Overwrites the
// Hessian.
int logreg_fit(struct logreg *s, double l2, struct err *err);

// f, gradient and Hessian at w[n_inputs + 1], into the struct, in one pass over the rows.
void logreg_evaluate(struct logreg *s, double l2, const double *w);

#endif
