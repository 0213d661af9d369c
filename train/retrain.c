#include "train/retrain.h"
#include "base/memory.h"
#include "base/value.h"
#include "train/compare.h"
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

int retrain_from_config(struct retrain *r, const struct config *c, struct err *err)
{
    const struct config_entry *alarm = config_find(c, "retrain", "alarm");
    const struct config_entry *cost = config_find(c, "model", "cost_fraud");
    int64_t budget = 100;
    *r = (struct retrain){.on_alarm = !alarm || strcmp(alarm->value, "yes") == 0,
                          .cool_down = 7 * SECONDS_PER_DAY,
                          .train = 28 * SECONDS_PER_DAY,
                          .test = 14 * SECONDS_PER_DAY,
                          .margin = 0.02,
                          .alert_rate_most = 1.5,
                          .calibration_most = 2};
    if (!r->on_alarm && strcmp(alarm->value, "no") != 0)
        return config_error(c, alarm, 0, err, "'%.40s' is neither yes nor no", alarm->value);
    if (config_int(c, "retrain", "new_frauds", 1, INT64_C(1) << 48, &r->new_frauds, err) ||
        config_duration(c, "retrain", "every", &r->every, err) ||
        config_duration(c, "retrain", "cool_down", &r->cool_down, err) ||
        read_window(c, "train", &r->train, 4, err) ||
        read_window(c, "test", &r->test, COMPARE_LEAST_DAYS, err) ||
        config_number(c, "retrain", "margin", 0, 1, &r->margin, err) ||
        config_number(c, "retrain", "alert_rate_most", 0, 1e9, &r->alert_rate_most, err) ||
        config_number(c, "retrain", "calibration_most", 1, 1e9, &r->calibration_most, err) ||
        config_int(c, "model", "alerts_per_day", 1, 1000000000, &budget, err))
        return -1;
    r->budget = cost ? 0 : (double)budget;
    return 0;
}

// Of a comparison or of drift.json.
static const char *verdict(const json_t *j, const char *member)
{
    return json_string_value(json_object_get(json_object_get(j, "verdict"), member));
}

// ---- due ----------------------------------------------------------------------------------------

static void set_part(struct split_part *p, int64_t from, int64_t until)
{
    char first[TIME_TEXT], last[TIME_TEXT];
    p->percent = false;
    p->from = (double)day_of(from);
    p->to = (double)day_of(until);
    snprintf(p->text, sizeof p->text, "%.29s .. %.29s", date_text(first, day_of(from)),
             date_text(last, day_of(until) - 1));
}

static bool say(struct retrain *r, bool due, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool say(struct retrain *r, bool due, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, args);
    va_end(args);
    return due;
}

bool retrain_due(struct retrain *r, struct split *split, const struct examples *e,
                 const struct model *newest, const json_t *drift, bool forced)
{
    const int64_t last = e->rows > 0 ? e->time[e->rows - 1] : 0;
    const int64_t known = (last < e->labels_as_of ? last : e->labels_as_of) - split->label_delay;
    const int64_t until = day_of(known) * SECONDS_PER_DAY, from = until - r->test;
    const int64_t age = until - newest->test.until;
    const struct row_range since = time_rows(newest->test.until, until, e->time, e->rows);
    char first[TIME_TEXT];
    int64_t frauds = 0;
    set_part(&split->train, from - r->train, from);
    set_part(&split->test, from, until);
    split->folds = 1;
    split->last_quarter = true;
    for (uint64_t i = since.first; i < since.end; i++)
        frauds += e->label[i] == 1;
    if (e->rows == 0 || day_of(e->time[0]) > day_of(from - r->train))
        return say(r, false, "the tables begin on %s, and %s would train",
                   e->rows ? date_text(first, day_of(e->time[0])) : "no day", split->train.text);
    if (forced)
        return say(r, true, "asked for");
    if (age < r->cool_down)
        return say(r, false,
                   "version %" PRId64 " knows labels until %s, and cool_down is %" PRId64 "d",
                   newest->version, date_text(first, day_of(newest->test.until)),
                   r->cool_down / SECONDS_PER_DAY);
    if (r->on_alarm && json_is_true(json_object_get(json_object_get(drift, "verdict"), "drift")))
        return say(r, true, "alarm: %s", verdict(drift, "sentence"));
    if (r->new_frauds > 0 && frauds >= r->new_frauds)
        return say(r, true, "%" PRId64 " frauds are new since version %" PRId64, frauds,
                   newest->version);
    if (r->every > 0 && age >= r->every)
        return say(r, true, "%" PRId64 " days of labels are new since version %" PRId64,
                   age / SECONDS_PER_DAY, newest->version);
    return say(r, false,
               "no alarm, and since version %" PRId64 " %" PRId64 " frauds and %" PRId64
               " days of labels are new",
               newest->version, frauds, age / SECONDS_PER_DAY);
}

// ---- the decision -------------------------------------------------------------------------------

static double number(const json_t *j, const char *name)
{
    return json_number_value(json_object_get(j, name));
}

