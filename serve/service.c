// The model and what reads it. The state and the database are recovery.c's and writer.c's.
#define _GNU_SOURCE // pthread_rwlockattr_setkind_np
#include "serve/service.h"

#include "base/memory.h"
#include "ingest/value.h"
#include "train/registry.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void service_report(struct service *s, bool fatal, const char *fmt, ...)
{
    char what[1200];
    va_list args;
    if (!s->report)
        return;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    s->report(what, fatal);
}

int64_t service_latest_time(struct service *s)
{
    int64_t latest = (int64_t)time(NULL);
    if (schema_counts_rows(&s->plan->schema))
        return INT64_MAX;
    const int64_t newest = atomic_load(&s->writer.newest);
    return (newest > latest ? newest : latest) + SECONDS_PER_DAY;
}

const struct champion *service_hold(struct service *s)
{
    pthread_rwlock_rdlock(&s->replacement);
    return s->champion;
}

void service_let(struct service *s)
{
    pthread_rwlock_unlock(&s->replacement);
}

// Every category text that a node of the plan compares with.
static int fill_dictionaries(struct service *s, struct err *err)
{
    const struct plan *p = s->plan;
    s->dictionaries = xcalloc(p->schema.n, sizeof *s->dictionaries);
    for (size_t i = 0; i < p->n_nodes; i++) {
        const struct node *node = &p->nodes[i];
        uint32_t code;
        if (node->op == NODE_IS_TEXT &&
            dictionary_code(&s->dictionaries[node->a], node->text, strlen(node->text), &code, err))
            return -1;
    }
    return 0;
}

// ---- the model -------------------------------------------------------------------------------------

// The members of metrics.json about the test rows; NULL where there are none.
static json_t *test_metrics(const char *models, const char *version)
{
    char *path = xasprintf("%s/%s/metrics.json", models, version);
    json_t *file = json_load_file(path, 0, NULL);
    json_t *test = json_incref(json_object_get(file, "test"));
    json_decref(file);
    free(path);
    return test;
}

// Version, identity and test metrics, then the members of the model's file.
static char *describe(const struct champion *c, const char *models)
{
    char *text = NULL;
    json_t *file = model_to_json(&c->model);
    json_t *all = json_pack("{s:s, s:s, s:o*}", "model", c->version, "sha256", c->model.sha256,
                            "metrics", test_metrics(models, c->version));
    if (file && json_object_update(all, file) == 0)
        text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    json_decref(file);
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

// NULL on an error.
static struct champion *champion_load(const char *models, struct err *err)
{
    struct champion *c = xcalloc(1, sizeof *c);
    if (registry_load_champion(models, &c->model, &c->number, err)) {
        free(c);
        return NULL;
    }
    snprintf(c->version, sizeof c->version, "%" PRId64, c->number);
    c->loaded = (int64_t)time(NULL);
    c->text = describe(c, models);
    if (c->text)
        return c;
    err_set(err, "out of memory for the model's description");
    champion_free(c);
    return NULL;
}

struct loading {
    const char *models;
    struct champion *champion;
    struct err *err;
};

static void *load_on(void *arg)
{
    struct loading *l = arg;
    l->champion = champion_load(l->models, l->err);
    return NULL;
}

// On a thread of its own, since the library's workers have small stacks and reading a model recurses.
static struct champion *load_aside(const char *models, struct err *err)
{
    struct loading l = {.models = models, .err = err};
    pthread_t thread;
    if (pthread_create(&thread, NULL, load_on, &l))
        err_set(err, "cannot start a thread to load the model");
    else
        pthread_join(thread, NULL);
    return l.champion;
}

static int reload(struct service *s, struct err *err)
{
    struct champion *new = load_aside(s->models, err), *old = s->champion;
    if (!new)
        return -1;
    if (plan_checksum(&new->model.plan) != plan_checksum(s->plan)) {
        err_set(err,
                "version %s was trained on other [columns] or [features] than the running state "
                "has: start the server again with the state that its features were made with",
                new->version);
        champion_free(new);
        return -1;
    }
    pthread_rwlock_wrlock(&s->replacement);
    s->champion = new;
    pthread_rwlock_unlock(&s->replacement);
    if (old != s->first) // whose plan is in use
        champion_free(old);
    service_report(s, false, "model %s (sha256 %.8s…) decides now", new->version,
                   new->model.sha256);
    return 0;
}

// One at a time, else the slower of two could replace a newer champion by an older one.
int service_reload(struct service *s, struct err *err)
{
    pthread_mutex_lock(&s->reloading);
    int rc = reload(s, err);
    pthread_mutex_unlock(&s->reloading);
    if (rc == 0)
        return 0;
    const struct err why = *err;
    err_set(err, "%.960s; the present model goes on", why.msg);
    service_report(s, false, "%s", err->msg);
    return -1;
}

// ---- loading ---------------------------------------------------------------------------------------

static void make_locks(struct service *s)
{
    pthread_rwlockattr_t kind;
    pthread_rwlockattr_init(&kind);
    // Requests that follow each other without a gap would keep a reload waiting for ever.
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->replacement, &kind);
    pthread_rwlockattr_destroy(&kind);
    pthread_mutex_init(&s->reloading, NULL); // cannot fail without attributes
}

// "simulated" of models/simulated, of models/simulated/ and of "." inside of it.
static char *name_of(const char *models)
{
    char *path = realpath(models, NULL);
    char *name = path ? strdup(strrchr(path, '/') + 1) : NULL;
    free(path);
    return name;
}

static int load_model(struct service *s, const char *models, struct err *err)
{
    s->models = xstrdup(models);
    s->name = name_of(models);
    if (!s->name)
        return err_sys(err, "%s: cannot open the registry", models);
    s->champion = s->first = champion_load(models, err);
    if (!s->first)
        return -1;
    s->plan = &s->first->model.plan;
    recent_init(&s->recent, s->plan);
    return 0;
}

int service_load(struct service *s, const struct service_files *files, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->store.lock = -1;
    s->report = files->report;
    make_locks(s);
    s->started = (int64_t)time(NULL);
    if (load_model(s, files->models, err) ||
        pseudonym_load(&s->pseudonym, files->key, false, err) || fill_dictionaries(s, err) ||
        service_recover(s, files, err) || writer_start(s, err)) {
        service_release(s);
        return -1;
    }
    return 0;
}

void service_release(struct service *s)
{
    writer_stop(s);
    store_close(&s->store);
    state_release(&s->state);
    recent_release(&s->recent);
    for (size_t c = 0; s->dictionaries && c < s->plan->schema.n; c++)
        dictionary_release(&s->dictionaries[c]);
    free(s->dictionaries);
    if (s->champion != s->first)
        champion_free(s->champion);
    champion_free(s->first);
    free(s->models);
    free(s->name);
    pthread_rwlock_destroy(&s->replacement);
    pthread_mutex_destroy(&s->reloading);
    memset(s, 0, sizeof *s);
}
