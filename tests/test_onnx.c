// Python's onnx, another implementation, checks the file's types and shapes; its graph is computed
// there by NumPy and held against the model.
#define EACH scratch_make, scratch_remove
#include "train/model.h"

#include "tests/training.h"

static const char script[] =
    "import sys, onnx, onnx.numpy_helper, numpy as np\n"
    "m = onnx.load(sys.argv[1])\n"
    "onnx.checker.check_model(m, full_check=True)\n"
    "v = {t.name: onnx.numpy_helper.to_array(t) for t in m.graph.initializer}\n"
    "x = [[54.25, 0, 0.334], [220, 1, 0.3], [0.01, 0, 0.335], [0, 0, 0], [1e15, 0, -1e9]]\n"
    "v[m.graph.input[0].name] = np.array(x, np.float32).astype(np.float64)\n"
    "ops = dict(Sub=np.subtract, Div=np.divide, MatMul=np.matmul, Add=np.add, Max=np.maximum,\n"
    "           Min=np.minimum, Abs=np.abs, Greater=np.greater, Or=np.logical_or,\n"
    "           Sigmoid=lambda a: 1 / (1 + np.exp(-a)), GreaterOrEqual=np.greater_equal,\n"
    "           Cast=lambda a: a.astype(np.int64))\n"
    "for n in m.graph.node:\n"
    "    v[n.output[0]] = ops[n.op_type](*[v[i] for i in n.input])\n"
    "for p, d in zip(*[v[o.name] for o in m.graph.output]):\n"
    "    print(repr(float(p[0])), int(d[0]))\n"
    "print(m.ir_version, m.opset_import[0].version, *[o.name for o in m.graph.output],\n"
    "      *[p.key + '=' + p.value for p in m.metadata_props])\n";

static void compare(bool review_outside)
{
    static struct model_input inputs[] = {{"amount", 54.25, 42.0625, 0.375, 0.01, 220, {0}},
                                          {"night", 0.1, 0.3, -1.7e-3, 0, 1, {0}},
                                          {"c[\"a\",b]", 1.0 / 3, 1e-3, 2.5, 0.3, 0.34, {0}}};
    const struct model model = {.inputs = inputs,
                                .n_inputs = 3,
                                .intercept = -5.125,
                                .threshold = 0.1,
                                .review_outside = review_outside};
    const float rows[][3] = {
        {54.25F, 0, 0.334F}, {220, 1, 0.3F}, {0.01F, 0, 0.335F}, {0, 0, 0}, {1e15F, 0, -1e9F}};
    char out[4096], *at = out;
    long reviews = 0;
    size_t n;
    unsigned char *bytes = onnx_from_model(&model, &n);
    if (run_command(out, sizeof out, "/usr/bin/python3 -W ignore %s %s",
                    scratch_text("run.py", script), scratch_bytes("model.onnx", bytes, n)))
        fail_msg("%s", out);
    free(bytes);
    for (size_t r = 0; r < 5; r++) {
        const double p = model_probability(model_margin(&model, rows[r]));
        assert_near(strtod(at, &at), p, 1e-15);
        const long decision = strtol(at, &at, 10);
        assert_int_equal(decision, model_reviews(&model, rows[r], p));
        reviews += decision;
    }
    assert_int_equal(reviews, review_outside ? 3 : 1);
    // opset 13: runtimes from 2021 on
    assert_string_equal(at, "\n8 13 probability decision "
                            "inputs=[\"amount\",\"night\",\"c[\\\"a\\\",b]\"]\n");
}

TEST_CASE(the_graph_computes_the_models_probability_and_decision_also_outside_its_range)
{
    compare(false);
    compare(true);
}

TESTS(NULL, NULL)
