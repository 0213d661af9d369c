#include "train/retrain.h"
#include "base/memory.h"
#include "base/value.h"
#include "train/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int read_window(const struct config *c, const char *key, int64_t *seconds, int64_t least,
                       struct err *err)
{
    if (config_duration(c, "retrain", key, seconds, err))
        return -1;
    if (*seconds % SECONDS_PER_DAY == 0 && *seconds >= least * SECONDS_PER_DAY)
        return 0;
    const struct config_entry *e = config_find(c, "retrain", key);
    return config_error(c, e, 0, err, "'%.40s' is not a number of whole days from %" PRId64 "d on",
                        e->value, least);
}

int retrain_from_config(struct challenge *c, const struct config *config, struct err *err)
{
    const struct config_entry *alarm = config_find(config, "retrain", "alarm");
    c->on_alarm = !alarm || strcmp(alarm->value, "yes") == 0;
    c->cool_down = 7 * SECONDS_PER_DAY;
    c->train = 28 * SECONDS_PER_DAY;
    c->test = 14 * SECONDS_PER_DAY;
    c->margin = 0.02;
    c->alert_rate_least = 0.1;
    c->alert_rate_most = 1.5;
    c->calibration_most = 2;
    if (alarm && !c->on_alarm && strcmp(alarm->value, "no") != 0)
        return config_error(config, alarm, 0, err, "'%.40s' is neither yes nor no", alarm->value);
    if (config_int(config, "retrain", "new_frauds", 1, INT64_C(1) << 48, &c->new_frauds, err) ||
        config_duration(config, "retrain", "every", &c->every, err) ||
        config_duration(config, "retrain", "cool_down", &c->cool_down, err) ||
        read_window(config, "train", &c->train, 4, err) ||
        read_window(config, "test", &c->test, COMPARE_LEAST_DAYS, err) ||
        config_number(config, "retrain", "margin", 0, 1, &c->margin, err) ||
        config_number(config, "retrain", "alert_rate_least", 0, 1, &c->alert_rate_least, err) ||
        config_number(config, "retrain", "alert_rate_most", 0, 1e9, &c->alert_rate_most, err) ||
        config_number(config, "retrain", "calibration_most", 1, 1e9, &c->calibration_most, err))
        return -1;
    return 0;
}

// Of a comparison or of drift.json.
static const char *verdict(const json_t *j, const char *member)
{
    return json_string_value(json_object_get(json_object_get(j, "verdict"), member));
}

// ---- due ----------------------------------------------------------------------------------------

static bool say(struct challenge *c, bool is, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Sets why; returns is.
static bool say(struct challenge *c, bool is, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->why, sizeof c->why, fmt, args);
    va_end(args);
    c->why[value_utf8_begin(c->why, strlen(c->why))] = '\0'; // vsnprintf may have cut a character
    return is;
}

bool retrain_due(struct challenge *c, struct split *split, const struct examples *e,
                 const struct model *newest, const json_t *drift, bool forced)
{
    const int64_t last = e->rows > 0 ? e->time[e->rows - 1] : 0;
    const int64_t known = (last < e->labels_as_of ? last : e->labels_as_of) - split->label_delay;
    const int64_t until = day_of(known) * SECONDS_PER_DAY, from = until - c->test;
    const int64_t age = until - newest->test.until;
    const struct row_range since = time_rows(newest->test.until, until, e->time, e->rows);
    char first[TIME_TEXT], many[256];
    int64_t frauds = 0;
    json_t *words = class_words(newest->training);
    snprintf(many, sizeof many, "%s", json_string_value(json_object_get(words, "many")));
    json_decref(words);
    split->train = split_days(day_of(from - c->train), day_of(from));
    split->test = split_days(day_of(from), day_of(until));
    split->folds = 1;
    split->last_quarter = true;
    for (uint64_t i = since.first; i < since.end; i++)
        frauds += e->label[i] == 1;
    if (e->rows == 0 || day_of(e->time[0]) > day_of(from - c->train))
        return say(c, false,
                   "the tables begin on %s, and %s would train: write a shorter train in "
                   "[retrain], or wait for later rows",
                   e->rows ? date_text(first, day_of(e->time[0])) : "no day", split->train.text);
    const struct row_range trains = split_rows(&split->train, 0, e->time, e->rows);
    if (trains.first == trains.end || trains.end == since.end)
        return say(c, false, "there are no rows within %s, or none later that would judge",
                   split->train.text);
    if (forced)
        return say(c, true, "asked for");
    if (age < c->cool_down)
        return say(c, false,
                   "version %" PRId64 " was tested on days before %s, and cool_down has not passed "
                   "since then",
                   newest->version, date_text(first, day_of(newest->test.until)));
    if (c->on_alarm && json_is_true(json_object_get(json_object_get(drift, "verdict"), "drift")))
        return say(c, true, "alarm: %s", verdict(drift, "sentence"));
    if (c->new_frauds > 0 && frauds >= c->new_frauds)
        return say(c, true, "%" PRId64 " %s are new since version %" PRId64, frauds, many,
                   newest->version);
    if (c->every > 0 && age >= c->every)
        return say(c, true, "%" PRId64 " days of labels are new since version %" PRId64,
                   age / SECONDS_PER_DAY, newest->version);
    return say(c, false,
               "no alarm, and since version %" PRId64 " %" PRId64 " %s and %" PRId64
               " days of labels are new",
               newest->version, frauds, many, age / SECONDS_PER_DAY);
}

