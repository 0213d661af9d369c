// ingest/schema: what [columns] may say, how it explains what it may not, and JSON there and back.
#include "ingest/schema.h"
#include "tests/scratch.h"

#include <math.h>

static int parse(struct schema *s, const char *time_format, const char *columns, struct err *err)
{
    char text[4096];
    struct config c;
    snprintf(text, sizeof text, "[input]\ntime_format = %s\n[columns]\n%s", time_format, columns);
    if (config_load(&c, scratch_text("test.ini", text), err))
        fail_msg("%s", err->msg);
    int rc = schema_from_config(s, &c, err);
    config_release(&c);
    return rc;
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
    struct err err = {""};
    if (parse(&s, "%Y-%m-%d", WHOLE, &err))
        fail_msg("%s", err.msg);
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

static void rows_without_a_time_get_a_column_of_their_numbers(void **state)
{
    (void)state;
    struct schema s;
    struct err err;
    assert_int_equal(parse(&s, "row", "amount = Amount, number\n", &err), 0);
    int t = schema_find(&s, "time");
    assert_int_equal(t, 1);
    assert_int_equal(s.columns[t].kind, COLUMN_TIME);
    assert_string_equal(s.columns[t].header, "");
    schema_release(&s);
}

static void json_gives_the_same_schema_back(void **state)
{
    (void)state;
    static const char *const formats[] = {"epoch", "row"};
    static const char *const columns[] = {WHOLE, "amount = Amount, number\n"};
    for (int i = 0; i < 2; i++) {
        struct schema s, back;
        struct err err = {""};
        assert_int_equal(parse(&s, formats[i], columns[i], &err), 0);
        json_t *j = schema_to_json(&s);
        assert_non_null(j);
        if (schema_from_json(&back, j, &err))
            fail_msg("%s", err.msg);
        json_t *again = schema_to_json(&back);
        assert_true(json_equal(j, again));
        assert_int_equal(back.n, s.n);
        for (size_t k = 0; k < s.n; k++)
            assert_true(back.columns[k].min == s.columns[k].min &&
                        back.columns[k].max == s.columns[k].max);
        json_decref(j);
        json_decref(again);
        schema_release(&s);
        schema_release(&back);
    }
}

static void what_is_wrong_is_explained(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"epoch", "time = T, time\nx = X, nunber\n",
         "test.ini:5:8: [columns] x: 'nunber' is none "},
        {"epoch", "time = T, time\nx = X, nunber\n", "did you mean 'number'?\n  X, nunber\n     ^"},
        {"epoch", "time = T, time\nx = X, feature\n", "'feature' is none of"},
        {"epoch", "time = T, time\nx = X\n", "the kind is missing"},
        {"epoch", "time = T, time\nx = , number\n", "the header is missing"},
        {"epoch", "time = T, time\nx = \"X, number\n", "the quote is not closed"},
        {"epoch", "time = T, time\nx = \"X\"y, number\n", "a comma must follow"},
        {"epoch", "time = T, time\nx = X, number, mim=1\n", "did you mean 'min'?"},
        {"epoch", "time = T, time\nx = X, number, min=\n", "'min' needs a value"},
        {"epoch", "time = T, time\nx = X, number, min\n", "'min' needs a value"},
        {"epoch", "time = T, time\nx = X, number, min=low\n",
         "5:16: [columns] x: 'low' is not a n"},
        {"epoch", "time = T, time\nx = X, number, min=2, max=1\n", "min 2 is greater than max 1"},
        {"epoch", "time = T, time\nx = X, key, min=2\n", "only a number can have 'min' and 'max'"},
        {"epoch", "time = T, time, missing=0\n", "kind time cannot have 'missing'"},
        {"epoch", "time = T, time\nx = X, id, missing=0\n", "kind id cannot have 'missing'"},
        {"epoch", "time = T, time\nx = X, number, missing=no\n", "missing: 'no' is not a number"},
        {"epoch", "time = T, time\nx = X, label, missing=2\n", "missing: '2' is none of -1"},
        {"epoch", "time = T, time\nx = T, number\n", "'T' is the header of 'time' already"},
        {"epoch", "time = T, time\nx = X, time\n", "a second column of kind time; 'time' is one"},
        {"epoch", "time = T, time\nx-y = X, number\n", "'x-y' is not a name of letters"},
        {"epoch", "time = T, time\n1x = X, number\n", "'1x' is not a name of letters"},
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
    static const char *const cases[] = {
        "{}",
        "[]",
        "{\"time_format\":1,\"columns\":[]}",
        "{\"time_format\":\"epoch\",\"columns\":[]}",
        "{\"time_format\":\"%Q\",\"columns\":[{\"name\":\"t\",\"header\":\"T\",\"kind\":\"time\"}]"
        "}",
        "{\"time_format\":\"epoch\",\"columns\":[1]}",
        "{\"time_format\":\"epoch\",\"columns\":{\"name\":\"t\"}}",
        "{\"time_format\":\"epoch\",\"columns\":[{\"name\":\"t\",\"header\":\"T\"}]}",
        "{\"time_format\":\"epoch\",\"columns\":[{\"name\":\"t\",\"header\":\"T\",\"kind\":\"x\"}]"
        "}",
        "{\"time_format\":\"epoch\",\"columns\":[{\"name\":\"../"
        "t\",\"header\":\"T\",\"kind\":\"time\"}]}",
        "{\"time_format\":\"epoch\",\"columns\":[{\"name\":\"t\",\"header\":\"\",\"kind\":\"time\"}"
        "]}",
        "{\"time_format\":\"epoch\",\"columns\":[{\"name\":\"t\",\"header\":\"T\",\"kind\":"
        "\"time\"},"
        "{\"name\":\"x\",\"header\":\"X\",\"kind\":\"number\",\"min\":\"a\"}]}",
        "{\"time_format\":\"epoch\",\"columns\":[{\"name\":\"t\",\"header\":\"T\",\"kind\":"
        "\"time\"},"
        "{\"name\":\"x\",\"header\":\"X\",\"kind\":\"number\",\"missing\":0}]}",
        "{\"time_format\":\"epoch\",\"columns\":[{\"name\":\"t\",\"header\":\"T\",\"kind\":"
        "\"time\"},"
        "{\"name\":\"t\",\"header\":\"X\",\"kind\":\"number\"}]}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schema s;
        struct err err;
        json_t *j = json_loads(cases[i], 0, NULL);
        assert_non_null(j);
        if (schema_from_json(&s, j, &err) == 0)
            fail_msg("taken: %s", cases[i]);
        assert_memory_equal(err.msg, "schema: ", 8);
        json_decref(j);
    }
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (int k = COLUMN_ID; k <= COLUMN_FEATURE; k++) {
        enum column_kind back;
        assert_int_equal(column_kind_parse(column_kind_name((enum column_kind)k), &back), 0);
        assert_int_equal(back, k);
    }
}

static void a_number_without_limits_has_the_general_ones(void **state)
{
    (void)state;
    struct schema s, back;
    struct err err = {""};
    if (parse(&s, "%Y-%m-%d", "time = T, time\nx = X, number\ny = Y, number, max=1e30\n", &err))
        fail_msg("%s", err.msg);
    assert_true(s.columns[1].min == -SCHEMA_LIMIT && s.columns[1].max == SCHEMA_LIMIT);
    assert_true(s.columns[2].min == -SCHEMA_LIMIT && s.columns[2].max == 1e30);
    json_t *j = schema_to_json(&s);
    json_object_del(json_array_get(json_object_get(j, "columns"), 1), "max");
    assert_int_equal(schema_from_json(&back, j, &err), 0);
    assert_true(back.columns[1].max == SCHEMA_LIMIT);
    json_decref(j);
    schema_release(&back);
    schema_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_whole_section_is_read),
        scratch_test(rows_without_a_time_get_a_column_of_their_numbers),
        scratch_test(json_gives_the_same_schema_back),
        scratch_test(what_is_wrong_is_explained),
        cmocka_unit_test(hostile_json_is_refused),
        cmocka_unit_test(kinds_have_names),
        scratch_test(a_number_without_limits_has_the_general_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
