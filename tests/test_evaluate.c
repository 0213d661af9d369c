// evaluate: folds and their validation; l2 and threshold from validation alone; baselines; and what
// [model], [baselines] and [slices] refuse. The features are made in the test: one that is
// informative and one of noise. That threads change nothing is in test_report.c.
#define EACH make_examples, scratch_remove
#include "train/evaluate.h"

#include "base/value.h"
#include "tests/release.h"
#include "tests/training.h"

enum { DAYS = 70, PER_DAY = 60, ROWS = DAYS * PER_DAY };

static float informative[ROWS], noise[ROWS];
static const float *x[] = {informative, noise};
static const char *names[] = {"kind[a]", "noise"}; // a onehot named kind makes the first
static int8_t label[ROWS];
static int64_t seconds[ROWS];
static uint64_t card[ROWS];
static struct table_column columns[] = {{.name = "channel", .kind = COLUMN_CATEGORY},
                                        {.name = "card", .kind = COLUMN_KEY, .data = card}};
static struct schema_column key = {.name = "card", .kind = COLUMN_KEY};
static struct examples examples = {
    .table = {.columns = columns, .n = 2},
    .plan = {.schema = {.columns = &key, .n = 1, .time_format = "epoch"}},
    .rows = ROWS,
    .n_inputs = 2,
    .x = x,
    .names = names,
    .label = label,
    .time = seconds};

static int make_examples(void **state)
{
    seed = 5;
    for (int r = 0; r < ROWS; r++) {
        seconds[r] = (int64_t)r * DAY / PER_DAY;
        card[r] = draw(500);
        label[r] = draw(10) == 0;
        informative[r] = (float)draw(1000) / 500.0f + label[r];
        noise[r] = (float)draw(1000) / 1000.0f;
    }
    return scratch_make(state);
}

// [split]: train for a week from a day on, a week's gap, test for a week.
static const char *weeks(int day, int folds)
{
    static char text[256], date[4][TIME_TEXT];
    date_text(date[0], day);
    date_text(date[1], day + 6);
    date_text(date[2], day + 14);
    date_text(date[3], day + 20);
    snprintf(text, sizeof text, "[split]\ntrain = %s .. %s\ntest = %s .. %s\nfolds = %d\n", date[0],
             date[1], date[2], date[3], folds);
    return text;
}

static struct config config; // of the last evaluation
// All, because they live as long as the program: leaks are what nothing points to.
static struct evaluation made[64];
static size_t n_made;

static int evaluate(const char *sections, const char *split, struct evaluation *v, struct err *err)
{
    const char *text = formatted("%s\n%s", sections, split);
    config_release(&config);
    config = config_of(text);
    int rc = evaluation_run(v, &examples, &config, NULL, 2, err);
    assert_true(n_made < LENGTH(made));
    made[n_made++] = *v;
    return rc;
}

// With the constant there are two baselines of one input each.
static struct evaluation run(const char *split)
{
    struct evaluation v;
    struct err err;
    must(evaluate("[model]\nl2 = 1e-3, 10\nalerts_per_day = 5\n"
                  "[baselines]\nrising = kind\na2345678901234567890123456789012345678_0 = noise",
                  split, &v, &err),
         &err);
    return v;
}

// "train test" of the fold and of each of its validation folds, in days of the rows.
static void assert_fold(const char *split, size_t k, const char *expected)
{
    char found[256] = "";
    struct evaluation v = run(split);
    for (size_t i = 0; i <= v.folds[k].n_validation; i++) {
        const struct fold *f = i ? &v.folds[k].validation[i - 1] : &v.folds[k];
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%d-%d %d-%d",
                 i ? ", " : "", (int)f->train.rows.first / PER_DAY,
                 (int)f->train.rows.end / PER_DAY, (int)f->test.rows.first / PER_DAY,
                 (int)f->test.rows.end / PER_DAY);
    }
    assert_string_equal(found, expected);
}

TEST_CASE(each_fold_is_a_week_later_and_validation_ends_before_it_by_the_fewest_weeks)
{
    const char *shares = "[split]\ntrain = 0% .. 80%\ntest = 80% .. 100%\n";
    assert_fold(weeks(35, 3), 0, "35-42 49-56, 14-21 28-35, 7-14 21-28, 0-7 14-21");
    assert_fold(weeks(35, 3), 2, "49-56 63-70, 28-35 42-49, 21-28 35-42, 14-21 28-35");
    assert_fold(weeks(28, 3), 0, "28-35 42-49, 7-14 21-28, 0-7 14-21"); // no row before day 0
    assert_fold("[split]\ntrain = 1970-02-05 .. 1970-02-11\ntest = 1970-02-19 .. 1970-02-26\n", 0,
                "35-42 49-57, 7-14 21-29"); // a day longer, so validation is a week earlier
    assert_fold(shares, 0, "0-56 56-70, 0-42 42-56"); // the last quarter of the training rows
    assert_fold("[split]\ntrain = 1970-01-01 .. 1970-01-28\ntest = 1970-02-05 .. 1970-02-11\n", 0,
                "0-28 35-42, 0-21 21-28");        // as with shares
    memset(label + 14 * PER_DAY, 0, 7 * PER_DAY); // one class to train on, no fraud to find
    assert_fold(weeks(35, 3), 0, "35-42 49-56, 7-14 21-28");
}

