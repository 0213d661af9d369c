// ingest/csv: strict RFC 4180 with true line numbers, the fast way for lines without quotes against
// libcsv, and compressed files.
#define ZLIB_CONST // inputs are const
#include "ingest/csv.h"
#include "tests/scratch.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

// All rows of a file as text, "line: [field] [field]\n" each, perhaps without the line; then the
// error, if there is one, after "! ".
static const char *read_rows(const char *path, char delimiter, bool lines)
{
    static char out[80000];
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    size_t used = 0;
    out[0] = '\0';
    int rc = csv_open(&c, path, delimiter, &err);
    while (rc == 0 && (rc = csv_next(&c, &b, 3, &err)) == 0 && b.n_rows > 0)
        for (size_t r = 0; r < b.n_rows; r++) {
            const struct csv_row *row = &b.rows[r];
            if (lines)
                used += (size_t)snprintf(out + used, sizeof out - used, "%d:", (int)row->line);
            for (size_t f = row->first; f < row->first + row->n && used < sizeof out; f++) {
                assert_int_equal(strlen(b.text + b.fields[f].at), b.fields[f].n);
                used += (size_t)snprintf(out + used, sizeof out - used, " [%s]",
                                         b.text + b.fields[f].at);
            }
            used += (size_t)snprintf(out + used, sizeof out - used, "\n");
        }
    if (rc)
        snprintf(out + used, sizeof out - used, "! %s", err.msg + strlen(scratch) + 1);
    csv_block_release(&b);
    csv_release(&c);
    return out;
}

static const char *read_all(const char *path, char delimiter)
{
    return read_rows(path, delimiter, true);
}

static void rows_and_fields_are_those_of_rfc_4180(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a,b\n1,2\n", "1: [a] [b]\n2: [1] [2]\n"},
        {"a,b\r\n1,2\n", "1: [a] [b]\n2: [1] [2]\n"},
        {"a,b\n1,2", "1: [a] [b]\n2: [1] [2]\n"},
        {"\"a\",\"b,\"\"c\"\"\"\r\n\"\",\" x \"\n", "1: [a] [b,\"c\"]\n2: [] [ x ]\n"},
        {"a\n\"1\r\n2\"\n\"3\n\n4\",5\n6\n", "1: [a]\n2: [1\r\n2]\n4: [3\n\n4] [5]\n7: [6]\n"},
        {",\n,,\n\"\"\n", "1: [] []\n2: [] [] []\n3: []\n"},
        {"", ""},
        {"\n\na\n \t \n\r\n1\n\n", "3: [a]\n6: [1]\n"},
        {" a , b c\t, \"d \" ,\n", "1: [a] [b c] [d ] []\n"},
        {" a , b c\t, \n", "1: [a] [b c] []\n"},
        {"\xef\xbb\xbf\"a\",b\n", "1: [a] [b]\n"},
        {"\xef\xbb\xbf", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(read_all(scratch_text("a.csv", cases[i][0]), ','), cases[i][1]);
    assert_string_equal(read_all(scratch_text("a.csv", "a\t b\t\n\t\n\"x\ty\"\t,\n"), '\t'),
                        "1: [a] [b] []\n2: [] []\n3: [x\ty] [,]\n");
}

static void doubtful_rows_are_errors_that_name_the_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a\n\"1\n2\n", "! a.csv:2: a quote is not closed"},
        {"a\n1\n2\n3\n\"", "! a.csv:5: a quote is not closed"},
        {"a\nb\"c\n", "! a.csv:2:2: a quote inside an unquoted field"},
        {"a\n\"b\"c\n", "! a.csv:2:4: a quote inside an unquoted field, or text behind a closing"},
        {"a\rb\rc\n", "! a.csv:1: a carriage return without"},
        {"a\nb\rc\n", "! a.csv:2: a carriage return without"},
        {"a\nb\r\"c\nd\"\n", "! a.csv:2: a carriage return without"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_contains(read_all(scratch_text("a.csv", cases[i][0]), ','), cases[i][1]);
    assert_contains(read_all(scratch_bytes("a.csv", "a\nb\n\0\n", 7), ','), "a.csv:3: a 0 byte");
    assert_contains(read_all(scratch_path("none.csv"), ','), "none.csv: cannot open: No such");
    mkdir(scratch_path("dir"), 0777);
    assert_contains(read_all(scratch_path("dir"), ','), "dir: cannot read: Is a directory");
}

