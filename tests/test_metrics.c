// metrics against scikit-learn on scores full of ties, calibration row by row, thresholds against every
// one there is, and the radix sort against qsort.
//
// The expected values were computed by scikit-learn 1.2.1 (Debian 12, numpy 1.24.2):
//
//     state = 99
//     def draw(m):
//         global state
//         state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
//         return (state >> 33) % m
//     for r in range(500):
//         y[r] = draw(5) == 0
//         p[r] = (draw(16) + 4 * y[r]) / 20
//     roc_auc_score(y, p), average_precision_score(y, p), log_loss(y, p), brier_score_loss(y, p),
//     precision_score(y, p >= .75), recall_score(y, p >= .75), f1_score(y, p >= .75),
//     confusion_matrix(y, p >= .75)
#include "train/metrics.h"

#include "tests/training.h"

#include <float.h>

enum { ROWS = 500, UNKNOWN = 40, MANY = 20000 };

static double score[ROWS + UNKNOWN];
static int8_t label[ROWS + UNKNOWN];

// Behind the 500 rows 40 that do not count.
static void make_sample(void)
{
    seed = 99;
    for (int r = 0; r < ROWS; r++) {
        label[r] = draw(5) == 0;
        score[r] = ((double)draw(16) + 4 * label[r]) / 20;
    }
    for (int r = 0; r < UNKNOWN; r++) {
        label[ROWS + r] = r % 4 ? LABEL_UNKNOWN : LABEL_KNOWN_CARD;
        score[ROWS + r] = 0.025 * r;
    }
}

static void metrics_equal_scikit_learns_with_tied_scores(void **state)
{
    (void)state;
    make_sample();
    const struct metrics m = metrics_compute(score, label, ROWS + UNKNOWN, 0.75);
    assert_int_equal(m.tally.rows, 500);
    assert_int_equal(m.tally.frauds, 97);
    assert_int_equal(m.tally.unknown_labels, 30);
    assert_int_equal(m.tally.known_cards, 10);
    assert_near(m.roc_auc, 0.71969251234299458, 1e-13);
    assert_near(m.average_precision, 0.50049233253495917, 1e-13);
    assert_near(m.log_loss, 0.56505197296683651, 1e-13);
    assert_near(m.brier, 0.20013999999999998, 1e-13);
    assert_near(m.precision, 0.532258064516129, 1e-13);
    assert_near(m.recall, 0.34020618556701032, 1e-13);
    assert_near(m.f1, 0.41509433962264153, 1e-13);
    assert_near(m.false_positive_rate, 29. / 403, 1e-13);
    assert_near(m.selection_rate, 62. / 500, 1e-13);
    assert_int_equal(m.tally.true_negatives, 374);
    assert_int_equal(m.tally.false_positives, 29);
    assert_int_equal(m.tally.false_negatives, 64);
    assert_int_equal(m.tally.true_positives, 33);
}

static void a_ranking_holds_each_score_once_with_the_rows_at_or_above_it(void **state)
{
    (void)state;
    const double seven[] = {0.5, 0.25, 1, 0.5, 0, -0.0, 0.5}, scores[] = {1, 0.5, 0.25, 0};
    const int8_t labels[] = {1, 0, 1, 0, 1, 0, -1};
    const uint64_t frauds[] = {1, 2, 2, 3}, genuine[] = {0, 1, 2, 3};
    struct ranking k;
    ranking_make(&k, seven, labels, 7);
    assert_int_equal(k.n, 4);
    for (int i = 0; i < 4; i++)
        assert_is(k.score[i], scores[i]);
    assert_memory_equal(k.frauds, frauds, sizeof frauds);
    assert_memory_equal(k.genuine, genuine, sizeof genuine);
    ranking_release(&k);
}

static void a_metric_without_a_meaning_is_null_in_json(void **state)
{
    (void)state;
    static const char *const of_genuine[] = {
        "roc_auc", "average_precision", "card_precision_at_100", "precision", "recall", "f1"};
    const double scores[] = {0.1, 0.2};
    const int8_t labels[] = {0, 0};
    const struct metrics genuine = metrics_compute(scores, labels, 2, 0.5),
                         none = metrics_compute(scores, labels, 0, 0.5);
    json_t *j = metrics_to_json(&genuine);
    for (size_t i = 0; i < sizeof of_genuine / sizeof *of_genuine; i++)
        assert_true(json_is_null(json_object_get(j, of_genuine[i])));
    assert_near(json_real_value(json_object_get(j, "brier")), 0.025, 1e-15);
    json_decref(j);
    j = metrics_to_json(&none);
    for (size_t i = 0; i < N_METRICS; i++)
        assert_true(json_is_null(json_object_get(j, metric_list[i].name)));
    assert_true(json_is_null(json_object_get(j, "mean_probability")));
    assert_int_equal(json_integer_value(json_object_get(j, "rows")), 0);
    json_decref(j);
    assert_is(none.brier_parts.reliability, NAN);
    assert_is(none.brier_parts.uncertainty, NAN);
}

