// pseudonym: raw identifiers become 64-bit numbers under a secret key, and only those are stored.
//
// SipHash-2-4 (libsodium crypto_shorthash) of the column's name, a byte of 0, and the text. Without
// the key nobody can find the identifiers, link two installations, or choose keys that collide.
#ifndef INGEST_PSEUDONYM_H
#define INGEST_PSEUDONYM_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { PSEUDONYM_KEY_BYTES = 16 };

struct pseudonym {
    unsigned char key[PSEUDONYM_KEY_BYTES];
};

// Read the key file (exactly 16 bytes; refused if group or others may read it). A missing one is an
// error, or with make a random key is written first, with mode 0600; of programs that start
// together the first one's key counts for all.
int pseudonym_load(struct pseudonym *p, const char *path, bool make, struct err *err);

uint64_t pseudonym_hash(const struct pseudonym *p, const char *column, const char *text,
                        size_t length);

// Tells keys apart and reveals nothing else: artifacts made under a key carry it, so that they are
// not read under another.
uint64_t pseudonym_fingerprint(const struct pseudonym *p);

#endif
