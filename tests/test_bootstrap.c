// bootstrap against the slow way: the metrics of the rows of the drawn days, one after the other.
#include "train/metrics.h"

#include "tests/training.h"

enum { MAX_ROWS = 4000 };
enum { ROC_AUC, AVERAGE_PRECISION, CARD_PRECISION, BRIER = 9 };

static const double THRESHOLD = 0.5;

static size_t n;
static int64_t seconds[1 + MAX_ROWS]; // a row of the past is before those of the test
static uint64_t card[1 + MAX_ROWS];
static double score[MAX_ROWS];
static int8_t judged[MAX_ROWS];

// Every row has its own card.
static void add(int64_t time, double s, int8_t label)
{
    seconds[1 + n] = time;
    card[1 + n] = 1000 + n;
    score[n] = s;
    judged[n++] = label;
}

// Scores of few values, so that frauds and genuine rows are tied, and labels of all kinds; units
// without a fraud, one that is nearly empty and one that is wholly unknown. Times go through 0.
static void sample_ties(int units, int64_t unit_seconds)
{
    n = 0;
    seed = 17;
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

static bool counts_rows;

static struct bootstrap run(void)
{
    const struct examples e = {.time = seconds, .card = card, .counts_rows = counts_rows};
    struct bootstrap b;
    bootstrap_run(&b, &e, (struct row_range){1, 1 + n}, score, judged, THRESHOLD);
    return b;
}

static void assert_interval(const struct bootstrap *a, const struct bootstrap *b, size_t metric,
                            double low, double high)
{
    const struct interval i = bootstrap_interval(a, b, metric, PAIRED);
    assert_near(i.low, low, 1e-12);
    assert_near(i.high, high, 1e-12);
}

// xorshift64* (Vigna, ACM TOMS 42, 2016) from the seed 1; its upper half as a share of units.
static size_t draw_unit(uint64_t *x, size_t units)
{
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return (size_t)((*x * UINT64_C(2685821657736338717) >> 32) * units >> 32);
}

// The rows of the unit-th period that has rows, appended; returns how many rows there are then.
static size_t append(size_t unit, double unit_seconds, double *scores, int8_t *labels, size_t rows)
{
    double before = NAN;
    size_t at = (size_t)-1;
    for (size_t i = 0; i < n; i++) {
        const double period =
            counts_rows ? (double)i : floor((double)seconds[1 + i] / unit_seconds);
        at += period != before;
        before = period;
        if (at == unit) {
            scores[rows] = score[i];
            labels[rows++] = judged[i];
        }
    }
    return rows;
}

// Runs, and repeats every replicate.
static void assert_replicates(const char *unit, size_t units, int64_t unit_seconds)
{
    static double scores[4 * MAX_ROWS];
    static int8_t labels[4 * MAX_ROWS];
    struct bootstrap b = run();
    uint64_t x = 1;
    assert_string_equal(b.unit, unit);
    assert_int_equal(b.units, units);
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        size_t rows = 0;
        for (size_t i = 0; i < units; i++)
            rows = append(draw_unit(&x, units), (double)unit_seconds, scores, labels, rows);
        const struct metrics m = metrics_compute(scores, labels, rows, THRESHOLD);
        const double alerts = m.tally.true_positives + m.tally.false_positives;
        assert_near(b.values[r][BOOTSTRAP_ALERTS],
                    counts_rows ? m.selection_rate
                                : alerts / (double)units * (double)DAY / (double)unit_seconds,
                    1e-12);
        for (size_t k = 0; k < N_METRICS; k++)
            if (k != CARD_PRECISION)
                assert_near(b.values[r][k], metrics_get(&m, k), 1e-12);
            else if (unit_seconds == DAY) // fewer than 100 cards a day: all frauds are found
                assert_near(b.values[r][k], m.tally.frauds / 100 / (double)units, 1e-15);
    }
    free(b.values);
}

TEST_CASE(a_replicate_has_the_metrics_of_the_rows_of_the_drawn_days_or_hours)
{
    sample_ties(9, DAY);
    assert_replicates("day", 9, DAY);
    sample_ties(8, HOUR); // from 20 o'clock to 4, two days
    assert_replicates("hour", 8, HOUR);
    sample_ties(5, DAY);
    for (size_t i = n / 2; i < n; i++) // days without rows are never drawn
        seconds[1 + i] += seconds[1 + i] >= -DAY ? 3 * DAY : 0;
    assert_replicates("day", 5, DAY);
    sample_ties(5, HOUR);
    counts_rows = true;
    assert_replicates("row", n, 1);
    counts_rows = false;
    static double many[50001];
    static int8_t genuine[50001];
    const struct examples e = {.counts_rows = true};
    struct bootstrap b;
    bootstrap_run(&b, &e, (struct row_range){0, 50001}, many, genuine, THRESHOLD);
    assert_int_equal(b.units, 16667); // three neighbours are drawn together
    free(b.values);
}

