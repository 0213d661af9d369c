// Precedence climbing over one expression:
//
//     or         := and {or and}
//     and        := comparison {and comparison}
//     comparison := not comparison | sum [(< | <= | > | >= | == | !=) sum]
//     sum        := product {(+ | -) product}
//     product    := factor {(* | /) factor}
//     factor     := - factor | number | name | category (== | !=) text | function ( ... ) | ( or )
#include "features/plan.h"

#include "base/memory.h"
#include "base/value.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// Only a hostile plan is deeper or has more nodes. NAME: room for a name with its 0.
enum { MAX_DEPTH = 64, MAX_NODES = 4096, NAME = 64 };

struct parser {
    const char *text, *at; // at: the next word, never a blank
    struct plan *plan;
    struct plan_definition *definition;
    const char *label_at; // where the label stood last
    int depth;
    struct err *err;
};

// Set the message and the place of the mistake; -1.
#define fail(ps, place, ...)                                                                       \
    ((ps)->definition->mistake = (int)((place) - (ps)->text), err_set((ps)->err, __VA_ARGS__))

// ---- words: a word that is taken is passed, with the blanks after it ----

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_inside_name(char c)
{
    return is_letter(c) || isdigit((unsigned char)c);
}

static void pass(struct parser *ps, const char *end)
{
    ps->at = end + strspn(end, " \t");
}

// A word of letters is not taken where it only begins a longer name.
static bool take(struct parser *ps, const char *word)
{
    const size_t n = strlen(word);
    if (strncmp(ps->at, word, n) != 0 || (is_letter(*word) && is_inside_name(ps->at[n])))
        return false;
    pass(ps, ps->at + n);
    return true;
}

// where completes the message "'word' is missing ...".
static int expect(struct parser *ps, const char *word, const char *where)
{
    return take(ps, word) ? 0 : fail(ps, ps->at, "'%s' is missing %s", word, where);
}

// Returns its start in the text, or NULL where there is no name.
static const char *take_name(struct parser *ps, char name[NAME])
{
    const char *start = ps->at, *end = start;
    while (end > start ? is_inside_name(*end) : is_letter(*end))
        end++;
    if (end == start || end - start >= NAME)
        return NULL;
    snprintf(name, NAME, "%.*s", (int)(end - start), start);
    pass(ps, end);
    return start;
}

// A number without a sign.
static int take_number(struct parser *ps, double *value)
{
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
    pass(ps, end);
    return 0;
}

static int take_signed(struct parser *ps, double *value)
{
    const double sign = take(ps, "-") ? -1 : 1;
    const int rc = take_number(ps, value);
    *value *= sign;
    return rc;
}

static int take_duration(struct parser *ps, int64_t *seconds)
{
    const char *end = duration_parse(ps->at, seconds);
    if (!end || is_inside_name(*end))
        return fail(ps, ps->at,
                    "a length of time is expected here, like 30s, 15m, 12h or 7d, 36500d at most");
    if (*seconds == 0)
        return fail(ps, ps->at, "a length of time is 1s at least");
    pass(ps, end);
    return 0;
}

// Appends "text", in UTF-8 with \" and \\ inside, and its 0 to texts[size], which is freed after an
// error.
static int take_text(struct parser *ps, char **texts, size_t *size)
{
    const char *start = ps->at;
    size_t n = 0;
    char *text = *texts = xreallocarray(*texts, *size + strlen(start) + 1, 1);
    text += *size;
    for (ps->at += *start == '"'; *ps->at && *ps->at != '"'; ps->at++) {
        ps->at += *ps->at == '\\' && (ps->at[1] == '"' || ps->at[1] == '\\');
        text[n++] = *ps->at;
    }
    text[n] = '\0';
    *size += n + 1;
    int rc = *start != '"'          ? fail(ps, start, "a text in double quotes is expected here")
             : n > TEXT_MAX         ? fail(ps, start, "a text has at most %d bytes", TEXT_MAX)
             : !value_utf8(text, n) ? fail(ps, start, "the text is not UTF-8")
                                    : expect(ps, "\"", "behind the text");
    if (rc)
        free(*texts);
    return rc;
}

