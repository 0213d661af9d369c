// bootstrap against the slow way: the rows of the drawn days, one after the other, measured anew.
#include "train/bootstrap.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { DAY = 86400, HOUR = 3600, MAX_UNITS = 70, MAX_ROWS = 8000, PAST = 3 };
enum { ROC_AUC, AVERAGE_PRECISION, CARD_PRECISION, LOG_LOSS, BRIER, ECE, PRECISION, RECALL };

static const double THRESHOLD = 0.5;

// Three rows of the past stand before the test's. Scores and judged labels are of the test alone.
struct sample {
    size_t n;
    int64_t time[PAST + MAX_ROWS];
    uint64_t card[PAST + MAX_ROWS];
    double score[MAX_ROWS];
    int8_t judged[MAX_ROWS];
};

static struct sample sample; // large
static uint64_t seed;

static uint64_t draw(uint64_t m)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % m;
}

static void sample_clear(void)
{
    sample = (struct sample){.time = {-900 * DAY, -900 * DAY, -900 * DAY}};
    seed = 17;
}

// Every row has its own card.
static void add(int64_t time, double score, int8_t judged)
{
    sample.time[PAST + sample.n] = time;
    sample.card[PAST + sample.n] = 1000 + sample.n;
    sample.score[sample.n] = score;
    sample.judged[sample.n++] = judged;
}

// Scores of few values, so that frauds and genuine rows are tied, and labels of all kinds. Units without
// a fraud, units that are nearly empty, and one that is wholly unknown. Times go through 0.
static void sample_ties(int units, int64_t seconds)
{
    sample_clear();
    for (int u = 0; u < units; u++) {
        const int rows = u == 3 ? 2 : 20 + (int)draw(60);
        for (int r = 0; r < rows; r++) {
            int8_t label = (int8_t)(u % 3 != 1 && draw(5) == 0);
            double score = (double)(draw(9) + (label ? 4 : 0)) / 12; // 0 .. 1
            if (u == 6 || draw(8) == 0)
                label = (int8_t)(-1 - (int)draw(2));
            add((u - 4) * seconds + r * seconds / rows, score, label);
        }
    }
}

// Days of the same kind.
static void sample_days(int days, int per_day)
{
    sample_clear();
    for (int d = 0; d < days; d++)
        for (int r = 0; r < per_day; r++) {
            int8_t label = (int8_t)(draw(4) == 0);
            add((int64_t)d * DAY + r, (double)(draw(1000) + (label ? 500 : 0)) / 1500, label);
        }
}

static struct bootstrap run_scores(const double *score, bool cards)
{
    static const int8_t unused[PAST + MAX_ROWS];
    const struct card_rows rows = {
        cards ? sample.card : NULL, sample.time, unused, 0, {PAST, PAST + sample.n}};
    struct bootstrap b;
    struct err err = {""};
    if (bootstrap_run(&b, &rows, score, sample.judged, THRESHOLD, &err))
        fail_msg("%s", err.msg);
    return b;
}

static struct bootstrap run(void)
{
    return run_scores(sample.score, true);
}

static struct metrics measure(const double *score, const int8_t *judged, size_t n)
{
    struct metrics m;
    struct err err = {""};
    if (metrics_compute(&m, score, judged, n, THRESHOLD, &err))
        fail_msg("%s", err.msg);
    return m;
}

static void assert_near(double got, double expected, double tolerance, const char *name)
{
    if (isnan(expected) ? !isnan(got) : !(fabs(got - expected) <= tolerance))
        fail_msg("%s: %.17g is not %.17g within %g", name, got, expected, tolerance);
}

static void assert_no_interval(struct interval i)
{
    assert_true(isnan(i.low) && isnan(i.high));
}

// ---- the slow way ----------------------------------------------------------------------------------

// xorshift64* (Vigna, ACM TOMS 42, 2016) from the seed 1; its upper half as a share of n.
static size_t draw_unit(uint64_t *x, size_t n)
{
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return (size_t)((*x * UINT64_C(2685821657736338717) >> 32) * n >> 32);
}

