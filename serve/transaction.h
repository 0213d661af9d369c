// transaction: JSON as clients send it becomes rows for the engine and the database.
//
// One object, or an array of 1 to 1000, taken whole or not at all. The fields are the schema's columns;
// docs/server.md says what each kind takes.
//
// Errors: -1, and the reply holds the problem: 400 where the body is no transaction (malformed
// JSON, an unknown field), 413 for too many, 422 for values that do not fit the schema.
#ifndef SERVE_TRANSACTION_H
#define SERVE_TRANSACTION_H

#include "serve/service.h"

// A body of one object, or of an array of 1 to MAX_ROWS elements. The caller releases the
// document with json_decref, after an error too.
struct body {
    json_t *document;
    size_t n;
    bool array;
};
// width: the fields of an element; what: how messages call it.
int body_parse(struct body *b, const char *text, size_t n, size_t width, const char *what,
               struct reply *r);
json_t *body_element(const struct body *b, size_t i);
long body_index(const struct body *b, size_t i); // for reply_problem
// Add the bracket or comma before element i of an answer, or the last bracket (i = n).
void body_mark(const struct body *b, size_t i, struct reply *r);

// The time of a row whose request leaves its number out; predict counts on.
#define NEXT_ROW INT64_MIN

// rows: [b->n], of store_rows_new. Their columns and texts are set; texts point into the document.
int transactions_read(struct service *s, const struct body *b, struct store_row *rows,
                      struct reply *r);
// The pseudonym of an id as it was sent; -1 where that is neither a string nor an integer, or empty,
// or where the schema has no id.
int transaction_pseudonym(const struct schema *schema, const struct pseudonym *key,
                          const json_t *id, uint64_t *pseudonym);

#endif
