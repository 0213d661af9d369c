// words: the text of a definition, word by word, for parse.c. Each word is preceded by blanks, and is
// passed only where it stands there. The int functions return 0, or -1 with the error filled.
#ifndef FEATURES_WORDS_H
#define FEATURES_WORDS_H

#include "features/plan.h"

enum { NAME = 64 };       // room for a name with its 0
enum { TEXT_MAX = 1000 }; // bytes of a text in quotes

struct parser {
    const char *text, *at;
    struct plan *plan;
    struct plan_definition *definition;
    const char *label_at; // where the label stood last
    int depth;
    struct err *err;
};

// Set the message and the place of the mistake; -1.
#define fail(ps, place, ...)                                                                       \
    ((ps)->definition->mistake = (int)((place) - (ps)->text), err_set((ps)->err, __VA_ARGS__))

bool is_letter(char c); // or _
void skip_space(struct parser *ps);
// A word of letters does not stand where a longer name does.
bool take(struct parser *ps, const char *word);
// where completes the message "'word' is missing ...".
int expect(struct parser *ps, const char *word, const char *where);
// Returns its start in the text, or NULL where no name stands here.
const char *take_name(struct parser *ps, char name[NAME]);
int take_number(struct parser *ps, double *value); // without a sign
int take_signed(struct parser *ps, double *value);
int take_duration(struct parser *ps, int64_t *seconds);
// "text" in UTF-8 with \" and \\ inside; to be freed, NULL after an error.
char *take_text(struct parser *ps);

#endif
