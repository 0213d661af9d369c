// Follows the registry and the monitor: which champion decides, and what GET /loop answers.
#include "base/memory.h"
#include "base/value.h"
#include "serve/service.h"
#include "train/registry.h"
#include "train/report.h"

#include <inttypes.h>

enum { NEWEST_LINES = 8, MAX_BYTES = 16 * 1024 * 1024 };

// True at the first call, too. A missing file has only zeros.
static bool has_changed(struct watched *w, const char *path)
{
    struct stat now;
    if (stat(path, &now))
        now = (struct stat){0};
    const bool same = w->text && now.st_ino == w->seen.st_ino && now.st_size == w->seen.st_size &&
                      now.st_mtim.tv_sec == w->seen.st_mtim.tv_sec &&
                      now.st_mtim.tv_nsec == w->seen.st_mtim.tv_nsec;
    w->seen = now;
    return !same;
}

static void replace_text(struct service *s, struct watched *w, json_t *members)
{
    char *old = w->text, *text = xchecked(json_dumps(members, JSON_COMPACT | JSON_EMBED));
    json_decref(members);
    pthread_rwlock_wrlock(&s->replacement);
    w->text = text;
    pthread_rwlock_unlock(&s->replacement);
    free(old);
}

// A value of NULL is null: there is none, or its file is damaged. Clients are told no path.
static void add(json_t *all, const char *name, json_t *value, bool damaged)
{
    char *error = xasprintf("%s_error", name);
    json_object_set_new(all, name, value ? value : json_null());
    if (damaged)
        json_object_set_new(all, error,
                            json_string("its file is damaged; the server's log says "
                                        "where"));
    free(error);
}

// Some members of a file with a verdict; NULL where there is no file, or after a message.
static json_t *read_some(struct service *s, const char *path, const char *const *names,
                         bool *damaged)
{
    struct err err;
    struct stat file = {0};
    json_t *j = NULL, *some = json_object();
    if (stat(path, &file) && errno == ENOENT) {
        json_decref(some);
        return NULL;
    }
    if (file.st_size > MAX_BYTES)
        err_set(&err, "%s: has more than %d bytes", path, MAX_BYTES);
    else
        j = results_load(path, &err);
    *damaged = !j;
    for (; !*damaged && *names; names++) {
        *damaged = json_object_set(some, *names, json_object_get(j, *names)) != 0;
        if (*damaged)
            err_set(&err, "%s: has no %s", path, *names);
    }
    json_decref(j);
    if (!*damaged)
        return some;
    writer_report(&s->writer, false, "%s", err.msg);
    json_decref(some);
    return NULL;
}

static void read_drift(struct service *s)
{
    static const char *const names[] = {"model", "verdict", "periods", "performance", NULL};
    bool damaged = false;
    json_t *all = json_object(), *drift = read_some(s, s->drift, names, &damaged), *period;
    const char *name;
    json_object_foreach(json_object_get(drift, "periods"), name, period)
        json_object_del(period, "table"); // a path
    json_t *alarm = json_object_get(json_object_get(drift, "performance"), "alarm");
    json_object_set_new(drift, "performance", json_pack("{s:O?}", "alarm", alarm));
    add(all, "drift", drift, damaged);
    replace_text(s, &s->monitor, all);
}

static json_t *newest_lines(const struct registry *r)
{
    static const char *const actions[] = {
        [LEDGER_TRAIN] = "train", [LEDGER_PROMOTE] = "promote", [LEDGER_ROLLBACK] = "rollback"};
    json_t *lines = json_array();
    char time[TIME_TEXT];
    for (size_t i = r->n; i > 0 && json_array_size(lines) < NEWEST_LINES; i--) {
        const struct ledger_entry *e = &r->entries[i - 1];
        json_array_append_new(lines,
                              json_pack("{s:s, s:s?, s:I, s:s}", "time", time_text(time, e->time),
                                        "action", actions[e->action], "version",
                                        (json_int_t)e->version, "sha256", e->sha256));
    }
    return lines;
}

// The comparison of the newest version that has one.
static json_t *newest_comparison(struct service *s, const struct registry *r, bool *damaged)
{
    static const char *const names[] = {"verdict",     "a",           "b",     "period",
                                        "differences", "worst_slice", "flips", NULL};
    json_t *comparison = NULL;
    for (int64_t v = registry_latest(r); v > 0 && !comparison && !*damaged; v--) {
        char *path = xasprintf("%s/%" PRId64 "/comparison.json", s->models, v);
        comparison = read_some(s, path, names, damaged);
        free(path);
    }
    json_object_del(json_object_get(comparison, "flips"), "rows"); // up to 5000
    return comparison;
}

static void read_ledger(struct service *s)
{
    struct registry r;
    struct err err;
    int64_t champion = 0;
    bool damaged = false;
    json_t *all = json_object();
    const bool bad = registry_read(&r, s->models, &err) || registry_champion(&r, &champion, &err);
    json_t *comparison = bad ? NULL : newest_comparison(s, &r, &damaged);
    add(all, "challenger", comparison, damaged);
    add(all, "ledger", bad ? NULL : newest_lines(&r), bad);
    replace_text(s, &s->ledger, all);
    registry_release(&r);
    const bool same = service_hold(s)->model.version == champion;
    service_let(s);
    // Also after an error, which it reports.
    if (!same && service_reload(s, &err) == RELOAD_LATER)
        s->ledger.seen = (struct stat){0};
}

void service_watch(struct service *s)
{
    char *ledger = path_join(s->models, "ledger.jsonl");
    if (has_changed(&s->ledger, ledger))
        read_ledger(s);
    if (has_changed(&s->monitor, s->drift))
        read_drift(s);
    free(ledger);
}
