// registry: which versions of a model exist, which one serves, and which served when.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "base/value.h"
#include "train/report.h"

#include <glob.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const char versions_txt[], version_txt[];

static const char *models, *output, *by, *reason; // NULL where not given
static const char *config_path = "datasets/simulated.ini";
static char **words; // [n_words] behind the command
static size_t n_words;
static int64_t at = INT64_MAX;
static struct period_times within = {INT64_MIN, INT64_MAX};

// The only registry below models/.
static int find_registry(struct err *err)
{
    static glob_t found; // lives as long as the program, as models points into it
    const size_t n = glob("models/*/ledger.jsonl", 0, NULL, &found) ? 0 : found.gl_pathc;
    if (n == 0)
        return err_set(err, "there is no registry below models/: type make pipeline to train a "
                            "first version, or name another folder with --models");
    if (n > 1)
        return err_set(err, "there are %zu registries below models/: choose one with --models", n);
    models = dirname(found.gl_pathv[0]);
    return 0;
}

// A JSON file of a version; NULL and a message, or the caller's.
static json_t *load(int64_t version, const char *name, struct err *err)
{
    char *path = xasprintf("%s/%" PRId64 "/%s", models, version, name);
    json_t *j = json_read(path, NULL, err);
    free(path);
    return j;
}

// Word i: "3", "latest" or "champion", which is the default.
static int find_version(const struct registry *r, size_t i, int64_t *version, struct err *err)
{
    const char *name = i < n_words ? words[i] : "champion";
    if (strcmp(name, "champion") == 0)
        return registry_champion(r, version, err);
    if (registry_parse_version(name, version) == 0)
        return 0;
    if (strcmp(name, "latest") != 0)
        return err_set(err, "'%s' is no version: give a number, latest or champion", name);
    *version = registry_latest(r);
    return *version ? 0 : err_set(err, "%s: there is no version yet", models);
}

static int list(struct registry *r, struct err *err)
{
    const int64_t champion = registry_champion_at(r, at);
    int64_t last = 0;
    json_t *versions = json_array(), *metrics;
    char trained[TIME_TEXT];
    for (size_t i = 0; i < r->n; i++) { // versions count up: a repeated training is not above last
        const struct ledger_entry *e = &r->entries[i];
        if (e->action != LEDGER_TRAIN || e->version <= last)
            continue;
        last = e->version;
        metrics = load(last, "metrics.json", err); // NULL is printed as no metrics
        json_array_append_new(versions, json_pack("{s:I, s:b, s:s, s:s, s:o?}", "version",
                                                  (json_int_t)last, "champion", last == champion,
                                                  "sha256", e->sha256, "trained",
                                                  time_text(trained, e->time), "metrics", metrics));
    }
    template_print(versions_txt, versions);
    json_decref(versions);
    return 0;
}

// Shows a version's metrics, data, configuration and ledger lines, and its comparison with the champion
// of that time.
static int show(struct registry *r, struct err *err)
{
    int64_t version, parent = 0;
    json_t *metrics = find_version(r, 0, &version, err) ? NULL : load(version, "metrics.json", err);
    if (!metrics)
        return -1;
    json_t *lines = json_array(), *comparison = load(version, "comparison.json", err);
    for (size_t i = 0; i < r->n; i++) {
        if (r->entries[i].version == version)
            json_array_append(lines, r->entries[i].line);
        if (r->entries[i].version == version && json_array_size(lines) == 1) // its first training
            parent = registry_champion_before(r, i);
    }
    json_object_update_new(metrics,
                           json_pack("{s:o, s:I}", "lines", lines, "parent", (json_int_t)parent));
    // Those of an older program have no words.
    json_object_update_missing_new(metrics, json_pack("{s:o}", "class", class_words(NULL)));
    json_object_update_missing_new(comparison, json_pack("{s:o}", "class", class_words(NULL)));
    template_print(summary_txt, metrics);
    template_print(version_txt, metrics);
    if (comparison)
        template_print(compare_txt, comparison);
    json_decref(comparison);
    json_decref(metrics);
    return 0;
}

// Checks every line of the ledger against the files. The chain was checked when it was read.
static int verify(struct registry *r, struct err *err)
{
    size_t bad = 0;
    char *first = xasprintf("%s/1", models);
    if (r->torn || (r->n == 0 && access(first, F_OK) == 0))
        bad += printf("%s: %s\n", r->ledger,
                      r->torn ? "ends with half a line: a crash or somebody has cut it"
                              : "is empty, but there are versions: put it back") > 0;
    free(first);
    for (size_t i = 0; i < r->n; i++) {
        const struct ledger_entry *e = &r->entries[i];
        char found[SHA256_HEX];
        struct model m = {0};
        if (e->action == LEDGER_TRAIN && registry_load(r, e->version, &m, err))
            bad += printf("%s\n", err->msg) > 0;
        registry_checksum(r, e, NULL, found);
        if (*e->evidence && strcmp(found, e->evidence) != 0)
            bad += printf("%s/%" PRId64 "/%s: was %s since line %zu of the ledger: put it back\n",
                          models, e->version,
                          e->action == LEDGER_TRAIN ? "metrics.json" : "comparison.json",
                          *found ? "altered" : "removed", i + 1) > 0;
        model_release(&m);
    }
    printf("lines %zu, versions %" PRId64 ", head %s\n", r->n, registry_latest(r), r->head);
    return bad ? err_set(err, "%s: %zu checks failed, see above", models, bad) : 0;
}

