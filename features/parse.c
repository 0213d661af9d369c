// Recursive descent over one expression:
//
//     comparison := sum [(< | <= | > | >= | == | !=) sum]
//     sum        := product {(+ | -) product}
//     product    := factor {(* | /) factor}
//     factor     := - factor | number | name | function ( ... ) | ( comparison )
#include "features/plan.h"

#include "base/memory.h"
#include "base/value.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DEPTH = 64, MAX_NODES = 4096 }; // only a hostile plan has more
enum { NAME = 64 };                        // room for a name with its 0

// The int functions return the index of a node, or 0, or -1 with the error filled.
struct parser {
    const char *text, *at;
    struct plan *plan;
    struct plan_definition *definition;
    const char *label_at; // where the label stood last
    int depth;
    struct err *err;
};

// Operators by how tightly they bind, the loosest first.
enum { COMPARISON, SUM, PRODUCT, FACTOR };
static int operation(struct parser *ps, int level);

// Set the message and the place of the mistake; -1.
#define fail(ps, place, ...)                                                                       \
    ((ps)->definition->mistake = (int)((place) - (ps)->text), err_set((ps)->err, __VA_ARGS__))

// ---- words: each is preceded by blanks, and is passed only where it stands there ----

static void skip_space(struct parser *ps)
{
    ps->at += strspn(ps->at, " \t");
}

static bool take(struct parser *ps, const char *word)
{
    skip_space(ps);
    size_t n = strlen(word);
    if (strncmp(ps->at, word, n) != 0)
        return false;
    ps->at += n;
    return true;
}

// where completes the message "'word' is missing ...".
static int expect(struct parser *ps, const char *word, const char *where)
{
    return take(ps, word) ? 0 : fail(ps, ps->at, "'%s' is missing %s", word, where);
}

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

// Returns its start in the text, or NULL where no name stands here.
static const char *take_name(struct parser *ps, char name[NAME])
{
    skip_space(ps);
    const char *start = ps->at, *end = start;
    while (is_letter(*end) || (end > start && isdigit((unsigned char)*end)))
        end++;
    if (end == start || end - start >= NAME)
        return NULL;
    memcpy(name, start, (size_t)(end - start));
    name[end - start] = '\0';
    ps->at = end;
    return start;
}

static int take_number(struct parser *ps, double *value)
{
    skip_space(ps);
    char *end;
    if (!isdigit((unsigned char)*ps->at) && *ps->at != '.')
        return fail(ps, ps->at, "a value is expected here");
    *value = strtod(ps->at, &end); // no program here calls setlocale, so this is the C locale
    size_t n = strspn(ps->at, "0123456789.");
    if (end > ps->at + n)
        n = (size_t)(end - ps->at); // with an exponent
    if (end != ps->at + n || strspn(ps->at, "0123456789.eE+-") < n || !isfinite(*value))
        return fail(ps, ps->at, "'%.*s' is not a number", (int)n, ps->at);
    if (is_letter(*end))
        return fail(ps, ps->at, "a number has no unit here; only windows and delays do, like 7d");
    ps->at = end;
    return 0;
}

static int take_duration(struct parser *ps, int64_t *seconds)
{
    skip_space(ps);
    const char *end = duration_parse(ps->at, seconds);
    if (!end || is_letter(*end) || isdigit((unsigned char)*end))
        return fail(ps, ps->at,
                    "a length of time is expected here, like 30s, 15m, 12h or 7d, 36500d at most");
    if (*seconds == 0)
        return fail(ps, ps->at, "a length of time is 1s at least");
    ps->at = end;
    return 0;
}

// "text" in UTF-8 with \" and \\ inside.
static int take_text(struct parser *ps, char text[PLAN_TEXT + 1])
{
    const char *start = ps->at;
    size_t n = 0;
    if (!take(ps, "\""))
        return fail(ps, ps->at, "a value in double quotes is expected here");
    for (; *ps->at && *ps->at != '"'; ps->at++) {
        if (*ps->at == '\\' && (ps->at[1] == '"' || ps->at[1] == '\\'))
            ps->at++;
        if (n == PLAN_TEXT)
            return fail(ps, start, "a value in quotes has at most %d bytes", PLAN_TEXT);
        text[n++] = *ps->at;
    }
    text[n] = '\0';
    if (!value_utf8(text, n))
        return fail(ps, start, "the value is not UTF-8");
    return expect(ps, "\"", "behind the value");
}

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

