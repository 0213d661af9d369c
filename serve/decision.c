#include "serve/decision.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void served_describe(struct served *s)
{
    snprintf(s->text, sizeof s->text,
             ",\"threshold\":%.17g,\"model\":\"%" PRId64 "\",\"sha256\":\"%s\",", s->threshold,
             s->version, s->sha256);
}

void decision_make(struct decision *d, const struct model *m, const struct served *served,
                   const float *x, double *contributions)
{
    *d = (struct decision){.served = served, .probability = model_probability(model_margin(m, x))};
    d->review = d->probability >= m->threshold;
    model_contributions(m, x, contributions);
    for (size_t i = 0; i < m->n_inputs; i++) { // equal ones stay in the order of inputs
        int at = d->n_reasons;
        while (at > 0 && fabs(contributions[i]) > fabs(d->reasons[at - 1].contribution))
            at--;
        if (at == N_REASONS)
            continue;
        if (d->n_reasons < N_REASONS)
            d->n_reasons++;
        memmove(&d->reasons[at + 1], &d->reasons[at],
                (size_t)(d->n_reasons - 1 - at) * sizeof *d->reasons);
        // -0 becomes 0, because the database returns it as 0.
        d->reasons[at] = (struct reason){(int)i, x[i] + 0.0F, contributions[i] + 0.0};
    }
}

void decision_write_reasons(const struct decision *d, const struct plan *p, struct reply *r)
{
    reply_text(r, "\"reasons\":[");
    for (int k = 0; k < d->n_reasons; k++) {
        const char *name = p->inputs[d->reasons[k].input].name;
        if (k > 0)
            reply_text(r, ",");
        reply_text(r, "{\"feature\":");
        reply_string(r, name, strlen(name));
        reply_text(r, ",\"value\":");
        reply_number(r, (double)d->reasons[k].value, 9);
        reply_text(r, ",\"contribution\":");
        reply_number(r, d->reasons[k].contribution, 17);
        reply_text(r, "}");
    }
    reply_text(r, "]");
}

void decision_write_id(const json_t *id, struct reply *r)
{
    reply_text(r, "\"id\":");
    if (json_is_string(id))
        reply_string(r, json_string_value(id), json_string_length(id));
    else
        reply_add(r, "%lld", (long long)json_integer_value(id));
    reply_text(r, ",");
}

void decision_write(const struct decision *d, const struct plan *p, const json_t *id,
                    struct reply *r)
{
    reply_text(r, "{");
    if (id)
        decision_write_id(id, r);
    reply_text(r, "\"probability\":");
    reply_number(r, d->probability, 17);
    reply_text(r, ",\"decision\":");
    reply_text(r, d->review ? "\"review\"" : "\"approve\"");
    reply_text(r, d->served->text);
    decision_write_reasons(d, p, r);
    reply_text(r, "}");
}
