// labels: a state that is told labels later against a state that knew them from the start. Every
// result must have the same bits, whenever within the delay a label comes, however often it is
// changed, and however late its event and others come.
#include "tests/support.h"

enum { N = 4000, DELAY = 1800, COUNT = 4 };

static const struct definition definitions[] = {
    {"_many", "count(customer, 1d) > 2"},
    {"_fraud", "label * amount * (1 - _many)"},
    {"loss", "sum(terminal, _fraud, 3h, delay=1h)"},
    {"odd", "mean(customer, label * _many + (1 - label) * amount / 3, 2d, delay=30m)"},
    {"risk", "mean(terminal, label, 1d, delay=30m, prior=0.1, weight=2)"},
    {"ever", "sum(terminal, label, all, delay=1h)"},
    {"nested", "mean(customer, mean(terminal, label, 1d, delay=1h), 7d)"},
    {"plain", "count(customer, 1h)"},
    {"divided", "sum(terminal, 1 / (1 - label) + label, 1d, delay=2h)"},
};
enum { N_DEFINITIONS = sizeof definitions / sizeof *definitions };

struct online {
    struct state state;
    double *genuine, *fraud; // [N][COUNT]
    int8_t told[N];
};

static void tell(struct online *o, const struct rows *r, size_t i, int8_t label)
{
    const void *columns[N_COLUMNS] = {
        r->id + i,      r->time + i, r->customer + i, r->terminal + i, r->amount + i,
        r->channel + i, NULL};
    const struct events one = {1, columns};
    double *const values[] = {o->genuine + i * COUNT, o->fraud + i * COUNT};
    state_relabel(&o->state, &one, values[o->told[i] == 1], values[label == 1]);
    o->told[i] = label;
}

// Event i as a server has it: without its label.
static void serve(struct online *o, const struct rows *r, size_t i, struct results *results)
{
    struct rows unlabelled = *r;
    int8_t *none = calloc(r->n, 1);
    struct err err = {""};
    unlabelled.label = none;
    if (run_block(&o->state, &unlabelled, i, 1, results, &err))
        fail_msg("%s", err.msg);
    const void *columns[N_COLUMNS] = {
        r->id + i,      r->time + i, r->customer + i, r->terminal + i, r->amount + i,
        r->channel + i, none};
    const struct events one = {1, columns};
    state_label_values(&o->state, &one, o->genuine + i * COUNT, o->fraud + i * COUNT);
    free(none);
}

// longest: after which a label is told; changes: how often it is told wrongly before; late: how
// late an event may come.
static void compare(uint64_t seed, int64_t longest, int changes, int64_t late)
{
    struct plan p;
    struct rows r;
    struct results expected, found;
    static struct online o;
    static int64_t due[N];
    plan_make(&p, definitions, N_DEFINITIONS);
    assert_int_equal(p.n_label_lanes, COUNT);
    rows_random(&r, N, seed);
    if (late)
        rows_delay(&r, 0, late, seed);
    for (size_t i = 0; i < N; i++)
        due[i] = r.time[i] + (longest ? (int64_t)random_below(&seed, (uint64_t)longest + 1) : 0);
    run_all(&p, 1, &r, N, &expected);
    state_make(&o.state, &p, 1);
    results_init(&found, &p, N);
    o.genuine = calloc(N * COUNT, sizeof *o.genuine);
    o.fraud = calloc(N * COUNT, sizeof *o.fraud);
    memset(o.told, -1, sizeof o.told);
    for (size_t i = 0, from = 0; i < N; i++) {
        while (from < i && o.told[from] == r.label[from])
            from++;
        for (size_t j = from; j < i; j++) {
            if (due[j] > r.time[i] || o.told[j] == r.label[j] || r.label[j] < 0)
                continue;
            for (int k = 0; k < changes; k++)
                tell(&o, &r, j, (int8_t)((k + r.label[j] + 1) % 2));
            tell(&o, &r, j, r.label[j]);
        }
        serve(&o, &r, i, &found);
    }
    for (size_t k = 0; k < p.n_inputs; k++)
        for (size_t i = 0; i < N; i++)
            if (!same_bits(expected.values[k * N + i], found.values[k * N + i]))
                fail_msg("%s of event %zu is %.17g, not %.17g", p.inputs[k].name, i,
                         found.values[k * N + i], expected.values[k * N + i]);
    free(o.genuine);
    free(o.fraud);
    free(expected.values);
    free(found.values);
    state_release(&o.state);
    rows_release(&r);
    plan_release(&p);
}

static void labels_told_at_once_give_the_bits_of_batch(void **state)
{
    (void)state;
    compare(1, 0, 0, 0);
}

static void labels_told_within_the_delay_give_the_bits_of_batch(void **state)
{
    (void)state;
    for (uint64_t seed = 2; seed < 6; seed++)
        compare(seed, DELAY, 0, 0);
}

static void a_label_that_is_changed_leaves_no_trace_of_what_it_was(void **state)
{
    (void)state;
    compare(7, DELAY, 1, 0);
    compare(8, DELAY, 2, 0);
}

static void labels_of_events_that_come_late_and_in_between_give_the_same_bits(void **state)
{
    (void)state;
    compare(10, 0, 0, LATE_SECONDS);
    compare(11, DELAY, 0, LATE_SECONDS);
    compare(12, DELAY, 1, LATE_SECONDS);
    compare(13, DELAY, 2, 3600);
}

// The history keeps some days; the total of all before must know of the old fraud all the same.
static void
a_label_of_an_event_that_is_no_longer_kept_counts_in_windows_without_a_beginning(void **state)
{
    (void)state;
    static const struct definition ever[] = {{"ever", "sum(terminal, label, all, delay=1h)"},
                                             {"lately", "sum(terminal, label, 2h, delay=1h)"}};
    struct plan p;
    struct rows r;
    struct results found;
    struct state s;
    plan_make(&p, ever, 2);
    rows_random(&r, 300, 3);
    for (size_t i = 0; i < 300; i++) {
        r.time[i] = (int64_t)i * 60000;
        r.terminal[i] = 5;
        r.label[i] = 0;
    }
    state_make(&s, &p, 1);
    results_init(&found, &p, 300);
    run_rows(&s, &r, 0, 200, 1, &found);
    assert_true(state_history(&s, 0, 5, 1)->first > 0);
    const void *columns[N_COLUMNS] = {r.id,     r.time,    r.customer, r.terminal,
                                      r.amount, r.channel, NULL};
    const struct events one = {1, columns};
    state_relabel(&s, &one, (double[]){0, 0}, (double[]){1, 1});
    run_rows(&s, &r, 200, 300, 1, &found);
    assert_true(found.values[199] == 0);
    for (size_t i = 200; i < 300; i++) {
        assert_true(found.values[i] == 1);
        assert_true(found.values[300 + i] == 0);
    }
    free(found.values);
    state_release(&s);
    rows_release(&r);
    plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_told_at_once_give_the_bits_of_batch),
        cmocka_unit_test(labels_told_within_the_delay_give_the_bits_of_batch),
        cmocka_unit_test(a_label_that_is_changed_leaves_no_trace_of_what_it_was),
        cmocka_unit_test(labels_of_events_that_come_late_and_in_between_give_the_same_bits),
        cmocka_unit_test(
            a_label_of_an_event_that_is_no_longer_kept_counts_in_windows_without_a_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
