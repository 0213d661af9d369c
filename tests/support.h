// support: what the tests of features/ share: plans over one schema, random events with the awkward
// cases in them, and a run of a state over them.
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include "base/memory.h"
#include "features/state.h"
#include "tests/scratch.h"

#include <math.h>

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

// All NaN count as one.
static inline bool same_bits(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

// A double as a whole number of 2^-80, without loss.
static inline __int128 exact(double x)
{
    double scaled = ldexp(x, 80);
    assert_true(fabs(scaled) < 0x1p126 && scaled == rint(scaled));
    return (__int128)scaled;
}

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
    int rc = plan_from_json(p, json, err);
    json_decref(json);
    if (rc)
        plan_release(p);
    return rc;
}

static inline void plan_make(struct plan *p, const struct definition *d, size_t n)
{
    struct err err = {""};
    must(plan_try(p, d, n, &err), &err);
}

// Through the text of JSON, as a manifest or a model holds it.
static inline void assert_survives_json(const struct plan *p)
{
    struct plan back;
    struct err err = {""};
    json_t *json = plan_to_json(p);
    char *text = json_dumps(json, 0);
    json_t *read = json_loads(text, 0, NULL);
    must(plan_from_json(&back, read, &err), &err);
    assert_int_equal(plan_checksum(p), plan_checksum(&back));
    assert_int_equal(p->n_nodes, back.n_nodes);
    assert_int_equal(p->n_inputs, back.n_inputs);
    for (size_t i = 0; i < p->n_inputs; i++)
        assert_string_equal(p->inputs[i].name, back.inputs[i].name);
    json_decref(json);
    json_decref(read);
    free(text);
    plan_release(&back);
}

struct row {
    uint64_t id, customer, terminal;
    int64_t time, arrival;
    double amount;    // cents: k / 100
    uint32_t channel; // 0, 1, 2, or 3, which no text stands behind
    int8_t label;
};

static inline struct events one_event(const struct row *r, const void *columns[N_COLUMNS])
{
    const void *const values[] = {&r->id,     &r->time,    &r->customer, &r->terminal,
                                  &r->amount, &r->channel, &r->label};
    memcpy(columns, values, sizeof values);
    return (struct events){1, columns};
}

static inline int by_arrival(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->arrival != y->arrival)
        return x->arrival < y->arrival ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

// A third of the rows, which are in time order, arrives late, by up to that many seconds.
static inline void rows_delay(struct row *r, size_t n, int64_t longest, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        r[i].arrival = r[i].time;
        if (random_below(&seed, 3) == 0)
            r[i].arrival +=
                (int64_t)random_below(&seed, random_below(&seed, 2) ? 100 : (uint64_t)longest + 1);
    }
    qsort(r, n, sizeof *r, by_arrival);
}

// n events in the order of their arrival, up to so many seconds late (0: in time order), with times
// around 0 that are often equal. free() them.
static inline struct row *rows_random(size_t n, uint64_t seed, int64_t late)
{
    static const uint64_t steps[] = {1, 1, 1, 2, 30, 90, 3600, 90000};
    const uint64_t first_seed = seed;
    struct row *r = xcalloc(n, sizeof *r);
    int64_t time = -(int64_t)n * 2000;
    for (size_t i = 0; i < n; i++) {
        time += (int64_t)random_below(&seed, steps[random_below(&seed, LENGTH(steps))]);
        r[i] = (struct row){.id = i,
                            .customer = random_below(&seed, 9),
                            .terminal = random_below(&seed, 1 + random_below(&seed, 50)),
                            .time = time,
                            .amount = ((double)random_below(&seed, 2000000) - 500000) / 100,
                            .channel = (uint32_t)random_below(&seed, 4),
                            .label = (int8_t)((int)random_below(&seed, 3) - 1)};
    }
    if (late)
        rows_delay(r, n, late, first_seed);
    return r;
}

static inline void state_make(struct state *s, const struct plan *p, unsigned threads)
{
    static const char *const channels[] = {"chip", "web", "phone"};
    state_init(s, p, threads);
    state_bind(s, CHANNEL, channels, 3);
}

// Run n events as one block; 0 or -1. results[event][input] are the doubles inside the plan; each
// float32 that comes out must be that, rounded once, or 0 where it is not finite.
static inline int run_block(struct state *s, const struct row *r, size_t n, double *results,
                            struct err *err)
{
    static const size_t sizes[N_COLUMNS] = {8, 8, 8, 8, 8, 4, 1};
    const size_t n_inputs = s->plan->n_inputs;
    char *memory = xcalloc(N_COLUMNS * n, 8);
    float *values = xcalloc(n_inputs * n, sizeof *values), **out = xcalloc(n_inputs, sizeof *out);
    const void *columns[N_COLUMNS], *of_row[N_COLUMNS];
    for (size_t c = 0; c < N_COLUMNS; c++) {
        columns[c] = memory + c * n * 8;
        for (size_t i = 0; i < n; i++) {
            one_event(&r[i], of_row);
            memcpy(memory + c * n * 8 + i * sizes[c], of_row[c], sizes[c]);
        }
    }
    for (size_t k = 0; k < n_inputs; k++)
        out[k] = values + k * n;
    int rc = state_run(s, &(struct events){n, columns}, out, err);
    for (size_t i = 0; i < n * n_inputs && rc == 0; i++) {
        const double x = s->values[s->plan->inputs[i % n_inputs].node][i / n_inputs];
        const float expected = isfinite((float)x) ? (float)x : 0;
        assert_memory_equal(&out[i % n_inputs][i / n_inputs], &expected, sizeof expected);
        results[i] = x;
    }
    free(memory);
    free(values);
    free(out);
    return rc;
}

// Run events [first, end) in blocks of that size into results[event][input].
static inline void run_rows(struct state *s, const struct row *r, size_t first, size_t end,
                            size_t block, double *results)
{
    struct err err = {""};
    for (size_t i = first; i < end; i += block)
        must(run_block(s, r + i, end - i < block ? end - i : block, results + i * s->plan->n_inputs,
                       &err),
             &err);
}

// The results of all events through a fresh state; free() them.
static inline double *run_all(const struct plan *p, unsigned threads, const struct row *r, size_t n,
                              size_t block)
{
    struct state s;
    double *results = xcalloc(n * p->n_inputs, sizeof *results);
    state_make(&s, p, threads);
    run_rows(&s, r, 0, n, block, results);
    state_release(&s);
    return results;
}

#endif
