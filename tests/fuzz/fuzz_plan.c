// fuzz_plan: the bytes are lines of feature expressions; what parses must survive JSON and run.
//
// Line i becomes the definition f<i>, or _f<i> where the line begins with '_', so that later lines
// can use earlier ones.
#include "tests/support.h"

enum { MAX_LINES = 8 };

static void run(const struct plan *p)
{
    static const struct row rows[] = {
        {0, 7, 1, -90000, 0, 0, 0, 0},     {1, 7, 2, -1, 0, -1.5, 1, 1},
        {2, 8, 1, 0, 0, 1e308, 2, -1},     {3, 7, 2, 0, 0, 57.16, 1, 1},
        {4, 8, 1, 86400, 0, -1e308, 0, 0}, {5, 7, 2, 253402300799, 0, 1e-300, UINT32_MAX, 1},
    };
    struct state s;
    struct err err;
    double *results = xcalloc(LENGTH(rows) * p->n_inputs, sizeof *results);
    state_make(&s, p, 2);
    assert_int_equal(run_block(&s, rows, LENGTH(rows), results, &err), 0);
    state_release(&s);
    free(results);
}

static void fit(struct plan *p)
{
    struct plan_value values[] = {{"web", 2}, {"a, \"b\"", 90}, {"", 1}};
    struct err err;
    for (size_t i = 0; i < p->n_definitions; i++) {
        if (p->definitions[i].unfitted >= 0)
            must(plan_fit_onehot(p, &p->definitions[i], values, 3, &err), &err);
        double sample[] = {-1.5, 2, 1e30, 7, -2, 0, 2, 1e-30};
        if (p->definitions[i].knots > 0)
            plan_fit_hinges(&p->definitions[i], sample, LENGTH(sample));
    }
    must(plan_refit(p, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xasprintf("%.*s", (int)size, (const char *)data), *rest, names[MAX_LINES][8];
    struct definition d[MAX_LINES];
    struct plan p;
    struct err err;
    size_t n = 0;
    for (char *line = strtok_r(text, "\n", &rest); line && n < MAX_LINES; n++) {
        snprintf(names[n], sizeof names[n], "%sf%zu", *line == '_' ? "_" : "", n);
        d[n] = (struct definition){names[n], line + (*line == '_')};
        line = strtok_r(NULL, "\n", &rest);
    }
    if (plan_try(&p, d, n, &err) == 0) {
        assert_survives_json(&p);
        run(&p);
        fit(&p);
        assert_survives_json(&p);
        run(&p);
        plan_release(&p);
    }
    free(text);
    return 0;
}
