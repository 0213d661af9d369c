// graph: adds nodes, tracks, lanes and edges to a plan, each only once. For the parser.
//
// All return the index of what was found or added, or -1 when out of memory or beyond a limit that
// only a hostile plan reaches. Ownership passes to the plan.
#ifndef FEATURES_GRAPH_H
#define FEATURES_GRAPH_H

#include "features/plan.h"

enum { GRAPH_MAX_NODES = 4096 };

// A node without a track. op and operands are given; level and labelled are worked out here. text
// is copied.
int graph_node(struct plan *p, struct node node);
// count (lane_node -1), sum, mean or since over a key column.
//   delay, length: seconds; length 0 means `all`. past: leave the current event out.
struct window_spec {
    enum node_op op;
    int key_column;
    int lane_node;
    int64_t length, delay;
    bool past;
    double prior, weight;
};
int graph_window(struct plan *p, const struct window_spec *w);

// An input of the model; the name is copied and must be new.
int graph_input(struct plan *p, const char *name, int node);

// Drop everything but schema and definitions.
void graph_release(struct plan *p);

#endif
