// base/parallel: every piece runs once, and all have run when the call returns.
#include "base/parallel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h wants the four before it
#include <cmocka.h>

static atomic_int runs[PARALLEL_MAX];

static void count(void *arg, unsigned i)
{
    assert_ptr_equal(arg, runs);
    atomic_fetch_add(&runs[i], 1);
}

static void every_piece_runs_once(void **state)
{
    (void)state;
    static const unsigned sizes[] = {0, 1, 2, 7, PARALLEL_MAX};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (unsigned i = 0; i < PARALLEL_MAX; i++)
            atomic_store(&runs[i], 0);
        parallel_run(sizes[k], count, runs);
        for (unsigned i = 0; i < PARALLEL_MAX; i++)
            assert_int_equal(atomic_load(&runs[i]), i < sizes[k]);
    }
}

static void there_is_a_processor(void **state)
{
    (void)state;
    assert_in_range(parallel_threads(), 1, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_runs_once),
        cmocka_unit_test(there_is_a_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
