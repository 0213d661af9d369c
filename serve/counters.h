// counters: what the server counts, and the newest decisions and labels.
//
// Counters start at 0 with the process, as Prometheus expects: zero the struct. Drift is the PSI
// (monitor/drift.h) of the newest RECENT_DECISIONS against the reference histograms of the model that
// serves now. Quality is of the newest RECENT_LABELS labels. A recent borrows the plan.
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

struct recent_label {
    int64_t order; // of the transaction
    bool review, fraud;
};

struct recent {
    pthread_mutex_t lock;
    const struct plan *plan;
    struct store_row *rows;      // [RECENT_DECISIONS], a ring; without texts and label values
    uint64_t n_decisions;        // so far; the newest is at (n - 1) % RECENT_DECISIONS
    struct recent_label *labels; // [RECENT_LABELS], a ring
    uint64_t n_labels;           // so far
};

void recent_init(struct recent *r, const struct plan *p);
void recent_release(struct recent *r);                          // zeroed, too
void recent_add(struct recent *r, const struct store_row *row); // the writer's thread
// changed: the transaction had another label before.
void recent_label(struct recent *r, int64_t order, bool review, bool changed, int label);
// psi[plan->n_inputs + 1]: of each input, then of the score; NAN without decisions. Returns the
// number of decisions. The model must not be replaced meanwhile (service_hold).
size_t recent_drift(struct recent *r, const struct model *m, double *psi);
void recent_quality(struct recent *r, uint64_t quality[2][2]); // counts: [review][fraud]
// {"decisions":[...]}, the newest first, at most RECENT_SHOWN, with labels of the newest ones.
// reviews: only decisions for review.
void recent_write_decisions(struct recent *r, bool reviews, struct reply *reply);

#endif
