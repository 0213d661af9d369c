// ingest/table: what is written comes back, any other program reads it, and what was damaged or
// made up is refused with the name of the file.
#define EACH scratch_make, scratch_remove
#include "ingest/table.h"
#include "tests/release.h"
#include "tests/scratch.h"

#include <fcntl.h>
#include <math.h>
#include <xxhash.h>

enum { ROWS = 1000 };
static struct table t;
static struct err err;

// The last one has a name as the parser of features makes it.
static const struct table_column columns[] = {
    {.name = "id", .kind = COLUMN_ID},       {.name = "time", .kind = COLUMN_TIME},
    {.name = "x", .kind = COLUMN_NUMBER},    {.name = "channel", .kind = COLUMN_CATEGORY},
    {.name = "label", .kind = COLUMN_LABEL}, {.name = "channel[..%2F%25]", .kind = COLUMN_FEATURE},
};
enum { N = LENGTH(columns) };

static uint64_t id[ROWS];
static int64_t moment[ROWS];
static double x[ROWS];
static uint32_t channel[ROWS];
static int8_t label[ROWS];
static float feature[ROWS];
static const void *const values[N] = {id, moment, x, channel, label, feature};

// rows in blocks of that many.
static void make_table(size_t rows, size_t block)
{
    static const char *const texts[] = {"chip", "\"web\"", "téléphone"};
    struct table_writer w;
    struct dictionary d = {0};
    for (int i = 0; i < ROWS; i++) {
        id[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
        moment[i] = 1522540800 + i;
        x[i] = i == 0 ? NAN : (i - 5) / 4.0; // missing
        channel[i] = (uint32_t)i % 3;
        label[i] = (int8_t)(i % 3 - 1);
        feature[i] = (float)i / 3;
    }
    assert_int_equal(table_writer_open(&w, scratch_path("table"), columns, N, &err), 0);
    for (size_t i = 0; i < rows; i += block)
        for (size_t c = 0; c < N; c++) {
            const char *from = (const char *)values[c] + i * column_size(columns[c].kind);
            const size_t n = rows - i < block ? rows - i : block;
            assert_int_equal(table_writer_append(&w, c, from, n, &err), 0);
        }
    for (uint32_t i = 0, code; i < 6; i++) {
        assert_int_equal(dictionary_code(&d, texts[i % 3], &code, &err), 0);
        assert_int_equal(code, i % 3);
    }
    table_writer_dictionary(&w, 3, &d);
    json_t *from = json_pack("{s:s}", "made_by", "a test");
    assert_int_equal(table_writer_finish(&w, from, &err) || output_commit(&w.dir, &err), 0);
    table_writer_release(&w);
    dictionary_release(&d);
}

static void open_table(void)
{
    must(table_open(&t, scratch_path("table"), &err), &err);
}

TEST_CASE(what_was_written_comes_back_and_numpy_reads_it_too)
{
    char out[4096];
    make_table(ROWS, 99);
    open_table();
    assert_int_equal(t.rows, ROWS);
    assert_int_equal(t.n, N);
    for (size_t c = 0; c < N; c++) {
        const size_t size = ROWS * column_size(columns[c].kind);
        assert_string_equal(t.columns[c].name, columns[c].name);
        assert_int_equal(t.columns[c].kind, columns[c].kind);
        assert_memory_equal(t.columns[c].data, values[c], size);
        assert_true(t.columns[c].xxh3 == XXH3_64bits(values[c], size));
    }
    assert_int_equal(t.columns[3].dictionary_size, 3);
    assert_string_equal(t.columns[3].dictionary[1], "\"web\"");
    assert_string_equal(json_string_value(json_object_get(t.provenance, "made_by")), "a test");
    assert_int_equal(table_find(&t, "x"), 2);
    assert_int_equal(table_find(&t, "y"), -1);
    assert_ptr_equal(table_first(&t, COLUMN_LABEL), t.columns[4].data);
    assert_null(table_first(&t, COLUMN_KEY));
    assert_ptr_equal(table_data(&t, "x", COLUMN_NUMBER, &err), t.columns[2].data);
    assert_null(table_data(&t, "x", COLUMN_LABEL, &err));
    assert_contains(err.msg, "column 'x' is of kind number, not label");
    assert_null(table_data(&t, "y", COLUMN_LABEL, &err));
    assert_contains(err.msg, "no column named 'y'");
    table_release(&t);
    int status =
        run_command(out, sizeof out,
                    "cd %s/table && /usr/bin/python3 -c '"
                    "import numpy as n; x = n.load(\"x.npy\", mmap_mode=\"r\"); "
                    "assert x.dtype == n.float64 and x.shape == (1000,); "
                    "assert (x == (n.arange(1000) - 5) / 4)[1:].all() and n.isnan(x[0]); "
                    "l = n.load(\"label.npy\"); assert (l == n.arange(1000) %% 3 - 1).all(); "
                    "i = n.load(\"id.npy\"); assert i.dtype == n.uint64'",
                    scratch);
    if (status)
        fail_msg("%s", out);
}

TEST_CASE(the_manifest_has_ranges_unknown_labels_and_missing_numbers)
{
    static const char *const ranges[] = {
        "\"min\":null,\"max\":null,\"nulls\":0", // of pseudonyms and of no rows
        "\"min\":1522540800.0,\"max\":1522540899.0,\"nulls\":0",
        "\"min\":-1.0,\"max\":23.5,\"nulls\":1",
        "\"min\":0.0,\"max\":2.0,\"nulls\":0",
        "\"min\":0.0,\"max\":1.0,\"nulls\":34",
        "\"min\":0.0,\"max\":33.0,\"nulls\":0"};
    for (size_t rows = 0; rows <= 100; rows += 100) {
        make_table(rows, 30);
        json_t *manifest = json_load_file(scratch_path("table/manifest.json"), 0, NULL);
        for (size_t c = 0; c < N; c++) {
            const json_t *column = json_array_get(json_object_get(manifest, "columns"), c);
            char *text = json_dumps(column, JSON_COMPACT);
            assert_contains(text, ranges[rows ? c : 0]);
            free(text);
        }
        json_decref(manifest);
        open_table();
        assert_int_equal(t.rows, rows);
        table_release(&t);
    }
}

static void assert_refused(const char *reason)
{
    const int rc = table_open(&t, scratch_path("table"), &err);
    table_release(&t);
    if (rc == 0)
        fail_msg("taken, should be refused: %s", reason);
    assert_contains(err.msg, reason);
    assert_contains(err.msg, scratch);
}

// test_bad_input.c has columns that were cut, altered in their values or removed.
TEST_CASE(a_column_with_another_header_or_none_and_a_missing_table_are_refused)
{
    make_table(100, 100);
    int fd = open(scratch_path("table/x.npy"), O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, 21), 1);
    assert_refused("x.npy: its header is not that of 100 values of <f8");
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    assert_refused("x.npy: it has 0 bytes");
    unlink(scratch_path("table/manifest.json"));
    assert_refused("manifest.json: cannot open: No such file");
    run_command((char[64]){0}, 64, "rm -r %s/table", scratch);
    assert_refused("table: cannot open the table: No such file");
}

