// Plans: from the .ini or from JSON, fitted to a training window, and back to JSON.
#include "features/plan.h"

#include "features/graph.h"
#include "features/parse.h"
#include "features/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

// ---- the schema and the definitions ----

static int copy_schema(struct plan *p, const struct schema *schema, struct err *err)
{
    json_t *json = schema_to_json(schema);
    if (!json)
        return err_set(err, "out of memory");
    int rc = schema_from_json(&p->schema, json, err);
    json_decref(json);
    return rc;
}

static int add_definition(struct plan *p, const char *name, const char *expression,
                          int config_entry, struct err *err)
{
    struct plan_definition *d = realloc(p->definitions, (p->n_definitions + 1) * sizeof *d);
    if (!d)
        return err_set(err, "out of memory");
    p->definitions = d;
    d += p->n_definitions;
    *d = (struct plan_definition){strdup(name), strdup(expression), -1, config_entry};
    p->n_definitions++;
    return d->name && d->expression ? 0 : err_set(err, "out of memory");
}

// Parse all definitions into a fresh graph; *failed is the one that e speaks of.
static int build(struct plan *p, size_t *failed, struct parse_error *e)
{
    graph_release(p);
    for (size_t i = 0; i < p->n_definitions; i++)
        if (parse_definition(p, i, e)) {
            *failed = i;
            return -1;
        }
    return 0;
}

void plan_release(struct plan *p)
{
    graph_release(p);
    for (size_t i = 0; i < p->n_definitions; i++) {
        free(p->definitions[i].name);
        free(p->definitions[i].expression);
    }
    free(p->definitions);
    schema_release(&p->schema);
    *p = (struct plan){0};
}

// ---- from the .ini ----

static int build_from_config(struct plan *p, const struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct config_entry *e = &c->entries[i];
        if (strcmp(e->section, "features") == 0 && add_definition(p, e->key, e->value, (int)i, err))
            return -1;
    }
    if (p->n_definitions == 0)
        return err_set(err,
                       "%s: [features] is missing or empty; it needs lines of the form "
                       "'name = expression'",
                       c->path);
    struct parse_error e;
    size_t failed;
    if (build(p, &failed, &e))
        return config_error(c, &c->entries[p->definitions[failed].config_entry], e.offset, err,
                            "%s", e.msg);
    if (p->n_inputs == 0 && !plan_wants_fit(p))
        return err_set(err,
                       "%s: [features] has only helpers (names that begin with _); a model "
                       "needs at least one input",
                       c->path);
    return 0;
}

int plan_from_config(struct plan *p, const struct schema *schema, const struct config *config,
                     struct err *err)
{
    *p = (struct plan){0};
    if (copy_schema(p, schema, err) || build_from_config(p, config, err)) {
        plan_release(p);
        return -1;
    }
    return 0;
}

// ---- JSON ----

json_t *plan_to_json(const struct plan *p)
{
    json_t *features = json_array();
    int bad = !features;
    for (size_t i = 0; i < p->n_definitions && !bad; i++)
        bad =
            json_array_append_new(features, json_pack("{s:s, s:s}", "name", p->definitions[i].name,
                                                      "expression", p->definitions[i].expression));
    json_t *json =
        bad ? NULL
            : json_pack("{s:o, s:O}", "schema", schema_to_json(&p->schema), "features", features);
    json_decref(features);
    return json;
}

static int build_from_json(struct plan *p, const json_t *json, struct err *err)
{
    const json_t *schema = json_object_get(json, "schema");
    const json_t *features = json_object_get(json, "features");
    if (!json_is_object(schema) || !json_is_array(features))
        return err_set(err, "a plan is an object with 'schema' and 'features'");
    if (schema_from_json(&p->schema, schema, err))
        return -1;
    size_t i;
    const json_t *d;
    json_array_foreach(features, i, d)
    {
        const char *name = json_string_value(json_object_get(d, "name"));
        const char *expression = json_string_value(json_object_get(d, "expression"));
        if (!name || !expression)
            return err_set(err, "features[%zu]: 'name' and 'expression' must be strings", i);
        if (add_definition(p, name, expression, -1, err))
            return -1;
    }
    struct parse_error e;
    size_t failed;
    if (build(p, &failed, &e))
        return err_set(err, "features[%zu] '%s', byte %d: %s", failed, p->definitions[failed].name,
                       e.offset, e.msg);
    return 0;
}

