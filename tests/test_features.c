// The program features, after ingest, on the committed sample: the Handbook's fifteen features by
// their definitions in the book, the same bytes however they are computed, and what goes wrong.
//
// Runs ASSAY_BIN/ingest and ASSAY_BIN/features (default build/bin) in the root of the project.
#include "features/snapshot.h"
#include "ingest/table.h"
#include "tests/support.h"

#include <math.h>

// ---- programs and files ----

static char out[8192]; // what the last program printed

static const char *bin(void)
{
    const char *dir = getenv("ASSAY_BIN");
    return dir && *dir ? dir : "build/bin";
}

static int ingest(const char *options, const char *table, const char *input)
{
    return run_command(out, sizeof out, "%s/ingest --key %s/key --output %s/%s %s %s", bin(),
                       scratch, scratch, table, options, input);
}

static int features(const char *options, const char *output, const char *table)
{
    return run_command(out, sizeof out, "%s/features --output %s/%s %s %s/%s", bin(), scratch,
                       output, options, scratch, table);
}

#define SAMPLE "--config datasets/sample.ini"

static void ingest_sample(const char *table)
{
    if (ingest(SAMPLE, table, ""))
        fail_msg("%s", out);
}

static void features_of(const char *options, const char *output, const char *table)
{
    if (features(options, output, table))
        fail_msg("%s", out);
}

// All tests have the sample ingested, and its features; they leave both as they are, and keep is
// a copy to see that by.
static int setup(void **state)
{
    if (scratch_make(state))
        return -1;
    ingest_sample("table");
    features_of(SAMPLE, "features", "table");
    return run_command(out, sizeof out, "cp -r %s/features %s/keep", scratch, scratch);
}

static void assert_same_folders(const char *a, const char *b)
{
    if (run_command(out, sizeof out, "cd %s && diff -r %s %s", scratch, a, b))
        fail_msg("%s", out);
}

static void assert_no_temporaries(void)
{
    if (run_command(out, sizeof out, "! find %s -name '*.tmp*' | grep .", scratch))
        fail_msg("%s", out);
}

// Only the columns of features, of two feature tables.
static void assert_same_features(const char *a, const char *b)
{
    struct table x = {0}, y = {0};
    struct err err = {""};
    if (table_open(&x, scratch_path(a), &err) || table_open(&y, scratch_path(b), &err)) {
        fail_msg("%s", err.msg);
        return;
    }
    assert_int_equal(x.n, y.n);
    assert_int_equal(x.rows, y.rows);
    for (size_t c = 0; c < x.n; c++) {
        assert_string_equal(x.columns[c].name, y.columns[c].name);
        if (x.columns[c].kind == COLUMN_FEATURE)
            assert_memory_equal(x.columns[c].data, y.columns[c].data, x.rows * sizeof(float));
    }
    table_release(&x);
    table_release(&y);
}

// ---- the sample, as the CSV says ----

enum { MAX_ROWS = 20000, DAY = 86400 };

static struct transaction {
    long customer, terminal, cents, fraud;
    int64_t second; // since 2018-04-01, a Sunday
} sample[MAX_ROWS];
static size_t n_sample;
static char lines[MAX_ROWS][96];

// Read the number here; what follows the byte behind it.
static const char *take(const char *at, long *number)
{
    size_t n = strspn(at, "0123456789");
    assert_true(n > 0);
    *number = strtol(at, NULL, 10);
    return at + n + 1;
}

static void read_sample(void)
{
    char header[256];
    FILE *f = fopen("datasets/sample.csv", "r");
    assert_non_null(f);
    assert_non_null(fgets(header, sizeof header, f));
    for (n_sample = 0; fgets(lines[n_sample], sizeof lines[0], f); n_sample++) {
        struct transaction *t = &sample[n_sample];
        const char *at = lines[n_sample];
        assert_true(n_sample + 1 < MAX_ROWS);
        long units, cents, second, day;
        at = strchr(strchr(at, ',') + 1, ',') + 1; // id, date
        at = take(take(at, &t->customer), &t->terminal);
        at = take(take(at, &units), &cents); // 12.34
        at = take(take(at, &second), &day);
        take(at, &t->fraud);
        t->cents = 100 * units + cents;
        t->second = second;
    }
    fclose(f);
    assert_true(n_sample > 1000);
}

