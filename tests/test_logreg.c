// logreg against finite differences, an independent solver, and the cases without an optimum.
//
// The expected weights were computed by scikit-learn 1.2.1 (Debian 12, numpy 1.24.2, scipy 1.10.1):
//
//     state = 12345
//     def draw(m):
//         global state
//         state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
//         return (state >> 33) % m
//     n, d = 700, 4
//     x, y = np.zeros((n, d)), np.zeros(n, int)
//     for r in range(n):
//         for i in range(d):
//             x[r, i] = (draw(1000) - 500 + 2000 * i) / 64
//         x[r, 3] = x[r, 3] - x[r, 2] + x[r, 1]
//         noise = draw(1000) - 500
//         y[r] = 64 * x[r, 0] - 64 * x[r, 1] / 2 + noise > -500
//         if draw(10) == 0:
//             y[r] = -1
//     x, y = x[y >= 0], y[y >= 0]
//     z = (x - x.mean(0)) / x.std(0)
//     LogisticRegression(C=1 / (l2 * len(y)), solver='newton-cholesky', tol=1e-14,
//                        max_iter=1000).fit(z, y)
#include "train/logreg.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 700, INPUTS = 4, K = INPUTS + 1 };

struct sample {
    float column[INPUTS][ROWS];
    const float *x[INPUTS];
    int8_t label[ROWS];
};

static const char *const names[INPUTS] = {"a", "b", "c", "d"};

static uint64_t draw(uint64_t *state, uint64_t m)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % m;
}

static void sample_make(struct sample *s)
{
    uint64_t state = 12345;
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < INPUTS; i++)
            s->column[i][r] = ((float)draw(&state, 1000) - 500.0f + 2000.0f * (float)i) / 64.0f;
        s->column[3][r] += s->column[1][r] - s->column[2][r];
        float noise = (float)draw(&state, 1000) - 500.0f;
        s->label[r] = 64 * s->column[0][r] - 32 * s->column[1][r] + noise > -500;
        if (draw(&state, 10) == 0)
            s->label[r] = -1;
    }
    for (int i = 0; i < INPUTS; i++)
        s->x[i] = s->column[i];
}

static struct logreg_data data_of(const struct sample *s)
{
    return (struct logreg_data){s->x, names, INPUTS, s->label, {0, ROWS}};
}

static void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", got, expected, tolerance);
}

static void assert_fit_fails(const struct sample *s, double l2, const char *words)
{
    struct logreg m;
    struct err err = {""};
    struct logreg_data data = data_of(s);
    int rc = logreg_init(&m, &data, 1, &err);
    if (rc == 0) {
        rc = logreg_fit(&m, l2, &err);
        logreg_release(&m);
    }
    assert_int_equal(rc, -1);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not say '%s'", err.msg, words);
}

static void weights_equal_those_of_an_independent_solver(void **state)
{
    (void)state;
    static const double expected[][1 + K] = {
        {1e-4, 2.3561652358430472, -1.1255621786610297, 0.2127053640221766, 0.27248232293126984,
         -3.4378623236635613},
        {1e-2, 1.7418942399237258, -0.76373662974908996, 0.042800950687891151, 0.051414866226418568,
         -2.8049794668364521},
        {1, 0.14609938124057628, -0.063757792495126142, -0.011491851682859419,
         -0.021522312039145244, -1.7888562939169159},
    };
    struct sample s;
    struct err err;
    struct logreg m;
    sample_make(&s);
    struct logreg_data data = data_of(&s);
    for (size_t e = 0; e < sizeof expected / sizeof *expected; e++) {
        assert_int_equal(logreg_init(&m, &data, 2, &err), 0);
        assert_int_equal(m.known, 644);
        assert_int_equal(m.frauds, 93);
        assert_near(m.mean[0], -0.31771642080745344, 1e-14);
        assert_near(m.mean[3], 62.479207104037265, 1e-12);
        assert_near(m.scale[0], 4.553845279778983, 1e-13);
        assert_near(m.scale[3], 7.84563307323915, 1e-12);
        assert_int_equal(logreg_fit(&m, expected[e][0], &err), 0);
        for (int i = 0; i < K; i++)
            assert_near(m.w[i], expected[e][1 + i], 1e-8);
        logreg_release(&m);
    }
}