int plan_from_json(struct plan *p, const json_t *json, struct err *err)
{
    *p = (struct plan){0};
    if (build_from_json(p, json, err)) {
        plan_release(p);
        return -1;
    }
    return 0;
}

uint64_t plan_checksum(const struct plan *p)
{
    json_t *json = plan_to_json(p);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    uint64_t h = text ? XXH3_64bits(text, strlen(text)) : 0;
    free(text);
    json_decref(json);
    return h;
}

// ---- fitting onehots ----

enum { MAX_FREQUENT = 32, MIN_SHARE_PERCENT = 1 };

// The category column of a onehot that has no values yet, or -1.
static int unfitted(const struct plan *p, const struct plan_definition *d)
{
    char name[64];
    int end = 0;
    if (sscanf(d->expression, " onehot ( %63[A-Za-z0-9_] )%n", name, &end) != 1 || end == 0)
        return -1;
    return schema_find(&p->schema, name);
}

bool plan_wants_fit(const struct plan *p)
{
    for (size_t i = 0; i < p->n_definitions; i++)
        if (unfitted(p, &p->definitions[i]) >= 0)
            return true;
    return false;
}

struct frequency {
    uint64_t rows;
    const char *text;
};

// Most frequent first; equal ones by their bytes, so the order does not depend on the codes.
static int by_frequency(const void *x, const void *y)
{
    const struct frequency *a = x, *b = y;
    if (a->rows != b->rows)
        return a->rows > b->rows ? -1 : 1;
    return strcmp(a->text, b->text);
}

// onehot(column, "a", "b"): the values with enough rows; onehot(column, *) where there is none.
static char *fitted_expression(const char *column, const struct frequency *f, size_t n,
                               uint64_t rows)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "onehot(%s", column);
    size_t kept = 0;
    for (size_t i = 0; i < n && kept < MAX_FREQUENT; i++) {
        if (f[i].rows == 0 || f[i].rows * 100 < rows * MIN_SHARE_PERCENT)
            break;
        if (strlen(f[i].text) > SCAN_TEXT)
            continue; // too long for a feature's name: part of the rest
        fputs(", \"", out);
        for (const char *c = f[i].text; *c; c++)
            fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        fputc('"', out);
        kept++;
    }
    fputs(kept ? ")" : ", *)", out);
    int bad = ferror(out);
    if (fclose(out) || bad) {
        free(text);
        return NULL;
    }
    return text;
}

static char *fit_one(const char *column, const struct plan_categories *c)
{
    struct frequency *f = calloc(c->n_texts + 1, sizeof *f);
    if (!f)
        return NULL;
    for (size_t i = 0; i < c->n_texts; i++)
        f[i].text = c->texts[i];
    for (size_t i = 0; i < c->n_codes; i++)
        f[c->codes[i]].rows++;
    qsort(f, c->n_texts, sizeof *f, by_frequency);
    char *expression = fitted_expression(column, f, c->n_texts, c->n_codes);
    free(f);
    return expression;
}

int plan_fit(struct plan *p, const struct plan_categories *categories, struct err *err)
{
    for (size_t i = 0; i < p->n_definitions; i++) {
        struct plan_definition *d = &p->definitions[i];
        int column = unfitted(p, d);
        if (column < 0)
            continue;
        char *expression = fit_one(p->schema.columns[column].name, &categories[column]);
        if (!expression)
            return err_set(err, "out of memory");
        free(d->expression);
        d->expression = expression;
    }
    struct parse_error e;
    size_t failed;
    if (build(p, &failed, &e))
        return err_set(err, "feature '%s' with the values of the training window: %s",
                       p->definitions[failed].name, e.msg);
    return 0;
}
