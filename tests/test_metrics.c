// metrics against scikit-learn on scores full of ties, calibration row by row, thresholds against
// every one there is, the radix sort against qsort, and card precision against cases by hand.
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

TEST_CASE(metrics_equal_scikit_learns_with_tied_scores)
{
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

// ---- calibration --------------------------------------------------------------------------------

TEST_CASE(the_calibration_error_equals_the_sums_over_the_rows_of_each_bin)
{
    double p[ROWS], mean = 0, ece = 0;
    int8_t fraud[ROWS];
    seed = 3;
    for (int r = 0; r < ROWS; r++) { // no row from 0.6 to 0.7, and a few of 1
        const double u = (double)draw(1000) / 999;
        p[r] = u * u >= 0.6 && u * u < 0.7 ? 0.2 : u * u;
        fraud[r] = (double)draw(1000) < 800 * u;
        mean += p[r] / ROWS;
    }
    for (int b = 0; b < 10; b++) {
        double off = 0;
        for (int r = 0; r < ROWS; r++)
            if (p[r] >= b / 10.0 && (b == 9 || p[r] < (b + 1) / 10.0))
                off += p[r] - fraud[r];
        ece += fabs(off) / ROWS;
    }
    const struct metrics m = metrics_compute(p, fraud, ROWS, 0.5);
    assert_near(m.ece, ece, 1e-13);
    assert_near(m.mean_probability, mean, 1e-13);
}

TEST_CASE(a_bin_holds_its_lower_edge_and_a_certain_and_wrong_score_costs_a_finite_loss)
{
    static const double at[] = {0, -0.0, 0.0999, 0.25, 0.5, 0.4999, 0.9, 1, 1, 1 - DBL_EPSILON};
    static const double expected[CALIBRATION_BINS] = {3, 0, 1, 0, 1, 1, 0, 0, 0, 4};
    struct tally t = {0}, wrong = {0};
    for (size_t i = 0; i < LENGTH(at); i++)
        tally_row(&t, at[i], 1, 0.5);
    assert_memory_equal(t.bin_rows, expected, sizeof expected);
    assert_memory_equal(t.bin_frauds, expected, sizeof expected);
    tally_row(&wrong, 1, 0, 1);                                      // a score of 1 is an alert
    assert_near(wrong.log_loss, -log(2.220446049250313e-16), 1e-13); // numpy.finfo(float).eps
    assert_is(wrong.false_positives, 1);
}

// Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3, four decimals.
TEST_CASE(wilsons_interval_equals_the_published_ones)
{
    static const double counts[][2] = {{81, 263}, {15, 148}, {0, 20}, {1, 29}, {20, 20}};
    static const double published[][2] = {
        {0.2553, 0.3662}, {0.0624, 0.1605}, {0, 0.1611}, {0.0061, 0.1718}, {1 - 0.1611, 1}};
    for (size_t i = 0; i < 5; i++) {
        double low, high;
        wilson_interval(counts[i][0], counts[i][1], &low, &high);
        assert_near(low, published[i][0], 0.5e-4);
        assert_near(high, published[i][1], 0.5e-4);
    }
}

// ---- threshold ----------------------------------------------------------------------------------

static double cost_of(double threshold, double fraud, double alert)
{
    double cost = 0;
    for (int i = 0; i < ROWS; i++)
        if (label[i] >= 0)
            cost += score[i] >= threshold ? alert : label[i] * fraud;
    return cost;
}

static double alerts_of(double threshold)
{
    double alerts = 0;
    for (int i = 0; i < ROWS; i++)
        alerts += label[i] != LABEL_KNOWN_CARD && score[i] >= threshold;
    return alerts;
}

// A number of 7 digits below x or, with side 1, above it, nearer than a unit of the sixth.
static void assert_threshold(double threshold, double x, int side)
{
    assert_is(strtod(formatted("%.6e", threshold), NULL), threshold);
    assert_true(side > 0 ? threshold > x : threshold <= x);
    assert_near(threshold, x, 2e-6 * x);
}

// A budget's threshold is the lowest that makes no more alerts, of all rows but those of known
// cards; a cost's is the highest of the cheapest, of the rows with labels. 2 is no alert at all.
TEST_CASE(a_threshold_is_the_best_of_all_for_a_budget_or_costs)
{
    static const double budgets[] = {0.01, 1, 2, 4.6, 20, 100, 400, 1000};
    int no_alert = 0;
    seed = 21;
    for (int run = 0; run < 100; run++) {
        const uint64_t levels = 2 + draw(run % 3 ? 60 : 200);
        const double fraud = (double)(1 + draw(30)), alert = (double)(1 + draw(4));
        double highest[2] = {0}, best[2] = {2, 2}; // by budget, by cost
        for (int i = 0; i < ROWS; i++) {
            score[i] = (double)draw(levels) / (double)(levels - (run & 1)); // up to 1, or below
            label[i] = (int8_t)(draw(8) == 0 ? -1 - (int)draw(2) : (double)draw(60) < 9 * score[i]);
            highest[0] = label[i] == LABEL_KNOWN_CARD ? highest[0] : fmax(highest[0], score[i]);
            highest[1] = label[i] < 0 ? highest[1] : fmax(highest[1], score[i]);
        }
        for (int i = 0; i < ROWS; i++) {
            const double cost = cost_of(score[i], fraud, alert),
                         least = cost_of(best[1], fraud, alert);
            if (label[i] != LABEL_KNOWN_CARD &&
                alerts_of(score[i]) <= fmax(1, round(budgets[run % 8])))
                best[0] = fmin(best[0], score[i]);
            if (label[i] >= 0 && (cost < least || (cost == least && score[i] > best[1])))
                best[1] = score[i];
        }
        no_alert += best[1] > 1;
        for (int k = 0; k < 2; k++) {
            const double threshold =
                threshold_choose(score, label, ROWS, k ? 0 : budgets[run % 8], fraud, alert);
            if (best[k] > 1 && highest[k] == 1)
                assert_is(threshold, 1);
            else
                assert_threshold(threshold, best[k] <= 1 ? best[k] : highest[k], best[k] > 1);
        }
    }
    assert_in_range(no_alert, 5, 95);
    for (int k = 0; k < 2; k++) // no row can be an alert
        assert_is(threshold_choose(score, label, 0, k ? 0 : 5, 200, 5), 1);
}

// ---- sorting ------------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

TEST_CASE(numbers_sort_like_qsort)
{
    static const double extremes[] = {INFINITY, -0.0, DBL_MAX, 5e-324, 0.0,
                                      -DBL_MAX, 1,    -5e-324, -1,     -INFINITY};
    static const size_t sizes[] = {0, 1, 2, 3, 10, 300, MANY, MANY};
    static double x[MANY], expected[MANY];
    for (size_t k = 0; k < 8; k++) {
        memcpy(x, extremes, sizeof extremes);
        for (size_t i = k == 7 ? 0 : 10; i < sizes[k];) { // all bits, or few values
            const uint64_t bits = draw(UINT64_C(1) << 31) << 33 | draw(UINT64_C(1) << 31) << 2;
            memcpy(&x[i], &bits, sizeof bits);
            x[i] = k == 7 ? (float)draw(3) - 1 : x[i];
            i += isfinite(x[i]) != 0;
        }
        memcpy(expected, x, sizeof x);
        qsort(expected, sizes[k], sizeof *x, compare);
        sort_doubles(x, sizes[k]);
        for (size_t i = 0; i < sizes[k]; i++)
            assert_true(x[i] == expected[i]);
        if (sizes[k] == 10)
            assert_true(signbit(x[4]) && !signbit(x[5]));
    }
}

// ---- cards --------------------------------------------------------------------------------------

static int8_t *judged; // of the last precision()
static uint64_t card[ROWS];
static int64_t seconds[ROWS];
static struct examples rows = {.label = label, .time = seconds, .card = card};

static void add(int64_t day, uint64_t of, double s, int8_t y)
{
    seconds[rows.rows] = day * DAY + 60;
    card[rows.rows] = of;
    score[rows.rows] = s;
    label[rows.rows++] = y;
}

// Days below 0 are the past, the others the test, whose rows are judged.
static int64_t delay = 7, history = 30, first_block; // in days

static double precision(void)
{
    struct row_range test = {0, rows.rows};
    while (test.first < rows.rows && seconds[test.first] < 0)
        test.first++;
    free(judged);
    judged = cards_judge(&rows, test, first_block, history * DAY, delay * DAY);
    return cards_precision(&rows, test, score + test.first, judged, NULL);
}

TEST_CASE(a_card_counts_once_a_day_with_its_highest_score_and_label_until_it_is_found)
{
    struct tally daily[2];
    rows.rows = 0;
    add(0, 7, 0.9, 0);
    add(0, 7, 0.1, 1);
    add(0, 8, 0.5, 1);
    assert_is(precision(), 0.02);
    add(1, 7, 0.9, 1);
    add(1, 9, 0.9, 1);
    assert_is(precision(), 0.015);
    cards_precision(&rows, (struct row_range){0, 5}, score, judged, daily);
    assert_is(daily[0].card_precision, 0.02);
    assert_is(daily[1].card_precision, 0.01);
}

TEST_CASE(the_hundred_highest_cards_of_a_day_are_checked_and_equal_scores_keep_the_order_of_rows)
{
    for (uint64_t flip = 0; flip < 2; flip++) {
        rows.rows = 0;
        for (uint64_t c = 0; c < 150; c++) // whatever the pseudonym
            add(0, flip ? 1000 - c : c, 0.5, c < 40 || c >= 100);
        assert_is(precision(), 0.4);
        score[149] = 0.6;
        assert_is(precision(), 0.41);
        score[0] = 0.4;
        assert_is(precision(), 0.4);
    }
}

TEST_CASE(a_card_is_left_out_from_the_day_after_the_label_of_a_fraud_became_known)
{
    static const int64_t delays[] = {3, 7, 20};
    for (int64_t i = 0; i < 12; i++) {
        delay = delays[i / 4];
        const int64_t day = i % 4 - delay - 2;
        const bool known = day + delay < 0;
        rows.rows = 0;
        add(day, 7, 0.9, 1);
        add(0, 7, 0.1, 1);
        add(0, 8, 0.9, 0);
        add(0, 9, 0.5, -1);
        add(1, 8, 0.9, 1);
        add(1, 8, 0.2, 0);                               // found, but the row still counts
        assert_is(precision(), known ? 0.01 / 2 : 0.01); // a day without cards to find counts, too
        const int8_t expected[] = {known ? LABEL_KNOWN_CARD : 1, 0, -1, 1, 0};
        assert_memory_equal(judged, expected, sizeof expected);
    }
}

TEST_CASE(each_block_of_seven_days_looks_back_as_far_as_the_first)
{
    static const int64_t days[] = {0, 7, 8, 13, 14, 15};
    delay = 7;
    for (history = 6; history <= 7; history++) {
        rows.rows = 0;
        for (size_t i = 0; i < 6; i++)
            add(days[i], 7, 0.1, i == 0); // the fraud of day 0 is known on day 7
        precision();
        // Days 7 to 13 look back to day 1 or to day 0, days 14 and 15 to day 7 or 8.
        const int8_t known = history < 7 ? 0 : LABEL_KNOWN_CARD;
        const int8_t expected[] = {1, 0, known, known, 0, 0};
        assert_memory_equal(judged, expected, sizeof expected);
    }
    history = 30;
}

TEST_CASE(blocks_may_begin_before_the_rows)
{
    static const int64_t days[] = {10, 17, 18, 20, 21, 24, 25};
    static const struct {
        int64_t block, history;
        int8_t known[7]; // the fraud of day 10 is known on day 17, so day 18 is the first
    } cases[] = {{10, 7, {0, 0, 1, 1, 1, 0, 0}}, // 10 to 16, 17 to 23, 24: from day 3, 10, 17 on
                 {7, 7, {0, 0, 1, 1, 0, 0, 0}},  // 7 to 13, 14 to 20, 21: from day 0, 7, 14 on
                 {8, 11, {0, 0, 1, 1, 1, 0, 0}}, // 8 to 14, 15 to 21, 22: from day -3, 4, 11 on
                 {0, 14, {0, 0, 1, 1, 1, 1, 1}}};
    delay = 7;
    for (size_t c = 0; c < LENGTH(cases); c++) {
        rows.rows = 0;
        for (size_t i = 0; i < 7; i++)
            add(days[i], 7, 0.1, i == 0);
        first_block = cases[c].block;
        history = cases[c].history;
        precision();
        for (size_t i = 1; i < 7; i++)
            assert_int_equal(judged[i], cases[c].known[i] ? LABEL_KNOWN_CARD : 0);
    }
    first_block = 0;
    history = 30;
}

TEST_CASE(frauds_of_an_earlier_table_count_until_the_table_begins)
{
    static const int64_t times[] = {-9 * DAY, -8 * DAY, -1 * DAY, 60};
    static const uint64_t cards[] = {6, 7, 7, 8}; // the last is of the table's own time
    static const int8_t labels[] = {1, 1, 1, 1};
    const struct examples before = {.rows = 4, .time = times, .card = cards, .label = labels};
    delay = 7;
    history = 8;
    rows.rows = 0;
    add(0, 6, 0.1, 0); // of day -9, before the history
    add(0, 7, 0.1, 0); // of day -8, known on day -1
    add(8, 7, 0.1, 0); // that of day -8 is too old, that of day -1 has been known since day 6
    add(9, 8, 0.1, 0);
    rows.before = &before;
    precision();
    static const int8_t expected[] = {0, LABEL_KNOWN_CARD, LABEL_KNOWN_CARD, 0};
    assert_memory_equal(judged, expected, sizeof expected);
    rows.before = NULL;
    precision();
    assert_memory_equal(judged, "\0\0\0", 4);
    history = 30;
}

TESTS(NULL, NULL)
