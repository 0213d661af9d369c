// Runs a sample of faults.py: errors, kills and failed allocations in the programs that change
// artifacts. `make soak` runs all of it.
#define EACH scratch_make, scratch_remove
#include "tests/scratch.h"

TEST_CASE(after_an_error_or_a_kill_the_old_artifacts_stand_or_the_new_ones_are_whole)
{
    char out[16384];
    const char *bin = getenv("ASSAY_BIN");
    const int status =
        run_command(out, sizeof out, "TMPDIR='%s' /usr/bin/python3 -B tests/faults.py '%s' 25",
                    scratch, bin ? bin : "build/bin");
    if (status == 77) {
        print_message("%s", out);
        skip();
    }
    if (status)
        fail_msg("%s", out);
}

TESTS(NULL, NULL)
