// The stages together, as programs: a dataset of another shape, the same bytes whatever the
// key is, the registry's round trip, the monitor's verdicts, and the examples of --help.
#include "tests/stages.h"

#include <math.h>
#include <stdbool.h>

// ---- ULB's card transactions ----

// A file of that shape, with a tenth of fraud, which four of the components tell in part. Random
// numbers after Park and Miller (1988). Times as R writes them: 1e+05.
static const char write_creditcard[] =
    "awk 'function u() { s = 16807 * s % 2147483647; return s / 2147483647 }\n"
    "function normal() { return sqrt(-2 * log(u())) * cos(6.283185307179586 * u()) }\n"
    "BEGIN { s = 2013; printf \"\\\"Time\\\"\"; for (v = 1; v <= 28; v++) printf \",\\\"V%d\\\"\", "
    "v\n"
    "print \",\\\"Amount\\\",\\\"Class\\\"\"\n"
    "for (i = 0; i < 3000; i++) { fraud = u() < 0.1; t = int(int(i / 2) * 115.2)\n"
    "if (i == 1737) printf \"1e+05\"; else printf \"%d\", t\n"
    "for (v = 1; v <= 28; v++) printf \",%.14g\", normal() - (fraud && v % 7 == 3 ? 0.7 : 0)\n"
    "printf \",%.2f,\\\"%d\\\"\\n\", exp(1 + 2 * u()), fraud } }' >creditcard.csv && "
    "[ $(grep -c '^1e+05,' creditcard.csv) = 1 ]";

static void assert_within(double low, double high, const json_t *object, const char *name)
{
    double x = json_number_value(json_object_get(object, name));
    if (!(x > low && x < high))
        fail_msg("%s is %g, not within %g .. %g", name, x, low, high);
}

static void assert_sane_metrics(void)
{
    json_t *metrics = load_json("ulb/models/1/metrics.json");
    const json_t *test = json_object_get(metrics, "test");
    assert_int_equal(json_integer_value(json_object_get(test, "rows")), 1200);
    assert_within(60, 180, test, "frauds");
    assert_within(0.7, 1, test, "roc_auc");
    assert_within(0.2, 1, test, "average_precision");
    assert_within(0, 0.33, test, "log_loss"); // 0.325 is that of the share alone
    assert_true(json_is_null(json_object_get(test, "card_precision_at_100"))); // there are no cards
    json_decref(metrics);
}

#define ULB "--config datasets/creditcard.ini "

TEST_CASE(a_dataset_without_ids_keys_and_windows_needs_only_its_description)
{
    succeed(write_creditcard);
    expect(0, " 3000 ", "ingest " ULB "--key key --output ulb/table creditcard.csv");
    expect(0, " 3000 ", "features " ULB "--output ulb/features ulb/table");
    expect(0, " 1800 ", "train " ULB "--promote --output ulb/models ulb/features");
    assert_sane_metrics();
    expect(0,
           "No verdict: the period has no rows, so there is nothing to compare yet. Open\n  "
           "ulb/drift.html\n",
           "monitor " ULB "--fail-on-drift --models ulb/models "
           "--output ulb/drift.json ulb/features");
    expect(0, "tested on 60% .. 100%: 1200 rows", "registry --models ulb/models show");
}

TEST_CASE(days_and_hours_are_local_ones)
{
    succeed("sed 's/^time_format.*/&\\nutc_offset = -04:30/' datasets/sample.ini >local.ini && "
            "for c in datasets/sample.ini local.ini; do rm -rf table features m; "
            "ingest --config $c --key key --output table datasets/sample.csv && "
            "features --config $c --output features table && "
            "train --config $c --output m features && tr -d '\\n' <m/1/metrics.json | "
            "sed 's/\"time\": \"[^\"]*\"//g; s/\"columns\".*\"weights\"//; s/\"about\".*//' "
            ">${c##*/}.json || exit 1; done; cmp sample.ini.json local.ini.json");
    succeed("grep -q '\"time\": \"2018-05-[0-9T:]*-04:30\"' m/1/metrics.json");
}

// ---- rows without a clock ----

static const char rows_ini[] =
    "[input]\nfile = rows.csv\ntime_format = row\n[columns]\nx = X, number\nplan = P, category\n"
    "label = Y, label\n[features]\nx = x\nplan = onehot(plan)\n[split]\ntrain = 0% .. 50%\n"
    "test = 50% .. 75%\n[model]\nl2 = 1e-3\nalert_share = 10%\n[card]\nclass = churn\n";

