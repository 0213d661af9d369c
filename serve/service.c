#define _GNU_SOURCE // PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP, realpath
#include "serve/service.h"

#include "base/memory.h"
#include "base/value.h"
#include "train/registry.h"
#include "train/report.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct champion *service_hold(struct service *s)
{
    pthread_rwlock_rdlock(&s->replacement);
    return s->champion;
}

void service_let(struct service *s)
{
    pthread_rwlock_unlock(&s->replacement);
}

// ---- the champion ----

// Version, identity and, where there are some, the metrics of the test rows and their titles, then
// the members of the model's file.
static char *describe(const struct champion *c, const char *models)
{
    char *path = xasprintf("%s/%s/metrics.json", models, c->version);
    struct err none;
    json_t *metrics = json_read(path, NULL, &none);
    json_t *calendar = json_array();
    for (size_t i = 0; i < c->model.n_inputs; i++)
        if (plan_follows_calendar(&c->model.plan, i))
            json_array_append_new(calendar, json_string(c->model.inputs[i].name));
    json_t *all =
        json_pack("{s:s, s:s, s:o, s:O*, s:O*}", "model", c->version, "sha256", c->model.sha256,
                  "calendar", calendar, "metrics", json_object_get(metrics, "test"), "titles",
                  json_object_get(metrics, "titles"));
    json_object_update_new(all, model_to_json(&c->model));
    char *text = xchecked(json_dumps(all, JSON_COMPACT));
    json_decref(all);
    json_decref(metrics);
    free(path);
    return text;
}

static void champion_free(struct champion *c)
{
    if (!c)
        return;
    model_release(&c->model);
    free(c->text);
    free(c);
}

// NULL on an error. plan: the one that the champion must have; NULL: any.
static struct champion *champion_load(const char *models, const struct plan *plan, struct err *err)
{
    struct champion *c = xcalloc(1, sizeof *c);
    struct registry r;
    int rc = registry_read(&r, models, err) || registry_load_champion(&r, &c->model, err) ? -1 : 0;
    registry_release(&r);
    if (rc == 0 && plan && plan_checksum(&c->model.plan) != plan_checksum(plan))
        rc = err_set(err,
                     "version %" PRId64 " was trained on other [columns] or [features] than the "
                     "running state has: make a state for it from the ingested table and what "
                     "export --transactions writes, and start again with that state and a new "
                     "database; docs/server.md has the commands (A champion with other features)",
                     c->model.version);
    if (rc) {
        champion_free(c);
        return NULL;
    }
    snprintf(c->version, sizeof c->version, "%" PRId64, c->model.version);
    c->loaded = (int64_t)time(NULL);
    c->text = describe(c, models);
    return c;
}

struct reload {
    const struct service *service;
    struct err *err;
};

static void *load_on(void *arg)
{
    const struct reload *l = arg;
    return champion_load(l->service->files->models, l->service->plan, l->err);
}

int service_reload(struct service *s, struct err *err)
{
    struct reload l = {s, err};
    pthread_t thread;
    void *loaded = NULL;
    pthread_mutex_lock(&s->reloading); // else the slower of two could replace a newer champion
    struct champion *old = s->champion;
    // On a thread of its own, since the library's workers have small stacks and reading a model
    // recurses.
    const bool started = pthread_create(&thread, NULL, load_on, &l) == 0;
    if (started)
        pthread_join(thread, &loaded);
    else
        err_set(err, "cannot start a thread to load the model");
    struct champion *new = loaded;
    if (new) {
        pthread_rwlock_wrlock(&s->replacement);
        s->champion = new;
        pthread_rwlock_unlock(&s->replacement);
        if (old != s->first) // whose plan is in use
            champion_free(old);
        service_report(s, false, "model %s (sha256 %.8s…) decides now", new->version,
                       new->model.sha256);
    } else {
        err_set(err, "%.960s; the present model goes on", err_copy(err).msg);
        service_report(s, false, "%s", err->msg);
    }
    pthread_mutex_unlock(&s->reloading);
    return new ? 0 : started ? -1 : RELOAD_LATER;
}

