// Newton's method on blocks of rows: margins and gradient by dgemv, Hessian by dsyrk, step by
// Cholesky. The rows are divided into parts whose extent depends only on their number; threads take
// parts, and the parts' sums are added in their order. OpenBLAS runs on one thread.
#include "base/memory.h"
#include "base/parallel.h"
#include "train/evaluate.h"
#include "train/model.h"

#include <cblas.h>
#include <f77blas.h>
#include <math.h>
#include <stdlib.h>

enum { BLOCK = 512, PARTS = 32, MAX_PASSES = 200 };

static const double TOLERANCE = 1e-10; // norm of the gradient at the optimum

// Whole blocks, the parts as equal as that allows; the last ones may be empty.
static struct row_range part_rows(const struct logreg *s, unsigned part)
{
    const struct row_range all = s->rows;
    const uint64_t blocks = (all.end - all.first + BLOCK - 1) / BLOCK;
    const uint64_t from = all.first + blocks * part / PARTS * BLOCK;
    const uint64_t to = all.first + blocks * (part + 1) / PARTS * BLOCK;
    return (struct row_range){from < all.end ? from : all.end, to < all.end ? to : all.end};
}

// ---- means and scales ---------------------------------------------------------------------------

// Mean, scale and range of the known rows, from distances to the first value: a constant has none.
static void standardise(struct logreg *s, size_t input)
{
    const float *x = s->examples->x[input];
    const int8_t *label = s->examples->label;
    double first = NAN, min = 0, max = 0, sum = 0, squares = 0;
    for (uint64_t r = s->rows.first; r < s->rows.end; r++) {
        if (label[r] < 0)
            continue;
        if (isnan(first))
            first = min = max = (double)x[r];
        sum += (double)x[r] - first;
        min = (double)x[r] < min ? (double)x[r] : min;
        max = (double)x[r] > max ? (double)x[r] : max;
    }
    const double mean = s->known > 0 ? first + sum / s->known : 0;
    for (uint64_t r = s->rows.first; r < s->rows.end; r++)
        if (label[r] >= 0)
            squares += ((double)x[r] - mean) * ((double)x[r] - mean);
    s->mean[input] = squares == 0 ? mean : round_digits(mean); // a constant has z = 0
    s->scale[input] = squares == 0 ? 1 : round_digits(sqrt(squares / s->known));
    s->min[input] = min;
    s->max[input] = max;
}

// ---- objective, gradient, Hessian ---------------------------------------------------------------

// z[k][BLOCK]: standardised inputs, one column after the other, and a last column of ones.
static void fill(const struct logreg *s, double *z, uint64_t first, size_t n)
{
    for (size_t i = 0; i + 1 < s->k; i++) {
        const float *x = s->examples->x[i] + first;
        double mean = s->mean[i], inverse = 1 / s->scale[i], *column = z + i * BLOCK;
        for (size_t r = 0; r < n; r++)
            column[r] = ((double)x[r] - mean) * inverse;
    }
    for (size_t r = 0; r < n; r++)
        z[(s->k - 1) * BLOCK + r] = 1;
}

// From margins to losses, p − y, and √(p (1 − p)). With h = exp(−|m|/2), which cannot overflow,
// exp(−|m|) = h² and the root is h / (1 + h²).
static double losses(const double *margin, const int8_t *label, size_t n, double *slope,
                     double *root)
{
    double loss = 0;
    for (size_t r = 0; r < n; r++) {
        double m = margin[r], h = exp(-0.5 * fabs(m)), e = h * h, large = 1 / (1 + e);
        double y = label[r] == 1, known = label[r] >= 0;
        loss += known * ((m > 0 ? m : 0) - y * m + log1p(e));
        slope[r] = known * ((m > 0 ? large : e * large) - y);
        root[r] = known * (h * large);
    }
    return loss;
}

// Over the whole block even where it is not full, because compilers vectorise a fixed length at
// -O2.
static void multiply(double *restrict column, const double *restrict by)
{
    for (size_t r = 0; r < BLOCK; r++)
        column[r] *= by[r];
}

static size_t n_sums(const struct logreg *s)
{
    return 1 + s->k + s->k * s->k;
}

