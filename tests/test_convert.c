// ingest, the program: CSVs of every shape become a table, and each way a row or a file can be
// wrong is explained. Runs ASSAY_BIN/ingest (default build/bin).
#define EACH scratch_make, scratch_remove
#include "ingest/table.h"
#include "tests/release.h"
#include "tests/scratch.h"

#include <csv.h>
#include <sys/resource.h>
#include <time.h>

static char out[65536]; // what the program printed
static struct table t;
static struct err err;

#define INI                                                                                        \
    "[input]\ntime_format = %Y-%m-%d %H:%M:%S\nmax_reject_rate = 0.5\n[columns]\n"                 \
    "id = ID, id\ntime = TIME, time\ncustomer = CUSTOMER, key\n"                                   \
    "amount = AMOUNT, number, min=0, max=1000\nchannel = CHANNEL, category, missing=none\n"        \
    "label = FRAUD, label, missing=-1\n"
#define HEADER "ID,TIME,CUSTOMER,IGNORED,AMOUNT,CHANNEL,FRAUD\n"
#define ROW_1  "T-1,2018-04-01 00:00:31,Alice,?,57.16,chip,0\n"
#define ROW_2  "T-2,2018-04-01 00:02:10,Bob,?,1e2,web,1\n"
#define ROW_3  "T-3,2018-04-01 00:02:10,Alice,?,0,,\n"
#define GOOD   HEADER ROW_1 ROW_2 ROW_3

// Run ingest on an input (NULL: none), with further words; the exit status.
static int ingest_with(const char *before, const char *input, const char *words)
{
    if (access(scratch_path("test.ini"), F_OK))
        scratch_text("test.ini", INI);
    return run_command(
        out, sizeof out,
        "%s ${ASSAY_BIN:-build/bin}/ingest --config %s/test.ini --output %s/out/table "
        "--key %s/key %s %s",
        before, scratch, scratch, scratch, input ? input : "", words);
}

static int ingest(const char *csv)
{
    return ingest_with("", scratch_text("in.csv", csv), "");
}

static void open_table(void)
{
    if (table_open(&t, scratch_path("out/table"), &err))
        fail_msg("%s; the program said: %s", err.msg, out);
}

