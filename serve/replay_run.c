// The loop over the rows: when a request is full and due, when labels come before it, and what
// happens with answers. How requests are sent is replay_client.c's.
#include "serve/replay_run.h"

#include "ingest/value.h"

#include "base/progress.h"
#include "serve/http.h"
#include "serve/replay_answer.h"
#include "serve/replay_client.h"
#include "serve/replay_labels.h"
#include "serve/replay_output.h"
#include "serve/replay_source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABELS = 1000, PASSED_ROWS = 64 }; // the first: of one POST /feedback

// What is in a call: transactions, or labels where n is 0.
struct load {
    size_t n, n_labels;
    struct reply ids;      // n texts, each ended by 0
    struct label **labels; // [batch], NULL where the row has none
    uint64_t sequence;     // of the request of transactions
    double due;
};

struct run {
    struct replay *replay;
    struct replay_tally *tally;
    struct replay_source source;
    struct replay_client client;
    struct replay_labels labels;
    struct replay_output output;
    struct load *loads;  // [connections], by call
    struct call *filled; // with transactions that are not yet sent; NULL: none
    double start, end;   // of the first request, of the latest answer
    int64_t clock;       // the latest time of the rows so far
    unsigned passed;     // rows since one that was sent
    bool heard;          // the server has answered something
    int64_t unheard;     // calls that it has not, before the first that it has
    struct progress progress;
};

static struct load *load_of(const struct run *r, const struct call *call)
{
    return &r->loads[call->index];
}

// ---- answers --------------------------------------------------------------------------------------

static int finish_transactions(struct run *r, struct call *call, struct err *err)
{
    struct load *load = load_of(r, call);
    struct reply lines = {0};
    double seconds = r->end - load->due;
    bool answered = replay_answer_decisions(call, load->ids.text, load->n, r->replay->batch > 1,
                                            r->tally, &lines);
    if (answered)
        latency_add(&r->tally->latency, (uint64_t)(fmax(seconds, 0) * 1e9));
    for (size_t i = 0; i < load->n && !answered; i++)
        if (load->labels[i])
            load->labels[i]->lost = true;
    int rc = replay_output_put(&r->output, load->sequence, &lines, err);
    reply_release(&lines);
    return rc;
}

// No other row would be answered, either.
static int refuse_silence(const struct replay *p, const struct call *call, struct err *err)
{
    return err_set(err, "no answer from %s: %s; is the server running?%s", p->url, call->why,
                   p->retry > 0 ? "" : " --retry SECONDS waits for it");
}

// All requests would be answered so.
static int refuse_token(const struct replay *p, struct err *err)
{
    if (p->token)
        return err_set(err, "%s: is not the token of the server at %s (401)", p->token, p->url);
    return err_set(err, "the server at %s wants a token (401): give its file with --token-file",
                   p->url);
}

// Wait for one answer until a moment; *came tells whether it did.
static int wait_answer(struct run *r, double until, bool *came, struct err *err)
{
    struct call *call;
    if (replay_client_wait(&r->client, until, &call, err))
        return -1;
    *came = call != NULL;
    if (!call)
        return 0;
    int rc = 0;
    r->end = seconds_now();
    if (load_of(r, call)->n > 0)
        rc = finish_transactions(r, call, err);
    else
        replay_answer_labels(call, load_of(r, call)->n_labels, r->tally);
    r->heard = r->heard || call->status != 0;
    if (rc == 0 && call->status == 401)
        rc = refuse_token(r->replay, err);
    r->unheard += !r->heard;
    if (rc == 0 && !r->heard && r->unheard >= r->replay->connections)
        rc = refuse_silence(r->replay, call, err);
    replay_client_give(&r->client, call);
    return rc;
}

static int wait_all(struct run *r, struct err *err)
{
    bool came;
    while (r->client.taken > 0)
        if (wait_answer(r, INFINITY, &came, err))
            return -1;
    return 0;
}

