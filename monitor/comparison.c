#include "monitor/comparison.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "base/value.h"
#include "train/evaluate.h"

#include <math.h>
#include <stdlib.h>

enum { MARGIN = 7200, WEEKS_MAX = 520 };

size_t period_rows(const struct period *p)
{
    return (size_t)(p->rows.end - p->rows.first);
}

size_t weeks_counting(const struct period *p)
{
    size_t n = 0;
    for (size_t w = 0; w < p->n_weeks; w++)
        n += p->weeks[w].counts;
    return n;
}

// ---- periods ----

static void find_weeks(struct period *p, struct period_times t, size_t least)
{
    const int64_t *time = p->examples->time;
    const int64_t first = time[p->rows.first], last = time[p->rows.end - 1];
    const bool cut_first = t.from >= day_of(first) * SECONDS_PER_DAY;
    const bool cut_last = t.until <= (day_of(last) + 1) * SECONDS_PER_DAY;
    int64_t from = day_of((cut_first ? t.from : first - MARGIN) + SECONDS_PER_DAY - 1);
    int64_t until = day_of(cut_last ? t.until : last + MARGIN);
    until = until > from ? until : from;
    p->whole = time_rows(from * SECONDS_PER_DAY, until * SECONDS_PER_DAY, time, p->rows.end);
    const int64_t weeks = (until - from) / DAYS_PER_WEEK;
    p->n_weeks = (size_t)(weeks < WEEKS_MAX ? weeks : WEEKS_MAX);
    p->weeks = xcalloc(p->n_weeks, sizeof *p->weeks);
    from = until - (int64_t)p->n_weeks * DAYS_PER_WEEK;
    for (struct week *w = p->weeks; w < p->weeks + p->n_weeks; w++, from += DAYS_PER_WEEK) {
        w->from = from;
        w->rows = time_rows(from * SECONDS_PER_DAY, (from + DAYS_PER_WEEK) * SECONDS_PER_DAY, time,
                            p->rows.end);
        w->counts = w->rows.end - w->rows.first >= least;
    }
}

static void open_period(struct period *p, const struct comparison *c, const struct examples *e,
                        struct period_times t)
{
    const struct model *m = c->model;
    *p = (struct period){.examples = e, .rows = time_rows(t.from, t.until, e->time, e->rows)};
    const size_t least = (size_t)c->min_rows;
    p->whole = p->rows;
    if (period_rows(p) > 0 && !e->counts_rows)
        find_weeks(p, t, p == &c->train || period_rows(&c->train) >= least ? least : SIZE_MAX);
    p->score = scores_new(e, m, p->rows);
}

static void open_periods(struct comparison *c)
{
    const struct model *m = c->model;
    const struct examples *now = c->other ? c->other : c->features;
    const int64_t history = m->test.from - m->train.from, delay = c->label_delay;
    if (c->other)
        c->other->before = c->features;
    open_period(&c->train, c, c->features, m->train);
    open_period(&c->test, c, c->features, m->test);
    c->test.judged = cards_judge(c->features, c->test.rows, 0, history, delay);
    open_period(&c->current, c, now, c->within);
    const int64_t before_weeks = c->current.n_weeks ? c->current.weeks->from - DAYS_PER_WEEK : 0;
    c->current.judged = cards_judge(now, c->current.rows, before_weeks, history, delay);
    c->mature = mature_rows(now, c->current.rows, delay);
    c->all_cards = !now->card || !now->label || !memchr(now->label, 1, c->current.rows.end);
    c->usual = weeks_counting(&c->train) >= WEEKS_LEAST;
}

// ---- columns ----

// Column i of a period's rows, to be freed.
static double *load(const struct period *p, const struct model *m, size_t i)
{
    const size_t n = period_rows(p), first = p->rows.first;
    double *x = xmalloc(n * sizeof *x);
    float *row = xcalloc(m->n_inputs, sizeof *row);
    for (size_t r = 0; r < n; r++) {
        for (size_t k = 0; i > m->n_inputs && k < m->n_inputs; k++)
            row[k] = p->examples->x[k][first + r];
        x[r] = i < m->n_inputs    ? (double)p->examples->x[i][first + r]
               : i == m->n_inputs ? p->score[r]
                                  : model_reviews(m, row, p->score[r]);
    }
    free(row);
    return x;
}

// values: of all rows of the period.
static void count(const struct histogram *h, const struct period *p, struct row_range rows,
                  const double *values, uint64_t *counts)
{
    memset(counts, 0, HISTOGRAM_BINS * sizeof *counts);
    for (uint64_t r = rows.first; r < rows.end; r++)
        counts[histogram_bin(h, values[r - p->rows.first])]++;
}

// Mean + 3 sd of the PSI of the weeks of training, each against the other rows.
static double usual_psi(const struct histogram *h, const struct period *p, const double *values)
{
    uint64_t week[HISTOGRAM_BINS], rest[HISTOGRAM_BINS];
    double n = 0, mean = 0, squares = 0; // Welford 1962
    for (size_t w = 0; w < p->n_weeks; w++) {
        if (!p->weeks[w].counts)
            continue;
        count(h, p, p->weeks[w].rows, values, week);
        for (size_t b = 0; b < HISTOGRAM_BINS; b++)
            rest[b] = h->counts[b] - week[b];
        const double psi = drift_psi(rest, week, h->n_edges + 1), apart = psi - mean;
        mean += apart / ++n;
        squares += apart * (psi - mean);
    }
    return mean + 3 * sqrt(squares / (n - 1));
}

