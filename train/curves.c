// Curves and tables of points as text. The numbers are metrics.c's and logreg.c's.
#include "train/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What the writers of the files need.
struct curves {
    const struct evaluation *v;
    const struct candidate *c; // the model or a baseline
    const struct ranking *ranking;
};

static void number(FILE *f, double x)
{
    fputc('\t', f);
    if (isfinite(x))
        fprintf(f, "%.17g", x);
}

// ---- of every candidate ----------------------------------------------------------------------------

// The point lies between two others on one straight line: both steps are of frauds only, or both
// of genuine rows only.
static bool between(const struct ranking *k, size_t i)
{
    if (i == 0 || i + 1 == k->n)
        return false;
    return (k->frauds[i - 1] == k->frauds[i] && k->frauds[i] == k->frauds[i + 1]) ||
           (k->genuine[i - 1] == k->genuine[i] && k->genuine[i] == k->genuine[i + 1]);
}

static void write_roc(FILE *f, const struct curves *r)
{
    const struct ranking *k = r->ranking;
    const double frauds = ranking_frauds(k), genuine = ranking_genuine(k);
    fprintf(f, "threshold\tfalse_positive_rate\ttrue_positive_rate\n");
    for (size_t i = 0; i < k->n && frauds > 0 && genuine > 0; i++)
        if (!between(k, i))
            fprintf(f, "%.17g\t%.17g\t%.17g\n", k->score[i], (double)k->genuine[i] / genuine,
                    (double)k->frauds[i] / frauds);
}

static void write_pr(FILE *f, const struct curves *r)
{
    const struct ranking *k = r->ranking;
    const double frauds = ranking_frauds(k);
    fprintf(f, "threshold\trecall\tprecision\n");
    for (size_t i = 0; i < k->n && frauds > 0; i++)
        if (!between(k, i) || k->frauds[i] != k->frauds[i - 1]) // precision bends as frauds rise
            fprintf(f, "%.17g\t%.17g\t%.17g\n", k->score[i], (double)k->frauds[i] / frauds,
                    (double)k->frauds[i] / (double)(k->frauds[i] + k->genuine[i]));
}

static void write_tradeoff(FILE *f, const struct curves *r)
{
    const struct ranking *k = r->ranking;
    const double frauds = ranking_frauds(k), days = r->v->folds[0].test_days;
    double next = 0;
    fprintf(f, "threshold\talerts_per_day\trecall\tprecision\n");
    for (size_t i = 0; i < k->n && frauds > 0; i++) {
        const double found = (double)k->frauds[i], alerts = found + (double)k->genuine[i];
        if (alerts < next && i + 1 < k->n)
            continue;
        next = alerts * 1.05;
        fprintf(f, "%.17g\t%.17g\t%.17g\t%.17g\n", k->score[i], alerts / days, found / frauds,
                found / alerts);
    }
}

static void write_weeks(FILE *f, const struct curves *r)
{
    fprintf(f, "week\ttest\trows\tfrauds");
    for (size_t i = 0; i < N_METRICS; i++)
        fprintf(f, "\t%s", metric_list[i].name);
    fputc('\n', f);
    for (size_t k = 0; k < r->v->n_folds; k++) {
        const struct fold_result *fold = &r->c->results[k];
        fprintf(f, "%zu\t%s\t%llu\t%llu", k, fold->fit->fold->test_text,
                (unsigned long long)fold->metrics.tally.rows,
                (unsigned long long)fold->metrics.tally.frauds);
        for (size_t i = 0; i < N_METRICS; i++)
            number(f, metrics_get(&fold->metrics, i));
        fputc('\n', f);
    }
}

// ---- of the model ----------------------------------------------------------------------------------

static void write_reliability(FILE *f, const struct curves *r)
{
    const struct calibration *c = &r->c->results[0].metrics.tally.calibration;
    fprintf(f, "from\tto\trows\tmean_probability\tfraud_share\tlow\thigh\n");
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        const double rows = (double)c->rows[b];
        double low, high;
        if (c->rows[b] == 0)
            continue;
        wilson_interval(c->frauds[b], c->rows[b], &low, &high);
        fprintf(f, "%g\t%g\t%.0f\t%.17g\t%.17g\t%.17g\t%.17g\n", (double)b / CALIBRATION_BINS,
                (double)(b + 1) / CALIBRATION_BINS, rows, c->probability[b] / rows,
                (double)c->frauds[b] / rows, low, high);
    }
}

// Log odds from -10 to 10 in steps of a half; what lies beyond is in the outermost ranges.
enum { RANGES = 40, REACH = 10 };

