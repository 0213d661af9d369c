// base/value: numbers against strtod, times against timegm, dates counted day by day.
#define _DEFAULT_SOURCE // timegm, the oracle
#include "base/value.h"
#include "tests/scratch.h"

#include <math.h>
#include <time.h>

static uint64_t next_random(void)
{
    static uint64_t s = 88172645463325252u; // Marsaglia's xorshift64
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}

// A number has the characters of a decimal one, and strtod reads it to its end.
static void assert_like_strtod(const char *text)
{
    char *end;
    double value, expected = strtod(text, &end);
    const bool good =
        *text && !*end && isfinite(expected) && !text[strspn(text, "0123456789+-.eE")];
    const bool taken = value_number(text, strlen(text), &value) == 0;
    if (taken != good || (good && (value != expected || signbit(value) != signbit(expected))))
        fail_msg("'%s' is %.17g, not %.17g", text, taken ? value : (double)NAN, expected);
}

TEST_CASE(numbers_at_the_edges_have_the_bits_of_strtod)
{
    char list[] =
        "0 -0 +1 .5 5. 1e5 1E+5 1e-5 9007199254740992 9007199254740993 9007199254740993.0000000001 "
        "18446744073709551615 18446744073709551616 184467440737095516160 1e22 1e23 123456789e-22 "
        "123456789e-23 2.2250738585072014e-308 2.2250738585072011e-308 4.9e-324 2.4e-324 1e-400 "
        "1.7976931348623157e308 1.7976931348623159e308 1e400 -1e400 1e99999999999999999999 "
        "1e-99999999999999999999 0e99999999999999999999 0.1 0.30000000000000004 "
        "00000000000000000000000000001 0.000000000000000000000000000000000001 "
        "+ - . e5 1e 1e+ 1,5 0x10 inf nan 1.2.3 --1 1e5.0 1_0 ١ 12a 1e5e -.e1 +-1 1d5 infinity";
    for (char *text = strtok(list, " "); text; text = strtok(NULL, " "))
        assert_like_strtod(text);
    double v;
    assert_like_strtod("");
    assert_int_equal(value_number("1\0002", 3, &v), -1);
    assert_int_equal(value_number("12.75", 2, &v), 0); // reads the given bytes only
    assert_true(v == 12);
}

TEST_CASE(random_numbers_have_the_bits_of_strtod)
{
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
        double any;
        memcpy(&any, &(uint64_t){next_random()}, sizeof any);
        if (isfinite(any)) {
            snprintf(text, sizeof text, "%.17g", any);
            assert_like_strtod(text);
        }
    }
}

TEST_CASE(numbers_are_read_as_people_write_them)
{
    static const struct {
        char decimal, thousands;
        const char *strip, *text;
        double value; // NAN: none
    } cases[] = {{'.', 0, "$", "$ 1504.00", 1504},
                 {'.', ',', "$", "$ 1,504.00", 1504},
                 {'.', ',', "$", "-$1,504", -1504},
                 {'.', ',', NULL, "12,50", NAN}, // a decimal comma
                 {'.', ',', NULL, "1,00,000.5", 100000.5},
                 {'.', ',', NULL, "1234,567", NAN},
                 {'.', ',', NULL, ",123", NAN},
                 {'.', 0, "%", "1 2%", NAN},
                 {',', '.', NULL, "1.234,56", 1234.56},
                 {',', '.', NULL, "1.23", NAN},
                 {',', 0, NULL, "-1,5e2", -150},
                 {',', 0, NULL, "1.5", NAN},
                 {',', ' ', "€", "1\u00a0234\u202f567,5\u00a0€", 1234567.5},
                 {'.', '\'', NULL, "1'234.5", 1234.5},
                 {',', '.', NULL, "0.123", NAN},
                 {',', '.', NULL, "1.000.023", 1000023},
                 {'.', 0, "$()", "($1.50)", -1.5},
                 {'.', 0, "$()", "$(1.50)", -1.5},
                 {'.', 0, "()", "(-1)", NAN},
                 {'.', 0, "()", "(1", NAN},
                 {'.', 0, "()", "1)", NAN},
                 {'.', 0, "()", "(030) 12", NAN}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        double v = 7;
        const bool taken = value_number_as(cases[i].text, strlen(cases[i].text), cases[i].decimal,
                                           cases[i].thousands, cases[i].strip, &v) == 0;
        if (taken == !!isnan(cases[i].value) || (taken && v != cases[i].value))
            fail_msg("'%s' is %g", cases[i].text, taken ? v : (double)NAN);
    }
}

#define NONE INT64_MIN

// format NULL: a moment as people write it.
static int64_t time_of(const char *format, const char *text)
{
    struct err err;
    int64_t t;
    if (format && time_format_check(format, &err))
        fail_msg("%s: %s", format, err.msg);
    int rc =
        format ? value_time(format, text, strlen(text), &t) : value_moment(text, strlen(text), &t);
    return rc ? NONE : t;
}

