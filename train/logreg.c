// Newton's method on blocks of rows: margins and gradient by dgemv, Hessian by dsyrk, step by
// Cholesky. The rows are cut into parts whose extent depends on their number alone; threads take
// parts, and the parts' sums are added in their order. OpenBLAS runs on one thread. Which rows
// train, which l2 is best and what the weights are worth is decided in evaluate.c.
#include "train/logreg.h"
#include "base/parallel.h"

#include <cblas.h>
#include <f77blas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, PARTS = 32, MAX_PASSES = 200 };

static const double TOLERANCE = 1e-10; // norm of the gradient at the optimum

// The sums over one part of the rows.
struct logreg_part {
    struct row_range rows;
    uint64_t known, frauds;
    double *mean, *m2; // [n_inputs]: mean, and sum of squared distances from it
    double loss;
    double *gradient; // [k]
    double *hessian;  // [k][k]
};

// What a thread needs to work on a block.
struct logreg_block {
    double *z; // [k][BLOCK]: standardised inputs, then the ones
    double margin[BLOCK], slope[BLOCK], root[BLOCK];
};

// A pass over all parts: what parallel_run hands to its threads.
typedef void part_fn(const struct logreg *s, struct logreg_part *p, struct logreg_block *b,
                     const double *w);
struct pass {
    const struct logreg *s;
    part_fn *part;
    const double *w;
};

static int run_parts(void *arg, unsigned thread, struct err *err)
{
    const struct pass *pass = arg;
    for (unsigned p = thread; p < PARTS; p += pass->s->threads)
        pass->part(pass->s, &pass->s->parts[p], &pass->s->blocks[thread], pass->w);
    (void)err;
    return 0;
}

static void over_parts(const struct logreg *s, part_fn *part, const double *w)
{
    struct pass pass = {s, part, w};
    struct err none; // arithmetic does not fail
    parallel_run(s->threads, run_parts, &pass, &none);
}

// ---- means and scales ------------------------------------------------------------------------------

// Mean and squared distances of one block of known rows, from its first value on, so that a
// constant has no distance at all; then joined to the part's (Chan, Golub, LeVeque 1983).
static void add_moments(const float *x, const int8_t *label, size_t n, uint64_t before,
                        double *mean, double *m2)
{
    double first = 0, sum = 0, count = 0, squares = 0;
    for (size_t r = 0; r < n; r++) {
        if (label[r] < 0)
            continue;
        first = count > 0 ? first : (double)x[r];
        sum += (double)x[r] - first;
        count++;
    }
    if (count == 0)
        return;
    double block_mean = first + sum / count;
    for (size_t r = 0; r < n; r++)
        if (label[r] >= 0)
            squares += ((double)x[r] - block_mean) * ((double)x[r] - block_mean);
    double total = (double)before + count, apart = block_mean - *mean;
    *m2 = before ? *m2 + squares + apart * apart * ((double)before / total) * count : squares;
    *mean = before ? *mean + apart * (count / total) : block_mean;
}

static void moments_of_part(const struct logreg *s, struct logreg_part *p, struct logreg_block *b,
                            const double *w)
{
    (void)b;
    (void)w;
    const struct logreg_data *d = &s->data;
    for (uint64_t r = p->rows.first; r < p->rows.end; r += BLOCK) {
        size_t n = p->rows.end - r < BLOCK ? (size_t)(p->rows.end - r) : BLOCK;
        for (size_t i = 0; i < d->n_inputs; i++)
            add_moments(d->x[i] + r, d->label + r, n, p->known, &p->mean[i], &p->m2[i]);
        for (size_t j = 0; j < n; j++) {
            p->known += d->label[r + j] >= 0;
            p->frauds += d->label[r + j] == 1;
        }
    }
}

static int join_moments(struct logreg *s, struct err *err)
{
    double *m2 = s->hessian; // free until the first pass
    for (unsigned k = 0; k < PARTS; k++) {
        const struct logreg_part *p = &s->parts[k];
        double a = (double)s->known, b = (double)p->known;
        for (size_t i = 0; i < s->data.n_inputs && b > 0; i++) {
            double apart = a > 0 ? p->mean[i] - s->mean[i] : 0;
            s->mean[i] = a > 0 ? s->mean[i] + apart * (b / (a + b)) : p->mean[i];
            m2[i] = (a > 0 ? m2[i] : 0) + p->m2[i] + apart * apart * (a / (a + b)) * b;
        }
        s->known += p->known;
        s->frauds += p->frauds;
    }
    for (size_t i = 0; i < s->data.n_inputs && s->known > 0; i++) {
        s->scale[i] = m2[i] > 0 ? sqrt(m2[i] / (double)s->known) : 1;
        if (!isfinite(s->mean[i]) || !isfinite(m2[i]))
            return err_set(err, "feature %s holds a value that is not finite", s->data.names[i]);
    }
    return 0;
}