// From row 1000 on a third of the plans are ones that training does not have.
#define WRITE_ROWS                                                                                 \
    "awk 'BEGIN { srand(4); print \"X,P,Y\"; for (i = 0; i < 2000; i++) { y = (rand() < 0.3); "    \
    "printf \"%.3f,%s,%d\\n\", rand() + y, (i >= 1000 && i % 3 == 0) ? \"new\" : "                 \
    "substr(\"aaab\", "                                                                            \
    "1 + i % 4, 1), y } }' >rows.csv"
#define ROWS "--config rows.ini "
#define RUN_ROWS                                                                                   \
    "ingest " ROWS "--key key --output t && features " ROWS "--output f t && train " ROWS          \
    "--decide --output m f"
#define SHIFT(by) "awk -F, -v OFS=, 'NR > 1001 { $1 " by " 5 } 1' rows.csv >o && mv o rows.csv && "

TEST_CASE(rows_without_a_clock_are_measured_compared_and_watched_without_days)
{
    scratch_text("work/rows.ini", rows_ini);
    expect(0, "train: 33 % of the test's rows have a value of plan that no training row has",
           WRITE_ROWS " && " RUN_ROWS);
    expect(0, " rows of class churn\nThreshold ", "registry --models m show");
    assert_contains(out, ": 10.00 % of the validation rows are alerts, ");
    expect(0, "Kept out version 2: No difference shown",
           "sed -i 's/^l2.*/l2 = 0.002/' rows.ini && " RUN_ROWS);
    assert_contains(out, "\nrow 1000 to row 1999: 1000 rows, rows of class churn: ");
    assert_contains(out, "\nShare of alerts ");
    expect(0, "No verdict: rows without a clock", "monitor " ROWS "--models m --output d.json f");
    assert_contains(out, "Period         500 rows  row 1500 .. row 1999\n");
    expect(0, "assay_drift_alert_share{period=\"current\"} 0.", "cat d.prom");
    succeed("! { cat m/2/card.md d.prom; registry --models m show 2; monitor " ROWS
            "--models m --output d.json f; } | grep -niE 'fraud|a day|week by|genuine'");
    refused("with time_format = row there are no days to retrain on",
            "train " ROWS "--output m --retrain d.json f");
    refused("version 1 was not trained on f2: without a clock",
            "(sed 2d rows.csv >o.csv && ingest " ROWS
            "--key key --output t2 o.csv && features " ROWS
            "--output f2 t2) >/dev/null && registry --models m compare " ROWS "1 2 f2; s=$?; "
            "rm -r o.csv t2 f2; exit $s");
    expect(0, "train: No row of the test is an alert, so none of its ", SHIFT("-=") RUN_ROWS);
    assert_contains(out,
                    "version 3: not comparable: version 1 was not trained on f: without a clock");
    expect(0, "train: 100.00 % of the test's rows are alerts, more than ten times the budget",
           SHIFT("+= 10 +") RUN_ROWS);
    expect(
        1, "all of its 500 rows have label 0, so the file is sorted",
        "(head -1 rows.csv; tail -n +2 rows.csv | sort -t, -rk3) >o && mv o rows.csv && " RUN_ROWS);
}

// ---- the same bytes ----

TEST_CASE(the_model_does_not_depend_on_the_secret_key)
{
    succeed("ingest " SAMPLE "--key other --output table && " FEATURES "&& train " SAMPLE
            "--output other-models features");
    succeed("! cmp -s key other && ! cmp -s table/customer.npy ../good/table/customer.npy");
    succeed("diff -r models/1 other-models/1");
}

// What is blocked was the first key of [columns] once.
TEST_CASE(two_swapped_lines_of_columns_do_not_change_the_metrics)
{
    succeed("sed '/^customer /{h;d}; /^terminal /G' datasets/sample.ini >swapped.ini && "
            "grep -A 1 '^terminal ' swapped.ini | grep -q '^customer ' && "
            "o='--config swapped.ini' && ingest $o --key key --output t datasets/sample.csv && "
            "features $o --output f t && train $o --output swapped f && "
            "for m in models swapped; do grep -E '\"(rows|known_cards|roc_auc)\"' "
            "$m/1/metrics.json >$m.txt; done && cmp models.txt swapped.txt");
}

// Neither when features are computed nor when the .ini has changed since then.
TEST_CASE(labels_that_are_not_known_yet_are_refused)
{
    succeed("sed 's/^label_delay.*/label_delay = 8d/' datasets/sample.ini >late.ini");
    refused("[features] terminal_risk_1d: the label is not known yet",
            "features --config late.ini --output features table");
    refused("[features] terminal_risk_1d: the label is not known yet",
            "train --config late.ini --output models features");
    expect(0, "The test begins less than 7d after training ends",
           "sed 's/^test .*/test = 2018-04-28 .. 2018-05-04/' datasets/sample.ini >close.ini && "
           "train --config close.ini --output c --promote features && registry --models c show");
}

