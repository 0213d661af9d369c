// replay against the real server: what it refuses, and datasets of other columns. test_parity.c compares
// the decisions with the batch.
#include "tests/server.h"

TEST_CASE(transactions_that_the_server_refuses_are_reported_with_its_words)
{
    server_begin(&own, "8", NULL);
    assert_int_equal(run("{ printf Time; printf ',V%%d' $(seq 28); printf ',Amount,Class\\n0'; "
                         "printf ',-%%d.5' $(seq 28); echo ',1.5,0'; } | replay "
                         "--config datasets/creditcard.ini --url http://127.0.0.1:%d -",
                         own.port),
                     1);
    assert_non_null(strstr(log_text(), "1 sent, 0 answered"));
    assert_non_null(strstr(log_text(), "predict: 400 Bad Request: unknown field '"));
}

// A server of other artifacts, from an .ini that sed makes of the sample's; so these tests are last.
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