static void the_gradient_and_the_hessian_agree_with_finite_differences(void **state)
{
    (void)state;
    const double w[K] = {0.7, -0.4, 0.2, -1.1, 0.3}, l2 = 0.05, h = 1e-5;
    struct sample s;
    struct err err;
    struct logreg m;
    sample_make(&s);
    struct logreg_data data = data_of(&s);
    assert_int_equal(logreg_init(&m, &data, 1, &err), 0);
    logreg_evaluate(&m, l2, w);
    double gradient[K], hessian[K * K];
    memcpy(gradient, m.gradient, sizeof gradient);
    memcpy(hessian, m.hessian, sizeof hessian);
    for (int j = 0; j < K; j++) {
        double up[K], down[K], up_gradient[K];
        memcpy(up, w, sizeof up);
        memcpy(down, w, sizeof down);
        up[j] += h;
        down[j] -= h;
        logreg_evaluate(&m, l2, up);
        double up_value = m.value;
        memcpy(up_gradient, m.gradient, sizeof up_gradient);
        logreg_evaluate(&m, l2, down);
        assert_near(gradient[j], (up_value - m.value) / (2 * h), 1e-9);
        for (int i = 0; i <= j; i++)
            assert_near(hessian[j * K + i], (up_gradient[i] - m.gradient[i]) / (2 * h), 1e-9);
    }
    logreg_release(&m);
}

// The sum that the header states, at w, with the mean and scale of m.
static long double objective(const struct sample *s, const struct logreg *m, double l2,
                             const long double w[K])
{
    long double sum = 0, squares = 0;
    int n = 0;
    for (int r = 0; r < ROWS; r++) {
        long double margin = w[INPUTS];
        for (int i = 0; i < INPUTS; i++)
            margin += w[i] * ((double)s->column[i][r] - m->mean[i]) / m->scale[i];
        if (s->label[r] >= 0)
            sum += log1pl(expl(s->label[r] ? -margin : margin));
        n += s->label[r] >= 0;
    }
    for (int i = 0; i < INPUTS; i++)
        squares += w[i] * w[i];
    return sum / n + l2 / 2 * squares;
}

static void the_objective_is_the_sum_that_the_header_states(void **state)
{
    (void)state;
    const double w[K] = {0.7, -0.4, 0.2, -1.1, 0.3}, l2 = 0.05;
    const long double at[K] = {w[0], w[1], w[2], w[3], w[4]};
    struct sample s;
    struct err err;
    struct logreg m;
    sample_make(&s);
    struct logreg_data data = data_of(&s);
    assert_int_equal(logreg_init(&m, &data, 1, &err), 0);
    logreg_evaluate(&m, l2, w);
    assert_near(m.value, (double)objective(&s, &m, l2, at), 1e-13);
    logreg_release(&m);
}

static void the_weights_have_the_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    enum { MANY = 40 * ROWS }; // several blocks in every part
    static float column[INPUTS][MANY];
    static int8_t label[MANY];
    const float *x[INPUTS];
    double expected[K] = {0};
    uint64_t seed = 7;
    for (int i = 0; i < INPUTS; i++)
        x[i] = column[i];
    for (int r = 0; r < MANY; r++) {
        for (int i = 0; i < INPUTS; i++)
            column[i][r] = (float)draw(&seed, 1000) / 7.0f;
        label[r] = (int8_t)(column[0][r] + (float)draw(&seed, 300) > 350.0f);
    }
    struct logreg_data data = {x, names, INPUTS, label, {11, MANY - 3}};
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct logreg m;
        struct err err;
        assert_int_equal(logreg_init(&m, &data, threads, &err), 0);
        assert_int_equal(logreg_fit(&m, 1e-3, &err), 0);
        if (threads == 1)
            memcpy(expected, m.w, sizeof expected);
        assert_memory_equal(m.w, expected, sizeof expected);
        logreg_release(&m);
    }
}