static int64_t unit_of(size_t row, int64_t seconds)
{
    return (int64_t)floor((double)sample.time[PAST + row] / (double)seconds);
}

// Appends the rows of the unit-th stretch of time that has rows; returns how many there are then.
static size_t append_unit(size_t unit, int64_t seconds, double *score, int8_t *judged, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < sample.n; i++) {
        at += i > 0 && unit_of(i, seconds) != unit_of(i - 1, seconds);
        if (at != unit)
            continue;
        assert_true(n < (size_t)4 * MAX_ROWS);
        score[n] = sample.score[i];
        judged[n++] = sample.judged[i];
    }
    return n;
}

static void assert_replicates(const struct bootstrap *b, const char *unit, size_t units,
                              int64_t seconds)
{
    static double score[4 * MAX_ROWS];
    static int8_t judged[4 * MAX_ROWS];
    uint64_t x = 1;
    assert_string_equal(b->unit, unit);
    assert_int_equal(b->units, units);
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        size_t n = 0;
        for (size_t i = 0; i < units; i++)
            n = append_unit(draw_unit(&x, units), seconds, score, judged, n);
        const struct metrics m = measure(score, judged, n);
        for (size_t k = 0; k < N_METRICS; k++)
            if (k != CARD_PRECISION)
                assert_near(b->values[r][k], metrics_get(&m, k), 1e-12, metric_list[k].name);
    }
}

static void a_replicate_has_the_metrics_of_the_rows_of_the_drawn_days(void **state)
{
    (void)state;
    sample_ties(9, DAY);
    struct bootstrap b = run();
    assert_replicates(&b, "day", 9, DAY);
    bootstrap_release(&b);
}

static void with_less_than_five_days_hours_are_drawn_and_cards_are_not_checked(void **state)
{
    (void)state;
    sample_ties(8, HOUR); // from 20 o'clock to 4, two days
    struct bootstrap b = run();
    assert_replicates(&b, "hour", 8, HOUR);
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++)
        assert_true(isnan(b.values[r][CARD_PRECISION]));
    assert_no_interval(bootstrap_interval(&b, CARD_PRECISION));
    bootstrap_release(&b);
}

static void a_day_without_rows_is_none_that_can_be_drawn(void **state)
{
    (void)state;
    sample_days(5, 40);
    for (size_t i = 80; i < sample.n; i++)
        sample.time[PAST + i] += 3 * DAY;
    struct bootstrap b = run();
    assert_replicates(&b, "day", 5, DAY);
    bootstrap_release(&b);
}

// On day d d frauds are among fewer than 100 cards, so all are found: d in 100.
static void card_precision_is_the_mean_of_that_of_the_drawn_days(void **state)
{
    (void)state;
    sample_clear();
    for (int d = 0; d < 7; d++)
        for (int r = 0; r < 40; r++)
            add((int64_t)d * DAY + r, (double)draw(12) / 12, r < d);
    struct bootstrap b = run();
    uint64_t x = 1;
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        size_t days = 0; // the sum of their numbers
        for (int i = 0; i < 7; i++)
            days += draw_unit(&x, 7);
        assert_near(b.values[r][CARD_PRECISION], (double)days / 100 / 7, 1e-15, "card precision");
    }
    bootstrap_release(&b);
    b = run_scores(sample.score, false);
    assert_no_interval(bootstrap_interval(&b, CARD_PRECISION));
    assert_true(bootstrap_interval(&b, BRIER).low > 0);
    bootstrap_release(&b);
}

static void two_runs_are_equal_to_the_bit(void **state)
{
    (void)state;
    sample_ties(9, DAY);
    struct bootstrap a = run(), b = run();
    assert_memory_equal(a.values, b.values, BOOTSTRAP_REPLICATES * sizeof *a.values);
    bootstrap_release(&a);
    bootstrap_release(&b);
}

// ---- intervals -------------------------------------------------------------------------------------