// ---- objective, gradient, Hessian ------------------------------------------------------------------

// A block of standardised inputs, one column after the other, and a last column of ones.
static void fill(const struct logreg *s, double *z, uint64_t first, size_t n)
{
    for (size_t i = 0; i < s->data.n_inputs; i++) {
        const float *x = s->data.x[i] + first;
        double mean = s->mean[i], inverse = 1 / s->scale[i], *column = z + i * BLOCK;
        for (size_t r = 0; r < n; r++)
            column[r] = ((double)x[r] - mean) * inverse;
    }
    double *ones = z + s->data.n_inputs * BLOCK;
    for (size_t r = 0; r < n; r++)
        ones[r] = 1;
}

// From margins to losses, p − y, and √(p (1 − p)). With h = exp(−|m|/2), which cannot overflow,
// exp(−|m|) = h² and the root is h / (1 + h²).
static double losses(struct logreg_block *b, const int8_t *label, size_t n)
{
    double loss = 0;
    for (size_t r = 0; r < n; r++) {
        double m = b->margin[r], h = exp(-0.5 * fabs(m)), e = h * h, large = 1 / (1 + e);
        double y = label[r] == 1, known = label[r] >= 0;
        loss += known * ((m > 0 ? m : 0) - y * m + log1p(e));
        b->slope[r] = known * ((m > 0 ? large : e * large) - y);
        b->root[r] = known * (h * large);
    }
    return loss;
}

// Over the whole block, also where it is not full: a fixed length is what compilers vectorise at
// -O2.
static void multiply(double *restrict column, const double *restrict by)
{
    for (size_t r = 0; r < BLOCK; r++)
        column[r] *= by[r];
}

static void sums_of_part(const struct logreg *s, struct logreg_part *p, struct logreg_block *b,
                         const double *w)
{
    const blasint k = (blasint)s->data.n_inputs + 1;
    p->loss = 0;
    memset(p->gradient, 0, (size_t)k * sizeof *p->gradient);
    memset(p->hessian, 0, (size_t)k * (size_t)k * sizeof *p->hessian);
    for (uint64_t first = p->rows.first; first < p->rows.end; first += BLOCK) {
        blasint n = p->rows.end - first < BLOCK ? (blasint)(p->rows.end - first) : BLOCK;
        fill(s, b->z, first, (size_t)n);
        cblas_dgemv(CblasColMajor, CblasNoTrans, n, k, 1, b->z, BLOCK, w, 1, 0, b->margin, 1);
        p->loss += losses(b, s->data.label + first, (size_t)n);
        cblas_dgemv(CblasColMajor, CblasTrans, n, k, 1, b->z, BLOCK, b->slope, 1, 1, p->gradient,
                    1);
        for (blasint i = 0; i < k; i++)
            multiply(b->z + i * BLOCK, b->root);
        cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, k, n, 1, b->z, BLOCK, 1, p->hessian, k);
    }
}

void logreg_evaluate(struct logreg *s, double l2, const double *w)
{
    const size_t d = s->data.n_inputs, k = d + 1;
    const double share = 1 / (double)s->known;
    over_parts(s, sums_of_part, w);
    s->value = 0;
    memset(s->gradient, 0, k * sizeof *s->gradient);
    memset(s->hessian, 0, k * k * sizeof *s->hessian);
    for (unsigned p = 0; p < PARTS; p++) {
        s->value += share * s->parts[p].loss;
        for (size_t i = 0; i < k; i++)
            s->gradient[i] += share * s->parts[p].gradient[i];
        for (size_t i = 0; i < k * k; i++)
            s->hessian[i] += share * s->parts[p].hessian[i];
    }
    for (size_t i = 0; i < d; i++) {
        s->value += 0.5 * l2 * w[i] * w[i];
        s->gradient[i] += l2 * w[i];
        s->hessian[i * k + i] += l2;
    }
    s->passes++;
}

// ---- Newton's method -------------------------------------------------------------------------------

static int no_optimum(double l2, struct err *err)
{
    return err_set(err,
                   "no single finite optimum with l2 = %g: the classes are separable, or a feature "
                   "is a combination of others; give [model] l2 a larger value",
                   l2);
}

