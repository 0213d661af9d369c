#include "serve/reply.h"

#include "base/memory.h"
#include "base/value.h"

#include <math.h>
#include <stdarg.h>

enum { KEPT = 16 * 1024 };

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

void reply_json(struct reply *r, json_t *value)
{
    char *text = xchecked(json_dumps(value, JSON_COMPACT));
    reply_text(r, text);
    free(text);
    json_decref(value);
}

void reply_number(struct reply *r, double x)
{
    reply_add(r, isnan(x) ? "null" : "%.17g", x);
}

void reply_name(struct reply *r, const char *name)
{
    if (r->text[r->n - 1] != '{')
        reply_text(r, ",");
    reply_string(r, name, strlen(name));
    reply_text(r, ":");
}

void reply_member(struct reply *r, const char *name, const char *text)
{
    reply_name(r, name);
    reply_string(r, text, strlen(text));
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
    reply_add(r, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d",
              reply_statuses[reply_status(status)].phrase, status);
    reply_member(r, "detail", detail);
    reply_member(r, "error", detail);
    if (field)
        reply_member(r, "field", field);
    if (index >= 0)
        reply_add(r, ",\"index\":%ld", index);
    reply_text(r, "}");
    return -1;
}

static int check_bytes(const char *body, size_t n, size_t most, struct reply *r)
{
    int depth = 0;
    size_t values = 1;
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
            depth++, values++;
        else if (!quoted && c == ',')
            values++;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
        if (depth > MAX_JSON_DEPTH)
            return reply_problem(r, 400, NULL, -1, "the JSON is nested deeper than %d levels",
                                 MAX_JSON_DEPTH);
        if (values > most)
            return reply_problem(r, 413, NULL, -1,
                                 "the body has more than %zu values, more than %d rows need: send "
                                 "that many at most",
                                 most, MAX_ROWS);
    }
    return 0;
}

json_t *json_from_body(const char *body, size_t n, size_t width, struct reply *r)
{
    json_error_t e;
    if (check_bytes(body, n, MAX_ROWS * (width + 2), r))
        return NULL;
    errno = 0; // jansson tells a failed allocation only there
    json_t *document = json_loadb(body, n, JSON_REJECT_DUPLICATES, &e);
    if (!document && (errno == ENOMEM || !*e.text))
        reply_problem(r, 503, NULL, -1, "out of memory for a body of %zu bytes", n);
    else if (!document)
        reply_problem(
            r, 400, NULL, -1,
            json_error_code(&e) == json_error_numeric_overflow
                ? "a number is out of range: line %d, column %d: %s; a long id or key may "
                  "be sent as a string, a large number as 1e20"
                : "the body is not JSON: line %d, column %d: %s",
            e.line, e.column, e.text);
    return document;
}

const char *json_type_words(json_type type)
{
    static const char *const words[] = {"an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null"};
    return words[type];
}
