// SHA-256 of memory and of files.
#include "train/sha256.h"

#include <sodium.h>
#include <stdio.h>

static void finish(char hex[SHA256_HEX], crypto_hash_sha256_state *state)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(state, hash);
    sodium_bin2hex(hex, SHA256_HEX, hash, sizeof hash);
}

void sha256_hex(char hex[SHA256_HEX], const void *data, size_t n)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, data, n);
    finish(hex, &state);
}

int sha256_file(char hex[SHA256_HEX], const char *path, struct err *err)
{
    crypto_hash_sha256_state state;
    unsigned char buf[16384];
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_sys(err, "%s: cannot open", path);
    crypto_hash_sha256_init(&state);
    for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
        crypto_hash_sha256_update(&state, buf, n);
    int rc = ferror(f) ? err_sys(err, "%s: cannot read", path) : 0;
    fclose(f);
    finish(hex, &state);
    return rc;
}
