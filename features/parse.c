// Recursive descent over one expression:
//
//     comparison := sum [(< | <= | > | >= | == | !=) sum]
//     sum        := product {(+ | -) product}
//     product    := factor {(* | /) factor}
//     factor     := - factor | number | name | function ( ... ) | ( comparison )
//
// Windows are parse_window.c's, onehot is parse_onehot.c's.
#include "features/parse.h"

#include "features/graph.h"
#include "features/parser.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

int parser_made(struct parser *ps, int index)
{
    return index < 0
               ? scan_fail(&ps->s, ps->s.at, "out of memory, or more than %d values in the plan",
                           GRAPH_MAX_NODES)
               : index;
}

// ---- names ----

static int unknown_name(struct parser *ps, const char *at, const char *name)
{
    const struct plan *p = ps->plan;
    size_t n = 0;
    const char **known = calloc(p->schema.n + ps->definition + 1, sizeof *known);
    char hint[128] = "";
    if (known) {
        for (size_t i = 0; i < p->schema.n; i++)
            known[n++] = p->schema.columns[i].name;
        for (size_t i = 0; i < ps->definition; i++)
            known[n++] = p->definitions[i].name;
        err_did_you_mean(hint, sizeof hint, name, known, n);
    }
    free(known);
    for (size_t i = ps->definition; i < p->n_definitions; i++)
        if (strcmp(p->definitions[i].name, name) == 0)
            return scan_fail(&ps->s, at,
                             "'%s' is defined here or below; a feature may use those above it",
                             name);
    return scan_fail(&ps->s, at, "unknown column or feature '%s'%s", name, hint);
}

static int column_value(struct parser *ps, const char *at, int column)
{
    const struct schema_column *c = &ps->plan->schema.columns[column];
    switch (c->kind) {
    case COLUMN_ID:
        return scan_fail(&ps->s, at, "'%s' is the id; it says nothing to a model", c->name);
    case COLUMN_KEY:
        return scan_fail(&ps->s, at,
                         "'%s' is a key: it can only be the first argument of count, sum, mean and "
                         "since",
                         c->name);
    case COLUMN_CATEGORY:
        return scan_fail(&ps->s, at, "'%s' is a category: write onehot(%s)", c->name, c->name);
    case COLUMN_LABEL:
        ps->label_at = at;
        break;
    case COLUMN_TIME:
    case COLUMN_NUMBER:
    case COLUMN_FEATURE:
        break;
    }
    return parser_made(
        ps, graph_node(ps->plan, (struct node){.op = NODE_COLUMN, .a = column, .b = -1}));
}

static int name_value(struct parser *ps, const char *at, const char *name)
{
    int column = schema_find(&ps->plan->schema, name);
    if (column >= 0)
        return column_value(ps, at, column);
    for (size_t i = 0; i < ps->definition; i++) {
        const struct plan_definition *d = &ps->plan->definitions[i];
        if (strcmp(d->name, name) != 0)
            continue;
        if (d->node < 0)
            return scan_fail(&ps->s, at, "'%s' is a onehot: it has several values, not one", name);
        if (ps->plan->nodes[d->node].labelled)
            ps->label_at = at;
        return d->node;
    }
    return unknown_name(ps, at, name);
}

// ---- functions ----

static int too_deep(struct parser *ps)
{
    return scan_fail(&ps->s, ps->s.at, "nested more than %d deep", MAX_DEPTH);
}

// hour and weekday read a time; others any number.
static int function_of_numbers(struct parser *ps, enum node_op op, int arity)
{
    struct node node = {.op = op, .b = -1};
    scan_space(&ps->s);
    const char *at = ps->s.at;
    node.a = parser_comparison(ps);
    if (node.a < 0)
        return -1;
    if (op == NODE_HOUR || op == NODE_WEEKDAY) {
        const struct node *a = &ps->plan->nodes[node.a];
        if (a->op != NODE_COLUMN || ps->plan->schema.columns[a->a].kind != COLUMN_TIME)
            return scan_fail(&ps->s, at, "hour and weekday take the time column");
    }
    if (arity == 2) {
        if (scan_expect(&ps->s, ",", "between two arguments"))
            return -1;
        node.b = parser_comparison(ps);
        if (node.b < 0)
            return -1;
    }
    if (scan_expect(&ps->s, ")", "at the end of the arguments"))
        return -1;
    return parser_made(ps, graph_node(ps->plan, node));
}

