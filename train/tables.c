// Views of metrics.json. Numbers are only looked up and formatted here.
#include "train/tables.h"
#include "train/slices.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- looking up ------------------------------------------------------------------------------------

static double value_of(const json_t *j)
{
    return json_is_number(j) ? json_number_value(j) : NAN;
}

static double value(const json_t *object, const char *key)
{
    return value_of(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *t = json_string_value(json_object_get(object, key));
    return t ? t : "-";
}

static const json_t *get(const json_t *object, const char *a, const char *b)
{
    return json_object_get(json_object_get(object, a), b);
}

// NULL behind the last.
static const json_t *item(const json_t *object, const char *key, size_t i)
{
    return json_array_get(json_object_get(object, key), i);
}

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

// ---- tables ----------------------------------------------------------------------------------------

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

// ---- sentences -------------------------------------------------------------------------------------

// A sentence or a list item: HTML and Markdown have marks for it.
static void line(enum sheet_format format, FILE *f, const char *words)
{
    fputs(format == SHEET_HTML ? "<li>" : format == SHEET_MARKDOWN ? "- " : "", f);
    sheet_escape(words, format, f);
    fputs(format == SHEET_HTML ? "</li>\n" : "\n", f);
}

static double alerts_per_day(const json_t *results)
{
    const json_t *test = json_object_get(results, "test");
    return value(test, "selection_rate") * value(test, "rows") /
           value(get(results, "data", "test"), "days");
}

int tables_lead(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *test = json_object_get(results, "test");
    const double found = value(json_object_get(test, "confusion"), "true_positives");
    const char *when = text(item(results, "folds", 0), "test");
    char words[512];
    if (!(value(test, "frauds") > 0))
        snprintf(words, sizeof words, "The test (%s) has no fraud to find.", when);
    else if (!(value(test, "selection_rate") > 0))
        snprintf(words, sizeof words,
                 "In the test (%s) it raises no alert and finds none of %.0f "
                 "frauds.",
                 when, value(test, "frauds"));
    else
        snprintf(words, sizeof words,
                 "In the test (%s) it finds %.0f of %.0f frauds with %.1f alerts a day, of which "
                 "%.0f in 100 are frauds.",
                 when, found, value(test, "frauds"), alerts_per_day(results),
                 100 * value(test, "precision"));
    sheet_escape(words, format, f);
    return ferror(f) ? -1 : 0;
}

int tables_policy(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *t = json_object_get(results, "threshold");
    const json_t *test = json_object_get(results, "test"), *fold = item(results, "folds", 0);
    const char *rows = strcmp(text(fold, "threshold_from"), "training") == 0 ? "the training rows"
                                                                             : "earlier weeks";
    const double missed = value(t, "cost_fraud"), alert = value(t, "cost_alert");
    const double frauds = value(test, "frauds"), n = value(test, "rows");
    char words[512];
    if (isfinite(missed))
        snprintf(
            words, sizeof words,
            "The threshold, %.4g, has the lowest cost on %s, a missed fraud at %g and an alert "
            "at %g. The test costs %.0f; without any alert %.0f, with all rows alerted %.0f.",
            value(test, "threshold"), rows, missed, alert,
            missed * value(json_object_get(test, "confusion"), "false_negatives") +
                alert * value(test, "selection_rate") * n,
            missed * frauds, alert * n);
    else
        snprintf(words, sizeof words, "The threshold, %.4g, lets %.0f alerts a day through on %s.",
                 value(test, "threshold"), value(t, "alerts_per_day"), rows);
    sheet_escape(words, format, f);
    return ferror(f) ? -1 : 0;
}

int tables_saved(const json_t *results, enum sheet_format format, FILE *f)
{
    const double mine = value(results, "false_positives_at_recall");
    const json_t *b;
    char words[512];
    for (size_t i = 0; (b = item(results, "baselines", i)); i++) {
        const double other = value(b, "false_positives_at_recall");
        if (!isfinite(other) || json_array_size(json_object_get(b, "inputs")) == 0)
            continue; // a constant tells no row from another
        int at = snprintf(words, sizeof words,
                          "To find %.0f frauds, %s raises %.0f false alarms at least, the model "
                          "%.0f",
                          value(get(results, "test", "confusion"), "true_positives"),
                          text(b, "name"), other, mine);
        if (other != mine)
            snprintf(words + at, sizeof words - (size_t)at, ": %.0f %% %s.",
                     100 * fabs(other - mine) / other, mine < other ? "fewer" : "more");
        else
            snprintf(words + at, sizeof words - (size_t)at, " too.");
        line(format, f, words);
    }
    return ferror(f) ? -1 : 0;
}

// Few rows of a class: what rests on them.
static void warn_few(const char *what, const json_t *metrics, enum sheet_format format, FILE *f)
{
    const double frauds = value(metrics, "frauds"), genuine = value(metrics, "rows") - frauds;
    char words[512];
    if (frauds < SLICE_LEAST) {
        snprintf(words, sizeof words,
                 "%s has %.0f frauds: the share that is found and the ranking rest on few rows, or "
                 "have no meaning.",
                 what, frauds);
        line(format, f, words);
    }
    if (genuine < SLICE_LEAST) {
        snprintf(words, sizeof words,
                 "%s has %.0f genuine rows: the false positive rate and the ranking rest on few "
                 "rows, or have no meaning.",
                 what, genuine);
        line(format, f, words);
    }
}

// A slicing with many small slices is named once.
static void warn_slices(const json_t *slicing, enum sheet_format format, FILE *f)
{
    const json_t *slice;
    char what[256];
    size_t small = 0;
    for (size_t k = 0; (slice = item(slicing, "slices", k)); k++)
        small += json_is_true(json_object_get(slice, "small"));
    if (small > 3) {
        snprintf(what, sizeof what,
                 "%zu of %zu slices of %s have fewer than %d frauds or genuine rows: their figures "
                 "rest on few rows.",
                 small, json_array_size(json_object_get(slicing, "slices")), text(slicing, "name"),
                 SLICE_LEAST);
        line(format, f, what);
        return;
    }
    for (size_t k = 0; (slice = item(slicing, "slices", k)); k++) {
        snprintf(what, sizeof what, "Slice %s = %s", text(slicing, "name"), text(slice, "name"));
        warn_few(what, slice, format, f);
    }
}

static double mean_ap(const json_t *contender)
{
    return value(get(contender, "summary", "average_precision"), "mean");
}

static void warn_choices(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *b, *candidate;
    const double budget = value(json_object_get(results, "threshold"), "alerts_per_day");
    char words[512];
    size_t judged = 0;
    for (size_t i = 0; (candidate = item(results, "validation", i)); i++)
        judged += json_is_number(json_object_get(candidate, "mean_average_precision"));
    if (judged == 0 && json_array_size(json_object_get(results, "validation")) > 1)
        line(format, f, "No earlier rows could serve to choose l2: it is the largest candidate.");
    if (strcmp(text(item(results, "folds", 0), "threshold_from"), "training") == 0)
        line(format, f,
             "No earlier rows could serve to choose the threshold: it is from the training rows, "
             "whose scores are better than new ones.");
    if (alerts_per_day(results) > 2 * budget) {
        snprintf(words, sizeof words, "The test has %.1f alerts a day, against a budget of %.0f.",
                 alerts_per_day(results), budget);
        line(format, f, words);
    }
    for (size_t i = 0; (b = item(results, "baselines", i)); i++)
        if (mean_ap(b) > mean_ap(results)) {
            snprintf(words, sizeof words,
                     "Baseline %s is better: an average precision of %.3f against %.3f, mean of "
                     "the tests.",
                     text(b, "name"), mean_ap(b), mean_ap(results));
            line(format, f, words);
        }
}

int tables_warnings(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *slicing, *fold = item(results, "folds", 0);
    const double known = value(fold, "known_cards");
    char words[256];
    warn_few("The test", json_object_get(results, "test"), format, f);
    for (size_t i = 0; (slicing = item(results, "slices", i)); i++)
        warn_slices(slicing, format, f);
    if (known > value(fold, "rows")) {
        snprintf(words, sizeof words,
                 "%.0f of the test's rows are left out since their card was known to be "
                 "compromised, more than are judged.",
                 known);
        line(format, f, words);
    }
    if (json_is_null(json_object_get(results, "bootstrap")))
        line(format, f,
             "The test has rows in fewer than five hours: there are no intervals for its metrics.");
    warn_choices(results, format, f);
    return ferror(f) ? -1 : 0;
}

int tables_bootstrap(const json_t *results, enum sheet_format format, FILE *f)
{
    const json_t *b = json_object_get(results, "bootstrap");
    char words[256] = "There are no intervals: the test has rows in fewer than five hours.";
    if (json_is_object(b))
        snprintf(words, sizeof words,
                 "The intervals come from a bootstrap over the %.0f %ss of the test (%.0f draws). "
                 "Few %ss make them rather too short than too long.",
                 value(b, "units"), text(b, "unit"), value(b, "replicates"), text(b, "unit"));
    sheet_escape(words, format, f);
    return ferror(f) ? -1 : 0;
}
