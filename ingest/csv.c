// libcsv is fed line by line: it calls back for every field and row and cannot be stopped from
// there, but between two lines it can. A line without quotes needs no parser and is split here,
// three times as fast, into the same fields.
#include "ingest/csv.h"

#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd_errors.h>

enum { PIECE = 1 << 18, BLOCK_TEXT = 1 << 20, MAGIC = 4, ROW_NOT_BEGUN = 0 }; // libcsv's pstate

// ---- bytes ----

// Read the next raw bytes; raw_n is 0 at the end. The first call waits for a whole magic number.
static int fill(struct csv *c, struct err *err)
{
    ssize_t n;
    c->raw_at = c->raw_n = 0;
    do {
        n = read(c->fd, c->raw + c->raw_n, PIECE - c->raw_n);
        if (n < 0)
            return err_sys(err, "%s: cannot read", c->name);
        XXH3_64bits_update(c->hash, c->raw + c->raw_n, (size_t)n);
        c->raw_n += (size_t)n;
        c->bytes += (uint64_t)n;
    } while (n > 0 && c->bytes < MAGIC);
    return 0;
}

static int damaged(const struct csv *c, const char *why, struct err *err)
{
    return err_set(err, "%s: the %s data is damaged near byte %" PRIu64 ": %s", c->name,
                   c->zstd ? "zstd" : "gzip", c->bytes - (c->raw_n - c->raw_at), why);
}

static int gunzip(struct csv *c, struct err *err)
{
    z_stream *z = &c->gzip;
    if (!c->inside) // each member starts again
        inflateReset(z);
    z->next_in = (unsigned char *)c->raw + c->raw_at;
    z->avail_in = (uInt)(c->raw_n - c->raw_at);
    z->next_out = (unsigned char *)c->text;
    z->avail_out = PIECE;
    int rc = inflate(z, Z_NO_FLUSH);
    c->raw_at = c->raw_n - z->avail_in;
    c->n = PIECE - z->avail_out;
    c->inside = rc != Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return damaged(c, z->msg ? z->msg : "unknown", err);
    return 0;
}

static int unzstd(struct csv *c, struct err *err)
{
    ZSTD_inBuffer from = {c->raw, c->raw_n, c->raw_at};
    ZSTD_outBuffer to = {c->text, PIECE, 0};
    size_t rc = ZSTD_decompressStream(c->zstd, &to, &from);
    c->raw_at = from.pos;
    c->n = to.pos;
    c->inside = rc != 0;
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(err,
                       "%s: its zstd window is larger than 128 MiB; give - as input, and pipe the "
                       "output of zstd -dc --long=31 here",
                       c->name);
    return ZSTD_isError(rc) ? damaged(c, ZSTD_getErrorName(rc), err) : 0;
}

// Set data[0 .. n) to the next bytes, decompressed; n is 0 at the end.
static int read_piece(struct csv *c, struct err *err)
{
    c->at = c->n = 0;
    c->data = c->zstd || c->gzipped ? c->text : c->raw;
    while (c->n == 0) {
        if (c->raw_at == c->raw_n && fill(c, err))
            return -1;
        const bool end = c->raw_n == 0;
        if (end && !c->inside)
            return 0;
        if (c->data == c->raw)
            c->n = c->raw_at = c->raw_n;
        else if (c->zstd ? unzstd(c, err) : gunzip(c, err)) // at the end it may hold output back
            return -1;
        if (end && c->inside && c->n == 0)
            return err_set(err, "%s: the compressed data ends early: the file is truncated",
                           c->name);
    }
    return 0;
}

// ---- fields and rows ----

static void on_field(void *text, size_t n, void *arg)
{
    struct csv *c = arg;
    struct csv_block *b = c->block;
    ARRAY_GROW(b->text, b->used + n + 1, b->text_size);
    ARRAY_GROW(b->fields, b->n_fields + 1, b->fields_size);
    memcpy(b->text + b->used, text, n + 1);
    b->fields[b->n_fields++] = (struct csv_field){(uint32_t)b->used, (uint32_t)n};
    b->used += n + 1;
    c->row.n++;
}

static void on_row(int terminator, void *arg)
{
    (void)terminator;
    struct csv *c = arg;
    struct csv_block *b = c->block;
    ARRAY_GROW(b->rows, b->n_rows + 1, b->rows_size);
    b->rows[b->n_rows++] = c->row;
    c->row.first = b->n_fields;
    c->row.n = 0;
    c->rows_in_line++;
}

static bool is_blank(const struct csv *c, char byte)
{
    return (byte == ' ' || byte == '\t') && (unsigned char)byte != c->parser.delim_char;
}

// Take a whole line that has no quote, no carriage return but before its line feed, and no blank at
// its begin; false for every other line.
static bool split_plain(struct csv *c, const char *line, size_t n)
{
    struct csv_block *b = c->block;
    if (line[n - 1] != '\n' || n > CSV_MAX_FIELD || strchr(" \t\r\n", *line) ||
        (c->special && memchr(line, '"', n)))
        return false;
    n -= line[n - 2] == '\r' ? 2 : 1;
    if (c->special && memchr(line, '\r', n))
        return false;
    ARRAY_GROW(b->text, b->used + n + 1, b->text_size);
    ARRAY_GROW(b->fields, b->n_fields + n + 1, b->fields_size);
    char *p = memcpy(b->text + b->used, line, n), *end = p + n;
    b->used += n + 1;
    for (char *stop; p <= end; p = stop + 1) {
        stop = memchr(p, c->parser.delim_char, (size_t)(end - p));
        stop = stop ? stop : end;
        char *last = stop;
        while (p < last && is_blank(c, *p))
            p++;
        while (p < last && is_blank(c, last[-1]))
            last--;
        *last = '\0';
        b->fields[b->n_fields++] =
            (struct csv_field){(uint32_t)(p - b->text), (uint32_t)(last - p)};
        c->row.n++;
    }
    on_row('\n', c);
    return true;
}

