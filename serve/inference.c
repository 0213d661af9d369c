// The Open Inference Protocol (version 2) over the champion; GET /openapi.json describes it.
//
// It scores features that somebody else has computed, in the order of the model's inputs, and counts
// no transaction. The same features give the same bits here and in /predict: a value is rounded to
// float32 once. Unknown members and all parameters are ignored. Problems name the place in the request,
// as `field`.
#include "base/memory.h"
#include "serve/http.h"

#include <math.h>
#include <stdarg.h>

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

// A request while it is read. After the first problem the functions that read do nothing more.
struct inference {
    struct reply *reply;
    bool failed;
    char where[64]; // the place that is being read, like inputs[0].shape
    const json_t *id;
    size_t rows, n_inputs;
    float *x; // [rows][n_inputs]
    size_t wanted[N_OUTPUTS], n_wanted;
};

__attribute__((format(printf, 4, 5))) static void require(struct inference *q, bool ok, int status,
                                                          const char *fmt, ...)
{
    char why[256];
    va_list args;
    if (ok || q->failed)
        return;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    reply_problem(q->reply, status, q->where, -1, "'%s' %s", q->where, why);
    q->failed = true;
}

// Go to a place, base "outputs[1]" and name ".name", where v must have the type.
static void expect(struct inference *q, const json_t *v, json_type type, const char *base,
                   const char *name)
{
    if (q->failed)
        return;
    snprintf(q->where, sizeof q->where, "%s%s", base, name);
    require(q, v, 422, "is missing");
    require(q, v && json_typeof(v) == type, 422, "must be %s, not %s", json_type_words(type),
            v ? json_type_words(json_typeof(v)) : "");
}

static const json_t *member(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_null(v) ? NULL : v;
}

static const char *text_of(const json_t *v)
{
    return json_is_string(v) ? json_string_value(v) : "";
}

static void read_shape(struct inference *q, const json_t *shape)
{
    const json_t *rows = json_array_get(shape, 0), *width = json_array_get(shape, 1);
    const json_int_t n = json_integer_value(rows), k = json_integer_value(width);
    expect(q, shape, JSON_ARRAY, TENSOR, ".shape");
    require(q, json_array_size(shape) == 2 && json_is_integer(rows) && json_is_integer(width), 422,
            "must be [n, %zu] in whole numbers", q->n_inputs);
    require(q, k == (json_int_t)q->n_inputs && n >= 1 && n <= MAX_ROWS,
            n > MAX_ROWS && k == (json_int_t)q->n_inputs ? 413 : 422,
            "is [%lld, %lld]; send 1 to %d rows of the model's %zu inputs", (long long)n,
            (long long)k, MAX_ROWS, q->n_inputs);
    q->rows = q->failed ? 0 : (size_t)n;
}

static void read_values(struct inference *q, const json_t *array, size_t n, float *x)
{
    require(q, json_array_size(array) == n, 422,
            "has %zu elements; by the shape [%zu, %zu] it has %zu", json_array_size(array), q->rows,
            q->n_inputs, n);
    for (size_t i = 0; i < n && !q->failed; i++) {
        const json_t *v = json_array_get(array, i);
        x[i] = (float)json_number_value(v);
        if (json_is_number(v) && isfinite(x[i]))
            continue;
        const size_t end = strlen(q->where);
        snprintf(q->where + end, sizeof q->where - end, "[%zu]", i);
        require(q, json_is_number(v), 422, "must be a number, not %s",
                json_type_words(json_typeof(v)));
        require(q, false, 422, "is %.17g, more than a float32 can hold", json_number_value(v));
    }
}

static void read_data(struct inference *q, const json_t *data)
{
    const bool nested = json_is_array(json_array_get(data, 0));
    expect(q, data, JSON_ARRAY, TENSOR, ".data");
    q->x = xcalloc(q->rows * q->n_inputs, sizeof *q->x);
    if (!nested) {
        read_values(q, data, q->rows * q->n_inputs, q->x);
        return;
    }
    require(q, json_array_size(data) == q->rows, 422, "has %zu rows; by the shape it has %zu",
            json_array_size(data), q->rows);
    for (size_t row = 0; row < q->rows && !q->failed; row++) {
        const json_t *values = json_array_get(data, row);
        char base[48];
        snprintf(base, sizeof base, TENSOR ".data[%zu]", row);
        expect(q, values, JSON_ARRAY, base, "");
        read_values(q, values, q->n_inputs, q->x + row * q->n_inputs);
    }
}

