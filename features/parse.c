// Recursive descent over one expression:
//
//     or         := and {or and}
//     and        := comparison {and comparison}
//     comparison := not comparison | sum [(< | <= | > | >= | == | !=) sum]
//     sum        := product {(+ | -) product}
//     product    := factor {(* | /) factor}
//     factor     := - factor | number | name | category (== | !=) text | function ( ... ) | ( or )
#include "features/words.h"

#include "base/memory.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DEPTH = 64, MAX_NODES = 4096 }; // only a hostile plan has more

// Operators by how tightly they bind, the loosest first.
enum { OR, AND, COMPARISON, SUM, PRODUCT, FACTOR };
// Returns the index of a node, or -1 with the error filled, as most functions here.
static int operation(struct parser *ps, int level);

// ---- columns and features ----

static int unknown_name(struct parser *ps, const char *at, const char *name)
{
    const struct plan *p = ps->plan;
    const char **known = xcalloc(p->schema.n + p->n_definitions, sizeof *known);
    size_t n = 0;
    for (size_t i = 0; i < p->schema.n; i++)
        known[n++] = p->schema.columns[i].name;
    for (const struct plan_definition *d = p->definitions; d < ps->definition; d++)
        known[n++] = d->name;
    fail(ps, at, "unknown column or feature '%s'%s", name, err_did_you_mean(name, known, n).text);
    free(known);
    return -1;
}

// NULL where there is none.
static const struct plan_definition *find_definition(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->n_definitions; i++)
        if (strcmp(p->definitions[i].name, name) == 0)
            return &p->definitions[i];
    return NULL;
}

// A node that is 1 where the category is one of the texts, which are the node's from now on.
static int text_node(struct parser *ps, int column, char *texts, size_t size)
{
    return plan_node(ps->plan, (struct node){.op = NODE_IS_TEXT,
                                             .a = column,
                                             .text = texts,
                                             .text_size = size,
                                             .reads = READS_OTHER});
}

// Behind a category's name: == or != and a text.
static int text_comparison(struct parser *ps, const char *at, int column)
{
    const char *name = ps->plan->schema.columns[column].name;
    const bool equal = take(ps, "==");
    if (!equal && !take(ps, "!="))
        return fail(ps, at,
                    "'%s' is a category: compare it with a text, %s == \"...\", or write "
                    "onehot(%s)",
                    name, name, name);
    char *text = take_text(ps);
    if (!text)
        return -1;
    const int node = text_node(ps, column, text, strlen(text) + 1);
    return equal ? node : plan_operation(ps->plan, NODE_NOT, node, node, node);
}

static int column_value(struct parser *ps, const char *at, int column)
{
    const struct schema_column *c = &ps->plan->schema.columns[column];
    if (c->kind == COLUMN_ID)
        return fail(ps, at, "'%s' is the id; it says nothing to a model", c->name);
    if (c->kind == COLUMN_KEY)
        return fail(ps, at, "'%s' is a key: only the first argument of a window is one", c->name);
    if (c->kind == COLUMN_CATEGORY)
        return text_comparison(ps, at, column);
    if (c->kind == COLUMN_LABEL)
        ps->label_at = at;
    const int reads = c->kind == COLUMN_LABEL ? READS_LABEL : READS_OTHER;
    return plan_node(ps->plan, (struct node){.op = NODE_COLUMN,
                                             .a = column,
                                             .value = isnan(c->fill) ? 0 : c->fill,
                                             .reads = reads});
}

static int name_value(struct parser *ps, const char *at, const char *name)
{
    const struct plan *p = ps->plan;
    const int column = schema_find(&p->schema, name);
    const struct plan_definition *d = find_definition(p, name);
    if (column >= 0)
        return column_value(ps, at, column);
    if (!d)
        return unknown_name(ps, at, name);
    if (d >= ps->definition)
        return fail(ps, at, "'%s' is defined here or below; a feature may use those above it",
                    name);
    if (d->node < 0)
        return fail(ps, at, "'%s' is a onehot: it has several values, not one", name);
    if (p->nodes[d->node].reads & READS_LABEL)
        ps->label_at = at;
    return d->node;
}

// ---- windows ----

// The key column that a window groups by.
static int key_argument(struct parser *ps, const char *function)
{
    char name[NAME];
    const char *at = take_name(ps, name);
    const struct plan *p = ps->plan;
    if (!at)
        return fail(ps, ps->at, "%s needs a key column first", function);
    const int column = schema_find(&p->schema, name);
    if (column < 0 && !find_definition(p, name))
        return unknown_name(ps, at, name);
    if (column < 0 || p->schema.columns[column].kind != COLUMN_KEY)
        return fail(ps, at, "'%s' is not a key column; %s groups by one", name, function);
    return column;
}