// Replace the first from of the manifest by to; if it is sealed, then with the right checksum (of
// the other members, compact and sorted), so that the other mistake is seen.
static void edit_manifest(const char *good, const char *from, const char *to, bool sealed)
{
    char checksum[17];
    const char *at = strstr(good, from);
    assert_non_null(at);
    const char *text = formatted("%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    scratch_text("table/manifest.json", text);
    json_t *j = sealed ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!j)
        return;
    json_object_del(j, "xxh3");
    char *others = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    checksum_text(checksum, XXH3_64bits(others, strlen(others)));
    json_object_set_new(j, "xxh3", json_string(checksum));
    json_dump_file(j, scratch_path("table/manifest.json"), JSON_REAL_PRECISION(17));
    json_decref(j);
    free(others);
}

TEST_CASE(a_hostile_manifest_is_refused)
{
    static const char *const cases[][3] = {
        {"assay table", "table", "not of an assay table"},
        {"\"rows\": 100", "\"rows\": -1", "no table has -1 rows"},
        {"\"rows\": 100", "\"rows\": 576460752303423487", "bytes, not the"},
        {"\"rows\": 100,", "\"rows\": 100, \"rows\": 100,", "duplicate"},
        {"\"columns\": [", "\"columns\": 1, \"more\": [", "rows of 0 columns"},
        {"\"name\": \"x\"", "\"name\": \"../x\"",
         "column '../x': its file would be in another folder"},
        {"\"number\"", "\"blob\"", "column 'x': its kind 'blob' is not known"},
        {"\"chip\"", "5", "column 'channel': its dictionary is not of texts"},
        {"\"chip\",", "", "channel.npy: it has a code 2 that is not in its dictionary"},
        {"\"provenance\": {", "\"source\": {", "not found: provenance"},
    };
    make_table(100, 100);
    char *good = scratch_read(scratch_path("table/manifest.json"), NULL);
    edit_manifest(good, "-1.0", "-1.5", false);
    assert_refused("manifest.json: it was altered");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        edit_manifest(good, cases[i][0], cases[i][1], true);
        assert_refused(cases[i][2]);
    }
    free(good);
}

TESTS(NULL, NULL)