static void read_inputs(struct inference *q, const json_t *inputs)
{
    const json_t *tensor = json_array_get(inputs, 0);
    const json_t *name = member(tensor, "name"), *datatype = member(tensor, "datatype");
    expect(q, inputs, JSON_ARRAY, "inputs", "");
    require(q, json_array_size(inputs) == 1, 422, "has %zu tensors; the model takes one, '%s'",
            json_array_size(inputs), input_name);
    expect(q, tensor, JSON_OBJECT, TENSOR, "");
    expect(q, name, JSON_STRING, TENSOR, ".name");
    require(q, strcmp(text_of(name), input_name) == 0, 400,
            "is '%.64s', but the model's only input is '%s'", text_of(name), input_name);
    expect(q, datatype, JSON_STRING, TENSOR, ".datatype");
    require(q, strcmp(text_of(datatype), "FP32") == 0 || strcmp(text_of(datatype), "FP64") == 0,
            422, "is '%.20s'; FP32 and FP64 are taken", text_of(datatype));
    read_shape(q, member(tensor, "shape"));
    read_data(q, member(tensor, "data"));
}

static void read_output(struct inference *q, const json_t *output, size_t index)
{
    const json_t *name = member(output, "name");
    char base[32];
    size_t o = 0;
    snprintf(base, sizeof base, "outputs[%zu]", index);
    expect(q, output, JSON_OBJECT, base, "");
    expect(q, name, JSON_STRING, base, ".name");
    while (o < N_OUTPUTS && strcmp(text_of(name), outputs[o].name) != 0)
        o++;
    require(q, o < N_OUTPUTS, 400, "is '%.64s'; the model has probability, margin and review",
            text_of(name));
    for (size_t i = 0; i < q->n_wanted; i++)
        require(q, q->wanted[i] != o, 400, "asks for this output twice");
    if (!q->failed)
        q->wanted[q->n_wanted++] = o;
}

static void read_request(struct inference *q, const json_t *document)
{
    const json_t *list = member(document, "outputs");
    q->id = member(document, "id");
    if (q->id)
        expect(q, q->id, JSON_STRING, "id", "");
    if (list)
        expect(q, list, JSON_ARRAY, "outputs", "");
    for (size_t i = 0; i < json_array_size(list); i++)
        read_output(q, json_array_get(list, i), i);
    for (size_t o = 0; o < N_OUTPUTS && json_array_size(list) == 0; o++)
        q->wanted[q->n_wanted++] = o;
    read_inputs(q, member(document, "inputs"));
}

static void write_output(const struct inference *q, const struct model *m, size_t o)
{
    struct reply *r = q->reply;
    reply_add(r, "{\"name\":\"%s\",\"shape\":[%zu],\"datatype\":\"%s\",\"data\":[", outputs[o].name,
              q->rows, outputs[o].datatype);
    for (size_t row = 0; row < q->rows; row++) {
        const float *x = q->x + row * q->n_inputs;
        const double margin = model_margin(m, x);
        const double probability = model_probability(margin);
        reply_text(r, row > 0 ? "," : "");
        if (o == REVIEW)
            reply_text(r, model_reviews(m, x, probability) ? "true" : "false");
        else
            reply_add(r, "%.17g", o == MARGIN ? margin : probability);
    }
    reply_text(r, "]}");
}

static void write_answer(const struct inference *q, const char *name, const struct champion *c)
{
    struct reply *r = q->reply;
    reply_text(r, "{");
    reply_member(r, "model_name", name);
    reply_member(r, "model_version", c->version);
    if (q->id) {
        reply_name(r, "id");
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
static const struct champion *hold(const struct request *q)
{
    const struct champion *c = service_hold(q->service);
    const char *model = q->segments[0], *version = q->segments[1], *name = q->service->name;
    if (strcmp(model, name) != 0)
        PROBLEM(q, 404, "there is no model '%.64s' here, but '%.64s'", model, name);
    else if (*version && strcmp(version, c->version) != 0)
        PROBLEM(q, 404, "version '%.24s' of '%.64s' is not being served, but version %s", version,
                name, c->version);
    else
        return c;
    return NULL;
}

void inference_ready(struct request *q)
{
    if (hold(q) && service_ready(q->service, q->reply) == 0) {
        reply_text(q->reply, "{");
        reply_member(q->reply, "name", q->service->name);
        reply_text(q->reply, ",\"ready\":true}");
    }
    service_let(q->service);
}

void inference_model(struct request *q)
{
    struct reply *r = q->reply;
    const struct champion *c = hold(q);
    if (c) {
        reply_text(r, "{");
        reply_member(r, "name", q->service->name);
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
    service_let(q->service);
}

// The model is held while it scores, so one answer is from one model. Reading needs only its number
// of inputs, which no reload changes.
void inference(struct request *request, const char *body, size_t n)
{
    struct service *s = request->service;
    struct inference q = {.reply = request->reply, .n_inputs = s->plan->n_inputs};
    json_t *document = json_from_body(body, n, q.n_inputs, q.reply);
    if (json_is_object(document))
        read_request(&q, document);
    else if (document)
        PROBLEM(request, 400, "the body must be an inference request, {\"inputs\": [...]}");
    // The 404 for another model replaces the problem of its request.
    const struct champion *c = hold(request);
    if (c && json_is_object(document) && !q.failed)
        write_answer(&q, s->name, c);
    service_let(s);
    json_decref(document);
    free(q.x);
}
