// Names of metrics end in their base unit. Labels have few values, and none that a client sent.
#include "serve/counters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const double seconds_bounds[COUNTERS_BOUNDS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1};
static const double score_bounds[COUNTERS_BOUNDS] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1, INFINITY};

// ---- counting -----------------------------------------------------------------------------------

static void count(atomic_ullong *counter, unsigned long long n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static unsigned long long get(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void observe(struct counters_histogram *h, const double *bounds, double x)
{
    size_t b = 0;
    while (b < COUNTERS_BOUNDS && x > bounds[b])
        b++;
    count(&h->counts[b], 1);
    count(&h->sum, (unsigned long long)(x * 1e6));
}

void counters_http(struct counters *c, size_t route, int status)
{
    count(&c->http[route][reply_status(status)], 1);
}

void counters_predict(struct counters *c, double seconds)
{
    observe(&c->predict, seconds_bounds, seconds);
}

void counters_commit(struct counters *c, double seconds)
{
    observe(&c->commit, seconds_bounds, seconds);
}

void counters_decision(struct counters *c, const struct decision *d)
{
    if (d->repeated) {
        count(&c->repeated, 1);
        return;
    }
    size_t i = 0;
    while (i + 1 < COUNTERS_MODELS && atomic_load(&c->models[i].version) != 0 &&
           atomic_load(&c->models[i].version) != d->served->version)
        i++;
    atomic_store(&c->models[i].version, d->served->version);
    count(&c->models[i].decisions[d->review], 1);
    observe(&c->score, score_bounds, d->probability);
}

void counters_label(struct counters *c, bool review, bool fraud)
{
    count(&c->labels[review][fraud], 1);
}

// ---- text ---------------------------------------------------------------------------------------

void counters_write_head(struct reply *r, const char *name, const char *type, const char *help)
{
    reply_add(r, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void counters_write_one(struct reply *r, const char *name, const char *type, const char *help,
                        double x)
{
    counters_write_head(r, name, type, help);
    reply_add(r, "%s %.17g\n", name, x);
}

static void write_histogram(struct reply *r, const char *name, const char *help,
                            const struct counters_histogram *h, const double *bounds)
{
    unsigned long long sum = 0;
    counters_write_head(r, name, "histogram", help);
    for (size_t b = 0; b < COUNTERS_BOUNDS && bounds[b] < INFINITY; b++) {
        sum += get(&h->counts[b]);
        reply_add(r, "%s_bucket{le=\"%g\"} %llu\n", name, bounds[b], sum);
    }
    sum += get(&h->counts[COUNTERS_BOUNDS]);
    reply_add(r, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.17g\n%s_count %llu\n", name, sum, name,
              (double)get(&h->sum) / 1e6, name, sum);
}

static void write_http(struct reply *r, const struct counters *c, const char *const *paths)
{
    counters_write_head(r, "assay_http_requests_total", "counter",
                        "Requests answered, by route and status.");
    for (size_t route = 0; route < COUNTERS_ROUTES; route++)
        for (size_t s = 0; s < REPLY_STATUSES; s++)
            if (get(&c->http[route][s]) > 0)
                reply_add(r, "assay_http_requests_total{path=\"%s\",code=\"%d\"} %llu\n",
                          paths[route] ? paths[route] : "other", reply_statuses[s].code,
                          get(&c->http[route][s]));
    counters_write_one(r, "assay_http_requests_in_flight", "gauge",
                       "Requests that are being answered.", atomic_load(&c->in_flight));
    counters_write_one(r, "assay_http_connections", "gauge", "Open connections.",
                       atomic_load(&c->connections));
}

static void write_decisions(struct reply *r, const struct counters *c)
{
    static const char *const decisions[] = {"approve", "review"};
    static const char *const labels[] = {"genuine", "fraud"};
    counters_write_head(r, "assay_predictions_total", "counter", "Transactions decided.");
    for (size_t i = 0; i < COUNTERS_MODELS && atomic_load(&c->models[i].version); i++)
        for (int d = 0; d < 2; d++)
            reply_add(r, "assay_predictions_total{version=\"%lld\",decision=\"%s\"} %llu\n",
                      (long long)atomic_load(&c->models[i].version), decisions[d],
                      get(&c->models[i].decisions[d]));
    counters_write_one(r, "assay_predictions_repeated_total", "counter",
                       "Transactions whose id was known, answered from the database.",
                       (double)get(&c->repeated));
    counters_write_head(r, "assay_labels_total", "counter",
                        "Labels received, by the decision on their transaction.");
    for (int d = 0; d < 2; d++)
        for (int l = 0; l < 2; l++)
            reply_add(r, "assay_labels_total{decision=\"%s\",label=\"%s\"} %llu\n", decisions[d],
                      labels[l], get(&c->labels[d][l]));
    write_histogram(r, "assay_predict_duration_seconds",
                    "Time of POST /predict from the request's head to the answer.", &c->predict,
                    seconds_bounds);
    write_histogram(r, "assay_score", "Probabilities answered.", &c->score, score_bounds);
}

static void write_model(struct reply *r, const struct gauges *g)
{
    counters_write_head(r, "assay_model_info", "gauge", "The model that decides.");
    reply_add(r, "assay_model_info{version=\"%s\",sha256=\"%s\"} 1\n", g->version, g->sha256);
    counters_write_one(r, "assay_model_loaded_timestamp_seconds", "gauge", "When it was loaded.",
                       g->loaded);
    counters_write_one(r, "assay_model_threshold", "gauge",
                       "Transactions of this probability or more are reviewed.", g->threshold);
}

static void write_database(struct reply *r, const struct counters *c, const struct gauges *g)
{
    unsigned long long commits = 0;
    for (size_t b = 0; b <= COUNTERS_BOUNDS; b++)
        commits += get(&c->commit.counts[b]);
    counters_write_one(r, "assay_queue_requests", "gauge", "Requests that wait for the writer.",
                       g->waiting);
    counters_write_one(r, "assay_queue_limit", "gauge", "Most requests that may wait.", g->limit);
    counters_write_head(r, "assay_requests_refused_total", "counter",
                        "Requests refused because the queue was full.");
    reply_add(r, "assay_requests_refused_total{reason=\"queue\"} %llu\n", get(&c->refused));
    counters_write_one(r, "assay_commits_total", "counter", "Commits to the database.",
                       (double)commits);
    write_histogram(r, "assay_commit_duration_seconds",
                    "Time to compute, write and commit one group of requests.", &c->commit,
                    seconds_bounds);
    counters_write_one(r, "assay_database_bytes", "gauge", "Size of the database with its log.",
                       g->database_bytes);
    counters_write_one(r, "assay_checkpoint_timestamp_seconds", "gauge",
                       "When the checkpoint was last equal to the state.", g->checkpoint);
    if (!isnan(g->newest))
        counters_write_one(r, "assay_state_newest_event_timestamp_seconds", "gauge",
                           "Time of the newest transaction.", g->newest);
    counters_write_one(r, "assay_ready", "gauge", "1 while transactions are decided.", g->ready);
}

static void write_process(struct reply *r, double started)
{
    char line[128]; // pages in all, pages in memory, ...
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fgets(line, sizeof line, f)) {
        const long long pages = strtoll(line + strcspn(line, " "), NULL, 10);
        counters_write_one(r, "process_resident_memory_bytes", "gauge", "Memory in use.",
                           (double)pages * (double)sysconf(_SC_PAGESIZE));
    }
    if (f)
        fclose(f);
    counters_write_one(r, "process_start_time_seconds", "gauge", "When the process started.",
                       started);
}

void counters_write(const struct counters *c, const struct gauges *g, struct reply *r)
{
    r->type = "text/plain; version=0.0.4; charset=utf-8";
    write_http(r, c, g->paths);
    write_decisions(r, c);
    write_model(r, g);
    write_database(r, c, g);
    write_process(r, g->started);
}
