// The secret key's file, and SipHash under it.
#include "ingest/pseudonym.h"

#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(PSEUDONYM_KEY_BYTES == crypto_shorthash_KEYBYTES, "the key is SipHash's");

// 0; 1 where there is no such file; -1.
static int read_key(struct pseudonym *p, const char *path, struct err *err)
{
    struct stat st;
    unsigned char bytes[PSEUDONYM_KEY_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 1 : err_sys(err, "%s: cannot open the secret key", path);
    int bad = fstat(fd, &st);
    ssize_t n = bad ? -1 : read(fd, bytes, sizeof bytes);
    close(fd);
    if (n < 0)
        return err_sys(err, "%s: cannot read the secret key", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(err, "%s: group or others may read the secret key; chmod 600 it", path);
    if (n != PSEUDONYM_KEY_BYTES)
        return err_set(err, "%s: not a secret key of exactly %d bytes", path, PSEUDONYM_KEY_BYTES);
    memcpy(p->key, bytes, PSEUDONYM_KEY_BYTES);
    return 0;
}

// A whole key under a name of this process, then linked to the real one: of two programs that get
// here together the first wins, and both read what it made.
static int make_key(const char *path, struct err *err)
{
    char own[4096];
    unsigned char key[PSEUDONYM_KEY_BYTES];
    struct output o;
    if (snprintf(own, sizeof own, "%s.%ld", path, (long)getpid()) >= (int)sizeof own)
        return err_set(err, "%.200s...: the path is too long", path);
    if (output_open(&o, own, 0600, err))
        return -1;
    randombytes_buf(key, sizeof key);
    int rc = output_write(&o, key, sizeof key, err);
    sodium_memzero(key, sizeof key);
    if (rc == 0)
        rc = output_commit(&o, err);
    output_release(&o);
    if (rc)
        return -1;
    if (link(own, path) && errno != EEXIST)
        rc = err_sys(err, "%s: cannot make the secret key", path);
    unlink(own);
    return rc ? -1 : sync_parent(path, err);
}

int pseudonym_read(struct pseudonym *p, const char *path, struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, "%s: libsodium cannot be initialised", path);
    int rc = read_key(p, path, err);
    return rc == 1 ? err_set(err, "%s: there is no secret key; give the one that ingest made", path)
                   : rc;
}

int pseudonym_load(struct pseudonym *p, const char *path, struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, "%s: libsodium cannot be initialised", path);
    int rc = read_key(p, path, err);
    if (rc != 1)
        return rc;
    return make_key(path, err) ? -1 : pseudonym_read(p, path, err);
}

// The message lies on the stack, so a text that would not fit goes in as its BLAKE2b-256.
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
    } else {
        crypto_generichash(message + n, DIGEST, (const unsigned char *)text, length, NULL, 0);
        n += DIGEST;
    }
    crypto_shorthash(hash, message, n, p->key);
    uint64_t h; // little-endian, like every machine that maps our tables
    memcpy(&h, hash, sizeof h);
    return h;
}

uint64_t pseudonym_fingerprint(const struct pseudonym *p)
{
    return pseudonym_hash(p, "", "", 0); // no column has an empty name
}
