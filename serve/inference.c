#include "serve/inference.h"

#include "base/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char input_name[] = "features";
#define TENSOR "inputs[0]"

enum { PROBABILITY, MARGIN, REVIEW, N_OUTPUTS };
static const struct output_kind {
    const char *name, *datatype;
} outputs[N_OUTPUTS] = {
    [PROBABILITY] = {"probability", "FP64"},
    [MARGIN] = {"margin", "FP64"},
    [REVIEW] = {"review", "BOOL"},
};

// A request while it is read.
struct inference {
    struct reply *reply;
    char where[64]; // the place that is being read, like inputs[0].shape
    const json_t *id;
    size_t rows, n_inputs;
    float *x; // [rows][n_inputs]
    size_t wanted[N_OUTPUTS], n_wanted;
};

// ---- reading ------------------------------------------------------------------------------------

static int refuse(struct inference *q, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct inference *q, int status, const char *fmt, ...)
{
    char why[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return reply_problem(q->reply, status, q->where, -1, "'%s' %s", q->where, why);
}

// Go to a place, base "outputs[1]" and name ".name", where v must have the type.
static int expect(struct inference *q, const json_t *v, json_type type, const char *base,
                  const char *name)
{
    snprintf(q->where, sizeof q->where, "%s%s", base, name);
    if (v && json_typeof(v) == type)
        return 0;
    return v ? refuse(q, 422, "must be %s, not %s", json_type_words(type),
                      json_type_words(json_typeof(v)))
             : refuse(q, 422, "is missing");
}

static const json_t *member(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_null(v) ? NULL : v;
}

// base: where the object is, "" or like "inputs[0]"
static int check_parameters(struct inference *q, const json_t *object, const char *base)
{
    static const char *const binary[] = {"binary_data_size", "binary_data", "binary_data_output"};
    const json_t *parameters = member(object, "parameters");
    if (parameters &&
        expect(q, parameters, JSON_OBJECT, base, *base ? ".parameters" : "parameters"))
        return -1;
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = member(parameters, binary[i]);
        if (v && !json_is_false(v))
            return refuse(q, 400, "has %s, but tensors are read and written as JSON only",
                          binary[i]);
    }
    return 0;
}

static int read_shape(struct inference *q, const json_t *shape)
{
    const json_t *rows = json_array_get(shape, 0), *width = json_array_get(shape, 1);
    if (expect(q, shape, JSON_ARRAY, TENSOR, ".shape"))
        return -1;
    if (json_array_size(shape) != 2 || !json_is_integer(rows) || !json_is_integer(width))
        return refuse(q, 422, "must be [n, %zu] in whole numbers", q->n_inputs);
    const json_int_t n = json_integer_value(rows), k = json_integer_value(width);
    if (k != (json_int_t)q->n_inputs || n < 1 || n > MAX_INFERENCE_ROWS)
        return refuse(q, n > MAX_INFERENCE_ROWS ? 413 : 422,
                      "is [%lld, %lld]; send 1 to %d rows of the model's %zu inputs", (long long)n,
                      (long long)k, MAX_INFERENCE_ROWS, q->n_inputs);
    q->rows = (size_t)n;
    return 0;
}

static int read_values(struct inference *q, const json_t *array, size_t n, float *x)
{
    if (json_array_size(array) != n)
        return refuse(q, 422, "has %zu elements; by the shape [%zu, %zu] it has %zu",
                      json_array_size(array), q->rows, q->n_inputs, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(array, i);
        x[i] = (float)json_number_value(v);
        if (json_is_number(v) && isfinite(x[i]))
            continue;
        const size_t end = strlen(q->where);
        snprintf(q->where + end, sizeof q->where - end, "[%zu]", i);
        return json_is_number(v)
                   ? refuse(q, 422, "is %.17g, more than a float32 can hold", json_number_value(v))
                   : refuse(q, 422, "must be a number, not %s", json_type_words(json_typeof(v)));
    }
    return 0;
}

