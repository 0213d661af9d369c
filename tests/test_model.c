// A model is read back to the bit, a damaged file is refused with the reason, a score is the sum
// that the header states, and histograms have quantile edges.
#define EACH scratch_make, scratch_remove
#include "train/model.h"

#include "tests/release.h"
#include "tests/training.h"

static const char *const valid =
    "{\"format\": \"assay model\", \"version\": 3,\n"
    " \"plan\": {\"schema\": {\"time_format\": \"epoch\", \"columns\": [\n"
    "   {\"name\": \"id\", \"header\": \"ID\", \"kind\": \"id\"},\n"
    "   {\"name\": \"time\", \"header\": \"T\", \"kind\": \"time\"},\n"
    "   {\"name\": \"amount\", \"header\": \"A\", \"kind\": \"number\"},\n"
    "   {\"name\": \"label\", \"header\": \"L\", \"kind\": \"label\"}]},\n"
    "  \"features\": [{\"name\": \"amount\", \"expression\": \"amount\"},\n"
    "   {\"name\": \"night\", \"expression\": \"hour(time) <= 6\"}]},\n"
    " \"inputs\": [\n"
    "  {\"name\": \"amount\", \"mean\": 50.25, \"scale\": 40.1, \"weight\": 0.7, \"min\": 0.5,\n"
    "   \"max\": 220.0, \"reference\": {\"edges\": [10.5, 20.0], \"counts\": [3, 4, 5]}},\n"
    "  {\"name\": \"night\", \"mean\": 0.1, \"scale\": 0.3, \"weight\": -0.05, \"min\": 0.0,\n"
    "   \"max\": 1.0, \"reference\": {\"edges\": [1.0], \"counts\": [10, 2]}}],\n"
    " \"intercept\": -4.5, \"threshold\": 0.125, \"l2\": 0.001, \"outside\": \"score\",\n"
    " \"score_reference\": {\"edges\": [0.01], \"counts\": [7, 5]},\n"
    " \"training\": {\"train_from\": 0, \"train_until\": 9, \"test_from\": 9, \"test_until\": 12}, "
    "\"provenance\": {\"program\": \"assay 0.2.0\"}}\n";

static void load(struct model *m, const char *text)
{
    struct err err = {""};
    must(model_load(m, scratch_text("model.json", text), &err), &err);
}

// The valid file with its first `from` replaced.
static void assert_change_refused(const char *from, const char *to, const char *words)
{
    struct model m;
    struct err err = {""};
    const char *at = strstr(valid, from);
    assert_non_null(at);
    const char *path = scratch_text(
        "model.json", formatted("%.*s%s%s", (int)(at - valid), valid, to, at + strlen(from)));
    assert_int_equal(model_load(&m, path, &err), -1);
    assert_contains(err.msg, words);
    assert_contains(err.msg, path);
    model_release(&m);
}

TEST_CASE(a_model_comes_back_as_it_was_written_and_its_identity_is_the_files_sha256)
{
    struct model m, back;
    char out[256];
    load(&m, valid);
    m.inputs[0].weight = 1.0 / 3;
    m.inputs[1].mean = 0.1 + 0.2;
    m.inputs[0].reference.edges[1] = 100.0 / 3;
    m.intercept = nextafter(-4, 0);
    char *text = model_to_text(&m);
    load(&back, text);
    assert_int_equal(run_command(out, sizeof out, "sha256sum %s", scratch_path("model.json")), 0);
    assert_memory_equal(out, back.sha256, 64);
    assert_true(back.inputs[0].weight == 1.0 / 3);
    assert_true(back.inputs[1].mean == 0.1 + 0.2);
    assert_true(back.intercept == nextafter(-4, 0));
    assert_true(back.inputs[0].reference.edges[1] == 100.0 / 3);
    char *again = model_to_text(&back);
    assert_string_equal(again, text);
    free(again);
    free(text);
    model_release(&m);
    model_release(&back);
}

