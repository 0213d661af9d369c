// Any bytes as the manifest of a table whose column is as it should be: opened or refused, and what
// is opened can be read in full.
#include "ingest/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[256], manifest[300];

static void remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command)) // NOLINT(cert-env33-c)
        fprintf(stderr, "%s is left\n", folder);
}

// A table of two columns and three rows.
static void make_folder(void)
{
    static const struct table_column columns[] = {{.name = "x", .kind = COLUMN_NUMBER},
                                                  {.name = "c", .kind = COLUMN_CATEGORY}};
    static char *texts[] = {"a", "b"};
    static const double x[] = {1, 2, 3};
    static const uint32_t c[] = {0, 1, 0};
    struct table_writer w;
    struct err err;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/assay-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        abort();
    atexit(remove_folder);
    snprintf(manifest, sizeof manifest, "%s/t/manifest.json", folder);
    char path[280];
    snprintf(path, sizeof path, "%s/t", folder);
    if (table_writer_open(&w, path, columns, 2, &err) || table_writer_append(&w, 0, x, 3, &err) ||
        table_writer_append(&w, 1, c, 3, &err))
        abort();
    table_writer_dictionary(&w, 1, texts, 2);
    if (table_writer_commit(&w, NULL, &err))
        abort();
    table_writer_release(&w);
}

// The manifest's own checksum: XXH3 of its other members, compact and sorted.
static uint64_t manifest_xxh3(json_t *manifest)
{
    json_object_del(manifest, "xxh3");
    char *text = json_dumps(manifest, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    uint64_t xxh3 = XXH3_64bits(text, strlen(text));
    free(text);
    return xxh3;
}

// The bytes as they are, or where they are a JSON object the same with its checksum made right, so
// that what is behind it is reached too.
static void write_manifest(const uint8_t *data, size_t size)
{
    char checksum[17];
    json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    FILE *f = fopen(manifest, "wb");
    if (!f)
        abort();
    if (json_is_object(j)) {
        if (json_object_set_new(j, "xxh3",
                                json_string(checksum_text(checksum, manifest_xxh3(j)))) ||
            json_dumpf(j, f, JSON_REAL_PRECISION(17)))
            abort();
    } else if (fwrite(data, 1, size, f) != size) {
        abort();
    }
    json_decref(j);
    if (fclose(f))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table t;
    struct err err;
    char path[280];
    if (!*folder)
        make_folder();
    write_manifest(data, size);
    snprintf(path, sizeof path, "%s/t", folder);
    if (table_open(&t, path, &err))
        return 0;
    unsigned sum = 0;
    for (size_t i = 0; i < t.n; i++) {
        const unsigned char *bytes = t.columns[i].data;
        for (size_t k = 0; k < t.rows * column_size(t.columns[i].kind); k++)
            sum += bytes[k];
        for (size_t r = 0; r < t.rows && t.columns[i].kind == COLUMN_CATEGORY; r++)
            sum +=
                (unsigned char)*t.columns[i].dictionary[((const uint32_t *)t.columns[i].data)[r]];
    }
    table_release(&t);
    if (sum > 39 * 255) // three rows of 8 and 4 bytes, three texts of one
        abort();
    return 0;
}