// ---- columns and features ----

// Operators by how tightly they bind, the loosest first.
enum { OR, AND, COMPARISON, SUM, PRODUCT, FACTOR };
static int operation(struct parser *ps, int level);

// The index of a column, or the number of columns plus the index of a definition; -1 and a message
// where there is neither.
static int find_name(struct parser *ps, const char *at, const char *name)
{
    const struct plan *p = ps->plan;
    const size_t n = p->schema.n + p->n_definitions;
    const size_t above = p->schema.n + (size_t)(ps->definition - p->definitions);
    const char **known = xcalloc(n, sizeof *known);
    size_t found = n;
    for (size_t i = n; i-- > 0;) { // of two with the name the first counts
        known[i] =
            i < p->schema.n ? p->schema.columns[i].name : p->definitions[i - p->schema.n].name;
        found = strcmp(name, known[i]) == 0 ? i : found;
    }
    if (found == n)
        fail(ps, at, "unknown column or feature '%s'%s", name,
             err_did_you_mean(name, known, above).text);
    free(known);
    return found < n ? (int)found : -1;
}

// 1 where the category is one of the texts, which are the node's from now on.
static int text_node(struct plan *p, int column, char *texts, size_t size)
{
    return plan_node(p, (struct node){.op = NODE_IS_TEXT,
                                      .a = column,
                                      .text = texts,
                                      .text_size = size,
                                      .reads = READS_OTHER});
}

// Parse what follows a category's name: == or != and a text.
static int text_comparison(struct parser *ps, const char *at, int column)
{
    const char *name = ps->plan->schema.columns[column].name;
    const bool equal = take(ps, "==");
    char *text = NULL;
    size_t size = 0;
    if (!equal && !take(ps, "!="))
        return fail(ps, at,
                    "'%s' is a category: compare it with a text, %s == \"...\", or write "
                    "onehot(%s)",
                    name, name, name);
    if (take_text(ps, &text, &size))
        return -1;
    const int node = text_node(ps->plan, column, text, size);
    return equal ? node : plan_operation(ps->plan, NODE_NOT, node, node, node);
}

static int column_value(struct parser *ps, const char *at, int column)
{
    const struct schema_column *c = &ps->plan->schema.columns[column];
    const bool label = c->kind == COLUMN_LABEL;
    if (c->kind == COLUMN_ID)
        return fail(ps, at, "'%s' is the id; it says nothing to a model", c->name);
    if (c->kind == COLUMN_KEY)
        return fail(ps, at, "'%s' is a key: only the first argument of a window is one", c->name);
    if (c->kind == COLUMN_CATEGORY)
        return text_comparison(ps, at, column);
    ps->label_at = label ? at : ps->label_at;
    return plan_node(ps->plan, (struct node){.op = label                    ? NODE_LABEL
                                                   : c->kind == COLUMN_TIME ? NODE_TIME
                                                                            : NODE_COLUMN,
                                             .a = column,
                                             .value = isnan(c->fill) ? 0 : c->fill,
                                             .reads = label ? READS_LABEL : READS_OTHER});
}

static int name_value(struct parser *ps, const char *at, const char *name)
{
    const struct plan *p = ps->plan;
    const int found = find_name(ps, at, name);
    if (found < (int)p->schema.n)
        return found < 0 ? -1 : column_value(ps, at, found);
    const struct plan_definition *d = &p->definitions[(size_t)found - p->schema.n];
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
    const struct schema *s = &ps->plan->schema;
    if (!at)
        return fail(ps, ps->at, "%s needs a key column first", function);
    const int found = find_name(ps, at, name);
    if (found >= (int)s->n || (found >= 0 && s->columns[found].kind != COLUMN_KEY))
        return fail(ps, at, "'%s' is not a key column; %s groups by one", name, function);
    return found;
}

