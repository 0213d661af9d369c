#include "monitor/comparison.h"

#include "base/memory.h"
#include "base/output.h"
#include "base/parallel.h"
#include "base/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS_PER_WEEK = 7 };

size_t period_rows(const struct period *p)
{
    return p->rows.end - p->rows.first;
}

// ---- rows ----

static void find_weeks(struct comparison *c)
{
    const struct period *p = &c->current;
    struct week *last = NULL;
    for (uint64_t row = p->rows.first; row < p->rows.end; row++) {
        const int64_t day = day_of(p->examples->time[row]);
        if (!last || day >= last->from + DAYS_PER_WEEK) {
            const int64_t from = last ? day - (day - last->from) % DAYS_PER_WEEK : day;
            ARRAY_GROW(c->weeks, c->n_weeks + 1, c->weeks_capacity);
            last = &c->weeks[c->n_weeks++];
            *last = (struct week){from, {row, row}};
        }
        last->rows.end = row + 1;
    }
}

static int choose_rows(struct comparison *c, const struct config *config, struct err *err)
{
    struct period *before = &c->reference, *now = &c->current;
    const struct examples *e = before->examples;
    struct split split;
    if (split_from_config(&split, config, err) ||
        config_number(config, "monitor", "psi_alert", 0, 1e6, &c->psi_alert, err) ||
        config_int(config, "monitor", "min_rows", 1, INT64_C(1) << 48, &c->min_rows, err))
        return -1;
    before->rows = split_rows(&split.train, 0, e->time, e->rows);
    now->rows.end = now->examples->rows;
    if (now->examples == e)
        now->rows.first = split_rows(&split.test, 0, e->time, e->rows).end;
    if (period_rows(before) == 0)
        return err_set(err, "%s: no row lies in the training part", e->table.path);
    const size_t least = (size_t)c->min_rows;
    c->enough_rows = period_rows(before) >= least && period_rows(now) >= least;
    return 0;
}

// ---- columns ----

// Column i of a period's rows as doubles, to be freed. The one after the inputs is the score, with
// which the model is measured, too.
static double *load(struct period *p, const struct model *m, size_t i)
{
    const size_t n = period_rows(p), first = p->rows.first;
    const struct examples *e = p->examples;
    if (i == m->n_inputs) {
        double *score = scores_new(e, m, p->rows);
        if (e->label)
            p->metrics = metrics_compute(score, e->label + first, n, m->threshold);
        return score;
    }
    double *x = xmalloc(n * sizeof *x);
    for (size_t r = 0; r < n; r++)
        x[r] = e->x[i][first + r];
    return x;
}

// values: of the current rows. The weeks cover them, so their counts add up to q, those of the
// period.
static void count_weeks(const struct comparison *c, const struct histogram *h, const double *values,
                        const uint64_t *p, uint64_t *q, double *psi)
{
    for (size_t w = 0; w < c->n_weeks; w++) {
        uint64_t week[HISTOGRAM_BINS] = {0};
        const struct row_range *rows = &c->weeks[w].rows;
        for (uint64_t row = rows->first; row < rows->end; row++)
            week[histogram_bin(h, *values++)]++;
        psi[w] = drift_psi(p, week, h->n_edges + 1);
        for (size_t b = 0; b <= h->n_edges; b++)
            q[b] += week[b];
    }
}

static void compare_column(struct comparison *c, size_t i)
{
    const struct model *m = c->model;
    const struct histogram *h = i < m->n_inputs ? &m->inputs[i].reference : &m->score_reference;
    const size_t n_before = period_rows(&c->reference), n_now = period_rows(&c->current);
    double *before = load(&c->reference, m, i), *now = load(&c->current, m, i);
    struct comparison_column *column = &c->columns[i];
    uint64_t p[HISTOGRAM_BINS] = {0}, q[HISTOGRAM_BINS] = {0};
    column->name = i < m->n_inputs ? m->inputs[i].name : "score";
    column->week_psi = xcalloc(c->n_weeks, sizeof *column->week_psi);
    for (size_t r = 0; r < n_before; r++)
        p[histogram_bin(h, before[r])]++;
    count_weeks(c, h, now, p, q, column->week_psi);
    sort_doubles(before, n_before);
    sort_doubles(now, n_now);
    column->drift = drift_measure(before, n_before, now, n_now, p, q, h->n_edges + 1);
    column->drifted = c->enough_rows && column->drift.psi >= c->psi_alert;
    free(before);
    free(now);
}

