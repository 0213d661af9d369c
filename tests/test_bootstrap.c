// bootstrap against the slow way: the metrics of the rows of the drawn days, one after the other.
#include "train/bootstrap.h"

#include "tests/training.h"

enum { MAX_ROWS = 4000, PAST = 3 };
enum { ROC_AUC, AVERAGE_PRECISION, CARD_PRECISION, LOG_LOSS, BRIER, ECE, PRECISION, RECALL };

static const double THRESHOLD = 0.5;

// Three rows of the past are before the test's; scores and judged labels are of the test alone.
static size_t n;
static int64_t seconds[PAST + MAX_ROWS];
static uint64_t card[PAST + MAX_ROWS];
static double score[MAX_ROWS];
static int8_t judged[MAX_ROWS];

static void no_rows(void)
{
    n = 0;
    seed = 17;
    for (int i = 0; i < PAST; i++)
        seconds[i] = -900 * DAY;
}

// Every row has its own card.
static void add(int64_t time, double s, int8_t label)
{
    seconds[PAST + n] = time;
    card[PAST + n] = 1000 + n;
    score[n] = s;
    judged[n++] = label;
}

// Scores of few values, so that frauds and genuine rows are tied, and labels of all kinds; units without a
// fraud, one that is nearly empty and one that is wholly unknown. Times go through 0.
static void sample_ties(int units, int64_t unit_seconds)
{
    no_rows();
    for (int u = 0; u < units; u++) {
        const int rows = u == 3 ? 2 : 20 + (int)draw(60);
        for (int r = 0; r < rows; r++) {
            int8_t label = (int8_t)(u % 3 != 1 && draw(5) == 0);
            const double s = (double)(draw(9) + (label ? 4 : 0)) / 12; // 0 .. 1
            if (u == 6 || draw(8) == 0)
                label = (int8_t)(-1 - (int)draw(2));
            add((u - 4) * unit_seconds + r * unit_seconds / rows, s, label);
        }
    }
}

static void sample_days(int days, int per_day)
{
    no_rows();
    for (int d = 0; d < days; d++)
        for (int r = 0; r < per_day; r++) {
            const int8_t label = (int8_t)(draw(4) == 0);
            add((int64_t)d * DAY + r, (double)(draw(1000) + (label ? 500 : 0)) / 1500, label);
        }
}

static struct bootstrap run_scores(const double *scores, bool cards)
{
    const struct examples e = {.time = seconds, .card = cards ? card : NULL};
    struct bootstrap b;
    bootstrap_run(&b, &e, (struct row_range){PAST, PAST + n}, scores, judged, THRESHOLD);
    return b;
}

static struct bootstrap run(void)
{
    return run_scores(score, true);
}

static void assert_interval(struct interval i, double low, double high)
{
    assert_near(i.low, low, 1e-12);
    assert_near(i.high, high, 1e-12);
}

static void assert_no_interval(const struct bootstrap *b, size_t metric)
{
    assert_interval(bootstrap_interval(b, NULL, metric), NAN, NAN);
    assert_interval(bootstrap_interval(b, b, metric), NAN, NAN);
}

static double width(const struct bootstrap *a, const struct bootstrap *b, size_t metric)
{
    const struct interval i = bootstrap_interval(a, b, metric);
    return i.high - i.low;
}

// ---- the slow way ----------------------------------------------------------------------------------

// xorshift64* (Vigna, ACM TOMS 42, 2016) from the seed 1; its upper half as a share of units.
static size_t draw_unit(uint64_t *x, size_t units)
{
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return (size_t)((*x * UINT64_C(2685821657736338717) >> 32) * units >> 32);
}

static double unit_of(size_t row, int64_t unit_seconds)
{
    return floor((double)seconds[PAST + row] / (double)unit_seconds);
}

