// metrics against scikit-learn on scores full of ties, and card precision against cases by hand.
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
#include "train/cards.h"
#include "train/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 500, MAX_ROWS = 1000, DAY = 86400 };

struct rows {
    double score[MAX_ROWS];
    int8_t label[MAX_ROWS];
    uint64_t card[MAX_ROWS];
    int64_t time[MAX_ROWS];
    uint64_t n;
};

static uint64_t draw(uint64_t *state, uint64_t m)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % m;
}

static void sample_make(struct rows *s)
{
    uint64_t state = 99;
    *s = (struct rows){.n = ROWS};
    for (int r = 0; r < ROWS; r++) {
        s->label[r] = draw(&state, 5) == 0;
        s->score[r] = ((double)draw(&state, 16) + 4 * s->label[r]) / 20;
    }
}

static void add(struct rows *s, int64_t day, uint64_t card, double score, int8_t label)
{
    s->time[s->n] = day * DAY + 60;
    s->card[s->n] = card;
    s->score[s->n] = score;
    s->label[s->n++] = label;
}

static void compute(struct metrics *m, const struct rows *s, double threshold)
{
    struct err err;
    assert_int_equal(metrics_compute(m, s->score, s->label, s->n, threshold, &err), 0);
}

// The metrics as training takes them: days below 0 are the past, the others the test window.
static struct metrics measure_cards(const struct rows *s)
{
    struct card_rows c = {s->card, s->time, s->label, 0, {0, s->n}};
    while (c.test.first < s->n && s->time[c.test.first] < 0)
        c.test.first++;
    struct err err;
    struct metrics m;
    int8_t judged[ROWS];
    const double *score = s->score + c.test.first;
    assert_int_equal(cards_judge(&c, judged, &err), 0);
    assert_int_equal(metrics_compute(&m, score, judged, s->n - c.test.first, 0.5, &err), 0);
    assert_int_equal(cards_precision(&m.card_precision_at_100, NULL, &c, score, judged, &err), 0);
    return m;
}

static double cards(const struct rows *s)
{
    return measure_cards(s).card_precision_at_100;
}

static void assert_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-13))
        fail_msg("%.17g is not %.17g", got, expected);
}

static void assert_scikit_learns_values(const struct metrics *m)
{
    assert_int_equal(m->tally.rows, 500);
    assert_int_equal(m->tally.frauds, 97);
    assert_near(m->roc_auc, 0.71969251234299458);
    assert_near(m->average_precision, 0.50049233253495917);
    assert_near(m->log_loss, 0.56505197296683651);
    assert_near(m->brier, 0.20013999999999998);
    assert_near(m->precision, 0.532258064516129);
    assert_near(m->recall, 0.34020618556701032);
    assert_near(m->f1, 0.41509433962264153);
    assert_int_equal(m->tally.true_negatives, 374);
    assert_int_equal(m->tally.false_positives, 29);
    assert_int_equal(m->tally.false_negatives, 64);
    assert_int_equal(m->tally.true_positives, 33);
}

static void metrics_equal_scikit_learns_with_tied_scores(void **state)
{
    (void)state;
    struct rows s;
    struct metrics m;
    sample_make(&s);
    compute(&m, &s, 0.75);
    assert_scikit_learns_values(&m);
    assert_int_equal(m.tally.unknown_labels, 0);
}

static void rows_of_unknown_label_are_counted_and_not_judged(void **state)
{
    (void)state;
    struct rows s;
    struct metrics m;
    sample_make(&s);
    for (int i = 0; i < 40; i++)
        add(&s, 0, 0, 0.025 * i, -1);
    compute(&m, &s, 0.75);
    assert_scikit_learns_values(&m);
    assert_int_equal(m.tally.unknown_labels, 40);
}

static void the_area_under_the_curve_is_the_share_of_pairs_in_order(void **state)
{
    (void)state;
    struct rows s;
    struct ranking k;
    struct err err;
    sample_make(&s);
    double in_order = 0, pairs = 0;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++)
            if (s.label[i] == 1 && s.label[j] == 0) {
                in_order += s.score[i] > s.score[j] ? 1 : s.score[i] == s.score[j] ? 0.5 : 0;
                pairs++;
            }
    assert_int_equal(ranking_make(&k, s.score, s.label, ROWS, &err), 0);
    assert_near(ranking_roc_auc(&k), in_order / pairs);
    ranking_release(&k);
}

