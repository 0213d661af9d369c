// request: what of HTTP is accepted. CivetWeb parses leniently; this refuses what two programs in a
// row could read differently (request smuggling), before anything is done with the request.
//
// Refused: a bare LF, folded lines, 64 or more header lines and a head of more than 16 KiB (431), names
// that are no tokens, control characters in values, not exactly one Host (HTTP/1.0 may have none), a
// Content-Length that is not 1 to 18 digits and given once, any Transfer-Encoding (501; 400 with a
// Content-Length), Upgrade, a target that does not begin with '/' or holds a '%', Expect other than
// 100-continue (417).
//
// Errors: -1, and the reply holds the problem; the connection must then be closed, because nobody
// can say where the next request begins.
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include "serve/reply.h"

#include <civetweb.h>
#include <stdint.h>

enum { MAX_BODY = 1024 * 1024, BODY_SECONDS = 2, LIBRARY_TIMEOUT_MS = 2000 };

// The library has room for more of a head than is accepted, so that it gets here and its sender a reason
// (the library itself calls what it has no room for malformed, 400). Room that is not used is not
// touched, and takes no memory.
enum { MAX_HEAD = 16 * 1024, LIBRARY_HEAD = 64 * 1024 };

struct request {
    int64_t length; // of the body; -1 where none is announced
    bool expects;   // the client waits for 100 Continue before it sends the body
    bool close;     // the client wants the connection closed, or speaks HTTP/1.0
    bool unread;    // a body is still to come
};

int request_check(struct request *q, const struct mg_request_info *info, struct reply *r);

// The whole body of a request that has a length, into body[0..length): within BODY_SECONDS, and one
// piece's wait at most (see request.c).
int request_body(struct request *q, struct mg_connection *connection, char *body, struct reply *r);

#endif
