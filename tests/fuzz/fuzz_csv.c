// Any bytes as a file, plain or compressed: rows whose fields lie within their block, or faults, or an
// error; and where they are neither compressed nor marked, the fields that libcsv alone would give.
// Then the converter reads them in a dialect.
#define _GNU_SOURCE // memfd_create
#include "base/memory.h"
#include "ingest/convert.h"
#include "tests/csv_rows.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const void *data, size_t size, char path[64])
{
    int fd = memfd_create("csv", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

#define COLUMNS                                                                                    \
    "\n[columns]\nt = #1, time\nx = #2, number, missing=flag, strip=$%\nc = #4, category\n"        \
    "k = #4, key\nl = #3, label, positive=yes|Y\n"

static void convert(const char *path, size_t size)
{
    static const char *const texts[] = {
        "[input]\nheader = none\ntime_format = %m/%d/%y %I:%M %p\nutc_offset = -03:30\nna = ?, NA\n"
        "delimiter = semicolon\ndecimal = comma\nthousands = .\nencoding = windows-1252" COLUMNS,
        "[input]\nskip = 1\ntime_format = %d-%b-%Y%z\nthousands = space\nencoding = UTF-16" COLUMNS,
        "[input]\ntime_format = epoch\nunit = 1h\nna = ?\nthousands = comma" COLUMNS};
    static struct dataset datasets[3];
    struct dataset *d = &datasets[size % 3];
    struct err err;
    char ini[64];
    if (!d->config.n) {
        int fd = file_of(texts[size % 3], strlen(texts[size % 3]), ini);
        if (dataset_load(d, ini, "-", &err))
            abort();
        close(fd);
    }
    struct convert c;
    struct csv_block b = {0};
    d->file = path;
    if (convert_open(&c, d, NULL, &err) == 0)
        while (csv_next(&c.csv, &b, 16, &err) == 0 && b.n_rows > 0)
            for (size_t i = 0; i < b.n_rows; i++)
                if (convert_row(&c, &b, &b.rows[i], 0) != (c.n_faults == 0))
                    abort();
    if (c.seen > 0)
        convert_check(&c, &err);
    for (size_t i = 0; i < d->schema.n; i++)
        free(c.columns[i].values);
    free(c.columns);
    free(c.faults);
    d->file = NULL;
    block_release(&b);
    block_release(&c.blocks[0]);
    csv_release(&c.csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = file_of(data, size, path);
    char *lines = xmalloc(size + 1); // where a carriage return alone is a line feed
    for (size_t i = 0; i < size; i++)
        lines[i] = data[i] == '\r' && i + 1 < size && data[i + 1] != '\n' ? '\n' : (char)data[i];
    char *ours = rows_by_us(path, ',', false), *theirs = rows_by_libcsv(lines, size);
    const char *last = strrchr(ours, '\n');
    const bool refused = rows_faults > 0 || strncmp(last ? last + 1 : ours, "! ", 2) == 0;
    // Ours refuses more than libcsv (0 bytes, long rows), never less.
    const bool special = size >= 2 && (data[0] >= 0xef || data[0] == 0x1f || data[0] == 0x28);
    if (!refused && !special && (!theirs || strcmp(ours, theirs) != 0))
        abort();
    free(lines);
    free(ours);
    free(theirs);
    convert(path, size);
    close(fd);
    return 0;
}
