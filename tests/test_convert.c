// ingest, the program: CSVs of every shape to a table, each way a row or a file can be wrong, and what
// stands afterwards. Runs ASSAY_BIN/ingest (default build/bin).
#include "ingest/table.h"
#include "tests/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <zlib.h>

static char out[65536]; // what the program printed

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

static const char *bin(void)
{
    const char *dir = getenv("ASSAY_BIN");
    return dir ? dir : "build/bin";
}

// Run ingest on an input (NULL: none), with further words; the exit status.
static int ingest_with(const char *before, const char *input, const char *words)
{
    if (access(scratch_path("test.ini"), F_OK))
        scratch_text("test.ini", INI);
    return run_command(out, sizeof out,
                       "%s %s/ingest --config %s/test.ini --output %s/out/table --key %s/key %s %s",
                       before, bin(), scratch, scratch, scratch, input ? input : "", words);
}

static int ingest(const char *csv)
{
    return ingest_with("", scratch_text("in.csv", csv), "");
}

static void open_table(struct table *t)
{
    struct err err;
    if (table_open(t, scratch_path("out/table"), &err))
        fail_msg("%s; the program said: %s", err.msg, out);
}

// The table that GOOD gives, whatever wrapped it.
static void assert_good_table(void)
{
    struct table t;
    struct err err = {""};
    open_table(&t);
    assert_int_equal(t.rows, 3);
    const uint64_t *id = table_data(&t, "id", COLUMN_ID, &err);
    const uint64_t *customer = table_data(&t, "customer", COLUMN_KEY, &err);
    const int64_t *time = table_data(&t, "time", COLUMN_TIME, &err);
    const double *amount = table_data(&t, "amount", COLUMN_NUMBER, &err);
    const uint32_t *channel = table_data(&t, "channel", COLUMN_CATEGORY, &err);
    const int8_t *label = table_data(&t, "label", COLUMN_LABEL, &err);
    if (!id || !customer || !time || !amount || !channel || !label) {
        fail_msg("%s", err.msg);
        return;
    }
    assert_true(id[0] != id[1] && id[1] != id[2] && id[0] != id[2]);
    assert_true(customer[0] == customer[2] && customer[0] != customer[1]);
    assert_true(time[0] == 1522540831 && time[1] == 1522540930 && time[2] == time[1]);
    assert_true(amount[0] == 57.16 && amount[1] == 100 && amount[2] == 0);
    assert_true(channel[0] == 0 && channel[1] == 1 && channel[2] == 2);
    const struct table_column *c = &t.columns[table_find(&t, "channel")];
    assert_int_equal(c->dictionary_size, 3);
    assert_string_equal(c->dictionary[0], "chip");
    assert_string_equal(c->dictionary[1], "web");
    assert_string_equal(c->dictionary[2], "none");
    assert_true(label[0] == 0 && label[1] == 1 && label[2] == -1);
    table_release(&t);
    assert_file_is(scratch_path("out/rejects.csv"), "line,column,reason,value\n");
}

// ---- what is taken --------------------------------------------------------------------------------

static void a_csv_becomes_a_table(void **state)
{
    (void)state;
    assert_int_equal(ingest(GOOD), 0);
    assert_memory_equal(out, "ingest ", 7);
    assert_good_table();
}

static void crlf_quotes_and_a_byte_order_mark_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(
        ingest("\xef\xbb\xbf\"ID\",TIME,CUSTOMER,\"IGN\r\nORED\",AMOUNT,CHANNEL,\"FRAUD\"\r\n"
               "\"T-1\",\"2018-04-01 00:00:31\",Alice,\"a,\"\"b\n\",\"57.16\",chip,\"0\"\r\n\r\n"
               " T-2 ,2018-04-01 00:02:10, Bob,?,1e2,\"web\",1\r\n"
               "T-3,2018-04-01 00:02:10,\"Alice\",?,0,\"\", "),
        0);
    assert_good_table();
}

