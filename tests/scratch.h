// scratch: a temporary folder for one test, files in it, and programs run on them.
//
// Paths are made with scratch_path. Everything is removed by scratch_remove, which is a test's
// teardown.
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include "base/err.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka.h wants setjmp.h, stdarg.h, stddef.h and stdint.h before it
#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

// TEST_CASE(name) { ... } is a test, and TESTS(setup, teardown) at the end of a file is its main, which
// runs the tests in their order. EACH is the setup and teardown of each test; a file or header that
// has one defines it before it includes this.
#ifndef EACH
#define EACH NULL, NULL
#endif
static struct CMUnitTest all_tests[64] __attribute__((unused));
static size_t n_tests __attribute__((unused));
#define TEST_CASE(name) TEST_CASE_WITH(name, EACH)
#define TEST_CASE_WITH(name, ...)                                                                  \
    static void name(void **state);                                                                \
    __attribute__((constructor(200 + __LINE__))) static void add_##name(void)                      \
    {                                                                                              \
        all_tests[n_tests++] = (struct CMUnitTest){#name, name, __VA_ARGS__, NULL};                \
    }                                                                                              \
    static void name(void **state __attribute__((unused)))
#define TESTS(setup, teardown)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        return _cmocka_run_group_tests("tests", all_tests, n_tests, setup, teardown);              \
    }

// The call has succeeded.
static inline void must(int rc, const struct err *err)
{
    if (rc)
        fail_msg("%s", err->msg);
}

static char scratch[256];

static inline int scratch_make(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/assay-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int scratch_remove(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command); // NOLINT(cert-env33-c): a test's own folder
}

// The number of entries in a folder.
static inline int scratch_count(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    return n;
}

// The last sixteen texts are kept.
static inline const char *formatted(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline const char *formatted(const char *fmt, ...)
{
    static char texts[16][4096];
    static unsigned next;
    char *text = texts[next++ % 16];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof texts[0], fmt, ap);
    va_end(ap);
    assert_in_range(n, 0, sizeof texts[0] - 1);
    return text;
}

static inline const char *scratch_path(const char *name)
{
    return formatted("%s/%s", scratch, name);
}

// Write n bytes to a file of the folder; its path.
static inline const char *scratch_bytes(const char *name, const void *data, size_t n)
{
    const char *path = scratch_path(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline const char *scratch_text(const char *name, const char *text)
{
    return scratch_bytes(name, text, strlen(text));
}

// A file's bytes with a 0 and room for 7 more behind them, allocated; NULL if it cannot be read.
static inline char *scratch_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    struct stat about;
    if (!f)
        return NULL;
    assert_int_equal(fstat(fileno(f), &about), 0);
    char *data = malloc((size_t)about.st_size + 8);
    assert_non_null(data);
    const size_t size = fread(data, 1, (size_t)about.st_size, f);
    fclose(f);
    data[size] = '\0';
    if (n)
        *n = size;
    return data;
}

static inline void assert_file_is(const char *path, const char *text)
{
    char *found = scratch_read(path, NULL);
    assert_non_null(found);
    assert_string_equal(found, text);
    free(found);
}

static inline void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

// Fails the test unless each of the parts, which '|' separates, is in the text.
static inline void assert_parts(const char *text, const char *parts)
{
    char part[256];
    for (; *parts; parts += strcspn(parts, "|"), parts += *parts == '|') {
        snprintf(part, sizeof part, "%.*s", (int)strcspn(parts, "|"), parts);
        assert_contains(text, part);
    }
}

// Run a shell command; its exit status, and what it printed (stderr too) in out.
static inline int run_command(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static inline int run_command(char *out, size_t size, const char *fmt, ...)
{
    char command[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(command, sizeof command - 8, fmt, ap);
    va_end(ap);
    assert_in_range(n, 1, sizeof command - 9);
    memcpy(command + n, " 2>&1", 6);
    FILE *pipe = popen(command, "r"); // NOLINT(cert-env33-c): shells are what is tested
    assert_non_null(pipe);
    size_t used = fread(out, 1, size - 1, pipe);
    out[used] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