// How many of the last `last` weeks reach the bound. A week of NAN does not count.
static int weeks_over(const struct comparison *c, const double *weeks, double bound)
{
    int seen = 0, over = 0;
    for (size_t w = c->current.n_weeks; w-- > 0 && seen < c->last;) {
        seen += !isnan(weeks[w]);
        over += weeks[w] >= bound;
    }
    return over;
}

static void measure_weeks(const struct comparison *c, struct comparison_column *k,
                          const double *values)
{
    const struct period *p = &c->current;
    k->weeks = xcalloc(p->n_weeks, sizeof *k->weeks);
    for (size_t w = 0; w < p->n_weeks; w++) {
        uint64_t counts[HISTOGRAM_BINS];
        count(&k->reference, p, p->weeks[w].rows, values, counts);
        const double psi = drift_psi(k->reference.counts, counts, k->reference.n_edges + 1);
        k->weeks[w] = p->weeks[w].counts ? psi : NAN;
        k->moved = k->weeks[w] >= k->bound ? psi : k->moved;
    }
    k->over = weeks_over(c, k->weeks, k->bound);
    k->alarm = k->over >= c->least;
}

static void measure_column(struct comparison *c, size_t i)
{
    const struct model *m = c->model;
    const bool input = i < m->n_inputs, score = i == m->n_inputs;
    struct comparison_column *k = &c->columns[i];
    double *before = load(&c->train, m, i);
    const size_t n_before = period_rows(&c->train), n_now = period_rows(&c->current);
    k->name = input ? m->inputs[i].name : score ? "score" : "decision";
    k->kind = input && plan_follows_calendar(&m->plan, i) ? "calendar" : input ? "input" : k->name;
    k->reference = input   ? m->inputs[i].reference
                   : score ? m->score_reference
                           : (struct histogram){.n_edges = 1, .edges = {0.5}};
    k->current = k->reference;
    count(&k->reference, &c->train, c->train.rows, before, k->reference.counts);
    double *now = load(&c->current, m, i);
    count(&k->current, &c->current, c->current.rows, now, k->current.counts);
    const double usual = c->usual ? usual_psi(&k->reference, &c->train, before) : c->psi_alert;
    k->bound =
        strcmp(k->kind, "calendar") == 0 ? NAN : fmin(fmax(usual, c->psi_alert), 2 * c->psi_alert);
    measure_weeks(c, k, now);
    sort_doubles(before, n_before);
    sort_doubles(now, n_now);
    k->drift = drift_measure(before, n_before, now, n_now, k->reference.counts, k->current.counts,
                             k->reference.n_edges + 1);
    free(before);
    free(now);
}

// ---- performance ----

struct estimate estimate_make(const double *score, const int8_t *judged, size_t n, double threshold)
{
    double *p = xmalloc(n * sizeof *p), alerts = 0, caught = 0, frauds = 0, sum = 0;
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (judged[i] == LABEL_KNOWN_CARD)
            continue;
        p[rows++] = score[i];
        alerts += score[i] >= threshold;
        caught += score[i] >= threshold ? score[i] : 0;
    }
    sort_doubles(p, rows);
    for (size_t i = rows; i > 0;) {
        const size_t above = i;
        const double at = p[i - 1];
        while (i > 0 && p[i - 1] == at)
            i--;
        const double here = at * (double)(above - i);
        frauds += here;
        sum += here * frauds / (double)(rows - i);
    }
    free(p);
    // 0 / 0 is NAN.
    return (struct estimate){sum / frauds, caught / alerts, caught / frauds};
}

double alerts_per_day(const struct examples *e, struct row_range rows, const double *score,
                      const int8_t *judged, double threshold, struct interval *interval)
{
    struct bootstrap b;
    double alerts = 0, all = 0;
    const size_t n = (size_t)(rows.end - rows.first);
    int8_t *counted = xmalloc(n); // as if every label were known
    for (size_t i = 0; i < n; i++) {
        counted[i] = judged && judged[i] == LABEL_KNOWN_CARD ? LABEL_KNOWN_CARD : 0;
        alerts += counted[i] == 0 && score[i] >= threshold;
        all += counted[i] == 0;
    }
    bootstrap_run(&b, e, rows, score, counted, threshold);
    *interval = bootstrap_interval(&b, NULL, BOOTSTRAP_ALERTS, PAIRED);
    free(b.values);
    free(counted);
    return !b.unit          ? NAN
           : e->counts_rows ? alerts / all
                            : alerts / (double)b.units * (*b.unit == 'h' ? 24 : 1);
}

