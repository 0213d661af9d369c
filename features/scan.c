// The words of an expression: names, numbers, lengths of time, texts in quotes, punctuation.
#include "features/scan.h"

#include "base/config.h"
#include "ingest/value.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int scan_fail(struct scan *s, const char *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->e->msg, sizeof s->e->msg, fmt, ap);
    va_end(ap);
    s->e->offset = (int)(at - s->text);
    return -1;
}

void scan_space(struct scan *s)
{
    while (*s->at == ' ' || *s->at == '\t')
        s->at++;
}

bool scan_take(struct scan *s, const char *word)
{
    scan_space(s);
    size_t n = strlen(word);
    if (strncmp(s->at, word, n) != 0)
        return false;
    s->at += n;
    return true;
}

int scan_expect(struct scan *s, const char *word, const char *where)
{
    if (scan_take(s, word))
        return 0;
    return scan_fail(s, s->at, "'%s' is missing %s", word, where);
}

bool scan_is_letter(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

const char *scan_name(struct scan *s, char buf[SCAN_NAME])
{
    scan_space(s);
    const char *start = s->at;
    if (!scan_is_letter(*start))
        return NULL;
    const char *end = start;
    while (scan_is_letter(*end) || isdigit((unsigned char)*end))
        end++;
    if (end - start >= SCAN_NAME)
        return NULL;
    memcpy(buf, start, (size_t)(end - start));
    buf[end - start] = '\0';
    s->at = end;
    return start;
}

int scan_number(struct scan *s, double *value)
{
    scan_space(s);
    const char *p = s->at;
    char buf[64];
    p += strspn(p, "0123456789.");
    if ((*p == 'e' || *p == 'E') && p > s->at) {
        const char *digits = p + 1 + (p[1] == '+' || p[1] == '-');
        if (isdigit((unsigned char)*digits))
            p = digits + strspn(digits, "0123456789");
    }
    size_t n = (size_t)(p - s->at);
    if (n == 0 || n >= sizeof buf)
        return scan_fail(s, s->at, "a number is expected here");
    memcpy(buf, s->at, n);
    buf[n] = '\0';
    if (number_parse(buf, value))
        return scan_fail(s, s->at, "'%s' is not a number", buf);
    if (scan_is_letter(*p))
        return scan_fail(s, s->at,
                         "a number cannot be followed by a letter here; a length of time like "
                         "7d can only be a window or a delay");
    s->at = p;
    return 0;
}

int scan_duration(struct scan *s, int64_t *seconds)
{
    static const char units[] = "smhd";
    static const int64_t unit_seconds[] = {1, 60, 3600, 86400};
    scan_space(s);
    const char *start = s->at;
    int64_t n = 0;
    const char *p = start;
    for (; isdigit((unsigned char)*p) && n < 1000000000; p++)
        n = 10 * n + (*p - '0');
    const char *unit = *p ? strchr(units, *p) : NULL;
    if (p == start || !unit || scan_is_letter(p[1]) || isdigit((unsigned char)p[1]))
        return scan_fail(s, start, "a length of time is expected here, like 30s, 15m, 12h or 7d");
    *seconds = n * unit_seconds[unit - units];
    if (n == 0 || *seconds > 36500 * unit_seconds[3])
        return scan_fail(s, start, "a length of time is 1s at least and 36500d at most");
    s->at = p + 1;
    return 0;
}

int scan_text(struct scan *s, char buf[SCAN_TEXT + 1])
{
    const char *start = s->at;
    size_t n = 0;
    if (!scan_take(s, "\""))
        return scan_fail(s, s->at, "a value in double quotes is expected here");
    for (; *s->at && *s->at != '"'; s->at++) {
        if (*s->at == '\\' && (s->at[1] == '"' || s->at[1] == '\\'))
            s->at++;
        if (n == SCAN_TEXT)
            return scan_fail(s, start, "a value in quotes has at most %d bytes", SCAN_TEXT);
        buf[n++] = *s->at;
    }
    buf[n] = '\0';
    if (!value_utf8(buf, n))
        return scan_fail(s, start, "the value is not UTF-8");
    return scan_expect(s, "\"", "behind the value");
}
