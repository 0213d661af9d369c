// monitor/comparison: periods of a table held in memory, against the measures of drift.h on the
// same rows picked out by hand.
#include "monitor/comparison.h"

#include "tests/scratch.h"

#include <math.h>

enum { ROWS = 4000, REFERENCE_END = 1500, CURRENT_FIRST = 1600, DAY = 86400 };

// A table of a time column and two inputs, and a model of them.
struct world {
    int64_t time[ROWS];
    float steady[ROWS], moving[ROWS];
    int8_t label[ROWS];
    struct table_column columns[4];
    struct table table;
    struct model_input inputs[2];
    struct model model;
    struct period reference, current;
    struct limits limits;
};

static double next_random(void) // uniform on [0, 1)
{
    static uint64_t s = 88172645463325252u; // Marsaglia's xorshift64
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return (double)(s >> 11) / 9007199254740992.0;
}

static void make(struct world *w)
{
    static char steady[] = "steady", moving[] = "moving", time[] = "time", label[] = "label",
                path[] = "a/table";
    *w = (struct world){0};
    for (size_t i = 0; i < ROWS; i++) {
        w->time[i] = 1532476800 + (int64_t)i * 900; // 2018-07-25, 96 rows a day
        w->steady[i] = (float)next_random();
        w->moving[i] = (float)(next_random() + (i >= CURRENT_FIRST ? 0.2 : 0));
    }
    w->columns[0] = (struct table_column){.name = time, .kind = COLUMN_TIME, .data = w->time};
    w->columns[1] =
        (struct table_column){.name = steady, .kind = COLUMN_FEATURE, .data = w->steady};
    w->columns[2] =
        (struct table_column){.name = moving, .kind = COLUMN_FEATURE, .data = w->moving};
    w->columns[3] = (struct table_column){.name = label, .kind = COLUMN_LABEL, .data = w->label};
    w->table = (struct table){.path = path, .rows = ROWS, .columns = w->columns, .n = 4};
    // The model has them the other way round.
    const struct histogram quarters = {.n_edges = 3, .edges = {0.25, 0.5, 0.75}};
    w->inputs[0] = (struct model_input){moving, 0.5, 0.3, 2, quarters};
    w->inputs[1] = (struct model_input){steady, 0.5, 0.3, 0, quarters};
    w->model = (struct model){
        .inputs = w->inputs, .n_inputs = 2, .score_reference = {.n_edges = 1, .edges = {0.5}}};
    w->reference = (struct period){&w->table, {0, REFERENCE_END}};
    w->current = (struct period){&w->table, {CURRENT_FIRST, ROWS}};
    w->limits = (struct limits){.psi_alert = 0.2, .min_rows = 1000};
}

static int run(const struct world *w, struct comparison *c, unsigned threads, struct err *err)
{
    return comparison_init(c, &w->model, &w->reference, &w->current, &w->limits, threads, err);
}

static void assert_fails_with(const struct world *w, const char *part)
{
    struct comparison c;
    struct err err = {""};
    assert_int_equal(run(w, &c, 2, &err), -1);
    assert_contains(err.msg, part);
}

