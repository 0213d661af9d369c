// Read, score, write. The model is held from the scores on, so that one answer is one model's; reading
// needs its number of inputs only, which no reload changes.
#include "serve/inference.h"

#include "serve/reply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char input_name[] = "features";

enum output { PROBABILITY, MARGIN, REVIEW, N_OUTPUTS };
static const struct {
    const char *name, *datatype;
} outputs[N_OUTPUTS] = {
    [PROBABILITY] = {"probability", "FP64"},
    [MARGIN] = {"margin", "FP64"},
    [REVIEW] = {"review", "BOOL"},
};

// One request.
struct inference {
    struct reply *reply;
    json_t *document;
    size_t rows, n_inputs;
    float *x;        // [rows][n_inputs]
    double *margins; // [rows]
    enum output wanted[N_OUTPUTS];
    size_t n_wanted;
};

// where: in the request, like inputs[0].shape
#define REFUSE(q, status, where, ...) reply_problem((q)->reply, status, where, -1, __VA_ARGS__)

// ---- what is asked for ----

// Call it between service_hold and service_let.
static int check_target(const struct service *s, const char *model, const char *version,
                        struct reply *r)
{
    if (strcmp(model, s->name) != 0)
        return reply_problem(r, 404, NULL, -1, "there is no model '%.64s' here, but '%.64s'", model,
                             s->name);
    if (*version && strcmp(version, s->champion->version) != 0)
        return reply_problem(r, 404, NULL, -1,
                             "version '%.24s' of '%.64s' is not being served, but version %s",
                             version, s->name, s->champion->version);
    return 0;
}

void inference_ready(struct service *s, const char *model, const char *version, struct reply *r)
{
    service_hold(s);
    if (check_target(s, model, version, r) == 0 && service_ready(s, r) == 0) {
        reply_add(r, "{\"name\":");
        reply_string(r, s->name, strlen(s->name));
        reply_add(r, ",\"ready\":true}");
    }
    service_let(s);
}

static void write_metadata(const struct service *s, struct reply *r)
{
    const struct model *m = &s->champion->model;
    reply_add(r, "{\"name\":");
    reply_string(r, s->name, strlen(s->name));
    reply_add(r,
              ",\"versions\":[\"%s\"],\"platform\":\"assay_json\",\"inputs\":[{\"name\":\"%s\","
              "\"datatype\":\"FP32\",\"shape\":[-1,%zu],\"parameters\":{\"feature_names\":[",
              s->champion->version, input_name, m->n_inputs);
    for (size_t i = 0; i < m->n_inputs; i++) {
        reply_bytes(r, ",", i > 0);
        reply_string(r, m->inputs[i].name, strlen(m->inputs[i].name));
    }
    reply_add(r, "]}}],\"outputs\":[");
    for (size_t o = 0; o < N_OUTPUTS; o++)
        reply_add(r, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[-1]}", o ? "," : "",
                  outputs[o].name, outputs[o].datatype);
    reply_add(r, "]}");
}

void inference_model(struct service *s, const char *model, const char *version, struct reply *r)
{
    service_hold(s);
    if (check_target(s, model, version, r) == 0)
        write_metadata(s, r);
    service_let(s);
}

// ---- the request's members ----

static const json_t *member(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_null(v) ? NULL : v;
}

static int check_type(const struct inference *q, const json_t *v, json_type type, const char *where)
{
    static const char *const wanted[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string"};
    if (!v)
        return REFUSE(q, 422, where, "'%s' is missing", where);
    if (json_typeof(v) != type)
        return REFUSE(q, 422, where, "'%s' must be %s, not %s", where, wanted[type],
                      json_type_words(v));
    return 0;
}

// prefix: where the object stands, "" or like "inputs[0]."
static int check_parameters(const struct inference *q, const json_t *object, const char *prefix)
{
    static const char *const binary[] = {"binary_data_size", "binary_data", "binary_data_output"};
    const json_t *parameters = member(object, "parameters");
    char where[64];
    snprintf(where, sizeof where, "%sparameters", prefix);
    if (!parameters)
        return 0;
    if (check_type(q, parameters, JSON_OBJECT, where))
        return -1;
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++) {
        const json_t *v = member(parameters, binary[i]);
        if (v && !json_is_false(v))
            return REFUSE(q, 400, where,
                          "'%s' has %s: tensors in binary are neither read nor written here; use "
                          "JSON for inputs and outputs",
                          where, binary[i]);
    }
    return 0;
}

// ---- inputs ----

