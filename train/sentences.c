// What metrics.json says, in words.
#include "train/lookup.h"
#include "train/slices.h"
#include "train/tables.h"

#include <string.h>

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
        if (other == mine)
            snprintf(words + at, sizeof words - (size_t)at, " too.");
        else if (other > 0)
            snprintf(words + at, sizeof words - (size_t)at, ": %.0f %% %s.",
                     100 * fabs(other - mine) / other, mine < other ? "fewer" : "more");
        else // no share of none
            snprintf(words + at, sizeof words - (size_t)at, ".");
        line(format, f, words);
    }
    return ferror(f) ? -1 : 0;
}

// Few rows of a class, and what rests on them.
static void warn_class(const char *what, double n, const char *class, const char *rests,
                       enum sheet_format format, FILE *f)
{
    char words[512];
    if (!(n < SLICE_LEAST))
        return;
    snprintf(words, sizeof words,
             "%s has %.0f %s: the %s and the ranking rest on few rows, or have no meaning.", what,
             n, class, rests);
    line(format, f, words);
}

static void warn_few(const char *what, const json_t *metrics, enum sheet_format format, FILE *f)
{
    const double frauds = value(metrics, "frauds");
    warn_class(what, frauds, "frauds", "share that is found", format, f);
    warn_class(what, value(metrics, "rows") - frauds, "genuine rows", "false positive rate", format,
               f);
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
