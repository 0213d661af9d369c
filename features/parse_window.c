// Windows: a key, for sum and mean an expression, a length, options; and the rule about the label.
#include "features/parser.h"

#include "features/graph.h"

#include <string.h>

// The key column that a window groups by.
static int key_argument(struct parser *ps, const char *function)
{
    char name[SCAN_NAME];
    const char *at = scan_name(&ps->s, name);
    const struct schema *s = &ps->plan->schema;
    if (!at)
        return scan_fail(&ps->s, ps->s.at, "%s needs a key column first", function);
    int column = schema_find(s, name);
    if (column >= 0 && s->columns[column].kind == COLUMN_KEY)
        return column;
    const char *keys[16];
    size_t n = 0;
    for (size_t i = 0; i < s->n && n < 16; i++)
        if (s->columns[i].kind == COLUMN_KEY)
            keys[n++] = s->columns[i].name;
    char hint[128];
    return scan_fail(&ps->s, at, "'%s' is not a key column; %s groups by one%s", name, function,
                     err_did_you_mean(hint, sizeof hint, name, keys, n));
}

// The number of prior= or weight=; only a prior may be negative.
static int smoothing_option(struct parser *ps, double *value, bool may_be_negative)
{
    bool negative = may_be_negative && scan_take(&ps->s, "-");
    if (scan_number(&ps->s, value))
        return -1;
    if (negative)
        *value = -*value;
    return 0;
}

enum option { PAST, DELAY, PRIOR, WEIGHT, N_WINDOW_OPTIONS };

// given[option]: whether it stood there already.
static int window_option(struct parser *ps, struct window_spec *w, bool given[N_WINDOW_OPTIONS])
{
    static const char *const names[] = {"past", "delay", "prior", "weight"};
    char name[SCAN_NAME], hint[128];
    const char *at = scan_name(&ps->s, name);
    if (!at)
        return scan_fail(&ps->s, ps->s.at, "past, delay=, prior= or weight= is expected here");
    int option = 0;
    while (option < N_WINDOW_OPTIONS && strcmp(name, names[option]) != 0)
        option++;
    if (option == N_WINDOW_OPTIONS)
        return scan_fail(&ps->s, at, "unknown option '%s'%s", name,
                         err_did_you_mean(hint, sizeof hint, name, names, N_WINDOW_OPTIONS));
    if (option >= PRIOR && w->op != NODE_MEAN)
        return scan_fail(&ps->s, at, "only mean takes %s=", name);
    if (given[option])
        return scan_fail(&ps->s, at, "%s stands here twice", name);
    given[option] = true;
    if (option == PAST) {
        w->past = true;
        return 0;
    }
    if (scan_expect(&ps->s, "=", "behind the option's name"))
        return -1;
    if (option == DELAY)
        return scan_duration(&ps->s, &w->delay);
    return smoothing_option(ps, option == PRIOR ? &w->prior : &w->weight, option == PRIOR);
}

static int window_options(struct parser *ps, struct window_spec *w)
{
    bool given[N_WINDOW_OPTIONS] = {false};
    while (scan_take(&ps->s, ","))
        if (window_option(ps, w, given))
            return -1;
    if (given[PRIOR] != given[WEIGHT])
        return scan_fail(&ps->s, ps->s.at, "prior= and weight= go together");
    return 0;
}

static int window_length(struct parser *ps, struct window_spec *w)
{
    char name[SCAN_NAME];
    const char *at = scan_name(&ps->s, name);
    if (at && strcmp(name, "all") == 0)
        return 0;
    if (at)
        return scan_fail(&ps->s, at, "a window is expected here: 30s, 15m, 12h, 7d or all");
    return scan_duration(&ps->s, &w->length);
}

int parser_window(struct parser *ps, enum node_op op, const char *function)
{
    struct window_spec w = {.op = op, .lane_node = -1};
    w.key_column = key_argument(ps, function);
    if (w.key_column < 0)
        return -1;
    const char *label_before = ps->label_at;
    if (op == NODE_SUM || op == NODE_MEAN) {
        if (scan_expect(&ps->s, ",", "before what is added up"))
            return -1;
        w.lane_node = parser_comparison(ps);
        if (w.lane_node < 0)
            return -1;
    }
    if (op != NODE_SINCE) {
        if (scan_expect(&ps->s, ",", "before the window") || window_length(ps, &w) ||
            window_options(ps, &w))
            return -1;
    }
    if (scan_expect(&ps->s, ")", "at the end of the window"))
        return -1;
    if (w.lane_node >= 0 && ps->plan->nodes[w.lane_node].labelled && w.delay == 0)
        return scan_fail(
            &ps->s, ps->label_at,
            "the label is not known yet when a transaction is scored; use it in a window "
            "with a delay, like mean(key, label, 28d, delay=7d)");
    ps->label_at = label_before;
    return parser_made(ps, graph_window(ps->plan, &w));
}