enum option { PAST, DELAY, PRIOR, WEIGHT, N_OPTIONS };

// given[option]: the option has been read already.
static int window_option(struct parser *ps, struct window_spec *w, bool given[N_OPTIONS])
{
    static const char *const names[] = {"past", "delay", "prior", "weight"};
    char name[NAME];
    const char *at = take_name(ps, name);
    if (!at)
        return fail(ps, ps->at, "past, delay=, prior= or weight= is expected here");
    int option = 0;
    while (option < N_OPTIONS && strcmp(name, names[option]) != 0)
        option++;
    if (option == N_OPTIONS)
        return fail(ps, at, "unknown option '%s'%s", name,
                    err_did_you_mean(name, names, N_OPTIONS).text);
    if (option >= PRIOR && w->node.op != NODE_MEAN)
        return fail(ps, at, "only mean takes %s=", name);
    if (given[option])
        return fail(ps, at, "%s stands here twice", name);
    given[option] = true;
    w->past = given[PAST];
    if (option == PAST)
        return 0;
    if (expect(ps, "=", "behind the option's name"))
        return -1;
    if (option == DELAY)
        return take_duration(ps, &w->delay);
    return option == WEIGHT ? take_number(ps, &w->node.weight) : take_signed(ps, &w->node.prior);
}

static int window_arguments(struct parser *ps, struct window_spec *w)
{
    bool given[N_OPTIONS] = {false};
    char name[NAME];
    if (expect(ps, ",", "before the window"))
        return -1;
    const char *at = take_name(ps, name);
    if (at && strcmp(name, "all") != 0)
        return fail(ps, at, "a window is expected here: 30s, 15m, 12h, 7d or all");
    if (!at && take_duration(ps, &w->length))
        return -1;
    while (take(ps, ","))
        if (window_option(ps, w, given))
            return -1;
    if (given[PRIOR] != given[WEIGHT])
        return fail(ps, ps->at, "prior= and weight= go together");
    return 0;
}

// Behind "count(", "sum(", "mean(" or "since(".
static int window(struct parser *ps, enum node_op op, const char *function)
{
    struct window_spec w = {.node.op = op, .lane_node = -1};
    const char *label_before = ps->label_at;
    w.key_column = key_argument(ps, function);
    if (w.key_column < 0)
        return -1;
    if (op == NODE_SUM || op == NODE_MEAN) {
        w.lane_node = expect(ps, ",", "before what is added up") ? -1 : operation(ps, OR);
        if (w.lane_node < 0)
            return -1;
    }
    if ((op != NODE_SINCE && window_arguments(ps, &w)) ||
        expect(ps, ")", "at the end of the window"))
        return -1;
    if (w.lane_node >= 0 && ps->plan->nodes[w.lane_node].reads & READS_LABEL &&
        (w.delay == 0 || w.delay < ps->plan->label_delay))
        return fail(
            ps, ps->label_at,
            "the label is not known yet when a transaction is scored; use it in a window "
            "whose delay is [split] label_delay (7d if not set) or more, like mean(key, label, "
            "28d, delay=7d)");
    ps->label_at = label_before;
    return plan_window(ps->plan, &w);
}

// ---- functions and operators ----

