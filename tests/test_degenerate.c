// Data at its ends, through the real programs: a week of one class, a feature that never moves, a slice
// or a day or a card that is not there. Either a version whose every number is one, or a message that
// says what to change.
#include "tests/stages.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>

// ---- the data ----------------------------------------------------------------------------------------

// Weeks 0 and 1 validate, 2 trains, 3 tests; with a second fold 3 trains and 4 tests.
enum { WEEKS = 5, PER_DAY = 60, DAY = 86400, START = 1577836800 }; // 2020-01-01
enum kind { MIXED, GENUINE, FRAUDS };

struct shape {
    enum kind week[WEEKS];
    bool separable; // frauds cost more than all else
    bool cheap;     // nothing in the test costs as much as what came before
    int hours;      // of the day in which anything is bought, 0: 24
};

static uint64_t seed;

static int draw(uint64_t m)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((seed >> 33) % m);
}

// `fixed` does not move before the test, and the channel `old` ends there. One channel is empty.
static void write_row(FILE *f, const struct shape *s, int day, int row)
{
    static const char *const channels[] = {"web", "", "\"say \"\"hi\"\", <b>|#{{x}}\"",
                                           "\"7\"\" pipe\"", "old"};
    const enum kind kind = s->week[day / 7];
    const bool fraud = kind == FRAUDS || (kind == MIXED && draw(6) == 0);
    const int second = row * (s->hours ? s->hours * 3600 : DAY) / PER_DAY;
    const uint64_t range = s->separable ? 20 : 40;
    const int more = s->separable ? 40 : 10;
    const int amount = (20 + more * fraud + draw(range)) / (s->cheap && day / 7 == 3 ? 4 : 1);
    fprintf(f, "%d,card%d,%d,%d,%s,%d\n", START + day * DAY + second, draw(5000), amount,
            day < 21 ? 3 : draw(5), channels[draw(day < 21 ? 5 : 4)], fraud);
}

static void write_data(const struct shape *s)
{
    FILE *f = fopen(scratch_path("work/data.csv"), "w");
    assert_non_null(f);
    seed = 11;
    fprintf(f, "T,CARD,AMOUNT,FIXED,CHANNEL,FRAUD\n");
    for (int day = 0; day < 7 * WEEKS; day++)
        for (int row = 0; row < PER_DAY; row++)
            write_row(f, s, day, row);
    assert_int_equal(fclose(f), 0);
}

#define INPUT "[input]\nfile = data.csv\ntime_format = epoch\n[columns]\ntime = T, time\n"
#define CARD  "card = CARD, key\n"
#define REST                                                                                       \
    "amount = AMOUNT, number\nfixed = FIXED, number\n"                                             \
    "channel = CHANNEL, category, missing=none\nlabel = FRAUD, label\n"
#define FEATURE_LIST "[features]\namount = amount\nnight = hour(time) <= 6\n"
#define SPLIT        "[split]\ntrain = 2020-01-15 .. 2020-01-21\ntest = 2020-01-22 .. 2020-01-28\n"
#define MODEL        "[model]\nl2 = 1e-3\nalerts_per_day = 5\n"
#define BASELINES    "[baselines]\namount = amount\n"
#define COLUMNS      INPUT CARD REST

#define ALL_STAGES                                                                                 \
    "rm -rf t f; ingest --config x.ini --key key --output t && "                                   \
    "features --config x.ini --output f t && train --config x.ini --output m f"

// ---- what comes of it --------------------------------------------------------------------------------

// As a JavaScript or Python that takes NaN for JSON would not notice.
#define STRICT_JSON                                                                                \
    "python3 -c 'import json, sys; [json.load(open(n), parse_constant=lambda x: 1 / 0) "           \
    "for n in sys.argv[1:]]' "

// Numbers everywhere, whole tables, all plots; metrics.json, to be released.
static json_t *good_version(int version)
{
    char command[512], path[64];
    json_error_t why;
    snprintf(command, sizeof command,
             "cd m/%d && " STRICT_JSON "*.json && ! grep -nwiE 'nan|inf|infinity' "
             "*.json *.tsv *.md *.html && awk -F'\\t' 'FNR == 1 { n = NF } NF != n { bad = 1; "
             "print FILENAME, FNR } END { exit bad }' *.tsv && "
             "[ $(grep -c '</svg>' report.html) = 8 ]",
             version);
    succeed(command);
    snprintf(command, sizeof command, "registry --models m promote %d && registry --models m show",
             version);
    expect(0, "\nconstant ", command);
    if (strstr(out, "nan") || strstr(out, "inf "))
        fail_msg("%s", out);
    snprintf(path, sizeof path, "work/m/%d/metrics.json", version);
    json_t *metrics = json_load_file(scratch_path(path), 0, &why);
    if (!metrics)
        fail_msg("metrics.json: %s", why.text);
    return metrics;
}