static int compare_doubles(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

// Counts between the edges by definition, and the sorted values.
static void pick(const float *x, size_t first, size_t end, double *out, uint64_t counts[4])
{
    for (size_t i = first; i < end; i++) {
        out[i - first] = x[i];
        counts[(x[i] >= 0.25F) + (x[i] >= 0.5F) + (x[i] >= 0.75F)]++;
    }
    qsort(out, end - first, sizeof *out, compare_doubles);
}

static void assert_equal(double a, double b)
{
    if (!(a == b || (isnan(a) && isnan(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

static void assert_same(const struct drift *a, const struct drift *b)
{
    assert_equal(a->psi, b->psi);
    assert_equal(a->jensen_shannon, b->jensen_shannon);
    assert_equal(a->ks, b->ks);
    assert_equal(a->ks_p, b->ks_p);
    assert_equal(a->wasserstein, b->wasserstein);
    assert_equal(a->wasserstein_normalised, b->wasserstein_normalised);
    assert_equal(a->out_of_range, b->out_of_range);
    assert_equal(a->mean_reference, b->mean_reference);
    assert_equal(a->mean_current, b->mean_current);
}

// ---- what it gives ----

static void an_input_is_measured_on_the_rows_of_both_periods(void **state)
{
    (void)state;
    static struct world w;
    static double before[ROWS], after[ROWS];
    struct comparison c;
    struct err err;
    make(&w);
    assert_int_equal(run(&w, &c, 1, &err), 0);
    assert_int_equal(c.n, 3);
    assert_string_equal(c.columns[0].name, "moving");
    assert_string_equal(c.columns[1].name, "steady");
    assert_string_equal(c.columns[2].name, "score");
    const float *x[] = {w.moving, w.steady};
    for (size_t i = 0; i < 2; i++) {
        uint64_t p[4] = {0}, q[4] = {0};
        pick(x[i], 0, REFERENCE_END, before, p);
        pick(x[i], CURRENT_FIRST, ROWS, after, q);
        struct drift expected =
            drift_measure(before, REFERENCE_END, after, ROWS - CURRENT_FIRST, p, q, 4);
        assert_same(&c.columns[i].drift, &expected);
    }
    comparison_release(&c);
}

static void the_score_moves_with_the_input_that_has_weight(void **state)
{
    (void)state;
    static struct world w;
    struct comparison c;
    struct err err;
    make(&w);
    assert_int_equal(run(&w, &c, 2, &err), 0);
    // The probability increases with `moving` alone, so ranks, and with them KS, are the same.
    assert_equal(c.columns[2].drift.ks, c.columns[0].drift.ks);
    double sum = 0;
    for (size_t i = CURRENT_FIRST; i < ROWS; i++)
        sum += 1 / (1 + exp(-2 * ((double)w.moving[i] - 0.5) / 0.3));
    assert_true(fabs(c.columns[2].drift.mean_current - sum / (ROWS - CURRENT_FIRST)) < 1e-12);
    comparison_release(&c);
}

// P(score of a fraud > score of a genuine row) by its definition, ties a half; the score increases
// with `moving` alone.
static double slow_auc(const struct world *w, size_t first, size_t end)
{
    double won = 0, pairs = 0;
    for (size_t i = first; i < end; i++)
        for (size_t j = first; j < end && w->label[i] == 1; j++)
            if (w->label[j] == 0) {
                won += w->moving[i] > w->moving[j] ? 1 : 0.5 * (w->moving[i] == w->moving[j]);
                pairs++;
            }
    return won / pairs;
}

static void performance_is_that_of_the_rows_with_labels(void **state)
{
    (void)state;
    static struct world w;
    struct comparison c;
    struct err err;
    make(&w);
    for (size_t i = 0; i < ROWS; i++)
        w.label[i] = (int8_t)(i % 7 == 0 ? -1 : next_random() < (double)w.moving[i] / 2);
    assert_int_equal(run(&w, &c, 2, &err), 0);
    assert_true(c.reference_performance.known && c.current_performance.known);
    double before = slow_auc(&w, 0, REFERENCE_END), now = slow_auc(&w, CURRENT_FIRST, ROWS);
    assert_true(fabs(c.reference_performance.metrics.roc_auc - before) < 1e-12);
    assert_true(fabs(c.current_performance.metrics.roc_auc - now) < 1e-12);
    comparison_release(&c);
    memset(w.label, -1, sizeof w.label); // none has come yet
    assert_int_equal(run(&w, &c, 2, &err), 0);
    assert_false(c.reference_performance.known || c.current_performance.known);
    comparison_release(&c);
    w.table.n = 3; // nor is there a column for them
    assert_int_equal(run(&w, &c, 2, &err), 0);
    assert_false(c.reference_performance.known || c.current_performance.known);
    comparison_release(&c);
}

static void an_alarm_needs_size_and_rows(void **state)
{
    (void)state;
    static struct world w;
    struct comparison c;
    struct err err;
    make(&w);
    assert_int_equal(run(&w, &c, 2, &err), 0);
    assert_true(c.columns[0].drifted && !c.columns[1].drifted && c.drifted && c.enough_rows);
    comparison_release(&c);
    w.limits.min_rows = REFERENCE_END + 1;
    assert_int_equal(run(&w, &c, 2, &err), 0);
    assert_true(c.columns[0].drift.psi >= 0.2);
    assert_true(!c.columns[0].drifted && !c.drifted && !c.enough_rows);
    comparison_release(&c);
    w.limits = (struct limits){.psi_alert = 10, .min_rows = 1000};
    assert_int_equal(run(&w, &c, 2, &err), 0);
    assert_true(!c.drifted && c.enough_rows);
    comparison_release(&c);
}

static void weeks_part_the_current_period_from_its_first_day(void **state)
{
    (void)state;
    static struct world w;
    static double values[ROWS];
    struct comparison c;
    struct err err;
    make(&w);
    // The period begins within 2018-08-10; three weeks after 2018-08-24 nothing happens.
    const size_t pause = 96 * 30;
    for (size_t i = pause; i < ROWS; i++)
        w.time[i] += 21 * DAY;
    assert_int_equal(run(&w, &c, 1, &err), 0);
    int64_t first = 1532476800 / DAY + 16;
    const int64_t from[] = {first, first + 7, first + 35, first + 42};
    const size_t ends[] = {96 * 23, pause, 96 * 37, ROWS};
    assert_int_equal(c.n_weeks, 4);
    uint64_t p[4] = {0};
    pick(w.moving, 0, REFERENCE_END, values, p);
    for (size_t k = 0, row = CURRENT_FIRST; k < 4; row = ends[k++]) {
        uint64_t q[4] = {0};
        assert_int_equal(c.weeks[k].from, from[k]);
        assert_int_equal(c.weeks[k].rows.first, row);
        assert_int_equal(c.weeks[k].rows.end, ends[k]);
        pick(w.moving, row, ends[k], values, q);
        assert_equal(c.columns[0].week_psi[k], drift_psi(p, q, 4));
    }
    comparison_release(&c);
}

static void the_number_of_threads_changes_nothing(void **state)
{
    (void)state;
    static struct world w;
    struct comparison one, many;
    struct err err;
    make(&w);
    assert_int_equal(run(&w, &one, 1, &err), 0);
    assert_int_equal(run(&w, &many, 7, &err), 0);
    for (size_t i = 0; i < one.n; i++)
        assert_same(&one.columns[i].drift, &many.columns[i].drift);
    comparison_release(&one);
    comparison_release(&many);
}

static void a_period_compared_with_itself_has_not_drifted(void **state)
{
    (void)state;
    static struct world w;
    struct comparison c;
    struct err err;
    make(&w);
    w.current = w.reference;
    assert_int_equal(run(&w, &c, 2, &err), 0);
    for (size_t i = 0; i < c.n; i++) {
        const struct drift *d = &c.columns[i].drift;
        assert_true(d->psi == 0 && d->ks == 0 && d->ks_p == 1 && d->jensen_shannon == 0);
        assert_true(d->wasserstein == 0 && d->wasserstein_normalised == 0 && d->out_of_range == 0);
    }
    assert_false(c.drifted);
    comparison_release(&c);
}

static void an_empty_current_period_is_no_drift(void **state)
{
    (void)state;
    static struct world w;
    struct comparison c;
    struct err err;
    make(&w);
    w.current.rows = (struct row_range){ROWS, ROWS};
    assert_int_equal(run(&w, &c, 2, &err), 0);
    assert_true(isnan(c.columns[0].drift.psi) && isnan(c.columns[2].drift.ks));
    assert_true(!c.drifted && !c.enough_rows && c.n_weeks == 0);
    comparison_release(&c);
}

// ---- what it refuses ----

static void an_empty_reference_is_an_error(void **state)
{
    (void)state;
    static struct world w;
    make(&w);
    w.reference.rows = (struct row_range){10, 10};
    assert_fails_with(&w, "a/table: no row lies in the training part");
}

static void a_table_without_an_input_of_the_model_is_an_error(void **state)
{
    (void)state;
    static struct world w;
    make(&w);
    w.table.n = 2;
    assert_fails_with(&w, "moving");
}

static void a_value_that_is_not_finite_is_an_error_that_names_its_row(void **state)
{
    (void)state;
    static struct world w;
    make(&w);
    w.steady[2222] = NAN;
    assert_fails_with(&w, "a/table: steady of row 2222 is nan");
    w.steady[2222] = 0;
    w.moving[3] = INFINITY;
    assert_fails_with(&w, "a/table: moving of row 3 is inf");
}

static void time_that_goes_back_is_an_error(void **state)
{
    (void)state;
    static struct world w;
    make(&w);
    w.time[3000] = w.time[2999] - 1;
    assert_fails_with(&w, "a/table: time goes back at row 3000");
}

// ---- the [monitor] section ----

static int read_limits(struct limits *l, const char *text, struct err *err)
{
    struct config config;
    assert_int_equal(config_load(&config, scratch_text("limits.ini", text), err), 0);
    int rc = limits_from_config(l, &config, err);
    config_release(&config);
    return rc;
}

static void limits_have_defaults_and_bounds(void **state)
{
    (void)state;
    struct limits l;
    struct err err;
    assert_int_equal(read_limits(&l, "[split]\n", &err), 0);
    assert_true(l.psi_alert == 0.2 && l.min_rows == 1000);
    assert_int_equal(read_limits(&l, "[monitor]\npsi_alert = 0.1\nmin_rows = 50\n", &err), 0);
    assert_true(l.psi_alert == 0.1 && l.min_rows == 50);
    assert_int_equal(read_limits(&l, "[monitor]\nmin_rows = 0\n", &err), -1);
    assert_int_equal(read_limits(&l, "[monitor]\npsi_alert = high\n", &err), -1);
    assert_int_equal(read_limits(&l, "[monitor]\npsi_alarm = 0.1\n", &err), -1);
    assert_contains(err.msg, "did you mean 'psi_alert'?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_input_is_measured_on_the_rows_of_both_periods),
        cmocka_unit_test(the_score_moves_with_the_input_that_has_weight),
        cmocka_unit_test(performance_is_that_of_the_rows_with_labels),
        cmocka_unit_test(an_alarm_needs_size_and_rows),
        cmocka_unit_test(weeks_part_the_current_period_from_its_first_day),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(a_period_compared_with_itself_has_not_drifted),
        cmocka_unit_test(an_empty_current_period_is_no_drift),
        cmocka_unit_test(an_empty_reference_is_an_error),
        cmocka_unit_test(a_table_without_an_input_of_the_model_is_an_error),
        cmocka_unit_test(a_value_that_is_not_finite_is_an_error_that_names_its_row),
        cmocka_unit_test(time_that_goes_back_is_an_error),
        scratch_test(limits_have_defaults_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
