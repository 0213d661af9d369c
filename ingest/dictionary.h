// dictionary: texts of a category column and their codes, 0 for the first that came, and so on.
//
// A hash table with open addressing over the texts. Ownership: the dictionary owns copies of the
// texts until dictionary_release. A zeroed one is empty.
#ifndef INGEST_DICTIONARY_H
#define INGEST_DICTIONARY_H

#include "base/err.h"

#include <stdint.h>

// More distinct values than this are no category but a key.
enum { DICTIONARY_MAX = 65536 };

struct dictionary {
    char **texts; // [n], by code
    size_t n;
    uint32_t *slots; // [n_slots], a power of two: code + 1, 0 where empty
    size_t n_slots;
};

// The code of a text (n bytes, then a 0 byte), which is added where it is new; -1 on an error: out
// of memory, or more than DICTIONARY_MAX texts.
int dictionary_code(struct dictionary *d, const char *text, size_t n, uint32_t *code,
                    struct err *err);
// The same without adding: d->n where the text is not there.
uint32_t dictionary_find(const struct dictionary *d, const char *text, size_t n);
void dictionary_release(struct dictionary *d);

#endif