static const struct function {
    const char *name;
    enum node_op op;
    size_t n; // arguments; 0: see window()
} functions[] = {
    {"abs", NODE_ABS, 1},     {"floor", NODE_FLOOR, 1},     {"sqrt", NODE_SQRT, 1},
    {"exp", NODE_EXP, 1},     {"log", NODE_LOG, 1},         {"log1p", NODE_LOG1P, 1},
    {"sin", NODE_SIN, 1},     {"cos", NODE_COS, 1},         {"pow", NODE_POW, 2},
    {"if", NODE_IF, 3},       {"min", NODE_MIN, 2}, // min and max take more, too
    {"max", NODE_MAX, 2},     {"minute", NODE_MINUTE, 1},   {"hour", NODE_HOUR, 1},
    {"day", NODE_DAY, 1},     {"weekday", NODE_WEEKDAY, 1}, {"month", NODE_MONTH, 1},
    {"count", NODE_COUNT, 0}, {"sum", NODE_SUM, 0},         {"mean", NODE_MEAN, 0},
    {"since", NODE_SINCE, 0},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

// Behind the name and "(".
static int call(struct parser *ps, const struct function *f)
{
    struct plan *p = ps->plan;
    const bool any = f->op == NODE_MIN || f->op == NODE_MAX;
    int a[3];
    size_t n = 0;
    skip_space(ps);
    const char *at = ps->at;
    do {
        if (n > 0 && expect(ps, ",", "between two arguments"))
            return -1;
        const int node = operation(ps, OR);
        if (node < 0)
            return -1;
        if (any && n == 2) {
            a[0] = plan_operation(p, f->op, a[0], a[1], a[1]);
            n = 1;
        }
        a[n++] = node;
        skip_space(ps);
    } while (n < f->n || (any && *ps->at == ','));
    const struct node *x = &p->nodes[a[0]];
    const bool is_time = x->op == NODE_COLUMN && p->schema.columns[x->a].kind == COLUMN_TIME;
    if (f->op >= NODE_MINUTE && !is_time)
        return fail(ps, at, "%s takes the time column", f->name);
    if (expect(ps, ")", "at the end of the arguments"))
        return -1;
    return plan_operation(p, f->op, a[0], a[n > 1], a[n - 1]);
}

static int function(struct parser *ps, const char *at, const char *name)
{
    const char *names[N_FUNCTIONS];
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        names[i] = functions[i].name;
        if (strcmp(name, names[i]) == 0)
            return functions[i].n ? call(ps, &functions[i]) : window(ps, functions[i].op, name);
    }
    if (strcmp(name, "onehot") == 0 || strcmp(name, "hinges") == 0)
        return fail(ps, at, "%s makes several features: it must be the whole expression", name);
    return fail(ps, at, "unknown function '%s'%s", name,
                err_did_you_mean(name, names, N_FUNCTIONS).text);
}

static int factor(struct parser *ps);

// All recursion passes through here.
static int nested(struct parser *ps, int level)
{
    if (ps->plan->n_nodes > MAX_NODES)
        return fail(ps, ps->at, "more than %d values in the plan", MAX_NODES);
    if (++ps->depth > MAX_DEPTH)
        return fail(ps, ps->at, "nested more than %d deep", MAX_DEPTH);
    const int node = level == FACTOR ? factor(ps) : operation(ps, level);
    ps->depth--;
    return node;
}

// Behind "-" or "not".
static int negation(struct parser *ps, enum node_op op, int level)
{
    const int a = nested(ps, level);
    return a < 0 ? -1 : plan_operation(ps->plan, op, a, a, a);
}

static int factor(struct parser *ps)
{
    char name[NAME];
    struct node number = {.op = NODE_NUMBER};
    if (take(ps, "-"))
        return negation(ps, NODE_NEG, FACTOR);
    if (take(ps, "(")) {
        int a = operation(ps, OR);
        return a < 0 || expect(ps, ")", "at the end of the parentheses") ? -1 : a;
    }
    const char *at = take_name(ps, name);
    if (at)
        return take(ps, "(") ? function(ps, at, name) : name_value(ps, at, name);
    if (is_letter(*ps->at))
        return fail(ps, ps->at, "a name has at most 63 characters");
    return take_number(ps, &number.value) ? -1 : plan_node(ps->plan, number);
}

static bool take_operator(struct parser *ps, int level, enum node_op *op)
{
    static const struct {
        const char *word;
        enum node_op op;
        int level;
    } operators[] = {
        {"<=", NODE_LE, COMPARISON}, {">=", NODE_GE, COMPARISON}, {"==", NODE_EQ, COMPARISON},
        {"!=", NODE_NE, COMPARISON}, {"<", NODE_LT, COMPARISON},  {">", NODE_GT, COMPARISON},
        {"+", NODE_ADD, SUM},        {"-", NODE_SUB, SUM},        {"*", NODE_MUL, PRODUCT},
        {"/", NODE_DIV, PRODUCT},    {"or", NODE_OR, OR},         {"and", NODE_AND, AND},
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].level == level && take(ps, operators[i].word)) {
            *op = operators[i].op;
            return true;
        }
    return false;
}

// Operands and the operators of a level between them, grouped from the left.
static int operation(struct parser *ps, int level)
{
    if (level == FACTOR)
        return nested(ps, FACTOR);
    if (level == COMPARISON && take(ps, "not"))
        return negation(ps, NODE_NOT, COMPARISON);
    int a = operation(ps, level + 1);
    enum node_op op;
    const char *at = ps->at;
    for (int n = 0; a >= 0 && take_operator(ps, level, &op); n++, at = ps->at) {
        if (level == COMPARISON && n > 0)
            return fail(ps, at, "comparisons cannot be chained; use parentheses");
        const int b = operation(ps, level + 1);
        a = b < 0 ? -1 : plan_operation(ps->plan, op, a, b, b);
    }
    return a;
}

