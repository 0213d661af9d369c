// evaluate: chooses l2 and threshold without the test rows, and measures the model and each
// baseline on every fold, as [model], [split] and [baselines] of docs/configuration.md say.
//
// A candidate is a logistic regression: the model on all inputs, a baseline on some of them, and
// the baseline `constant` on none: it gives every row the fraud share of training.
//
// Fold k is the [split] k weeks later. Validation is prequential (Fraud Detection Handbook, chapter
// 5.3): on the fold moved back by the fewest weeks so that it ends before the fold's training begins,
// and by one week more for each further one. It needs both classes to train on and a fraud to find.
//
// l2: the best mean average precision over the validation of fold 0; of equal ones the largest, as
// without validation. The threshold is chosen on the scores of the fold's validation, or of its
// training rows where validation has no row that can be an alert, or with costs no fraud.
//
// Ownership: an evaluation lives as long as its program; it borrows the examples and the config.
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H

#include "base/progress.h"
#include "train/metrics.h"
#include "train/registry.h"

enum { L2_MAX = 16, BASELINES_MAX = 16 };

struct settings {
    double l2[L2_MAX];
    size_t n_l2;
    bool by_cost;           // the threshold; else by a budget
    double alert_share;     // of the rows; 0: alerts_per_day
    int64_t alerts_per_day; // where there is a clock
    double cost_fraud, cost_alert;
    bool review_outside; // rows with an input outside the range of training
    bool retraining;     // the threshold comes from the validation's scores by the final model
};

struct part { // the training or test rows of a fold
    struct row_range rows;
    size_t n;
    double days; // their duration; NAN without a clock
    struct period_times times;
    char text[64];
};

struct fold {
    struct part train, test;
    int8_t *judged;          // [test.n]: their labels as metrics judge them
    struct fold *validation; // [n_validation], the latest first; without validation of their own
    size_t n_validation;
};

// ---- the fit (logreg.c) ----

// L2-regularised logistic regression by Newton's method.
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

// ---- candidates ----

// A fit on a fold's training rows, with the scores that serving would give its test rows. Fits are
// kept, because the test of one fold is often the validation of a later one.
struct fit {
    const struct fold *fold;
    double l2;
    struct logreg logreg;
    struct model model; // inputs without references, and the intercept, rounded; nothing else
    double *score;      // [test.n]
    struct fit *next;
};

struct fold_result {
    struct fit *fit;
    double threshold;
    const char *threshold_from; // "validation" or "training"
    struct metrics metrics;
};

struct candidate {
    const char *name;            // "model", or of the baseline, the config's
    struct examples examples;    // of a baseline: its own x, names and n_inputs; the rest is shared
    double validation[L2_MAX];   // mean average precision of settings.l2[i]; NAN without validation
    double l2;                   // the chosen one
    struct fold_result *results; // [n_folds], those of fold 0 are the model's
    struct bootstrap bootstrap;  // of fold 0
    struct fit *fits;
    unsigned threads;
};

struct evaluation {
    struct split split;
    struct settings settings;
    size_t n_folds;
    struct fold *folds;
    struct candidate model;
    struct candidate *baselines; // [n_baselines], the first is the constant
    size_t n_baselines;
    struct slicing *slicings; // [n_slicings], of the model on fold 0
    size_t n_slicings;
    json_t *urgent; // sentences on what makes the model useless, of publish
    struct progress progress;
    unsigned lanes, threads; // candidates evaluated at the same time; threads of each
    unsigned steps;          // that have begun
};

// split: of a retraining; NULL for [split] of the config. Sets the examples' card.
int evaluation_run(struct evaluation *v, struct examples *e, const struct config *config,
                   const struct split *split, unsigned threads, struct err *err);

// The false positives on fold 0's test rows when a candidate's threshold is lowered just until it
// finds as many frauds as the model does at the model's own threshold; -1 where the model finds
// none.
int64_t evaluation_false_positives(const struct evaluation *v, const struct candidate *c);

// Completes the model of fold 0 and writes it with its report into the folder of a new version, for
// registry_record (publish.c). output_release the folder.
int publish(struct registry *r, struct output *folder, const struct config *config,
            struct evaluation *v, struct err *err);

// The alerts that the budget allows in so many days with so many rows; 0 with costs.
double settings_budget(const struct settings *s, double days, double rows);
// cards_judge of the fold's test or training rows, with the fold's history.
int8_t *fold_judge(const struct fold *f, const struct part *of, const struct examples *e,
                   int64_t label_delay);
// score[i]: the probability of row rows.first + i. The caller frees it.
double *scores_new(const struct examples *e, const struct model *m, struct row_range rows);

// ---- two versions (compare.c) ----

// Is version B better than version A? docs/models.md has the rules, docs/formats.md the JSON.
//
// Both score the same rows, each decides at its own threshold. The rows begin where both trainings
// have ended and end where labels are mature (examples.h); cards blocked by a fraud are left out, one
// set for both (metrics.h, with a history of 28 days and label_delay).
//
// Intervals are of the differences B - A, with the same draws for both (metrics.h). B is better
// where the 95 % interval of the primary metric, which [retrain] metric names, lies above 0, and worse
// where it lies below. Below 14 days nothing is judged, because intervals of few days are too short.
// Without a clock rows are judged whatever their number; the table has to be that which trained both,
// in the same order. A true difference of
//
//     detectable = (z_0.975 + z_0.8) · standard error = 2.8 · standard error
//
// is shown by 80 % of such periods (Bloom, Minimum Detectable Effects, Evaluation Review 19, 1995).
// The worst slice has the lowest difference of the primary metric; small ones do not count.
enum { COMPARE_LEAST_DAYS = 14, COMPARE_FLIPS = 5000 };

// e: opened with its own plan. Only rows within the times count. The caller's; NULL and a message
// where the inputs of versions and tables differ, or no row is left.
json_t *compare_new(const struct model *a, const struct model *b, const struct examples *e,
                    const struct config *config, struct period_times within, struct err *err);

// A comparison for template_print (report.h): verdict, figures and flips, in 24 lines.
extern const char compare_txt[];

#endif
