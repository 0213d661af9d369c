// Two weeks over HTTP, with labels posted as they become known and the server killed on the way:
// every probability must have the bits of the batch, and so must the inputs and labels that are
// exported afterwards, and a model that is trained on them.
//
// On the committed sample with a third of its numbers taken out, a category, and features of all
// functions; on another dataset by ASSAY_PARITY="CONFIG FROM UNTIL KILLS" (`make
// soak`).
#include "base/value.h"
#include "tests/database.h"
#include "tests/release.h"
#include "tests/server.h"

static char config[256], from[32] = "2018-04-28", until[32] = "2018-05-12";
static int kills = 2;

struct batch_scores {
    uint64_t first;      // row of the table
    uint64_t n;          // rows
    double *probability; // [n], to be freed
    double threshold;
};

static int64_t seconds_of(const char *day)
{
    int64_t seconds;
    assert_int_equal(value_moment(day, strlen(day), &seconds), 0);
    return seconds;
}

// Rows of days from .. until, the latter not included, from the artifacts that tests/server.h makes.
static void batch_scores(struct batch_scores *b)
{
    struct err err = {""};
    struct table t;
    struct model m;
    must(table_open(&t, formatted("%s/features", folder), &err), &err);
    must(model_load(&m, formatted("%s/models/champion/model.json", folder), &err), &err);
    const int64_t *time = table_data(&t, "time", COLUMN_TIME, &err);
    float *x = calloc(m.n_inputs, sizeof *x);
    *b = (struct batch_scores){.threshold = m.threshold,
                               .probability = calloc(t.rows + 1, sizeof *b->probability)};
    assert_true(time && x && b->probability);
    while (b->first < t.rows && time[b->first] < seconds_of(from))
        b->first++;
    for (uint64_t row = b->first; row < t.rows && time[row] < seconds_of(until); row++) {
        for (size_t i = 0; i < m.n_inputs; i++)
            x[i] = ((const float *)table_data(&t, m.inputs[i].name, COLUMN_FEATURE, &err))[row];
        b->probability[b->n++] = model_probability(model_margin(&m, x));
    }
    free(x);
    model_release(&m);
    table_release(&t);
}

static pid_t start_replay(void)
{
    const char *command = formatted(
        "exec %s/replay --config %s --url http://127.0.0.1:%d --from %s --until %s --labels 7 "
        "--connections 1 --batch 9 --retry 60 --output %s/decisions.csv >%s/replay.txt 2>&1",
        bin, config, own.port, from, until, folder, folder);
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid;
}

// Kill -9 when about so many rows are in, and start again on the same port.
static void kill_at(int64_t rows, pid_t replay)
{
    static char port[16];
    while (database_number(own.database, "SELECT max(seq) FROM prediction") < rows) {
        if (waitpid(replay, NULL, WNOHANG) != 0)
            fail_msg("replay ended before it was to be disturbed");
        poll(NULL, 0, 1);
    }
    kill(own.pid, SIGKILL);
    waitpid(own.pid, NULL, 0);
    snprintf(port, sizeof port, "%d", own.port);
    own.more[2] = "--port";
    own.more[3] = port;
    server_begin(&own, "16", NULL);
}

// Neither is NaN or -0, so equal numbers have equal bits.
static void compare(const struct batch_scores *e)
{
    char path[300], line[512] = "";
    uint64_t n = 0;
    snprintf(path, sizeof path, "%s/decisions.csv", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f)); // the header
    for (; fgets(line, sizeof line, f); n++) {
        const char *comma = strchr(line, ',');
        if (n >= e->n || !comma || strtod(comma + 1, NULL) != e->probability[n] ||
            !strstr(comma, e->probability[n] >= e->threshold ? ",review,1" : ",approve,1"))
            fail_msg("row %llu is not the batch's: %s", (unsigned long long)n, line);
    }
    fclose(f);
    assert_true(n == e->n);
    printf("note: %llu probabilities equal the batch's to the bit, across %d kills\n",
           (unsigned long long)n, kills);
}

static void export(const char *options)
{
    succeed(
        "env export --database %s --models $F/models --config %s --state $F/before/state.bin %s",
        own.database, config, options);
}

