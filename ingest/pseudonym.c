#include "ingest/pseudonym.h"

#include "base/output.h"

#include <sodium.h>
#include <unistd.h>

_Static_assert(PSEUDONYM_KEY_BYTES == crypto_shorthash_KEYBYTES, "the key is SipHash's");

static int read_key(struct pseudonym *p, const char *path, struct err *err)
{
    unsigned char bytes[PSEUDONYM_KEY_BYTES + 1];
    FILE *f = file_open(path, true, err);
    if (!f)
        return err_prefix(err, "the key that ingest made");
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    int rc = ferror(f) ? err_sys(err, "%s: cannot read", path) : 0;
    fclose(f);
    if (rc == 0 && n != PSEUDONYM_KEY_BYTES)
        rc = err_set(err, "%s: not a secret key of exactly %d bytes", path, PSEUDONYM_KEY_BYTES);
    memcpy(p->key, bytes, PSEUDONYM_KEY_BYTES);
    return rc;
}

// Programs that start together wait for each other here; the others take the first one's key.
static int make_key(const char *path, struct err *err)
{
    unsigned char key[PSEUDONYM_KEY_BYTES];
    struct output o = {0};
    const int lock = lock_parent(path, true, err);
    if (lock < 0)
        return -1;
    randombytes_buf(key, sizeof key);
    int rc = 0;
    if (access(path, F_OK) && (rc = output_open(&o, path, 0600, err)) == 0) {
        fwrite(key, sizeof key, 1, o.file);
        rc = output_commit(&o, err);
    }
    output_release(&o);
    close(lock);
    return rc;
}

int pseudonym_load(struct pseudonym *p, const char *path, bool make, struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, "%s: libsodium cannot be initialised", path);
    if (make && access(path, F_OK) && errno == ENOENT && make_key(path, err))
        return -1;
    return read_key(p, path, err);
}

uint64_t pseudonym_hash(const struct pseudonym *p, const char *column, const char *text,
                        size_t length)
{
    enum { NAME = 64, TEXT = 256, DIGEST = 32 };
    unsigned char message[NAME + TEXT], hash[crypto_shorthash_BYTES];
    size_t n = strnlen(column, NAME - 1);
    memcpy(message, column, n);
    message[n++] = 0;
    if (length <= TEXT) {
        memcpy(message + n, text, length);
        n += length;
    } else { // too long for the message: its BLAKE2b-256
        crypto_generichash(message + n, DIGEST, (const unsigned char *)text, length, NULL, 0);
        n += DIGEST;
    }
    crypto_shorthash(hash, message, n, p->key);
    uint64_t h; // little-endian, as the tables are
    memcpy(&h, hash, sizeof h);
    return h;
}

uint64_t pseudonym_fingerprint(const struct pseudonym *p)
{
    return pseudonym_hash(p, "", "", 0); // no column has an empty name
}