static void assert_replicates(const struct bootstrap *b, const char *unit, size_t units,
                              int64_t unit_seconds)
{
    static double scores[4 * MAX_ROWS];
    static int8_t labels[4 * MAX_ROWS];
    uint64_t x = 1;
    assert_string_equal(b->unit, unit);
    assert_int_equal(b->units, units);
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        size_t rows = 0;
        for (size_t i = 0; i < units; i++) {
            const size_t drawn = draw_unit(&x, units);
            for (size_t row = 0, at = 0; row < n; row++) {
                at += row > 0 && unit_of(row, unit_seconds) != unit_of(row - 1, unit_seconds);
                if (at != drawn)
                    continue;
                assert_true(rows < (size_t)4 * MAX_ROWS);
                scores[rows] = score[row];
                labels[rows++] = judged[row];
            }
        }
        const struct metrics m = metrics_compute(scores, labels, rows, THRESHOLD);
        for (size_t k = 0; k < N_METRICS; k++)
            if (k != CARD_PRECISION)
                assert_near(b->values[r][k], metrics_get(&m, k), 1e-12);
    }
}

static void a_replicate_has_the_metrics_of_the_rows_of_the_drawn_days(void **state)
{
    (void)state;
    sample_ties(9, DAY);
    struct bootstrap b = run(), again = run();
    assert_replicates(&b, "day", 9, DAY);
    assert_memory_equal(b.values, again.values, BOOTSTRAP_REPLICATES * sizeof *b.values);
    bootstrap_release(&b);
    bootstrap_release(&again);
    sample_days(5, 40);
    for (size_t i = 80; i < n; i++) // days without rows are never drawn
        seconds[PAST + i] += 3 * DAY;
    b = run();
    assert_replicates(&b, "day", 5, DAY);
    bootstrap_release(&b);
}

static void with_less_than_five_days_hours_are_drawn_and_cards_are_not_checked(void **state)
{
    (void)state;
    sample_ties(8, HOUR); // from 20 o'clock to 4, two days
    struct bootstrap b = run();
    assert_replicates(&b, "hour", 8, HOUR);
    assert_is(b.values[0][CARD_PRECISION], NAN);
    assert_no_interval(&b, CARD_PRECISION);
    bootstrap_release(&b);
}

// On day d there are d frauds and fewer than 100 cards, so all are found: d in 100.
static void card_precision_is_the_mean_of_that_of_the_drawn_days(void **state)
{
    (void)state;
    no_rows();
    for (int d = 0; d < 7; d++)
        for (int r = 0; r < 40; r++)
            add((int64_t)d * DAY + r, (double)draw(12) / 12, r < d);
    struct bootstrap b = run();
    uint64_t x = 1;
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        size_t days = 0; // the sum of their numbers
        for (int i = 0; i < 7; i++)
            days += draw_unit(&x, 7);
        assert_near(b.values[r][CARD_PRECISION], (double)days / 100 / 7, 1e-15);
    }
    bootstrap_release(&b);
    b = run_scores(score, false);
    assert_no_interval(&b, CARD_PRECISION);
    assert_true(bootstrap_interval(&b, NULL, BRIER).low > 0);
    bootstrap_release(&b);
}

// ---- intervals -------------------------------------------------------------------------------------

// The values 0 .. 999 in another order; numpy.percentile(range(1000), [2.5, 97.5]) is 24.975, 974.025.
static void an_interval_is_that_of_the_percentiles(void **state)
{
    (void)state;
    static double values[BOOTSTRAP_REPLICATES][N_METRICS], others[BOOTSTRAP_REPLICATES][N_METRICS];
    for (int r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        values[r][BRIER] = r * 567 % 1000;
        others[r][BRIER] = values[r][BRIER] - r;
    }
    const struct bootstrap a = {"day", 7, values}, b = {"day", 7, others};
    assert_interval(bootstrap_interval(&a, NULL, BRIER), 24.975, 974.025);
    assert_interval(bootstrap_interval(&a, &b, BRIER), 24.975, 974.025); // 0 .. 999 again
    assert_interval(bootstrap_interval(&b, &a, BRIER), -974.025, -24.975);
    others[500][BRIER] = NAN; // one is enough
    assert_no_interval(&b, BRIER);
    assert_interval(bootstrap_interval(&a, &b, BRIER), NAN, NAN);
    assert_interval(bootstrap_interval(&b, &a, BRIER), NAN, NAN);
}