// The last column, the score, costs most and goes first.
static int work(void *arg, unsigned thread, struct err *err)
{
    struct comparison *c = arg;
    (void)thread;
    (void)err;
    for (size_t k; (k = atomic_fetch_add(&c->next, 1)) < c->n;)
        compare_column(c, c->n - 1 - k);
    return 0;
}

int comparison_init(struct comparison *c, const struct model *m, const struct examples *features,
                    const struct examples *other, const struct config *config, unsigned threads,
                    struct err *err)
{
    *c = (struct comparison){.model = m,
                             .reference.examples = features,
                             .current.examples = other ? other : features,
                             .n = m->n_inputs + 1,
                             .psi_alert = 0.2,
                             .min_rows = 1000};
    if (choose_rows(c, config, err))
        return -1;
    find_weeks(c);
    c->columns = xcalloc(c->n, sizeof *c->columns);
    parallel_run(threads < c->n ? threads : (unsigned)c->n, work, c, err);
    for (size_t i = 0; i < c->n; i++)
        c->drifted = c->drifted || c->columns[i].drifted;
    return 0;
}

// ---- drift.json ----

// The measures in the order of struct drift; those with a title are in the table, too.
static const struct {
    const char *name, *title, *format;
    int width;
} measures[] = {
    {"psi", "PSI", "%.4f", 8},
    {"ks", "KS", "%.4f", 7},
    {"ks_p", NULL, NULL, 0},
    {"jensen_shannon", "JS", "%.4f", 7},
    {"wasserstein", NULL, NULL, 0},
    {"wasserstein_normalised", "W1/sd", "%.3f", 7},
    {"out_of_range", "outside", "%.4f", 8},
    {"mean_reference", "mean before", "%.4g", 11},
    {"mean_current", "mean now", "%.4g", 11},
};
enum { MEASURES = sizeof measures / sizeof *measures };

static json_t *period_json(const struct period *p)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    const bool any = period_rows(p) > 0;
    const int64_t *time = p->examples->time;
    return json_pack("{s:s, s:I, s:s?, s:s?}", "table", p->examples->table.path, "rows",
                     (json_int_t)period_rows(p), "from",
                     any ? time_text(from, time[p->rows.first]) : NULL, "to",
                     any ? time_text(to, time[p->rows.end - 1]) : NULL);
}

static json_t *weeks_json(const struct comparison *c, const double *psi)
{
    json_t *weeks = json_array();
    for (size_t w = 0; w < c->n_weeks; w++) {
        char from[TIME_TEXT];
        const struct week *week = &c->weeks[w];
        json_array_append_new(weeks,
                              json_pack("{s:s, s:I, s:o}", "from", date_text(from, week->from),
                                        "rows", (json_int_t)(week->rows.end - week->rows.first),
                                        "psi", json_number_or_null(psi[w])));
    }
    return weeks;
}

static json_t *column_json(const struct comparison *c, const struct comparison_column *column)
{
    json_t *j = json_pack("{s:s}", "name", column->name);
    for (size_t i = 0; i < MEASURES; i++)
        json_object_set_new(j, measures[i].name,
                            json_number_or_null(((const double *)&column->drift)[i]));
    json_object_set_new(j, "drifted", json_boolean(column->drifted));
    json_object_set_new(j, "weeks", weeks_json(c, column->week_psi));
    return j;
}

static json_t *performance_json(const struct metrics *m)
{
    return m->tally.rows > 0 ? metrics_to_json(m) : json_null();
}

