// What every program does with bad input: a message that names the file, a non-zero exit status, the
// old artifact as it was, no temporary. The modules' own tests look at each mistake; these look at
// the programs.
#include "tests/stages.h"

// ---- command lines and files that are not there -----------------------------------------------------

static void a_wrong_flag_exits_with_2_and_the_nearest_name(void **state)
{
    (void)state;
    expect(2, "simulate: unknown option --custmers, did you mean 'customers'?",
           "simulate --custmers 5");
    expect(2, "ingest: unknown option --confg, did you mean 'config'?", "ingest --confg x");
    expect(2, "features: unknown option --untill, did you mean 'until'?", "features --untill x t");
    expect(2, "train: unknown option --promotee, did you mean 'promote'?", "train --promotee x");
    expect(2, "registry: unknown option --modles, did you mean 'models'?", "registry --modles x");
    expect(2, "registry: unknown command 'lst', did you mean 'list'?", "registry lst");
    expect(2, "monitor: unknown option --curent, did you mean 'current'?", "monitor --curent x");
    expect(2, "serve: unknown option --prt, did you mean 'port'?", "serve --prt 0");
}

static void a_missing_or_extra_argument_exits_with_2_and_the_usage(void **state)
{
    (void)state;
    expect(2, "usage: simulate [OPTIONS]", "simulate 5");
    expect(2, "usage: ingest [OPTIONS] [INPUT]", "ingest a b");
    expect(2, "missing argument: usage: features [OPTIONS] TABLE", "features");
    expect(2, "missing argument: usage: train [OPTIONS] FEATURES", "train");
    expect(2, "missing argument: usage: registry [OPTIONS] COMMAND", "registry");
    expect(2, "missing argument: usage: monitor [OPTIONS] FEATURES", "monitor");
    expect(2, "unexpected argument '8080': usage: serve [OPTIONS]", "serve 8080");
    expect(2, "--output needs a value", "train --output");
}

// Each program with one of its inputs called `x`.
static const char *const inputs[] = {
    "ingest " SAMPLE "--key key --output new x",
    "ingest --config x --key key --output new datasets/sample.csv",
    "features " SAMPLE "--output new x",
    "features --config x --output new table",
    "train " SAMPLE "--output new x",
    "train --config x --output new features",
    "monitor " SAMPLE "--models models --output new x",
    "monitor " SAMPLE "--models x --output new features",
    "monitor " SAMPLE "--models models --output new --current x features",
    "monitor --config x --models models --output new features",
    "registry --models x list",
    "registry --models x show",
    "registry --models x who",
    "registry --models x rollback",
    "registry --models x promote 1",
    "serve --models x --state features/state.bin --key key --port 0",
    "serve --models models --state x --key key --port 0",
    "serve --models models --state features/state.bin --key x --port 0",
};
enum { N_INPUTS = sizeof inputs / sizeof *inputs };

static void a_missing_input_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_INPUTS; i++)
        refused(": x: ", inputs[i]);
}

static void an_empty_input_is_named(void **state)
{
    (void)state;
    succeed(": >x; chmod 600 x"); // a key that others may read would be refused for that
    for (size_t i = 0; i < N_INPUTS; i++)
        refused(": x", inputs[i]);
}

// ---- outputs that cannot be written -----------------------------------------------------------------

static void an_output_below_a_file_is_refused(void **state)
{
    (void)state;
    succeed("echo x >file");
    refused("file/x: ", "simulate --customers 20 --days 5 --output file/x");
    refused("file/x: ", INGEST "--output file/x datasets/sample.csv");
    refused("file/x: ", INGEST "--key file/x datasets/sample.csv");
    refused("file/x: ", FEATURES "--output file/x");
    refused("file/x/ledger.jsonl: cannot open", TRAIN "--output file/x");
    refused("file/x: ", MONITOR "--output file/x");
}

static void an_output_of_the_other_kind_is_not_replaced(void **state)
{
    (void)state;
    succeed("echo x >file");
    refused("table: is not a plain file", "simulate --customers 20 --days 5 --output table");
    refused("file: cannot rename", INGEST "--output file datasets/sample.csv");
    refused("file: cannot rename", FEATURES "--output file");
    refused("file/ledger.jsonl: cannot open", TRAIN "--output file");
    refused("table: is not a plain file", MONITOR "--output table");
}