// ---- the book's features ----

static const int days[] = {1, 7, 30};

// Count and mean amount of the customer in the last days, this transaction included.
static void customer_features(size_t i, float *feature)
{
    for (int d = 0; d < 3; d++) {
        long count = 0, cents = 0;
        for (size_t j = 0; j <= i; j++)
            if (sample[j].customer == sample[i].customer &&
                sample[j].second > sample[i].second - (int64_t)days[d] * DAY) {
                count++;
                cents += sample[j].cents;
            }
        feature[2 * d] = (float)count;
        feature[2 * d + 1] = (float)((double)cents / 100 / (double)count);
    }
}

// As the book computes them: count and frauds of the terminal in the last 7 + d days, less those
// in the last 7; the risk is 0 where nothing is left.
static void terminal_features(size_t i, float *feature)
{
    long last[4] = {0}, frauds[4] = {0};
    static const int reach[4] = {7, 8, 14, 37};
    for (size_t j = 0; j <= i; j++)
        for (int k = 0; k < 4; k++)
            if (sample[j].terminal == sample[i].terminal &&
                sample[j].second > sample[i].second - (int64_t)reach[k] * DAY) {
                last[k]++;
                frauds[k] += sample[j].fraud;
            }
    for (int d = 0; d < 3; d++) {
        long count = last[d + 1] - last[0], fraud = frauds[d + 1] - frauds[0];
        feature[2 * d] = (float)count;
        feature[2 * d + 1] = count ? (float)((double)fraud / (double)count) : 0;
    }
}

static const char *const fifteen[] = {
    "amount",
    "weekend",
    "night",
    "customer_count_1d",
    "customer_mean_1d",
    "customer_count_7d",
    "customer_mean_7d",
    "customer_count_30d",
    "customer_mean_30d",
    "terminal_count_1d",
    "terminal_risk_1d",
    "terminal_count_7d",
    "terminal_risk_7d",
    "terminal_count_30d",
    "terminal_risk_30d",
};

