#include "serve/counters.h"

#include "base/memory.h"
#include "base/value.h"
#include "monitor/drift.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

const double counters_seconds[COUNTERS_BOUNDS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1};
const double counters_scores[COUNTERS_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,    0.1,
                                                 0.25,  0.5,    0.75,  0.9,  1,     INFINITY};

size_t counters_observe(struct counters_histogram *h, const double *bounds, double x)
{
    size_t b = 0;
    while (b < COUNTERS_BOUNDS && x > bounds[b])
        b++;
    atomic_fetch_add(&h->counts[b], 1);
    atomic_fetch_add(&h->sum, (unsigned long long)(x * 1e6));
    return b;
}

static pthread_mutex_t traffic_lock = PTHREAD_MUTEX_INITIALIZER;

// A clock that is set back by less than a minute counts in the last bin until it has caught up. One
// that is set back further begins a new history.
static uint32_t *current_bin(struct traffic *t)
{
    const int64_t bin = (int64_t)time(NULL) / TRAFFIC_SECONDS;
    if (bin < t->last - 60 / TRAFFIC_SECONDS)
        t->first = bin, t->last = bin - 1;
    while (t->last < bin)
        memset(t->bins[++t->last % TRAFFIC_BINS], 0, sizeof *t->bins);
    return t->bins[t->last % TRAFFIC_BINS];
}

void traffic_count(struct traffic *t, size_t what)
{
    pthread_mutex_lock(&traffic_lock);
    current_bin(t)[what]++;
    pthread_mutex_unlock(&traffic_lock);
}

void traffic_write(struct traffic *t, struct reply *reply)
{
    char start[TIME_TEXT];
    pthread_mutex_lock(&traffic_lock);
    current_bin(t);
    const struct traffic copy = *t; // so that requests do not have to wait
    pthread_mutex_unlock(&traffic_lock);
    const int64_t kept = copy.last - TRAFFIC_BINS + 1,
                  first = kept > copy.first ? kept : copy.first;
    reply_add(reply, "{\"seconds\":%d,\"bins\":", TRAFFIC_SECONDS);
    for (int64_t n = first; n <= copy.last; n++) {
        const uint32_t *bin = copy.bins[n % TRAFFIC_BINS];
        reply_add(reply,
                  "%s{\"start\":\"%s\",\"requests\":%u,\"errors_4xx\":%u,\"errors_5xx\":%u,"
                  "\"approve\":%u,\"review\":%u,\"latency\":",
                  n > first ? "," : "[", time_text(start, n * TRAFFIC_SECONDS),
                  bin[BIN_GOOD] + bin[BIN_4XX] + bin[BIN_5XX], bin[BIN_4XX], bin[BIN_5XX],
                  bin[BIN_APPROVE], bin[BIN_REVIEW]);
        for (size_t k = BIN_LATENCY; k < TRAFFIC_COUNTS; k++)
            reply_add(reply, "%s%u", k > BIN_LATENCY ? "," : "[", bin[k]);
        reply_text(reply, "]}");
    }
    reply_text(reply, "]}");
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
    traffic_count(&c->traffic, d->review ? BIN_REVIEW : BIN_APPROVE);
    counters_observe(&c->score, counters_scores, d->probability);
    for (size_t k = 0; k < n_inputs; k++)
        if (row->outside[k])
            atomic_fetch_add(&c->outside[k], 1);
}

void recent_init(struct recent *r, const struct plan *p)
{
    *r = (struct recent){.lock = PTHREAD_MUTEX_INITIALIZER, .plan = p, .width = p->n_inputs + 1};
    for (size_t c = 0; c < p->schema.n; c++)
        r->width += p->schema.columns[c].kind == COLUMN_NUMBER;
    r->values = xcalloc(RECENT_DECISIONS * r->width, sizeof *r->values);
    r->decisions = xcalloc(RECENT_DECISIONS, sizeof *r->decisions);
    r->labels = xcalloc(RECENT_LABELS, sizeof *r->labels);
}

