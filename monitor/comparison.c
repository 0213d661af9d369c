// Takes the columns of both periods one after the other: counts their bins by weeks, sorts them,
// and has drift.c measure them. Columns are shared out to the threads as these become free. How the
// result is written down is drift_report.c's.
#include "monitor/comparison.h"

#include "base/parallel.h"
#include "ingest/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { DAYS_PER_WEEK = 7 };

// One period's share of the work: what to read, and where its rows' inputs stand.
struct side {
    const struct period *period;
    const float **inputs; // [n_inputs] -> [rows of the table]
    const int64_t *time;
    const int8_t *label; // NULL where the table has none
    size_t rows;
};

struct job {
    const struct model *model;
    struct side reference, current;
    struct comparison *result;
    double *values; // threads × both periods' rows
    float *row;     // [n_inputs], for the one thread that computes the score
    atomic_size_t next;
};

int limits_from_config(struct limits *l, const struct config *c, struct err *err)
{
    static const char *const keys[] = {"psi_alert", "min_rows"};
    *l = (struct limits){.psi_alert = 0.2, .min_rows = 1000};
    if (config_check_keys(c, "monitor", keys, 2, err) ||
        config_number(c, "monitor", "psi_alert", 0, 1e6, &l->psi_alert, err) ||
        config_int(c, "monitor", "min_rows", 1, INT64_C(1) << 48, &l->min_rows, err))
        return -1;
    return 0;
}

// ---- weeks ----

