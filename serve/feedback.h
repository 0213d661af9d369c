// feedback: labels of transactions, which arrive later.
//
//     feedback(&service, body, n, &reply);       any thread
//
// {"id":"T1","label":1}, or an array of up to 1000 of them; the names are the schema's of its id and its
// label; 1 is fraud, 0 genuine. Answered in order with {"id","label","changed"}: changed is false where
// that label was known already, so sending it again is safe. A label enters the windows that use it as
// if it had been known from the start, and may be changed later; each change is kept in the database.
//
// Status: 200; 400 and 413 for other bodies, 422 for their values, 404 where an id was never predicted or
// is no longer kept: nothing of that request is applied; 409 where the model's columns have no id or no
// label; 503 as for predictions.
#ifndef SERVE_FEEDBACK_H
#define SERVE_FEEDBACK_H

#include "serve/service.h"

// body: n bytes, without a 0 at the end. r is reset first.
void feedback(struct service *s, const char *body, size_t n, struct reply *r);

#endif