// ---- the loop ----

enum { NEWEST_LINES = 8 };

// seen: the sum of what tells versions of the file apart; 0: it is missing.
static bool has_changed(const char *path, int64_t *seen)
{
    struct stat f;
    const int64_t before = *seen;
    *seen = stat(path, &f)
                ? 0
                : (int64_t)f.st_ino + f.st_size + f.st_mtim.tv_sec * 1000000000 + f.st_mtim.tv_nsec;
    return *seen != before;
}

// all gets what the dashboard shows of a file with a verdict, or an error where it is damaged. False
// where there is no file.
static bool add_verdict(json_t *all, const char *name, const char *error, const char *path)
{
    static const char *const shown[] = {"model", "verdict", "periods",     "a",
                                        "b",     "period",  "differences", "worst_slice"};
    struct err why;
    if (access(path, F_OK))
        return false;
    json_t *j = json_read(path, NULL, &why), *part = json_object();
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        json_object_set(part, shown[i], json_object_get(j, shown[i]));
    if (json_is_string(json_object_get(json_object_get(part, "verdict"), "sentence")))
        json_object_set(all, name, part);
    else
        json_object_set_new(all, error, json_string("its file is damaged: write it again"));
    json_decref(part);
    json_decref(j);
    return true;
}

static void add_registry(json_t *all, const struct registry *r)
{
    json_t *lines = json_array();
    bool found = false;
    for (int64_t v = registry_latest(r); v && !found; v--) {
        char *path = xasprintf("%s/%" PRId64 "/comparison.json", r->path, v);
        found = add_verdict(all, "challenger", "challenger_error", path);
        free(path);
    }
    for (size_t i = r->n; i > 0 && json_array_size(lines) < NEWEST_LINES; i--)
        json_array_append(lines, r->entries[i - 1].line);
    json_object_set_new(all, "ledger", lines);
}

void service_watch(struct service *s)
{
    struct registry r;
    struct err err;
    int64_t champion = 0;
    char *ledger = path_join(s->files->models, "ledger.jsonl"), *old = s->loop;
    const bool moved = has_changed(ledger, &s->seen[0]);
    free(ledger);
    if (!has_changed(s->files->drift, &s->seen[1]) && !moved && s->loop)
        return;
    json_t *all = json_pack("{s:n, s:n, s:n}", "drift", "challenger", "ledger");
    add_verdict(all, "drift", "drift_error", s->files->drift);
    if (registry_read(&r, s->files->models, &err) || registry_champion(&r, &champion, &err))
        json_object_set_new(all, "ledger_error",
                            json_string("it is damaged: the server's log says where"));
    else
        add_registry(all, &r);
    registry_release(&r);
    char *text = xchecked(json_dumps(all, JSON_COMPACT));
    json_decref(all);
    pthread_rwlock_wrlock(&s->replacement);
    s->loop = text;
    pthread_rwlock_unlock(&s->replacement);
    free(old);
    const bool same = service_hold(s)->model.version == champion;
    service_let(s);
    // Also where the ledger is damaged, which this reports.
    if (moved && !same && service_reload(s, &err) == RELOAD_LATER)
        s->seen[0] = 0;
}

static int load_snapshot(struct service *s, const char *path, struct err *err)
{
    return recovery_load(&s->state, s->plan, s->dictionaries, pseudonym_fingerprint(&s->pseudonym),
                         path, err);
}

// The checkpoint or, if there is none that can be read, the snapshot that the database began with.
static int load_newest(struct service *s, const char *base, struct err *err)
{
    struct writer *w = &s->writer;
    struct stat file;
    if (stat(w->checkpoint, &file) == 0) {
        if (load_snapshot(s, w->checkpoint, err) == 0) {
            atomic_store(&w->saved_time, (long long)file.st_mtime);
            return 0;
        }
        service_report(s, false, "%s; beginning with %s and all rows", err->msg, base);
    }
    return load_snapshot(s, base, err);
}