static void a_ranking_holds_each_score_once_with_the_rows_at_or_above_it(void **state)
{
    (void)state;
    const double score[] = {0.5, 0.25, 1, 0.5, 0, -0.0, 0.5};
    const int8_t label[] = {1, 0, 1, 0, 1, 0, -1};
    struct ranking k;
    struct err err;
    assert_int_equal(ranking_make(&k, score, label, 7, &err), 0);
    assert_int_equal(k.n, 4);
    const double scores[] = {1, 0.5, 0.25, 0};
    const uint64_t frauds[] = {1, 2, 2, 3}, genuine[] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++)
        assert_true(k.score[i] == scores[i]);
    assert_memory_equal(k.frauds, frauds, sizeof frauds);
    assert_memory_equal(k.genuine, genuine, sizeof genuine);
    ranking_release(&k);
}

static void a_metric_without_a_meaning_is_null_in_json(void **state)
{
    (void)state;
    struct rows none = {.n = 0}, genuine = {.n = 0};
    struct metrics m;
    add(&genuine, 0, 1, 0.1, 0);
    add(&genuine, 0, 2, 0.2, 0);
    compute(&m, &genuine, 0.5);
    json_t *j = metrics_to_json(&m);
    assert_non_null(j);
    static const char *const undefined[] = {
        "roc_auc", "average_precision", "card_precision_at_100", "precision", "recall", "f1"};
    for (size_t i = 0; i < sizeof undefined / sizeof *undefined; i++)
        assert_true(json_is_null(json_object_get(j, undefined[i])));
    assert_near(json_real_value(json_object_get(j, "brier")), 0.025);
    json_decref(j);
    compute(&m, &none, 0.5);
    j = metrics_to_json(&m);
    assert_true(json_is_null(json_object_get(j, "log_loss")));
    assert_true(json_is_null(json_object_get(j, "brier")));
    assert_int_equal(json_integer_value(json_object_get(j, "rows")), 0);
    json_decref(j);
}

static void a_score_equal_to_the_threshold_is_an_alert(void **state)
{
    (void)state;
    struct rows s = {.n = 0};
    struct metrics m;
    add(&s, 0, 1, 0.5, 1);
    add(&s, 0, 2, 0.25, 0);
    compute(&m, &s, 0.5);
    assert_int_equal(m.tally.true_positives, 1);
    assert_int_equal(m.tally.false_positives, 0);
    assert_near(m.precision, 1);
    assert_near(m.recall, 1);
}

static void a_certain_and_wrong_score_costs_a_finite_loss(void **state)
{
    (void)state;
    struct rows s = {.n = 0};
    struct metrics m;
    add(&s, 0, 1, 0, 1);
    compute(&m, &s, 0.5);
    assert_near(m.log_loss, -log(2.220446049250313e-16)); // numpy.finfo(float).eps
}

static void a_card_counts_once_a_day_with_its_highest_score_and_label(void **state)
{
    (void)state;
    struct rows s = {.n = 0};
    add(&s, 0, 7, 0.9, 0);
    add(&s, 0, 7, 0.1, 1);
    add(&s, 0, 8, 0.5, 1);
    assert_near(cards(&s), 0.02);
}

static void only_the_hundred_highest_cards_of_a_day_are_checked(void **state)
{
    (void)state;
    struct rows s = {.n = 0};
    for (uint64_t c = 0; c < 100; c++)
        add(&s, 0, c, 0.5, c < 3);
    add(&s, 0, 500, 0.4, 1);
    assert_near(cards(&s), 0.03);
    s.score[s.n - 1] = 0.6;
    assert_near(cards(&s), 0.04);
}

static void equal_scores_stand_in_the_order_of_rows_whatever_the_cards_pseudonyms(void **state)
{
    (void)state;
    for (uint64_t flip = 0; flip < 2; flip++) {
        struct rows s = {.n = 0};
        for (uint64_t c = 0; c < 150; c++)
            add(&s, 0, flip ? 1000 - c : c, 0.5, c < 40 || c >= 100);
        assert_near(cards(&s), 0.4);
    }
}

