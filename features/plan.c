#include "features/plan.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

// ---- the graph: what is there already is found again, so that it is computed once ----

// 0 and -0 are different numbers.
static bool same_number(double a, double b)
{
    return a == b && signbit(a) == signbit(b);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_node(const struct node *x, const struct node *y)
{
    return x->op == y->op && x->a == y->a && x->b == y->b && same_number(x->value, y->value) &&
           same_text(x->text, y->text) && x->track == y->track && x->lane == y->lane &&
           x->upper == y->upper && x->lower == y->lower && same_number(x->prior, y->prior) &&
           same_number(x->weight, y->weight);
}

static int add_node(struct plan *p, struct node node)
{
    for (size_t i = 0; i < p->n_nodes; i++)
        if (same_node(&p->nodes[i], &node))
            return (int)i;
    p->nodes = xreallocarray(p->nodes, p->n_nodes + 1, sizeof *p->nodes);
    if (node.text)
        node.text = xstrdup(node.text);
    if (node.level >= p->n_levels)
        p->n_levels = node.level + 1;
    p->nodes[p->n_nodes] = node;
    return (int)p->n_nodes++;
}

int plan_node(struct plan *p, struct node node)
{
    node.track = node.lane = node.upper = node.lower = -1;
    if (node.op == NODE_COLUMN) {
        node.labelled = p->schema.columns[node.a].kind == COLUMN_LABEL;
    } else if (node.op != NODE_NUMBER && node.op != NODE_IS_TEXT) {
        const struct node *a = &p->nodes[node.a], *b = node.b < 0 ? a : &p->nodes[node.b];
        node.level = a->level > b->level ? a->level : b->level;
        node.labelled = a->labelled || b->labelled;
    }
    return add_node(p, node);
}

static int find_track(struct plan *p, int column, int level)
{
    for (size_t i = 0; i < p->n_tracks; i++)
        if (p->tracks[i].column == column && p->tracks[i].level == level)
            return (int)i;
    p->tracks = xreallocarray(p->tracks, p->n_tracks + 1, sizeof *p->tracks);
    p->tracks[p->n_tracks] = (struct track){.column = column, .level = level};
    return (int)p->n_tracks++;
}

// The index of a lane, an edge or a window in its track.
static int find_item(int64_t **items, size_t *n, int64_t item)
{
    for (size_t i = 0; i < *n; i++)
        if ((*items)[i] == item)
            return (int)i;
    *items = xreallocarray(*items, *n + 1, sizeof **items);
    (*items)[*n] = item;
    return (int)(*n)++;
}

int plan_window(struct plan *p, const struct window_spec *w)
{
    const int level = w->lane_node < 0 ? 0 : p->nodes[w->lane_node].level;
    const int64_t upper = w->delay ? w->delay : w->past ? EDGE_PAST : EDGE_NOW;
    struct node node = {.op = w->op, .a = w->lane_node, .b = -1, .level = level + 1};
    node.prior = w->prior;
    node.weight = w->weight;
    node.lane = node.upper = node.lower = -1;
    node.track = find_track(p, w->key_column, level);
    struct track *t = &p->tracks[node.track];
    if (w->lane_node >= 0)
        node.lane = find_item(&t->lanes, &t->n_lanes, w->lane_node);
    if (w->op != NODE_SINCE)
        node.upper = find_item(&t->edges, &t->n_edges, upper);
    if (w->length)
        node.lower = find_item(&t->edges, &t->n_edges, w->delay + w->length);
    const int index = add_node(p, node);
    find_item(&t->windows, &t->n_windows, index);
    return index;
}

void plan_input(struct plan *p, const char *name, int node)
{
    p->inputs = xreallocarray(p->inputs, p->n_inputs + 1, sizeof *p->inputs);
    p->inputs[p->n_inputs++] = (struct plan_input){xstrdup(name), node};
}

static void release_graph(struct plan *p)
{
    for (size_t i = 0; i < p->n_nodes; i++)
        free(p->nodes[i].text);
    for (size_t i = 0; i < p->n_tracks; i++) {
        free(p->tracks[i].lanes);
        free(p->tracks[i].edges);
        free(p->tracks[i].windows);
    }
    for (size_t i = 0; i < p->n_inputs; i++)
        free(p->inputs[i].name);
    free(p->nodes);
    free(p->tracks);
    free(p->inputs);
    free(p->label_lanes);
    p->nodes = NULL;
    p->tracks = NULL;
    p->inputs = NULL;
    p->label_lanes = NULL;
    p->n_nodes = p->n_tracks = p->n_inputs = p->n_label_lanes = 0;
    p->n_levels = 0;
}

// ---- definitions ----

static void add_definition(struct plan *p, const char *name, const char *expression)
{
    p->definitions = xreallocarray(p->definitions, p->n_definitions + 1, sizeof *p->definitions);
    p->definitions[p->n_definitions++] =
        (struct plan_definition){xstrdup(name), xstrdup(expression), -1};
}

static void finish_track(struct plan *p, size_t t)
{
    struct track *track = &p->tracks[t];
    track->shape = shape_make(track->edges, track->n_edges, track->n_lanes);
    p->label_lanes =
        xreallocarray(p->label_lanes, p->n_label_lanes + track->n_lanes, sizeof *p->label_lanes);
    for (size_t l = 0; l < track->n_lanes; l++)
        if (p->nodes[track->lanes[l]].labelled)
            p->label_lanes[p->n_label_lanes++] = (struct label_lane){t, l};
}

// Parse all definitions into a fresh graph. Returns the one that e is about, or NULL.
static const struct plan_definition *build(struct plan *p, struct parse_error *e)
{
    release_graph(p);
    for (size_t i = 0; i < p->n_definitions; i++)
        if (parse_definition(p, i, e))
            return &p->definitions[i];
    for (size_t t = 0; t < p->n_tracks; t++)
        finish_track(p, t);
    return NULL;
}

void plan_release(struct plan *p)
{
    release_graph(p);
    for (size_t i = 0; i < p->n_definitions; i++) {
        free(p->definitions[i].name);
        free(p->definitions[i].expression);
    }
    free(p->definitions);
    schema_release(&p->schema);
    *p = (struct plan){0};
}

int plan_from_config(struct plan *p, const struct config *c, struct err *err)
{
    struct parse_error e;
    *p = (struct plan){0};
    if (schema_from_config(&p->schema, c, err))
        return -1;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->entries[i].section, "features") == 0)
            add_definition(p, c->entries[i].key, c->entries[i].value);
    const struct plan_definition *wrong = build(p, &e);
    if (wrong)
        config_error(c, config_find(c, "features", wrong->name), e.offset, err, "%s", e.msg);
    else if (p->n_definitions == 0)
        err_set(err,
                "%s: [features] is missing or empty; it needs lines of the form "
                "'name = expression'",
                c->path);
    else if (p->n_inputs == 0 && !plan_wants_fit(p))
        err_set(err,
                "%s: [features] has only helpers (names that begin with _); a model needs at least "
                "one input",
                c->path);
    else
        return 0;
    plan_release(p);
    return -1;
}