// The window and its options.
static int window_arguments(struct parser *ps, struct window_spec *w)
{
    enum { PAST, DELAY, PRIOR, WEIGHT, N_OPTIONS };
    static const char *const names[] = {"past", "delay", "prior", "weight"};
    bool given[N_OPTIONS] = {false};
    char name[NAME];
    if (expect(ps, ",", "before the window"))
        return -1;
    const char *at = take_name(ps, name);
    if (at && strcmp(name, "all") != 0)
        return fail(ps, at, "a window is expected here: 30s, 15m, 12h, 7d or all");
    if (!at && take_duration(ps, &w->length))
        return -1;
    while (take(ps, ",")) {
        int option = 0;
        at = ps->at;
        while (option < N_OPTIONS && !take(ps, names[option]))
            option++;
        if (option == N_OPTIONS)
            return fail(ps, at, "past, delay=, prior= or weight= is expected here");
        if (option >= PRIOR && w->node.op != NODE_MEAN)
            return fail(ps, at, "only mean takes %s=", names[option]);
        if (given[option])
            return fail(ps, at, "%s stands here twice", names[option]);
        given[option] = true;
        if ((option != PAST && expect(ps, "=", "behind the option's name")) ||
            (option == DELAY && take_duration(ps, &w->delay)) ||
            (option == PRIOR && take_signed(ps, &w->node.prior)) ||
            (option == WEIGHT && take_number(ps, &w->node.weight)))
            return -1;
    }
    if (given[PRIOR] != given[WEIGHT])
        return fail(ps, ps->at, "prior= and weight= go together");
    w->past = given[PAST];
    return 0;
}

// Parse what follows "count(", "sum(", "mean(" or "since(".
static int window(struct parser *ps, enum node_op op, const char *function)
{
    struct window_spec w = {.node.op = op, .lane_node = -1};
    const char *label_before = ps->label_at;
    if ((w.key_column = key_argument(ps, function)) < 0)
        return -1;
    if ((op == NODE_SUM || op == NODE_MEAN) &&
        (expect(ps, ",", "before what is added up") || (w.lane_node = operation(ps, OR)) < 0))
        return -1;
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

// Parse the arguments, which follow the name and "(".
static int call(struct parser *ps, const struct function *f)
{
    struct plan *p = ps->plan;
    const bool any = f->op == NODE_MIN || f->op == NODE_MAX;
    const char *at = ps->at;
    int a[3] = {0};
    for (size_t n = 0; n < f->n; n++)
        if ((n > 0 && expect(ps, ",", "between two arguments")) || (a[n] = operation(ps, OR)) < 0)
            return -1;
    while (any && take(ps, ",")) {
        a[0] = plan_operation(p, f->op, a[0], a[1], a[1]);
        if ((a[1] = operation(ps, OR)) < 0)
            return -1;
    }
    if (f->op >= NODE_MINUTE && p->nodes[a[0]].op != NODE_TIME)
        return fail(ps, at, "%s takes the time column", f->name);
    if (expect(ps, ")", "at the end of the arguments"))
        return -1;
    return plan_operation(p, f->op, a[0], a[f->n > 1], a[f->n - 1]);
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

static int factor(struct parser *ps, int level)
{
    char name[NAME];
    struct node number = {.op = NODE_NUMBER};
    const bool minus = take(ps, "-");
    if (minus || (level <= COMPARISON && take(ps, "not"))) {
        const int a = operation(ps, minus ? FACTOR : COMPARISON);
        return a < 0 ? -1 : plan_operation(ps->plan, minus ? NODE_NEG : NODE_NOT, a, a, a);
    }
    if (take(ps, "(")) {
        const int a = operation(ps, OR);
        return a < 0 || expect(ps, ")", "at the end of the parentheses") ? -1 : a;
    }
    const char *at = take_name(ps, name);
    if (at)
        return take(ps, "(") ? function(ps, at, name) : name_value(ps, at, name);
    if (is_letter(*ps->at))
        return fail(ps, ps->at, "a name has at most 63 characters");
    return take_number(ps, &number.value) ? -1 : plan_node(ps->plan, number);
}

static const struct infix {
    const char *word;
    enum node_op op;
    int level;
} operators[] = {
    {"<=", NODE_LE, COMPARISON}, {">=", NODE_GE, COMPARISON}, {"==", NODE_EQ, COMPARISON},
    {"!=", NODE_NE, COMPARISON}, {"<", NODE_LT, COMPARISON},  {">", NODE_GT, COMPARISON},
    {"+", NODE_ADD, SUM},        {"-", NODE_SUB, SUM},        {"*", NODE_MUL, PRODUCT},
    {"/", NODE_DIV, PRODUCT},    {"or", NODE_OR, OR},         {"and", NODE_AND, AND},
};

// NULL where the next word is no operator of that level or a tighter one.
static const struct infix *take_operator(struct parser *ps, int level)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].level >= level && take(ps, operators[i].word))
            return &operators[i];
    return NULL;
}

