// Ranges as plain arrays: scanning some 256 pairs costs less than a hash table's misses.
#define _DEFAULT_SOURCE // reallocarray
#include "serve/ids.h"

#include <stdlib.h>
#include <string.h>

static size_t range_of(uint64_t id)
{
    return (size_t)(id >> 56);
}

int ids_add(struct ids *ids, uint64_t id, int64_t order)
{
    struct ids_range *r = &ids->ranges[range_of(id)];
    if (r->n == r->capacity) {
        const size_t capacity = r->capacity ? 2 * r->capacity : 64;
        struct seen *seen = reallocarray(r->seen, capacity, sizeof *seen);
        if (!seen)
            return -1;
        r->seen = seen;
        r->capacity = capacity;
    }
    r->seen[r->n++] = (struct seen){id, order};
    ids->n++;
    return 0;
}

int64_t ids_find(const struct ids *ids, uint64_t id)
{
    const struct ids_range *r = &ids->ranges[range_of(id)];
    for (size_t i = r->n; i-- > 0;) // retries are of the newest
        if (r->seen[i].id == id)
            return r->seen[i].order;
    return 0;
}

bool ids_want_merge(const struct ids *ids)
{
    return ids->n > IDS_KEPT;
}

static int by_id(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->id == y->id) // predicted, dropped and predicted again: the later one counts
        return (x->order > y->order) - (x->order < y->order);
    return x->id > y->id ? 1 : -1;
}

const struct ids_range *ids_due(struct ids *ids)
{
    struct ids_range *r = &ids->ranges[ids->due];
    if (r->n > 0)
        qsort(r->seen, r->n, sizeof *r->seen, by_id);
    return r;
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