// A call for the next request, when one is free.
static struct call *take(struct run *r, struct err *err)
{
    struct call *call;
    bool came;
    while (!(call = replay_client_take(&r->client)))
        if (wait_answer(r, INFINITY, &came, err))
            return NULL;
    struct load *load = load_of(r, call);
    reply_reset(&call->body);
    reply_reset(&load->ids);
    load->n = load->n_labels = 0;
    return call;
}

// ---- transactions ---------------------------------------------------------------------------------

// Until the moment that the schedule has for the request, answers are taken.
static int wait_due(struct run *r, struct load *load, struct err *err)
{
    bool came;
    const int64_t rate = r->replay->rate;
    if (r->tally->requests == 0)
        r->start = r->end = seconds_now();
    load->due = rate > 0 ? r->start + (double)r->tally->sent / (double)rate : 0;
    do {
        if (wait_answer(r, load->due, &came, err))
            return -1;
    } while (came || seconds_now() < load->due);
    if (rate == 0)
        load->due = seconds_now();
    return 0;
}

static int send_filled(struct run *r, struct err *err)
{
    struct call *call = r->filled;
    bool came;
    if (!call)
        return 0;
    struct load *load = load_of(r, call);
    load->sequence = r->tally->requests;
    while (replay_output_full(&r->output, load->sequence))
        if (wait_answer(r, INFINITY, &came, err))
            return -1;
    if (wait_due(r, load, err))
        return -1;
    if (r->replay->batch > 1)
        reply_add(&call->body, "]");
    if (load->ids.failed)
        return err_set(err, "out of memory for a request");
    if (replay_client_send(&r->client, call, "/predict", err))
        return -1;
    r->filled = NULL;
    r->tally->requests++;
    r->tally->sent += load->n;
    return 0;
}

static int add_row(struct run *r, const struct replay_row *row, struct err *err)
{
    if (!r->filled && !(r->filled = take(r, err)))
        return -1;
    struct load *load = load_of(r, r->filled);
    struct reply *body = &r->filled->body;
    if (r->replay->batch > 1)
        reply_add(body, load->n ? "," : "[");
    replay_source_json(&r->source, body);
    reply_bytes(&load->ids, row->id, strlen(row->id) + 1);
    load->labels[load->n] = NULL;
    if (r->replay->labels >= 0 && row->label >= 0 &&
        !(load->labels[load->n] =
              replay_labels_add(&r->labels, row->id, row->time, row->label, err)))
        return -1;
    load->n++;
    return load->n == (size_t)r->replay->batch ? send_filled(r, err) : 0;
}

// ---- labels ---------------------------------------------------------------------------------------

// All that are due before a transaction of that time; the caller has seen that there are any.
static int post_labels(struct run *r, int64_t clock, struct err *err)
{
    if (send_filled(r, err) || wait_all(r, err))
        return -1;
    while (replay_labels_due(&r->labels, clock)) {
        struct call *call = take(r, err);
        if (!call)
            return -1;
        size_t n = replay_labels_take(&r->labels, clock, MAX_LABELS, &call->body);
        load_of(r, call)->n_labels = n;
        if (n == 0)
            replay_client_give(&r->client, call);
        else if (replay_client_send(&r->client, call, "/feedback", err) || wait_all(r, err))
            return -1;
    }
    return 0;
}

// ---- the whole ------------------------------------------------------------------------------------

// While a pipe has no row yet, and now and then while rows are passed over, answers are taken: so
// they are as early as they came.
static int take_answers(struct run *r, struct err *err)
{
    const size_t unsent = r->filled ? 1 : 0;
    bool came;
    if (r->passed >= PASSED_ROWS && r->client.taken > unsent) {
        r->passed = 0;
        if (wait_answer(r, 0, &came, err))
            return -1;
    }
    while (r->client.taken > unsent && !replay_source_ready(&r->source))
        if (wait_answer(r, seconds_now() + 0.005, &came, err))
            return -1;
    return 0;
}

