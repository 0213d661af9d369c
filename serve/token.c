// Reads the file once; compares hashes, which are of one length whatever a client sends.
#include "serve/token.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHORTEST = 16, LONGEST = 256 };

static bool is_token(const char *text, size_t n)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    return n >= SHORTEST && n <= LONGEST && strspn(text, allowed) == n;
}

static void hash(const struct token *t, unsigned char out[TOKEN_HASH], const char *text, size_t n)
{
    crypto_generichash(out, TOKEN_HASH, (const unsigned char *)text, n, t->key, sizeof t->key);
}

// The file's text, ended by a 0; its size or -1. One byte more than a token and its line break shows
// that a file is too long.
static ssize_t read_file(const char *path, char *text, size_t size, struct err *err)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s: cannot open the token", path);
    ssize_t n = -1;
    if (fstat(fd, &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO))
        err_set(err, "%s: others may read this token: chmod 600 it", path);
    else if ((n = read(fd, text, size - 1)) < 0)
        err_sys(err, "%s: cannot read the token", path);
    close(fd);
    if (n >= 0)
        text[n] = '\0';
    return n;
}

int token_text(char text[TOKEN_TEXT], const char *path, struct err *err)
{
    const ssize_t size = read_file(path, text, TOKEN_TEXT, err);
    if (size < 0)
        return -1;
    const size_t n = strcspn(text, "\r\n"), blank = strspn(text + n, "\r\n");
    text[n] = '\0';
    if (is_token(text, n) && n + blank == (size_t)size)
        return 0;
    sodium_memzero(text, TOKEN_TEXT);
    return err_set(err,
                   "%s: a token is %d to %d letters, digits or -._~+/= on one line: head -c "
                   "24 /dev/urandom | base64",
                   path, SHORTEST, LONGEST);
}

int token_read(struct token *t, const char *path, struct err *err)
{
    char text[TOKEN_TEXT];
    if (sodium_init() < 0)
        return err_set(err, "libsodium does not start");
    if (token_text(text, path, err))
        return -1;
    randombytes_buf(t->key, sizeof t->key);
    hash(t, t->hash, text, strlen(text));
    sodium_memzero(text, sizeof text);
    return 0;
}

bool token_fits(const struct token *t, const char *header)
{
    static const char scheme[] = "Bearer ";
    unsigned char shown[TOKEN_HASH];
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    header += sizeof scheme - 1;
    header += strspn(header, " ");
    hash(t, shown, header, strlen(header));
    return sodium_memcmp(shown, t->hash, sizeof shown) == 0;
}