TEST_CASE(l2_and_threshold_are_those_of_the_validation_weeks_or_else_of_training)
{
    struct evaluation v = run(weeks(35, 2));
    const double *mean = v.model.validation;
    assert_true(isfinite(mean[0]) && isfinite(mean[1]));
    assert_is(v.model.l2, mean[0] > mean[1] ? 1e-3 : 10);
    assert_string_equal(v.folds[1].train.text, "1970-02-12 .. 1970-02-18");
    assert_is(v.folds[1].test.days, 7);
    assert_string_equal(v.model.results[0].threshold_from, "validation");
    int alerts = 0, weeks_seen = 0;
    for (const struct fit *f = v.model.fits; f; f = f->next) {
        const uint64_t day = f->fold->test.rows.first / PER_DAY;
        if (f->l2 != v.model.l2 || (day != 28 && day != 21))
            continue;
        weeks_seen++;
        for (size_t i = 0; i < f->fold->test.n; i++)
            alerts += f->fold->judged[i] != LABEL_KNOWN_CARD &&
                      f->score[i] >= v.model.results[0].threshold;
    }
    assert_int_equal(weeks_seen, 2);
    assert_int_equal(alerts, 70); // 5 a day, without the cards that are blocked by then
    for (int r = 49 * PER_DAY; r < ROWS; r++) { // test rows decide nothing
        label[r] = !label[r];
        informative[r] = -informative[r];
    }
    struct evaluation other = run(weeks(35, 2));
    const struct fold_result *a = v.model.results, *b = other.model.results;
    assert_is(a->threshold, b->threshold);
    assert_is(v.model.l2, other.model.l2);
    assert_is(a->fit->model.inputs[0].weight, b->fit->model.inputs[0].weight);
    assert_true(a->metrics.roc_auc > 0.7 && a->metrics.roc_auc != b->metrics.roc_auc);
    v = run(weeks(0, 1)); // without validation
    assert_is(v.model.l2, 10);
    assert_is(v.model.validation[0], NAN);
    assert_string_equal(v.model.results[0].threshold_from, "training");
}

static double auc_by_input(const struct fold *f, const float *input)
{
    double scaled[ROWS];
    for (size_t i = 0; i < f->test.n; i++)
        scaled[i] = 0.5 + (double)input[f->test.rows.first + i] / 100;
    return metrics_compute(scaled, f->judged, f->test.n, 0.5).roc_auc;
}

TEST_CASE(a_baseline_ranks_as_its_input_or_reversed_and_false_positives_are_the_fewest_for_recall)
{
    for (int r = 0; r < ROWS; r++) // falls where a fraud is likely, with ties
        noise[r] = (float)draw(20) - roundf(3 * informative[r]);
    struct evaluation v = run(weeks(35, 1));
    const double up = auc_by_input(&v.folds[0], informative);
    const double down = auc_by_input(&v.folds[0], noise);
    assert_true(up > 0.7 && down < 0.45);
    assert_near(v.baselines[1].results[0].metrics.roc_auc, up, 1e-12);
    assert_near(v.baselines[2].results[0].metrics.roc_auc, 1 - down, 1e-12);
    const double *score = v.baselines[2].results[0].fit->score;
    struct tally *model = &v.model.results[0].metrics.tally;
    for (int wanted = 1; wanted <= (int)model->frauds; wanted++) {
        model->true_positives = wanted;
        double fewest = INFINITY; // of all thresholds at which the baseline finds as many frauds
        for (size_t i = 0; i < v.folds->test.n; i++) {
            const struct metrics m =
                metrics_compute(score, v.folds->judged, v.folds->test.n, score[i]);
            if (m.tally.true_positives >= model->true_positives)
                fewest = fmin(fewest, m.tally.false_positives);
        }
        assert_int_equal(evaluation_false_positives(&v, &v.baselines[2]), fewest);
    }
    model->true_positives = 0;
    assert_int_equal(evaluation_false_positives(&v, &v.baselines[2]), -1);
}

