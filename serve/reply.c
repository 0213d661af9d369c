#include "serve/reply.h"

#include "base/memory.h"
#include "ingest/value.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT = 64 * 1024 };

const struct reply_status reply_statuses[REPLY_STATUSES] = {
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
    {0, "Unknown"},
};

size_t reply_status(int code)
{
    size_t i = 0;
    while (i + 1 < REPLY_STATUSES && reply_statuses[i].code != code)
        i++;
    return i;
}

void reply_reset(struct reply *r)
{
    if (r->size > KEPT)
        reply_release(r);
    *r =
        (struct reply){.status = 200, .type = "application/json", .text = r->text, .size = r->size};
}

void reply_release(struct reply *r)
{
    free(r->text);
    *r = (struct reply){0};
}

void reply_bytes(struct reply *r, const char *bytes, size_t n)
{
    ARRAY_GROW(r->text, r->n + n + 1, r->size);
    memcpy(r->text + r->n, bytes, n);
    r->n += n;
    r->text[r->n] = '\0';
}

void reply_add(struct reply *r, const char *fmt, ...)
{
    va_list args;
    size_t n = 255; // most fit, and are formatted once
    for (bool fits = false; !fits;) {
        const size_t room = n + 1;
        ARRAY_GROW(r->text, r->n + room, r->size);
        va_start(args, fmt);
        n = (size_t)vsnprintf(r->text + r->n, room, fmt, args);
        va_end(args);
        fits = n < room;
    }
    r->n += n;
}

void reply_string(struct reply *r, const char *text, size_t n)
{
    size_t added = 0;
    reply_text(r, "\"");
    for (size_t i = 0; i < n;) {
        const unsigned char c = (unsigned char)text[i];
        const size_t length = c < 0x80 ? 1 : value_utf8_length(text + i, n - i);
        const bool quoted = c == '"' || c == '\\';
        if (length > 0 && c >= 0x20 && c != 0x7f && !quoted) {
            i += length;
            continue;
        }
        reply_bytes(r, text + added, i - added);
        reply_add(r, length == 0 ? "\\ufffd" : quoted ? "\\%c" : "\\u%04x", c);
        added = ++i;
    }
    reply_bytes(r, text + added, n - added);
    reply_text(r, "\"");
}

int reply_problem(struct reply *r, int status, const char *field, long index, const char *fmt, ...)
{
    char detail[1024]; // cuts a longer one, which quotes a client's long text
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    reply_reset(r);
    r->status = status;
    r->type = "application/problem+json";
    reply_add(r, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
              reply_statuses[reply_status(status)].phrase, status);
    reply_string(r, detail, strlen(detail));
    reply_text(r, ",\"error\":");
    reply_string(r, detail, strlen(detail));
    if (field) {
        reply_text(r, ",\"field\":");
        reply_string(r, field, strlen(field));
    }
    if (index >= 0)
        reply_add(r, ",\"index\":%ld", index);
    reply_text(r, "}");
    return -1;
}

// An answer holds ten numbers, so printf would take a tenth of its time. Between 1e-4 and 1e5 the
// digits are the integer nearest to m · 10^k / 2^s, where x = m / 2^s, computed in 128 bits: the
// only rounding is the last one, half to even as in glibc. Other numbers go to printf.
__extension__ typedef unsigned __int128 uint128;

static const uint64_t power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

// a · 10^(digits - 1 - exponent), rounded to an integer: at most 2^53 · 10^20 before the shift.
static uint64_t significand(double a, int digits, int exponent)
{
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    const int shift = 1075 - (int)(bits >> 52 & 0x7ff), k = digits - 1 - exponent;
    const uint64_t first = UINT64_C(1) << 52; // the implicit bit
    uint128 v = (bits & (first - 1)) | first;
    v *= power[k > 19 ? 19 : k];
    v *= power[k > 19 ? k - 19 : 0];
    const uint128 whole = v >> shift, rest = v - (whole << shift), half = (uint128)1 << (shift - 1);
    const uint64_t n = (uint64_t)whole;
    return n + (rest > half || (rest == half && n % 2 == 1));
}

int number_text(char text[NUMBER_TEXT], double x, int digits)
{
    static const double bounds[] = {1e-3, 1e-2, 1e-1, 1, 10, 100, 1000, 10000};
    const double a = fabs(x);
    if (!(a >= 1e-4 && a < 1e5))
        return snprintf(text, NUMBER_TEXT, "%.*g", digits, x);
    int exponent = -4; // 10^exponent <= a < 10^(exponent + 1)
    while (exponent < 4 && a >= bounds[exponent + 4])
        exponent++;
    uint64_t n = significand(a, digits, exponent);
    if (n >= power[digits]) { // 9.99…9 became 10
        n /= 10;
        exponent++;
    }
    for (; n % 10 == 0; n /= 10)
        digits--;
    int fraction = digits - 1 - exponent; // digits behind the point
    for (; fraction < 0; fraction++)
        n *= 10;
    char *end = text + NUMBER_TEXT - 1, *p = end; // written from its end
    *p = '\0';
    for (int i = 0; n > 0 || i <= fraction; i++, n /= 10) {
        if (i == fraction && i > 0)
            *--p = '.';
        *--p = (char)('0' + n % 10);
    }
    if (x < 0)
        *--p = '-';
    memmove(text, p, (size_t)(end - p) + 1);
    return (int)(end - p);
}

void reply_number(struct reply *r, double x, int digits)
{
    char text[NUMBER_TEXT] = "";
    if (isfinite(x))
        reply_bytes(r, text, (size_t)number_text(text, x, digits));
    else
        reply_text(r, "null");
}

static int check_bytes(const char *body, size_t n, struct reply *r)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        const char c = body[i];
        if (c == '\0')
            return reply_problem(r, 400, NULL, -1, "the body has a byte of 0 at offset %zu", i);
        if (quoted && c == '\\' && i + 1 < n && body[i + 1] != '\0')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            depth++;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
        if (depth > MAX_JSON_DEPTH)
            return reply_problem(r, 400, NULL, -1, "the JSON is nested deeper than %d levels",
                                 MAX_JSON_DEPTH);
    }
    return 0;
}

json_t *json_from_body(const char *body, size_t n, struct reply *r)
{
    json_error_t e;
    if (check_bytes(body, n, r))
        return NULL;
    json_t *document = json_loadb(body, n, JSON_REJECT_DUPLICATES, &e);
    if (!document && !*e.text) // jansson says nothing where an allocation failed
        reply_problem(r, 503, NULL, -1, "out of memory for a body of %zu bytes", n);
    else if (!document)
        reply_problem(r, 400, NULL, -1, "the body is not JSON: line %d, column %d: %s%s", e.line,
                      e.column, e.text,
                      json_error_code(&e) == json_error_numeric_overflow
                          ? "; an id or a key may be sent as a string"
                          : "");
    return document;
}

const char *json_type_words(json_type type)
{
    static const char *const words[] = {"an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null"};
    return words[type];
}