// Of four times as many days an interval is about half as wide, as a mean's standard error is.
static void an_interval_holds_the_metric_of_all_days_and_narrows_with_more_of_them(void **state)
{
    (void)state;
    sample_days(7, 100);
    struct bootstrap few = run();
    sample_days(28, 100);
    struct bootstrap many = run();
    const struct metrics m = metrics_compute(score, judged, n, THRESHOLD);
    for (size_t k = 0; k < N_METRICS; k++) {
        const struct interval i = bootstrap_interval(&many, NULL, k);
        assert_true(i.low < i.high);
        if (k == CARD_PRECISION)
            continue;
        assert_true(i.low < metrics_get(&m, k) && metrics_get(&m, k) < i.high);
        assert_true(k == ECE || width(&many, NULL, k) < 0.75 * width(&few, NULL, k));
    }
    bootstrap_release(&few);
    bootstrap_release(&many);
}

// Both lose on the same bad days, so their difference is known better than either.
static void candidates_on_the_same_rows_are_compared_draw_by_draw(void **state)
{
    (void)state;
    static double worse[MAX_ROWS];
    sample_days(14, 60);
    for (size_t i = 0; i < n; i++)
        worse[i] = 0.7 * score[i] + 0.3 * (double)draw(1000) / 1000;
    struct bootstrap a = run(), b = run_scores(worse, true);
    assert_true(bootstrap_interval(&a, &b, ROC_AUC).low > 0);
    assert_true(width(&a, &b, ROC_AUC) < width(&a, NULL, ROC_AUC));
    for (size_t k = 0; k < N_METRICS; k++)
        assert_interval(bootstrap_interval(&a, &a, k), 0, 0);
    bootstrap_release(&a);
    bootstrap_release(&b);
}

static void a_metric_without_a_meaning_in_some_draw_has_no_interval(void **state)
{
    (void)state;
    sample_days(6, 40);
    // All frauds are on the first day: a third of the draws lack it.
    for (size_t i = 40; i < n; i++)
        judged[i] = judged[i] == 1 ? LABEL_UNKNOWN : judged[i];
    struct bootstrap b = run();
    assert_no_interval(&b, ROC_AUC);
    assert_no_interval(&b, AVERAGE_PRECISION);
    assert_no_interval(&b, RECALL);
    assert_true(bootstrap_interval(&b, NULL, BRIER).low > 0);
    assert_is(bootstrap_interval(&b, NULL, CARD_PRECISION).low, 0);
    bootstrap_release(&b);
    memset(judged, LABEL_UNKNOWN, n);
    b = run();
    for (size_t k = 0; k < N_METRICS; k++)
        if (k != CARD_PRECISION) // nothing is found
            assert_no_interval(&b, k);
    bootstrap_release(&b);
}

static void under_five_hours_there_are_no_intervals(void **state)
{
    (void)state;
    for (int hours = 0; hours <= 5; hours++) {
        sample_ties(hours, HOUR);
        struct bootstrap b = run();
        if (hours < 5) {
            assert_null(b.unit);
            assert_no_interval(&b, BRIER);
        } else {
            assert_string_equal(b.unit, "hour");
        }
        bootstrap_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replicate_has_the_metrics_of_the_rows_of_the_drawn_days),
        cmocka_unit_test(with_less_than_five_days_hours_are_drawn_and_cards_are_not_checked),
        cmocka_unit_test(card_precision_is_the_mean_of_that_of_the_drawn_days),
        cmocka_unit_test(an_interval_is_that_of_the_percentiles),
        cmocka_unit_test(an_interval_holds_the_metric_of_all_days_and_narrows_with_more_of_them),
        cmocka_unit_test(candidates_on_the_same_rows_are_compared_draw_by_draw),
        cmocka_unit_test(a_metric_without_a_meaning_in_some_draw_has_no_interval),
        cmocka_unit_test(under_five_hours_there_are_no_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
