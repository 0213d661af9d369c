// tests/run itself, on shell scripts that print what cmocka prints.
#define EACH scratch_make, scratch_remove
#include "tests/scratch.h"

static char out[4096];

// tests/run on a script, with CI set to that; its exit status.
static int run_script(const char *ci, const char *script)
{
    const char *path = scratch_text("test_x", script);
    assert_int_equal(chmod(path, 0700), 0);
    return run_command(out, sizeof out, "CI=%s TMPDIR='%s' tests/run '%s'", ci, scratch, path);
}

TEST_CASE(skipped_tests_are_named_and_fail_in_ci)
{
    static const char script[] = "#!/bin/sh\n"
                                 "echo '[       OK ] runs'\n"
                                 "echo '[  SKIPPED ] needs_a_mount'\n"
                                 "echo '[  SKIPPED ] 1 test(s), listed below:'\n"
                                 "echo '[  SKIPPED ] needs_a_mount'\n";
    assert_int_equal(run_script("", script), 0);
    assert_contains(out, "skipped: test_x: needs_a_mount\n1 passed, 0 failed, 1 skipped\n");
    assert_int_equal(run_script("true", script), 1);
}

TEST_CASE(a_program_that_leaves_files_behind_or_does_not_come_to_its_end_has_failed)
{
    assert_int_equal(run_script("", "#!/bin/sh\n: >\"$TMPDIR/litter\"\n"), 1);
    assert_contains(out, "test_x: exit status 0, and it left in TMPDIR: litter\n");
    assert_contains(out, "0 passed, 1 failed, 0 skipped\n");
    assert_int_equal(scratch_count(scratch), 1); // the script
    assert_int_equal(run_script("", "#!/bin/sh\nkill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)\n"), 1);
    assert_contains(out, "1 of 1 programs did not run\n0 passed, 1 failed, 0 skipped\n");
}

TEST_CASE(what_a_program_started_ends_with_it)
{
    assert_int_equal(run_script("", "#!/bin/sh\nsleep 100 &\necho $! >\"$0.pid\"\nexit 1\n"), 1);
    // Z: dead, but not yet waited for by init
    assert_int_not_equal(run_command(out, sizeof out,
                                     "grep '^State:.[^Z]' /proc/$(cat '%s/test_x.pid')/status",
                                     scratch),
                         0);
}

TEST_CASE(a_run_that_is_interrupted_leaves_nothing_behind)
{
    static const char script[] =
        "#!/bin/sh\np=$PPID\n"
        "while [ \"$(cat /proc/$p/comm)\" != run ]; do p=$(cut -d ' ' -f 4 /proc/$p/stat); done\n"
        "kill $p\nsleep 0.1\n";
    assert_int_equal(run_script("", script), 1);
    assert_int_equal(scratch_count(scratch), 1);
}

TESTS(NULL, NULL)
