// predict: the body of a request becomes decisions; knows nothing of HTTP but the status.
//
//     predict(&service, body, n, &reply);        any thread
//
// For each transaction, in the order of the array: serve/decision.h. `reasons` are the inputs with
// the largest |contribution|, where contribution = weight · (value − mean) / scale is the input's
// exact term of the margin (train/model.h). Numbers read back to the same bits: probability and
// contribution as doubles, value as a float32.
//
// An id that was seen before, with the same transaction, gets its stored answer again and changes nothing.
// A transaction is placed by its time, also a late one (features/state.h).
//
// Status: 200; the refusals of transactions_parse; 409 where a transaction is too late, or has the id of
// another one; 503 where too many requests wait, or the database cannot be written. Nothing of a request
// that is refused with 4xx was counted.
#ifndef SERVE_PREDICT_H
#define SERVE_PREDICT_H

#include "serve/service.h"

// body: n bytes, without a 0 at the end. r is reset first.
void predict(struct service *s, const char *body, size_t n, struct reply *r);

#endif