static const struct function {
    const char *name;
    enum node_op op;
    int arity; // 0: a window
} functions[] = {
    {"log1p", NODE_LOG1P, 1}, {"abs", NODE_ABS, 1},   {"min", NODE_MIN, 2},
    {"max", NODE_MAX, 2},     {"hour", NODE_HOUR, 1}, {"weekday", NODE_WEEKDAY, 1},
    {"count", NODE_COUNT, 0}, {"sum", NODE_SUM, 0},   {"mean", NODE_MEAN, 0},
    {"since", NODE_SINCE, 0},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

static int function(struct parser *ps, const char *at, const char *name)
{
    const char *names[N_FUNCTIONS];
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        names[i] = functions[i].name;
        if (strcmp(name, names[i]) != 0)
            continue;
        return functions[i].arity ? function_of_numbers(ps, functions[i].op, functions[i].arity)
                                  : parser_window(ps, functions[i].op, name);
    }
    if (strcmp(name, "onehot") == 0)
        return scan_fail(&ps->s, at,
                         "onehot makes several features: it must be the whole expression");
    char hint[128];
    return scan_fail(&ps->s, at, "unknown function '%s'%s", name,
                     err_did_you_mean(hint, sizeof hint, name, names, N_FUNCTIONS));
}

// ---- operators ----

static int factor(struct parser *ps);

static int negation(struct parser *ps)
{
    if (++ps->depth > MAX_DEPTH)
        return too_deep(ps);
    int a = factor(ps);
    ps->depth--;
    return a < 0 ? -1
                 : parser_made(
                       ps, graph_node(ps->plan, (struct node){.op = NODE_NEG, .a = a, .b = -1}));
}

static int factor(struct parser *ps)
{
    char name[SCAN_NAME];
    if (scan_take(&ps->s, "-"))
        return negation(ps);
    if (scan_take(&ps->s, "(")) {
        int a = parser_comparison(ps);
        return a < 0 || scan_expect(&ps->s, ")", "at the end of the parentheses") ? -1 : a;
    }
    const char *at = scan_name(&ps->s, name);
    if (at)
        return scan_take(&ps->s, "(") ? function(ps, at, name) : name_value(ps, at, name);
    struct node number = {.op = NODE_NUMBER, .a = -1, .b = -1};
    if (!isdigit((unsigned char)*ps->s.at) && *ps->s.at != '.')
        return scan_fail(&ps->s, ps->s.at,
                         scan_is_letter(*ps->s.at) ? "a name has at most 63 characters"
                                                   : "a value is expected here");
    if (scan_number(&ps->s, &number.value))
        return -1;
    return parser_made(ps, graph_node(ps->plan, number));
}

static int binary(struct parser *ps, enum node_op op, int a, int (*operand)(struct parser *))
{
    int b = operand(ps);
    if (b < 0)
        return -1;
    return parser_made(ps, graph_node(ps->plan, (struct node){.op = op, .a = a, .b = b}));
}

static int product(struct parser *ps)
{
    int a = factor(ps);
    while (a >= 0) {
        if (scan_take(&ps->s, "*"))
            a = binary(ps, NODE_MUL, a, factor);
        else if (scan_take(&ps->s, "/"))
            a = binary(ps, NODE_DIV, a, factor);
        else
            break;
    }
    return a;
}

