// Loads what decisions need and keeps the one order of events. What a transaction looks like is
// transaction.c's, what is answered predict.c's.
#include "serve/service.h"

#include "features/snapshot.h"
#include "ingest/value.h"
#include "train/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t service_latest_time(struct service *s)
{
    int64_t latest = (int64_t)time(NULL);
    if (strcmp(s->model.plan.schema.time_format, "row") == 0)
        return INT64_MAX;
    pthread_mutex_lock(&s->lock);
    if (s->state.last_time > latest)
        latest = s->state.last_time;
    pthread_mutex_unlock(&s->lock);
    return latest + SECONDS_PER_DAY;
}

int service_run(struct service *s, const struct events *events, float *const *out, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    int rc = state_run(&s->state, events, out, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

bool service_ready(struct service *s)
{
    pthread_mutex_lock(&s->lock);
    bool ready = !s->state.broken;
    pthread_mutex_unlock(&s->lock);
    return ready;
}

static int load_model(struct service *s, const char *models, struct err *err)
{
    int64_t version;
    if (registry_load_champion(models, &s->model, &version, err))
        return -1;
    snprintf(s->version, sizeof s->version, "%lld", (long long)version);
    return 0;
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

static int load_state(struct service *s, const char *path, struct err *err)
{
    const struct schema *schema = &s->model.plan.schema;
    if (state_init(&s->state, &s->model.plan, 1, err))
        return -1;
    for (size_t c = 0; c < schema->n; c++) {
        const struct dictionary *d = &s->dictionaries[c];
        if (schema->columns[c].kind == COLUMN_CATEGORY)
            state_bind(&s->state, (int)c, (const char *const *)d->texts, d->n);
    }
    if (snapshot_load(&s->state, path, err))
        return -1;
    if (s->state.key_fingerprint != pseudonym_fingerprint(&s->pseudonym))
        return err_set(
            err,
            "%s: was made under another pseudonym key than this one, so none of its keys "
            "would be found again",
            path);
    return 0;
}

// The model's version and identity, then the members of its file.
static int describe_model(struct service *s, struct err *err)
{
    char *text = model_to_text(&s->model);
    json_t *file = text ? json_loads(text, 0, NULL) : NULL;
    json_t *all = json_pack("{s:s, s:s}", "model", s->version, "sha256", s->model.sha256);
    if (file && json_object_update(all, file) == 0)
        s->model_text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    json_decref(file);
    free(text);
    return s->model_text ? 0 : err_set(err, "out of memory for the model's description");
}

int service_load(struct service *s, const char *models, const char *state, const char *key,
                 struct err *err)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL); // cannot fail without attributes
    if (load_model(s, models, err) || pseudonym_read(&s->pseudonym, key, err) ||
        fill_dictionaries(s, err) || load_state(s, state, err) || describe_model(s, err)) {
        service_release(s);
        return -1;
    }
    return 0;
}

void service_release(struct service *s)
{
    state_release(&s->state);
    for (size_t c = 0; s->dictionaries && c < s->model.plan.schema.n; c++)
        dictionary_release(&s->dictionaries[c]);
    free(s->dictionaries);
    free(s->model_text);
    model_release(&s->model);
    pthread_mutex_destroy(&s->lock);
    memset(s, 0, sizeof *s);
}