static void write_scores(FILE *f, const struct curves *r)
{
    const struct fold *fold = &r->v->folds[0];
    const double *score = r->c->results[0].fit->score;
    uint64_t genuine[RANGES] = {0}, frauds[RANGES] = {0};
    for (uint64_t i = 0; i < fold->test.end - fold->test.first; i++) {
        const double at = (log(score[i] / (1 - score[i])) + REACH) * RANGES / (2 * REACH);
        const int range = at < 0 ? 0 : at < RANGES ? (int)at : RANGES - 1;
        genuine[range] += fold->judged[i] == 0;
        frauds[range] += fold->judged[i] == 1;
    }
    fprintf(f, "from\tto\tgenuine\tfrauds\n");
    for (int k = 0; k < RANGES; k++)
        fprintf(f, "%.17g\t%.17g\t%llu\t%llu\n",
                model_probability((double)k * 2 * REACH / RANGES - REACH),
                model_probability((double)(k + 1) * 2 * REACH / RANGES - REACH),
                (unsigned long long)genuine[k], (unsigned long long)frauds[k]);
}

static void write_weights(FILE *f, const struct curves *r)
{
    const struct fit *t = r->c->results[0].fit;
    fprintf(f, "feature\tweight\tstandard_error\tlow\thigh\tz\todds_ratio\n");
    for (size_t i = 0; i < t->model.n_inputs; i++) {
        const double w = t->model.inputs[i].weight, e = t->standard_error[i];
        fputs(r->c->examples.names[i], f);
        number(f, w);
        number(f, e);
        number(f, w - Z_95 * e);
        number(f, w + Z_95 * e);
        number(f, w / e);
        number(f, exp(w));
        fputc('\n', f);
    }
}

// gnuplot would take a double quote as the begin or end of a text, and \n as a new line.
static void name(FILE *f, const char *text)
{
    for (; *text; text++)
        fputc(*text == '"' ? '\'' : *text == '\\' ? '/' : *text, f);
}

static void write_slices(FILE *f, const struct curves *r)
{
    fprintf(f, "slicing\tslice\trows\tfrauds\troc_auc\taverage_precision\tselection_rate\t"
               "true_positive_rate\tfalse_positive_rate\tsmall\n");
    for (size_t i = 0; i < r->v->n_slicings; i++)
        for (size_t k = 0; k < r->v->slicings[i].n; k++) {
            const struct slice *s = &r->v->slicings[i].slices[k];
            name(f, r->v->slicings[i].name);
            fputc('\t', f);
            name(f, s->name);
            fprintf(f, "\t%llu\t%llu", (unsigned long long)s->metrics.tally.rows,
                    (unsigned long long)s->metrics.tally.frauds);
            number(f, s->metrics.roc_auc);
            number(f, s->metrics.average_precision);
            number(f, s->metrics.selection_rate);
            number(f, s->metrics.recall);
            number(f, s->metrics.false_positive_rate);
            fprintf(f, "\t%d\n", s->small);
        }
}

// ---- files -----------------------------------------------------------------------------------------

static const struct curve {
    const char *name;
    void (*write)(FILE *f, const struct curves *r);
    bool of_baselines;
} list[] = {
    {"roc", write_roc, true},
    {"pr", write_pr, true},
    {"tradeoff", write_tradeoff, true},
    {"weeks", write_weeks, true},
    {"reliability", write_reliability, false},
    {"scores", write_scores, false},
    {"weights", write_weights, false},
    {"slices", write_slices, false},
};

static int write_file(struct output_dir *folder, const struct curves *r, const struct curve *curve,
                      struct err *err)
{
    const bool model = r->c == &r->v->model;
    char name[64], *text = NULL;
    size_t n = 0;
    snprintf(name, sizeof name, "%s%s%s.tsv", curve->name, model ? "" : "_",
             model ? "" : r->c->name);
    FILE *f = open_memstream(&text, &n);
    if (f)
        curve->write(f, r);
    bool bad = !f || ferror(f);
    bad = (f && fclose(f)) || bad;
    int rc = bad ? err_set(err, "%s/%s: out of memory", folder->path, name)
                 : output_dir_file(folder, name, text, n, err);
    free(text);
    return rc;
}

static int write_candidate(struct output_dir *folder, const struct evaluation *v,
                           const struct candidate *c, struct err *err)
{
    const struct fold *fold = &v->folds[0];
    struct ranking ranking;
    const struct curves r = {v, c, &ranking};
    int rc = 0;
    ranking_make(&ranking, c->results[0].fit->score, fold->judged,
                 (size_t)(fold->test.end - fold->test.first));
    for (size_t i = 0; i < sizeof list / sizeof *list && rc == 0; i++)
        if (c == &v->model || list[i].of_baselines)
            rc = write_file(folder, &r, &list[i], err);
    ranking_release(&ranking);
    return rc;
}

int curves_write(struct output_dir *folder, const struct evaluation *v, struct err *err)
{
    int rc = write_candidate(folder, v, &v->model, err);
    for (size_t i = 0; i < v->n_baselines && rc == 0; i++)
        if (v->baselines[i].examples.n_inputs > 0)
            rc = write_candidate(folder, v, &v->baselines[i], err);
    return rc;
}
