// evaluate: l2 and threshold from validation alone; folds; baselines; no dependence on threads. The
// feature table is made in the test: one informative feature, one of noise.
#include "train/evaluate.h"

#include "tests/scratch.h"

#include <math.h>

enum { DAYS = 70, PER_DAY = 60, ROWS = DAYS * PER_DAY, DAY = 86400 };

static float informative[ROWS], noise[ROWS];
static int8_t label[ROWS];
static int64_t seconds[ROWS];
static uint64_t card[ROWS];

static uint64_t seed;

static uint64_t draw(uint64_t m)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % m;
}

static void make_examples(struct examples *e)
{
    static const float *x[] = {informative, noise};
    static const char *names[] = {"informative", "noise"};
    seed = 5;
    for (int r = 0; r < ROWS; r++) {
        seconds[r] = (int64_t)r * DAY / PER_DAY;
        card[r] = draw(500);
        label[r] = draw(10) == 0;
        informative[r] = (float)draw(1000) / 500.0f + label[r];
        noise[r] = (float)draw(1000) / 1000.0f;
    }
    *e = (struct examples){.rows = ROWS,
                           .n_inputs = 2,
                           .x = x,
                           .names = names,
                           .label = label,
                           .time = seconds,
                           .card = card};
}

static struct split split_at(double train, int64_t folds)
{
    return (struct split){
        {false, train, train + 7, ""}, {false, train + 14, train + 21, ""}, folds};
}

static void run_config(struct evaluation *v, const struct examples *e, const struct split *split,
                       const struct config *config, unsigned threads)
{
    const struct settings s = {.l2 = {1e-3, 10, 1e-3}, .n_l2 = 2, .alerts_per_day = 5};
    struct err err = {""};
    if (evaluation_run(v, e, split, &s, config, threads, &err))
        fail_msg("%s", err.msg);
}

static void run(struct evaluation *v, const struct examples *e, const struct split *split,
                unsigned threads)
{
    const struct config none = {0};
    run_config(v, e, split, &none, threads);
}

// Beside the constant there are two baselines of one input each.
static void run_baselines(struct evaluation *v, const struct examples *e, const struct split *split,
                          unsigned threads)
{
    static const char text[] = "[baselines]\nrising = informative\nother = noise\n";
    struct config config;
    struct err err = {""};
    if (config_load(&config, scratch_text("baselines.ini", text), &err))
        fail_msg("%s", err.msg);
    run_config(v, e, split, &config, threads);
    config_release(&config);
    assert_int_equal(v->n_baselines, 3);
    assert_string_equal(v->baselines[0].name, "constant");
    assert_string_equal(v->baselines[1].name, "rising");
    assert_string_equal(v->baselines[2].name, "other");
}

static void the_threshold_lets_the_budget_pass_on_the_validation_days(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation v;
    struct split split = split_at(35, 2);
    make_examples(&e);
    run(&v, &e, &split, 1);
    assert_string_equal(v.model.folds[0].threshold_from, "validation");
    // Two validation weeks, tested on days 28 .. 34 and 21 .. 27: 5 alerts a day are 70,
    // not counting cards that are blocked by then.
    int alerts = 0, weeks = 0;
    for (const struct trial *t = v.model.trials.list; t; t = t->next) {
        uint64_t first_day = t->cut.test.first / PER_DAY;
        if (t->l2 != v.model.l2 || (first_day != 28 && first_day != 21))
            continue;
        weeks++;
        for (uint64_t i = 0; i < t->cut.test.end - t->cut.test.first; i++)
            alerts += t->judged[i] != LABEL_KNOWN_CARD && t->score[i] >= v.model.folds[0].threshold;
    }
    assert_int_equal(weeks, 2);
    assert_int_equal(alerts, 70);
    evaluation_release(&v);
}

static void the_l2_with_the_best_validation_wins(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation v;
    struct split split = split_at(35, 2);
    make_examples(&e);
    run(&v, &e, &split, 1);
    assert_true(isfinite(v.model.validation[0]) && isfinite(v.model.validation[1]));
    size_t best = v.model.validation[0] > v.model.validation[1] ? 0 : 1; // 1 is the larger l2
    assert_true(v.model.l2 == (best ? 10 : 1e-3));
    evaluation_release(&v);
}

