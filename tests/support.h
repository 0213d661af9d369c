// support: what the tests of features/ share. Plans from a fixed schema, random events with the
// awkward cases in them (equal times, few keys, unknown labels), and a run of a state over them.
//
// No oracle is here: each test brings its own.
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include "features/state.h"
#include "tests/scratch.h"

// ---- numbers ----

// xorshift64* (Vigna 2016); the state is the caller's and not 0.
static inline uint64_t random_bits(uint64_t *s)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * 2685821657736338717u;
}

static inline uint64_t random_below(uint64_t *s, uint64_t n)
{
    return (random_bits(s) >> 33) % n;
}

static inline bool same_bits(double a, double b)
{
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
}

// ---- plans ----

// The columns, in the order of struct rows below.
enum { ID, TIME, CUSTOMER, TERMINAL, AMOUNT, CHANNEL, LABEL, N_COLUMNS };
#define SCHEMA                                                                                     \
    "{\"time_format\":\"epoch\",\"columns\":["                                                     \
    "{\"name\":\"id\",\"header\":\"I\",\"kind\":\"id\"},"                                          \
    "{\"name\":\"time\",\"header\":\"T\",\"kind\":\"time\"},"                                      \
    "{\"name\":\"customer\",\"header\":\"C\",\"kind\":\"key\"},"                                   \
    "{\"name\":\"terminal\",\"header\":\"P\",\"kind\":\"key\"},"                                   \
    "{\"name\":\"amount\",\"header\":\"A\",\"kind\":\"number\"},"                                  \
    "{\"name\":\"channel\",\"header\":\"H\",\"kind\":\"category\"},"                               \
    "{\"name\":\"label\",\"header\":\"L\",\"kind\":\"label\"}]}"

struct definition {
    const char *name, *expression;
};

// 0 or -1, as plan_from_json.
static inline int plan_try(struct plan *p, const struct definition *d, size_t n, struct err *err)
{
    json_t *features = json_array(), *schema = json_loads(SCHEMA, 0, NULL);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            features, json_pack("{s:s, s:s}", "name", d[i].name, "expression", d[i].expression));
    json_t *json = json_pack("{s:o, s:o}", "schema", schema, "features", features);
    assert_non_null(json);
    int rc = plan_from_json(p, json, err);
    json_decref(json);
    return rc;
}

static inline void plan_make(struct plan *p, const struct definition *d, size_t n)
{
    struct err err = {""};
    if (plan_try(p, d, n, &err))
        fail_msg("%s", err.msg);
}

// ---- events ----

struct rows {
    size_t n;
    uint64_t *id, *customer, *terminal;
    int64_t *time;
    double *amount; // cents: k / 100
    uint32_t *channel;
    int8_t *label;
};

static inline void rows_release(struct rows *r)
{
    free(r->id);
    free(r->customer);
    free(r->terminal);
    free(r->time);
    free(r->amount);
    free(r->channel);
    free(r->label);
}

// A step to the next event: mostly none or some seconds, sometimes minutes, hours or days.
static inline int64_t random_step(uint64_t *seed)
{
    static const uint64_t spans[] = {1, 1, 1, 2, 30, 90, 3600, 90000};
    return (int64_t)random_below(seed, spans[random_below(seed, 8)]);
}

// n events in time order from 1960 on, so that times go through 0 and are often equal.
static inline void rows_random(struct rows *r, size_t n, uint64_t seed)
{
    int64_t time = -(int64_t)n * 2000;
    *r = (struct rows){n,
                       calloc(n, sizeof *r->id),
                       calloc(n, sizeof *r->customer),
                       calloc(n, sizeof *r->terminal),
                       calloc(n, sizeof *r->time),
                       calloc(n, sizeof *r->amount),
                       calloc(n, sizeof *r->channel),
                       calloc(n, sizeof *r->label)};
    assert_true(r->id && r->customer && r->terminal && r->time && r->amount && r->channel &&
                r->label);
    for (size_t i = 0; i < n; i++) {
        r->id[i] = i;
        r->time[i] = time += random_step(&seed);
        r->customer[i] = random_below(&seed, 9);
        r->terminal[i] = random_below(&seed, 1 + random_below(&seed, 30)); // some are rare
        r->amount[i] = ((double)random_below(&seed, 2000000) - 500000) / 100;
        r->channel[i] = (uint32_t)random_below(&seed, 4);
        r->label[i] = (int8_t)((int)random_below(&seed, 3) - 1);
    }
}

// An event's place in the order of arrival.
struct arrival {
    int64_t time; // of arrival
    size_t row;
};

