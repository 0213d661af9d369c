// Ranges are plain arrays: scanning some 256 pairs costs less than the misses of a hash table.
#include "serve/ids.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void ids_add(struct ids *ids, uint64_t id, int64_t order)
{
    struct ids_range *r = &ids->ranges[id >> 56];
    ARRAY_GROW(r->seen, r->n + 1, r->capacity);
    r->seen[r->n++] = (struct seen){id, order};
    ids->n++;
}

int64_t ids_find(const struct ids *ids, uint64_t id)
{
    const struct ids_range *r = &ids->ranges[id >> 56];
    for (size_t i = r->n; i-- > 0;) // retries ask for the newest
        if (r->seen[i].id == id)
            return r->seen[i].order;
    return 0;
}

void ids_drop(struct ids *ids)
{
    struct ids_range *r = &ids->ranges[ids->due];
    ids->n -= r->n;
    r->n = 0;
    ids->due = (ids->due + 1) % IDS_RANGES;
}

int64_t ids_lowest(const struct ids *ids, int64_t none)
{
    int64_t lowest = none;
    for (size_t i = 0; i < IDS_RANGES; i++)
        if (ids->ranges[i].n > 0 && ids->ranges[i].seen[0].order < lowest)
            lowest = ids->ranges[i].seen[0].order;
    return lowest;
}

void ids_release(struct ids *ids)
{
    for (size_t i = 0; i < IDS_RANGES; i++)
        free(ids->ranges[i].seen);
    memset(ids, 0, sizeof *ids);
}