// A thread's parts. Their sums are the loss, the gradient and the Hessian, as in the struct.
static int sum_parts(void *arg, unsigned thread, struct err *err)
{
    const struct logreg *s = arg;
    const blasint k = (blasint)s->k;
    double *z = xcalloc((s->k + 3) * BLOCK, sizeof *z);
    double *margin = z + s->k * BLOCK, *slope = margin + BLOCK, *root = slope + BLOCK;
    for (unsigned p = thread; p < PARTS; p += s->threads) {
        const struct row_range rows = part_rows(s, p);
        double *loss = s->sums + p * n_sums(s), *gradient = loss + 1, *hessian = gradient + k;
        if (rows.first == rows.end)
            continue;
        memset(loss, 0, n_sums(s) * sizeof *loss);
        for (uint64_t r = rows.first; r < rows.end; r += BLOCK) {
            const blasint n = rows.end - r < BLOCK ? (blasint)(rows.end - r) : BLOCK;
            fill(s, z, r, (size_t)n);
            cblas_dgemv(CblasColMajor, CblasNoTrans, n, k, 1, z, BLOCK, s->point, 1, 0, margin, 1);
            *loss += losses(margin, s->examples->label + r, (size_t)n, slope, root);
            cblas_dgemv(CblasColMajor, CblasTrans, n, k, 1, z, BLOCK, slope, 1, 1, gradient, 1);
            for (blasint i = 0; i < k; i++)
                multiply(z + i * BLOCK, root);
            cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, k, n, 1, z, BLOCK, 1, hessian, k);
        }
    }
    free(z);
    (void)err;
    return 0;
}

void logreg_evaluate(struct logreg *s, double l2, const double *w)
{
    double *total = s->sums + PARTS * n_sums(s);
    struct err none; // arithmetic does not fail
    s->point = w;
    parallel_run(s->threads, sum_parts, s, &none);
    memset(total, 0, n_sums(s) * sizeof *total);
    for (unsigned p = 0; p < PARTS; p++) {
        const struct row_range rows = part_rows(s, p);
        for (size_t i = 0; i < n_sums(s) && rows.first < rows.end; i++)
            total[i] += 1 / s->known * s->sums[p * n_sums(s) + i];
    }
    for (size_t i = 0; i + 1 < s->k; i++) {
        total[0] += 0.5 * l2 * w[i] * w[i];
        s->gradient[i] += l2 * w[i];
        s->hessian[i * s->k + i] += l2;
    }
    s->value = total[0];
    s->passes++;
}

// ---- Newton's method ----------------------------------------------------------------------------

// step = −H⁻¹ g. H becomes its Cholesky factor U, H = UᵀU, and own its diagonal. U_ii² is the
// curvature along input i that is not explained by the inputs before it; where that is at most
// `least`, or no more than rounding, there is no single optimum. A constant input has no curvature
// and gets 1, so its weight stays as it is.
static int newton_step(struct logreg *s, double l2, double least, double *step, double *own,
                       struct err *err)
{
    const size_t k = s->k;
    blasint n = (blasint)k, info = 0;
    for (size_t i = 0; i < k; i++) {
        if (s->hessian[i * k + i] == 0 && i + 1 < k)
            s->hessian[i * k + i] = 1;
        own[i] = s->hessian[i * k + i];
        step[i] = -s->gradient[i];
    }
    dpotrf_((char[]){'U'}, &n, s->hessian, &n, &info);
    for (size_t i = 0; i < k; i++) {
        double left = s->hessian[i * k + i] * s->hessian[i * k + i];
        if (info != 0 || !(left > 1e-13 * own[i] && left > least))
            return err_set(err,
                           "no single finite optimum with l2 = %g: the classes are separable, or "
                           "a feature is a combination of others; give [model] l2 a larger value",
                           l2);
    }
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, n, s->hessian, n, step, 1);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, n, s->hessian, n, step, 1);
    return 0;
}

// Halve the step until it lowers f enough (Armijo), and evaluate there. Near the optimum the gain
// is less than f's rounding error, so that much is allowed.
static int line_search(struct logreg *s, double l2, const double *step, double *trial,
                       struct err *err)
{
    const size_t k = s->k;
    const double before = s->value, rounding = 1e-14 * (1 + fabs(before));
    const double slope = cblas_ddot((blasint)k, s->gradient, 1, step, 1);
    for (int halved = 0; halved < 40 && s->passes < MAX_PASSES; halved++) {
        const double t = ldexp(1, -halved);
        for (size_t i = 0; i < k; i++)
            trial[i] = s->w[i] + t * step[i];
        logreg_evaluate(s, l2, trial);
        if (s->value <= before + 1e-4 * t * slope + rounding) {
            memcpy(s->w, trial, k * sizeof *trial);
            return 0;
        }
    }
    return err_set(err,
                   "no convergence with l2 = %g after %d passes: give [model] l2 a larger value",
                   l2, s->passes);
}

