// value: numbers and times from text, without locale and fast.
//
// A number is [+-] digits [. digits] [e[+-]digits], with at least one digit before the exponent; no
// space, no hexadecimal, no inf or nan. The result is correctly rounded, the same bits that strtod
// gives in the C locale; what overflows is not a number.
#ifndef INGEST_VALUE_H
#define INGEST_VALUE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Parse text[0..n) (n bytes, then a 0 byte) as a whole; 0, or -1 where it is not a number.
int value_number(const char *text, size_t n, double *value);

// A time format, compiled: %Y (4 digits) %m %d %H %M %S (2 digits each) %f (1 to 9 digits of a
// second, must be all 0: times are whole seconds) %z (Z, +hh:mm, +hhmm) and literal characters.
// "epoch": a whole number of seconds since 1970-01-01 UTC, also written 1e5 or 12.0. Without %z
// times are UTC.
enum { TIME_FORMAT_MAX = 32 };
struct time_format {
    char ops[TIME_FORMAT_MAX][2]; // {'%', letter} or {0, literal}
    size_t n;
    int epoch;
};

int time_format_parse(struct time_format *f, const char *text, struct err *err);
// Seconds since 1970-01-01 UTC; 0, or -1 where the text does not fit the format or is no date
// (February 30, hour 24). Years 1 to 9999.
int value_time(const struct time_format *f, const char *text, size_t n, int64_t *seconds);

// A moment as people write it, whole: "2018-10-01", "2018-10-01 08:15:00" (both UTC), or
// "2018-10-01T08:15:00Z" with Z, +hh:mm or +hhmm and perhaps .000 behind the seconds. 0 or -1.
int value_moment(const char *text, size_t n, int64_t *seconds);

enum { SECONDS_PER_DAY = 86400, TIME_TEXT = 48 };

// The day since 1970-01-01 (UTC) that a second lies in, also before 1970.
int64_t day_of(int64_t seconds);
// "2018-10-01" and "2018-10-01T08:15:00Z" in buf, which is returned.
const char *date_text(char buf[TIME_TEXT], int64_t days);
const char *time_text(char buf[TIME_TEXT], int64_t seconds);

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back.
int64_t days_from_date(int64_t year, unsigned month, unsigned day);
void date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);
// "YYYY-MM-DD"; 0 or -1.
int value_date(const char *text, int64_t *days);

// Bytes of the well-formed UTF-8 sequence (Unicode 15, table 3-7) that text[0..n) begins with,
// n >= 1; 0 where there is none.
size_t value_utf8_length(const char *text, size_t n);
// True where all of text is such sequences.
bool value_utf8(const char *text, size_t n);

#endif
