// sentences: what is said of figures that have no share, no meaning, or a loser.
#include "train/tables.h"

#include "tests/scratch.h"

static void assert_says(table_fn *sentence, const char *json, const char *expected)
{
    char *text = NULL;
    size_t n;
    json_t *results = json_loads(json, 0, NULL);
    FILE *f = open_memstream(&text, &n);
    assert_non_null(results);
    assert_non_null(f);
    assert_int_equal(sentence(results, SHEET_TEXT, f), 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, expected);
    free(text);
    json_decref(results);
}

static void a_baseline_has_more_as_many_fewer_or_no_false_alarms(void **state)
{
    (void)state;
    assert_says(tables_saved,
                "{\"false_positives_at_recall\": 10, \"test\": {\"confusion\": "
                "{\"true_positives\": 19}}, \"baselines\": ["
                "{\"name\": \"constant\", \"inputs\": [], \"false_positives_at_recall\": 99},"
                "{\"name\": \"a\", \"inputs\": [\"x\"], \"false_positives_at_recall\": 40},"
                "{\"name\": \"b\", \"inputs\": [\"x\"], \"false_positives_at_recall\": 10},"
                "{\"name\": \"c\", \"inputs\": [\"x\"], \"false_positives_at_recall\": 8},"
                "{\"name\": \"d\", \"inputs\": [\"x\"], \"false_positives_at_recall\": 0},"
                "{\"name\": \"e\", \"inputs\": [\"x\"], \"false_positives_at_recall\": null}]}",
                "To find 19 frauds, a raises 40 false alarms at least, the model 10: 75 % fewer.\n"
                "To find 19 frauds, b raises 10 false alarms at least, the model 10 too.\n"
                "To find 19 frauds, c raises 8 false alarms at least, the model 10: 25 % more.\n"
                "To find 19 frauds, d raises 0 false alarms at least, the model 10.\n");
}

#define FOLD "\"folds\": [{\"test\": \"then\", \"threshold_from\": \"validation\"}]"

static void a_test_without_frauds_or_alerts_is_led_by_that(void **state)
{
    (void)state;
    assert_says(tables_lead, "{\"test\": {\"frauds\": 0}, " FOLD "}",
                "The test (then) has no fraud to find.");
    assert_says(tables_lead, "{\"test\": {\"frauds\": 3, \"selection_rate\": 0}, " FOLD "}",
                "In the test (then) it raises no alert and finds none of 3 frauds.");
    assert_says(
        tables_lead,
        "{\"test\": {\"frauds\": 4, \"rows\": 100, \"selection_rate\": 0.06, \"precision\": "
        "0.5, \"confusion\": {\"true_positives\": 3}}, \"data\": {\"test\": {\"days\": 2}}, " FOLD
        "}",
        "In the test (then) it finds 3 of 4 frauds with 3.0 alerts a day, of which 50 in "
        "100 are frauds.");
}

static void the_policy_is_a_budget_or_the_costs_of_the_test(void **state)
{
    (void)state;
    assert_says(tables_policy,
                "{\"test\": {\"threshold\": 0.25}, \"threshold\": {\"alerts_per_day\": 7}, " FOLD
                "}",
                "The threshold, 0.25, lets 7 alerts a day through on earlier weeks.");
    assert_says(
        tables_policy,
        "{\"test\": {\"threshold\": 0.25, \"frauds\": 4, \"rows\": 100, \"selection_rate\": "
        "0.06, \"confusion\": {\"false_negatives\": 1}}, \"threshold\": {\"cost_fraud\": 50,"
        " \"cost_alert\": 2}, " FOLD "}",
        "The threshold, 0.25, has the lowest cost on earlier weeks, a missed fraud at 50 and "
        "an alert at 2. The test costs 62; without any alert 200, with all rows alerted "
        "200.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_baseline_has_more_as_many_fewer_or_no_false_alarms),
        cmocka_unit_test(a_test_without_frauds_or_alerts_is_led_by_that),
        cmocka_unit_test(the_policy_is_a_budget_or_the_costs_of_the_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