static json_t *trained(const struct shape *s, const char *ini)
{
    write_data(s);
    scratch_text("work/x.ini", ini);
    succeed("rm -rf m; " ALL_STAGES);
    return good_version(1);
}

static void not_trained(const struct shape *s, const char *ini, const char *words)
{
    write_data(s);
    scratch_text("work/x.ini", ini);
    expect(1, words, "rm -rf m; " ALL_STAGES);
    expect(0, "", "[ ! -e m/1 ] && [ ! -e m/1.tmp ]");
}

static const json_t *get(const json_t *j, const char *a, const char *b)
{
    return json_object_get(json_object_get(j, a), b);
}

static void assert_null_of(const json_t *object, const char *name)
{
    if (!json_is_null(json_object_get(object, name)))
        fail_msg("%s is not null", name);
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *j = json_object_get(object, name);
    if (!json_is_number(j))
        fail_msg("%s is no number", name);
    return json_number_value(j);
}

// The member of a list of that name.
static const json_t *named(const json_t *list, const char *key, const char *name)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) if (strcmp(json_string_value(json_object_get(item, key)),
                                                 name) == 0) return item;
    fail_msg("there is no %s", name);
    return NULL;
}

// The words are in report and card.
static void told(const char *words)
{
    char command[256];
    snprintf(command, sizeof command, "grep -qF '%s' m/1/report.html && grep -qF '%s' m/1/card.md",
             words, words);
    succeed(command);
}

// ---- classes that are missing ------------------------------------------------------------------------

static void a_fold_without_fraud_has_nulls_and_the_means_are_of_the_others(void **state)
{
    (void)state;
    const struct shape s = {.week = {[4] = GENUINE}};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST SPLIT "folds = 2\n" MODEL BASELINES);
    const json_t *folds = json_object_get(m, "folds"), *empty = json_array_get(folds, 1);
    static const char *const none[] = {"roc_auc", "average_precision", "recall"};
    for (size_t i = 0; i < 3; i++) {
        assert_null_of(empty, none[i]);
        const json_t *sum = get(m, "summary", none[i]);
        assert_true(number_of(sum, "mean") == number_of(json_array_get(folds, 0), none[i]));
        assert_null_of(sum, "sd");
    }
    assert_true(number_of(empty, "brier") > 0);
    assert_true(number_of(empty, "frauds") == 0);
    json_decref(m);
}

static void a_test_without_fraud_is_told(void **state)
{
    (void)state;
    const struct shape s = {.week = {[3] = GENUINE}};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST SPLIT MODEL BASELINES
                        "[slices]\nnight = night\namount = amount: 40\n");
    const json_t *test = json_object_get(m, "test");
    assert_null_of(test, "roc_auc");
    assert_null_of(test, "average_precision");
    assert_null_of(test, "recall");
    assert_true(json_is_null(json_array_get(get(test, "intervals", "roc_auc"), 0)));
    const json_t *amount = named(json_object_get(m, "baselines"), "name", "amount");
    assert_null_of(amount, "false_positives_at_recall");
    told("The test has 0 frauds: the share that is found and the ranking rest on few rows");
    expect(0, "1\n", "wc -l <m/1/roc.tsv"); // the first line alone
    expect(0, "1\n", "wc -l <m/1/pr_amount.tsv");
    json_decref(m);
}

static void a_test_of_nothing_but_frauds_is_told(void **state)
{
    (void)state;
    const struct shape s = {.week = {[3] = FRAUDS}};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST SPLIT MODEL BASELINES
                        "[slices]\nnight = night\namount = amount: 40\n");
    const json_t *test = json_object_get(m, "test");
    assert_null_of(test, "roc_auc");
    assert_null_of(test, "false_positive_rate");
    assert_true(number_of(test, "average_precision") == 1);
    told("The test has 0 genuine rows: the false positive rate and the ranking rest on few rows");
    json_decref(m);
}