static inline int by_arrival(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

// The rows from there on in the order of their arrival.
static inline void rows_arrange(struct rows *r, size_t from, struct arrival *arrivals)
{
    struct rows was;
    rows_random(&was, r->n, 1);
    memcpy(was.id, r->id, r->n * sizeof *r->id);
    memcpy(was.time, r->time, r->n * sizeof *r->time);
    memcpy(was.customer, r->customer, r->n * sizeof *r->customer);
    memcpy(was.terminal, r->terminal, r->n * sizeof *r->terminal);
    memcpy(was.amount, r->amount, r->n * sizeof *r->amount);
    memcpy(was.channel, r->channel, r->n * sizeof *r->channel);
    memcpy(was.label, r->label, r->n * sizeof *r->label);
    qsort(arrivals + from, r->n - from, sizeof *arrivals, by_arrival);
    for (size_t i = from; i < r->n; i++) {
        const size_t row = arrivals[i].row;
        r->id[i] = was.id[row];
        r->time[i] = was.time[row];
        r->customer[i] = was.customer[row];
        r->terminal[i] = was.terminal[row];
        r->amount[i] = was.amount[row];
        r->channel[i] = was.channel[row];
        r->label[i] = was.label[row];
    }
    rows_release(&was);
}

// Rows that are in time order from `from` on come into one of arrival: a third of them is delayed,
// by seconds or by up to `longest`, LATE_SECONDS at most. So none is later than that for any key.
static inline void rows_delay(struct rows *r, size_t from, int64_t longest, uint64_t seed)
{
    struct arrival *arrivals = calloc(r->n + 1, sizeof *arrivals);
    assert_non_null(arrivals);
    for (size_t i = from; i < r->n; i++) {
        arrivals[i] = (struct arrival){r->time[i], i};
        if (random_below(&seed, 3) == 0)
            arrivals[i].time +=
                (int64_t)random_below(&seed, random_below(&seed, 2) ? 100 : (uint64_t)longest + 1);
    }
    rows_arrange(r, from, arrivals);
    free(arrivals);
}

// ---- running ----

// The nodes' doubles, before they become float32: [input · n + event].
struct results {
    size_t n, n_inputs;
    double *values;
};

static inline void results_init(struct results *r, const struct plan *p, size_t n)
{
    *r = (struct results){n, p->n_inputs, calloc(p->n_inputs * n + 1, sizeof(double))};
    assert_non_null(r->values);
}

// Run events [first, first + n) as one block into the same places of the results; 0 or -1. Each
// float32 that comes out must be the double rounded once, 0 where that is not finite.
static inline int run_block(struct state *s, const struct rows *r, size_t first, size_t n,
                            struct results *results, struct err *err)
{
    const struct plan *p = s->plan;
    const void *columns[N_COLUMNS] = {r->id + first,       r->time + first,   r->customer + first,
                                      r->terminal + first, r->amount + first, r->channel + first,
                                      r->label + first};
    struct events events = {n, columns};
    float **out = calloc(p->n_inputs + 1, sizeof *out);
    assert_non_null(out);
    for (size_t k = 0; k < p->n_inputs; k++)
        assert_non_null(out[k] = calloc(n + 1, sizeof **out));
    int rc = state_run(s, &events, out, err);
    for (size_t k = 0; k < p->n_inputs; k++) {
        for (size_t i = 0; i < n && rc == 0; i++) {
            double x = s->values[p->inputs[k].node][i];
            float expected = (float)x - (float)x == 0 ? (float)x : 0; // inf - inf is NaN
            assert_memory_equal(&out[k][i], &expected, sizeof expected);
            results->values[k * results->n + first + i] = x;
        }
        free(out[k]);
    }
    free(out);
    return rc;
}

// Run events [first, end) in blocks of that size.
static inline void run_rows(struct state *s, const struct rows *r, size_t first, size_t end,
                            size_t block, struct results *results)
{
    struct err err = {""};
    for (size_t i = first; i < end; i += block)
        if (run_block(s, r, i, end - i < block ? end - i : block, results, &err))
            fail_msg("%s", err.msg);
}

// The texts behind the codes 0, 1, 2 of `channel`; 3 is a code that nobody knows.
static inline void state_make(struct state *s, const struct plan *p, unsigned threads)
{
    static const char *const channels[] = {"chip", "web", "phone"};
    state_init(s, p, threads);
    state_bind(s, CHANNEL, channels, 3);
}

// All events through a fresh state.
static inline void run_all(const struct plan *p, unsigned threads, const struct rows *r,
                           size_t block, struct results *results)
{
    struct state s;
    state_make(&s, p, threads);
    results_init(results, p, r->n);
    run_rows(&s, r, 0, r->n, block, results);
    state_release(&s);
}

#endif