// The table that GOOD gives, whatever wrapped it.
static void assert_good_table(void)
{
    static const char *const texts[] = {"chip", "web", "none"};
    static const int64_t times[] = {1522540831, 1522540930, 1522540930};
    static const double amounts[] = {57.16, 100, 0};
    static const int8_t labels[] = {0, 1, -1};
    static const uint32_t codes[] = {0, 1, 2};
    open_table();
    assert_int_equal(t.rows, 3);
    const uint64_t *id = table_data(&t, "id", COLUMN_ID, &err);
    const uint64_t *customer = table_data(&t, "customer", COLUMN_KEY, &err);
    assert_true(id[0] != id[1] && id[1] != id[2] && id[0] != id[2]);
    assert_true(customer[0] == customer[2] && customer[0] != customer[1]);
    assert_memory_equal(table_data(&t, "label", COLUMN_LABEL, &err), labels, sizeof labels);
    assert_memory_equal(table_data(&t, "time", COLUMN_TIME, &err), times, sizeof times);
    assert_memory_equal(table_data(&t, "amount", COLUMN_NUMBER, &err), amounts, sizeof amounts);
    const struct table_column *channel = &t.columns[table_find(&t, "channel")];
    assert_memory_equal(channel->data, codes, sizeof codes);
    assert_int_equal(channel->dictionary_size, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(channel->dictionary[i], texts[i]);
    table_release(&t);
    assert_file_is(scratch_path("out/rejects.csv"), "line,column,reason,value\n");
}

TEST_CASE(one_table_has_many_csvs_and_a_compressed_pipe)
{
    static const char *const csvs[] = {
        GOOD,
        "\xef\xbb\xbf\"ID\",TIME,CUSTOMER,\"IGN\r\nORED\",AMOUNT,CHANNEL,\"FRAUD\"\r\n"
        "\"T-1\",\"2018-04-01 00:00:31\",Alice,\"a,\"\"b\n\",\"57.16\",chip,\"0\"\r\n\r\n"
        " T-2 ,2018-04-01 00:02:10, Bob,?,1e2,\"web\",1\r\n"
        "T-3,2018-04-01 00:02:10,\"Alice\",?,0,\"\", ",
        HEADER "T-1,2018-04-01 00:00:31,Alice,?,57.16,chip,0,\n"
               "T-2,2018-04-01 00:02:10,Bob,?,1e2,web,1,\n"
               "T-3,2018-04-01 00:02:10,Alice,?,0,,,\n",
        "FRAUD,CHANNEL,AMOUNT,CUSTOMER,TIME,ID\n"
        "0,chip,57.16,Alice,2018-04-01 00:00:31,T-1\n"
        "1,web,100,Bob,2018-04-01 00:02:10,T-2\n"
        ",,0,Alice,2018-04-01 00:02:10,T-3\n"};
    for (size_t i = 0; i < LENGTH(csvs); i++) {
        assert_int_equal(ingest(csvs[i]), 0);
        assert_memory_equal(out, "ingest ", 7);
        assert_good_table();
    }
    assert_int_equal(ingest_with(formatted("gzip <%s |", scratch_text("in.csv", GOOD)), "-", ""),
                     0);
    assert_good_table();
}

TEST_CASE(rows_without_a_time_are_numbered)
{
    scratch_text("in.csv", "A;B\tClass\n1\t\"0\"\nbad\t0\n3\t\"1\"\n");
    const char *ini =
        formatted("[input]\nfile = %s/in.csv\ntime_format = row\ndelimiter = tab\n"
                  "max_reject_rate = 0.5\n[columns]\nx = \"A;B\", number\nlabel = Class, label\n",
                  scratch);
    scratch_text("test.ini", ini);
    assert_int_equal(ingest_with("", NULL, ""), 0);
    open_table();
    const int64_t *time = table_data(&t, "time", COLUMN_TIME, &err);
    assert_true(t.rows == 2 && time[0] == 0 && time[1] == 2); // rejected rows keep their number
    table_release(&t);
}

TEST_CASE(many_blocks_give_every_row_in_order_and_always_the_same_bytes)
{
    enum { ROWS = 60000 };
    static char csv[ROWS * 64];
    char *p = csv + sprintf(csv, HEADER);
    for (int i = 0; i < ROWS; i++)
        p += sprintf(p, "%d,2018-04-01 00:00:00,%d,\"%s\",%d.%02d,c%d,%d\n", i, i % 7,
                     i % 100 ? "x" : "\n", i % 1000, i % 100, i % 10, i % 2);
    assert_int_equal(ingest(csv), 0);
    open_table();
    assert_int_equal(t.rows, ROWS);
    const double *amount = table_data(&t, "amount", COLUMN_NUMBER, &err);
    const uint32_t *channel = table_data(&t, "channel", COLUMN_CATEGORY, &err);
    for (int i = 0; i < ROWS; i++)
        assert_true(amount[i] == (i % 1000 * 100 + i % 100) / 100.0 && (int)channel[i] == i % 10);
    table_release(&t);
    assert_int_equal(run_command(out, sizeof out, "mv %s/out %s/first", scratch, scratch), 0);
    assert_int_equal(ingest(csv), 0);
    assert_int_equal(run_command(out, sizeof out, "diff -r %s/out %s/first", scratch, scratch), 0);
}

TEST_CASE(each_bad_row_is_kept_with_its_line_and_reason)
{
    assert_int_equal(ingest(GOOD ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1
                            "T,2018-04-01 00:00:31,Al,\"\n\",\"12,50\",web,0\n"
                            "T,2018-04-01 00:00:31,Al,?,-0.01,web,0\n"
                            "T,2018-04-01 00:00:31,Al,?,1000.01,web,0\n"
                            "T,2018-02-30 00:00:31,Al,?,1,web,0\n"
                            "T,2018-04-01 00:00:31,Al,?,1,web,2\n"
                            "T,2018-04-01 00:00:31,Al,?,1,\"\xff\"\"w\",0\n"
                            "T,2018-04-01 00:00:31,Al,?,,web,0\n"
                            "T,2018-04-01 00:00:31,,?,1,web,0\n"
                            ",,Al,?,1,\xff,0\n"
                            "T,2018-04-01 00:00:31,Al,?,1,web\n"),
                     0);
    assert_contains(out, "in.csv: 10 of 21 rows (47.6 %) break the schema, allowed are 50 %; most");
    assert_file_is(scratch_path("out/rejects.csv"),
                   "line,column,reason,value\n"
                   "13,amount,\"not a number\",\"12,50\"\n"
                   "15,amount,\"below 0\",\"-0.01\"\n"
                   "16,amount,\"above 1000\",\"1000.01\"\n"
                   "17,time,\"not a time of the form %Y-%m-%d %H:%M:%S\",\"2018-02-30 00:00:31\"\n"
                   "18,label,\"neither 0 nor 1\",\"2\"\n"
                   "19,channel,\"not UTF-8\",\"\xff\"\"w\"\n"
                   "20,amount,\"missing\",\"\"\n"
                   "21,customer,\"missing\",\n"
                   "22,id,\"missing\",\n22,time,\"missing\",\"\"\n"
                   "22,channel,\"not UTF-8\",\"\xff\"\n"
                   "23,,\"6 fields where the header has 7\",\n"
                   "5,id,\"repeated\",\n6,id,\"repeated\",\n7,id,\"repeated\",\n"
                   "8,id,\"repeated\",\n9,id,\"repeated\",\n10,id,\"repeated\",\n"
                   "11,id,\"repeated\",\n12,id,\"repeated\",\n");
}

TEST_CASE(the_most_frequent_fault_and_a_wrong_header_say_what_to_write)
{
    static const char *const cases[][3] = {
        {"", "X,L,C\n\"12,50\",0,c\n\"1,5\",0,c\n1,no,c\n",
         ": x: not a number: \"12,50\"; write na, decimal or thousands in [input]"},
        {"", "X,L,C\n\"$ 1,504.00\",0,c\n",
         ": \"$ 1,504.00\"; write na, decimal or thousands in [input], or strip=$ at the"},
        {"", "X,L,C\nNA,0,c\n", "no row is left: 1 of 1 rows (100 %)|: \"NA\"; write na,"},
        {"", "X,L,C\n1,yes,c\n", "l: neither 0 nor 1: \"yes\"; write positive=VALUE at the column"},
        {"", "X,L,C\n,0,c\n", "x: missing; write missing=median at the column"},
        {"", "X,L,C\n1,0,\xe9\n", "c: not UTF-8: |; write encoding = windows-1252 in [input]"},
        {"", "X,L,C\n1,0,\"c\n", "line 2: a quote that is not closed; all are in"},
        {"", "X;L;C\n",
         "no column has the header 'X'|; write delimiter = semicolon, tab or | in [input]"},
        {"", "X,X,L,C\n", "more than one column has the header 'X'|; write #2 for the last one"},
        {"header = none\n", "1,0,c\n", "no column has the header 'X'|none they are #1, #2"},
        {"positive", "X,L,C\n1,nein,c\n1,ja,c\n1,nein,c\n",
         "no row has positive=Ja in column l; its values are nein, ja\n"},
        {"encoding = ascii\n", "X,L,C\n1,0,c\n1,0,\xe9\n1,0,d\n",
         "1 of 3 rows|first in line 3: c: not ascii: |; write encoding = windows-1252 in [input]"},
        {"", "X,L,C\n1,0,c,\n1,0,c\n1,0,c,\n", "line 3: 3 fields where the first row has 4"},
        {"", "X,\"L,C\n", "in.csv:1: the first row has a fault: a quote that is not closed"}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const bool warns = strcmp(cases[i][0], "positive") == 0;
        const char *ini = formatted("[input]\ntime_format = row\n%s[columns]\nx = X, number\n"
                                    "l = L, label%s\nc = C, category\n",
                                    warns ? "" : cases[i][0], warns ? ", positive=Ja" : "");
        scratch_text("test.ini", ini);
        assert_int_equal(ingest(cases[i][1]), !warns);
        assert_parts(out, cases[i][2]);
    }
}

static unsigned draw(unsigned n)
{
    static uint64_t s = 1;
    s = s * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(s >> 33) % n;
}

// Cents with separators, and a dollar or percent sign, as a dialect has it.
static void print_amount(char *to, int cents, const char *const *mark, unsigned sign)
{
    char digits[16];
    const int n = sprintf(digits, "%d", abs(cents) / 100);
    to += sprintf(to, "%s%s", cents < 0 ? "-" : "", sign == 1 ? "$ " : "");
    for (int i = 0; i < n; i++)
        to += sprintf(to, "%s%c", i > 0 && (n - i) % 3 == 0 ? mark[2] : "", digits[i]);
    sprintf(to, "%s%02d%s", mark[0], abs(cents) % 100, sign == 2 ? " %" : "");
}

TEST_CASE(values_in_any_dialect_come_back)
{
    enum { ROWS = 60, HOURS = 5 };
    static const char *const marks[][3] = {{".", "comma", ""},
                                           {".", "comma", ","},
                                           {",", ".", "."},
                                           {",", "space", "\u00a0"},
                                           {".", "'", "'"}};
    static const char *const delimiters[][2] = {
        {",", ","}, {";", "semicolon"}, {"\t", "tab"}, {"|", "|"}};
    static const char *const encodings[][2] = {
        {"UTF-8", "UTF-8"}, {"CP1252", "windows-1252"}, {"UTF-16", "UTF-8"}};
    static const char *const formats[][2] = {{"%Y-%m-%d %H:%M:%S", "%F %T"},
                                             {"%m/%d/%y %I:%M:%S %p", "%-m/%-d/%y %-I:%M:%S %p"},
                                             {"%d-%b-%Y %H.%M.%S", "%-d-%b-%Y %-H.%M.%S"},
                                             {"%b %d, %Y %H:%M:%S%z", "%B %-d, %Y %T+01"},
                                             {"epoch_ms", "%s123"},
                                             {"epoch\nunit = 1h", ""}};
    static const char *const texts[] = {"caf\u00e9 \u20ac", "a\"b", "NA", "two\nlines", "?"},
                             *const labels[] = {"Oui", "1", "ja", "no"};
    setenv("TZ", "UTC", 1);
    for (int round = 0; round < 60; round++) {
        const unsigned f = (unsigned)round % 6, sign = draw(3);
        const char *const *mark = marks[draw(5)], *const *delimiter = delimiters[draw(4)],
                          *const *encoding = encodings[draw(3)];
        char ini[1024], csv[ROWS * 128] = "left \"out\n", field[4][64], *p = strchr(csv, 0);
        time_t times[ROWS];
        int cents[ROWS];
        unsigned text[ROWS];
        for (int r = 0; r < ROWS; r++) {
            times[r] = draw(500000) * 3600 + (f == HOURS ? 0 : draw(3600));
            cents[r] = (int)draw(1u << 30) - (1 << 28);
            text[r] = draw(5);
            const time_t local = times[r] + (f < 4 ? 3600 : 0);
            if (!strftime(field[0], 64, formats[f][1], gmtime(&local)))
                sprintf(field[0], "%d", (int)(local / 3600));
            print_amount(field[1], cents[r], mark, sign);
            if (text[r] == 0)
                sprintf(field[1], "?");
            sprintf(field[2], "%s", labels[r % 4]);
            sprintf(field[3], "%s", texts[text[r]]);
            for (int i = 0; i < 4; i++) {
                if (strpbrk(field[i], "\"\n") || strstr(field[i], delimiter[0]) || draw(2))
                    p += csv_write(p, 256, field[i], strlen(field[i]));
                else
                    p += sprintf(p, "%s", field[i]);
                p += sprintf(p, "%s", i < 3 ? delimiter[0] : round % 2 ? "\r\n" : "\n");
            }
        }
        scratch_text("utf8.csv", csv);
        snprintf(
            ini, sizeof ini,
            "[input]\nutc_offset = +01:00\ntime_format = %s\ndecimal = %s\nthousands = "
            "%s\ndelimiter = %s\nencoding = %s\nna = NA, ?\nskip = 1\nheader = none\n[columns]\n"
            "time = #1, time\nx = #2, number, missing=mean, strip=$%%\nlabel = #3, label, "
            "positive=ja|Oui\nc = #4, category, missing=none\ny = #4, key\n",
            formats[f][0], *mark[0] == '.' ? "." : "comma", mark[1], delimiter[1], encoding[1]);
        scratch_text("test.ini", ini);
        if (run_command(out, sizeof out, "cd %s; iconv -f UTF-8 -t %s utf8.csv >in.csv", scratch,
                        encoding[0]) ||
            ingest_with("", scratch_path("in.csv"), ""))
            fail_msg("%s\n%s", out, ini);
        open_table();
        assert_int_equal(t.rows, ROWS);
        for (int r = 0; r < ROWS; r++) {
            assert_int_equal(((const int64_t *)t.columns[0].data)[r], times[r]);
            const double x = ((const double *)t.columns[1].data)[r];
            assert_true(text[r] == 0 ? x != x : x == cents[r] / 100.0);
            assert_int_equal(((const int8_t *)t.columns[2].data)[r], r % 2 == 0);
            assert_string_equal(t.columns[3].dictionary[((const uint32_t *)t.columns[3].data)[r]],
                                text[r] == 2 || text[r] == 4 ? "none" : texts[text[r]]);
        }
        table_release(&t);
    }
}

// Twice as many rows are repeated as are not, more than max_reject_rate.
TEST_CASE(of_rows_with_one_id_the_first_is_taken_and_the_others_are_counted_apart)
{
    enum { ROWS = 40000 };
    static char csv[3 * ROWS * 48];
    for (int repeated = 1; repeated >= 0; repeated--) {
        char *p = csv + sprintf(csv, HEADER);
        for (int i = 0; i < (repeated ? 3 : 1) * ROWS; i++)
            p += sprintf(p, "%d,2018-04-01 00:00:00,%d,,%d,c%d,1\n", i % ROWS, i / ROWS, i % 1000,
                         i % 10);
        assert_int_equal(ingest(csv), 0);
        if (repeated) {
            assert_contains(out, "ingest: 80000 with the id of an earlier row left out; see ");
            assert_int_equal(run_command(out, sizeof out,
                                         "cd %s; mv out first; sed -n '2p;$p' first/rejects.csv; "
                                         "wc -l <first/rejects.csv; grep repeated first/table/m*",
                                         scratch),
                             0);
            assert_string_equal(out, "40002,id,\"repeated\",\n120001,id,\"repeated\",\n80001\n"
                                     "  \"repeated\": 80000\n");
        }
    }
    assert_int_equal(run_command(out, sizeof out,
                                 "cd %s/out/table; for f in *.npy; do cmp $f ../../first/table/$f "
                                 "|| exit 1; done",
                                 scratch),
                     0);
}

TEST_CASE(memory_does_not_grow_with_the_rows_and_their_ids)
{
    long peak[2];
    scratch_text("test.ini", "[input]\ntime_format = row\n[columns]\nid = ID, id\n");
    for (int i = 0; i < 2; i++) {
        struct rusage used;
        assert_int_equal(ingest_with(i ? "(echo ID; seq 1000000; seq 1000000) |"
                                       : "(echo ID; seq 50000; seq 50000) |",
                                     "-", ""),
                         0);
        assert_contains(out, i ? " 1000000 with the id" : " 50000 with the id");
        assert_int_equal(getrusage(RUSAGE_CHILDREN, &used), 0);
        peak[i] = used.ru_maxrss; // KB, of the largest child so far
    }
    if (peak[1] > peak[0] + 12 * 1024)
        fail_msg("%ld KB for 100,000 rows, %ld KB for 2,000,000", peak[0], peak[1]);
}

TEST_CASE(rejects_are_private_and_counted_in_the_manifest)
{
    struct stat st;
    char words[600];
    snprintf(words, sizeof words, "--rejects %s/elsewhere/bad.csv", scratch);
    const char *in = scratch_text("in.csv", GOOD "T-4,\"bad\",Carol,?,1,web,0\r\n");
    assert_int_equal(ingest_with("", in, words), 0);
    assert_file_is(scratch_path("elsewhere/bad.csv"),
                   "line,column,reason,value\n"
                   "5,time,\"not a time of the form %Y-%m-%d %H:%M:%S\",\"bad\"\n");
    assert_int_equal(stat(scratch_path("elsewhere/bad.csv"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(access(scratch_path("out/rejects.csv"), F_OK), -1);
    char *manifest = scratch_read(scratch_path("out/table/manifest.json"), NULL);
    snprintf(words, sizeof words, "\"input_bytes\": %zu,", strlen(GOOD) + 27);
    assert_contains(manifest, in);
    assert_contains(manifest, words);
    assert_contains(manifest, "\"rejected\": 1");
    free(manifest);
}

TEST_CASE(too_many_bad_rows_leave_the_old_table)
{
    assert_int_equal(ingest(GOOD), 0);
    assert_int_equal(ingest(HEADER ROW_1 "T,2018-04-01 00:00:31,Al,?,x,web,0\n"
                                         "T,2018-04-01 00:00:31,Al,?,y,web,0\n"),
                     1);
    assert_contains(out,
                    "in.csv: 2 of 3 rows (66.7 %) break the schema, allowed are 50 %; most "
                    "often, in 2 rows, first in line 3: amount: not a number: \"x\"; write na, "
                    "decimal or thousands in [input], or strip=$ at the column; all are in ");
    scratch_text("out/rejects.csv", "line,column,reason,value\n");
    assert_good_table();
    assert_int_equal(scratch_count(scratch_path("out")), 2);
}

TEST_CASE(nothing_of_a_rejected_row_and_no_raw_identifier_is_in_an_artifact)
{
    assert_int_equal(ingest(HEADER "Secret,2018-04-01 00:00:31,Secret,?,57.16,chip,0\n" ROW_1
                                   "Secret,2018-04-01 00:00:31,Secret,?,x,Secret,0\n"
                                   "Secret,2018-04-01 00:00:31,Secret,?,1,chip\n"),
                     0);
    assert_int_equal(
        run_command(out, sizeof out, "grep -ra Secret %s/out %s/key", scratch, scratch), 1);
    assert_int_equal(run_command(out, sizeof out, "grep -rac chip %s/out/table", scratch), 0);
}

TEST_CASE(a_file_that_cannot_be_taken_is_explained_and_leaves_nothing)
{
    static const char *const cases[][2] = {
        {"", "in.csv: it is empty: not even a header"},
        {HEADER, "in.csv: no rows after the header"},
        {"ID,TIME,CUSTOMMER,AMOUNT,CHANNEL,FRAUD\n",
         "in.csv:1: no column has the header 'CUSTOMER' that [columns] customer names in "},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(ingest(cases[i][0]), 1);
        assert_contains(out, cases[i][1]);
        assert_true(i < 2 || strstr(out, "test.ini:7, did you"));
        assert_int_equal(scratch_count(scratch_path("out")), 0);
    }
}

TEST_CASE(a_category_with_too_many_values_is_a_key)
{
    enum { VALUES = 65537 };
    static char csv[VALUES * 8];
    char *p = csv + sprintf(csv, "C\n");
    for (int i = 0; i < VALUES; i++)
        p += sprintf(p, "%d\n", i);
    scratch_text("test.ini", "[input]\ntime_format = row\n[columns]\nc = C, category\n");
    assert_int_equal(ingest(csv), 1);
    assert_contains(out, "in.csv:65538: c: more than 65536 different values; is it a key?");
}

TESTS(NULL, NULL)