// From the Cholesky factor at the optimum; own holds the diagonal that was factored. A constant
// input has the penalty as its whole curvature, or the 1 that newton_step gave it.
static void standard_errors(struct logreg *s, double l2, const double *own)
{
    const size_t k = s->k;
    blasint n = (blasint)k, info = 0;
    dpotri_((char[]){'U'}, &n, s->hessian, &n, &info);
    for (size_t i = 0; i < k; i++) {
        bool constant = i + 1 < k && own[i] == (l2 > 0 ? l2 : 1);
        s->standard_error[i] = info || constant ? NAN : sqrt(s->hessian[i * k + i] / s->known);
    }
}

int logreg_fit(struct logreg *s, double l2, struct err *err)
{
    const size_t k = s->k;
    double *step = xmalloc(2 * k * sizeof *step), *scratch = step + k;
    s->passes = 0;
    logreg_evaluate(s, l2, s->w);
    int rc = 0;
    while (rc == 0 && !(cblas_dnrm2((blasint)k, s->gradient, 1) < TOLERANCE)) {
        rc = newton_step(s, l2, 0, step, scratch, err);
        if (rc == 0)
            rc = line_search(s, l2, step, scratch, err);
    }
    // Without a penalty, weights that separate some rows grow for ever while gradient and curvature
    // both vanish; so a small gradient alone does not prove an optimum. The factor gives one more
    // step without a pass: it squares the error of the weights, which for a small l2 is far above
    // that of the gradient.
    if (rc == 0)
        rc = newton_step(s, l2, l2 == 0 ? 1e-7 : 0, step, scratch, err);
    for (size_t i = 0; i < k && rc == 0; i++)
        s->w[i] += step[i];
    if (rc == 0)
        standard_errors(s, l2, scratch);
    free(step);
    return rc;
}

// ---- setting up ---------------------------------------------------------------------------------

// This OpenBLAS is reported to multiply wrongly on processors newer than itself (OpenBLAS #5267).
// The products of z_ri = i + 1 are known and exact.
static int check_blas(struct err *err)
{
    enum { ROWS = 37, COLUMNS = 5 };
    double z[COLUMNS][ROWS], product[COLUMNS][COLUMNS] = {{0}}, margin[ROWS] = {0};
    const double w[COLUMNS] = {1, -2, 3, -4, 5}; // Σ (i + 1) w_i = 15
    bool wrong = false;
    for (int i = 0; i < COLUMNS * ROWS; i++)
        z[i / ROWS][i % ROWS] = (double)(i / ROWS + 1); // NOLINT(bugprone-integer-division)
    openblas_set_num_threads(1);
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, COLUMNS, ROWS, 1, z[0], ROWS, 0, product[0],
                COLUMNS);
    cblas_dgemv(CblasColMajor, CblasNoTrans, ROWS, COLUMNS, 1, z[0], ROWS, w, 1, 0, margin, 1);
    for (int i = 0; i < COLUMNS; i++)
        for (int j = 0; j <= i; j++)
            wrong |= product[i][j] != (i + 1) * (j + 1) * ROWS;
    for (int r = 0; r < ROWS; r++)
        wrong |= margin[r] != 15;
    return wrong ? err_set(err,
                           "OpenBLAS multiplies wrongly on this processor (it chose %s): set "
                           "OPENBLAS_CORETYPE=Haswell or another kernel",
                           openblas_get_corename())
                 : 0;
}

int logreg_init(struct logreg *s, const struct examples *e, struct row_range rows, unsigned threads,
                struct err *err)
{
    *s = (struct logreg){.examples = e,
                         .rows = rows,
                         .threads = threads < PARTS ? threads : PARTS,
                         .k = e->n_inputs + 1};
    s->mean = xcalloc(6 * s->k, sizeof *s->mean);
    s->scale = s->mean + s->k;
    s->min = s->scale + s->k;
    s->max = s->min + s->k;
    s->w = s->max + s->k;
    s->standard_error = s->w + s->k;
    s->sums = xcalloc((PARTS + 1) * n_sums(s), sizeof *s->sums);
    s->gradient = s->sums + PARTS * n_sums(s) + 1;
    s->hessian = s->gradient + s->k;
    for (uint64_t r = rows.first; r < rows.end; r++) {
        s->known += e->label[r] >= 0;
        s->frauds += e->label[r] == 1;
    }
    for (size_t i = 0; i < e->n_inputs; i++)
        standardise(s, i);
    if (check_blas(err))
        return -1;
    if (s->frauds == 0 || s->frauds == s->known)
        return err_set(err,
                       "%.0f of the %.0f training rows with a known label have label 1: a model "
                       "needs both classes; choose another [split] train",
                       s->frauds, s->known);
    // Without any input the optimum is the log odds: a good place to start.
    s->w[e->n_inputs] = log(s->frauds / (s->known - s->frauds));
    return 0;
}
