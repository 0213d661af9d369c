// Open addressing with linear probing, at most half full.
#include "ingest/dictionary.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

// The slot that holds the text, or the empty one where it belongs.
static size_t find(const struct dictionary *d, const char *text, size_t n)
{
    size_t mask = d->n_slots - 1, i = XXH3_64bits(text, n) & mask;
    while (d->slots[i] && strcmp(d->texts[d->slots[i] - 1], text) != 0)
        i = (i + 1) & mask;
    return i;
}

static int grow(struct dictionary *d, struct err *err)
{
    size_t n_slots = d->n_slots ? 2 * d->n_slots : 64;
    char **texts = realloc(d->texts, n_slots / 2 * sizeof *texts);
    if (texts)
        d->texts = texts;
    uint32_t *slots = texts ? calloc(n_slots, sizeof *slots) : NULL;
    if (!slots)
        return err_set(err, "out of memory");
    free(d->slots);
    d->slots = slots;
    d->n_slots = n_slots;
    for (size_t i = 0; i < d->n; i++)
        slots[find(d, d->texts[i], strlen(d->texts[i]))] = (uint32_t)i + 1;
    return 0;
}

uint32_t dictionary_find(const struct dictionary *d, const char *text, size_t n)
{
    uint32_t slot = d->n_slots ? d->slots[find(d, text, n)] : 0;
    return slot ? slot - 1 : (uint32_t)d->n;
}

int dictionary_code(struct dictionary *d, const char *text, size_t n, uint32_t *code,
                    struct err *err)
{
    size_t at = d->n_slots ? find(d, text, n) : 0;
    if (d->n_slots && d->slots[at]) {
        *code = d->slots[at] - 1;
        return 0;
    }
    if (d->n == DICTIONARY_MAX)
        return err_set(err, "more than %d different values; is it a key?", DICTIONARY_MAX);
    if (2 * d->n == d->n_slots) {
        if (grow(d, err))
            return -1;
        at = find(d, text, n);
    }
    d->texts[d->n] = strdup(text);
    if (!d->texts[d->n])
        return err_set(err, "out of memory");
    *code = (uint32_t)d->n++;
    d->slots[at] = *code + 1;
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
