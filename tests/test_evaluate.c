// evaluate: l2 and threshold from validation alone; folds; no dependence on
// threads. The feature table is made in the test: one informative feature, one of noise.
#include "train/evaluate.h"

#include "tests/scratch.h"

#include <math.h>

enum { DAYS = 70, PER_DAY = 60, ROWS = DAYS * PER_DAY, DAY = 86400 };

static float informative[ROWS], noise[ROWS];
static int8_t label[ROWS];
static int64_t seconds[ROWS];
static uint64_t card[ROWS];

static uint64_t draw(uint64_t m)
{
    static uint64_t state = 5;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % m;
}

static void make_examples(struct examples *e)
{
    static const float *x[] = {informative, noise};
    static const char *names[] = {"informative", "noise"};
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

static void run(struct evaluation *v, const struct examples *e, const struct split *split,
                unsigned threads)
{
    const struct settings s = {.l2 = {1e-3, 10, 1e-3}, .n_l2 = 2, .alerts_per_day = 5};
    const struct config none = {0};
    struct err err = {""};
    if (evaluation_run(v, e, split, &s, &none, threads, &err))
        fail_msg("%s", err.msg);
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

static void every_number_is_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation one, more;
    struct split split = split_at(35, 3);
    make_examples(&e);
    run(&one, &e, &split, 1);
    for (unsigned threads = 2; threads <= 3; threads++) {
        run(&more, &e, &split, threads);
        for (size_t k = 0; k < 3; k++) {
            const struct trial *a = one.model.folds[k].trial, *b = more.model.folds[k].trial;
            size_t n = (size_t)(a->cut.test.end - a->cut.test.first);
            assert_memory_equal(a->score, b->score, n * sizeof *a->score);
            assert_memory_equal(&one.model.folds[k].metrics, &more.model.folds[k].metrics,
                                sizeof(struct metrics));
            assert_true(one.model.folds[k].threshold == more.model.folds[k].threshold);
        }
        evaluation_release(&more);
    }
    evaluation_release(&one);
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
        cmocka_unit_test(every_number_is_the_same_for_any_number_of_threads),
        cmocka_unit_test(folds_past_the_data_are_an_error_before_any_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
