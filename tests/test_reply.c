// number: every text against printf's.
#include "serve/reply.h"

#include <stdint.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(double x)
{
    static const int digits[] = {6, 9, 16, 17};
    for (size_t i = 0; i < sizeof digits / sizeof *digits; i++) {
        char is[NUMBER_TEXT], expected[NUMBER_TEXT];
        const int n = number_text(is, x, digits[i]);
        snprintf(expected, sizeof expected, "%.*g", digits[i], x);
        if (strcmp(is, expected) != 0 || n != (int)strlen(expected))
            fail_msg("%d digits of %a: %s, not %s", digits[i], x, is, expected);
    }
}

static void random_doubles_are_written_as_printf_writes_them(void **state)
{
    uint64_t seed = 5;
    (void)state;
    for (int i = 0; i < 300000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        double x, unit = (double)(seed >> 11) * 0x1p-53;
        memcpy(&x, &seed, sizeof x); // any bits: all exponents, infinities, NaN
        check(x);
        check(unit);
        check(-unit * 1e4);
        check((double)(float)(unit * 300));
        check((double)(seed >> 44) / 100);
    }
}

static void edges_and_ties_are_written_as_printf_writes_them(void **state)
{
    static const double edges[] = {0,
                                   -0.0,
                                   1e-4,
                                   1e5,
                                   9.9999999999999995e-5,
                                   99999.999999999985,
                                   0.5,
                                   0.25,
                                   0.125,
                                   2.5,
                                   12.5,
                                   0.000125,
                                   9.5,
                                   99.5,
                                   0.95,
                                   999.95,
                                   1.5e-4,
                                   1000.5,
                                   1.0,
                                   10,
                                   100,
                                   1000,
                                   10000,
                                   0.1,
                                   0.001,
                                   1e-300,
                                   5e-324,
                                   1e300,
                                   9.9999999999999982,
                                   0.99999999999999989};
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        check(edges[i]);
        check(-edges[i]);
    }
    for (int i = 1; i < 100000; i++) // ties among them
        check(i / 1024.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_doubles_are_written_as_printf_writes_them),
        cmocka_unit_test(edges_and_ties_are_written_as_printf_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