static json_t *comparison_json(const struct comparison *c)
{
    json_t *inputs = json_array();
    for (size_t i = 0; i + 1 < c->n; i++)
        json_array_append_new(inputs, column_json(c, &c->columns[i]));
    return json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:I, s:b, s:b, s:o, s:o, s:{s:o, s:o}}", //
                     "format", "assay drift",                                                 //
                     "version", 1,                                                            //
                     "model", c->model->sha256,                                               //
                     "reference", period_json(&c->reference),                                 //
                     "current", period_json(&c->current),                                     //
                     "psi_alert", json_number_or_null(c->psi_alert),                          //
                     "min_rows", (json_int_t)c->min_rows,                                     //
                     "enough_rows", c->enough_rows,                                           //
                     "drifted", c->drifted,                                                   //
                     "inputs", inputs,                                                        //
                     "score", column_json(c, &c->columns[c->n - 1]),                          //
                     "performance",                                                           //
                     "reference", performance_json(&c->reference.metrics),                    //
                     "current", performance_json(&c->current.metrics));
}

int comparison_write(const struct comparison *c, const char *path, struct err *err)
{
    json_t *json = comparison_json(c);
    struct output o = {0};
    int rc = json ? output_open(&o, path, 0644, err)
                  : err_set(err, "%s: the name of a table in it is not UTF-8", path);
    if (rc == 0) {
        json_dumpf(json, o.file, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
        putc('\n', o.file);
        rc = output_commit(&o, err);
    }
    output_release(&o);
    json_decref(json);
    return rc;
}

// ---- table ----

// Larger PSI first; without current rows all are NAN and stay in order.
static int by_psi(const void *a, const void *b)
{
    const double x = ((const struct comparison_column *)a)->drift.psi;
    const double y = ((const struct comparison_column *)b)->drift.psi;
    return (x < y) - (x > y);
}

static void print_column(const struct comparison_column *column, int width)
{
    printf("%-*s", width, column->name);
    for (size_t i = 0; i < MEASURES; i++) {
        const double x = ((const double *)&column->drift)[i];
        char text[32] = "-";
        if (measures[i].title && isfinite(x))
            snprintf(text, sizeof text, measures[i].format, x);
        if (measures[i].title)
            printf(" %*s", measures[i].width, text);
    }
    printf("%s\n", column->drifted ? "  drifted" : "");
}

static void print_columns(const struct comparison *c)
{
    int width = 0;
    struct comparison_column *sorted = xcalloc(c->n, sizeof *sorted);
    memcpy(sorted, c->columns, c->n * sizeof *sorted);
    qsort(sorted, c->n, sizeof *sorted, by_psi);
    for (size_t i = 0; i < c->n; i++)
        width = (int)strlen(sorted[i].name) > width ? (int)strlen(sorted[i].name) : width;
    printf("%-*s", width, "input");
    for (size_t i = 0; i < MEASURES; i++)
        if (measures[i].title)
            printf(" %*s", measures[i].width, measures[i].title);
    printf("\n");
    for (size_t i = 0; i < c->n; i++)
        print_column(&sorted[i], width);
    free(sorted);
}

static void print_period(const char *title, const struct period *p)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    printf("%-9s %9zu rows", title, period_rows(p));
    if (period_rows(p) > 0)
        printf("  %s .. %s", time_text(from, p->examples->time[p->rows.first]),
               time_text(to, p->examples->time[p->rows.end - 1]));
    printf("  %s\n", p->examples->table.path);
}

void comparison_print(const struct comparison *c)
{
    const struct metrics *before = &c->reference.metrics, *now = &c->current.metrics;
    print_period("reference", &c->reference);
    print_period("current", &c->current);
    print_columns(c);
    if (before->tally.rows > 0 && now->tally.rows > 0 && isfinite(before->roc_auc) &&
        isfinite(now->roc_auc))
        printf("ROC AUC %.4f before, %.4f now; average precision %.4f before, %.4f now\n",
               before->roc_auc, now->roc_auc, before->average_precision, now->average_precision);
    if (!c->enough_rows)
        printf("no verdict: fewer than min_rows = %" PRId64 " rows on one side\n", c->min_rows);
    else
        printf("%s: PSI %s %g\n", c->drifted ? "drifted" : "no drift",
               c->drifted ? "reaches" : "stays below", c->psi_alert);
}
