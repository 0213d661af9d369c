// A row's bytes stay in data until it is complete, so that after a fault reading can go on at the row's
// second line. libcsv is fed line by line, because it cannot be stopped from its callbacks. A line without
// quotes needs no parser and is split here, three times as fast, into the same fields.
#include "ingest/csv.h"

#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

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

// Decompress some of raw into text. Returns what is wrong with it, or NULL.
static const char *unpack(struct csv *c)
{
    if (c->zstd) {
        ZSTD_inBuffer from = {c->raw, c->raw_n, c->raw_at};
        ZSTD_outBuffer to = {c->text, PIECE, 0};
        const size_t rc = ZSTD_decompressStream(c->zstd, &to, &from);
        c->raw_at = from.pos;
        c->text_n = to.pos;
        c->inside = rc != 0;
        return ZSTD_isError(rc) ? ZSTD_getErrorName(rc) : NULL;
    }
    z_stream *z = &c->gzip;
    if (!c->inside) // each member starts again
        inflateReset(z);
    z->next_in = (unsigned char *)c->raw + c->raw_at;
    z->avail_in = (uInt)(c->raw_n - c->raw_at);
    z->next_out = (unsigned char *)c->text;
    z->avail_out = PIECE;
    const int rc = inflate(z, Z_NO_FLUSH);
    c->raw_at = c->raw_n - z->avail_in;
    c->text_n = PIECE - z->avail_out;
    c->inside = rc != Z_STREAM_END;
    if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR)
        return NULL;
    return z->msg ? z->msg : "unknown";
}

// The next bytes, decompressed; *n is 0 at the end.
static int read_piece(struct csv *c, char **piece, size_t *n, struct err *err)
{
    const bool packed = c->zstd || c->gzipped;
    *piece = packed ? c->text : c->raw;
    for (c->text_n = 0; c->text_n == 0;) {
        if (c->raw_at == c->raw_n && fill(c, err))
            return -1;
        const bool end = c->raw_n == 0;
        if (end && !c->inside)
            break;
        if (!packed)
            c->text_n = c->raw_at = c->raw_n;
        const char *wrong = packed ? unpack(c) : NULL; // at the end it may hold output back
        if (wrong)
            return err_set(err, "%s: the %s data is damaged near byte %" PRIu64 ": %s", c->name,
                           c->zstd ? "zstd" : "gzip", c->bytes - (c->raw_n - c->raw_at), wrong);
        if (end && c->text_n == 0)
            return err_set(err, "%s: the compressed data ends early: the file is truncated",
                           c->name);
    }
    *n = c->text_n;
    return 0;
}

// NULL: UTF-8, which is copied.
static void set_encoding(struct csv *c, const char *encoding)
{
    if (c->iconv)
        iconv_close(c->iconv);
    c->iconv = encoding ? iconv_open("UTF-8", encoding) : NULL;
    c->unit = encoding && strncasecmp(encoding, "UTF-16", 6) == 0 ? 2 : 1;
}

static void append(struct csv *c, const char *text, size_t n)
{
    ARRAY_GROW(c->data, c->n + n, c->data_size);
    memcpy(c->data + c->n, text, n);
    c->n += n;
}

// Append a piece as UTF-8. What is not of the encoding becomes a byte that is not UTF-8, so that it
// costs its row at most. A character that is cut waits for the next piece; at the end, n is 0.
static void append_decoded(struct csv *c, const char *piece, size_t n)
{
    ARRAY_GROW(c->coded, c->coded_n + n + 1, c->coded_size);
    memcpy(c->coded + c->coded_n, piece, n);
    char *from = c->coded;
    size_t left = c->coded_n + n;
    while (left > 0) {
        ARRAY_GROW(c->data, c->n + 2 * left + 16, c->data_size);
        char *to = c->data + c->n;
        size_t room = c->data_size - c->n;
        const bool bad = iconv(c->iconv, &from, &left, &to, &room) == (size_t)-1;
        c->n = (size_t)(to - c->data);
        if (bad && errno == EINVAL && n > 0)
            break;
        if (bad && errno != E2BIG) {
            append(c, "\xff", 1);
            const size_t bytes = left < c->unit ? left : c->unit;
            from += bytes;
            left -= bytes;
        }
    }
    memmove(c->coded, from, left);
    c->coded_n = left;
}