#define WHERE "training on 2020-01-15 .. 2020-01-21: "
#define NEEDS_BOTH                                                                                 \
    " training rows with a known label are frauds: a model needs both classes; choose another "    \
    "[split] train"

static void training_on_one_class_is_refused(void **state)
{
    (void)state;
    const struct shape genuine = {.week = {[2] = GENUINE}}, frauds = {.week = {[2] = FRAUDS}};
    const char *ini = COLUMNS FEATURE_LIST SPLIT MODEL BASELINES;
    not_trained(&genuine, ini, "train: " WHERE "0 of the 420" NEEDS_BOTH);
    not_trained(&frauds, ini, "train: " WHERE "420 of the 420" NEEDS_BOTH);
    const struct shape later = {.week = {[3] = GENUINE}}; // the second fold's training
    not_trained(&later, COLUMNS FEATURE_LIST SPLIT "folds = 2\n" MODEL,
                "train: training on 2020-01-22 .. 2020-01-28: 0 of the 420");
}

static void folds_beyond_the_data_are_refused(void **state)
{
    (void)state;
    const struct shape s = {.hours = 24};
    not_trained(&s, COLUMNS FEATURE_LIST SPLIT "folds = 3\n" MODEL,
                "train: fold 3 would test on 2020-02-05 .. 2020-02-11, and the data ends before: "
                "set [split] folds to 2 or less");
}

static void classes_that_part_wholly_need_a_penalty(void **state)
{
    (void)state;
    const struct shape s = {.separable = true};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST SPLIT MODEL BASELINES);
    const json_t *test = json_object_get(m, "test");
    assert_true(number_of(test, "roc_auc") == 1);
    assert_true(number_of(test, "average_precision") == 1);
    json_decref(m);
    not_trained(&s, COLUMNS FEATURE_LIST SPLIT "[model]\nl2 = 0\nalerts_per_day = 5\n" BASELINES,
                "train: training on 2020-01-01 .. 2020-01-07: no single finite optimum with l2 = "
                "0: the classes are separable, or a "
                "feature is a combination of others; give [model] l2 a larger value");
}

static void features_that_make_up_each_other_need_a_penalty(void **state)
{
    (void)state;
    const struct shape s = {.separable = false};
    not_trained(
        &s,
        COLUMNS "[features]\nnight = hour(time) <= 6\nday = hour(time) > 6\n" SPLIT
                "[model]\nl2 = 0\nalerts_per_day = 5\n[baselines]\nnight = night\n",
        "train: training on 2020-01-01 .. 2020-01-07: no single finite optimum with l2 = 0");
}

// ---- features that do not move -----------------------------------------------------------------------

#define WITH_FIXED FEATURE_LIST "fixed = fixed\n"

static void a_feature_that_is_constant_in_training_has_no_weight_and_no_error(void **state)
{
    (void)state;
    const struct shape s = {.hours = 24};
    static const char *const models[] = {MODEL, "[model]\nl2 = 0\nalerts_per_day = 5\n"};
    for (size_t i = 0; i < 2; i++) {
        char ini[2048];
        snprintf(ini, sizeof ini, "%s%s%s%s", COLUMNS, WITH_FIXED SPLIT, models[i], BASELINES);
        json_t *m = trained(&s, ini);
        const json_t *w = named(json_object_get(m, "weights"), "feature", "fixed");
        assert_true(number_of(w, "weight") == 0);
        assert_true(number_of(w, "mean") == 3);
        assert_null_of(w, "standard_error");
        assert_null_of(w, "low");
        assert_null_of(w, "z");
        w = named(json_object_get(m, "weights"), "feature", "amount");
        assert_true(number_of(w, "standard_error") > 0);
        json_decref(m);
    }
}

static void a_baseline_on_a_constant_feature_ranks_as_the_constant_does(void **state)
{
    (void)state;
    const struct shape s = {.hours = 24};
    json_t *m = trained(&s, COLUMNS WITH_FIXED SPLIT MODEL
                        "[baselines]\nfixed = fixed\nboth = fixed, amount\n"
                        "amount = amount\n");
    const json_t *list = json_object_get(m, "baselines");
    const json_t *fixed = json_object_get(named(list, "name", "fixed"), "test");
    const json_t *constant = json_object_get(named(list, "name", "constant"), "test");
    assert_true(number_of(fixed, "roc_auc") == 0.5);
    assert_true(number_of(fixed, "average_precision") == number_of(constant, "average_precision"));
    assert_true(fabs(number_of(fixed, "log_loss") - number_of(constant, "log_loss")) < 1e-9);
    assert_true(number_of(json_object_get(named(list, "name", "both"), "test"), "roc_auc") ==
                number_of(json_object_get(named(list, "name", "amount"), "test"), "roc_auc"));
    json_decref(m);
}