static void a_further_fit_starts_from_the_last_and_ends_at_the_same_optimum(void **state)
{
    (void)state;
    struct sample s;
    struct err err;
    struct logreg fresh, warm;
    sample_make(&s);
    struct logreg_data data = data_of(&s);
    assert_int_equal(logreg_init(&fresh, &data, 1, &err), 0);
    assert_int_equal(logreg_fit(&fresh, 1e-2, &err), 0);
    assert_int_equal(logreg_init(&warm, &data, 1, &err), 0);
    assert_int_equal(logreg_fit(&warm, 1e-4, &err), 0);
    assert_int_equal(logreg_fit(&warm, 1e-2, &err), 0);
    for (int i = 0; i < K; i++)
        assert_near(warm.w[i], fresh.w[i], 1e-8);
    logreg_release(&fresh);
    logreg_release(&warm);
}

static void rows_of_unknown_label_change_nothing(void **state)
{
    (void)state;
    struct sample s;
    struct err err;
    struct logreg a, b;
    sample_make(&s);
    struct logreg_data data = data_of(&s);
    assert_int_equal(logreg_init(&a, &data, 1, &err), 0);
    assert_int_equal(logreg_fit(&a, 1e-2, &err), 0);
    for (int r = 0; r < ROWS; r++)
        if (s.label[r] < 0)
            s.column[1][r] = 1e30f;
    assert_int_equal(logreg_init(&b, &data, 1, &err), 0);
    assert_int_equal(logreg_fit(&b, 1e-2, &err), 0);
    assert_memory_equal(a.mean, b.mean, INPUTS * sizeof(double));
    for (int i = 0; i < K; i++)
        assert_near(a.w[i], b.w[i], 1e-8);
    logreg_release(&a);
    logreg_release(&b);
}

static void a_constant_feature_gets_scale_1_and_weight_0(void **state)
{
    (void)state;
    static const double l2s[] = {0, 1e-3};
    struct sample s;
    struct err err;
    struct logreg m;
    sample_make(&s);
    for (int r = 0; r < ROWS; r++)
        s.column[2][r] = 0.1f; // not a finite binary fraction: its sum is rounded
    struct logreg_data data = data_of(&s);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(logreg_init(&m, &data, 1, &err), 0);
        assert_int_equal(logreg_fit(&m, l2s[i], &err), 0);
        assert_true(m.scale[2] == 1);
        assert_true(m.mean[2] == (double)0.1f);
        assert_true(m.w[2] == 0);
        assert_true(m.w[0] > 0.5);
        logreg_release(&m);
    }
}

// ---- standard errors -------------------------------------------------------------------------------

// Second derivatives of the objective at w, by central differences.
static void differentiate(const struct sample *s, const struct logreg *m, double l2,
                          const double *w, long double hessian[K][K])
{
    const long double h = 1e-4L;
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++) {
            hessian[i][j] = 0;
            for (int corner = 0; corner < 4; corner++) {
                long double at[K], a = corner & 1 ? h : -h, b = corner & 2 ? h : -h;
                for (int k = 0; k < K; k++)
                    at[k] = w[k] + (k == i ? a : 0) + (k == j ? b : 0);
                hessian[i][j] += objective(s, m, l2, at) / (4 * a * b);
            }
        }
}

