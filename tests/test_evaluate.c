// evaluate: folds and their validation; l2 and threshold from validation alone; baselines; no dependence
// on threads; and what [model], [baselines] and [slices] refuse. The features are made in the test: one
// that is informative and one of noise.
#include "train/evaluate.h"

#include "tests/training.h"

enum { DAYS = 70, PER_DAY = 60, ROWS = DAYS * PER_DAY };

static float informative[ROWS], noise[ROWS];
static const float *x[] = {informative, noise};
static const char *names[] = {"informative", "noise"};
static int8_t label[ROWS];
static int64_t seconds[ROWS];
static uint64_t card[ROWS];
static struct table_column channel = {.name = "channel", .kind = COLUMN_CATEGORY};
static const struct examples examples = {.table = {.columns = &channel, .n = 1},
                                         .rows = ROWS,
                                         .n_inputs = 2,
                                         .x = x,
                                         .names = names,
                                         .label = label,
                                         .time = seconds,
                                         .card = card};
static const struct settings settings = {.l2 = {1e-3, 10}, .n_l2 = 2, .alerts_per_day = 5};

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

// Train for a week from a day on, a week's gap, test for a week.
static struct split weeks(double train, int64_t folds)
{
    return (struct split){
        {false, train, train + 7, ""}, {false, train + 14, train + 21, ""}, folds};
}

// With the constant there are two baselines of one input each.
static struct evaluation run(const struct split *split, unsigned threads)
{
    struct config c = config_of("[baselines]\nrising = informative\nother = noise\n");
    struct evaluation v;
    struct err err;
    if (evaluation_run(&v, &examples, split, &settings, &c, threads, &err))
        fail_msg("%s", err.msg);
    config_release(&c);
    return v;
}

static size_t count_test(const struct fold *f)
{
    return (size_t)(f->test.end - f->test.first);
}

// ---- folds -----------------------------------------------------------------------------------------

// Days are those of the rows.
static void assert_days(const struct fold *f, uint64_t train, uint64_t train_end, uint64_t test,
                        uint64_t test_end)
{
    const uint64_t expected[] = {train, train_end, test, test_end};
    const uint64_t found[] = {f->train.first, f->train.end, f->test.first, f->test.end};
    for (int i = 0; i < 4; i++)
        assert_int_equal(found[i], expected[i] * PER_DAY);
}

static void
each_fold_is_a_week_later_and_validation_ends_before_it_by_the_fewest_weeks(void **state)
{
    (void)state;
    struct split split = weeks(35, 3);
    struct evaluation v = run(&split, 1);
    for (uint64_t k = 0; k < 3; k++) {
        assert_days(&v.folds[k], 35 + 7 * k, 42 + 7 * k, 49 + 7 * k, 56 + 7 * k);
        assert_int_equal(v.folds[k].n_validation, 3);
        for (uint64_t i = 0; i < 3; i++)
            assert_days(&v.folds[k].validation[i], 14 + 7 * k - 7 * i, 21 + 7 * k - 7 * i,
                        28 + 7 * k - 7 * i, 35 + 7 * k - 7 * i);
    }
    assert_string_equal(v.folds[2].train_text, "1970-02-19 .. 1970-02-25");
    assert_string_equal(v.folds[2].test_text, "1970-03-05 .. 1970-03-11");
    assert_is(v.folds[2].test_days, 7);
    evaluation_release(&v);
    split = weeks(28, 3); // the third validation would begin before the data
    v = run(&split, 1);
    assert_int_equal(v.folds[0].n_validation, 2);
    evaluation_release(&v);
    split = weeks(35, 1);
    split.test.to++; // a day longer: validation is a week earlier
    v = run(&split, 1);
    assert_days(&v.folds[0].validation[0], 7, 14, 21, 29);
    evaluation_release(&v);
}

static void validation_needs_both_classes_and_a_fraud_to_find(void **state)
{
    (void)state;
    const struct split split = weeks(35, 3);
    memset(label + 14 * PER_DAY, 0, 7 * PER_DAY); // trains the first, tests the last
    struct evaluation v = run(&split, 1);
    assert_int_equal(v.folds[0].n_validation, 1);
    assert_days(&v.folds[0].validation[0], 7, 14, 21, 28);
    evaluation_release(&v);
}