// ---- the decision -------------------------------------------------------------------------------

static double number(const json_t *j, const char *name)
{
    return json_number_value(json_object_get(j, name));
}

bool retrain_decide(struct challenge *c, const json_t *comparison, bool fallen)
{
    enum { ALERTS = 4 }; // in the list of differences
    const json_t *differences = json_object_get(comparison, "differences");
    const json_t *b = json_object_get(json_object_get(comparison, "b"), "metrics");
    const char *many =
        json_string_value(json_object_get(json_object_get(comparison, "class"), "many"));
    const char *code = verdict(comparison, "code"), *sentence = verdict(comparison, "sentence");
    const double low = number(json_array_get(differences, 0), "low");
    const bool share = c->budget < 1;
    const double alerts =
        share ? number(b, "selection_rate") : number(json_array_get(differences, ALERTS), "b");
    const double expected = number(b, "mean_probability") * number(b, "rows") / number(b, "frauds");
    const bool better = strcmp(code, "better") == 0, few = strncmp(code, "few", 3) == 0;
    if (!better && (few || !fallen || low <= -c->margin))
        return say(c, false, "%s", sentence);
    if (c->budget > 0 &&
        (alerts > c->alert_rate_most * c->budget || alerts < c->alert_rate_least * c->budget))
        return say(c, false,
                   share ? "%s, but alerts for %.4f of the rows are not %g to %g times the budget "
                           "of %g"
                         : "%s, but %.1f alerts a day are not %g to %g times the budget of %g",
                   sentence, alerts, c->alert_rate_least, c->alert_rate_most, c->budget);
    if (!(expected <= c->calibration_most && expected >= 1 / c->calibration_most))
        return say(c, false, "%s, but its probabilities expect %.2f times the %s found", sentence,
                   expected, many ? many : "frauds");
    return say(
        c, true, "%s%s", sentence,
        better
            ? ""
            : "; not worse by more than margin, and the champion's performance has fallen (alarm)");
}

// ---- what becomes of a new version --------------------------------------------------------------

static bool is_champions(const struct challenge *c, const struct model *m)
{
    return strcmp(c->champion.sha256, m->sha256) == 0;
}

// The comparison with the champion, printed; NULL and why there is none.
static json_t *compare(const struct challenge *c, const struct model *m, const struct examples *e,
                       const struct config *config, struct err *why)
{
    const struct period_times always = {INT64_MIN, INT64_MAX};
    const struct model *champion = &c->champion;
    json_t *j = NULL;
    if (champion->version == 0 || is_champions(c, m))
        return NULL;
    if (!c->drift && plan_checksum(&champion->plan) == plan_checksum(&m->plan) &&
        !examples_trained(e, champion))
        err_set(why, "the rows that trained version %" PRId64 " are not in this table",
                champion->version);
    else
        j = compare_new(champion, m, e, config, c->drift ? m->test : always, why);
    if (j)
        template_print(compare_txt, j);
    else
        printf("Not compared with the champion: %s\n", why->msg);
    return j;
}

