// Draws of days. A day is kept as its sums and, for the metrics that rank, as its counts in groups of
// scores; between two frauds' scores the order of genuine rows changes nothing, so they are one group.
#include "train/bootstrap.h"
#include "ingest/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct days {
    size_t n, groups;
    uint32_t *unit;             // [rows]: the day of each row
    struct tally *tally;        // [n]
    double *card_precision;     // [n]; NULL: none
    uint32_t *frauds, *genuine; // [groups][n], the highest scores first
};

static void days_release(struct days *d)
{
    free(d->unit);
    free(d->tally);
    free(d->card_precision);
    free(d->frauds);
    free(d->genuine);
}

// ---- days ------------------------------------------------------------------------------------------

// Numbers the stretches of so many seconds that hold rows; returns how many there are.
static size_t number_units(uint32_t *unit, const struct card_rows *rows, int64_t seconds)
{
    size_t n = 0;
    int64_t last = 0;
    for (uint64_t r = rows->test.first; r < rows->test.end; r++) {
        int64_t t = rows->time[r] >= 0 ? rows->time[r] / seconds : ~(~rows->time[r] / seconds);
        n += n == 0 || t != last;
        last = t;
        unit[r - rows->test.first] = (uint32_t)(n - 1);
    }
    return n;
}

// Which of the distinct scores, falling, this one is.
static size_t find_score(const struct ranking *k, double score)
{
    size_t from = 0, to = k->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (k->score[middle] > score)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

// group[i] of the i-th distinct score; returns how many groups there are.
static size_t make_groups(const struct ranking *k, uint32_t *group)
{
    size_t n = 0;
    bool open = false; // the last group is of genuine rows alone and may take more
    for (size_t i = 0; i < k->n; i++) {
        bool fraud = k->frauds[i] > (i ? k->frauds[i - 1] : 0);
        n += fraud || !open;
        open = !fraud;
        group[i] = (uint32_t)(n - 1);
    }
    return n;
}

static int count_groups(struct days *d, const double *score, const int8_t *judged, size_t n,
                        struct err *err)
{
    struct ranking k;
    if (ranking_make(&k, score, judged, n, err))
        return -1;
    uint32_t *group = calloc(k.n + 1, sizeof *group);
    if (group) {
        d->groups = make_groups(&k, group);
        d->frauds = calloc(d->groups * d->n + 1, sizeof *d->frauds);
        d->genuine = calloc(d->groups * d->n + 1, sizeof *d->genuine);
    }
    const bool bad = !group || !d->frauds || !d->genuine;
    for (size_t i = 0; i < n && !bad; i++)
        if (judged[i] >= 0) {
            uint32_t *counts = judged[i] == 1 ? d->frauds : d->genuine;
            counts[group[find_score(&k, score[i])] * d->n + d->unit[i]]++;
        }
    free(group);
    ranking_release(&k);
    return bad ? err_set(err, "out of memory for the bootstrap") : 0;
}

static int count_days(struct days *d, const struct card_rows *rows, const double *score,
                      const int8_t *judged, double threshold, bool daily, struct err *err)
{
    const size_t n = (size_t)(rows->test.end - rows->test.first);
    double mean;
    d->tally = calloc(d->n, sizeof *d->tally);
    if (daily && rows->card)
        d->card_precision = calloc(d->n, sizeof *d->card_precision);
    if (!d->tally || (daily && rows->card && !d->card_precision))
        return err_set(err, "out of memory for the bootstrap");
    for (size_t i = 0; i < n; i++)
        tally_row(&d->tally[d->unit[i]], score[i], judged[i], threshold);
    if (d->card_precision && cards_precision(&mean, d->card_precision, rows, score, judged, err))
        return -1;
    return count_groups(d, score, judged, n, err);
}

// ---- draws -----------------------------------------------------------------------------------------

// xorshift64* (Vigna, ACM TOMS 42, 2016), below n without a bias that mattered for n this small.
static size_t draw(uint64_t *state, size_t n)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (size_t)((*state * UINT64_C(2685821657736338717) >> 32) * n >> 32);
}

static void rank(struct ranking *k, const struct days *d, const uint32_t *times)
{
    uint64_t frauds = 0, genuine = 0;
    k->n = 0;
    for (size_t g = 0; g < d->groups; g++) {
        for (size_t i = 0; i < d->n; i++) {
            frauds += (uint64_t)times[i] * d->frauds[g * d->n + i];
            genuine += (uint64_t)times[i] * d->genuine[g * d->n + i];
        }
        if (frauds + genuine == 0)
            continue; // none of its days was drawn yet
        k->frauds[k->n] = frauds;
        k->genuine[k->n++] = genuine;
    }
}

