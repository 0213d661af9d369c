// The files that tell what a version is worth, made by the real programs from the committed sample:
// that they are all there, agree with each other, and need nothing else to be read.
#define _GNU_SOURCE // strcasestr
#include "tests/stages.h"

#include <jansson.h>
#include <math.h>

static const char *in_work(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "work/%.140s", name);
    return scratch_path(path);
}

static json_t *load_metrics(void)
{
    json_error_t why;
    json_t *j = json_load_file(in_work("models/1/metrics.json"), 0, &why);
    if (!j)
        fail_msg("metrics.json: %s", why.text);
    return j;
}

static char *read_page(void)
{
    char *page = scratch_read(in_work("models/1/report.html"), NULL);
    assert_non_null(page);
    return page;
}

// ---- the files ---------------------------------------------------------------------------------------

static void a_version_holds_its_model_its_metrics_and_all_that_is_drawn(void **state)
{
    (void)state;
    succeed("ls models/1");
    assert_string_equal(out, "card.md\nmetrics.json\nmodel.json\nmodel.onnx\n"
                             "pr.tsv\npr_amount.tsv\nreliability.tsv\nreport.html\n"
                             "roc.tsv\nroc_amount.tsv\nscores.tsv\nslices.tsv\n"
                             "tradeoff.tsv\ntradeoff_amount.tsv\nweeks.tsv\nweeks_amount.tsv\n"
                             "weights.tsv\n");
}

static void no_file_holds_a_number_that_is_none_or_a_field_that_is_not_filled(void **state)
{
    (void)state;
    expect(1, "", "cd models/1; grep -nwiE 'nan|inf|infinity' *.json *.tsv *.md *.html");
    expect(1, "", "grep -rnF '{{' models/1");
    expect(1, "", "grep -rnF '}}' models/1/report.html models/1/card.md");
}

static void every_line_of_a_tsv_has_as_many_fields_as_the_first(void **state)
{
    (void)state;
    succeed("awk -F'\\t' 'FNR == 1 { n = NF } NF != n || n < 3 { print FILENAME, FNR; bad = 1 } "
            "END { exit bad }' models/1/*.tsv");
}

// Nothing of the user's gets in: neither settings of gnuplot nor language, time zone or folder.
static void the_same_input_gives_the_same_bytes_of_every_file(void **state)
{
    (void)state;
    succeed(TRAIN "--output again && diff -r models/1 again/1");
    succeed("mkdir home && echo 'set title \"mine\"' >home/.gnuplot && cp home/.gnuplot . && "
            "HOME=$PWD/home GNUTERM=dumb GNUPLOT_LIB=$PWD LANG=de_DE.UTF-8 LC_ALL=C.UTF-8 "
            "TZ=Asia/Tokyo train " SAMPLE "--threads 1 --output third features && "
            "diff -r models/1 third/1");
}

// ---- they agree --------------------------------------------------------------------------------------

// The fields of a line, the first being 0, of a file of the version; to be freed by tsv_release.
struct tsv {
    char *text;
    char *cells[64][32]; // [line][field]
    size_t lines, fields;
};

static void tsv_read(struct tsv *t, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "models/1/%.40s", name);
    *t = (struct tsv){.text = scratch_read(in_work(path), NULL)};
    assert_non_null(t->text);
    for (char *line = t->text, *end; (end = strchr(line, '\n')); line = end + 1, t->lines++) {
        *end = '\0';
        t->fields = 0;
        for (char *at = line, *tab = line; tab; at = tab + 1, t->fields++) {
            assert_true(t->lines < 64 && t->fields < 32);
            t->cells[t->lines][t->fields] = at;
            if ((tab = strchr(at, '\t')))
                *tab = '\0';
        }
    }
}

static void tsv_release(struct tsv *t)
{
    free(t->text);
}

// The columns from `first` on hold the members of their names, an empty field being null.
static void assert_line_is(const struct tsv *t, size_t line, size_t first, const json_t *object)
{
    static const char *const renamed[][2] = {{"true_positive_rate", "recall"}};
    for (size_t k = first; k < t->fields; k++) {
        const char *name = t->cells[0][k], *cell = t->cells[line][k];
        if (strcmp(name, renamed[0][0]) == 0)
            name = renamed[0][1];
        const json_t *j = json_object_get(object, name);
        if (json_is_boolean(j))
            assert_string_equal(cell, json_is_true(j) ? "1" : "0");
        else if (json_is_null(j))
            assert_string_equal(cell, "");
        else if (!json_is_number(j) || strtod(cell, NULL) != json_number_value(j))
            fail_msg("%s: %s, but %.17g in metrics.json", name, cell, json_number_value(j));
    }
}