static void a_certain_and_wrong_score_costs_a_finite_loss(void **state)
{
    (void)state;
    const double scores[] = {0, 1};
    const int8_t labels[] = {1, 0};
    const struct metrics m = metrics_compute(scores, labels, 2, 1); // a score of 1 is an alert
    assert_near(m.log_loss, -log(2.220446049250313e-16), 1e-13);    // numpy.finfo(float).eps
    assert_int_equal(m.tally.false_positives, 1);
    assert_is(m.ece, 1);
    assert_is(m.brier_parts.reliability, 1);
}

static void adding_a_day_several_times_is_counting_its_rows_so_often(void **state)
{
    (void)state;
    static const uint64_t times[] = {3, 0, 1};
    struct tally sum = {0}, counted = {0};
    seed = 8;
    for (int d = 0; d < 3; d++) {
        struct tally day = {0};
        for (int r = 0; r < 50; r++) {
            const double p = (double)draw(65) / 64; // sums are exact
            const int8_t judged = (int8_t)((int)draw(4) - 2);
            tally_row(&day, p, judged, 0.5);
            for (uint64_t t = 0; t < times[d]; t++)
                tally_row(&counted, p, judged, 0.5);
        }
        tally_add(&sum, &day, times[d]);
    }
    assert_near(sum.log_loss, counted.log_loss, 1e-12);
    sum.log_loss = counted.log_loss;
    assert_memory_equal(&sum, &counted, sizeof sum);
}

// ---- calibration -----------------------------------------------------------------------------------

// Three bins: 4 rows of 0.05 with one fraud, 2 of 0.35 with one fraud, and 0.95 and 1 with two.
static void calibration_equals_the_one_by_hand(void **state)
{
    (void)state;
    const double probability[] = {0.05, 0.05, 0.05, 0.05, 0.35, 0.35, 0.95, 1};
    const int8_t fraud[] = {0, 0, 1, 0, 1, 0, 1, 1};
    const struct metrics m = metrics_compute(probability, fraud, 8, 0.5);
    // (4 |0.05 - 1/4| + 2 |0.35 - 1/2| + 2 |0.975 - 1|) / 8
    assert_near(m.ece, 0.14375, 1e-15);
    assert_near(m.mean_probability, 0.35625, 1e-15);
    assert_near(m.brier_parts.reliability, (4 * 0.04 + 2 * 0.0225 + 2 * 0.000625) / 8, 1e-15);
    assert_near(m.brier_parts.resolution, (4 * 0.0625 + 2 * 0.25) / 8, 1e-15);
    assert_near(m.brier_parts.uncertainty, 0.25, 1e-15);
    assert_near(m.brier_parts.within, 2 * 0.000625 / 8, 1e-15); // 0.95 and 1 stand 0.025 off
}

static double mean(const double *x, const int8_t *bin, int b, double *n)
{
    double sum = 0;
    *n = 0;
    for (int r = 0; r < ROWS; r++)
        if (b < 0 || bin[r] == b) {
            sum += x[r];
            ++*n;
        }
    return *n > 0 ? sum / *n : 0;
}

// Stephenson, Coelho, Jolliffe 2008: how scores differ inside their bins, less twice what of it goes with
// the labels.
static void the_parts_of_the_brier_score_add_up_to_it(void **state)
{
    (void)state;
    double p[ROWS], y[ROWS], within = 0, ece = 0, n;
    int8_t bin[ROWS], fraud[ROWS];
    seed = 3;
    for (int r = 0; r < ROWS; r++) { // no row from 0.6 to 0.7, and a few of 1
        const double u = (double)draw(1000) / 999;
        p[r] = u * u >= 0.6 && u * u < 0.7 ? 0.2 : u * u;
        y[r] = fraud[r] = (double)draw(1000) < 800 * u;
        for (bin[r] = 9; p[r] < bin[r] / 10.0;)
            bin[r]--;
    }
    for (int b = 0; b < 10; b++) {
        const double of_p = mean(p, bin, b, &n), of_y = mean(y, bin, b, &n);
        ece += n / ROWS * fabs(of_p - of_y);
        for (int r = 0; r < ROWS; r++)
            if (bin[r] == b)
                within += (p[r] - of_p) * (p[r] - of_p - 2 * (y[r] - of_y)) / ROWS;
    }
    const struct metrics m = metrics_compute(p, fraud, ROWS, 0.5);
    const struct brier_parts *parts = &m.brier_parts;
    const double share = mean(y, bin, -1, &n);
    assert_near(parts->reliability - parts->resolution + parts->uncertainty + within, m.brier,
                1e-13);
    assert_near(parts->within, within, 1e-13);
    assert_near(parts->uncertainty, share * (1 - share), 1e-15);
    assert_near(m.ece, ece, 1e-13);
    assert_near(m.mean_probability, mean(p, bin, -1, &n), 1e-13);
}

