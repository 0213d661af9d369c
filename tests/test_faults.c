// Runs a sample of faults.py: errors, kills and failed allocations in the programs that change
// artifacts. `make soak` runs all of it.
#include "tests/scratch.h"

TEST_CASE(after_an_error_or_a_kill_the_old_artifacts_stand_or_the_new_ones_are_whole)
{
    char out[16384];
    const char *bin = getenv("ASSAY_BIN");
    const int status =
        run_command(out, sizeof out, "TMPDIR='%s' /usr/bin/python3 -B tests/faults.py '%s' 15",
                    scratch, bin ? bin : "build/bin");
    if (status == 77) {
        print_message("%s", out);
        skip();
    }
    if (status)
        fail_msg("%s", out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(after_an_error_or_a_kill_the_old_artifacts_stand_or_the_new_ones_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
