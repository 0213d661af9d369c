// limit: token buckets on a clock of the test's own.
#include "serve/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct limit limit;

static int taken(const char *address, double now, int tries)
{
    int n = 0;
    for (int i = 0; i < tries; i++)
        n += limit_take(&limit, address, now);
    return n;
}

static void a_burst_of_a_second_passes_and_then_the_rate(void **state)
{
    (void)state;
    limit_init(&limit, 10);
    assert_int_equal(taken("10.0.0.1", 100, 50), 10);
    assert_int_equal(taken("10.0.0.1", 100.05, 50), 0);
    assert_int_equal(taken("10.0.0.1", 100.1001, 50), 1);
    assert_int_equal(taken("10.0.0.1", 100.45, 50), 3);
    assert_int_equal(taken("10.0.0.1", 500, 50), 10);
    limit_release(&limit);
}

static void one_client_does_not_use_up_anothers(void **state)
{
    (void)state;
    limit_init(&limit, 3);
    assert_int_equal(taken("10.0.0.1", 1, 9), 3);
    assert_int_equal(taken("10.0.0.2", 1, 9), 3);
    limit_release(&limit);
}

static void without_a_rate_all_pass(void **state)
{
    (void)state;
    limit_init(&limit, 0);
    assert_int_equal(taken("10.0.0.1", 1, 1000), 1000);
    limit_release(&limit);
}

static void many_clients_of_one_network_have_each_their_own_limit(void **state)
{
    enum { CLIENTS = 64, RATE = 10 };
    int n = 0;
    (void)state;
    limit_init(&limit, RATE);
    for (int k = 0; k < 100; k++)
        for (int i = 0; i < CLIENTS; i++) {
            char address[32];
            snprintf(address, sizeof address, "192.168.%d.%d", i / 7, i);
            n += taken(address, 1 + k * 1e-6, 1);
        }
    assert_int_equal(n, CLIENTS * RATE);
    limit_release(&limit);
}

// More addresses than places: each still has its first request.
static void more_clients_than_it_remembers_are_all_let_in(void **state)
{
    (void)state;
    limit_init(&limit, 1);
    for (int i = 0; i < 3 * LIMIT_CLIENTS; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        assert_int_equal(taken(address, 1 + i * 1e-6, 1), 1);
    }
    limit_release(&limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_a_second_passes_and_then_the_rate),
        cmocka_unit_test(one_client_does_not_use_up_anothers),
        cmocka_unit_test(without_a_rate_all_pass),
        cmocka_unit_test(many_clients_of_one_network_have_each_their_own_limit),
        cmocka_unit_test(more_clients_than_it_remembers_are_all_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
