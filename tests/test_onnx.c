// The file is parsed back with the generated code, its graph is computed by hand, and Python's onnx
// checks it where it is installed.
#include "train/model.h"

#include "tests/training.h"
#include "train/onnx.pb-c.h"

static char names[3][16] = {"amount", "night", "c[\"a\",b]"};
static struct model_input inputs[] = {
    {names[0], 54.25, 42.0625, 0.375, {0}},
    {names[1], 0.1, 0.3, -1.7e-3, {0}},
    {names[2], 1.0 / 3, 1e-3, 2.5, {0}},
};
static const struct model model = {
    .inputs = inputs, .n_inputs = 3, .intercept = -5.125, .threshold = 0.1};

// A named row of up to three numbers.
struct variable {
    const char *name;
    double x[3];
    size_t n;
};

static struct variable known[16];
static size_t n_known;

// A name has to be known before a node uses it.
static const struct variable *find(const char *name)
{
    size_t i = 0;
    while (i + 1 < n_known && strcmp(known[i].name, name) != 0)
        i++;
    assert_string_equal(known[i].name, name);
    return &known[i];
}

static double apply(const char *op, double a, double b)
{
    if (strcmp(op, "Sub") == 0)
        return a - b;
    if (strcmp(op, "Div") == 0)
        return a / b;
    if (strcmp(op, "Add") == 0)
        return a + b;
    if (strcmp(op, "Sigmoid") == 0)
        return 1 / (1 + exp(-a));
    if (strcmp(op, "GreaterOrEqual") == 0)
        return a >= b;
    assert_string_equal(op, "Cast");
    return a;
}

static void run_node(const Onnx__NodeProto *node)
{
    const struct variable *a = find(node->input[0]), *b = find(node->input[node->n_input - 1]);
    const bool product = strcmp(node->op_type, "MatMul") == 0;
    struct variable out = {.name = node->output[0], .n = product ? 1 : a->n};
    for (size_t i = 0; i < a->n; i++)
        if (product)
            out.x[0] += a->x[i] * b->x[i];
        else
            out.x[i] = apply(node->op_type, a->x[i], b->x[i]);
    known[n_known++] = out;
}

static void run_graph(const Onnx__GraphProto *g, const float x[3])
{
    n_known = 1;
    known[0] = (struct variable){g->input[0]->name, {x[0], x[1], x[2]}, 3};
    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];
        struct variable *v = &known[n_known++];
        *v = (struct variable){.name = t->name, .n = t->n_double_data};
        memcpy(v->x, t->double_data, t->n_double_data * sizeof *v->x);
    }
    for (size_t i = 0; i < g->n_node; i++)
        run_node(g->node[i]);
}

TEST(the_graph_computes_the_models_probability_and_decision)
{
    const float rows[][3] = {{54.25F, 0, 0.334F}, {220, 1, 0.3F}, {0.01F, 0, 0.335F}, {0, 0, 0}};
    size_t n, reviews = 0;
    unsigned char *bytes = onnx_from_model(&model, &n);
    Onnx__ModelProto *parsed = onnx__model_proto__unpack(NULL, n, bytes);
    assert_non_null(parsed);
    assert_true(parsed->ir_version == 8 && parsed->n_opset_import == 1);
    assert_true(parsed->opset_import[0]->version == 13); // runtimes from 2021 on
    assert_string_equal(parsed->metadata_props[0]->key, "inputs");
    assert_string_equal(parsed->metadata_props[0]->value,
                        "[\"amount\",\"night\",\"c[\\\"a\\\",b]\"]");
    assert_string_equal(parsed->graph->output[0]->name, "probability");
    assert_string_equal(parsed->graph->output[1]->name, "decision");
    for (size_t r = 0; r < 4; r++) {
        run_graph(parsed->graph, rows[r]);
        double p = model_probability(model_margin(&model, rows[r]));
        assert_true(fabs(find("probability")->x[0] - p) < 1e-15);
        assert_true(find("decision")->x[0] == (p >= model.threshold));
        reviews += p >= model.threshold;
    }
    assert_true(reviews > 0 && reviews < 4);
    onnx__model_proto__free_unpacked(parsed, NULL);
    free(bytes);
}

// Another implementation of ONNX checks the graph's types and shapes.
TEST(pythons_onnx_accepts_the_file)
{
    char out[1024];
    size_t n;
    if (run_command(out, sizeof out, "/usr/bin/python3 -c 'import onnx'") != 0)
        skip();
    unsigned char *bytes = onnx_from_model(&model, &n);
    if (run_command(out, sizeof out,
                    "/usr/bin/python3 -c 'import onnx; "
                    "onnx.checker.check_model(onnx.load(\"%s\"), full_check=True)'",
                    scratch_bytes("model.onnx", bytes, n)))
        fail_msg("%s", out);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_graph_computes_the_models_probability_and_decision),
        scratch_test(pythons_onnx_accepts_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
