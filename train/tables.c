// Tables of metrics.json. Numbers are only looked up and formatted here; sentences are sentences.c's.
#include "train/tables.h"
#include "train/lookup.h"
#include "train/metrics.h"

#include <stdlib.h>

static void interval(struct sheet *s, int decimals, double low, double high)
{
    if (isfinite(low) && isfinite(high))
        sheet_cell(s, "%.*f to %.*f", decimals, low, decimals, high);
    else
        sheet_cell(s, "-");
}

static void count_cell(struct sheet *s, double n)
{
    sheet_number(s, 0, n);
}

static void percent(struct sheet *s, int decimals, double share)
{
    if (isfinite(share))
        sheet_cell(s, "%.*f %%", decimals, 100 * share);
    else
        sheet_cell(s, "-");
}

static void headings(struct sheet *s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sheet_cell(s, "%s", names[i]);
}
#define HEADINGS(s, ...)                                                                           \
    headings(s, (const char *const[]){__VA_ARGS__},                                                \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static int finish(struct sheet *s, enum sheet_format format, FILE *f)
{
    int rc = sheet_print(s, format, f);
    sheet_release(s);
    return rc;
}

// A mean of fewer folds than there are says so.
static void summary_cells(struct sheet *s, const json_t *summary, size_t folds)
{
    const double known = value(summary, "folds");
    if (known > 0 && known < (double)folds)
        sheet_cell(s, "%.4f of %.0f", value(summary, "mean"), known);
    else
        sheet_number(s, 4, value(summary, "mean"));
    sheet_number(s, 4, value(summary, "sd"));
    sheet_number(s, 4, value(summary, "worst"));
}

int tables_metrics(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *test = json_object_get(results, "test");
    const bool folds = json_array_size(json_object_get(results, "folds")) > 1;
    struct sheet s;
    sheet_init(&s, folds ? 6 : 3, 1);
    HEADINGS(&s, "", "test", "95 % interval");
    if (folds) {
        sheet_cell(&s, "mean of %zu", json_array_size(json_object_get(results, "folds")));
        HEADINGS(&s, "sd", "worst");
    }
    for (size_t i = 0; i < N_METRICS; i++) {
        const char *name = metric_list[i].name;
        const json_t *range = get(test, "intervals", name), *sum = get(results, "summary", name);
        sheet_cell(&s, "%s", name);
        sheet_number(&s, 4, value(test, name));
        interval(&s, 4, value_of(json_array_get(range, 0)), value_of(json_array_get(range, 1)));
        if (folds)
            summary_cells(&s, sum, json_array_size(json_object_get(results, "folds")));
    }
    return finish(&s, format, f);
}

static void contender_row(struct sheet *s, const json_t *c, const char *name, size_t inputs,
                          bool folds)
{
    const json_t *test = json_object_get(c, "test");
    sheet_cell(s, "%s", name);
    sheet_cell(s, "%zu", inputs);
    sheet_number(s, 4, value(test, "roc_auc"));
    sheet_number(s, 4, value(test, "average_precision"));
    sheet_number(s, 4, value(test, "card_precision_at_100"));
    if (folds)
        sheet_number(s, 4, value(get(c, "summary", "average_precision"), "mean"));
}

int tables_baselines(const json_t *results, enum sheet_format format, FILE *f)
{
    const bool folds = json_array_size(json_object_get(results, "folds")) > 1;
    const json_t *b, *list = json_object_get(results, "baselines");
    struct sheet s;
    size_t i;
    sheet_init(&s, folds ? 8 : 7, 1);
    HEADINGS(&s, "", "inputs", "ROC AUC", "AP", "CP@100");
    if (folds)
        sheet_cell(&s, "AP, mean of %zu", json_array_size(json_object_get(results, "folds")));
    HEADINGS(&s, "AP more by (95 %)", "false positives at equal recall");
    contender_row(&s, results, "model", json_array_size(json_object_get(results, "weights")),
                  folds);
    sheet_cell(&s, "-");
    count_cell(&s, value(results, "false_positives_at_recall"));
    for (i = 0; (b = json_array_get(list, i)); i++) {
        const json_t *more = get(b, "difference", "average_precision");
        contender_row(&s, b, text(b, "name"), json_array_size(json_object_get(b, "inputs")), folds);
        interval(&s, 3, value_of(json_array_get(more, 1)), value_of(json_array_get(more, 2)));
        count_cell(&s, value(b, "false_positives_at_recall"));
    }
    return finish(&s, format, f);
}

static void slice_row(struct sheet *s, const char *slicing, const char *name, const json_t *m)
{
    static const char *const rates[] = {"selection_rate", "recall", "false_positive_rate"};
    const double rows = value(m, "rows");
    sheet_cell(s, "%s", slicing);
    sheet_cell(s, "%s%s", name, json_is_true(json_object_get(m, "small")) ? " *" : "");
    count_cell(s, rows);
    count_cell(s, value(m, "frauds"));
    percent(s, 2, rows > 0 ? value(m, "frauds") / rows : NAN);
    percent(s, 2, value(m, "mean_probability"));
    sheet_number(s, 3, value(m, "roc_auc"));
    sheet_number(s, 3, value(m, "average_precision"));
    for (size_t i = 0; i < 3; i++) {
        const double difference = 100 * value(json_object_get(m, "difference"), rates[i]);
        const double ratio = value(json_object_get(m, "ratio"), rates[i]);
        if (isfinite(difference) && isfinite(ratio))
            sheet_cell(s, "%.2f %% (%+.2f, %.2f)", 100 * value(m, rates[i]), difference, ratio);
        else
            percent(s, 2, value(m, rates[i]));
    }
}

int tables_slices(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *slicing, *slice;
    struct sheet s;
    size_t i, k;
    sheet_init(&s, 11, 2);
    HEADINGS(&s, "by", "slice", "rows", "frauds", "fraud share", "mean probability", "ROC AUC",
             "AP", "alerts (difference, ratio)", "frauds found (difference, ratio)",
             "false alarms (difference, ratio)");
    slice_row(&s, "all", "", json_object_get(results, "test"));
    for (i = 0; (slicing = item(results, "slices", i)); i++) {
        for (k = 0; (slice = item(slicing, "slices", k)); k++)
            slice_row(&s, text(slicing, "name"), text(slice, "name"), slice);
    }
    return finish(&s, format, f);
}

static int by_weight(const void *a, const void *b)
{
    const double x = fabs(value(*(json_t *const *)a, "weight"));
    const double y = fabs(value(*(json_t *const *)b, "weight"));
    return (x < y) - (x > y);
}

int tables_weights(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *list = json_object_get(results, "weights");
    const size_t n = json_array_size(list);
    json_t **sorted = calloc(n + 1, sizeof(json_t *));
    struct sheet s;
    if (!sorted)
        return -1;
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(list, i);
    qsort(sorted, n, sizeof *sorted, by_weight);
    sheet_init(&s, 6, 1);
    HEADINGS(&s, "feature", "weight", "95 % interval", "standard error", "z", "odds ratio");
    for (size_t i = 0; i < n; i++) {
        sheet_cell(&s, "%s", text(sorted[i], "feature"));
        sheet_number(&s, 3, value(sorted[i], "weight"));
        interval(&s, 3, value(sorted[i], "low"), value(sorted[i], "high"));
        sheet_number(&s, 3, value(sorted[i], "standard_error"));
        sheet_number(&s, 1, value(sorted[i], "z"));
        sheet_number(&s, 2, value(sorted[i], "odds_ratio"));
    }
    free(sorted);
    return finish(&s, format, f);
}

int tables_folds(const json_t *results, enum sheet_format format, FILE *f)
{
    static const char *const shown[] = {
        "roc_auc", "average_precision", "card_precision_at_100", "precision",
        "recall",  "threshold"};
    const json_t *fold;
    struct sheet s;
    size_t i;
    sheet_init(&s, 9, 1);
    HEADINGS(&s, "test", "rows", "frauds", "ROC AUC", "AP", "CP@100", "precision", "recall",
             "threshold");
    for (i = 0; (fold = item(results, "folds", i)); i++) {
        sheet_cell(&s, "%s", text(fold, "test"));
        count_cell(&s, value(fold, "rows"));
        count_cell(&s, value(fold, "frauds"));
        for (size_t k = 0; k < sizeof shown / sizeof *shown; k++)
            sheet_number(&s, 4, value(fold, shown[k]));
    }
    return finish(&s, format, f);
}

static void data_row(struct sheet *s, const char *name, const char *when, const json_t *data,
                     double unknown, double known_cards)
{
    const double rows = value(data, "rows"), judged = rows - unknown - known_cards;
    sheet_cell(s, "%s", name);
    sheet_cell(s, "%s", when);
    sheet_number(s, 1, value(data, "days"));
    count_cell(s, rows);
    count_cell(s, unknown);
    count_cell(s, known_cards);
    count_cell(s, value(data, "frauds"));
    percent(s, 3, judged > 0 ? value(data, "frauds") / judged : NAN);
}

int tables_data(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *fold = item(results, "folds", 0), *train = get(results, "data", "train");
    struct sheet s;
    sheet_init(&s, 8, 2);
    HEADINGS(&s, "", "when", "days", "rows", "label not known", "card known", "frauds of the rest",
             "share");
    data_row(&s, "training", text(fold, "train"), train,
             value(train, "rows") - value(train, "known"), 0);
    data_row(&s, "test", text(fold, "test"), get(results, "data", "test"),
             value(fold, "unknown_labels"), value(fold, "known_cards"));
    return finish(&s, format, f);
}

int tables_calibration(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *test = json_object_get(results, "test");
    const json_t *parts = json_object_get(test, "brier_parts");
    static const char *const names[] = {"reliability", "resolution", "uncertainty", "within"};
    static const char *const says[] = {"how far probabilities are off; 0 is best",
                                       "how far they part the rows; more is better",
                                       "of the data, whatever the model", "what ten ranges hide"};
    struct sheet s;
    sheet_init(&s, 3, 2);
    HEADINGS(&s, "", "", "test");
    sheet_cell(&s, "mean probability");
    sheet_cell(&s, "what the model expects");
    percent(&s, 3, value(test, "mean_probability"));
    sheet_cell(&s, "fraud share");
    sheet_cell(&s, "what came");
    percent(&s, 3, value(test, "rows") > 0 ? value(test, "frauds") / value(test, "rows") : NAN);
    sheet_cell(&s, "ece");
    sheet_cell(&s, "expected calibration error over ten ranges");
    sheet_number(&s, 5, value(test, "ece"));
    sheet_cell(&s, "brier");
    sheet_cell(&s, "reliability - resolution + uncertainty + within");
    sheet_number(&s, 6, value(test, "brier"));
    for (size_t i = 0; i < 4; i++) {
        sheet_cell(&s, "%s", names[i]);
        sheet_cell(&s, "%s", says[i]);
        sheet_number(&s, 6, value(parts, names[i]));
    }
    return finish(&s, format, f);
}
