// ingest/value: numbers against strtod, times against timegm, dates counted day by day.
#define _DEFAULT_SOURCE // timegm, the oracle
#include "ingest/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
// cmocka.h wants the four before it
#include <cmocka.h>

static uint64_t next_random(void)
{
    static uint64_t s = 88172645463325252u; // Marsaglia's xorshift64
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void assert_like_strtod(const char *text)
{
    double value, expected = strtod(text, NULL);
    int rc = value_number(text, strlen(text), &value);
    if (rc != (isfinite(expected) ? 0 : -1) || (rc == 0 && bits_of(value) != bits_of(expected)))
        fail_msg("'%s' is %.17g, not %.17g", text, rc ? (double)NAN : value, expected);
}

static void numbers_have_the_bits_of_strtod(void **state)
{
    (void)state;
    static const char *const edges[] = {"0",
                                        "-0",
                                        "+1",
                                        ".5",
                                        "5.",
                                        "1e5",
                                        "1E+5",
                                        "1e-5",
                                        "9007199254740992",
                                        "9007199254740993",
                                        "9007199254740993.0000000001",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "184467440737095516160",
                                        "1e22",
                                        "1e23",
                                        "123456789e-22",
                                        "123456789e-23",
                                        "2.2250738585072014e-308",
                                        "2.2250738585072011e-308",
                                        "4.9e-324",
                                        "2.4e-324",
                                        "1e-400",
                                        "1.7976931348623157e308",
                                        "1.7976931348623159e308",
                                        "1e400",
                                        "-1e400",
                                        "1e99999999999999999999",
                                        "1e-99999999999999999999",
                                        "0e99999999999999999999",
                                        "0.1",
                                        "0.30000000000000004",
                                        "00000000000000000000000000001",
                                        "0.000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        assert_like_strtod(edges[i]);
}

static void random_decimals_have_the_bits_of_strtod(void **state)
{
    (void)state;
    for (int i = 0; i < 300000; i++) {
        char text[64];
        uint64_t r = next_random();
        int digits = (int)(r % 20) + 1, point = (int)(r >> 8) % (digits + 1), n = 0;
        if (r & 64)
            text[n++] = '-';
        for (int d = 0; d < digits; d++) {
            if (d == point)
                text[n++] = '.';
            text[n++] = (char)('0' + next_random() % 10);
        }
        text[n] = '\0';
        if (r & 128)
            snprintf(text + n, sizeof text - (size_t)n, "e%d", (int)(r >> 20 & 63) - 32);
        assert_like_strtod(text);
    }
}

static void printed_doubles_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_random();
        double x, back;
        char text[64];
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        snprintf(text, sizeof text, "%.17g", x);
        assert_int_equal(value_number(text, strlen(text), &back), 0);
        assert_memory_equal(&x, &back, sizeof x);
    }
}

static void what_is_no_decimal_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "+",     "-",    ".",     "e5",   "1e",
                                      "1e+", " 1",    "1 ",   "1,5",   "0x10", "inf",
                                      "nan", "1.2.3", "--1",  "1e5.0", "1_0",  "١",
                                      "12a", "1e5e",  "-.e1", "+-1",   "1d5",  "infinity"};
    double v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (value_number(bad[i], strlen(bad[i]), &v) == 0)
            fail_msg("'%s' was taken for %g", bad[i], v);
    assert_int_equal(value_number("1\0002", 3, &v), -1);
}

static void only_the_given_bytes_are_read(void **state)
{
    (void)state;
    double v;
    assert_int_equal(value_number("12.75", 2, &v), 0);
    assert_true(v == 12);
}

static int64_t time_of(const char *format, const char *text)
{
    struct time_format f;
    struct err err;
    int64_t t;
    if (time_format_parse(&f, format, &err))
        fail_msg("%s: %s", format, err.msg);
    return value_time(&f, text, strlen(text), &t) ? INT64_MIN : t;
}