// ---- the definition as a whole ----

// A name must not mean two things: a feature named like a column must be that column (-1: none).
static int check_shadow(struct parser *ps, int column)
{
    const char *name = ps->definition->name;
    const int shadowed = schema_find(&ps->plan->schema, name);
    if (shadowed < 0 || shadowed == column)
        return 0;
    return fail(ps, ps->text, "'%s' is a column already; give the feature another name", name);
}

// The definition's own value, unless it is a helper, becomes an input.
static int add_value(struct parser *ps, int node)
{
    struct plan *p = ps->plan;
    struct plan_definition *d = ps->definition;
    const struct node *n = &p->nodes[node];
    const bool helper = d->name[0] == '_',
               number = n->op == NODE_COLUMN && p->schema.columns[n->a].kind == COLUMN_NUMBER;
    if (n->reads & READS_LABEL && !helper)
        return fail(ps, ps->label_at ? ps->label_at : ps->text,
                    "the label is what the model predicts; it can only stand inside a window with "
                    "a delay, like mean(key, label, 28d, delay=7d)");
    d->node = node;
    // The feature table does not copy numbers, so a feature may have the name of the number it is.
    if (check_shadow(ps, number ? n->a : -1))
        return -1;
    if (!helper)
        plan_input(p, d->name, node);
    return 0;
}

// ---- onehot and hinges: several inputs, name[value] ----

// value NULL: *. Bytes that the name of a file should not have become %XX, for inputs become files.
static int add_input(struct parser *ps, const char *at, const char *value, int node)
{
    struct plan *p = ps->plan;
    char name[NAME + 3 * PLAN_TEXT + 3], *end = name + sprintf(name, "%s[", ps->definition->name);
    for (; value && *value; value++) {
        bool plain = isalnum((unsigned char)*value) || strchr("_-+.", *value);
        end += sprintf(end, plain ? "%c" : "%%%02X", (unsigned char)*value);
    }
    stpcpy(end, value ? "]" : "*]");
    if (p->n_nodes > MAX_NODES)
        return fail(ps, at, "more than %d values in the plan", MAX_NODES);
    for (size_t i = 0; i < p->n_inputs; i++)
        if (strcmp(p->inputs[i].name, name) == 0)
            return fail(ps, at, "the value stands here twice");
    plan_input(p, name, node);
    return 0;
}

// min=1% or max=32, which are for a onehot that is not fitted yet.
static int onehot_option(struct parser *ps, const char *at, const char *name)
{
    struct plan_definition *d = ps->definition;
    const bool min = strcmp(name, "min") == 0;
    double x;
    if (!min && strcmp(name, "max") != 0)
        return fail(ps, at, "a text in double quotes is expected here, or min=1%% or max=32");
    if (d->unfitted < 0)
        return fail(ps, at, "%s= is for a onehot without values, which training finds", name);
    if (expect(ps, "=", "behind the option's name") || take_number(ps, &x))
        return -1;
    if (min ? !take(ps, "%") || x > 100 : x < 1 || x > 255 || x != (int)x)
        return fail(ps, at, "min is a share of rows, like 1%%, and max a whole number to 255");
    *(min ? &d->min_share : &d->most) = min ? x / 100 : x;
    return 0;
}

// The texts behind "*": an input that is 1 for any of them. Without texts there is none.
static int rare_values(struct parser *ps, int column)
{
    const char *at = ps->at;
    char *texts = NULL, *text;
    size_t size = 0, capacity = 0, n;
    for (; take(ps, ","); free(text), size += n) {
        text = take_text(ps);
        n = text ? strlen(text) + 1 : 0;
        if (!text) {
            free(texts);
            return -1;
        }
        ARRAY_GROW(texts, size + n, capacity);
        memcpy(texts + size, text, n);
    }
    return size ? add_input(ps, at, NULL, text_node(ps, column, texts, size)) : 0;
}

// A value with an input of its own. Returns the node.
static int onehot_value(struct parser *ps, int column)
{
    skip_space(ps);
    const char *at = ps->at;
    char *text = take_text(ps);
    if (!text)
        return -1;
    const size_t n = strlen(text);
    if (n > PLAN_TEXT) {
        free(text);
        return fail(ps, at, "a value with an input has at most %d bytes", PLAN_TEXT);
    }
    const int node = text_node(ps, column, text, n + 1);
    return add_input(ps, at, ps->plan->nodes[node].text, node) ? -1 : node;
}

