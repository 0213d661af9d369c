// One pass over whole rows in memory: libcsv has no line numbers, cannot be stopped and takes three
// times as long. The tests hold this parser against it.
#include "ingest/csv.h"

#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd_errors.h>

enum { PIECE = 1 << 18, BLOCK_TEXT = 1 << 20, MAGIC = 4, MORE = 1 };

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
    z->next_out = (unsigned char *)c->data + c->n;
    z->avail_out = PIECE;
    int rc = inflate(z, Z_NO_FLUSH);
    c->raw_at = c->raw_n - z->avail_in;
    c->n += PIECE - z->avail_out;
    c->inside = rc != Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return damaged(c, z->msg ? z->msg : "unknown", err);
    return 0;
}

static int unzstd(struct csv *c, struct err *err)
{
    ZSTD_inBuffer from = {c->raw, c->raw_n, c->raw_at};
    ZSTD_outBuffer to = {c->data + c->n, PIECE, 0};
    size_t rc = ZSTD_decompressStream(c->zstd, &to, &from);
    c->raw_at = from.pos;
    c->n += to.pos;
    c->inside = rc != 0;
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(err,
                       "%s: its zstd window is larger than 128 MiB; give - as input, and pipe the "
                       "output of zstd -dc --long=31 here",
                       c->name);
    return ZSTD_isError(rc) ? damaged(c, ZSTD_getErrorName(rc), err) : 0;
}

static int copy(struct csv *c)
{
    memcpy(c->data + c->n, c->raw + c->raw_at, c->raw_n - c->raw_at);
    c->n += c->raw_n - c->raw_at;
    c->raw_at = c->raw_n;
    return 0;
}

// Append the next bytes, decompressed, to data: more than are left there, so that a row of any
// length is read in linear time.
static int read_more(struct csv *c, struct err *err)
{
    const bool first = !c->data;
    const size_t left = c->n - c->at;
    if (left > 0)
        memmove(c->data, c->data + c->at, left);
    for (c->at = 0, c->n = left; c->n <= 2 * left && !c->ended;) {
        const size_t before = c->n;
        ARRAY_GROW(c->data, c->n + PIECE + 1, c->data_size);
        if (c->raw_at == c->raw_n && fill(c, err))
            return -1;
        const bool end = c->raw_n == 0;
        c->ended = end && !c->inside; // at the end a decompressor may hold output back
        if (!c->ended && (c->zstd ? unzstd(c, err) : c->gzipped ? gunzip(c, err) : copy(c)))
            return -1;
        if (end && c->inside && c->n == before)
            return err_set(err, "%s: the compressed data ends early: the file is truncated",
                           c->name);
    }
    c->data[c->n] = '\0';
    if (first && c->n >= 3 && memcmp(c->data, "\xef\xbb\xbf", 3) == 0)
        c->at = 3;
    return 0;
}

// ---- fields and rows ----

static bool is_blank(const struct csv *c, char byte)
{
    return (byte == ' ' || byte == '\t') && byte != c->delimiter;
}

// The field that is being read.
struct field {
    const char *at;    // in data
    const char *line;  // the begin of its line there
    uint64_t number;   // of that line
    char *to;          // where its next byte goes
    bool quoted, open; // open: no quote has ended it
};

// Copy it without its quotes and the blanks around it; then it is at what follows.
static void take_field(const struct csv *c, struct field *f)
{
    const char *p = f->at;
    char *to = f->to;
    while (is_blank(c, *p))
        p++;
    f->quoted = f->open = *p == '"';
    p += f->quoted;
    while (f->open && *p) {
        f->open = *p != '"' || *++p == '"';
        if (f->open && *p == '\n') {
            f->number++;
            f->line = p + 1;
        }
        if (f->open)
            *to++ = *p++;
    }
    while (f->quoted && is_blank(c, *p))
        p++;
    while (!f->quoted && !c->stops[(unsigned char)*p])
        *to++ = *p++;
    while (!f->quoted && to > f->to && is_blank(c, to[-1]))
        to--;
    f->at = p;
    f->to = to;
}