// Values of 0 .. 999; numpy.percentile(range(1000), [2.5, 97.5]) is 24.975, 974.025, and
// numpy.std(range(1000), ddof=1) is 288.8194360957494.
TEST_CASE(an_interval_is_that_of_the_percentiles_of_values_or_differences)
{
    static double values[BOOTSTRAP_REPLICATES][N_BOOTSTRAP];
    static double others[BOOTSTRAP_REPLICATES][N_BOOTSTRAP];
    for (int r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        values[r][BRIER] = r * 567 % 1000;
        others[r][BRIER] = values[r][BRIER] - r;
    }
    const struct bootstrap a = {"day", 7, values}, b = {"day", 7, others};
    assert_interval(&a, NULL, BRIER, 24.975, 974.025);
    assert_interval(&a, &b, BRIER, 24.975, 974.025); // 0 .. 999 again
    assert_near(bootstrap_interval(&a, &b, BRIER, PAIRED).error, 288.8194360957494, 1e-9);
    assert_interval(&b, &a, BRIER, -974.025, -24.975);
    others[500][BRIER] = NAN; // one is enough
    assert_interval(&b, NULL, BRIER, NAN, NAN);
    assert_interval(&a, &b, BRIER, NAN, NAN);
}

TEST_CASE(a_difference_of_other_rows_takes_another_replicate_of_each)
{
    static double values[BOOTSTRAP_REPLICATES][N_BOOTSTRAP],
        others[BOOTSTRAP_REPLICATES][N_BOOTSTRAP];
    double differences[BOOTSTRAP_REPLICATES];
    for (int r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        values[r][BRIER] = r * 567 % 1000;
        others[r][BRIER] = r * 123 % 1000;
    }
    for (int r = 0; r < BOOTSTRAP_REPLICATES; r++)
        differences[r] = values[r][BRIER] - others[(r + 1) % BOOTSTRAP_REPLICATES][BRIER];
    sort_doubles(differences, BOOTSTRAP_REPLICATES);
    const struct bootstrap a = {"day", 7, values}, b = {"day", 7, others}, none = {0};
    const struct interval i = bootstrap_interval(&a, &b, BRIER, INDEPENDENT);
    // 0.025 · 999 = 24.975 and 0.975 · 999 = 974.025, as in numpy.percentile
    assert_near(i.low, 0.025 * differences[24] + 0.975 * differences[25], 1e-12);
    assert_near(i.high, 0.975 * differences[974] + 0.025 * differences[975], 1e-12);
    assert_is(bootstrap_interval(&a, &none, BRIER, INDEPENDENT).high, NAN);
    assert_is(bootstrap_interval(&none, &b, BRIER, INDEPENDENT).low, NAN);
}

// Of a sample and itself, which as drawn together would not differ: as wide as √2 single ones.
TEST_CASE(days_of_both_periods_are_drawn_independently)
{
    sample_ties(9, DAY);
    struct bootstrap b = run();
    for (size_t k = 0; k <= AVERAGE_PRECISION; k++) {
        const struct interval one = bootstrap_interval(&b, NULL, k, PAIRED);
        const struct interval two = bootstrap_interval(&b, &b, k, INDEPENDENT);
        assert_near((two.high - two.low) / (one.high - one.low), sqrt(2), 0.15);
        assert_near(two.low + two.high, 0, 0.1 * (two.high - two.low));
        assert_is(bootstrap_interval(&b, &b, k, PAIRED).high, 0);
    }
    free(b.values);
}

TEST_CASE(a_metric_without_a_meaning_in_some_draw_has_no_interval)
{
    sample_ties(6, DAY);
    for (size_t i = 0; i < n; i++) // frauds on the first day only: a third of the draws lack it
        judged[i] = judged[i] == 1 && seconds[1 + i] >= -3 * DAY ? LABEL_UNKNOWN : judged[i];
    struct bootstrap b = run();
    assert_interval(&b, NULL, ROC_AUC, NAN, NAN);
    assert_interval(&b, &b, AVERAGE_PRECISION, NAN, NAN);
    assert_true(bootstrap_interval(&b, NULL, BRIER, PAIRED).low > 0);
    free(b.values);
    sample_ties(4, HOUR);
    b = run();
    assert_null(b.unit); // below five hours there is no interval at all
    assert_interval(&b, &b, BRIER, NAN, NAN);
    free(b.values);
}

TESTS(NULL, NULL)
