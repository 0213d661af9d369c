#include "features/plan.h"

#include "base/memory.h"
#include "base/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

// ---- the graph: what is there already is found again, so that it is computed once ----

static bool same_node(const struct node *x, const struct node *y)
{
    return x->op == y->op && x->a == y->a && x->b == y->b && x->c == y->c && x->value == y->value &&
           x->text_size == y->text_size &&
           (!x->text || !y->text || memcmp(x->text, y->text, x->text_size) == 0) &&
           x->track == y->track && x->lane == y->lane && x->upper == y->upper &&
           x->lower == y->lower && x->prior == y->prior && x->weight == y->weight;
}

int plan_node(struct plan *p, struct node node)
{
    for (size_t i = 0; i < p->n_nodes; i++)
        if (same_node(&p->nodes[i], &node)) {
            free(node.text);
            return (int)i;
        }
    p->nodes = xreallocarray(p->nodes, p->n_nodes + 1, sizeof *p->nodes);
    if (node.level >= p->n_levels)
        p->n_levels = node.level + 1;
    p->nodes[p->n_nodes] = node;
    return (int)p->n_nodes++;
}

int plan_operation(struct plan *p, enum node_op op, int a, int b, int c)
{
    const struct node *x = &p->nodes[a], *y = &p->nodes[b], *z = &p->nodes[c];
    struct node node = {.op = op, .a = a, .b = b, .c = c};
    node.level = x->level > y->level ? x->level : y->level;
    node.level = z->level > node.level ? z->level : node.level;
    node.reads = op >= NODE_MINUTE ? READS_CALENDAR : x->reads | y->reads | z->reads;
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

// NOLINTNEXTLINE(readability-non-const-parameter): the plan owns the name
void plan_input(struct plan *p, char *name, int node, size_t first)
{
    p->inputs = xreallocarray(p->inputs, p->n_inputs + 1, sizeof *p->inputs);
    p->inputs[p->n_inputs++] = (struct plan_input){name, node, first};
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
    for (size_t i = 0; i < p->n_nodes; i++)
        free(p->nodes[i].text);
    free(p->nodes);
    free(p->tracks);
    free(p->inputs);
    free(p->label_lanes);
}

// ---- definitions ----

static void add_definition(struct plan *p, const char *name, const char *expression)
{
    p->definitions = xreallocarray(p->definitions, p->n_definitions + 1, sizeof *p->definitions);
    p->definitions[p->n_definitions++] = (struct plan_definition){
        .name = xstrdup(name), .expression = xstrdup(expression), .min_percent = 1, .most = 32};
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

// An input COLUMN[missing] where the features read a column that has missing=flag.
static void add_flag(struct plan *p, int column)
{
    const struct schema_column *c = &p->schema.columns[column];
    bool is_read = false;
    for (size_t i = 0; i < p->n_nodes; i++)
        is_read |= p->nodes[i].op == NODE_COLUMN && p->nodes[i].a == column;
    if (!is_read || !column_fits_missing(c) || strcmp(c->missing, "flag") != 0)
        return;
    plan_input(p, xasprintf("%s[missing]", c->name),
               plan_node(p, (struct node){.op = NODE_MISSING, .a = column, .reads = READS_OTHER}),
               p->n_inputs);
}

// Parse all definitions of a plan without a graph. Returns the one with a mistake, or NULL.
static const struct plan_definition *build(struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->n_definitions; i++)
        if (parse_definition(p, &p->definitions[i], err))
            return &p->definitions[i];
    for (size_t c = 0; c < p->schema.n; c++)
        add_flag(p, (int)c);
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
    bool only_helpers = true;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->entries[i].section, "features") == 0) {
            add_definition(p, c->entries[i].key, c->entries[i].value);
            only_helpers &= c->entries[i].key[0] == '_';
        }
    const struct plan_definition *wrong = build(p, err);
    if (wrong)
        return config_error(c, config_find(c, "features", wrong->name), wrong->mistake, err, "%s",
                            err_copy(err).msg);
    if (only_helpers)
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