// Gauss and Jordan; a positive definite matrix needs no pivots.
static void invert(long double a[K][K], long double inverse[K][K])
{
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++)
            inverse[i][j] = i == j;
    for (int p = 0; p < K; p++) {
        const long double pivot = a[p][p];
        for (int j = 0; j < K; j++) {
            a[p][j] /= pivot;
            inverse[p][j] /= pivot;
        }
        for (int i = 0; i < K; i++) {
            const long double times = a[i][p];
            for (int j = 0; j < K && i != p; j++) {
                a[i][j] -= times * a[p][j];
                inverse[i][j] -= times * inverse[p][j];
            }
        }
    }
}

static void standard_errors_are_the_roots_of_the_inverse_of_a_hessian_by_differences(void **state)
{
    (void)state;
    static const double l2s[] = {0, 1e-2, 1};
    struct sample s;
    struct err err;
    struct logreg m;
    sample_make(&s);
    struct logreg_data data = data_of(&s);
    for (size_t e = 0; e < sizeof l2s / sizeof *l2s; e++) {
        long double hessian[K][K], inverse[K][K];
        assert_int_equal(logreg_init(&m, &data, 2, &err), 0);
        assert_int_equal(logreg_fit(&m, l2s[e], &err), 0);
        differentiate(&s, &m, l2s[e], m.w, hessian);
        invert(hessian, inverse);
        for (int i = 0; i < K; i++) {
            double expected = (double)sqrtl(inverse[i][i] / 644); // rows with a known label
            assert_near(m.standard_error[i], expected, 1e-6 * expected);
        }
        logreg_release(&m);
    }
}

// Of a feature that is 0 or 1 the weight is the logarithm of the odds ratio, whose standard error is
// √(1/a + 1/b + 1/c + 1/d) of the four counts (Woolf, Annals of Human Genetics 19, 1955). The intercept
// stands at the mean, between the log odds of both.
static void the_standard_error_of_a_yes_or_no_feature_is_that_of_the_log_odds_ratio(void **state)
{
    (void)state;
    enum { A = 30, B = 250, C = 45, D = 75 }; // no: frauds, genuine; yes: frauds, genuine
    static float column[A + B + C + D];
    static int8_t label[A + B + C + D];
    const float *x[] = {column};
    struct err err;
    struct logreg m;
    for (int r = 0; r < A + B + C + D; r++) {
        column[r] = r >= A + B;
        label[r] = r < A || (r >= A + B && r < A + B + C);
    }
    struct logreg_data data = {x, names, 1, label, {0, A + B + C + D}};
    assert_int_equal(logreg_init(&m, &data, 1, &err), 0);
    assert_int_equal(logreg_fit(&m, 0, &err), 0);
    const double p = (double)(C + D) / (A + B + C + D), scale = sqrt(p * (1 - p));
    const double no = log(30. / 250), yes = log(45. / 75);
    const double of_no = 1. / A + 1. / B, of_yes = 1. / C + 1. / D; // variances
    assert_near(m.w[0], scale * (yes - no), 1e-8);
    assert_near(m.w[1], (1 - p) * no + p * yes, 1e-8);
    assert_near(m.standard_error[0], scale * sqrt(of_no + of_yes), 1e-9);
    assert_near(m.standard_error[1], sqrt((1 - p) * (1 - p) * of_no + p * p * of_yes), 1e-9);
    logreg_release(&m);
}

static void a_constant_feature_has_no_standard_error_and_leaves_those_of_the_others(void **state)
{
    (void)state;
    static const double l2s[] = {0, 1e-3, 1};
    struct sample s;
    struct err err;
    struct logreg with, without;
    sample_make(&s);
    for (int r = 0; r < ROWS; r++)
        s.column[1][r] = 0.1f;
    const float *others[] = {s.x[0], s.x[2], s.x[3]};
    const struct logreg_data all = data_of(&s),
                             three = {others, names, INPUTS - 1, s.label, {0, ROWS}};
    for (size_t e = 0; e < sizeof l2s / sizeof *l2s; e++) {
        assert_int_equal(logreg_init(&with, &all, 1, &err), 0);
        assert_int_equal(logreg_fit(&with, l2s[e], &err), 0);
        assert_int_equal(logreg_init(&without, &three, 1, &err), 0);
        assert_int_equal(logreg_fit(&without, l2s[e], &err), 0);
        assert_true(isnan(with.standard_error[1]));
        assert_near(with.standard_error[0], without.standard_error[0], 1e-9);
        for (int i = 2; i < K; i++)
            assert_near(with.standard_error[i], without.standard_error[i - 1], 1e-9);
        logreg_release(&with);
        logreg_release(&without);
    }
}

