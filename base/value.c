#include "base/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// ---- numbers ----

// W. D. Clinger, How to Read Floating Point Numbers Accurately (PLDI 1990): an integer up to 2^53
// and a power of ten up to 10^22 are both exact doubles, so one division rounds once, correctly.
// Every other number goes to strtod.
enum { MAX_DIGITS = 19 }; // fit a uint64
static const double powers[MAX_DIGITS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                              1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                              1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

int value_number(const char *text, size_t n, double *value)
{
    const char *p = text + (n > 0 && (*text == '-' || *text == '+')), *end = text + n;
    const char *point = NULL;
    char *last;
    uint64_t integer = 0;
    int digits = 0;
    for (; p < end && (is_digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = p;
            continue;
        }
        integer = integer * 10 + (uint64_t)(*p - '0'); // wraps after MAX_DIGITS
        digits++;
    }
    if (digits == 0)
        return -1;
    if (p == end && digits <= MAX_DIGITS && integer <= UINT64_C(1) << 53) {
        *value = (double)integer / powers[point ? end - point - 1 : 0];
        *value = *text == '-' ? -*value : *value;
        return 0;
    }
    // No program here calls setlocale, so this is the C locale. strtod alone would take 0x10.
    *value = strtod(text, &last);
    return last == end && strspn(text, "0123456789+-.eE") == n && isfinite(*value) ? 0 : -1;
}

// ---- times ----

// Days since 1970-01-01 of a date of the Gregorian calendar, from year 1 on; false where there is
// no such date.
static bool days_of(int year, int month, int day, int64_t *days)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    const int years = year - 1;
    *days = 365 * years + years / 4 - years / 100 + years / 400 - 719162 + before[month - 1] +
            (month > 2 && leap) + day - 1;
    return day <= before[month] - before[month - 1] + (month == 2 && leap);
}

// The readers of a conversion return what follows it, NULL where the text does not fit.
static const char *read_fixed(const char *p, const char *end, int digits, int *value)
{
    int v = 0;
    if (end - p < digits)
        return NULL;
    for (end = p + digits; p < end; p++) {
        if (!is_digit(*p))
            return NULL;
        v = v * 10 + (*p - '0');
    }
    *value = v;
    return p;
}

static const char *read_fraction(const char *p, const char *end)
{
    const char *first = p;
    while (p < end && is_digit(*p))
        p++;
    return p > first && p - first <= 9 ? p : NULL;
}

// Z, +hh:mm or +hhmm, as seconds east of UTC.
static const char *read_zone(const char *p, const char *end, int *seconds)
{
    int hours, minutes;
    const char sign = p < end ? *p++ : '\0';
    if (sign == 'Z')
        return p;
    p = read_fixed(p, end, 2, &hours);
    if (p && p < end && *p == ':')
        p++;
    if (!p || !(p = read_fixed(p, end, 2, &minutes)) || hours > 23 || minutes > 59)
        return NULL;
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return sign == '+' || sign == '-' ? p : NULL;
}

static int epoch_time(const char *text, size_t n, int64_t *seconds)
{
    double v;
    const double first = -62135596800.0, last = 253402300799.0; // years 1 to 9999
    if (value_number(text, n, &v) || floor(v) < first || floor(v) > last)
        return -1;
    *seconds = (int64_t)floor(v);
    return 0;
}

int value_time(const char *format, const char *text, size_t n, int64_t *seconds)
{
    if (*format == 'e' && strcmp(format, "epoch") == 0)
        return epoch_time(text, n, seconds);
    int part['z' + 1]; // by the letter of its conversion
    part['H'] = part['M'] = part['S'] = part['z'] = 0;
    const char *p = text, *end = text + n;
    for (const char *f = format; *f; f++) {
        if (*f != '%')
            p = p < end && *p == *f ? p + 1 : NULL;
        else if (*++f == 'f')
            p = read_fraction(p, end);
        else if (*f == 'z')
            p = read_zone(p, end, &part['z']);
        else
            p = read_fixed(p, end, *f == 'Y' ? 4 : 2, &part[(unsigned char)*f]);
        if (p && p < end && *p == '.' && *f == 'S' && f[1] != '.')
            p = read_fraction(p + 1, end);
        if (!p)
            return -1;
    }
    if (p != end || part['H'] > 23 || part['M'] > 59 || part['S'] > 59 ||
        !days_of(part['Y'], part['m'], part['d'], seconds))
        return -1;
    *seconds =
        *seconds * SECONDS_PER_DAY + part['H'] * 3600 + part['M'] * 60 + part['S'] - part['z'];
    return 0;
}

int time_format_check(const char *format, struct err *err)
{
    static const char letters[] = "YmdHMSfz";
    bool seen[sizeof letters] = {false};
    if (strcmp(format, "epoch") == 0 || strcmp(format, "row") == 0)
        return 0;
    for (const char *p = format; (p = strchr(p, '%')); p++) {
        const char *letter = *++p ? strchr(letters, *p) : NULL;
        if (!letter)
            return err_set(err, "'%%%.1s' is not one of %%Y %%m %%d %%H %%M %%S %%f %%z", p);
        if (seen[letter - letters])
            return err_set(err, "'%%%c' is there twice", *p);
        seen[letter - letters] = true;
    }
    if (!seen[0] || !seen[1] || !seen[2])
        return err_set(err, "'%s' is neither a format with %%Y, %%m and %%d nor 'epoch' nor 'row'",
                       format);
    return 0;
}

int value_moment(const char *text, size_t n, int64_t *seconds)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (value_time(formats[i], text, n, seconds) == 0)
            return 0;
    return -1;
}

int64_t day_of(int64_t seconds)
{
    return seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
}

const char *date_text(char buf[TIME_TEXT], int64_t days)
{
    time_text(buf, days * SECONDS_PER_DAY);
    *strchr(buf, 'T') = '\0';
    return buf;
}

const char *time_text(char buf[TIME_TEXT], int64_t seconds)
{
    struct tm tm = {0};
    const time_t t = seconds;
    gmtime_r(&t, &tm);
    snprintf(buf, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return buf;
}

// ---- UTF-8 ----

size_t value_utf8_length(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text, lead = p[0];
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || length > n)
        return 0;
    // The second byte rules out overlong forms, surrogates, and what is beyond U+10FFFF.
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf)
        if (p[i] < low || p[i] > high)
            return 0;
    return length;
}

bool value_utf8(const char *text, size_t n)
{
    for (size_t i = 0, length; i < n; i += length) {
        length = value_utf8_length(text + i, n - i);
        if (length == 0)
            return false;
    }
    return true;
}
