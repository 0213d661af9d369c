// parse: one definition's text into nodes of a plan. The language is in docs/features.md.
#ifndef FEATURES_PARSE_H
#define FEATURES_PARSE_H

#include "features/plan.h"

// Room for a name with its 0; bytes of a text in quotes without. A name and a text of which each
// byte becomes %XX fit the name of a column's file.
enum { PARSE_NAME = 64, PARSE_TEXT = 60 };

struct parse_error {
    int offset; // 0-based byte within the expression
    char msg[512];
};

// Parse p->definitions[i], whose names may stand for columns and for the definitions before it.
// Sets its node and adds its inputs. 0, or -1 with what is wrong and where.
int parse_definition(struct plan *p, size_t i, struct parse_error *e);

#endif