static void the_fifteen_features_are_those_of_the_book(void **state)
{
    (void)state;
    struct table t = {0};
    struct err err = {""};
    const float *got[15];
    bool risky = false;
    read_sample();
    if (table_open(&t, scratch_path("features"), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(t.rows, n_sample);
    for (size_t k = 0; k < 15; k++)
        assert_non_null(got[k] = table_data(&t, fifteen[k], COLUMN_FEATURE, &err));
    for (size_t i = 0; i < n_sample; i++) {
        int64_t day = sample[i].second / DAY;
        float expected[15] = {(float)((double)sample[i].cents / 100), day % 7 == 0 || day % 7 == 6,
                              sample[i].second % DAY / 3600 <= 6};
        customer_features(i, expected + 3);
        terminal_features(i, expected + 9);
        risky = risky || expected[12] > 0;
        for (size_t k = 0; k < 15; k++)
            if (got[k][i] != expected[k])
                fail_msg("%s, row %zu: %a, not %a", fifteen[k], i, (double)got[k][i],
                         (double)expected[k]);
    }
    assert_true(risky);
    table_release(&t);
}

static void a_feature_table_holds_the_rows_with_id_time_keys_and_label(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum column_kind kind;
    } kept[] = {{"id", COLUMN_ID},
                {"time", COLUMN_TIME},
                {"customer", COLUMN_KEY},
                {"terminal", COLUMN_KEY},
                {"label", COLUMN_LABEL}};
    struct table before = {0}, after = {0};
    struct err err = {""};
    if (table_open(&before, scratch_path("table"), &err) ||
        table_open(&after, scratch_path("features"), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(after.n, 5 + 15);
    for (size_t i = 0; i < 5; i++) {
        const void *x = table_data(&before, kept[i].name, kept[i].kind, &err);
        const void *y = table_data(&after, kept[i].name, kept[i].kind, &err);
        assert_true(x && y);
        assert_memory_equal(x, y, before.rows * column_size(kept[i].kind));
    }
    table_release(&before);
    table_release(&after);
}

// ---- the same bytes ----

static void any_number_of_threads_and_a_second_run_give_the_same_bytes(void **state)
{
    (void)state;
    features_of(SAMPLE " --threads 1", "one", "table");
    assert_same_folders("features", "one");
    features_of(SAMPLE " --threads 3", "one", "table"); // over the old one
    assert_same_folders("features", "one");
    features_of(SAMPLE " --threads 16", "sixteen", "table");
    assert_same_folders("features", "sixteen");
    assert_no_temporaries();
}

static void another_secret_key_gives_the_same_features(void **state)
{
    (void)state;
    assert_int_equal(rename(scratch_path("key"), scratch_path("old.key")), 0);
    ingest_sample("other");
    assert_int_equal(run_command(out, sizeof out, "cmp %s/table/customer.npy %s/other/customer.npy",
                                 scratch, scratch),
                     1);
    assert_int_equal(rename(scratch_path("old.key"), scratch_path("key")), 0);
    features_of(SAMPLE, "others", "other");
    assert_same_features("features", "others");
}

// The sample with its days in another order; rows of one time stay in theirs.
static void write_shuffled_days(const char *name)
{
    FILE *f = fopen(scratch_path(name), "w");
    assert_non_null(f);
    fprintf(f, "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,"
               "TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO\n");
    int64_t last = sample[n_sample - 1].second / DAY;
    for (int64_t step = 0; step < 3; step++)
        for (int64_t day = last; day >= 0; day--)
            for (size_t i = 0; i < n_sample && day % 3 == step; i++)
                if (sample[i].second / DAY == day)
                    fputs(lines[i], f);
    assert_int_equal(fclose(f), 0);
}

static void rows_out_of_time_order_give_the_same_features_and_state(void **state)
{
    (void)state;
    read_sample();
    write_shuffled_days("shuffled.csv");
    if (ingest(SAMPLE, "shuffled", scratch_path("shuffled.csv")))
        fail_msg("%s", out);
    features_of(SAMPLE, "sorted", "shuffled");
    assert_same_features("features", "sorted");
    assert_int_equal(run_command(out, sizeof out, "cmp %s/features/%s %s/sorted/%s", scratch,
                                 SNAPSHOT_NAME, scratch, SNAPSHOT_NAME),
                     0);
}

// ---- until, and on from there one event at a time ----

static void assert_until(const char *text, int64_t second)
{
    char options[128];
    struct table part = {0};
    struct err err = {""};
    uint64_t before = 0;
    while (before < n_sample && sample[before].second < second)
        before++;
    snprintf(options, sizeof options, SAMPLE " --until '%s'", text);
    features_of(options, "part", "table");
    if (table_open(&part, scratch_path("part"), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(part.rows, before);
    table_release(&part);
}

static void until_leaves_out_rows_from_that_moment_on(void **state)
{
    (void)state;
    char moment[32];
    read_sample();
    assert_until("2018-04-01", 0);
    assert_until("2018-04-21", 20 * DAY);
    assert_until("2038-01-01", INT64_MAX);
    // The very second of a transaction: the second field of its line.
    size_t middle = n_sample / 2;
    assert_int_equal(sscanf(lines[middle], "%*[^,],%31[^,]", moment), 1);
    assert_until(moment, sample[middle].second);
}

// The columns of one row of the table, in the order of the schema.
static void event_of(const struct table *t, const struct schema *s, uint64_t row,
                     const void **columns)
{
    for (size_t c = 0; c < s->n; c++) {
        const struct table_column *column = &t->columns[table_find(t, s->columns[c].name)];
        columns[c] = (const char *)column->data + row * column_size(column->kind);
    }
}

// Row by row through the state, compared with the features of the whole.
static void go_on(struct state *s, const struct table *t, uint64_t first, const struct table *whole)
{
    const struct plan *p = s->plan;
    const void *columns[8];
    float values[15], *outs[15];
    struct err err = {""};
    for (size_t k = 0; k < 15; k++)
        outs[k] = &values[k];
    for (uint64_t row = first; row < t->rows; row++) {
        const struct events event = {1, columns};
        event_of(t, &p->schema, row, columns);
        if (state_run(s, &event, outs, &err))
            fail_msg("%s", err.msg);
        for (size_t k = 0; k < p->n_inputs; k++) {
            const float *x = table_data(whole, p->inputs[k].name, COLUMN_FEATURE, &err);
            assert_memory_equal(&x[row], &values[k], sizeof *x);
        }
    }
}

static void a_server_that_starts_from_the_snapshot_computes_the_same_bits(void **state)
{
    (void)state;
    struct table part = {0}, whole = {0}, t = {0};
    struct plan p = {0};
    struct state s = {0};
    struct err err = {""};
    features_of(SAMPLE " --until 2018-04-20 --threads 2", "part", "table");
    if (table_open(&part, scratch_path("part"), &err) ||
        table_open(&whole, scratch_path("features"), &err) ||
        table_open(&t, scratch_path("table"), &err) ||
        plan_from_json(&p, json_object_get(part.provenance, "plan"), &err) || false)
        fail_msg("%s", err.msg);
    state_init(&s, &p, 3);
    if (snapshot_load(&s, scratch_path("part/" SNAPSHOT_NAME), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(p.n_inputs, 15);
    assert_true(part.rows > 0 && part.rows < t.rows);
    go_on(&s, &t, part.rows, &whole);
    FILE *f = fopen(scratch_path("state.bin"), "wb");
    assert_non_null(f);
    assert_int_equal(snapshot_save(&s, fileno(f), "state.bin", &err), 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(run_command(out, sizeof out, "cmp %s/state.bin %s/features/%s", scratch,
                                 scratch, SNAPSHOT_NAME),
                     0);
    state_release(&s);
    plan_release(&p);
    table_release(&part);
    table_release(&whole);
    table_release(&t);
}

// ---- other data: categories, missing labels, values that are not finite ----

#define SMALL                                                                                      \
    "[input]\nfile = none\ntime_format = epoch\n\n[columns]\n"                                     \
    "id = id, id\ntime = time, time\ncard = card, key\namount = amount, number\n"                  \
    "shop = shop, category\nlabel = fraud, label, missing=-1\n\n"                                  \
    "[split]\ntrain = 0%% .. 50%%\ntest = 50%% .. 100%%\n\n[features]\n%s"

// 200 rows, 10 s apart; the shops of the first half decide what onehot keeps.
static void make_small(const char *expressions)
{
    char ini[1024];
    FILE *f = fopen(scratch_path("small.csv"), "w");
    assert_non_null(f);
    fprintf(f, "id,time,card,amount,shop,fraud\n");
    for (int i = 0; i < 200; i++)
        fprintf(f, "%d,%d,c%d,%d,%s,%s\n", i, 10 * i, i % 3, i - 1,
                i >= 100      ? "late"
                : i % 10 == 0 ? "\"a \"\"b\"\",/c\""
                              : "web",
                i % 4 == 0   ? ""
                : i % 4 == 1 ? "1"
                             : "0");
    assert_int_equal(fclose(f), 0);
    snprintf(ini, sizeof ini, SMALL, expressions);
    char options[600];
    snprintf(options, sizeof options, "--config %s", scratch_text("small.ini", ini));
    if (ingest(options, "small", scratch_path("small.csv")))
        fail_msg("%s", out);
    features_of(options, "smalls", "small");
}

static const float *small_column(const struct table *t, const char *name)
{
    struct err err = {""};
    const float *x = table_data(t, name, COLUMN_FEATURE, &err);
    if (!x)
        fail_msg("%s", err.msg);
    return x;
}

static void onehot_is_fitted_to_the_training_window_alone(void **state)
{
    (void)state;
    struct table t = {0};
    struct err err = {""};
    make_small("n = count(card, all)\nat = onehot(shop)\n");
    if (table_open(&t, scratch_path("smalls"), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(table_find(&t, "at[late]"), -1);
    const float *web = small_column(&t, "at[web]"), *rest = small_column(&t, "at[*]");
    const float *quoted = small_column(&t, "at[a%20%22b%22%2C%2Fc]");
    for (int i = 0; i < 200; i++) {
        assert_true(web[i] == (i < 100 && i % 10 != 0));
        assert_true(quoted[i] == (i < 100 && i % 10 == 0));
        assert_true(rest[i] == (i >= 100));
    }
    table_release(&t);
}

static void unknown_labels_count_as_genuine_and_replaced_values_are_reported(void **state)
{
    (void)state;
    struct table t = {0};
    struct err err = {""};
    make_small("frauds = sum(card, label, all, delay=1s)\nlog = log1p(amount)\n");
    assert_contains(out, "1 values were not finite and became 0");
    if (table_open(&t, scratch_path("smalls"), &err))
        fail_msg("%s", err.msg);
    const float *frauds = small_column(&t, "frauds"), *log = small_column(&t, "log");
    for (int i = 0; i < 200; i++) {
        int expected = 0;
        for (int j = i % 3; j < i; j += 3)
            expected += j % 4 == 1;
        assert_true(frauds[i] == (float)expected);
        assert_true(log[i] == (i ? (float)log1p(i - 1) : 0));
    }
    table_release(&t);
}

// ---- what goes wrong ----

// Features fail with that exit code and message; the old artifact stands and nothing is left over.
static void assert_fails(int code, const char *message, const char *options, const char *table)
{
    int rc = features(options, "features", table);
    if (rc != code || !strstr(out, message))
        fail_msg("exit %d, not %d with '%s':\n%s", rc, code, message, out);
    assert_same_folders("keep", "features");
    assert_no_temporaries();
}

static void a_wrong_command_line_is_refused(void **state)
{
    (void)state;
    assert_int_equal(run_command(out, sizeof out, "%s/features", bin()), 2);
    assert_contains(out, "TABLE");
    assert_fails(2, "did you mean 'threads'?", SAMPLE " --threats 2", "table");
    assert_fails(2, "--threads", SAMPLE " --threads 0", "table");
    assert_fails(2, "--threads", SAMPLE " --threads two", "table");
    assert_fails(2, "--until", SAMPLE " --until yesterday", "table");
    assert_fails(2, "--until", SAMPLE " --until 2018-02-30", "table");
    assert_fails(1, "No such file", "--config datasets/none.ini", "table");
    assert_fails(1, "none", SAMPLE, "none");
}

// Flip one bit of a file at an offset (from the end where negative).
static void flip(const char *name, long offset)
{
    FILE *f = fopen(scratch_path(name), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
    int byte = fgetc(f);
    assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
    assert_true(fputc(byte ^ 1, f) != EOF);
    assert_int_equal(fclose(f), 0);
}

static void an_altered_table_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"amount", "customer", "time", "label"};
    assert_int_equal(run_command(out, sizeof out, "cd %s && cp -r table altered", scratch), 0);
    for (size_t i = 0; i < 4; i++) {
        char file[64], message[64];
        snprintf(file, sizeof file, "altered/%s.npy", names[i]);
        snprintf(message, sizeof message, "%s.npy: it was altered", names[i]);
        flip(file, -1000);
        assert_fails(1, message, SAMPLE, "altered");
        flip(file, -1000);
    }
    assert_int_equal(truncate(scratch_path("altered/amount.npy"), 4096), 0);
    assert_fails(1, "amount", SAMPLE, "altered");
    assert_int_equal(unlink(scratch_path("altered/amount.npy")), 0);
    assert_fails(1, "amount", SAMPLE, "altered");
    flip("altered/manifest.json", 0);
    assert_fails(1, "manifest.json", SAMPLE, "altered");
}

// The sample's .ini with one line changed.
static void assert_ini_fails(const char *sed, const char *message)
{
    char options[600];
    assert_int_equal(
        run_command(out, sizeof out, "sed '%s' datasets/sample.ini >%s/bad.ini", sed, scratch), 0);
    snprintf(options, sizeof options, "--config %s/bad.ini", scratch);
    assert_fails(1, message, options, "table");
}

static void a_wrong_description_is_refused(void **state)
{
    (void)state;
    assert_ini_fails("s/count(customer, 7d)/cuont(customer, 7d)/",
                     "unknown function 'cuont', did you mean 'count'?");
    assert_ini_fails("s/^night.*/night = hour(time) <= label/", "the label is what the model");
    assert_ini_fails("s/^night.*/night = hour(time) <= amonut/",
                     "hour(time) <= amonut\n                ^");
    assert_ini_fails("s/, delay=7d//", "the label is not known yet");
    assert_ini_fails("s/^amount .*= amount$/time = time/", "'time' is a column already");
    assert_ini_fails("s/^\\[features\\]/[feature]/", "did you mean 'features'?");
    assert_ini_fails("s/CUSTOMER_ID, key/CUSTOMER_ID, category/", "is not a key column");
    assert_ini_fails("s/TX_AMOUNT, number, min=0/TX_AMOUNT, category/", "onehot(amount)");
    assert_ini_fails("s/^label .*/&\\nextra = TX_EXTRA, number/", "run ingest again");
}

static void an_output_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    scratch_text("file", "keep me");
    assert_int_equal(features(SAMPLE, "file/below", "table"), 1);
    assert_contains(out, "file");
    assert_int_equal(features(SAMPLE, "file", "table"), 1);
    assert_file_is(scratch_path("file"), "keep me");
    assert_no_temporaries();
}

static void a_full_disk_leaves_the_old_features(void **state)
{
    (void)state;
    // A limit of 10 blocks of 512 bytes for a file stands for the full disk.
    int rc = run_command(out, sizeof out,
                         "(trap '' XFSZ; ulimit -f 10; %s/features " SAMPLE
                         " --output %s/features %s/table 2>&1 | cat; )",
                         bin(), scratch, scratch);
    assert_int_equal(rc, 0); // of cat
    assert_contains(out, "cannot write: File too large");
    assert_same_folders("keep", "features");
    assert_no_temporaries();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fifteen_features_are_those_of_the_book),
        cmocka_unit_test(a_feature_table_holds_the_rows_with_id_time_keys_and_label),
        cmocka_unit_test(any_number_of_threads_and_a_second_run_give_the_same_bytes),
        cmocka_unit_test(another_secret_key_gives_the_same_features),
        cmocka_unit_test(rows_out_of_time_order_give_the_same_features_and_state),
        cmocka_unit_test(until_leaves_out_rows_from_that_moment_on),
        cmocka_unit_test(a_server_that_starts_from_the_snapshot_computes_the_same_bits),
        cmocka_unit_test(onehot_is_fitted_to_the_training_window_alone),
        cmocka_unit_test(unknown_labels_count_as_genuine_and_replaced_values_are_reported),
        cmocka_unit_test(a_wrong_command_line_is_refused),
        cmocka_unit_test(an_altered_table_is_refused),
        cmocka_unit_test(a_wrong_description_is_refused),
        cmocka_unit_test(an_output_that_cannot_be_written_is_an_error),
        cmocka_unit_test(a_full_disk_leaves_the_old_features),
    };
    return cmocka_run_group_tests(tests, setup, scratch_remove);
}
