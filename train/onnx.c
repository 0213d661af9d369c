// Fills the messages that protoc-c generates from ONNX's own onnx.proto and packs them. They point
// at each other, so all of them live in one struct document that does not move. Who writes the
// file, and where, is the caller's.
#include "train/onnx.h"

#include "base/memory.h"
#include "base/option.h" // ASSAY_VERSION
#include "train/onnx.pb-c.h"

#include <stdlib.h>

enum { IR_VERSION = 8, OPSET = 13 };

// The graph: operator, operands (the second may be none), result.
static char *const steps[][4] = {
    {"Sub", "features", "mean", "centred"},
    {"Div", "centred", "scale", "standardised"},
    {"MatMul", "standardised", "weight", "weighted"},
    {"Add", "weighted", "intercept", "margin"},
    {"Sigmoid", "margin", NULL, "probability"},
    {"GreaterOrEqual", "probability", "threshold", "review"},
    {"Cast", "review", NULL, "decision"},
};
enum { STEPS = sizeof steps / sizeof *steps, CONSTANTS = 5, INPUTS = 1, OUTPUTS = 2 };

struct step {
    Onnx__NodeProto node;
    char *operands[2], *result;
};

struct constant {
    Onnx__TensorProto tensor;
    int64_t dims[2];
};

struct value { // an input or output of the graph
    Onnx__ValueInfoProto info;
    Onnx__TypeProto type;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dims[2], *dim[2];
};

struct document {
    Onnx__ModelProto model;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    Onnx__StringStringEntryProto names, *metadata[1];
    Onnx__GraphProto graph;
    struct step steps[STEPS];
    Onnx__NodeProto *nodes[STEPS];
    Onnx__AttributeProto cast_to, *cast_attributes[1];
    struct constant constants[CONSTANTS];
    Onnx__TensorProto *tensors[CONSTANTS];
    struct value values[INPUTS + OUTPUTS];
    Onnx__ValueInfoProto *infos[INPUTS + OUTPUTS];
};

static void set_step(struct step *s, char *const step[4])
{
    *s = (struct step){ONNX__NODE_PROTO__INIT, {step[1], step[2]}, step[3]};
    s->node.op_type = s->node.name = step[0];
    s->node.n_input = step[2] ? 2 : 1;
    s->node.input = s->operands;
    s->node.n_output = 1;
    s->node.output = &s->result;
}

static void set_steps(struct document *d)
{
    for (size_t i = 0; i < STEPS; i++) {
        set_step(&d->steps[i], steps[i]);
        d->nodes[i] = &d->steps[i].node;
    }
    d->cast_to = (Onnx__AttributeProto)ONNX__ATTRIBUTE_PROTO__INIT;
    d->cast_to.name = "to";
    d->cast_to.has_type = d->cast_to.has_i = 1;
    d->cast_to.type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    d->cast_to.i = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    d->cast_attributes[0] = &d->cast_to;
    d->steps[STEPS - 1].node.n_attribute = 1;
    d->steps[STEPS - 1].node.attribute = d->cast_attributes;
    d->graph.n_node = STEPS;
    d->graph.node = d->nodes;
}

// values[rows · columns]; rows 0: one dimension.
static void add_constant(struct document *d, char *name, double *values, size_t rows,
                         size_t columns)
{
    struct constant *c = &d->constants[d->graph.n_initializer];
    *c = (struct constant){ONNX__TENSOR_PROTO__INIT, {(int64_t)rows, (int64_t)columns}};
    c->tensor.name = name;
    c->tensor.n_dims = rows ? 2 : 1;
    c->tensor.dims = rows ? c->dims : c->dims + 1;
    c->tensor.has_data_type = 1;
    c->tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
    c->tensor.n_double_data = rows ? rows * columns : columns;
    c->tensor.double_data = values;
    d->tensors[d->graph.n_initializer++] = &c->tensor;
    d->graph.initializer = d->tensors;
}

