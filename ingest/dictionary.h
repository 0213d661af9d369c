// dictionary: the texts of a category column, whose codes count from 0 in the order of arrival.
//
// A zeroed dictionary is empty; it owns copies of the texts until dictionary_release. Of each text
// n bytes and a 0 byte are read.
#ifndef INGEST_DICTIONARY_H
#define INGEST_DICTIONARY_H

#include "base/err.h"

#include <stdint.h>

enum { DICTIONARY_MAX = 65536 }; // a column with more distinct values is a key

struct dictionary {
    char **texts; // [n] by code
    size_t n;
    uint32_t *slots; // [n_slots] hash table, at most half full: code + 1, 0 where empty
    size_t n_slots;  // 0 or a power of two
};

// The code of a text, which is added if it is new; -1 where that would be more than DICTIONARY_MAX.
int dictionary_code(struct dictionary *d, const char *text, size_t n, uint32_t *code,
                    struct err *err);
// The code of a text, d->n if it is not there.
uint32_t dictionary_find(const struct dictionary *d, const char *text, size_t n);
void dictionary_release(struct dictionary *d);

#endif
