// features/plan, parse, graph: what the language means, what it refuses and where it points, and
// that a plan survives its journey through JSON.
#include "tests/support.h"

#include <math.h>

// ---- meaning ----

// The event that expressions are evaluated on: a Monday, 1970-01-05 06:30:00.
static double value_of(const char *expression)
{
    const struct definition d = {"x", expression};
    const uint64_t key = 1;
    const int64_t time = 4 * 86400 + 6 * 3600 + 1800;
    const double amount = 6;
    const uint32_t channel = 0;
    const int8_t label = 1;
    const void *columns[N_COLUMNS] = {&key, &time, &key, &key, &amount, &channel, &label};
    const struct events events = {1, columns};
    struct plan plan;
    struct state s;
    struct err err;
    float out = 0, *outs[1] = {&out};
    plan_make(&plan, &d, 1);
    state_make(&s, &plan, 1);
    assert_int_equal(state_run(&s, &events, outs, &err), 0);
    double value = s.values[plan.inputs[0].node][0];
    state_release(&s);
    plan_release(&plan);
    return value;
}

static void operators_bind_and_group_as_in_arithmetic(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        double value;
    } cases[] = {
        {"1 + 2 * 3", 7},
        {"(1 + 2) * 3", 9},
        {"10 - 4 - 3", 3},
        {"10 - (4 - 3)", 9},
        {"48 / 4 / 3", 4},
        {"48 / 4 * 3", 36},
        {"2 * 3 + 4 * 5 - 6 / 3", 24},
        {"-2 * 3 + 1", -5},
        {"2 - -3", 5},
        {"2--3", 5},
        {"- - 2", 2},
        {"-(1 + 2)", -3},
        {"-amount / -2", 3},
        {"1 + 1 < 3", 1},
        {"1 < 2 + 3 * 4", 1},
        {"(1 < 2) + (3 < 2)", 1},
        {"(3 > 2) > 0.5", 1},
        {"2 <= 2", 1},
        {"2 < 2", 0},
        {"2 >= 2", 1},
        {"2 > 2", 0},
        {"2 == 2", 1},
        {"2 != 2", 0},
        {"1e3 + .5 + 2. + 1.5e-1 + 1E+1", 1012.65},
        {"min(1 < 2, 3)", 1},
        {"max(min(5, 2), min(4, 3))", 3},
        {"abs(-7)", 7},
        {"hour(time)", 6},
        {"weekday(time)", 0},
        {"hour(time) <= 6", 1},
        {"amount", 6},
        {"\tamount*amount ", 36},
        {"count(customer, 1d)", 1},
        {"count(customer,1d,past)+1", 1},
        {"sum(customer, amount * 2, all)", 12},
        {"mean(customer, amount, 1s, prior=-3, weight=2)", 0},
        {"mean(customer, label, 1d, delay=1s)", 0},
        {"5 / 0", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!same_bits(value_of(cases[i].expression), cases[i].value))
            fail_msg("%s is %.17g, not %.17g", cases[i].expression, value_of(cases[i].expression),
                     cases[i].value);
}

static void division_by_minus_zero_is_zero_and_minus_zero_is_its_own_number(void **state)
{
    (void)state;
    assert_true(same_bits(value_of("1 / -0"), 0));
    assert_true(same_bits(value_of("-0"), -0.0));
    assert_true(same_bits(value_of("0 * -1 + 0 * 1"), 0));
}

static void a_feature_may_use_those_above_it_and_helpers_are_no_inputs(void **state)
{
    (void)state;
    const struct definition d[] = {{"_ratio", "amount / 4"},
                                   {"twice", "_ratio * 2"},
                                   {"amount", "amount"},
                                   {"sum", "twice + _ratio"}}; // a function's name is free
    struct plan p;
    plan_make(&p, d, 4);
    assert_int_equal(p.n_inputs, 3);
    assert_string_equal(p.inputs[0].name, "twice");
    assert_string_equal(p.inputs[1].name, "amount");
    assert_string_equal(p.inputs[2].name, "sum");
    plan_release(&p);
}