// No file may be longer than one block of 512 bytes, except the empty ones of a folder.
static void a_write_that_fails_leaves_the_old_artifact(void **state)
{
    (void)state;
    succeed("simulate --customers 200 --days 30 --output data.csv");
    refused("data.csv: cannot write: File too large",
            "ulimit -f 1; simulate --customers 200 --days 31 --output data.csv");
    refused("table: cannot write: File too large", "ulimit -f 1; " INGEST);
    refused("features: cannot write: File too large", "ulimit -f 1; " FEATURES);
    refused("models/2: model.json: cannot write: File too large", "ulimit -f 1; " TRAIN);
    refused("drift.json: cannot write: File too large", "ulimit -f 1; " MONITOR);
    succeed("for i in 1 2 3 4 5 6 7 8; do registry --models models promote 1; done");
    refused("models/ledger.jsonl: cannot write: File too large",
            "ulimit -f 1; registry --models models promote 1");
    succeed("registry --models models list");
}

// In its own mount namespace, so that nothing stays mounted whatever happens.
#define ON_FULL_DISK(command)                                                                      \
    "unshare -m sh -c 'mkdir full; mount -t tmpfs -o size=16k none full; " command                 \
    "; status=$?; ls -A full; exit $status'"

static void a_full_disk_is_an_error_and_nothing_stays_on_it(void **state)
{
    (void)state;
    if (run(ON_FULL_DISK("grep -q work/full /proc/mounts")) != 0)
        skip(); // only root may mount
    static const char *const commands[] = {
        ON_FULL_DISK("simulate --customers 200 --days 30 --output full/x"),
        ON_FULL_DISK(INGEST "--output full/x --rejects rejects.csv"),
        ON_FULL_DISK(FEATURES "--output full/x"),
        ON_FULL_DISK("cat table/amount.npy >full/other; rm -f full/m; " TRAIN "--output full/x"),
        ON_FULL_DISK("cat table/amount.npy >full/other; " MONITOR "--output full/x"),
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        expect(1, "No space left on device", commands[i]);
        if (strstr(out, "x.tmp\n"))
            fail_msg("%s\nleft a temporary:\n%s", commands[i], out);
    }
}

static void results_that_cannot_be_printed_are_an_error(void **state)
{
    (void)state;
    expect(1, "cannot write to standard output", INGEST ">/dev/full");
    expect(1, "cannot write to standard output", MONITOR ">/dev/full");
    expect(1, "cannot write to standard output", "registry --models models list >/dev/full");
    expect(
        1, "cannot write to standard output",
        "serve --models models --state features/state.bin --key key --database served.db --port 0 "
        ">/dev/full");
}

// ---- artifacts that were cut or altered --------------------------------------------------------------

// Where a file of the test's folder stands.
static const char *place(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "work/%.100s", name);
    return scratch_path(path);
}

static void flip_last_byte(const char *name)
{
    FILE *f = fopen(place(name), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -1, SEEK_END), 0);
    int byte = fgetc(f);
    assert_int_equal(fseek(f, -1, SEEK_END), 0);
    assert_int_equal(fputc(byte ^ 1, f), byte ^ 1);
    assert_int_equal(fclose(f), 0);
}

static void one_column_is_checked(const char *table, const char *column, const char *of_cut,
                                  const char *of_altered)
{
    char file[128], words[256];
    size_t size = 0;
    snprintf(file, sizeof file, "%.20s/%.80s.npy", table, column);
    char *whole = scratch_read(place(file), &size);
    assert_non_null(whole);
    assert_int_equal(truncate(place(file), (off_t)size - 1), 0);
    snprintf(words, sizeof words, "%s: it has %zu bytes", file, size - 1);
    expect(1, words, of_cut);
    FILE *f = fopen(place(file), "ab");
    assert_non_null(f);
    assert_int_equal(fputc(whole[size - 1], f), (unsigned char)whole[size - 1]);
    assert_int_equal(fclose(f), 0);
    flip_last_byte(file);
    snprintf(words, sizeof words, "%.20s/%.80s.npy: it was altered", table, column);
    expect(1, words, of_altered);
    flip_last_byte(file);
    free(whole);
}

// Every column of a table, cut by a byte and then altered in its last one.
static void columns_are_checked(const char *table, const char *of_cut, const char *of_altered)
{
    char path[64], *dot;
    snprintf(path, sizeof path, "good/%.20s", table);
    DIR *dir = opendir(scratch_path(path));
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        if ((dot = strstr(e->d_name, ".npy"))) {
            *dot = '\0';
            one_column_is_checked(table, e->d_name, of_cut, of_altered);
        }
    closedir(dir);
    succeed("diff -r ../good ."); // the old artifacts stand, and no temporary
}

static void every_column_of_the_table_is_checked(void **state)
{
    (void)state;
    columns_are_checked("table", FEATURES, FEATURES);
}

static void every_feature_is_checked(void **state)
{
    (void)state;
    columns_are_checked("features", TRAIN, MONITOR);
}

