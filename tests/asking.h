// asking: a small service decides, takes labels, stops and starts again, and its database is read.
// Each test gets a new service.
#ifndef TESTS_ASKING_H
#define TESTS_ASKING_H

#ifndef EACH
#define EACH setup, teardown
#endif
#include "tests/database.h"
#include "tests/scratch.h"
#include "tests/small_service.h"

#include <poll.h>

static struct small_service small;
static struct reply reply;
static json_t *latest; // reply as JSON

static inline int setup(void **state __attribute__((unused)))
{
    struct err err = {""};
    if (small_service_make(&small, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static inline int teardown(void **state __attribute__((unused)))
{
    json_decref(latest);
    latest = NULL;
    reply_release(&reply);
    small_service_remove(&small);
    return 0;
}

// The reply as JSON, which it must be.
static inline const json_t *take_answer(void)
{
    json_decref(latest);
    latest = json_loadb(reply.text, reply.n, JSON_REJECT_DUPLICATES, NULL);
    if (!latest)
        fail_msg("not JSON: %s", reply.text);
    return latest;
}

#define BASE "\"id\":\"T1\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""

static inline const json_t *ask(const char *body)
{
    predict(&small.service, body, strlen(body), true, &reply);
    return take_answer();
}

static inline const json_t *ask_what_if(const char *body)
{
    predict(&small.service, body, strlen(body), false, &reply);
    return take_answer();
}

static inline const json_t *tell(const char *body)
{
    feedback(&small.service, body, strlen(body), &reply);
    return take_answer();
}

static inline void expect(const char *body, int status)
{
    ask(body);
    if (reply.status != status)
        fail_msg("%s: %s", body, reply.text);
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
static inline char *answers(int from, int n)
{
    char label[64], *all = xstrdup("");
    for (int i = from; i < from + n; i++) {
        expect(transaction(i), 200);
        char *more = xasprintf("%s%s", all, reply.text);
        free(all);
        all = more;
        if (i % 4 == 2) {
            snprintf(label, sizeof label, "{\"id\":\"T%d\",\"label\":%d}", i - 1, i % 8 == 2);
            tell(label);
            assert_int_equal(reply.status, 200);
        }
    }
    return all;
}

static inline int64_t count(const char *sql)
{
    return database_number(small.database, sql);
}

static inline void old(const char *id, const char *day, int customer)
{
    expect(formatted("{\"id\":\"%s\",\"time\":\"2018-%sT00:00:00Z\",\"customer\":%d,\"amount\":1}",
                     id, day, customer),
           200);
}

// The last report of a service that has `report`.
static char reported[1200];
static atomic_bool fatal;

static inline void report(const char *what, bool is_fatal)
{
    snprintf(reported, sizeof reported, "%s", what);
    atomic_store(&fatal, is_fatal);
}

static inline void start(void)
{
    struct err err = {""};
    *reported = '\0';
    atomic_store(&fatal, false);
    must(service_load(&small.service, &small.files, &err), &err);
}

static inline void expect_no_start(const char *words)
{
    struct err err = {""};
    assert_int_equal(service_load(&small.service, &small.files, &err), -1);
    assert_contains(err.msg, words);
}

static inline void stop(void)
{
    service_release(&small.service);
}

static inline void restart(void)
{
    stop();
    start();
}

// A shell command in the folder.
static inline void shell(const char *command)
{
    char all[512];
    snprintf(all, sizeof all, "cd '%s' && { %s; }", small.folder, command);
    assert_int_equal(system(all), 0); // NOLINT(cert-env33-c): a folder of ours
}

// As after kill -9: only what was committed is there.
static inline void crash(void)
{
    shell("rm -rf copy; mkdir copy; cp assay.db* copy");
    stop();
    shell("rm assay.db*; mv copy/* .; rm -f assay.db-shm");
    start();
}

#endif
