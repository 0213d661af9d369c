// Metrics and curves as files, and the metrics as a table to read.
#include "train/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// What the writers of the files need.
struct report {
    const struct evaluation *v;
    const struct settings *settings;
    const struct ranking *ranking;
    const double *score;
    const int8_t *judged;
    size_t n; // of the test rows
};

// ---- metrics.json ----------------------------------------------------------------------------------

static json_t *fold_to_json(const struct fold *f)
{
    json_t *j = json_pack("{s:s, s:s, s:s}", "train", f->trial->cut.train_text, "test",
                          f->trial->cut.test_text, "threshold_from", f->threshold_from);
    json_t *metrics = metrics_to_json(&f->metrics);
    if (!j || !metrics || json_object_update(j, metrics)) {
        json_decref(j);
        j = NULL;
    }
    json_decref(metrics);
    return j;
}

static json_t *folds_to_json(const struct evaluation *v)
{
    json_t *list = json_array();
    bool bad = !list;
    for (size_t k = 0; k < v->n_folds && !bad; k++)
        bad = json_array_append_new(list, fold_to_json(&v->folds[k]));
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *validation_to_json(const struct evaluation *v, const struct settings *s)
{
    json_t *list = json_array();
    bool bad = !list;
    for (size_t i = 0; i < s->n_l2 && !bad; i++) {
        bad = json_array_append_new(list, json_pack("{s:f, s:o}", "l2", s->l2[i],
                                                    "mean_average_precision",
                                                    json_number_or_null(v->validation[i])));
    }
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

static int write_metrics(FILE *f, const struct report *r)
{
    const struct evaluation *v = r->v;
    const struct settings *s = r->settings;
    json_t *j =
        json_pack("{s:o, s:o, s:o, s:f, s:I}", "test", metrics_to_json(&v->folds[0].metrics),
                  "folds", folds_to_json(v), "validation", validation_to_json(v, s), "l2", v->l2,
                  "alerts_per_day", (json_int_t)s->alerts_per_day);
    int rc = j ? json_dumpf(j, f, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : -1;
    json_decref(j);
    return rc;
}

// ---- curves ----------------------------------------------------------------------------------------

// The point lies between two others on one straight line: both steps are of frauds only, or both
// of genuine rows only.
static bool between(const struct ranking *k, size_t i)
{
    if (i == 0 || i + 1 == k->n)
        return false;
    return (k->frauds[i - 1] == k->frauds[i] && k->frauds[i] == k->frauds[i + 1]) ||
           (k->genuine[i - 1] == k->genuine[i] && k->genuine[i] == k->genuine[i + 1]);
}

// Without frauds or genuine rows there is no curve, but the file has its header.
static int write_roc(FILE *f, const struct report *r)
{
    const struct ranking *k = r->ranking;
    double frauds = k->n ? (double)k->frauds[k->n - 1] : 0;
    double genuine = k->n ? (double)k->genuine[k->n - 1] : 0;
    fprintf(f, "threshold\tfalse_positive_rate\ttrue_positive_rate\n");
    for (size_t i = 0; i < k->n && frauds > 0 && genuine > 0; i++)
        if (!between(k, i))
            fprintf(f, "%.17g\t%.17g\t%.17g\n", k->score[i], (double)k->genuine[i] / genuine,
                    (double)k->frauds[i] / frauds);
    return 0;
}

static int write_pr(FILE *f, const struct report *r)
{
    const struct ranking *k = r->ranking;
    double frauds = k->n ? (double)k->frauds[k->n - 1] : 0;
    fprintf(f, "threshold\trecall\tprecision\n");
    for (size_t i = 0; i < k->n && frauds > 0; i++)
        if (!between(k, i))
            fprintf(f, "%.17g\t%.17g\t%.17g\n", k->score[i], (double)k->frauds[i] / frauds,
                    (double)k->frauds[i] / (double)(k->frauds[i] + k->genuine[i]));
    return 0;
}

enum { RANGES = 10 };

static int write_reliability(FILE *f, const struct report *r)
{
    double rows[RANGES] = {0}, sum[RANGES] = {0}, frauds[RANGES] = {0};
    for (size_t i = 0; i < r->n; i++) {
        int range = r->score[i] < 1 ? (int)(r->score[i] * RANGES) : RANGES - 1;
        if (r->judged[i] < 0)
            continue;
        rows[range]++;
        sum[range] += r->score[i];
        frauds[range] += r->judged[i];
    }
    fprintf(f, "from\tto\trows\tmean_probability\tfraud_share\n");
    for (int k = 0; k < RANGES; k++)
        if (rows[k] > 0)
            fprintf(f, "%g\t%g\t%.0f\t%.17g\t%.17g\n", (double)k / RANGES, (double)(k + 1) / RANGES,
                    rows[k], sum[k] / rows[k], frauds[k] / rows[k]);
    return 0;
}

// ---- files -----------------------------------------------------------------------------------------

static const struct {
    const char *name;
    int (*write)(FILE *f, const struct report *r);
} files[] = {{"metrics.json", write_metrics},
             {"roc.tsv", write_roc},
             {"pr.tsv", write_pr},
             {"reliability.tsv", write_reliability}};
enum { N_FILES = sizeof files / sizeof *files };

static int write_file(struct output_dir *folder, const struct report *r, size_t i, struct err *err)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    int bad = !f || files[i].write(f, r) || ferror(f);
    bad = (f && fclose(f)) || bad;
    int rc = bad ? err_set(err, "%s/%s: out of memory", folder->path, files[i].name)
                 : output_dir_file(folder, files[i].name, text, n, err);
    free(text);
    return rc;
}

int report_write(struct output_dir *folder, const struct evaluation *v,
                 const struct settings *settings, struct err *err)
{
    const struct trial *t = v->folds[0].trial;
    const struct row_range test = t->cut.test;
    struct ranking ranking;
    struct report r = {v, settings, &ranking, t->score, t->judged, (size_t)(test.end - test.first)};
    if (ranking_make(&ranking, r.score, r.judged, r.n, err))
        return -1;
    int rc = 0;
    for (size_t i = 0; i < N_FILES && rc == 0; i++)
        rc = write_file(folder, &r, i, err);
    ranking_release(&ranking);
    return rc;
}

// ---- a table to read -------------------------------------------------------------------------------

static void print_cell(double v)
{
    if (isfinite(v))
        printf(" %12.4f", v);
    else
        printf(" %12s", "-");
}

static const char *const shown[] = {"roc_auc",
                                    "average_precision",
                                    "card_precision_at_100",
                                    "log_loss",
                                    "brier",
                                    "threshold",
                                    "precision",
                                    "recall",
                                    "f1"};

static double number_of(const json_t *metrics, const char *name)
{
    const json_t *j = json_object_get(metrics, name);
    return json_is_number(j) ? json_number_value(j) : NAN;
}

static void print_metric(const json_t *test, const json_t *folds, const char *name)
{
    const size_t n = json_array_size(folds);
    double sum = 0, squares = 0;
    for (size_t k = 0; k < n; k++)
        sum += number_of(json_array_get(folds, k), name);
    double mean = sum / (double)n;
    for (size_t k = 0; k < n; k++) {
        double apart = number_of(json_array_get(folds, k), name) - mean;
        squares += apart * apart;
    }
    printf("%-30s", name);
    print_cell(number_of(test, name));
    if (n > 1) {
        print_cell(mean);
        print_cell(sqrt(squares / (double)(n - 1)));
    }
    putchar('\n');
}

static void print_all(const json_t *test, const json_t *folds, const char *when)
{
    const size_t n = json_array_size(folds);
    printf("test %s, %.0f rows, %.0f frauds\n", when, number_of(test, "rows"),
           number_of(test, "frauds"));
    printf("%-30s %12s", "", "test");
    if (n > 1)
        printf(" %6s%zu %5s %12s", "mean, ", n, "folds", "sd");
    putchar('\n');
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        print_metric(test, folds, shown[i]);
}

int report_print(const char *path, struct err *err)
{
    json_error_t why;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!j)
        return err_set(err, "%s: %s", path, why.text);
    const json_t *test = json_object_get(j, "test"), *folds = json_object_get(j, "folds");
    const char *when = json_string_value(json_object_get(json_array_get(folds, 0), "test"));
    int rc = when ? 0 : err_set(err, "%s: has no test metrics", path);
    if (rc == 0)
        print_all(test, folds, when);
    json_decref(j);
    return rc;
}
