// plan: feature expressions, parsed once, for both executions.
//
// The [features] section holds `name = expression` lines (the language is in docs/features.md). A
// plan is their directed acyclic graph: every value is a node, equal subexpressions are one node,
// and nodes stand in an order in which operands come before their users. Batch (features) and
// online (serve) run the same plan through the same code in state.h, so both compute the same bits.
//
// A window is the difference of running totals at two edges of a key's history. `label` may stand
// only inside a window with a delay; the parser refuses anything else, so a model cannot be trained
// on what is not known when it has to answer.
//
//     struct plan p;
//     plan_from_config(&p, &schema, &config, &err)     errors name file, line, column, with a caret
//     plan_fit(&p, categories, &err)                   only where plan_wants_fit says so
//     json_t *j = plan_to_json(&p)                     travels in the manifest and in the model
//     plan_from_json(&p, j, &err)
//     plan_release(&p)
//
// Ownership: a plan owns its copy of the schema and all strings until plan_release.
#ifndef FEATURES_PLAN_H
#define FEATURES_PLAN_H

#include "base/config.h"
#include "ingest/schema.h"

#include <stdint.h>

enum node_op {
    NODE_NUMBER,  // value
    NODE_COLUMN,  // a: schema column: number, category (its code), time (seconds) or label
    NODE_IS_TEXT, // a: schema column (category), text: 1 where the event's category is that text
    NODE_ADD,     // a, b: nodes, here and below
    NODE_SUB,
    NODE_MUL,
    NODE_DIV, // 0 where b is 0
    NODE_LT,
    NODE_LE,
    NODE_GT,
    NODE_GE,
    NODE_EQ,
    NODE_NE,
    NODE_MIN,
    NODE_MAX,
    NODE_NEG, // a only
    NODE_LOG1P,
    NODE_ABS,
    NODE_HOUR,    // 0 .. 23, UTC
    NODE_WEEKDAY, // 0 Monday .. 6 Sunday, UTC
    NODE_COUNT,   // window: number of events
    NODE_SUM,     // window: total of a lane
    NODE_MEAN,    // window: (sum + weight·prior) / (count + weight), 0 where that divides by 0
    NODE_SINCE,   // track: seconds since the key's previous event, infinite where there is none
};

struct node {
    enum node_op op;
    int a, b;         // operands; see the ops. Windows: a is the node that is summed, -1 for count
    double value;     // NUMBER
    char *text;       // IS_TEXT
    int track;        // windows and since: whose history
    int lane;         // SUM, MEAN: which running total of the track
    int upper, lower; // windows: edges of the track; lower -1 for `all`
    double prior, weight; // MEAN
    int level;            // rounds of tracks that must have run before it; see state.h
    bool labelled;        // depends on the label, so only a window with a delay may use it
};

// A track is the history of all keys of one column: for each key its events' times and, per lane,
// the running total of one node's values. Tracks of level l are run after the nodes of level l.
struct track {
    int column; // schema column of kind key
    int level;
    int *lanes; // node whose values are totalled
    size_t n_lanes;
    int64_t *edges; // seconds before the event's time, or one of the two below
    size_t n_edges;
};

// Two edges are no lengths of time: everything up to and with the current event, and all before it.
enum { EDGE_NOW = 0, EDGE_PAST = -1 };

struct plan_input { // a column of the feature table, an input of the model
    char *name;
    int node;
};

struct plan_definition {
    char *name;
    char *expression; // with fitted onehot values spelled out
    int node;         // -1 for a onehot, which has no value of its own
    int config_entry; // index into the config's entries, -1 where it came from JSON
};

struct plan {
    struct schema schema;
    struct plan_definition *definitions; // in order
    size_t n_definitions;
    struct node *nodes;
    size_t n_nodes;
    struct track *tracks;
    size_t n_tracks;
    int n_levels; // 1 + the highest level of a node
    struct plan_input *inputs;
    size_t n_inputs;
};

int plan_from_config(struct plan *p, const struct schema *schema, const struct config *config,
                     struct err *err);
int plan_from_json(struct plan *p, const json_t *json, struct err *err);
// {"schema": ..., "features": [{"name", "expression"}, ...]}
json_t *plan_to_json(const struct plan *p);
void plan_release(struct plan *p);

// Changes when an expression or a column changes: a snapshot fits only the plan it was made by.
uint64_t plan_checksum(const struct plan *p);

// onehot(column): one input per value that holds at least 1 % of the training window (the 32 most
// frequent at most), named name[value], and one for the rest, named name[*]. plan_fit rewrites such
// definitions with the values spelled out: onehot(column, "a", "b"). categories[c] belongs to
// schema column c and is read only for category columns: its dictionary, and the training rows'
// codes.
struct plan_categories {
    const char *const *texts;
    size_t n_texts;
    const uint32_t *codes;
    size_t n_codes;
};
bool plan_wants_fit(const struct plan *p);
int plan_fit(struct plan *p, const struct plan_categories *categories, struct err *err);

#endif
