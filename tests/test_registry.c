// registry: versions, the champion link, the ledger's chain, and what crashes and altered files
// leave.
#include "train/registry.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char root[32], path[64];
    struct registry r;
};

static void command(const char *fmt, const char *path)
{
    char line[512];
    // cppcheck-suppress wrongPrintfScanfArgNum; some formats name the path twice
    snprintf(line, sizeof line, fmt, path, path);
    assert_int_equal(system(line), 0); // NOLINT: our own folder
}

static int setup(void **state)
{
    static struct place p;
    struct err err;
    p = (struct place){.root = "/tmp/test_registry_XXXXXX"};
    if (!mkdtemp(p.root))
        return -1;
    snprintf(p.path, sizeof p.path, "%s/models/x", p.root);
    *state = &p;
    return registry_open(&p.r, p.path, &err);
}

static int teardown(void **state)
{
    struct place *p = *state;
    registry_release(&p->r);
    command("rm -rf %s", p->root);
    return 0;
}

static void reopen(struct place *p)
{
    struct err err = {""};
    registry_release(&p->r);
    if (registry_open(&p->r, p->path, &err))
        fail_msg("%s", err.msg);
}

static int64_t train(struct place *p, const char *model)
{
    struct output_dir folder;
    struct err err = {""};
    int64_t version;
    char sha256[SHA256_HEX];
    sha256_hex(sha256, model, strlen(model));
    assert_int_equal(registry_next(&p->r, &folder, &version, &err), 0);
    assert_int_equal(output_dir_file(&folder, "model.json", model, strlen(model), &err), 0);
    if (registry_add(&p->r, &folder, sha256, &version, &err))
        fail_msg("%s", err.msg);
    output_dir_release(&folder);
    return version;
}

static void promote(struct place *p, int64_t version, enum ledger_action action)
{
    struct err err = {""};
    if (registry_promote(&p->r, version, action, &err))
        fail_msg("%s", err.msg);
}

static int64_t champion(const struct place *p)
{
    struct err err;
    int64_t version;
    return registry_champion(p->path, &version, &err) ? 0 : version;
}

static int64_t previous(const struct place *p)
{
    struct err err;
    int64_t version;
    return registry_previous(&p->r, &version, &err) ? 0 : version;
}

static void assert_says(const struct err *err, const char *words)
{
    if (!strstr(err->msg, words))
        fail_msg("'%s' does not say '%s'", err->msg, words);
}

static void assert_open_fails(struct place *p, const char *words)
{
    struct registry r;
    struct err err = {""};
    registry_release(&p->r);
    assert_int_equal(registry_open(&r, p->path, &err), -1);
    registry_release(&r);
    assert_says(&err, words);
}

static void sha256_is_the_published_one_of_abc(void **state)
{
    (void)state;
    char hex[SHA256_HEX];
    sha256_hex(hex, "abc", 3); // FIPS 180-2, appendix B.1
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void versions_count_up_from_1(void **state)
{
    struct place *p = *state;
    struct err err;
    int64_t latest;
    assert_int_equal(registry_latest(p->path, &latest, &err), 0);
    assert_int_equal(latest, 0);
    for (int v = 1; v <= 11; v++) {
        char model[32];
        snprintf(model, sizeof model, "model %d", v);
        assert_int_equal(train(p, model), v);
    }
    assert_int_equal(registry_latest(p->path, &latest, &err), 0);
    assert_int_equal(latest, 11);
}

static void the_same_model_again_is_no_new_version_but_is_recorded(void **state)
{
    struct place *p = *state;
    assert_int_equal(train(p, "a"), 1);
    assert_int_equal(train(p, "a"), 1);
    assert_int_equal(p->r.n, 2);
    assert_int_equal(train(p, "b"), 2);
    assert_int_equal(train(p, "a"), 3);
    command("test ! -e %s/4 && test ! -e %s/2.tmp", p->path);
}

static void a_folder_that_is_not_added_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct output_dir folder;
    struct err err;
    int64_t version;
    assert_int_equal(registry_next(&p->r, &folder, &version, &err), 0);
    assert_int_equal(output_dir_file(&folder, "model.json", "x", 1, &err), 0);
    output_dir_release(&folder);
    command("test -z \"$(ls %s)\"", p->path);
}

static void a_version_is_a_plain_whole_number_from_1_on(void **state)
{
    (void)state;
    static const char *const not_versions[] = {
        "", "0", "01", " 1", "+1", "-1", "1 ", "1x", "1.", "0x1", "latest", "1000000000000000000"};
    int64_t version;
    assert_int_equal(registry_parse_version("1", &version), 0);
    assert_int_equal(version, 1);
    assert_int_equal(registry_parse_version("100", &version), 0);
    assert_int_equal(version, 100);
    for (size_t i = 0; i < sizeof not_versions / sizeof *not_versions; i++)
        if (registry_parse_version(not_versions[i], &version) == 0)
            fail_msg("'%s' passed for a version", not_versions[i]);
}

