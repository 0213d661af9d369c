// value: numbers, times and UTF-8 in text, without locale and fast; and the order of numbers.
//
// A number is [+-] digits [. digits] [e[+-]digits], with at least one digit before the exponent; no
// space, no hexadecimal, no inf or nan. The result has the bits that strtod gives in the C locale;
// a number that overflows is refused.
//
// A time format has %Y (4 digits) or %y (69 is 1969, 68 is 2068), %m or %b (an English month name in
// any case, of which three letters count), %d, %H or %I with %p (AM, PM), %M, %S, %f (1 to 9 digits of a
// second), %z (Z, +hh:mm, +hhmm or +hh) and literal characters. %m %d %H %I %M %S have one or two
// digits, two next to another conversion. Or it is "epoch" or "epoch_ms": seconds or milliseconds
// since 1970-01-01 UTC, also written 1e5 or 12.0. Times are rounded down to whole seconds: %S takes
// ".123" along, too. Times without %z are UTC. Years go from 1 to 9999.
//
// Functions that return int return 0, or -1 where the text is no such value.
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

// text[0..n) as a whole; a 0 byte must follow it.
int value_number(const char *text, size_t n, double *value);

// The same as people write it: with that decimal mark, perhaps with a separator of thousands (0: none;
// ' ' is a no-break space, too) between groups of three digits, and with the bytes of strip (NULL:
// none) and the blanks next to them left out. Where strip has "()", (1.50) is -1.50.
int value_number_as(const char *text, size_t n, char decimal, char thousands, const char *strip,
                    double *value);

// Is this a format for value_time, or "row"?
int time_format_check(const char *format, struct err *err);
// Round seconds since 1970-01-01 UTC down; -1 outside the years 1 to 9999.
int value_seconds(double x, int64_t *seconds);
// Seconds since 1970-01-01 UTC.
int value_time(const char *format, const char *text, size_t n, int64_t *seconds);
// A time as people write it: "2018-10-01", "2018-10-01 08:15:00" (both UTC), or
// "2018-10-01T08:15:00Z" with Z, +hh:mm or +hhmm; also with a fraction of the seconds.
int value_moment(const char *text, size_t n, int64_t *seconds);

enum { SECONDS_PER_DAY = 86400, TIME_TEXT = 48 };

// The day since 1970-01-01 (UTC) that a second lies in, also before 1970.
int64_t day_of(int64_t seconds);
// "2018-10-01" and "2018-10-01T08:15:00Z" in buf, which is returned.
const char *date_text(char buf[TIME_TEXT], int64_t days);
const char *time_text(char buf[TIME_TEXT], int64_t seconds);

// Bytes of the well-formed UTF-8 sequence (Unicode 15, table 3-7) at the start of text[0..n), n >=
// 1; 0 where there is none.
size_t value_utf8_length(const char *text, size_t n);
// Bytes of text[0..n) before what is not well-formed, such as a character that n cuts.
size_t value_utf8_begin(const char *text, size_t n);
bool value_utf8(const char *text, size_t n);

// For the comparison functions of qsort: 1, 0 or -1.
#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))
// Ascending, in place; no value is NaN. A radix sort, several times as fast as qsort.
void sort_doubles(double *values, size_t n);

#endif
