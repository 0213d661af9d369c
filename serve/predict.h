// predict: the body of a request in, decisions out; knows nothing of HTTP but the status.
//
//     predict(&service, body, n, &reply);        any thread
//
// For each transaction, in the order of the array:
//     {"id","probability","decision","threshold","model","sha256",
//      "reasons":[{"feature","value","contribution"}, up to four]}
// `reasons` are the inputs with the largest |contribution|, the largest first, where contribution =
// weight · (value − mean) / scale is the input's exact term of the margin (train/model.h). Numbers
// read back to the same bits: probability and contribution as doubles, value as a float32.
//
// Status: 200; what transactions_parse refuses with; 409 where a transaction comes too late, more
// than LATE_SECONDS after a newer one of the same key by its time (features/window.h); 503 where memory ran out. Of a request that is refused
// with 4xx nothing was counted.
#ifndef SERVE_PREDICT_H
#define SERVE_PREDICT_H

#include "serve/reply.h"
#include "serve/service.h"

// body: n bytes, not ended by 0. r is reset first.
void predict(struct service *s, const char *body, size_t n, struct reply *r);

#endif
