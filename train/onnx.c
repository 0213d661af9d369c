// A model as an ONNX file, made of the messages that protoc-c generates from ONNX's own onnx.proto.
// Input: features [rows, n_inputs]; outputs: probability [rows, 1], and decision [rows, 1], int64,
// 1 for review. All numbers are doubles, so only the order of a sum may differ from model_margin.
// The metadata property "inputs" is a JSON array of the inputs' names, in the order of the columns.
#include "base/memory.h"
#include "base/option.h" // ASSAY_VERSION
#include "train/model.h"
#include "train/onnx.pb-c.h"

#include <math.h>
#include <stdlib.h>

enum { IR_VERSION = 8, OPSET = 13 };
enum { REAL = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, WHOLE = ONNX__TENSOR_PROTO__DATA_TYPE__INT64 };

#define BASE(message) .base = PROTOBUF_C_MESSAGE_INIT(&onnx__##message##__descriptor)
#define COUNT(...)    (sizeof((char *[]){__VA_ARGS__}) / sizeof(char *))
#define NODE(operator, result, ...)                                                                \
    BASE(node_proto), .output = (char *[]){result}, .n_output = 1,                                 \
                      .input = (char *[]){__VA_ARGS__}, .n_input = COUNT(__VA_ARGS__),             \
                      .op_type = operator, .name = result

static Onnx__AttributeProto to_int64 = {BASE(attribute_proto),
                                        .name = "to",
                                        .has_type = 1,
                                        .type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT,
                                        .has_i = 1,
                                        .i = WHOLE};

static Onnx__NodeProto nodes[] = {
    {NODE("Max", "raised", "features", "min")},
    {NODE("Min", "clamped", "raised", "max")},
    {NODE("Sub", "centred", "clamped", "mean")},
    {NODE("Div", "standardised", "centred", "scale")},
    {NODE("MatMul", "weighted", "standardised", "weight")},
    {NODE("Add", "margin", "weighted", "intercept")},
    {NODE("Sigmoid", "probability", "margin")},
    {NODE("GreaterOrEqual", "above", "probability", "threshold")},
    {NODE("Sub", "moved", "features", "clamped")},
    {NODE("Abs", "distance", "moved")},
    {NODE("MatMul", "distances", "distance", "ones")},
    {NODE("Greater", "outside", "distances", "allowed")},
    {NODE("Or", "review", "above", "outside")},
    {NODE("Cast", "decision", "review"), .n_attribute = 1,
     .attribute = (Onnx__AttributeProto *[]){&to_int64}},
};
enum { N_NODES = sizeof nodes / sizeof *nodes };

// The first ones are numbers, the others have one for each input. allowed is 0 where rows with an
// input outside its range are reviewed, else infinite.
static char *const constants[] = {"intercept", "threshold", "allowed", "min", "max",
                                  "mean",      "scale",     "weight",  "ones"};
enum { N_CONSTANTS = sizeof constants / sizeof *constants, N_NUMBERS = 3 };

// An input or output of the graph: a matrix of any number of rows.
struct value {
    Onnx__ValueInfoProto info;
    Onnx__TypeProto type;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension columns, *dim[2];
};

static Onnx__TensorShapeProto__Dimension rows = {
    BASE(tensor_shape_proto__dimension),
    .value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM, .dim_param = "rows"};

static Onnx__ValueInfoProto *set_value(struct value *v, char *name, int32_t type, size_t columns)
{
    *v = (struct value){
        .info = {BASE(value_info_proto), .type = &v->type},
        .type = {BASE(type_proto), .value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE,
                 .tensor_type = &v->tensor},
        .tensor = {BASE(type_proto__tensor), .has_elem_type = 1, .elem_type = type,
                   .shape = &v->shape},
        .shape = {BASE(tensor_shape_proto), .n_dim = 2, .dim = v->dim},
        .columns = {BASE(tensor_shape_proto__dimension),
                    .value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE,
                    .dim_value = (int64_t)columns},
        .dim = {&rows, &v->columns},
    };
    v->info.name = name;
    return &v->info;
}

static unsigned char *pack(Onnx__GraphProto *graph, const json_t *inputs, size_t *n)
{
    Onnx__OperatorSetIdProto opset = {BASE(operator_set_id_proto), .domain = "", .has_version = 1,
                                      .version = OPSET};
    Onnx__StringStringEntryProto names = {BASE(string_string_entry_proto), .key = "inputs"};
    names.value = json_dumps(inputs, JSON_COMPACT);
    const Onnx__ModelProto model = {
        BASE(model_proto),
        .has_ir_version = 1,
        .ir_version = IR_VERSION,
        .n_opset_import = 1,
        .opset_import = (Onnx__OperatorSetIdProto *[]){&opset},
        .producer_name = "assay",
        .producer_version = ASSAY_VERSION,
        .n_metadata_props = 1,
        .metadata_props = (Onnx__StringStringEntryProto *[]){&names},
        .graph = graph,
    };
    *n = onnx__model_proto__get_packed_size(&model);
    unsigned char *bytes = xmalloc(*n);
    onnx__model_proto__pack(&model, bytes);
    free(names.value);
    return bytes;
}

unsigned char *onnx_from_model(const struct model *m, size_t *n)
{
    const size_t k = m->n_inputs;
    int64_t dims[] = {(int64_t)k, 1};
    double numbers[N_NUMBERS] = {m->intercept, m->threshold, m->review_outside ? 0 : INFINITY};
    double *columns = xcalloc((N_CONSTANTS - N_NUMBERS) * k, sizeof *columns);
    json_t *inputs = json_array();
    for (size_t i = 0; i < k; i++) {
        const struct model_input *in = &m->inputs[i];
        const double of[] = {in->min, in->max, in->mean, in->scale, in->weight, 1};
        for (size_t c = 0; c < N_CONSTANTS - N_NUMBERS; c++)
            columns[c * k + i] = of[c];
        json_array_append_new(inputs, json_string(in->name));
    }
    Onnx__TensorProto tensors[N_CONSTANTS], *initializer[N_CONSTANTS];
    for (size_t i = 0; i < N_CONSTANTS; i++) {
        const bool number = i < N_NUMBERS;
        tensors[i] = (Onnx__TensorProto){
            BASE(tensor_proto),
            .name = constants[i],
            .dims = number ? dims + 1 : dims,
            .n_dims = i < N_CONSTANTS - 2 ? 1 : 2, // the last two are factors of a MatMul
            .has_data_type = 1,
            .data_type = REAL,
            .double_data = number ? numbers + i : columns + (i - N_NUMBERS) * k,
            .n_double_data = number ? 1 : k,
        };
        initializer[i] = &tensors[i];
    }
    Onnx__NodeProto *steps[N_NODES];
    for (size_t i = 0; i < N_NODES; i++)
        steps[i] = &nodes[i];
    struct value x, p, d;
    Onnx__GraphProto graph = {
        BASE(graph_proto),
        .name = "logistic_regression",
        .n_node = N_NODES,
        .node = steps,
        .n_initializer = N_CONSTANTS,
        .initializer = initializer,
        .n_input = 1,
        .input = (Onnx__ValueInfoProto *[]){set_value(&x, "features", REAL, k)},
        .n_output = 2,
        .output = (Onnx__ValueInfoProto *[]){set_value(&p, "probability", REAL, 1),
                                             set_value(&d, "decision", WHOLE, 1)},
    };
    unsigned char *bytes = pack(&graph, inputs, n);
    json_decref(inputs);
    free(columns);
    return bytes;
}
