// Any bytes as the manifest of a table whose columns are as they should be: opened or refused, and
// what is opened can be read in full. The table is in the working folder.
#include "ingest/table.h"
#include "tests/release.h"

#include <xxhash.h>

#define TABLE "fuzzed-table"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A table of two columns and three rows.
static void make_table(void)
{
    static char *texts[] = {"a", "b"};
    static const struct table_column columns[] = {
        {.name = "x", .kind = COLUMN_NUMBER},
        {.name = "c", .kind = COLUMN_CATEGORY, .dictionary = texts, .dictionary_size = 2}};
    struct table_writer w;
    struct err err;
    if (table_writer_open(&w, TABLE, columns, 2, &err) ||
        table_writer_append(&w, 0, (double[]){1, 2, 3}, 3, &err) ||
        table_writer_append(&w, 1, (uint32_t[]){0, 1, 0}, 3, &err) ||
        table_writer_finish(&w, json_object(), &err) || output_commit(&w.dir, &err))
        abort();
    table_writer_release(&w);
}

// A JSON object gets its right checksum, so that what is behind it is reached too.
static void write_manifest(const uint8_t *data, size_t size)
{
    char checksum[17];
    json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    FILE *f = fopen(TABLE "/manifest.json", "wb");
    if (!f)
        abort();
    if (json_is_object(j)) {
        json_object_del(j, "xxh3");
        char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        checksum_text(checksum, XXH3_64bits(text, strlen(text)));
        json_object_set_new(j, "xxh3", json_string(checksum));
        json_dumpf(j, f, JSON_REAL_PRECISION(17));
        free(text);
    } else {
        fwrite(data, 1, size, f);
    }
    json_decref(j);
    if (fclose(f))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table t;
    struct err err;
    static bool made;
    if (!made)
        make_table();
    made = true;
    write_manifest(data, size);
    if (table_open(&t, TABLE, &err)) {
        table_release(&t);
        return 0;
    }
    unsigned sum = 0;
    for (size_t i = 0; i < t.n; i++) {
        const struct table_column *c = &t.columns[i];
        for (size_t k = 0; k < t.rows * column_size(c->kind); k++)
            sum += ((const unsigned char *)c->data)[k];
        for (size_t r = 0; r < t.rows && c->kind == COLUMN_CATEGORY; r++)
            sum += (unsigned char)*c->dictionary[((const uint32_t *)c->data)[r]];
    }
    table_release(&t);
    if (sum > 39 * 255) // three rows of 8 and 4 bytes, three texts of one
        abort();
    return 0;
}
