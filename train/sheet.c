// Cells, and three ways to print them.
#define _DEFAULT_SOURCE // reallocarray
#include "train/sheet.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void sheet_init(struct sheet *s, size_t columns, size_t texts)
{
    *s = (struct sheet){.columns = columns, .texts = texts};
}

void sheet_cell(struct sheet *s, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char **cells = reallocarray(s->cells, s->n + 1, sizeof *cells);
    if (!cells) {
        s->failed = true;
        return;
    }
    s->cells = cells;
    s->cells[s->n] = strdup(text);
    if (s->cells[s->n])
        s->n++;
    else
        s->failed = true;
}

void sheet_number(struct sheet *s, int decimals, double x)
{
    if (isfinite(x))
        sheet_cell(s, "%.*f", decimals, x);
    else
        sheet_cell(s, "-");
}

void sheet_release(struct sheet *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->cells[i]);
    free(s->cells);
    *s = (struct sheet){0};
}

void sheet_escape(const char *text, enum sheet_format format, FILE *f)
{
    for (const char *c = text; *c; c++)
        if (format == SHEET_HTML && *c == '<')
            fputs("&lt;", f);
        else if (format == SHEET_HTML && *c == '>')
            fputs("&gt;", f);
        else if (format == SHEET_HTML && *c == '&')
            fputs("&amp;", f);
        else if (format == SHEET_HTML && *c == '"')
            fputs("&quot;", f);
        else if (format == SHEET_MARKDOWN && strchr("|*<[]&\\`", *c))
            fprintf(f, "\\%c", *c);
        else
            fputc(*c, f);
}

// How many characters of a terminal a text takes: its bytes that begin one.
static int characters(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void print_text(const struct sheet *s, FILE *f)
{
    for (size_t i = 0; i < s->n; i++) {
        int width = 0;
        for (size_t k = i % s->columns; k < s->n; k += s->columns)
            width = characters(s->cells[k]) > width ? characters(s->cells[k]) : width;
        const int blanks = width - characters(s->cells[i]);
        const size_t column = i % s->columns;
        const bool last = column + 1 == s->columns;
        fprintf(f, "%*s%s%*s", column < s->texts ? 0 : blanks, "", s->cells[i],
                column < s->texts && !last ? blanks : 0, "");
        fputs(last ? "\n" : "  ", f);
    }
}

static void print_markdown(const struct sheet *s, FILE *f)
{
    for (size_t i = 0; i < s->n; i++) {
        fputs("| ", f);
        sheet_escape(s->cells[i], SHEET_MARKDOWN, f);
        fputs((i + 1) % s->columns ? " " : " |\n", f);
        if (i + 1 == s->columns) {
            for (size_t k = 0; k < s->columns; k++)
                fputs(k < s->texts ? "| --- " : "| ---: ", f);
            fputs("|\n", f);
        }
    }
}

static void print_html(const struct sheet *s, FILE *f)
{
    fputs("<table class=\"sheet\">\n", f);
    for (size_t i = 0; i < s->n; i++) {
        const char *tag = i < s->columns ? "th" : "td";
        const size_t column = i % s->columns;
        fprintf(f, "%s<%s%s>", column ? "" : "<tr>", tag,
                column < s->texts ? "" : " class=\"number\"");
        sheet_escape(s->cells[i], SHEET_HTML, f);
        fprintf(f, "</%s>%s", tag, column + 1 == s->columns ? "</tr>\n" : "");
    }
    fputs("</table>\n", f);
}

int sheet_print(const struct sheet *s, enum sheet_format format, FILE *f)
{
    if (s->failed || s->columns == 0)
        return -1;
    switch (format) {
    case SHEET_TEXT:
        print_text(s, f);
        break;
    case SHEET_MARKDOWN:
        print_markdown(s, f);
        break;
    case SHEET_HTML:
        print_html(s, f);
        break;
    }
    return ferror(f) ? -1 : 0;
}
