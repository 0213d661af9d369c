// Loads what decisions need and keeps the one order of events. What a transaction looks like is
// transaction.c's, what is answered predict.c's.
#include "serve/service.h"

#include "features/snapshot.h"
#include "train/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int service_run(struct service *s, const struct events *events, float *const *out, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    int rc = state_run(&s->state, events, out, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int load_model(struct service *s, const char *models, struct err *err)
{
    int64_t version;
    char path[4096];
    if (registry_champion(models, &version, err))
        return -1;
    snprintf(s->version, sizeof s->version, "%lld", (long long)version);
    int n = snprintf(path, sizeof path, "%s/%s/model.json", models, s->version);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, "%s: the path is too long", models);
    return model_load(&s->model, path, err) || registry_check(models, version, s->model.sha256, err)
               ? -1
               : 0;
}

static int load_key(struct service *s, const char *path, struct err *err)
{
    if (access(path, F_OK))
        return err_sys(err,
                       "%s: cannot read the pseudonym key; it must be the one that ingest made, "
                       "else no key of the state would be found again",
                       path);
    return pseudonym_load(&s->pseudonym, path, err);
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

static int name_fields(struct service *s, struct err *err)
{
    const struct schema *schema = &s->model.plan.schema;
    s->names = calloc(schema->n, sizeof *s->names);
    if (!s->names)
        return err_set(err, "out of memory for names");
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind != COLUMN_LABEL)
            s->names[s->n_names++] = schema->columns[c].name;
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

static json_t *describe_inputs(const struct model *m)
{
    json_t *inputs = json_array();
    for (size_t i = 0; inputs && i < m->n_inputs; i++) {
        const struct model_input *in = &m->inputs[i];
        json_t *one = json_pack("{s:s, s:f, s:f, s:f}", "name", in->name, "mean", in->mean, "scale",
                                in->scale, "weight", in->weight);
        if (json_array_append_new(inputs, one)) {
            json_decref(inputs);
            inputs = NULL;
        }
    }
    return inputs;
}

static int describe_model(struct service *s, struct err *err)
{
    const struct model *m = &s->model;
    json_t *inputs = describe_inputs(m), *plan = plan_to_json(&m->plan);
    json_t *all = NULL;
    if (inputs && plan)
        all = json_pack("{s:s, s:s, s:O, s:f, s:f, s:O, s:O?, s:O?}", "model", s->version, "sha256",
                        m->sha256, "inputs", inputs, "intercept", m->intercept, "threshold",
                        m->threshold, "plan", plan, "training", m->training, "provenance",
                        m->provenance);
    s->model_text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    json_decref(inputs);
    json_decref(plan);
    return s->model_text ? 0 : err_set(err, "out of memory for the model's description");
}

int service_load(struct service *s, const char *models, const char *state, const char *key,
                 struct err *err)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL); // cannot fail without attributes
    if (load_model(s, models, err) || load_key(s, key, err) || fill_dictionaries(s, err) ||
        name_fields(s, err) || load_state(s, state, err) || describe_model(s, err)) {
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
    free(s->names);
    free(s->model_text);
    model_release(&s->model);
    pthread_mutex_destroy(&s->lock);
    memset(s, 0, sizeof *s);
}
