// Fills in the templates of report and model card. Tables are tables.c's, curves curves.c's.
#define _GNU_SOURCE // memmem
#include "train/report.h"
#include "train/curves.h"
#include "train/embedded.h"
#include "train/lookup.h"
#include "train/plot.h"
#include "train/tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

EMBEDDED(train, report_html);
EMBEDDED(train, card_md);

struct report {
    const struct evaluation *v;
    const json_t *results;
    const struct report_names *names;
    enum sheet_format format;
    const char *svgs; // NULL where the template has no plots
};

// ---- what the templates may name -------------------------------------------------------------------

static int fill_title(const struct report *r, FILE *f)
{
    char title[300];
    snprintf(title, sizeof title, "%s, version %" PRId64, r->names->dataset, r->names->version);
    sheet_escape(title, r->format, f);
    return 0;
}

// Words of [card], or what can be said of any dataset.
static int fill_words(const struct report *r, FILE *f, const char *key, const char *otherwise)
{
    const char *own = json_string_value(json_object_get(json_object_get(r->results, "card"), key));
    sheet_escape(own ? own : otherwise, r->format, f);
    return 0;
}

static int fill_intended_use(const struct report *r, FILE *f)
{
    return fill_words(r, f, "intended_use",
                      "Ranks transactions by how likely they are fraud, so that people review the "
                      "highest ones. It is not made to decide about a person without a person, nor "
                      "for transactions of another kind than those it was trained on.");
}

static int fill_data_words(const struct report *r, FILE *f)
{
    return fill_words(r, f, "data", "The transactions that the dataset's description names.");
}

static int fill_limits(const struct report *r, FILE *f)
{
    return fill_words(
        r, f, "limits",
        "Frauds of a kind that the training window does not hold are not found. Labels "
        "are taken as right and complete. Drift is measured after the test window: "
        "see the monitor's report before the model is used on later data.");
}

static int fill_features(const struct report *r, FILE *f)
{
    const struct plan *p = &r->names->model->plan;
    const bool html = r->format == SHEET_HTML;
    fputs(html ? "<pre>" : "```ini\n", f);
    for (size_t i = 0; i < p->n_definitions; i++) {
        fputs(p->definitions[i].name, f);
        fputs(" = ", f);
        if (html)
            sheet_escape(p->definitions[i].expression, SHEET_HTML, f);
        else
            fputs(p->definitions[i].expression, f);
        fputc('\n', f);
    }
    fputs(html ? "</pre>\n" : "```\n", f);
    return 0;
}

static int fill_reproduce(const struct report *r, FILE *f)
{
    char words[1024];
    const json_t *p = r->names->model->provenance;
    const char *data = json_string_value(json_object_get(p, "data_xxh3"));
    const char *config = json_string_value(json_object_get(p, "config_xxh3"));
    snprintf(words, sizeof words,
             "make pipeline CONFIG=%.300s with %s. The input's XXH3 checksum is %s, that of the "
             "settings %s; the same input and settings give the same model to the last bit.",
             r->names->config, json_string_value(json_object_get(p, "program")), data, config);
    sheet_escape(words, r->format, f);
    return 0;
}

static int fill_inputs(const struct report *r, FILE *f)
{
    fprintf(f, "%zu", r->names->model->n_inputs);
    return 0;
}

static const struct {
    const char *name;
    int (*fill)(const struct report *r, FILE *f);
    table_fn *table; // one of both
} fields[] = {
    {"title", fill_title, NULL},
    {"intended_use", fill_intended_use, NULL},
    {"data_words", fill_data_words, NULL},
    {"limits", fill_limits, NULL},
    {"features", fill_features, NULL},
    {"reproduce", fill_reproduce, NULL},
    {"inputs", fill_inputs, NULL},
    {"lead", NULL, tables_lead},
    {"policy", NULL, tables_policy},
    {"metrics", NULL, tables_metrics},
    {"baselines", NULL, tables_baselines},
    {"saved", NULL, tables_saved},
    {"bootstrap", NULL, tables_bootstrap},
    {"warnings", NULL, tables_warnings},
    {"slices", NULL, tables_slices},
    {"weights", NULL, tables_weights},
    {"folds", NULL, tables_folds},
    {"data", NULL, tables_data},
    {"calibration", NULL, tables_calibration},
};

// In the order in which report.gp draws them.
static const char *const plots[] = {"roc",      "pr",    "reliability", "scores",
                                    "tradeoff", "weeks", "weights",     "slices"};

// gnuplot gives the same ids in every document, and an id must be unique in a page.
static void write_svg(const char *svg, size_t n, const char *name, FILE *f)
{
    static const char *const before[] = {"id='", "id=\"", "href='#"};
    for (const char *at = svg; at < svg + n;) {
        size_t i = 0;
        while (i < 3 && strncmp(at, before[i], strlen(before[i])) != 0)
            i++;
        const size_t length = i < 3 ? strlen(before[i]) : 1;
        fwrite(at, 1, length, f);
        if (i < 3)
            fprintf(f, "%s_", name);
        at += length;
    }
}

static int fill_plot(const struct report *r, const char *name, FILE *f)
{
    size_t i = 0, length = 0;
    while (i < sizeof plots / sizeof *plots && strcmp(plots[i], name) != 0)
        i++;
    const char *svg = r->svgs ? plot_nth(r->svgs, i, &length) : NULL;
    if (svg)
        write_svg(svg, length, name, f);
    return svg ? 0 : -1;
}