json_t *plan_to_json(const struct plan *p)
{
    json_t *features = json_array();
    for (size_t i = 0; i < p->n_definitions; i++)
        json_array_append_new(features, json_pack("{s:s, s:s}", "name", p->definitions[i].name,
                                                  "expression", p->definitions[i].expression));
    return json_pack("{s:o, s:o}", "schema", schema_to_json(&p->schema), "features", features);
}

int plan_from_json(struct plan *p, const json_t *json, struct err *err)
{
    const json_t *schema = json_object_get(json, "schema");
    const json_t *features = json_object_get(json, "features");
    const struct plan_definition *wrong = NULL;
    struct parse_error e;
    *p = (struct plan){0};
    if (!json_is_object(schema) || !json_is_array(features))
        return err_set(err, "a plan is an object with 'schema' and 'features'");
    if (schema_from_json(&p->schema, schema, err))
        return -1;
    const size_t n = json_array_size(features);
    for (size_t i = 0; i < n && p->n_definitions == i; i++) {
        const json_t *d = json_array_get(features, i);
        const char *name = json_string_value(json_object_get(d, "name"));
        const char *expression = json_string_value(json_object_get(d, "expression"));
        if (name && expression)
            add_definition(p, name, expression);
    }
    if (p->n_definitions < n)
        err_set(err, "features[%zu]: 'name' and 'expression' must be strings", p->n_definitions);
    else if ((wrong = build(p, &e)))
        err_set(err, "features[%zu] '%s', byte %d: %s", (size_t)(wrong - p->definitions),
                wrong->name, e.offset, e.msg);
    else
        return 0;
    plan_release(p);
    return -1;
}

uint64_t plan_checksum(const struct plan *p)
{
    json_t *json = plan_to_json(p);
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t h = text ? XXH3_64bits(text, strlen(text)) : 0; // 0: the server is out of memory
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

// Most frequent first; equal ones by their bytes, so the order does not depend on the codes.
static int by_frequency(const void *x, const void *y)
{
    const struct plan_value *a = x, *b = y;
    if (a->rows != b->rows)
        return a->rows > b->rows ? -1 : 1;
    return strcmp(a->text, b->text);
}

// onehot(column, "a", "b"): the values with enough rows; onehot(column, *) where there is none.
static char *fitted_expression(const char *column, const struct plan_values *c)
{
    char text[MAX_FREQUENT * (2 * PLAN_TEXT + 4) + 128];
    char *end = text + sprintf(text, "onehot(%s", column), *none = end;
    uint64_t rows = 0;
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++)
        rows += c->values[i].rows;
    qsort(c->values, c->n, sizeof *c->values, by_frequency);
    for (size_t i = 0; i < c->n && kept < MAX_FREQUENT; i++) {
        const struct plan_value *v = &c->values[i];
        if (v->rows == 0 || v->rows * 100 < rows * MIN_SHARE_PERCENT)
            break;
        if (strlen(v->text) > PLAN_TEXT)
            continue; // too long for a feature's name: part of the rest
        end = stpcpy(end, ", \"");
        for (const char *byte = v->text; *byte; byte++)
            end += sprintf(end, *byte == '"' || *byte == '\\' ? "\\%c" : "%c", *byte);
        end = stpcpy(end, "\"");
        kept++;
    }
    stpcpy(end, end == none ? ", *)" : ")");
    return xstrdup(text);
}

int plan_fit(struct plan *p, const struct plan_values *columns, struct err *err)
{
    struct parse_error e;
    for (size_t i = 0; i < p->n_definitions; i++) {
        struct plan_definition *d = &p->definitions[i];
        const int column = unfitted(p, d);
        if (column < 0)
            continue;
        free(d->expression);
        d->expression = fitted_expression(p->schema.columns[column].name, &columns[column]);
    }
    const struct plan_definition *wrong = build(p, &e);
    if (wrong)
        return err_set(err, "feature '%s' with the values of the training window: %s", wrong->name,
                       e.msg);
    return 0;
}