TEST_CASE(a_score_is_the_logistic_function_of_intercept_and_contributions_in_order)
{
    struct model m;
    const float x[] = {123.45f, 1};
    load(&m, valid);
    const double c[] = {model_contribution(&m, 0, x[0]), model_contribution(&m, 1, x[1])};
    assert_true(c[0] == 0.7 * (((double)123.45f - 50.25) / 40.1));
    assert_true(c[1] == -0.05 * ((1 - 0.1) / 0.3));
    assert_true(model_margin(&m, x) == (-4.5 + c[0]) + c[1]);
    model_release(&m);
    assert_true(model_probability(0) == 0.5);
    assert_true(fabs(model_probability(log(3)) - 0.75) < 1e-15);
    assert_true(fabs(model_probability(-log(3)) - 0.25) < 1e-15);
    assert_true(model_probability(1000) == 1);
    assert_true(model_probability(-1000) == 0);
}

TEST_CASE(a_reason_is_the_sum_of_a_features_inputs)
{
    struct model m = {.n_inputs = 7};
    struct config config;
    struct err err = {""};
    struct reason r;
    scratch_text("m.ini", "[input]\nfile = x\ntime_format = epoch\n[columns]\ntime = T, time\n"
                          "n = N, number, missing=flag\nc = C, category\nlabel = L, label\n"
                          "[features]\nn = hinges(n, 1, 2)\n_helper = n\n"
                          "c = onehot(c, \"a\", \"b\")\nlast = n > 3\n");
    must(config_load(&config, scratch_path("m.ini"), &err), &err);
    must(plan_from_config(&m.plan, &config, &err), &err);
    assert_int_equal(m.plan.n_inputs, 7);
    struct model_input inputs[7]; // of n, c, last and the flag
    for (int i = 0; i < 7; i++)
        inputs[i] = (struct model_input){.scale = 1, .weight = 1 << i, .max = 9};
    m.inputs = inputs;
    const struct {
        float x[7];
        int input;
        double contribution;
    } cases[][4] = {{{{5, 4, 3, 0, 1, 1, 1}, 0, 25}, {{0}, 4, 16}, {{0}, 5, 32}, {{0}, 6, 64}},
                    {{{-0.0F, 0, 0, 0, 0, 0}, 0, 0}, {{0}, 3, 0}, {{0}, 5, 0}, {{0}, 6, 0}}};
    for (size_t i = 0; i < LENGTH(cases); i++)
        for (size_t k = 0, at = 0; k < 4; k++) {
            at = model_reason(&m, at, cases[i][0].x, &r);
            assert_int_equal(at, ((size_t[]){3, 5, 6, 7})[k]);
            assert_int_equal(r.input, cases[i][k].input);
            assert_true(r.contribution == cases[i][k].contribution);
            assert_true(r.value == cases[i][0].x[r.input] && !signbit(r.value));
        }
    plan_release(&m.plan);
    config_release(&config);
}

// Above and below, with a weight of either sign.
TEST_CASE(an_input_outside_the_range_of_training_counts_as_the_end_that_it_passed)
{
    static const struct {
        float x[2], as[2];
        size_t outside;
    } cases[] = {{{1e15F, 1}, {220, 1}, 1},
                 {{-1e15F, 1}, {0.5F, 1}, 1},
                 {{220, 1e9F}, {220, 1}, 1},
                 {{221, -3}, {220, 0}, 2},
                 {{INFINITY, -INFINITY}, {220, 0}, 2},
                 {{NAN, 0}, {0.5F, 0}, 1},
                 {{0.5F, -0.0F}, {0.5F, 0}, 0}, // the ends are inside
                 {{220, 1}, {220, 1}, 0}};
    struct model m;
    load(&m, valid);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        unsigned char outside[2];
        for (size_t k = 0; k < 2; k++)
            assert_true(model_contribution(&m, k, cases[i].x[k]) ==
                        model_contribution(&m, k, cases[i].as[k]));
        assert_true(model_margin(&m, cases[i].x) == model_margin(&m, cases[i].as));
        assert_int_equal(model_outside(&m, cases[i].x, outside), cases[i].outside);
        assert_int_equal(outside[0] + outside[1], cases[i].outside);
        for (int k = 0; k < 2; k++) {
            m.review_outside = k;
            assert_true(model_reviews(&m, cases[i].x, 0.125));
            assert_int_equal(model_reviews(&m, cases[i].x, 0.12), k && cases[i].outside > 0);
        }
    }
    model_release(&m);
}