static void columns_may_stand_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(ingest("FRAUD,CHANNEL,AMOUNT,CUSTOMER,TIME,ID\n"
                            "0,chip,57.16,Alice,2018-04-01 00:00:31,T-1\n"
                            "1,web,100,Bob,2018-04-01 00:02:10,T-2\n"
                            ",,0,Alice,2018-04-01 00:02:10,T-3\n"),
                     0);
    assert_good_table();
}

static void gzip_and_pipes_are_read(void **state)
{
    (void)state;
    scratch_text("in.csv", GOOD);
    gzFile gz = gzopen(scratch_path("in.gz"), "wb");
    assert_int_equal(gzputs(gz, GOOD), strlen(GOOD));
    assert_int_equal(gzclose(gz), Z_OK);
    assert_int_equal(ingest_with("", scratch_path("in.gz"), ""), 0);
    assert_good_table();
    char cat[1024];
    snprintf(cat, sizeof cat, "cat %s/in.csv | ", scratch);
    assert_int_equal(ingest_with(cat, "-", ""), 0);
    assert_good_table();
    snprintf(cat, sizeof cat, "mkfifo %s/fifo; cat %s/in.csv > %s/fifo & ", scratch, scratch,
             scratch);
    assert_int_equal(ingest_with(cat, scratch_path("fifo"), ""), 0);
    assert_good_table();
}

static void the_file_may_stand_in_the_description(void **state)
{
    (void)state;
    char ini[2048];
    scratch_text("in.csv", "a;b\n1;x\n");
    snprintf(ini, sizeof ini,
             "[input]\nfile = %s/in.csv\ntime_format = row\ndelimiter = tab\n"
             "[columns]\na = \"a;b\", category\n",
             scratch);
    scratch_text("test.ini", ini);
    assert_int_equal(ingest_with("", NULL, ""), 0);
}

static void rows_without_a_time_are_numbered(void **state)
{
    (void)state;
    struct table t;
    struct err err;
    scratch_text("test.ini", "[input]\ntime_format = row\nmax_reject_rate = 0.5\n"
                             "[columns]\namount = Amount, number\nlabel = Class, label\n");
    assert_int_equal(ingest("Amount,Class\n1,\"0\"\nbad,0\n3,\"1\"\n"), 0);
    open_table(&t);
    const int64_t *time = table_data(&t, "time", COLUMN_TIME, &err);
    assert_true(t.rows == 2 && time[0] == 0 && time[1] == 2); // rejected rows keep their number
    assert_int_equal(table_find_kind(&t, COLUMN_ID), -1);
    table_release(&t);
}

static void many_blocks_give_every_row_in_order(void **state)
{
    (void)state;
    enum { ROWS = 60000 };
    char *csv = malloc(ROWS * 64), *p = csv;
    struct table t;
    struct err err;
    assert_non_null(csv);
    p += sprintf(p, "ID,TIME,CUSTOMER,IGNORED,AMOUNT,CHANNEL,FRAUD\n");
    for (int i = 0; i < ROWS; i++)
        p += sprintf(p, "%d,2018-04-01 00:00:00,%d,\"%s\",%d.%02d,c%d,%d\n", i, i % 7,
                     i % 100 ? "x" : "\n", i % 1000, i % 100, i % 10, i % 2);
    assert_int_equal(ingest(csv), 0);
    free(csv);
    open_table(&t);
    assert_int_equal(t.rows, ROWS);
    const double *amount = table_data(&t, "amount", COLUMN_NUMBER, &err);
    const uint32_t *channel = table_data(&t, "channel", COLUMN_CATEGORY, &err);
    for (int i = 0; i < ROWS; i++)
        assert_true(amount[i] == (i % 1000 * 100 + i % 100) / 100.0 && (int)channel[i] == i % 10);
    table_release(&t);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    assert_int_equal(ingest(GOOD), 0);
    assert_int_equal(run_command(out, sizeof out, "mv %s/out %s/first", scratch, scratch), 0);
    assert_int_equal(ingest(GOOD), 0);
    assert_int_equal(run_command(out, sizeof out, "diff -r %s/out %s/first", scratch, scratch), 0);
}

