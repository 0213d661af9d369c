// Numbers by Clinger's exact case, times by a compiled format; strtod only where it must be.
//
// W. D. Clinger, How to Read Floating Point Numbers Accurately (PLDI 1990): a mantissa below 2^53
// and a power of ten up to 10^22 are both exact doubles, so one multiplication or division rounds
// once, correctly. Every other number goes to strtod.
#include "ingest/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_POWER = 22, MAX_DIGITS = 19 };
static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

// What was read before an exponent: the value is mantissa · 10^exponent.
struct decimal {
    uint64_t mantissa;
    int digits; // in the mantissa, leading zeros not counted
    int64_t exponent;
    bool any; // a digit was there
};

static const char *read_digits(const char *p, const char *end, bool fraction, struct decimal *d)
{
    for (; p < end && is_digit(*p); p++) {
        d->any = true;
        d->exponent -= fraction;
        d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0'); // may wrap: digits tell
        d->digits += d->digits > 0 || *p != '0';
    }
    return p;
}

// The digits after e or E, to end; false where there is none or something else.
static bool read_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end)
        return false;
    int64_t e = 0;
    for (; p < end && is_digit(*p); p++)
        if (e < 100000) // far beyond any double; strtod decides
            e = e * 10 + (*p - '0');
    *exponent += negative ? -e : e;
    return p == end;
}

int value_number(const char *text, size_t n, double *value)
{
    const char *p = text, *end = text + n;
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    struct decimal d = {0};
    p = read_digits(p, end, false, &d);
    if (p < end && *p == '.')
        p = read_digits(p + 1, end, true, &d);
    if (!d.any)
        return -1;
    if (p < end && ((*p != 'e' && *p != 'E') || !read_exponent(p + 1, end, &d.exponent)))
        return -1;
    if (d.digits <= MAX_DIGITS && d.mantissa <= UINT64_C(1) << 53 && d.exponent >= -EXACT_POWER &&
        d.exponent <= EXACT_POWER) {
        double m = (double)d.mantissa;
        m = d.exponent < 0 ? m / powers[-d.exponent] : m * powers[d.exponent];
        *value = negative ? -m : m;
        return 0;
    }
    *value = strtod(text, NULL); // no program here calls setlocale: the C locale
    return isfinite(*value) ? 0 : -1;
}

// days_from_date and date_from_days count in 400-year eras that begin on March 1, so that leap days
// come last: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms (2013).
int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
    *month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

static bool is_date(int year, int month, int day)
{
    static const signed char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= lengths[month - 1] + (month == 2 && leap);
}

// n digits, no sign; -1 where there are fewer.
static int fixed(const char **p, const char *end, int n)
{
    int v = 0;
    if (end - *p < n)
        return -1;
    for (int i = 0; i < n; i++) {
        if (!is_digit((*p)[i]))
            return -1;
        v = v * 10 + ((*p)[i] - '0');
    }
    *p += n;
    return v;
}

static int zeros(const char **p, const char *end)
{
    const char *start = *p;
    while (*p < end && **p == '0' && *p - start < 9)
        ++*p;
    return *p == start ? -1 : 0;
}

