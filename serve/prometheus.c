// GET /metrics: serve/metrics.prom, the text that Prometheus reads, with the values from here. Names
// of metrics end in their base unit. Labels have few values, and none that a client sent.
#include "base/memory.h"
#include "base/value.h"
#include "serve/http.h"
#include "train/report.h"

#include <time.h>
#include <unistd.h>

extern const char metrics_prom[];

#define ADD(to, name, x) json_object_set_new(to, name, json_number((double)(x)))

static void add_http(json_t *to, const struct counters *c)
{
    json_t *requests = json_array();
    for (size_t i = 0; i < COUNTERS_ROUTES; i++)
        for (size_t s = 0; s < REPLY_STATUSES; s++)
            if (atomic_load(&c->http[i][s]) > 0)
                json_array_append_new(requests, json_pack("{s:s, s:i, s:I}", "path",
                                                          routes[i].path ? routes[i].path : "other",
                                                          "code", reply_statuses[s].code, "n",
                                                          atomic_load(&c->http[i][s])));
    json_object_set_new(to, "requests", requests);
    ADD(to, "cut", atomic_load(&c->cut));
    ADD(to, "in_flight", atomic_load(&c->in_flight));
    ADD(to, "connections", atomic_load(&c->connections));
    ADD(to, "refused", atomic_load(&c->refused));
}

static json_t *histogram(const struct counters_histogram *h, const double *bounds)
{
    unsigned long long n = 0;
    json_t *buckets = json_array();
    for (size_t b = 0; b <= COUNTERS_BOUNDS; b++) {
        n += atomic_load(&h->counts[b]);
        if (b < COUNTERS_BOUNDS && bounds[b] <= 1) // not the infinite one
            json_array_append_new(buckets, json_pack("{s:f, s:I}", "le", bounds[b], "n", n));
    }
    return json_pack("{s:o, s:I, s:f}", "buckets", buckets, "n", n, "sum",
                     (double)atomic_load(&h->sum) / 1e6);
}

static void add_decisions(json_t *to, const struct counters *c)
{
    json_t *models = json_array();
    for (size_t i = 0; i < COUNTERS_MODELS && atomic_load(&c->models[i].version); i++)
        json_array_append_new(models, json_pack("{s:I, s:I, s:I}", "version",
                                                atomic_load(&c->models[i].version), "approve",
                                                atomic_load(&c->models[i].decisions[0]), "review",
                                                atomic_load(&c->models[i].decisions[1])));
    json_object_set_new(to, "models", models);
    json_object_set_new(to, "labels",
                        json_pack("[I, I, I, I]", atomic_load(&c->labels[0][0]),
                                  atomic_load(&c->labels[0][1]), atomic_load(&c->labels[1][0]),
                                  atomic_load(&c->labels[1][1])));
    ADD(to, "repeated", atomic_load(&c->repeated));
    json_object_set_new(to, "predict", histogram(&c->predict, counters_seconds));
    json_object_set_new(to, "score", histogram(&c->score, counters_scores));
    json_object_set_new(to, "commit", histogram(&c->commit, counters_seconds));
}

static void add_quality(json_t *to, struct recent *recent)
{
    int64_t q[2][2];
    recent_quality(recent, q);
    const double caught = (double)q[1][1], reviewed = caught + (double)q[1][0],
                 frauds = caught + (double)q[0][1];
    ADD(to, "labels_live", reviewed + (double)(q[0][0] + q[0][1]));
    ADD(to, "reviewed", reviewed);
    ADD(to, "frauds", frauds);
    ADD(to, "precision", caught / reviewed);
    ADD(to, "recall", caught / frauds);
}

static void add_model(json_t *to, struct service *s)
{
    const struct plan *p = s->plan;
    double *psi = xcalloc(p->n_inputs + 1, sizeof *psi);
    json_t *inputs = json_array();
    const struct champion *c = service_hold(s);
    ADD(to, "drift_predictions", recent_drift(&s->recent, &c->model, psi));
    json_object_set_new(to, "version", json_string(c->version));
    json_object_set_new(to, "sha256", json_string(c->model.sha256));
    ADD(to, "loaded", c->loaded);
    ADD(to, "threshold", c->model.threshold);
    service_let(s);
    for (size_t i = 0; i < p->n_inputs; i++) {
        json_t *input = json_pack("{s:s, s:b}", "name", p->inputs[i].name, "calendar",
                                  plan_follows_calendar(p, i));
        ADD(input, "outside", atomic_load(&s->counters.outside[i]));
        ADD(input, "psi", psi[i]);
        json_array_append_new(inputs, input);
    }
    json_object_set_new(to, "inputs", inputs);
    ADD(to, "score_psi", psi[p->n_inputs]);
    free(psi);
}

static void add_writer(json_t *to, const struct service *s)
{
    const struct writer *w = &s->writer;
    const long long newest = atomic_load(&w->newest), saved = atomic_load(&w->saved_time);
    const bool all_saved = atomic_load(&w->position) == atomic_load(&w->saved_order);
    ADD(to, "waiting", atomic_load(&w->waiting));
    ADD(to, "limit", s->files->queue);
    ADD(to, "database_bytes", store_bytes(&s->store));
    ADD(to, "saved", all_saved ? time(NULL) : saved);
    if (newest > INT64_MIN)
        json_object_set_new(to, "newest", json_pack("[I]", newest)); // a list, since 0 is a time
}

static void add_memory(json_t *to)
{
    FILE *f = fopen("/proc/self/statm", "r");
    double pages;                               // in memory, after those in all
    if (f && fscanf(f, "%*s %lf", &pages) == 1) // NOLINT(cert-err34-c): the kernel writes a number
        ADD(to, "resident", pages * (double)sysconf(_SC_PAGESIZE));
    if (f)
        fclose(f);
}

void get_metrics(struct request *q)
{
    struct service *s = q->service;
    const struct counters *c = &s->counters;
    json_t *all = json_object();
    add_http(all, c);
    add_decisions(all, c);
    add_quality(all, &s->recent);
    add_model(all, s);
    add_writer(all, s);
    add_memory(all);
    json_object_set_new(all, "ready", json_boolean(service_ready(s, NULL) == 0));
    ADD(all, "started", s->started);
    char *text = template_fill(metrics_prom, TEMPLATE_PROMETHEUS, all);
    reply_text(q->reply, text);
    free(text);
    json_decref(all);
}
