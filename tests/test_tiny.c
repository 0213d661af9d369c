// The real pipeline against tests/tiny.c, which computes the same by brute force: on the committed
// sample and on a small simulated file.
#define main  tiny_main
#define model tiny_model // train/ has one, too
int tiny_main(int argc, char **argv);
#include "tests/tiny.c" // NOLINT(bugprone-suspicious-include): it is the oracle
#undef main
#undef model

#include "ingest/table.h"
#include "tests/release.h"
#include "tests/stages.h"
#include "train/metrics.h"

// Two ways of adding the same doubles, and a unit of the last of a model's 7 digits.
static const double ROUNDING = 1e-12, DIGITS = 1.1e-6, RANKS = 1e-6;

static const char *place(const char *name)
{
    return scratch_path(formatted("work/%.100s", name));
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *x = json_object_get(object, name);
    assert_true(json_is_number(x));
    return json_number_value(x);
}

static void assert_near(double x, double expected, double tolerance, const char *what)
{
    if (!(fabs(x - expected) <= tolerance))
        fail_msg("%s is %.17g, tiny has %.17g", what, x, expected);
}

static void compare_features(const struct data *d)
{
    struct table t;
    struct err err;
    must(table_open(&t, place("features"), &err), &err);
    assert_int_equal(t.rows, d->n);
    for (int i = 0; i < N_INPUTS; i++) {
        const float *x = table_data(&t, names[i], COLUMN_FEATURE, &err);
        assert_non_null(x);
        for (long r = 0; r < d->n; r++)
            if (x[r] != d->rows[r].x[i])
                fail_msg("%s of row %ld is %.9g, tiny has %.9g", names[i], r, (double)x[r],
                         (double)d->rows[r].x[i]);
    }
    table_release(&t);
}

static void compare_model(const struct tiny_model *m)
{
    json_t *model = load_json("models/1/model.json");
    const json_t *inputs = json_object_get(model, "inputs");
    assert_int_equal(json_array_size(inputs), N_INPUTS);
    for (size_t i = 0; i < N_INPUTS; i++) {
        const json_t *input = json_array_get(inputs, i);
        assert_string_equal(json_string_value(json_object_get(input, "name")), names[i]);
        const double numbers[] = {m->mean[i], m->scale[i], m->w[i], m->min[i], m->max[i]};
        static const char *const words[] = {"mean", "scale", "weight", "min", "max"};
        for (int k = 0; k < 5; k++)
            assert_near(number_of(input, words[k]), numbers[k],
                        k < 3 ? DIGITS * fabs(numbers[k]) : 0, words[k]);
    }
    assert_near(number_of(model, "intercept"), m->w[N_INPUTS], DIGITS * fabs(m->w[N_INPUTS]),
                "the intercept");
    json_decref(model);
}

// The pipeline's own functions on tiny's scores.
static void compare_metric_functions(const struct data *d, const struct result *r)
{
    const size_t n = (size_t)(r->test.end - r->test.first);
    double *scores = allocate(n, sizeof *scores);
    int8_t *labels = allocate(n, sizeof *labels);
    for (size_t i = 0; i < n; i++) {
        scores[i] = d->rows[r->test.first + (long)i].score;
        labels[i] = (int8_t)judged(d, r->test.first + (long)i, r->train);
    }
    const struct metrics m = metrics_compute(scores, labels, n, 1);
    assert_near(m.roc_auc, r->auc, ROUNDING, "ROC AUC of the same scores");
    assert_near(m.average_precision, r->average_precision, ROUNDING,
                "average precision of the same scores");
    free(scores);
    free(labels);
}

static double score_psi(const json_t *drift)
{
    size_t i;
    json_t *column;
    json_array_foreach(json_object_get(drift, "columns"), i, column)
    {
        if (strcmp(json_string_value(json_object_get(column, "name")), "score") == 0)
            return number_of(column, "psi");
    }
    return NAN;
}

// file, and the dates that train and test begin with: as in the .ini of the pipeline that has run.
static void compare(const char *file, const char *train_from, const char *test_from)
{
    json_t *metrics = load_json("models/1/metrics.json"), *drift = load_json("drift.json");
    const json_t *test = json_object_get(metrics, "test");
    struct data d = read_csv(place(file));
    const struct result r = run_all(&d, train_from, test_from, number_of(metrics, "l2"));
    compare_features(&d);
    compare_model(&r.tiny_model);
    compare_metric_functions(&d, &r);
    assert_int_equal(json_integer_value(json_object_get(test, "rows")), r.judged);
    assert_int_equal(json_integer_value(json_object_get(test, "frauds")), r.frauds);
    assert_near(number_of(test, "roc_auc"), r.auc, RANKS, "ROC AUC");
    assert_near(number_of(test, "average_precision"), r.average_precision, RANKS,
                "average precision");
    assert_near(score_psi(drift), r.psi, RANKS, "drift");
    free(d.rows);
    json_decref(metrics);
    json_decref(drift);
}

TEST_CASE(the_pipeline_agrees_with_tiny_on_the_sample)
{
    compare("datasets/sample.csv", "2018-04-15", "2018-04-29");
}

TEST_CASE(the_pipeline_agrees_with_tiny_on_simulated_data)
{
    succeed("simulate --customers 300 --terminals 600 --days 60 --seed 7 --output data.csv && "
            "sed 's/^file = .*/file = data.csv/; s/^folds = .*/folds = 1/; "
            "s/^train = .*/train = 2018-05-08 .. 2018-05-14/; "
            "s/^test  = .*/test  = 2018-05-22 .. 2018-05-28/' datasets/handbook.ini >small.ini && "
            "rm -r models && ingest --config small.ini --key key --output table data.csv && "
            "features --config small.ini --output features table && "
            "train --config small.ini --output models --promote features && "
            "monitor --config small.ini --models models --output drift.json features");
    compare("data.csv", "2018-05-08", "2018-05-22");
}

TEST_CASE(tiny_prints_its_table)
{
    expect(0, "average precision  ", "tiny datasets/sample.csv 2018-04-15 2018-04-29 1e-2");
    expect(1, "tiny: none.csv: cannot read", "tiny none.csv 2018-04-15 2018-04-29 1e-2");
}

TESTS(stages_make, scratch_remove)
