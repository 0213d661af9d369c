// memory: allocations that never fail, growing arrays, and binary search.
//
// When memory runs out the program prints one line and ends with exit code 1. Nothing is lost:
// artifacts are atomic and the server's database is durable. Check a size that comes from a file
// against the file first.
//
//     struct row *rows = NULL; size_t n = 0, capacity = 0;
//     ARRAY_GROW(rows, n + 1, capacity);
//     rows[n++] = row;
//
//     size_t i;
//     LOWER_BOUND(i, 0, n, rows[i].time < time);     the first row that is not before time
//
// Ownership: everything returned is the caller's to free().
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

extern const char *memory_message; // printed when an allocation fails
void *xmalloc(size_t size);        // main passes it to json_set_alloc_funcs, too
void *xchecked(void *p);           // p, unless it is NULL: for what a library allocates
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *array, size_t n, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
// "folder/name", with one slash between them.
char *path_join(const char *folder, const char *name);

// Room for at least `needed` items; the capacity at least doubles.
#define ARRAY_GROW(items, needed, capacity)                                                        \
    do {                                                                                           \
        if ((needed) > (capacity))                                                                 \
            (items) = array_grow((items), (needed), &(capacity), sizeof *(items));                 \
    } while (0)
void *array_grow(void *items, size_t needed, size_t *capacity, size_t size);

// Set i to the first index in [from, to) for which `before`, a condition over i, is false, or to
// `to`. Once false it must stay false.
#define LOWER_BOUND(i, from, to, before)                                                           \
    do {                                                                                           \
        size_t low_ = (from), high_ = (to);                                                        \
        while (low_ < high_) {                                                                     \
            (i) = low_ + (high_ - low_) / 2;                                                       \
            if (before)                                                                            \
                low_ = (i) + 1;                                                                    \
            else                                                                                   \
                high_ = (i);                                                                       \
        }                                                                                          \
        (i) = low_;                                                                                \
    } while (0)

#endif
