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

static int count(void *arg, unsigned i, struct err *err)
{
    (void)arg;
    (void)err;
    atomic_fetch_add(&runs[i], 1);
    return 0;
}

static int fail_on_odd(void *arg, unsigned i, struct err *err)
{
    count(arg, i, err);
    return i % 2 ? err_set(err, "piece %u", i) : 0;
}

static void every_piece_runs_once(void **state)
{
    (void)state;
    static const unsigned sizes[] = {0, 1, 2, 7, PARALLEL_MAX};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (unsigned i = 0; i < PARALLEL_MAX; i++)
            atomic_store(&runs[i], 0);
        struct err err;
        assert_int_equal(parallel_run(sizes[k], count, NULL, &err), 0);
        for (unsigned i = 0; i < PARALLEL_MAX; i++)
            assert_int_equal(atomic_load(&runs[i]), i < sizes[k]);
    }
}

static void the_failure_of_the_smallest_piece_is_told_and_the_others_run(void **state)
{
    (void)state;
    struct err err;
    for (unsigned i = 0; i < 8; i++)
        atomic_store(&runs[i], 0);
    assert_int_equal(parallel_run(8, fail_on_odd, NULL, &err), -1);
    assert_string_equal(err.msg, "piece 1");
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(atomic_load(&runs[i]), 1);
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
        cmocka_unit_test(the_failure_of_the_smallest_piece_is_told_and_the_others_run),
        cmocka_unit_test(there_is_a_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