TEST_CASE(rows_without_a_clock_have_a_budget_of_a_share_and_both_classes_in_each_part)
{
    static const char shares[] = "[split]\ntrain = 0% .. 80%\ntest = 80% .. 100%\nblocked = none\n";
    static const char *const texts[] = {"", "[model]\nalert_share = 5%\n",
                                        "[model]\ncost_fraud = 2\ncost_alert = 1\n"};
    static const double budgets[] = {0.01, 0.05, 0};
    struct evaluation v;
    struct err err;
    examples.counts_rows = true;
    examples.card = NULL;
    for (size_t i = 0; i < 3; i++) {
        double alerts = 0;
        must(evaluate(texts[i], shares, &v, &err), &err);
        const struct fold *quarter = v.folds[0].validation;
        const struct fit *f = v.model.fits;
        while (f->fold != quarter)
            f = f->next;
        for (size_t r = 0; r < quarter->test.n; r++)
            alerts += f->score[r] >= v.model.results[0].threshold;
        assert_is(v.settings.alert_share, budgets[i]);
        if (!v.settings.by_cost)
            assert_near(alerts, budgets[i] * (double)quarter->test.n, 0.5);
        assert_true(isnan(v.folds[0].test.days));
    }
    assert_int_equal(evaluate("[model]\nalerts_per_day = 5\n", shares, &v, &err), -1);
    assert_contains(err.msg, "write alert_share = 1%, the share");
    memset(label + ROWS * 4 / 5, 0, ROWS / 5); // a sorted file
    assert_int_equal(evaluate("", shares, &v, &err), -1);
    assert_contains(err.msg, "test = 80% .. 100%: all of its 840 rows have label 0, so the file is "
                             "sorted or too small: write shuffle = 1");
    examples.table.provenance = json_pack("{s:i}", "shuffle", 1);
    assert_int_equal(evaluate("", shares, &v, &err), -1);
    assert_contains(err.msg,
                    "have label 0, so it cannot tell how good a model is: choose a larger");
    json_decref(examples.table.provenance);
    examples.table.provenance = NULL;
    memset(label, 1, ROWS * 4 / 5);
    label[7] = LABEL_UNKNOWN;
    assert_int_equal(evaluate("", shares, &v, &err), -1);
    assert_contains(err.msg, "train = 0% .. 80%: all of its 3360 rows have label 1 or none");
    examples.counts_rows = false;
}

#define BAD_NAME "a baseline's name has letters, digits"

TEST_CASE(mistakes_are_named_with_file_line_and_value)
{
    static const struct {
        const char *text, *message;
    } mistakes[] = {
        {"[split]\ntrain = 1999-02-05 .. 1999-02-11\ntest = 1999-02-19 .. 1999-02-26",
         "no rows in [split] train"},
        {"[split]\ntrain = 1970-02-05 .. 1970-02-11\ntest = 1999-02-19 .. 1999-02-26",
         "no rows in [split] test"},
        {"[model]\nl2 = 1, nan", "test.ini:2:9: [model] l2: 'nan' is not"},
        {"[model]\nalert_share = 1x", "test.ini:2:15: [model] alert_share: '1x' is no share"},
        {"[model]\nalert_share = 1%\nalerts_per_day = 7", "leave one in of"},
        {"[model]\nalert_share = 1%\ncost_fraud = 3\ncost_alert = 1", "leave one in of"},
        {"[model]\noutside = drop", "test.ini:2:11: [model] outside: 'drop' is neither score nor"},
        {"[baselines]\nok = noise\na = noise, nose", "test.ini:3:12: [baselines] a: there is no "
                                                     "feature 'nose', did you mean 'noise'?"},
        {"[baselines]\nconstant = noise", "test.ini:2: [baselines] constant: " BAD_NAME},
        {"[baselines]\na234567890123456789012345678901234567890123456789012345678901234 = noise",
         BAD_NAME},
        {"[slices]\nby = nose", "test.ini:2:6: [slices] by: there is no feature and no category "
                                "'nose', did you mean 'noise'?"},
        {"[slices]\nby = noise", "more than 32 different values in the test rows"},
        {"[slices]\nby = noise: 20, 20", "test.ini:2:17: [slices] by: the edges must rise"},
        {"[slices]\nby = noise: 1, 1e39", "test.ini:2:16: [slices] by: no feature can reach"},
        {"[slices]\nby = channel: 1, 2", "test.ini:2:13: [slices] by: a category has no edges"},
        {"[slices]\na\tb = noise: 1", "test.ini:2: [slices] a\tb: its name"},
        {"[slices]\ncaf\xe9 = noise: 1", "its name is not UTF-8"},
    };
    for (size_t i = 0; i < LENGTH(mistakes); i++) {
        struct evaluation v;
        struct err err = {""};
        const bool split = strncmp(mistakes[i].text, "[split]", 7) == 0;
        if (evaluate(mistakes[i].text, split ? "" : weeks(35, 1), &v, &err) == 0)
            fail_msg("taken: %s", mistakes[i].text);
        assert_contains(err.msg, mistakes[i].message);
    }
}

TESTS(NULL, NULL)
