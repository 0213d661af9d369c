// logreg against an independent solver and finite differences. What has no optimum is in
// test_degenerate.c.
//
// The expected weights were computed by scikit-learn 1.2.1 (Debian 12, numpy 1.24.2, scipy 1.10.1):
//
//     def draw(m):                                # state = 12345 at the beginning
//         global state
//         state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
//         return (state >> 33) % m
//     for r in range(700):
//         for i in range(4):
//             x[r, i] = (draw(1000) - 500 + 2000 * i) / 64
//         x[r, 3] = x[r, 3] - x[r, 2] + x[r, 1]
//         y[r] = 64 * x[r, 0] - 64 * x[r, 1] / 2 + draw(1000) - 500 > -500
//         known[r] = draw(10) != 0
//     x, y = x[known], y[known]
//     mean, scale = (np.array([float('%.6e' % v) for v in a]) for a in (x.mean(0), x.std(0)))
//     LogisticRegression(C=1 / (l2 * len(y)), solver='newton-cholesky', tol=1e-14,
//                        max_iter=1000).fit((x - mean) / scale, y)
#include "train/evaluate.h"

#include "tests/training.h"

enum { ROWS = 700, MOST = 28000, INPUTS = 4, K = INPUTS + 1 };

static float column[INPUTS][MOST];
static int8_t label[MOST];
static const float *x[] = {column[0], column[1], column[2], column[3]};
static const char *names[] = {"a", "b", "c", "d"};

static void make_sample(void)
{
    seed = 12345;
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < INPUTS; i++)
            column[i][r] = ((float)draw(1000) - 500.0f + 2000.0f * (float)i) / 64.0f;
        column[3][r] += column[1][r] - column[2][r];
        float noise = (float)draw(1000) - 500.0f;
        label[r] = 64 * column[0][r] - 32 * column[1][r] + noise > -500;
        if (draw(10) == 0)
            label[r] = -1;
    }
}

static void release(struct logreg *m)
{
    free(m->mean);
    free(m->sums);
}

static struct logreg fit(uint64_t rows, size_t inputs, unsigned threads, double l2)
{
    static struct examples e;
    e = (struct examples){.n_inputs = inputs, .x = x, .names = names, .label = label};
    struct logreg m;
    struct err err;
    must(logreg_init(&m, &e, (struct row_range){0, rows}, threads, &err) ||
             logreg_fit(&m, l2, &err),
         &err);
    return m;
}

TEST_CASE(weights_equal_those_of_an_independent_solver)
{
    static const double expected[][1 + K] = {
        {1e-4, 2.356165092166444, -1.1255622428884837, 0.212705341981648, 0.27248232033865044,
         -3.4378611790671987},
        {1e-2, 1.7418941719986396, -0.7637366662966639, 0.042800943819595864, 0.05141485775531356,
         -2.804978833946012},
        {1, 0.1460993882476177, -0.06375778957653598, -0.011491852584768347, -0.02152231282304629,
         -1.7888562587524282},
    };
    make_sample();
    for (size_t e = 0; e < LENGTH(expected); e++) {
        struct logreg m = fit(ROWS, INPUTS, 2, expected[e][0]);
        struct err err;
        must(logreg_fit(&m, 0, &err), &err); // a fit starts from the one before
        must(logreg_fit(&m, expected[e][0], &err), &err);
        assert_int_equal(m.known, 644);
        assert_int_equal(m.frauds, 93);
        assert_is(m.mean[0], -0.3177164);
        assert_is(m.mean[3], 62.47921);
        assert_is(m.scale[0], 4.553845);
        assert_is(m.scale[3], 7.845633);
        assert_is(m.min[3], 42.703125);
        assert_is(m.max[3], 84.890625);
        for (int i = 0; i < K; i++)
            assert_near(m.w[i], expected[e][1 + i], 1e-12);
        release(&m);
    }
}

