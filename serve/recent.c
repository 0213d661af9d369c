// Rings of what was newest, and counts of what is in them.
#include "serve/recent.h"

#include "ingest/value.h"
#include "monitor/drift.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = HISTOGRAM_BINS + 1 };

static size_t count_numbers(const struct schema *schema)
{
    size_t n = 0;
    for (size_t c = 0; c < schema->n; c++)
        n += schema->columns[c].kind == COLUMN_NUMBER;
    return n;
}

int recent_init(struct recent *r, const struct model *m, struct err *err)
{
    const size_t n = m->plan.n_inputs, numbers = count_numbers(&m->plan.schema);
    *r = (struct recent){.made = true, .n_inputs = n, .n_numbers = numbers};
    pthread_mutex_init(&r->lock, NULL); // cannot fail without attributes
    r->x = calloc(RECENT_DECISIONS * n, sizeof *r->x);
    r->probability = calloc(RECENT_DECISIONS, sizeof *r->probability);
    r->bins = calloc(RECENT_DECISIONS * (n + 1), sizeof *r->bins);
    r->counts = calloc((n + 1) * BINS, sizeof *r->counts);
    r->shown = calloc(RECENT_SHOWN, sizeof *r->shown);
    r->numbers = calloc(RECENT_SHOWN * (numbers + 1), sizeof *r->numbers);
    r->labels = calloc(RECENT_LABELS, sizeof *r->labels);
    if (r->x && r->probability && r->bins && r->counts && r->shown && r->numbers && r->labels)
        return 0;
    recent_release(r);
    return err_set(err, "out of memory");
}

void recent_release(struct recent *r)
{
    free(r->x);
    free(r->probability);
    free(r->bins);
    free(r->counts);
    free(r->shown);
    free(r->numbers);
    free(r->labels);
    if (r->made)
        pthread_mutex_destroy(&r->lock);
    *r = (struct recent){0};
}

// ---- decisions -------------------------------------------------------------------------------------

static const struct histogram *reference(const struct model *m, size_t column)
{
    return column < m->n_inputs ? &m->inputs[column].reference : &m->score_reference;
}

static void count_in(struct recent *r, const struct model *m, size_t at)
{
    uint8_t *bins = r->bins + at * (r->n_inputs + 1);
    for (size_t c = 0; c <= r->n_inputs; c++) {
        const double x = c < r->n_inputs ? (double)r->x[at * r->n_inputs + c] : r->probability[at];
        bins[c] = (uint8_t)histogram_bin(reference(m, c), x);
        r->counts[c * BINS + bins[c]]++;
    }
}

static void count_out(struct recent *r, size_t at)
{
    const uint8_t *bins = r->bins + at * (r->n_inputs + 1);
    for (size_t c = 0; c <= r->n_inputs; c++)
        r->counts[c * BINS + bins[c]]--;
}

static uint64_t kept(uint64_t n, uint64_t most)
{
    return n < most ? n : most;
}

// Another model has other bins.
static void fit_bins(struct recent *r, const struct model *m)
{
    if (strcmp(r->sha256, m->sha256) == 0)
        return;
    memcpy(r->sha256, m->sha256, sizeof r->sha256);
    memset(r->counts, 0, (r->n_inputs + 1) * BINS * sizeof *r->counts);
    for (size_t at = 0; at < kept(r->decisions, RECENT_DECISIONS); at++)
        count_in(r, m, at);
}

static void show(struct recent *r, const struct plan *p, int64_t order, const struct store_row *row)
{
    const size_t at = r->decisions % RECENT_SHOWN;
    const int time = schema_find_kind(&p->schema, COLUMN_TIME);
    double *numbers = r->numbers + at * r->n_numbers;
    r->shown[at] = (struct recent_decision){
        order, row->received, ((const int64_t *)row->columns[time])[row->event], *row->decision};
    for (size_t c = 0; c < p->schema.n; c++)
        if (p->schema.columns[c].kind == COLUMN_NUMBER)
            *numbers++ = ((const double *)row->columns[c])[row->event];
}

