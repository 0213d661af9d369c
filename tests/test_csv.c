// ingest/csv: RFC 4180 taken whole and nothing beyond it, true line numbers, and the quick way through
// lines without quotes against libcsv's.
#define ZLIB_CONST // inputs are const
#include "ingest/csv.h"
#include "tests/scratch.h"

#include <zlib.h>
#include <zstd.h>

// All rows of a file as text: "line: [field] [field]\n" each; or the error, behind "! ".
static void read_all(const char *path, char delimiter, char *out, size_t size)
{
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    size_t used = 0;
    out[0] = '\0';
    int rc = csv_open(&c, path, delimiter, &err);
    while (rc == 0 && (rc = csv_next(&c, &b, 3, &err)) == 0 && b.n_rows > 0)
        for (size_t r = 0; r < b.n_rows; r++) {
            const struct csv_row *row = &b.rows[r];
            used += (size_t)snprintf(out + used, size - used, "%d:", (int)row->line);
            for (size_t f = row->first; f < row->first + row->kept && used < size; f++) {
                assert_int_equal(b.text[b.fields[f].at + b.fields[f].n], 0);
                used += (size_t)snprintf(out + used, size - used, " [%s]", b.text + b.fields[f].at);
            }
            used += (size_t)snprintf(out + used, size - used, "\n");
        }
    if (rc)
        snprintf(out + used, size - used, "! %s", err.msg + strlen(scratch) + 1);
    csv_block_release(&b);
    csv_release(&c);
}

static void assert_reads(const char *csv, const char *rows)
{
    char out[4096];
    read_all(scratch_text("a.csv", csv), ',', out, sizeof out);
    assert_string_equal(out, rows);
}

static void rows_end_in_lf_or_crlf(void **state)
{
    (void)state;
    assert_reads("a,b\n1,2\n", "1: [a] [b]\n2: [1] [2]\n");
    assert_reads("a,b\r\n1,2\r\n", "1: [a] [b]\n2: [1] [2]\n");
    assert_reads("a,b\r\n1,2\n", "1: [a] [b]\n2: [1] [2]\n");
    assert_reads("a,b\n1,2", "1: [a] [b]\n2: [1] [2]\n");
}

static void quoted_fields_hold_anything(void **state)
{
    (void)state;
    assert_reads("\"a\",\"b,\"\"c\"\"\"\r\n\"\",\" x \"\n", "1: [a] [b,\"c\"]\n2: [] [ x ]\n");
    assert_reads("a\n\"1\r\n2\"\n\"3\n\n4\",5\n6\n",
                 "1: [a]\n2: [1\r\n2]\n4: [3\n\n4] [5]\n7: [6]\n");
}

static void fields_may_be_empty(void **state)
{
    (void)state;
    assert_reads(",\n,,\n\"\"\n", "1: [] []\n2: [] [] []\n3: []\n");
    assert_reads("", "");
    assert_reads("\n", "");
}

static void blank_lines_are_skipped_and_counted(void **state)
{
    (void)state;
    assert_reads("\n\na\n \t \n\r\n1\n\n", "3: [a]\n6: [1]\n");
}

static void spaces_around_an_unquoted_field_are_no_part_of_it(void **state)
{
    (void)state;
    assert_reads(" a , b c\t, \"d \" ,\n", "1: [a] [b c] [d ] []\n");
    assert_reads(" a , b c\t, \n", "1: [a] [b c] []\n");
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    assert_reads("\xef\xbb\xbf"
                 "a,b\n",
                 "1: [a] [b]\n");
    assert_reads("\xef\xbb\xbf\"a\",b\n", "1: [a] [b]\n");
    assert_reads("\xef\xbb\xbf", "");
}

static void another_delimiter_may_separate(void **state)
{
    (void)state;
    char out[512];
    read_all(scratch_text("a.csv", "a\t b\t\n\t\n\"x\ty\"\t,\n"), '\t', out, sizeof out);
    assert_string_equal(out, "1: [a] [b] []\n2: [] []\n3: [x\ty] [,]\n");
}

