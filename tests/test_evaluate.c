// evaluate: the [model] section; l2 and threshold from validation alone; folds; no dependence on
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

static int parse(struct settings *s, const char *text, struct err *err)
{
    struct config c;
    assert_int_equal(config_load(&c, scratch_text("x.ini", text), err), 0);
    int rc = settings_from_config(s, &c, err);
    config_release(&c);
    return rc;
}

static struct split split_at(double train, int64_t folds)
{
    return (struct split){
        {false, train, train + 7, ""}, {false, train + 14, train + 21, ""}, folds};
}

static void run(struct evaluation *v, const struct examples *e, const struct split *split,
                unsigned threads)
{
    const struct settings s = {{1e-3, 10, 1e-3}, 2, 5};
    struct err err = {""};
    if (evaluation_run(v, e, split, &s, threads, &err))
        fail_msg("%s", err.msg);
}

static void settings_are_read_and_have_defaults(void **state)
{
    (void)state;
    struct settings s;
    struct err err;
    assert_int_equal(parse(&s, "[model]\nl2 = 1e-4 ,0, 0.5\nalerts_per_day = 7\n", &err), 0);
    assert_int_equal(s.n_l2, 3);
    assert_true(s.l2[0] == 1e-4 && s.l2[1] == 0 && s.l2[2] == 0.5);
    assert_int_equal(s.alerts_per_day, 7);
    assert_int_equal(parse(&s, "[input]\nfile = x\n", &err), 0);
    assert_int_equal(s.n_l2, 1);
    assert_true(s.l2[0] == 1e-3);
    assert_int_equal(s.alerts_per_day, 100);
}

static void mistakes_in_settings_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"l2 = ", "is not a list"},
        {"l2 = 1,", "is not a list"},
        {"l2 = 1 2", "is not a list"},
        {"l2 = -1", "is not a list"},
        {"l2 = 1, nan", "'nan' is not"},
        {"l2 = 1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8", "more than 16"},
        {"alerts_per_day = 0", "not within"},
        {"alerts = 3", "unknown key 'alerts'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        struct settings s;
        struct err err = {""};
        snprintf(text, sizeof text, "[model]\n%s\n", cases[i][0]);
        assert_int_equal(parse(&s, text, &err), -1);
        assert_contains(err.msg, cases[i][1]);
    }
}

static void the_threshold_lets_the_budget_pass_on_the_validation_days(void **state)
{
    (void)state;
    struct examples e;
    struct evaluation v;
    struct split split = split_at(35, 2);
    make_examples(&e);
    run(&v, &e, &split, 1);
    assert_string_equal(v.folds[0].threshold_from, "validation");
    // Two validation weeks, tested on days 28 .. 34 and 21 .. 27: 5 alerts a day are 70,
    // not counting cards that are blocked by then.
    int alerts = 0, weeks = 0;
    for (const struct trial *t = v.trials.list; t; t = t->next) {
        uint64_t first_day = t->cut.test.first / PER_DAY;
        if (t->l2 != v.l2 || (first_day != 28 && first_day != 21))
            continue;
        weeks++;
        for (uint64_t i = 0; i < t->cut.test.end - t->cut.test.first; i++)
            alerts += t->judged[i] != LABEL_KNOWN_CARD && t->score[i] >= v.folds[0].threshold;
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
    assert_true(isfinite(v.validation[0]) && isfinite(v.validation[1]));
    size_t best = v.validation[0] > v.validation[1] ? 0 : 1; // 1 is the larger l2
    assert_true(v.l2 == (best ? 10 : 1e-3));
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
    assert_true(v.l2 == 10);
    assert_true(isnan(v.validation[0]));
    assert_string_equal(v.folds[0].threshold_from, "training");
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
    assert_true(before.folds[0].threshold == after.folds[0].threshold);
    assert_true(before.l2 == after.l2);
    assert_true(before.folds[0].trial->model.inputs[0].weight ==
                after.folds[0].trial->model.inputs[0].weight);
    assert_true(before.folds[0].metrics.roc_auc > 0.7);
    assert_true(after.folds[0].metrics.roc_auc != before.folds[0].metrics.roc_auc);
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
            const struct trial *a = one.folds[k].trial, *b = more.folds[k].trial;
            size_t n = (size_t)(a->cut.test.end - a->cut.test.first);
            assert_memory_equal(a->score, b->score, n * sizeof *a->score);
            assert_memory_equal(&one.folds[k].metrics, &more.folds[k].metrics,
                                sizeof(struct metrics));
            assert_true(one.folds[k].threshold == more.folds[k].threshold);
        }
        evaluation_release(&more);
    }
    evaluation_release(&one);
}

static void folds_past_the_data_are_an_error_before_any_fit(void **state)
{
    (void)state;
    const struct settings s = {{1e-3}, 1, 5};
    struct examples e;
    struct evaluation v;
    struct err err = {""};
    struct split split = split_at(35, 5);
    make_examples(&e);
    assert_int_equal(evaluation_run(&v, &e, &split, &s, 1, &err), -1);
    assert_contains(err.msg, "set [split] folds to 3 or less");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(settings_are_read_and_have_defaults),
        scratch_test(mistakes_in_settings_are_named),
        cmocka_unit_test(the_threshold_lets_the_budget_pass_on_the_validation_days),
        cmocka_unit_test(the_l2_with_the_best_validation_wins),
        cmocka_unit_test(without_validation_the_largest_l2_and_the_training_scores_serve),
        cmocka_unit_test(test_rows_do_not_decide_anything),
        cmocka_unit_test(every_number_is_the_same_for_any_number_of_threads),
        cmocka_unit_test(folds_past_the_data_are_an_error_before_any_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
