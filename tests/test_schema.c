// ingest/schema: what [columns] and [input] may say, how mistakes are explained, and JSON there and
// back.
#define EACH scratch_make, scratch_remove
#include "ingest/schema.h"
#include "tests/release.h"
#include "tests/scratch.h"

#include <math.h>

static void release(struct dataset *d)
{
    schema_release(&d->schema);
    config_release(&d->config);
    for (size_t i = 0; i < d->n_na; i++)
        free(d->na[i]);
    free(d->na);
}

static int load(struct dataset *d, const char *time_format, const char *columns, struct err *err)
{
    char text[4096];
    snprintf(text, sizeof text, "[input]\ntime_format = %s\n[columns]\n%s", time_format, columns);
    return dataset_load(d, scratch_text("test.ini", text), "-", err);
}

#define WHOLE                                                                                      \
    "id = ID, id\n"                                                                                \
    "time = When, time\n"                                                                          \
    "customer = \"Customer, number\", key, missing=unknown\n"                                      \
    "amount = Amount, number, min=-0.5, max=1e6, missing=0\n"                                      \
    "channel = Channel, category, missing=none\n"                                                  \
    "label = Fraud, label, missing=-1\n"

static void assert_whole(const struct schema *s)
{
    assert_int_equal(s->n, 6);
    assert_string_equal(s->time_format, "%Y-%m-%d");
    assert_string_equal(s->columns[2].header, "Customer, number");
    assert_string_equal(s->columns[2].missing, "unknown");
    assert_true(s->columns[3].min == -0.5 && s->columns[3].max == 1e6);
    assert_null(s->columns[0].missing);
    assert_int_equal(s->columns[5].kind, COLUMN_LABEL);
    assert_int_equal(schema_find(s, "amount"), 3);
    assert_int_equal(schema_find(s, "amounts"), -1);
}

TEST_CASE(a_schema_is_read_and_json_gives_it_back)
{
    static const char *const cases[][2] = {
        {"%Y-%m-%d", WHOLE},
        {"row", "amount = Amount, number\n"}, // rows are numbered in a column of their own
        {"epoch", "y = Y, number, max=1e30\ntime = T, time\n"},
        {"epoch\nunit = 1h\nutc_offset = -03:30",
         "y = #2, number, missing=flag, strip=$%\ntime = T, time\nl = Y, label, positive=yes|Y\n"
         "key = C, key\nc = C, category, missing=mean\n"}};
    for (int i = 0; i < 4; i++) {
        struct dataset d;
        struct schema back;
        struct err err = {""};
        must(load(&d, cases[i][0], cases[i][1], &err), &err);
        json_t *j = schema_to_json(&d.schema);
        must(schema_from_json(&back, j, &err), &err);
        json_t *again = schema_to_json(&back);
        assert_true(json_equal(j, again) && back.n == d.schema.n);
        assert_true(schema_find_kind(&back, COLUMN_TIME) == 1);
        if (i == 0)
            assert_whole(&back);
        if (i == 3) {
            assert_true(back.unit == 3600 && back.utc_offset == -12600 &&
                        isnan(back.columns[0].fill));
            assert_true(column_fits_missing(back.columns) &&
                        !column_fits_missing(&back.columns[4]));
            assert_true(!back.columns[0].strip);
            assert_string_equal(d.schema.columns[0].strip, "$%");
            assert_string_equal(d.schema.columns[2].positive, "yes|Y");
        }
        if (i == 2)
            assert_true(back.columns[0].min == -SCHEMA_LIMIT && back.columns[0].max == 1e30);
        json_decref(j);
        json_decref(again);
        release(&d);
        schema_release(&back);
    }
}