// The values 0 .. 999 in some other order; numpy.percentile(range(1000), [2.5, 97.5]) is 24.975, 974.025.
static void an_interval_is_that_of_the_percentiles(void **state)
{
    (void)state;
    static double values[BOOTSTRAP_REPLICATES][N_METRICS], others[BOOTSTRAP_REPLICATES][N_METRICS];
    for (int r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        values[r][BRIER] = r * 567 % 1000;
        others[r][BRIER] = values[r][BRIER] - r;
    }
    const struct bootstrap a = {"day", 7, values}, b = {"day", 7, others};
    struct interval i = bootstrap_interval(&a, BRIER);
    assert_near(i.low, 24.975, 1e-12, "low");
    assert_near(i.high, 974.025, 1e-12, "high");
    i = bootstrap_difference(&a, &b, BRIER); // replicate by replicate: 0 .. 999 again
    assert_near(i.low, 24.975, 1e-12, "low");
    assert_near(i.high, 974.025, 1e-12, "high");
    i = bootstrap_difference(&b, &a, BRIER);
    assert_near(i.low, -974.025, 1e-12, "low");
    assert_near(i.high, -24.975, 1e-12, "high");
    others[500][BRIER] = NAN; // one is enough
    assert_no_interval(bootstrap_interval(&b, BRIER));
    assert_no_interval(bootstrap_difference(&a, &b, BRIER));
    assert_no_interval(bootstrap_difference(&b, &a, BRIER));
}

static void an_interval_is_in_order_and_holds_the_metric_of_all_days(void **state)
{
    (void)state;
    sample_days(14, 100);
    struct bootstrap b = run();
    const struct metrics m = measure(sample.score, sample.judged, sample.n);
    for (size_t k = 0; k < N_METRICS; k++) {
        const struct interval i = bootstrap_interval(&b, k);
        assert_true(i.low < i.high);
        if (k != CARD_PRECISION)
            assert_true(i.low < metrics_get(&m, k) && metrics_get(&m, k) < i.high);
    }
    bootstrap_release(&b);
}

// As a mean's standard error does: of nine times as many days it is a third as wide.
static void more_days_make_shorter_intervals(void **state)
{
    (void)state;
    static const size_t metrics[] = {ROC_AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER, RECALL};
    sample_days(7, 100);
    struct bootstrap few = run();
    sample_days(63, 100);
    struct bootstrap many = run();
    for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
        const struct interval wide = bootstrap_interval(&few, metrics[k]);
        const struct interval narrow = bootstrap_interval(&many, metrics[k]);
        assert_true(narrow.high - narrow.low < 0.6 * (wide.high - wide.low));
    }
    bootstrap_release(&few);
    bootstrap_release(&many);
}

static void a_metric_that_is_the_same_on_every_day_has_an_interval_of_no_width(void **state)
{
    (void)state;
    static const size_t ones[] = {ROC_AUC, AVERAGE_PRECISION, PRECISION, RECALL};
    sample_clear();
    for (int d = 0; d < 7; d++)
        for (int r = 0; r < 40; r++)
            add((int64_t)d * DAY + r, r < 4 + d ? 0.9 : 0.2 + 0.01 * (double)draw(9), r < 4 + d);
    struct bootstrap b = run();
    for (size_t k = 0; k < sizeof ones / sizeof *ones; k++) {
        const struct interval i = bootstrap_interval(&b, ones[k]);
        assert_true(i.low == 1 && i.high == 1);
    }
    const struct interval brier = bootstrap_interval(&b, BRIER);
    assert_true(brier.low < brier.high);
    bootstrap_release(&b);
}

static void a_contender_differs_from_itself_by_exactly_nothing(void **state)
{
    (void)state;
    sample_days(9, 60);
    struct bootstrap a = run(), b = run();
    for (size_t k = 0; k < N_METRICS; k++) {
        const struct interval i = bootstrap_difference(&a, &b, k);
        assert_true(i.low == 0 && i.high == 0);
    }
    bootstrap_release(&a);
    bootstrap_release(&b);
}

