#include "features/plan.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

// ---- the graph: what is there already is found again, so that it is computed once ----

static bool same_node(const struct node *x, const struct node *y)
{
    return x->op == y->op && x->a == y->a && x->b == y->b && x->value == y->value &&
           strcmp(x->text, y->text) == 0 && x->track == y->track && x->lane == y->lane &&
           x->upper == y->upper && x->lower == y->lower && x->prior == y->prior &&
           x->weight == y->weight;
}

int plan_node(struct plan *p, struct node node)
{
    for (size_t i = 0; i < p->n_nodes; i++)
        if (same_node(&p->nodes[i], &node))
            return (int)i;
    p->nodes = xreallocarray(p->nodes, p->n_nodes + 1, sizeof *p->nodes);
    if (node.level >= p->n_levels)
        p->n_levels = node.level + 1;
    p->nodes[p->n_nodes] = node;
    return (int)p->n_nodes++;
}

int plan_operation(struct plan *p, enum node_op op, int a, int b)
{
    const struct node *x = &p->nodes[a], *y = &p->nodes[b];
    struct node node = {.op = op, .a = a, .b = b};
    node.level = x->level > y->level ? x->level : y->level;
    const bool calendar = op == NODE_HOUR || op == NODE_WEEKDAY;
    node.reads = calendar ? READS_CALENDAR : x->reads | y->reads;
    return plan_node(p, node);
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
    const int64_t upper = w->delay ? w->delay : w->past ? EDGE_PAST : EDGE_NOW;
    const int level = w->lane_node < 0 ? 0 : p->nodes[w->lane_node].level;
    struct node node = w->node;
    node.level = level + 1;
    node.reads = READS_OTHER;
    node.track = find_track(p, w->key_column, level);
    struct track *t = &p->tracks[node.track];
    if (w->lane_node >= 0)
        node.lane = find_item(&t->lanes, &t->n_lanes, w->lane_node);
    if (node.op != NODE_SINCE)
        node.upper = find_item(&t->edges, &t->n_edges, upper);
    node.lower = w->length ? find_item(&t->edges, &t->n_edges, w->delay + w->length) : -1;
    const int index = plan_node(p, node);
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
}

// ---- definitions ----

static void add_definition(struct plan *p, const char *name, const char *expression)
{
    p->definitions = xreallocarray(p->definitions, p->n_definitions + 1, sizeof *p->definitions);
    p->definitions[p->n_definitions++] =
        (struct plan_definition){.name = xstrdup(name), .expression = xstrdup(expression)};
}

static void finish_track(struct plan *p, size_t t)
{
    struct track *track = &p->tracks[t];
    track->shape = shape_make(track->edges, track->n_edges, track->n_lanes);
    p->label_lanes =
        xreallocarray(p->label_lanes, p->n_label_lanes + track->n_lanes, sizeof *p->label_lanes);
    for (size_t l = 0; l < track->n_lanes; l++)
        if (p->nodes[track->lanes[l]].reads & READS_LABEL)
            p->label_lanes[p->n_label_lanes++] = (struct label_lane){t, l};
}

// Parse all definitions of a plan without a graph. Returns the one with a mistake, or NULL.
static const struct plan_definition *build(struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->n_definitions; i++)
        if (parse_definition(p, &p->definitions[i], err))
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
    *p = (struct plan){.label_delay = LABEL_DELAY};
    if (config_duration(c, "split", "label_delay", &p->label_delay, err) ||
        schema_from_config(&p->schema, c, err))
        return -1;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->entries[i].section, "features") == 0)
            add_definition(p, c->entries[i].key, c->entries[i].value);
    const struct plan_definition *wrong = build(p, err);
    if (wrong)
        return config_error(c, config_find(c, "features", wrong->name), wrong->mistake, err, "%s",
                            err_copy(err).msg);
    if (p->n_inputs == 0 && plan_unfitted(p) < 0)
        return err_set(
            err,
            "%s: [features] is missing or has only helpers (names that begin with _); a model "
            "needs at least one input, a line of the form 'name = expression'",
            c->path);
    return 0;
}