// What follows the field must not.
static int refuse(const struct csv *c, const struct field *f, struct err *err)
{
    if (*f->at == '\0')
        return err_set(err, "%s:%" PRIu64 ": a 0 byte; is it UTF-16? Only UTF-8 and ASCII are read",
                       c->name, f->number);
    if (f->at[-1] == '\r')
        return err_set(err, "%s:%" PRIu64 ": a carriage return without a line feed", c->name,
                       f->number);
    return err_set(
        err, "%s:%" PRIu64 ":%td: a quote inside an unquoted field, or text after a closing quote",
        c->name, f->number, f->at - f->line + 1);
}

// Take the row at data[at], unless the line is blank. MORE where the data ends before it does.
static int take_row(struct csv *c, struct csv_block *b, struct err *err)
{
    const char *const end = c->data + c->n; // a 0 byte
    struct csv_row row = {c->line, b->n_fields, 0};
    ARRAY_GROW(b->text, b->used + c->n - c->at + 1, b->text_size);
    struct field f = {c->data + c->at, c->data + c->at, c->line, b->text + b->used, false, false};
    for (;; f.at++) {
        const char *const text = f.to;
        take_field(c, &f);
        if (f.to - text > CSV_MAX_FIELD)
            return err_set(
                err, "%s:%" PRIu64 ": a field is longer than %d bytes; is a quote not closed?",
                c->name, row.line, CSV_MAX_FIELD);
        if (row.n == CSV_MAX_FIELDS)
            return err_set(err, "%s:%" PRIu64 ": more than %d fields", c->name, f.number,
                           CSV_MAX_FIELDS);
        ARRAY_GROW(b->fields, row.first + row.n + 1, b->fields_size);
        b->fields[row.first + row.n++] =
            (struct csv_field){(uint32_t)(text - b->text), (uint32_t)(f.to - text)};
        *f.to++ = '\0';
        if (*f.at != c->delimiter)
            break;
    }
    f.at += *f.at == '\r';
    if (f.at == end && !c->ended)
        return MORE;
    if (f.at == end && f.open)
        return err_set(err, "%s:%" PRIu64 ": a quote is not closed in the row that begins here",
                       c->name, row.line);
    if (f.at < end && *f.at != '\n')
        return refuse(c, &f, err);
    c->line = f.number + 1;
    c->at = (size_t)(f.at - c->data) + (f.at < end);
    if (row.n == 1 && !f.quoted && f.to == b->text + b->used + 1)
        return 0;
    ARRAY_GROW(b->rows, b->n_rows + 1, b->rows_size);
    b->rows[b->n_rows++] = row;
    b->n_fields += row.n;
    b->used = (size_t)(f.to - b->text);
    return 0;
}

int csv_next(struct csv *c, struct csv_block *b, size_t max_rows, struct err *err)
{
    b->used = b->n_fields = b->n_rows = 0;
    while (b->n_rows < max_rows && b->used < BLOCK_TEXT && (c->at < c->n || !c->ended)) {
        const int rc = c->at < c->n ? take_row(c, b, err) : MORE;
        if (rc < 0 || (rc == MORE && read_more(c, err)))
            return -1;
    }
    return 0;
}

// ---- open ----

int csv_open(struct csv *c, const char *path, char delimiter, struct err *err)
{
    struct stat st;
    const bool standard = strcmp(path, "-") == 0;
    *c = (struct csv){.name = standard ? "standard input" : path,
                      .fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC),
                      .line = 1,
                      .hash = xchecked(XXH3_createState()),
                      .raw = xcalloc(1, PIECE),
                      .delimiter = delimiter,
                      .stops = {['\0'] = true, ['\n'] = true, ['\r'] = true, ['"'] = true}};
    c->stops[(unsigned char)delimiter] = true;
    XXH3_64bits_reset(c->hash);
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
