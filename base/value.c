#include "base/value.h"

#include "base/memory.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
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

int value_number_as(const char *text, size_t n, char decimal, char thousands, const char *strip,
                    double *value)
{
    static const char digits[] = "0123456789";
    char plain[128] = "";
    size_t used = 0, separators = 0, group = 0; // digits since the latest separator
    bool point = false, digit = false;
    if (decimal == '.' && value_number(text, n, value) == 0)
        return 0;
    if (n >= sizeof plain || (decimal == '.' && !thousands && !strip))
        return -1;
    for (const char *p = text, *end = text + n; p < end; p++) {
        const int wide = strncmp(p, "\xc2\xa0", 2) == 0       ? 1 // a no-break space
                         : strncmp(p, "\xe2\x80\xaf", 3) == 0 ? 2 // a narrow one
                                                              : 0;
        const char byte = wide > 0 ? ' ' : *p;
        p += wide;
        if (strip && (byte == ' ' ? !digit || !strpbrk(p, digits) : strchr(strip, byte) != NULL)) {
            if (byte == '(' || (byte == ')' && *plain != '-')) // accounts write -1.50 as (1.50)
                plain[used++] = byte == '(' && text[n - 1] == ')' ? '-' : '(';
            continue;
        }
        if (thousands && byte == thousands && group > 0) {
            if (group > 3 || (separators > 0 ? group < 2 : plain[used - group] == '0'))
                return -1; // 1,00,000 is written in India, 0,123 nowhere
            separators++;
            group = 0;
            continue;
        }
        if (byte == decimal || byte == '.') {
            if (byte != decimal || (separators > 0 && group != 3))
                return -1;
            point = true;
        }
        digit |= is_digit(byte);
        group = point ? 0 : group + is_digit(byte);
        plain[used++] = byte == decimal ? '.' : byte;
    }
    plain[used] = '\0';
    return !point && separators > 0 && group != 3 ? -1 : value_number(plain, used, value);
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
static const char *read_digits(const char *p, const char *end, int least, int most, int *value)
{
    int n = 0;
    for (*value = 0; n < most && p < end && is_digit(*p); n++)
        *value = *value * 10 + (*p++ - '0');
    return n >= least ? p : NULL;
}

// By its first three letters: "Sep", "Sept" and "September".
static const char *read_month(const char *p, const char *end, int *month)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (*month = 1; *month <= 12 && end - p >= 3; ++*month)
        if (strncasecmp(p, months + 3 * (*month - 1), 3) == 0) {
            for (p += 3; p < end && isalpha((unsigned char)*p); p++)
                continue;
            return p;
        }
    return NULL;
}

// AM or PM, as hours.
static const char *read_half(const char *p, const char *end, int *hours)
{
    *hours = end - p >= 2 && strncasecmp(p, "pm", 2) == 0 ? 12 : 0;
    return *hours || (end - p >= 2 && strncasecmp(p, "am", 2) == 0) ? p + 2 : NULL;
}

static const char *read_fraction(const char *p, const char *end)
{
    const char *first = p;
    while (p < end && is_digit(*p))
        p++;
    return p > first && p - first <= 9 ? p : NULL;
}

// Z, +hh:mm, +hhmm or +hh, as seconds east of UTC.
static const char *read_zone(const char *p, const char *end, int *seconds)
{
    int hours;
    const char sign = p < end ? *p++ : '\0';
    if (sign == 'Z')
        return p;
    int minutes = 0;
    p = read_digits(p, end, 2, 2, &hours);
    if (p && p < end && (*p == ':' || is_digit(*p)))
        p = read_digits(p + (*p == ':'), end, 2, 2, &minutes);
    if (!p || hours > 23 || minutes > 59)
        return NULL;
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return sign == '+' || sign == '-' ? p : NULL;
}

int value_seconds(double x, int64_t *seconds)
{
    if (!(floor(x) >= -62135596800.0 && floor(x) <= 253402300799.0))
        return -1;
    *seconds = (int64_t)floor(x);
    return 0;
}

// Read one conversion. apart: no other one is next to it.
static const char *read_part(char letter, bool apart, const char *p, const char *end, int *part)
{
    int *value = &part[(unsigned char)letter];
    switch (letter) {
    case 'f':
        return read_fraction(p, end);
    case 'z':
        return read_zone(p, end, value);
    case 'b':
        return read_month(p, end, &part['m']);
    case 'p':
        return read_half(p, end, value);
    case 'Y':
        return read_digits(p, end, 4, 4, value);
    case 'y':
        p = read_digits(p, end, 2, 2, value);
        part['Y'] = *value + (*value < 69 ? 2000 : 1900);
        return p;
    default:
        return read_digits(p, end, apart ? 1 : 2, 2, value);
    }
}