TEST_CASE(the_same_features_again_add_no_version)
{
    expect(0, "models/1\n", TRAIN "--promote");
    expect(0, "", "[ ! -e models/2 ] && [ $(wc -l <models/ledger.jsonl) = 4 ]");
}

TEST_CASE(what_tells_of_customers_is_its_owners_alone)
{
    succeed("umask 0; " INGEST "--key var/key && " FEATURES);
    succeed("[ -z \"$(find var table features rejects.csv -perm /077)\" ] || ls -lR");
    assert_null(strstr(out, "rw"));
}

TEST_CASE(a_model_that_reviews_whatever_lies_outside_says_so)
{
    expect(0, "\nRows with an input outside the range of the training rows are reviewed, too",
           "sed 's/^l2 = .*/l2 = 1e-2\\noutside = review/' datasets/sample.ini >o.ini && train "
           "--config o.ini --output o --promote features && cat o/1/card.md && "
           "grep -q '\"outside\": \"review\"' o/1/model.json");
}

// ---- the registry ----

static void expect_exactly(const char *text, const char *command)
{
    succeed(command);
    assert_string_equal(out, text);
}

#define WHO "registry --models models list | awk '/  champion  / { print $1 }'"

TEST_CASE(a_version_is_promoted_and_rolled_back)
{
    static const char sha256[] = "sha256sum models/1/model.json | head -c";
    expect(0, "models/2\n",
           "sed 's/^l2 = .*/l2 = 3e-2/' datasets/sample.ini >l2.ini && train "
           "--config l2.ini --output models features");
    expect_exactly("1\n", WHO);
    expect_exactly("version 2 becomes the champion of models\n",
                   "registry --models models promote latest");
    expect_exactly("2\n2\n", WHO "; readlink models/champion");
    expect(0, "\n      2  champion  ", "registry --models models list");
    succeed(formatted("registry --models models list | grep -q $(%s 12)", sha256));
    expect_exactly("version 1 becomes the champion of models again\n",
                   "registry --models models rollback");
    expect_exactly("1\n", WHO);
    expect(0, "\n      1  champion  ", "ln -sfn 2 models/champion; registry --models models list");
    expect(1, "models: there is no champion before the present one",
           "registry --models models rollback");
    succeed("! registry --models models list --at 2001-01-01 | grep -q champion");
}

TEST_CASE(without_models_the_only_registry_is_found_or_the_message_says_what_to_type)
{
    expect(1, "no registry below models/: type make pipeline", "registry list");
    expect(0, "\nROC AUC ", "mv models a && mkdir models && mv a models && registry show");
    expect(1, "there are 2 registries below models/: choose one with --models",
           "cp -r models/a models/b && registry list");
    expect(0, "1  champion ", "registry list --models models/b");
}

// ---- the monitor ----

// Features that are settled in the training window, so that what drifts is what was shifted.
static const char drift_ini[] =
    "[input]\nfile = data.csv\ntime_format = %Y-%m-%d %H:%M:%S\n"
    "[columns]\ntime = TX_DATETIME, time\ncustomer = CUSTOMER_ID, key\n"
    "amount = TX_AMOUNT, number, min=0\nlabel = TX_FRAUD, label\n"
    "[features]\namount = amount\nnight = hour(time) <= 6\n"
    "customer_mean_7d = mean(customer, amount, 7d)\n"
    "[split]\ntrain = 2018-04-15 .. 2018-04-28\ntest = 2018-05-06 .. 2018-05-12\nfolds = 1\n"
    "[model]\nl2 = 1e-3\nalerts_per_day = 5\n"
    "[monitor]\npsi_alert = 0.1\nmin_rows = 500\n";

#define WATCH                                                                                      \
    "ingest --config drift.ini --key key --output t && "                                           \
    "features --config drift.ini --output f t && "                                                 \
    "train --config drift.ini --output m --promote f && "                                          \
    "monitor --config drift.ini --models m --output d.json --fail-on-drift f"
#define SIMULATE "simulate --customers 300 --terminals 600 --radius 10 --days 56 --output data.csv "

