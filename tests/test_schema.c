// ingest/schema: what [columns] and [input] may say, how mistakes are explained, and JSON there and
// back.
#include "ingest/schema.h"
#include "tests/scratch.h"

#include <math.h>

static int parse(struct schema *s, const char *time_format, const char *columns, struct err *err)
{
    char text[4096];
    struct config c;
    snprintf(text, sizeof text, "[input]\ntime_format = %s\n[columns]\n%s", time_format, columns);
    assert_int_equal(config_load(&c, scratch_text("test.ini", text), err), 0);
    int rc = schema_from_config(s, &c, err);
    config_release(&c);
    return rc;
}

static void make(struct schema *s, const char *time_format, const char *columns)
{
    struct err err;
    if (parse(s, time_format, columns, &err))
        fail_msg("%s", err.msg);
}

#define WHOLE                                                                                      \
    "id = ID, id\n"                                                                                \
    "time = When, time\n"                                                                          \
    "customer = \"Customer, number\", key, missing=unknown\n"                                      \
    "amount = Amount, number, min=-0.5, max=1e6, missing=0\n"                                      \
    "channel = Channel, category, missing=none\n"                                                  \
    "label = Fraud, label, missing=-1\n"

static void a_whole_section_is_read(void **state)
{
    (void)state;
    struct schema s;
    make(&s, "%Y-%m-%d", WHOLE);
    assert_int_equal(s.n, 6);
    assert_string_equal(s.time_format, "%Y-%m-%d");
    assert_string_equal(s.columns[2].header, "Customer, number");
    assert_string_equal(s.columns[2].missing, "unknown");
    assert_true(s.columns[3].min == -0.5 && s.columns[3].max == 1e6);
    assert_true(s.columns[0].min == -INFINITY && s.columns[0].max == INFINITY);
    assert_null(s.columns[0].missing);
    assert_int_equal(s.columns[5].kind, COLUMN_LABEL);
    assert_int_equal(schema_find(&s, "amount"), 3);
    assert_int_equal(schema_find(&s, "amounts"), -1);
    assert_int_equal(schema_find_kind(&s, COLUMN_TIME), 1);
    schema_release(&s);
}

static void json_gives_the_same_schema_back(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"epoch", WHOLE},
        {"row", "amount = Amount, number\n"},
        {"epoch", "time = T, time\nx = X, number\ny = Y, number, max=1e30\n"}};
    for (int i = 0; i < 3; i++) {
        struct schema s, back;
        struct err err = {""};
        make(&s, cases[i][0], cases[i][1]);
        json_t *j = schema_to_json(&s);
        if (i == 2) // limits that are absent are the general ones
            json_object_del(json_array_get(json_object_get(j, "columns"), 1), "max");
        if (schema_from_json(&back, j, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(back.n, s.n);
        for (size_t k = 0; k < s.n; k++) {
            const struct schema_column *a = &s.columns[k], *b = &back.columns[k];
            assert_string_equal(b->name, a->name);
            assert_string_equal(b->header, a->header);
            assert_int_equal(b->kind, a->kind);
            assert_true(b->min == a->min && b->max == a->max);
            assert_string_equal(b->missing ? b->missing : "-", a->missing ? a->missing : "-");
        }
        if (i == 1) // rows are numbered in a column of their own
            assert_true(s.columns[1].kind == COLUMN_TIME && *s.columns[1].header == '\0');
        if (i == 2)
            assert_true(s.columns[1].max == SCHEMA_LIMIT && s.columns[2].max == 1e30);
        json_decref(j);
        schema_release(&s);
        schema_release(&back);
    }
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"epoch", "x = X, nunber\n", "test.ini:4:8: [columns] x: 'nunber' is none "},
        {"epoch", "x = X, nunber\n", "did you mean 'number'?\n  X, nunber\n     ^"},
        {"epoch", "x = \xff, number\n", "it is not UTF-8"},
        {"epoch", "x = X, feature\n", "'feature' is none of"},
        {"epoch", "x = X\n", "the kind is missing"},
        {"epoch", "x = , number\n", "the header is missing"},
        {"epoch", "x = \"X, number\n", "the quote is not closed"},
        {"epoch", "x = \"X\"y, number\n", "a comma must follow"},
        {"epoch", "x = X, number, mim=1\n", "did you mean 'min'?"},
        {"epoch", "x = X, number, min=\n", "'min' needs a value"},
        {"epoch", "x = X, number, min\n", "'min' needs a value"},
        {"epoch", "x = X, number, min=low\n", "4:16: [columns] x: 'low' is not a n"},
        {"epoch", "x = X, number, min=2, max=1\n", "min 2 is greater than max 1"},
        {"epoch", "x = X, key, min=2\n", "only a number can have 'min' and 'max'"},
        {"epoch", "time = T, time, missing=0\n", "kind time cannot have 'missing'"},
        {"epoch", "x = X, id, missing=0\n", "kind id cannot have 'missing'"},
        {"epoch", "x = X, number, missing=no\n", "missing: 'no' is not a number"},
        {"epoch", "x = X, label, missing=2\n", "missing: '2' is none of -1"},
        {"epoch", "time = T, time\nx = T, number\n", "'T' is the header of 'time' already"},
        {"epoch", "time = T, time\nx = X, time\n", "a second column of kind time; 'time' is one"},
        {"epoch", "x-y = X, number\n", "'x-y' is not a name of letters"},
        {"epoch", "1x = X, number\n", "'1x' is not a name of letters"},
        {"epoch", "x = X, number\n", "test.ini: [columns]: no column of kind time"},
        {"row", "t = T, time\n", "with time_format = row there is no column of kind time"},
        {"row", "time = T, number\n", "a second column named 'time'"},
        {"%Y-%m", "time = T, time\n", "test.ini:2:15: [input] time_format: '%Y-%m' is neither"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schema s;
        struct err err;
        if (parse(&s, cases[i][0], cases[i][1], &err) == 0)
            fail_msg("taken: %s", cases[i][1]);
        assert_contains(err.msg, cases[i][2]);
    }
}