TEST_CASE(times_are_those_of_timegm_and_days_begin_at_midnight)
{
    static const time_t edges[] = {-1, 0, 86399, -86400, -86401};
    for (int i = 0; i < 50000; i++) {
        time_t t = i < 5 ? edges[i] : (time_t)(next_random() % 315537897600u) - 62135596800;
        struct tm tm;
        char text[64], back[TIME_TEXT];
        gmtime_r(&t, &tm);
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_int_equal(time_of("%Y-%m-%dT%H:%M:%S%z", text), timegm(&tm));
        assert_string_equal(time_text(back, t), text);
        assert_int_equal(day_of(t) * 86400, t - tm.tm_hour * 3600 - tm.tm_min * 60 - tm.tm_sec);
        assert_memory_equal(date_text(back, day_of(t)), text, 10);
    }
}

TEST_CASE(each_format_takes_its_times_and_no_others)
{
    static const char iso[] = "%Y-%m-%dT%H:%M:%S%z", slashes[] = "%d/%m/%Y %H:%M:%S.%f";
    static const char us[] = "%m/%d/%Y %H:%M", ampm[] = "%Y-%m-%d %I:%M%p";
    static const struct {
        const char *format, *text;
        int64_t seconds;
    } cases[] = {{iso, "2018-04-01T00:00:31Z", 1522540831},
                 {iso, "2018-04-01T02:00:31+02:00", 1522540831},
                 {iso, "2018-03-31T18:30:31-0530", 1522540831},
                 {"%Y%m%d", "20180401", 1522540800},
                 {slashes, "01/04/2018 00:00:31.999", 1522540831},
                 {iso, "2018-04-01T00:00:31.123Z", 1522540831},
                 {iso, "2018-04-01T02:00:31.123456+02:00", 1522540831},
                 {iso, "1969-12-31T23:59:58.9Z", -2},
                 {"epoch", "1.5", 1},
                 {"epoch", "-0.5", -1},
                 {"epoch", "253402300799.9", 253402300799},
                 {us, "4/18/2015 2:47", 1429325220},
                 {"%d-%b-%y", "1-APR-18", 1522540800},
                 {"%d-%b-%y", "1-april-18", 1522540800},
                 {"%b %d, %Y", "Sept 9, 1969", -9849600},
                 {"%d/%m/%y", "09/09/69", -9849600},
                 {"%d/%m/%y", "09/09/68", 3114374400},
                 {ampm, "2018-04-01 12:00AM", 1522540800},
                 {ampm, "2018-04-01 12:59pm", 1522587540},
                 {ampm, "2018-04-01 1:59Pm", 1522591140},
                 {iso, "2018-04-01T02:00:31+02", 1522540831},
                 {"epoch_ms", "1522540831999", 1522540831},
                 {NULL, "2018-10-01", 1538352000},
                 {NULL, "2018-10-01 08:15:00", 1538381700},
                 {NULL, "2018-10-01T08:15:00.123Z", 1538381700}};
    static const char *const refused[][2] = {{iso, "2018-04-01T00:00:31"},
                                             {iso, "2018-04-01T00:00:31+24:00"},
                                             {slashes, "01/04/2018 00:00:31."},
                                             {slashes, "01/04/2018 00:00:31"},
                                             {iso, "2018-04-01T00:00:31.1234567890Z"},
                                             {iso, "2018-04-01T24:00:31Z"},
                                             {iso, "2018-04-01T23:60:31Z"},
                                             {iso, "2018-04-01T02:00:31+02:"},
                                             {"%d-%b-%y", "1-Ap-18"},
                                             {"epoch", "253402300800"},
                                             {"epoch", "now"},
                                             {us, "4/018/2015 2:47"},
                                             {"%Y%m%d", "2018111"},
                                             {ampm, "2018-04-01 13:59PM"},
                                             {NULL, "2018-10-01T08:15:00"}};
    static const char *const dates[] = {"",           "1900-02-29", "2018-13-01",  "2018-00-01",
                                        "2018-01-00", "2018-04-31", "0000-01-01",  "2018--01",
                                        "18-01-01",   "2018/01/01", "2018-01-01 ", "+018-01-01"};
    for (size_t i = 0; i < LENGTH(cases); i++)
        if (time_of(cases[i].format, cases[i].text) != cases[i].seconds)
            fail_msg("'%s' is %lld", cases[i].text,
                     (long long)time_of(cases[i].format, cases[i].text));
    for (size_t i = 0; i < LENGTH(refused); i++)
        assert_int_equal(time_of(refused[i][0], refused[i][1]), NONE);
    for (size_t i = 0; i < LENGTH(dates); i++)
        assert_int_equal(time_of("%Y-%m-%d", dates[i]), NONE);
}

TEST_CASE(malformed_utf8_is_found)
{
    static const char *const good[] = {"", "a", "é", "€", "😀", "\xef\xbf\xbf", "\xed\x9f\xbf"};
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80",
        "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xc3",         "\xe2\x82",         "a\xffz",           "\xc3("};
    for (size_t i = 0; i < LENGTH(good); i++)
        assert_true(value_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < LENGTH(bad); i++)
        assert_false(value_utf8(bad[i], strlen(bad[i])));
}

TESTS(NULL, NULL)
