// Quantile histograms: the reference that drift is measured against. What is done with the shares
// (PSI and its like, smoothing of empty bins) is monitor's.
#include "train/histogram.h"
#include "train/sort.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int allocate(struct histogram *h, size_t n_edges, struct err *err)
{
    *h = (struct histogram){.n_edges = n_edges};
    h->edges = calloc(n_edges + 1, sizeof *h->edges);
    h->counts = calloc(n_edges + 1, sizeof *h->counts);
    if (h->edges && h->counts)
        return 0;
    histogram_release(h);
    return err_set(err, "out of memory for a histogram");
}

// The smallest of the sorted values that is larger than v; v itself where none is.
static double next_larger(const double *values, size_t n, double v)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (values[middle] > v)
            high = middle;
        else
            low = middle + 1;
    }
    return low < n ? values[low] : v;
}

static void add_edge(struct histogram *h, double edge)
{
    if (h->n_edges == 0 || edge > h->edges[h->n_edges - 1])
        h->edges[h->n_edges++] = edge;
}

// An edge at the smallest value would leave it in one bin with all that is larger, and so would a
// value that is several quantiles at once: the next larger value is the edge then.
static void fit_edges(struct histogram *h, const double *values, size_t n)
{
    double before = values[0];
    for (size_t b = 1; b < HISTOGRAM_BINS; b++) {
        double quantile = values[n / HISTOGRAM_BINS * b + n % HISTOGRAM_BINS * b / HISTOGRAM_BINS];
        double edge = quantile == before ? next_larger(values, n, quantile) : quantile;
        if (edge > values[0])
            add_edge(h, edge);
        before = quantile;
    }
    if (h->n_edges == 0) { // a constant: less, equal, more
        add_edge(h, values[0]);
        add_edge(h, nextafter(values[0], INFINITY));
    }
}

int histogram_fit(struct histogram *h, double *values, size_t n, struct err *err)
{
    if (sort_doubles(values, n))
        return err_set(err, "out of memory to sort %zu values", n);
    if (allocate(h, HISTOGRAM_BINS - 1, err))
        return -1;
    h->n_edges = 0;
    fit_edges(h, values, n);
    for (size_t i = 0; i < n; i++)
        h->counts[histogram_bin(h, values[i])]++;
    return 0;
}

size_t histogram_bin(const struct histogram *h, double value)
{
    size_t b = 0;
    while (b < h->n_edges && value >= h->edges[b])
        b++;
    return b;
}

json_t *histogram_to_json(const struct histogram *h)
{
    json_t *edges = json_array(), *counts = json_array();
    bool bad = !edges || !counts;
    for (size_t i = 0; i < h->n_edges; i++)
        bad = bad || json_array_append_new(edges, json_real(h->edges[i]));
    for (size_t i = 0; i <= h->n_edges; i++)
        bad = bad || json_array_append_new(counts, json_integer((json_int_t)h->counts[i]));
    if (!bad)
        return json_pack("{s:o, s:o}", "edges", edges, "counts", counts);
    json_decref(edges);
    json_decref(counts);
    return NULL;
}

static int read_edges(struct histogram *h, const json_t *edges, struct err *err)
{
    for (size_t i = 0; i < h->n_edges; i++) {
        const json_t *edge = json_array_get(edges, i);
        h->edges[i] = json_number_value(edge);
        if (!json_is_number(edge) || !isfinite(h->edges[i]))
            return err_set(err, "edges[%zu] is not a finite number", i);
        if (i > 0 && h->edges[i] <= h->edges[i - 1])
            return err_set(err, "edges[%zu] is not above the one before", i);
    }
    return 0;
}

static int read_counts(struct histogram *h, const json_t *counts, struct err *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= h->n_edges; i++) {
        json_int_t count = json_integer_value(json_array_get(counts, i));
        if (!json_is_integer(json_array_get(counts, i)) || count < 0 || count > 1LL << 53)
            return err_set(err, "counts[%zu] is not a number of rows", i);
        h->counts[i] = (uint64_t)count;
        total += h->counts[i];
    }
    return total > 0 ? 0 : err_set(err, "counts are all 0");
}

int histogram_from_json(struct histogram *h, const json_t *json, struct err *err)
{
    *h = (struct histogram){0};
    json_error_t why;
    json_t *edges, *counts;
    // jansson reads through a pointer it does not declare const
    if (json_unpack_ex((json_t *)json, &why, JSON_STRICT, "{s:o, s:o}", "edges", &edges, "counts",
                       &counts))
        return err_set(err, "%s", why.text);
    size_t n = json_array_size(edges);
    if (n < 1 || n > HISTOGRAM_BINS - 1 || json_array_size(counts) != n + 1)
        return err_set(err, "needs 1 to %d edges, and one count more than edges",
                       HISTOGRAM_BINS - 1);
    if (allocate(h, n, err))
        return -1;
    if (read_edges(h, edges, err) == 0 && read_counts(h, counts, err) == 0)
        return 0;
    histogram_release(h);
    return -1;
}

void histogram_release(struct histogram *h)
{
    free(h->edges);
    free(h->counts);
    *h = (struct histogram){0};
}
