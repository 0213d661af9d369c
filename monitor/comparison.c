// Reads both periods, measures one column after the other, and writes what was found.
#include "monitor/comparison.h"

#include "base/memory.h"
#include "base/output.h"
#include "base/parallel.h"
#include "ingest/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS_PER_WEEK = 7 };

size_t period_rows(const struct period *p)
{
    return p->rows.end - p->rows.first;
}

// ---- rows ----

static int find_columns(struct period *p, const struct table *t, const struct model *m,
                        struct err *err)
{
    int time = table_find_kind(t, COLUMN_TIME), label = table_find_kind(t, COLUMN_LABEL);
    if (time < 0)
        return err_set(err, "%s: there is no column of kind time", t->path);
    p->table = t;
    p->time = t->columns[time].data;
    p->label = label < 0 ? NULL : t->columns[label].data;
    p->inputs = xcalloc(m->n_inputs, sizeof *p->inputs);
    for (size_t i = 0; i < m->n_inputs; i++) {
        p->inputs[i] = table_data(t, m->inputs[i].name, COLUMN_FEATURE, err);
        if (!p->inputs[i])
            return err_prefix(err, "the model was trained on other features than these: compute "
                                   "them again, or promote a model of these");
    }
    return 0;
}

static int find_weeks(struct comparison *c, struct err *err)
{
    const struct period *p = &c->current;
    struct week *last = NULL;
    for (uint64_t row = p->rows.first; row < p->rows.end; row++) {
        const int64_t day = day_of(p->time[row]);
        if (row > p->rows.first && p->time[row] < p->time[row - 1])
            return err_set(err, "%s: time goes back at row %" PRIu64 "; rows must be in time order",
                           p->table->path, row);
        if (!last || day >= last->from + DAYS_PER_WEEK) {
            const int64_t from = last ? day - (day - last->from) % DAYS_PER_WEEK : day;
            ARRAY_GROW(c->weeks, c->n_weeks + 1, c->weeks_capacity);
            last = &c->weeks[c->n_weeks++];
            *last = (struct week){from, {row, row}};
        }
        last->rows.end = row + 1;
    }
    return 0;
}

static int choose_rows(struct comparison *c, const struct table *features,
                       const struct table *other, const struct config *config, struct err *err)
{
    static const char *const keys[] = {"psi_alert", "min_rows"};
    struct period *before = &c->reference, *now = &c->current;
    struct split split;
    if (split_from_config(&split, config, err) ||
        config_check_keys(config, "monitor", keys, 2, err) ||
        config_number(config, "monitor", "psi_alert", 0, 1e6, &c->psi_alert, err) ||
        config_int(config, "monitor", "min_rows", 1, INT64_C(1) << 48, &c->min_rows, err) ||
        find_columns(before, features, c->model, err) ||
        find_columns(now, other ? other : features, c->model, err))
        return -1;
    before->rows = split_rows(&split.train, 0, before->time, features->rows);
    now->rows.end = now->table->rows;
    if (!other)
        now->rows.first = split_rows(&split.test, 0, now->time, features->rows).end;
    if (period_rows(before) == 0)
        return err_set(err, "%s: no row lies in the training part", features->path);
    const size_t least = (size_t)c->min_rows;
    c->enough_rows = period_rows(before) >= least && period_rows(now) >= least;
    return 0;
}

// ---- columns ----

