// transaction: JSON as clients send it becomes rows for the engine and the database.
//
// One object, or an array of 1 to 1000. The fields are the schema's columns:
//
//     id        string or integer; echoed in the answer        ("" is no value, here and below)
//     time      "2018-10-01T08:15:00Z", with +hh:mm, or "2018-10-01 08:15:00" (UTC), or whole
//               seconds since 1970; where the schema's time_format is epoch or row only a number;
//               refused a day after both the wall clock and the newest event or later
//     key       string or integer; 596 and "596" are the same key
//     number    JSON number within the column's limits
//     category  string; one that the model does not know is taken as such
//     label     refused: it is the answer
//
// A field that is absent or null takes the column's `missing=` value and is refused where it has
// none. An array is taken whole or not at all: the first bad element refuses it, named by its
// index.
//
// Errors: -1, and the reply holds the problem: 400 where the body is no transaction (malformed
// JSON, an unknown field), 413 for too many, 422 for values that do not fit the schema. Ownership:
// the transactions own all that they point to until transactions_release, which must be called
// after an error too. Zeroed, they are empty. They must not be moved.
#ifndef SERVE_TRANSACTION_H
#define SERVE_TRANSACTION_H

#include "serve/reply.h"
#include "serve/service.h"

enum { MAX_TRANSACTIONS = 1000 };

struct transactions {
    size_t n;
    bool array;             // the body was an array, so the answer is one
    json_t *document;       // the parsed body
    struct store_row *rows; // [n]: with their columns and texts, and room for the rest
    // For transactions_take; a single transaction needs no more than `first`.
    struct arena *pieces;
    char *room;  // for the next objects
    size_t left; // bytes there
    _Alignas(max_align_t) char first[4096];
};

// t: zeroed.
int transactions_parse(struct transactions *t, struct service *s, const char *body, size_t n,
                       struct reply *r);
// n objects, all bits 0, that live until transactions_release.
void *transactions_take(struct transactions *t, size_t n, size_t size);
// The id of row i as it was sent, in the document; NULL where the schema has none.
const json_t *transactions_id(const struct transactions *t, const struct schema *schema, size_t i);
void transactions_release(struct transactions *t);

// The identity of a transaction in state and database, from its id as it was sent. -1 where that is
// neither a string nor an integer, or empty.
int transaction_pseudonym(const struct service *s, const json_t *id, uint64_t *pseudonym);
// The body as JSON: an object or an array of objects. NULL, and the reply holds the problem.
json_t *transactions_json(const char *body, size_t n, const char *what, struct reply *r);

#endif