int value_time(const char *format, const char *text, size_t n, int64_t *seconds)
{
    double v;
    if (*format == 'e' && strncmp(format, "epoch", 5) == 0)
        return value_number(text, n, &v) ? -1 : value_seconds(format[5] ? v / 1000 : v, seconds);
    int part['z' + 1]; // by the letter of its conversion
    part['Y'] = part['m'] = part['d'] = 0;
    part['H'] = part['M'] = part['S'] = part['z'] = part['p'] = 0;
    part['I'] = 12;
    const char *p = text, *end = text + n, *after = NULL; // the latest conversion of the format
    for (const char *f = format; p && *f; f++)
        if (*f != '%') {
            p = p < end && *p == *f ? p + 1 : NULL;
        } else {
            const bool apart = f != after && f[2] != '%';
            p = read_part(*++f, apart, p, end, part);
            after = f + 1;
            if (*f == 'S' && p && p < end && *p == '.' && *after != '.')
                p = read_fraction(p + 1, end);
        }
    if (p != end || part['I'] < 1 || part['I'] > 12)
        return -1;
    part['H'] += part['I'] % 12 + part['p'];
    if (part['H'] > 23 || part['M'] > 59 || part['S'] > 59 ||
        !days_of(part['Y'], part['m'], part['d'], seconds))
        return -1;
    *seconds =
        *seconds * SECONDS_PER_DAY + part['H'] * 3600 + part['M'] * 60 + part['S'] - part['z'];
    return 0;
}

int time_format_check(const char *format, struct err *err)
{
    static const char letters[] = "YymbdHIpMSfz";
    bool seen['z' + 1] = {false};
    if (strcmp(format, "epoch") == 0 || strcmp(format, "epoch_ms") == 0 ||
        strcmp(format, "row") == 0)
        return 0;
    for (const char *p = format; (p = strchr(p, '%')); p++) {
        if (!*++p || !strchr(letters, *p))
            return err_set(
                err, "'%%%.1s' is not one of %%Y %%y %%m %%b %%d %%H %%I %%p %%M %%S %%f %%z", p);
        if (seen[(unsigned char)*p])
            return err_set(err, "'%%%c' is there twice", *p);
        seen[(unsigned char)*p] = true;
    }
    if (seen['Y'] == seen['y'] || seen['m'] == seen['b'] || !seen['d'])
        return err_set(err,
                       "'%s' is neither a format with %%Y, %%m and %%d (or %%y, %%b) nor 'epoch', "
                       "'epoch_ms' or 'row'",
                       format);
    if (seen['I'] != seen['p'] || (seen['I'] && seen['H']))
        return err_set(err, "'%s': %%I and %%p go together, and without %%H", format);
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

size_t value_utf8_begin(const char *text, size_t n)
{
    size_t i = 0, length;
    while (i < n && (length = value_utf8_length(text + i, n - i)) > 0)
        i += length;
    return i;
}

bool value_utf8(const char *text, size_t n)
{
    return value_utf8_begin(text, n) == n;
}

// ---- order ----

// Numbers become keys whose order as integers is theirs: by IEEE 754 positive numbers are in the
// order of their bits, negative ones in the reverse order. The keys are sorted by their least
// significant digit first, which moves memory in order; a digit in which all agree is skipped.
void sort_doubles(double *values, size_t n)
{
    enum { BITS = 11, VALUES = 1 << BITS };
    const uint64_t sign = UINT64_C(1) << 63;
    uint64_t *keys = xmalloc(n * sizeof *keys), *to = xmalloc(n * sizeof *to);
    memcpy(keys, values, n * sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = keys[i] & sign ? ~keys[i] : keys[i] | sign;
    for (int shift = 0; shift < 64 && n > 0; shift += BITS) {
        size_t next[VALUES + 1] = {0}; // where keys of a digit go
        for (size_t i = 0; i < n; i++)
            next[(keys[i] >> shift) % VALUES + 1]++;
        if (next[(keys[0] >> shift) % VALUES + 1] == n)
            continue;
        for (int v = 1; v < VALUES; v++)
            next[v] += next[v - 1];
        for (size_t i = 0; i < n; i++)
            to[next[(keys[i] >> shift) % VALUES]++] = keys[i];
        uint64_t *swap = keys;
        keys = to;
        to = swap;
    }
    for (size_t i = 0; i < n; i++)
        keys[i] = keys[i] & sign ? keys[i] ^ sign : ~keys[i];
    memcpy(values, keys, n * sizeof *keys);
    free(keys);
    free(to);
}