// Column i of a period's rows as doubles. The one after the inputs is the score, with which the
// model is measured, too.
static int load(struct period *p, const struct model *m, size_t i, double *out, struct err *err)
{
    const size_t n = period_rows(p), first = p->rows.first;
    const bool score = i == m->n_inputs;
    double *scores = score ? scores_new(&(struct examples){.x = p->inputs}, m, p->rows) : NULL;
    for (size_t r = 0; r < n; r++)
        out[r] = score ? scores[r] : p->inputs[i][first + r];
    free(scores);
    for (size_t r = 0; r < n; r++)
        if (!isfinite(out[r]))
            return err_set(err,
                           "%s: %s of row %" PRIu64 " is %g; only finite values can be compared",
                           p->table->path, score ? "score" : m->inputs[i].name, first + r, out[r]);
    if (score && p->label)
        p->metrics = metrics_compute(out, p->label + first, n, m->threshold);
    return 0;
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

// before, now: room for the rows of the reference and of the current period.
static int compare_column(struct comparison *c, size_t i, double *before, double *now,
                          struct err *err)
{
    const struct model *m = c->model;
    const struct histogram *h = i < m->n_inputs ? &m->inputs[i].reference : &m->score_reference;
    const size_t n_before = period_rows(&c->reference), n_now = period_rows(&c->current);
    struct comparison_column *column = &c->columns[i];
    uint64_t p[HISTOGRAM_BINS] = {0}, q[HISTOGRAM_BINS] = {0};
    if (load(&c->reference, m, i, before, err) || load(&c->current, m, i, now, err))
        return -1;
    column->name = i < m->n_inputs ? m->inputs[i].name : "score";
    column->week_psi = xcalloc(c->n_weeks, sizeof *column->week_psi);
    for (size_t r = 0; r < n_before; r++)
        p[histogram_bin(h, before[r])]++;
    count_weeks(c, h, now, p, q, column->week_psi);
    sort_doubles(before, n_before);
    sort_doubles(now, n_now);
    column->drift = drift_measure(before, n_before, now, n_now, p, q, h->n_edges + 1);
    column->drifted = c->enough_rows && column->drift.psi >= c->psi_alert;
    return 0;
}

struct job {
    struct comparison *comparison;
    atomic_size_t next; // column
};

// The last column, the score, costs most and goes first.
static int work(void *arg, unsigned thread, struct err *err)
{
    (void)thread;
    struct job *job = arg;
    struct comparison *c = job->comparison;
    double *before = xcalloc(period_rows(&c->reference), sizeof *before);
    double *now = xcalloc(period_rows(&c->current), sizeof *now);
    int rc = 0;
    for (size_t k; rc == 0 && (k = atomic_fetch_add(&job->next, 1)) < c->n;)
        rc = compare_column(c, c->n - 1 - k, before, now, err);
    free(before);
    free(now);
    return rc;
}

int comparison_init(struct comparison *c, const struct model *m, const struct table *features,
                    const struct table *other, const struct config *config, unsigned threads,
                    struct err *err)
{
    struct job job = {.comparison = c};
    *c = (struct comparison){.model = m, .n = m->n_inputs + 1, .psi_alert = 0.2, .min_rows = 1000};
    c->columns = xcalloc(c->n, sizeof *c->columns);
    if (choose_rows(c, features, other, config, err) || find_weeks(c, err) ||
        parallel_run(threads < c->n ? threads : (unsigned)c->n, work, &job, err)) {
        comparison_release(c);
        return -1;
    }
    for (size_t i = 0; i < c->n; i++)
        c->drifted = c->drifted || c->columns[i].drifted;
    return 0;
}

void comparison_release(struct comparison *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->columns[i].week_psi);
    free(c->columns);
    free(c->weeks);
    free(c->reference.inputs);
    free(c->current.inputs);
    *c = (struct comparison){0};
}

// ---- drift.json ----

static json_t *period_json(const struct period *p)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    const bool any = period_rows(p) > 0;
    return json_pack("{s:s, s:I, s:s?, s:s?}", "table", p->table->path, "rows",
                     (json_int_t)period_rows(p), "from",
                     any ? time_text(from, p->time[p->rows.first]) : NULL, "to",
                     any ? time_text(to, p->time[p->rows.end - 1]) : NULL);
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
    const struct drift *d = &column->drift;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}",           //
                     "name", column->name,                                                     //
                     "psi", json_number_or_null(d->psi),                                       //
                     "ks", json_number_or_null(d->ks),                                         //
                     "ks_p", json_number_or_null(d->ks_p),                                     //
                     "jensen_shannon", json_number_or_null(d->jensen_shannon),                 //
                     "wasserstein", json_number_or_null(d->wasserstein),                       //
                     "wasserstein_normalised", json_number_or_null(d->wasserstein_normalised), //
                     "out_of_range", json_number_or_null(d->out_of_range),                     //
                     "mean_reference", json_number_or_null(d->mean_reference),                 //
                     "mean_current", json_number_or_null(d->mean_current),                     //
                     "drifted", column->drifted,                                               //
                     "weeks", weeks_json(c, column->week_psi));
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
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    struct output o = {0};
    int rc = output_open(&o, path, 0644, err) || output_write(&o, text, strlen(text), err) ||
             output_write(&o, "\n", 1, err) || output_commit(&o, err);
    output_release(&o);
    free(text);
    json_decref(json);
    return rc ? -1 : 0;
}

// ---- table ----

// Larger PSI first; without current rows all are NAN and stay in order.
static int by_psi(const void *a, const void *b)
{
    const double x = ((const struct comparison_column *)a)->drift.psi;
    const double y = ((const struct comparison_column *)b)->drift.psi;
    return (x < y) - (x > y);
}

static void print_number(int width, const char *format, double x)
{
    char text[32] = "-";
    if (isfinite(x))
        snprintf(text, sizeof text, format, x);
    printf(" %*s", width, text);
}

static void print_column(const struct comparison_column *column, int width)
{
    const struct drift *d = &column->drift;
    printf("%-*s", width, column->name);
    print_number(8, "%.4f", d->psi);
    print_number(7, "%.4f", d->ks);
    print_number(7, "%.4f", d->jensen_shannon);
    print_number(7, "%.3f", d->wasserstein_normalised);
    print_number(8, "%.4f", d->out_of_range);
    print_number(11, "%.4g", d->mean_reference);
    print_number(11, "%.4g", d->mean_current);
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
    printf("%-*s %8s %7s %7s %7s %8s %11s %11s\n", width, "input", "PSI", "KS", "JS", "W1/sd",
           "outside", "mean before", "mean now");
    for (size_t i = 0; i < c->n; i++)
        print_column(&sorted[i], width);
    free(sorted);
}

static void print_period(const char *title, const struct period *p)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    printf("%-9s %9zu rows", title, period_rows(p));
    if (period_rows(p) > 0)
        printf("  %s .. %s", time_text(from, p->time[p->rows.first]),
               time_text(to, p->time[p->rows.end - 1]));
    printf("  %s\n", p->table->path);
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