// A file of a text around n bytes c.
static const char *repeated(const char *before, char c, size_t n, const char *after)
{
    static char text[80000];
    size_t used = (size_t)sprintf(text, "%s", before);
    memset(text + used, c, n);
    strcpy(text + used + n, after);
    return scratch_text("a.csv", text);
}

static void fields_and_rows_have_a_greatest_length(void **state)
{
    (void)state;
    const size_t rest = strlen("1: [a]\n2: []\n");
    assert_int_equal(strlen(read_all(repeated("a\n", 'x', CSV_MAX_FIELD, "\n"), ',')),
                     rest + CSV_MAX_FIELD);
    assert_contains(read_all(repeated("a\n", 'x', CSV_MAX_FIELD + 1, "\n"), ','),
                    "! a.csv:2: a field is longer than 65536 bytes");
    // libcsv counts the closing quote.
    assert_int_equal(strlen(read_all(repeated("a\n\"", 'x', CSV_MAX_FIELD - 1, "\"\n"), ',')),
                     rest + CSV_MAX_FIELD - 1);
    assert_contains(read_all(repeated("a\n\"", 'x', CSV_MAX_FIELD + 1, "\"\n"), ','),
                    "! a.csv:2: a field is longer than 65536 bytes");
    assert_memory_equal(read_all(repeated("", ',', CSV_MAX_FIELDS - 1, "\n"), ','), "1:", 2);
    assert_contains(read_all(repeated("", ',', CSV_MAX_FIELDS, "\n"), ','),
                    "! a.csv:1: more than 10000 fields");
}

static void raw_rows_are_kept_on_demand(void **state)
{
    (void)state;
    struct csv c;
    struct csv_block b = {0};
    struct err err;
    assert_int_equal(csv_open(&c, scratch_text("a.csv", "a,b\r\n\n1,\"2\n3\"\nx"), ',', &err), 0);
    c.keep_raw = true;
    assert_int_equal(csv_next(&c, &b, 100, &err), 0);
    assert_int_equal(b.n_rows, 3);
    assert_int_equal(b.rows[1].raw_n, 8);
    assert_memory_equal(b.raw + b.rows[1].raw, "1,\"2\n3\"\n", 8);
    assert_memory_equal(b.raw + b.rows[2].raw, "x", 1);
    csv_block_release(&b);
    csv_release(&c);
}

// ---- the fast way against libcsv ------------------------------------------------------------------

struct plain {
    char out[4096];
    size_t used;
};

static void plain_field(void *text, size_t n, void *arg)
{
    struct plain *p = arg;
    p->used += (size_t)snprintf(p->out + p->used, sizeof p->out - p->used, " [%.*s]", (int)n,
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

static void any_text_reads_as_libcsv_reads_it(void **state)
{
    (void)state;
    static const char *const parts[] = {"a",  ",",  "\n",   "\r\n", " ",
                                        "\t", "\"", "\"\"", "b c",  ",\"x\","};
    static struct plain expected;
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
        const char *ours = read_rows(scratch_text("a.csv", text), ',', false);
        assert_int_equal(strchr(ours, '!') != NULL, bad);
        if (!bad)
            assert_string_equal(ours, expected.out);
        good += !bad;
    }
    assert_in_range(good, 300, 2499);
}

// ---- compression ----------------------------------------------------------------------------------

enum { BIG = 1000000 };
static char big[BIG + 1];

// Rows that do not compress to nothing, longer than any buffer.
static void fill_big(void)
{
    uint64_t s = 7;
    size_t n = 0;
    while (n + 32 < BIG) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        n += (size_t)snprintf(big + n, BIG - n, "%llu\n", (unsigned long long)(s >> 20));
    }
    memset(big + n, '\n', BIG - n);
}