// A byte order mark decides the encoding, whatever csv_open was told; returns its length.
static size_t take_mark(struct csv *c, const char *piece, size_t n)
{
    static const struct {
        const char *mark, *encoding;
    } marks[] = {{"\xef\xbb\xbf", NULL}, {"\xff\xfe", "UTF-16LE"}, {"\xfe\xff", "UTF-16BE"}};
    for (size_t i = 0; i < 3; i++) {
        const size_t length = strlen(marks[i].mark);
        if (n < length || memcmp(piece, marks[i].mark, length) != 0)
            continue;
        set_encoding(c, marks[i].encoding);
        return length;
    }
    return 0;
}

// Append the next bytes to data, of which the row that is being read stays.
static int next_piece(struct csv *c, struct err *err)
{
    char *piece;
    size_t n;
    if (read_piece(c, &piece, &n, err))
        return -1;
    const size_t mark = c->begun ? 0 : take_mark(c, piece, n);
    c->begun = true;
    c->ended = n == 0;
    c->n -= c->at;
    memmove(c->data, c->data + c->at, c->n);
    c->at = 0;
    const size_t seen = c->n > 0 ? c->n - 1 : 0;
    if (c->iconv)
        append_decoded(c, piece + mark, n - mark);
    else
        append(c, piece + mark, n - mark);
    if (c->ended && c->n > 0 && c->data[c->n - 1] != '\n')
        append(c, "\n", 1);
    // A carriage return alone ends a line, as on old Macs; the last byte waits for the next one.
    char *const end = c->data + c->n;
    for (char *p = c->data + seen; (p = memchr(p, '\r', (size_t)(end - p))) && p + 1 < end; p++)
        *p = p[1] == '\n' ? '\r' : '\n';
    return 0;
}

// ---- fields and rows ----

static void on_field(void *text, size_t n, void *arg)
{
    struct csv_block *b = ((struct csv *)arg)->block;
    ARRAY_GROW(b->text, b->used + n + 1, b->text_size);
    ARRAY_GROW(b->fields, b->n_fields + 1, b->fields_size);
    memcpy(b->text + b->used, text, n + 1);
    b->fields[b->n_fields++] = (struct csv_field){(uint32_t)b->used, (uint32_t)n};
    b->used += n + 1;
}

static void reset_parser(struct csv *c)
{
    csv_free(&c->parser);
    csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL);
    csv_set_delim(&c->parser, (unsigned char)c->delimiter);
    csv_set_blk_size(&c->parser, 4096);
}

static bool is_blank(const struct csv *c, char byte)
{
    return (byte == ' ' || byte == '\t') && byte != c->delimiter;
}

// Take a line that has no quote and does not begin with a blank; false for every other line.
static bool split_plain(struct csv *c, const char *line, size_t n)
{
    struct csv_block *b = c->block;
    if (strchr(" \t\r\n", *line) || memchr(line, '"', n) || memchr(line, 0, n))
        return false;
    n -= n > 1 && line[n - 2] == '\r' ? 2 : 1;
    ARRAY_GROW(b->text, b->used + n + 1, b->text_size);
    ARRAY_GROW(b->fields, b->n_fields + n + 1, b->fields_size);
    char *p = memcpy(b->text + b->used, line, n), *end = p + n;
    b->used += n + 1;
    for (char *stop; p <= end; p = stop + 1) {
        stop = memchr(p, c->delimiter, (size_t)(end - p));
        stop = stop ? stop : end;
        char *last = stop;
        while (p < last && is_blank(c, *p))
            p++;
        while (p < last && is_blank(c, last[-1]))
            last--;
        *last = '\0';
        b->fields[b->n_fields++] =
            (struct csv_field){(uint32_t)(p - b->text), (uint32_t)(last - p)};
    }
    return true;
}