// Behind "onehot(". Without values it is not fitted yet and makes no input.
static int onehot(struct parser *ps)
{
    struct plan *p = ps->plan;
    struct plan_definition *d = ps->definition;
    char name[NAME];
    const char *at = take_name(ps, name);
    const int column = at ? schema_find(&p->schema, name) : -1;
    bool others = true; // without *, as before there was a list of rare values, [*] is all others
    if (column < 0 || p->schema.columns[column].kind != COLUMN_CATEGORY)
        return fail(ps, at ? at : ps->at, "onehot takes a category column");
    if (check_shadow(ps, column))
        return -1;
    const int zero = plan_node(p, (struct node){.op = NODE_NUMBER});
    int seen = zero; // the sum of the values' nodes
    d->unfitted = column;
    while (others && take(ps, ",")) {
        if ((at = take_name(ps, name))) {
            if (onehot_option(ps, at, name))
                return -1;
            continue;
        }
        d->unfitted = -1;
        others = !take(ps, "*");
        const int node = others ? onehot_value(ps, column) : rare_values(ps, column);
        if (node < 0)
            return -1;
        seen = others ? plan_operation(p, NODE_ADD, seen, node, node) : seen;
    }
    at = ps->at;
    if (expect(ps, ")", "at the end of onehot"))
        return -1;
    return d->unfitted >= 0 || !others
               ? 0
               : add_input(ps, at, NULL, plan_operation(p, NODE_EQ, seen, zero, zero));
}

// A knot, or how many knots there are to be: a whole number that is alone.
static int hinge(struct parser *ps, int node, bool alone)
{
    struct plan *p = ps->plan;
    char text[32];
    skip_space(ps);
    const char *at = ps->at;
    struct node h = {.op = NODE_HINGE, .a = node, .b = node, .c = node};
    if (take_signed(ps, &h.value))
        return -1;
    const bool whole = strspn(at, "0123456789") == (size_t)(ps->at - at);
    skip_space(ps);
    if (alone && whole && *ps->at == ')') {
        if (h.value < 1 || h.value > 64)
            return fail(ps, at, "there can be 1 to 64 knots; write a knot that is alone as 20.0");
        ps->definition->knots = (int64_t)h.value;
        return 0;
    }
    h.level = p->nodes[node].level;
    h.reads = p->nodes[node].reads;
    snprintf(text, sizeof text, "%.9g", h.value);
    return add_input(ps, at, text, plan_node(p, h));
}

// Behind "hinges(": x, and behind its knots max(x - knot, 0). Its name stands for x elsewhere.
static int hinges(struct parser *ps)
{
    const int node = operation(ps, OR);
    if (node < 0 || add_value(ps, node))
        return -1;
    for (bool first = true; take(ps, ","); first = false)
        if (hinge(ps, node, first))
            return -1;
    return expect(ps, ")", "at the end of hinges");
}

int parse_definition(struct plan *p, struct plan_definition *d, struct err *err)
{
    struct parser ps = {
        .text = d->expression, .at = d->expression, .plan = p, .definition = d, .err = err};
    char name[NAME];
    d->node = d->unfitted = -1;
    d->input = p->n_inputs;
    d->knots = 0;
    d->min_share = 0.01;
    d->most = 32;
    if (!schema_is_name(d->name))
        return fail(&ps, ps.text, "a feature's name is letters, digits and _, 63 at most");
    if (find_definition(p, d->name) < d)
        return fail(&ps, ps.text, "the feature '%s' is defined already", d->name);
    const char *at = take_name(&ps, name);
    const bool is_onehot = at && strcmp(name, "onehot") == 0 && take(&ps, "("),
               is_hinges = at && strcmp(name, "hinges") == 0 && take(&ps, "("),
               several = is_onehot || is_hinges;
    if (several && d->name[0] == '_')
        return fail(&ps, ps.text, "%s cannot be a helper: give it a name without _", name);
    if (!several)
        ps.at = ps.text;
    const int result = is_onehot ? onehot(&ps) : is_hinges ? hinges(&ps) : operation(&ps, OR);
    if (result < 0)
        return -1;
    skip_space(&ps);
    if (*ps.at && several)
        return fail(&ps, ps.at, "%s must be the whole expression", name);
    if (*ps.at)
        return fail(&ps, ps.at, "an operator is expected here");
    return several ? 0 : add_value(&ps, result);
}