static void a_card_found_on_an_earlier_day_is_left_out(void **state)
{
    (void)state;
    struct rows s = {.n = 0};
    add(&s, 0, 7, 0.9, 1);
    add(&s, 1, 7, 0.9, 1);
    add(&s, 1, 8, 0.9, 1);
    assert_near(cards(&s), (0.01 + 0.01) / 2);
}

static void a_card_whose_fraud_is_known_for_more_than_a_week_is_left_out(void **state)
{
    (void)state;
    for (int64_t day = -9; day <= -6; day++) {
        struct rows s = {.n = 0};
        add(&s, day, 7, 0.9, 1);
        add(&s, 0, 7, 0.9, 1);
        add(&s, 0, 8, 0.9, 0);
        // day 0 − 8 is the last whose labels are known
        assert_near(cards(&s), day <= -8 ? 0 : 0.01);
    }
}

static void a_day_whose_cards_are_all_left_out_counts_as_nothing_found(void **state)
{
    (void)state;
    struct rows s = {.n = 0};
    add(&s, -20, 7, 0.9, 1);
    add(&s, 0, 7, 0.9, 1);
    add(&s, 1, 8, 0.9, 1);
    assert_near(cards(&s), 0.01 / 2);
}

static void rows_of_known_cards_are_left_out_of_all_metrics(void **state)
{
    (void)state;
    struct rows s = {.n = 0};
    add(&s, -8, 7, 0.9, 1);
    add(&s, 0, 7, 0.1, 1); // known
    add(&s, 0, 8, 0.9, 1);
    add(&s, 0, 9, 0.5, 0);
    add(&s, 0, 10, 0.6, -1);
    add(&s, 0, 8, 0.2, 0); // found, but its rows count in the ranking
    struct metrics m = measure_cards(&s);
    assert_int_equal(m.tally.rows, 3);
    assert_int_equal(m.tally.frauds, 1);
    assert_int_equal(m.tally.known_cards, 1);
    assert_int_equal(m.tally.unknown_labels, 1);
    assert_near(m.roc_auc, 1);
    assert_near(m.average_precision, 1);
    assert_near(m.precision, 0.5);
    assert_near(m.recall, 1);
}

static void without_cards_every_row_counts_and_there_is_no_card_precision(void **state)
{
    (void)state;
    int64_t time[2] = {0, DAY};
    int8_t label[2] = {1, -1}, judged[2];
    double score[2] = {0.5, 0.5}, precision = 0;
    struct card_rows c = {NULL, time, label, 0, {0, 2}};
    struct err err;
    assert_int_equal(cards_judge(&c, judged, &err), 0);
    assert_memory_equal(judged, label, 2);
    assert_int_equal(cards_precision(&precision, NULL, &c, score, judged, &err), 0);
    assert_true(isnan(precision));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_equal_scikit_learns_with_tied_scores),
        cmocka_unit_test(rows_of_unknown_label_are_counted_and_not_judged),
        cmocka_unit_test(the_area_under_the_curve_is_the_share_of_pairs_in_order),
        cmocka_unit_test(a_ranking_holds_each_score_once_with_the_rows_at_or_above_it),
        cmocka_unit_test(a_metric_without_a_meaning_is_null_in_json),
        cmocka_unit_test(a_score_equal_to_the_threshold_is_an_alert),
        cmocka_unit_test(a_certain_and_wrong_score_costs_a_finite_loss),
        cmocka_unit_test(a_card_counts_once_a_day_with_its_highest_score_and_label),
        cmocka_unit_test(only_the_hundred_highest_cards_of_a_day_are_checked),
        cmocka_unit_test(equal_scores_stand_in_the_order_of_rows_whatever_the_cards_pseudonyms),
        cmocka_unit_test(a_card_found_on_an_earlier_day_is_left_out),
        cmocka_unit_test(a_card_whose_fraud_is_known_for_more_than_a_week_is_left_out),
        cmocka_unit_test(a_day_whose_cards_are_all_left_out_counts_as_nothing_found),
        cmocka_unit_test(rows_of_known_cards_are_left_out_of_all_metrics),
        cmocka_unit_test(without_cards_every_row_counts_and_there_is_no_card_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
