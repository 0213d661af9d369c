// histories: all keys of one track, in a hash table for each thread that works on them.
//
// A key belongs to one shard, and one thread works on a shard, so no lock is needed. Pseudonyms are
// evenly distributed over 64 bits under a secret key, so they are their own hash.
// Ownership: a table owns its histories until histories_release.
#ifndef FEATURES_HISTORIES_H
#define FEATURES_HISTORIES_H

#include "features/window.h"

struct histories_slot {
    uint64_t key;
    struct history history; // without events: the slot is free
};

struct histories {
    struct histories_slot *slots;
    size_t n, capacity; // capacity 0 or a power of two
};

// The key's history, made where it is missing; NULL when out of memory. It holds until the next
// call.
struct history *histories_get(struct histories *h, uint64_t key);
// The key's history, or NULL where it has none.
struct history *histories_find(const struct histories *h, uint64_t key);
// Bring into the cache, for a key that will be asked for soon: its slot; later, its newest event.
void histories_prefetch_slot(const struct histories *h, uint64_t key);
void histories_prefetch_event(const struct histories *h, const struct shape *s, uint64_t key);
void histories_release(struct histories *h);

#endif
