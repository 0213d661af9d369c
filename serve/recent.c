#include "serve/recent.h"

#include "base/memory.h"
#include "ingest/value.h"
#include "monitor/drift.h"
#include "serve/counters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = HISTOGRAM_BINS + 1 };

void recent_init(struct recent *r, const struct plan *p)
{
    *r = (struct recent){.plan = p};
    for (size_t c = 0; c < p->schema.n; c++)
        r->n_numbers += p->schema.columns[c].kind == COLUMN_NUMBER;
    pthread_mutex_init(&r->lock, NULL); // cannot fail without attributes
    r->x = xcalloc(RECENT_DECISIONS * p->n_inputs, sizeof *r->x);
    r->numbers = xcalloc(RECENT_DECISIONS * r->n_numbers, sizeof *r->numbers);
    r->decisions = xcalloc(RECENT_DECISIONS, sizeof *r->decisions);
    r->labels = xcalloc(RECENT_LABELS, sizeof *r->labels);
}

void recent_release(struct recent *r)
{
    free(r->x);
    free(r->numbers);
    free(r->decisions);
    free(r->labels);
    if (r->plan)
        pthread_mutex_destroy(&r->lock);
    *r = (struct recent){0};
}

static size_t kept(uint64_t n, size_t most)
{
    return n < most ? (size_t)n : most;
}

// ---- decisions ----------------------------------------------------------------------------------

void recent_add(struct recent *r, const struct store_row *row)
{
    const struct schema *schema = &r->plan->schema;
    const int64_t *time = row->columns[schema_find_kind(schema, COLUMN_TIME)];
    pthread_mutex_lock(&r->lock);
    const size_t at = r->n_decisions++ % RECENT_DECISIONS;
    double *numbers = r->numbers + at * r->n_numbers;
    r->decisions[at] = (struct recent_decision){row->order, row->received, *time, row->decision};
    memcpy(r->x + at * r->plan->n_inputs, row->x, r->plan->n_inputs * sizeof *r->x);
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind == COLUMN_NUMBER)
            *numbers++ = *(const double *)row->columns[c];
    pthread_mutex_unlock(&r->lock);
}

// Copy inputs and probabilities out of the rings, so that the writer is not kept waiting while bins
// are counted.
static size_t copy_rows(struct recent *r, float *x, double *probability)
{
    pthread_mutex_lock(&r->lock);
    const size_t n = kept(r->n_decisions, RECENT_DECISIONS);
    memcpy(x, r->x, n * r->plan->n_inputs * sizeof *x);
    for (size_t i = 0; i < n; i++)
        probability[i] = r->decisions[i].decision.probability;
    pthread_mutex_unlock(&r->lock);
    return n;
}

size_t recent_drift(struct recent *r, const struct model *m, double *psi)
{
    const size_t n_inputs = r->plan->n_inputs;
    float *x = xcalloc(RECENT_DECISIONS * n_inputs, sizeof *x);
    double *probability = xcalloc(RECENT_DECISIONS, sizeof *probability);
    const size_t n = copy_rows(r, x, probability);
    for (size_t c = 0; c <= n_inputs; c++) {
        const struct histogram *h = c < n_inputs ? &m->inputs[c].reference : &m->score_reference;
        uint64_t counts[BINS] = {0};
        for (size_t i = 0; i < n; i++)
            counts[histogram_bin(h, c < n_inputs ? (double)x[i * n_inputs + c] : probability[i])]++;
        psi[c] = drift_psi(h->counts, counts, h->n_edges + 1);
    }
    free(x);
    free(probability);
    return n;
}

