// libcsv fed line by line: so a row knows its line, and parsing stops at the line that is wrong.
//
// libcsv calls back for every field and row and cannot be stopped from there; between two lines it
// can. A whole line without a quote needs no such parser: it is split here, three times as fast,
// into the same fields (tests/test_csv.c compares the two). Fields are only copied: what they mean
// is convert.c's.
#include "ingest/csv.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_TEXT = 1 << 20, ROW_NOT_BEGUN = 0 }; // the latter: libcsv's pstate between rows

// libcsv's buffer for one field: growing beyond the limit is refused. It wants a byte for the 0 and
// one in reserve.
static void *capped_realloc(void *p, size_t n)
{
    return n > CSV_MAX_FIELD + 2 ? NULL : realloc(p, n);
}

int csv_open(struct csv *c, const char *path, char delimiter, struct err *err)
{
    *c = (struct csv){.line = 1, .input.fd = -1};
    if (input_open(&c->input, path, err))
        return -1;
    if (csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL)) {
        csv_release(c);
        return err_set(err, "%s: out of memory", path);
    }
    c->parser_made = true;
    csv_set_delim(&c->parser, (unsigned char)delimiter);
    csv_set_realloc_func(&c->parser, capped_realloc);
    csv_set_blk_size(&c->parser, 4096);
    return 0;
}

void csv_release(struct csv *c)
{
    if (c->parser_made)
        csv_free(&c->parser);
    input_release(&c->input);
    *c = (struct csv){.input.fd = -1};
}

void csv_select(struct csv *c, const bool *wanted, size_t n)
{
    c->wanted = wanted;
    c->n_wanted = n;
}

void csv_block_release(struct csv_block *b)
{
    free(b->text);
    free(b->fields);
    free(b->rows);
    free(b->raw);
    *b = (struct csv_block){0};
}

// ---- libcsv's callbacks ---------------------------------------------------------------------------

// reserve() has made the room: nothing here can fail.
static void on_field(void *text, size_t n, void *arg)
{
    struct csv *c = arg;
    struct csv_block *b = c->block;
    size_t column = c->row.columns++;
    if (c->wanted && (column >= c->n_wanted || !c->wanted[column]))
        return;
    b->fields[b->n_fields++] = (struct csv_field){(uint32_t)b->used, (uint32_t)n};
    memcpy(b->text + b->used, text, n + 1);
    b->used += n + 1;
    c->row.kept++;
}

static void on_row(int terminator, void *arg)
{
    (void)terminator;
    struct csv *c = arg;
    struct csv_block *b = c->block;
    c->row.raw_n = b->raw_used - c->row.raw;
    b->rows[b->n_rows++] = c->row;
    c->row.first = b->n_fields;
    c->row.columns = c->row.kept = 0;
    c->rows_in_line++;
}

// ---- lines ----------------------------------------------------------------------------------------

// Room for as many elements and half more, *size being told; NULL when out of memory.
static void *grown(void *array, size_t *size, size_t wanted, size_t element)
{
    if (wanted <= *size)
        return array;
    size_t larger = wanted + wanted / 2;
    void *p = realloc(array, larger * element);
    if (p)
        *size = larger;
    return p;
}

#define GROW(array, size, wanted, err)                                                             \
    do {                                                                                           \
        void *p = grown(array, &(size), wanted, sizeof *(array));                                  \
        if (!p)                                                                                    \
            return err_set(err, "out of memory");                                                  \
        (array) = p;                                                                               \
    } while (0)

// Room for all that n bytes can add: a field ends at a delimiter or a line break, so each field but
// the last takes a byte of its own beside its text, and libcsv may hold the begin of a field back.
static int reserve(struct csv_block *b, size_t n, bool keep_raw, struct err *err)
{
    GROW(b->text, b->text_size, b->used + n + CSV_MAX_FIELD + 512, err);
    GROW(b->fields, b->fields_size, b->n_fields + n + 1, err);
    GROW(b->rows, b->rows_size, b->n_rows + n + 1, err);
    if (keep_raw)
        GROW(b->raw, b->raw_size, b->raw_used + n, err);
    return 0;
}

static int parse_error(struct csv *c, size_t column, struct err *err)
{
    const char *name = c->input.name;
    unsigned long long line = c->line, row = c->row.line;
    if (csv_error(&c->parser) == CSV_ENOMEM)
        return err_set(err, "%s:%llu: a field is longer than %d bytes; is a quote not closed?",
                       name, row, CSV_MAX_FIELD);
    return err_set(err,
                   "%s:%llu:%zu: a quote inside an unquoted field, or text behind a closing quote",
                   name, line, column);
}

static int feed_libcsv(struct csv *c, const char *line, size_t n, struct err *err)
{
    size_t used = csv_parse(&c->parser, line, n, on_field, on_row, c);
    if (used != n)
        return parse_error(c, used + 1, err);
    if (c->rows_in_line > 1 || (c->rows_in_line == 1 && c->parser.pstate != ROW_NOT_BEGUN))
        return err_set(err, "%s:%llu: a carriage return without a line feed", c->input.name,
                       (unsigned long long)c->line);
    return 0;
}

