// transaction: JSON as clients send it becomes a block of events for the engine.
//
// One object, or an array of 1 to 1000. The fields are the schema's columns:
//
//     id        string or integer; echoed in the answer        ("" is no value, here and below)
//     time      "2018-10-01T08:15:00Z", with +hh:mm, or "2018-10-01 08:15:00" (UTC), or whole
//               seconds since 1970; where the schema's time_format is epoch or row only a number;
//               refused where it is later than service_latest_time at the start of the request
//     key       string or integer; 596 and "596" are the same key
//     number    JSON number within the column's limits
//     category  string; one that the model does not know is taken as such
//     label     refused: it is the answer
//
// A field that is absent or null takes the column's `missing=` value and is refused where it has
// none. An array is taken whole or not at all: the first bad element refuses it, named by its index.
//
// Errors: -1, and the reply holds the problem: 400 where the body is no transaction (malformed JSON,
// an unknown field), 413 for too many, 422 for values that do not fit the schema.
// Ownership: the columns are the arena's; the transactions own the parsed document until
// transactions_release, which must be called after an error too. Zeroed, they are empty.
#ifndef SERVE_TRANSACTION_H
#define SERVE_TRANSACTION_H

#include "serve/arena.h"
#include "serve/reply.h"
#include "serve/service.h"

enum { MAX_TRANSACTIONS = 1000 };

struct transactions {
    size_t n;
    bool array;          // the body was an array, so the answer is one
    json_t *document;    // what was parsed
    void **columns;      // [schema.n], each of [n] values of its kind's type; 0 for the label
    const char ***texts; // [schema.n], each [n]: of category columns what was sent, else NULL
};

// t: zeroed.
int transactions_parse(struct transactions *t, struct service *s, struct arena *a, const char *body,
                       size_t n, struct reply *r);
// What identifies a transaction in state and database: of its id as sent, a string or an integer.
// -1 where it is neither, or empty.
int transactions_pseudonym(const struct service *s, const json_t *id, uint64_t *pseudonym);
// The body as JSON, checked for what the parser cannot take; NULL, and the reply holds the problem.
json_t *transactions_json(const char *body, size_t n, const char *what, struct reply *r);
// The id of an event as it was sent, in the document; NULL where the schema has none.
const json_t *transactions_id(const struct transactions *t, const struct service *s, size_t event);
void transactions_release(struct transactions *t);

#endif
