// token: the secret that a client must show, as "Authorization: Bearer TOKEN" (RFC 6750).
//
//     struct token t;
//     token_read(&t, "var/token", &err)
//     token_fits(&t, header)              any thread
//
// A token is 16 to 256 of the characters that RFC 6750 allows, alone in its file but for a line break
// at the end; the file must be nobody else's to read. It is kept as a keyed hash, and compared in a
// time that says nothing of it. Errors name the file and never what stands in it.
#ifndef SERVE_TOKEN_H
#define SERVE_TOKEN_H

#include "base/err.h"

#include <stdbool.h>

enum { TOKEN_HASH = 32, TOKEN_TEXT = 260 };

struct token {
    unsigned char key[TOKEN_HASH], hash[TOKEN_HASH];
};

int token_read(struct token *t, const char *path, struct err *err);
// The text itself, for who shows it: what the file holds, under the same rules.
int token_text(char text[TOKEN_TEXT], const char *path, struct err *err);
// header: Authorization as it was sent; NULL where it was not.
bool token_fits(const struct token *t, const char *header);

#endif
