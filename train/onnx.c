// A model as an ONNX file: the graph of onnx.textproto, with the model's numbers and names in it.
#include "base/memory.h"
#include "base/option.h" // ASSAY_VERSION
#include "train/model.h"
#include "train/onnx.pb-c.h"

#include <math.h>
#include <stdlib.h>

extern const unsigned char onnx_graph[];
extern const uint64_t onnx_graph_size;

// All that is added becomes the message's, and is freed with it.
unsigned char *onnx_from_model(const struct model *m, size_t *n)
{
    const double numbers[] = {m->intercept, m->threshold, m->review_outside ? 0 : INFINITY};
    enum { N_NUMBERS = sizeof numbers / sizeof *numbers };
    Onnx__ModelProto *to = xchecked(onnx__model_proto__unpack(NULL, onnx_graph_size, onnx_graph));
    Onnx__GraphProto *graph = to->graph;
    json_t *names = json_array();
    for (size_t c = 0; c < graph->n_initializer; c++) {
        Onnx__TensorProto *constant = graph->initializer[c];
        const bool number = c < N_NUMBERS;
        constant->n_double_data = number ? 1 : m->n_inputs;
        constant->double_data = xcalloc(constant->n_double_data, sizeof(double));
        constant->dims[0] = (int64_t)constant->n_double_data;
        constant->double_data[0] = number ? numbers[c] : 0;
    }
    for (size_t i = 0; i < m->n_inputs; i++) {
        const struct model_input *in = &m->inputs[i];
        const double of[] = {in->min, in->max, in->mean, in->scale, in->weight, 1};
        for (size_t c = N_NUMBERS; c < graph->n_initializer; c++)
            graph->initializer[c]->double_data[i] = of[c - N_NUMBERS];
        json_array_append_new(names, json_string(in->name));
    }
    graph->input[0]->type->tensor_type->shape->dim[1]->dim_value = (int64_t)m->n_inputs;
    to->metadata_props[0]->value = json_dumps(names, JSON_COMPACT);
    to->producer_version = xstrdup(ASSAY_VERSION);
    *n = onnx__model_proto__get_packed_size(to);
    unsigned char *bytes = xmalloc(*n);
    onnx__model_proto__pack(to, bytes);
    onnx__model_proto__free_unpacked(to, NULL);
    json_decref(names);
    return bytes;
}
