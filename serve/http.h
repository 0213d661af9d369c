// http: the service over HTTP/1.1, on CivetWeb. routes.c has the table of paths, GET /openapi.json
// describes them, and docs/server.md says who may ask. Errors are application/problem+json
// (serve/reply.h). X-Request-Id is the client's, if that is 1 to 64 letters, digits, '.', '_' or '-',
// else one of ours. The access log has a line of JSON on stderr for each request that is not on the
// health port. The server borrows the service and must not be moved in memory.
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "serve/service.h"

#include <civetweb.h>

enum { TOKEN_TEXT = 260, SEGMENT = 256, REQUEST_ID = 65, MAX_BODY = 1024 * 1024 };

struct http {
    struct service *service;
    const char *host;       // IPv4; without a token in 127.0.0.0/8
    const char **allowed;   // names in Host without a token, besides 127.0.0.0/8; ended by NULL
    int64_t port;           // 0: http_start picks a free one and sets it
    int64_t health_port;    // for health and metrics only, with threads of its own; -1: none
    int64_t threads;        // each serves one connection at a time
    char token[TOKEN_TEXT]; // that clients must send; "": none
    bool access_log;
    // http.c's:
    struct listener {
        struct http *server;
        struct mg_context *context;
        bool health;
    } listeners[2];         // of health, and of all
    char *openapi, *report; // what GET /openapi.json and GET /report answer
    atomic_bool stopping;
};

int http_start(struct http *s, struct err *err);
void http_stop(struct http *s); // answers what has begun, then closes

// Read the token from a file that only its owner may read: 16 to 256 letters, digits or -._~+/=,
// and a line break at most (RFC 6750). Errors never quote it.
int token_read(char token[TOKEN_TEXT], const char *path, struct err *err);
// header: Authorization as it was sent, NULL if it was not.
bool token_fits(const char *token, const char *header);

// ---- between the files of http ----

struct request {
    struct http *server;
    struct service *service;
    struct reply *reply;
    struct mg_connection *connection;
    const struct mg_request_info *info;
    double start; // seconds_now
    bool health;  // it came on the health port
    char id[REQUEST_ID];
    // Set by request_check:
    int64_t length;          // of the body; -1: none was announced
    bool close;              // the client wants the connection closed, or speaks HTTP/1.0
    bool unread;             // a body is still to come
    const char *host, *path; // of the target; host NULL: none was sent, as in HTTP/1.0
    const char *query;       // of the target, without the question mark
    char authority[SEGMENT]; // host's memory, where the target has one
    // Set by route:
    const struct route *route; // NULL: there is none
};

// In a path, {name} matches one segment: /v2/models/{model}/infer. One of answer, post (with the n
// bytes of JSON that were sent) and text makes the reply.
struct route {
    const char *path, *allow;
    void (*answer)(struct request *q);
    void (*post)(struct request *q, const char *body, size_t n);
    const char *text;
    const char *type;  // of a page, a file or a text that is not JSON; NULL: JSON
    const char *query; // the only one that is taken; NULL: any, and it is ignored
    const char *asked; // another one that is taken, with any value: "id="
    bool open;         // needs no token
    bool health;       // is answered on the health port
};
extern const struct route routes[COUNTERS_ROUTES]; // the last one, and all after it, have no path

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NO_TRANSFER_ENCODING                                                                       \
    "a body with a Transfer-Encoding (chunked) is not read: send it with its Content-Length"
#define PROBLEM(q, status, ...) reply_problem((q)->reply, status, NULL, -1, __VA_ARGS__)

// The time that a worker thread waits for its client, serve/patience.c.
enum { SCARCE_SECONDS = 2 };
extern atomic_bool patience_scarce; // while it is set, for SCARCE_SECONDS at most
extern _Thread_local struct patience {
    double left; // seconds, for all waits of the connection but those between its requests
    double start, seconds; // of what is waited for now; start 0: there is no limit
    bool idle;             // it is the next request, and no byte of it has come
} patience;
void patience_for(double seconds, bool idle); // from now on, for the next thing
double patience_remaining(void);              // of it; 0 or less: the library gives the request up

void route(struct request *q);
void get_metrics(struct request *q);
// The answer to GET /openapi.json, to be freed.
char *openapi_text(struct service *s);

// The Open Inference Protocol, serve/inference.c. body: n bytes, without a 0 at the end.
void inference_model(struct request *q);
void inference_ready(struct request *q);
void inference(struct request *q, const char *body, size_t n);

// -1, with the problem in the reply: close the connection then, since nobody knows where the next
// request begins.
int request_check(struct request *q);
// The length of the name in a Host (name, name:port, or with [IPv6]); 0 where it has another form.
size_t host_name(const char *host);
// The body, of q->length bytes, to be freed; NULL, with the problem in the reply, where it does not
// arrive in time.
char *request_body(struct request *q);

#endif