static void doubtful_boundaries_are_errors_that_name_the_line(void **state)
{
    (void)state;
    assert_reads("a\n\"1\n2\n", "! a.csv:2: a quote is not closed in the row that begins here");
    assert_reads("a\n1\n2\n3\n\"", "1: [a]\n2: [1]\n3: [2]\n"
                                   "! a.csv:5: a quote is not closed in the row that begins here");
    assert_reads("a\nb\"c\n",
                 "! a.csv:2:2: a quote inside an unquoted field, or text behind a closing quote");
    assert_reads("a\n\"b\"c\n",
                 "! a.csv:2:4: a quote inside an unquoted field, or text behind a closing quote");
    assert_reads("a\rb\rc\n", "! a.csv:1: a carriage return without a line feed");
    assert_reads("a\nb\rc\n", "! a.csv:2: a carriage return without a line feed");
    assert_reads("a\nb\r\"c\nd\"\n", "! a.csv:2: a carriage return without a line feed");
}

static void a_0_byte_is_an_error(void **state)
{
    (void)state;
    char out[512];
    read_all(scratch_bytes("a.csv", "a\nb\n\0\n", 7), ',', out, sizeof out);
    assert_string_equal(out, "! a.csv:3: a 0 byte; is it UTF-16? Only UTF-8 and ASCII are read");
    read_all(scratch_bytes("a.csv",
                           "\xff\xfe"
                           "a\0\n\0",
                           6),
             ',', out, sizeof out);
    assert_contains(out, "a.csv:1: a 0 byte");
}

static char *repeated(const char *before, char c, size_t n, const char *after)
{
    size_t b = strlen(before), size = b + n + strlen(after) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "%s", before);
    memset(text + b, c, n);
    snprintf(text + b + n, size - b - n, "%s", after);
    return text;
}

static void a_field_of_more_than_64_kb_is_an_error(void **state)
{
    (void)state;
    static char out[80000];
    static const char *const quotes[] = {"", "\""};
    for (int q = 0; q < 2; q++) {
        char before[8], after[8];
        snprintf(before, sizeof before, "a\n%s", quotes[q]);
        snprintf(after, sizeof after, "%s\n", quotes[q]);
        size_t most = CSV_MAX_FIELD - (size_t)q; // libcsv counts the closing quote
        char *good = repeated(before, 'x', most, after);
        char *bad = repeated(before, 'x', CSV_MAX_FIELD + 1, after);
        read_all(scratch_text("a.csv", good), ',', out, sizeof out);
        assert_int_equal(strlen(out), strlen("1: [a]\n2: []\n") + most);
        read_all(scratch_text("a.csv", bad), ',', out, sizeof out);
        assert_string_equal(
            out, "! a.csv:2: a field is longer than 65536 bytes; is a quote not closed?");
        free(good);
        free(bad);
    }
}

static void more_than_10000_fields_are_an_error(void **state)
{
    (void)state;
    static char out[80000];
    char *good = repeated("", ',', CSV_MAX_FIELDS - 1, "\n");
    char *bad = repeated("", ',', CSV_MAX_FIELDS, "\n");
    read_all(scratch_text("a.csv", good), ',', out, sizeof out);
    assert_true(out[0] == '1');
    read_all(scratch_text("a.csv", bad), ',', out, sizeof out);
    assert_string_equal(out, "! a.csv:1: more than 10000 fields");
    free(good);
    free(bad);
}

static void only_the_selected_columns_are_kept(void **state)
{
    (void)state;
    static const bool wanted[] = {false, true, true, false};
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    const char *path = scratch_text("a.csv", "a,b,c,d\n1,2,3,4\n\"5\",\"6\",7,8,9\nx\n");
    assert_int_equal(csv_open(&c, path, ',', &err), 0);
    assert_int_equal(csv_next(&c, &b, 1, &err), 0);
    assert_int_equal(b.n_rows, 1);
    csv_select(&c, wanted, 4);
    assert_int_equal(csv_next(&c, &b, 100, &err), 0);
    assert_int_equal(b.n_rows, 3);
    assert_int_equal(b.n_fields, 4);
    assert_int_equal(b.rows[1].columns, 5);
    assert_int_equal(b.rows[2].columns, 1);
    assert_int_equal(b.rows[2].kept, 0);
    assert_string_equal(b.text + b.fields[2].at, "6");
    csv_block_release(&b);
    csv_release(&c);
}

static void raw_rows_are_kept_on_demand(void **state)
{
    (void)state;
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    const char *path = scratch_text("a.csv", "a,b\r\n\n1,\"2\n3\"\nx");
    assert_int_equal(csv_open(&c, path, ',', &err), 0);
    c.keep_raw = true;
    assert_int_equal(csv_next(&c, &b, 100, &err), 0);
    assert_int_equal(b.n_rows, 3);
    assert_int_equal(b.rows[1].raw_n, 8);
    assert_memory_equal(b.raw + b.rows[1].raw, "1,\"2\n3\"\n", 8);
    assert_memory_equal(b.raw + b.rows[2].raw, "x", 1);
    csv_block_release(&b);
    csv_release(&c);
}

