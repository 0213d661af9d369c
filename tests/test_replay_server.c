// replay against the real server, on the sample's artifacts: the decisions are those of the batch.
#include "tests/batch_scores.h"

// A line for each row of the day, as the batch of features and the model give it. The sample's ids
// are the numbers of its rows.
static void assert_output_is_the_batch(void)
{
    char path[300], line[128], expected[128];
    struct batch_scores b;
    batch_scores(&b, DAY, "2018-05-04");
    assert_true(b.n > 50);
    snprintf(path, sizeof path, "%s/out.csv", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, "id,probability,decision,model\n");
    for (uint64_t i = 0; i < b.n; i++) {
        snprintf(expected, sizeof expected, "%ju,%.17g,%s,1\n", (uintmax_t)(b.first + i),
                 b.probability[i], b.probability[i] >= b.threshold ? "review" : "approve");
        assert_non_null(fgets(line, sizeof line, f));
        assert_string_equal(line, expected);
    }
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
    free(b.probability);
}

TEST_CASE(a_day_gets_the_decisions_of_the_batch_alone_or_in_arrays)
{
    for (int batch = 1; batch < 40; batch += 36) {
        server_begin(&own, "8", NULL);
        if (run("%s/replay --config datasets/sample.ini --url http://127.0.0.1:%d --connections 1 "
                "--batch %d --from " DAY " --until 2018-05-04 --output %s/out.csv",
                bin, own.port, batch, folder))
            fail_msg("%s", log_text());
        assert_output_is_the_batch();
        server_end_own(NULL);
        *own.database = '\0'; // the next one begins with a new one
    }
}

TEST_CASE(transactions_that_the_server_refuses_are_reported_with_its_words)
{
    server_begin(&own, "8", NULL);
    assert_int_equal(run("{ printf Time; printf ',V%%d' $(seq 28); printf ',Amount,Class\\n0'; "
                         "printf ',-%%d.5' $(seq 28); echo ',1.5,0'; } | %s/replay "
                         "--config datasets/creditcard.ini --url http://127.0.0.1:%d -",
                         bin, own.port),
                     1);
    assert_non_null(strstr(log_text(), "1 sent, 0 answered"));
    assert_non_null(strstr(log_text(), "predict: 400 Bad Request: unknown field '"));
}

// A server of other artifacts, from an .ini that sed makes of the sample's; so these tests are last.
static void start_other(const char *script)
{
    if (run("sed '%3$s' datasets/sample.ini >%1$s/odd.ini && o='--config %1$s/odd.ini' && "
            "%2$s/ingest $o --key %1$s/key --output %1$s/table && "
            "%2$s/features $o --output %1$s/features %1$s/table && "
            "%2$s/features $o --until " DAY " --output %1$s/before %1$s/table && "
            "%2$s/train $o --output %1$s/models --promote %1$s/features",
            folder, bin, script))
        fail_msg("%s", log_text());
    *own.database = '\0';
    server_begin(&own, "8", NULL);
}

TEST_CASE(labels_are_replayed_whatever_the_columns_are_called)
{
    start_other("s/^id /no /; s/^label /fraud /; s/, label, /, fraud, /");
    assert_null(strstr(folder_text("access.log"), "go stale"));
    if (run("%s/replay --config %s/odd.ini --url http://127.0.0.1:%d --connections 1 --from " DAY
            " --until 2018-05-06 --labels 2",
            bin, folder, own.port))
        fail_msg("%s", log_text());
    assert_non_null(strstr(log_text(), " posted, "));
    assert_null(strstr(log_text(), " 0 posted, "));
}

TEST_CASE(a_server_says_at_start_that_its_label_windows_will_go_stale)
{
    start_other("/^id /d");
    assert_non_null(strstr(folder_text("access.log"), "windows over the label will go stale"));
}

TESTS(server_artifacts, server_remove)
