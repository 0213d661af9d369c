#include "serve/http.h"

#include <sodium.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

int token_read(char token[TOKEN_TEXT], const char *path, struct err *err)
{
    struct stat st;
    FILE *f = fopen(path, "r");
    if (!f)
        return err_sys(err, "%s: cannot open the token", path);
    memset(token, 0, TOKEN_TEXT);
    const size_t size = fread(token, 1, TOKEN_TEXT - 1, f), n = strcspn(token, "\r\n");
    const bool exposed = fstat(fileno(f), &st) || st.st_mode & (S_IRWXG | S_IRWXO);
    fclose(f);
    const size_t line_break = strspn(token + n, "\r\n");
    memset(token + n, 0, line_break);
    if (!exposed && n >= 16 && n <= 256 && n + line_break == size &&
        strspn(token, ALPHANUMERIC "-._~+/=") == n)
        return 0;
    sodium_memzero(token, TOKEN_TEXT);
    if (exposed)
        return err_set(err, "%s: others may read this token: chmod 600 it", path);
    return err_set(err,
                   "%s: a token is 16 to 256 letters, digits or -._~+/= on one line: head -c "
                   "24 /dev/urandom | base64",
                   path);
}

// The time depends on the length of what was sent, not on how much of it is right.
bool token_fits(const char *token, const char *header)
{
    static const char scheme[] = "Bearer ";
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    header += sizeof scheme - 1;
    header += strspn(header, " ");
    const size_t n = strlen(token);
    return strlen(header) == n && sodium_memcmp(header, token, n) == 0;
}