// Z, +hh:mm or +hhmm: seconds east of UTC into *offset; 0 or -1.
static int zone(const char **p, const char *end, int *offset)
{
    if (*p == end)
        return -1;
    char sign = *(*p)++;
    if (sign == 'Z')
        return 0;
    int hours = fixed(p, end, 2);
    *p += *p < end && **p == ':';
    int minutes = fixed(p, end, 2);
    if ((sign != '+' && sign != '-') || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return -1;
    *offset = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return 0;
}

struct moment {
    int year, month, day, hour, minute, second, offset;
};

// One conversion of the format; less than 0 where the text does not fit.
static int read_field(char letter, const char **p, const char *end, struct moment *m)
{
    switch (letter) {
    case 'Y':
        return m->year = fixed(p, end, 4);
    case 'm':
        return m->month = fixed(p, end, 2);
    case 'd':
        return m->day = fixed(p, end, 2);
    case 'H':
        return m->hour = fixed(p, end, 2);
    case 'M':
        return m->minute = fixed(p, end, 2);
    case 'S':
        return m->second = fixed(p, end, 2);
    case 'f':
        return zeros(p, end);
    default:
        return zone(p, end, &m->offset);
    }
}

static int epoch_time(const char *text, size_t n, int64_t *seconds)
{
    double v;
    const double first = -62135596800.0, last = 253402300799.0; // years 1 to 9999
    if (value_number(text, n, &v) || v < first || v > last || v != floor(v))
        return -1;
    *seconds = (int64_t)v;
    return 0;
}

int value_time(const struct time_format *f, const char *text, size_t n, int64_t *seconds)
{
    if (f->epoch)
        return epoch_time(text, n, seconds);
    struct moment m = {0};
    const char *p = text, *end = text + n;
    for (size_t i = 0; i < f->n; i++) {
        char letter = f->ops[i][1];
        if (f->ops[i][0] == 0) {
            if (p == end || *p++ != letter)
                return -1;
        } else if (read_field(letter, &p, end, &m) < 0) {
            return -1;
        }
    }
    if (p != end || !is_date(m.year, m.month, m.day) || m.hour > 23 || m.minute > 59 ||
        m.second > 59)
        return -1;
    *seconds = days_from_date(m.year, (unsigned)m.month, (unsigned)m.day) * SECONDS_PER_DAY +
               m.hour * 3600 + m.minute * 60 + m.second - m.offset;
    return 0;
}

int time_format_parse(struct time_format *f, const char *text, struct err *err)
{
    static const char letters[] = "YmdHMSfz";
    bool seen[sizeof letters] = {false};
    *f = (struct time_format){.epoch = strcmp(text, "epoch") == 0};
    for (const char *p = text; *p && !f->epoch; p++, f->n++) {
        if (f->n == TIME_FORMAT_MAX)
            return err_set(err, "'%s' has more than %d parts", text, TIME_FORMAT_MAX);
        f->ops[f->n][1] = *p;
        if (*p != '%')
            continue;
        const char *letter = *++p ? strchr(letters, *p) : NULL;
        if (!letter)
            return err_set(err, "'%%%c' is not one of %%Y %%m %%d %%H %%M %%S %%f %%z",
                           *p ? *p : ' ');
        if (seen[letter - letters])
            return err_set(err, "'%%%c' stands twice", *p);
        seen[letter - letters] = true;
        f->ops[f->n][0] = '%';
        f->ops[f->n][1] = *p;
    }
    if (!f->epoch && !(seen[0] && seen[1] && seen[2]))
        return err_set(err, "'%s' is neither a format with %%Y, %%m and %%d nor 'epoch' nor 'row'",
                       text);
    return 0;
}

int value_date(const char *text, int64_t *days)
{
    static const struct time_format iso = {
        {{'%', 'Y'}, {0, '-'}, {'%', 'm'}, {0, '-'}, {'%', 'd'}}, 5, 0};
    int64_t seconds;
    if (value_time(&iso, text, strlen(text), &seconds))
        return -1;
    // Exact: a date alone is a multiple of a day.
    *days = seconds / SECONDS_PER_DAY;
    return 0;
}

int value_moment(const char *text, size_t n, int64_t *seconds)
{
#define DATE                                                                                       \
    {'%', 'Y'}, {0, '-'}, {'%', 'm'}, {0, '-'},                                                    \
    {                                                                                              \
        '%', 'd'                                                                                   \
    }
#define CLOCK                                                                                      \
    {'%', 'H'}, {0, ':'}, {'%', 'M'}, {0, ':'},                                                    \
    {                                                                                              \
        '%', 'S'                                                                                   \
    }
    static const struct time_format formats[] = {
        {{DATE}, 5, 0},
        {{DATE, {0, ' '}, CLOCK}, 11, 0},
        {{DATE, {0, 'T'}, CLOCK, {'%', 'z'}}, 12, 0},
        {{DATE, {0, 'T'}, CLOCK, {0, '.'}, {'%', 'f'}, {'%', 'z'}}, 14, 0},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (value_time(&formats[i], text, n, seconds) == 0)
            return 0;
    return -1;
}

int64_t day_of(int64_t seconds)
{
    return seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
}

const char *date_text(char buf[TIME_TEXT], int64_t days)
{
    int64_t year;
    unsigned month, day;
    date_from_days(days, &year, &month, &day);
    snprintf(buf, TIME_TEXT, "%04" PRId64 "-%02u-%02u", year, month, day);
    return buf;
}

const char *time_text(char buf[TIME_TEXT], int64_t seconds)
{
    int64_t day = day_of(seconds);
    int second = (int)(seconds - day * SECONDS_PER_DAY);
    size_t n = strlen(date_text(buf, day));
    snprintf(buf + n, TIME_TEXT - n, "T%02d:%02d:%02dZ", second / 3600, second / 60 % 60,
             second % 60);
    return buf;
}

size_t value_utf8_length(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char lead = p[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || length > n)
        return 0;
    // The second byte rules out what is too long, a surrogate, or beyond U+10FFFF.
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