static void with_shares_the_last_quarter_of_the_training_rows_validates(void **state)
{
    (void)state;
    const struct split split = {{true, 0, 0.8, "0% .. 80%"}, {true, 0.8, 1, "80% .. 100%"}, 1};
    struct evaluation v = run(&split, 1);
    assert_days(&v.folds[0], 0, 56, 56, 70);
    assert_string_equal(v.folds[0].train_text, "0% .. 80%");
    assert_int_equal(v.folds[0].n_validation, 1);
    assert_days(&v.folds[0].validation[0], 0, 42, 42, 56);
    assert_near(v.folds[0].validation[0].test_days, 14, 0.1); // from the first row to the last
    evaluation_release(&v);
}

static void folds_that_the_data_does_not_reach_are_refused(void **state)
{
    (void)state;
    static const struct {
        double train;
        const char *words;
    } cases[] = {{35, "set [split] folds to 3 or less"},
                 {1000, "no rows in [split] train"},
                 {60, "no rows in [split] test"}};
    for (size_t i = 0; i < 3; i++) {
        const struct split split = weeks(cases[i].train, 5);
        const struct config none = {0};
        struct evaluation v;
        struct err err = {""};
        assert_int_equal(evaluation_run(&v, &examples, &split, &settings, &none, 1, &err), -1);
        assert_contains(err.msg, cases[i].words);
    }
}

// ---- l2 and threshold ------------------------------------------------------------------------------

static void l2_and_threshold_are_the_best_of_the_validation_weeks(void **state)
{
    (void)state;
    const struct split split = weeks(35, 2);
    struct evaluation v = run(&split, 1);
    const double *mean = v.model.validation;
    assert_true(isfinite(mean[0]) && isfinite(mean[1]));
    assert_is(v.model.l2, mean[0] > mean[1] ? 1e-3 : 10);
    assert_string_equal(v.model.results[0].threshold_from, "validation");
    int alerts = 0, weeks_seen = 0;
    for (const struct fit *f = v.model.fits; f; f = f->next) {
        const uint64_t day = f->fold->test.first / PER_DAY;
        if (f->l2 != v.model.l2 || (day != 28 && day != 21))
            continue;
        weeks_seen++;
        for (size_t i = 0; i < count_test(f->fold); i++)
            alerts += f->fold->judged[i] != LABEL_KNOWN_CARD &&
                      f->score[i] >= v.model.results[0].threshold;
    }
    assert_int_equal(weeks_seen, 2);
    assert_int_equal(alerts, 70); // 5 a day, without the cards that are blocked by then
    evaluation_release(&v);
}

static void without_validation_the_largest_l2_and_the_training_scores_are_taken(void **state)
{
    (void)state;
    const struct split split = weeks(0, 1);
    struct evaluation v = run(&split, 1);
    assert_is(v.model.l2, 10);
    assert_is(v.model.validation[0], NAN);
    assert_string_equal(v.model.results[0].threshold_from, "training");
    evaluation_release(&v);
}

static void test_rows_decide_nothing(void **state)
{
    (void)state;
    const struct split split = weeks(35, 1);
    struct evaluation before = run(&split, 1);
    for (int r = 49 * PER_DAY; r < ROWS; r++) {
        label[r] = !label[r];
        informative[r] = -informative[r];
    }
    struct evaluation after = run(&split, 1);
    const struct fold_result *a = before.model.results, *b = after.model.results;
    assert_is(a->threshold, b->threshold);
    assert_is(before.model.l2, after.model.l2);
    assert_is(a->fit->model.inputs[0].weight, b->fit->model.inputs[0].weight);
    assert_true(a->metrics.roc_auc > 0.7 && a->metrics.roc_auc != b->metrics.roc_auc);
    evaluation_release(&before);
    evaluation_release(&after);
}

static void assert_same_numbers(const struct candidate *a, const struct candidate *b, size_t folds)
{
    assert_string_equal(a->name, b->name);
    assert_is(a->l2, b->l2);
    assert_memory_equal(a->validation, b->validation, sizeof a->validation);
    for (size_t k = 0; k < folds; k++) {
        const struct fold_result *f = &a->results[k], *g = &b->results[k];
        assert_memory_equal(f->fit->score, g->fit->score,
                            count_test(f->fit->fold) * sizeof(double));
        assert_memory_equal(f->fit->standard_error, g->fit->standard_error,
                            (a->examples.n_inputs + 1) * sizeof(double));
        assert_memory_equal(&f->metrics, &g->metrics, sizeof f->metrics);
        assert_is(f->threshold, g->threshold);
    }
    assert_memory_equal(a->bootstrap.values, b->bootstrap.values,
                        BOOTSTRAP_REPLICATES * sizeof *a->bootstrap.values);
}

