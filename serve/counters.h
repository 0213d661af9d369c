// counters: what the server counts, and the text that Prometheus reads.
//
//     counters_http(&c, route, status)          any thread
//     counters_predict(&c, seconds)             any thread
//     counters_decision(&c, &decision)          the writer's thread, and the next two
//     counters_label(&c, review, fraud)
//     counters_commit(&c, seconds)
//     counters_write(&c, &gauges, &reply)       any thread; exposition format 0.0.4
//
// Counters start at 0 with the process, as Prometheus expects: zero the struct.
#ifndef SERVE_COUNTERS_H
#define SERVE_COUNTERS_H

#include "serve/decision.h"

#include <stdatomic.h>

enum { COUNTERS_ROUTES = 32, COUNTERS_MODELS = 64, COUNTERS_BOUNDS = 13 };

struct counters_histogram {
    atomic_ullong counts[COUNTERS_BOUNDS + 1]; // one per bound, then those above; not cumulated
    atomic_ullong sum;                         // in millionths of the unit
};

struct counters {
    // By route and index of reply_status; the last route is for paths that no route takes.
    atomic_ullong http[COUNTERS_ROUTES][REPLY_STATUSES];
    atomic_int connections, in_flight;
    struct counters_histogram predict, score, commit;
    struct { // each model that has decided since the start; the last one shared by all later ones
        atomic_llong version;       // 0: unused
        atomic_ullong decisions[2]; // [review]
    } models[COUNTERS_MODELS];
    atomic_ullong repeated, refused;
    atomic_ullong labels[2][2]; // [review][fraud]
};

void counters_http(struct counters *c, size_t route, int status);
void counters_predict(struct counters *c, double seconds);
void counters_decision(struct counters *c, const struct decision *d);
void counters_label(struct counters *c, bool review, bool fraud);
void counters_commit(struct counters *c, double seconds);

// State of other modules at the time of the scrape; times in seconds since 1970.
struct gauges {
    const char *const *paths; // [COUNTERS_ROUTES]: of the routes; NULL where there is none
    const char *version, *sha256;
    double loaded, threshold; // of the model
    double waiting, limit;    // requests in the queue
    double database_bytes;
    double checkpoint; // when the checkpoint was last equal to the state
    double newest;     // time of the newest transaction; NAN: there is none
    double started;
    bool ready;
};
void counters_write(const struct counters *c, const struct gauges *g, struct reply *r);

// One metric with its head; type: "gauge" or "counter".
void counters_write_one(struct reply *r, const char *name, const char *type, const char *help,
                        double x);
void counters_write_head(struct reply *r, const char *name, const char *type, const char *help);

#endif