static int read_shape(struct inference *q, const json_t *shape)
{
    static const char where[] = "inputs[0].shape";
    if (check_type(q, shape, JSON_ARRAY, where))
        return -1;
    const json_t *rows = json_array_get(shape, 0), *width = json_array_get(shape, 1);
    if (json_array_size(shape) != 2 || !json_is_integer(rows) || !json_is_integer(width))
        return REFUSE(q, 422, where, "'%s' must be [n, %zu] in whole numbers", where, q->n_inputs);
    const json_int_t n = json_integer_value(rows), k = json_integer_value(width);
    if (k < 0 || (size_t)k != q->n_inputs)
        return REFUSE(q, 422, where, "'%s' is [%lld, %lld], but the model has %zu inputs", where,
                      (long long)n, (long long)k, q->n_inputs);
    if (n < 1)
        return REFUSE(q, 422, where, "'%s' is [%lld, %lld]: at least one row is needed", where,
                      (long long)n, (long long)k);
    if (n > MAX_INFERENCE_ROWS)
        return REFUSE(q, 413, where, "'%s' is [%lld, %lld]: send %d rows at most", where,
                      (long long)n, (long long)k, MAX_INFERENCE_ROWS);
    q->rows = (size_t)n;
    return 0;
}

static int check_size(const struct inference *q, const json_t *array, size_t n, const char *where)
{
    if (json_array_size(array) == n)
        return 0;
    return REFUSE(q, 422, where, "'%s' has %zu elements; by the shape [%zu, %zu] it has %zu", where,
                  json_array_size(array), q->rows, q->n_inputs, n);
}

// where[index], for messages about the element.
static int refuse_value(const struct inference *q, const json_t *v, const char *where, size_t index)
{
    char place[64];
    snprintf(place, sizeof place, "%s[%zu]", where, index);
    if (json_is_number(v))
        return REFUSE(q, 422, place, "'%s' is %.17g, more than a float32 can hold", place,
                      json_number_value(v));
    return REFUSE(q, 422, place, "'%s' must be a number, not %s", place, json_type_words(v));
}

static int read_values(const struct inference *q, const json_t *array, float *x, const char *where)
{
    size_t i;
    const json_t *v;
    json_array_foreach(array, i, v)
    {
        x[i] = (float)json_number_value(v);
        if (!json_is_number(v) || !isfinite(x[i]))
            return refuse_value(q, v, where, i);
    }
    return 0;
}

static int read_rows(const struct inference *q, const json_t *data)
{
    char where[64];
    for (size_t row = 0; row < q->rows; row++) {
        const json_t *values = json_array_get(data, row);
        snprintf(where, sizeof where, "inputs[0].data[%zu]", row);
        if (check_type(q, values, JSON_ARRAY, where) || check_size(q, values, q->n_inputs, where) ||
            read_values(q, values, q->x + row * q->n_inputs, where))
            return -1;
    }
    return 0;
}

static int read_data(struct inference *q, const json_t *data)
{
    static const char where[] = "inputs[0].data";
    if (check_type(q, data, JSON_ARRAY, where))
        return -1;
    const bool nested = json_is_array(json_array_get(data, 0));
    if (check_size(q, data, nested ? q->rows : q->rows * q->n_inputs, where))
        return -1;
    q->x = calloc(q->rows * q->n_inputs + 1, sizeof *q->x);
    q->margins = calloc(q->rows + 1, sizeof *q->margins);
    if (!q->x || !q->margins)
        return REFUSE(q, 503, NULL, "out of memory for %zu rows", q->rows);
    return nested ? read_rows(q, data) : read_values(q, data, q->x, where);
}

static int check_datatype(const struct inference *q, const json_t *datatype)
{
    static const char where[] = "inputs[0].datatype";
    if (check_type(q, datatype, JSON_STRING, where))
        return -1;
    const char *text = json_string_value(datatype);
    if (strcmp(text, "FP32") == 0 || strcmp(text, "FP64") == 0)
        return 0;
    return REFUSE(q, 422, where, "'%s' is '%.20s'; FP32 and FP64 are taken", where, text);
}

static int read_inputs(struct inference *q, const json_t *inputs)
{
    if (check_type(q, inputs, JSON_ARRAY, "inputs"))
        return -1;
    if (json_array_size(inputs) != 1)
        return REFUSE(q, 422, "inputs", "'inputs' has %zu tensors; the model takes one, '%s'",
                      json_array_size(inputs), input_name);
    const json_t *tensor = json_array_get(inputs, 0);
    if (check_type(q, tensor, JSON_OBJECT, "inputs[0]") ||
        check_type(q, member(tensor, "name"), JSON_STRING, "inputs[0].name"))
        return -1;
    const char *name = json_string_value(member(tensor, "name"));
    if (strcmp(name, input_name) != 0)
        return REFUSE(q, 400, "inputs[0].name", "the model has no input '%.64s', but '%s'", name,
                      input_name);
    if (check_parameters(q, tensor, "inputs[0].") ||
        check_datatype(q, member(tensor, "datatype")) || read_shape(q, member(tensor, "shape")))
        return -1;
    return read_data(q, member(tensor, "data"));
}

