// threshold: the budget against counts of alerts, the costs against every threshold there is.
#include "train/metrics.h"
#include "train/threshold.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROWS = 200 };

static uint64_t seed;

static uint64_t draw(uint64_t m)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % m;
}

static double choose(const double *score, const int8_t *judged, size_t n, double days,
                     const struct settings *s)
{
    double threshold = NAN;
    struct err err = {""};
    if (threshold_choose(&threshold, score, judged, n, days, s, &err))
        fail_msg("%s", err.msg);
    return threshold;
}

static double by_budget(const double *score, const int8_t *judged, size_t n, int64_t a_day,
                        double days)
{
    const struct settings s = {.alerts_per_day = a_day, .cost_fraud = 200, .cost_alert = 5};
    return choose(score, judged, n, days, &s);
}

static double by_cost(const double *score, const int8_t *judged, size_t n, double fraud,
                      double alert)
{
    const struct settings s = {
        .alerts_per_day = 3, .by_cost = true, .cost_fraud = fraud, .cost_alert = alert};
    return choose(score, judged, n, 7, &s);
}

static void assert_is(double got, double expected)
{
    if (got != expected)
        fail_msg("%.17g is not %.17g", got, expected);
}

// ---- budget ----------------------------------------------------------------------------------------

// Scores 1/8 .. 7/8: a known card's, two unknown, frauds and genuine.
static const double seven[] = {0.25, 0.875, 0.5, 0.125, 0.75, 0.375, 0.625};
static const int8_t of_seven[] = {0, LABEL_KNOWN_CARD, LABEL_UNKNOWN, 1, 0, 1, LABEL_UNKNOWN};

static void the_budget_is_the_rank_among_the_rows_that_can_be_alerts(void **state)
{
    (void)state;
    assert_is(by_budget(seven, of_seven, 7, 1, 1), 0.75);
    assert_is(by_budget(seven, of_seven, 7, 1, 2), 0.625);
    assert_is(by_budget(seven, of_seven, 7, 2, 2), 0.375);
    assert_is(by_budget(seven, of_seven, 7, 2, 2.3), 0.25); // 4.6 alerts are 5
    assert_is(by_budget(seven, of_seven, 7, 3, 2), 0.125);
}

static void scores_that_tie_are_alerts_together_or_not_at_all(void **state)
{
    (void)state;
    static const double tied[] = {0.1, 0.5, 0.5, 0.5, 0.9};
    static const int8_t of_tied[] = {0, 0, 1, 0, 1};
    assert_is(by_budget(tied, of_tied, 5, 1, 1), 0.9);
    assert_is(by_budget(tied, of_tied, 5, 2, 1), 0.9); // 0.5 would be four alerts
    assert_is(by_budget(tied, of_tied, 5, 3, 1), 0.9);
    assert_is(by_budget(tied, of_tied, 5, 4, 1), 0.5);
    assert_is(by_budget(tied + 1, of_tied + 1, 3, 2, 1), nextafter(0.5, 1)); // no alert
    assert_is(by_budget(tied + 1, of_tied + 1, 3, 3, 1), 0.5);
    static const double ones[] = {1, 1};
    static const int8_t of_ones[] = {1, 1};
    assert_is(by_budget(ones, of_ones, 2, 1, 1), 1); // a probability cannot be more
}

static void a_budget_beyond_the_rows_makes_all_of_them_alerts(void **state)
{
    (void)state;
    assert_is(by_budget(seven, of_seven, 7, 7, 1), 0.125); // one more than there are
    assert_is(by_budget(seven, of_seven, 7, 100, 7), 0.125);
}

static void a_budget_of_less_than_one_alert_is_one(void **state)
{
    (void)state;
    assert_is(by_budget(seven, of_seven, 7, 1, 0.01), 0.75);
}

static void without_a_row_that_can_be_an_alert_the_threshold_is_1(void **state)
{
    (void)state;
    const double score[] = {0.5, 0.25};
    const int8_t known[] = {LABEL_KNOWN_CARD, LABEL_KNOWN_CARD}, unknown[] = {-1, -1};
    assert_is(by_budget(score, known, 0, 5, 7), 1);
    assert_is(by_budget(score, known, 2, 5, 7), 1);
    assert_is(by_cost(score, known, 0, 200, 5), 1);
    assert_is(by_cost(score, known, 2, 200, 5), 1);
    assert_is(by_cost(score, unknown, 2, 200, 5), 1);
}