// ---- no optimum ------------------------------------------------------------------------------------

static void separable_classes_without_a_penalty_are_refused(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s);
    for (int r = 0; r < ROWS; r++)
        s.label[r] = s.column[0][r] > 1;
    assert_fit_fails(&s, 0, "separable");
}

static void separable_classes_with_a_penalty_have_an_optimum(void **state)
{
    (void)state;
    struct sample s;
    struct err err;
    struct logreg m;
    sample_make(&s);
    for (int r = 0; r < ROWS; r++)
        s.label[r] = s.column[0][r] > 1;
    struct logreg_data data = data_of(&s);
    assert_int_equal(logreg_init(&m, &data, 1, &err), 0);
    assert_int_equal(logreg_fit(&m, 1e-6, &err), 0);
    logreg_release(&m);
}

static void a_feature_value_that_only_one_class_has_is_refused_without_a_penalty(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s);
    for (int r = 0; r < ROWS; r++)
        s.column[2][r] = s.label[r] == 0 && r % 50 == 0;
    assert_fit_fails(&s, 0, "separable");
}

static void a_feature_that_is_another_one_scaled_is_refused_without_a_penalty(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s);
    for (int r = 0; r < ROWS; r++)
        s.column[2][r] = 2 * s.column[1][r] + 8;
    assert_fit_fails(&s, 0, "combination");
}

static void one_class_alone_is_refused(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s);
    memset(s.label, 0, sizeof s.label);
    assert_fit_fails(&s, 1, "0 of the 700 training rows");
    memset(s.label, -1, sizeof s.label);
    assert_fit_fails(&s, 1, "0 of the 0 training rows");
}

static void a_value_that_is_not_finite_is_refused_by_the_name_of_its_feature(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s);
    s.column[1][0] = NAN;
    s.label[0] = 0;
    assert_fit_fails(&s, 1, "feature b");
    s.column[1][0] = INFINITY;
    assert_fit_fails(&s, 1, "feature b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_equal_those_of_an_independent_solver),
        cmocka_unit_test(the_gradient_and_the_hessian_agree_with_finite_differences),
        cmocka_unit_test(the_objective_is_the_sum_that_the_header_states),
        cmocka_unit_test(the_weights_have_the_same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_further_fit_starts_from_the_last_and_ends_at_the_same_optimum),
        cmocka_unit_test(rows_of_unknown_label_change_nothing),
        cmocka_unit_test(a_constant_feature_gets_scale_1_and_weight_0),
        cmocka_unit_test(standard_errors_are_the_roots_of_the_inverse_of_a_hessian_by_differences),
        cmocka_unit_test(the_standard_error_of_a_yes_or_no_feature_is_that_of_the_log_odds_ratio),
        cmocka_unit_test(a_constant_feature_has_no_standard_error_and_leaves_those_of_the_others),
        cmocka_unit_test(separable_classes_without_a_penalty_are_refused),
        cmocka_unit_test(separable_classes_with_a_penalty_have_an_optimum),
        cmocka_unit_test(a_feature_value_that_only_one_class_has_is_refused_without_a_penalty),
        cmocka_unit_test(a_feature_that_is_another_one_scaled_is_refused_without_a_penalty),
        cmocka_unit_test(one_class_alone_is_refused),
        cmocka_unit_test(a_value_that_is_not_finite_is_refused_by_the_name_of_its_feature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
