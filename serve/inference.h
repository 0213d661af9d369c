// inference: the Open Inference Protocol (version 2) over the champion. Any thread.
//
// /predict takes transactions and keeps their windows; this takes features that somebody else has
// computed, in the order of the model's inputs, and scores them. It counts no transaction. The same
// features give the same bits both ways.
//
// A request has one tensor "features", FP32 or FP64, of shape [n, n_inputs] with n up to 1000 and
// its data flat or nested; a value is rounded to float32 once, as a feature is. The outputs are
// probability and margin, FP64, and review, BOOL: probability >= threshold. Optional members may be
// null. Unknown members and parameters are ignored, except those that ask for binary tensors.
//
// A model has the name of its registry's folder and one version, the one that serves.
//
// Status: 200; 400 where the body is no inference request; 404 for another model or version; 413
// for too many rows; 422 for what does not fit; 503. Problems name the place in the request, as
// `field`.
#ifndef SERVE_INFERENCE_H
#define SERVE_INFERENCE_H

#include "serve/reply.h"
#include "serve/service.h"

enum { MAX_INFERENCE_ROWS = 1000 };

// model, version: as the client names them, here and below; version "" where it names none.
// {"name","versions","platform","inputs","outputs"}; the input's parameters name its features.
void inference_model(struct service *s, const char *model, const char *version, struct reply *r);
// {"name","ready":true}, or a 503.
void inference_ready(struct service *s, const char *model, const char *version, struct reply *r);
// body: n bytes, without a 0 at the end.
void inference(struct service *s, const char *model, const char *version, const char *body,
               size_t n, struct reply *r);

#endif