// A matrix of any number of rows.
static Onnx__ValueInfoProto *set_value(struct value *v, char *name, int32_t type, size_t columns)
{
    *v = (struct value){
        .info = ONNX__VALUE_INFO_PROTO__INIT,
        .type = ONNX__TYPE_PROTO__INIT,
        .tensor = ONNX__TYPE_PROTO__TENSOR__INIT,
        .shape = ONNX__TENSOR_SHAPE_PROTO__INIT,
        .dims = {ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT,
                 ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT},
    };
    v->dims[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    v->dims[0].dim_param = "rows";
    v->dims[1].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    v->dims[1].dim_value = (int64_t)columns;
    v->dim[0] = &v->dims[0];
    v->dim[1] = &v->dims[1];
    v->shape.n_dim = 2;
    v->shape.dim = v->dim;
    v->tensor.has_elem_type = 1;
    v->tensor.elem_type = type;
    v->tensor.shape = &v->shape;
    v->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    v->type.tensor_type = &v->tensor;
    v->info.name = name;
    v->info.type = &v->type;
    return &v->info;
}

static void set_values(struct document *d, size_t n_inputs)
{
    const int32_t real = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
    d->infos[0] = set_value(&d->values[0], "features", real, n_inputs);
    d->infos[1] = set_value(&d->values[1], "probability", real, 1);
    d->infos[2] = set_value(&d->values[2], "decision", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1);
    d->graph.n_input = INPUTS;
    d->graph.input = d->infos;
    d->graph.n_output = OUTPUTS;
    d->graph.output = d->infos + INPUTS;
}

static void set_model(struct document *d, char *names)
{
    d->opset = (Onnx__OperatorSetIdProto)ONNX__OPERATOR_SET_ID_PROTO__INIT;
    d->opset.domain = ""; // ONNX's own operators
    d->opset.has_version = 1;
    d->opset.version = OPSET;
    d->opsets[0] = &d->opset;
    d->names = (Onnx__StringStringEntryProto)ONNX__STRING_STRING_ENTRY_PROTO__INIT;
    d->names.key = "inputs";
    d->names.value = names;
    d->metadata[0] = &d->names;
    d->model = (Onnx__ModelProto)ONNX__MODEL_PROTO__INIT;
    d->model.has_ir_version = 1;
    d->model.ir_version = IR_VERSION;
    d->model.n_opset_import = 1;
    d->model.opset_import = d->opsets;
    d->model.producer_name = "assay";
    d->model.producer_version = ASSAY_VERSION;
    d->model.n_metadata_props = 1;
    d->model.metadata_props = d->metadata;
    d->model.graph = &d->graph;
    d->graph.name = "logistic_regression";
}

// ["amount", ...], allocated.
static char *names_text(const struct model *m)
{
    json_t *names = json_array();
    for (size_t i = 0; i < m->n_inputs; i++)
        json_array_append_new(names, json_string(m->inputs[i].name));
    char *text = json_dumps(names, JSON_COMPACT);
    json_decref(names);
    return text;
}

unsigned char *onnx_from_model(const struct model *m, size_t *n)
{
    const size_t k = m->n_inputs;
    struct document d = {.graph = ONNX__GRAPH_PROTO__INIT};
    double intercept = m->intercept, threshold = m->threshold;
    double *numbers = xcalloc(3 * k, sizeof *numbers); // means, scales, weights
    char *names = names_text(m);
    for (size_t i = 0; i < k; i++) {
        numbers[i] = m->inputs[i].mean;
        numbers[k + i] = m->inputs[i].scale;
        numbers[2 * k + i] = m->inputs[i].weight;
    }
    set_steps(&d);
    add_constant(&d, "mean", numbers, 0, k);
    add_constant(&d, "scale", numbers + k, 0, k);
    add_constant(&d, "weight", numbers + 2 * k, k, 1);
    add_constant(&d, "intercept", &intercept, 0, 1);
    add_constant(&d, "threshold", &threshold, 0, 1);
    set_values(&d, k);
    set_model(&d, names);
    *n = onnx__model_proto__get_packed_size(&d.model);
    unsigned char *bytes = xmalloc(*n);
    onnx__model_proto__pack(&d.model, bytes);
    free(numbers);
    free(names);
    return bytes;
}
