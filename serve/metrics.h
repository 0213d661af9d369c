// metrics: what the server counts, and the text that Prometheus reads.
//
//     metrics_http(&m, route, status)          any thread
//     metrics_predict(&m, seconds)             any thread
//     metrics_decision(&m, &decision)          the writer's, and so are the next two
//     metrics_label(&m, review, label)
//     metrics_commit(&m, seconds)
//     metrics_write(&service, &reply)          the exposition format 0.0.4
//
// Counters begin at 0 when the process does, as Prometheus expects. Zeroed, nothing was counted.
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include "serve/decision.h"

#include <stdatomic.h>

enum { METRICS_ROUTES = 32, METRICS_STATUSES = 600, METRICS_BUCKETS = 16, METRICS_MODELS = 64 };

struct metrics_histogram {
    atomic_ullong counts[METRICS_BUCKETS]; // not cumulated; the last has no bound
    atomic_ullong sum;                     // in millionths of the unit
};

struct metrics {
    // Route METRICS_ROUTES - 1 is for requests that no route takes.
    atomic_ullong http[METRICS_ROUTES][METRICS_STATUSES];
    const char *paths[METRICS_ROUTES]; // set before requests come
    atomic_int connections, in_flight;
    struct metrics_histogram predict, score, commit;
    struct { // of each model that has decided since the start; the last is for all beyond
        atomic_llong version;       // 0: unused
        atomic_ullong decisions[2]; // [review]
    } models[METRICS_MODELS];
    atomic_ullong repeated, refused_queue, refused_rate;
    atomic_ullong labels[2][2]; // [review][fraud]
};

void metrics_http(struct metrics *m, int route, int status);
void metrics_predict(struct metrics *m, double seconds);
void metrics_decision(struct metrics *m, const struct decision *d);
void metrics_label(struct metrics *m, bool review, bool fraud);
void metrics_commit(struct metrics *m, double seconds);

struct service;
void metrics_write(struct service *s, struct reply *r);

#endif