static void days_count_the_calendar(void **state)
{
    (void)state;
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = days_from_date(1, 1, 1);
    assert_int_equal(days_from_date(1970, 1, 1), 0);
    for (int64_t y = 1; y <= 9999; y++)
        for (unsigned m = 1; m <= 12; m++) {
            bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
            unsigned n = lengths[m - 1] + (m == 2 && leap), month, day;
            int64_t year;
            assert_int_equal(days_from_date(y, m, 1), days);
            date_from_days(days + n - 1, &year, &month, &day);
            assert_true(year == y && month == m && day == n);
            days += n;
        }
}

static void times_are_those_of_timegm(void **state)
{
    (void)state;
    struct time_format f;
    struct err err;
    assert_int_equal(time_format_parse(&f, "%Y-%m-%d %H:%M:%S", &err), 0);
    for (int i = 0; i < 50000; i++) {
        time_t t = (time_t)(next_random() % 315537897600u) - 62135596800;
        struct tm tm;
        char text[64];
        int64_t found;
        gmtime_r(&t, &tm);
        size_t n =
            (size_t)snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
                             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_int_equal(value_time(&f, text, n, &found), 0);
        assert_int_equal(found, timegm(&tm));
    }
}

static void zones_and_fractions_are_understood(void **state)
{
    (void)state;
    const char *iso = "%Y-%m-%dT%H:%M:%S%z";
    assert_int_equal(time_of(iso, "2018-04-01T00:00:31Z"), 1522540831);
    assert_int_equal(time_of(iso, "2018-04-01T02:00:31+02:00"), 1522540831);
    assert_int_equal(time_of(iso, "2018-03-31T18:30:31-0530"), 1522540831);
    assert_int_equal(time_of("%Y%m%d", "20180401"), 1522540800);
    assert_int_equal(time_of("%d/%m/%Y %H:%M:%S.%f", "01/04/2018 00:00:31.000"), 1522540831);
    assert_int_equal(time_of("%d/%m/%Y %H:%M:%S.%f", "01/04/2018 00:00:31.5"), INT64_MIN);
    assert_int_equal(time_of(iso, "2018-04-01T00:00:31"), INT64_MIN);
    assert_int_equal(time_of(iso, "2018-04-01T00:00:31+2:00"), INT64_MIN);
    assert_int_equal(time_of(iso, "2018-04-01T00:00:31+24:00"), INT64_MIN);
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "2018-02-29", "2018-02-30", "1900-02-29",  "2018-13-01",  "2018-00-01",
        "2018-01-00", "2018-04-31", "0000-01-01", "2018-1-01",   "2018-01-1",   "2018-01-011",
        "18-01-01",   " 018-01-01", "2018/01/01", "2018-01-01 ", " 2018-01-01", "+018-01-01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(time_of("%Y-%m-%d", bad[i]), INT64_MIN);
    assert_int_equal(time_of("%Y-%m-%d", "2000-02-29"), 951782400);
    assert_int_equal(time_of("%Y-%m-%d %H", "2000-02-29 24"), INT64_MIN);
    assert_int_equal(time_of("%Y-%m-%d %H:%M", "2000-02-29 23:60"), INT64_MIN);
    assert_int_equal(time_of("%Y-%m-%d %H:%M:%S", "2000-02-29 23:59:60"), INT64_MIN);
}

static void epoch_times_are_whole_seconds(void **state)
{
    (void)state;
    assert_int_equal(time_of("epoch", "0"), 0);
    assert_int_equal(time_of("epoch", "-1"), -1);
    assert_int_equal(time_of("epoch", "1e5"), 100000);
    assert_int_equal(time_of("epoch", "12.0"), 12);
    assert_int_equal(time_of("epoch", "253402300799"), 253402300799);
    assert_int_equal(time_of("epoch", "253402300800"), INT64_MIN);
    assert_int_equal(time_of("epoch", "1.5"), INT64_MIN);
    assert_int_equal(time_of("epoch", "1e300"), INT64_MIN);
    assert_int_equal(time_of("epoch", "now"), INT64_MIN);
}

