// POST /feedback: labels of transactions, which arrive later.
//
// {"id":"T1","label":1}, or an array of up to 1000 of them, by the schema's names of its id and
// label; 1 is fraud, 0 genuine. Answered in order with {"id","label","changed"}; sending a label
// again changes nothing. A label enters the windows as if it had been known from the start, and may
// change later.
//
// Status: 200; 400 and 413 for other bodies, 422 for their values, 404 where an id was never
// predicted or is no longer kept; 409 where the model's columns have no id or no label; 503 from
// service_run. Nothing of a refused request is applied.
#ifndef SERVE_FEEDBACK_H
#define SERVE_FEEDBACK_H

#include "serve/service.h"

// Any thread. body: n bytes, without a 0 at the end. r is reset first.
void feedback(struct service *s, const char *body, size_t n, struct reply *r);

#endif
