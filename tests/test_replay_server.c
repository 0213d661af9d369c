// replay against the real server, on the sample's artifacts: the decisions are those of the batch.
#include "tests/batch_scores.h"

static char text[1 << 16];

// Of the program's stdout and stderr.
static int replay(const char *arguments)
{
    return run("%s/replay --config datasets/sample.ini --url http://127.0.0.1:%d --connections 1 "
               "--from " DAY " --until 2018-05-04 --output %s/out.csv %s",
               bin, own.port, folder, arguments);
}

static void begin(void)
{
    server_begin(&own, "8", NULL);
}

// A line for each row of the day, as the batch of features and the model give it. The sample's ids are
// the numbers of its rows.
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

static void a_day_sent_one_by_one_gets_the_decisions_of_the_batch(void **state)
{
    (void)state;
    begin();
    if (replay(""))
        fail_msg("%s", log_text());
    assert_output_is_the_batch();
}

static void a_day_sent_in_arrays_gets_the_decisions_of_the_batch(void **state)
{
    (void)state;
    begin();
    if (replay("--batch 37"))
        fail_msg("%s", log_text());
    assert_output_is_the_batch();
}

static void transactions_that_the_server_refuses_are_told_with_its_words(void **state)
{
    (void)state;
    begin();
    assert_int_equal(run("%s/replay --config datasets/creditcard.ini --url http://127.0.0.1:%d "
                         "%s/c.csv",
                         bin, own.port, folder),
                     1);
    snprintf(text, sizeof text, "%s", log_text());
    assert_non_null(strstr(text, "1 sent, 0 answered"));
    assert_non_null(strstr(text, "1 predict: 400 Bad Request: unknown field '"));
}

static int write_card(void **state)
{
    char path[300];
    (void)state;
    snprintf(path, sizeof path, "%s/c.csv", folder);
    FILE *f = fopen(path, "w");
    if (!f)
        return -1;
    fputs("Time", f);
    for (int i = 1; i <= 28; i++)
        fprintf(f, ",V%d", i);
    fputs(",Amount,Class\n0", f);
    for (int i = 1; i <= 28; i++)
        fprintf(f, ",-%d.5", i);
    fputs(",1.5,0\n", f);
    return fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_day_sent_one_by_one_gets_the_decisions_of_the_batch,
                                  server_end_own),
        cmocka_unit_test_teardown(a_day_sent_in_arrays_gets_the_decisions_of_the_batch,
                                  server_end_own),
        cmocka_unit_test_setup_teardown(
            transactions_that_the_server_refuses_are_told_with_its_words, write_card,
            server_end_own),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