// -1 also where there is no such name.
static int fill(const struct report *r, const char *name, FILE *f)
{
    if (strncmp(name, "plot:", 5) == 0)
        return fill_plot(r, name + 5, f);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, name) == 0)
            return fields[i].fill ? fields[i].fill(r, f)
                                  : fields[i].table(r->results, r->format, f);
    return -1;
}

// Copies a template, {{name}} replaced; -1 where one is unknown or cannot be filled.
static int fill_template(const struct report *r, const char *text, size_t size, FILE *f)
{
    const char *end = text + size;
    for (const char *open; (open = memmem(text, (size_t)(end - text), "{{", 2));) {
        const char *close = memmem(open, (size_t)(end - open), "}}", 2);
        char name[64];
        if (!close)
            return -1;
        fwrite(text, 1, (size_t)(open - text), f);
        snprintf(name, sizeof name, "%.*s", (int)(close - open - 2), open + 2);
        if (fill(r, name, f))
            return -1;
        text = close + 2;
    }
    fwrite(text, 1, (size_t)(end - text), f);
    return ferror(f) ? -1 : 0;
}

// ---- plots -----------------------------------------------------------------------------------------

static void variable(FILE *f, const char *name, double x)
{
    if (isfinite(x))
        fprintf(f, "%s = %.17g\n", name, x);
    else
        fprintf(f, "%s = NaN\n", name);
}

// What report.gp wants to know beside the files.
static int plot_variables(const struct report *r, FILE *f)
{
    const json_t *test = json_object_get(r->results, "test");
    const double days = r->v->folds[0].test_days, rows = value(test, "rows");
    fputs("baselines = \"", f);
    for (size_t i = 0, n = 0; i < r->v->n_baselines; i++)
        if (r->v->baselines[i].examples.n_inputs > 0)
            fprintf(f, "%s%s", n++ ? " " : "", r->v->baselines[i].name);
    fputs("\"\n", f);
    variable(f, "base_rate", value(test, "frauds") / rows);
    variable(f, "recall", value(test, "recall"));
    variable(f, "precision", value(test, "precision"));
    variable(f, "false_positive_rate", value(test, "false_positive_rate"));
    variable(f, "threshold", value(test, "threshold"));
    variable(f, "alerts", value(test, "selection_rate") * rows / days);
    variable(f, "budget", value(json_object_get(r->results, "threshold"), "alerts_per_day"));
    return ferror(f) ? -1 : 0;
}

// ---- files -----------------------------------------------------------------------------------------

typedef int writer_fn(const struct report *r, FILE *f);

// What a writer writes, allocated; NULL where it fails.
static char *text_of(const struct report *r, writer_fn *write, size_t *n)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, n);
    int bad = !f || write(r, f);
    if ((f && fclose(f)) || bad) {
        free(text);
        return NULL;
    }
    return text;
}

static int write_html(const struct report *r, FILE *f)
{
    return fill_template(r, embedded(train, report_html), embedded_size(train, report_html), f);
}

static int write_card(const struct report *r, FILE *f)
{
    return fill_template(r, embedded(train, card_md), embedded_size(train, card_md), f);
}

static int write_metrics(const struct report *r, FILE *f)
{
    return json_dumpf(r->results, f, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
}

static int write_file(struct output_dir *folder, const struct report *r, const char *name,
                      writer_fn *write, struct err *err)
{
    size_t n;
    char *text = text_of(r, write, &n);
    int rc = text ? output_dir_file(folder, name, text, n, err)
                  : err_set(err, "%s/%s: cannot be put together", folder->path, name);
    free(text);
    return rc;
}

int report_write(struct output_dir *folder, const struct evaluation *v, const json_t *results,
                 const struct report_names *names, struct err *err)
{
    struct report r = {v, results, names, SHEET_MARKDOWN, NULL};
    size_t n;
    if (write_file(folder, &r, "metrics.json", write_metrics, err) ||
        write_file(folder, &r, "card.md", write_card, err) || curves_write(folder, v, err))
        return -1;
    char *variables = text_of(&r, plot_variables, &n);
    char *svgs = variables ? plot_run(folder->fd, variables, err)
                           : (err_set(err, "out of memory for plots"), NULL);
    free(variables);
    if (!svgs)
        return -1;
    r.format = SHEET_HTML;
    r.svgs = svgs;
    int rc = write_file(folder, &r, "report.html", write_html, err);
    free(svgs);
    return rc;
}

// ---- the terminal ----------------------------------------------------------------------------------

int report_print(const char *path, struct err *err)
{
    json_error_t why;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!j)
        return err_set(err, "%s: %s", path, why.text);
    const json_t *test = json_object_get(j, "test");
    const json_t *fold = json_array_get(json_object_get(j, "folds"), 0);
    const char *when = json_string_value(json_object_get(fold, "test"));
    int rc = when ? 0 : err_set(err, "%s: has no test metrics", path);
    if (rc == 0) {
        printf("test %s, %.0f rows, %.0f frauds\n", when, value(test, "rows"),
               value(test, "frauds"));
        rc = tables_policy(j, SHEET_TEXT, stdout) || putchar('\n') == EOF ||
             tables_metrics(j, SHEET_TEXT, stdout) || putchar('\n') == EOF ||
             tables_baselines(j, SHEET_TEXT, stdout) || putchar('\n') == EOF ||
             tables_saved(j, SHEET_TEXT, stdout) || tables_warnings(j, SHEET_TEXT, stdout);
        if (rc)
            rc = err_set(err, "%s: cannot be printed", path);
    }
    json_decref(j);
    return rc;
}