TEST_CASE(drift_exits_with_3_where_that_is_wanted)
{
    scratch_text("work/drift.ini", drift_ini);
    expect(0, "\nNo drift: 0 of 2 inputs moved; AP ", SIMULATE "&& " WATCH);
    expect(3, "\nDRIFT: 2 of 2 inputs moved (", SIMULATE "--shift 2018-05-13 && " WATCH);
    expect(0, "Open d.html\n", "monitor --config drift.ini --models m --output d f");
    expect(0,
           "No verdict: ", "monitor --config drift.ini --models m --output d --until 2018-05-26 f");
    expect(0,
           "No verdict: ", "monitor --config drift.ini --models m --output d --from 2018-05-14 f");
    json_t *drift = load_json("d.json");
    assert_true(json_is_true(json_object_get(json_object_get(drift, "verdict"), "drift")));
    json_decref(drift);
}

TEST_CASE(the_test_window_has_the_figures_of_the_report)
{
    json_t *drift = load_json("drift.json"), *metrics = load_json("models/1/metrics.json");
    const json_t *performance = json_object_get(drift, "performance");
    const json_t *test = json_object_get(metrics, "test");
    assert_within(0.1, 1, test, "average_precision");
    assert_true(json_integer_value(json_object_get(test, "known_cards")) > 0);
    assert_true(json_equal(json_object_get(performance, "reference"), test));
    assert_true(
        json_equal(json_object_get(json_object_get(performance, "calibration"), "reference"),
                   json_object_get(metrics, "reliability")));
    json_decref(drift);
    json_decref(metrics);
}

// The later training window begins with the earlier one's four weeks and cannot learn from its own.
TEST_CASE(a_bound_is_learned_from_four_weeks_of_training)
{
    scratch_text("work/drift.ini", drift_ini);
    succeed("sed -i 's/^test .*/test = 2018-05-20 .. 2018-05-26/; "
            "s/^train .*/train = 2018-04-08 .. 2018-05-05/' drift.ini && " SIMULATE
            "--days 70 && ingest --config drift.ini --key key --output t && "
            "features --config drift.ini --output f t && "
            "train --config drift.ini --output m --promote f && "
            "monitor --config drift.ini --models m --output d.json f >said && "
            "! grep shorter said && grep -q '\"bound_from\": \"training\"' d.json");
}

// ---- --help ----

// The line behind "example:" of the last help that was printed.
static void copy_example(char *example, size_t size)
{
    const char *at = strstr(out, "\nexample:\n  ");
    assert_non_null(at);
    at += strlen("\nexample:\n  ");
    snprintf(example, size, "%.*s", (int)strcspn(at, "\n"), at);
}

// In a folder where `make pipeline` has run. Smaller where the example would take its time, and
// ended where it would not end.
static void run_example(const char *program, const char *example)
{
    const char *more = "";
    if (strcmp(program, "simulate") == 0)
        more = " --customers 20 --terminals 20 --radius 50";
    if (strcmp(program, "serve") == 0)
        more = " --port 0 >line & for i in $(seq 200); do [ -s line ] && break; sleep 0.05; done; "
               "kill $!; wait $! && cat line";
    const char *command = formatted("%s%s", example, more);
    int status = run(command);
    if (status != 0 && !(status == 3 && strcmp(program, "monitor") == 0))
        fail_msg("%s\nexit status %d:\n%s", command, status, out);
}

TEST_CASE(every_help_has_defaults_and_an_example_that_works)
{
    static const char *const programs[] = {"simulate", "ingest",   "features", "train",
                                           "monitor",  "registry", "serve",    "export"};
    char command[128], example[512];
    succeed("rm datasets && mkdir -p datasets build/simulated models var && "
            "ln -s \"${PATH%%:*}\" build/bin && mv table features build/simulated && "
            "mv models simulated && mkdir models && mv simulated models && "
            "cp key var/pseudonym.key && ln -s ../../good/datasets/sample.csv datasets && "
            "cp ../good/datasets/sample.ini datasets/simulated.ini");
    for (size_t i = 0; i < LENGTH(programs); i++) {
        snprintf(command, sizeof command, "env %s --help", programs[i]); // shells have an export
        expect(0, formatted("usage: %s [OPTIONS]", programs[i]), command);
        assert_contains(out, " (default");
        copy_example(example, sizeof example);
        run_example(programs[i], example);
        snprintf(command, sizeof command, "env %s --version", programs[i]);
        expect(0, formatted("%s 0.", programs[i]), command);
    }
    succeed("for p in simulate ingest features train monitor registry serve replay export; do "
            "env $p --help | awk 'length > 80 { print; bad = 1 } "
            "END { exit bad || NR < 8 }' || exit 1; done");
}

TESTS(stages_make, scratch_remove)
