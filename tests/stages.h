// stages: the real programs on the committed sample, in a folder laid out as the pipeline lays it
// out: datasets/ (the repository's), key, table/, features/, models/ with one champion, drift.json.
//
// stages_make builds it once, in good/; each test works on its own copy of it, in work/. ASSAY_BIN
// names the folder of the programs.
#ifndef TESTS_STAGES_H
#define TESTS_STAGES_H

#ifndef EACH
#define EACH stages_copy, NULL
#endif
#include "tests/scratch.h"

#include <jansson.h>

#define SAMPLE   "--config datasets/sample.ini "
#define INGEST   "ingest " SAMPLE "--key key --output table "
#define FEATURES "features " SAMPLE "--output features table "
#define TRAIN    "train " SAMPLE "--output models features "
#define MONITOR  "monitor " SAMPLE "--models models --output drift.json features "

static char out[32768]; // what the last command printed

// Run a shell command in a folder of the scratch folder, the programs in its PATH; its exit status.
static inline int run_in(const char *folder, const char *command)
{
    return run_command(
        out, sizeof out,
        "PATH=\"$(cd \"${ASSAY_BIN:-build/bin}\" && pwd):$PATH\"; cd '%s' && { %s\n}",
        scratch_path(folder), command);
}

static inline int run(const char *command)
{
    return run_in("work", command);
}

// The command ends with that status and prints the words.
static inline void expect(int status, const char *words, const char *command)
{
    int found = run(command);
    if (found != status || !strstr(out, words))
        fail_msg("%s\nexit status %d, expected %d; '%s' expected in:\n%s", command, found, status,
                 words, out);
}

static inline void succeed(const char *command)
{
    expect(0, "", command);
}

// The command fails with the words and leaves every file of the folder as it was, and no other.
static inline void refused(const char *words, const char *command)
{
    char script[2048];
    snprintf(script, sizeof script,
             "all() { tar --sort=name --mtime=@0 -cf - . | cksum; }; before=$(all)\n%s\n"
             "status=$?; [ \"$(all)\" = \"$before\" ] || echo FILES CHANGED; exit $status",
             command);
    expect(1, words, script);
    if (strstr(out, "FILES CHANGED"))
        fail_msg("%s\nfailed, but changed files:\n%s", command, out);
}

static inline json_t *load_json(const char *name)
{
    json_error_t why;
    json_t *j = json_load_file(scratch_path(formatted("work/%.100s", name)), 0, &why);
    if (!j)
        fail_msg("%s: %s", name, why.text);
    return j;
}

static inline int stages_copy(void **state)
{
    (void)state;
    return run_in(".", "rm -rf work && cp -a good work");
}

static inline int stages_make(void **state)
{
    char here[2048], link[2560];
    if (scratch_make(state) || !getcwd(here, sizeof here))
        return -1;
    snprintf(link, sizeof link, "mkdir good && ln -s '%s/datasets' good/datasets", here);
    if (run_in(".", link) == 0 &&
        run_in("good", INGEST "&&" FEATURES "&&" TRAIN "--promote &&" MONITOR) == 0)
        return 0;
    fprintf(stderr, "%s", out);
    return -1;
}

#endif