static void without_validation_the_largest_l2_and_the_training_scores_serve(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation v;
    struct split split = split_at(0, 1);
    make_examples(&e);
    run(&v, &e, &split, 1);
    assert_true(v.model.l2 == 10);
    assert_true(isnan(v.model.validation[0]));
    assert_string_equal(v.model.folds[0].threshold_from, "training");
    evaluation_release(&v);
}

static void test_rows_do_not_decide_anything(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation before, after;
    struct split split = split_at(35, 1);
    make_examples(&e);
    run(&before, &e, &split, 1);
    for (int r = 49 * PER_DAY; r < ROWS; r++) {
        label[r] = !label[r];
        informative[r] = -informative[r];
    }
    run(&after, &e, &split, 1);
    assert_true(before.model.folds[0].threshold == after.model.folds[0].threshold);
    assert_true(before.model.l2 == after.model.l2);
    assert_true(before.model.folds[0].trial->model.inputs[0].weight ==
                after.model.folds[0].trial->model.inputs[0].weight);
    assert_true(before.model.folds[0].metrics.roc_auc > 0.7);
    assert_true(after.model.folds[0].metrics.roc_auc != before.model.folds[0].metrics.roc_auc);
    evaluation_release(&before);
    evaluation_release(&after);
}

static size_t test_rows(const struct trial *t)
{
    return (size_t)(t->cut.test.end - t->cut.test.first);
}

static void assert_same_numbers(const struct contender *a, const struct contender *b,
                                size_t n_folds)
{
    assert_string_equal(a->name, b->name);
    assert_true(a->l2 == b->l2);
    assert_memory_equal(a->validation, b->validation, sizeof a->validation);
    for (size_t k = 0; k < n_folds; k++) {
        const struct fold *f = &a->folds[k], *g = &b->folds[k];
        assert_memory_equal(f->trial->score, g->trial->score,
                            test_rows(f->trial) * sizeof *f->trial->score);
        assert_memory_equal(f->trial->standard_error, g->trial->standard_error,
                            (a->examples.n_inputs + 1) * sizeof(double));
        assert_memory_equal(&f->metrics, &g->metrics, sizeof(struct metrics));
        assert_true(f->threshold == g->threshold);
    }
    assert_memory_equal(a->bootstrap.values, b->bootstrap.values,
                        BOOTSTRAP_REPLICATES * sizeof *a->bootstrap.values);
}

static void every_number_is_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    static const unsigned threads[] = {2, 3, 5}; // more than the four contenders, too
    struct examples e;
    struct evaluation one, more;
    struct split split = split_at(35, 3);
    make_examples(&e);
    run_baselines(&one, &e, &split, 1);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        run_baselines(&more, &e, &split, threads[t]);
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
    struct examples e;
    struct evaluation v;
    struct split split = split_at(35, 2);
    make_examples(&e);
    for (int r = 0; r < ROWS; r += 7)
        label[r] = -1;
    run_baselines(&v, &e, &split, 2);
    for (int k = 0; k < 2; k++) {
        const struct fold *f = &v.baselines[0].folds[k];
        double frauds = 0, known = 0;
        for (int r = (35 + 7 * k) * PER_DAY; r < (42 + 7 * k) * PER_DAY; r++) {
            frauds += label[r] == 1;
            known += label[r] >= 0;
        }
        for (size_t i = 0; i < test_rows(f->trial); i++)
            assert_true(fabs(f->trial->score[i] - frauds / known) < 1e-9);
        assert_true(f->metrics.roc_auc == 0.5);
    }
    evaluation_release(&v);
}

// The share of pairs in order when judged rows are ranked by an input; ties count half.
static double auc_by_input(const struct trial *t, const float *x)
{
    double in_order = 0, pairs = 0;
    x += t->cut.test.first;
    for (size_t i = 0; i < test_rows(t); i++)
        for (size_t j = 0; j < test_rows(t); j++)
            if (t->judged[i] == 1 && t->judged[j] == 0) {
                in_order += x[i] > x[j] ? 1 : x[i] == x[j] ? 0.5 : 0;
                pairs++;
            }
    return in_order / pairs;
}

static void a_baseline_of_one_input_ranks_as_the_input_does_or_the_other_way_round(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation v;
    struct split split = split_at(35, 1);
    make_examples(&e);
    for (int r = 0; r < ROWS; r++) // falls where a fraud is likely
        noise[r] = (float)draw(20) - 3 * informative[r];
    run_baselines(&v, &e, &split, 2);
    const struct fold *rising = v.baselines[1].folds, *falling = v.baselines[2].folds;
    double up = auc_by_input(rising->trial, informative), down = auc_by_input(rising->trial, noise);
    assert_true(up > 0.7 && down < 0.45);
    assert_true(fabs(rising->metrics.roc_auc - up) < 1e-12);
    assert_true(fabs(falling->metrics.roc_auc - (1 - down)) < 1e-12);
    evaluation_release(&v);
}