static int column_value(struct parser *ps, const char *at, int column)
{
    const struct schema_column *c = &ps->plan->schema.columns[column];
    if (c->kind == COLUMN_ID)
        return fail(ps, at, "'%s' is the id; it says nothing to a model", c->name);
    if (c->kind == COLUMN_KEY)
        return fail(ps, at, "'%s' is a key: only the first argument of a window is one", c->name);
    if (c->kind == COLUMN_CATEGORY)
        return fail(ps, at, "'%s' is a category: write onehot(%s)", c->name, c->name);
    if (c->kind == COLUMN_LABEL)
        ps->label_at = at;
    const int reads = c->kind == COLUMN_LABEL ? READS_LABEL : READS_OTHER;
    return plan_node(ps->plan, (struct node){.op = NODE_COLUMN, .a = column, .reads = reads});
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
    if (option == WEIGHT)
        return take_number(ps, &w->node.weight);
    const double sign = take(ps, "-") ? -1 : 1;
    int rc = take_number(ps, &w->node.prior);
    w->node.prior *= sign;
    return rc;
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
        w.lane_node = expect(ps, ",", "before what is added up") ? -1 : operation(ps, COMPARISON);
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

// min and max have two arguments; hour and weekday read a time, the others any number.
static int function_of_numbers(struct parser *ps, enum node_op op)
{
    skip_space(ps);
    const char *at = ps->at;
    const int a = operation(ps, COMPARISON);
    int b = a;
    if (a < 0)
        return -1;
    const struct node *x = &ps->plan->nodes[a];
    const bool is_time = x->op == NODE_COLUMN && ps->plan->schema.columns[x->a].kind == COLUMN_TIME;
    if ((op == NODE_HOUR || op == NODE_WEEKDAY) && !is_time)
        return fail(ps, at, "hour and weekday take the time column");
    if (op == NODE_MIN || op == NODE_MAX)
        b = expect(ps, ",", "between two arguments") ? -1 : operation(ps, COMPARISON);
    if (b < 0 || expect(ps, ")", "at the end of the arguments"))
        return -1;
    return plan_operation(ps->plan, op, a, b);
}

static int function(struct parser *ps, const char *at, const char *name)
{
    static const char *const names[] = {"log1p",   "abs",   "min", "max",  "hour",
                                        "weekday", "count", "sum", "mean", "since"};
    static const enum node_op ops[] = {NODE_LOG1P,   NODE_ABS,   NODE_MIN, NODE_MAX,  NODE_HOUR,
                                       NODE_WEEKDAY, NODE_COUNT, NODE_SUM, NODE_MEAN, NODE_SINCE};
    enum { N_FUNCTIONS = sizeof ops / sizeof *ops };
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (strcmp(name, names[i]) == 0)
            return ops[i] < NODE_COUNT ? function_of_numbers(ps, ops[i]) : window(ps, ops[i], name);
    if (strcmp(name, "onehot") == 0)
        return fail(ps, at, "onehot makes several features: it must be the whole expression");
    return fail(ps, at, "unknown function '%s'%s", name,
                err_did_you_mean(name, names, N_FUNCTIONS).text);
}

static int factor(struct parser *ps);

static int inside_factor(struct parser *ps)
{
    char name[NAME];
    struct node number = {.op = NODE_NUMBER};
    if (take(ps, "-")) {
        int a = factor(ps);
        return a < 0 ? -1 : plan_operation(ps->plan, NODE_NEG, a, a);
    }
    if (take(ps, "(")) {
        int a = operation(ps, COMPARISON);
        return a < 0 || expect(ps, ")", "at the end of the parentheses") ? -1 : a;
    }
    const char *at = take_name(ps, name);
    if (at)
        return take(ps, "(") ? function(ps, at, name) : name_value(ps, at, name);
    if (is_letter(*ps->at))
        return fail(ps, ps->at, "a name has at most 63 characters");
    return take_number(ps, &number.value) ? -1 : plan_node(ps->plan, number);
}

// All recursion passes through here.
static int factor(struct parser *ps)
{
    if (ps->plan->n_nodes > MAX_NODES)
        return fail(ps, ps->at, "more than %d values in the plan", MAX_NODES);
    if (++ps->depth > MAX_DEPTH)
        return fail(ps, ps->at, "nested more than %d deep", MAX_DEPTH);
    const int node = inside_factor(ps);
    ps->depth--;
    return node;
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
        {"/", NODE_DIV, PRODUCT},
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
        return factor(ps);
    int a = operation(ps, level + 1);
    enum node_op op;
    const char *at = ps->at;
    for (int n = 0; a >= 0 && take_operator(ps, level, &op); n++, at = ps->at) {
        if (level == COMPARISON && n > 0)
            return fail(ps, at, "comparisons cannot be chained; use parentheses");
        const int b = operation(ps, level + 1);
        a = b < 0 ? -1 : plan_operation(ps->plan, op, a, b);
    }
    return a;
}

// ---- onehot: several inputs from one category, each 1 where the event has that value ----

enum { INPUT_NAME = 3 * PLAN_TEXT + NAME + 3 }; // name[value], each byte of the value as %XX

// Bytes that the name of a file should not have become %XX, for inputs become files.
static void input_name(char *buf, const char *name, const char *value)
{
    buf += sprintf(buf, "%s[", name);
    for (; *value; value++) {
        bool plain = isalnum((unsigned char)*value) || strchr("_-+.", *value);
        buf += sprintf(buf, plain ? "%c" : "%%%02X", (unsigned char)*value);
    }
    stpcpy(buf, "]");
}

// A node that is 1 where the event has the value that stands here; an input of its own.
static int onehot_value(struct parser *ps, int column)
{
    char name[INPUT_NAME];
    struct node is_text = {.op = NODE_IS_TEXT, .a = column, .reads = READS_OTHER};
    struct plan *p = ps->plan;
    const char *at = ps->at;
    if (take_text(ps, is_text.text))
        return -1;
    if (p->n_nodes > MAX_NODES)
        return fail(ps, at, "more than %d values in the plan", MAX_NODES);
    input_name(name, ps->definition->name, is_text.text);
    for (size_t i = 0; i < p->n_inputs; i++)
        if (strcmp(p->inputs[i].name, name) == 0)
            return fail(ps, at, "the value stands here twice");
    const int node = plan_node(p, is_text);
    plan_input(p, name, node);
    return node;
}

// A name must not mean two things: a feature named like a column must be that column (-1: none).
static int check_shadow(struct parser *ps, int column)
{
    const char *name = ps->definition->name;
    const int shadowed = schema_find(&ps->plan->schema, name);
    if (shadowed < 0 || shadowed == column)
        return 0;
    return fail(ps, ps->text, "'%s' is a column already; give the feature another name", name);
}

// Behind "onehot(". Without values it is not fitted yet and makes no input.
static int onehot(struct parser *ps)
{
    struct plan *p = ps->plan;
    struct plan_definition *d = ps->definition;
    char name[NAME], rest[INPUT_NAME];
    const char *at = take_name(ps, name);
    const int column = at ? schema_find(&p->schema, name) : -1;
    if (column < 0 || p->schema.columns[column].kind != COLUMN_CATEGORY)
        return fail(ps, at ? at : ps->at, "onehot takes a category column");
    if (d->name[0] == '_')
        return fail(ps, ps->text, "a onehot cannot be a helper: give it a name without _");
    if (check_shadow(ps, column))
        return -1;
    const int zero = plan_node(p, (struct node){.op = NODE_NUMBER});
    int seen = zero; // the sum of the values' nodes
    d->unfitted = column;
    while (take(ps, ",")) {
        d->unfitted = -1;
        if (take(ps, "*")) // fitted, and no value was frequent
            break;
        const int node = onehot_value(ps, column);
        if (node < 0)
            return -1;
        seen = plan_operation(p, NODE_ADD, seen, node);
    }
    if (expect(ps, ")", "at the end of onehot"))
        return -1;
    if (d->unfitted >= 0)
        return 0;
    sprintf(rest, "%s[*]", d->name);
    plan_input(p, rest, plan_operation(p, NODE_EQ, seen, zero));
    return 0;
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

int parse_definition(struct plan *p, struct plan_definition *d, struct err *err)
{
    struct parser ps = {
        .text = d->expression, .at = d->expression, .plan = p, .definition = d, .err = err};
    char name[NAME];
    d->node = d->unfitted = -1;
    if (!schema_is_name(d->name))
        return fail(&ps, ps.text, "a feature's name is letters, digits and _, 63 at most");
    if (find_definition(p, d->name) < d)
        return fail(&ps, ps.text, "the feature '%s' is defined already", d->name);
    const char *at = take_name(&ps, name);
    const bool several = at && strcmp(name, "onehot") == 0 && take(&ps, "(");
    if (!several)
        ps.at = ps.text;
    const int result = several ? onehot(&ps) : operation(&ps, COMPARISON);
    if (result < 0)
        return -1;
    skip_space(&ps);
    if (*ps.at)
        return fail(&ps, ps.at,
                    several ? "onehot must be the whole expression"
                            : "an operator is expected here");
    return several ? 0 : add_value(&ps, result);
}
