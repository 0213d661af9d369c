// The model and what reads it. The state and the database are recovery.c's and writer.c's.
#define _GNU_SOURCE // pthread_rwlockattr_setkind_np
#include "serve/service.h"

#include "ingest/value.h"
#include "train/registry.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
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
    if (schema_counts_rows(&s->model.plan.schema))
        return INT64_MAX;
    const int64_t newest = atomic_load(&s->writer.newest);
    return (newest > latest ? newest : latest) + SECONDS_PER_DAY;
}

void service_hold(struct service *s)
{
    pthread_rwlock_rdlock(&s->replacement);
}

void service_let(struct service *s)
{
    pthread_rwlock_unlock(&s->replacement);
}

// Every category text that a node of the plan compares with.
static int fill_dictionaries(struct service *s, struct err *err)
{
    const struct plan *p = &s->model.plan;
    s->dictionaries = calloc(p->schema.n, sizeof *s->dictionaries);
    if (!s->dictionaries)
        return err_set(err, "out of memory for dictionaries");
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

// A model as it is served.
struct champion {
    struct model model;
    int64_t version;
    char *text;
};

// What the version's folder has in metrics.json of the test rows; NULL where it has none.
static json_t *test_metrics(const char *models, int64_t version)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%" PRId64 "/metrics.json", models, version);
    json_t *file = json_load_file(path, 0, NULL);
    json_t *test = json_incref(json_object_get(file, "test"));
    json_decref(file);
    return test;
}

// The version and identity, how good it is, then the members of its file.
static char *describe(const struct champion *c, const char *models)
{
    char version[24], *text = model_to_text(&c->model), *all_text = NULL;
    json_t *file = text ? json_loads(text, 0, NULL) : NULL;
    snprintf(version, sizeof version, "%" PRId64, c->version);
    json_t *all = json_pack("{s:s, s:s, s:o*}", "model", version, "sha256", c->model.sha256,
                            "metrics", test_metrics(models, c->version));
    if (file && json_object_update(all, file) == 0)
        all_text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    json_decref(file);
    free(text);
    return all_text;
}

static int champion_load(struct champion *c, const char *models, struct err *err)
{
    if (registry_load_champion(models, &c->model, &c->version, err))
        return -1;
    c->text = describe(c, models);
    if (c->text)
        return 0;
    model_release(&c->model);
    return err_set(err, "out of memory for the model's description");
}

static void put_in_place(struct service *s, const struct champion *c)
{
    s->model_text = c->text;
    s->version_number = c->version;
    s->loaded = (int64_t)time(NULL);
    snprintf(s->version, sizeof s->version, "%" PRId64, c->version);
}

// All but the plan, the first member, which the state borrows and any thread may be reading.
static void replace(struct service *s, struct champion *c)
{
    enum { FROM = offsetof(struct model, inputs), SIZE = sizeof(struct model) - FROM };
    unsigned char old[SIZE];
    char *text = s->model_text;
    memcpy(old, (unsigned char *)&s->model + FROM, SIZE);
    memcpy((unsigned char *)&s->model + FROM, (unsigned char *)&c->model + FROM, SIZE);
    memcpy((unsigned char *)&c->model + FROM, old, SIZE);
    put_in_place(s, c);
    c->text = text;
}

static int check_fit(const struct service *s, const struct champion *c, struct err *err)
{
    if (plan_checksum(&c->model.plan) == plan_checksum(&s->model.plan))
        return 0;
    return err_set(err,
                   "version %" PRId64
                   " was trained on other [columns] or [features] than the running state "
                   "has: start the server again with the state that its features were made with",
                   c->version);
}

struct loading {
    struct champion champion;
    const char *models;
    struct err *err;
    int rc;
};

static void *load_on(void *arg)
{
    struct loading *l = arg;
    l->rc = champion_load(&l->champion, l->models, l->err);
    return NULL;
}

// On a thread of its own, since the library's workers have small stacks and reading a model recurses.
static int load_aside(struct champion *c, const char *models, struct err *err)
{
    struct loading l = {.models = models, .err = err};
    pthread_t thread;
    if (pthread_create(&thread, NULL, load_on, &l))
        return err_set(err, "there is no thread to load the model on");
    pthread_join(thread, NULL);
    *c = l.champion;
    return l.rc;
}

static int reload(struct service *s, struct err *err)
{
    struct champion c;
    if (load_aside(&c, s->models, err))
        return -1;
    int rc = check_fit(s, &c, err);
    if (rc == 0) {
        pthread_rwlock_wrlock(&s->replacement);
        replace(s, &c);
        pthread_rwlock_unlock(&s->replacement);
        service_report(s, false, "model %s (sha256 %.8s…) decides now", s->version,
                       s->model.sha256);
    }
    model_release(&c.model);
    free(c.text);
    return rc;
}

// One after the other, else the slower of two could put an older champion in the newer one's place.
int service_reload(struct service *s, struct err *err)
{
    pthread_mutex_lock(&s->reloading);
    int rc = reload(s, err);
    pthread_mutex_unlock(&s->reloading);
    if (rc == 0)
        return 0;
    const struct err why = *err;
    err_set(err, "%.960s; the model that was there goes on", why.msg);
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
    struct champion c;
    s->models = strdup(models);
    s->name = name_of(models);
    if (!s->models || !s->name)
        return err_sys(err, "%s: cannot open the registry", models);
    if (champion_load(&c, models, err))
        return -1;
    s->model = c.model;
    put_in_place(s, &c);
    return 0;
}

int service_load(struct service *s, const struct service_files *files, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->store.lock = -1;
    s->report = files->report;
    make_locks(s);
    s->started = (int64_t)time(NULL);
    if (load_model(s, files->models, err) || recent_init(&s->recent, &s->model, err) ||
        pseudonym_read(&s->pseudonym, files->key, err) || fill_dictionaries(s, err) ||
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
    for (size_t c = 0; s->dictionaries && c < s->model.plan.schema.n; c++)
        dictionary_release(&s->dictionaries[c]);
    free(s->dictionaries);
    free(s->model_text);
    free(s->models);
    free(s->name);
    model_release(&s->model);
    pthread_rwlock_destroy(&s->replacement);
    pthread_mutex_destroy(&s->reloading);
    memset(s, 0, sizeof *s);
}
