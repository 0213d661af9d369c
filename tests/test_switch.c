// switch: the recipe "A champion with other features" of docs/server.md, with the real programs on
// the sample. Transactions are served from DAY on; the oracle is the batch over all of them, each once.
#include "tests/server.h"

#define LABEL                                                                                      \
    "POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"                     \
    "Content-Length: 23\r\n\r\n{\"id\":\"4500\",\"label\":1}"

// A shell command ends with that status and prints the words.
static void expect(int status, const char *words, const char *command)
{
    const int found = run("set -e; %s", command);
    if (found != status || !strstr(log_text(), words))
        fail_msg("%s\nexit status %d, expected %d with '%s':\n%s", command, found, status, words,
                 log_text());
}

// Replay rows of a CSV to the server that runs.
static void replay(const char *options)
{
    expect(0, ", 0 failed; 0 rows that break",
           formatted(
               "replay --config datasets/sample.ini --connections 1 --url http://127.0.0.1:%d %s",
               own.port, options));
}

static void start(const char *state)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s/state.bin", folder, state);
    memcpy(own.more, (const char *[]){"--state", path}, 2 * sizeof *own.more);
    *own.database = '\0';
    server_begin(&own, "8", NULL);
}

static char old_database[300];

// Row 4095, a fraud, arrives when the server already has rows of later days. Row 4209 is in the
// original table, and sent once more. Labels come a day later, so the last day's are not known.
static void serve_three_days(void)
{
    expect(0, "",
           "awk -F, 'NR == 1 || $2 < \"" DAY "\" && $1 != 4095' datasets/sample.csv >$F/base.csv\n"
           "awk -F, 'NR == 1 || $1 == 4095 || $1 == 4209' datasets/sample.csv >$F/late.csv\n"
           "awk -F, -v OFS=, 'NR == 1 || $2 < \"2018-05-06\"' datasets/sample.csv >$F/until.csv\n"
           "awk -F, -v OFS=, -v end=$(tail -n 1 $F/until.csv | cut -d, -f6) "
           "'NR > 1 && $1 != 4095 && $6 + 86400 > end { $8 = 0 } 1' $F/until.csv >$F/all.csv\n"
           "o='--config datasets/sample.ini'; ingest $o --key $F/key --output $F/base $F/base.csv\n"
           "features $o --output $F/first $F/base");
    start("first");
    replay("--from " DAY " --until 2018-05-06 --labels 1");
    replay("--labels 0 $F/late.csv");
    snprintf(old_database, sizeof old_database, "%s", own.database);
}

static void promote_other_features(void)
{
    expect(0, "becomes the champion",
           "sed 's/^weekend .*/&\\nmean_3d = mean(terminal, amount, 3d)/; /^customer_mean_30d/d' "
           "datasets/sample.ini >$F/new.ini; cd $F\n"
           "features --config new.ini --output features table\n"
           "train --config new.ini --output models features\n"
           "registry --models models promote latest");
    wait_for_log("was trained on other [columns] or [features] than the running state has", 1);
}

// env: the shell has a command of that name.
static void export_and_compute(void)
{
    char command[1024];
    snprintf(
        command, sizeof command,
        "cd $F; served() { env export --config new.ini --database %s --models models \"$@\"; }\n"
        "served --transactions --output served\n"
        "features --config new.ini --output now base served\n"
        "if served --output now; then exit 1; fi\n"
        "features --config new.ini --output soon --until 2018-05-05 base served\n",
        own.database);
    expect(0, "", command);
}

// The new server does not know row 4500, of May 5. If it got the rows from that day on again, or if
// the old server goes on with its old champion, a label of it is taken.
static void label_old_rows(void)
{
    static char first[300], registry[300];
    check_answer_at(own.port, LABEL, 404, "no such transaction");
    replay("--from 2018-05-06 --until 2018-05-08 --output $F/one");
    assert_int_equal(server_end(&own), 0);
    start("soon");
    replay("--from 2018-05-05 --until 2018-05-06");
    replay("--from 2018-05-06 --until 2018-05-08 --output $F/two");
    expect(0, "", "[ $(wc -l <$F/one) -gt 200 ]; cmp $F/one $F/two");
    check_answer_at(own.port, LABEL, 200, "");
    assert_int_equal(server_end(&own), 0);
    expect(0, "", "cd $F; cp -a models models-1; registry --models models-1 rollback");
    snprintf(first, sizeof first, "%s/first/state.bin", folder);
    snprintf(registry, sizeof registry, "%s/models-1", folder);
    memcpy(own.more, (const char *[]){"--state", first, "--models", registry},
           4 * sizeof *own.more);
    memcpy(own.database, old_database, sizeof old_database);
    server_begin(&own, "8", NULL);
    check_answer_at(own.port, LABEL, 200, "");
}

TEST_CASE(an_export_and_the_original_table_give_the_state_of_a_batch_over_all)
{
    serve_three_days();
    promote_other_features();
    assert_int_equal(server_end(&own), 0);
    export_and_compute();
    expect(0, "",
           "cd $F; ingest --config new.ini --key key --output all all.csv\n"
           "features --config new.ini --output batch all; cmp batch/state.bin now/state.bin\n"
           "diff -r -x manifest.json -x label.npy batch now; grep labels_as_of now/manifest.json");
    start("now");
    label_old_rows();
}

static int artifacts(void **state)
{
    return server_artifacts_of(state, "datasets/sample.ini", DAY);
}

TESTS(artifacts, server_remove)
