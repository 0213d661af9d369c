// scan: the words of an expression, for the parser.
//
// Each scan_ function skips blanks, and moves behind a word only where that word stands there.
// Those that return int give 0, or -1 with the error filled.
#ifndef FEATURES_SCAN_H
#define FEATURES_SCAN_H

#include "features/parse.h"

#include <stdbool.h>
#include <stdint.h>

// Room for a name with its 0; bytes of a text without. A name and a text of which each byte becomes
// three fit the name of a column's file.
enum { SCAN_NAME = 64, SCAN_TEXT = 60 };

struct scan {
    const char *text, *at;
    struct parse_error *e;
};

// Fill the error: what is wrong at a place in the text; returns -1.
int scan_fail(struct scan *s, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void scan_space(struct scan *s);
// True where the word was next.
bool scan_take(struct scan *s, const char *word);
// The word must be next; where: the rest of the message "'word' is missing ...".
int scan_expect(struct scan *s, const char *word, const char *where);
// A letter or _: what a name begins with.
bool scan_is_letter(char c);
// Read a name; its start in the text, or NULL where none stands here.
const char *scan_name(struct scan *s, char buf[SCAN_NAME]);
// An unsigned decimal number.
int scan_number(struct scan *s, double *value);
// 30s 15m 12h 7d, in seconds.
int scan_duration(struct scan *s, int64_t *seconds);
// "text" in UTF-8 with \" and \\ inside.
int scan_text(struct scan *s, char buf[SCAN_TEXT + 1]);

#endif