static void open_table(struct table *t, const char *name)
{
    struct err err = {""};
    must(table_open(t, scratch_path(name), &err), &err);
}

// The rows of a column are the batch's from row `first` on. The texts of a category have other codes.
static void compare_column(const struct table *served, const struct table_column *batch,
                           uint64_t first)
{
    struct err err = {""};
    const size_t size = column_size(batch->kind);
    const char *data = table_data(served, batch->name, batch->kind, &err);
    must(!data, &err);
    if (batch->kind != COLUMN_CATEGORY) {
        assert_memory_equal(data, (const char *)batch->data + first * size, served->rows * size);
        return;
    }
    char **texts = served->columns[table_find(served, batch->name)].dictionary;
    for (uint64_t row = 0; row < served->rows; row++)
        assert_string_equal(texts[((const uint32_t *)(const void *)data)[row]],
                            batch->dictionary[((const uint32_t *)batch->data)[first + row]]);
}

// Row i of the export is row first + i of the batch. A label is known when a transaction came that
// is a week later; replay asks no label that was not.
static void compare_tables(const struct table *served, const struct table *batch, uint64_t first,
                           int64_t newest)
{
    struct err err = {""};
    const int64_t *time = table_data(served, "time", COLUMN_TIME, &err);
    const int8_t *known = table_data(served, "label", COLUMN_LABEL, &err);
    const int8_t *label = table_data(batch, "label", COLUMN_LABEL, &err);
    assert_true(time && known && label && first + served->rows <= batch->rows);
    assert_int_equal(served->n, batch->n + 3);
    for (size_t c = 0; c < batch->n; c++)
        if (batch->columns[c].kind != COLUMN_LABEL)
            compare_column(served, &batch->columns[c], first);
    for (uint64_t row = 0; row < served->rows; row++)
        if (known[row] != (time[row] + 7 * SECONDS_PER_DAY <= newest ? label[first + row] : -1))
            fail_msg("row %llu: its label is %d", (unsigned long long)row, known[row]);
}

// A feature table of so many of the batch's rows.
static void write_cut(const struct table *batch, uint64_t first, uint64_t rows)
{
    struct table_writer w;
    struct err err = {""};
    int rc = table_writer_open(&w, scratch_path("cut"), batch->columns, batch->n, &err);
    for (size_t c = 0; c < batch->n && rc == 0; c++) {
        const struct table_column *column = &batch->columns[c];
        rc = table_writer_append(
            &w, c, (const char *)column->data + first * column_size(column->kind), rows, &err);
    }
    must(rc || table_writer_finish(&w, json_incref(batch->provenance), &err) ||
             output_commit(&w.dir, &err),
         &err);
    table_writer_release(&w);
}

// What a model that is trained on a table says, except where it comes from; to be released.
static json_t *trained_on(const char *table)
{
    succeed("sed 's/^train *=.*/train = 0%% .. 50%%/; s/^test *=.*/test = 50%% .. 100%%/; "
            "/^folds/d; s/^l2 *=.*/l2 = 1e-3/' %s >$F/halves.ini && train --config "
            "$F/halves.ini --output $F/of-%s $F/%s",
            config, table, table);
    json_t *model = json_load_file(scratch_path(formatted("of-%s/1/model.json", table)), 0, NULL);
    assert_int_equal(json_object_del(model, "provenance"), 0);
    assert_true(json_array_size(json_object_get(model, "inputs")) > 10);
    return model;
}