int plan_from_json(struct plan *p, const json_t *json, struct err *err)
{
    const char *name, *expression;
    json_error_t why;
    json_t *schema, *features, *d;
    size_t i;
    *p = (struct plan){0};
    if (json_unpack_ex((json_t *)json, &why, JSON_STRICT, "{s:o, s:o}", "schema", &schema,
                       "features", &features))
        return err_set(err, "%s", why.text);
    if (schema_from_json(&p->schema, schema, err))
        return -1;
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

// ---- fitting ----

// A onehot lists the MAX_RARE most frequent of the rare values. It is refused where fewer than
// LEAST_PERCENT of the rows have a value with an input.
enum { MAX_RARE = 1000, LEAST_PERCENT = 10 };

// Most frequent first; equal ones by their bytes, so the order does not depend on the codes.
static int by_frequency(const void *x, const void *y)
{
    const struct plan_value *a = x, *b = y;
    return a->rows != b->rows ? ORDER(b->rows, a->rows) : strcmp(a->text, b->text);
}

// text: what the memory stream f writes to, the definition's from now on.
static void set_expression(struct plan_definition *d, FILE *f, char **text)
{
    const int failed = fclose(f);
    free(d->expression);
    d->expression = xchecked(failed ? NULL : *text);
}

static void write_text(FILE *f, const char *text)
{
    fputs(", \"", f);
    for (; *text; text++)
        fprintf(f, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    putc('"', f);
}

int plan_fit_onehot(const struct plan *p, struct plan_definition *d, struct plan_value *values,
                    size_t n, struct err *err)
{
    const char *column = p->schema.columns[d->unfitted].name;
    char *text;
    size_t size, end = 0, kept = 0, rare = 0;
    uint64_t rows = 0, covered = 0;
    FILE *f = xchecked(open_memstream(&text, &size));
    qsort(values, n, sizeof *values, by_frequency);
    while (n > 0 && values[n - 1].rows == 0)
        n--;
    for (size_t i = 0; i < n; i++)
        rows += values[i].rows;
    fprintf(f, "onehot(%s", column);
    for (; end < n && (double)kept < d->most; end++) {
        if (100 * (double)values[end].rows < d->min_percent * (double)rows)
            break;
        if (strlen(values[end].text) > PLAN_TEXT)
            continue;
        write_text(f, values[end].text);
        covered += values[end].rows;
        kept++;
    }
    // One or two rows would give all rare values a large weight.
    const bool star = 100 * (double)(rows - covered) >= d->min_percent * (double)rows;
    fputs(star ? ", *" : "", f);
    for (size_t i = 0; i < n && rare < MAX_RARE && star; i++) {
        const size_t bytes = strlen(values[i].text);
        if ((i < end && bytes <= PLAN_TEXT) || bytes > TEXT_MAX)
            continue;
        write_text(f, values[i].text);
        rare++;
    }
    putc(')', f);
    set_expression(d, f, &text);
    d->unfitted = -1;
    if (100 * covered >= LEAST_PERCENT * rows)
        return 0;
    return err_set(err,
                   "[features] %s: %.3g %% of the training rows have one of the rare values of "
                   "'%s', which are in less than %g %% of the rows each, or beyond the %d most "
                   "frequent, so onehot can say little: make it a key (%s = HEADER, key) for "
                   "windows such as count(%s, 30d), or pass min= or max=",
                   d->name, 100 * (double)(rows - covered) / (double)rows, column, d->min_percent,
                   (int)d->most, column, column);
}

// hinges(x, 5) becomes hinges(x, 1.5, 20): without quantiles that are equal, or those at the end,
// where no row or all rows have the same slope. A knot that is alone is written so that it is no
// number of knots.
void plan_fit_hinges(struct plan_definition *d, double *sample, size_t n)
{
    const size_t knots = (size_t)d->knots;
    char *text, only[32];
    size_t size, kept = 0;
    FILE *f = xchecked(open_memstream(&text, &size));
    fwrite(d->expression, 1, (size_t)(strrchr(d->expression, ',') - d->expression), f);
    sort_doubles(sample, n);
    double before = n ? sample[0] : 0;
    for (size_t k = 1; k <= knots && n > 0; k++) {
        // Inputs are float32, so 191.35 comes as 191.350006.
        snprintf(only, sizeof only, "%.7g", sample[n * k / (knots + 1)]);
        const double knot = strtod(only, NULL);
        if (knot <= before || knot >= sample[n - 1])
            continue;
        fprintf(f, ", %s", only);
        before = knot;
        kept++;
    }
    fputs(kept == 1 && !strpbrk(only, ".e-") ? ".0)" : ")", f);
    set_expression(d, f, &text);
    d->knots = 0;
}

int plan_refit(struct plan *p, struct err *err)
{
    struct plan fitted = {
        .schema = p->schema, .definitions = p->definitions, .n_definitions = p->n_definitions};
    const struct plan_definition *wrong = build(&fitted, err);
    release_graph(p);
    *p = fitted;
    return wrong ? err_prefix(err, "feature '%s' as fitted to the training rows", wrong->name) : 0;
}