static void equal_parts_are_one_node_and_one_window(void **state)
{
    (void)state;
    const struct definition d[] = {{"a", "amount / mean(customer, amount, 7d)"},
                                   {"b", "mean( customer,amount , 7d ) - 1"},
                                   {"c", "amount/mean(customer, amount, 168h)"},
                                   {"d", "count(customer, 7d) + since(customer)"}};
    struct plan p;
    size_t means = 0;
    plan_make(&p, d, 4);
    for (size_t i = 0; i < p.n_nodes; i++)
        means += p.nodes[i].op == NODE_MEAN;
    assert_int_equal(means, 1);
    assert_int_equal(p.n_tracks, 1);
    assert_int_equal(p.tracks[0].n_lanes, 1);
    assert_int_equal(p.inputs[0].node, p.inputs[2].node);
    plan_release(&p);
}

// ---- refusals ----

// One expression with an @ in front of the byte that the message must point at.
struct refusal {
    const char *marked, *message;
};

#define INI                                                                                        \
    "[input]\ntime_format = epoch\n\n[columns]\n"                                                  \
    "id = I, id\ntime = T, time\ncustomer = C, key\nterminal = P, key\namount = A, number\n"       \
    "channel = H, category\nlabel = L, label\n\n[features]\n"                                      \
    "first = amount\n_helper = amount * 2\nvia = onehot(channel)\n"
enum { INI_LINES = 16 };

// Read an .ini of INI and these lines; 0 or -1.
static int plan_from_ini(struct plan *p, const char *lines, struct err *err)
{
    char text[2048];
    struct config config;
    snprintf(text, sizeof text, "%s%s\n", INI, lines);
    if (config_load(&config, scratch_text("test.ini", text), err))
        fail_msg("%s", err->msg);
    int rc = plan_from_config(p, &config, err);
    config_release(&config);
    return rc;
}

static void assert_points_at(const char *message, const char *expression, int offset)
{
    const char name[] = "x = ";
    char position[64], shown[512];
    snprintf(position, sizeof position, "test.ini:%d:%d: [features] x: ", INI_LINES + 1,
             (int)strlen(name) + offset + 1);
    if (!strstr(message, position))
        fail_msg("%s\nnot at %s", message, position);
    snprintf(shown, sizeof shown, "\n  %s\n  %*s", expression, offset + 1, "^");
    const char *at = strstr(message, shown);
    if (!at || strcmp(at, shown) != 0)
        fail_msg("%s\ndoes not end in%s", message, shown);
}

static void assert_refused(const struct refusal *r)
{
    char expression[256], line[300];
    const char *mark = strchr(r->marked, '@');
    assert_non_null(mark);
    snprintf(expression, sizeof expression, "%.*s%s", (int)(mark - r->marked), r->marked, mark + 1);
    snprintf(line, sizeof line, "x = %s", expression);
    struct plan p;
    struct err err = {"(accepted)"};
    if (plan_from_ini(&p, line, &err) == 0)
        fail_msg("accepted: %s", expression);
    if (!strstr(err.msg, r->message))
        fail_msg("%s\nlacks: %s", err.msg, r->message);
    assert_points_at(err.msg, expression, (int)(mark - r->marked));
}

static void assert_all_refused(const struct refusal *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_refused(&r[i]);
}
#define REFUSED(cases) assert_all_refused(cases, sizeof(cases) / sizeof *(cases))

static void the_label_outside_a_delayed_window_is_refused_however_it_is_wrapped(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"@label", "the label is what the model predicts"},
        {"amount + @label * 0", "the label is what the model predicts"},
        {"-(@label)", "the label is what the model predicts"},
        {"max(amount, @label)", "the label is what the model predicts"},
        {"1 > @label", "the label is what the model predicts"},
        {"abs(min(1, log1p(@label)))", "the label is what the model predicts"},
        {"mean(terminal, @label, 7d)", "not known yet"},
        {"mean(terminal, @label, 7d, past)", "not known yet"},
        {"sum(terminal, @label, all, past)", "not known yet"},
        {"sum(terminal, amount * @label, 7d)", "not known yet"},
        {"sum(terminal, (@label == 1) * 2, 7d) / 2", "not known yet"},
        {"sum(customer, mean(terminal, @label, 7d), 7d, delay=7d)", "not known yet"},
        {"sum(customer, mean(terminal, label, 7d, delay=1d) + @label, 7d)", "not known yet"},
        {"mean(terminal, label, 7d, delay=7d) + @label", "what the model predicts"},
        {"@label - mean(terminal, label, 7d, delay=7d)", "what the model predicts"},
        {"mean(terminal, label, 7d, delay=@0)", "a length of time is expected"},
        {"mean(terminal, label, 7d, delay=@0s)", "1s at least"},
        {"mean(terminal, label, 7d, delay=@-7d)", "a length of time is expected"},
        {"mean(terminal, label, 7d, delay=@all)", "a length of time is expected"},
        {"mean(@label, amount, 7d, delay=7d)", "'label' is not a key column"},
        {"hour(@label)", "take the time column"},
        {"onehot(@label)", "takes a category column"},
    };
    REFUSED(cases);
}

