#include "base/value.h"
#include "serve/store.h"

#include <inttypes.h>
#include <math.h>

void decision_make(struct decision *d, const struct model *m, const float *x,
                   unsigned char *outside)
{
    *d = (struct decision){.version = m->version,
                           .threshold = m->threshold,
                           .probability = model_probability(model_margin(m, x))};
    memcpy(d->sha256, m->sha256, sizeof d->sha256);
    d->review = model_reviews(m, x, d->probability);
    model_outside(m, x, outside);
    for (size_t i = 0; i < m->n_inputs;) { // equal ones stay in the order of inputs
        struct reason reason;
        i = model_reason(m, i, x, &reason);
        int at = d->n_reasons;
        while (at > 0 && fabs(reason.contribution) > fabs(d->reasons[at - 1].contribution))
            at--;
        if (at == N_REASONS)
            continue;
        if (d->n_reasons < N_REASONS)
            d->n_reasons++;
        memmove(&d->reasons[at + 1], &d->reasons[at],
                (size_t)(d->n_reasons - 1 - at) * sizeof *d->reasons);
        d->reasons[at] = reason;
    }
}

void decision_write_reasons(const struct decision *d, const struct plan *p, struct reply *r)
{
    reply_text(r, "\"reasons\":[");
    for (int k = 0; k < d->n_reasons; k++) {
        const char *name = p->inputs[d->reasons[k].input].name;
        reply_text(r, k > 0 ? ",{\"feature\":" : "{\"feature\":");
        reply_string(r, name, strlen(name));
        reply_add(r, ",\"value\":%.9g,\"contribution\":%.17g}", (double)d->reasons[k].value,
                  d->reasons[k].contribution);
    }
    reply_text(r, "]");
}

void decision_write_id(const json_t *id, struct reply *r)
{
    reply_text(r, "\"id\":");
    if (json_is_string(id))
        reply_string(r, json_string_value(id), json_string_length(id));
    else
        reply_add(r, "%" PRId64, (int64_t)json_integer_value(id));
    reply_text(r, ",");
}

void decision_write_time(int64_t time, const struct plan *p, struct reply *r)
{
    char text[TIME_TEXT];
    if (schema_counts_rows(&p->schema))
        reply_add(r, "%" PRId64, time);
    else
        reply_add(r, "\"%s\"", time_text(text, time));
}

void decision_write_members(const struct decision *d, const unsigned char *outside,
                            const struct plan *p, struct reply *r)
{
    bool any = false;
    reply_add(r,
              "\"probability\":%.17g,\"decision\":\"%s\",\"threshold\":%.17g,\"model\":\"%" PRId64
              "\",\"sha256\":\"%s\",",
              d->probability, d->review ? "review" : "approve", d->threshold, d->version,
              d->sha256);
    decision_write_reasons(d, p, r);
    for (size_t i = 0; i < p->n_inputs; i++) {
        if (!outside[i])
            continue;
        reply_text(r, any ? "," : ",\"outside_training\":[");
        reply_string(r, p->inputs[i].name, strlen(p->inputs[i].name));
        any = true;
    }
    reply_text(r, any ? "]" : "");
}
