// cards: which rows are left out because their card is known to be stolen, and card precision,
// against cases by hand.
#include "train/cards.h"

#include "tests/training.h"
#include "train/metrics.h"

enum { MAX_ROWS = 300 };

static double score[MAX_ROWS];
static int8_t label[MAX_ROWS], judged[MAX_ROWS];
static uint64_t card[MAX_ROWS];
static int64_t seconds[MAX_ROWS];
static struct examples rows;

static int no_rows(void **state)
{
    (void)state;
    rows = (struct examples){.label = label, .time = seconds, .card = card};
    return 0;
}

static void add(int64_t day, uint64_t of, double s, int8_t y)
{
    seconds[rows.rows] = day * DAY + 60;
    card[rows.rows] = of;
    score[rows.rows] = s;
    label[rows.rows++] = y;
}

// Days below 0 are the past, the others the test, whose rows are judged.
static double precision(void)
{
    struct row_range test = {0, rows.rows};
    while (test.first < rows.rows && seconds[test.first] < 0)
        test.first++;
    cards_judge(&rows, 0, test, judged);
    return cards_precision(&rows, test, score + test.first, judged, NULL);
}

TEST(a_card_counts_once_a_day_with_its_highest_score_and_label)
{
    add(0, 7, 0.9, 0);
    add(0, 7, 0.1, 1);
    add(0, 8, 0.5, 1);
    assert_is(precision(), 0.02);
}

TEST(only_the_hundred_highest_cards_of_a_day_are_checked)
{
    for (uint64_t c = 0; c < 100; c++)
        add(0, c, 0.5, c < 3);
    add(0, 500, 0.4, 1);
    assert_is(precision(), 0.03);
    score[rows.rows - 1] = 0.6;
    assert_is(precision(), 0.04);
}

TEST(equal_scores_keep_the_order_of_rows_whatever_the_cards_pseudonyms)
{
    for (uint64_t flip = 0; flip < 2; flip++) {
        rows.rows = 0;
        for (uint64_t c = 0; c < 150; c++)
            add(0, flip ? 1000 - c : c, 0.5, c < 40 || c >= 100);
        assert_is(precision(), 0.4);
    }
}

TEST(a_card_found_on_an_earlier_day_is_not_found_again)
{
    double daily[2];
    add(0, 7, 0.9, 1);
    add(1, 7, 0.9, 1);
    add(1, 8, 0.9, 1);
    add(1, 9, 0.9, 1);
    assert_is(precision(), 0.015);
    cards_precision(&rows, (struct row_range){0, 4}, score, judged, daily);
    assert_is(daily[0], 0.01);
    assert_is(daily[1], 0.02);
}

TEST(a_card_with_a_fraud_of_more_than_a_week_ago_is_left_out)
{
    for (int64_t day = -9; day <= -6; day++) {
        rows.rows = 0;
        add(day, 7, 0.9, 1);
        add(0, 7, 0.1, 1);
        add(0, 8, 0.9, 0);
        add(0, 9, 0.5, -1);
        add(1, 8, 0.9, 1);
        add(1, 8, 0.2, 0); // found, but the row still counts
        // day 0 − 8 is the last whose labels are known; a day without cards to find counts, too
        assert_is(precision(), day <= -8 ? 0.01 / 2 : 0.01);
        const int8_t expected[] = {day <= -8 ? LABEL_KNOWN_CARD : 1, 0, -1, 1, 0};
        assert_memory_equal(judged, expected, sizeof expected);
    }
}

#define cards_test(f) cmocka_unit_test_setup(f, no_rows)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cards_test(a_card_counts_once_a_day_with_its_highest_score_and_label),
        cards_test(only_the_hundred_highest_cards_of_a_day_are_checked),
        cards_test(equal_scores_keep_the_order_of_rows_whatever_the_cards_pseudonyms),
        cards_test(a_card_found_on_an_earlier_day_is_not_found_again),
        cards_test(a_card_with_a_fraud_of_more_than_a_week_ago_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
