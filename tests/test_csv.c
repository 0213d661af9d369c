// ingest/csv: strict RFC 4180 with true line numbers, against libcsv; faults, encodings, and compressed
// files.
#define ZLIB_CONST // inputs are const
#define EACH       scratch_make, scratch_remove
#include "tests/csv_rows.h"
#include "tests/scratch.h"

// rows_by_us until the next call.
static const char *read_all(const char *path, char delimiter)
{
    static char *text;
    free(text);
    return text = rows_by_us(path, delimiter, true);
}

TEST_CASE(rows_and_fields_are_those_of_rfc_4180)
{
    static const char *const cases[][2] = {
        {"a,b\n1,2\n", "1: [a] [b]\n2: [1] [2]\n"},
        {"a,b\r\n1,2\n", "1: [a] [b]\n2: [1] [2]\n"},
        {"\"a\",\"b,\"\"c\"\"\"\r\n\"\",\" x \"\n", "1: [a] [b,\"c\"]\n2: [] [ x ]\n"},
        {"a\n\"1\r\n2\"\n\"3\n\n4\",5\n6\n", "1: [a]\n2: [1\r\n2]\n4: [3\n\n4] [5]\n7: [6]\n"},
        {",\n,,\n\"\"\n", "1: [] []\n2: [] [] []\n3: []\n"},
        {"\n\na\n \t \n\r\n1\n\n", "3: [a]\n6: [1]\n"},
        {" a , b c\t, \"d \" ,\n", "1: [a] [b c] [d ] []\n"},
        {"\xef\xbb\xbf\"a\",b\n", "1: [a] [b]\n"},
        {"a,b\r1,\"2\r3\"\r\r4,5", "1: [a] [b]\n2: [1] [2\n3]\n5: [4] [5]\n"}, // old Macs
        {"a\nb\rc\r\nd\r", "1: [a]\n2: [b]\n3: [c]\n4: [d]\n"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_string_equal(read_all(scratch_text("a.csv", cases[i][0]), ','), cases[i][1]);
    assert_string_equal(read_all(scratch_text("a.csv", "a\t b\t\n\t\n\"x\ty\"\t,\n"), '\t'),
                        "1: [a] [b] []\n2: [] []\n3: [x\ty] [,]\n");
}

#define QUOTE "! a quote inside an unquoted field, or text after a closing quote"

TEST_CASE(a_fault_costs_a_line_and_reading_goes_on_behind_it)
{
    static const char *const cases[][2] = {
        {"a\n1\n\"3\n4,5\n", "1: [a]\n2: [1]\n3:! a quote that is not closed\n4: [4] [5]\n"},
        {"a\nb\"c,\"d\n4\n", "1: [a]\n2:" QUOTE "\n3: [4]\n"},
        {"a\n\"b\"c\n4", "1: [a]\n2:" QUOTE "\n3: [4]\n"},
        {"\"1\n2\n\"3\n,\"4\"\n", "1:" QUOTE "\n2: [2]\n3:" QUOTE "\n4: [] [4]\n"},
        {"\xff\xfe"
         "a\0,\0\xac\x20\n\0\0\xd8"
         "b\0\n\0"
         "c\0",
         "1: [a] [\u20ac]\n2: [\xff"
         "b]\n3: [c]\n"},
        {"\xfe\xff\0a\0,\x20\xac\0\n\0b", "1: [a] [\u20ac]\n2: [b]\n"},
        {"a\nb\0\nc\n", "1: [a]\n2:! a 0 byte; if it is UTF-16 without a mark, write encoding = "
                        "UTF-16LE\n3: [c]\n"},
    };
    static const size_t sizes[LENGTH(cases)] = {[4] = 18, [5] = 12, [6] = 7};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const size_t n = sizes[i] ? sizes[i] : strlen(cases[i][0]);
        assert_string_equal(read_all(scratch_bytes("a.csv", cases[i][0], n), ','), cases[i][1]);
    }
    assert_contains(read_all(scratch_path("none.csv"), ','), "none.csv: cannot open: No such");
    assert_contains(read_all(scratch, ','), "cannot read: Is a directory");
}

TEST_CASE(rows_have_a_greatest_length_and_number_of_fields)
{
    static const struct {
        const char *before;
        char byte;
        size_t n;
        const char *after, *error;
    } cases[] = {{"a\n", 'x', CSV_MAX_ROW - 1, "\n", NULL},
                 {"a\n\"", 'x', CSV_MAX_ROW - 3, "\"\n", NULL},
                 {"a\n", 'x', CSV_MAX_ROW, "\nb\n",
                  "2:! a row of more than 1 MiB; is a quote not closed?\n3: [b"},
                 {"a\n\"\nb\n", 'x', CSV_MAX_ROW + (1 << 19), "\n4",
                  "2:! a row of more than 1 MiB; is a quote not closed?\n3: [b]\n"
                  "4:! a row of more than 1 MiB; is a quote not closed?\n5: [4]\n"},
                 {"\n", ',', CSV_MAX_FIELDS - 1, "\n", NULL},
                 {"\n", ',', CSV_MAX_FIELDS, "\nb\n", "2:! more than 10000 fields\n3: [b]"}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        static char text[2 << 20], bytes[2 << 20];
        memset(bytes, cases[i].byte, sizeof bytes);
        snprintf(text, sizeof text, "%s%.*s%s", cases[i].before, (int)cases[i].n, bytes,
                 cases[i].after);
        const char *rows = read_all(scratch_text("a.csv", text), ',');
        if (cases[i].error)
            assert_contains(rows, cases[i].error);
        else
            assert_true(strlen(rows) > cases[i].n && !strchr(rows, '!'));
    }
}

TEST_CASE(any_text_reads_as_libcsv_reads_it)
{
    static const char *const parts[] = {"a",  ",",  "\n",   "\r\n", " ",
                                        "\t", "\"", "\"\"", "b c",  ",\"x\","};
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
        char *expected = rows_by_libcsv(text, strlen(text));
        char *ours = rows_by_us(scratch_text("a.csv", text), ',', false);
        assert_int_equal(strchr(ours, '!') == NULL, expected != NULL);
        if (expected)
            assert_string_equal(ours, expected);
        good += expected != NULL;
        free(expected);
        free(ours);
    }
    assert_in_range(good, 300, 2499);
}

