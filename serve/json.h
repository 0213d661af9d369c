// json: bodies of requests as jansson reads them, after what it does not stand was refused.
//
//     json_t *document = json_from_body(body, n, &reply);      any thread
//     json_decref(document);
//
// jansson recurses and worker threads have small stacks, so the depth is checked before it sees the
// text; so are bytes of 0, which it would take for an end.
//
// Errors: NULL, and the reply holds a 400 that says where.
#ifndef SERVE_JSON_H
#define SERVE_JSON_H

#include "serve/reply.h"

#include <jansson.h>

enum { MAX_JSON_DEPTH = 32 };

// body: n bytes, not ended by 0. Names that stand twice in an object are refused.
json_t *json_from_body(const char *body, size_t n, struct reply *r);

// "an object", "a string", "null": what a message calls a value.
const char *json_type_words(const json_t *v);

#endif
