// When a retraining is due and on which days, which versions replace the champion, and what the
// ledger keeps of it.
#include "tests/release.h"
#include "tests/stages.h"
#include "tests/training.h"
#include "train/retrain.h"

static struct err err;

static struct challenge rules_of(const char *text)
{
    struct config config = config_of(text);
    struct challenge r = {0};
    must(retrain_from_config(&r, &config, &err), &err);
    config_release(&config);
    return r;
}

static json_t *json_of(const char *text)
{
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    return j;
}

// One row an hour for 100 days from 2018-01-01 on, every tenth a fraud; version 3 was tested until
// day 60. M is in day 92, so days 50 to 77 train and days 78 to 91 judge.
enum { ROWS = 2400, FROM = 17532 };

static bool is_due(const char *settings, const char *drift, int64_t tested, int64_t first,
                   bool forced, struct challenge *r, struct split *split)
{
    static int64_t time[ROWS];
    static int8_t label[ROWS];
    for (int i = 0; i < ROWS; i++) {
        time[i] = (FROM + first) * DAY + i * HOUR;
        label[i] = i % 10 == 0;
    }
    const struct examples e = {.rows = (uint64_t)(ROWS - first * 24),
                               .time = time,
                               .label = label,
                               .labels_as_of = INT64_MAX};
    const struct model newest = {.version = 3, .test = {0, (FROM + tested) * DAY}};
    json_t *j = json_of(drift);
    *r = rules_of(settings);
    *split = (struct split){.label_delay = 7 * DAY};
    const bool due = retrain_due(r, split, &e, &newest, j, forced);
    json_decref(j);
    return due;
}

TEST_CASE(a_retraining_is_due_by_an_alarm_by_new_frauds_or_by_time_but_not_within_its_cool_down)
{
    static const char alarm[] = "{\"verdict\":{\"drift\":true,\"sentence\":\"DRIFT: x moved\"}}";
    static const char quiet[] = "{\"verdict\":{\"drift\":false,\"sentence\":\"No drift\"}}";
    static const struct {
        const char *settings, *drift;
        int64_t tested; // day on which the test of the newest version ended
        int64_t first;  // day of the first row
        bool forced, due;
        const char *why;
    } cases[] = {{"[retrain]\n", alarm, 60, 0, false, true, "alarm: DRIFT: x moved"},
                 {"[retrain]\nalarm = no\n", alarm, 60, 0, false, false,
                  "no alarm, and since version 3 77 frauds and 32 days"},
                 {"[retrain]\nnew_frauds = 77\n", quiet, 60, 0, false, true,
                  "77 frauds are new since version 3"},
                 {"[retrain]\nevery = 32d\n", quiet, 60, 0, false, true, "32 days of labels"},
                 {"[retrain]\n", alarm, 86, 0, false, false,
                  "version 3 was tested on days before 2018-03-28, and cool_down"},
                 {"[retrain]\n", quiet, 92, 0, true, true, "asked for"},
                 {"[retrain]\n", alarm, 60, 50, false, true, "alarm"},
                 {"[retrain]\n", alarm, 60, 51, true, false,
                  "the tables begin on 2018-02-21, and 2018-02-20 .. 2018-03-19 would train"}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct challenge r;
        struct split split;
        if (is_due(cases[i].settings, cases[i].drift, cases[i].tested, cases[i].first,
                   cases[i].forced, &r, &split) != cases[i].due)
            fail_msg("case %zu: %s", i, r.why);
        assert_contains(r.why, cases[i].why);
        assert_string_equal(split.train.text, "2018-02-20 .. 2018-03-19");
        assert_string_equal(split.test.text, "2018-03-20 .. 2018-04-02");
        assert_true(split.last_quarter);
    }
}

enum { BY_COST = 1000000 }; // alerts a day of a model without a budget