static void every_number_is_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    static const unsigned threads[] = {2, 3, 5}; // more than the four candidates, too
    const struct split split = weeks(35, 3);
    struct evaluation one = run(&split, 1);
    for (size_t t = 0; t < 3; t++) {
        struct evaluation more = run(&split, threads[t]);
        assert_same_numbers(&one.model, &more.model, 3);
        for (size_t i = 0; i < one.n_baselines; i++)
            assert_same_numbers(&one.baselines[i], &more.baselines[i], 3);
        evaluation_release(&more);
    }
    evaluation_release(&one);
}

// ---- baselines -------------------------------------------------------------------------------------

static void the_constant_scores_every_row_with_the_share_of_frauds_in_training(void **state)
{
    (void)state;
    const struct split split = weeks(35, 2);
    for (int r = 0; r < ROWS; r += 7)
        label[r] = -1;
    struct evaluation v = run(&split, 2);
    for (int k = 0; k < 2; k++) {
        const struct fold_result *f = &v.baselines[0].results[k];
        double frauds = 0, known = 0;
        for (int r = (35 + 7 * k) * PER_DAY; r < (42 + 7 * k) * PER_DAY; r++) {
            frauds += label[r] == 1;
            known += label[r] >= 0;
        }
        for (size_t i = 0; i < count_test(f->fit->fold); i++)
            assert_near(f->fit->score[i], frauds / known, 1e-9);
        assert_is(f->metrics.roc_auc, 0.5);
    }
    evaluation_release(&v);
}

// The share of pairs in order when judged rows are ranked by an input; ties count half.
static double auc_by_input(const struct fold *f, const float *input)
{
    double in_order = 0, pairs = 0;
    input += f->test.first;
    for (size_t i = 0; i < count_test(f); i++)
        for (size_t j = 0; j < count_test(f); j++)
            if (f->judged[i] == 1 && f->judged[j] == 0) {
                in_order += input[i] > input[j] ? 1 : input[i] == input[j] ? 0.5 : 0;
                pairs++;
            }
    return in_order / pairs;
}

static void a_baseline_of_one_input_ranks_as_the_input_does_or_the_other_way_round(void **state)
{
    (void)state;
    const struct split split = weeks(35, 1);
    for (int r = 0; r < ROWS; r++) // falls where a fraud is likely
        noise[r] = (float)draw(20) - 3 * informative[r];
    struct evaluation v = run(&split, 2);
    const double up = auc_by_input(&v.folds[0], informative);
    const double down = auc_by_input(&v.folds[0], noise);
    assert_true(up > 0.7 && down < 0.45);
    assert_near(v.baselines[1].results[0].metrics.roc_auc, up, 1e-12);
    assert_near(v.baselines[2].results[0].metrics.roc_auc, 1 - down, 1e-12);
    evaluation_release(&v);
}

// Of all thresholds at which the scores find as many frauds as wanted the one that costs least.
static int64_t fewest_false_positives(const struct fold *f, const double *score, uint64_t wanted)
{
    int64_t fewest = INT64_MAX;
    for (size_t i = 0; i < count_test(f); i++) {
        uint64_t found = 0;
        int64_t wrong = 0;
        for (size_t j = 0; j < count_test(f); j++) {
            found += f->judged[j] == 1 && score[j] >= score[i];
            wrong += f->judged[j] == 0 && score[j] >= score[i];
        }
        if (found >= wanted && wrong < fewest)
            fewest = wrong;
    }
    return fewest;
}

static void false_positives_are_the_fewest_for_what_the_model_finds(void **state)
{
    (void)state;
    const struct split split = weeks(35, 1);
    for (int r = 0; r < ROWS; r++) {
        noise[r] = roundf(4 * noise[r]); // ties
        label[r] = (int8_t)(r % 7 ? label[r] : -1);
    }
    struct evaluation v = run(&split, 2);
    struct tally *model = &v.model.results[0].metrics.tally;
    assert_in_range(evaluation_false_positives(&v, &v.model), 0, model->false_positives);
    for (model->true_positives = 1; model->true_positives <= model->frauds; model->true_positives++)
        for (size_t i = 0; i < v.n_baselines; i++)
            assert_int_equal(evaluation_false_positives(&v, &v.baselines[i]),
                             fewest_false_positives(&v.folds[0],
                                                    v.baselines[i].results[0].fit->score,
                                                    model->true_positives));
    model->true_positives = 0;
    assert_int_equal(evaluation_false_positives(&v, &v.baselines[1]), -1);
    evaluation_release(&v);
}

