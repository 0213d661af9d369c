// drift: how far a sample has moved from a reference sample, by four measures.
//
// From counts in the same bins, reference p and current q (shares p_b, q_b):
//   PSI             Σ_b (q_b − p_b) · ln(q_b / p_b), the population stability index of credit
//                   scoring (Siddiqi, Credit Risk Scorecards, 2006, ch. 10). Shares are
//                   (n_b + ½) / (n + B/2) over B bins, so an empty bin stays finite.
//   Jensen–Shannon  √(½ Σ p ln(p/m) + ½ Σ q ln(q/m)), m = (p + q)/2: the distance, 0 .. √ln 2
//                   (Endres and Schindelin, IEEE Trans. Inf. Theory 49, 2003)
// From both samples, sorted, with empirical distribution functions F and G; ties are exact:
//   Kolmogorov–Smirnov  max |F − G|
//   Wasserstein-1       ∫ |F − G| dx, in the unit of the values: how far the mass has to move
//
// Where a sample is empty every measure is NAN.
#ifndef MONITOR_DRIFT_H
#define MONITOR_DRIFT_H

#include <stddef.h>
#include <stdint.h>

struct drift {
    double psi, ks, jensen_shannon, wasserstein;
    double wasserstein_normalised; // divided by the reference's standard deviation; 0 where both
                                   // are constant and equal, NAN where only the reference is
    double out_of_range;           // share of current values outside the reference's min .. max
    double mean_reference, mean_current;
};

// p[bins], q[bins]: counts.
double drift_psi(const uint64_t *p, const uint64_t *q, size_t bins);

// All measures. reference[n] and current[m] are sorted and finite; p[bins] and q[bins] their
// counts.
struct drift drift_measure(const double *reference, size_t n, const double *current, size_t m,
                           const uint64_t *p, const uint64_t *q, size_t bins);

#endif
