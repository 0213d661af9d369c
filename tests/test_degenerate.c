// Extreme data through the real programs: weeks of one class, constant features, empty slices. The
// result is a version without NaN, or a message that says what to change.
#define EACH NULL, NULL
#include "tests/stages.h"
#include "tests/training.h"

#include <stdbool.h>

// Weeks 0 and 1 validate, 2 trains, 3 tests; with a second fold 3 trains and 4 tests.
enum { WEEKS = 5, PER_DAY = 60, START = 1577836800 }; // 2020-01-01
enum kind { MIXED, GENUINE, FRAUDS };

struct shape {
    enum kind week[WEEKS];
    bool separable; // frauds cost more than all else
    bool cheap;     // nothing in the test costs as much as what came before
    int hours;      // of each day that have purchases; 0: all 24
};

// `fixed` is constant before the test, and the channel `old` ends there. One channel is empty.
static void write_row(FILE *f, const struct shape *s, int day, int row)
{
    static const char *const channels[] = {"web", "", "\"say \"\"hi\"\", <b>|#{{x}}\"",
                                           "\"7\"\" pipe\"", "old"};
    const enum kind kind = s->week[day / 7];
    const bool fraud = kind == FRAUDS || (kind == MIXED && draw(6) == 0);
    const int second = row * (s->hours ? s->hours * 3600 : DAY) / PER_DAY;
    const uint64_t range = s->separable ? 20 : 40;
    const int more = s->separable ? 40 : 10;
    const int amount = (20 + more * fraud + (int)draw(range)) / (s->cheap && day / 7 == 3 ? 4 : 1);
    fprintf(f, "%d,card%d,%d,%d,%s,%d\n", START + day * DAY + second, (int)draw(5000), amount,
            day < 21 ? 3 : (int)draw(5), channels[draw(day < 21 ? 5 : 4)], fraud);
}

static void write_data(const struct shape *s, const char *ini)
{
    FILE *f = fopen(scratch_path("work/data.csv"), "w");
    assert_non_null(f);
    seed = 11;
    fprintf(f, "T,CARD,AMOUNT,FIXED,CHANNEL,FRAUD\n");
    for (int day = 0; day < 7 * WEEKS; day++)
        for (int row = 0; row < PER_DAY; row++)
            write_row(f, s, day, row);
    assert_int_equal(fclose(f), 0);
    scratch_text("work/x.ini", ini);
}

#define INPUT "[input]\nfile = data.csv\ntime_format = epoch\n[columns]\ntime = T, time\n"
#define CARD  "card = CARD, key\n"
#define REST                                                                                       \
    "amount = AMOUNT, number\nfixed = FIXED, number\n"                                             \
    "channel = CHANNEL, category, missing=none\nlabel = FRAUD, label\n"
#define FEATURE_LIST "[features]\namount = amount\nnight = hour(time) <= 6\n"
#define SPLIT        "[split]\ntrain = 2020-01-15 .. 2020-01-21\ntest = 2020-01-22 .. 2020-01-28\n"
#define ONE_DAY      "[split]\ntrain = 2020-01-15 .. 2020-01-21\ntest = 2020-01-22 .. 2020-01-22\n"
#define MODEL        "[model]\nl2 = 1e-3\nalerts_per_day = 5\n"
#define UNPENALISED  "[model]\nl2 = 0\nalerts_per_day = 5\n"
#define COSTS        "[model]\nl2 = 1e-3\ncost_fraud = "
#define BASELINE     "[baselines]\namount = amount\n"
#define COLUMNS      INPUT CARD REST
#define FEATURED     COLUMNS FEATURE_LIST
#define FIXED        FEATURED "fixed = fixed\n"
#define ALL_STAGES                                                                                 \
    "rm -rf t f m; ingest --config x.ini --key key --output t && "                                 \
    "features --config x.ini --output f t && train --config x.ini --output m f"

