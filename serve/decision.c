// From inputs to a decision, and from a decision to JSON.
#include "serve/decision.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// The inputs with the largest |contribution|, the largest first, equal ones in the order of inputs.
static int pick_reasons(const double *contributions, size_t n, size_t reasons[N_REASONS])
{
    int picked = 0;
    for (size_t i = 0; i < n; i++) {
        int at = picked;
        while (at > 0 && fabs(contributions[i]) > fabs(contributions[reasons[at - 1]]))
            at--;
        if (at == N_REASONS)
            continue;
        if (picked < N_REASONS)
            picked++;
        memmove(&reasons[at + 1], &reasons[at], (size_t)(picked - 1 - at) * sizeof *reasons);
        reasons[at] = i;
    }
    return picked;
}

void served_describe(struct served *s)
{
    snprintf(s->text, sizeof s->text,
             ",\"threshold\":%.17g,\"model\":\"%" PRId64 "\",\"sha256\":\"%s\",", s->threshold,
             s->version, s->sha256);
}

void decision_make(struct decision *d, const struct model *m, const struct served *served,
                   const float *x, double *contributions)
{
    size_t inputs[N_REASONS];
    d->served = served;
    d->repeated = false;
    d->probability = model_probability(model_margin(m, x));
    d->review = d->probability >= m->threshold;
    model_contributions(m, x, contributions);
    d->n_reasons = pick_reasons(contributions, m->n_inputs, inputs);
    for (int k = 0; k < d->n_reasons; k++)
        // -0 becomes 0, as which it comes back from the database.
        d->reasons[k] =
            (struct reason){(int)inputs[k], x[inputs[k]] + 0.0F, contributions[inputs[k]] + 0.0};
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
        reply_float(r, d->reasons[k].value);
        reply_text(r, ",\"contribution\":");
        reply_number(r, d->reasons[k].contribution);
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
        reply_integer(r, json_integer_value(id));
    reply_text(r, ",");
}

void decision_write(const struct decision *d, const struct plan *p, const json_t *id,
                    struct reply *r)
{
    reply_text(r, "{");
    if (id)
        decision_write_id(id, r);
    reply_text(r, "\"probability\":");
    reply_number(r, d->probability);
    reply_text(r, ",\"decision\":");
    if (d->review)
        reply_text(r, "\"review\"");
    else
        reply_text(r, "\"approve\"");
    reply_text(r, d->served->text);
    decision_write_reasons(d, p, r);
    reply_text(r, "}");
}
