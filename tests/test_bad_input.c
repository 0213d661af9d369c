// Every program with bad input: the message names the file, the exit status is not 0, and the old
// artifact stays as it was. The modules' tests cover the mistakes; these cover the programs.
#include "tests/stages.h"

#define SERVE                                                                                      \
    "serve --models models --state features/state.bin --key key --database served.db --port 0"

TEST_CASE(wrong_command_lines_exit_with_2)
{
    static const char *const cases[][2] = {
        {"simulate: unknown option --custmers, did you mean 'customers'?", "simulate --custmers 5"},
        {"registry: unknown command 'lst', did you mean 'list'?", "registry lst"},
        {"--shift: 2018-03-31 is not within 2018-04-01 .. 2018-09-30",
         "simulate --shift 2018-03-31"},
        {"missing argument: usage: train [OPTIONS] FEATURES", "train"},
        {"the period is empty: --from must be earlier than --until",
         "monitor --from 2018-09-03 --until 2018-09-03 f"},
        {"unexpected argument '8080': usage: serve [OPTIONS]", "serve 8080"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        expect(2, cases[i][0], cases[i][1]);
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
    "registry --models x list",
    "registry --models x rollback",
    "registry --models x promote 1",
    "registry --models x compare 1 1 features",
    "registry " SAMPLE "--models models compare 1 1 x",
    "registry --config x --models models compare 1 1 features",
    "serve --models x --state features/state.bin --key key --port 0",
    "serve --models models --state x --key key --port 0",
    "serve --models models --state features/state.bin --key x --port 0",
};
enum { N_INPUTS = LENGTH(inputs) };

// Missing, and empty (with the mode of a key, or it would be refused for that).
TEST_CASE(a_missing_or_empty_input_is_named)
{
    for (size_t i = 0; i < N_INPUTS; i++)
        refused(": x: ", inputs[i]);
    succeed(": >x; chmod 600 x");
    for (size_t i = 0; i < N_INPUTS; i++)
        refused(": x", inputs[i]);
}

TEST_CASE(a_pipe_in_place_of_a_file_is_refused_at_once)
{
    static const char *const files[][2] = {
        {"key", INGEST},
        {"table/manifest.json", FEATURES},
        {"features/state.bin", SERVE},
        {"models/ledger.jsonl", SERVE},
        {"models/1/model.json", SERVE},
        {"x", "ingest --config x --key key --output new datasets/sample.csv"},
        {"x", SERVE " --token-file x"},
        {"x", "replay " SAMPLE "--token-file x"},
    };
    for (size_t i = 0; i < LENGTH(files); i++) {
        expect(1, strrchr(files[i][0], '/') ? strrchr(files[i][0], '/') + 1 : files[i][0],
               formatted("rm -f %s && mkfifo -m 600 %s && "
                         "timeout 20 %s",
                         files[i][0], files[i][0], files[i][1]));
        stages_copy(NULL);
    }
}

TEST_CASE(an_output_that_cannot_be_there_is_refused)
{
    static const char *const cases[][2] = {
        {"file/x: ", "simulate --customers 20 --days 5 --output file/x"},
        {"file/x: ", INGEST "--output file/x datasets/sample.csv"},
        {"file/x: ", FEATURES "--output file/x"},
        {"file/x/ledger.jsonl: cannot open", TRAIN "--output file/x"},
        {"file/x: ", MONITOR "--output file/x"},
        {"table: is not a plain file", "simulate --customers 20 --days 5 --output table"},
        {"file: cannot be replaced by a folder", INGEST "--output file datasets/sample.csv"},
        {"table: is not a plain file", MONITOR "--output table"},
    };
    succeed("echo x >file");
    for (size_t i = 0; i < LENGTH(cases); i++)
        refused(cases[i][0], cases[i][1]);
}

TEST_CASE(results_that_cannot_be_printed_are_an_error)
{
    static const char *const commands[] = {INGEST, MONITOR, "registry --models models list", SERVE};
    for (size_t i = 0; i < LENGTH(commands); i++) {
        expect(1, "cannot write to standard output", formatted("%s >/dev/full", commands[i]));
    }
}

// flip FILE: its last byte, altered by one bit.
#define FLIP                                                                                       \
    "flip() { byte=$(tail -c 1 $1 | od -An -tu1); truncate -s -1 $1; "                             \
    "printf \"\\\\$(printf %o $((byte ^ 1)))\" >>$1; }\n"

// Every column of a table, first cut by a byte and then altered in its last one.
#define EVERY_COLUMN(table, program, other_program)                                                \
    FLIP "refuses() { words=$f:\\ it\\ $1; shift; out=$(\"$@\" 2>&1) || case $out in "             \
         "(*\"$words\"*) "                                                                         \
         "return ;; esac; echo \"$f: $out\"; exit 9; }\n"                                          \
         "for f in " table "/*.npy; do truncate -s -1 $f; refuses has " program "\n"               \
         "cp ../good/$f $f; flip $f; refuses 'was altered' " other_program "\n"                    \
         "cp ../good/$f $f; done; diff -r ../good ."

TEST_CASE(every_column_is_checked)
{
    succeed(EVERY_COLUMN("table", FEATURES, FEATURES));
    succeed(EVERY_COLUMN("features", TRAIN, MONITOR));
}

TEST_CASE(a_manifest_that_contradicts_its_files_is_refused)
{
    succeed("truncate -s -1 table/manifest.json");
    refused("table/manifest.json:", FEATURES);
    succeed("rm table/amount.npy; cp ../good/table/manifest.json table");
    refused("table/amount.npy: cannot open", FEATURES);
    succeed("sed -i 's/\"rows\": [0-9]*/\"rows\": 5/' features/manifest.json");
    refused("make the table again", TRAIN);
    refused("make the table again", MONITOR);
}

TEST_CASE(altered_artifacts_are_refused)
{
    static const char *const cases[][3] = {
        {"sed -i 's/\"intercept\": -\\?[0-9]/\"intercept\": 9/' models/1/model.json",
         "models/1/model.json: was altered since its training",
         "registry --models models promote 1"},
        {":", "models/1/model.json: was altered since its training", SERVE},
        {":", "models/1/model.json: was altered since its training", MONITOR},
        {"truncate -s -1 models/1/model.json", "models/1/model.json:", SERVE},
        {"truncate -s -2 models/1/metrics.json",
         "models/1/metrics.json:", "registry --models models show"},
        {FLIP "cp ../good/models/1/model.json models/1; flip features/state.bin",
         "features/state.bin: damaged snapshot", SERVE},
        {"cp ../good/features/state.bin features; printf 'another 16 bytes' >key",
         "another pseudonym key", SERVE},
        {"cp ../good/key .; sed -i 1d models/ledger.jsonl",
         "models/ledger.jsonl:1: does not follow", "registry --models models list"},
        {":", "models/ledger.jsonl:1: does not follow", "registry --models models rollback"},
        {":", "models/ledger.jsonl:1: does not follow", TRAIN},
        {":", "models/ledger.jsonl:1: does not follow", SERVE},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        succeed(cases[i][0]);
        refused(cases[i][1], cases[i][2]);
    }
}

// The first waits in the middle of its input, a FIFO, until the second has failed.
TEST_CASE(the_second_of_two_writers_fails)
{
    succeed("mkfifo fifo; " INGEST
            "fifo >first 2>&1 & exec 3>fifo; head -n 100 datasets/sample.csv "
            ">&3; for i in $(seq 200); do [ -d table.tmp ] && break; sleep 0.05; done\n"
            "timeout 20 " INGEST ">second 2>&1; echo $? >>second\n"
            "tail -n +101 datasets/sample.csv >&3; exec 3>&-; wait $!");
    expect(0, "table: another program is writing it now (table.tmp is locked)\n1\n", "cat second");
    succeed("grep '^ingest  *5512' first && cmp table/amount.npy ../good/table/amount.npy && "
            "[ ! -e table.tmp ]");
}

TEST_CASE(a_registry_in_use_is_not_changed)
{
    const char *const words = "models/: another program writes in this folder now";
    refused(words, "flock models " TRAIN);
    refused(words, "flock models registry --models models promote 1");
    expect(0, "1 ", "flock models registry --models models list");
}

TESTS(stages_make, scratch_remove)
