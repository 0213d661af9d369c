// POST /predict: a body of transactions (transaction.h) becomes decisions (decision.h), in its
// order.
//
// `reasons` are the inputs with the largest |contribution|, where contribution = weight · (value −
// mean) / scale is the input's exact term of the margin (train/model.h). Numbers read back to the
// same bits: probability and contribution as doubles, value as a float32. An id that was seen
// before, with the same transaction, gets its stored answer again and changes nothing.
//
// Status: 200; the refusals of transactions_parse; 409 where a transaction is too late
// (features/state.h) or has the id of another one; 503 from service_run. A refused request counts
// nothing.
#ifndef SERVE_PREDICT_H
#define SERVE_PREDICT_H

#include "serve/service.h"

// Any thread. body: n bytes, without a 0 at the end. r is reset first.
void predict(struct service *s, const char *body, size_t n, struct reply *r);

#endif
