// serve/openapi.json is part of the program. It is complete except for what depends on the dataset,
// which is filled in here: info.version; the schema Transaction, from the columns; the examples
// Transaction, Transactions and InferenceRequest, which the running server accepts; and the
// examples of the parameters Model and Version. No reload changes a column or the number of inputs,
// so the text stays true.
#include "base/memory.h"
#include "base/option.h" // ASSAY_VERSION
#include "ingest/value.h"
#include "serve/http.h"

#include <math.h>

extern const char openapi_json[];

// The values that the model knows; others are taken, too.
static json_t *known_texts(const struct dictionary *d)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < d->n; i++)
        json_array_append_new(texts, json_string(d->texts[i]));
    return texts;
}

static json_t *default_value(const struct schema_column *c)
{
    double x;
    if (!c->missing || c->kind == COLUMN_TIME)
        return NULL;
    if (c->kind != COLUMN_NUMBER)
        return json_string(c->missing);
    return value_number(c->missing, strlen(c->missing), &x) ? NULL : json_real(x);
}

// Absent and null are the same: the column's missing value.
static json_t *column_schema(const struct service *s, size_t c)
{
    const struct schema_column *column = &s->plan->schema.columns[c];
    const struct dictionary *known = &s->dictionaries[c];
    const bool number = column->kind == COLUMN_NUMBER, time = column->kind == COLUMN_TIME,
               text = column->kind == COLUMN_CATEGORY,
               seconds = time && schema_times_are_numbers(&s->plan->schema);
    return json_pack("{s:[s*, s*, s*], s:o*, s:o*, s:o*, s:s*, s:o*, s:o*}", "type",
                     number    ? "number"
                     : seconds ? NULL
                               : "string",
                     number || text ? NULL : "integer", column->missing ? "null" : NULL, "minimum",
                     number ? json_real(column->min) : NULL, "maximum",
                     number ? json_real(column->max) : NULL, "default", default_value(column),
                     "description",
                     !time     ? NULL
                     : seconds ? "Seconds, rounded down, or the number of the row"
                               : "RFC 3339, or \"2018-10-01 08:15:00\" (UTC), or seconds since "
                                 "1970, rounded down; at most a day after the server's clock",
                     "minLength", number || time || column->missing ? NULL : json_integer(1),
                     "examples", text && known->n > 0 ? known_texts(known) : NULL);
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

static void put(json_t *document, const char *group, const char *name, const char *key,
                json_t *value)
{
    json_t *components = json_object_get(document, "components");
    json_object_set_new(json_object_get(json_object_get(components, group), name), key, value);
}

static void put_schema(json_t *document, const struct service *s)
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
    put(document, "schemas", "Transaction", "properties", properties);
    put(document, "schemas", "Transaction", "required", required);
}

// Runs before requests and reloads do, so nothing is held.
char *openapi_text(struct service *s)
{
    json_t *document = json_loads(openapi_json, JSON_REJECT_DUPLICATES, NULL);
    json_t *one = example_transaction(s, "T1");
    json_t *two = json_pack("[o, o]", example_transaction(s, "T2"), example_transaction(s, "T3"));
    json_object_set_new(json_object_get(document, "info"), "version", json_string(ASSAY_VERSION));
    put_schema(document, s);
    put(document, "schemas", "Transaction", "examples", json_pack("[O]", one));
    put(document, "examples", "Transaction", "value", one);
    put(document, "examples", "Transactions", "value", two);
    put(document, "examples", "InferenceRequest", "value", example_inference(s));
    put(document, "parameters", "Model", "example", json_string(s->name));
    put(document, "parameters", "Version", "example", json_string(s->champion->version));
    char *text = xchecked(json_dumps(document, JSON_COMPACT));
    json_decref(document);
    return text;
}
