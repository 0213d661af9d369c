// inference: the Open Inference Protocol (version 2) over the model; knows nothing of HTTP but the
// status.
//
//     inference_model(&service, model, version, &reply);         any thread, here and below
//     inference_ready(&service, model, version, &reply);
//     inference(&service, model, version, body, n, &reply);
//
// /predict takes transactions and keeps their windows; this takes features that somebody else has
// computed, in the order of the model's inputs, and scores them. It counts no transaction. The same
// features give the same bits on both ways.
//
//     request  {"id"?, "parameters"?, "outputs"?: [{"name", "parameters"?}],
//               "inputs": [{"name": "features", "datatype": "FP32" | "FP64", "shape": [n, n_inputs],
//                           "data": flat row-major or nested, "parameters"?}]}
//     answer   {"model_name", "model_version", "id"?, "outputs": [{"name","shape","datatype","data"}]}
//     outputs  probability FP64 [n], margin FP64 [n], review BOOL [n]: probability >= threshold
//
// n is 1 to 1000. A value is rounded to float32 once, as a feature is. `outputs` says which are
// answered and in what order; absent or empty, all are. An optional member may be null; members that
// the protocol does not know, and parameters, are ignored, but for those that ask for tensors in
// binary: these are refused.
//
// A model is known by the name of its registry's folder (service.h) and has one version, the one that
// is being served.
//
// Status: 200; 400 where the body is no inference request (malformed JSON, an unknown tensor, binary);
// 404 for another model or version; 413 for too many rows; 422 for what does not fit; 503 where memory
// ran out, or where the service is not ready. Problems name where in the request, as `field`.
#ifndef SERVE_INFERENCE_H
#define SERVE_INFERENCE_H

#include "serve/reply.h"
#include "serve/service.h"

enum { MAX_INFERENCE_ROWS = 1000 };

// model, version: as the client names them; version "" where it names none.
// {"name","versions","platform","inputs","outputs"}; the input's parameters name its features.
void inference_model(struct service *s, const char *model, const char *version, struct reply *r);
// {"name","ready":true}, or a 503.
void inference_ready(struct service *s, const char *model, const char *version, struct reply *r);

// body: n bytes, not ended by 0. r is reset first.
void inference(struct service *s, const char *model, const char *version, const char *body,
               size_t n, struct reply *r);

#endif
