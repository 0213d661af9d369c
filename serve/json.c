// Checks a body's bytes, then parses them.
#include "serve/json.h"

static int check_bytes(const char *body, size_t n, struct reply *r)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        char c = body[i];
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
    if (!document)
        reply_problem(r, 400, NULL, -1, "the body is not JSON: line %d, column %d: %s%s", e.line,
                      e.column, e.text,
                      json_error_code(&e) == json_error_numeric_overflow
                          ? "; an id or a key may be sent as a string"
                          : "");
    return document;
}

const char *json_type_words(const json_t *v)
{
    static const char *const words[] = {"an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null"};
    return words[json_typeof(v)];
}
