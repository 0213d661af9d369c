// A day is kept as its sums and, for the metrics that rank, as its counts of rows in groups of
// scores: the rows with the score of a fraud, and those between two such scores, as their order
// changes nothing. Most counts are 0 where the units are rows, so only the others are kept.
#include "base/memory.h"
#include "base/value.h"
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS_MOST = 20000 };

struct count {   // so many rows of a group and class on a day
    uint64_t at; // 2³² · (2 · group + label) + day; the highest scores are in group 0
    uint32_t rows;
};

struct days { // or hours, or rows
    size_t n, groups, n_counts;
    int a_day;            // how many are a day; 0 for rows
    bool cards;           // with card precision; only days have it
    uint32_t *of_row;     // [rows]: the day of each row
    struct tally *tally;  // [n]
    struct count *counts; // [n_counts], rising
};

// ---- days ---------------------------------------------------------------------------------------

// Numbers the days that hold rows, or the hours (a_day = 24), or the rows (0). Neighbouring rows share
// a unit where there are more than ROWS_MOST, which bounds time and memory.
static void number_units(struct days *d, const int64_t *time, size_t rows, int a_day)
{
    const size_t each = (rows + ROWS_MOST - 1) / ROWS_MOST;
    int64_t last = 0;
    d->n = 0;
    d->a_day = a_day;
    for (size_t i = 0; i < rows; i++) {
        const int64_t unit = a_day > 0 ? day_of(time[i] * a_day) : (int64_t)(i / each);
        d->n += i == 0 || unit != last;
        d->of_row[i] = (uint32_t)(d->n - 1);
        last = unit;
    }
}

static int by_place(const void *a, const void *b)
{
    const struct count *x = a, *y = b;
    return ORDER(x->at, y->at);
}

static void count_groups(struct days *d, const double *score, const int8_t *judged, size_t rows)
{
    size_t n, at, counted = 0;
    double *frauds = scores_of(1, score, judged, rows, &n);
    struct count *c = d->counts = xcalloc(rows + 1, sizeof *c);
    d->groups = 2 * n + 1;
    for (size_t i = 0; i < rows; i++) {
        if (judged[i] < 0)
            continue;
        LOWER_BOUND(at, 0, n, frauds[at] < score[i]);
        const size_t group = 2 * (n - at) - (at < n && frauds[at] == score[i]);
        c[counted++] = (struct count){(2 * group + (size_t)judged[i]) << 32 | d->of_row[i], 1};
    }
    qsort(c, counted, sizeof *c, by_place);
    for (size_t i = 0; i < counted; i++)
        if (i > 0 && c[d->n_counts - 1].at == c[i].at)
            c[d->n_counts - 1].rows++;
        else
            c[d->n_counts++] = c[i];
    free(frauds);
}

// ---- replicates ---------------------------------------------------------------------------------

// Below n: the upper half of xorshift64* (Vigna, ACM TOMS 42, 2016) as a share of n, which is not
// exactly uniform, but nearly for n this small.
static size_t draw(uint64_t *state, size_t n)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (size_t)((*state * UINT64_C(2685821657736338717) >> 32) * n >> 32);
}

// times[i]: how often day i was drawn. k has room for all groups.
static void rank(struct ranking *k, const struct days *d, const uint32_t *times)
{
    uint64_t rows[2] = {0}; // genuine and frauds
    k->n = 0;
    for (const struct count *c = d->counts, *end = c + d->n_counts; c < end;) {
        const uint64_t group = c->at >> 33;
        for (; c < end && c->at >> 33 == group; c++)
            rows[c->at >> 32 & 1] += (uint64_t)times[(uint32_t)c->at] * c->rows;
        if (rows[0] + rows[1] == 0)
            continue; // no day with such a score was drawn
        k->frauds[k->n] = rows[1];
        k->genuine[k->n++] = rows[0];
    }
}

