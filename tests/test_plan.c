// features/plan and parse: what the language means, what it refuses and where it points, and that a
// plan survives its journey through JSON.
#include "tests/release.h"
#include "tests/support.h"

// The value of an expression for one event, a Monday, 1970-01-05 06:30:00, by chip.
static double value_of(const char *expression)
{
    const struct definition d = {"x", expression};
    const struct row r = {
        .customer = 1, .time = 4 * 86400 + 6 * 3600 + 1800, .amount = 6, .label = 1};
    struct plan p;
    plan_make(&p, &d, 1);
    double *result = run_all(&p, 1, &r, 1, 1), value = *result;
    free(result);
    plan_release(&p);
    return value;
}

TEST_CASE(operators_bind_and_group_as_in_arithmetic)
{
    static const struct {
        const char *expression;
        double value;
    } cases[] = {
        {"48 / 4 / 3", 4},
        {"(2 <= 2) + 2 * (2 < 2) + 4 * (2 >= 2) + 8 * (2 > 2)", 5},
        {"1e3 + .5 + 2. + 1.5e-1 + 1E+1", 1012.65},
        {"max(min(5, 2), min(4, 3))", 3},
        {"\tamount*amount ", 36},
        {"-0", -0.0},
        {"max(1, amount, 3, 5) + 10 * min(4, 3, 2, 7)", 26},
        {"not 1 < 2 or 1 > 2 and 1 / 0", 0},
        {"(not 0 and 5) + 2 * (0 or -1) + 4 * (0 or 0) + 8 * (1 and 0)", 3},
        {"if(amount > 5, 2, 1 / 0) + if(0 and 1, 7, if(amount, 30, 40))", 32},
        {"if(0 / 0, 1, 0)", 0},                    // x / 0 is 0, so this is no NaN
        {"if(log(-1), 1, 0) + (log(-1) or 0)", 2}, // as in C, NaN is true
        {"sqrt(-1)", NAN},
        {"log(exp(2)) + sqrt(9) + pow(2, -1) + floor(-1.5) + abs(-4)", 7.5},
        {"sin(0) + cos(0) + log1p(0) + exp(0)", 2},
        {"1000000 * minute(time) + 10000 * hour(time) + 100 * day(time) + month(time)", 30060501},
        {"amount * channel == \"chip\"", 6},
        {"(channel != \"chip\") + 10 * (channel != \"a\\\"b\") + 100 * (channel == \"\")", 10},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        if (!same_bits(value_of(cases[i].expression), cases[i].value))
            fail_msg("%s is %.17g, not %.17g", cases[i].expression, value_of(cases[i].expression),
                     cases[i].value);
}

TEST_CASE(equal_parts_are_one_node_and_helpers_are_no_inputs)
{
    const struct definition d[] = {{"_mean", "mean(customer, amount, 7d)"},
                                   {"a", "amount / mean( customer,amount , 7d )"},
                                   {"sum", "amount/mean(customer, amount, 168h)"},
                                   {"amount", "amount"},
                                   {"d", "_mean + count(customer, 7d) + since(customer)"}};
    struct plan p;
    size_t means = 0;
    plan_make(&p, d, LENGTH(d));
    for (size_t i = 0; i < p.n_nodes; i++)
        means += p.nodes[i].op == NODE_MEAN;
    assert_int_equal(means, 1);
    assert_int_equal(p.n_tracks, 1);
    assert_int_equal(p.n_inputs, 4);
    assert_int_equal(p.inputs[0].node, p.inputs[1].node);
    assert_string_equal(p.inputs[3].name, "d");
    plan_release(&p);
}

TEST_CASE(inputs_of_hour_and_weekday_alone_follow_the_calendar)
{
    static const struct {
        const char *helper, *expression;
        bool follows;
    } cases[] = {{"1", "weekday(time) >= 5", true},
                 {"hour(time)", "_helper", true},
                 {"weekday(time) == 4", "min(_helper, 1 - (hour(time) <= 6)) * 2 / 3", true},
                 {"day(time)", "if(_helper == 1, month(time), minute(time)) + sin(_helper)", true},
                 {"amount", "if(hour(time), 1, _helper)", false},
                 {"1 + 1", "_helper", false}, // a constant never drifts
                 {"hour(time)", "_helper * amount", false},
                 {"1", "time", false},
                 {"hour(time) <= 6", "sum(customer, _helper, 7d)", false},
                 {"1", "hour(time) * count(customer, 1d)", false},
                 {"1", "hour(time) + mean(terminal, label, 7d, delay=7d)", false},
                 {"1", "onehot(channel, \"web\")", false}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct definition d[] = {
            {"before", "amount"}, {"_helper", cases[i].helper}, {"x", cases[i].expression}};
        struct plan p;
        plan_make(&p, d, LENGTH(d));
        if (plan_follows_calendar(&p, 1) != cases[i].follows || plan_follows_calendar(&p, 0))
            fail_msg("%s with _helper = %s", cases[i].expression, cases[i].helper);
        plan_release(&p);
    }
}

#define SIXTY "############################################################"
#define INI                                                                                        \
    "[input]\ntime_format = epoch\n\n[columns]\n"                                                  \
    "id = I, id\ntime = T, time\ncustomer = C, key\nterminal = P, key\namount = A, number\n"       \
    "channel = H, category\nlabel = L, label\n\n"
#define FEATURES                                                                                   \
    "[features]\nfirst = amount\n_helper = amount * 2\nvia = onehot(channel)\n"                    \
    "_fraud = amount * label\n"

static int plan_from_ini(struct plan *p, const char *features, struct err *err)
{
    struct config config;
    assert_int_equal(
        config_load(&config, scratch_text("test.ini", formatted(INI "%s\n", features)), err), 0);
    int rc = plan_from_config(p, &config, err);
    config_release(&config);
    if (rc)
        plan_release(p);
    return rc;
}

// The expression of a feature x, with an @ before the byte that the message must point at.
static const struct {
    const char *marked, *words;
} refusals[] = {
    // the label, however it is wrapped
    {"1 > abs(min(1, log1p(@label)))", "the label is what the model predicts"},
    {"@_fraud", "the label is what the model predicts"},
    {"mean(terminal, label, 7d, delay=@0s)", "1s at least"},
    {"mean(@label, amount, 7d, delay=7d)", "'label' is not a key column"},
    // unknown names
    {"@amuont", "unknown column or feature 'amuont', did you mean 'amount'?"},
    {"@cuont(customer, 7d)", "unknown function 'cuont', did you mean 'count'?"},
    {"mean(@custmer, amount, 7d)", "unknown column or feature 'custmer', did you mean 'customer'?"},
    {"count(customer, 7d, @pats)", "past, delay=, prior= or weight= is expected here"},
    {"@x + 1", "defined here or below"},
    // columns that are no numbers
    {"@id", "'id' is the id"},
    {"@channel + 1", "'channel' is a category: compare it with a text, channel == \"...\", or"},
    {"@if", "unknown column or feature 'if'"},
    {"@via + 1", "'via' is a onehot"},
    {"hour(@amount)", "hour takes the time column"},
    // operators, numbers and arguments
    {"1 +@", "a value is expected here"},
    {"1 < 2 @< 3", "comparisons cannot be chained"},
    {"amount @= 1", "an operator is expected here"},
    {"@1.2.3", "'1.2.3' is not a number"},
    // windows
    {"count(@)", "count needs a key column first"},
    {"count(customer, @amount, 7d)", "a window is expected here"},
    {"count(customer, @7days)", "a length of time is expected"},
    {"count(customer, 7d, @weight=3)", "only mean takes weight="},
    {"mean(customer, amount, 7d, weight=3@)", "prior= and weight= go together"},
    // onehot
    {"onehot(channel) @+ 1", "onehot must be the whole expression"},
    {"onehot(@amount)", "takes a category column"},
    {"onehot(channel, min@=1)", "min is a share of rows, like 1%"},
    {"onehot(channel, \"a\", max@=3)", "max= are for a onehot without values"},
    {"onehot(channel, @\"" SIXTY "#\")", "at most 60 bytes"},
    // hinges
    {"hinges(amount, 3) @+ 1", "hinges must be the whole expression"},
    {"hinges(@label, 3)", "the label is what the model predicts"},
    {"hinges(amount, @65)", "1 to 64 knots; write a knot that is alone as 20.0"},
    {"hinges(amount, 1.5, -2, @1.50)", "twice"},
    {"onehot(channel, \"web\", @\"web\")", "twice"},
    {"1 + @customer", "'customer' is a key"},
    {"onehot(channel, * @\"web\")", "')' is missing"},
    {"onehot(channel, \"web@", "'\"' is missing"},
    {"onehot(channel, @\"gr\xf6\")", "UTF-8"},
};

TEST_CASE(a_wrong_expression_is_refused_and_pointed_at)
{
    for (size_t i = 0; i < LENGTH(refusals); i++) {
        const char *marked = refusals[i].marked, *mark = strchr(marked, '@');
        const int offset = (int)(mark - marked);
        struct plan p;
        struct err err = {"(accepted)"};
        const char *expression = formatted("%.*s%s", offset, marked, mark + 1);
        assert_int_equal(plan_from_ini(&p, formatted(FEATURES "x = %s", expression), &err), -1);
        assert_contains(err.msg, refusals[i].words);
        assert_contains(err.msg, formatted("test.ini:18:%d: [features] x: ", 5 + offset));
        assert_contains(err.msg, formatted("\n  %s\n  %*s", expression, offset + 1, "^"));
    }
}

TEST_CASE(definitions_that_cannot_be_are_refused_and_others_not)
{
    static const char *const cases[][2] = {
        {"[features]\n_a = 1", "has only helpers"},
        {"[features]\namount = hinges(amount + 1, 2)", "'amount' is a column already"},
        {"[features]\namount = hinges(amount, 2)\nx = amount + 1", NULL},
        {"[features]\n_f = label\n_more = _f + 1\nx = _more", "test.ini:16:5: [features] x: the"},
        {"[features]\nlabel = amount", "'label' is a column already"},
        {"[features]\namount = amount", NULL},
        {"[features]\n_small = label * (amount < 9)\n_risk = mean(terminal, label, 28d, delay=7d)\n"
         "x = mean(customer, _risk, 7d) + sum(terminal, _small, 1s, past, delay=1s) * max(_risk, "
         "0)\n[split]\nlabel_delay = 1s",
         NULL},
    };
    struct plan p;
    struct err err;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(plan_from_ini(&p, cases[i][0], &err), cases[i][1] ? -1 : 0);
        if (cases[i][1])
            assert_contains(err.msg, cases[i][1]);
        else
            plan_release(&p);
    }
    static const char *const names[] = {"", "1x", "a-b", "a[b]", "\xc3\xa4", "amount"};
    struct definition d[] = {{"a", "1"}, {"a", "2"}};
    assert_int_equal(plan_try(&p, d, 2, &err), -1);
    assert_contains(err.msg, "feature 'a', byte 0: the feature 'a' is defined already");
    for (size_t i = 0; i < LENGTH(names); i++) {
        d[0].name = names[i];
        assert_int_equal(plan_try(&p, d, 1, &err), -1);
    }
    static const char *const no_plans[] = {
        "{}", "{\"schema\":{},\"features\":[]}",
        "{\"schema\":" SCHEMA ",\"features\":[{\"name\":\"a\"}]}",
        "{\"schema\":" SCHEMA ",\"features\":{}}",
        "{\"schema\":{\"time_format\":\"row\",\"columns\":{}},\"features\":[]}"};
    for (size_t i = 0; i < LENGTH(no_plans); i++) {
        json_t *json = json_loads(no_plans[i], 0, NULL);
        assert_non_null(json);
        assert_int_equal(plan_from_json(&p, json, &err), -1);
        plan_release(&p);
        json_decref(json);
    }
}