// A factor, and the operators after it of that level or tighter ones, grouped from the left.
// Returns the index of a node, or -1 with the error filled, as most functions here.
static int operation(struct parser *ps, int level)
{
    if (ps->plan->n_nodes > MAX_NODES)
        return fail(ps, ps->at, "more than %d values in the plan", MAX_NODES);
    if (++ps->depth > MAX_DEPTH)
        return fail(ps, ps->at, "nested more than %d deep", MAX_DEPTH);
    int a = factor(ps, level);
    ps->depth--;
    bool compared = false;
    const struct infix *o;
    for (const char *at = ps->at; a >= 0 && (o = take_operator(ps, level)); at = ps->at) {
        if (o->level == COMPARISON && compared)
            return fail(ps, at, "comparisons cannot be chained; use parentheses");
        compared |= o->level == COMPARISON;
        const int b = operation(ps, o->level + 1);
        a = b < 0 ? -1 : plan_operation(ps->plan, o->op, a, b, b);
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
    const bool helper = d->name[0] == '_';
    if (n->reads & READS_LABEL && !helper)
        return fail(ps, ps->label_at ? ps->label_at : ps->text,
                    "the label is what the model predicts; it can only stand inside a window with "
                    "a delay, like mean(key, label, 28d, delay=7d)");
    d->node = node;
    // The feature table does not copy numbers, so a feature may have the name of the number it is.
    if (check_shadow(ps, n->op == NODE_COLUMN ? n->a : -1))
        return -1;
    if (!helper)
        plan_input(p, xstrdup(d->name), node, d->input);
    return 0;
}

// ---- onehot and hinges: several inputs, name[value] ----

// value NULL: *. Inputs become files, so what the name of a file cannot hold becomes %XX; so do quotes,
// backslashes and control characters.
static int add_input(struct parser *ps, const char *at, const char *value, int node)
{
    struct plan *p = ps->plan;
    char name[NAME + 3 * PLAN_TEXT + 3], *end = name + sprintf(name, "%s[", ps->definition->name);
    for (; value && *value; value++) {
        const bool plain = (unsigned char)*value >= ' ' && !strchr("/%\"\\\x7f", *value);
        end += sprintf(end, plain ? "%c" : "%%%02X", (unsigned char)*value);
    }
    stpcpy(end, value ? "]" : "*]");
    if (p->n_nodes > MAX_NODES)
        return fail(ps, at, "more than %d values in the plan", MAX_NODES);
    for (size_t i = 0; i < p->n_inputs; i++)
        if (strcmp(p->inputs[i].name, name) == 0)
            return fail(ps, at, "the value stands here twice");
    plan_input(p, xstrdup(name), node, ps->definition->input);
    return 0;
}

// A value with an input of its own, or after * the rare values, which share one if there are any.
static int onehot_values(struct parser *ps, int column)
{
    const char *at = ps->at;
    const bool rare = take(ps, "*");
    char *texts = NULL;
    size_t size = 0;
    while (rare ? take(ps, ",") : size == 0)
        if (take_text(ps, &texts, &size))
            return -1;
    if (!rare && size > PLAN_TEXT + 1) {
        free(texts);
        return fail(ps, at, "a value with an input has at most %d bytes", PLAN_TEXT);
    }
    ps->definition->unfitted = -1;
    if (size == 0)
        return 0;
    const int node = text_node(ps->plan, column, texts, size);
    return add_input(ps, at, rare ? NULL : ps->plan->nodes[node].text, node);
}

// min=1% or max=32.
static int onehot_limit(struct parser *ps, bool min)
{
    struct plan_definition *d = ps->definition;
    const char *at = ps->at;
    double x;
    if (d->unfitted < 0)
        return fail(ps, at, "min= and max= are for a onehot without values, which training finds");
    if (expect(ps, "=", "behind the option's name") || take_number(ps, &x))
        return -1;
    if (min ? !take(ps, "%") || x > 100 : x < 1 || x > 255 || x != floor(x))
        return fail(ps, at, "min is a share of rows, like 1%%, and max a whole number to 255");
    *(min ? &d->min_percent : &d->most) = x;
    return 0;
}

// Parse what follows "onehot(". Without values it is not fitted yet and makes no input.
static int onehot(struct parser *ps)
{
    const struct schema *s = &ps->plan->schema;
    char name[NAME];
    const char *at = take_name(ps, name);
    const int column = at ? schema_find(s, name) : -1;
    if (column < 0 || s->columns[column].kind != COLUMN_CATEGORY)
        return fail(ps, at ? at : ps->at, "onehot takes a category column");
    if (check_shadow(ps, column))
        return -1;
    ps->definition->unfitted = column;
    for (bool min; take(ps, ",");)
        if ((min = take(ps, "min")) || take(ps, "max") ? onehot_limit(ps, min)
                                                       : onehot_values(ps, column))
            return -1;
    return expect(ps, ")", "at the end of onehot");
}

// A knot, or how many knots there are to be: a whole number that is alone.
static int hinge(struct parser *ps, int node, bool alone)
{
    struct plan *p = ps->plan;
    char text[32];
    const char *at = ps->at;
    struct node h = {.op = NODE_HINGE, .a = node, .b = node, .c = node};
    if (take_signed(ps, &h.value))
        return -1;
    const bool whole = strchr(" \t)", at[strspn(at, "0123456789")]);
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

// Parse what follows "hinges(": inputs are x, and max(x - knot, 0) of each knot. Its name means x.
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
    struct parser ps = {.text = d->expression, .plan = p, .definition = d, .err = err};
    char name[NAME];
    d->node = d->unfitted = -1;
    d->input = p->n_inputs;
    d->knots = 0;
    pass(&ps, ps.text);
    if (!schema_is_name(d->name))
        return fail(&ps, ps.text, "a feature's name is letters, digits and _, 63 at most");
    for (const struct plan_definition *above = p->definitions; above < d; above++)
        if (strcmp(above->name, d->name) == 0)
            return fail(&ps, ps.text, "the feature '%s' is defined already", d->name);
    const char *at = take_name(&ps, name);
    const bool is_onehot = at && strcmp(name, "onehot") == 0 && take(&ps, "("),
               is_hinges = at && strcmp(name, "hinges") == 0 && take(&ps, "("),
               several = is_onehot || is_hinges;
    if (several && d->name[0] == '_')
        return fail(&ps, ps.text, "%s cannot be a helper: give it a name without _", name);
    if (!several)
        pass(&ps, ps.text);
    const int result = is_onehot ? onehot(&ps) : is_hinges ? hinges(&ps) : operation(&ps, OR);
    if (result < 0)
        return -1;
    if (*ps.at)
        return several ? fail(&ps, ps.at, "%s must be the whole expression", name)
                       : fail(&ps, ps.at, "an operator is expected here");
    return several ? 0 : add_value(&ps, result);
}