// ---- recovery ----

// Called before a new database is made, so that a start that fails leaves no trace. A log beside
// its name may hold all rows of another database.
static int check_new(const char *database, struct err *err)
{
    static const char *const ends[] = {"-wal", "-state"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *name = xasprintf("%s%s", database, ends[i]);
        const bool exists = access(name, F_OK) == 0;
        free(name);
        if (exists)
            return err_set(err,
                           "%s%s: exists, but its database does not: put that back, or move this "
                           "away for a new one",
                           database, ends[i]);
    }
    return 0;
}

static int recover(struct service *s, struct err *err)
{
    const struct service_files *files = s->files;
    const char *database = files->database;
    struct writer *w = &s->writer;
    struct store_identity identity = {.plan = plan_checksum(s->plan),
                                      .key_fingerprint = pseudonym_fingerprint(&s->pseudonym)};
    struct snapshot_head base;
    struct replayed found = {0};
    w->checkpoint = xasprintf("%s-state", database);
    if ((access(database, F_OK) && check_new(database, err)) || load_newest(s, files->state, err) ||
        snapshot_peek(files->state, &base, err))
        return -1;
    identity.base = base.checksum;
    w->base_time = base.last_time;
    atomic_store(&w->saved_order, (long long)s->state.position);
    if (store_open(&s->store, database, s->plan, s->dictionaries, files->full, &identity, err) ||
        recovery_replay(&s->state, &s->store, &found, err))
        return -1;
    if (found.differ)
        return err_set(err, "%s", found.first.msg);
    service_note_state(s);
    return recent_open(&s->recent, &s->store, err);
}

// ---- loading ----

static int load_model(struct service *s, struct err *err)
{
    const char *models = s->files->models;
    char *path = realpath(models, NULL); // "models/simulated" of "." inside it
    if (!path)
        return err_sys(err, "%s: cannot open the registry", models);
    s->name = xstrdup(strrchr(path, '/') + 1);
    free(path);
    s->champion = s->first = champion_load(models, NULL, err);
    if (!s->first)
        return -1;
    const struct plan *p = s->plan = &s->first->model.plan;
    s->counters.outside = xcalloc(p->n_inputs, sizeof *s->counters.outside);
    s->dictionaries = xcalloc(p->schema.n, sizeof *s->dictionaries);
    return dictionaries_of_plan(s->dictionaries, p, err);
}

int service_load(struct service *s, const struct service_files *files, struct err *err)
{
    *s = (struct service){.files = files, .started = (int64_t)time(NULL)};
    s->writer = (struct writer){.lock = PTHREAD_MUTEX_INITIALIZER,
                                .work = PTHREAD_COND_INITIALIZER,
                                .saved_time = s->started};
    // Requests that follow each other without a gap would keep a reload waiting for ever.
    s->replacement = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    s->reloading = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (load_model(s, err) || pseudonym_load(&s->pseudonym, files->key, false, err) ||
        recover(s, err) || writer_start(s, err)) {
        service_release(s);
        return -1;
    }
    return 0;
}

void service_release(struct service *s)
{
    writer_stop(s);
    recent_release(&s->recent); // before the writer's connection, which moves the log into the file
    store_close(&s->store);
    state_release(&s->state);
    for (size_t c = 0; s->dictionaries && c < s->plan->schema.n; c++)
        dictionary_release(&s->dictionaries[c]);
    free(s->dictionaries);
    free(s->counters.outside);
    free(s->loop);
    if (s->champion != s->first)
        champion_free(s->champion);
    champion_free(s->first);
    free(s->name);
    memset(s, 0, sizeof *s);
}