json_t *plan_to_json(const struct plan *p)
{
    json_t *features = json_array();
    for (size_t i = 0; i < p->n_definitions; i++)
        json_array_append_new(features, json_pack("{s:s, s:s}", "name", p->definitions[i].name,
                                                  "expression", p->definitions[i].expression));
    return json_pack("{s:o, s:o}", "schema", schema_to_json(&p->schema), "features", features);
}

static int read_definitions(struct plan *p, json_t *features, struct err *err)
{
    const char *name, *expression;
    json_error_t why;
    json_t *d;
    size_t i;
    if (!json_is_array(features))
        return err_set(err, "features: is not an array");
    json_array_foreach(features, i, d)
    {
        if (json_unpack_ex(d, &why, JSON_STRICT, "{s:s, s:s}", "name", &name, "expression",
                           &expression))
            return err_set(err, "features[%zu]: %s", i, why.text);
        add_definition(p, name, expression);
    }
    const struct plan_definition *wrong = build(p, err);
    return wrong ? err_prefix(err, "feature '%s', byte %d", wrong->name, wrong->mistake) : 0;
}

int plan_from_json(struct plan *p, const json_t *json, struct err *err)
{
    json_error_t why;
    json_t *schema, *features;
    *p = (struct plan){0};
    if (json_unpack_ex((json_t *)json, &why, JSON_STRICT, "{s:o, s:o}", "schema", &schema,
                       "features", &features))
        return err_set(err, "%s", why.text);
    return schema_from_json(&p->schema, schema, err) || read_definitions(p, features, err) ? -1 : 0;
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

bool plan_follows_calendar(const struct plan *p, size_t input)
{
    return p->nodes[p->inputs[input].node].reads == READS_CALENDAR;
}

const char *plan_warning(const struct plan *p)
{
    return p->n_label_lanes == 0 || schema_find_kind(&p->schema, COLUMN_ID) >= 0
               ? NULL
               : "windows over the label will go stale in the server: without a column of kind id "
                 "no label can come later";
}

// ---- fitting onehots ----

enum { MAX_FREQUENT = 32, MIN_SHARE_PERCENT = 1 };

int plan_unfitted(const struct plan *p)
{
    for (size_t i = 0; i < p->n_definitions; i++)
        if (p->definitions[i].unfitted >= 0)
            return p->definitions[i].unfitted;
    return -1;
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
static char *fitted_expression(const char *column, struct plan_value *values, size_t n)
{
    char text[MAX_FREQUENT * (2 * PLAN_TEXT + 4) + 128];
    char *end = text + sprintf(text, "onehot(%s", column), *none = end;
    uint64_t rows = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        rows += values[i].rows;
    qsort(values, n, sizeof *values, by_frequency);
    for (size_t i = 0; i < n && kept < MAX_FREQUENT; i++) {
        if (values[i].rows == 0 || values[i].rows * 100 < rows * MIN_SHARE_PERCENT)
            break;
        if (strlen(values[i].text) > PLAN_TEXT)
            continue; // too long for a feature's name: part of the rest
        end = stpcpy(end, ", \"");
        for (const char *byte = values[i].text; *byte; byte++)
            end += sprintf(end, *byte == '"' || *byte == '\\' ? "\\%c" : "%c", *byte);
        end = stpcpy(end, "\"");
        kept++;
    }
    stpcpy(end, end == none ? ", *)" : ")");
    return xstrdup(text);
}

int plan_fit(struct plan *p, int column, struct plan_value *values, size_t n, struct err *err)
{
    for (size_t i = 0; i < p->n_definitions; i++) {
        struct plan_definition *d = &p->definitions[i];
        if (d->unfitted != column)
            continue;
        free(d->expression);
        d->expression = fitted_expression(p->schema.columns[column].name, values, n);
    }
    struct plan fitted = {
        .schema = p->schema, .definitions = p->definitions, .n_definitions = p->n_definitions};
    const struct plan_definition *wrong = build(&fitted, err);
    release_graph(p);
    *p = fitted;
    if (wrong)
        return err_prefix(err, "feature '%s' with the values of the training window", wrong->name);
    return 0;
}
