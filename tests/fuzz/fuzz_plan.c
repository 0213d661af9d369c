// fuzz_plan: the bytes are lines of feature expressions; what parses must survive JSON and run.
//
// Line i becomes the definition f<i>, or _f<i> where the line begins with '_', so that later lines
// can use earlier ones.
#include "base/memory.h"
#include "features/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] = "{\"time_format\":\"epoch\",\"columns\":["
                             "{\"name\":\"id\",\"header\":\"I\",\"kind\":\"id\"},"
                             "{\"name\":\"time\",\"header\":\"T\",\"kind\":\"time\"},"
                             "{\"name\":\"customer\",\"header\":\"C\",\"kind\":\"key\"},"
                             "{\"name\":\"terminal\",\"header\":\"P\",\"kind\":\"key\"},"
                             "{\"name\":\"amount\",\"header\":\"A\",\"kind\":\"number\"},"
                             "{\"name\":\"channel\",\"header\":\"H\",\"kind\":\"category\"},"
                             "{\"name\":\"label\",\"header\":\"L\",\"kind\":\"label\"}]}";

enum { N_EVENTS = 6, MAX_LINES = 8 };

static json_t *plan_of_lines(const uint8_t *data, size_t size)
{
    json_t *features = json_array();
    const char *at = (const char *)data, *end = at + size;
    for (int i = 0; i < MAX_LINES && at < end; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        int helper = *at == '_';
        char name[8];
        snprintf(name, sizeof name, "%sf%d", helper ? "_" : "", i);
        // A line that is not UTF-8 gives no string, and then no definition.
        json_array_append_new(features,
                              json_pack("{s:s, s:o}", "name", name, "expression",
                                        json_stringn(at + helper, (size_t)(stop - at - helper))));
        at = newline ? newline + 1 : end;
    }
    return json_pack("{s:o, s:o}", "schema", json_loads(schema, 0, NULL), "features", features);
}

static void run(const struct plan *p)
{
    static const uint64_t ids[] = {0, 1, 2, 3, 4, 5}, customers[] = {7, 7, 8, 7, 8, 7},
                          terminals[] = {1, 2, 1, 2, 1, 2};
    static const int64_t times[] = {-90000, -1, 0, 0, 86400, 253402300799};
    static const double amounts[] = {0, -1.5, 1e308, 57.16, -1e308, 1e-300};
    static const uint32_t channels[] = {0, 1, 2, 1, 0, UINT32_MAX};
    static const int8_t labels[] = {0, 1, -1, 1, 0, 1};
    static const char *const texts[] = {"a", "b"};
    const void *columns[] = {ids, times, customers, terminals, amounts, channels, labels};
    struct state s;
    struct err err;
    float **out = xcalloc(p->n_inputs, sizeof *out);
    float *values = xcalloc(p->n_inputs * N_EVENTS, sizeof *values);
    for (size_t i = 0; i < p->n_inputs; i++)
        out[i] = values + i * N_EVENTS;
    state_init(&s, p, 2);
    state_bind(&s, 5, texts, 2);
    if (state_run(&s, &(struct events){N_EVENTS, columns}, out, &err))
        abort();
    for (size_t i = 0; i < p->n_inputs * N_EVENTS; i++)
        if (values[i] - values[i] != 0) // not finite
            abort();
    state_release(&s);
    free(values);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan p, again;
    struct err err;
    json_t *json = plan_of_lines(data, size);
    if (json && plan_from_json(&p, json, &err) == 0) {
        json_t *back = plan_to_json(&p);
        if (plan_from_json(&again, back, &err) || plan_checksum(&p) != plan_checksum(&again))
            abort();
        run(&again);
        json_decref(back);
        plan_release(&again);
        plan_release(&p);
    }
    json_decref(json);
    return 0;
}
