#include "base/template.h"

#include "base/memory.h"
#include "base/progress.h"
#include "base/value.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scope {
    FILE *f;
    enum template_mode mode;
    bool hidden;
    const json_t *root, *item;
    const char *key; // the name that * means
};

// A path in a template ends at ':' or '}'; "." is the item itself.
static const json_t *find(const struct scope *s, const char *path)
{
    const json_t *j = *path == '$' ? s->root : s->item;
    path += *path == '$' ? 2 : *path == '.';
    while (j && *path != ':' && *path != '}') {
        const size_t n = strcspn(path, ".:}");
        if (json_is_array(j))
            j = json_array_get(j, strtoul(path, NULL, 10));
        else
            j = *path == '*' ? json_object_get(j, s->key) : json_object_getn(j, path, n);
        path += n + (path[n] == '.');
    }
    return j;
}

// A memory stream without memory has no ferror, so each write is checked.
#define PUT(s, ...) xchecked(fprintf((s)->f, __VA_ARGS__) < 0 ? NULL : (s)->f)

static void put_text(const struct scope *s, const char *text, const char *format)
{
    // In a page only JSON inside <script> has to be escaped.
    static const char *const special[] = {"", "|*<[]&\\`", "<", "\"\\\n"};
    char *end;
    const int width = (int)strtol(format, &end, 10);
    const size_t most = *end == '.' ? strtoul(end + 1, NULL, 10) : SIZE_MAX;
    for (size_t n = 0;; text += n + 1) {
        n = strcspn(text, *format == 'r' ? "" : special[s->mode]);
        PUT(s, "%*.*s", width, (int)value_utf8_begin(text, n < most ? n : most), text);
        if (!text[n]) // NOLINT(clang-analyzer-core.uninitialized.Branch): n is within the text
            break;
        PUT(s, s->mode == TEMPLATE_PAGE ? "\\u%04x" : "\\%c", text[n] == '\n' ? 'n' : text[n]);
    }
}

static void put_number(const struct scope *s, double x, const char *format)
{
    const bool sign = *format == '+';
    char *end;
    const int width = (int)strtol(format + sign, &end, 10);
    const int decimals = *end == '.' ? (int)strtol(end + 1, &end, 10) : 0;
    if (isnan(x))
        PUT(s, "%*s", width, s->mode == TEMPLATE_PROMETHEUS ? "NaN" : "-");
    else if (*end == 'g')
        PUT(s, "%*.*g", width, decimals, x);
    else
        PUT(s, sign ? "%+*.*f%s" : "%*.*f%s", width, decimals,
            *end == '%' || *end == 'p' ? 100 * x : x, *end == '%' ? " %" : "");
}

static void put_field(const struct scope *s, const char *tag)
{
    const char *end = tag + strcspn(tag, ":}"), *format = end + (*end == ':');
    const json_t *j = find(s, tag);
    if (*tag == '*')
        put_text(s, s->key, format);
    else if (json_is_string(j))
        put_text(s, json_string_value(j), format);
    else if (json_is_array(j))
        put_number(s, (double)json_array_size(j), format);
    else
        put_number(s, json_is_number(j) ? json_number_value(j) : NAN, format);
}

static const char *fill(const struct scope *s, const char *text);

// {{#path}} or {{^path}}; returns what follows its {{/}}.
static const char *fill_section(const struct scope *s, const char *tag, const char *text)
{
    struct scope inner = *s;
    json_t *j = s->hidden ? NULL : (json_t *)find(s, tag + 1), *item;
    const char *end = NULL, *key, *colon = tag + strcspn(tag, ":}");
    const size_t most = *colon == ':' ? strtoul(colon + 1, NULL, 10) : SIZE_MAX;
    size_t i;
    inner.hidden = s->hidden || *tag == '^';
    json_array_foreach(j, i, item)
    {
        inner.item = item;
        inner.hidden |= i >= most;
        end = fill(&inner, text);
    }
    json_object_foreach(j, key, item)
    {
        inner.key = key;
        inner.hidden |= i++ >= most;
        end = fill(&inner, text);
    }
    if (end)
        return end;
    const bool is = json_is_true(j) || json_is_string(j) || json_number_value(j) != 0;
    inner.hidden = s->hidden || is == (*tag == '^');
    return fill(&inner, text);
}

static const char *fill(const struct scope *s, const char *text)
{
    for (const char *tag; (tag = strstr(text, "{{"));) {
        if (!s->hidden)
            PUT(s, "%.*s", (int)(tag - text), text);
        tag += 2;
        text = strstr(tag, "}}") + 2;
        if (*tag == '/')
            return text;
        if (*tag == '#' || *tag == '^')
            text = fill_section(s, tag, text);
        else if (!s->hidden)
            put_field(s, tag);
    }
    PUT(s, "%s", text);
    return text + strlen(text);
}

char *template_fill(const char *template, enum template_mode mode, const json_t *root)
{
    char *text = NULL;
    size_t n;
    FILE *f = xchecked(open_memstream(&text, &n));
    const struct scope s = {.f = f, .mode = mode, .root = root, .item = root, .key = ""};
    fill(&s, template);
    return xchecked(fclose(f) ? NULL : text);
}

void template_print(const char *template, const json_t *results)
{
    char *text = template_fill(template, TEMPLATE_PLAIN, results);
    print_wrapped(text, 0); // main checks that stdout could be written
    free(text);
}