// H becomes its Cholesky factor U, H = UᵀU. U_ii² is the curvature along input i that the inputs
// before it leave over; where it is below least, or below what rounding makes of nothing, there is
// no single optimum. A constant input has no curvature and gets 1, so its weight stays as it is.
static int factor(struct logreg *s, double l2, double least, double *own, struct err *err)
{
    const size_t k = s->data.n_inputs + 1;
    for (size_t i = 0; i < k; i++) {
        if (s->hessian[i * k + i] == 0 && i + 1 < k)
            s->hessian[i * k + i] = 1;
        own[i] = s->hessian[i * k + i];
    }
    blasint n = (blasint)k, info = 0;
    dpotrf_((char[]){'U'}, &n, s->hessian, &n, &info);
    bool flat = info != 0;
    for (size_t i = 0; i < k && !flat; i++) {
        double left = s->hessian[i * k + i] * s->hessian[i * k + i];
        flat = !(left > 1e-13 * own[i] && left > least);
    }
    return flat ? no_optimum(l2, err) : 0;
}

// step = −H⁻¹ g
static int newton_step(struct logreg *s, double l2, double *step, struct err *err)
{
    const blasint k = (blasint)s->data.n_inputs + 1;
    if (factor(s, l2, 0, step, err))
        return -1;
    for (blasint i = 0; i < k; i++)
        step[i] = -s->gradient[i];
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, k, s->hessian, k, step, 1);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, k, s->hessian, k, step, 1);
    return 0;
}

static double norm(const double *v, size_t n)
{
    return cblas_dnrm2((blasint)n, v, 1);
}

// Halve the step until it lowers f enough (Armijo), and evaluate there. Near the optimum the gain
// is less than f's rounding, which is why a little is let pass.
static int line_search(struct logreg *s, double l2, const double *step, double *trial,
                       struct err *err)
{
    const size_t k = s->data.n_inputs + 1;
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
// input has the penalty as its whole curvature, or the 1 that factor gave it.
static void standard_errors(struct logreg *s, double l2, const double *own)
{
    const size_t k = s->data.n_inputs + 1;
    blasint n = (blasint)k, info = 0;
    dpotri_((char[]){'U'}, &n, s->hessian, &n, &info);
    for (size_t i = 0; i < k; i++) {
        bool constant = i + 1 < k && own[i] == (l2 > 0 ? l2 : 1);
        s->standard_error[i] =
            info || constant ? NAN : sqrt(s->hessian[i * k + i] / (double)s->known);
    }
}

int logreg_fit(struct logreg *s, double l2, struct err *err)
{
    const size_t k = s->data.n_inputs + 1;
    double *step = malloc(2 * k * sizeof *step);
    if (!step)
        return err_set(err, "out of memory for %zu weights", k);
    s->passes = 0;
    logreg_evaluate(s, l2, s->w);
    int rc = 0;
    while (rc == 0 && !(norm(s->gradient, k) < TOLERANCE)) {
        rc = newton_step(s, l2, step, err);
        if (rc == 0)
            rc = line_search(s, l2, step, step + k, err);
    }
    // Without a penalty, weights that separate some rows grow for ever while gradient and curvature
    // sink together; so the gradient alone does not tell an optimum.
    if (rc == 0)
        rc = factor(s, l2, l2 == 0 ? 1e-7 : 0, step, err);
    if (rc == 0)
        standard_errors(s, l2, step);
    free(step);
    return rc;
}

// ---- setting up ------------------------------------------------------------------------------------

// Wrong products were reported for this OpenBLAS on processors newer than itself (OpenBLAS #5267).
static int check_blas(struct err *err)
{
    enum { ROWS = 37, COLUMNS = 5 };
    double z[COLUMNS][ROWS], product[COLUMNS][COLUMNS] = {{0}}, margin[ROWS] = {0};
    const double w[COLUMNS] = {1, -2, 3, -4, 5};
    for (int i = 0; i < COLUMNS; i++)
        for (int r = 0; r < ROWS; r++)
            z[i][r] = (double)((r * 7 + i * 13) % 31 - 15); // small integers: sums are exact
    openblas_set_num_threads(1);
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasTrans, COLUMNS, ROWS, 1, z[0], ROWS, 0, product[0],
                COLUMNS);
    cblas_dgemv(CblasColMajor, CblasNoTrans, ROWS, COLUMNS, 1, z[0], ROWS, w, 1, 0, margin, 1);
    double wrong = 0;
    for (int i = 0; i < COLUMNS; i++)
        for (int j = 0; j <= i; j++)
            for (int r = ROWS - 1; r >= 0; r--)
                product[i][j] -= z[i][r] * z[j][r];
    for (int i = 0; i < COLUMNS; i++)
        for (int j = 0; j <= i; j++)
            wrong += fabs(product[i][j]);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < COLUMNS; i++)
            margin[r] -= z[i][r] * w[i];
    for (int r = 0; r < ROWS; r++)
        wrong += fabs(margin[r]);
    if (wrong == 0)
        return 0;
    return err_set(err,
                   "OpenBLAS multiplies wrongly on this processor (it chose %s): set "
                   "OPENBLAS_CORETYPE=Haswell or another kernel",
                   openblas_get_corename());
}

