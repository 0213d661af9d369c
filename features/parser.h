// parser: what the files of the parser share. parse.h is the interface for others.
//
// The int functions give the index of a node, or -1 with the error filled.
#ifndef FEATURES_PARSER_H
#define FEATURES_PARSER_H

#include "features/plan.h"
#include "features/scan.h"

struct parser {
    struct scan s;
    struct plan *plan;
    size_t definition;
    const char *label_at; // where the label stood last
    int depth;
};

// What a function of graph.h gave, or the error for the one way in which it fails.
int parser_made(struct parser *ps, int index);
// One expression, down to parentheses and functions.
int parser_comparison(struct parser *ps);
// Behind "count(", "sum(", "mean(" or "since(".
int parser_window(struct parser *ps, enum node_op op, const char *function);
// Behind "onehot(": adds the inputs itself; 0 or -1.
int parser_onehot(struct parser *ps);
// A name must not mean two things: a feature named like a column must be that column (-1: none).
int parser_check_shadow(struct parser *ps, int column);

#endif
