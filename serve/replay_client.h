// replay_client: requests to a server over HTTP, several in flight, each sent again where that
// helps.
//
//     replay_client_open(&c, &settings, &err)
//     struct call *call = replay_client_take(&c)    NULL: all are in flight
//     reply_reset(&call->body), ... write it ...
//     replay_client_send(&c, call, "/predict", &err)
//     replay_client_wait(&c, until, &call, &err)    the next that has ended, NULL: `until` came
//     ... call->status, call->answer ..., replay_client_give(&c, call)
//     replay_client_release(&c)
//
// On libcurl's multi interface, in one thread. Connections are kept between requests and no proxy
// is used: it is the server that is measured. With one call at a time requests are strictly in
// order.
//
// A request that meets no answer, 503 or 429 is sent again, the same bytes, until settings.retry
// seconds after it was sent first: after Retry-After where the server says it, else after 50 ms,
// doubled each time up to a second. So the server must know a transaction again by its id. One
// case is tried again in any case, by libcurl: a kept connection that turns out closed before a
// byte of an answer came.
//
// Errors: of a request in its call; -1 where the library or memory fails. Ownership: calls belong
// to the client; between take and give the caller writes and reads them.
#ifndef SERVE_REPLAY_CLIENT_H
#define SERVE_REPLAY_CLIENT_H

#include "base/err.h"
#include "serve/reply.h"

#include <curl/curl.h>
#include <stdint.h>

enum { ANSWER_LIMIT = 16 << 20, ANSWER_SECONDS = 60 }; // bytes, and for how long one is waited for

struct call {
    size_t index; // 0 .. connections - 1, the caller's to find what belongs to it
    struct reply body, answer;
    int status;                // of HTTP; 0: no whole answer
    char why[CURL_ERROR_SIZE]; // of status 0
    // The client's own:
    CURL *easy;
    enum { CALL_FREE, CALL_TAKEN, CALL_SENT, CALL_WAITS, CALL_ENDED } state;
    double first, again; // seconds of the monotonic clock: sent first; to be sent again
    double backoff;
};

struct replay_client_settings {
    const char *url;   // "http://127.0.0.1:8080"
    const char *token; // of "Authorization: Bearer"; NULL: none
    size_t connections;
    double retry; // seconds; 0: nothing is sent again
};

struct replay_client {
    struct replay_client_settings settings;
    CURLM *multi;
    struct curl_slist *headers;
    struct call *calls; // [connections]
    size_t taken;       // calls that are not free
    uint64_t again;     // requests that were sent again
    int timer;          // wakes the wait, finer than milliseconds
};

// Whether an URL is one that requests can go to.
int replay_client_url(const char *url, struct err *err);
int replay_client_open(struct replay_client *c, const struct replay_client_settings *settings,
                       struct err *err);
void replay_client_release(struct replay_client *c);

struct call *replay_client_take(struct replay_client *c);
void replay_client_give(struct replay_client *c, struct call *call);
// path: begins with '/'.
int replay_client_send(struct replay_client *c, struct call *call, const char *path,
                       struct err *err);
// until: seconds of the monotonic clock, INFINITY for no end. Only while a call is in flight or
// until is finite.
int replay_client_wait(struct replay_client *c, double until, struct call **ended, struct err *err);

#endif