static int sum(struct parser *ps)
{
    int a = product(ps);
    while (a >= 0) {
        if (scan_take(&ps->s, "+"))
            a = binary(ps, NODE_ADD, a, product);
        else if (scan_take(&ps->s, "-"))
            a = binary(ps, NODE_SUB, a, product);
        else
            break;
    }
    return a;
}

static bool take_relation(struct parser *ps, enum node_op *op)
{
    static const struct {
        const char *word;
        enum node_op op;
    } relations[] = {{"<=", NODE_LE}, {">=", NODE_GE}, {"==", NODE_EQ},
                     {"!=", NODE_NE}, {"<", NODE_LT},  {">", NODE_GT}};
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++)
        if (scan_take(&ps->s, relations[i].word)) {
            *op = relations[i].op;
            return true;
        }
    return false;
}

int parser_comparison(struct parser *ps)
{
    if (++ps->depth > MAX_DEPTH)
        return too_deep(ps);
    int a = sum(ps);
    enum node_op op;
    if (a >= 0 && take_relation(ps, &op))
        a = binary(ps, op, a, sum);
    const char *at = ps->s.at;
    if (a >= 0 && take_relation(ps, &op))
        return scan_fail(&ps->s, at, "comparisons cannot be chained; use parentheses");
    ps->depth--;
    return a;
}

// ---- a definition ----

int parser_check_shadow(struct parser *ps, int column)
{
    const char *name = ps->plan->definitions[ps->definition].name;
    int shadowed = schema_find(&ps->plan->schema, name);
    if (shadowed < 0 || shadowed == column)
        return 0;
    return scan_fail(&ps->s, ps->s.text, "'%s' is a column already; give the feature another name",
                     name);
}

static int check_name(struct parser *ps, const char *name)
{
    char word[SCAN_NAME];
    struct scan s = {name, name, ps->s.e};
    if (scan_name(&s, word) != name || *s.at != '\0')
        return scan_fail(&ps->s, ps->s.text,
                         "a feature's name is letters, digits and _, 63 at most");
    for (size_t i = 0; i < ps->definition; i++)
        if (strcmp(ps->plan->definitions[i].name, name) == 0)
            return scan_fail(&ps->s, ps->s.text, "the feature '%s' is defined already", name);
    return 0;
}

// The column that a node is, where the feature table does not hold it under its name anyway.
static int number_column(const struct plan *p, int node)
{
    const struct node *n = &p->nodes[node];
    bool number = n->op == NODE_COLUMN && p->schema.columns[n->a].kind == COLUMN_NUMBER;
    return number ? n->a : -1;
}

int parse_definition(struct plan *p, size_t i, struct parse_error *e)
{
    struct plan_definition *d = &p->definitions[i];
    struct parser ps = {{d->expression, d->expression, e}, p, i, NULL, 0};
    char name[SCAN_NAME];
    if (check_name(&ps, d->name))
        return -1;
    d->node = -1;
    const char *at = scan_name(&ps.s, name);
    bool several = at && strcmp(name, "onehot") == 0 && scan_take(&ps.s, "(");
    if (!several)
        ps.s.at = ps.s.text;
    int result = several ? parser_onehot(&ps) : parser_comparison(&ps);
    if (result < 0)
        return -1;
    scan_space(&ps.s);
    if (*ps.s.at)
        return scan_fail(&ps.s, ps.s.at,
                         several ? "onehot must be the whole expression"
                                 : "an operator is expected here");
    if (several)
        return 0;
    const bool helper = d->name[0] == '_';
    if (p->nodes[result].labelled && !helper)
        return scan_fail(
            &ps.s, ps.label_at ? ps.label_at : ps.s.text,
            "the label is what the model predicts; it can only stand inside a window with "
            "a delay, like mean(key, label, 28d, delay=7d)");
    d->node = result;
    if (parser_check_shadow(&ps, number_column(p, result)))
        return -1;
    return helper ? 0 : parser_made(&ps, graph_input(p, d->name, result)) < 0 ? -1 : 0;
}