static void a_bad_time_format_is_explained(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"%Y-%m-%q", "'%q' is not one of"},
        {"%Y-%m-%d %", "'% ' is not one of"},
        {"%Y-%m-%d %Y", "'%Y' stands twice"},
        {"%H:%M", "is neither a format with %Y, %m and %d"},
        {"", "is neither a format"},
        {"%Y-%m-%d-------------------------------", "more than 32 parts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct time_format f;
        struct err err;
        assert_int_equal(time_format_parse(&f, cases[i][0], &err), -1);
        if (!strstr(err.msg, cases[i][1]))
            fail_msg("'%s' gave: %s", cases[i][0], err.msg);
    }
}

static void dates_are_read_strictly(void **state)
{
    (void)state;
    int64_t days;
    assert_int_equal(value_date("2018-07-25", &days), 0);
    assert_int_equal(days, 17737);
    assert_int_equal(value_date("1969-12-31", &days), 0);
    assert_int_equal(days, -1);
    assert_int_equal(value_date("2018-07-25T00", &days), -1);
    assert_int_equal(value_date("", &days), -1);
}

static void malformed_utf8_is_found(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a", "é", "€", "😀", "\xef\xbf\xbf", "\xed\x9f\xbf"};
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80",
        "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xc3",         "\xe2\x82",         "a\xffz",           "\xc3("};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(value_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(value_utf8(bad[i], strlen(bad[i])));
}

static void a_moment_is_read_however_people_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"2018-10-01", 1538352000},
        {"2018-10-01 08:15:00", 1538381700},
        {"2018-10-01T08:15:00Z", 1538381700},
        {"2018-10-01T08:15:00.000Z", 1538381700},
        {"2018-10-01T10:15:00+02:00", 1538381700},
        {"1969-12-31T23:59:59Z", -1},
    };
    static const char *const wrong[] = {"",           "2018-10-01T08:15:00", "2018-10-1",
                                        "2018-02-30", "2018-10-01 08:15",    "yesterday"};
    int64_t seconds;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(value_moment(cases[i].text, strlen(cases[i].text), &seconds), 0);
        assert_int_equal(seconds, cases[i].seconds);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(value_moment(wrong[i], strlen(wrong[i]), &seconds), -1);
}

static void dates_and_times_are_written_and_days_begin_at_midnight_before_1970_too(void **state)
{
    (void)state;
    char text[TIME_TEXT];
    assert_string_equal(time_text(text, 1538381700), "2018-10-01T08:15:00Z");
    assert_string_equal(time_text(text, -1), "1969-12-31T23:59:59Z");
    assert_string_equal(date_text(text, -1), "1969-12-31");
    assert_int_equal(day_of(-1), -1);
    assert_int_equal(day_of(0), 0);
    assert_int_equal(day_of(86399), 0);
    assert_int_equal(day_of(-86400), -1);
    assert_int_equal(day_of(-86401), -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_the_bits_of_strtod),
        cmocka_unit_test(random_decimals_have_the_bits_of_strtod),
        cmocka_unit_test(printed_doubles_come_back),
        cmocka_unit_test(what_is_no_decimal_number_is_refused),
        cmocka_unit_test(only_the_given_bytes_are_read),
        cmocka_unit_test(days_count_the_calendar),
        cmocka_unit_test(times_are_those_of_timegm),
        cmocka_unit_test(zones_and_fractions_are_understood),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(epoch_times_are_whole_seconds),
        cmocka_unit_test(a_bad_time_format_is_explained),
        cmocka_unit_test(dates_are_read_strictly),
        cmocka_unit_test(malformed_utf8_is_found),
        cmocka_unit_test(a_moment_is_read_however_people_write_it),
        cmocka_unit_test(dates_and_times_are_written_and_days_begin_at_midnight_before_1970_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
