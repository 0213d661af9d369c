// Counters, and their text. Names end in their base unit; labels have few values, none of a client's.
#include "serve/metrics.h"

#include "serve/service.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double seconds_bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                        0.025,  0.05,    0.1,    0.25,  0.5,    1};
static const double score_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                      0.1,   0.25,   0.5,   0.75, 0.9,   1};
enum {
    N_SECONDS = sizeof seconds_bounds / sizeof *seconds_bounds,
    N_SCORES = sizeof score_bounds / sizeof *score_bounds,
};
_Static_assert((int)N_SECONDS < METRICS_BUCKETS && (int)N_SCORES < METRICS_BUCKETS,
               "a bucket for each bound and one above");

// ---- counting --------------------------------------------------------------------------------------

static void count(atomic_ullong *counter, unsigned long long n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static unsigned long long read_counter(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void observe(struct metrics_histogram *h, const double *bounds, int n, double x)
{
    int b = 0;
    while (b < n && x > bounds[b])
        b++;
    count(&h->counts[b], 1);
    count(&h->sum, (unsigned long long)(x * 1e6));
}

void metrics_http(struct metrics *m, int route, int status)
{
    if (route < 0 || route >= METRICS_ROUTES)
        route = METRICS_ROUTES - 1;
    if (status >= 0 && status < METRICS_STATUSES)
        count(&m->http[route][status], 1);
}

void metrics_predict(struct metrics *m, double seconds)
{
    observe(&m->predict, seconds_bounds, N_SECONDS, seconds);
}

void metrics_commit(struct metrics *m, double seconds)
{
    observe(&m->commit, seconds_bounds, N_SECONDS, seconds);
}

void metrics_decision(struct metrics *m, const struct decision *d)
{
    if (d->repeated) {
        count(&m->repeated, 1);
        return;
    }
    size_t i = 0;
    while (i + 1 < METRICS_MODELS && atomic_load(&m->models[i].version) != 0 &&
           atomic_load(&m->models[i].version) != d->served->version)
        i++;
    atomic_store(&m->models[i].version, d->served->version);
    count(&m->models[i].decisions[d->review], 1);
    observe(&m->score, score_bounds, N_SCORES, d->probability);
}

void metrics_label(struct metrics *m, bool review, bool fraud)
{
    count(&m->labels[review][fraud], 1);
}

// ---- text ------------------------------------------------------------------------------------------

static void head(struct reply *r, const char *name, const char *type, const char *help)
{
    reply_add(r, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_one(struct reply *r, const char *name, const char *type, const char *help,
                      double x)
{
    head(r, name, type, help);
    reply_add(r, "%s %.17g\n", name, x);
}

static void write_histogram(struct reply *r, const char *name, const char *help,
                            const struct metrics_histogram *h, const double *bounds, int n)
{
    unsigned long long sum = 0;
    head(r, name, "histogram", help);
    for (int b = 0; b < n; b++) {
        sum += read_counter(&h->counts[b]);
        reply_add(r, "%s_bucket{le=\"%g\"} %llu\n", name, bounds[b], sum);
    }
    sum += read_counter(&h->counts[n]);
    reply_add(r, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.17g\n%s_count %llu\n", name, sum, name,
              (double)read_counter(&h->sum) / 1e6, name, sum);
}

static void write_http(struct reply *r, const struct metrics *m)
{
    head(r, "assay_http_requests_total", "counter", "Requests answered, by route and status.");
    for (int route = 0; route < METRICS_ROUTES; route++)
        for (int status = 0; status < METRICS_STATUSES; status++) {
            const unsigned long long n = read_counter(&m->http[route][status]);
            if (n > 0)
                reply_add(r, "assay_http_requests_total{path=\"%s\",code=\"%d\"} %llu\n",
                          m->paths[route] ? m->paths[route] : "other", status, n);
        }
    write_one(r, "assay_http_requests_in_flight", "gauge", "Requests that are being answered.",
              atomic_load(&m->in_flight));
    write_one(r, "assay_http_connections", "gauge", "Connections that are open.",
              atomic_load(&m->connections));
}

static void write_decisions(struct reply *r, const struct metrics *m)
{
    static const char *const decisions[] = {"approve", "review"}, *const labels[] = {"genuine",
                                                                                     "fraud"};
    head(r, "assay_predictions_total", "counter", "Transactions decided.");
    for (size_t i = 0; i < METRICS_MODELS && atomic_load(&m->models[i].version); i++)
        for (int d = 0; d < 2; d++)
            reply_add(r, "assay_predictions_total{version=\"%lld\",decision=\"%s\"} %llu\n",
                      (long long)atomic_load(&m->models[i].version), decisions[d],
                      read_counter(&m->models[i].decisions[d]));
    write_one(r, "assay_predictions_repeated_total", "counter",
              "Transactions whose id was known and that were answered from the database.",
              (double)read_counter(&m->repeated));
    head(r, "assay_labels_total", "counter", "Labels that came, by what had been decided.");
    for (int d = 0; d < 2; d++)
        for (int l = 0; l < 2; l++)
            reply_add(r, "assay_labels_total{decision=\"%s\",label=\"%s\"} %llu\n", decisions[d],
                      labels[l], read_counter(&m->labels[d][l]));
    write_histogram(r, "assay_predict_duration_seconds",
                    "Time of POST /predict from its head to its answer.", &m->predict,
                    seconds_bounds, N_SECONDS);
    write_histogram(r, "assay_score", "Probabilities that were answered.", &m->score, score_bounds,
                    N_SCORES);
}

static void write_quality(struct reply *r, struct service *s)
{
    uint64_t q[2][2];
    recent_quality(&s->recent, q);
    const double n = (double)(q[0][0] + q[0][1] + q[1][0] + q[1][1]);
    write_one(r, "assay_live_labels", "gauge", "Labels that the next two are of: the newest.", n);
    if (q[1][0] + q[1][1] > 0)
        write_one(r, "assay_live_precision", "gauge", "Share of frauds among what was reviewed.",
                  (double)q[1][1] / (double)(q[1][0] + q[1][1]));
    if (q[0][1] + q[1][1] > 0)
        write_one(r, "assay_live_recall", "gauge", "Share of the frauds that was reviewed.",
                  (double)q[1][1] / (double)(q[0][1] + q[1][1]));
}

// Between service_hold and service_let.
static void write_drift(struct reply *r, struct service *s)
{
    const size_t n = s->plan->n_inputs;
    double *psi = calloc(n + 1, sizeof *psi);
    if (!psi) {
        r->failed = true;
        return;
    }
    const uint64_t decisions = recent_drift(&s->recent, &s->champion->model, psi);
    write_one(r, "assay_drift_window_predictions", "gauge",
              "Predictions that the drift is measured of: the newest.", (double)decisions);
    if (decisions > 0) {
        head(r, "assay_feature_drift_psi", "gauge",
             "Population stability index against the training rows.");
        for (size_t i = 0; i < n; i++) {
            reply_add(r, "assay_feature_drift_psi{feature=");
            reply_string(r, s->champion->model.inputs[i].name,
                         strlen(s->champion->model.inputs[i].name));
            reply_add(r, "} %.17g\n", psi[i]);
        }
        write_one(r, "assay_score_drift_psi", "gauge",
                  "The same of the probabilities that were answered.", psi[n]);
    }
    free(psi);
}

static void write_model(struct reply *r, struct service *s)
{
    service_hold(s);
    head(r, "assay_model_info", "gauge", "The model that decides.");
    reply_add(r, "assay_model_info{version=\"%s\",sha256=\"%s\"} 1\n", s->champion->version,
              s->champion->model.sha256);
    write_one(r, "assay_model_loaded_timestamp_seconds", "gauge", "When it was loaded.",
              (double)s->champion->loaded);
    write_one(r, "assay_model_threshold", "gauge", "Probability from which on it is review.",
              s->champion->model.threshold);
    write_drift(r, s);
    service_let(s);
}

static void write_database(struct reply *r, struct service *s)
{
    const struct metrics *m = &s->metrics;
    const struct writer *w = &s->writer;
    const long long saved = atomic_load(&w->saved_time), newest = atomic_load(&w->newest);
    write_one(r, "assay_queue_requests", "gauge", "Requests that wait to be written.",
              (double)atomic_load(&w->waiting));
    write_one(r, "assay_queue_limit", "gauge", "How many may wait.", (double)w->limit);
    head(r, "assay_requests_refused_total", "counter",
         "Requests that were sent away, nothing of them counted.");
    reply_add(r, "assay_requests_refused_total{reason=\"queue\"} %llu\n",
              read_counter(&m->refused_queue));
    reply_add(r, "assay_requests_refused_total{reason=\"rate\"} %llu\n",
              read_counter(&m->refused_rate));
    write_one(r, "assay_commits_total", "counter", "Commits to the database.",
              (double)atomic_load(&w->commits));
    write_histogram(r, "assay_commit_duration_seconds",
                    "Time to count, write and commit what waited.", &m->commit, seconds_bounds,
                    N_SECONDS);
    write_one(r, "assay_database_bytes", "gauge", "Size of the database with its log.",
              (double)store_bytes(&s->store));
    const bool all_saved = atomic_load(&w->position) == atomic_load(&w->saved_order);
    write_one(r, "assay_checkpoint_timestamp_seconds", "gauge",
              "When the state was last as it is in the checkpoint: now, where nothing came since.",
              all_saved ? (double)time(NULL) : (double)saved);
    if (newest > INT64_MIN)
        write_one(r, "assay_state_newest_event_timestamp_seconds", "gauge",
                  "Time of the newest transaction.", (double)newest);
    write_one(r, "assay_ready", "gauge", "1 while transactions are decided.",
              service_ready(s, NULL) == 0);
}

static void write_process(struct reply *r, const struct service *s)
{
    char line[128]; // pages in all, pages in memory, ...
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fgets(line, sizeof line, f)) {
        const long long pages = strtoll(line + strcspn(line, " "), NULL, 10);
        write_one(r, "process_resident_memory_bytes", "gauge", "Memory in use.",
                  (double)pages * (double)sysconf(_SC_PAGESIZE));
    }
    if (f)
        fclose(f);
    write_one(r, "process_start_time_seconds", "gauge", "When the process started.",
              (double)s->started);
}

void metrics_write(struct service *s, struct reply *r)
{
    r->type = "text/plain; version=0.0.4; charset=utf-8";
    write_http(r, &s->metrics);
    write_decisions(r, &s->metrics);
    write_quality(r, s);
    write_model(r, s);
    write_database(r, s);
    write_process(r, s);
}