static void write_decision(const struct recent *r, size_t at, struct reply *reply)
{
    const struct recent_decision *d = &r->decisions[at];
    const double *numbers = r->numbers + at * r->n_numbers;
    char received[TIME_TEXT], time[TIME_TEXT];
    const char *comma = "";
    reply_add(reply, "{\"order\":%" PRId64 ",\"received\":\"%s\",\"time\":\"%s\",\"numbers\":{",
              d->order, time_text(received, d->received / 1000), time_text(time, d->time));
    for (size_t c = 0; c < r->plan->schema.n; c++) {
        const struct schema_column *column = &r->plan->schema.columns[c];
        if (column->kind != COLUMN_NUMBER)
            continue;
        reply_text(reply, comma);
        reply_string(reply, column->name, strlen(column->name));
        reply_text(reply, ":");
        reply_number(reply, *numbers++);
        comma = ",";
    }
    reply_text(reply, "},\"probability\":");
    reply_number(reply, d->decision.probability);
    reply_add(reply, ",\"decision\":\"%s\",\"model\":\"%" PRId64 "\",",
              d->decision.review ? "review" : "approve", d->decision.served->version);
    decision_write_reasons(&d->decision, r->plan, reply);
    reply_text(reply, "}");
}

void recent_write_decisions(struct recent *r, struct reply *reply)
{
    reply_text(reply, "{\"decisions\":[");
    pthread_mutex_lock(&r->lock);
    for (size_t k = 0; k < kept(r->n_decisions, RECENT_SHOWN); k++) {
        reply_text(reply, k ? "," : "");
        write_decision(r, (size_t)((r->n_decisions - 1 - k) % RECENT_DECISIONS), reply);
    }
    pthread_mutex_unlock(&r->lock);
    reply_text(reply, "]}");
}

// ---- labels -------------------------------------------------------------------------------------

// The transaction's entry in the ring, NULL where it has none.
static struct recent_label *find_label(struct recent *r, int64_t order)
{
    for (size_t i = 0; i < kept(r->n_labels, RECENT_LABELS); i++)
        if (r->labels[i].order == order)
            return &r->labels[i];
    return NULL;
}

void recent_label(struct recent *r, int64_t order, bool review, bool changed, int label)
{
    pthread_mutex_lock(&r->lock);
    struct recent_label *l = changed ? find_label(r, order) : NULL;
    const bool replaces = l || r->n_labels >= RECENT_LABELS;
    if (!l)
        l = &r->labels[r->n_labels++ % RECENT_LABELS];
    if (replaces)
        r->quality[l->review][l->fraud]--;
    *l = (struct recent_label){order, review, label == 1};
    r->quality[l->review][l->fraud]++;
    pthread_mutex_unlock(&r->lock);
}

// ---- metrics ------------------------------------------------------------------------------------

static void write_quality(struct recent *r, struct reply *reply)
{
    uint64_t q[2][2];
    pthread_mutex_lock(&r->lock);
    memcpy(q, r->quality, sizeof q);
    pthread_mutex_unlock(&r->lock);
    const double caught = (double)q[1][1], reviewed = (double)(q[1][0] + q[1][1]),
                 frauds = (double)(q[0][1] + q[1][1]);
    counters_write_one(reply, "assay_live_labels", "gauge",
                       "Newest labels, from which the next two are computed.",
                       reviewed + (double)(q[0][0] + q[0][1]));
    if (reviewed > 0)
        counters_write_one(reply, "assay_live_precision", "gauge",
                           "Share of frauds among the transactions reviewed.", caught / reviewed);
    if (frauds > 0)
        counters_write_one(reply, "assay_live_recall", "gauge",
                           "Share of the frauds that were reviewed.", caught / frauds);
}

void recent_write(struct recent *r, const struct model *m, struct reply *reply)
{
    double *psi = xcalloc(m->n_inputs + 1, sizeof *psi);
    const size_t n = recent_drift(r, m, psi);
    write_quality(r, reply);
    counters_write_one(reply, "assay_drift_window_predictions", "gauge",
                       "Newest predictions, from which the drift is computed.", (double)n);
    if (n > 0)
        counters_write_head(reply, "assay_feature_drift_psi", "gauge",
                            "Population stability index against the training rows.");
    for (size_t i = 0; i < m->n_inputs && n > 0; i++) {
        reply_text(reply, "assay_feature_drift_psi{feature=");
        reply_string(reply, m->inputs[i].name, strlen(m->inputs[i].name));
        reply_add(reply, "} %.17g\n", psi[i]);
    }
    if (n > 0)
        counters_write_one(reply, "assay_score_drift_psi", "gauge",
                           "The same for the probabilities answered.", psi[m->n_inputs]);
    free(psi);
}