static bool apply_rules(struct challenge *c, const struct registry *g, const struct model *m,
                        const json_t *comparison, const struct err *why)
{
    const char *sentence = verdict(comparison, "sentence");
    const json_t *performance = json_object_get(c->drift, "performance");
    if (c->promote)
        return say(c, true, "asked for%s%s", sentence ? "; " : "", sentence ? sentence : "");
    if (c->champion.version == 0)
        return say(c, true,
                   registry_champion_at(g, INT64_MAX) ? "the champion cannot be loaded"
                                                      : "the first champion");
    if (is_champions(c, m))
        return say(c, false, "it is the champion's model");
    if (comparison && (c->drift || strncmp(verdict(comparison, "code"), "few", 3) != 0))
        return retrain_decide(c, comparison, json_is_true(json_object_get(performance, "alarm")));
    // A champion of later rows has seen what this version has not, if it has the same inputs.
    const bool later = c->champion.train.until > m->train.until &&
                       !schema_counts_rows(&m->plan.schema) &&
                       plan_checksum(&c->champion.plan) == plan_checksum(&m->plan);
    return say(c, !c->drift && !later, "not comparable: %s%s", sentence ? sentence : why->msg,
               later      ? "; and the champion was trained on later days"
               : c->drift ? ""
                          : "; registry list has both figures, registry rollback takes it back");
}

// Whether there is a decision on this version; again: one that no promotion of another followed.
static bool has_decision(const struct registry *g, int64_t version, bool again)
{
    for (size_t i = g->n; i-- > 0;) {
        const struct ledger_entry *e = &g->entries[i];
        if (e->version == version && e->action != LEDGER_TRAIN)
            return true;
        if (again && e->action == LEDGER_PROMOTE)
            return false;
    }
    return false;
}

int challenge_decide(struct challenge *c, const struct registry *g, const struct model *m,
                     struct output *folder, const struct examples *e, const struct config *config,
                     struct err *err)
{
    const struct ledger_entry decision = {.version = m->version, .action = LEDGER_KEEP};
    char stored[SHA256_HEX];
    struct err why = {""};
    int rc = 0;
    c->by_rules |= c->promote;
    if (!folder->path && !c->promote && has_decision(g, m->version, true)) {
        printf("Version %" PRId64 " is unchanged, so the earlier decision stands\n", m->version);
        c->by_rules = false;
        return 0;
    }
    json_t *comparison = compare(c, m, e, config, &why);
    if (comparison) {
        char *text = json_dumps(comparison, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
        sha256_hex(c->evidence, text, strlen(text));
        if (folder->path)
            rc = output_dir_file(folder, "comparison.json", text, strlen(text), err);
        free(text);
    }
    registry_checksum(g, &decision, folder, stored);
    if (strcmp(stored, c->evidence) != 0) // the stored one is against another champion
        c->evidence[0] = '\0';
    if (c->by_rules) {
        c->promote = apply_rules(c, g, m, comparison, &why);
        printf("%s version %" PRId64 ": %s\n", c->promote ? "Promoted" : "Kept out", m->version,
               c->why);
    }
    json_decref(comparison);
    return rc;
}

int challenge_record(const struct challenge *c, struct registry *g, const struct model *m,
                     struct output *folder, struct err *err)
{
    char metrics[SHA256_HEX];
    struct ledger_entry e = {.version = m->version,
                             .sha256 = m->sha256,
                             .by = c->by,
                             .reason = c->reason,
                             .evidence = metrics};
    registry_checksum(g, &e, folder, metrics);
    if (registry_record(g, &e, folder, err))
        return -1;
    if (!c->by_rules)
        return 0;
    e.action = c->promote ? LEDGER_PROMOTE : LEDGER_KEEP;
    e.reason = c->why;
    e.evidence = c->evidence;
    return registry_record(g, &e, NULL, err);
}

int challenge_is_due(struct challenge *c, const struct registry *g, const char *path,
                     struct split *split, const struct examples *e, bool forced, struct err *err)
{
    static struct model newest; // lives as long as the program
    const char *of;
    struct err ignored;
    json_t *drift = json_load_file(path, 0, NULL);
    int64_t version = registry_latest(g);
    c->drift = drift;
    if (json_unpack(drift, "{s:{s:s}}", "model", "sha256", &of))
        return err_set(err, "%s: is no result of monitor: run it again", path);
    if (strcmp(of, c->champion.sha256) != 0)
        return err_set(err, "%s: is about another model than the champion: run monitor again",
                       path);
    while (version > 0 && !has_decision(g, version, false)) // a crash came between its two lines
        version--;
    if (registry_load(g, version, &newest, &ignored))
        newest = c->champion;
    const bool due = retrain_due(c, split, e, &newest, drift, forced);
    c->reason = xstrdup(c->why);
    printf("%s: %s\n", due ? "Retraining" : "Not due", c->reason);
    return due;
}