static void replicate(double values[N_BOOTSTRAP], const struct days *d, const uint32_t *times,
                      struct ranking *k, double threshold)
{
    struct tally sum = {0};
    for (size_t i = 0; i < d->n; i++)
        tally_add(&sum, &d->tally[i], times[i]);
    rank(k, d, times);
    struct metrics m = metrics_finish(&sum, k, threshold);
    if (d->cards)
        m.card_precision_at_100 = sum.card_precision / (double)d->n;
    for (size_t i = 0; i < N_METRICS; i++)
        values[i] = metrics_get(&m, i);
    values[BOOTSTRAP_ALERTS] =
        d->a_day > 0 ? (sum.true_positives + sum.false_positives) / (double)d->n * d->a_day
                     : m.selection_rate;
}

static void draw_all(struct bootstrap *b, const struct days *d, double threshold)
{
    struct ranking k = {.frauds = xcalloc(d->groups, sizeof *k.frauds),
                        .genuine = xcalloc(d->groups, sizeof *k.genuine)};
    uint32_t *times = xcalloc(d->n, sizeof *times);
    uint64_t state = BOOTSTRAP_SEED;
    b->values = xcalloc(BOOTSTRAP_REPLICATES, sizeof *b->values);
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        memset(times, 0, d->n * sizeof *times);
        for (size_t i = 0; i < d->n; i++)
            times[draw(&state, d->n)]++;
        replicate(b->values[r], d, times, &k, threshold);
    }
    free(times);
    ranking_release(&k);
}

void bootstrap_run(struct bootstrap *b, const struct examples *e, struct row_range test,
                   const double *score, const int8_t *judged, double threshold)
{
    const size_t rows = (size_t)(test.end - test.first);
    const int64_t *time = e->time + test.first;
    struct days d = {.of_row = xcalloc(rows, sizeof *d.of_row)};
    number_units(&d, time, rows, e->counts_rows ? 0 : 1);
    if (!e->counts_rows && d.n < BOOTSTRAP_LEAST_UNITS)
        number_units(&d, time, rows, 24);
    *b = (struct bootstrap){0};
    if (d.n >= BOOTSTRAP_LEAST_UNITS) {
        b->unit = d.a_day == 0 ? "row" : d.a_day == 1 ? "day" : "hour";
        b->units = d.n;
        d.cards = d.a_day == 1 && e->card;
        d.tally = xcalloc(d.n, sizeof *d.tally);
        for (size_t i = 0; i < rows; i++)
            tally_row(&d.tally[d.of_row[i]], score[i], judged[i], threshold);
        if (d.cards)
            cards_precision(e, test, score, judged, d.tally);
        count_groups(&d, score, judged, rows);
        draw_all(b, &d, threshold);
    }
    free(d.of_row);
    free(d.tally);
    free(d.counts);
}

// ---- intervals ----------------------------------------------------------------------------------

// The p-quantile of sorted values, interpolated between neighbours.
static double quantile(const double *sorted, double p)
{
    const double at = p * (BOOTSTRAP_REPLICATES - 1);
    const size_t i = (size_t)at;
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

struct interval bootstrap_interval(const struct bootstrap *a, const struct bootstrap *b,
                                   size_t metric, enum bootstrap_rows rows)
{
    double values[BOOTSTRAP_REPLICATES], sum = 0, squares = 0;
    if (!a->values || (b && !b->values))
        return (struct interval){NAN, NAN, NAN};
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        const size_t other = (r + (rows == INDEPENDENT)) % BOOTSTRAP_REPLICATES;
        values[r] = a->values[r][metric] - (b ? b->values[other][metric] : 0);
        sum += values[r];
    }
    if (isnan(sum))
        return (struct interval){NAN, NAN, NAN};
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++)
        squares += pow(values[r] - sum / BOOTSTRAP_REPLICATES, 2);
    sort_doubles(values, BOOTSTRAP_REPLICATES);
    return (struct interval){quantile(values, 0.025), quantile(values, 0.975),
                             sqrt(squares / (BOOTSTRAP_REPLICATES - 1))};
}
