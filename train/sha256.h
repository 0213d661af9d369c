// sha256: the identity of a model file, and the chain of the ledger, in hexadecimal (libsodium).
#ifndef TRAIN_SHA256_H
#define TRAIN_SHA256_H

#include "base/err.h"

#include <stddef.h>

enum { SHA256_HEX = 65 }; // 64 digits and a 0

void sha256_hex(char hex[SHA256_HEX], const void *data, size_t n);
int sha256_file(char hex[SHA256_HEX], const char *path, struct err *err);

#endif