// times[i]: how often day i was drawn.
static void replicate(double values[N_METRICS], const struct days *d, const uint32_t *times,
                      struct ranking *k, double threshold)
{
    struct tally sum = {0};
    struct metrics m;
    double precision = 0;
    for (size_t i = 0; i < d->n; i++) {
        tally_add(&sum, &d->tally[i], times[i]);
        if (d->card_precision)
            precision += times[i] * d->card_precision[i];
    }
    rank(k, d, times);
    metrics_finish(&m, &sum, k, threshold);
    if (d->card_precision)
        m.card_precision_at_100 = precision / (double)d->n;
    for (size_t i = 0; i < N_METRICS; i++)
        values[i] = metrics_get(&m, i);
}

static int draw_all(struct bootstrap *b, const struct days *d, double threshold, struct err *err)
{
    struct ranking k = {.frauds = calloc(d->groups + 1, sizeof *k.frauds),
                        .genuine = calloc(d->groups + 1, sizeof *k.genuine)};
    uint32_t *times = calloc(d->n, sizeof *times);
    uint64_t state = BOOTSTRAP_SEED;
    b->values = calloc(BOOTSTRAP_REPLICATES, sizeof *b->values);
    const bool bad = !k.frauds || !k.genuine || !times || !b->values;
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES && !bad; r++) {
        memset(times, 0, d->n * sizeof *times);
        for (size_t i = 0; i < d->n; i++)
            times[draw(&state, d->n)]++;
        replicate(b->values[r], d, times, &k, threshold);
    }
    free(times);
    ranking_release(&k);
    return bad ? err_set(err, "out of memory for the bootstrap") : 0;
}

int bootstrap_run(struct bootstrap *b, const struct card_rows *rows, const double *score,
                  const int8_t *judged, double threshold, struct err *err)
{
    struct days d = {.unit =
                         calloc((size_t)(rows->test.end - rows->test.first) + 1, sizeof *d.unit)};
    *b = (struct bootstrap){.unit = "day"};
    if (!d.unit)
        return err_set(err, "out of memory for the bootstrap");
    d.n = number_units(d.unit, rows, SECONDS_PER_DAY);
    if (d.n < BOOTSTRAP_LEAST_UNITS) {
        d.n = number_units(d.unit, rows, 3600);
        b->unit = d.n < BOOTSTRAP_LEAST_UNITS ? NULL : "hour";
    }
    int rc = 0;
    if (b->unit) {
        const bool daily = strcmp(b->unit, "day") == 0;
        b->units = d.n;
        rc = count_days(&d, rows, score, judged, threshold, daily, err) ||
                     draw_all(b, &d, threshold, err)
                 ? -1
                 : 0;
    }
    days_release(&d);
    return rc;
}

void bootstrap_release(struct bootstrap *b)
{
    free(b->values);
    *b = (struct bootstrap){0};
}

// ---- intervals -------------------------------------------------------------------------------------

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The p-quantile of sorted values, between neighbours where it falls between them.
static double quantile(const double *sorted, double p)
{
    const double at = p * (BOOTSTRAP_REPLICATES - 1);
    const size_t i = (size_t)at;
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

// Of a's values, minus b's where there is one.
static struct interval percentiles(const struct bootstrap *a, const struct bootstrap *b,
                                   size_t metric)
{
    double values[BOOTSTRAP_REPLICATES];
    if (!a->values || (b && !b->values))
        return (struct interval){NAN, NAN};
    for (size_t r = 0; r < BOOTSTRAP_REPLICATES; r++) {
        values[r] = a->values[r][metric] - (b ? b->values[r][metric] : 0);
        if (isnan(values[r]))
            return (struct interval){NAN, NAN};
    }
    qsort(values, BOOTSTRAP_REPLICATES, sizeof *values, ascending);
    return (struct interval){quantile(values, 0.025), quantile(values, 0.975)};
}

struct interval bootstrap_interval(const struct bootstrap *b, size_t metric)
{
    return percentiles(b, NULL, metric);
}

struct interval bootstrap_difference(const struct bootstrap *a, const struct bootstrap *b,
                                     size_t metric)
{
    return percentiles(a, b, metric);
}