// ---- outputs ----

static int add_output(struct inference *q, const char *name, const char *where)
{
    for (size_t i = 0; i < q->n_wanted; i++)
        if (strcmp(outputs[q->wanted[i]].name, name) == 0)
            return REFUSE(q, 400, where, "the output '%s' is asked for twice", name);
    for (enum output o = 0; o < N_OUTPUTS; o++) {
        if (strcmp(outputs[o].name, name) != 0)
            continue;
        q->wanted[q->n_wanted++] = o;
        return 0;
    }
    return REFUSE(q, 400, where,
                  "the model has no output '%.64s', but probability, margin and review", name);
}

static int read_output(struct inference *q, const json_t *output, size_t i)
{
    char where[64], prefix[64], name_at[64];
    snprintf(where, sizeof where, "outputs[%zu]", i);
    snprintf(prefix, sizeof prefix, "outputs[%zu].", i);
    snprintf(name_at, sizeof name_at, "outputs[%zu].name", i);
    if (check_type(q, output, JSON_OBJECT, where) || check_parameters(q, output, prefix) ||
        check_type(q, member(output, "name"), JSON_STRING, name_at))
        return -1;
    return add_output(q, json_string_value(member(output, "name")), name_at);
}

static int read_outputs(struct inference *q, const json_t *list)
{
    if (list && check_type(q, list, JSON_ARRAY, "outputs"))
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_output(q, json_array_get(list, i), i))
            return -1;
    for (enum output o = 0; o < N_OUTPUTS && json_array_size(list) == 0; o++)
        q->wanted[q->n_wanted++] = o;
    return 0;
}

static int read_request(struct inference *q, const char *body, size_t n)
{
    q->document = json_from_body(body, n, q->reply);
    if (!q->document)
        return -1;
    if (!json_is_object(q->document))
        return REFUSE(q, 400, NULL, "the body must be an inference request, {\"inputs\": [...]}");
    const json_t *id = member(q->document, "id");
    if ((id && check_type(q, id, JSON_STRING, "id")) || check_parameters(q, q->document, "") ||
        read_outputs(q, member(q->document, "outputs")))
        return -1;
    return read_inputs(q, member(q->document, "inputs"));
}

// ---- the answer ----

static void write_value(const struct model *m, enum output o, double margin, struct reply *r)
{
    const double probability = model_probability(margin);
    if (o == REVIEW)
        reply_add(r, probability >= m->threshold ? "true" : "false");
    else
        reply_number(r, o == MARGIN ? margin : probability);
}

static void write_output(const struct inference *q, const struct model *m, enum output o)
{
    struct reply *r = q->reply;
    reply_add(r, "{\"name\":\"%s\",\"shape\":[%zu],\"datatype\":\"%s\",\"data\":[", outputs[o].name,
              q->rows, outputs[o].datatype);
    for (size_t row = 0; row < q->rows; row++) {
        reply_bytes(r, ",", row > 0);
        write_value(m, o, q->margins[row], r);
    }
    reply_add(r, "]}");
}

static void write_answer(const struct inference *q, const struct service *s)
{
    struct reply *r = q->reply;
    const json_t *id = member(q->document, "id");
    reply_add(r, "{\"model_name\":");
    reply_string(r, s->name, strlen(s->name));
    reply_add(r, ",\"model_version\":\"%s\"", s->champion->version);
    if (id) {
        reply_add(r, ",\"id\":");
        reply_string(r, json_string_value(id), json_string_length(id));
    }
    reply_add(r, ",\"outputs\":[");
    for (size_t i = 0; i < q->n_wanted; i++) {
        reply_bytes(r, ",", i > 0);
        write_output(q, &s->champion->model, q->wanted[i]);
    }
    reply_add(r, "]}");
}

static void score(const struct inference *q, const struct model *m)
{
    for (size_t row = 0; row < q->rows; row++)
        q->margins[row] = model_margin(m, q->x + row * q->n_inputs);
}

void inference(struct service *s, const char *model, const char *version, const char *body,
               size_t n, struct reply *r)
{
    struct inference q = {.reply = r, .n_inputs = s->plan->n_inputs};
    reply_reset(r);
    const int rc = read_request(&q, body, n);
    service_hold(s);
    // Another model's name says more than what its request lacks.
    if (check_target(s, model, version, r) == 0 && rc == 0) {
        score(&q, &s->champion->model);
        write_answer(&q, s);
    }
    service_let(s);
    json_decref(q.document);
    free(q.x);
    free(q.margins);
}