// ---- settings --------------------------------------------------------------------------------------

// "NAME: INPUT INPUT ..." of each baseline, with " | " between them.
static void assert_baselines(const char *lines, const char *expected)
{
    static const char *inputs[] = {"amount",         "channel[web]", "weekend",
                                   "channel[phone]", "night",        "channels"};
    static const float *none[6];
    const struct examples six = {.n_inputs = 6, .x = none, .names = inputs};
    char found[512] = "";
    struct candidate *list;
    size_t n;
    struct err err;
    struct config c = config_of(lines);
    if (baselines_from_config(&list, &n, &six, &c, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < n; i++) {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s:", i ? " | " : "",
                 list[i].name);
        for (size_t k = 0; k < list[i].examples.n_inputs; k++)
            snprintf(found + strlen(found), sizeof found - strlen(found), " %s",
                     list[i].examples.names[k]);
        candidate_release(&list[i]);
    }
    assert_string_equal(found, expected);
    config_release(&c);
    free(list);
}

static void baselines_keep_their_order_and_that_of_their_inputs(void **state)
{
    (void)state;
    assert_baselines("[input]\nfile = x", "constant:");
    assert_baselines("[baselines]\nzeta_2 = night, amount ,weekend\nalpha = amount,\n    night",
                     "constant: | zeta_2: night amount weekend | alpha: amount night");
    assert_baselines("[baselines]\na = amount, channel\nb = channels\nc = channel[phone]",
                     "constant: | a: amount channel[web] channel[phone] | b: channels | "
                     "c: channel[phone]"); // a onehot's name takes all its inputs
    assert_baselines("[baselines]\na234567890123456789012345678901234567890 = night",
                     "constant: | a234567890123456789012345678901234567890: night");
}

static int read_all(const char *text, struct settings *s, struct err *err)
{
    const struct split split = weeks(35, 1);
    struct evaluation v;
    struct config c = config_of(text);
    int rc = settings_from_config(s, &c, err);
    if (rc == 0)
        rc = evaluation_run(&v, &examples, &split, s, &c, 1, err);
    if (rc == 0)
        evaluation_release(&v);
    config_release(&c);
    return rc;
}

static void settings_are_read_and_have_defaults(void **state)
{
    (void)state;
    struct settings s;
    struct err err;
    assert_int_equal(read_all("[model]\nl2 = 1e-4 ,0, 0.5\nalerts_per_day = 7\n", &s, &err), 0);
    assert_int_equal(s.n_l2, 3);
    assert_true(s.l2[0] == 1e-4 && s.l2[1] == 0 && s.l2[2] == 0.5);
    assert_int_equal(s.alerts_per_day, 7);
    assert_int_equal(read_all("[input]\nfile = x\n", &s, &err), 0);
    assert_true(s.n_l2 == 1 && s.l2[0] == 1e-3 && s.alerts_per_day == 100 && !s.by_cost);
    assert_int_equal(read_all("[model]\ncost_fraud = 200\ncost_alert = 2.5\n", &s, &err), 0);
    assert_true(s.by_cost && s.cost_fraud == 200 && s.cost_alert == 2.5);
}

#define BAD_NAME "a baseline's name has small letters"
#define L17      "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"