static void the_manifest_says_where_the_table_came_from(void **state)
{
    (void)state;
    struct table t;
    struct schema s;
    struct err err = {""};
    assert_int_equal(ingest(GOOD "T-4,bad,Carol,?,1,web,0\n"), 0);
    open_table(&t);
    const json_t *p = t.provenance;
    assert_string_equal(json_string_value(json_object_get(p, "input")), scratch_path("in.csv"));
    assert_int_equal(json_integer_value(json_object_get(p, "input_bytes")), strlen(GOOD) + 24);
    assert_int_equal(strlen(json_string_value(json_object_get(p, "input_xxh3"))), 16);
    assert_int_equal(strlen(json_string_value(json_object_get(p, "config_xxh3"))), 16);
    assert_memory_equal(json_string_value(json_object_get(p, "program")), "assay ", 6);
    assert_int_equal(json_integer_value(json_object_get(p, "rejected")), 1);
    if (schema_from_json(&s, json_object_get(p, "schema"), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(s.n, 6);
    schema_release(&s);
    table_release(&t);
}

// ---- rows that break the schema -------------------------------------------------------------------

static void each_bad_row_is_kept_with_its_line_and_reason(void **state)
{
    (void)state;
    assert_int_equal(ingest(GOOD ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1
                            "T,2018-04-01 00:00:31,Al,\"\n\",\"12,50\",web,0\n"
                            "T,2018-04-01 00:00:31,Al,?,-0.01,web,0\n"
                            "T,2018-04-01 00:00:31,Al,?,1000.01,web,0\n"
                            "T,2018-02-30 00:00:31,Al,?,1,web,0\n"
                            "T,2018-04-01 00:00:31,Al,?,1,web,2\n"
                            "T,2018-04-01 00:00:31,Al,?,1,\"\xff\"\"w\",0\n"
                            "T,2018-04-01 00:00:31,Al,?,,web,0\n"
                            "T,2018-04-01 00:00:31,,?,1,web,0\n"
                            ",2018-04-01 00:00:31,Al,?,1,web,0\n"
                            "T,2018-04-01 00:00:31,Al,?,1,web\n"
                            "T,2018-04-01 00:00:31,Al,?,1,web,0,\n"),
                     0);
    assert_contains(out, "11 rows break the schema");
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
                   "22,id,\"missing\",\n"
                   "23,,\"6 fields where the header has 7\",\n"
                   "24,,\"8 fields where the header has 7\",\n");
}

static void raw_rows_are_kept_only_on_demand(void **state)
{
    (void)state;
    const char *in = scratch_text("in.csv", GOOD "T-4,\"bad\",Carol,?,1,web,0\r\n");
    assert_int_equal(ingest_with("", in, "--keep-raw-rejects"), 0);
    assert_file_is(scratch_path("out/rejects.csv"),
                   "line,column,reason,value,row\n"
                   "5,time,\"not a time of the form %Y-%m-%d %H:%M:%S\",\"bad\","
                   "\"T-4,\"\"bad\"\",Carol,?,1,web,0\r\n\"\n");
}

static void rejects_are_for_the_owner_alone_and_where_one_wants_them(void **state)
{
    (void)state;
    struct stat st;
    char words[600];
    snprintf(words, sizeof words, "--rejects %s/elsewhere/bad.csv", scratch);
    assert_int_equal(ingest_with("", scratch_text("in.csv", GOOD), words), 0);
    assert_int_equal(stat(scratch_path("elsewhere/bad.csv"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(access(scratch_path("out/rejects.csv"), F_OK), -1);
}

static void too_many_bad_rows_leave_the_old_table(void **state)
{
    (void)state;
    assert_int_equal(ingest(GOOD), 0);
    assert_int_equal(ingest(HEADER ROW_1 "T,2018-04-01 00:00:31,Al,?,x,web,0\n"
                                         "T,2018-04-01 00:00:31,Al,?,y,web,0\n"),
                     1);
    assert_contains(out, "in.csv: 2 of 3 rows (66.7 %) break the schema, allowed are 50 %; the "
                         "first: line 3: amount: not a number; all are in ");
    assert_contains(out, "out/rejects.csv");
    assert_file_is(scratch_path("out/rejects.csv"),
                   "line,column,reason,value\n3,amount,\"not a number\",\"x\"\n"
                   "4,amount,\"not a number\",\"y\"\n");
    unlink(scratch_path("out/rejects.csv"));
    scratch_text("out/rejects.csv", "line,column,reason,value\n");
    assert_good_table();
    assert_int_equal(scratch_count(scratch_path("out")), 2);
}

static void a_category_of_a_rejected_row_gets_no_code(void **state)
{
    (void)state;
    struct table t;
    assert_int_equal(ingest(HEADER "T,2018-04-01 00:00:31,Al,?,1,seen,x\n" ROW_1 ROW_2), 0);
    open_table(&t);
    const struct table_column *c = &t.columns[table_find(&t, "channel")];
    assert_int_equal(c->dictionary_size, 2);
    assert_string_equal(c->dictionary[0], "chip");
    table_release(&t);
}

static void raw_identifiers_are_in_no_artifact(void **state)
{
    (void)state;
    char command[600];
    assert_int_equal(ingest(HEADER "Secret-1,2018-04-01 00:00:31,Secret-2,?,57.16,chip,0\n" ROW_1
                                   "Secret-3,2018-04-01 00:00:31,Secret-4,?,x,chip,0\n"
                                   "Secret-5,2018-04-01 00:00:31,Secret-6,?,1,chip\n"),
                     0);
    unlink(scratch_path("in.csv"));
    snprintf(command, sizeof command, "grep -ra Secret %s", scratch);
    assert_int_equal(run_command(out, sizeof out, "%s", command), 1);
    assert_int_equal(run_command(out, sizeof out, "grep -rac chip %s/out/table", scratch), 0);
}

// ---- files that cannot be taken -------------------------------------------------------------------

static void assert_fails(const char *csv, const char *message)
{
    assert_int_equal(ingest(csv), 1);
    assert_contains(out, message);
    assert_int_equal(access(scratch_path("out/table"), F_OK), -1);
    if (access(scratch_path("out"), F_OK) == 0)
        assert_int_equal(scratch_count(scratch_path("out")), 0);
}

static void files_without_rows_are_errors(void **state)
{
    (void)state;
    assert_fails("", "in.csv: it is empty: not even a header");
    assert_fails("\n\n", "in.csv: it is empty: not even a header");
    assert_fails(HEADER, "in.csv: no rows after the header");
}

static void a_header_that_does_not_fit_is_explained(void **state)
{
    (void)state;
    assert_fails("ID,TIME,CUSTOMMER,AMOUNT,CHANNEL,FRAUD\n",
                 "in.csv:1: no column has the header 'CUSTOMER' that [columns] customer "
                 "names, did you mean 'CUSTOMMER'?");
    assert_fails("ID,TIME,CUSTOMER,AMOUNT,CHANNEL,FRAUD,AMOUNT\n",
                 "in.csv:1: 2 columns have the header 'AMOUNT'");
}

static void damage_is_named_with_its_line(void **state)
{
    (void)state;
    assert_fails(GOOD "\"T-4,2018", "in.csv:5: a quote is not closed");
    assert_fails(GOOD "T\"-4,2018\n", "in.csv:5:2: a quote inside an unquoted field");
}

static void a_truncated_gzip_is_an_error(void **state)
{
    (void)state;
    gzFile gz = gzopen(scratch_path("in.gz"), "wb");
    assert_int_equal(gzputs(gz, GOOD), strlen(GOOD));
    assert_int_equal(gzclose(gz), Z_OK);
    assert_int_equal(truncate(scratch_path("in.gz"), 60), 0);
    assert_int_equal(ingest_with("", scratch_path("in.gz"), ""), 1);
    assert_contains(out, "in.gz: the compressed data ends early: the file is truncated");
}

static void a_missing_file_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(ingest_with("", scratch_path("none.csv"), ""), 1);
    assert_contains(out, "none.csv: cannot open: No such file or directory");
    assert_int_equal(ingest_with("", NULL, ""), 1);
    assert_contains(out, "test.ini: [input] file is missing, and no INPUT is given");
}

static void a_description_with_a_mistake_is_explained(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[input]\ndelimeter = ;\n",
         "test.ini:2: unknown key 'delimeter' in [input], did you mean"},
        {"[input]\ndelimiter = ab\n", "test.ini:2:13: [input] delimiter: 'ab' is neither one"},
        {"[input]\nmax_reject_rate = 2\n", "2 is not within 0 .. 1"},
        {"[colums]\na = A, id\n", "unknown section [colums], did you mean 'columns'?"},
        {"[input]\nfile = x\n", "time_format is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_text("test.ini", cases[i][0]);
        assert_int_equal(ingest(GOOD), 1);
        assert_contains(out, cases[i][1]);
    }
}

static void a_wrong_flag_is_a_usage_error(void **state)
{
    (void)state;
    assert_int_equal(ingest_with("", NULL, "--outptu x"), 2);
    assert_contains(out, "unknown option --outptu, did you mean 'output'?");
    assert_int_equal(ingest_with("", "a.csv b.csv", ""), 2);
    assert_int_equal(ingest_with("", NULL, "--help"), 0);
    assert_contains(out, "--keep-raw-rejects");
}

static void a_full_disk_leaves_the_old_table_and_nothing_else(void **state)
{
    (void)state;
    enum { ROWS = 60000 };
    char *csv = malloc(ROWS * 64 + 64), *p = csv;
    assert_non_null(csv);
    assert_int_equal(ingest(GOOD), 0);
    p += sprintf(p, HEADER);
    for (int i = 0; i < ROWS; i++)
        p += sprintf(p, "%d,2018-04-01 00:00:00,%d,?,1,c,0\n", i, i);
    scratch_text("in.csv", csv);
    free(csv);
    // A file may have 100 KB: writes beyond fail, as on a full disk (with SIGXFSZ ignored).
    assert_int_equal(ingest_with("trap '' XFSZ; ulimit -f 200;", scratch_path("in.csv"), ""), 1);
    assert_contains(out, "out/table: cannot write");
    assert_int_equal(scratch_count(scratch_path("out")), 2);
    assert_good_table();
}

static void a_second_ingest_into_the_same_table_is_refused(void **state)
{
    (void)state;
    struct output_dir d;
    struct err err;
    assert_int_equal(output_dir_open(&d, scratch_path("out/table"), NULL, &err), 0);
    assert_int_equal(ingest(GOOD), 1);
    assert_contains(out, "out/table: another program is writing it now");
    output_dir_release(&d);
    assert_int_equal(ingest(GOOD), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_csv_becomes_a_table),
        scratch_test(crlf_quotes_and_a_byte_order_mark_change_nothing),
        scratch_test(columns_may_stand_in_any_order),
        scratch_test(gzip_and_pipes_are_read),
        scratch_test(the_file_may_stand_in_the_description),
        scratch_test(rows_without_a_time_are_numbered),
        scratch_test(many_blocks_give_every_row_in_order),
        scratch_test(the_same_input_gives_the_same_bytes),
        scratch_test(the_manifest_says_where_the_table_came_from),
        scratch_test(each_bad_row_is_kept_with_its_line_and_reason),
        scratch_test(raw_rows_are_kept_only_on_demand),
        scratch_test(rejects_are_for_the_owner_alone_and_where_one_wants_them),
        scratch_test(too_many_bad_rows_leave_the_old_table),
        scratch_test(a_category_of_a_rejected_row_gets_no_code),
        scratch_test(raw_identifiers_are_in_no_artifact),
        scratch_test(files_without_rows_are_errors),
        scratch_test(a_header_that_does_not_fit_is_explained),
        scratch_test(damage_is_named_with_its_line),
        scratch_test(a_truncated_gzip_is_an_error),
        scratch_test(a_missing_file_is_an_error),
        scratch_test(a_description_with_a_mistake_is_explained),
        scratch_test(a_wrong_flag_is_a_usage_error),
        scratch_test(a_full_disk_leaves_the_old_table_and_nothing_else),
        scratch_test(a_second_ingest_into_the_same_table_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
