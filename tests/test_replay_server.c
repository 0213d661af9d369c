// replay against the real server, on the sample's artifacts: the decisions are those of the batch.
#include "tests/batch_scores.h"

static int replay(const char *config, const char *arguments)
{
    return run("%s/replay --config datasets/%s.ini --url http://127.0.0.1:%d %s", bin, config,
               own.port, arguments);
}

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

static void a_day_gets_the_decisions_of_the_batch_alone_or_in_arrays(void **state)
{
    static const char *const batches[] = {"1", "37"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char arguments[512];
        snprintf(arguments, sizeof arguments,
                 "--connections 1 --batch %s --from " DAY " --until 2018-05-04 --output %s/out.csv",
                 batches[i], folder);
        server_begin(&own, "8", NULL);
        if (replay("sample", arguments))
            fail_msg("%s", log_text());
        assert_output_is_the_batch();
        server_end_own(NULL);
        *own.database = '\0'; // the next one begins with a new one
    }
}

static void transactions_that_the_server_refuses_are_reported_with_its_words(void **state)
{
    char path[300];
    (void)state;
    snprintf(path, sizeof path, "%s/c.csv", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("Time", f);
    for (int i = 1; i <= 28; i++)
        fprintf(f, ",V%d", i);
    fputs(",Amount,Class\n0", f);
    for (int i = 1; i <= 28; i++)
        fprintf(f, ",-%d.5", i);
    fputs(",1.5,0\n", f);
    assert_int_equal(fclose(f), 0);
    server_begin(&own, "8", NULL);
    assert_int_equal(replay("creditcard", path), 1);
    assert_non_null(strstr(log_text(), "1 sent, 0 answered"));
    assert_non_null(strstr(log_text(), "1 predict: 400 Bad Request: unknown field '"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_day_gets_the_decisions_of_the_batch_alone_or_in_arrays,
                                  server_end_own),
        cmocka_unit_test_teardown(transactions_that_the_server_refuses_are_reported_with_its_words,
                                  server_end_own),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
