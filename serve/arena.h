// arena: memory for one request, given back as a whole.
//
//     struct arena a = {0};                  on the stack: a single transaction fits into its room,
//                                            which must be cleared, as this does
//     T *x = arena_take(&a, n, sizeof *x);   n objects, all bits 0, aligned for any type
//     if (a.failed) ...                      some arena_take returned NULL: out of memory
//     arena_release(&a);
//
// Ownership: what was taken lives until arena_release. An arena must not be moved.
#ifndef SERVE_ARENA_H
#define SERVE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

enum { ARENA_ROOM = 4096 };

struct arena {
    bool failed;
    size_t used; // of room
    struct arena_piece *pieces;
    _Alignas(max_align_t) char room[ARENA_ROOM]; // arrays that do not fit get pieces of their own
};

void *arena_take(struct arena *a, size_t n, size_t size);
void arena_release(struct arena *a);

#endif
