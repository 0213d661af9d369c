// reply: the answer to a request, a status and a text that grows; and the JSON of a request's body.
// A reply owns its text until reply_release; zeroed, it is empty.
#ifndef SERVE_REPLY_H
#define SERVE_REPLY_H

#include <jansson.h>
#include <stddef.h>
#include <string.h>

struct reply {
    int status;       // of HTTP; from 400 on the text is a problem (RFC 9457)
    const char *type; // media type of the text, application/json unless set; constant
    char *text;       // n bytes and a 0
    size_t n, size;
};

// To status 200 and no text. Keeps a small text's memory, since every worker thread holds a reply.
void reply_reset(struct reply *r);
void reply_release(struct reply *r);

void reply_bytes(struct reply *r, const char *bytes, size_t n);
void reply_add(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void reply_text(struct reply *r, const char *text)
{
    reply_bytes(r, text, strlen(text));
}
// text[0..n) as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD.
void reply_string(struct reply *r, const char *text, size_t n);
void reply_json(struct reply *r, json_t *value); // compact; takes the value
void reply_number(struct reply *r, double x);    // null where it is NaN: a missing value
// "name": of an object's next member, after a comma where it is not the first.
void reply_name(struct reply *r, const char *name);
void reply_member(struct reply *r, const char *name, const char *text); // with a text's value

// Replace the text by {"type","title","status","detail","error","field"?,"index"?}: RFC 9457, with
// `detail` again as the `error` of the Open Inference Protocol. field: NULL for none; index: of the
// array's element, -1 for none. Returns -1, so that a caller can `return reply_problem(...)`.
int reply_problem(struct reply *r, int status, const char *field, long index, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

// The statuses that the server answers with, and one entry for any other.
enum { REPLY_STATUSES = 20 };
struct reply_status {
    int code; // 0: any other
    const char *phrase;
};
extern const struct reply_status reply_statuses[REPLY_STATUSES];
size_t reply_status(int code); // its index

// The body as JSON; NULL, and the reply holds the problem: 400 for malformed JSON, a byte of 0, a
// name twice in an object or nesting deeper than MAX_JSON_DEPTH (jansson recurses, and worker threads
// have small stacks); 413 for more values than MAX_ROWS rows of that width need (a value of 2 bytes
// takes 200 once parsed); 503 where memory ran out.
enum { MAX_JSON_DEPTH = 32, MAX_ROWS = 1000 };
json_t *json_from_body(const char *body, size_t n, size_t width, struct reply *r);
// "an object", "a string", "null": how a message names the type.
const char *json_type_words(json_type type);

#endif
