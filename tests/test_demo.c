// Runs demo.py, which asserts the turning points of the closed loop, with few customers. `make soak`
// runs it on the full data.
#define EACH scratch_make, scratch_remove
#include "tests/scratch.h"

static void run_demo(const char *what)
{
    char out[16384];
    const char *bin = getenv("ASSAY_BIN");
    if (run_command(out, sizeof out, "/usr/bin/python3 -B tests/demo.py '%s' '%s/demo' small %s",
                    bin ? bin : "build/bin", scratch, what))
        fail_msg("%s", out);
}

TEST_CASE(after_a_change_a_new_version_is_trained_promoted_and_followed_by_the_server)
{
    run_demo("");
}

TEST_CASE(without_a_change_or_with_wrong_labels_no_version_is_promoted)
{
    run_demo("control");
}

TESTS(NULL, NULL)