static int send_row(struct run *r, const struct replay_row *row, struct err *err)
{
    r->clock = row->time > r->clock ? row->time : r->clock;
    if (replay_labels_due(&r->labels, r->clock) && post_labels(r, r->clock, err))
        return -1;
    return add_row(r, row, err);
}

static int send_rows(struct run *r, struct err *err)
{
    struct replay_row row;
    int rc;
    while ((rc = take_answers(r, err)) == 0 &&
           (rc = replay_source_next(&r->source, &row, err)) > 0) {
        progress_set(&r->progress, r->source.csv.bytes);
        r->passed = row.wanted ? 0 : r->passed + 1;
        if (row.wanted && send_row(r, &row, err))
            return -1;
    }
    return rc;
}

// What was sent before the file turned out broken is answered and counted all the same.
static int send_file(struct run *r, struct err *err)
{
    struct err later;
    r->clock = INT64_MIN;
    progress_init(&r->progress, "replay", r->source.csv.size);
    int rc = send_rows(r, err);
    if (send_filled(r, rc ? &later : err) || wait_all(r, rc ? &later : err))
        rc = -1;
    progress_done(&r->progress);
    r->tally->seconds = r->end - r->start;
    r->tally->again = r->client.again;
    r->tally->rejected = r->source.rejected;
    r->tally->labels_waiting = r->labels.n;
    return rc;
}

static int check_columns(const struct run *r, struct err *err)
{
    const struct replay_source *s = &r->source;
    if (r->replay->labels < 0 || (s->id >= 0 && s->label >= 0))
        return 0;
    return err_set(err, "--labels: %s: [columns] has no column of kind %s", r->replay->config,
                   s->id < 0 ? "id" : "label");
}

static int open_client(struct run *r, struct err *err)
{
    const struct replay *p = r->replay;
    char token[TOKEN_TEXT];
    if (p->token && token_read(token, p->token, err))
        return -1;
    const struct replay_client_settings settings = {.url = p->url,
                                                    .token = p->token ? token : NULL,
                                                    .connections = (size_t)p->connections,
                                                    .retry = (double)p->retry};
    return replay_client_open(&r->client, &settings, err);
}

static int allocate(struct run *r, struct err *err)
{
    const size_t n = (size_t)r->replay->connections;
    r->loads = calloc(n, sizeof *r->loads);
    for (size_t i = 0; r->loads && i < n; i++) {
        r->loads[i].labels = calloc((size_t)r->replay->batch, sizeof *r->loads[i].labels);
        if (!r->loads[i].labels)
            return err_set(err, "out of memory");
    }
    return r->loads ? 0 : err_set(err, "out of memory");
}

static void release(struct run *r)
{
    for (size_t i = 0; r->loads && i < (size_t)r->replay->connections; i++) {
        free(r->loads[i].labels);
        reply_release(&r->loads[i].ids);
    }
    free(r->loads);
    replay_client_release(&r->client);
    replay_output_release(&r->output);
    replay_labels_release(&r->labels);
    replay_source_release(&r->source);
}

int replay_run(struct replay *replay, struct err *err)
{
    struct run r = {.replay = replay,
                    .tally = &replay->tally,
                    .client.timer = -1,
                    .labels.delay = replay->labels * SECONDS_PER_DAY};
    int rc = replay_source_open(&r.source, replay->config, replay->input, replay->from,
                                replay->until, err);
    if (rc == 0)
        rc = check_columns(&r, err);
    if (rc == 0)
        rc = allocate(&r, err);
    if (rc == 0)
        rc = open_client(&r, err);
    if (rc == 0)
        rc = replay_output_open(&r.output, replay->output, err);
    if (rc == 0) {
        rc = send_file(&r, err);
        if (rc == 0)
            rc = replay_source_check(&r.source, err);
        if (rc == 0)
            rc = replay_output_commit(&r.output, err);
    }
    release(&r);
    return rc;
}