bool retrain_decide(struct retrain *r, const json_t *comparison, bool fallen)
{
    enum { ALERTS = 4 }; // in the list of differences
    const json_t *differences = json_object_get(comparison, "differences");
    const json_t *b = json_object_get(json_object_get(comparison, "b"), "metrics");
    const char *code = verdict(comparison, "code"), *sentence = verdict(comparison, "sentence");
    const double low = number(json_array_get(differences, 0), "low");
    const double alerts = number(json_array_get(differences, ALERTS), "b");
    const double expected = number(b, "mean_probability") * number(b, "rows") / number(b, "frauds");
    const bool better = strcmp(code, "better") == 0, few = strncmp(code, "few", 3) == 0;
    if (!better && (few || !fallen || low <= -r->margin))
        return say(r, false, "%s", sentence);
    if (r->budget > 0 && alerts > r->alert_rate_most * r->budget)
        return say(r, false, "%s, but %.1f alerts a day are more than %g times the budget of %g",
                   sentence, alerts, r->alert_rate_most, r->budget);
    if (!(expected <= r->calibration_most && expected >= 1 / r->calibration_most))
        return say(r, false, "%s, but its probabilities expect %.2f times the frauds found",
                   sentence, expected);
    return say(r, true, "%s%s", sentence,
               better ? "" : "; not worse by more than margin, and the champion has lost (alarm)");
}

// ---- what becomes of a new version --------------------------------------------------------------

// The comparison with the champion; NULL and why there is none.
static json_t *compare(const struct challenge *c, const struct model *m, const struct examples *e,
                       const struct config *config, struct err *why)
{
    const struct period_times always = {INT64_MIN, INT64_MAX};
    const struct model *champion = &c->champion;
    if (champion->version == 0 || strcmp(champion->sha256, m->sha256) == 0)
        err_set(why, champion->version ? "it is the champion's model" : "there is no champion");
    else if (!c->drift && plan_checksum(&champion->plan) == plan_checksum(&m->plan) &&
             !examples_trained(e, champion))
        err_set(why, "the rows that trained version %" PRId64 " are not in this table",
                champion->version);
    else
        return compare_new(champion, m, e, config, c->drift ? m->test : always, why);
    return NULL;
}

static bool decide(struct challenge *c, const struct registry *g, const struct model *m,
                   const json_t *comparison, const struct err *why)
{
    struct retrain *r = &c->rules;
    const char *sentence = verdict(comparison, "sentence");
    const json_t *performance = json_object_get(c->drift, "performance");
    if (c->promote)
        return say(r, true, "asked for%s%s", sentence ? "; " : "", sentence ? sentence : "");
    if (c->champion.version == 0)
        return say(r, true,
                   registry_champion_at(g, INT64_MAX) ? "the champion cannot be loaded"
                                                      : "the first champion");
    if (comparison && (c->drift || strncmp(verdict(comparison, "code"), "few", 3) != 0))
        return retrain_decide(r, comparison, json_is_true(json_object_get(performance, "alarm")));
    // A champion of later rows has seen what this version has not.
    return say(r, !c->drift && c->champion.train.until <= m->train.until, "not comparable: %s",
               sentence ? sentence : why->msg);
}

// Has a line decided about the version before?
static bool decided(const struct registry *g, int64_t version)
{
    bool found = false;
    for (size_t i = 0; i < g->n; i++)
        found |= g->entries[i].version == version && g->entries[i].action != LEDGER_TRAIN;
    return found;
}

int challenge_decide(struct challenge *c, const struct registry *g, const struct model *m,
                     struct output *folder, const struct examples *e, const struct config *config,
                     struct err *err)
{
    struct err why = {""};
    c->decide |= c->promote;
    if (!folder->path && !c->promote && decided(g, m->version)) {
        printf("Version %" PRId64 " is the model as before, and what was decided about it stands\n",
               m->version);
        c->decide = false;
        return 0;
    }
    json_t *comparison = compare(c, m, e, config, &why);
    if (comparison)
        template_print(compare_txt, comparison);
    else if (c->champion.version > 0 && strcmp(c->champion.sha256, m->sha256) != 0)
        printf("Not compared with the champion: %s\n", why.msg);
    if (c->decide) {
        c->promote = decide(c, g, m, comparison, &why);
        printf("%s version %" PRId64 ": %s\n", c->promote ? "Promoted" : "Kept out", m->version,
               c->rules.why);
    }
    char *text =
        comparison ? json_dumps(comparison, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    const int rc = text && folder->path
                       ? output_dir_file(folder, "comparison.json", text, strlen(text), err)
                       : 0;
    json_decref(comparison);
    free(text);
    return rc;
}

int challenge_record(const struct challenge *c, struct registry *g, const struct model *m,
                     struct output *folder, struct err *err)
{
    struct ledger_entry e = {.version = m->version, .by = c->by, .reason = c->reason};
    char *path = xasprintf("%s/%" PRId64, g->path, m->version);
    snprintf(e.sha256, sizeof e.sha256, "%s", m->sha256);
    registry_evidence(folder->path ? folder->temporary : path, "metrics.json", e.evidence);
    int rc = registry_record(g, &e, folder, err);
    if (rc == 0 && c->decide) {
        e.action = c->promote ? LEDGER_PROMOTE : LEDGER_KEEP;
        e.reason = c->rules.why;
        registry_evidence(path, "comparison.json", e.evidence);
        rc = registry_record(g, &e, NULL, err);
    }
    free(path);
    return rc;
}