TEST_CASE(what_is_missing_or_wrong_in_a_file_is_named)
{
    static const char members[][16] = {
        "format",     "version",     "plan",      "inputs",     "intercept",
        "threshold",  "l2",          "schema",    "mean",       "scale",
        "weight",     "reference",   "edges",     "counts",     "score_reference",
        "training",   "provenance",  "min",       "max",        "outside",
        "train_from", "train_until", "test_from", "test_until",
    };
    static const char *const cases[][3] = {
        {"\"l2\"", "\"x\": 0, \"l2\"", "x"}, // an unknown member
        {"\"l2\"", "\"l2\": 0.5, \"l2\"", "duplicate"},
        {"assay model", "other model", "format is 'other model'"},
        {"\"version\": 3", "\"version\": 2", "version 3: train again with this program"},
        {"\"score\"", "\"ignore\"", "outside is 'ignore'"},
        {"50.25", "NaN", "is not JSON"},
        {"0\"}}", "0\"}", "is not JSON"}, // cut off
        {"hour(time)", "hour(nothing)", "nothing"},
        {"[10.5, 20.0]", "[1,2,3,4,5,6,7,8,9,10]", "1 to 9 edges"},
        {"[10.5, 20.0]", "[]", "inputs[0].reference: needs 1 to 9 edges"},
        {"\"counts\": [", "\"counts\": [1, ", "needs one count more"},
        {"\"counts\": ", "\"counts\": 3, \"x\": ", "x"},
    };
    for (size_t i = 0; i < LENGTH(members); i++) {
        const char *from = formatted("\"%.15s\":", members[i]);
        const char *to = formatted("\"no_%.15s\":", members[i]);
        assert_change_refused(from, to, members[i]);
    }
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_change_refused(cases[i][0], cases[i][1], cases[i][2]);
}

static void assert_histogram(double *values, size_t n, const struct histogram *expected)
{
    struct histogram h;
    histogram_fit(&h, values, n);
    assert_memory_equal(&h, expected, sizeof h);
}

TEST_CASE(edges_are_quantiles_and_a_value_that_holds_several_has_a_bin_of_its_own)
{
    double even[1000], binary[10] = {0, 1, 0, 1, 0, 0, 0, -0.0, 0, 0}, rare[200] = {0}, middle[100];
    for (int i = 0; i < 1000; i++)
        even[i] = (double)(i * 617 % 1000) - 500; // each of −500 .. 499 once
    rare[17] = 0.25;                              // 99 % are 0
    rare[99] = 0.5;
    for (int i = 0; i < 100; i++)
        middle[i] = i < 2 ? 1 : i < 97 ? 5 : 9;
    double constant[5] = {3, 3, 3, 3, 3}; // tells less and more from equal
    assert_histogram(constant, 5, &(struct histogram){2, {3, nextafter(3, 4)}, {0, 5, 0}});
    assert_histogram(even, 1000,
                     &(struct histogram){9,
                                         {-400, -300, -200, -100, 0, 100, 200, 300, 400},
                                         {100, 100, 100, 100, 100, 100, 100, 100, 100, 100}});
    assert_histogram(binary, 10, &(struct histogram){1, {1}, {8, 2}});
    assert_histogram(rare, 200, &(struct histogram){1, {0.25}, {198, 2}});
    assert_histogram(middle, 100, &(struct histogram){2, {5, 9}, {2, 95, 3}});
    for (size_t n = 1; n <= 64; n++) {
        struct histogram h;
        uint64_t below = 0;
        for (size_t i = 0; i < n; i++)
            even[i] = (double)(i * 29 % 17) / 4 - 2;
        histogram_fit(&h, even, n);
        for (size_t b = 0; b <= h.n_edges; b++) {
            below += h.counts[b];
            assert_true(b == 0 || b == h.n_edges || h.edges[b - 1] < h.edges[b]);
            for (size_t i = 0; i < n; i++)
                assert_true((i < below) == (b == h.n_edges || even[i] < h.edges[b]));
        }
        assert_int_equal(below, n);
    }
}

TESTS(NULL, NULL)
