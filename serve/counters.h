// counters: what the server counts, and what the database says of the newest decisions and labels.
//
// Counters start at 0 with the process, as Prometheus expects: zero the struct. Drift is the PSI
// (monitor/drift.h) of the newest RECENT_DECISIONS against the reference histograms of the model that
// serves now. Quality is of the newest RECENT_LABELS labels. Where the database cannot be read, there
// are none: the writer reports that. A recent borrows what its store borrows.
#ifndef SERVE_COUNTERS_H
#define SERVE_COUNTERS_H

#include "serve/store.h"
#include "train/model.h"

enum { COUNTERS_ROUTES = 40, COUNTERS_MODELS = 64, COUNTERS_BOUNDS = 13 };

extern const double counters_seconds[COUNTERS_BOUNDS], counters_scores[COUNTERS_BOUNDS];

struct counters_histogram {
    atomic_ullong counts[COUNTERS_BOUNDS + 1]; // one per bound, then those above; not cumulated
    atomic_ullong sum;                         // in millionths of the unit
};

struct counters {
    // By route and index of reply_status; the last route is for paths that no route takes.
    atomic_ullong http[COUNTERS_ROUTES][REPLY_STATUSES];
    atomic_int connections, in_flight;
    atomic_ullong cut; // answers that their clients did not take in time
    struct counters_histogram predict, score, commit;
    struct { // each model that has decided since the start; the last one shared by all later ones
        atomic_llong version;       // 0: unused
        atomic_ullong decisions[2]; // [review]
    } models[COUNTERS_MODELS];
    atomic_ullong repeated, refused;
    atomic_ullong labels[2][2]; // [review][fraud]
    atomic_ullong *outside;     // [n_inputs]: decisions with this input outside training's range
};

void counters_observe(struct counters_histogram *h, const double *bounds, double x);
void counters_decision(struct counters *c, const struct store_row *row, size_t n_inputs);

enum { RECENT_DECISIONS = 10000, RECENT_LABELS = 10000, RECENT_SHOWN = 50 };

struct recent {
    pthread_mutex_t lock; // around the store
    struct store store;   // a reader of its own, so that the writer does not have to wait
};

int recent_open(struct recent *r, const struct store *writer, struct err *err);
void recent_release(struct recent *r); // zeroed, too
// psi[plan->n_inputs + 1]: of each input, then of the score; NAN without decisions. Returns the
// number of decisions. The model must not be replaced meanwhile (service_hold).
size_t recent_drift(struct recent *r, const struct model *m, double *psi);
void recent_quality(struct recent *r, int64_t quality[2][2]); // counts: [review][fraud]
// {"decisions":[...]}, the newest first, at most RECENT_SHOWN, with the labels that they have.
// reviews: only decisions for review, of the newest RECENT_DECISIONS.
void recent_write_decisions(struct recent *r, bool reviews, struct reply *reply);

#endif