static void the_label_does_not_come_in_through_a_helper(void **state)
{
    (void)state;
    struct plan p;
    struct err err;
    static const char *const cases[][2] = {
        {"_fraud = amount * label\nx = _fraud", "test.ini:18:5: [features] x: the label is what"},
        {"_fraud = amount * label\nx = 1 + _fraud", "test.ini:18:9: [features] x: the label is"},
        {"_fraud = label\n_more = _fraud + 1\nx = _more", "test.ini:19:5: [features] x: the label"},
        {"_fraud = label\nx = sum(terminal, amount * _fraud, 7d)",
         "test.ini:18:28: [features] x: the label is not known yet"},
        {"_fraud = sum(terminal, label, 7d)\nx = amount", "test.ini:17:24: [features] _fraud: the"},
        {"label = amount", "'label' is a column already"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(plan_from_ini(&p, cases[i][0], &err), -1);
        assert_contains(err.msg, cases[i][1]);
    }
    assert_int_equal(plan_from_ini(&p, "label = label", &err), -1);
}

static void a_helper_of_the_label_may_feed_a_delayed_window(void **state)
{
    (void)state;
    struct plan p;
    struct err err = {""};
    if (plan_from_ini(&p,
                      "_small_fraud = label * (amount < 9)\n"
                      "x = sum(terminal, _small_fraud, 7d, delay=7d)\n"
                      "y = sum(terminal, label * (amount < 9), 7d, delay=7d)",
                      &err))
        fail_msg("%s", err.msg);
    assert_string_equal(p.inputs[p.n_inputs - 1].name, "y");
    assert_int_equal(p.inputs[p.n_inputs - 2].node, p.inputs[p.n_inputs - 1].node);
    plan_release(&p);
}

static void a_label_in_a_delayed_window_is_known_and_may_go_on(void **state)
{
    (void)state;
    struct plan p;
    struct err err = {""};
    if (plan_from_ini(&p,
                      "_risk = mean(terminal, label, 28d, delay=7d)\n"
                      "x = mean(customer, _risk, 7d) + sum(terminal, label * amount, 1s, past, "
                      "delay=1s) * max(_risk, 0)",
                      &err))
        fail_msg("%s", err.msg);
    plan_release(&p);
}

static void unknown_names_are_refused_with_the_nearest_known_one(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"@amuont", "unknown column or feature 'amuont', did you mean 'amount'?"},
        {"1 + @_helpr", "did you mean '_helper'?"},
        {"@firts * 2", "did you mean 'first'?"},
        {"@zzzzz", "unknown column or feature 'zzzzz'\n"},
        {"@cuont(customer, 7d)", "unknown function 'cuont', did you mean 'count'?"},
        {"@sqrt(amount)", "unknown function 'sqrt'"},
        {"mean(@custmer, amount, 7d)", "'custmer' is not a key column; mean groups by one, did you "
                                       "mean 'customer'?"},
        {"count(@amount, 7d)", "'amount' is not a key column"},
        {"count(@first, 7d)", "'first' is not a key column"},
        {"count(customer, 7d, @pats)", "unknown option 'pats', did you mean 'past'?"},
        {"count(customer, 7d, @dealy=1d)", "unknown option 'dealy', did you mean 'delay'?"},
    };
    REFUSED(cases);
}

static void columns_that_are_no_numbers_are_refused_as_values(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"@id", "'id' is the id"},
        {"1 + @customer", "'customer' is a key"},
        {"sum(customer, @terminal, 7d)", "'terminal' is a key"},
        {"@channel == 1", "'channel' is a category: write onehot(channel)"},
        {"@via + 1", "'via' is a onehot"},
        {"hour(@amount)", "take the time column"},
        {"weekday(@time + 3600)", "take the time column"},
    };
    REFUSED(cases);
}

