// Open addressing with linear probing, at most half full.
#include "features/histories.h"

#include <stdlib.h>

static size_t slot_of(const struct histories *h, uint64_t key)
{
    size_t i = key & (h->capacity - 1);
    while (h->slots[i].history.capacity && h->slots[i].key != key)
        i = (i + 1) & (h->capacity - 1);
    return i;
}

static int grow(struct histories *h)
{
    struct histories bigger = {.n = h->n, .capacity = h->capacity ? 2 * h->capacity : 64};
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return -1;
    for (size_t i = 0; i < h->capacity; i++)
        if (h->slots[i].history.capacity)
            bigger.slots[slot_of(&bigger, h->slots[i].key)] = h->slots[i];
    free(h->slots);
    *h = bigger;
    return 0;
}

struct history *histories_find(const struct histories *h, uint64_t key)
{
    if (h->capacity == 0)
        return NULL;
    struct histories_slot *slot = &h->slots[slot_of(h, key)];
    return slot->history.capacity ? &slot->history : NULL;
}

struct history *histories_get(struct histories *h, uint64_t key)
{
    struct history *found = histories_find(h, key);
    if (found)
        return found;
    if (2 * (h->n + 1) > h->capacity && grow(h))
        return NULL;
    struct histories_slot *slot = &h->slots[slot_of(h, key)];
    slot->key = key;
    h->n++; // the caller pushes an event next, which makes the slot a taken one
    return &slot->history;
}

void histories_prefetch_slot(const struct histories *h, uint64_t key)
{
    if (h->capacity)
        __builtin_prefetch(&h->slots[key & (h->capacity - 1)]);
}

void histories_prefetch_event(const struct histories *h, const struct shape *s, uint64_t key)
{
    const struct history *found = histories_find(h, key);
    if (!found)
        return;
    __builtin_prefetch(found->words);
    __builtin_prefetch(history_event(found, s, found->next - 1));
    __builtin_prefetch(history_event(found, s, found->next));
}

void histories_release(struct histories *h)
{
    for (size_t i = 0; i < h->capacity; i++)
        history_release(&h->slots[i].history);
    free(h->slots);
    *h = (struct histories){0};
}