static void hostile_json_is_refused(void **state)
{
    (void)state;
    static const char *const wholes[] = {"{}",
                                         "[]",
                                         "{'time_format': 1, 'columns': []}",
                                         "{'time_format': 'epoch', 'columns': []}",
                                         "{'time_format': '%Q', 'columns': [1]}",
                                         "{'time_format': 'epoch', 'columns': {'name': 't'}}"};
    static const char *const columns[] = {
        "1",
        "{'name': 'x', 'header': 'X'}",
        "{'name': 'x', 'header': 'X', 'kind': 'y'}",
        "{'name': '../x', 'header': 'X', 'kind': 'number'}",
        "{'name': 'x', 'header': 'X', 'kind': 'feature'}",
        "{'name': 'x', 'header': 'X', 'kind': 'number', 'min': 'a'}",
        "{'name': 'x', 'header': 'X', 'kind': 'number', 'missing': 0}",
        "{'name': 't', 'header': 'X', 'kind': 'number'}"};
    const size_t n = sizeof wholes / sizeof *wholes;
    for (size_t i = 0; i < n + sizeof columns / sizeof *columns; i++) {
        char text[512];
        struct schema s;
        struct err err;
        if (i < n)
            snprintf(text, sizeof text, "%s", wholes[i]);
        else
            snprintf(text, sizeof text,
                     "{'time_format': 'epoch', 'columns': "
                     "[{'name': 't', 'header': 'T', 'kind': 'time'}, %s]}",
                     columns[i - n]);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        json_t *j = json_loads(text, 0, NULL);
        assert_non_null(j);
        if (schema_from_json(&s, j, &err) == 0)
            fail_msg("taken: %s", text);
        assert_memory_equal(err.msg, "schema: ", 8);
        json_decref(j);
    }
}

static void the_mistakes_of_a_dataset_are_explained(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[input]\ndelimeter = ;\n",
         "test.ini:2: unknown key 'delimeter' in [input], did you mean"},
        {"[input]\ndelimiter = ab\n", "test.ini:2:13: [input] delimiter: 'ab' is neither one"},
        {"[input]\nmax_reject_rate = 2\n", "2 is not within 0 .. 1"},
        {"[colums]\na = A, id\n", "unknown section [colums], did you mean 'columns'?"},
        {"[input]\nfile = x\n", "time_format is missing"},
        {"[input]\ntime_format = row\n", "[input] file is missing, and no INPUT is given"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dataset d;
        struct err err;
        assert_int_equal(dataset_load(&d, scratch_text("test.ini", cases[i][0]), NULL, &err), -1);
        assert_contains(err.msg, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_whole_section_is_read),
        scratch_test(json_gives_the_same_schema_back),
        scratch_test(mistakes_are_explained),
        cmocka_unit_test(hostile_json_is_refused),
        scratch_test(the_mistakes_of_a_dataset_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
