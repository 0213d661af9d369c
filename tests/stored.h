// stored: a small service that is asked, told, ended and started again, and its database looked into.
#ifndef TESTS_STORED_H
#define TESTS_STORED_H

#include "serve/feedback.h"
#include "tests/database.h"
#include "tests/small_fixture.h"

#include <stdatomic.h>

// What the service reported last, where it has `report`.
static char reported[1200];
static atomic_bool fatal;

static inline void report(const char *what, bool is_fatal)
{
    snprintf(reported, sizeof reported, "%s", what);
    atomic_store(&fatal, is_fatal);
}

static inline const char *ask(struct fixture *f, const char *body)
{
    predict(&f->small.service, body, strlen(body), &f->reply);
    return f->reply.text;
}

static inline const char *tell(struct fixture *f, const char *body)
{
    feedback(&f->small.service, body, strlen(body), &f->reply);
    return f->reply.text;
}

static inline void restart(struct fixture *f)
{
    struct err err = {""};
    service_release(&f->small.service);
    if (service_load(&f->small.service, &f->small.files, &err))
        fail_msg("%s", err.msg);
}

// As after kill -9: nothing but what was committed. A copy of the files is opened instead.
static inline void crash(struct fixture *f, bool keep_checkpoint)
{
    struct err err = {""};
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && rm -f copy*; for f in assay.db*; do cp $f copy${f#assay}; done",
             f->small.folder);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a folder of ours
    service_release(&f->small.service);
    snprintf(command, sizeof command,
             "cd %s && rm -f assay.db%s; for f in copy.db*; do mv $f assay${f#copy}; done; rm -f "
             "assay.db-shm",
             f->small.folder, keep_checkpoint ? "" : "-state");
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    if (service_load(&f->small.service, &f->small.files, &err))
        fail_msg("%s", err.msg);
}

// A transaction of the i-th, most in order, some late.
static inline const char *transaction(char *body, size_t size, int i)
{
    const long long time = 1538381700 + i * 600 - (i % 7 == 3 ? 5000 : 0);
    snprintf(body, size,
             "{\"id\":\"T%d\",\"time\":%lld,\"customer\":%d,\"amount\":%d.25,\"channel\":\"%s\"}",
             i, time, i % 5, 10 + i * 7 % 90, i % 3 ? "web" : "shop \\\"x\\\"");
    return body;
}

static inline char *answers(struct fixture *f, int from, int n)
{
    const size_t size = (size_t)n * 1024 + 1;
    char body[256], *all = calloc(1, size);
    size_t length = 0;
    assert_non_null(all);
    for (int i = from; i < from + n; i++) {
        length += (size_t)snprintf(all + length, size - length, "%s",
                                   ask(f, transaction(body, sizeof body, i)));
        assert_int_equal(f->reply.status, 200);
        if (i % 4 == 2) {
            snprintf(body, sizeof body, "{\"id\":\"T%d\",\"label\":%d}", i - 1, i % 8 == 2);
            tell(f, body);
            assert_int_equal(f->reply.status, 200);
        }
    }
    return all;
}

static inline int64_t count(const struct fixture *f, const char *sql)
{
    return database_number(f->small.database, sql);
}

#endif
