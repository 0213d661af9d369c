// Preloaded by faults.py: from the program's first look at its options on, allocation number FAIL
// fails, and at the end the number of them is written to the file COUNT.
#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static atomic_long count, fail;
static atomic_bool begun;

static int fails(void)
{
    if (!begun || ++count != fail)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

int getopt_long(int argc, char *const *argv, const char *text, const struct option *longs, int *i)
{
    static int (*real)(int, char *const *, const char *, const struct option *, int *);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "getopt_long");
        const char *wanted = getenv("FAIL");
        fail = wanted ? strtol(wanted, NULL, 10) : 0;
        begun = 1;
    }
    return real(argc, argv, text, longs, i);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("COUNT");
    const long n = count;
    FILE *f = path ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "%ld\n", n);
        fclose(f);
    }
}