TEST_CASE(mistakes_are_explained)
{
    static const char *const cases[][3] = {
        {"epoch", "x = X, nunber\n", "did you mean 'number'?\n  X, nunber\n     ^"},
        {"epoch", "x = \xff, number\n", "it is not UTF-8"},
        {"epoch", "x = X\n", "the kind is missing"},
        {"epoch", "x = \"X, number\n", "the header is missing, or its quotes are wrong"},
        {"epoch", "x = X, number, mim=1\n", "did you mean 'min'?"},
        {"epoch", "x = X, number, min=\n", "'min' needs a value"},
        {"epoch", "x = X, number, min=low\n", "4:16: [columns] x: 'low' is not a n"},
        {"epoch", "x = X, number, min=2, max=1\n", "min 2 is greater than max 1"},
        {"epoch", "x = X, key, min=2\n", "only a number can have 'min' and 'max'"},
        {"epoch", "time = T, time, missing=0\n", "kind time cannot have 'missing'"},
        {"epoch", "x = X, number, missing=no\n", "missing: 'no' is not a number"},
        {"epoch", "x = X, number, positive=1\n", "only a label can have 'positive'"},
        {"epoch", "x = X, key\ny = X, key\n", "'X' is the header of 'x' already"},
        {"epoch", "x-y = X, number\n", "'x-y' is not a name of letters"},
        {"epoch", "x = X, number\n", "test.ini: [columns]: no column of kind time"},
        {"row", "t = T, time\n", "with time_format = row there is no column of kind time"},
        {"row", "time = T, number\n", "a second column named 'time'"},
        {"%Y-%m", "time = T, time\n", "test.ini:2:15: [input] time_format: '%Y-%m' is neither"},
        {"%Y-%m-%d %Y", "time = T, time\n", "'%Y' is there twice"},
        {"row\nmax_reject_rate = 2", "x = X, number\n", "2 is not within 0 .. 1"},
        {"row\ndelimiter = ;", "x = X, number\n", "space or semicolon (; begins a comment)"},
        {"row\nutc_offset = +01:00", "x = X, number\n", ", and rows have no time"},
        {"epoch\nutc_offset = 1h", "t = T, time\n", "3:14: [input] utc_offset: it is the distance"},
        {"row\nna = NA, , ?", "x = X, number\n", "test.ini:3:10: [input] na: a text is empty"},
        {"row\nthousands = .", "x = X, number\n", "it is the decimal mark; write decimal = comma"},
        {"row\nencoding = utf8000", "x = X, number\n",
         "3:12: [input] encoding: 'utf8000' is no enc"},
        {"%Y-%m-%d %I", "t = T, time\n", "%I and %p go together"},
        {"row\ndelimeter = ;", "x = X, number\n", "test.ini:3: unknown key 'delimeter' in [input]"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct dataset d;
        struct err err;
        if (load(&d, cases[i][0], cases[i][1], &err) == 0)
            fail_msg("taken: %s", cases[i][1]);
        assert_contains(err.msg, cases[i][2]);
        release(&d);
    }
    struct dataset d;
    const char *ini = scratch_text("test.ini", "[input]\ntime_format = row\n");
    assert_int_equal(dataset_load(&d, ini, NULL, &(struct err){""}), -1);
    release(&d);
}

TEST_CASE(hostile_json_is_refused)
{
    static const char *const cases[] = {
        "{}",
        "{'time_format': '%Q', 'columns': [1]}",
        "{'time_format': 'row', 'columns': [1]}",
        "{'time_format':'epoch','unit':0,'columns':[{'name':'t','header':'T','kind':'time'}]}",
        "{'time_format': 'row', 'columns': [{'name': 'x', 'header': 'X', 'kind': 'y'}]}",
        "{'time_format': 'row', 'columns': [{'name': '../x', 'header': 'X', 'kind': 'number'}]}",
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct schema s;
        struct err err;
        char text[256];
        snprintf(text, sizeof text, "%s", cases[i]);
        for (char *p = text; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        json_t *j = json_loads(text, 0, NULL);
        if (!j || schema_from_json(&s, j, &err) == 0)
            fail_msg("taken: %s", text);
        assert_memory_equal(err.msg, "schema: ", 8);
        schema_release(&s);
        json_decref(j);
    }
}

TESTS(NULL, NULL)