TEST_CASE(nesting_and_the_number_of_values_are_limited)
{
    static const char *const parts[] = {"(", "not ", "-", "abs(", "sum(customer, ", "amount + "};
    enum { TIMES = 100000 };
    for (size_t i = 0; i < LENGTH(parts); i++) {
        char *text = xcalloc(TIMES, 16), *end = text;
        const struct definition d = {"x", text};
        struct plan p;
        struct err err = {""};
        for (int k = 0; k < TIMES; k++)
            end = stpcpy(end, parts[i]);
        assert_int_equal(plan_try(&p, &d, 1, &err), -1);
        assert_contains(err.msg, i < 5 ? "nested more than 64 deep" : "more than 4096 values");
        free(text);
    }
}

// Fit a onehot to values; the plan stays the caller's. Of 4000 rows, those without values are of "all".
static int fit(struct plan *p, const char *onehot, struct plan_value *values, size_t n,
               struct err *err)
{
    const struct definition d = {"via", onehot};
    plan_make(p, &d, 1);
    assert_true(p->definitions->unfitted == CHANNEL && p->n_inputs == 0);
    const int rc =
        plan_fit_onehot(p, p->definitions, values, n, err) || plan_refit(p, err) ? -1 : 0;
    assert_int_equal(p->definitions->unfitted, -1);
    return rc;
}

