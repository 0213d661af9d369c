// decision: what the model says about one transaction, and the text that a client reads. It depends
// only on the decision, which inputs were outside, the names of the plan's inputs and the request's
// id, so a stored decision is written again to the same bytes.
#ifndef SERVE_DECISION_H
#define SERVE_DECISION_H

#include "serve/reply.h"
#include "train/model.h"

enum { N_REASONS = 4 };

struct reason {
    int input; // index into the plan's inputs
    float value;
    double contribution;
};

struct decision {
    int64_t version; // of the model, in the registry
    char sha256[65]; // of the model
    double threshold, probability;
    bool review;
    bool repeated; // its id was known: this is the stored answer
    int n_reasons;
    struct reason reasons[N_REASONS]; // the largest |contribution| first
};

// x[n_inputs]: the inputs of the event; outside[n_inputs]: takes 1 for each that lies outside the
// range of training; contributions[n_inputs]: scratch space.
void decision_make(struct decision *d, const struct model *m, int64_t version, const float *x,
                   unsigned char *outside, double *contributions);

// The member "id", as it was sent, and a comma.
void decision_write_id(const json_t *id, struct reply *r);
// "probability","decision","threshold","model","sha256","reasons":[{"feature","value",
// "contribution"}, ...],"outside_training"?:["feature", ...]; and "reasons" alone.
void decision_write_members(const struct decision *d, const unsigned char *outside,
                            const struct plan *p, struct reply *r);
void decision_write_reasons(const struct decision *d, const struct plan *p, struct reply *r);

#endif