void recent_add(struct recent *r, const struct model *m, int64_t order, const struct store_row *row)
{
    pthread_mutex_lock(&r->lock);
    const size_t at = r->decisions % RECENT_DECISIONS;
    fit_bins(r, m);
    if (r->decisions >= RECENT_DECISIONS)
        count_out(r, at);
    memcpy(r->x + at * r->n_inputs, row->x, r->n_inputs * sizeof *r->x);
    r->probability[at] = row->decision->probability;
    count_in(r, m, at);
    show(r, &m->plan, order, row);
    r->decisions++;
    pthread_mutex_unlock(&r->lock);
}

uint64_t recent_drift(struct recent *r, const struct model *m, double *psi)
{
    pthread_mutex_lock(&r->lock);
    fit_bins(r, m);
    const uint64_t n = kept(r->decisions, RECENT_DECISIONS);
    for (size_t c = 0; c <= r->n_inputs; c++) {
        const struct histogram *h = reference(m, c);
        psi[c] = drift_psi(h->counts, r->counts + c * BINS, h->n_edges + 1);
    }
    pthread_mutex_unlock(&r->lock);
    return n;
}

static void write_shown(const struct recent *r, size_t at, const struct plan *p,
                        struct reply *reply)
{
    const struct recent_decision *d = &r->shown[at];
    const double *numbers = r->numbers + at * r->n_numbers;
    char received[TIME_TEXT], time[TIME_TEXT];
    const char *comma = "";
    reply_add(reply, "{\"order\":%" PRId64 ",\"received\":\"%s\",\"time\":\"%s\",\"numbers\":{",
              d->order, time_text(received, d->received / 1000), time_text(time, d->time));
    for (size_t c = 0; c < p->schema.n; c++) {
        const struct schema_column *column = &p->schema.columns[c];
        if (column->kind != COLUMN_NUMBER)
            continue;
        reply_add(reply, "%s", comma);
        reply_string(reply, column->name, strlen(column->name));
        reply_add(reply, ":%.17g", *numbers++);
        comma = ",";
    }
    reply_add(reply, "},\"probability\":");
    reply_number(reply, d->decision.probability);
    reply_add(reply, ",\"decision\":\"%s\",\"model\":\"%" PRId64 "\",",
              d->decision.review ? "review" : "approve", d->decision.served->version);
    decision_write_reasons(&d->decision, p, reply);
    reply_bytes(reply, "}", 1);
}

void recent_write_decisions(struct recent *r, const struct plan *p, struct reply *reply)
{
    reply_add(reply, "{\"decisions\":[");
    pthread_mutex_lock(&r->lock);
    for (uint64_t k = 0; k < kept(r->decisions, RECENT_SHOWN); k++) {
        reply_add(reply, "%s", k ? "," : "");
        write_shown(r, (r->decisions - 1 - k) % RECENT_SHOWN, p, reply);
    }
    pthread_mutex_unlock(&r->lock);
    reply_add(reply, "]}");
}

// ---- labels ----------------------------------------------------------------------------------------

// The transaction's label where it is in the ring; NULL where it is not.
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
    if (!l) {
        l = &r->labels[r->n_labels % RECENT_LABELS];
        if (r->n_labels++ >= RECENT_LABELS)
            r->quality[l->review][l->fraud]--;
    } else {
        r->quality[l->review][l->fraud]--;
    }
    *l = (struct recent_label){order, review, label == 1};
    r->quality[l->review][l->fraud]++;
    pthread_mutex_unlock(&r->lock);
}

void recent_quality(struct recent *r, uint64_t quality[2][2])
{
    pthread_mutex_lock(&r->lock);
    memcpy(quality, r->quality, sizeof r->quality);
    pthread_mutex_unlock(&r->lock);
}