static void measure_rows(const struct comparison *c, const struct period *p, struct row_range rows,
                         struct performance *to)
{
    const double *score = p->score + (rows.first - p->rows.first);
    const int8_t *judged = p->judged + (rows.first - p->rows.first);
    const double threshold = c->model->threshold;
    to->metrics = metrics_with_cards(p->examples, rows, score, judged, threshold);
    to->estimate = estimate_make(score, judged, (size_t)(rows.end - rows.first), threshold);
    bootstrap_run(&to->bootstrap, p->examples, rows, score, judged, threshold);
}

// Labels of the week's last hours may be missing, as rows of a day may (MARGIN).
static void measure_week(const struct comparison *c, const struct week *week,
                         struct performance *to)
{
    const int64_t end = (week->from + DAYS_PER_WEEK) * SECONDS_PER_DAY;
    struct row_range rows = week->rows;
    rows.end = rows.end < c->mature.end ? rows.end : c->mature.end;
    if (rows.end > rows.first && c->current.examples->labels_as_of >= end + c->label_delay - MARGIN)
        measure_rows(c, &c->current, rows, to);
}

static void find_fall(struct comparison *c)
{
    const size_t n = c->current.n_weeks;
    c->differences = xcalloc(n, sizeof *c->differences);
    c->falls = xcalloc(n, sizeof *c->falls);
    for (size_t w = 0; w < n; w++) {
        c->differences[w] = bootstrap_interval(&c->weeks[w].bootstrap, &c->reference.bootstrap,
                                               METRIC(average_precision), INDEPENDENT);
        c->falls[w] = c->current.weeks[w].counts ? -c->differences[w].high : NAN;
    }
    c->performance_over = weeks_over(c, c->falls, c->ap_drop);
    c->performance_alarm = c->performance_over >= c->least;
}

// The longest pieces of work go first: the bootstrap of the whole period, and the score's column.
static int work(void *arg, unsigned thread, struct err *err)
{
    struct comparison *c = arg;
    const struct period *p = &c->current;
    (void)thread, (void)err;
    for (size_t k; (k = atomic_fetch_add(&c->next, 1)) < 2 + c->n + p->n_weeks;) {
        if (k == 0)
            measure_rows(c, p, c->mature, &c->now);
        else if (k == 1)
            measure_rows(c, &c->test, c->test.rows, &c->reference);
        else if (k >= 2 + c->n)
            measure_week(c, &p->weeks[k - 2 - c->n], &c->weeks[k - 2 - c->n]);
        else
            measure_column(c, c->n + 1 - k);
    }
    return 0;
}

static int read_settings(struct comparison *c, const struct config *config, struct err *err)
{
    const struct config_entry *alarm = config_find(config, "monitor", "alarm");
    struct examples *const tables[] = {c->features, c->other};
    struct split split;
    char more;
    c->psi_alert = 0.2;
    c->ap_drop = 0.1;
    c->min_rows = 1000;
    c->least = 2;
    c->last = 3;
    if (config_number(config, "monitor", "psi_alert", 0, 1e6, &c->psi_alert, err) ||
        config_number(config, "monitor", "ap_drop", 0, 1, &c->ap_drop, err) ||
        config_int(config, "monitor", "min_rows", 1, INT64_C(1) << 48, &c->min_rows, err) ||
        split_labels(&split, config, &c->model->plan.schema, err))
        return -1;
    // NOLINTNEXTLINE(cert-err34-c): two digits do not overflow
    if (alarm && (sscanf(alarm->value, "%2d of %2d %c", &c->least, &c->last, &more) != 2 ||
                  c->least < 1 || c->least > c->last))
        return config_error(config, alarm, 0, err, "'%s' is not K of N, like 2 of 3", alarm->value);
    c->label_delay = split.label_delay;
    for (size_t i = 0; i < 2 && split.blocked; i++)
        if (tables[i] &&
            !(tables[i]->card = table_data(&tables[i]->table, split.blocked, COLUMN_KEY, err)))
            return -1;
    return 0;
}

static int by_psi(const void *a, const void *b)
{
    const struct comparison_column *x = a, *y = b;
    return x->alarm != y->alarm ? y->alarm - x->alarm : ORDER(y->drift.psi, x->drift.psi);
}

int comparison_run(struct comparison *c, const struct config *config, unsigned threads,
                   struct err *err)
{
    if (read_settings(c, config, err))
        return -1;
    if (!examples_trained(c->features, c->model))
        return err_set(
            err,
            "%s: its rows of %s, the training window, are not those that trained the model: "
            "compute features of the same data, or train a model on this table",
            c->features->table.path,
            json_string_value(json_object_get(c->model->training, "train")));
    open_periods(c);
    c->n = c->model->n_inputs + 2;
    c->columns = xcalloc(c->n, sizeof *c->columns);
    c->weeks = xcalloc(c->current.n_weeks, sizeof *c->weeks);
    if (parallel_run(threads, work, c, err))
        return -1;
    c->estimate = estimate_make(c->current.score, c->current.judged, period_rows(&c->current),
                                c->model->threshold);
    find_fall(c);
    c->drift = c->performance_alarm;
    for (size_t i = 0; i < c->n; i++)
        c->drift |= c->columns[i].alarm;
    qsort(c->columns, c->n, sizeof *c->columns, by_psi);
    return 0;
}