static void features_are_defined_once_before_their_use_and_shadow_no_column(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"@x + 1", "defined here or below"},
        {"sum(customer, @x, 7d)", "defined here or below"},
    };
    REFUSED(cases);
    const struct definition twice[] = {{"a", "1"}, {"a", "2"}},
                            forward[] = {{"a", "b"}, {"b", "1"}},
                            shadow[] = {{"amount", "amount * 2"}}, key[] = {{"customer", "1"}},
                            time[] = {{"time", "time"}}, hot[] = {{"amount", "onehot(channel)"}};
    struct plan p;
    struct err err;
    assert_int_equal(plan_try(&p, twice, 2, &err), -1);
    assert_contains(err.msg, "features[1] 'a', byte 0: the feature 'a' is defined already");
    assert_int_equal(plan_try(&p, forward, 2, &err), -1);
    assert_contains(err.msg, "'b' is defined here or below");
    assert_int_equal(plan_try(&p, shadow, 1, &err), -1);
    assert_contains(err.msg, "'amount' is a column already");
    assert_int_equal(plan_try(&p, key, 1, &err), -1);
    assert_int_equal(plan_try(&p, time, 1, &err), -1); // the feature table has the time already
    assert_int_equal(plan_try(&p, hot, 1, &err), -1);
}

static void names_are_identifiers_of_63_bytes(void **state)
{
    (void)state;
    char longest[65];
    memset(longest, 'a', 64);
    longest[63] = '\0';
    const char *const bad[] = {"", "1x", "a-b", "a b", "a[b]", "../x", " a", "a ", "\xc3\xa4"};
    struct definition d = {longest, "1"};
    struct plan p;
    struct err err;
    plan_make(&p, &d, 1);
    plan_release(&p);
    longest[63] = 'a';
    longest[64] = '\0';
    assert_int_equal(plan_try(&p, &d, 1, &err), -1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        d.name = bad[i];
        assert_int_equal(plan_try(&p, &d, 1, &err), -1);
        assert_contains(err.msg, "a feature's name is letters, digits and _");
    }
}

static void what_does_not_parse_is_pointed_at(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"1 < 2 @< 3", "comparisons cannot be chained"},
        {"1 == 1 @!= 0", "comparisons cannot be chained"},
        {"(0 <= amount @<= 5) * 2", "comparisons cannot be chained"},
        {"1 +@", "a value is expected here"},
        {"1 + @* 2", "a value is expected here"},
        {"@* 2", "a value is expected here"},
        {"@+1", "a value is expected here"},
        {"(1 + 2@", "')' is missing"},
        {"1 + 2@)", "an operator is expected here"},
        {"1 @2", "an operator is expected here"},
        {"amount @amount", "an operator is expected here"},
        {"amount @= 1", "an operator is expected here"},
        {"1 @& 2", "an operator is expected here"},
        {"@1.2.3", "'1.2.3' is not a number"},
        {"1 + @1e999", "'1e999' is not a number"},
        {"@.", "'.' is not a number"},
        {"@7d", "a length of time like 7d"},
        {"@1e", "a number cannot be followed by a letter"},
        {"@0x10", "is not a number"},
        {"min(1@)", "',' is missing"},
        {"min(1, 2@, 3)", "')' is missing"},
        {"min(@)", "a value is expected here"},
        {"abs(1@, 2)", "')' is missing"},
        {"@log1p", "unknown column"},
        {"count(@)", "count needs a key column first"},
        {"count(customer@)", "',' is missing"},
        {"count(customer, @)", "a length of time is expected"},
        {"count(customer, @amount, 7d)", "a window is expected here"},
        {"count(customer, @7)", "a length of time is expected"},
        {"count(customer, @7w)", "a length of time is expected"},
        {"count(customer, @7days)", "a length of time is expected"},
        {"count(customer, @1.5d)", "a length of time is expected"},
        {"count(customer, @0d)", "1s at least"},
        {"count(customer, @36501d)", "36500d at most"},
        {"count(customer, @99999999999999999999d)", "a length of time"},
        {"count(customer, 7d@", "')' is missing"},
        {"count(customer, 7d, @)", "past, delay=, prior= or weight= is expected"},
        {"count(customer, 7d, delay@)", "'=' is missing"},
        {"count(customer, 7d, @weight=3)", "only mean takes weight="},
        {"sum(customer, amount, 7d, @prior=3)", "only mean takes prior="},
        {"mean(customer, amount, 7d, weight=@-1)", "a number is expected here"},
        {"mean(customer, amount, 7d, weight=@x)", "a number is expected here"},
        {"mean(customer, amount, 7d, weight=3@)", "prior= and weight= go together"},
        {"count(customer, 7d, delay=1d, @delay=2d)", "delay stands here twice"},
        {"count(customer, 7d, past, @past)", "past stands here twice"},
        {"mean(customer@)", "',' is missing"},
        {"mean(customer, amount@)", "',' is missing"},
        {"since(customer@, 7d)", "')' is missing"},
    };
    REFUSED(cases);
}

