#include "ingest/dictionary.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

// The slot that holds the text, or the empty one where it belongs: linear probing.
static uint32_t *find_slot(const struct dictionary *d, const char *text, size_t n)
{
    size_t mask = d->n_slots - 1, i = XXH3_64bits(text, n) & mask;
    while (d->slots[i] && strcmp(d->texts[d->slots[i] - 1], text) != 0)
        i = (i + 1) & mask;
    return &d->slots[i];
}

static void grow(struct dictionary *d)
{
    d->n_slots = d->n_slots ? 2 * d->n_slots : 64;
    d->texts = xreallocarray(d->texts, d->n_slots / 2, sizeof *d->texts);
    free(d->slots);
    d->slots = xcalloc(d->n_slots, sizeof *d->slots);
    for (uint32_t i = 0; i < d->n; i++)
        *find_slot(d, d->texts[i], strlen(d->texts[i])) = i + 1;
}

uint32_t dictionary_find(const struct dictionary *d, const char *text, size_t n)
{
    uint32_t slot = d->n_slots ? *find_slot(d, text, n) : 0;
    return slot ? slot - 1 : (uint32_t)d->n;
}

int dictionary_code(struct dictionary *d, const char *text, size_t n, uint32_t *code,
                    struct err *err)
{
    *code = dictionary_find(d, text, n);
    if (*code < d->n)
        return 0;
    if (d->n == DICTIONARY_MAX)
        return err_set(err, "more than %d different values; is it a key?", DICTIONARY_MAX);
    if (2 * d->n == d->n_slots)
        grow(d);
    d->texts[d->n++] = xstrdup(text);
    *find_slot(d, text, n) = *code + 1;
    return 0;
}

void dictionary_release(struct dictionary *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->texts[i]);
    free(d->texts);
    free(d->slots);
    *d = (struct dictionary){0};
}