static bool is_blank(const struct csv *c, char byte)
{
    return (byte == ' ' || byte == '\t') && (unsigned char)byte != c->parser.delim_char;
}

// Bytes of a line that has no quote and no carriage return but before its line feed, its line break
// left out; -1 for every other line.
static ptrdiff_t plain_length(const struct csv *c, const char *line, size_t n)
{
    if (line[n - 1] != '\n' || n > CSV_MAX_FIELD || (c->quotes && memchr(line, '"', n)))
        return -1;
    n--;
    if (n > 0 && line[n - 1] == '\r')
        n--;
    return c->returns && memchr(line, '\r', n) ? -1 : (ptrdiff_t)n;
}

// The fields of a plain line, in the block's copy of it.
static void split(struct csv *c, const char *line, size_t n)
{
    struct csv_block *b = c->block;
    char *p = memcpy(b->text + b->used, line, n), *end = p + n;
    while (p < end && is_blank(c, *p))
        p++;
    if (p == end)
        return; // a blank line is no row
    for (char *stop; p <= end; p = stop + 1) {
        stop = memchr(p, c->parser.delim_char, (size_t)(end - p));
        stop = stop ? stop : end;
        size_t column = c->row.columns++;
        if (c->wanted && (column >= c->n_wanted || !c->wanted[column]))
            continue;
        char *last = stop;
        while (p < last && is_blank(c, *p))
            p++;
        while (p < last && is_blank(c, last[-1]))
            last--;
        *last = '\0';
        b->fields[b->n_fields++] =
            (struct csv_field){(uint32_t)(p - b->text), (uint32_t)(last - p)};
        c->row.kept++;
    }
    b->used += n + 1;
    on_row('\n', c);
}

// Feed one line, or the piece of it that is there.
static int feed(struct csv *c, const char *line, size_t n, struct err *err)
{
    struct csv_block *b = c->block;
    bool begins = c->parser.pstate == ROW_NOT_BEGUN;
    if (reserve(b, n, c->keep_raw, err))
        return err_prefix(err, "%s:%llu", c->input.name, (unsigned long long)c->line);
    if (begins) {
        c->row.line = c->line;
        c->row.raw = b->raw_used;
    }
    if (c->keep_raw) {
        memcpy(b->raw + b->raw_used, line, n);
        b->raw_used += n;
    }
    ptrdiff_t plain = begins ? plain_length(c, line, n) : -1;
    if (plain >= 0)
        split(c, line, (size_t)plain);
    else if (feed_libcsv(c, line, n, err))
        return -1;
    if (c->row.columns > CSV_MAX_FIELDS ||
        (b->n_rows > 0 && b->rows[b->n_rows - 1].columns > CSV_MAX_FIELDS))
        return err_set(err, "%s:%llu: more than %d fields", c->input.name,
                       (unsigned long long)c->line, CSV_MAX_FIELDS);
    if (line[n - 1] == '\n') {
        c->line++;
        c->rows_in_line = 0;
    }
    return 0;
}

// The next line of the current piece.
static int feed_line(struct csv *c, struct err *err)
{
    const char *line = c->data + c->at;
    const char *end = memchr(line, '\n', c->n - c->at);
    size_t n = end ? (size_t)(end - line) + 1 : c->n - c->at;
    if (c->zero && c->zero < line + n)
        return err_set(err, "%s:%llu: a 0 byte; is it UTF-16? Only UTF-8 and ASCII are read",
                       c->input.name, (unsigned long long)c->line);
    c->at += n;
    return feed(c, line, n, err);
}

static int finish(struct csv *c, struct err *err)
{
    c->ended = true;
    if (reserve(c->block, 1, false, err))
        return err_prefix(err, "%s", c->input.name);
    if (csv_fini(&c->parser, on_field, on_row, c))
        return err_set(err, "%s:%llu: a quote is not closed in the row that begins here",
                       c->input.name, (unsigned long long)c->row.line);
    return 0;
}

static int next_piece(struct csv *c, struct err *err)
{
    bool first = c->data == NULL;
    if (input_next(&c->input, &c->data, &c->n, err))
        return -1;
    c->at = first && c->n >= 3 && memcmp(c->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    c->zero = memchr(c->data, 0, c->n);
    c->quotes = memchr(c->data, '"', c->n) != NULL;
    c->returns = memchr(c->data, '\r', c->n) != NULL;
    return c->n == 0 ? finish(c, err) : 0;
}

int csv_next(struct csv *c, struct csv_block *b, size_t max_rows, struct err *err)
{
    b->used = b->n_fields = b->n_rows = b->raw_used = 0;
    c->block = b;
    c->row.first = 0;
    while (!c->ended && !(c->parser.pstate == ROW_NOT_BEGUN &&
                          (b->n_rows >= max_rows || b->used >= BLOCK_TEXT))) {
        if (c->at < c->n ? feed_line(c, err) : next_piece(c, err))
            return -1;
    }
    return 0;
}
