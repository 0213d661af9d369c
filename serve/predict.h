// predict: the body of a request in, decisions out; knows nothing of HTTP but the status.
//
//     predict(&service, body, n, &reply);        any thread
//
// For each transaction, in the order of the array: serve/decision.h. `reasons` are the inputs with
// the largest |contribution|, where contribution = weight · (value − mean) / scale is the input's
// exact term of the margin (train/model.h). Numbers read back to the same bits: probability and
// contribution as doubles, value as a float32.
//
// An id that was seen before, with the same transaction, has its stored answer again and changes nothing.
// A transaction is placed by its time, also a late one (features/state.h).
//
// Status: 200; what transactions_parse refuses with; 409 where a transaction is too late, or has the id of
// another one; 503 where too many requests wait, memory ran out or the database cannot be written. Of a
// request that is refused with 4xx nothing was counted.
#ifndef SERVE_PREDICT_H
#define SERVE_PREDICT_H

#include "serve/reply.h"
#include "serve/service.h"

// body: n bytes, not ended by 0. r is reset first.
void predict(struct service *s, const char *body, size_t n, struct reply *r);

#endif