static int feed_libcsv(struct csv *c, const char *line, size_t n, struct err *err)
{
    size_t used = csv_parse(&c->parser, line, n, on_field, on_row, c);
    if (used != n && csv_error(&c->parser) == CSV_ENOMEM)
        return err_set(err,
                       "%s:%" PRIu64 ": a field is longer than %d bytes; is a quote not closed?",
                       c->name, c->row.line, CSV_MAX_FIELD);
    if (used != n)
        return err_set(err,
                       "%s:%" PRIu64
                       ":%zu: a quote inside an unquoted field, or text after a closing quote",
                       c->name, c->line, used + 1);
    if (c->rows_in_line > 1 || (c->rows_in_line == 1 && c->parser.pstate != ROW_NOT_BEGUN))
        return err_set(err, "%s:%" PRIu64 ": a carriage return without a line feed", c->name,
                       c->line);
    return 0;
}

// Take the next line of the data, or the part of it that was read.
static int take_line(struct csv *c, struct err *err)
{
    struct csv_block *b = c->block;
    const char *line = c->data + c->at, *end = memchr(line, '\n', c->n - c->at);
    const size_t n = end ? (size_t)(end - line) + 1 : c->n - c->at;
    const bool begins = c->parser.pstate == ROW_NOT_BEGUN;
    if (c->special && memchr(line, '\0', n))
        return err_set(err, "%s:%" PRIu64 ": a 0 byte; is it UTF-16? Only UTF-8 and ASCII are read",
                       c->name, c->line);
    if (begins)
        c->row.line = c->line;
    if (!(begins && split_plain(c, line, n)) && feed_libcsv(c, line, n, err))
        return -1;
    if (c->row.n > CSV_MAX_FIELDS || (b->n_rows > 0 && b->rows[b->n_rows - 1].n > CSV_MAX_FIELDS))
        return err_set(err, "%s:%" PRIu64 ": more than %d fields", c->name, c->line,
                       CSV_MAX_FIELDS);
    c->at += n;
    if (end) {
        c->line++;
        c->rows_in_line = 0;
    }
    return 0;
}

static int next_piece(struct csv *c, struct err *err)
{
    const bool first = !c->data;
    if (read_piece(c, err))
        return -1;
    if (first && c->n >= 3 && memcmp(c->data, "\xef\xbb\xbf", 3) == 0)
        c->at = 3;
    c->special =
        memchr(c->data, '"', c->n) || memchr(c->data, '\r', c->n) || memchr(c->data, 0, c->n);
    c->ended = c->n == 0;
    if (c->ended && csv_fini(&c->parser, on_field, on_row, c))
        return err_set(err, "%s:%" PRIu64 ": a quote is not closed in the row that begins here",
                       c->name, c->row.line);
    return 0;
}

int csv_next(struct csv *c, struct csv_block *b, size_t max_rows, struct err *err)
{
    b->used = b->n_fields = b->n_rows = 0;
    c->block = b;
    c->row.first = 0;
    while (!c->ended &&
           !(c->parser.pstate == ROW_NOT_BEGUN && (b->n_rows >= max_rows || b->used >= BLOCK_TEXT)))
        if (c->at < c->n ? take_line(c, err) : next_piece(c, err))
            return -1;
    return 0;
}

// ---- open ----

// libcsv's buffer for one field, which wants a byte for the 0 and one in reserve.
static void *realloc_field(void *p, size_t n)
{
    return n > CSV_MAX_FIELD + 2 ? NULL : realloc(p, n);
}

int csv_open(struct csv *c, const char *path, char delimiter, struct err *err)
{
    struct stat st;
    const bool standard = strcmp(path, "-") == 0;
    *c = (struct csv){.name = standard ? "standard input" : path,
                      .fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC),
                      .line = 1,
                      .hash = xchecked(XXH3_createState()),
                      .raw = xcalloc(1, PIECE),
                      .text = xmalloc(PIECE)};
    XXH3_64bits_reset(c->hash);
    csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL);
    csv_set_delim(&c->parser, (unsigned char)delimiter);
    csv_set_realloc_func(&c->parser, realloc_field);
    csv_set_blk_size(&c->parser, 4096);
    if (c->fd < 0 || fstat(c->fd, &st))
        return err_sys(err, "%s: cannot open", c->name);
    if (fill(c, err))
        return -1;
    c->size = (uint64_t)st.st_size;
    c->gzipped = memcmp(c->raw, "\x1f\x8b\x08", 3) == 0;
    if (c->gzipped)
        inflateInit2(&c->gzip, 16 + MAX_WBITS); // if it fails, so does inflate
    if (memcmp(c->raw, "\x28\xb5\x2f\xfd", MAGIC) == 0)
        c->zstd = xchecked(ZSTD_createDStream());
    return 0;
}