TEST_CASE(onehot_keeps_the_frequent_values_and_lists_the_rare_ones)
{
    struct plan_value some[] = {{"rare", 9},    {"one percent", 10}, {"many", 580}, {"b-tie", 200},
                                {"a-tie", 200}, {"none", 0},         {"\"\\", 1}},
                      many[2000];
    static const char *const cases[][2] = {
        {"onehot(channel)", "onehot(channel, \"many\", \"a-tie\", \"b-tie\", \"one percent\", "
                            "*, \"rare\", \"\\\"\\\\\")"},
        {"onehot(channel, min=25%, max = 3)",
         "onehot(channel, \"many\", *, \"a-tie\", \"b-tie\", \"one percent\", \"rare\", "
         "\"\\\"\\\\\")"},
        {"onehot(channel, min=.1%, max=5)",
         "onehot(channel, \"many\", \"a-tie\", \"b-tie\", \"one percent\", \"rare\", *, "
         "\"\\\"\\\\\")"},
        {"onehot(channel, min=.2%)", // .1 % of the rows are too few for a *
         "onehot(channel, \"many\", \"a-tie\", \"b-tie\", \"one percent\", \"rare\")"}};
    char words[2000][8];
    struct plan p;
    struct err err = {""};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        must(fit(&p, cases[i][0], some, LENGTH(some), &err), &err);
        assert_string_equal(p.definitions[0].expression, cases[i][1]);
        assert_survives_json(&p);
        if (i == 0)
            assert_true(p.n_inputs == 5 && strcmp(p.inputs[3].name, "via[one percent]") == 0 &&
                        strcmp(p.inputs[4].name, "via[*]") == 0);
        plan_release(&p);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(words[i], sizeof words[i], "v%04d", i);
        many[i] = (struct plan_value){words[i], i == 7 ? 250 : 1};
    }
    must(fit(&p, "onehot(channel)", many, 2000, &err), &err);
    size_t size = p.nodes[p.inputs[1].node].text_size;
    assert_true(p.n_inputs == 2 && size == 1000 * sizeof "v0000"); // no more are known
    plan_release(&p);
    many[7].rows = 200;
    assert_int_equal(fit(&p, "onehot(channel)", many + 7, 1993, &err), -1);
    assert_contains(err.msg, "[features] via: 90.9 % of the training rows have one of the rare "
                             "values of 'channel'");
    assert_contains(err.msg, "make it a key");
    plan_release(&p);
    for (int i = 0; i < 40; i++)
        many[i].rows = 1;
    must(fit(&p, "onehot(channel)", many, 40, &err), &err);
    assert_int_equal(p.n_inputs, 32 + 1); // no more have one of their own
    plan_release(&p);
    must(fit(&p, "onehot(channel)", some, 0, &err), &err);
    assert_int_equal(p.n_inputs, 0);
    plan_release(&p);
}

