// serve/openapi.json is part of the program. It is complete except for what depends on the dataset,
// which is filled in here: info.version; the schema Transaction, from the columns; the examples
// Transaction, Transactions and InferenceRequest, which the running server accepts; and the
// examples of the parameters Model and Version. No reload changes a column or the number of inputs,
// so the text stays true.
#include "base/option.h" // ASSAY_VERSION
#include "ingest/value.h"
#include "serve/http.h"
#include "train/embedded.h"

#include <math.h>

EMBEDDED(serve, openapi_json);

// ---- columns ------------------------------------------------------------------------------------

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

// Absent and null are the same: the column's missing value.
static void add_missing(json_t *schema, const struct schema_column *c)
{
    double x;
    json_array_append_new(json_object_get(schema, "type"), json_string("null"));
    json_object_set_new(schema, "default",
                        c->kind == COLUMN_NUMBER &&
                                value_number(c->missing, strlen(c->missing), &x) == 0
                            ? json_real(x)
                            : json_string(c->missing));
}

static json_t *column_schema(const struct service *s, size_t c)
{
    const struct schema_column *column = &s->plan->schema.columns[c];
    const struct dictionary *known = &s->dictionaries[c];
    json_t *schema;
    if (column->kind == COLUMN_TIME)
        return time_schema(&s->plan->schema);
    if (column->kind == COLUMN_NUMBER)
        schema = json_pack("{s:[s], s:f, s:f}", "type", "number", "minimum", column->min, "maximum",
                           column->max);
    else if (column->kind == COLUMN_CATEGORY)
        schema = json_pack("{s:[s]}", "type", "string");
    else
        schema = json_pack("{s:[s, s]}", "type", "string", "integer");
    if (column->missing)
        add_missing(schema, column);
    else if (column->kind != COLUMN_NUMBER)
        json_object_set_new(schema, "minLength", json_integer(1));
    if (column->kind == COLUMN_CATEGORY && known->n > 0) { // the values that the model knows
        json_t *examples = json_array();
        for (size_t i = 0; i < known->n; i++)
            json_array_append_new(examples, json_string(known->texts[i]));
        json_object_set_new(schema, "examples", examples);
    }
    return schema;
}

static json_t *example_value(struct service *s, size_t c, const char *id)
{
    const struct schema_column *column = &s->plan->schema.columns[c];
    const struct dictionary *known = &s->dictionaries[c];
    const int64_t newest = atomic_load(&s->writer.newest), time = newest == INT64_MIN ? 0 : newest;
    char text[TIME_TEXT];
    switch (column->kind) {
    case COLUMN_ID:
        return json_string(id);
    case COLUMN_TIME: // after all events that were counted before the start
        return schema_times_are_numbers(&s->plan->schema) ? json_integer(time)
                                                          : json_string(time_text(text, time));
    case COLUMN_NUMBER:
        return json_real(fmax(column->min, fmin(column->max, 12.5)));
    case COLUMN_CATEGORY:
        return json_string(known->n > 0 ? known->texts[0] : "other");
    default:
        return json_string("1001");
    }
}

// ---- the document -------------------------------------------------------------------------------

static json_t *example_transaction(struct service *s, const char *id)
{
    const struct schema *schema = &s->plan->schema;
    json_t *transaction = json_object();
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind != COLUMN_LABEL)
            json_object_set_new(transaction, schema->columns[c].name, example_value(s, c, id));
    return transaction;
}

static json_t *example_inference(const struct service *s)
{
    const struct model *m = &s->champion->model;
    json_t *data = json_array();
    for (size_t i = 0; i < m->n_inputs; i++)
        json_array_append_new(data, json_real(m->inputs[i].mean));
    return json_pack("{s:s, s:[{s:s, s:s, s:[i, i], s:o}]}", "id", "R1", "inputs", "name",
                     "features", "datatype", "FP64", "shape", 1, (int)m->n_inputs, "data", data);
}

static void fill_transaction(json_t *transaction, struct service *s)
{
    const struct schema *schema = &s->plan->schema;
    json_t *properties = json_object(), *required = json_array();
    for (size_t c = 0; c < schema->n; c++) {
        const struct schema_column *column = &schema->columns[c];
        if (column->kind == COLUMN_LABEL)
            continue;
        json_object_set_new(properties, column->name, column_schema(s, c));
        if (!column->missing)
            json_array_append_new(required, json_string(column->name));
    }
    json_object_set_new(transaction, "properties", properties);
    json_object_set_new(transaction, "required", required);
    json_object_set_new(transaction, "examples", json_pack("[o]", example_transaction(s, "T1")));
}

static json_t *component(json_t *document, const char *group, const char *name)
{
    json_t *components = json_object_get(document, "components");
    return json_object_get(json_object_get(components, group), name);
}

static void fill(json_t *document, struct service *s)
{
    json_object_set_new(json_object_get(document, "info"), "version", json_string(ASSAY_VERSION));
    fill_transaction(component(document, "schemas", "Transaction"), s);
    json_object_set_new(component(document, "examples", "Transaction"), "value",
                        example_transaction(s, "T1"));
    json_object_set_new(
        component(document, "examples", "Transactions"), "value",
        json_pack("[o, o]", example_transaction(s, "T2"), example_transaction(s, "T3")));
    json_object_set_new(component(document, "examples", "InferenceRequest"), "value",
                        example_inference(s));
    json_object_set_new(component(document, "parameters", "Model"), "example",
                        json_string(s->name));
    json_object_set_new(component(document, "parameters", "Version"), "example",
                        json_string(s->champion->version));
}

// Runs before requests and reloads do, so nothing is held.
char *openapi_text(struct service *s, struct err *err)
{
    json_t *document = json_loadb(embedded(serve, openapi_json), embedded_size(serve, openapi_json),
                                  JSON_REJECT_DUPLICATES, NULL);
    fill(document, s);
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    if (!text)
        err_set(err, "out of memory for openapi.json");
    return text;
}
