// The graph of a plan: nodes that are there already are found again, so that `amount / mean`
// written twice is computed once, and windows over the same history share it.
#define _DEFAULT_SOURCE // reallocarray
#include "features/graph.h"

#include <stdlib.h>
#include <string.h>

// Room for one more element in an array of n that grows by doubling: NULL when out of memory.
static void *grown(void *array, size_t n, size_t size)
{
    if (n & (n - 1)) // not a power of two: there is room
        return array;
    return reallocarray(array, n ? 2 * n : 1, size);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

// As bits: 0 and -0 are different numbers to divide by.
static bool same_number(double a, double b)
{
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
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
    if (p->n_nodes == GRAPH_MAX_NODES)
        return -1;
    struct node *nodes = grown(p->nodes, p->n_nodes, sizeof *nodes);
    if (!nodes)
        return -1;
    p->nodes = nodes;
    if (node.text && !(node.text = strdup(node.text)))
        return -1;
    nodes[p->n_nodes] = node;
    if (node.level + 1 > p->n_levels)
        p->n_levels = node.level + 1;
    return (int)p->n_nodes++;
}

static bool is_leaf(enum node_op op)
{
    return op == NODE_NUMBER || op == NODE_COLUMN || op == NODE_IS_TEXT;
}

int graph_node(struct plan *p, struct node node)
{
    node.track = node.lane = node.upper = node.lower = -1;
    if (node.op == NODE_COLUMN)
        node.labelled = p->schema.columns[node.a].kind == COLUMN_LABEL;
    if (!is_leaf(node.op)) {
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
    struct track *tracks = grown(p->tracks, p->n_tracks, sizeof *tracks);
    if (!tracks)
        return -1;
    p->tracks = tracks;
    tracks[p->n_tracks] = (struct track){.column = column, .level = level};
    return (int)p->n_tracks++;
}

static int find_lane(struct track *t, int node)
{
    for (size_t i = 0; i < t->n_lanes; i++)
        if (t->lanes[i] == node)
            return (int)i;
    int *lanes = grown(t->lanes, t->n_lanes, sizeof *lanes);
    if (!lanes)
        return -1;
    t->lanes = lanes;
    lanes[t->n_lanes] = node;
    return (int)t->n_lanes++;
}

static int find_edge(struct track *t, int64_t edge)
{
    for (size_t i = 0; i < t->n_edges; i++)
        if (t->edges[i] == edge)
            return (int)i;
    int64_t *edges = grown(t->edges, t->n_edges, sizeof *edges);
    if (!edges)
        return -1;
    t->edges = edges;
    edges[t->n_edges] = edge;
    return (int)t->n_edges++;
}

int graph_window(struct plan *p, const struct window_spec *w)
{
    int level = w->lane_node < 0 ? 0 : p->nodes[w->lane_node].level;
    struct node node = {.op = w->op,
                        .a = w->lane_node,
                        .b = -1,
                        .lane = -1,
                        .upper = -1,
                        .lower = -1,
                        .prior = w->prior,
                        .weight = w->weight,
                        .level = level + 1};
    node.track = find_track(p, w->key_column, level);
    if (node.track < 0)
        return -1;
    struct track *t = &p->tracks[node.track];
    if (w->op == NODE_SINCE)
        return add_node(p, node);
    if (w->lane_node >= 0 && (node.lane = find_lane(t, w->lane_node)) < 0)
        return -1;
    node.upper = find_edge(t, w->delay ? w->delay : w->past ? EDGE_PAST : EDGE_NOW);
    if (node.upper < 0)
        return -1;
    if (w->length && (node.lower = find_edge(t, w->delay + w->length)) < 0)
        return -1;
    return add_node(p, node);
}

int graph_input(struct plan *p, const char *name, int node)
{
    struct plan_input *inputs = grown(p->inputs, p->n_inputs, sizeof *inputs);
    if (!inputs)
        return -1;
    p->inputs = inputs;
    inputs[p->n_inputs] = (struct plan_input){strdup(name), node};
    return inputs[p->n_inputs].name ? (int)p->n_inputs++ : -1;
}

void graph_release(struct plan *p)
{
    for (size_t i = 0; i < p->n_nodes; i++)
        free(p->nodes[i].text);
    for (size_t i = 0; i < p->n_tracks; i++) {
        free(p->tracks[i].lanes);
        free(p->tracks[i].edges);
    }
    for (size_t i = 0; i < p->n_inputs; i++)
        free(p->inputs[i].name);
    free(p->nodes);
    free(p->tracks);
    free(p->inputs);
    p->nodes = NULL;
    p->tracks = NULL;
    p->inputs = NULL;
    p->n_nodes = p->n_tracks = p->n_inputs = 0;
    p->n_levels = 0;
}