static void a_bin_holds_its_lower_edge_and_the_last_one_1_too(void **state)
{
    (void)state;
    static const double at[] = {0, -0.0, 0.0999, 0.25, 0.5, 0.4999, 0.9, 1, 1, 1 - DBL_EPSILON};
    static const uint64_t expected[CALIBRATION_BINS] = {3, 0, 1, 0, 1, 1, 0, 0, 0, 4};
    struct tally t = {0};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        tally_row(&t, at[i], 1, 0.5);
    assert_memory_equal(t.calibration.rows, expected, sizeof expected);
    assert_memory_equal(t.calibration.frauds, expected, sizeof expected);
}

// Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3, four decimals. An interval ends
// where the normal distribution just does not refuse a share: (k/n - p)² = z² p (1 - p) / n.
static void wilsons_interval_equals_the_published_ones_and_solves_its_equation(void **state)
{
    (void)state;
    static const struct {
        uint64_t k, n;
        double low, high;
    } published[] = {{81, 263, 0.2553, 0.3662},
                     {15, 148, 0.0624, 0.1605},
                     {0, 20, 0.0000, 0.1611},
                     {1, 29, 0.0061, 0.1718}};
    double end[2];
    for (size_t i = 0; i < 4; i++) {
        wilson_interval(published[i].k, published[i].n, &end[0], &end[1]);
        assert_near(end[0], published[i].low, 0.5e-4);
        assert_near(end[1], published[i].high, 0.5e-4);
    }
    for (uint64_t n = 1; n <= 1000000; n *= 10)
        for (uint64_t tenth = 0; tenth <= 10; tenth++) {
            const uint64_t k = n * tenth / 10;
            const double share = (double)k / (double)n;
            wilson_interval(k, n, &end[0], &end[1]);
            for (int e = 0; e < 2; e++)
                assert_near(fabs(share - end[e]), Z_95 * sqrt(end[e] * (1 - end[e]) / (double)n),
                            1e-12);
            assert_true(0 <= end[0] && end[0] <= share && share <= end[1] && end[1] <= 1);
            assert_true((k > 0 || end[0] == 0) && (k < n || end[1] == 1));
        }
}

// ---- threshold -------------------------------------------------------------------------------------

static void the_budget_is_the_rank_among_the_rows_that_can_be_alerts(void **state)
{
    (void)state;
    // scores 1/8 .. 7/8: one of a known card, two unknown, frauds and genuine
    static const double seven[] = {0.25, 0.875, 0.5, 0.125, 0.75, 0.375, 0.625};
    static const int8_t of_seven[] = {0, LABEL_KNOWN_CARD, LABEL_UNKNOWN, 1, 0, 1, LABEL_UNKNOWN};
    static const double alerts[] = {0.01, 1, 2, 4, 4.6, 6, 7, 700}; // 4.6 are 5
    static const double expected[] = {0.75, 0.75, 0.625, 0.375, 0.25, 0.125, 0.125, 0.125};
    for (int i = 0; i < 8; i++)
        assert_is(threshold_by_budget(seven, of_seven, 7, alerts[i]), expected[i]);
    static const int8_t known[] = {LABEL_KNOWN_CARD, LABEL_KNOWN_CARD};
    assert_is(threshold_by_budget(seven, known, 2, 5), 1); // no row can be an alert
}

static void tied_scores_are_alerts_together_or_not_at_all(void **state)
{
    (void)state;
    static const double tied[] = {0.1, 0.5, 0.5, 0.5, 0.9}, ones[] = {1, 1};
    static const int8_t genuine[5] = {0};
    for (int alerts = 1; alerts <= 4; alerts++)
        assert_is(threshold_by_budget(tied, genuine, 5, alerts), alerts < 4 ? 0.9 : 0.5);
    assert_is(threshold_by_budget(tied + 1, genuine, 3, 2), nextafter(0.5, 1)); // no alert
    assert_is(threshold_by_budget(tied + 1, genuine, 3, 3), 0.5);
    assert_is(threshold_by_budget(ones, genuine, 2, 1), 1); // a probability cannot be more
}

