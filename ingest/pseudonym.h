// pseudonym: raw identifiers become 64-bit numbers under a secret key, and only those are stored.
//
// SipHash-2-4 (libsodium crypto_shorthash) of the column's name, a byte of 0, and the text. Without
// the key nobody can go back, link the columns of two installations, or choose keys that collide.
// Features and models do not depend on the key.
#ifndef INGEST_PSEUDONYM_H
#define INGEST_PSEUDONYM_H

#include "base/err.h"

#include <stdint.h>

enum { PSEUDONYM_KEY_BYTES = 16 };

struct pseudonym {
    unsigned char key[PSEUDONYM_KEY_BYTES];
};

// Read the key file (exactly 16 bytes; refused if group or others may read it). Where it does not
// exist it is made from the system's randomness with mode 0600, in one step, so two programs that
// start together end with the same key.
int pseudonym_load(struct pseudonym *p, const char *path, struct err *err);
// The same, but a file that does not exist is an error: for those to whom a new key is of no use.
int pseudonym_read(struct pseudonym *p, const char *path, struct err *err);

uint64_t pseudonym_hash(const struct pseudonym *p, const char *column, const char *text,
                        size_t length);

// Tells one key from another and nothing else: what was made under a key carries it, so that it is
// not read under a second one.
uint64_t pseudonym_fingerprint(const struct pseudonym *p);

#endif
