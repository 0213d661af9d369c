// Reads in pieces of 256 KB, hashes the raw bytes, and decompresses.
#include "ingest/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 18 };

// Read more raw bytes behind those not yet used. At the end of the file used stays as it was.
static int fill(struct input *in, struct err *err)
{
    memmove(in->raw, in->raw + in->at, in->used - in->at);
    in->used -= in->at;
    in->at = 0;
    ssize_t n;
    do
        n = read(in->fd, in->raw + in->used, PIECE - in->used);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, "%s: cannot read", in->name);
    XXH3_64bits_update(in->hash, in->raw + in->used, (size_t)n);
    in->used += (size_t)n;
    in->bytes += (uint64_t)n;
    return 0;
}

static int detect(struct input *in, struct err *err)
{
    static const unsigned char gzip[] = {0x1f, 0x8b, 8}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    for (size_t before = 1; in->used < sizeof zstd && in->used != before;) {
        before = in->used;
        if (fill(in, err))
            return -1;
    }
    if (in->used >= sizeof gzip && memcmp(in->raw, gzip, sizeof gzip) == 0) {
        in->format = INPUT_GZIP;
        if (inflateInit2(&in->gzip, 16 + MAX_WBITS) != Z_OK)
            return err_set(err, "%s: out of memory", in->name);
    } else if (in->used >= sizeof zstd && memcmp(in->raw, zstd, sizeof zstd) == 0) {
        in->zstd = ZSTD_createDStream();
        if (!in->zstd)
            return err_set(err, "%s: out of memory", in->name);
        in->format = INPUT_ZSTD;
    }
    return 0;
}

int input_open(struct input *in, const char *path, struct err *err)
{
    struct stat st;
    bool standard = strcmp(path, "-") == 0;
    *in = (struct input){.name = standard ? "standard input" : path,
                         .fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC),
                         .hash = XXH3_createState(),
                         .raw = malloc(PIECE),
                         .text = malloc(PIECE)};
    if (in->fd < 0 || fstat(in->fd, &st)) {
        err_sys(err, "%s: cannot open", in->name);
        goto fail;
    }
    if (!in->hash || !in->raw || !in->text) {
        err_set(err, "%s: out of memory", in->name);
        goto fail;
    }
    if (S_ISDIR(st.st_mode)) {
        err_set(err, "%s: it is a folder, not a file", in->name);
        goto fail;
    }
    in->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    XXH3_64bits_reset(in->hash);
    if (detect(in, err))
        goto fail;
    return 0;
fail:
    input_release(in);
    return -1;
}

void input_release(struct input *in)
{
    if (in->format == INPUT_GZIP)
        inflateEnd(&in->gzip);
    ZSTD_freeDStream(in->zstd);
    XXH3_freeState(in->hash);
    free(in->raw);
    free(in->text);
    if (in->fd >= 0)
        close(in->fd);
    *in = (struct input){.fd = -1};
}

uint64_t input_xxh3(const struct input *in)
{
    return XXH3_64bits_digest(in->hash);
}

// Decompress from raw to text; *n bytes came.
static int gunzip(struct input *in, size_t *n, struct err *err)
{
    z_stream *z = &in->gzip;
    if (!in->inside && inflateReset(z) != Z_OK)
        return err_set(err, "%s: cannot start the next gzip member", in->name);
    z->next_in = (unsigned char *)in->raw + in->at;
    z->avail_in = (uInt)(in->used - in->at);
    z->next_out = (unsigned char *)in->text;
    z->avail_out = PIECE;
    int rc = inflate(z, Z_NO_FLUSH);
    in->at = in->used - z->avail_in;
    *n = PIECE - z->avail_out;
    in->inside = rc != Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return err_set(err, "%s: the gzip data is damaged near byte %llu: %s", in->name,
                       (unsigned long long)(in->bytes - z->avail_in), z->msg ? z->msg : "unknown");
    return 0;
}

static int unzstd(struct input *in, size_t *n, struct err *err)
{
    ZSTD_inBuffer from = {in->raw, in->used, in->at};
    ZSTD_outBuffer to = {in->text, PIECE, 0};
    size_t rc = ZSTD_decompressStream(in->zstd, &to, &from);
    in->at = from.pos;
    *n = to.pos;
    in->inside = rc != 0;
    if (ZSTD_isError(rc))
        return err_set(err, "%s: the zstd data is damaged near byte %llu: %s", in->name,
                       (unsigned long long)(in->bytes - (from.size - from.pos)),
                       ZSTD_getErrorName(rc));
    return 0;
}

static int next_decompressed(struct input *in, size_t *n, struct err *err)
{
    do {
        if (in->at == in->used && fill(in, err))
            return -1;
        bool end = in->at == in->used;
        // Output may still be inside the decompressor when all input is used, so it is asked again.
        if (!(end && !in->inside) &&
            (in->format == INPUT_GZIP ? gunzip(in, n, err) : unzstd(in, n, err)))
            return -1;
        if (end && in->inside && *n == 0)
            return err_set(err, "%s: the compressed data ends early: the file is truncated",
                           in->name);
        if (end)
            return 0;
    } while (*n == 0);
    return 0;
}

int input_next(struct input *in, const char **data, size_t *n, struct err *err)
{
    *n = 0;
    if (in->format != INPUT_PLAIN) {
        *data = in->text;
        return next_decompressed(in, n, err);
    }
    if (in->at == in->used && fill(in, err))
        return -1;
    *data = in->raw + in->at;
    *n = in->used - in->at;
    in->at = in->used;
    return 0;
}
