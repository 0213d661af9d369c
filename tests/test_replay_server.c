// replay against the real server, with datasets of other columns. test_parity.c compares the decisions
// with the batch, and test_replay.c has answers that are refusals.
#include "tests/server.h"

// A server of other artifacts, from an .ini that sed makes of the sample's.
static void start_other(const char *script)
{
    succeed("sed '%s' datasets/sample.ini >$F/odd.ini && o=\"--config $F/odd.ini\" && "
            "ingest $o --key $F/key --output $F/table && "
            "features $o --output $F/features $F/table && "
            "features $o --until " DAY " --output $F/before $F/table && "
            "train $o --output $F/models --promote $F/features",
            script);
    *own.database = '\0';
    server_begin(&own, "8", NULL);
}

TEST_CASE(labels_are_replayed_whatever_the_columns_are_called)
{
    start_other("s/^id /no /; s/^label /fraud /; s/, label, /, fraud, /");
    assert_null(strstr(folder_text("access.log"), "go stale"));
    succeed("replay --config $F/odd.ini --url http://127.0.0.1:%d --connections 1 --from " DAY
            " --until 2018-05-06 --labels 2",
            own.port);
    assert_non_null(strstr(log_text(), " posted, "));
    assert_null(strstr(log_text(), " 0 posted, "));
}

TEST_CASE(a_server_says_at_start_that_its_label_windows_will_go_stale)
{
    start_other("/^id /d");
    assert_non_null(strstr(folder_text("access.log"), "windows over the label will go stale"));
}

TESTS(server_artifacts, server_remove)