static void a_manifest_that_was_cut_or_contradicts_the_files_is_refused(void **state)
{
    (void)state;
    succeed("truncate -s -1 table/manifest.json");
    refused("table/manifest.json:", FEATURES);
    succeed("rm table/amount.npy; cp ../good/table/manifest.json table");
    refused("table/amount.npy: cannot open", FEATURES);
    succeed("sed -i 's/\"rows\": [0-9]*/\"rows\": 5/' features/manifest.json");
    refused("make the table again", TRAIN);
    refused("make the table again", MONITOR);
}

#define SERVE "serve --models models --state features/state.bin --key key --port 0"

static void a_model_altered_by_a_digit_is_not_promoted_served_or_monitored(void **state)
{
    (void)state;
    succeed("sed -i 's/\"intercept\": -\\?[0-9]/\"intercept\": 9/' models/1/model.json");
    refused("models/1/model.json: was altered since its training",
            "registry --models models promote 1");
    refused("models/1/model.json: was altered since its training", SERVE);
    refused("models/1/model.json: was altered since its training", MONITOR);
}

static void a_model_that_was_cut_is_refused(void **state)
{
    (void)state;
    succeed("truncate -s -1 models/1/model.json");
    refused("models/1/model.json:", SERVE);
    refused("models/1/model.json:", MONITOR);
    succeed("truncate -s -2 models/1/metrics.json");
    refused("models/1/metrics.json:", "registry --models models show");
}

static void a_state_that_was_cut_or_altered_is_refused(void **state)
{
    (void)state;
    flip_last_byte("features/state.bin");
    refused("features/state.bin: damaged snapshot", SERVE);
    succeed("cp ../good/features/state.bin features; truncate -s -1 features/state.bin");
    refused("features/state.bin: damaged snapshot", SERVE);
}

static void a_ledger_without_one_of_its_lines_is_refused(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "registry --models models list",
        "registry --models models who",
        "registry --models models promote 1",
        "registry --models models rollback",
        TRAIN, // NOLINT(bugprone-suspicious-missing-comma): the macro's own parts
        SERVE,
    };
    succeed("sed -i 1d models/ledger.jsonl");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        refused("models/ledger.jsonl:1: does not follow the line before it", commands[i]);
}

// ---- two programs at once ---------------------------------------------------------------------------

// The first waits in the middle of its input, a FIFO, until the second has failed.
static void of_two_writers_the_second_fails_and_the_first_completes(void **state)
{
    (void)state;
    succeed("mkfifo fifo; " INGEST
            "fifo >first 2>&1 & exec 3>fifo; head -n 100 datasets/sample.csv "
            ">&3; for i in $(seq 200); do [ -d table.tmp ] && break; sleep 0.05; done\n"
            "timeout 20 " INGEST ">second 2>&1; echo $? >>second\n"
            "tail -n +101 datasets/sample.csv >&3; exec 3>&-; wait $!");
    expect(0, "table: another program is writing it now (table.tmp is locked)\n1\n", "cat second");
    succeed("grep '^ingest  *5512' first && cmp table/amount.npy ../good/table/amount.npy && "
            "[ ! -e table.tmp ]");
}

static void a_registry_in_use_is_not_changed(void **state)
{
    (void)state;
    const char *const words = "models: another program changes this registry now";
    refused(words, "flock models " TRAIN);
    refused(words, "flock models registry --models models promote 1");
    expect(0, "1\n", "flock models registry --models models who");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stages_test(a_wrong_flag_exits_with_2_and_the_nearest_name),
        stages_test(a_missing_or_extra_argument_exits_with_2_and_the_usage),
        stages_test(a_missing_input_is_named),
        stages_test(an_empty_input_is_named),
        stages_test(an_output_below_a_file_is_refused),
        stages_test(an_output_of_the_other_kind_is_not_replaced),
        stages_test(a_write_that_fails_leaves_the_old_artifact),
        stages_test(a_full_disk_is_an_error_and_nothing_stays_on_it),
        stages_test(results_that_cannot_be_printed_are_an_error),
        stages_test(every_column_of_the_table_is_checked),
        stages_test(every_feature_is_checked),
        stages_test(a_manifest_that_was_cut_or_contradicts_the_files_is_refused),
        stages_test(a_model_altered_by_a_digit_is_not_promoted_served_or_monitored),
        stages_test(a_model_that_was_cut_is_refused),
        stages_test(a_state_that_was_cut_or_altered_is_refused),
        stages_test(a_ledger_without_one_of_its_lines_is_refused),
        stages_test(of_two_writers_the_second_fails_and_the_first_completes),
        stages_test(a_registry_in_use_is_not_changed),
    };
    return cmocka_run_group_tests(tests, stages_make, scratch_remove);
}