// ---- the quick way against libcsv -----------------------------------------------------------------

struct plain {
    char out[4096];
    size_t used;
};

static void plain_field(void *text, size_t n, void *arg)
{
    struct plain *p = arg;
    p->used += (size_t)snprintf(p->out + p->used, sizeof p->out - p->used, "[%.*s]", (int)n,
                                (const char *)text);
}

static void plain_row(int terminator, void *arg)
{
    (void)terminator;
    struct plain *p = arg;
    p->used += (size_t)snprintf(p->out + p->used, sizeof p->out - p->used, "\n");
}

// libcsv alone, over the whole text at once; 0 or its error.
static int libcsv_alone(const char *text, size_t n, struct plain *p)
{
    struct csv_parser parser;
    *p = (struct plain){.used = 0};
    assert_int_equal(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL), 0);
    int bad = csv_parse(&parser, text, n, plain_field, plain_row, p) != n ||
              csv_fini(&parser, plain_field, plain_row, p);
    csv_free(&parser);
    return bad;
}

// Ours in the same form, without line numbers.
static int ours(const char *path, struct plain *p)
{
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    *p = (struct plain){.used = 0};
    assert_int_equal(csv_open(&c, path, ',', &err), 0);
    int rc;
    while ((rc = csv_next(&c, &b, 2, &err)) == 0 && b.n_rows > 0)
        for (size_t r = 0; r < b.n_rows; r++) {
            for (size_t f = 0; f < b.rows[r].kept; f++)
                plain_field(b.text + b.fields[b.rows[r].first + f].at,
                            b.fields[b.rows[r].first + f].n, p);
            plain_row('\n', p);
        }
    csv_block_release(&b);
    csv_release(&c);
    return rc;
}

static void any_text_reads_as_libcsv_reads_it(void **state)
{
    (void)state;
    static const char *const parts[] = {"a",  ",",  "\n",   "\r\n", " ",
                                        "\t", "\"", "\"\"", "b c",  ",\"x\","};
    static struct plain expected, found;
    uint64_t s = 1;
    int good = 0;
    for (int i = 0; i < 2500; i++) {
        char text[256];
        int used = snprintf(text, sizeof text, "h\n"); // no byte order mark, no compressed data
        for (int k = 0; k < 3 + i % 20; k++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            // Quotes at random are mostly errors: rarer, so that most texts are good.
            uint64_t pick = (s >> 33) % 30;
            used += snprintf(text + used, sizeof text - (size_t)used, "%s",
                             parts[pick < 10 ? pick : pick % 5]);
        }
        int bad = libcsv_alone(text, strlen(text), &expected);
        assert_int_equal(ours(scratch_text("a.csv", text), &found) != 0, bad);
        if (!bad)
            assert_string_equal(found.out, expected.out);
        good += !bad;
    }
    assert_in_range(good, 300, 2499);
}

// ---- compression ----------------------------------------------------------------------------------

enum { BIG = 1000000 };
static char big[BIG], packed[2 * BIG];

// Rows that do not compress to nothing, longer than any buffer.
static void fill_big(void)
{
    uint64_t s = 7;
    size_t n = (size_t)snprintf(big, BIG, "header\n");
    while (n + 32 < BIG) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        n += (size_t)snprintf(big + n, BIG - n, "%llu\n", (unsigned long long)(s >> 20));
    }
    memset(big + n, '\n', BIG - n);
}

static size_t gzip(const char *data, size_t n, char *out, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (const unsigned char *)data;
    z.avail_in = (uInt)n;
    z.next_out = (unsigned char *)out;
    z.avail_out = (uInt)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return size - z.avail_out;
}

static size_t zstd(const char *data, size_t n, char *out, size_t size)
{
    return ZSTD_compress(out, size, data, n, 1);
}

// The bytes that an input gives, compared with big; -1 and a message on an error.
static int read_input(const char *path, struct err *err)
{
    struct input in;
    const char *data;
    size_t n = 1, at = 0;
    int rc = input_open(&in, path, err);
    while (rc == 0 && n > 0 && (rc = input_next(&in, &data, &n, err)) == 0) {
        assert_true(at + n <= BIG);
        assert_memory_equal(data, big + at, n);
        at += n;
    }
    if (rc == 0) {
        assert_int_equal(at, BIG);
        assert_int_equal(in.bytes, in.size);
    }
    input_release(&in);
    return rc;
}