static void promotion_points_the_link_and_rollback_goes_back_one_by_one(void **state)
{
    struct place *p = *state;
    train(p, "a");
    train(p, "b");
    train(p, "c");
    assert_int_equal(champion(p), 0);
    for (int64_t v = 1; v <= 3; v++)
        promote(p, v, LEDGER_PROMOTE);
    promote(p, 3, LEDGER_PROMOTE); // again: nothing to roll back to between
    assert_int_equal(champion(p), 3);
    assert_int_equal(previous(p), 2);
    promote(p, 2, LEDGER_ROLLBACK);
    assert_int_equal(champion(p), 2);
    assert_int_equal(previous(p), 1);
    promote(p, 1, LEDGER_ROLLBACK);
    assert_int_equal(champion(p), 1);
    assert_int_equal(previous(p), 0);
    promote(p, 3, LEDGER_PROMOTE);
    reopen(p);
    assert_int_equal(previous(p), 1);
}

static void a_version_that_was_never_trained_is_not_promoted(void **state)
{
    struct place *p = *state;
    struct err err = {""};
    train(p, "a");
    assert_int_equal(registry_promote(&p->r, 2, LEDGER_PROMOTE, &err), -1);
    assert_says(&err, "no version 2");
    assert_int_equal(champion(p), 0);
    assert_int_equal(p->r.n, 1);
}

static void a_model_that_was_altered_is_not_promoted(void **state)
{
    struct place *p = *state;
    struct err err = {""};
    train(p, "a");
    command("echo x >> %s/1/model.json", p->path);
    assert_int_equal(registry_promote(&p->r, 1, LEDGER_PROMOTE, &err), -1);
    assert_says(&err, "was altered");
    assert_int_equal(champion(p), 0);
}

static void a_second_program_is_told_to_wait(void **state)
{
    struct place *p = *state;
    struct registry second;
    struct err err = {""};
    assert_int_equal(registry_open(&second, p->path, &err), -1);
    assert_says(&err, "another program changes this registry");
}

static void an_altered_line_is_found_by_its_number(void **state)
{
    struct place *p = *state;
    train(p, "a");
    promote(p, 1, LEDGER_PROMOTE);
    train(p, "b");
    command("sed -i '2s/promote/rollback/' %s/ledger.jsonl", p->path);
    assert_open_fails(p, "ledger.jsonl:3: does not follow");
}

static void a_removed_line_is_found(void **state)
{
    struct place *p = *state;
    train(p, "a");
    train(p, "b");
    command("sed -i 1d %s/ledger.jsonl", p->path);
    assert_open_fails(p, "ledger.jsonl:1: does not follow");
}

static void a_line_that_is_no_entry_is_refused(void **state)
{
    struct place *p = *state;
    train(p, "a");
    command("echo '{}' >> %s/ledger.jsonl", p->path);
    assert_open_fails(p, "ledger.jsonl:2:");
}

static void a_torn_last_line_is_refused_with_what_to_do_and_skipped_by_readers(void **state)
{
    struct place *p = *state;
    struct err err;
    train(p, "a");
    promote(p, 1, LEDGER_PROMOTE);
    command("head -c 40 %s/ledger.jsonl > %s.part", p->path);
    command("cat %s.part >> %s/ledger.jsonl", p->path);
    assert_open_fails(p, "ledger.jsonl:3: the last line is not complete");
    struct registry reader;
    assert_int_equal(registry_read(&reader, p->path, &err), 0);
    assert_int_equal(registry_champion_at(&reader, INT64_MAX), 1);
    registry_release(&reader);
}

static void a_promotion_that_a_crash_interrupted_is_completed(void **state)
{
    struct place *p = *state;
    train(p, "a");
    train(p, "b");
    promote(p, 1, LEDGER_PROMOTE);
    promote(p, 2, LEDGER_PROMOTE);
    command("ln -sfn 1 %s/champion", p->path); // the ledger was written, the link was not
    assert_int_equal(champion(p), 1);
    reopen(p);
    assert_int_equal(champion(p), 2);
}

static void who_answers_by_the_time_of_the_action(void **state)
{
    struct place *p = *state;
    train(p, "a");
    promote(p, 1, LEDGER_PROMOTE);
    int64_t time = p->r.entries[1].time;
    assert_int_equal(registry_champion_at(&p->r, time), 1);
    assert_int_equal(registry_champion_at(&p->r, time - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_is_the_published_one_of_abc),
        cmocka_unit_test_setup_teardown(versions_count_up_from_1, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_model_again_is_no_new_version_but_is_recorded,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_added_leaves_nothing, setup, teardown),
        cmocka_unit_test(a_version_is_a_plain_whole_number_from_1_on),
        cmocka_unit_test_setup_teardown(promotion_points_the_link_and_rollback_goes_back_one_by_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_version_that_was_never_trained_is_not_promoted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_model_that_was_altered_is_not_promoted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_program_is_told_to_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(an_altered_line_is_found_by_its_number, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_line_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_that_is_no_entry_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_torn_last_line_is_refused_with_what_to_do_and_skipped_by_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_promotion_that_a_crash_interrupted_is_completed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_answers_by_the_time_of_the_action, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
