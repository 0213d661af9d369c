// Room on the stack first, then one allocation for each array.
#include "serve/arena.h"

#include <stdint.h>
#include <stdlib.h>

struct arena_piece {
    struct arena_piece *next;
    max_align_t first[];
};

static void *take_piece(struct arena *a, size_t bytes)
{
    struct arena_piece *piece = calloc(1, sizeof *piece + bytes);
    if (!piece) {
        a->failed = true;
        return NULL;
    }
    piece->next = a->pieces;
    a->pieces = piece;
    return piece->first;
}

void *arena_take(struct arena *a, size_t n, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (size > 0 && n > (SIZE_MAX / 2) / size) {
        a->failed = true;
        return NULL;
    }
    const size_t bytes = (n * size + align - 1) / align * align;
    if (bytes > ARENA_ROOM - a->used)
        return take_piece(a, bytes);
    void *taken = a->room + a->used;
    a->used += bytes;
    return taken;
}

void arena_release(struct arena *a)
{
    for (struct arena_piece *next; a->pieces; a->pieces = next) {
        next = a->pieces->next;
        free(a->pieces);
    }
}
