// Read, run, score, write: the four steps of a decision.
#include "serve/predict.h"

#include "serve/transaction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_REASONS = 4 };

// What one request needs.
struct decisions {
    const struct service *service;
    struct transactions transactions;
    float *features;       // [n_inputs][transactions.n]
    float **inputs;        // [n_inputs], into features, as state_run writes them
    float *x;              // [n_inputs] of one event
    double *contributions; // [n_inputs] of one event
};

static void decisions_release(struct decisions *d)
{
    transactions_release(&d->transactions);
    free(d->features);
    free(d->inputs);
    free(d->x);
    free(d->contributions);
}

static int allocate(struct decisions *d)
{
    size_t n_inputs = d->service->model.plan.n_inputs, n = d->transactions.n;
    d->features = calloc(n_inputs * n, sizeof *d->features);
    d->inputs = calloc(n_inputs, sizeof *d->inputs);
    d->x = calloc(n_inputs, sizeof *d->x);
    d->contributions = calloc(n_inputs, sizeof *d->contributions);
    if (!d->features || !d->inputs || !d->x || !d->contributions)
        return -1;
    for (size_t i = 0; i < n_inputs; i++)
        d->inputs[i] = d->features + i * n;
    return 0;
}

// The inputs with the largest |contribution|, the largest first, equal ones in the order of inputs.
static size_t pick_reasons(const double *contributions, size_t n, size_t reasons[N_REASONS])
{
    size_t picked = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = picked;
        while (at > 0 && fabs(contributions[i]) > fabs(contributions[reasons[at - 1]]))
            at--;
        if (at == N_REASONS)
            continue;
        if (picked < N_REASONS)
            picked++;
        memmove(&reasons[at + 1], &reasons[at], (picked - 1 - at) * sizeof *reasons);
        reasons[at] = i;
    }
    return picked;
}

static void write_reasons(const struct decisions *d, struct reply *r)
{
    const struct model *m = &d->service->model;
    size_t reasons[N_REASONS];
    size_t n = pick_reasons(d->contributions, m->n_inputs, reasons);
    reply_add(r, ",\"reasons\":[");
    for (size_t k = 0; k < n; k++) {
        const char *name = m->inputs[reasons[k]].name;
        reply_add(r, "%s{\"feature\":", k ? "," : "");
        reply_string(r, name, strlen(name));
        reply_add(r, ",\"value\":%.9g,\"contribution\":", (double)d->x[reasons[k]]);
        reply_number(r, d->contributions[reasons[k]]);
        reply_bytes(r, "}", 1);
    }
    reply_bytes(r, "]", 1);
}

static void write_id(const json_t *id, struct reply *r)
{
    reply_add(r, "\"id\":");
    if (json_is_string(id))
        reply_string(r, json_string_value(id), json_string_length(id));
    else
        reply_add(r, "%lld", (long long)json_integer_value(id));
    reply_bytes(r, ",", 1);
}

static void write_decision(const struct decisions *d, size_t event, struct reply *r)
{
    const struct model *m = &d->service->model;
    for (size_t i = 0; i < m->n_inputs; i++)
        d->x[i] = d->inputs[i][event];
    double probability = model_probability(model_margin(m, d->x));
    model_contributions(m, d->x, d->contributions);
    reply_bytes(r, "{", 1);
    const json_t *id = transactions_id(&d->transactions, d->service, event);
    if (id)
        write_id(id, r);
    reply_add(r, "\"probability\":");
    reply_number(r, probability);
    reply_add(r, ",\"decision\":\"%s\",\"threshold\":",
              probability >= m->threshold ? "review" : "approve");
    reply_number(r, m->threshold);
    reply_add(r, ",\"model\":\"%s\",\"sha256\":\"%s\"", d->service->version, m->sha256);
    write_reasons(d, r);
    reply_bytes(r, "}", 1);
}

static void write_decisions(const struct decisions *d, struct reply *r)
{
    const struct transactions *t = &d->transactions;
    if (t->array)
        reply_bytes(r, "[", 1);
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0)
            reply_bytes(r, ",", 1);
        write_decision(d, i, r);
    }
    if (t->array)
        reply_bytes(r, "]", 1);
}

// All decisions of a request are one model's.
static void write_held(struct service *s, const struct decisions *d, struct reply *r)
{
    service_hold(s);
    write_decisions(d, r);
    service_let(s);
}

static void run(struct service *s, struct decisions *d, struct reply *r)
{
    struct err err;
    const struct transactions *t = &d->transactions;
    struct events events = {t->n, (const void *const *)t->columns};
    if (allocate(d))
        reply_problem(r, 503, NULL, -1, "out of memory for %zu transactions", t->n);
    else if (service_run(s, &events, d->inputs, &err) == 0)
        write_held(s, d, r);
    else if (service_ready(s))
        reply_problem(r, 409, NULL, -1, "%s; nothing of this request was counted", err.msg);
    else
        reply_problem(r, 503, NULL, -1, "%s; the server must be started again", err.msg);
}

void predict(struct service *s, const char *body, size_t n, struct reply *r)
{
    struct decisions d = {.service = s};
    reply_reset(r);
    if (transactions_parse(&d.transactions, s, body, n, r) == 0)
        run(s, &d, r);
    decisions_release(&d);
}
