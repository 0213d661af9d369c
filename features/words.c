#include "features/words.h"

#include "base/memory.h"
#include "base/value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

bool is_letter(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_inside_name(char c)
{
    return is_letter(c) || isdigit((unsigned char)c);
}

void skip_space(struct parser *ps)
{
    ps->at += strspn(ps->at, " \t");
}

bool take(struct parser *ps, const char *word)
{
    skip_space(ps);
    const size_t n = strlen(word);
    if (strncmp(ps->at, word, n) != 0 || (is_letter(*word) && is_inside_name(ps->at[n])))
        return false;
    ps->at += n;
    return true;
}

int expect(struct parser *ps, const char *word, const char *where)
{
    return take(ps, word) ? 0 : fail(ps, ps->at, "'%s' is missing %s", word, where);
}

const char *take_name(struct parser *ps, char name[NAME])
{
    skip_space(ps);
    const char *start = ps->at, *end = start;
    while (end > start ? is_inside_name(*end) : is_letter(*end))
        end++;
    if (end == start || end - start >= NAME)
        return NULL;
    memcpy(name, start, (size_t)(end - start));
    name[end - start] = '\0';
    ps->at = end;
    return start;
}

int take_number(struct parser *ps, double *value)
{
    skip_space(ps);
    char *end;
    if (!isdigit((unsigned char)*ps->at) && *ps->at != '.')
        return fail(ps, ps->at, "a value is expected here");
    *value = strtod(ps->at, &end); // no program here calls setlocale, so this is the C locale
    size_t n = strspn(ps->at, "0123456789.");
    if (end > ps->at + n)
        n = (size_t)(end - ps->at); // with an exponent
    if (end != ps->at + n || strspn(ps->at, "0123456789.eE+-") < n || !isfinite(*value))
        return fail(ps, ps->at, "'%.*s' is not a number", (int)n, ps->at);
    if (is_letter(*end))
        return fail(ps, ps->at, "a number has no unit here; only windows and delays do, like 7d");
    ps->at = end;
    return 0;
}

int take_signed(struct parser *ps, double *value)
{
    const double sign = take(ps, "-") ? -1 : 1;
    const int rc = take_number(ps, value);
    *value *= sign;
    return rc;
}

int take_duration(struct parser *ps, int64_t *seconds)
{
    skip_space(ps);
    const char *end = duration_parse(ps->at, seconds);
    if (!end || is_inside_name(*end))
        return fail(ps, ps->at,
                    "a length of time is expected here, like 30s, 15m, 12h or 7d, 36500d at most");
    if (*seconds == 0)
        return fail(ps, ps->at, "a length of time is 1s at least");
    ps->at = end;
    return 0;
}

char *take_text(struct parser *ps)
{
    const char *start = ps->at;
    char *text;
    size_t n = 0;
    if (!take(ps, "\"")) {
        fail(ps, ps->at, "a text in double quotes is expected here");
        return NULL;
    }
    text = xmalloc(strlen(ps->at) + 1);
    for (; *ps->at && *ps->at != '"'; ps->at++) {
        if (*ps->at == '\\' && (ps->at[1] == '"' || ps->at[1] == '\\'))
            ps->at++;
        text[n++] = *ps->at;
    }
    text[n] = '\0';
    if (n <= TEXT_MAX && value_utf8(text, n) && expect(ps, "\"", "behind the text") == 0)
        return text;
    if (n > TEXT_MAX)
        fail(ps, start, "a text has at most %d bytes", TEXT_MAX);
    else if (!value_utf8(text, n))
        fail(ps, start, "the text is not UTF-8");
    free(text);
    return NULL;
}