// Both lose on the same bad days, so their difference is known better than either.
static void contenders_on_the_same_rows_are_compared_draw_by_draw(void **state)
{
    (void)state;
    static double worse[MAX_ROWS];
    sample_days(14, 60);
    for (size_t i = 0; i < sample.n; i++)
        worse[i] = 0.7 * sample.score[i] + 0.3 * (double)draw(1000) / 1000;
    struct bootstrap a = run(), b = run_scores(worse, true);
    const struct interval difference = bootstrap_difference(&a, &b, ROC_AUC);
    const struct interval alone = bootstrap_interval(&a, ROC_AUC);
    assert_true(difference.low > 0);
    assert_true(difference.high - difference.low < alone.high - alone.low);
    bootstrap_release(&a);
    bootstrap_release(&b);
}

// ---- what has no interval --------------------------------------------------------------------------

static void a_metric_without_a_meaning_in_some_draw_has_no_interval(void **state)
{
    (void)state;
    sample_days(6, 40);
    // All frauds are on the first day: a third of the draws lack it.
    for (size_t i = 40; i < sample.n; i++)
        sample.judged[i] = sample.judged[i] == 1 ? LABEL_UNKNOWN : sample.judged[i];
    struct bootstrap b = run();
    assert_no_interval(bootstrap_interval(&b, ROC_AUC));
    assert_no_interval(bootstrap_interval(&b, AVERAGE_PRECISION));
    assert_no_interval(bootstrap_interval(&b, RECALL));
    assert_no_interval(bootstrap_difference(&b, &b, ROC_AUC));
    assert_true(bootstrap_interval(&b, BRIER).low > 0);
    assert_true(bootstrap_interval(&b, CARD_PRECISION).low == 0);
    bootstrap_release(&b);
}

static void days_without_a_row_to_judge_have_no_intervals(void **state)
{
    (void)state;
    sample_days(6, 40);
    memset(sample.judged, LABEL_UNKNOWN, sample.n);
    struct bootstrap b = run();
    assert_int_equal(b.units, 6);
    for (size_t k = 0; k < N_METRICS; k++)
        if (k != CARD_PRECISION) // nothing is found
            assert_no_interval(bootstrap_interval(&b, k));
    bootstrap_release(&b);
}

static void under_five_hours_there_are_no_units_and_no_intervals(void **state)
{
    (void)state;
    for (int hours = 0; hours < 5; hours++) {
        sample_ties(hours, HOUR);
        struct bootstrap b = run();
        assert_null(b.unit);
        assert_null(b.values);
        for (size_t k = 0; k < N_METRICS; k++) {
            assert_no_interval(bootstrap_interval(&b, k));
            assert_no_interval(bootstrap_difference(&b, &b, k));
        }
        bootstrap_release(&b);
    }
    sample_ties(5, HOUR);
    struct bootstrap b = run();
    assert_string_equal(b.unit, "hour");
    bootstrap_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replicate_has_the_metrics_of_the_rows_of_the_drawn_days),
        cmocka_unit_test(with_less_than_five_days_hours_are_drawn_and_cards_are_not_checked),
        cmocka_unit_test(a_day_without_rows_is_none_that_can_be_drawn),
        cmocka_unit_test(card_precision_is_the_mean_of_that_of_the_drawn_days),
        cmocka_unit_test(two_runs_are_equal_to_the_bit),
        cmocka_unit_test(an_interval_is_that_of_the_percentiles),
        cmocka_unit_test(an_interval_is_in_order_and_holds_the_metric_of_all_days),
        cmocka_unit_test(more_days_make_shorter_intervals),
        cmocka_unit_test(a_metric_that_is_the_same_on_every_day_has_an_interval_of_no_width),
        cmocka_unit_test(a_contender_differs_from_itself_by_exactly_nothing),
        cmocka_unit_test(contenders_on_the_same_rows_are_compared_draw_by_draw),
        cmocka_unit_test(a_metric_without_a_meaning_in_some_draw_has_no_interval),
        cmocka_unit_test(days_without_a_row_to_judge_have_no_intervals),
        cmocka_unit_test(under_five_hours_there_are_no_units_and_no_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