// Evaluates its arguments as conditions on metrics.json.
static const char conditions[] =
    "import json, sys\n"
    "def named(items, name, key='name'):\n"
    "    return next(i for i in items if i[key] == name)\n"
    "def slices(name):\n"
    "    return named(m['slices'], name)['slices']\n"
    "def baseline(name):\n"
    "    return named(m['baselines'], name)\n"
    "m = json.load(open('m/1/metrics.json'))\n"
    "t, f, none = m['test'], m['folds'], lambda d, *names: all(d[n] is None for n in names)\n"
    "sys.exit([c for c in sys.argv[1:] if not eval(c)] or 0)\n";

static const struct {
    const char *title;
    struct shape shape;
    const char *ini, *conditions[4];
} versions[] = {
    {"a fold without fraud has nulls, and the means are of the others",
     {.week = {[4] = GENUINE}},
     FEATURED SPLIT "folds = 2\n" MODEL BASELINE,
     {"none(f[1], 'roc_auc', 'average_precision', 'recall') and f[1]['brier'] > 0",
      "all(m['summary'][n]['mean'] == f[0][n] for n in ('roc_auc', 'average_precision', 'recall'))",
      "none(m['summary']['recall'], 'sd') and f[1]['frauds'] == 0"}},
    {"a test without fraud",
     {.week = {[3] = GENUINE}},
     FEATURED SPLIT MODEL BASELINE "[slices]\nnight = night\namount = amount: 40\n",
     {"none(t, 'roc_auc', 'average_precision', 'recall')", "t['intervals']['roc_auc'][0] is None",
      "none(m['decisions'], 'highest_fraud', 'lowest_fraud') and"
      " all(b['fraud_share'] == b['low'] == 0 < b['high'] for b in m['reliability'])",
      "baseline('amount')['false_positives_at_recall'] is None"}},
    {"scores that are all equal",
     {.hours = 24},
     INPUT CARD REST "[features]\nfixed = fixed\n" SPLIT UNPENALISED,
     {"[b['rows'] for b in m['reliability']] == [t['rows']] and t['roc_auc'] == 0.5"}},
    {"separable classes with a penalty",
     {.separable = true},
     FEATURED SPLIT MODEL BASELINE,
     {"t['roc_auc'] == 1 and t['average_precision'] == 1",
      "abs(baseline('constant')['test']['mean_probability'] * 420 -"
      " m['data']['train']['frauds']) < 1e-4"}},
    {"a feature that is constant in training, without a penalty",
     {.hours = 24},
     FIXED SPLIT UNPENALISED "[baselines]\nfixed = fixed\nboth = fixed, amount\namount = amount\n",
     {"named(m['weights'], 'fixed', 'feature')['weight'] == 0 and"
      " named(m['weights'], 'amount', 'feature')['standard_error'] > 0",
      "none(named(m['weights'], 'fixed', 'feature'), 'standard_error', 'low', 'z')",
      "all(abs(baseline('fixed')['test'][n] - baseline('constant')['test'][n]) < 1e-9"
      " for n in ('roc_auc', 'average_precision', 'log_loss', 'threshold'))",
      "baseline('both')['test']['roc_auc'] == baseline('amount')['test']['roc_auc']"}},
    {"empty slices, and a category with missing values",
     {.hours = 24},
     FEATURED SPLIT MODEL BASELINE "[slices]\namount = amount: 0, 1000\nchannel = channel\n",
     {"all(s['rows'] == 0 and s['small'] and none(s, 'roc_auc', 'selection_rate') for s in"
      " (slices('amount')[0], slices('amount')[2], named(slices('channel'), 'old')))",
      "sum(s['rows'] for s in slices('channel')) == t['rows']",
      "named(slices('channel'), 'none')['rows'] > 50",
      "named(slices('channel'), 'say \\\"hi\\\", <b>|#{{x}}')['rows'] > 50"}},
    {"a test of less than five hours has no intervals",
     {.hours = 4},
     FEATURED ONE_DAY MODEL BASELINE,
     {"none(m, 'bootstrap') and t['roc_auc'] > 0.5 and t['intervals']['roc_auc'][0] is None",
      "baseline('amount')['difference']['roc_auc'][0] is not None",
      "baseline('amount')['difference']['roc_auc'][1] is None"}},
    {"without a key there is no card precision and no card is known",
     {.hours = 24},
     INPUT REST FEATURE_LIST SPLIT "folds = 2\n" MODEL BASELINE,
     {"none(t, 'card_precision_at_100') and t['known_cards'] == 0 and t['rows'] == 420",
      "'card_precision_at_100' not in m['summary'] and len(m['summary']) == 10",
      "t['intervals']['roc_auc'][0] is not None"}},
    {"alerts that cost too much are none",
     {.cheap = true},
     FEATURED SPLIT COSTS "1e-3\ncost_alert = 1e9\n" BASELINE,
     {"t['threshold'] > 0.5 and t['selection_rate'] == 0", // beyond the validation week's scores
      "none(t, 'precision') and t['recall'] == 0",
      "m['threshold']['policy'] == 'cost' and m['threshold']['cost_alert'] == 1e9"}},
};

