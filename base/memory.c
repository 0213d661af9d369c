#define _GNU_SOURCE // vasprintf, reallocarray
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *memory_message = "out of memory";

void *xchecked(void *p)
{
    if (!p) {
        fprintf(stderr, "%s\n", memory_message);
        _exit(1);
    }
    return p;
}

// Zero bytes are asked for as one, so that NULL means failure on every system.
void *xmalloc(size_t size)
{
    return xchecked(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
    return xchecked(calloc(n ? n : 1, size ? size : 1));
}

void *xreallocarray(void *array, size_t n, size_t size)
{
    return xchecked(reallocarray(array, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *text)
{
    return xchecked(strdup(text));
}

char *xasprintf(const char *fmt, ...)
{
    char *text;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return xchecked(n < 0 ? NULL : text);
}

char *path_join(const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    return xasprintf("%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/", name);
}

void *array_grow(void *items, size_t needed, size_t *capacity, size_t size)
{
    size_t grown = *capacity < 8 ? 8 : 2 * *capacity;
    *capacity = grown < needed ? needed : grown;
    return xreallocarray(items, *capacity, size);
}