static void onehot_stands_alone_over_a_category(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"onehot(channel) @+ 1", "onehot must be the whole expression"},
        {"1 + @onehot(channel)", "it must be the whole expression"},
        {"sum(customer, @onehot(channel), 7d)", "it must be the whole expression"},
        {"(@onehot(channel))", "it must be the whole expression"},
        {"onehot(@amount)", "takes a category column"},
        {"onehot(@customer)", "takes a category column"},
        {"onehot(@)", "takes a category column"},
        {"onehot(@\"web\")", "takes a category column"},
        {"onehot(channel, @web)", "a value in double quotes is expected"},
        {"onehot(channel, @)", "a value in double quotes is expected"},
        {"onehot(channel, \"web\", @\"web\")", "twice"},
        {"onehot(channel, \"web@", "'\"' is missing"},
        {"onehot(channel@", "')' is missing"},
        {"onehot(channel, *@, \"web\")", "')' is missing"},
    };
    REFUSED(cases);
}

static void a_onehot_cannot_be_a_helper(void **state)
{
    (void)state;
    struct plan p;
    struct err err;
    assert_int_equal(plan_from_ini(&p, "_x = onehot(channel)", &err), -1);
    assert_contains(err.msg, "onehot");
}

static char *nested(int depth, const char *open, const char *middle, const char *close)
{
    char *text = calloc(1, (size_t)depth * (strlen(open) + strlen(close)) + strlen(middle) + 1);
    assert_non_null(text);
    char *end = text;
    for (int i = 0; i < depth; i++)
        end = stpcpy(end, open);
    end = stpcpy(end, middle);
    for (int i = 0; i < depth; i++)
        end = stpcpy(end, close);
    return text;
}

static void nesting_is_limited_whatever_it_is_made_of(void **state)
{
    (void)state;
    static const char *const forms[][2] = {
        {"(", ")"}, {"-", ""}, {"abs(", ")"}, {"sum(customer, ", ", 1d)"}, {"-(", ")"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (int deep = 0; deep < 2; deep++) {
            char *text = nested(deep ? 100000 : 30, forms[i][0], "amount", forms[i][1]);
            const struct definition d = {"x", text};
            struct plan p;
            struct err err;
            assert_int_equal(plan_try(&p, &d, 1, &err), deep ? -1 : 0);
            if (deep)
                assert_contains(err.msg, "nested more than 64 deep");
            else
                plan_release(&p);
            free(text);
        }
}

static void a_plan_of_too_many_values_is_refused(void **state)
{
    (void)state;
    size_t room = 5000 * 8;
    char *text = calloc(1, room), *end = text;
    assert_non_null(text);
    for (int i = 0; i < 5000; i++)
        end += snprintf(end, room - (size_t)(end - text), "%s%d", i ? "+" : "", i);
    const struct definition d = {"x", text};
    struct plan p;
    struct err err;
    assert_int_equal(plan_try(&p, &d, 1, &err), -1);
    assert_contains(err.msg, "more than 4096 values");
    free(text);
}

static void a_config_without_inputs_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", "is missing or empty"},
                                           {"[features]\n_a = 1\n", "has only helpers"}};
    for (size_t i = 0; i < 2; i++) {
        char text[512];
        struct config config;
        struct plan p;
        struct err err;
        snprintf(text, sizeof text,
                 "[input]\ntime_format = epoch\n[columns]\nid = I, id\ntime = T, time\n%s",
                 cases[i][0]);
        assert_int_equal(config_load(&config, scratch_text("test.ini", text), &err), 0);
        assert_int_equal(plan_from_config(&p, &config, &err), -1);
        assert_contains(err.msg, cases[i][1]);
        config_release(&config);
    }
}

