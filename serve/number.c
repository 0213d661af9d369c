// The digits by integer arithmetic, then where the point stands.
#include "serve/number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128;

static const uint64_t power[20] = {1,
                                   10,
                                   100,
                                   1000,
                                   10000,
                                   100000,
                                   1000000,
                                   10000000,
                                   100000000,
                                   1000000000,
                                   10000000000,
                                   100000000000,
                                   1000000000000,
                                   10000000000000,
                                   100000000000000,
                                   1000000000000000,
                                   10000000000000000,
                                   100000000000000000,
                                   1000000000000000000,
                                   UINT64_C(10000000000000000000)};

// 10^exponent <= a < 10^(exponent + 1), of an a within the range.
static int exponent_of(double a)
{
    static const double bounds[] = {1e-3, 1e-2, 1e-1, 1, 10, 100, 1000, 10000};
    int e = -4;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds && a >= bounds[i]; i++)
        e++;
    return e;
}

// a · 10^(digits - 1 - exponent), rounded to an integer: at most 2^53 · 10^20 before the shift.
static uint64_t significand(double a, int digits, int exponent)
{
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    const int shift = 1075 - (int)(bits >> 52 & 0x7ff), k = digits - 1 - exponent;
    const uint64_t first = UINT64_C(1) << 52; // the bit that is not stored
    uint128 v = (bits & (first - 1)) | first;
    v *= power[k > 19 ? 19 : k];
    v *= power[k > 19 ? k - 19 : 0];
    const uint128 whole = v >> shift, rest = v - (whole << shift), half = (uint128)1 << (shift - 1);
    const uint64_t n = (uint64_t)whole;
    return n + (rest > half || (rest == half && n % 2 == 1));
}

// The digits without the zeros at their end; returns how many.
static int write_digits(char *out, uint64_t n, int digits)
{
    for (int i = digits; i-- > 0; n /= 10)
        out[i] = (char)('0' + n % 10);
    while (digits > 1 && out[digits - 1] == '0')
        digits--;
    return digits;
}

int number_text(char text[NUMBER_TEXT], double x, int digits)
{
    const double a = fabs(x);
    char d[20], *p = text;
    if (a == 0) {
        memcpy(text, signbit(x) ? "-0" : "0", signbit(x) ? 3 : 2);
        return signbit(x) ? 2 : 1;
    }
    if (!(a >= 1e-4 && a < 1e5))
        return snprintf(text, NUMBER_TEXT, "%.*g", digits, x);
    int exponent = exponent_of(a);
    uint64_t n = significand(a, digits, exponent);
    if (n >= power[digits]) { // 9.99…9 became 10
        n /= 10;
        exponent++;
    }
    const int length = write_digits(d, n, digits), whole = exponent < 0 ? 0 : exponent + 1;
    if (x < 0)
        *p++ = '-';
    if (whole == 0)
        *p++ = '0';
    for (int i = 0; i < whole; i++)
        *p++ = i < length ? d[i] : '0';
    if (length > whole) {
        *p++ = '.';
        for (int i = exponent + 1; i < 0; i++)
            *p++ = '0';
        memcpy(p, d + whole, (size_t)(length - whole));
        p += length - whole;
    }
    *p = '\0';
    return (int)(p - text);
}