// ---- costs -----------------------------------------------------------------------------------------

static double cost_of(double threshold, const double *score, const int8_t *judged, double fraud,
                      double alert)
{
    double cost = 0;
    for (int i = 0; i < ROWS; i++) {
        if (judged[i] != 0 && judged[i] != 1)
            continue;
        if (score[i] >= threshold)
            cost += alert;
        else
            cost += judged[i] ? fraud : 0;
    }
    return cost;
}

static void
the_costs_are_the_lowest_of_all_thresholds_and_of_equal_ones_the_highest_wins(void **state)
{
    (void)state;
    int no_alert = 0, ties = 0;
    seed = 21;
    for (int run = 0; run < 300; run++) {
        double score[ROWS], best = 2; // no alert at all
        int8_t judged[ROWS];
        const uint64_t levels = 2 + draw(60);
        for (int i = 0; i < ROWS; i++) {
            score[i] = (double)draw(levels) / (double)(levels - (run & 1)); // up to 1, or below
            judged[i] =
                (int8_t)(draw(8) == 0 ? -1 - (int)draw(2) : (double)draw(60) < 9 * score[i]);
        }
        const double fraud = (double)(1 + draw(30)), alert = (double)(1 + draw(4));
        for (int i = 0; i < ROWS; i++) {
            double cost = cost_of(score[i], score, judged, fraud, alert);
            double lowest = cost_of(best, score, judged, fraud, alert);
            if (judged[i] >= 0 && (cost < lowest || (cost == lowest && score[i] > best)))
                best = score[i];
            ties += cost == lowest && score[i] != best;
        }
        double got = by_cost(score, judged, ROWS, fraud, alert);
        if (best <= 1) {
            assert_is(got, best);
            continue;
        }
        no_alert++;
        double highest = 0;
        for (int i = 0; i < ROWS; i++)
            highest = judged[i] >= 0 ? fmax(highest, score[i]) : highest;
        assert_is(got, highest < 1 ? nextafter(highest, 1) : 1);
    }
    assert_in_range(no_alert, 20, 280);
    assert_true(ties > 0);
}

static void where_no_alert_is_worth_its_cost_the_threshold_is_just_above_the_scores(void **state)
{
    (void)state;
    const double score[] = {0.25, 0.75, 0.5}, highest[] = {0.25, 1, 0.5};
    const int8_t genuine[] = {0, 0, 0}, mixed[] = {0, 0, 1};
    assert_is(by_cost(score, genuine, 3, 200, 5), nextafter(0.75, 1));
    assert_is(by_cost(highest, genuine, 3, 200, 5), 1);
    assert_is(by_cost(score, mixed, 3, 9, 5), nextafter(0.75, 1));
    assert_is(by_cost(score, mixed, 3, 10, 5),
              nextafter(0.75, 1)); // two alerts cost what they save
    assert_is(by_cost(score, mixed, 3, 11, 5), 0.5);
}

static void costs_leave_unknown_labels_and_known_cards_aside(void **state)
{
    (void)state;
    const double score[] = {0.9, 0.75, 0.5, 0.95, 0.5, 0.5};
    const int8_t judged[] = {LABEL_UNKNOWN, 0, 1, LABEL_KNOWN_CARD, LABEL_UNKNOWN, LABEL_UNKNOWN};
    assert_is(by_cost(score, judged, 6, 11, 5), 0.5);
    assert_is(by_cost(score, judged, 6, 9, 5), nextafter(0.75, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_budget_is_the_rank_among_the_rows_that_can_be_alerts),
        cmocka_unit_test(scores_that_tie_are_alerts_together_or_not_at_all),
        cmocka_unit_test(a_budget_beyond_the_rows_makes_all_of_them_alerts),
        cmocka_unit_test(a_budget_of_less_than_one_alert_is_one),
        cmocka_unit_test(without_a_row_that_can_be_an_alert_the_threshold_is_1),
        cmocka_unit_test(
            the_costs_are_the_lowest_of_all_thresholds_and_of_equal_ones_the_highest_wins),
        cmocka_unit_test(where_no_alert_is_worth_its_cost_the_threshold_is_just_above_the_scores),
        cmocka_unit_test(costs_leave_unknown_labels_and_known_cards_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