// ---- onehot, fitted ----

// Fit via = onehot(channel) to rows, one text per row; the plan stays the caller's.
static void fit(struct plan *p, const char *const *texts, size_t n_texts, const uint32_t *codes,
                size_t n_codes)
{
    const struct definition d[] = {{"first", "amount"}, {"via", "onehot(channel)"}};
    struct plan_value counts[100] = {{0}};
    const struct plan_values values[N_COLUMNS] = {[CHANNEL] = {counts, n_texts}};
    struct err err = {""};
    for (size_t i = 0; i < n_texts; i++)
        counts[i].text = texts[i];
    for (size_t i = 0; i < n_codes; i++)
        counts[codes[i]].rows++;
    plan_make(p, d, 2);
    assert_true(plan_wants_fit(p));
    assert_int_equal(p->n_inputs, 1);
    if (plan_fit(p, values, &err))
        fail_msg("%s", err.msg);
    assert_false(plan_wants_fit(p));
}

static void onehot_keeps_values_of_one_percent_the_most_frequent_first(void **state)
{
    (void)state;
    static const char *const texts[] = {"rare", "one percent", "many", "b-tie", "a-tie", "none"};
    static const size_t counts[] = {9, 10, 500, 200, 200};
    static const char *const expected[] = {"first",      "via[many]",          "via[a-tie]",
                                           "via[b-tie]", "via[one%20percent]", "via[*]"};
    uint32_t codes[1000];
    size_t n = 0;
    for (uint32_t c = 0; c < 5; c++)
        for (size_t i = 0; i < counts[c]; i++)
            codes[n++] = c;
    while (n < 1000)
        codes[n++] = 2;
    struct plan p;
    fit(&p, texts, 6, codes, 1000);
    assert_int_equal(p.n_inputs, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(p.inputs[i].name, expected[i]);
    assert_string_equal(p.definitions[1].expression,
                        "onehot(channel, \"many\", \"a-tie\", \"b-tie\", \"one percent\")");
    plan_release(&p);
}

static void onehot_keeps_at_most_32_values(void **state)
{
    (void)state;
    char words[50][8];
    const char *texts[50];
    uint32_t codes[50];
    for (uint32_t i = 0; i < 50; i++) {
        snprintf(words[i], sizeof words[i], "v%02u", 49 - i);
        texts[i] = words[i];
        codes[i] = i;
    }
    struct plan p;
    fit(&p, texts, 50, codes, 50);
    assert_int_equal(p.n_inputs, 1 + 32 + 1);
    assert_string_equal(p.inputs[1].name, "via[v00]");
    assert_string_equal(p.inputs[32].name, "via[v31]");
    plan_release(&p);
}

static void onehot_without_training_rows_is_the_rest_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"web"};
    struct plan p;
    fit(&p, texts, 1, NULL, 0);
    assert_int_equal(p.n_inputs, 2);
    assert_string_equal(p.inputs[1].name, "via[*]");
    plan_release(&p);
}

// Text, and the name its input must have.
static const char *const odd[][2] = {
    {"", "via[]"},
    {"*", "via[%2A]"},
    {"say \"hi\"", "via[say%20%22hi%22]"},
    {"back\\slash\\", "via[back%5Cslash%5C]"},
    {"\\\"", "via[%5C%22]"},
    {"../../etc/passwd", "via[..%2F..%2Fetc%2Fpasswd]"},
    {"gr\xc3\xb6\xc3\x9f"
     "e",
     "via[gr%C3%B6%C3%9Fe]"},
    {"line\nbreak\ttab", "via[line%0Abreak%09tab]"},
    {"a, b); onehot(c", "via[a%2C%20b%29%3B%20onehot%28c]"},
    {"%41", "via[%2541]"},
    {"A", "via[A]"},
    {"]", "via[%5D]"},
};
enum { N_ODD = sizeof odd / sizeof *odd };

