// Performance without labels against sums over all pairs of rows, and alerts a day against the rows
// of each day.
#include "monitor/comparison.h"

#include "tests/training.h"

enum { ROWS = 300, DAYS = 6 };
static const double THRESHOLD = 0.5;

static int64_t seconds[ROWS];
static double score[ROWS];
static int8_t judged[ROWS];

// Scores with ties; labels of all kinds, which only matter where a card is known.
static void fill(void)
{
    seed = 5;
    for (size_t i = 0; i < ROWS; i++) {
        seconds[i] = (int64_t)(i * DAYS * DAY / ROWS);
        score[i] = (double)draw(40) / 40;
        judged[i] = (int8_t)(1 - (int)draw(4));
    }
}

// By definition: each row is p frauds, found at its own score; every other row at or above that
// score counts p frauds and 1 - p genuine rows.
static struct estimate slow(double threshold)
{
    double frauds = 0, found = 0, alerts = 0, precisions = 0;
    for (size_t i = 0; i < ROWS; i++) {
        double above = 0, genuine = 0;
        for (size_t k = 0; k < ROWS; k++) {
            const double counts = judged[k] != LABEL_KNOWN_CARD && score[k] >= score[i];
            above += counts * score[k];
            genuine += counts * (1 - score[k]);
        }
        if (judged[i] == LABEL_KNOWN_CARD)
            continue;
        frauds += score[i];
        alerts += score[i] >= threshold;
        found += score[i] >= threshold ? score[i] : 0;
        precisions += score[i] * above / (above + genuine);
    }
    return (struct estimate){precisions / frauds, found / alerts, found / frauds};
}

TEST_CASE(the_estimate_counts_each_row_as_p_frauds_and_the_rest_genuine)
{
    fill();
    const double thresholds[] = {0, 0.25, THRESHOLD, 0.974};
    for (size_t i = 0; i < 4; i++) {
        const struct estimate e = estimate_make(score, judged, ROWS, thresholds[i]);
        const struct estimate s = slow(thresholds[i]);
        assert_near(e.average_precision, s.average_precision, 1e-12);
        assert_near(e.precision, s.precision, 1e-12);
        assert_near(e.recall, s.recall, 1e-12);
    }
}

TEST_CASE(what_cannot_be_estimated_is_nan)
{
    const double low[] = {0.1, 0.3};
    const int8_t unknown[] = {LABEL_UNKNOWN, LABEL_UNKNOWN};
    struct estimate e = estimate_make(low, unknown, 2, THRESHOLD);
    assert_is(e.precision, NAN); // no alert
    assert_near(e.recall, 0, 0);
    assert_near(e.average_precision, (0.3 * 0.3 + 0.1 * 0.2) / 0.4, 1e-15);
    e = estimate_make(low, unknown, 0, THRESHOLD);
    assert_is(e.average_precision, NAN);
    assert_is(e.recall, NAN);
}

// Where probabilities are the shares of frauds, frauds drawn by them have the estimated metrics.
TEST_CASE(the_estimate_is_the_mean_of_what_happens_to_frauds_drawn_by_the_probabilities)
{
    enum { DRAWS = 400 };
    double ap = 0, precision = 0, recall = 0;
    fill();
    for (size_t i = 0; i < ROWS; i++)
        judged[i] = 0;
    const struct estimate e = estimate_make(score, judged, ROWS, THRESHOLD);
    for (size_t d = 0; d < DRAWS; d++) {
        for (size_t i = 0; i < ROWS; i++)
            judged[i] = (double)draw(1 << 24) / (1 << 24) < score[i];
        const struct metrics m = metrics_compute(score, judged, ROWS, THRESHOLD);
        ap += m.average_precision / DRAWS;
        precision += m.precision / DRAWS;
        recall += m.recall / DRAWS;
    }
    assert_near(ap, e.average_precision, 0.01);
    assert_near(precision, e.precision, 0.01);
    assert_near(recall, e.recall, 0.01);
}

TEST_CASE(alerts_are_counted_with_and_without_labels_but_not_those_of_known_cards)
{
    const struct examples e = {.time = seconds};
    struct interval i;
    double alerts = 0, most = 0, least = ROWS, of_day[DAYS] = {0};
    fill();
    for (size_t r = 0; r < ROWS; r++)
        of_day[seconds[r] / DAY] += judged[r] != LABEL_KNOWN_CARD && score[r] >= THRESHOLD;
    for (size_t d = 0; d < DAYS; d++) {
        alerts += of_day[d];
        most = fmax(most, of_day[d]);
        least = fmin(least, of_day[d]);
    }
    assert_is(alerts_per_day(&e, (struct row_range){0, ROWS}, score, judged, THRESHOLD, &i),
              alerts / DAYS);
    assert_true(least < i.low && i.low < alerts / DAYS && alerts / DAYS < i.high && i.high < most);
    // Four days are too few to draw, so hours are drawn; the rate stays that of days.
    const size_t rows = ROWS * 4 / DAYS;
    alerts = of_day[0] + of_day[1] + of_day[2] + of_day[3];
    assert_near(alerts_per_day(&e, (struct row_range){0, rows}, score, judged, THRESHOLD, &i),
                alerts / 4, alerts / 4 * 0.01);
    assert_is(alerts_per_day(&e, (struct row_range){0, 1}, score, judged, THRESHOLD, &i), NAN);
}

TESTS(NULL, NULL)
