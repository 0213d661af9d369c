// dictionary: the texts of a category column, whose codes count from 0 in the order of arrival.
//
// A zeroed dictionary is empty; it owns copies of the texts until dictionary_release.
#ifndef INGEST_DICTIONARY_H
#define INGEST_DICTIONARY_H

#include "base/err.h"

#include <stdint.h>

enum { DICTIONARY_MAX = 65536 }; // a column with more distinct values is a key

struct dictionary {
    char **texts; // [n] by code
    size_t n, size;
    uint32_t *sorted; // [n] the codes in the order of their texts
    size_t sorted_size;
};

// The code of a text, which is added if it is new; -1 where that would be more than DICTIONARY_MAX.
int dictionary_code(struct dictionary *d, const char *text, uint32_t *code, struct err *err);
// The code of a text, d->n if it is not there.
uint32_t dictionary_find(const struct dictionary *d, const char *text);
void dictionary_release(struct dictionary *d);

#endif