// Add the fields of the row at `at` to the block, and set *row_end to what follows it, or to NULL where
// its end is not read yet. Returns why it is no row, or NULL. A blank line has no fields.
static const char *parse_row(struct csv *c, const char **row_end)
{
    const char *line = c->data + c->at, *const end = c->data + c->n, *newline;
    *row_end = NULL;
    for (; (newline = memchr(line, '\n', (size_t)(end - line))); line = newline + 1) {
        const size_t n = (size_t)(newline - line) + 1;
        const bool plain = c->parser.pstate == ROW_NOT_BEGUN && split_plain(c, line, n);
        if (!plain && memchr(line, 0, n))
            return "a 0 byte; if it is UTF-16 without a mark, write encoding = UTF-16LE";
        if (!plain && csv_parse(&c->parser, line, n, on_field, NULL, c) != n)
            return "a quote inside an unquoted field, or text after a closing quote";
        if (c->parser.pstate == ROW_NOT_BEGUN) {
            *row_end = newline + 1;
            return NULL;
        }
    }
    return NULL;
}

static int skip_line(struct csv *c, struct err *err)
{
    const char *end = memchr(c->data + c->at, '\n', c->n - c->at);
    c->at = end ? (size_t)(end - c->data) + 1 : c->n;
    c->skip -= end != NULL;
    c->line += end != NULL;
    return end ? 0 : next_piece(c, err);
}

// Take the next row, or read on where its end is not there yet. One with a fault has no fields, and the
// next one begins after its first line.
static int take_row(struct csv *c, struct err *err)
{
    struct csv_block *b = c->block;
    const size_t used = b->used, first = b->n_fields;
    const char *const row = c->data + c->at, *end, *fault = parse_row(c, &end);
    if (!fault && (size_t)((end ? end : c->data + c->n) - row) > CSV_MAX_ROW)
        fault = "a row of more than 1 MiB; is a quote not closed?";
    else if (!fault && b->n_fields - first > CSV_MAX_FIELDS)
        fault = "more than 10000 fields";
    else if (!end && !fault && c->ended)
        fault = "a quote that is not closed";
    if (fault || !end) {
        b->used = used;
        b->n_fields = first;
        reset_parser(c);
    }
    if (!end && !fault)
        return next_piece(c, err);
    if (fault) {
        end = memchr(row, '\n', c->n - c->at);
        end += end != NULL;
        c->skip += end == NULL; // the rest of the line
    }
    if (fault || b->n_fields > first) {
        ARRAY_GROW(b->rows, b->n_rows + 1, b->rows_size);
        b->rows[b->n_rows++] = (struct csv_row){c->line, first, b->n_fields - first, fault};
    }
    c->last_at = c->at;
    c->at = end ? (size_t)(end - c->data) : c->n;
    for (const char *p = row; end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        c->line++;
    return 0;
}

int csv_next(struct csv *c, struct csv_block *b, size_t max_rows, struct err *err)
{
    b->used = b->n_fields = b->n_rows = 0;
    c->block = b;
    while (!(c->ended && c->at == c->n) && b->n_rows < max_rows && b->used < BLOCK_TEXT)
        if (c->skip > 0 ? skip_line(c, err) : take_row(c, err))
            return -1;
    return 0;
}

void csv_again(struct csv *c)
{
    c->at = c->last_at;
    c->line = c->block->rows[0].line;
}

// ---- open ----

int csv_open(struct csv *c, const char *path, char delimiter, const char *encoding, struct err *err)
{
    struct stat st;
    const bool standard = strcmp(path, "-") == 0;
    *c = (struct csv){.name = standard ? "standard input" : path,
                      .fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC),
                      .delimiter = delimiter,
                      .line = 1,
                      .hash = xchecked(XXH3_createState()),
                      .raw = xcalloc(1, PIECE),
                      .text = xmalloc(PIECE),
                      .data = xmalloc(PIECE),
                      .data_size = PIECE};
    XXH3_64bits_reset(c->hash);
    reset_parser(c);
    set_encoding(c, encoding);
    if (c->fd < 0 || fstat(c->fd, &st))
        return err_sys(err, "%s: cannot open", c->name);
    if (fill(c, err))
        return -1;
    c->size = (uint64_t)st.st_size;
    c->gzipped = memcmp(c->raw, "\x1f\x8b\x08", 3) == 0;
    if (c->gzipped)
        inflateInit2(&c->gzip, 16 + MAX_WBITS); // if it fails, so does inflate
    if (memcmp(c->raw, "\x28\xb5\x2f\xfd", MAGIC) == 0) {
        c->zstd = xchecked(ZSTD_createDStream());
        ZSTD_DCtx_setParameter(c->zstd, ZSTD_d_windowLogMax, 31); // of zstd --long=31
    }
    return 0;
}