static int read_data(struct inference *q, const json_t *data)
{
    const bool nested = json_is_array(json_array_get(data, 0));
    if (expect(q, data, JSON_ARRAY, TENSOR, ".data"))
        return -1;
    q->x = xcalloc(q->rows * q->n_inputs, sizeof *q->x);
    if (!nested)
        return read_values(q, data, q->rows * q->n_inputs, q->x);
    if (json_array_size(data) != q->rows)
        return refuse(q, 422, "has %zu rows; by the shape it has %zu", json_array_size(data),
                      q->rows);
    for (size_t row = 0; row < q->rows; row++) {
        const json_t *values = json_array_get(data, row);
        char base[48];
        snprintf(base, sizeof base, TENSOR ".data[%zu]", row);
        if (expect(q, values, JSON_ARRAY, base, "") ||
            read_values(q, values, q->n_inputs, q->x + row * q->n_inputs))
            return -1;
    }
    return 0;
}

static int read_inputs(struct inference *q, const json_t *inputs)
{
    const json_t *tensor = json_array_get(inputs, 0);
    const json_t *name = member(tensor, "name"), *datatype = member(tensor, "datatype");
    if (expect(q, inputs, JSON_ARRAY, "inputs", ""))
        return -1;
    if (json_array_size(inputs) != 1)
        return refuse(q, 422, "has %zu tensors; the model takes one, '%s'", json_array_size(inputs),
                      input_name);
    if (expect(q, tensor, JSON_OBJECT, TENSOR, "") || expect(q, name, JSON_STRING, TENSOR, ".name"))
        return -1;
    if (strcmp(json_string_value(name), input_name) != 0)
        return refuse(q, 400, "is '%.64s', but the model's only input is '%s'",
                      json_string_value(name), input_name);
    if (check_parameters(q, tensor, TENSOR) ||
        expect(q, datatype, JSON_STRING, TENSOR, ".datatype"))
        return -1;
    const char *type = json_string_value(datatype);
    if (strcmp(type, "FP32") != 0 && strcmp(type, "FP64") != 0)
        return refuse(q, 422, "is '%.20s'; FP32 and FP64 are taken", type);
    return read_shape(q, member(tensor, "shape")) || read_data(q, member(tensor, "data")) ? -1 : 0;
}

static int add_output(struct inference *q, const char *name)
{
    size_t o = 0;
    while (o < N_OUTPUTS && strcmp(outputs[o].name, name) != 0)
        o++;
    if (o == N_OUTPUTS)
        return refuse(q, 400, "is '%.64s'; the model has probability, margin and review", name);
    for (size_t i = 0; i < q->n_wanted; i++)
        if (q->wanted[i] == o)
            return refuse(q, 400, "asks for '%s' twice", name);
    q->wanted[q->n_wanted++] = o;
    return 0;
}

static int read_outputs(struct inference *q, const json_t *list)
{
    if (list && expect(q, list, JSON_ARRAY, "outputs", ""))
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *output = json_array_get(list, i), *name = member(output, "name");
        char base[48];
        snprintf(base, sizeof base, "outputs[%zu]", i);
        if (expect(q, output, JSON_OBJECT, base, "") || check_parameters(q, output, base) ||
            expect(q, name, JSON_STRING, base, ".name") || add_output(q, json_string_value(name)))
            return -1;
    }
    for (size_t o = 0; o < N_OUTPUTS && json_array_size(list) == 0; o++)
        q->wanted[q->n_wanted++] = o;
    return 0;
}

static int read_request(struct inference *q, const json_t *document)
{
    if (!json_is_object(document))
        return reply_problem(q->reply, 400, NULL, -1,
                             "the body must be an inference request, {\"inputs\": [...]}");
    q->id = member(document, "id");
    return (q->id && expect(q, q->id, JSON_STRING, "id", "")) ||
                   check_parameters(q, document, "") ||
                   read_outputs(q, member(document, "outputs")) ||
                   read_inputs(q, member(document, "inputs"))
               ? -1
               : 0;
}

// ---- writing ------------------------------------------------------------------------------------