static void compare_export(const struct batch_scores *e)
{
    struct table batch, all, early, ingested, sent;
    struct err err = {""};
    char day[TIME_TEXT];
    export("--verify");
    assert_contains(log_text(), " values, 0 differ; 0 transactions before");
    export(formatted("--output %s/all", folder));
    open_table(&all, "all");
    open_table(&batch, "features");
    open_table(&ingested, "table");
    export(formatted("--transactions --output %s/sent", folder));
    open_table(&sent, "sent");
    for (size_t c = 0; c < ingested.n; c++) // in time order, as ingested
        if (ingested.columns[c].kind == COLUMN_NUMBER)
            compare_column(&sent, &ingested.columns[c], e->first);
    assert_int_equal(all.rows, e->n);
    const int64_t *time = table_data(&all, "time", COLUMN_TIME, &err);
    compare_tables(&all, &batch, e->first, time[all.rows - 1]);
    // Of the first six days all labels are known.
    date_text(day, day_of(seconds_of(from)) + 6);
    export(formatted("--until %s --output %s/early", day, folder));
    open_table(&early, "early");
    compare_tables(&early, &batch, e->first, INT64_MAX);
    write_cut(&batch, e->first, early.rows);
    json_t *served = trained_on("early"), *cut = trained_on("cut");
    assert_true(json_equal(served, cut));
    printf("note: inputs, labels and a model of %llu exported rows equal the batch's\n",
           (unsigned long long)early.rows);
    json_decref(served);
    json_decref(cut);
    table_release(&sent);
    table_release(&ingested);
    table_release(&early);
    table_release(&all);
    table_release(&batch);
}

TEST_CASE(what_is_served_and_exported_has_the_bits_of_the_batch_across_kills)
{
    struct batch_scores e = {0};
    int status;
    batch_scores(&e);
    assert_true(e.n > 500);
    own.more[0] = "--clock";
    own.more[1] = "data";
    server_begin(&own, "16", NULL);
    const pid_t replay = start_replay();
    for (int k = 1; k <= kills; k++) {
        kill_at((int64_t)e.n * k / (kills + 1), replay);
        export("--verify"); // while the server and the replay go on
    }
    assert_int_equal(waitpid(replay, &status, 0), replay);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    compare(&e);
    compare_export(&e);
    free(e.probability);
    assert_int_equal(server_end(&own), 0);
}

// A sample with missing numbers and a category, in the folder for temporary files.
static int write_config(void)
{
    setenv("TMPDIR", "/tmp", 0);
    snprintf(config, sizeof config, "%s/parity.ini", getenv("TMPDIR"));
    return system( // NOLINT(cert-env33-c): a command of ours
        "awk -F, -v OFS=, 'NR == 1 { print $0, \"CHANNEL\"; next } { k = $3 * $4 % 41; "
        "$5 = NR % 9 ? $5 : \"\"; $6 = NR % 4 ? $6 : \"\"; $7 = NR % 5 ? $7 : \"\"; "
        "print $0, k ? \"c\" k % 3 : \"rare\" NR % 30 }' datasets/sample.csv >$TMPDIR/parity.csv; "
        "sed \"s,^file.*,file = $TMPDIR/parity.csv,; s/^amount  *= TX.*/"
        "amount = TX_AMOUNT, number, min=0, missing=flag\\nchannel = CHANNEL, category\\n"
        "seconds = TX_TIME_SECONDS, number, missing=mean\\n"
        "days = TX_TIME_DAYS, number, missing=median/; s/^weekend.*/&\\n"
        "bend = hinges(log(amount + mean(customer, days, 3d)), 4)\\n"
        "seconds = hinges(seconds, 2)\\nvia = onehot(channel)\\n"
        "_c1 = channel == \\\"c1\\\" or channel != \\\"c2\\\" and not amount > 50\\n"
        "c1 = sum(customer, _c1 * sqrt(amount), 2d)\\n"
        "wave = sin(seconds * 7e-5) + cos(days)\\n"
        "odd = if(_c1, pow(amount, 0.3), exp(-floor(amount \\/ 10)))\\n"
        "calendar = max(month(time), day(time), minute(time))/\" datasets/sample.ini "
        ">$TMPDIR/parity.ini");
}

static int setup(void **state)
{
    const char *other = getenv("ASSAY_PARITY");
    if (!other)
        return write_config() ? -1 : server_artifacts_of(state, config, from);
    char number[16];
    if (sscanf(other, "%255s %31s %31s %15s", config, from, until, number) != 4)
        return -1;
    kills = (int)strtol(number, NULL, 10);
    return server_artifacts_of(state, config, from);
}

static int teardown(void **state)
{
    // NOLINTNEXTLINE(cert-env33-c)
    return system("rm -f $TMPDIR/parity.ini $TMPDIR/parity.csv") || server_remove(state) ? -1 : 0;
}

TESTS(setup, teardown)
