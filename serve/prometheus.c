// GET /metrics: the text that Prometheus reads, in the exposition format 0.0.4. Names of metrics
// end in their base unit. Labels have few values, and none that a client sent.
#include "base/memory.h"
#include "serve/http.h"

#include <time.h>
#include <unistd.h>

static void head(struct reply *r, const char *name, const char *type, const char *help)
{
    reply_add(r, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct reply *r, const char *name, const char *help, double x)
{
    head(r, name, "gauge", help);
    reply_add(r, "%s %.17g\n", name, x);
}

static void histogram(struct reply *r, const char *name, const char *help,
                      const struct counters_histogram *h, const double *bounds)
{
    unsigned long long n = 0;
    head(r, name, "histogram", help);
    for (size_t b = 0; b < COUNTERS_BOUNDS; b++) {
        n += atomic_load(&h->counts[b]);
        if (bounds[b] <= 1) // not the infinite one
            reply_add(r, "%s_bucket{le=\"%g\"} %llu\n", name, bounds[b], n);
    }
    n += atomic_load(&h->counts[COUNTERS_BOUNDS]);
    reply_add(r, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.17g\n%s_count %llu\n", name, n, name,
              (double)atomic_load(&h->sum) / 1e6, name, n);
}

static void write_http(struct reply *r, const struct counters *c)
{
    head(r, "assay_http_requests_total", "counter", "Requests answered, by route and status.");
    for (size_t i = 0; i < COUNTERS_ROUTES; i++)
        for (size_t s = 0; s < REPLY_STATUSES; s++)
            if (atomic_load(&c->http[i][s]) > 0)
                reply_add(r, "assay_http_requests_total{path=\"%s\",code=\"%d\"} %llu\n",
                          routes[i].path ? routes[i].path : "other", reply_statuses[s].code,
                          atomic_load(&c->http[i][s]));
    head(r, "assay_http_answers_cut_total", "counter",
         "Answers that were not taken in time; their connections were closed.");
    reply_add(r, "assay_http_answers_cut_total %llu\n", atomic_load(&c->cut));
    gauge(r, "assay_http_requests_in_flight", "Requests that are being answered.",
          atomic_load(&c->in_flight));
    gauge(r, "assay_http_connections", "Open connections.", atomic_load(&c->connections));
}

static void write_feature(struct reply *r, const char *name, const struct plan *p, size_t i,
                          const char *label, double x)
{
    reply_add(r, "%s{feature=", name);
    reply_string(r, p->inputs[i].name, strlen(p->inputs[i].name));
    reply_add(r, "%s} %.17g\n", label, x);
}

static void write_decisions(struct reply *r, const struct counters *c, const struct plan *p)
{
    static const char *const decisions[] = {"approve", "review"};
    static const char *const labels[] = {"genuine", "fraud"};
    head(r, "assay_predictions_total", "counter", "Transactions decided.");
    for (size_t i = 0; i < COUNTERS_MODELS && atomic_load(&c->models[i].version); i++)
        for (int d = 0; d < 2; d++)
            reply_add(r, "assay_predictions_total{version=\"%lld\",decision=\"%s\"} %llu\n",
                      (long long)atomic_load(&c->models[i].version), decisions[d],
                      atomic_load(&c->models[i].decisions[d]));
    head(r, "assay_predictions_repeated_total", "counter",
         "Transactions whose id was known, answered from the database.");
    reply_add(r, "assay_predictions_repeated_total %llu\n", atomic_load(&c->repeated));
    head(r, "assay_labels_total", "counter", "Labels received, by the decision on them.");
    for (int d = 0; d < 2; d++)
        for (int l = 0; l < 2; l++)
            reply_add(r, "assay_labels_total{decision=\"%s\",label=\"%s\"} %llu\n", decisions[d],
                      labels[l], atomic_load(&c->labels[d][l]));
    histogram(r, "assay_predict_duration_seconds",
              "Time of POST /predict from the request's head to the answer.", &c->predict,
              counters_seconds);
    histogram(r, "assay_score", "Probabilities answered.", &c->score, counters_scores);
    head(r, "assay_inputs_outside_training_total", "counter",
         "Decisions with an input outside the range that training saw.");
    for (size_t i = 0; i < p->n_inputs; i++)
        write_feature(r, "assay_inputs_outside_training_total", p, i, "",
                      (double)atomic_load(&c->outside[i]));
}

static void write_quality(struct reply *r, struct recent *recent)
{
    uint64_t q[2][2];
    recent_quality(recent, q);
    const double caught = (double)q[1][1], reviewed = (double)(q[1][0] + q[1][1]),
                 frauds = (double)(q[0][1] + q[1][1]);
    gauge(r, "assay_live_labels", "Newest labels, from which the next three are computed.",
          reviewed + (double)(q[0][0] + q[0][1]));
    gauge(r, "assay_live_frauds", "Frauds among them.", frauds);
    if (reviewed > 0)
        gauge(r, "assay_live_precision", "Share of frauds among the transactions reviewed.",
              caught / reviewed);
    if (frauds > 0)
        gauge(r, "assay_live_recall", "Share of the frauds that were reviewed.", caught / frauds);
}

static void write_drift(struct reply *r, struct recent *recent, const struct model *m)
{
    double *psi = xcalloc(m->n_inputs + 1, sizeof *psi);
    const size_t n = recent_drift(recent, m, psi);
    gauge(r, "assay_drift_window_predictions",
          "Newest predictions, from which the drift is computed.", (double)n);
    if (n > 0) {
        head(r, "assay_feature_drift_psi", "gauge",
             "Population stability index against the training rows; calendar: true where it always "
             "drifts in a part of a week.");
        for (size_t i = 0; i < m->n_inputs; i++)
            write_feature(r, "assay_feature_drift_psi", &m->plan, i,
                          plan_follows_calendar(&m->plan, i) ? ",calendar=\"true\"" : "", psi[i]);
        gauge(r, "assay_score_drift_psi", "The same for the probabilities answered.",
              psi[m->n_inputs]);
    }
    free(psi);
}

static void write_model(struct reply *r, struct service *s)
{
    const struct champion *c = service_hold(s);
    head(r, "assay_model_info", "gauge", "The model that decides.");
    reply_add(r, "assay_model_info{version=\"%s\",sha256=\"%s\"} 1\n", c->version, c->model.sha256);
    gauge(r, "assay_model_loaded_timestamp_seconds", "When it was loaded.", (double)c->loaded);
    gauge(r, "assay_model_threshold", "Transactions of this probability or more are reviewed.",
          c->model.threshold);
    write_drift(r, &s->recent, &c->model);
    service_let(s);
}

static void write_database(struct reply *r, struct service *s)
{
    const struct writer *w = &s->writer;
    const long long saved = atomic_load(&w->saved_time), newest = atomic_load(&w->newest);
    gauge(r, "assay_queue_requests", "Requests that wait for the writer.",
          (double)atomic_load(&w->waiting));
    gauge(r, "assay_queue_limit", "Most requests that may wait.", (double)w->limit);
    head(r, "assay_requests_refused_total", "counter", "Requests refused by a full queue.");
    reply_add(r, "assay_requests_refused_total{reason=\"queue\"} %llu\n",
              atomic_load(&s->counters.refused));
    histogram(r, "assay_commit_duration_seconds",
              "Time to compute, write and commit a group of requests.", &s->counters.commit,
              counters_seconds);
    gauge(r, "assay_database_bytes", "Size of the database with its log.",
          (double)store_bytes(&s->store));
    const bool all_saved = atomic_load(&w->position) == atomic_load(&w->saved_order);
    gauge(r, "assay_checkpoint_timestamp_seconds",
          "When the checkpoint was last equal to the state.",
          all_saved ? (double)time(NULL) : (double)saved);
    if (newest > INT64_MIN)
        gauge(r, "assay_state_newest_event_timestamp_seconds", "Time of the newest transaction.",
              (double)newest);
    gauge(r, "assay_ready", "1 while transactions are decided.", service_ready(s, NULL) == 0);
}

static void write_process(struct reply *r, const struct service *s)
{
    char line[128]; // pages in all, pages in memory, ...
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fgets(line, sizeof line, f))
        gauge(r, "process_resident_memory_bytes", "Memory in use.",
              strtod(line + strcspn(line, " "), NULL) * (double)sysconf(_SC_PAGESIZE));
    if (f)
        fclose(f);
    gauge(r, "process_start_time_seconds", "When the process started.", (double)s->started);
}

void get_metrics(struct request *q)
{
    struct reply *r = q->reply;
    write_http(r, &q->service->counters);
    write_decisions(r, &q->service->counters, q->service->plan);
    write_quality(r, &q->service->recent);
    write_model(r, q->service);
    write_database(r, q->service);
    write_process(r, q->service);
}