static void each_week_is_the_fold_of_the_metrics_and_the_first_is_the_test(void **state)
{
    (void)state;
    static const char *const files[] = {"weeks.tsv", "weeks_amount.tsv"};
    json_t *metrics = load_metrics();
    const json_t *amount = json_array_get(json_object_get(metrics, "baselines"), 1);
    assert_string_equal(json_string_value(json_object_get(amount, "name")), "amount");
    const json_t *contenders[] = {metrics, amount};
    for (size_t i = 0; i < 2; i++) {
        const json_t *folds = json_object_get(contenders[i], "folds");
        struct tsv t;
        tsv_read(&t, files[i]);
        assert_int_equal(t.lines, 3);
        assert_int_equal(t.fields, 15);
        assert_line_is(&t, 1, 2, json_object_get(contenders[i], "test"));
        for (size_t k = 0; k < 2; k++) {
            const json_t *fold = json_array_get(folds, k);
            assert_string_equal(t.cells[k + 1][1],
                                json_string_value(json_object_get(fold, "test")));
            assert_line_is(&t, k + 1, 2, fold);
        }
        tsv_release(&t);
    }
    json_decref(metrics);
}

static void weights_agree(void **state)
{
    (void)state;
    json_t *metrics = load_metrics();
    const json_t *w, *weights = json_object_get(metrics, "weights");
    struct tsv t;
    size_t i;
    tsv_read(&t, "weights.tsv");
    assert_int_equal(t.lines, 16);
    assert_int_equal(json_array_size(weights), 15);
    json_array_foreach(weights, i, w)
    {
        assert_string_equal(t.cells[i + 1][0], json_string_value(json_object_get(w, "feature")));
        assert_line_is(&t, i + 1, 1, w);
    }
    tsv_release(&t);
    json_decref(metrics);
}

static void slices_agree(void **state)
{
    (void)state;
    json_t *metrics = load_metrics();
    const json_t *slicing, *slice;
    struct tsv t;
    size_t i, k, line = 1;
    tsv_read(&t, "slices.tsv");
    assert_int_equal(t.lines, 6);
    json_array_foreach(json_object_get(metrics, "slices"), i, slicing)
    {
        json_array_foreach(json_object_get(slicing, "slices"), k, slice)
        {
            assert_string_equal(t.cells[line][0],
                                json_string_value(json_object_get(slicing, "name")));
            assert_string_equal(t.cells[line][1],
                                json_string_value(json_object_get(slice, "name")));
            assert_line_is(&t, line++, 2, slice);
        }
    }
    assert_int_equal(line, 6);
    tsv_release(&t);
    json_decref(metrics);
}

static void the_card_has_the_share_of_frauds_in_each_slice(void **state)
{
    (void)state;
    json_t *metrics = load_metrics();
    const json_t *slicing, *slice;
    char *card = scratch_read(in_work("models/1/card.md"), NULL), line[256];
    size_t i, k;
    assert_non_null(card);
    json_array_foreach(json_object_get(metrics, "slices"), i, slicing)
    {
        json_array_foreach(json_object_get(slicing, "slices"), k, slice)
        {
            const double rows = json_number_value(json_object_get(slice, "rows"));
            const double frauds = json_number_value(json_object_get(slice, "frauds"));
            snprintf(line, sizeof line, "| %s | %s%s | %.0f | %.0f | %.2f %% | ",
                     json_string_value(json_object_get(slicing, "name")),
                     json_string_value(json_object_get(slice, "name")),
                     json_is_true(json_object_get(slice, "small")) ? " \\*" : "", rows, frauds,
                     100 * frauds / rows);
            assert_contains(card, line);
        }
    }
    free(card);
    json_decref(metrics);
}

static double sum_of(const struct tsv *t, const char *name)
{
    size_t k = 0;
    double sum = 0;
    while (k < t->fields && strcmp(t->cells[0][k], name) != 0)
        k++;
    assert_true(k < t->fields);
    for (size_t line = 1; line < t->lines; line++) {
        const char *cell = t->cells[line][k];
        sum += cell ? strtod(cell, NULL) : NAN;
    }
    return sum;
}

static void the_ranges_of_probability_hold_all_rows(void **state)
{
    (void)state;
    json_t *metrics = load_metrics();
    const json_t *test = json_object_get(metrics, "test");
    const double rows = json_number_value(json_object_get(test, "rows"));
    const double frauds = json_number_value(json_object_get(test, "frauds"));
    struct tsv t;
    tsv_read(&t, "reliability.tsv");
    assert_true(sum_of(&t, "rows") == rows);
    tsv_release(&t);
    tsv_read(&t, "scores.tsv");
    assert_int_equal(t.lines, 41);
    assert_true(sum_of(&t, "genuine") == rows - frauds);
    assert_true(sum_of(&t, "frauds") == frauds);
    tsv_release(&t);
    json_decref(metrics);
}

