// train/onnx: the file is parsed back with the generated code, walked through by hand, and, where
// Python's onnx is installed, checked by it.
#include "train/onnx.h"

#include "tests/scratch.h"
#include "train/onnx.pb-c.h"

#include <math.h>

static char names[3][16] = {"amount", "night", "c[\"a\",b]"};
static struct model_input inputs[] = {
    {names[0], 54.25, 42.0625, 0.375, {0}},
    {names[1], 0.1, 0.3, -1.7e-3, {0}},
    {names[2], 1.0 / 3, 1e-3, 2.5, {0}},
};
static const struct model model = {
    .inputs = inputs, .n_inputs = 3, .intercept = -5.125, .threshold = 0.1};

static unsigned char *bytes;
static size_t n_bytes;
static Onnx__ModelProto *parsed;

static int parse(void **state)
{
    (void)state;
    bytes = onnx_from_model(&model, &n_bytes);
    parsed = onnx__model_proto__unpack(NULL, n_bytes, bytes);
    return parsed ? 0 : -1;
}

static int forget(void **state)
{
    (void)state;
    onnx__model_proto__free_unpacked(parsed, NULL);
    free(bytes);
    return 0;
}

static const Onnx__TensorProto *constant(const char *name)
{
    for (size_t i = 0; i < parsed->graph->n_initializer; i++)
        if (strcmp(parsed->graph->initializer[i]->name, name) == 0)
            return parsed->graph->initializer[i];
    fail_msg("there is no constant '%s'", name);
    return NULL;
}

static void the_versions_are_those_that_runtimes_of_2021_read(void **state)
{
    (void)state;
    assert_true(parsed->has_ir_version && parsed->ir_version == 8);
    assert_int_equal(parsed->n_opset_import, 1);
    assert_true(parsed->opset_import[0]->has_version && parsed->opset_import[0]->version == 13);
    assert_string_equal(parsed->opset_import[0]->domain, "");
}

static void constants_are_the_models_doubles(void **state)
{
    (void)state;
    const Onnx__TensorProto *mean = constant("mean"), *scale = constant("scale");
    const Onnx__TensorProto *weight = constant("weight");
    assert_int_equal(weight->n_dims, 2);
    assert_true(weight->dims[0] == 3 && weight->dims[1] == 1);
    assert_true(mean->n_dims == 1 && mean->dims[0] == 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(mean->double_data[i] == inputs[i].mean);
        assert_true(scale->double_data[i] == inputs[i].scale);
        assert_true(weight->double_data[i] == inputs[i].weight);
    }
    assert_true(constant("intercept")->double_data[0] == model.intercept);
    assert_true(constant("threshold")->double_data[0] == model.threshold);
}

static void every_operand_is_made_before_it_is_used(void **state)
{
    (void)state;
    const Onnx__GraphProto *g = parsed->graph;
    const char *made[32] = {g->input[0]->name};
    size_t n = 1;
    for (size_t i = 0; i < g->n_initializer; i++)
        made[n++] = g->initializer[i]->name;
    for (size_t i = 0; i < g->n_node; i++) {
        for (size_t k = 0; k < g->node[i]->n_input; k++) {
            bool found = false;
            for (size_t j = 0; j < n; j++)
                found = found || strcmp(made[j], g->node[i]->input[k]) == 0;
            assert_true(found);
        }
        made[n++] = g->node[i]->output[0];
    }
    assert_string_equal(g->output[0]->name, "probability");
    assert_string_equal(g->output[1]->name, made[n - 1]);
}

// A named row of up to three numbers, for walking through the graph.
struct variable {
    const char *name;
    double x[3];
    size_t n;
};

struct variables {
    struct variable v[16];
    size_t n;
};

static const struct variable *find(const struct variables *known, const char *name)
{
    size_t i = 0;
    while (i + 1 < known->n && strcmp(known->v[i].name, name) != 0)
        i++;
    assert_string_equal(known->v[i].name, name);
    return &known->v[i];
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

static void run_node(const Onnx__NodeProto *node, struct variables *known)
{
    const struct variable *a = find(known, node->input[0]);
    const struct variable *b = find(known, node->input[node->n_input - 1]);
    bool product = strcmp(node->op_type, "MatMul") == 0;
    struct variable out = {.name = node->output[0], .n = product ? 1 : a->n};
    for (size_t i = 0; i < a->n; i++)
        if (product)
            out.x[0] += a->x[i] * b->x[i];
        else
            out.x[i] = apply(node->op_type, a->x[i], b->x[i]);
    known->v[known->n++] = out;
}

static void run_graph(const Onnx__GraphProto *g, const float x[3], struct variables *known)
{
    *known = (struct variables){.v = {{g->input[0]->name, {x[0], x[1], x[2]}, 3}}, .n = 1};
    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];
        struct variable *v = &known->v[known->n++];
        *v = (struct variable){.name = t->name, .n = t->n_double_data};
        memcpy(v->x, t->double_data, t->n_double_data * sizeof *v->x);
    }
    for (size_t i = 0; i < g->n_node; i++)
        run_node(g->node[i], known);
}

static void the_graph_computes_the_models_probability_and_decision(void **state)
{
    (void)state;
    const float rows[][3] = {{54.25F, 0, 0.334F}, {220, 1, 0.3F}, {0.01F, 0, 0.335F}, {0, 0, 0}};
    size_t reviews = 0;
    for (size_t r = 0; r < 4; r++) {
        struct variables known;
        run_graph(parsed->graph, rows[r], &known);
        double p = model_probability(model_margin(&model, rows[r]));
        assert_true(fabs(find(&known, "probability")->x[0] - p) < 1e-15);
        assert_true(find(&known, "decision")->x[0] == (p >= model.threshold));
        reviews += p >= model.threshold;
    }
    assert_true(reviews > 0 && reviews < 4);
}

static void the_inputs_are_named_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(parsed->n_metadata_props, 1);
    assert_string_equal(parsed->metadata_props[0]->key, "inputs");
    assert_string_equal(parsed->metadata_props[0]->value,
                        "[\"amount\",\"night\",\"c[\\\"a\\\",b]\"]");
}

static void the_same_model_gives_the_same_bytes(void **state)
{
    (void)state;
    size_t n;
    unsigned char *again = onnx_from_model(&model, &n);
    assert_int_equal(n, n_bytes);
    assert_memory_equal(again, bytes, n);
    free(again);
}

// Another implementation of ONNX checks the graph's types and shapes.
static void pythons_onnx_accepts_the_file(void **state)
{
    (void)state;
    char out[1024];
    if (run_command(out, sizeof out, "/usr/bin/python3 -c 'import onnx'") != 0)
        skip();
    const char *path = scratch_bytes("model.onnx", bytes, n_bytes);
    int rc = run_command(out, sizeof out,
                         "/usr/bin/python3 -c 'import onnx; "
                         "onnx.checker.check_model(onnx.load(\"%s\"), full_check=True)'",
                         path);
    if (rc)
        fail_msg("%s", out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_versions_are_those_that_runtimes_of_2021_read),
        cmocka_unit_test(constants_are_the_models_doubles),
        cmocka_unit_test(every_operand_is_made_before_it_is_used),
        cmocka_unit_test(the_graph_computes_the_models_probability_and_decision),
        cmocka_unit_test(the_inputs_are_named_in_their_order),
        cmocka_unit_test(the_same_model_gives_the_same_bytes),
        scratch_test(pythons_onnx_accepts_the_file),
    };
    return cmocka_run_group_tests(tests, parse, forget);
}