static void compressed_bytes_come_back_whatever_the_name(void **state)
{
    (void)state;
    struct err err = {""};
    fill_big();
    size_t n = gzip(big, BIG, packed, sizeof packed);
    assert_int_equal(read_input(scratch_bytes("a.csv", packed, n), &err), 0);
    n = zstd(big, BIG, packed, sizeof packed);
    assert_int_equal(read_input(scratch_bytes("a.gz", packed, n), &err), 0);
    assert_int_equal(read_input(scratch_bytes("a.zst", big, BIG), &err), 0);
}

static void members_and_frames_follow_one_another(void **state)
{
    (void)state;
    struct err err = {""};
    fill_big();
    size_t n = gzip(big, 300001, packed, sizeof packed);
    n += gzip(big, 0, packed + n, sizeof packed - n);
    n += gzip(big + 300001, BIG - 300001, packed + n, sizeof packed - n);
    assert_int_equal(read_input(scratch_bytes("a", packed, n), &err), 0);
    n = zstd(big, 300001, packed, sizeof packed);
    n += zstd(big, 0, packed + n, sizeof packed - n);
    n += zstd(big + 300001, BIG - 300001, packed + n, sizeof packed - n);
    assert_int_equal(read_input(scratch_bytes("a", packed, n), &err), 0);
}

static void truncated_compressed_data_is_an_error(void **state)
{
    (void)state;
    struct err err;
    fill_big();
    for (int i = 0; i < 2; i++) {
        size_t n = (i ? zstd : gzip)(big, BIG, packed, sizeof packed);
        const size_t cuts[] = {n - 1, n - 8, n / 2, 20, 5};
        for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
            assert_int_equal(read_input(scratch_bytes("a", packed, cuts[c]), &err), -1);
            assert_contains(err.msg, "the compressed data ends early: the file is truncated");
        }
    }
}

static void damaged_compressed_data_is_an_error(void **state)
{
    (void)state;
    struct err err;
    fill_big();
    size_t n = gzip(big, BIG, packed, sizeof packed);
    packed[n - 6] ^= 1; // its checksum
    assert_int_equal(read_input(scratch_bytes("a", packed, n), &err), -1);
    assert_contains(err.msg, "the gzip data is damaged near byte");
    packed[n - 6] ^= 1;
    memset(packed + n, 'x', 4);
    assert_int_equal(read_input(scratch_bytes("a", packed, n + 4), &err), -1);
    assert_contains(err.msg, "the gzip data is damaged near byte");
    n = zstd(big, BIG, packed, sizeof packed);
    memset(packed + n, 'x', 4);
    assert_int_equal(read_input(scratch_bytes("a", packed, n + 4), &err), -1);
    assert_contains(err.msg, "the zstd data is damaged near byte");
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    char out[512];
    read_all(scratch_path("none.csv"), ',', out, sizeof out);
    assert_string_equal(out, "! none.csv: cannot open: No such file or directory");
    mkdir(scratch_path("dir"), 0777);
    read_all(scratch_path("dir"), ',', out, sizeof out);
    assert_string_equal(out, "! dir: it is a folder, not a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(rows_end_in_lf_or_crlf),
        scratch_test(quoted_fields_hold_anything),
        scratch_test(fields_may_be_empty),
        scratch_test(blank_lines_are_skipped_and_counted),
        scratch_test(spaces_around_an_unquoted_field_are_no_part_of_it),
        scratch_test(a_byte_order_mark_is_skipped),
        scratch_test(another_delimiter_may_separate),
        scratch_test(doubtful_boundaries_are_errors_that_name_the_line),
        scratch_test(a_0_byte_is_an_error),
        scratch_test(a_field_of_more_than_64_kb_is_an_error),
        scratch_test(more_than_10000_fields_are_an_error),
        scratch_test(only_the_selected_columns_are_kept),
        scratch_test(raw_rows_are_kept_on_demand),
        scratch_test(any_text_reads_as_libcsv_reads_it),
        scratch_test(compressed_bytes_come_back_whatever_the_name),
        scratch_test(members_and_frames_follow_one_another),
        scratch_test(truncated_compressed_data_is_an_error),
        scratch_test(damaged_compressed_data_is_an_error),
        scratch_test(what_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
