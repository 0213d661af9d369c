// sheet: a table of short texts, written once and printed as a terminal's columns, as Markdown, or
// as HTML.
//
//     struct sheet s;
//     sheet_init(&s, 3, 1);                      columns, of which the first is text, others numbers
//     sheet_cell(&s, "%s", "name") ...           row after row; the first row holds the headings
//     sheet_number(&s, 4, x)                     x with 4 decimals, "-" where it is not finite
//     sheet_print(&s, SHEET_TEXT, file)
//     sheet_release(&s)
//
// Texts are in UTF-8. Errors: out of memory is kept and makes sheet_print return -1.
#ifndef TRAIN_SHEET_H
#define TRAIN_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum sheet_format { SHEET_TEXT, SHEET_MARKDOWN, SHEET_HTML };

struct sheet {
    size_t columns, texts; // the first `texts` columns stand left, the others right
    char **cells;          // [n], row after row
    size_t n;
    bool failed;
};

void sheet_init(struct sheet *s, size_t columns, size_t texts);
void sheet_cell(struct sheet *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sheet_number(struct sheet *s, int decimals, double x);
int sheet_print(const struct sheet *s, enum sheet_format format, FILE *f);
void sheet_release(struct sheet *s);

// A text as it stands in HTML, or in a cell of Markdown.
void sheet_escape(const char *text, enum sheet_format format, FILE *f);

#endif