static void assert_same_plan(const struct plan *a, const struct plan *b)
{
    assert_int_equal(a->n_nodes, b->n_nodes);
    assert_int_equal(a->n_tracks, b->n_tracks);
    assert_int_equal(a->n_inputs, b->n_inputs);
    assert_int_equal(a->n_levels, b->n_levels);
    for (size_t i = 0; i < a->n_nodes; i++) {
        const struct node *x = &a->nodes[i], *y = &b->nodes[i];
        assert_true(x->op == y->op && x->a == y->a && x->b == y->b && x->track == y->track &&
                    x->lane == y->lane && x->upper == y->upper && x->lower == y->lower &&
                    x->level == y->level && x->labelled == y->labelled);
        assert_true(same_bits(x->value, y->value) && same_bits(x->prior, y->prior) &&
                    same_bits(x->weight, y->weight));
        assert_string_equal(x->text ? x->text : "", y->text ? y->text : "");
    }
    for (size_t i = 0; i < a->n_inputs; i++) {
        assert_string_equal(a->inputs[i].name, b->inputs[i].name);
        assert_int_equal(a->inputs[i].node, b->inputs[i].node);
    }
    assert_int_equal(plan_checksum(a), plan_checksum(b));
}

// Through the text of JSON, as a manifest or a model holds it.
static void assert_survives_json(const struct plan *p)
{
    struct plan back;
    struct err err = {""};
    json_t *json = plan_to_json(p);
    assert_non_null(json);
    char *text = json_dumps(json, 0);
    json_t *read = json_loads(text, 0, NULL);
    if (plan_from_json(&back, read, &err))
        fail_msg("%s", err.msg);
    assert_same_plan(p, &back);
    json_decref(json);
    json_decref(read);
    free(text);
    plan_release(&back);
}

static void odd_values_become_safe_names_and_survive_json(void **state)
{
    (void)state;
    const char *texts[N_ODD];
    uint32_t codes[N_ODD];
    for (uint32_t i = 0; i < N_ODD; i++) {
        texts[i] = odd[i][0];
        codes[i] = i;
    }
    struct plan p;
    fit(&p, texts, N_ODD, codes, N_ODD);
    assert_int_equal(p.n_inputs, 1 + N_ODD + 1);
    for (size_t i = 0; i < N_ODD; i++) {
        size_t k = 1;
        while (k < p.n_inputs && strcmp(p.inputs[k].name, odd[i][1]) != 0)
            k++;
        assert_true(k < p.n_inputs);
        assert_string_equal(p.nodes[p.inputs[k].node].text, odd[i][0]);
    }
    assert_survives_json(&p);
    plan_release(&p);
}

static void a_value_too_long_for_the_name_of_a_file_is_part_of_the_rest(void **state)
{
    (void)state;
    char text[300], name[64];
    memset(name, 'n', 63);
    name[63] = '\0';
    for (size_t length = 1; length < sizeof text; length++) {
        memset(text, '#', length); // three bytes each in a name
        text[length] = '\0';
        const struct definition d = {name, "onehot(channel)"};
        struct plan_value value = {text, 1};
        const struct plan_values values[N_COLUMNS] = {[CHANNEL] = {&value, 1}};
        struct plan p;
        struct err err;
        plan_make(&p, &d, 1);
        assert_int_equal(plan_fit(&p, values, &err), 0);
        for (size_t i = 0; i < p.n_inputs; i++)
            assert_true(strlen(p.inputs[i].name) + strlen(".npy") <= 255);
        plan_release(&p);
    }
}

static void values_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    struct plan p;
    struct err err;
    assert_int_equal(plan_from_ini(&p,
                                   "x = onehot(channel, \"gr\xf6\xdf"
                                   "e\")",
                                   &err),
                     -1);
    assert_contains(err.msg, "UTF-8");
}

// ---- JSON and the checksum ----

static const struct definition whole[] = {
    {"_a", "min(since(customer), 60) + 0.1"},
    {"b", "mean(terminal, label, 28d, delay=7d, prior=0.013, weight=1e2)"},
    {"c", "sum(customer, _a * b, all, past) / -3 <= log1p(amount)"},
    {"d", "onehot(channel, \"web\")"},
    {"e", "count(terminal, 15m, delay=30s)"},
};
enum { N_WHOLE = sizeof whole / sizeof *whole };