// A promotion names a version, a rollback does not. The line is printed before the change, which an
// error there would not undo.
static int change_champion(struct registry *r, struct err *err)
{
    const bool back = n_words == 0;
    static struct model m; // loaded to be sure that it could be served
    int64_t version;
    if (r->repaired)
        fprintf(stderr, "registry: %s: a crash had left half a change; it is taken back\n", models);
    if ((back ? registry_previous(r, &version, err) : find_version(r, 0, &version, err)) ||
        registry_load(r, version, &m, err))
        return -1;
    char evidence[SHA256_HEX];
    const struct ledger_entry e = {.action = back ? LEDGER_ROLLBACK : LEDGER_PROMOTE,
                                   .version = version,
                                   .sha256 = m.sha256,
                                   .by = by,
                                   .reason = reason ? reason : "asked for",
                                   .evidence = evidence};
    registry_checksum(r, &e, NULL, evidence);
    printf("version %" PRId64 " becomes the champion of %s%s\n", version, models,
           back ? " again" : "");
    if (stdout_close(err) || registry_record(r, &e, NULL, err))
        return err_prefix(err, "version %" PRId64 " was not promoted", version);
    return 0;
}

static int compare(struct registry *r, struct err *err)
{
    // They live as long as the program.
    static struct config config;
    static struct model model[2];
    static struct examples examples;
    int64_t version;
    int rc = config_load(&config, config_path, err);
    for (size_t i = 0; i < 2 && rc == 0; i++)
        rc = find_version(r, i, &version, err) || registry_load(r, version, &model[i], err);
    rc = rc || examples_open_all(&examples, words + 2, n_words - 2, NULL, &config, err);
    json_t *j = rc ? NULL : compare_new(&model[0], &model[1], &examples, &config, within, err);
    if (!j)
        return -1;
    template_print(compare_txt, j);
    rc = output ? json_save(j, output, err) : 0;
    json_decref(j);
    return rc;
}

static const char *const names[] = {"list", "show", "verify", "compare", "promote", "rollback"};
static int (*const commands[])(struct registry *, struct err *) = {
    list, show, verify, compare, change_champion, change_champion};
enum { LIST, SHOW, VERIFY, COMPARE, PROMOTE, ROLLBACK, N_COMMANDS };

// Refuses words behind a command, and options, that do not belong to it.
static int check(size_t c, const char *name, struct err *err)
{
    const size_t least[] = {[COMPARE] = 3, [PROMOTE] = 1, [N_COMMANDS] = 0};
    const size_t most[] = {[SHOW] = 1, [COMPARE] = SIZE_MAX, [PROMOTE] = 1, [N_COMMANDS] = 0};
    const bool narrowed = within.from != INT64_MIN || within.until != INT64_MAX;
    if (c == N_COMMANDS)
        return err_set(err, "unknown command '%s'%s (see --help)", name,
                       err_did_you_mean(name, names, N_COMMANDS).text);
    if (at != INT64_MAX && c != LIST)
        return err_set(err, "--at is for list only (see --help)");
    if ((narrowed || output) && c != COMPARE)
        return err_set(err, "--from, --until and --output are for compare only (see --help)");
    if ((by || reason) && c < PROMOTE)
        return err_set(err, "--by and --reason are for promote and rollback only (see --help)");
    if ((by && ledger_check_text("by", by, err)) ||
        (reason && ledger_check_text("reason", reason, err)))
        return -1;
    if (within.from >= within.until)
        return err_set(err, "the period is empty: --from must be earlier than --until");
    if (n_words < least[c])
        return err_set(err, c == COMPARE ? "compare what? give two versions and a feature table"
                                         : "promote which version? give a number or latest");
    if (n_words > most[c])
        return err_set(err, "%s takes %s version, so not '%s' (see --help)", name,
                       most[c] ? "one" : "no", words[most[c]]);
    return 0;
}

int main(int argc, char **argv)
{
    const struct program program = {
        "registry",
        "COMMAND [VERSION...] [TABLE...]",
        "list: all versions, and which one is the champion, now or at a time.\n"
        "show [VERSION]: metrics, data, configuration, and who promoted it and why; of the "
        "champion "
        "by default.\n"
        "verify: are ledger, models and evidence as they were recorded?\n"
        "promote VERSION: make it the champion.\n"
        "rollback: back to the champion before.\n"
        "compare VERSION VERSION TABLE...: which is better on the rows of feature tables after "
        "their training, and which decisions differ.\n"
        "A VERSION is a number, latest or champion.",
        "build/bin/registry show latest",
        {
            {"models", "DIR", "the registry (default: the only one below models/)",
             .text = &models},
            {"at", "TIME", "list: the champion at this time or date, UTC; else now", .time = &at},
            {"by", "NAME", "promote, rollback: who asks for it (default: the login name)",
             .text = &by},
            {"reason", "TEXT", "promote, rollback: why, for the ledger", .text = &reason},
            {"config", "FILE", "compare: dataset description", .text = &config_path},
            {"from", "TIME", "compare: only rows from this time or date on", .time = &within.from},
            {"until", "TIME", "compare: only rows before it", .time = &within.until},
            {"output", "FILE", "compare: all results as JSON", .text = &output},
        }};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    words = argv + first + 1;
    n_words = (size_t)(argc - first - 1);
    size_t c = 0;
    while (c < N_COMMANDS && strcmp(argv[first], names[c]) != 0)
        c++;
    if (check(c, argv[first], &err))
        return option_exit(&program, -1, &err);
    struct registry r = {0};
    int rc = models ? 0 : find_registry(&err);
    if (rc == 0)
        rc = access(models, F_OK) ? err_sys(&err, "%s: cannot open the registry", models)
             : c < PROMOTE        ? registry_read(&r, models, &err)
                                  : registry_open(&r, models, &err);
    rc = rc || commands[c](&r, &err) || stdout_close(&err);
    registry_release(&r);
    return rc ? err_report("registry", &err) : 0;
}
