// The text of an answer: growth, JSON escapes, problems. Knows nothing of what is answered.
#include "serve/reply.h"

#include "ingest/value.h"
#include "serve/number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 4096, KEPT = 64 * 1024 };

void reply_reset(struct reply *r)
{
    if (r->size > KEPT)
        reply_release(r);
    r->status = 200;
    r->type = "application/json";
    r->head = NULL;
    r->retry_after = 0;
    r->lent = NULL;
    r->n = 0;
    r->failed = false;
}

void reply_release(struct reply *r)
{
    free(r->text);
    *r = (struct reply){0};
}

// Room for n more bytes and the 0 byte.
static bool reserve(struct reply *r, size_t n)
{
    if (r->failed)
        return false;
    if (n < r->size - r->n)
        return true;
    size_t size = r->size ? r->size : SMALLEST;
    while (size - r->n <= n)
        size *= 2;
    char *text = realloc(r->text, size);
    if (!text) {
        r->failed = true;
        return false;
    }
    r->text = text;
    r->size = size;
    return true;
}

void reply_bytes(struct reply *r, const char *bytes, size_t n)
{
    if (!reserve(r, n))
        return;
    memcpy(r->text + r->n, bytes, n);
    r->n += n;
    r->text[r->n] = '\0';
}

void reply_words(struct reply *r, const char *text)
{
    reply_bytes(r, text, strlen(text));
}

void reply_borrow(struct reply *r, const char *bytes, size_t n)
{
    r->lent = bytes;
    r->n = n;
}

// Mostly it fits, and is formatted once; else there is room for it the second time.
static void add(struct reply *r, const char *fmt, va_list args)
{
    va_list again;
    if (!reserve(r, 64))
        return;
    va_copy(again, args);
    int n = vsnprintf(r->text + r->n, r->size - r->n, fmt, args);
    bool fits = n >= 0 && (size_t)n < r->size - r->n;
    if (!fits && n >= 0 && reserve(r, (size_t)n)) {
        vsnprintf(r->text + r->n, r->size - r->n, fmt, again);
        fits = true;
    }
    va_end(again);
    r->n += fits ? (size_t)n : 0;
}

void reply_add(struct reply *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(r, fmt, args);
    va_end(args);
}

// One character that is not plain ASCII; returns how many bytes it has.
static size_t put_escaped(struct reply *r, const char *text, size_t n)
{
    const size_t length = value_utf8_length(text, n);
    const unsigned char c = (unsigned char)*text;
    if (length == 0)
        reply_bytes(r, "\\ufffd", 6);
    else if (c == '"' || c == '\\')
        reply_add(r, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        reply_add(r, "\\u%04x", c);
    else
        reply_bytes(r, text, length);
    return length ? length : 1;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void reply_string(struct reply *r, const char *text, size_t n)
{
    reply_bytes(r, "\"", 1);
    for (size_t i = 0; i < n;) {
        size_t length = 0;
        while (i + length < n && is_plain((unsigned char)text[i + length]))
            length++;
        if (length == 0)
            length = put_escaped(r, text + i, n - i);
        else
            reply_bytes(r, text + i, length);
        i += length;
    }
    reply_bytes(r, "\"", 1);
}

void reply_number(struct reply *r, double x)
{
    char text[NUMBER_TEXT] = "";
    if (isfinite(x))
        reply_bytes(r, text, (size_t)number_text(text, x, 17));
    else
        reply_bytes(r, "null", 4);
}

void reply_float(struct reply *r, float x)
{
    char text[NUMBER_TEXT] = "";
    if (isfinite(x))
        reply_bytes(r, text, (size_t)number_text(text, (double)x, 9));
    else
        reply_bytes(r, "null", 4);
}

void reply_integer(struct reply *r, long long x)
{
    char digits[20], *p = digits + sizeof digits;
    unsigned long long left = x < 0 ? 0 - (unsigned long long)x : (unsigned long long)x;
    do
        *--p = (char)('0' + left % 10);
    while (left /= 10);
    if (x < 0)
        *--p = '-';
    reply_bytes(r, p, (size_t)(digits + sizeof digits - p));
}

int reply_problem(struct reply *r, int status, const char *field, long index, const char *fmt, ...)
{
    char detail[1024]; // a longer one, from a client's long text, is cut
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    reply_reset(r);
    r->status = status;
    r->type = "application/problem+json";
    reply_add(r, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
              reply_phrase(status), status);
    reply_string(r, detail, strlen(detail));
    reply_add(r, ",\"error\":");
    reply_string(r, detail, strlen(detail));
    if (field) {
        reply_add(r, ",\"field\":");
        reply_string(r, field, strlen(field));
    }
    if (index >= 0)
        reply_add(r, ",\"index\":%ld", index);
    reply_bytes(r, "}", 1);
    return -1;
}

const char *reply_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } known[] = {
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].phrase;
    return "Unknown";
}
