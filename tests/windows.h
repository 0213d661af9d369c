// windows: the definition of windows, written down naively, for tests to compare with. For each row
// a loop over all rows that arrived before it, sums in exact integers. Rows may arrive in any order
// of their times: a row sees what arrived before it and is not newer.
//
//     make_windows()                       definitions[], of every kind of window
//     oracle_columns(&rows, x)             what windows add up
//     window_at(&windows[k], &rows, x[windows[k].x], i)     input k of a plan of definitions[]
#ifndef TESTS_WINDOWS_H
#define TESTS_WINDOWS_H

#include "tests/support.h"

#include <math.h>

// ---- the oracle for windows ----

// What a window may add up: columns and helper features, computed by the oracle itself.
enum { X_AMOUNT, X_LABEL, X_COUNT, X_RISK, X_SINCE, X_DEEP, N_X };

struct window {
    int64_t length, delay; // length 0: all
    char op;               // c count, s sum, m mean
    bool past;
    int key; // CUSTOMER or TERMINAL
    int x;
    double prior, weight;
};

// The helpers that are X_COUNT .. X_DEEP, each over what stands before it.
static const struct definition helpers[] = {
    {"_count", "count(terminal, 1d)"},
    {"_risk", "mean(terminal, label, 7d, delay=1h, prior=0.25, weight=8)"},
    {"_since", "min(since(customer), 3600)"},
    {"_deep", "sum(customer, _count + _since, 12h, past)"},
};
enum { N_HELPERS = sizeof helpers / sizeof *helpers };

static inline __int128 exact(double x)
{
    double scaled = ldexp(x, 80);
    assert_true(fabs(scaled) < 0x1p126 && scaled == rint(scaled));
    return (__int128)scaled;
}

static inline const uint64_t *key_column(const struct rows *r, int key)
{
    return key == CUSTOMER ? r->customer : r->terminal;
}

// Does row j, which is row i or came before it, of the same key, lie in the window of row i?
static inline bool inside(const struct window *w, const int64_t *time, size_t j, size_t i)
{
    if (w->past && j == i)
        return false;
    if (time[j] > time[i] - w->delay)
        return false;
    return w->length == 0 || time[j] > time[i] - w->delay - w->length;
}

static inline double window_at(const struct window *w, const struct rows *r, const double *x,
                               size_t i)
{
    const uint64_t *key = key_column(r, w->key);
    __int128 sum = 0;
    double count = 0;
    for (size_t j = 0; j <= i; j++)
        if (key[j] == key[i] && inside(w, r->time, j, i)) {
            count++;
            sum += w->op == 'c' ? 0 : exact(x[j]);
        }
    double total = ldexp((double)sum, -80);
    if (w->op == 'c')
        return count;
    if (w->op == 's')
        return total;
    double divisor = count + w->weight;
    return divisor == 0 ? 0 : (total + w->weight * w->prior) / divisor;
}

static inline double since_at(const struct rows *r, const uint64_t *key, size_t i)
{
    double since = INFINITY;
    for (size_t j = 0; j < i; j++)
        if (key[j] == key[i] && r->time[j] <= r->time[i])
            since = fmin(since, (double)(r->time[i] - r->time[j]));
    return since;
}

static inline void oracle_columns(const struct rows *r, double *x[N_X])
{
    const struct window count = {86400, 0, 'c', false, TERMINAL, 0, 0, 0},
                        risk = {7 * 86400, 3600, 'm', false, TERMINAL, 0, 0.25, 8},
                        deep = {12 * 3600, 0, 's', true, CUSTOMER, 0, 0, 0};
    double *added = calloc(r->n + 1, sizeof *added);
    for (int k = 0; k < N_X; k++)
        assert_non_null(x[k] = calloc(r->n + 1, sizeof **x));
    assert_non_null(added);
    for (size_t i = 0; i < r->n; i++) {
        double since = since_at(r, r->customer, i);
        x[X_AMOUNT][i] = r->amount[i];
        x[X_LABEL][i] = r->label[i] == 1 ? 1 : 0;
        x[X_COUNT][i] = window_at(&count, r, NULL, i);
        x[X_RISK][i] = window_at(&risk, r, x[X_LABEL], i);
        x[X_SINCE][i] = since < 3600 ? since : 3600;
        added[i] = x[X_COUNT][i] + x[X_SINCE][i];
        x[X_DEEP][i] = window_at(&deep, r, added, i);
    }
    free(added);
}

// ---- windows as text ----

static const struct {
    const char *text;
    int64_t seconds;
} lengths[] = {{"1s", 1},      {"2s", 2},      {"90s", 90}, {"15m", 900},
               {"12h", 43200}, {"7d", 604800}, {"all", 0}},
  delays[] = {{"", 0}, {", delay=1s", 1}, {", delay=90s", 90}, {", delay=2d", 172800}};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths, N_DELAYS = sizeof delays / sizeof *delays };

enum { MAX_WINDOWS = 1500 };
static struct window windows[MAX_WINDOWS];
static char names[MAX_WINDOWS][16], texts[MAX_WINDOWS][128];
static struct definition definitions[N_HELPERS + MAX_WINDOWS];
static size_t n_windows;

static inline void add_window(struct window w, const char *length, const char *options)
{
    static const char *const columns[N_COLUMNS] = {
        [CUSTOMER] = "customer", [TERMINAL] = "terminal"};
    static const char *const xs[N_X] = {"amount", "label", "_count", "_risk", "_since", "_deep"};
    assert_true(n_windows < MAX_WINDOWS);
    snprintf(names[n_windows], sizeof names[0], "w%zu", n_windows);
    snprintf(texts[n_windows], sizeof texts[0], "%s(%s, %s%s%s%s)",
             w.op == 'c'   ? "count"
             : w.op == 's' ? "sum"
                           : "mean",
             columns[w.key], w.op == 'c' ? "" : xs[w.x], w.op == 'c' ? "" : ", ", length, options);
    definitions[N_HELPERS + n_windows] = (struct definition){names[n_windows], texts[n_windows]};
    windows[n_windows++] = w;
}

// One key, length and delay: all functions of all values, with and without `past`.
static inline void add_windows(int key, size_t length, size_t delay)
{
    struct window w = {lengths[length].seconds, delays[delay].seconds, 'c', false, key, 0, 0, 0};
    for (int past = 0; past < 2; past++) {
        char options[64];
        snprintf(options, sizeof options, "%s%s", past ? ", past" : "", delays[delay].text);
        w.past = past;
        for (int x = 0; x < N_X; x++) {
            if (x == X_LABEL && w.delay == 0)
                continue; // a leak: no plan
            w.x = x;
            w.op = 's';
            add_window(w, lengths[length].text, options);
            w.op = 'm';
            add_window(w, lengths[length].text, options);
        }
        w.op = 'c';
        add_window(w, lengths[length].text, options);
    }
}

static inline void make_windows(void)
{
    n_windows = 0;
    memcpy(definitions, helpers, sizeof helpers);
    for (int key = CUSTOMER; key <= TERMINAL; key++)
        for (size_t l = 0; l < N_LENGTHS; l++)
            for (size_t d = 0; d < N_DELAYS; d++)
                add_windows(key, l, d);
    struct window smooth = {86400, 3600, 'm', false, TERMINAL, X_LABEL, 0.01, 20};
    add_window(smooth, "1d", ", delay=1h, weight=20, prior=0.01");
    smooth = (struct window){0, 0, 'm', true, CUSTOMER, X_AMOUNT, -2.5, 0.5};
    add_window(smooth, "all", ", prior = -2.5, past, weight=.5");
}

#endif