// The area under the points of roc.tsv is the AUC: leaving out points on a straight line takes nothing.
static void the_curve_has_the_area_that_the_metrics_say(void **state)
{
    (void)state;
    succeed("for name in '' _amount; do awk -F'\\t' 'NR > 1 { area += ($2 - x) * ($3 + y) / 2; "
            "x = $2; y = $3 } END { printf \"%.12g \", area }' models/1/roc$name.tsv; done");
    json_t *metrics = load_metrics();
    const json_t *amount = json_array_get(json_object_get(metrics, "baselines"), 1);
    char *next;
    const double areas[] = {strtod(out, &next), strtod(next, NULL)};
    const json_t *contenders[] = {metrics, amount};
    for (size_t i = 0; i < 2; i++) {
        const json_t *test = json_object_get(contenders[i], "test");
        assert_true(fabs(areas[i] - json_number_value(json_object_get(test, "roc_auc"))) < 1e-9);
    }
    json_decref(metrics);
}

// ---- registry show -----------------------------------------------------------------------------------

static void assert_shown(const json_t *contender, const char *name)
{
    char line[128];
    const json_t *test = json_object_get(contender, "test");
    snprintf(line, sizeof line, "   %.4f  %.4f  %.4f ",
             json_number_value(json_object_get(test, "roc_auc")),
             json_number_value(json_object_get(test, "average_precision")),
             json_number_value(json_object_get(test, "card_precision_at_100")));
    const char *at = strstr(out, name);
    assert_non_null(at);
    char row[512];
    snprintf(row, sizeof row, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    assert_contains(row, line);
}

static void show_prints_the_model_its_intervals_and_each_baseline(void **state)
{
    (void)state;
    json_t *metrics = load_metrics(), *baselines = json_object_get(metrics, "baselines");
    const json_t *test = json_object_get(metrics, "test"), *range;
    char line[128];
    const char *name;
    succeed("registry --models models show");
    assert_contains(out, "test 2018-04-29 .. 2018-05-05, ");
    json_object_foreach((json_t *)json_object_get(test, "intervals"), name, range)
    {
        snprintf(line, sizeof line, "%.4f  %.4f to %.4f  ",
                 json_number_value(json_object_get(test, name)),
                 json_number_value(json_array_get(range, 0)),
                 json_number_value(json_array_get(range, 1)));
        assert_contains(out, line);
        assert_true(json_number_value(json_array_get(range, 0)) <=
                    json_number_value(json_array_get(range, 1)));
    }
    assert_shown(metrics, "\nmodel ");
    assert_shown(json_array_get(baselines, 0), "\nconstant ");
    assert_shown(json_array_get(baselines, 1), "\namount ");
    json_decref(metrics);
}

// ---- the page ----------------------------------------------------------------------------------------

static void the_page_refers_to_nothing_outside_itself(void **state)
{
    (void)state;
    char *page = read_page();
    static const char *const never[] = {"<script", "@import", " src=", "<link",
                                        "<iframe", "<img",    "<base", "javascript:"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strcasestr(page, never[i]))
            fail_msg("%s is in the page", never[i]);
    for (const char *at = page; (at = strstr(at, "://")); at++) // names of XML's namespaces
        if (memcmp(at - 4, "http://www.w3.org/", 18) != 0)
            fail_msg("the page names %.80s", at - 5);
    for (const char *at = page; (at = strstr(at, "href=")); at++) // of HTML and, as xlink:href, SVG
        if (at[6] != '#' || !strchr("'\"", at[5]))
            fail_msg("the page links %.80s", at);
    for (const char *at = page; (at = strstr(at, "url(")); at++)
        if (at[4 + strspn(at + 4, "'\"")] != '#')
            fail_msg("the page loads %.80s", at);
    free(page);
}

// An SVG's title is the name that report.gp gives it: each stands under the words for it.
static void each_plot_stands_where_it_is_spoken_of(void **state)
{
    (void)state;
    static const char *const plots[][2] = {
        {"Precision against recall", "pr"},
        {"Share of frauds caught against alerts a day", "tradeoff"},
        {"ROC curve", "roc"},
        {"Average precision and share of frauds caught in each test period", "weeks"},
        {"Share of frauds against predicted probability", "reliability"},
        {"Distribution of predicted probabilities", "scores"},
        {"Weights of the features", "weights"},
        {"True and false positive rates by slice", "slices"},
    };
    char *page = read_page(), words[128];
    for (size_t i = 0; i < sizeof plots / sizeof *plots; i++) {
        snprintf(words, sizeof words, "aria-label=\"%.100s", plots[i][0]);
        char *svg = strstr(page, words);
        assert_true(svg && (svg = strstr(svg, "<svg")));
        char *end = strstr(svg, "</svg>");
        assert_non_null(end);
        *end = '\0';
        snprintf(words, sizeof words, "<title>%.20s</title>", plots[i][1]);
        assert_contains(svg, words);
        *end = '<';
    }
    free(page);
}

#define CHROMIUM                                                                                   \
    "timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "     \
    "--disable-background-networking --disable-component-update --disable-sync "                   \
    "--user-data-dir=\"$PWD/browser\" --enable-logging=stderr --virtual-time-budget=2000 "         \
    "--dump-dom \"file://$PWD/models/1/report.html\" "

static size_t times(const char *text, const char *part)
{
    size_t n = 0;
    while ((text = strstr(text, part))) {
        text += strlen(part);
        n++;
    }
    return n;
}

// chromium is in tests/packages.txt. Its own folder keeps everything, its temporaries too.
static void a_browser_shows_the_page_without_a_complaint(void **state)
{
    (void)state;
    succeed("mkdir browser && HOME=$PWD/browser TMPDIR=$PWD/browser " CHROMIUM ">dom 2>log || "
            "{ cat log; exit 1; }");
    expect(1, "", "grep CONSOLE log");
    char *dom = scratch_read(in_work("dom"), NULL);
    assert_non_null(dom);
    assert_contains(dom, "<title>Assay: sample, version 1</title>");
    assert_contains(dom, "</html>");
    assert_int_equal(times(dom, "<svg"), 8);
    free(dom);
}

// ---- gnuplot -----------------------------------------------------------------------------------------

// Each begins a version that is not in the registry yet.
#define OTHER       "sed 's/^l2 = .*/l2 = 3e-2/' ../good/datasets/sample.ini >other.ini; "
#define TRAIN_OTHER "train --config other.ini --output models features"

static void without_gnuplot_its_package_is_named_and_nothing_is_left_behind(void **state)
{
    (void)state;
    succeed(OTHER);
    refused("train: cannot run gnuplot, which draws the report's plots (Debian's package "
            "gnuplot-nox): No such file or directory",
            "PATH=\"${PATH%%:*}\" " TRAIN_OTHER);
    succeed("registry --models models list && [ $(ls models | wc -l) = 3 ]");
    succeed(TRAIN_OTHER);
}

static void a_gnuplot_that_fails_is_quoted_and_nothing_is_left_behind(void **state)
{
    (void)state;
    succeed(OTHER
            "mkdir fake; printf '#!/bin/sh\\necho no such terminal >&2; exit 3\\n' >fake/gnuplot; "
            "chmod +x fake/gnuplot");
    refused("train: gnuplot failed (exit status 3): no such terminal",
            "PATH=\"$PWD/fake:$PATH\" " TRAIN_OTHER);
    succeed("printf '#!/bin/sh\\nkill -9 $$\\n' >fake/gnuplot");
    refused("train: gnuplot failed", "PATH=\"$PWD/fake:$PATH\" " TRAIN_OTHER);
}

static void a_gnuplot_that_draws_too_little_is_an_error(void **state)
{
    (void)state;
    succeed(OTHER "mkdir fake; printf '#!/bin/sh\\necho \"<svg></svg>\"\\n' >fake/gnuplot; chmod "
                  "+x fake/gnuplot");
    refused("models/2/report.html: ", "PATH=\"$PWD/fake:$PATH\" " TRAIN_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stages_test(a_version_holds_its_model_its_metrics_and_all_that_is_drawn),
        stages_test(no_file_holds_a_number_that_is_none_or_a_field_that_is_not_filled),
        stages_test(every_line_of_a_tsv_has_as_many_fields_as_the_first),
        stages_test(the_same_input_gives_the_same_bytes_of_every_file),
        stages_test(each_week_is_the_fold_of_the_metrics_and_the_first_is_the_test),
        stages_test(weights_agree),
        stages_test(slices_agree),
        stages_test(the_card_has_the_share_of_frauds_in_each_slice),
        stages_test(the_ranges_of_probability_hold_all_rows),
        stages_test(the_curve_has_the_area_that_the_metrics_say),
        stages_test(show_prints_the_model_its_intervals_and_each_baseline),
        stages_test(the_page_refers_to_nothing_outside_itself),
        stages_test(each_plot_stands_where_it_is_spoken_of),
        stages_test(a_browser_shows_the_page_without_a_complaint),
        stages_test(without_gnuplot_its_package_is_named_and_nothing_is_left_behind),
        stages_test(a_gnuplot_that_fails_is_quoted_and_nothing_is_left_behind),
        stages_test(a_gnuplot_that_draws_too_little_is_an_error),
    };
    return cmocka_run_group_tests(tests, stages_make, scratch_remove);
}