// ---- slices ------------------------------------------------------------------------------------------

static void an_empty_slice_is_shown_with_its_counts_alone(void **state)
{
    (void)state;
    const struct shape s = {.hours = 24};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST SPLIT MODEL BASELINES
                        "[slices]\namount = amount: 0, 1000\nchannel = channel\n");
    const json_t *slicings = json_object_get(m, "slices");
    const json_t *bands = json_object_get(named(slicings, "name", "amount"), "slices");
    const json_t *texts = json_object_get(named(slicings, "name", "channel"), "slices");
    const json_t *empty[] = {named(bands, "name", "under 0"), named(bands, "name", "1000 and over"),
                             named(texts, "name", "old")};
    for (size_t i = 0; i < 3; i++) {
        assert_true(number_of(empty[i], "rows") == 0);
        assert_true(json_is_true(json_object_get(empty[i], "small")));
        assert_null_of(empty[i], "roc_auc");
        assert_null_of(empty[i], "selection_rate");
        assert_null_of(json_object_get(empty[i], "difference"), "recall");
        assert_null_of(json_object_get(empty[i], "ratio"), "recall");
    }
    told("Slice amount = 1000 and over has 0 genuine rows");
    json_decref(m);
}

// An empty field is the text behind missing=; the other texts are as in the file, and escaped.
static void a_category_with_missing_values_is_sliced(void **state)
{
    (void)state;
    const struct shape s = {.hours = 24};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST "kind = onehot(channel)\n" SPLIT MODEL
                                                 "[baselines]\nkind = kind\n"
                                                 "[slices]\nchannel = channel\n");
    const json_t *slicing = json_array_get(json_object_get(m, "slices"), 0), *slice;
    const json_t *slices = json_object_get(slicing, "slices");
    double rows = 0;
    size_t i;
    json_array_foreach(slices, i, slice) rows += number_of(slice, "rows");
    assert_true(rows == number_of(json_object_get(m, "test"), "rows"));
    assert_true(number_of(named(slices, "name", "none"), "rows") > 50);
    assert_true(number_of(named(slices, "name", "say \"hi\", <b>|#{{x}}"), "rows") > 50);
    succeed("grep -qF '<td>say &quot;hi&quot;, &lt;b&gt;|#{{x}}</td>' m/1/report.html");
    succeed("grep -q '<text>say .*hi.*, &lt;b.*|#' m/1/report.html"); // in the plot
    succeed("grep -q '<text>7.* pipe' m/1/report.html");
    expect(1, "", "grep -F '<b>' m/1/report.html");
    succeed("grep -qF '| say \"hi\", \\<b>\\|#{{x}} |' m/1/card.md");
    json_decref(m);
}

static void words_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    const struct shape s = {.hours = 24};
    not_trained(&s, COLUMNS FEATURE_LIST SPLIT MODEL "[card]\nlimits = caf\xe9\n",
                "train: x.ini:21:10: [card] limits: ");
}

// ---- time and cards ----------------------------------------------------------------------------------

#define SHORT_SPLIT "[split]\ntrain = 2020-01-15 .. 2020-01-21\ntest = 2020-01-22 .. 2020-01-22\n"

static void a_test_of_less_than_five_hours_has_no_intervals(void **state)
{
    (void)state;
    const struct shape s = {.hours = 4};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST SHORT_SPLIT MODEL BASELINES);
    const json_t *test = json_object_get(m, "test");
    assert_null_of(m, "bootstrap");
    assert_true(number_of(test, "roc_auc") > 0.5);
    assert_true(json_is_null(json_array_get(get(test, "intervals", "roc_auc"), 0)));
    const json_t *amount = named(json_object_get(m, "baselines"), "name", "amount");
    const json_t *difference = get(amount, "difference", "roc_auc");
    assert_true(json_is_number(json_array_get(difference, 0)));
    assert_true(json_is_null(json_array_get(difference, 1)));
    told("The test has rows in fewer than five hours: there are no intervals for its metrics.");
    json_decref(m);
}