static void mistakes_are_named_with_file_line_and_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } mistakes[] = {
        {"[model]\nl2 =", "test.ini:2:1: [model] l2: '' is not a list"},
        {"[model]\nl2 = 1,", "is not a list"},
        {"[model]\nl2 = 1 2", "is not a list"},
        {"[model]\nl2 = -1", "is not a list"},
        {"[model]\nl2 = 1, nan", "test.ini:2:9: [model] l2: 'nan' is not"},
        {"[model]\nl2 = " L17, "more than 16"},
        {"[model]\nalerts_per_day = 0", "not within"},
        {"[model]\nalerts = 3", "unknown key 'alerts'"},
        {"[model]\ncost_fraud = 3", "go together"},
        {"[model]\ncost_alert = 3", "go together"},
        {"[model]\ncost_fraud = 3\ncost_alert = 0", "not within"},
        {"[model]\ncost_fraud = 3\ncost_alert = 1\nalerts_per_day = 7", "leave out alerts_per_day"},
        {"[baselines]\nok = noise\na = noise, nose", "test.ini:3:12: [baselines] a: there is no "
                                                     "feature 'nose', did you mean 'noise'?"},
        {"[baselines]\na = xyz", "test.ini:2:5: [baselines] a: there is no feature 'xyz'\n"},
        {"[baselines]\na = noise,\n    nosie", "test.ini:2: [baselines] a: there is no feature"},
        {"[baselines]\na = noise, noise", "test.ini:2:12: [baselines] a: 'noise' is in the list"},
        {"[baselines]\na =", "test.ini:2:1: [baselines] a: expected a list"},
        {"[baselines]\na = noise,", "expected a list"},
        {"[baselines]\na = noise informative", "expected a list"},
        {"[baselines]\nconstant = noise", "test.ini:2: [baselines] constant: " BAD_NAME},
        {"[baselines]\nmodel = noise", BAD_NAME},
        {"[baselines]\nAmount = noise", BAD_NAME},
        {"[baselines]\n../a = noise", BAD_NAME},
        {"[baselines]\na b = noise", BAD_NAME},
        {"[baselines]\né = noise", BAD_NAME},
        {"[baselines]\n= noise", BAD_NAME},
        {"[baselines]\na2345678901234567890123456789012345678901 = noise", BAD_NAME},
        {"[slices]\nby = nose", "test.ini:2:6: [slices] by: there is no feature and no category "
                                "'nose', did you mean 'noise'?"},
        {"[slices]\nby = noise", "more than 32 different values in the test rows"},
        {"[slices]\nby = noise: 20, 20", "test.ini:2:17: [slices] by: the edges must rise"},
        {"[slices]\nby = noise: 20, 5", "the edges must rise"},
        {"[slices]\nby = noise: 10,\n    5", "test.ini:2: [slices] by: the edges must rise"},
        {"[slices]\nby = noise: 0.1, 0.1000000001", "the edges must rise"},
        {"[slices]\nby = noise: 1, x2", "test.ini:2:16: [slices] by: 'x2' is not a list"},
        {"[slices]\nby = noise: 1, nan", "'nan' is not a list"},
        {"[slices]\nby = noise: 1 2", "'1 2' is not a list"},
        {"[slices]\nby = noise: 1,", "'' is not a list"},
        {"[slices]\nby = noise:", "test.ini:2:12: [slices] by: '' is not a list"},
        {"[slices]\nby = noise: 1, 1e39", "test.ini:2:16: [slices] by: no feature can reach"},
        {"[slices]\nby = noise: " L17 ",18,19,20,21,22,23,24,25,26,27,28,29,30,31,32",
         "more than 31 edges"},
        {"[slices]\nby = channel: 1, 2", "test.ini:2:13: [slices] by: a category has no edges"},
        {"[slices]\nby = noise 20", "test.ini:2:6: [slices] by: expected a feature or category"},
        {"[slices]\nby = : 20", "expected a feature or category"},
        {"[slices]\nby =", "expected a feature or category"},
        {"[slices]\na\tb = noise: 1", "test.ini:2: [slices] a\tb: its name"},
        {"[slices]\ncaf\xe9 = noise: 1", "its name is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct settings s;
        struct err err = {""};
        if (read_all(mistakes[i].text, &s, &err) == 0)
            fail_msg("taken: %s", mistakes[i].text);
        assert_contains(err.msg, mistakes[i].message);
    }
}

#define evaluate_test(f) cmocka_unit_test_setup_teardown(f, make_examples, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        evaluate_test(each_fold_is_a_week_later_and_validation_ends_before_it_by_the_fewest_weeks),
        evaluate_test(validation_needs_both_classes_and_a_fraud_to_find),
        evaluate_test(with_shares_the_last_quarter_of_the_training_rows_validates),
        evaluate_test(folds_that_the_data_does_not_reach_are_refused),
        evaluate_test(l2_and_threshold_are_the_best_of_the_validation_weeks),
        evaluate_test(without_validation_the_largest_l2_and_the_training_scores_are_taken),
        evaluate_test(test_rows_decide_nothing),
        evaluate_test(every_number_is_the_same_for_any_number_of_threads),
        evaluate_test(the_constant_scores_every_row_with_the_share_of_frauds_in_training),
        evaluate_test(a_baseline_of_one_input_ranks_as_the_input_does_or_the_other_way_round),
        evaluate_test(false_positives_are_the_fewest_for_what_the_model_finds),
        evaluate_test(baselines_keep_their_order_and_that_of_their_inputs),
        evaluate_test(settings_are_read_and_have_defaults),
        evaluate_test(mistakes_are_named_with_file_line_and_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
