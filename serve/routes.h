// routes: which path is answered by what, between a request's head that is accepted and its reply.
//
//     struct exchange x = {.site = ..., .worker = ..., .connection = ..., .info = ...};
//     route(&x);                    fills x.worker->reply; any thread
//
// Paths, methods and the token are checked here, and bodies are read; what a body says is the business
// of the modules behind (serve/predict.h). Knows nothing of how an answer is sent.
#ifndef SERVE_ROUTES_H
#define SERVE_ROUTES_H

#include "serve/access.h"
#include "serve/request.h"
#include "serve/service.h"
#include "serve/token.h"

#include <time.h>

enum { MAX_SEGMENTS = 2, SEGMENT = 256 }; // a longer segment fits no route

// What all requests share.
struct site {
    struct service *service;
    const struct token *token; // NULL: none is wanted
    char *openapi;             // what GET /openapi.json answers
};

// What a worker thread keeps from request to request.
struct worker {
    struct reply reply, packet;
    char *body;
    size_t body_size;
    time_t date_second; // what date says
    char date[40];
};

struct exchange {
    const struct site *site;
    struct worker *worker;
    struct mg_connection *connection;
    const struct mg_request_info *info;
    double start; // seconds_now
    struct request request;
    const char *allow;                    // methods of the path, for 405 and OPTIONS
    const char *path;                     // of the route; NULL where there is none
    size_t route;                         // its index; COUNTERS_ROUTES - 1 where there is none
    char segments[MAX_SEGMENTS][SEGMENT]; // what stands in the path for {...}, in order
    char id[REQUEST_ID];
};

// In a path, {name} stands for one segment that is not empty: /v2/models/{model}/infer.
struct route {
    const char *path, *allow;
    void (*answer)(struct exchange *x);
    bool open; // asks for no token
};

// The table's i-th route; NULL after the last.
const struct route *route_at(size_t i);

#define PROBLEM(x, status, ...) reply_problem(&(x)->worker->reply, status, NULL, -1, __VA_ARGS__)

void route(struct exchange *x);

// Give large buffers back, since every worker has its own.
void worker_shrink(struct worker *w);
void worker_free(struct worker *w);

#endif
