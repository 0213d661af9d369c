// asking: a small service decides, takes labels, stops and starts again, and its database is read.
#ifndef TESTS_ASKING_H
#define TESTS_ASKING_H

#include "tests/database.h"
#include "tests/small_fixture.h"

#include <math.h>
#include <stdatomic.h>

#define BASE "\"id\":\"T1\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""

static inline const json_t *ask_bytes(struct fixture *f, const char *body, size_t n)
{
    predict(&f->small.service, body, n, &f->reply);
    return take_answer(f);
}

static inline const json_t *ask(struct fixture *f, const char *body)
{
    return ask_bytes(f, body, strlen(body));
}

static inline const json_t *tell(struct fixture *f, const char *body)
{
    feedback(&f->small.service, body, strlen(body), &f->reply);
    return take_answer(f);
}

static inline void expect(struct fixture *f, const char *body, int status)
{
    ask(f, body);
    if (f->reply.status != status)
        fail_msg("%s: %s", body, f->reply.text);
}

static inline double number(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static inline const char *text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    assert_non_null(s);
    return s;
}

// A transaction of the i-th, most in order, some late. It stays valid until the next call.
static inline const char *transaction(int i)
{
    static char body[256];
    const long long time = 1538381700 + i * 600 - (i % 7 == 3 ? 5000 : 0);
    snprintf(body, sizeof body,
             "{\"id\":\"T%d\",\"time\":%lld,\"customer\":%d,\"amount\":%d.25,\"channel\":\"%s\"}",
             i, time, i % 5, 10 + i * 7 % 90, i % 3 ? "web" : "shop \\\"x\\\"");
    return body;
}

// The answers to n transactions, allocated; every fourth one gets a label.
static inline char *answers(struct fixture *f, int from, int n)
{
    char label[64], *all = xstrdup("");
    for (int i = from; i < from + n; i++) {
        expect(f, transaction(i), 200);
        char *more = xasprintf("%s%s", all, f->reply.text);
        free(all);
        all = more;
        if (i % 4 == 2) {
            snprintf(label, sizeof label, "{\"id\":\"T%d\",\"label\":%d}", i - 1, i % 8 == 2);
            tell(f, label);
            assert_int_equal(f->reply.status, 200);
        }
    }
    return all;
}

static inline int64_t count(const struct fixture *f, const char *sql)
{
    return database_number(f->small.database, sql);
}

// The last report of a service that has `report`.
static char reported[1200];
static atomic_bool fatal;

static inline void report(const char *what, bool is_fatal)
{
    snprintf(reported, sizeof reported, "%s", what);
    atomic_store(&fatal, is_fatal);
}

static inline void start(struct fixture *f)
{
    struct err err = {""};
    if (service_load(&f->small.service, &f->small.files, &err))
        fail_msg("%s", err.msg);
}

static inline void expect_no_start(struct fixture *f, const char *words)
{
    struct err err = {""};
    assert_int_equal(service_load(&f->small.service, &f->small.files, &err), -1);
    if (!strstr(err.msg, words))
        fail_msg("'%s' is not in: %s", words, err.msg);
}

static inline void stop(struct fixture *f)
{
    service_release(&f->small.service);
}

static inline void restart(struct fixture *f)
{
    stop(f);
    start(f);
}

// A shell command in the folder.
static inline void shell(const struct fixture *f, const char *command)
{
    char all[512];
    snprintf(all, sizeof all, "cd '%s' && { %s; }", f->small.folder, command);
    assert_int_equal(system(all), 0); // NOLINT(cert-env33-c): a folder of ours
}

// As after kill -9: only what was committed is there.
static inline void crash(struct fixture *f)
{
    shell(f, "rm -rf copy; mkdir copy; cp assay.db* copy");
    stop(f);
    shell(f, "rm assay.db*; mv copy/* .; rm -f assay.db-shm");
    start(f);
}

#endif
