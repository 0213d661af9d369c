// replaying: the program replay on small files of a small schema, against the scripted server.
//
// ASSAY_BIN names the folder of the programs. Each test works in a folder of its own, where r.ini
// describes files that begin with HEADER.
#ifndef TESTS_REPLAYING_H
#define TESTS_REPLAYING_H

#include "tests/scripted.h"

#define COLUMNS(time)                                                                              \
    "[columns]\nid = I, id\ntime = T, time\ncustomer = C, key\n"                                   \
    "amount = A, number, missing=0\nchannel = H, category, missing=none\n"                         \
    "label = L, label, missing=-1\n[input]\nmax_reject_rate = 0.5\ntime_format = " time "\n"
#define CONFIG COLUMNS("%Y-%m-%d %H:%M:%S")
#define HEADER "I,T,C,A,H,other,L\n"

static char out[1 << 16]; // what the last replay printed

static inline int replay_setup(void **state)
{
    if (scratch_make(state))
        return -1;
    scratch_text("r.ini", CONFIG);
    return 0;
}

static inline int replay_teardown(void **state)
{
    scripted_forget();
    return scratch_remove(state);
}

// The exit status of replay on the scripted server, which ends then. before: shell commands or a
// pipe.
static inline int replay(const char *before, const char *arguments)
{
    int status =
        run_command(out, sizeof out,
                    "PATH=\"$(cd \"${ASSAY_BIN:-build/bin}\" && pwd):$PATH\"; cd '%s' && "
                    "{ %s timeout 60 replay --config r.ini --url http://127.0.0.1:%d/ %s\n}",
                    scratch, before, scripted.port, arguments);
    scripted_stop();
    return status;
}

// A file of n rows, a second apart, amounts 1, 2, ...; label 1 in each.
static inline void write_rows(const char *name, int n)
{
    FILE *f = fopen(scratch_path(name), "w");
    assert_non_null(f);
    fputs(HEADER, f);
    for (int i = 0; i < n; i++)
        fprintf(f, "T%d,2018-04-01 00:%02d:%02d,c,%d,web,,1\n", i, i / 60, i % 60, i + 1);
    assert_int_equal(fclose(f), 0);
}

static inline void assert_request(size_t i, const char *path, const char *body)
{
    assert_true(i < scripted.n_requests);
    assert_string_equal(scripted.requests[i].path, path);
    assert_string_equal(scripted.requests[i].body, body);
}

static inline void assert_exit(int found, int expected)
{
    if (found != expected)
        fail_msg("exit status %d, expected %d:\n%s", found, expected, out);
}

#define replay_test(f) cmocka_unit_test_setup_teardown(f, replay_setup, replay_teardown)

#endif