static void write_output(const struct inference *q, const struct model *m, size_t o)
{
    struct reply *r = q->reply;
    reply_add(r, "{\"name\":\"%s\",\"shape\":[%zu],\"datatype\":\"%s\",\"data\":[", outputs[o].name,
              q->rows, outputs[o].datatype);
    for (size_t row = 0; row < q->rows; row++) {
        const double margin = model_margin(m, q->x + row * q->n_inputs);
        const double probability = model_probability(margin);
        reply_text(r, row > 0 ? "," : "");
        if (o == REVIEW)
            reply_text(r, probability >= m->threshold ? "true" : "false");
        else
            reply_number(r, o == MARGIN ? margin : probability, 17);
    }
    reply_text(r, "]}");
}

static void write_answer(const struct inference *q, const char *name, const struct champion *c)
{
    struct reply *r = q->reply;
    reply_text(r, "{\"model_name\":");
    reply_string(r, name, strlen(name));
    reply_add(r, ",\"model_version\":\"%s\"", c->version);
    if (q->id) {
        reply_text(r, ",\"id\":");
        reply_string(r, json_string_value(q->id), json_string_length(q->id));
    }
    for (size_t i = 0; i < q->n_wanted; i++) {
        reply_text(r, i == 0 ? ",\"outputs\":[" : ",");
        write_output(q, &c->model, q->wanted[i]);
    }
    reply_text(r, "]}");
}

// The champion, held until service_let, which is due in any case. NULL, with a 404 in the reply,
// where the client names another model or version.
static const struct champion *hold(struct service *s, const char *model, const char *version,
                                   struct reply *r)
{
    const struct champion *c = service_hold(s);
    if (strcmp(model, s->name) != 0)
        reply_problem(r, 404, NULL, -1, "there is no model '%.64s' here, but '%.64s'", model,
                      s->name);
    else if (*version && strcmp(version, c->version) != 0)
        reply_problem(r, 404, NULL, -1,
                      "version '%.24s' of '%.64s' is not being served, but version %s", version,
                      s->name, c->version);
    else
        return c;
    return NULL;
}

void inference_ready(struct service *s, const char *model, const char *version, struct reply *r)
{
    if (hold(s, model, version, r) && service_ready(s, r) == 0) {
        reply_text(r, "{\"name\":");
        reply_string(r, s->name, strlen(s->name));
        reply_text(r, ",\"ready\":true}");
    }
    service_let(s);
}

void inference_model(struct service *s, const char *model, const char *version, struct reply *r)
{
    const struct champion *c = hold(s, model, version, r);
    if (c) {
        reply_text(r, "{\"name\":");
        reply_string(r, s->name, strlen(s->name));
        reply_add(r,
                  ",\"versions\":[\"%s\"],\"platform\":\"assay_json\",\"inputs\":[{\"name\":\"%s\","
                  "\"datatype\":\"FP32\",\"shape\":[-1,%zu],\"parameters\":{\"feature_names\":",
                  c->version, input_name, c->model.n_inputs);
        for (size_t i = 0; i < c->model.n_inputs; i++) {
            reply_text(r, i == 0 ? "[" : ",");
            reply_string(r, c->model.inputs[i].name, strlen(c->model.inputs[i].name));
        }
        reply_text(r, "]}}],\"outputs\":[");
        for (size_t o = 0; o < N_OUTPUTS; o++)
            reply_add(r, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[-1]}", o ? "," : "",
                      outputs[o].name, outputs[o].datatype);
        reply_text(r, "]}");
    }
    service_let(s);
}

// The model is held while it scores, so one answer is from one model. Reading needs only its number
// of inputs, which no reload changes.
void inference(struct service *s, const char *model, const char *version, const char *body,
               size_t n, struct reply *r)
{
    struct inference q = {.reply = r, .n_inputs = s->plan->n_inputs};
    reply_reset(r);
    json_t *document = json_from_body(body, n, r);
    const bool good = document && read_request(&q, document) == 0;
    // The 404 for another model replaces the problem of its request.
    const struct champion *c = hold(s, model, version, r);
    if (c && good)
        write_answer(&q, s->name, c);
    service_let(s);
    json_decref(document);
    free(q.x);
}