static struct week *add_week(struct comparison *c, int64_t from, uint64_t row)
{
    struct week *grown = realloc(c->weeks, (c->n_weeks + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    c->weeks = grown;
    grown[c->n_weeks] = (struct week){from, {row, row}};
    return &grown[c->n_weeks++];
}

static int find_weeks(struct comparison *c, const struct side *s, struct err *err)
{
    const struct period *p = s->period;
    struct week *last = NULL;
    for (uint64_t row = p->rows.first; row < p->rows.end; row++) {
        int64_t day = day_of(s->time[row]);
        if (row > p->rows.first && s->time[row] < s->time[row - 1])
            return err_set(err, "%s: time goes back at row %" PRIu64 "; rows must be in time order",
                           p->table->path, row);
        if (!last || day >= last->from + DAYS_PER_WEEK) {
            int64_t from = last ? day - (day - last->from) % DAYS_PER_WEEK : day;
            last = add_week(c, from, row);
            if (!last)
                return err_set(err, "out of memory for %zu weeks", c->n_weeks + 1);
        }
        last->rows.end = row + 1;
    }
    return 0;
}

// ---- one column, on one thread ----

static void load_input(const struct side *s, size_t input, double *out)
{
    const float *x = s->inputs[input] + s->period->rows.first;
    for (size_t i = 0; i < s->rows; i++)
        out[i] = x[i];
}

static void load_score(const struct side *s, const struct model *m, float *x, double *out)
{
    for (size_t i = 0; i < s->rows; i++) {
        for (size_t k = 0; k < m->n_inputs; k++)
            x[k] = s->inputs[k][s->period->rows.first + i];
        out[i] = model_probability(model_margin(m, x));
    }
}

static int check_finite(const struct side *s, const char *name, const double *values,
                        struct err *err)
{
    for (size_t i = 0; i < s->rows; i++)
        if (!isfinite(values[i]))
            return err_set(err,
                           "%s: %s of row %" PRIu64 " is %g; only finite values can be compared",
                           s->period->table->path, name, s->period->rows.first + i, values[i]);
    return 0;
}

static void count(const struct histogram *h, const double *values, size_t n, uint64_t *counts)
{
    for (size_t i = 0; i < n; i++)
        counts[histogram_bin(h, values[i])]++;
}

// Weeks part the current rows, so their counts add up to those of the whole period.
static void count_weeks(const struct job *job, const struct histogram *h, const double *values,
                        const uint64_t *p, uint64_t *q, double *psi)
{
    for (size_t w = 0; w < job->result->n_weeks; w++) {
        uint64_t week[HISTOGRAM_BINS] = {0};
        const struct row_range *rows = &job->result->weeks[w].rows;
        size_t first = rows->first - job->current.period->rows.first;
        count(h, values + first, rows->end - rows->first, week);
        psi[w] = drift_psi(p, week, h->n_edges + 1);
        for (size_t b = 0; b <= h->n_edges; b++)
            q[b] += week[b];
    }
}

static void judge(const struct side *s, const struct model *m, const double *score,
                  struct performance *p)
{
    if (!s->label)
        return;
    p->metrics = metrics_compute(score, s->label + s->period->rows.first, s->rows, m->threshold);
    p->known = p->metrics.tally.rows > 0;
}

// values: room for both periods.
static int compare_column(struct job *job, size_t i, double *values, struct err *err)
{
    const struct side *r = &job->reference, *c = &job->current;
    const struct model *m = job->model;
    bool score = i == m->n_inputs;
    struct comparison_column *column = &job->result->columns[i];
    const struct histogram *h = score ? &m->score_reference : &m->inputs[i].reference;
    double *current = values + r->rows;
    if (score) {
        load_score(r, m, job->row, values);
        load_score(c, m, job->row, current);
    } else {
        load_input(r, i, values);
        load_input(c, i, current);
    }
    if (check_finite(r, column->name, values, err) || check_finite(c, column->name, current, err))
        return -1;
    if (score) {
        judge(r, m, values, &job->result->reference_performance);
        judge(c, m, current, &job->result->current_performance);
    }
    uint64_t p[HISTOGRAM_BINS] = {0}, q[HISTOGRAM_BINS] = {0};
    count(h, values, r->rows, p);
    count_weeks(job, h, current, p, q, column->week_psi);
    sort_doubles(values, r->rows);
    sort_doubles(current, c->rows);
    column->drift = drift_measure(values, r->rows, current, c->rows, p, q, h->n_edges + 1);
    return 0;
}

// The last column, the score, costs most and goes first.
static int work(void *arg, unsigned thread, struct err *err)
{
    struct job *job = arg;
    size_t n = job->result->n, rows = job->reference.rows + job->current.rows;
    for (size_t k; (k = atomic_fetch_add(&job->next, 1)) < n;) {
        if (compare_column(job, n - 1 - k, job->values + thread * rows, err))
            return -1;
    }
    return 0;
}

// ---- all of them ----

static int bind(struct side *s, const struct model *m, struct err *err)
{
    const struct period *p = s->period;
    int time = table_find_kind(p->table, COLUMN_TIME);
    int label = table_find_kind(p->table, COLUMN_LABEL);
    if (time < 0) {
        err_set(err, "%s: there is no column of kind time", p->table->path);
        return -1;
    }
    s->time = p->table->columns[time].data;
    s->label = label < 0 ? NULL : p->table->columns[label].data;
    s->rows = p->rows.end - p->rows.first;
    s->inputs = calloc(m->n_inputs + 1, sizeof *s->inputs);
    if (!s->inputs)
        return err_set(err, "out of memory for %zu inputs", m->n_inputs);
    for (size_t i = 0; i < m->n_inputs; i++) {
        s->inputs[i] = table_data(p->table, m->inputs[i].name, COLUMN_FEATURE, err);
        if (!s->inputs[i])
            return err_prefix(err, "the model was trained on other features than these: compute "
                                   "them again, or promote a model of these");
    }
    return 0;
}

static int allocate(struct job *job, unsigned threads, struct err *err)
{
    struct comparison *c = job->result;
    size_t rows = job->reference.rows + job->current.rows;
    c->n = job->model->n_inputs + 1;
    c->columns = calloc(c->n, sizeof *c->columns);
    job->row = calloc(c->n, sizeof *job->row);
    job->values = calloc(threads, (rows + 1) * sizeof *job->values);
    if (!c->columns || !job->row || !job->values)
        return err_set(err, "out of memory for %zu rows on %u threads", rows, threads);
    for (size_t i = 0; i < c->n; i++) {
        c->columns[i].name = i + 1 < c->n ? job->model->inputs[i].name : "score";
        c->columns[i].week_psi = calloc(c->n_weeks + 1, sizeof *c->columns[i].week_psi);
        if (!c->columns[i].week_psi)
            return err_set(err, "out of memory for %zu weeks", c->n_weeks);
    }
    return 0;
}

static void decide(struct comparison *c, const struct job *job)
{
    size_t min_rows = (size_t)c->limits.min_rows;
    c->enough_rows = job->reference.rows >= min_rows && job->current.rows >= min_rows;
    for (size_t i = 0; i < c->n; i++) {
        c->columns[i].drifted = c->enough_rows && c->columns[i].drift.psi >= c->limits.psi_alert;
        c->drifted = c->drifted || c->columns[i].drifted;
    }
}

int comparison_init(struct comparison *c, const struct model *m, const struct period *reference,
                    const struct period *current, const struct limits *limits, unsigned threads,
                    struct err *err)
{
    *c = (struct comparison){
        .model = m, .reference = *reference, .current = *current, .limits = *limits};
    struct job job = {
        .model = m, .result = c, .reference.period = reference, .current.period = current};
    unsigned workers = threads < m->n_inputs + 1 ? threads : (unsigned)m->n_inputs + 1;
    int rc = -1;
    if (reference->rows.first == reference->rows.end) {
        err_set(err, "%s: no row lies in the training part", reference->table->path);
        goto out;
    }
    if (bind(&job.reference, m, err) || bind(&job.current, m, err) ||
        find_weeks(c, &job.current, err) || allocate(&job, workers, err))
        goto out;
    if (parallel_run(workers, work, &job, err))
        goto out;
    decide(c, &job);
    rc = 0;
out:
    free(job.reference.inputs);
    free(job.current.inputs);
    free(job.row);
    free(job.values);
    if (rc)
        comparison_release(c);
    return rc;
}

void comparison_release(struct comparison *c)
{
    for (size_t i = 0; i < c->n && c->columns; i++)
        free(c->columns[i].week_psi);
    free(c->columns);
    free(c->weeks);
    *c = (struct comparison){0};
}