// Parts of whole blocks, as equal as that allows; the last ones may be empty.
static void cut(struct logreg *s)
{
    const struct row_range all = s->data.rows;
    uint64_t blocks = (all.end - all.first + BLOCK - 1) / BLOCK;
    for (unsigned p = 0; p < PARTS; p++) {
        uint64_t from = all.first + blocks * p / PARTS * BLOCK;
        uint64_t to = all.first + blocks * (p + 1) / PARTS * BLOCK;
        s->parts[p].rows.first = from < all.end ? from : all.end;
        s->parts[p].rows.end = to < all.end ? to : all.end;
    }
}

static int allocate(struct logreg *s, struct err *err)
{
    const size_t d = s->data.n_inputs, k = d + 1;
    s->mean = calloc(k, sizeof *s->mean);
    s->scale = calloc(k, sizeof *s->scale);
    s->w = calloc(k, sizeof *s->w);
    s->standard_error = calloc(k, sizeof *s->standard_error);
    s->gradient = calloc(k, sizeof *s->gradient);
    s->hessian = calloc(k * k, sizeof *s->hessian);
    s->parts = calloc(PARTS, sizeof *s->parts);
    s->blocks = calloc(s->threads, sizeof *s->blocks);
    bool bad = !s->mean || !s->scale || !s->w || !s->standard_error || !s->gradient ||
               !s->hessian || !s->parts || !s->blocks;
    for (unsigned t = 0; t < s->threads && !bad; t++) {
        s->blocks[t].z = calloc(k * BLOCK, sizeof(double));
        bad = !s->blocks[t].z;
    }
    for (unsigned p = 0; p < PARTS && !bad; p++) {
        struct logreg_part *part = &s->parts[p];
        part->gradient = malloc(k * sizeof *part->gradient);
        part->hessian = malloc(k * k * sizeof *part->hessian);
        part->mean = calloc(k, sizeof *part->mean);
        part->m2 = calloc(k, sizeof *part->m2);
        bad = !part->gradient || !part->hessian || !part->mean || !part->m2;
    }
    return bad ? err_set(err, "out of memory for a model of %zu inputs", d) : 0;
}

int logreg_init(struct logreg *s, const struct logreg_data *data, unsigned threads, struct err *err)
{
    *s = (struct logreg){.data = *data, .threads = threads < PARTS ? threads : PARTS};
    if (check_blas(err) || allocate(s, err))
        goto fail;
    cut(s);
    over_parts(s, moments_of_part, NULL);
    if (join_moments(s, err))
        goto fail;
    if (s->frauds == 0 || s->frauds == s->known) {
        err_set(err,
                "%llu of the %llu training rows with a known label are frauds: a model needs "
                "both classes; choose another [split] train",
                (unsigned long long)s->frauds, (unsigned long long)s->known);
        goto fail;
    }
    // Without any input the optimum is the log odds: the place to start.
    s->w[data->n_inputs] = log((double)s->frauds / (double)(s->known - s->frauds));
    return 0;
fail:
    logreg_release(s);
    return -1;
}

void logreg_release(struct logreg *s)
{
    for (unsigned t = 0; t < s->threads && s->blocks; t++)
        free(s->blocks[t].z);
    free(s->blocks);
    for (unsigned p = 0; p < PARTS && s->parts; p++) {
        free(s->parts[p].gradient);
        free(s->parts[p].hessian);
        free(s->parts[p].mean);
        free(s->parts[p].m2);
    }
    free(s->parts);
    free(s->mean);
    free(s->scale);
    free(s->w);
    free(s->standard_error);
    free(s->gradient);
    free(s->hessian);
    *s = (struct logreg){0};
}
