// onehot: several inputs from one category, each 1 where the event has that value.
#include "features/parser.h"

#include "features/graph.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_ROOM = 3 * SCAN_TEXT + SCAN_NAME + 3 }; // name[value], each byte of the value as %XX

// name[value] with the bytes that a file name should not have as %XX: inputs become files.
static void input_name(char *buf, const char *name, const char *value)
{
    int n = sprintf(buf, "%s[", name);
    for (; *value; value++) {
        bool plain = isalnum((unsigned char)*value) || strchr("_-+.", *value);
        n += sprintf(buf + n, plain ? "%c" : "%%%02X", (unsigned char)*value);
    }
    buf[n] = ']';
    buf[n + 1] = '\0';
}

static int onehot_value(struct parser *ps, int column, int *seen)
{
    char text[SCAN_TEXT + 1], name[NAME_ROOM];
    const char *at = ps->s.at;
    if (scan_text(&ps->s, text))
        return -1;
    input_name(name, ps->plan->definitions[ps->definition].name, text);
    for (size_t i = 0; i < ps->plan->n_inputs; i++)
        if (strcmp(ps->plan->inputs[i].name, name) == 0)
            return scan_fail(&ps->s, at, "the value stands here twice");
    struct node is = {.op = NODE_IS_TEXT, .a = column, .b = -1, .text = text};
    int node = parser_made(ps, graph_node(ps->plan, is));
    if (node < 0 || parser_made(ps, graph_input(ps->plan, name, node)) < 0)
        return -1;
    *seen = *seen < 0
                ? node
                : parser_made(ps, graph_node(ps->plan,
                                             (struct node){.op = NODE_ADD, .a = *seen, .b = node}));
    return *seen;
}

// Without values it is not fitted yet and makes no input.
int parser_onehot(struct parser *ps)
{
    struct plan *p = ps->plan;
    char name[SCAN_NAME], rest[NAME_ROOM];
    const char *at = scan_name(&ps->s, name);
    int column = at ? schema_find(&p->schema, name) : -1;
    if (column < 0 || p->schema.columns[column].kind != COLUMN_CATEGORY)
        return scan_fail(&ps->s, at ? at : ps->s.at, "onehot takes a category column");
    if (p->definitions[ps->definition].name[0] == '_')
        return scan_fail(&ps->s, ps->s.text,
                         "a onehot has several values, not one for other features to use; give it "
                         "a name without _ in front");
    if (parser_check_shadow(ps, column))
        return -1;
    int seen = -1;
    bool fitted = false;
    while (scan_take(&ps->s, ",")) {
        fitted = true;
        scan_space(&ps->s);
        if (scan_take(&ps->s, "*")) // fitted, and no value was frequent
            break;
        if (onehot_value(ps, column, &seen) < 0)
            return -1;
    }
    if (scan_expect(&ps->s, ")", "at the end of onehot"))
        return -1;
    if (!fitted)
        return 0;
    int zero = parser_made(ps, graph_node(p, (struct node){.op = NODE_NUMBER, .a = -1, .b = -1}));
    if (zero < 0)
        return -1;
    struct node none = {.op = NODE_EQ, .a = seen < 0 ? zero : seen, .b = zero};
    int node = parser_made(ps, graph_node(p, none));
    snprintf(rest, sizeof rest, "%s[*]", p->definitions[ps->definition].name);
    return node < 0 ? -1 : parser_made(ps, graph_input(p, rest, node));
}
