// Fills the template with the columns of the running model, and with examples that it takes.
#include "serve/openapi.h"

#include "base/option.h" // ASSAY_VERSION
#include "ingest/value.h"
#include "train/embedded.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

EMBEDDED(serve, openapi_json);

#define EXAMPLE_NUMBER 12.5

// ---- one column ----

static json_t *time_schema(const struct schema *s)
{
    if (schema_times_are_numbers(s))
        return json_pack("{s:s, s:s}", "type", "integer", "description",
                         schema_counts_rows(s) ? "The number of the row, from 0 on"
                                               : "Whole seconds");
    return json_pack(
        "{s:[s, s], s:s}", "type", "string", "integer", "description",
        "RFC 3339 in whole seconds, or \"2018-10-01 08:15:00\" (UTC), or whole seconds "
        "since 1970");
}

// Absent and null are the same, and stand for the column's missing value.
static json_t *number_schema(const struct schema_column *c)
{
    double missing;
    json_t *type = c->missing ? json_pack("[s, s]", "number", "null") : json_string("number");
    json_t *schema =
        json_pack("{s:o, s:f, s:f}", "type", type, "minimum", c->min, "maximum", c->max);
    if (c->missing && value_number(c->missing, strlen(c->missing), &missing) == 0 &&
        json_object_set_new(schema, "default", json_real(missing)))
        schema = NULL;
    return schema;
}

static json_t *text_schema(const struct schema_column *c, bool integer)
{
    json_t *types = json_pack("[s]", "string");
    if (integer)
        json_array_append_new(types, json_string("integer"));
    if (!c->missing)
        return json_pack("{s:o, s:i}", "type", types, "minLength", 1);
    json_array_append_new(types, json_string("null"));
    return json_pack("{s:o, s:s}", "type", types, "default", c->missing);
}

// The values that the model knows; others are taken too.
static json_t *category_schema(const struct schema_column *c, const struct dictionary *known)
{
    json_t *schema = text_schema(c, false), *examples = json_array();
    for (size_t i = 0; i < known->n; i++)
        json_array_append_new(examples, json_string(known->texts[i]));
    if (known->n > 0)
        json_object_set(schema, "examples", examples);
    json_decref(examples);
    return schema;
}

static json_t *column_schema(const struct service *s, size_t c)
{
    const struct schema *schema = &s->plan->schema;
    switch (schema->columns[c].kind) {
    case COLUMN_TIME:
        return time_schema(schema);
    case COLUMN_NUMBER:
        return number_schema(&schema->columns[c]);
    case COLUMN_CATEGORY:
        return category_schema(&schema->columns[c], &s->dictionaries[c]);
    default:
        return text_schema(&schema->columns[c], true);
    }
}

// A time that comes after all that were counted before the start.
static json_t *example_time(struct service *s)
{
    char text[TIME_TEXT];
    int64_t time = atomic_load(&s->writer.newest);
    if (time == INT64_MIN) // none were
        time = 0;
    return schema_times_are_numbers(&s->plan->schema) ? json_integer(time)
                                                      : json_string(time_text(text, time));
}

static json_t *example_value(struct service *s, size_t c, const char *id)
{
    const struct schema_column *column = &s->plan->schema.columns[c];
    const struct dictionary *known = &s->dictionaries[c];
    switch (column->kind) {
    case COLUMN_ID:
        return json_string(id);
    case COLUMN_TIME:
        return example_time(s);
    case COLUMN_NUMBER:
        return json_real(fmax(column->min, fmin(column->max, EXAMPLE_NUMBER)));
    case COLUMN_CATEGORY:
        return json_string(known->n > 0 ? known->texts[0] : "other");
    default:
        return json_string("1001");
    }
}

// ---- the transaction ----

static json_t *example_transaction(struct service *s, const char *id)
{
    const struct schema *schema = &s->plan->schema;
    json_t *transaction = json_object();
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind != COLUMN_LABEL &&
            json_object_set_new(transaction, schema->columns[c].name, example_value(s, c, id))) {
            json_decref(transaction);
            return NULL;
        }
    return transaction;
}

static int fill_transaction(json_t *transaction, struct service *s)
{
    const struct schema *schema = &s->plan->schema;
    json_t *properties = json_object(), *required = json_array();
    int bad = 0;
    for (size_t c = 0; c < schema->n; c++) {
        const struct schema_column *column = &schema->columns[c];
        if (column->kind == COLUMN_LABEL)
            continue;
        bad |= json_object_set_new(properties, column->name, column_schema(s, c));
        if (!column->missing)
            bad |= json_array_append_new(required, json_string(column->name));
    }
    bad |= json_object_set_new(transaction, "properties", properties);
    bad |= json_object_set_new(transaction, "required", required);
    return bad | json_object_set_new(transaction, "examples",
                                     json_pack("[o]", example_transaction(s, "T1")));
}

// ---- the document ----

static json_t *example_inference(const struct service *s)
{
    const struct model *m = &s->champion->model;
    json_t *data = json_array();
    for (size_t i = 0; i < m->n_inputs; i++)
        json_array_append_new(data, json_real(m->inputs[i].mean));
    return json_pack("{s:s, s:[{s:s, s:s, s:[i, i], s:o}]}", "id", "R1", "inputs", "name",
                     "features", "datatype", "FP64", "shape", 1, (int)m->n_inputs, "data", data);
}

static json_t *member(json_t *document, const char *group, const char *name)
{
    json_t *components = json_object_get(document, "components");
    return json_object_get(json_object_get(components, group), name);
}

// All members exist in the template, and what could not be made is NULL: setting fails then.
static int fill(json_t *document, struct service *s)
{
    return json_object_set_new(json_object_get(document, "info"), "version",
                               json_string(ASSAY_VERSION)) ||
           fill_transaction(member(document, "schemas", "Transaction"), s) ||
           json_object_set_new(member(document, "examples", "Transaction"), "value",
                               example_transaction(s, "T1")) ||
           json_object_set_new(
               member(document, "examples", "Transactions"), "value",
               json_pack("[o, o]", example_transaction(s, "T2"), example_transaction(s, "T3"))) ||
           json_object_set_new(member(document, "examples", "InferenceRequest"), "value",
                               example_inference(s)) ||
           json_object_set_new(member(document, "parameters", "Model"), "example",
                               json_string(s->name)) ||
           json_object_set_new(member(document, "parameters", "Version"), "example",
                               json_string(s->champion->version));
}

char *openapi_text(struct service *s, struct err *err)
{
    json_t *document = json_loadb(embedded(serve, openapi_json), embedded_size(serve, openapi_json),
                                  JSON_REJECT_DUPLICATES, NULL);
    service_hold(s);
    char *text = document && fill(document, s) == 0 ? json_dumps(document, JSON_COMPACT) : NULL;
    service_let(s);
    json_decref(document);
    if (!text)
        err_set(err, "out of memory for the description of the server");
    return text;
}
