// predict: the body of a request in, decisions out; knows nothing of HTTP but the status.
//
//     struct workspace w = {0};                  one per thread, reused
//     predict(&service, &w, body, n, &reply);
//     workspace_release(&w);
//
// For each transaction, in the order of the array:
//     {"id","probability","decision","threshold","model","sha256",
//      "reasons":[{"feature","value","contribution"}, up to four]}
// `reasons` are the inputs with the largest |contribution|, the largest first, where contribution =
// weight · (value − mean) / scale is the input's exact term of the margin (train/model.h). Numbers
// read back to the same bits: probability and contribution as doubles, value as a float32.
//
// Status: 200; what transactions_parse refuses with; 409 where a transaction is older than one of
// the same key that was counted already; 503 where memory ran out. Only 200 has counted anything.
#ifndef SERVE_PREDICT_H
#define SERVE_PREDICT_H

#include "serve/reply.h"
#include "serve/service.h"
#include "serve/transaction.h"

struct workspace {
    struct transactions transactions;
    float *features;       // [n_inputs][capacity], as state_run writes it
    float **inputs;        // [n_inputs], into features
    float *x;              // [n_inputs] of one event
    double *contributions; // [n_inputs] of one event
    size_t capacity;       // events
};

// body: n bytes, not ended by 0. r is reset first.
void predict(struct service *s, struct workspace *w, const char *body, size_t n, struct reply *r);
void workspace_release(struct workspace *w);

#endif
