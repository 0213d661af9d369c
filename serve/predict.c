// Read, run, score, write: the four steps of a decision.
#include "serve/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_REASONS = 4 };

void workspace_release(struct workspace *w)
{
    transactions_release(&w->transactions);
    free(w->features);
    free(w->inputs);
    free(w->x);
    free(w->contributions);
    *w = (struct workspace){0};
}

// Room for the features of as many events as the transactions have room for.
static int reserve(struct workspace *w, size_t n_inputs)
{
    size_t capacity = w->transactions.capacity;
    if (capacity <= w->capacity)
        return 0;
    free(w->features);
    free(w->inputs);
    free(w->x);
    free(w->contributions);
    w->capacity = 0;
    w->features = calloc(n_inputs * capacity, sizeof *w->features);
    w->inputs = calloc(n_inputs, sizeof *w->inputs);
    w->x = calloc(n_inputs, sizeof *w->x);
    w->contributions = calloc(n_inputs, sizeof *w->contributions);
    if (!w->features || !w->inputs || !w->x || !w->contributions)
        return -1;
    for (size_t i = 0; i < n_inputs; i++)
        w->inputs[i] = w->features + i * capacity;
    w->capacity = capacity;
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

static void write_reasons(const struct model *m, const struct workspace *w, struct reply *r)
{
    size_t reasons[N_REASONS];
    size_t n = pick_reasons(w->contributions, m->n_inputs, reasons);
    reply_add(r, ",\"reasons\":[");
    for (size_t k = 0; k < n; k++) {
        const char *name = m->inputs[reasons[k]].name;
        reply_add(r, "%s{\"feature\":", k ? "," : "");
        reply_string(r, name, strlen(name));
        reply_add(r, ",\"value\":%.9g,\"contribution\":", (double)w->x[reasons[k]]);
        reply_number(r, w->contributions[reasons[k]]);
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

static void write_decision(const struct service *s, struct workspace *w, size_t event,
                           struct reply *r)
{
    const struct model *m = &s->model;
    for (size_t i = 0; i < m->n_inputs; i++)
        w->x[i] = w->inputs[i][event];
    double probability = model_probability(model_margin(m, w->x));
    model_contributions(m, w->x, w->contributions);
    reply_bytes(r, "{", 1);
    const json_t *id = transactions_id(&w->transactions, s, event);
    if (id)
        write_id(id, r);
    reply_add(r, "\"probability\":");
    reply_number(r, probability);
    reply_add(r, ",\"decision\":\"%s\",\"threshold\":",
              probability >= m->threshold ? "review" : "approve");
    reply_number(r, m->threshold);
    reply_add(r, ",\"model\":\"%s\",\"sha256\":\"%s\"", s->version, m->sha256);
    write_reasons(m, w, r);
    reply_bytes(r, "}", 1);
}

static void write_decisions(const struct service *s, struct workspace *w, struct reply *r)
{
    const struct transactions *t = &w->transactions;
    if (t->array)
        reply_bytes(r, "[", 1);
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0)
            reply_bytes(r, ",", 1);
        write_decision(s, w, i, r);
    }
    if (t->array)
        reply_bytes(r, "]", 1);
}

static void run(struct service *s, struct workspace *w, struct reply *r)
{
    struct err err;
    if (reserve(w, s->model.n_inputs)) {
        reply_problem(r, 503, NULL, -1, "out of memory for %zu transactions", w->transactions.n);
        return;
    }
    struct events events = {w->transactions.n, (const void *const *)w->transactions.columns};
    if (service_run(s, &events, w->inputs, &err))
        reply_problem(r, 409, NULL, -1, "%s; nothing of this request was counted", err.msg);
    else
        write_decisions(s, w, r);
}

void predict(struct service *s, struct workspace *w, const char *body, size_t n, struct reply *r)
{
    reply_reset(r);
    if (transactions_parse(&w->transactions, s, body, n, r) == 0)
        run(s, w, r);
    transactions_clear(&w->transactions);
}