TEST_CASE(
    a_version_is_promoted_if_it_is_better_or_the_champion_has_fallen_and_never_beyond_a_guardrail)
{
    static const struct {
        const char *settings, *code;
        double low, alerts, mean_probability;
        bool fallen, promoted;
        const char *why;
    } cases[] = {
        {"[retrain]\n", "better", 0.01, 100, 0.01, false, true, "A sentence"},
        {"[retrain]\n", "none", -0.01, 100, 0.01, false, false, "A sentence"},
        {"[retrain]\n", "none", -0.01, 100, 0.01, true, true,
         "the champion's performance has fallen"},
        {"[retrain]\n", "none", -0.02, 100, 0.01, true, false, "A sentence"},
        {"[retrain]\nmargin = 0.03\n", "none", -0.02, 100, 0.01, true, true, "not worse by more"},
        {"[retrain]\n", "worse", -0.5, 100, 0.01, true, false, "A sentence"},
        {"[retrain]\n", "better", 0.1, 150, 0.01, false, true, "A sentence"},
        {"[retrain]\n", "better", 0.1, 151, 0.01, false, false,
         "but 151.0 alerts a day are not 0.1 to 1.5 times the budget of 100"},
        {"[retrain]\n", "better", 0.1, 9, 0.01, false, false, "but 9.0 alerts a day"},
        {"[retrain]\n", "better", 0.1, BY_COST, 0.01, false, true, ""},
        {"[retrain]\n", "better", 0.1, 0.014, 0.01, false, true, ""}, // a share of the rows
        {"[retrain]\n", "better", 0.1, 0.016, 0.01, false, false,
         "but alerts for 0.0160 of the rows are not 0.1 to 1.5 times the budget of 0.01"},
        {"[retrain]\n", "better", 0.1, 100, 0.0049, false, false,
         "expect 0.49 times the frauds found"},
        {"[retrain]\ncalibration_most = 3\n", "better", 0.1, 100, 0.0201, false, true, ""},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct challenge r = rules_of(cases[i].settings);
        r.budget = cases[i].alerts < 1 ? 0.01 : cases[i].alerts < BY_COST ? 100 : 0;
        json_t *j = json_pack(
            "{s:{s:s, s:s}, s:[{s:f}, {}, {}, {}, {s:f}], s:{s:{s:f, s:i, s:i, s:f}}}", "verdict",
            "code", cases[i].code, "sentence", "A sentence", "differences", "low", cases[i].low,
            "b", cases[i].alerts, "b", "metrics", "mean_probability", cases[i].mean_probability,
            "rows", 10000, "frauds", 100, "selection_rate", cases[i].alerts);
        if (retrain_decide(&r, j, cases[i].fallen) != cases[i].promoted)
            fail_msg("case %zu: %s", i, r.why);
        assert_contains(r.why, cases[i].why);
        json_decref(j);
    }
}

