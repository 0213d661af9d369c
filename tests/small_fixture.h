// A small service for each test of a group: TEST(name) makes it before the test and removes it
// after.
#ifndef TESTS_SMALL_FIXTURE_H
#define TESTS_SMALL_FIXTURE_H

#include "tests/small_service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct small_service small;
    struct reply reply;
    json_t *answer; // the latest reply
};

static inline void release(struct fixture *f)
{
    json_decref(f->answer);
    reply_release(&f->reply);
    small_service_remove(&f->small);
}

static inline int setup(void **state)
{
    struct err err = {""};
    struct fixture *f = *state = xcalloc(1, sizeof *f);
    if (small_service_make(&f->small, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static inline int teardown(void **state)
{
    release(*state);
    free(*state);
    return 0;
}

// The reply as JSON, which it must be.
static inline const json_t *take_answer(struct fixture *f)
{
    json_error_t e;
    json_decref(f->answer);
    f->answer = json_loadb(f->reply.text, f->reply.n, JSON_REJECT_DUPLICATES, &e);
    if (!f->answer)
        fail_msg("the reply is not JSON: %s: %s", e.text, f->reply.text);
    return f->answer;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
