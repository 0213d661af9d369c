// drift.json and the text table. What the numbers mean stands in drift.h.
#include "monitor/drift_report.h"

#include "ingest/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The value of row, or null where the period has no rows.
static json_t *row_time(const struct period *p, uint64_t row)
{
    char text[TIME_TEXT];
    if (p->rows.first == p->rows.end)
        return json_null();
    const int64_t *time = p->table->columns[table_find_kind(p->table, COLUMN_TIME)].data;
    return json_string(time_text(text, time[row]));
}

static json_t *period_json(const struct period *p)
{
    return json_pack("{s:s, s:I, s:o, s:o}", "table", p->table->path, "rows",
                     (json_int_t)(p->rows.end - p->rows.first), "from", row_time(p, p->rows.first),
                     "to", row_time(p, p->rows.end - 1));
}

static json_t *weeks_json(const struct comparison *c, const double *psi)
{
    json_t *weeks = json_array();
    for (size_t w = 0; w < c->n_weeks; w++) {
        char from[TIME_TEXT];
        const struct week *week = &c->weeks[w];
        json_t *entry = json_pack("{s:s, s:I, s:o}", "from", date_text(from, week->from), "rows",
                                  (json_int_t)(week->rows.end - week->rows.first), "psi",
                                  json_number_or_null(psi[w]));
        if (json_array_append_new(weeks, entry)) { // refuses NULL, too
            json_decref(weeks);
            return NULL;
        }
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

static json_t *inputs_json(const struct comparison *c)
{
    json_t *inputs = json_array();
    for (size_t i = 0; i + 1 < c->n; i++)
        if (json_array_append_new(inputs, column_json(c, &c->columns[i]))) {
            json_decref(inputs);
            return NULL;
        }
    return inputs;
}

static json_t *performance_json(const struct performance *p)
{
    return p->known ? metrics_to_json(&p->metrics) : json_null();
}

static json_t *drift_report_json(const struct comparison *c)
{
    return json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:I, s:b, s:b, s:o, s:o, s:{s:o, s:o}}", //
                     "format", "assay drift",                                                 //
                     "version", 1,                                                            //
                     "model", c->model->sha256,                                               //
                     "reference", period_json(&c->reference),                                 //
                     "current", period_json(&c->current),                                     //
                     "psi_alert", json_number_or_null(c->limits.psi_alert),                   //
                     "min_rows", (json_int_t)c->limits.min_rows,                              //
                     "enough_rows", c->enough_rows,                                           //
                     "drifted", c->drifted,                                                   //
                     "inputs", inputs_json(c),                                                //
                     "score", column_json(c, &c->columns[c->n - 1]),                          //
                     "performance",                                                           //
                     "reference", performance_json(&c->reference_performance),                //
                     "current", performance_json(&c->current_performance));
}

int drift_report_write(const struct comparison *c, const char *path, struct err *err)
{
    json_t *json = drift_report_json(c);
    char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    struct output o = {0};
    int rc = -1;
    if (!text) {
        err_set(err, "%s: out of memory", path);
        goto out;
    }
    if (output_open(&o, path, 0644, err) || output_write(&o, text, strlen(text), err) ||
        output_write(&o, "\n", 1, err) || output_commit(&o, err))
        goto out;
    rc = 0;
out:
    output_release(&o);
    free(text);
    json_decref(json);
    return rc;
}

// Larger PSI first, columns without one last.
static int by_psi(const void *a, const void *b)
{
    double x = ((const struct comparison_column *)a)->drift.psi;
    double y = ((const struct comparison_column *)b)->drift.psi;
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
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

static void print_period(const char *title, const struct period *p)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    uint64_t rows = p->rows.end - p->rows.first;
    printf("%-9s %9" PRIu64 " rows", title, rows);
    if (rows > 0) {
        const int64_t *time = p->table->columns[table_find_kind(p->table, COLUMN_TIME)].data;
        printf("  %s .. %s", time_text(from, time[p->rows.first]),
               time_text(to, time[p->rows.end - 1]));
    }
    printf("  %s\n", p->table->path);
}

static void print_performance(const struct performance *before, const struct performance *now)
{
    bool both = before->known && now->known;
    if (both && isfinite(before->metrics.roc_auc) && isfinite(now->metrics.roc_auc))
        printf("ROC AUC %.4f before, %.4f now; average precision %.4f before, %.4f now\n",
               before->metrics.roc_auc, now->metrics.roc_auc, before->metrics.average_precision,
               now->metrics.average_precision);
}

static void print_verdict(const struct comparison *c)
{
    if (!c->enough_rows)
        printf("no verdict: fewer than min_rows = %" PRId64 " rows on one side\n",
               c->limits.min_rows);
    else
        printf("%s: PSI %s %g\n", c->drifted ? "drifted" : "no drift",
               c->drifted ? "reaches" : "stays below", c->limits.psi_alert);
}

int drift_report_print(const struct comparison *c, struct err *err)
{
    int width = 0;
    struct comparison_column *order = calloc(c->n, sizeof *order);
    if (!order)
        return err_set(err, "out of memory for a table of %zu columns", c->n);
    for (size_t i = 0; i < c->n; i++) {
        order[i] = c->columns[i];
        int n = (int)strlen(order[i].name);
        width = n > width ? n : width;
    }
    qsort(order, c->n, sizeof *order, by_psi);
    print_period("reference", &c->reference);
    print_period("current", &c->current);
    printf("%-*s %8s %7s %7s %7s %8s %11s %11s\n", width, "input", "PSI", "KS", "JS", "W1/sd",
           "outside", "mean before", "mean now");
    for (size_t i = 0; i < c->n; i++)
        print_column(&order[i], width);
    free(order);
    print_performance(&c->reference_performance, &c->current_performance);
    print_verdict(c);
    return 0;
}
