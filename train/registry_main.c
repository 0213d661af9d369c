// registry: which versions of a model exist, which one serves, and which served when.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "base/value.h"
#include "train/registry.h"
#include "train/report.h"

#include <glob.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *models, *version_name; // NULL where not given
static int64_t at = INT64_MAX;

// The only registry below models/.
static int find_registry(struct err *err)
{
    static glob_t found; // lives as long as the program, as models points into it
    char known[512] = "";
    const size_t n = glob("models/*/ledger.jsonl", 0, NULL, &found) ? 0 : found.gl_pathc;
    for (size_t i = 0; i < n; i++) {
        const size_t used = strlen(known);
        models = dirname(found.gl_pathv[i]);
        snprintf(known + used, sizeof known - used, "%s --models %s", i ? "," : "", models);
    }
    if (n == 0)
        return err_set(err, "there is no registry below models/: type make pipeline to train a "
                            "first version, or name another folder with --models");
    return n == 1 ? 0 : err_set(err, "there are several registries, so say which:%s", known);
}

// "3", "latest" or, by default, the champion.
static int find_version(const struct registry *r, int64_t *version, struct err *err)
{
    if (!version_name)
        return registry_champion(r, version, err);
    if (registry_parse_version(version_name, version) == 0)
        return 0;
    if (strcmp(version_name, "latest") != 0)
        return err_set(err, "'%s' is no version: give a number or latest", version_name);
    *version = registry_latest(r);
    return *version ? 0 : err_set(err, "%s: there is no version yet", models);
}

static void print_version(const struct ledger_entry *e, bool champion)
{
    static const char *const shown[] = {"average_precision", "roc_auc"};
    char when[TIME_TEXT], metric[2][16] = {"-", "-"};
    char *path = xasprintf("%s/%" PRId64 "/metrics.json", models, e->version);
    struct err none;
    json_t *metrics = results_load(path, &none); // NULL is printed as no metrics
    for (size_t i = 0; i < 2; i++) {
        const json_t *value = json_object_get(json_object_get(metrics, "test"), shown[i]);
        if (json_is_number(value))
            snprintf(metric[i], sizeof metric[i], "%.4f", json_number_value(value));
    }
    printf("%7" PRId64 "  %-9s %.12s %8s %8s  %s\n", e->version, champion ? "champion" : "",
           e->sha256, metric[0], metric[1], time_text(when, e->time));
    json_decref(metrics);
    free(path);
}

static int list(struct registry *r, struct err *err)
{
    int64_t champion, last = 0;
    (void)registry_champion(r, &champion, err); // 0 where there is none
    printf("%7s  %-9s %-12s %8s %8s  %s\n", "version", "", "sha256", "AP", "AUC", "trained");
    for (size_t i = 0; i < r->n; i++) { // versions count up: a repeated training is not above last
        const struct ledger_entry *e = &r->entries[i];
        if (e->action == LEDGER_TRAIN && e->version > last) {
            print_version(e, e->version == champion);
            last = e->version;
        }
    }
    return 0;
}

static int show(struct registry *r, struct err *err)
{
    int64_t version;
    if (find_version(r, &version, err))
        return -1;
    char *path = xasprintf("%s/%" PRId64 "/metrics.json", models, version);
    int rc = report_print(path, err);
    free(path);
    return rc;
}

// A promotion names a version, a rollback does not. The line is printed before the change, which an
// error there would not undo.
static int change_champion(struct registry *r, struct err *err)
{
    const bool back = !version_name;
    static struct model m; // loaded to be sure that it could be served
    int64_t version;
    if (r->repaired)
        fprintf(stderr, "registry: %s: a crash had left half a change; it is taken back\n", models);
    if ((back ? registry_previous(r, &version, err) : find_version(r, &version, err)) ||
        registry_load(r, version, &m, err))
        return -1;
    printf("version %" PRId64 " becomes the champion of %s%s\n", version, models,
           back ? " again" : "");
    if (stdout_close(err) ||
        registry_record(r, back ? LEDGER_ROLLBACK : LEDGER_PROMOTE, version, m.sha256, NULL, err))
        return err_prefix(err, "version %" PRId64 " was not promoted", version);
    return 0;
}

static int who(struct registry *r, struct err *err)
{
    char when[TIME_TEXT];
    const int64_t moment = at == INT64_MAX ? (int64_t)time(NULL) : at;
    const int64_t version = registry_champion_at(r, moment);
    if (version == 0)
        return err_set(err, "%s: there was no champion at %s", models, time_text(when, moment));
    printf("%" PRId64 "\n", version);
    return 0;
}

static const char *const names[] = {"list", "show", "who", "promote", "rollback"};
static int (*const commands[])(struct registry *, struct err *) = {list, show, who, change_champion,
                                                                   change_champion};
enum { LIST, SHOW, WHO, PROMOTE, ROLLBACK, N_COMMANDS };

int main(int argc, char **argv)
{
    const struct program program = {
        "registry",
        "COMMAND [VERSION]",
        "list: all versions.\n"
        "show [VERSION|latest]: test metrics and baselines, of the champion by default.\n"
        "promote VERSION|latest: make it the champion.\n"
        "rollback: back to the champion before.\n"
        "who: which version is champion, or was at a time.",
        "build/bin/registry --models models/simulated show",
        {
            {"models", "DIR", "the registry (default: the only one below models/)",
             .text = &models},
            {"at", "TIME", "who: at this time or date, UTC; else now", .time = &at},
        }};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    version_name = first + 1 < argc ? argv[first + 1] : NULL;
    size_t c = 0;
    while (c < N_COMMANDS && strcmp(argv[first], names[c]) != 0)
        c++;
    if (at != INT64_MAX && c != WHO)
        err_set(&err, "--at is for who only (see --help)");
    else if (c < N_COMMANDS && (version_name ? c == SHOW || c == PROMOTE : c != PROMOTE)) {
        struct registry r = {0};
        int rc = models ? 0 : find_registry(&err);
        if (rc == 0)
            rc = access(models, F_OK) ? err_sys(&err, "%s: cannot open the registry", models)
                 : c < PROMOTE        ? registry_read(&r, models, &err)
                                      : registry_open(&r, models, &err);
        rc = rc || commands[c](&r, &err) || stdout_close(&err);
        registry_release(&r);
        return rc ? err_report("registry", &err) : 0;
    } else if (c == PROMOTE)
        err_set(&err, "promote which version? give a number or latest");
    else if (c < N_COMMANDS)
        err_set(&err, "%s takes no version, so not '%s' (see --help)", names[c], version_name);
    else
        err_set(&err, "unknown command '%s'%s (see --help)", argv[first],
                err_did_you_mean(argv[first], names, N_COMMANDS).text);
    return option_exit(&program, -1, &err);
}
