// The Open Inference Protocol (version 2) over the champion; GET /openapi.json describes it.
//
// It scores features that somebody else has computed, in the order of the model's inputs, and counts
// no transaction. The same features give the same bits here and in /predict: a value is rounded to
// float32 once. Unknown members and all parameters are ignored.
#include "base/memory.h"
#include "serve/http.h"

#include <math.h>

static const char input_name[] = "features";

enum { PROBABILITY, MARGIN, REVIEW, N_OUTPUTS };
static const struct output_kind {
    const char *name, *datatype;
} outputs[N_OUTPUTS] = {
    [PROBABILITY] = {"probability", "FP64"},
    [MARGIN] = {"margin", "FP64"},
    [REVIEW] = {"review", "BOOL"},
};

struct inference {
    struct reply *reply;
    const json_t *id;
    size_t rows, n_inputs;
    float *x; // [rows][n_inputs]
    size_t wanted[N_OUTPUTS], n_wanted;
};

#define REFUSE(q, status, field, ...) reply_problem((q)->reply, status, field, -1, __VA_ARGS__)

// Flat, row after row, or an array for each row.
static int read_data(struct inference *q, const json_t *data)
{
    static const char field[] = "inputs[0].data";
    const size_t width = q->n_inputs, n = q->rows * width;
    const bool nested = json_is_array(json_array_get(data, 0));
    bool fits = json_array_size(data) == (nested ? q->rows : n);
    for (size_t row = 0; nested && row < q->rows; row++)
        fits = fits && json_array_size(json_array_get(data, row)) == width;
    if (!fits)
        return REFUSE(q, 422, field,
                      "'%s' must be an array of %zu numbers, or of %zu arrays of %zu, as the shape "
                      "says",
                      field, n, q->rows, width);
    q->x = xcalloc(n, sizeof *q->x);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = nested ? json_array_get(json_array_get(data, i / width), i % width)
                                 : json_array_get(data, i);
        q->x[i] = (float)json_number_value(v);
        if (!json_is_number(v) || !isfinite(q->x[i]))
            return REFUSE(q, 422, field,
                          "'%s': value %zu of row %zu, counted from 0, must be a number that a "
                          "float32 can hold",
                          field, i % width, i / width);
    }
    return 0;
}

static int read_outputs(struct inference *q, const json_t *list)
{
    const size_t asked = json_array_size(list);
    q->n_wanted = asked > 0 ? asked : N_OUTPUTS;
    for (size_t i = 0; i < q->n_wanted; i++) {
        const json_t *name = json_object_get(json_array_get(list, i), "name");
        // cppcheck-suppress arrayIndexOutOfBoundsCond
        const char *text = asked > 0 ? json_string_value(name) : outputs[i].name;
        size_t o = 0;
        while (o < N_OUTPUTS && (!text || strcmp(text, outputs[o].name) != 0))
            o++;
        if (i == N_OUTPUTS || o == N_OUTPUTS)
            return REFUSE(q, 400, "outputs",
                          "'outputs[%zu]' must be {\"name\": ...} of probability, margin or review",
                          i);
        q->wanted[i] = o;
    }
    return 0;
}

static int read_request(struct inference *q, json_t *document)
{
    const char *name, *type;
    json_t *list = NULL, *id = NULL, *data;
    json_int_t n, width;
    json_error_t e;
    if (json_unpack_ex(document, &e, 0, "{s?o, s?o, s:[{s:s, s:s, s:[I, I!], s:o}!]}", "id", &id,
                       "outputs", &list, "inputs", "name", &name, "datatype", &type, "shape", &n,
                       &width, "data", &data))
        return REFUSE(q, 422, NULL,
                      "%s; an inference request is {\"inputs\": [{\"name\": \"%s\", "
                      "\"datatype\": \"FP64\", \"shape\": [n, %zu], \"data\": [...]}]}",
                      e.text, input_name, q->n_inputs);
    if (strcmp(name, input_name) != 0)
        return REFUSE(q, 400, "inputs[0].name", "the model's only input is '%s', not '%.64s'",
                      input_name, name);
    if (strcmp(type, "FP32") != 0 && strcmp(type, "FP64") != 0)
        return REFUSE(q, 422, "inputs[0].datatype", "'%.20s' is not taken, but FP32 and FP64",
                      type);
    if (width != (json_int_t)q->n_inputs || n < 1 || n > MAX_ROWS)
        return REFUSE(q, width == (json_int_t)q->n_inputs && n > MAX_ROWS ? 413 : 422,
                      "inputs[0].shape",
                      "the shape is [%lld, %lld]; send 1 to %d rows of the model's %zu inputs",
                      (long long)n, (long long)width, MAX_ROWS, q->n_inputs);
    if (id && !json_is_string(id) && !json_is_null(id))
        return REFUSE(q, 422, "id", "'id' must be a string");
    if (list && !json_is_array(list) && !json_is_null(list))
        return REFUSE(q, 422, "outputs", "'outputs' must be an array");
    q->id = json_is_string(id) ? id : NULL;
    q->rows = (size_t)n;
    return read_outputs(q, list) || read_data(q, data) ? -1 : 0;
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
// where the path names another model or version.
static const struct champion *hold(const struct request *q)
{
    const struct champion *c = service_hold(q->service);
    const char *name = q->service->name;
    char model[SEGMENT] = "", version[SEGMENT] = "";
    sscanf(q->path, "/v2/models/%255[^/]/versions/%255[^/]", model, version);
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
    if (hold(q) && service_ready(q->service, q->reply) == 0)
        reply_json(q->reply, json_pack("{s:s, s:b}", "name", q->service->name, "ready", true));
    service_let(q->service);
}

void inference_model(struct request *q)
{
    const struct champion *c = hold(q);
    json_t *names = json_array(), *all = json_array();
    for (size_t i = 0; c && i < c->model.n_inputs; i++)
        json_array_append_new(names, json_string(c->model.inputs[i].name));
    for (size_t o = 0; o < N_OUTPUTS; o++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:[i]}", "name", outputs[o].name,
                                             "datatype", outputs[o].datatype, "shape", -1));
    if (c)
        reply_json(q->reply, json_pack("{s:s, s:[s], s:s, s:[{s:s, s:s, s:[i, i], s:{s:O}}], s:O}",
                                       "name", q->service->name, "versions", c->version, "platform",
                                       "assay_json", "inputs", "name", input_name, "datatype",
                                       "FP32", "shape", -1, (int)c->model.n_inputs, "parameters",
                                       "feature_names", names, "outputs", all));
    service_let(q->service);
    json_decref(names);
    json_decref(all);
}

// The model is held while it scores, so one answer is from one model.
void inference(struct request *request, const char *body, size_t n)
{
    struct service *s = request->service;
    struct inference q = {.reply = request->reply, .n_inputs = s->plan->n_inputs};
    const struct champion *c = hold(request);
    json_t *document = c ? json_from_body(body, n, q.n_inputs, q.reply) : NULL;
    if (document && read_request(&q, document) == 0)
        write_answer(&q, s->name, c);
    service_let(s);
    json_decref(document);
    free(q.x);
}