TEST_CASE(extreme_data_gives_a_version_without_nan)
{
    for (size_t i = 0; i < LENGTH(versions); i++) {
        char command[4096] = "python3 ../conditions.py";
        write_data(&versions[i].shape, versions[i].ini);
        if (run(ALL_STAGES))
            fail_msg("%s: %s", versions[i].title, out);
        for (size_t k = 0; k < 4 && versions[i].conditions[k]; k++)
            snprintf(command + strlen(command), sizeof command - strlen(command), " \"%s\"",
                     versions[i].conditions[k]);
        if (run(command))
            fail_msg("%s: does not hold: %s", versions[i].title, out);
        expect(1, "", "cd m/1 && grep -nwiE 'nan|inf|infinity' *.json *.md");
        expect(0, "\nROC AUC ", "registry --models m promote 1 && registry --models m show");
        if (strstr(out, "nan") || strstr(out, "inf "))
            fail_msg("%s: %s", versions[i].title, out);
    }
}

#define WHERE      "training on 2020-01-15 .. 2020-01-21: "
#define NEEDS_BOTH " training rows with a known label have label 1: a model needs both classes"
#define NO_OPTIMUM "training on 2020-01-01 .. 2020-01-07: no single finite optimum with l2 = 0"

static const struct {
    struct shape shape;
    const char *ini, *words;
} refused_data[] = {
    {{.week = {[2] = GENUINE}}, FEATURED SPLIT MODEL, "train: " WHERE "0 of the 420" NEEDS_BOTH},
    {{.week = {[3] = GENUINE}}, // the second fold's training
     FEATURED SPLIT "folds = 2\n" MODEL,
     "train: training on 2020-01-22 .. 2020-01-28: 0 of the 420"},
    {{.separable = true}, FEATURED SPLIT UNPENALISED, NO_OPTIMUM ": the classes are separable"},
    {{.hours = 24}, // a value that only frauds have
     FEATURED "large = amount >= 60\n" SPLIT UNPENALISED,
     NO_OPTIMUM ": the classes are separable"},
    {{.hours = 24}, // each feature determines the other
     COLUMNS "[features]\nnight = hour(time) <= 6\nday = hour(time) > 6\n" SPLIT UNPENALISED,
     NO_OPTIMUM},
};

TEST_CASE(impossible_training_data_leaves_no_version)
{
    for (size_t i = 0; i < LENGTH(refused_data); i++) {
        write_data(&refused_data[i].shape, refused_data[i].ini);
        expect(1, refused_data[i].words, ALL_STAGES);
        succeed("[ ! -e m/1 ] && [ ! -e m/1.tmp ]");
    }
}

TEST_CASE(a_table_with_other_features_than_the_champions_cannot_be_compared)
{
    write_data(&(struct shape){.hours = 24}, FIXED SPLIT MODEL);
    succeed(ALL_STAGES " --promote && sed 's/<= 6/<= 5/' x.ini >y.ini && "
                       "features --config y.ini --output g t"); // of the same names
    expect(1, "the model was trained on other [columns] or [features] than g has: ",
           "monitor --config x.ini --models m --output d.json g");
    expect(1, "other [columns] or [features] than g has: ",
           "monitor --config x.ini --models m --output d.json --current g f");
}

static int make_work(void **state)
{
    if (scratch_make(state))
        return -1;
    scratch_text("conditions.py", conditions);
    return run_in(".", "mkdir work");
}

TESTS(make_work, scratch_remove)
