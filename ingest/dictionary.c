#include "ingest/dictionary.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

// Where the text is in sorted, or has to be inserted.
static size_t place_of(const struct dictionary *d, const char *text)
{
    size_t i;
    LOWER_BOUND(i, 0, d->n, strcmp(d->texts[d->sorted[i]], text) < 0);
    return i;
}

uint32_t dictionary_find(const struct dictionary *d, const char *text)
{
    const size_t i = place_of(d, text);
    return i < d->n && strcmp(d->texts[d->sorted[i]], text) == 0 ? d->sorted[i] : (uint32_t)d->n;
}

int dictionary_code(struct dictionary *d, const char *text, uint32_t *code, struct err *err)
{
    *code = dictionary_find(d, text);
    if (*code < d->n)
        return 0;
    if (d->n == DICTIONARY_MAX)
        return err_set(err, "more than %d different values; is it a key?", DICTIONARY_MAX);
    const size_t i = place_of(d, text);
    ARRAY_GROW(d->texts, d->n + 1, d->size);
    ARRAY_GROW(d->sorted, d->n + 1, d->sorted_size);
    memmove(d->sorted + i + 1, d->sorted + i, (d->n - i) * sizeof *d->sorted);
    d->sorted[i] = *code;
    d->texts[d->n++] = xstrdup(text);
    return 0;
}

void dictionary_release(struct dictionary *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->texts[i]);
    free(d->texts);
    free(d->sorted);
    *d = (struct dictionary){0};
}
