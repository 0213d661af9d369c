// serve/openapi.json is part of the program. It is complete except for what depends on the dataset,
// which is filled in here, with examples that the running server accepts. No reload changes a
// column or the number of inputs, so the text stays true.
#include "base/memory.h"
#include "base/option.h" // ASSAY_VERSION
#include "base/value.h"
#include "serve/http.h"

#include <math.h>

extern const char openapi_json[];

// Absent and null are the same: the column's missing value. id and time have none.
static json_t *column_schema(const struct service *s, size_t c)
{
    const struct schema_column *column = &s->plan->schema.columns[c];
    const struct dictionary *known = &s->dictionaries[c];
    const char *missing = column->missing, *null = missing ? "null" : NULL;
    json_t *texts =
        known->n > 0 ? json_array() : NULL; // that the model knows; others are taken, too
    double number = column->fill;
    for (size_t i = 0; i < known->n; i++)
        json_array_append_new(texts, json_string(known->texts[i]));
    switch (column->kind) {
    case COLUMN_NUMBER:
        if (missing && isnan(number))
            value_number(missing, strlen(missing), &number);
        return json_pack("{s:[s, s*], s:o*, s:o*, s:o*}", "type", "number", null, "minimum",
                         json_real(column->min), "maximum", json_real(column->max), "default",
                         json_real(number));
    case COLUMN_TIME:
        if (schema_times_are_numbers(&s->plan->schema))
            return json_pack("{s:[s], s:s}", "type", "integer", "description",
                             schema_counts_rows(&s->plan->schema)
                                 ? "Number of the row, by default one more than the newest"
                                 : "Seconds, rounded down");
        return json_pack("{s:[s, s], s:s}", "type", "string", "integer", "description",
                         "RFC 3339, or \"2018-10-01 08:15:00\" (UTC), or seconds since 1970, "
                         "rounded down; at most a day after the server's clock");
    default: // texts; ids and keys may be sent as integers
        return json_pack("{s:[s, s*, s*], s:s*, s:o*, s:o*}", "type", "string",
                         column->kind == COLUMN_CATEGORY ? NULL : "integer", null, "default",
                         missing, "minLength", missing ? NULL : json_integer(1), "examples", texts);
    }
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

// Runs before requests and reloads do, so nothing is held.
char *openapi_text(struct service *s)
{
    static const char *const ids[] = {"T1", "T2", "T3"};
    const struct schema *schema = &s->plan->schema;
    json_t *document = json_loads(openapi_json, JSON_REJECT_DUPLICATES, NULL);
    json_t *properties = json_object(), *required = json_array(), *means = json_array();
    const struct model *m = &s->champion->model;
    json_t *examples[] = {json_object(), json_object(), json_object()};
    for (size_t c = 0; c < schema->n; c++) {
        const struct schema_column *column = &schema->columns[c];
        if (column->kind == COLUMN_LABEL)
            continue;
        json_object_set_new(properties, column->name, column_schema(s, c));
        if (!column->missing && (column->kind != COLUMN_TIME || !schema_counts_rows(schema)))
            json_array_append_new(required, json_string(column->name));
        for (size_t i = 0; i < 3; i++)
            json_object_set_new(examples[i], column->name, example_value(s, c, ids[i]));
    }
    for (size_t i = 0; i < m->n_inputs; i++)
        json_array_append_new(means, json_real(m->inputs[i].mean));
    json_t *filled = json_pack(
        "{s:{s:s}, s:{s:o, s:o, s:o}}", "info", "version", ASSAY_VERSION, "components", "schemas",
        json_pack("{s:{s:o, s:o, s:[O]}}", "Transaction", "properties", properties, "required",
                  required, "examples", examples[0]),
        "examples",
        json_pack("{s:{s:o}, s:{s:[o, o]}, s:{s:{s:[{s:s, s:s, s:[i, i], s:o}]}}}", "Transaction",
                  "value", examples[0], "Transactions", "value", examples[1], examples[2],
                  "InferenceRequest", "value", "inputs", "name", "features", "datatype", "FP64",
                  "shape", 1, (int)m->n_inputs, "data", means),
        "parameters",
        json_pack("{s:{s:o*}, s:{s:s}}", "Model", "example", json_string(s->name), "Version",
                  "example", s->champion->version));
    json_object_update_recursive(document, filled);
    char *text = xchecked(json_dumps(document, JSON_COMPACT));
    json_decref(filled);
    json_decref(document);
    return text;
}
