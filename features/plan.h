// plan: feature expressions, parsed once, for both executions.
//
// The [features] section holds `name = expression` lines (docs/features.md is the language). A plan
// is their directed acyclic graph: equal subexpressions are one node, and operands come before
// their users. The parser refuses the label outside of a window with a delay, so no model is trained
// on what it cannot know when it has to answer.
//
// Ownership: a plan owns its schema and all strings. Release it after an error, too.
#ifndef FEATURES_PLAN_H
#define FEATURES_PLAN_H

#include "features/window.h"
#include "ingest/schema.h"

enum node_op {
    NODE_NUMBER,  // value
    NODE_COLUMN,  // a: schema column, here and below; this one of kind number
    NODE_MISSING, // 1 where its number is missing
    NODE_TIME,    // seconds
    NODE_LABEL,
    NODE_IS_TEXT, // 1 where the event's category is one of the texts
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
    NODE_AND,
    NODE_OR,
    NODE_MIN,
    NODE_MAX,
    NODE_POW,
    NODE_IF,    // a ? b : c
    NODE_HINGE, // max(a - value, 0); a only, here and below; b and c are a, too
    NODE_NEG,
    NODE_NOT,
    NODE_ABS,
    NODE_FLOOR,
    NODE_SQRT,
    NODE_EXP,
    NODE_LOG,
    NODE_LOG1P,
    NODE_SIN,
    NODE_COS,
    NODE_MINUTE,  // 0 .. 59, at the schema's utc_offset; a is the time, here and below
    NODE_HOUR,    // 0 .. 23
    NODE_WEEKDAY, // 0 Monday .. 6 Sunday
    NODE_DAY,     // 1 .. 31
    NODE_MONTH,   // 1 .. 12
    NODE_COUNT,   // window: number of events
    NODE_SUM,     // window: total of a lane
    NODE_MEAN,    // window: (sum + weight·prior) / (count + weight), 0 where that divides by 0
    NODE_SINCE,   // track: seconds since the key's previous event, infinite where there is none
};

enum { LABEL_DELAY = 7 * 86400 }; // default of [split] label_delay
enum { TEXT_MAX = 1000 };         // most bytes of a text in quotes
enum { PLAN_TEXT = 60 };          // of one that has an input: that names a file

// The inputs of the plan that a node depends on. A window over the label depends on OTHER.
enum { READS_LABEL = 1, READS_CALENDAR = 2, READS_OTHER = 4 };
struct node {
    enum node_op op;
    int a, b, c;          // operands; see the ops
    double value;         // NUMBER, HINGE; COLUMN: in place of a number that is missing
    char *text;           // IS_TEXT: the texts, one after the other with their 0
    size_t text_size;     // bytes of all
    int track;            // windows and since: whose history
    int lane;             // SUM, MEAN: which running total of the track
    int upper, lower;     // windows: edges of the track; lower -1 for `all`
    double prior, weight; // MEAN
    int level;            // runs after the tracks of the levels below it
    int reads;            // READS_..., 0 for a constant
};

// The char *text visits the texts of a node.
#define EACH_TEXT(node)                                                                            \
    for (char *text = (node)->text; text && text < (node)->text + (node)->text_size;               \
         text += strlen(text) + 1)

// A track is the history of all keys of one column: for each key its events' times and, per lane,
// the running total of one node's values. Tracks of level l are run after the nodes of level l.
struct track {
    int column; // schema column of kind key
    int level;
    int64_t *lanes; // node whose values are totalled
    size_t n_lanes;
    int64_t *edges; // as in window.h
    size_t n_edges;
    int64_t *windows; // the nodes that read it
    size_t n_windows;
    struct shape shape; // of its histories
};

struct label_lane { // a lane whose values depend on the label
    size_t track, lane;
};

struct plan_input { // a column of the feature table, an input of the model
    char *name;
    int node;
    size_t first; // input of its feature: of its definition; a flag is a feature of its own
};

struct plan_definition {
    char *name;
    char *expression;         // with what was fitted spelled out
    int node;                 // -1 for a onehot, which has no value of its own
    size_t input;             // its first
    int unfitted;             // schema column of a onehot without values yet, else -1
    double min_percent, most; // of the rows that have a value with an input; such values
    int64_t knots;            // that a hinges without any yet is to get, else 0
    int mistake;              // byte of the expression, where it could not be parsed
};

struct plan {
    struct schema schema;
    int64_t label_delay; // of a window over labels, at least; 0 unless from a config
    struct plan_definition *definitions; // in order
    size_t n_definitions;
    struct node *nodes;
    size_t n_nodes;
    struct track *tracks;
    size_t n_tracks;
    int n_levels;                   // 1 + the highest level of a node
    struct label_lane *label_lanes; // by track, then by lane
    size_t n_label_lanes;
    struct plan_input *inputs;
    size_t n_inputs;
};

// From [input] time_format, [columns], [features] and [split] label_delay.
int plan_from_config(struct plan *p, const struct config *config, struct err *err);
int plan_from_json(struct plan *p, const json_t *json, struct err *err);
// {"schema": ..., "features": [{"name", "expression"}, ...]}
json_t *plan_to_json(const struct plan *p);
void plan_release(struct plan *p);

// Changes when an expression or a column changes: a snapshot fits only the plan it was made by.
uint64_t plan_checksum(const struct plan *p);
// True if the input reads the calendar, as by hour(), and nothing else, so it differs from training in
// every period that is not made of whole weeks, or years.
bool plan_follows_calendar(const struct plan *p, size_t input);
// A warning for whoever runs the plan, or NULL.
const char *plan_warning(const struct plan *p);

struct plan_value { // of a category column
    const char *text;
    uint64_t rows; // of the training window that have it
};
// Spell out the values of a definition with unfitted >= 0, as docs/features.md says: onehot(column,
// "a", "b", *, "rare"), with inputs name[value] and name[*]. values: all of the column; sorted here.
// An error where nearly all are rare.
int plan_fit_onehot(const struct plan *p, struct plan_definition *d, struct plan_value *values,
                    size_t n, struct err *err);
// Spell out the knots of a definition with unfitted knots: quantiles of sample[n], sorted here.
void plan_fit_hinges(struct plan_definition *d, double *sample, size_t n);
// Parse all definitions again after fitting.
int plan_refit(struct plan *p, struct err *err);

// ---- between plan.c and parse.c ----

// Parse one of p->definitions, whose names may stand for columns and for the definitions before it.
// Sets its node and adds its inputs, or sets mistake.
int parse_definition(struct plan *p, struct plan_definition *d, struct err *err);

// Each returns the index of the node, which is added where it is not there yet; its text is the
// plan's from then on.
int plan_node(struct plan *p, struct node node);
// Operands that an op does not have are equal to the one before.
int plan_operation(struct plan *p, enum node_op op, int a, int b, int c);
struct window_spec {
    struct node node; // op, prior and weight are given
    int key_column;
    int lane_node;         // what is added up; -1 for COUNT and SINCE
    int64_t length, delay; // seconds; length 0 means `all`
    bool past;             // leave the current event out
};
int plan_window(struct plan *p, const struct window_spec *w);
// An input of the model, with a new name, which is the plan's from then on.
void plan_input(struct plan *p, char *name, int node, size_t first);

#endif
