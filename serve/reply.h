// reply: what a request is answered with: a status and a text that grows.
//
//     struct reply r = {0};
//     reply_reset(&r);                                  200 and empty; keeps its memory
//     reply_add(&r, "{\"id\":");
//     reply_string(&r, text, n);                        escaped and in quotes
//     reply_problem(&r, 422, "amount", -1, "...");      instead of what was added so far
//     reply_borrow(&r, bytes, n);                       instead of a text: constant bytes
//     reply_release(&r);
//
// Errors: out of memory is remembered in `failed` and makes the later calls do nothing, so only the
// sender has to look. Ownership: a reply owns its text until reply_release.
#ifndef SERVE_REPLY_H
#define SERVE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

struct reply {
    int status;       // of HTTP; 400 and above: the text is a problem (RFC 9457)
    const char *type; // of the text: application/json, unless set to another constant
    const char *head; // more lines of the head, each with its CRLF; NULL: none
    int retry_after;  // seconds, for 429 and 503; 0: nothing is said
    const char *lent; // n bytes that are sent instead of text; NULL: text is
    char *text;       // n bytes, then a 0 byte
    size_t n, size;
    bool failed;
};

// A large text is given back to the system, since every worker thread holds a reply.
void reply_reset(struct reply *r);
void reply_release(struct reply *r);

void reply_bytes(struct reply *r, const char *bytes, size_t n);
void reply_add(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// text[0..n) as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
void reply_string(struct reply *r, const char *text, size_t n);
// 17 significant digits, which read back to the same bits; null where it is not finite.
void reply_number(struct reply *r, double x);
// 9 significant digits, which do so for a float.
void reply_float(struct reply *r, float x);
void reply_integer(struct reply *r, long long x);
// A constant text, and one that ends with 0.
#define reply_text(r, text) reply_bytes(r, "" text, sizeof(text) - 1)
void reply_words(struct reply *r, const char *text);
// Bytes that outlive the reply, sent from where they are. To an empty reply; nothing is added after it.
void reply_borrow(struct reply *r, const char *bytes, size_t n);

// {"type","title","status","detail","error","field"?,"index"?}: RFC 9457, with the member `error`
// of the Open Inference Protocol (the same text as `detail`). field: NULL for none; index: of the
// array's element, -1 for none. Returns -1, so that a caller can `return reply_problem(...)`.
int reply_problem(struct reply *r, int status, const char *field, long index, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

// The standard phrase of a status (RFC 9110).
const char *reply_phrase(int status);

#endif