// Append a gzip member or zstd frame to the file.
static void pack(bool gzip, const char *path, const char *data, size_t n)
{
    static char packed[2 * BIG];
    if (gzip) {
        gzFile f = gzopen(path, "ab1");
        assert_int_equal(gzwrite(f, data, (unsigned)n), n);
        assert_int_equal(gzclose(f), Z_OK);
        return;
    }
    FILE *f = fopen(path, "ab");
    size_t size = ZSTD_compress(packed, sizeof packed, data, n, 1);
    assert_int_equal(fwrite(packed, 1, size, f), size);
    fclose(f);
}

// Does the file have the rows of big? -1 and a message on an error.
static int read_big(const char *path, struct err *err)
{
    struct csv c;
    struct csv_block b = {0};
    const char *at = big;
    int rc = csv_open(&c, path, ',', err);
    while (rc == 0 && (rc = csv_next(&c, &b, 1000, err)) == 0 && b.n_rows > 0)
        for (size_t f = 0; f < b.n_fields; f++) {
            assert_memory_equal(b.text + b.fields[f].at, at, b.fields[f].n);
            at += b.fields[f].n + 1;
        }
    if (rc == 0) {
        assert_int_equal(*at, '\n'); // the filling
        assert_int_equal(c.bytes, c.size);
    }
    csv_block_release(&b);
    csv_release(&c);
    return rc;
}

static void compressed_rows_come_back_whatever_the_name_and_the_members(void **state)
{
    (void)state;
    struct err err = {""};
    static const char *const names[] = {"a.zst", "a.csv"};
    fill_big();
    for (int gzip = 0; gzip < 2; gzip++) {
        const char *one = scratch_path(names[gzip]), *many = scratch_path(gzip ? "b" : "c");
        pack(gzip, one, big, BIG);
        assert_int_equal(read_big(one, &err), 0);
        pack(gzip, many, big, 300001);
        pack(gzip, many, big, 0);
        pack(gzip, many, big + 300001, BIG - 300001);
        assert_int_equal(read_big(many, &err), 0);
    }
    assert_int_equal(read_big(scratch_bytes("a.gz", big, BIG), &err), 0);
}

static void compressed_data_that_is_cut_or_damaged_is_an_error(void **state)
{
    (void)state;
    struct err err;
    fill_big();
    for (int gzip = 0; gzip < 2; gzip++) {
        const char *path = scratch_path(gzip ? "a" : "b");
        size_t n = 0;
        pack(gzip, path, big, BIG);
        char *packed = scratch_read(path, &n);
        const size_t cuts[] = {n - 1, n - 8, n / 2, 20, 5};
        for (size_t i = 0; i < COUNT(cuts); i++) {
            assert_int_equal(read_big(scratch_bytes("cut", packed, cuts[i]), &err), -1);
            assert_contains(err.msg, "cut: the compressed data ends early");
        }
        const char *damaged =
            gzip ? "the gzip data is damaged near byte" : "the zstd data is damaged near byte";
        memset(packed + n, 'x', 4); // scratch_read leaves room
        assert_int_equal(read_big(scratch_bytes("more", packed, n + 4), &err), -1);
        assert_contains(err.msg, damaged);
        packed[n - 6] ^= 1; // of gzip's checksum; zstd's frames here have none
        assert_int_equal(gzip ? read_big(scratch_bytes("bad", packed, n), &err) : -1, -1);
        assert_contains(err.msg, damaged);
        free(packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(rows_and_fields_are_those_of_rfc_4180),
        scratch_test(doubtful_rows_are_errors_that_name_the_line),
        scratch_test(fields_and_rows_have_a_greatest_length),
        scratch_test(raw_rows_are_kept_on_demand),
        scratch_test(any_text_reads_as_libcsv_reads_it),
        scratch_test(compressed_rows_come_back_whatever_the_name_and_the_members),
        scratch_test(compressed_data_that_is_cut_or_damaged_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
