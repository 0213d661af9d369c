// http: the service behind CivetWeb.
//
//     POST /predict   one transaction, or an array of up to 1000 (serve/predict.h)
//     POST /feedback  their labels, later (serve/feedback.h)
//     GET  /decisions the newest of them (serve/recent.h)
//     GET  /metrics   for Prometheus (serve/counters.h)
//     GET  /          the dashboard, and its files (serve/dashboard.h)
//     GET  /healthz   {"status":"ok"}
//     GET  /readyz    200 while it decides; 503 when it stops, and where it cannot (service_ready)
//     GET  /model     the champion's model.json (train/model.h), with its version in the registry as
//                     "model", "sha256", and what metrics.json says of the test rows as "metrics"
//     POST /admin/reload   the registry's champion takes the model's place, between two requests;
//                     {"model","sha256"}, or 409 and the old one stays (service.h). SIGHUP does the same
//     GET  /openapi.json   all of this in OpenAPI 3.1 (serve/openapi.h)
//     /v2...          the Open Inference Protocol (serve/inference.h)
//
// With a token (serve/token.h) all but the health paths and the dashboard want it, 401 otherwise.
// Every answer names its request, X-Request-Id (serve/access.h).
// Errors are application/problem+json (serve/reply.h). HEAD goes with GET, OPTIONS says what a path
// allows. What of HTTP is refused stands in serve/request.h.
//
//     struct server *server = server_start(&service, &settings, &err);
//     server_port(server)
//     server_stop(server);       answers what it has begun, then closes and frees
//
// Ownership: the server borrows the service, which must outlive it.
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "serve/service.h"
#include "serve/token.h"

struct server; // http.c

struct server_settings {
    const char *host;          // an IPv4 address; without a token of 127.0.0.0/8
    int port;                  // 0: the system picks one
    int threads;               // each serves one connection at a time
    const struct token *token; // what clients must show; NULL: nothing, and host is of loopback
    bool access_log;           // a line a request to stderr (serve/access.h)
};

struct server *server_start(struct service *service, const struct server_settings *settings,
                            struct err *err);
int server_port(const struct server *server);
void server_stop(struct server *server);

#endif
