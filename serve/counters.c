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

void recent_init(struct recent *r, const struct plan *p)
{
    *r = (struct recent){.lock = PTHREAD_MUTEX_INITIALIZER,
                         .plan = p,
                         .rows = store_rows_new(p, RECENT_DECISIONS),
                         .labels = xcalloc(RECENT_LABELS, sizeof *r->labels)};
}

void recent_release(struct recent *r)
{
    free(r->rows);
    free(r->labels);
    *r = (struct recent){0};
}

static size_t kept(uint64_t n, size_t most)
{
    return n < most ? (size_t)n : most;
}

void recent_add(struct recent *r, const struct store_row *row)
{
    pthread_mutex_lock(&r->lock);
    struct store_row *to = &r->rows[r->n_decisions++ % RECENT_DECISIONS];
    to->order = row->order;
    to->received = row->received;
    to->decision = row->decision;
    memcpy(to->values, row->values, r->plan->schema.n * sizeof *to->values);
    memcpy(to->x, row->x, r->plan->n_inputs * sizeof *to->x);
    pthread_mutex_unlock(&r->lock);
}

// Bins are counted in a copy, so that the writer does not have to wait.
size_t recent_drift(struct recent *r, const struct model *m, double *psi)
{
    float *x = xcalloc(RECENT_DECISIONS * m->n_inputs, sizeof *x);
    double *scores = xcalloc(RECENT_DECISIONS, sizeof *scores);
    pthread_mutex_lock(&r->lock);
    const size_t n = kept(r->n_decisions, RECENT_DECISIONS);
    memcpy(x, r->rows->x, n * m->n_inputs * sizeof *x); // the rows' inputs are one array
    for (size_t i = 0; i < n; i++)
        scores[i] = r->rows[i].decision.probability;
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

// The transaction's entry in the ring, NULL where it has none.
static struct recent_label *find_label(const struct recent *r, int64_t order)
{
    for (size_t i = 0; i < kept(r->n_labels, RECENT_LABELS); i++)
        if (r->labels[i].order == order)
            return &r->labels[i];
    return NULL;
}

static void write_decision(const struct recent *r, const struct store_row *row, struct reply *reply)
{
    const struct schema *schema = &r->plan->schema;
    const struct decision *d = &row->decision;
    const struct recent_label *label = find_label(r, row->order);
    const int64_t moment = row->values[schema_find_kind(schema, COLUMN_TIME)];
    char received[TIME_TEXT], time[TIME_TEXT];
    reply_add(reply, "{\"order\":%" PRId64 ",\"received\":\"%s\",\"time\":\"%s\",\"numbers\":{",
              row->order, time_text(received, row->received / 1000), time_text(time, moment));
    for (size_t c = 0; c < schema->n; c++) {
        if (schema->columns[c].kind != COLUMN_NUMBER)
            continue;
        reply_name(reply, schema->columns[c].name);
        reply_number(reply, *(const double *)(const void *)&row->values[c]);
    }
    reply_add(reply, "},\"probability\":%.17g,\"decision\":\"%s\",\"model\":\"%" PRId64 "\",",
              d->probability, d->review ? "review" : "approve", d->version);
    decision_write_reasons(d, r->plan, reply);
    reply_text(reply, !label ? "}" : label->fraud ? ",\"label\":1}" : ",\"label\":0}");
}

void recent_write_decisions(struct recent *r, bool reviews, struct reply *reply)
{
    size_t shown = 0;
    reply_text(reply, "{\"decisions\":[");
    pthread_mutex_lock(&r->lock);
    for (size_t k = 1; k <= kept(r->n_decisions, RECENT_DECISIONS) && shown < RECENT_SHOWN; k++) {
        const struct store_row *row = &r->rows[(r->n_decisions - k) % RECENT_DECISIONS];
        if (reviews && !row->decision.review)
            continue;
        reply_text(reply, shown++ ? "," : "");
        write_decision(r, row, reply);
    }
    pthread_mutex_unlock(&r->lock);
    reply_text(reply, "]}");
}

void recent_label(struct recent *r, int64_t order, bool review, bool changed, int label)
{
    pthread_mutex_lock(&r->lock);
    struct recent_label *l = changed ? find_label(r, order) : NULL;
    if (!l)
        l = &r->labels[r->n_labels++ % RECENT_LABELS];
    *l = (struct recent_label){order, review, label == 1};
    pthread_mutex_unlock(&r->lock);
}

void recent_quality(struct recent *r, uint64_t quality[2][2])
{
    memset(quality, 0, 4 * sizeof **quality);
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < kept(r->n_labels, RECENT_LABELS); i++)
        quality[r->labels[i].review][r->labels[i].fraud]++;
    pthread_mutex_unlock(&r->lock);
}