static void a_test_of_a_day_draws_its_hours(void **state)
{
    (void)state;
    const struct shape s = {.hours = 5};
    json_t *m = trained(&s, COLUMNS FEATURE_LIST SHORT_SPLIT MODEL BASELINES);
    assert_string_equal(json_string_value(get(m, "bootstrap", "unit")), "hour");
    assert_true(number_of(json_object_get(m, "bootstrap"), "units") == 5);
    json_decref(m);
}

static void without_a_key_there_is_no_card_precision_and_no_card_is_known(void **state)
{
    (void)state;
    const struct shape s = {.hours = 24};
    json_t *m = trained(&s, INPUT REST FEATURE_LIST SPLIT "folds = 2\n" MODEL BASELINES);
    const json_t *test = json_object_get(m, "test");
    assert_null_of(test, "card_precision_at_100");
    assert_true(number_of(test, "known_cards") == 0);
    assert_true(number_of(test, "rows") == 7 * PER_DAY);
    assert_null_of(get(m, "summary", "card_precision_at_100"), "mean");
    assert_true(json_is_number(json_array_get(get(test, "intervals", "roc_auc"), 0)));
    json_decref(m);
}

// ---- threshold ---------------------------------------------------------------------------------------

static json_t *trained_by_cost(const char *fraud, const char *alert)
{
    char ini[2048];
    const struct shape s = {.cheap = strtod(alert, NULL) > 1};
    snprintf(ini, sizeof ini, "%s[model]\nl2 = 1e-3\ncost_fraud = %s\ncost_alert = %s\n%s",
             COLUMNS FEATURE_LIST SPLIT, fraud, alert, BASELINES);
    return trained(&s, ini);
}

static void costs_alone_decide_how_many_alerts_there_are(void **state)
{
    (void)state;
    json_t *all = trained_by_cost("1e9", "1e-3");
    const json_t *test = json_object_get(all, "test");
    assert_true(number_of(test, "recall") > 0.98); // all of the validation week
    json_t *some = trained_by_cost("5", "1");
    assert_string_equal(json_string_value(get(some, "threshold", "policy")), "cost");
    assert_true(number_of(json_object_get(some, "threshold"), "cost_fraud") == 5);
    const double rate = number_of(json_object_get(some, "test"), "selection_rate");
    assert_true(rate > 0.05 && rate < number_of(test, "selection_rate"));
    assert_true(number_of(json_object_get(some, "test"), "precision") > 0.2); // 1 / 5
    json_t *none = trained_by_cost("1e-3", "1e9");
    test = json_object_get(none, "test");
    assert_true(number_of(test, "threshold") > 0.5); // beyond all scores of the validation week
    assert_true(number_of(test, "selection_rate") == 0);
    assert_null_of(test, "precision");
    assert_true(number_of(test, "recall") == 0);
    json_decref(all);
    json_decref(some);
    json_decref(none);
}

static int make_work(void **state)
{
    (void)state;
    return run_in(".", "rm -rf work && mkdir work");
}

#define degenerate_test(f) cmocka_unit_test_setup(f, make_work)

int main(void)
{
    const struct CMUnitTest tests[] = {
        degenerate_test(a_fold_without_fraud_has_nulls_and_the_means_are_of_the_others),
        degenerate_test(a_test_without_fraud_is_told),
        degenerate_test(a_test_of_nothing_but_frauds_is_told),
        degenerate_test(training_on_one_class_is_refused),
        degenerate_test(folds_beyond_the_data_are_refused),
        degenerate_test(classes_that_part_wholly_need_a_penalty),
        degenerate_test(features_that_make_up_each_other_need_a_penalty),
        degenerate_test(a_feature_that_is_constant_in_training_has_no_weight_and_no_error),
        degenerate_test(a_baseline_on_a_constant_feature_ranks_as_the_constant_does),
        degenerate_test(an_empty_slice_is_shown_with_its_counts_alone),
        degenerate_test(a_category_with_missing_values_is_sliced),
        degenerate_test(words_that_are_not_utf8_are_refused),
        degenerate_test(a_test_of_less_than_five_hours_has_no_intervals),
        degenerate_test(a_test_of_a_day_draws_its_hours),
        degenerate_test(without_a_key_there_is_no_card_precision_and_no_card_is_known),
        degenerate_test(costs_alone_decide_how_many_alerts_there_are),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