static void a_plan_survives_json(void **state)
{
    (void)state;
    struct plan p;
    plan_make(&p, whole, N_WHOLE);
    assert_survives_json(&p);
    plan_release(&p);
}

static void the_checksum_changes_with_any_definition_and_column(void **state)
{
    (void)state;
    struct plan p, q;
    struct definition changed[N_WHOLE];
    plan_make(&p, whole, N_WHOLE);
    uint64_t before = plan_checksum(&p);
    for (size_t i = 0; i < N_WHOLE; i++) {
        memcpy(changed, whole, sizeof whole);
        changed[i].expression = "amount + 1";
        if (i == 0 || i == 1)
            changed[2].expression = "_a * b";
        plan_make(&q, changed, N_WHOLE);
        assert_true(plan_checksum(&q) != before);
        plan_release(&q);
    }
    json_t *json = plan_to_json(&p);
    json_t *column =
        json_array_get(json_object_get(json_object_get(json, "schema"), "columns"), AMOUNT);
    struct err err;
    json_object_set_new(column, "header", json_string("OTHER"));
    assert_int_equal(plan_from_json(&q, json, &err), 0);
    assert_true(plan_checksum(&q) != before);
    json_decref(json);
    plan_release(&q);
    plan_release(&p);
}

static void json_that_is_no_plan_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"schema\":{},\"features\":[]}",
        "{\"schema\":" SCHEMA "}",
        "{\"schema\":" SCHEMA ",\"features\":{}}",
        "{\"schema\":" SCHEMA ",\"features\":[1]}",
        "{\"schema\":" SCHEMA ",\"features\":[{\"name\":\"a\"}]}",
        "{\"schema\":" SCHEMA ",\"features\":[{\"name\":\"a\",\"expression\":3}]}",
        "{\"schema\":" SCHEMA ",\"features\":[{\"name\":\"a\",\"expression\":\"\"}]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct plan p;
        struct err err = {""};
        json_t *json = json_loads(texts[i], 0, NULL);
        assert_non_null(json);
        assert_int_equal(plan_from_json(&p, json, &err), -1);
        assert_true(*err.msg != '\0');
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_bind_and_group_as_in_arithmetic),
        cmocka_unit_test(division_by_minus_zero_is_zero_and_minus_zero_is_its_own_number),
        cmocka_unit_test(a_feature_may_use_those_above_it_and_helpers_are_no_inputs),
        cmocka_unit_test(equal_parts_are_one_node_and_one_window),
        cmocka_unit_test(the_label_outside_a_delayed_window_is_refused_however_it_is_wrapped),
        cmocka_unit_test(the_label_does_not_come_in_through_a_helper),
        cmocka_unit_test(a_helper_of_the_label_may_feed_a_delayed_window),
        cmocka_unit_test(a_label_in_a_delayed_window_is_known_and_may_go_on),
        cmocka_unit_test(unknown_names_are_refused_with_the_nearest_known_one),
        cmocka_unit_test(columns_that_are_no_numbers_are_refused_as_values),
        cmocka_unit_test(features_are_defined_once_before_their_use_and_shadow_no_column),
        cmocka_unit_test(names_are_identifiers_of_63_bytes),
        cmocka_unit_test(what_does_not_parse_is_pointed_at),
        cmocka_unit_test(onehot_stands_alone_over_a_category),
        cmocka_unit_test(a_onehot_cannot_be_a_helper),
        cmocka_unit_test(nesting_is_limited_whatever_it_is_made_of),
        cmocka_unit_test(a_plan_of_too_many_values_is_refused),
        cmocka_unit_test(a_config_without_inputs_is_refused),
        cmocka_unit_test(onehot_keeps_values_of_one_percent_the_most_frequent_first),
        cmocka_unit_test(onehot_keeps_at_most_32_values),
        cmocka_unit_test(onehot_without_training_rows_is_the_rest_alone),
        cmocka_unit_test(odd_values_become_safe_names_and_survive_json),
        cmocka_unit_test(a_value_too_long_for_the_name_of_a_file_is_part_of_the_rest),
        cmocka_unit_test(values_that_are_not_utf8_are_refused),
        cmocka_unit_test(a_plan_survives_json),
        cmocka_unit_test(the_checksum_changes_with_any_definition_and_column),
        cmocka_unit_test(json_that_is_no_plan_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