TEST_CASE(values_of_a_onehot_are_one_of_its_inputs_or_none)
{
    static const struct definition d[] = {{"new", "onehot(channel, \"web\", *, \"x\", \"phone\")"},
                                          {"none", "onehot(channel, \"chip\", *)"},
                                          {"short", "onehot(channel, \"web\")"}};
    // new[web] new[*] none[chip] short[web] of chip, web, phone, and of a text that is nowhere
    static const double expected[4][4] = {{0, 0, 1, 0}, {1, 0, 0, 1}, {0, 1, 0, 0}, {0, 0, 0, 0}};
    struct plan p;
    plan_make(&p, d, LENGTH(d));
    assert_int_equal(p.n_inputs, 4);
    const struct row r[4] = {
        {.channel = 0}, {.channel = 1}, {.channel = 2}, {.channel = UINT32_MAX}};
    double *results = run_all(&p, 1, r, 4, 4);
    assert_memory_equal(results, expected, sizeof expected);
    assert_survives_json(&p);
    free(results);
    plan_release(&p);
}

TEST_CASE(hinges_bend_at_quantiles_that_say_something)
{
    static const struct {
        const char *hinges, *fitted;
        double sample[12];
        size_t n, inputs;
    } cases[] = {
        {"hinges(amount, 2)",
         "hinges(amount, 5, 9)",
         {9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
         12,
         3},
        {"hinges(amount, 5)", "hinges(amount, -1.5, 0.5)", {-2, -2, -1.5, 0.5F, 2, 2}, 6, 3},
        {"hinges(amount, 1)", "hinges(amount, 20.0)", {1, 20, 30}, 3, 2},
        {"hinges(amount, 1)", "hinges(amount, 1.5)", {1, 1.5F, 30}, 3, 2},
        {"hinges(amount, 4)", "hinges(amount)", {1, 1, 1, 1, 1, 2}, 6, 1},
        {"hinges(min(amount, 9), 4)", "hinges(min(amount, 9))", {0}, 0, 1},
    };
    const struct row r = {.amount = 6};
    struct err err = {""};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct definition d = {"amounts", cases[i].hinges};
        double sample[12];
        struct plan p;
        plan_make(&p, &d, 1);
        assert_true(p.n_inputs == 1 && p.definitions[0].knots > 0);
        memcpy(sample, cases[i].sample, sizeof sample);
        plan_fit_hinges(p.definitions, sample, cases[i].n);
        must(plan_refit(&p, &err), &err);
        assert_string_equal(p.definitions[0].expression, cases[i].fitted);
        assert_true(p.n_inputs == cases[i].inputs && p.definitions[0].knots == 0);
        assert_survives_json(&p);
        if (i == 0) {
            double *x = run_all(&p, 1, &r, 1, 1);
            assert_true(x[0] == 6 && x[1] == 1 && x[2] == 0);
            assert_string_equal(p.inputs[1].name, "amounts[5]");
            free(x);
        }
        plan_release(&p);
    }
}

