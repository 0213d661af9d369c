#define _GNU_SOURCE // PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#include "serve/service.h"

#include "base/memory.h"
#include "ingest/value.h"
#include "train/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// ---- requests --------------------------------------------------------------------------------------

int64_t service_latest_time(struct service *s)
{
    const int64_t now = (int64_t)time(NULL), newest = atomic_load(&s->writer.newest);
    if (schema_counts_rows(&s->plan->schema))
        return INT64_MAX;
    return (newest > now ? newest : now) + SECONDS_PER_DAY;
}

static int refuse(struct reply *r, int seconds, const char *why)
{
    if (r) {
        reply_problem(r, 503, NULL, -1, "%s", why);
        r->retry_after = seconds;
    }
    return -1;
}

static int refuse_held(struct reply *r)
{
    return refuse(r, 1,
                  "another program holds the database, so nothing is decided; try again later");
}

static int refuse_broken(struct reply *r)
{
    return refuse(r, 5, // seconds that a supervisor may take
                  "a write has failed, and nothing is decided until the server is started again");
}

int service_ready(struct service *s, struct reply *r)
{
    if (atomic_load(&s->writer.broken))
        return refuse_broken(r);
    return atomic_load(&s->store.held) ? refuse_held(r) : 0;
}

int service_run(struct service *s, struct job *job, struct reply *r)
{
    switch (writer_run(&s->writer, job)) {
    case JOB_COMMITTED:
        return 0;
    case JOB_BUSY:
        return refuse_held(r);
    case JOB_FULL:
        atomic_fetch_add(&s->counters.refused, 1);
        return refuse(r, 1, "too many requests are waiting already; try again later");
    default:
        return refuse_broken(r);
    }
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

// ---- the champion ----------------------------------------------------------------------------------

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

// The members of the model's file, version, identity and test metrics; NULL without memory.
static char *describe(const struct champion *c, const char *models)
{
    char *text = NULL;
    json_t *all = model_to_json(&c->model), *more;
    more = json_pack("{s:s, s:s, s:o*}", "model", c->version, "sha256", c->model.sha256, "metrics",
                     test_metrics(models, c->version));
    if (json_object_update(all, more) == 0)
        text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    json_decref(more);
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
    writer_report(&s->writer, false, "model %s (sha256 %.8s…) decides now", new->version,
                  new->model.sha256);
    return 0;
}

// One at a time, else the slower of two could replace a newer champion by an older one.
int service_reload(struct service *s, struct err *err)
{
    pthread_mutex_lock(&s->reloading);
    const int rc = reload(s, err);
    pthread_mutex_unlock(&s->reloading);
    if (rc == 0)
        return 0;
    const struct err why = *err;
    err_set(err, "%.960s; the present model goes on", why.msg);
    writer_report(&s->writer, false, "%s", err->msg);
    return -1;
}

// ---- loading ---------------------------------------------------------------------------------------

static int load_model(struct service *s, const char *models, struct err *err)
{
    char *path = realpath(models, NULL); // "models/simulated" of "." inside it
    if (!path)
        return err_sys(err, "%s: cannot open the registry", models);
    s->models = xstrdup(models);
    s->name = xstrdup(strrchr(path, '/') + 1);
    free(path);
    s->champion = s->first = champion_load(models, err);
    if (!s->first)
        return -1;
    s->plan = &s->first->model.plan;
    recent_init(&s->recent, s->plan);
    return 0;
}

// Every category text that a node of the plan compares with.
static int fill_dictionaries(struct service *s, struct err *err)
{
    const struct plan *p = s->plan;
    uint32_t code;
    s->dictionaries = xcalloc(p->schema.n, sizeof *s->dictionaries);
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].op == NODE_IS_TEXT &&
            dictionary_code(&s->dictionaries[p->nodes[i].a], p->nodes[i].text, &code, err))
            return -1;
    return 0;
}

int service_load(struct service *s, const struct service_files *files, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->store.lock = -1;
    s->started = (int64_t)time(NULL);
    s->writer = (struct writer){.state = &s->state,
                                .store = &s->store,
                                .counters = &s->counters,
                                .report = files->report,
                                .limit = (size_t)files->queue,
                                .saved_time = s->started};
    // Requests that follow each other without a gap would keep a reload waiting for ever.
    s->replacement = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    s->reloading = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (load_model(s, files->models, err) ||
        pseudonym_load(&s->pseudonym, files->key, false, err) || fill_dictionaries(s, err) ||
        service_recover(s, files, err) || writer_start(&s->writer, err)) {
        service_release(s);
        return -1;
    }
    return 0;
}

void service_release(struct service *s)
{
    writer_stop(&s->writer);
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
    memset(s, 0, sizeof *s);
}