// Append a gzip member or zstd frame of the data to the file.
static void pack(bool gzip, const char *path, const char *data, size_t n)
{
    static char packed[1 << 19];
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

// The committed sample is longer than any buffer of the reader.
TEST_CASE(compressed_rows_come_back_and_cut_or_damaged_data_is_an_error)
{
    size_t n_sample = 0, n = 0;
    char *sample = scratch_read("datasets/sample.csv", &n_sample);
    char *plain = rows_by_us(scratch_bytes("plain.gz", sample, n_sample), ',', true);
    assert_in_range(n_sample, 1 << 18, 1 << 19);
    for (int gzip = 0; gzip < 2; gzip++) {
        const char *path = scratch_path(gzip ? "gzip.csv" : "zstd.gz");
        const char *damaged =
            gzip ? "the gzip data is damaged near" : "the zstd data is damaged near";
        pack(gzip, path, sample, 100001);
        pack(gzip, path, sample, 0);
        pack(gzip, path, sample + 100001, n_sample - 100001);
        assert_string_equal(read_all(path, ','), plain);
        char *packed = scratch_read(path, &n);
        const size_t cuts[] = {n - 1, n - 8, n / 2, 20, 5};
        for (size_t i = 0; i < LENGTH(cuts); i++)
            assert_contains(read_all(scratch_bytes("cut", packed, cuts[i]), ','),
                            "cut: the compressed data ends early");
        memset(packed + n, 'x', 4); // scratch_read leaves room
        assert_contains(read_all(scratch_bytes("more", packed, n + 4), ','), damaged);
        packed[n - 6] ^= 1; // of gzip's checksum; zstd's frames here have none
        if (gzip)
            assert_contains(read_all(scratch_bytes("bad", packed, n), ','), damaged);
        free(packed);
    }
    free(plain);
    free(sample);
}

// A frame by hand (RFC 8878): window of 2^log bytes, one raw block.
TEST_CASE(any_zstd_window_is_read)
{
    char frame[] = "\x28\xb5\x2f\xfd\0?\x41\0\0a,b\n1,2\n";
    for (int log = 10; log <= 31; log++) {
        frame[5] = (char)((log - 10) << 3);
        assert_string_equal(read_all(scratch_bytes("long.zst", frame, sizeof frame - 1), ','),
                            "1: [a] [b]\n2: [1] [2]\n");
    }
}

TESTS(NULL, NULL)