// The sum that the header states, at w, with the mean and scale of m.
static long double objective(const struct logreg *m, double l2, const long double w[K])
{
    const size_t d = m->k - 1;
    long double sum = 0, squares = 0;
    for (uint64_t r = 0; r < m->rows.end; r++) {
        long double margin = w[d];
        for (size_t i = 0; i < d; i++)
            margin += w[i] * ((double)column[i][r] - m->mean[i]) / m->scale[i];
        if (label[r] >= 0)
            sum += log1pl(expl(label[r] ? -margin : margin));
    }
    for (size_t i = 0; i < d; i++)
        squares += w[i] * w[i];
    return sum / (long double)m->known + l2 / 2 * squares;
}

// The second derivative by i and j, or the first by i where j is -1, by central differences.
static double derivative(const struct logreg *m, double l2, const double *w, int i, int j)
{
    const long double h = 1e-4L;
    long double sum = 0;
    for (int corner = 0; corner < (j < 0 ? 2 : 4); corner++) {
        const long double a = corner & 1 ? h : -h, b = corner & 2 ? h : -h;
        long double at[K];
        for (int k = 0; k < (int)m->k; k++)
            at[k] = w[k] + (k == i ? a : 0) + (k == j ? b : 0);
        sum += objective(m, l2, at) / (j < 0 ? 2 * a : 4 * a * b);
    }
    return (double)sum;
}

TEST_CASE(value_gradient_and_hessian_are_those_of_the_objective)
{
    const double w[K] = {0.7, -0.4, 0.2, -1.1, 0.3}, l2 = 0.05;
    const long double at[K] = {w[0], w[1], w[2], w[3], w[4]};
    make_sample();
    struct logreg m = fit(ROWS, INPUTS, 2, 1);
    logreg_evaluate(&m, l2, w);
    assert_near(m.value, (double)objective(&m, l2, at), 1e-13);
    for (int j = 0; j < K; j++) {
        assert_near(m.gradient[j], derivative(&m, l2, w, j, -1), 1e-8);
        for (int i = 0; i <= j; i++)
            assert_near(m.hessian[j * K + i], derivative(&m, l2, w, i, j), 1e-8);
    }
    release(&m);
}

// For a feature that is 0 or 1 the weight is the logarithm of the odds ratio, whose standard error
// is √(1/a + 1/b + 1/c + 1/d) of the four counts (Woolf, Annals of Human Genetics 19, 1955). The
// intercept is at the mean, between the log odds of both. With a penalty: the inverse of a Hessian
// by differences.
TEST_CASE(standard_errors_are_the_roots_of_the_inverse_hessian_of_all_rows)
{
    // no: frauds, genuine; yes: frauds, genuine; in all, several blocks in every part
    enum { A = 2100, B = 17500, C = 3150, D = 5250, N = A + B + C + D };
    static const double l2s[] = {0, 1e-2, 1};
    for (int r = 0; r < N; r++) {
        column[0][r] = r >= A + B;
        label[r] = r < A || (r >= A + B && r < A + B + C);
    }
    for (size_t e = 0; e < 3; e++) {
        struct logreg m = fit(N, 1, 3, l2s[e]);
        double h[2][2];
        for (int i = 0; i < 4; i++)
            h[i / 2][i % 2] = derivative(&m, l2s[e], m.w, i / 2, i % 2);
        const double determinant = h[0][0] * h[1][1] - h[0][1] * h[1][0];
        for (int i = 0; i < 2; i++)
            assert_near(m.standard_error[i], sqrt(h[1 - i][1 - i] / determinant / N), 1e-6);
        release(&m);
    }
    struct logreg m = fit(N, 1, 1, 0);
    const double p = m.mean[0], scale = m.scale[0];
    assert_near(p, (double)(C + D) / N, 1e-7);
    assert_near(scale, sqrt(p * (1 - p)), 1e-7);
    assert_is(m.min[0], 0);
    assert_is(m.max[0], 1);
    const double no = log(30. / 250), yes = log(45. / 75);
    const double of_no = 1. / A + 1. / B, of_yes = 1. / C + 1. / D; // variances
    assert_near(m.w[0], scale * (yes - no), 1e-8);
    assert_near(m.w[1], (1 - p) * no + p * yes, 1e-8);
    assert_near(m.standard_error[0], scale * sqrt(of_no + of_yes), 1e-9);
    assert_near(m.standard_error[1], sqrt((1 - p) * (1 - p) * of_no + p * p * of_yes), 1e-9);
    release(&m);
}

TESTS(NULL, NULL)