// Of all thresholds at which the baseline finds as many frauds as the model the one that costs least.
static int64_t fewest_false_positives(const struct trial *t, uint64_t wanted)
{
    int64_t fewest = INT64_MAX;
    for (size_t i = 0; i < test_rows(t); i++) {
        uint64_t found = 0;
        int64_t wrong = 0;
        for (size_t j = 0; j < test_rows(t); j++) {
            found += t->judged[j] == 1 && t->score[j] >= t->score[i];
            wrong += t->judged[j] == 0 && t->score[j] >= t->score[i];
        }
        if (found >= wanted && wrong < fewest)
            fewest = wrong;
    }
    return fewest;
}

static int64_t false_positives(const struct evaluation *v, const struct contender *c)
{
    struct err err = {""};
    int64_t count = -2;
    if (evaluation_false_positives(v, c, &count, &err))
        fail_msg("%s", err.msg);
    return count;
}

static void the_false_positives_of_a_baseline_are_the_fewest_for_what_the_model_finds(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation v;
    struct split split = split_at(35, 2);
    make_examples(&e);
    for (int r = 0; r < ROWS; r++) {
        noise[r] = roundf(4 * noise[r]); // ties
        label[r] = (int8_t)(r % 7 ? label[r] : -1);
    }
    run_baselines(&v, &e, &split, 2);
    struct tally *model = &v.model.folds[0].metrics.tally;
    assert_in_range(false_positives(&v, &v.model), 0, model->false_positives);
    for (model->true_positives = 1; model->true_positives <= model->frauds; model->true_positives++)
        for (size_t i = 0; i < v.n_baselines; i++)
            assert_int_equal(
                false_positives(&v, &v.baselines[i]),
                fewest_false_positives(v.baselines[i].folds[0].trial, model->true_positives));
    model->true_positives = model->frauds; // the constant finds all or none
    assert_int_equal(false_positives(&v, &v.baselines[0]), model->rows - model->frauds);
    model->true_positives = 0;
    assert_int_equal(false_positives(&v, &v.baselines[1]), -1);
    evaluation_release(&v);
}

static void without_a_fraud_to_find_there_are_no_false_positives_to_compare(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation v;
    struct split split = split_at(35, 1);
    make_examples(&e);
    memset(label + 49 * PER_DAY, 0, (size_t)7 * PER_DAY);
    run_baselines(&v, &e, &split, 2);
    assert_int_equal(v.model.folds[0].metrics.tally.frauds, 0);
    for (size_t i = 0; i < v.n_baselines; i++)
        assert_int_equal(false_positives(&v, &v.baselines[i]), -1);
    evaluation_release(&v);
}

static void folds_past_the_data_are_an_error_before_any_fit(void **state)
{
    (void)state;
    const struct settings s = {.l2 = {1e-3}, .n_l2 = 1, .alerts_per_day = 5};
    const struct config none = {0};
    struct examples e;
    struct evaluation v;
    struct err err = {""};
    struct split split = split_at(35, 5);
    make_examples(&e);
    assert_int_equal(evaluation_run(&v, &e, &split, &s, &none, 1, &err), -1);
    assert_contains(err.msg, "set [split] folds to 3 or less");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_threshold_lets_the_budget_pass_on_the_validation_days),
        cmocka_unit_test(the_l2_with_the_best_validation_wins),
        cmocka_unit_test(without_validation_the_largest_l2_and_the_training_scores_serve),
        cmocka_unit_test(test_rows_do_not_decide_anything),
        scratch_test(every_number_is_the_same_for_any_number_of_threads),
        scratch_test(the_constant_scores_every_row_with_the_share_of_frauds_in_training),
        scratch_test(a_baseline_of_one_input_ranks_as_the_input_does_or_the_other_way_round),
        scratch_test(the_false_positives_of_a_baseline_are_the_fewest_for_what_the_model_finds),
        scratch_test(without_a_fraud_to_find_there_are_no_false_positives_to_compare),
        cmocka_unit_test(folds_past_the_data_are_an_error_before_any_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
