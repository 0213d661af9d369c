// `make pipeline` runs only what is out of date, judged by the commands that make prints. The copy
// of the tree that it runs in has the programs and no sources, so nothing is compiled.
#include "tests/stages.h"

static const char *const stages[] = {"simulate", "ingest", "features", "train", "monitor"};
enum { N_STAGES = LENGTH(stages) };

// The stages whose commands the last make printed, in order.
static const char *ran(void)
{
    static char list[128];
    size_t used = 0;
    list[0] = '\0';
    for (const char *line = out; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        for (size_t i = 0; i < N_STAGES; i++) {
            char command[32];
            int n = snprintf(command, sizeof command, "build/bin/%s ", stages[i]);
            if (strncmp(line, command, (size_t)n) == 0 && used + 12 < sizeof list)
                used += (size_t)sprintf(list + used, "%s%s", used ? " " : "", stages[i]);
        }
    return list;
}

// The make that runs this test must not pass its settings on to the tested one.
#define MAKE                                                                                       \
    "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make DEPS=skip THREADS=1 "           \
    "CONFIG=sample.ini "

static void expect_stages(const char *expected, const char *command)
{
    succeed(command);
    if (strcmp(ran(), expected) != 0)
        fail_msg("%s\nran '%s', not '%s':\n%s", command, ran(), expected, out);
}

// good/: the tree after a first `make pipeline`, whose output the first test checks.
static char first_run[sizeof out];

static int dag_make(void **state)
{
    char here[2048];
    if (scratch_make(state) || !getcwd(here, sizeof here))
        return -1;
    const char *copy = formatted(
        "here='%s'; programs=$(cd \"$here\" && cd \"${ASSAY_BIN:-build/bin}\" && pwd) && "
        "mkdir -p good/build && cp -a \"$here/Makefile\" \"$here/packages.txt\" good && "
        "cp -a \"$here/datasets/sample.ini\" \"$here/datasets/sample.csv\" good && "
        "sed -i 's|^file = .*|file = sample.csv|' good/sample.ini && "
        "cd \"$programs/..\" && cp -a --parents bin lib*.a datasets/simulate.o */main.o "
        "train/registry_main.o serve/replay.o serve/export.o tests/tiny.o train/onnx.pb-c.* "
        "\"$OLDPWD/good/build\"",
        here);
    if (run_in(".", copy) == 0 && run_in("good", MAKE "-j2 pipeline") == 0) {
        memcpy(first_run, out, sizeof out);
        return 0;
    }
    fprintf(stderr, "%s", out);
    return -1;
}

// From the table of stages on, the output has at most 23 lines of at most 80 columns, and a terminal
// one for the prompt. The last two are what to type next and a path, which may be longer.
static void assert_fits_a_terminal(void)
{
    const char *line = strstr(out, "\nstage ");
    int lines = 0;
    assert_non_null(line);
    for (line++; *line; line += strcspn(line, "\n") + 1, lines++)
        if (strcspn(line, "\n") > 80 && strncmp(line, "Next ", 5) != 0 &&
            strncmp(line, "Report ", 7) != 0)
            fail_msg("too long: %.*s", (int)strcspn(line, "\n"), line);
    if (lines > 23)
        fail_msg("%d lines:\n%s", lines, out);
}

TEST_CASE(the_first_run_runs_every_stage_and_prints_its_tables)
{
    memcpy(out, first_run, sizeof out);
    assert_string_equal(ran(), "ingest features train monitor");
    assert_contains(out, "\nstage          rows  seconds            rate artifact\n"
                         "ingest         5512");
    assert_contains(out, "\nfeatures       5512");
    assert_contains(out, "build/sample/features\ntrain           908");
    assert_contains(out, "models/sample/1\nmonitor        2729");
    assert_contains(out, "\nROC AUC ");
    assert_contains(out, "\nCard precision @100 ");
    assert_contains(out, "\nWarning");
    assert_contains(
        out, "\nNo verdict: an alarm needs 2 weeks and a training window, each with at least\n");
    assert_contains(out, "\nNext    make serve CONFIG='sample.ini'   # then open "
                         "http://localhost:8080\nReport  models/sample/champion/report.html\n");
    assert_fits_a_terminal();
    assert_null(strstr(out, "nothing to do"));
    assert_null(strstr(out, "  ld ")); // or this copy was compiled again
}

#define LONG "a_name_that_is_as_long_as_names_can_be_"

TEST_CASE(the_result_fits_a_terminal_whatever_the_dataset_is)
{
    static const char *const edits[] = {
        "/alerts_per_day/d; s/^l2 .*/cost_fraud = 1234.5\\ncost_alert = 12.25\\nl2 = 1e-3/; "
        "s/^amount = amount$/&\\n" LONG "1 = amount\\n" LONG "2 = amount\\nc = amount/",
        "s/^test .*/test = 2018-04-24 .. 2018-04-24/; s/^folds.*/folds = 1/", // four warnings
        "s/^train .*/train = 0% .. 60%/; s/^test .*/test = 60% .. 100%/; /^folds/d; "
        "/^amount = amount$/d", // no baseline but the constant
    };
    for (size_t i = 0; i < LENGTH(edits); i++) {
        succeed(formatted("sed -i '%s' sample.ini && cp sample.ini " LONG ".ini && " MAKE
                          "CONFIG=" LONG ".ini pipeline",
                          edits[i]));
        assert_fits_a_terminal();
        assert_contains(out, "\nReport  models/" LONG "/champion/report.html\n");
        assert_null(strstr(out, "nan"));
        stages_copy(NULL);
    }
}

TEST_CASE(a_second_run_does_nothing_and_says_so)
{
    expect_stages("", MAKE "pipeline");
    assert_contains(out, "pipeline: nothing to do, build/sample and models/sample are up to date");
    assert_contains(out, "\nNext    make serve ");
    succeed("diff -r ../good .");
    expect_stages("", "sed -i 's/^\\[model\\]/; again\\n&\\n\\n; and again/' sample.ini && " MAKE
                      "pipeline");
}

TEST_CASE(a_change_reruns_only_the_stages_that_depend_on_it)
{
    static const char *const changes[][2] = {
        {"sed -i 's/^l2 = .*/l2 = 1e-2/' sample.ini", "train monitor"},
        {":", ""},
        {"sed -i 's/^psi_alert .*/psi_alert = 0.3/' sample.ini", "monitor"},
        {"build/bin/registry --models models/sample promote 2", "monitor"},
        {"rm -r models", "train monitor"},
        {"sed -i 's/^night .*hour.*/night = hour(time) <= 5/' sample.ini",
         "features train monitor"},
        {":", ""}};
    for (size_t i = 0; i < LENGTH(changes); i++) {
        expect_stages(changes[i][1], formatted("%s && " MAKE "pipeline", changes[i][0]));
        if (i > 0)
            continue;
        assert_contains(out, "models/sample/2\n");
        assert_contains(out, "Kept out version 2: ");
        assert_fits_a_terminal();
    }
}

TEST_CASE(a_new_program_reruns_its_stage_and_the_later_ones)
{
    expect(0, "  ld build/bin/export\n",
           "touch build/libserve.a; rm build/bin/export; " MAKE "pipeline"); // every program
    expect_stages("monitor", "touch build/bin/monitor && " MAKE "pipeline");
    expect_stages("ingest features train monitor", "touch build/bin/ingest && " MAKE "pipeline");
    assert_contains(out, "models/sample/1\n"); // the same model is no new version
}

TEST_CASE(another_input_reruns_all)
{
    const char *const other = MAKE "INPUT=other.csv pipeline";
    succeed("sed 5000d sample.csv >other.csv");
    expect_stages("ingest features train monitor", other);
    assert_contains(out, "\ningest         5511");
    expect_stages("", other);
    expect_stages("ingest features train monitor", MAKE "pipeline");
    expect_stages("ingest features train monitor", "touch sample.csv && " MAKE "pipeline");
}

TEST_CASE(a_stage_that_fails_leaves_the_old_artifacts)
{
    const char *const same = "for f in build/sample/table build/sample/features models "
                             "build/sample/monitor build/sample/pipeline.txt; do "
                             "diff -r ../good/$f $f || exit 1; done";
    succeed("head -n 300 sample.csv >cut.csv; printf '9999,2018-' >>cut.csv");
    expect(2, "cut.csv: 1 of 300 rows", MAKE "INPUT=cut.csv pipeline");
    assert_string_equal(ran(), "ingest");
    succeed(same);
    expect(2,
           "sample.ini:", "sed -i 's/^night .*/night = hours(time)/' sample.ini; " MAKE "pipeline");
    assert_contains(out, "did you mean 'hour'?");
    succeed(same);
    expect_stages("features train monitor", "cp ../good/sample.ini sample.ini; " MAKE "pipeline");
}

TEST_CASE(a_training_that_fails_leaves_the_ledger)
{
    expect(2, "cannot write to standard output",
           "touch build/bin/train; cd build/sample; ln -sf /dev/full train.txt; "
           "ln -s /dev/full train.txt.tmp; cd ../..; " MAKE "pipeline");
    assert_string_equal(ran(), "train");
    succeed("build/bin/registry --models models/sample list | grep champion");
    succeed("rm build/sample/train.txt*");
    expect_stages("train monitor", MAKE "pipeline");
}

// As a shell or make would read them, each of these names would make the file pwned.
static const char awful[] =
    "a b'; touch pwned;'`touch pwned`\"$(touch pwned)$(shell touch pwned)%:=#.csv";

#define MINE MAKE "CONFIG=\"it's `echo`mine/any.ini\" "

TEST_CASE(a_file_may_have_any_name_and_no_shell_reads_it)
{
    const char *line = formatted("file = %s\n", awful);
    scratch_text("work/name", awful);
    scratch_text("work/line", line);
    succeed("sed -i -e '/^file = /d' -e '/^\\[input\\]/r line' sample.ini && " MAKE "help");
    succeed("mv sample.csv \"$(cat name)\" && mkdir \"it's `echo`mine\" && "
            "mv sample.ini \"it's `echo`mine/any.ini\"");
    expect_stages("ingest features train monitor", MINE "pipeline");
    expect_stages("", MINE "pipeline");
    expect_stages(
        "", "next=$(sed -n 's/^Next *make serve\\(.*\\)   # .*/\\1/p' build/any/pipeline.txt) "
            "&& [ \"$next\" ] && eval \"" MAKE "$next pipeline\"");
    assert_contains(out, "build/any and models/any are up to date");
    expect_stages("ingest", "sed -i 5000d \"$(cat name)\"; " MINE "build/any/table/manifest.json");
    expect_stages("ingest", "cp -- \"$(cat name)\" \"-$(cat name)\"; " MINE
                            "INPUT=\"-$(cat name)\" build/any/table/manifest.json");
    succeed("[ ! -e pwned ]");
}

TEST_CASE(settings_that_no_shell_should_read_are_refused_or_stay_one_word)
{
    static const struct {
        const char *words, *setting;
    } cases[] = {{"folders have this name", "DATASET='x; touch pwned'"},
                 {"folders have this name", "CONFIG=datasets/\\$\\(touch\\ pwned\\).ini"},
                 {"THREADS=1; touch pwned: is not a number", "THREADS='1; touch pwned'"},
                 {"--port: '1; touch pwned' is not a whole number", "PORT='1; touch pwned'"},
                 {"'; touch pwned #/x.db: cannot open", "DATABASE=\"'; touch pwned #/x.db\""},
                 {"unexpected argument ';'", "SIMULATE='; touch pwned' build/data/simulated.csv"}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        expect(2, cases[i].words, formatted(MAKE "%s serve", cases[i].setting));
    }
    succeed("[ ! -e pwned ]");
}

TEST_CASE(make_draft_writes_a_description_once_and_the_pipeline_runs_it)
{
    const char *const draft = MAKE "CONFIG= INPUT=\"it's my.csv\" draft";
    succeed("mkdir datasets && cp sample.csv \"it's my.csv\"");
    expect(0, "type: make pipeline CONFIG=datasets/it_s_my.ini", draft);
    expect(2, "datasets/it_s_my.ini is there: remove it for a new draft", draft);
    expect_stages("ingest features train monitor", MAKE "CONFIG=datasets/it_s_my.ini pipeline");
    expect(2, "pass LABEL=",
           "rm datasets/*; head -n 9 sample.csv >\"it's my.csv\"; " MAKE
           "CONFIG= INPUT=\"it's my.csv\" draft");
    succeed("[ ! -e datasets/it_s_my.ini ]");
    expect(2, "give the CSV: make draft INPUT=my.csv", MAKE "draft");
}

TESTS(dag_make, scratch_remove)
