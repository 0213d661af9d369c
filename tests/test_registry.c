// Versions, the champion link, the ledger's chain, and what crashes and altered files leave behind.
#define EACH setup, teardown
#include "train/registry.h"

#include "tests/training.h"

static struct registry r;
static char path[512];
static struct err err;

static int setup(void **state)
{
    if (scratch_make(state))
        return -1;
    snprintf(path, sizeof path, "%s", scratch_path("models/x"));
    return registry_open(&r, path, &err);
}

static int teardown(void **state)
{
    registry_release(&r);
    return scratch_remove(state);
}

static void reopen(void)
{
    registry_release(&r);
    must(registry_open(&r, path, &err), &err);
}

// Run a shell command in the registry's folder.
static void in_folder(const char *command)
{
    char out[512];
    if (run_command(out, sizeof out, "cd %s && %s", path, command))
        fail_msg("%s: %s", command, out);
}

static int64_t train(const char *model)
{
    struct output folder = {0};
    char sha256[SHA256_HEX];
    struct ledger_entry e = {.sha256 = sha256, .reason = "a \"test\" of\n\xc3\xa9"};
    sha256_hex(sha256, model, strlen(model));
    must(registry_next(&r, sha256, &folder, &e.version, &err), &err);
    if (folder.path)
        must(output_dir_file(&folder, "model.json", model, strlen(model), &err), &err);
    must(registry_record(&r, &e, &folder, &err), &err);
    output_release(&folder);
    return e.version;
}

static void promote(enum ledger_action action, int64_t version)
{
    struct ledger_entry e = r.entries[version - 1];
    assert_int_equal(e.version, version);
    e.action = action;
    e.by = "ana";
    must(registry_record(&r, &e, NULL, &err), &err);
}

static int64_t champion(void)
{
    char link[544], target[32] = "0";
    snprintf(link, sizeof link, "%s/champion", path);
    return readlink(link, target, sizeof target - 1) < 0 ? 0 : strtoll(target, NULL, 10);
}

TEST_CASE(versions_count_up_from_1_and_the_same_model_again_is_only_recorded)
{
    static const char *const not_versions[] = {
        "", "0", "01", " 1", "-1", "1x", "0x1", "latest", "1000000000000000000"};
    int64_t latest;
    char model[32];
    assert_int_equal(registry_latest(&r), 0);
    for (int v = 1; v <= 11; v++) {
        snprintf(model, sizeof model, "model %d", v);
        assert_int_equal(train(model), v);
    }
    assert_int_equal(train(model), 11);
    assert_int_equal(r.n, 12);
    assert_int_equal(train("model 1"), 12);
    assert_int_equal(registry_latest(&r), 12);
    assert_int_equal(scratch_count(path), 12 + 1); // the ledger
    assert_int_equal(registry_parse_version("100", &latest), 0);
    assert_int_equal(latest, 100);
    for (size_t i = 0; i < LENGTH(not_versions); i++)
        assert_int_equal(registry_parse_version(not_versions[i], &latest), -1);
}

TEST_CASE(promotion_points_the_link_and_rollback_goes_back_one_by_one)
{
    // The action on a version, then the champion before it.
    static const struct {
        enum ledger_action action;
        int64_t version, previous;
    } steps[] = {{LEDGER_PROMOTE, 1, 0},  {LEDGER_PROMOTE, 2, 1},  {LEDGER_PROMOTE, 3, 2},
                 {LEDGER_PROMOTE, 3, 2}, // the same again: nothing to roll back to in between
                 {LEDGER_ROLLBACK, 2, 1}, {LEDGER_ROLLBACK, 1, 0}, {LEDGER_PROMOTE, 3, 1}};
    train("a");
    train("b");
    train("c");
    assert_int_equal(champion(), 0);
    for (size_t i = 0; i < LENGTH(steps); i++) {
        int64_t previous;
        promote(steps[i].action, steps[i].version);
        assert_int_equal(champion(), steps[i].version);
        reopen();
        assert_int_equal(registry_previous(&r, &previous, &err), steps[i].previous ? 0 : -1);
        assert_int_equal(previous, steps[i].previous);
    }
    const int64_t first = r.entries[3].time; // after three trainings
    assert_int_equal(registry_champion_at(&r, first - 1), 0);
    assert_true(registry_champion_at(&r, first) > 0);
}

TEST_CASE(a_change_that_a_crash_interrupted_is_taken_back)
{
    // The link was written, the ledger was not, or not whole; or the link is none.
    static const char *const crashes[] = {
        "ln -sfn 2 champion", "head -c 40 ledger.jsonl >half; cat half >>ledger.jsonl; rm half",
        "rm champion", "ln -sfn x champion"};
    train("a");
    train("b");
    for (int64_t before = 0; before < 2; before++) {
        for (size_t i = 0; i < (before ? 4 : 2); i++) {
            in_folder(crashes[i]);
            reopen();
            assert_true(r.repaired);
            reopen();
            assert_false(r.repaired);
            assert_int_equal(champion(), before);
            assert_int_equal(r.n, 2 + before);
        }
        promote(LEDGER_PROMOTE, 1);
    }
}

TEST_CASE(a_training_that_a_crash_interrupted_is_replaced)
{
    train("a");
    in_folder("mkdir 2 2.tmp && echo b >2/model.json && cp 2/model.json 2.tmp");
    reopen();
    assert_int_equal(registry_latest(&r), 1);
    assert_int_equal(train("a"), 1);
    assert_int_equal(train("c"), 2);
    in_folder("[ \"$(ls)\" = \"$(printf '1\n2\nledger.jsonl')\" ] && grep -q c 2/model.json");
}

TEST_CASE(versions_without_their_ledger_are_not_replaced)
{
    train("a");
    in_folder("rm ledger.jsonl");
    registry_release(&r);
    assert_int_equal(registry_open(&r, path, &err), -1);
    assert_contains(err.msg, "ledger.jsonl: is missing, but there are versions");
    registry_release(&r);
    assert_int_equal(registry_read(&r, path, &err), -1);
}

TEST_CASE(a_damaged_ledger_is_refused_with_the_line)
{
    static const char *const cases[][2] = {
        {"sed -i 's/promote/rollback/' ledger.jsonl", ":3: does not follow"},
        {"sed -i 1d ledger.jsonl", ":1: does not follow"},
        {"echo '{}' >>ledger.jsonl", ":4: "},
        {"echo '{' >>ledger.jsonl", ":4: is not JSON"},
        {"sed -i '2s/T/ /' ledger.jsonl", ":2: '"},
        {"sed -i 's/promote/remove/' ledger.jsonl", "'remove' not an action"},
    };
    train("a");
    promote(LEDGER_PROMOTE, 1);
    train("b");
    registry_release(&r);
    in_folder("cp ledger.jsonl whole");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        in_folder("cp whole ledger.jsonl");
        in_folder(cases[i][0]);
        assert_int_equal(registry_open(&r, path, &err), -1);
        assert_contains(err.msg, cases[i][1]);
        registry_release(&r);
    }
}

TESTS(NULL, NULL)