TEST_CASE(settings_that_make_no_sense_are_refused)
{
    static const char *const cases[][2] = {
        {"alarm = often", "'often' is neither yes nor no"},
        {"new_frauds = 0", "0 is not within 1"},
        {"train = 36h", "'36h' is not a number of whole days from 4d on"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct challenge r = {0};
        struct config config = config_of(formatted("[retrain]\n%s\n", cases[i][0]));
        assert_int_equal(retrain_from_config(&r, &config, &err), -1);
        assert_contains(err.msg, cases[i][1]);
        config_release(&config);
    }
}

#define DECIDE(edit)                                                                               \
    "sed '" edit "' datasets/sample.ini >new.ini && train --config new.ini --output models "       \
    "--decide features"
#define LAST "tail -n 1 models/ledger.jsonl | grep -F "

TEST_CASE(a_version_of_the_pipeline_is_promoted_by_the_rule_or_where_nothing_can_be_compared)
{
    succeed("head -n 1 models/ledger.jsonl | grep -q \"\\\"evidence\\\":\\\"$(sha256sum "
            "models/1/metrics.json | head -c 64)\"");
    expect(0, "Kept out version 2: Worse: version 2 against 1.", DECIDE("s/^l2 = .*/l2 = 10/"));
    succeed(LAST "'\"keep\",\"version\":2,' | grep -F \"\\\"evidence\\\":\\\"$(sha256sum "
                 "models/2/comparison.json | head -c 64)\"");
    expect(0, "so the earlier decision stands", DECIDE("s/^l2 = .*/l2 = 10/"));
    succeed(LAST "'\"train\",\"version\":2,'");
    expect(0, "Promoted version 2: asked for; Worse: ",
           "train --config new.ini --output models --promote --by ana features");
    succeed(LAST "'\"promote\",\"version\":2,' | grep -F '\"by\":\"ana\"'");
    expect(0, "Promoted version 3: Better: version 3 against 2.", DECIDE(""));
    // The champion has other inputs; then other rows; then a later training; then it is damaged.
    expect(
        0, "Promoted version 4: not comparable: version 3 was trained on other [columns]",
        "sed '/^night /d; s/^night  *= night//' datasets/sample.ini >less.ini && features --config "
        "less.ini --output less table && train --config less.ini --output models --decide less");
    expect(0, "Promoted version 5: not comparable: ", DECIDE(""));
    expect(
        0, "Promoted version 6: not comparable: the rows that trained version 5 are not in this",
        "awk -F, -v OFS=, 'NR > 1 { $5 *= 2 } 1' datasets/sample.csv >other.csv && ingest " SAMPLE
        "--key key --output o/table -- other.csv && features " SAMPLE "--output o/f o/table && "
        "train " SAMPLE "--output models --decide o/f");
    expect(0, "Kept out version 8: not comparable: Too few days",
           "sed 's/^train = .*/train = 2018-04-29 .. 2018-05-05/; s/^test .*/test = 2018-05-06 .. "
           "2018-05-12/; /^folds/d' datasets/sample.ini >late.ini && train --config late.ini "
           "--output models --promote features && " DECIDE(""));
    // The champion's own model again is no other version.
    expect(0, "Kept out version 9: it is the champion's model",
           "train --config late.ini --output models features && train --config late.ini --output "
           "models "
           "--decide features");
    expect(
        0, "Promoted version 10: not comparable: version 7 was trained on other [columns]",
        "train --config less.ini --output models --decide less && registry --models models verify");
    expect(0, "Promoted version 11: the champion cannot be loaded",
           "rm models/10/model.json && " DECIDE("s/^l2 = .*/l2 = 10/"));
}

TEST_CASE(verify_names_every_file_that_is_not_as_the_ledger_says)
{
    succeed(DECIDE("s/^l2 = .*/l2 = 10/") " && cp -a models whole");
    expect(0, "lines 4, versions 2, head ", "registry --models models verify");
    succeed(
        "registry --models models verify | grep -q \"head $(tail -n 1 models/ledger.jsonl | tr -d "
        "'\\n' | sha256sum | head -c 64)$\"");
    expect(1, "models/2/comparison.json: was altered since line 4 of the ledger: put it back",
           "echo >>models/2/comparison.json; registry --models models verify");
    expect(1, "models/1/metrics.json: was removed since line 1",
           "rm models/1/metrics.json; registry --models models verify");
    expect(1, "models/1/model.json: was altered since its training",
           "sed -i s/1/2/ models/1/model.json; registry --models models verify");
    assert_contains(out, "registry: models: 3 checks failed");
    expect(0, "version 2 becomes the champion", // the way out
           "registry --models models promote 2 --by ana --reason 'the champion was damaged'");
    expect(0, "ana: the champion was damaged\n", "registry --models models show 2");
}

TEST_CASE(a_retraining_without_a_fitting_result_of_monitor_is_refused)
{
#define RETRAIN "train " SAMPLE "--output models --retrain "
    refused("nothing.json: is no result of monitor: run it again", RETRAIN "nothing.json features");
    refused("is about another model than the champion: run monitor again",
            "sed 's/\"sha256\": \"./\"sha256\": \"x/' drift.json >d.json; before=$(all); " RETRAIN
            "d.json features");
    expect(0, "Not due: the tables begin on ", RETRAIN "drift.json --force features");
    expect(2, "--force goes with --retrain", "train --force features");
}

TESTS(stages_make, scratch_remove)
