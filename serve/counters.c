#include "serve/counters.h"

#include "base/memory.h"
#include "base/value.h"
#include "monitor/drift.h"

#include <inttypes.h>
#include <math.h>

const double counters_seconds[COUNTERS_BOUNDS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1};
const double counters_scores[COUNTERS_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,    0.1,
                                                 0.25,  0.5,    0.75,  0.9,  1,     INFINITY};

void counters_observe(struct counters_histogram *h, const double *bounds, double x)
{
    size_t b = 0;
    while (b < COUNTERS_BOUNDS && x > bounds[b])
        b++;
    atomic_fetch_add(&h->counts[b], 1);
    atomic_fetch_add(&h->sum, (unsigned long long)(x * 1e6));
}

void counters_decision(struct counters *c, const struct store_row *row, size_t n_inputs)
{
    const struct decision *d = &row->decision;
    if (d->repeated) {
        atomic_fetch_add(&c->repeated, 1);
        return;
    }
    size_t i = 0;
    while (i + 1 < COUNTERS_MODELS && atomic_load(&c->models[i].version) != 0 &&
           atomic_load(&c->models[i].version) != d->version)
        i++;
    atomic_store(&c->models[i].version, d->version);
    atomic_fetch_add(&c->models[i].decisions[d->review], 1);
    counters_observe(&c->score, counters_scores, d->probability);
    for (size_t k = 0; k < n_inputs; k++)
        if (row->outside[k])
            atomic_fetch_add(&c->outside[k], 1);
}

int recent_open(struct recent *r, const struct store *writer, struct err *err)
{
    r->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    return store_open_second(&r->store, writer, err);
}

void recent_release(struct recent *r)
{
    store_close(&r->store);
}

size_t recent_drift(struct recent *r, const struct model *m, double *psi)
{
    float *x = xcalloc(RECENT_DECISIONS * m->n_inputs, sizeof *x);
    double *scores = xcalloc(RECENT_DECISIONS, sizeof *scores);
    pthread_mutex_lock(&r->lock);
    const size_t n = store_newest(&r->store, RECENT_DECISIONS, x, scores);
    pthread_mutex_unlock(&r->lock);
    for (size_t c = 0; c <= m->n_inputs; c++) {
        const struct histogram *h = c < m->n_inputs ? &m->inputs[c].reference : &m->score_reference;
        uint64_t counts[HISTOGRAM_BINS + 1] = {0};
        for (size_t i = 0; i < n; i++)
            counts[histogram_bin(h,
                                 c < m->n_inputs ? (double)x[i * m->n_inputs + c] : scores[i])]++;
        psi[c] = drift_psi(h->counts, counts, h->n_edges + 1);
    }
    free(x);
    free(scores);
    return n;
}

void recent_quality(struct recent *r, int64_t quality[2][2])
{
    struct err none;
    memset(quality, 0, 4 * sizeof **quality);
    pthread_mutex_lock(&r->lock);
    store_execute(&r->store, "read labels", *quality, &none,
                  "SELECT sum(NOT review AND NOT label), sum(NOT review AND label),"
                  " sum(review AND NOT label), sum(review AND label) FROM prediction JOIN"
                  " (SELECT prediction, label, max(seq) FROM"
                  " (SELECT * FROM feedback ORDER BY seq DESC LIMIT %d) GROUP BY prediction)"
                  " ON seq = prediction",
                  RECENT_LABELS);
    pthread_mutex_unlock(&r->lock);
}

struct shown {
    struct reply *reply;
    const struct plan *plan;
    bool any;
};

static int show(void *arg, const struct store_row *row, const struct store_label *none,
                struct err *err)
{
    struct shown *shown = arg;
    struct reply *reply = shown->reply;
    const struct schema *schema = &shown->plan->schema;
    const struct decision *d = &row->decision;
    char received[TIME_TEXT];
    (void)none, (void)err;
    reply_text(reply, shown->any ? "," : "");
    shown->any = true;
    reply_add(reply, "{\"order\":%" PRId64 ",\"received\":\"%s\",\"time\":", row->order,
              time_text(received, row->received / 1000));
    decision_write_time(row->values[schema_find_kind(schema, COLUMN_TIME)], shown->plan, reply);
    reply_text(reply, ",\"numbers\":{");
    for (size_t c = 0; c < schema->n; c++) {
        if (schema->columns[c].kind != COLUMN_NUMBER)
            continue;
        reply_name(reply, schema->columns[c].name);
        reply_number(reply, *(const double *)(const void *)&row->values[c]);
    }
    reply_add(reply, "},\"probability\":%.17g,\"decision\":\"%s\",\"model\":\"%" PRId64 "\",",
              d->probability, d->review ? "review" : "approve", d->version);
    decision_write_reasons(d, shown->plan, reply);
    reply_text(reply, row->label < 0 ? "}" : row->label ? ",\"label\":1}" : ",\"label\":0}");
    return 0;
}

void recent_write_decisions(struct recent *r, bool reviews, struct reply *reply)
{
    struct shown shown = {.reply = reply, .plan = r->store.plan};
    struct err why;
    reply_text(reply, "{\"decisions\":[");
    pthread_mutex_lock(&r->lock);
    const int rc =
        store_each_newest(&r->store, RECENT_DECISIONS, reviews, RECENT_SHOWN, show, &shown, &why);
    pthread_mutex_unlock(&r->lock);
    if (rc)
        reply_problem(reply, 503, NULL, -1, "the database cannot be read");
    else
        reply_text(reply, "]}");
}