TEST_CASE(odd_values_become_names_of_files_and_survive_json_and_too_long_ones_do_not)
{
    // Text, and the name its input must have.
    static const char *const odd[][2] = {{"", "via[]"},
                                         {"say \"hi\"", "via[say %22hi%22]"},
                                         {"back\\slash\\", "via[back%5Cslash%5C]"},
                                         {"../../etc/passwd", "via[..%2F..%2Fetc%2Fpasswd]"},
                                         {"gr\xc3\xb6n", "via[gr\xc3\xb6n]"},
                                         {"a, b); onehot(c", "via[a, b); onehot(c]"},
                                         {SIXTY, NULL},
                                         {SIXTY "#", NULL}};
    struct plan_value values[LENGTH(odd)];
    struct plan p;
    struct err err = {""};
    for (size_t i = 0; i < LENGTH(odd); i++)
        values[i] = (struct plan_value){odd[i][0], 1};
    must(fit(&p, "onehot(channel)", values, LENGTH(odd), &err), &err);
    assert_int_equal(p.n_inputs, LENGTH(odd)); // one of them is [*]
    for (size_t i = 0; i < LENGTH(odd) && odd[i][1]; i++) {
        size_t k = 0;
        while (k < p.n_inputs && strcmp(p.inputs[k].name, odd[i][1]) != 0)
            k++;
        assert_true(k < p.n_inputs);
        assert_string_equal(p.nodes[p.inputs[k].node].text, odd[i][0]);
    }
    assert_survives_json(&p);
    plan_release(&p);
}

TEST_CASE(a_plan_survives_json_and_its_checksum_changes_with_any_definition)
{
    static const struct definition d[] = {
        {"a", "mean(terminal, label, 28d, delay=7d, prior=0.013, weight=1e2)"},
        {"b", "sum(customer, a * min(since(customer), 60), all, past) / -3 <= log1p(amount)"},
        {"c", "onehot(channel, \"web\")"},
        {"d", "count(terminal, 15m, delay=30s)"},
    };
    struct plan p, q;
    plan_make(&p, d, LENGTH(d));
    assert_survives_json(&p);
    for (size_t i = 0; i <= LENGTH(d); i++) {
        struct definition altered[LENGTH(d)];
        memcpy(altered, d, sizeof d);
        if (i < LENGTH(d))
            altered[i].expression = "amount + 1";
        plan_make(&q, altered, LENGTH(d));
        if (i == LENGTH(d))
            *q.schema.columns[AMOUNT].header = 'Z';
        assert_true(plan_checksum(&q) != plan_checksum(&p));
        plan_release(&q);
    }
    plan_release(&p);
}

TESTS(scratch_make, scratch_remove)
