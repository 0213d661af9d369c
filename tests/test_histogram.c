// histogram: quantile edges, which bin a value falls into, and the JSON form of hostile files.
#include "train/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_refused(const char *json, const char *words)
{
    struct histogram h;
    struct err err;
    json_t *j = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(j);
    assert_int_equal(histogram_from_json(&h, j, &err), -1);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not say '%s'", err.msg, words);
    json_decref(j);
}

static void edges_are_quantiles_and_bins_hold_equal_shares(void **state)
{
    (void)state;
    double values[1000];
    struct histogram h;
    struct err err;
    for (int i = 0; i < 1000; i++)
        values[i] = (double)(i * 617 % 1000) - 500; // each of −500 .. 499 once
    assert_int_equal(histogram_fit(&h, values, 1000, &err), 0);
    assert_int_equal(h.n_edges, 9);
    for (int b = 0; b < 9; b++)
        assert_true(h.edges[b] == -500 + 100 * (b + 1));
    for (int b = 0; b < 10; b++)
        assert_int_equal(h.counts[b], 100);
    for (int i = 0; i < 1000; i++)
        assert_true(values[i] == i - 500); // sorted
    histogram_release(&h);
}

static void a_value_on_an_edge_belongs_to_the_bin_above(void **state)
{
    (void)state;
    double edges[] = {-1, 2};
    uint64_t counts[] = {1, 1, 1};
    struct histogram h = {edges, counts, 2};
    assert_int_equal(histogram_bin(&h, -1.5), 0);
    assert_int_equal(histogram_bin(&h, -1), 1);
    assert_int_equal(histogram_bin(&h, 1.9), 1);
    assert_int_equal(histogram_bin(&h, 2), 2);
    assert_int_equal(histogram_bin(&h, INFINITY), 2);
}

static void counts_equal_a_recount_for_any_number_of_values(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 64; n++) {
        double values[64];
        uint64_t total = 0;
        struct histogram h;
        struct err err;
        for (size_t i = 0; i < n; i++)
            values[i] = (double)(i * 29 % 17) / 4 - 2;
        assert_int_equal(histogram_fit(&h, values, n, &err), 0);
        for (size_t b = 0; b <= h.n_edges; b++) {
            double low = b ? h.edges[b - 1] : -INFINITY;
            double high = b < h.n_edges ? h.edges[b] : INFINITY;
            uint64_t count = 0;
            for (size_t i = 0; i < n; i++)
                count += values[i] >= low && values[i] < high;
            assert_int_equal(h.counts[b], count);
            assert_true(low < high);
            total += count;
        }
        assert_int_equal(total, n);
        histogram_release(&h);
    }
}

static void a_value_that_holds_several_quantiles_has_a_bin_of_its_own(void **state)
{
    (void)state;
    double binary[10] = {0, 1, 0, 1, 0, 0, 0, -0.0, 0, 0}, rare[200] = {0}, middle[100];
    struct histogram h;
    struct err err;
    assert_int_equal(histogram_fit(&h, binary, 10, &err), 0);
    assert_int_equal(h.n_edges, 1);
    assert_int_equal(h.counts[0], 8);
    assert_int_equal(h.counts[1], 2);
    histogram_release(&h);
    rare[17] = 0.25; // 99 % are 0: what is not must still be seen
    rare[99] = 0.5;
    assert_int_equal(histogram_fit(&h, rare, 200, &err), 0);
    assert_int_equal(h.n_edges, 1);
    assert_true(h.edges[0] == 0.25);
    assert_int_equal(h.counts[1], 2);
    histogram_release(&h);
    for (int i = 0; i < 100; i++)
        middle[i] = i < 2 ? 1 : i < 97 ? 5 : 9;
    assert_int_equal(histogram_fit(&h, middle, 100, &err), 0);
    assert_int_equal(h.n_edges, 2);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 95);
    assert_int_equal(h.counts[2], 3);
    histogram_release(&h);
}

static void a_constant_tells_less_and_more_from_equal(void **state)
{
    (void)state;
    double constant[5] = {3, 3, 3, 3, 3};
    struct histogram h;
    struct err err;
    assert_int_equal(histogram_fit(&h, constant, 5, &err), 0);
    assert_int_equal(h.n_edges, 2);
    assert_int_equal(h.counts[1], 5);
    assert_int_equal(histogram_bin(&h, 2.999), 0);
    assert_int_equal(histogram_bin(&h, 3), 1);
    assert_int_equal(histogram_bin(&h, 3.001), 2);
    histogram_release(&h);
}

static void json_brings_back_the_same_doubles(void **state)
{
    (void)state;
    double values[40];
    struct histogram h, back;
    struct err err;
    for (int i = 0; i < 40; i++)
        values[i] = sqrt(i) / 3;
    assert_int_equal(histogram_fit(&h, values, 40, &err), 0);
    json_t *j = histogram_to_json(&h);
    assert_non_null(j);
    char *text = json_dumps(j, JSON_REAL_PRECISION(17));
    json_decref(j);
    j = json_loads(text, 0, NULL);
    assert_int_equal(histogram_from_json(&back, j, &err), 0);
    assert_int_equal(back.n_edges, h.n_edges);
    assert_memory_equal(back.edges, h.edges, h.n_edges * sizeof *h.edges);
    assert_memory_equal(back.counts, h.counts, (h.n_edges + 1) * sizeof *h.counts);
    json_decref(j);
    free(text);
    histogram_release(&h);
    histogram_release(&back);
}

static void json_that_is_no_histogram_is_refused(void **state)
{
    (void)state;
    assert_refused("[]", "xpected object");
    assert_refused("{\"edges\": [1]}", "counts");
    assert_refused("{\"edges\": [1], \"counts\": [1, 2], \"more\": 0}", "more");
    assert_refused("{\"edges\": [], \"counts\": [1]}", "1 to 9 edges");
    assert_refused("{\"edges\": 3, \"counts\": [1]}", "1 to 9 edges");
    assert_refused("{\"edges\": [1], \"counts\": [1, 2, 3]}", "one count more");
    assert_refused("{\"edges\": [1,2,3,4,5,6,7,8,9,10], \"counts\": [1,1,1,1,1,1,1,1,1,1,1]}",
                   "1 to 9 edges");
    assert_refused("{\"edges\": [2, 2], \"counts\": [1, 2, 3]}", "edges[1]");
    assert_refused("{\"edges\": [1, null], \"counts\": [1, 2, 3]}", "edges[1]");
    assert_refused("{\"edges\": [1], \"counts\": [1, -2]}", "counts[1]");
    assert_refused("{\"edges\": [1], \"counts\": [1.5, 2]}", "counts[0]");
    assert_refused("{\"edges\": [1], \"counts\": [0, 0]}", "all 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_quantiles_and_bins_hold_equal_shares),
        cmocka_unit_test(a_value_on_an_edge_belongs_to_the_bin_above),
        cmocka_unit_test(counts_equal_a_recount_for_any_number_of_values),
        cmocka_unit_test(a_value_that_holds_several_quantiles_has_a_bin_of_its_own),
        cmocka_unit_test(a_constant_tells_less_and_more_from_equal),
        cmocka_unit_test(json_brings_back_the_same_doubles),
        cmocka_unit_test(json_that_is_no_histogram_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