void recent_release(struct recent *r)
{
    free(r->values);
    free(r->decisions);
    free(r->labels);
    *r = (struct recent){0};
}

static size_t kept(uint64_t n, size_t most)
{
    return n < most ? (size_t)n : most;
}

void recent_add(struct recent *r, const struct store_row *row)
{
    const struct schema *schema = &r->plan->schema;
    const int64_t time = row->values[schema_find_kind(schema, COLUMN_TIME)];
    pthread_mutex_lock(&r->lock);
    const size_t at = r->n_decisions++ % RECENT_DECISIONS;
    double *value = r->values + at * r->width;
    r->decisions[at] = (struct recent_decision){row->order, row->received, time, row->decision};
    for (size_t i = 0; i < r->plan->n_inputs; i++)
        *value++ = (double)row->x[i];
    *value++ = row->decision.probability;
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind == COLUMN_NUMBER)
            *value++ = *(const double *)(const void *)&row->values[c];
    pthread_mutex_unlock(&r->lock);
}

// Bins are counted in a copy, so that the writer does not have to wait.
size_t recent_drift(struct recent *r, const struct model *m, double *psi)
{
    double *values = xcalloc(RECENT_DECISIONS * r->width, sizeof *values);
    pthread_mutex_lock(&r->lock);
    const size_t n = kept(r->n_decisions, RECENT_DECISIONS);
    memcpy(values, r->values, n * r->width * sizeof *values);
    pthread_mutex_unlock(&r->lock);
    for (size_t c = 0; c <= m->n_inputs; c++) {
        const struct histogram *h = c < m->n_inputs ? &m->inputs[c].reference : &m->score_reference;
        uint64_t counts[HISTOGRAM_BINS + 1] = {0};
        for (size_t i = 0; i < n; i++)
            counts[histogram_bin(h, values[i * r->width + c])]++;
        psi[c] = drift_psi(h->counts, counts, h->n_edges + 1);
    }
    free(values);
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

static void write_decision(const struct recent *r, size_t at, struct reply *reply)
{
    const struct recent_decision *d = &r->decisions[at];
    const struct recent_label *label = find_label(r, d->order);
    const double *number = r->values + at * r->width + r->plan->n_inputs + 1;
    char received[TIME_TEXT], time[TIME_TEXT];
    reply_add(reply, "{\"order\":%" PRId64 ",\"received\":\"%s\",\"time\":\"%s\",\"numbers\":{",
              d->order, time_text(received, d->received / 1000), time_text(time, d->time));
    for (size_t c = 0; c < r->plan->schema.n; c++) {
        if (r->plan->schema.columns[c].kind != COLUMN_NUMBER)
            continue;
        reply_name(reply, r->plan->schema.columns[c].name);
        reply_number(reply, *number++);
    }
    reply_add(reply, "},\"probability\":%.17g,\"decision\":\"%s\",\"model\":\"%" PRId64 "\",",
              d->decision.probability, d->decision.review ? "review" : "approve",
              d->decision.version);
    decision_write_reasons(&d->decision, r->plan, reply);
    reply_text(reply, !label ? "}" : label->fraud ? ",\"label\":1}" : ",\"label\":0}");
}

void recent_write_decisions(struct recent *r, bool reviews, struct reply *reply)
{
    reply_text(reply, "{\"decisions\":[");
    pthread_mutex_lock(&r->lock);
    for (size_t k = 0, n = 0; k < kept(r->n_decisions, RECENT_DECISIONS) && n < RECENT_SHOWN; k++) {
        const size_t at = (size_t)((r->n_decisions - 1 - k) % RECENT_DECISIONS);
        if (reviews && !r->decisions[at].decision.review)
            continue;
        reply_text(reply, n++ ? "," : "");
        write_decision(r, at, reply);
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