static double cost_of(double threshold, double fraud, double alert)
{
    double cost = 0;
    for (int i = 0; i < ROWS; i++)
        if (label[i] >= 0)
            cost += score[i] >= threshold ? alert : label[i] * fraud;
    return cost;
}

static void
the_costs_are_the_lowest_of_all_thresholds_and_of_equal_ones_the_highest_wins(void **state)
{
    (void)state;
    int no_alert = 0;
    seed = 21;
    for (int run = 0; run < 100; run++) {
        const uint64_t levels = 2 + draw(60);
        double highest = 0, best = 2; // no alert at all
        for (int i = 0; i < ROWS; i++) {
            score[i] = (double)draw(levels) / (double)(levels - (run & 1)); // up to 1, or below
            label[i] = (int8_t)(draw(8) == 0 ? -1 - (int)draw(2) : (double)draw(60) < 9 * score[i]);
            highest = label[i] >= 0 ? fmax(highest, score[i]) : highest;
        }
        const double fraud = (double)(1 + draw(30)), alert = (double)(1 + draw(4));
        for (int i = 0; i < ROWS; i++) {
            const double cost = cost_of(score[i], fraud, alert),
                         least = cost_of(best, fraud, alert);
            if (label[i] >= 0 && (cost < least || (cost == least && score[i] > best)))
                best = score[i];
        }
        no_alert += best > 1;
        assert_is(threshold_by_cost(score, label, ROWS, fraud, alert),
                  best <= 1 ? best : fmin(1, nextafter(highest, 2)));
    }
    assert_in_range(no_alert, 5, 95);
    assert_is(threshold_by_cost(score, label, 0, 200, 5), 1);
}

// ---- sorting ---------------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static void assert_sorts_like_qsort(double *x, size_t n)
{
    static double expected[MANY];
    memcpy(expected, x, n * sizeof *x);
    qsort(expected, n, sizeof *x, compare);
    sort_doubles(x, n);
    for (size_t i = 0; i < n; i++)
        assert_true(x[i] == expected[i]);
}

static void numbers_sort_like_qsort(void **state)
{
    (void)state;
    static double x[MANY];
    double extremes[] = {INFINITY, -0.0, DBL_MAX, 5e-324, 0.0, -DBL_MAX, 1, -5e-324, -1, -INFINITY};
    for (size_t i = 0; i < MANY;) { // all bits
        const uint64_t bits = draw(UINT64_C(1) << 31) << 33 | draw(UINT64_C(1) << 31) << 2;
        memcpy(&x[i], &bits, sizeof bits);
        i += isfinite(x[i]) != 0;
    }
    assert_sorts_like_qsort(x, MANY);
    for (size_t i = 0; i < MANY; i++)
        x[i] = (float)(1e-3 * (double)draw(1000000)) - 500;
    assert_sorts_like_qsort(x, MANY);
    for (size_t i = 0; i < MANY; i++)
        x[i] = (double)draw(3) - 1;
    assert_sorts_like_qsort(x, MANY);
    assert_sorts_like_qsort(x, MANY); // sorted already
    for (size_t n = 0; n < 4; n++)
        assert_sorts_like_qsort(x + MANY / 2, n); // all equal
    assert_sorts_like_qsort(extremes, 10);
    assert_true(signbit(extremes[4]) && !signbit(extremes[5]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_equal_scikit_learns_with_tied_scores),
        cmocka_unit_test(a_ranking_holds_each_score_once_with_the_rows_at_or_above_it),
        cmocka_unit_test(a_metric_without_a_meaning_is_null_in_json),
        cmocka_unit_test(a_certain_and_wrong_score_costs_a_finite_loss),
        cmocka_unit_test(adding_a_day_several_times_is_counting_its_rows_so_often),
        cmocka_unit_test(calibration_equals_the_one_by_hand),
        cmocka_unit_test(the_parts_of_the_brier_score_add_up_to_it),
        cmocka_unit_test(a_bin_holds_its_lower_edge_and_the_last_one_1_too),
        cmocka_unit_test(wilsons_interval_equals_the_published_ones_and_solves_its_equation),
        cmocka_unit_test(the_budget_is_the_rank_among_the_rows_that_can_be_alerts),
        cmocka_unit_test(tied_scores_are_alerts_together_or_not_at_all),
        cmocka_unit_test(
            the_costs_are_the_lowest_of_all_thresholds_and_of_equal_ones_the_highest_wins),
        cmocka_unit_test(numbers_sort_like_qsort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
