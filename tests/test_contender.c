// contender: which inputs a baseline of [baselines] has, in which order, and what is refused.
#include "tests/scratch.h"
#include "train/contender.h"

static const float amount[1], weekend[1], night[1], web[1], phone[1], channels[1];
static const float *x[] = {amount, web, weekend, phone, night, channels};
static const char *names[] = {"amount",         "channel[web]", "weekend",
                              "channel[phone]", "night",        "channels"};
static const int8_t label[1];
static const struct examples examples = {
    .rows = 1, .n_inputs = 6, .x = x, .names = names, .label = label};
static struct contender *list;
static size_t n;

static int read_baselines(const char *lines, struct err *err)
{
    char text[1024];
    struct config c;
    snprintf(text, sizeof text, "[baselines]\n%s\n", lines);
    if (config_load(&c, scratch_text("test.ini", text), err))
        fail_msg("%s", err->msg);
    int rc = contenders_from_config(&list, &n, &examples, &c, err);
    config_release(&c);
    return rc;
}

static void baselines(const char *lines)
{
    struct err err = {""};
    if (read_baselines(lines, &err))
        fail_msg("%s", err.msg);
}

static void release(void)
{
    for (size_t i = 0; i < n; i++)
        contender_release(&list[i]);
    free(list);
}

static void assert_inputs(const struct contender *c, const char *name, size_t n_inputs,
                          const float *const *inputs)
{
    assert_string_equal(c->name, name);
    assert_int_equal(c->examples.n_inputs, n_inputs);
    for (size_t i = 0; i < n_inputs; i++) {
        size_t k = 0;
        while (x[k] != inputs[i])
            k++;
        assert_ptr_equal(c->examples.x[i], inputs[i]);
        assert_string_equal(c->examples.names[i], names[k]);
    }
    assert_ptr_equal(c->examples.label, label); // all else is shared
    assert_int_equal(c->examples.rows, 1);
}
#define ASSERT_INPUTS(c, name, ...)                                                                \
    assert_inputs(c, name, sizeof((const float *const[]){__VA_ARGS__}) / sizeof(float *),          \
                  (const float *const[]){__VA_ARGS__})

static void the_model_has_all_inputs(void **state)
{
    (void)state;
    struct contender c;
    struct err err = {""};
    assert_int_equal(contender_init(&c, &examples, &err), 0);
    assert_inputs(&c, "model", 6, x);
    contender_release(&c);
}

static void the_constant_is_always_there_and_has_no_input(void **state)
{
    (void)state;
    baselines("");
    assert_int_equal(n, 1);
    assert_inputs(&list[0], "constant", 0, NULL);
    release();
}

static void baselines_stand_as_they_are_written_with_their_inputs_in_order(void **state)
{
    (void)state;
    baselines("zeta_2 = night, amount ,weekend\n"
              "alpha = amount");
    assert_int_equal(n, 3);
    assert_string_equal(list[0].name, "constant");
    ASSERT_INPUTS(&list[1], "zeta_2", night, amount, weekend);
    ASSERT_INPUTS(&list[2], "alpha", amount);
    release();
}

static void a_onehots_name_takes_all_its_inputs_and_no_longer_name(void **state)
{
    (void)state;
    baselines("a = amount, channel\nb = channels\nc = channel[phone]");
    ASSERT_INPUTS(&list[1], "a", amount, web, phone);
    ASSERT_INPUTS(&list[2], "b", channels);
    ASSERT_INPUTS(&list[3], "c", phone);
    release();
}

static void a_list_goes_on_in_indented_lines(void **state)
{
    (void)state;
    baselines("a = amount,\n    weekend,\n    night");
    ASSERT_INPUTS(&list[1], "a", amount, weekend, night);
    release();
}

static void a_name_of_40_characters_is_taken(void **state)
{
    (void)state;
    baselines("a234567890123456789012345678901234567890 = amount");
    assert_int_equal(strlen(list[1].name), 40);
    release();
}

#define BAD_NAME "a baseline's name is small letters, digits and _, 40 at most, and not constant or"

static void mistakes_are_named_with_file_line_and_value(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *message;
    } mistakes[] = {
        {"ok = amount\na = night, weekand",
         "test.ini:3:12: [baselines] a: there is no feature 'weekand', did you mean 'weekend'?"},
        {"a = xyz", "test.ini:2:5: [baselines] a: there is no feature 'xyz'\n"},
        {"a = amount, night, amount", "test.ini:2:20: [baselines] a: 'amount' stands here twice"},
        {"a = channel[web], channel", "[baselines] a: 'channel"},
        {"a = channel, channel[web]",
         "test.ini:2:14: [baselines] a: 'channel[web]' stands here twice"},
        {"a = channel, channel", "test.ini:2:14: [baselines] a: 'channel' stands here twice"},
        {"a =", "test.ini:2:1: [baselines] a: a list of features is expected: a, b, c"},
        {"a = amount,", "test.ini:2:12: [baselines] a: a list of features is expected"},
        {"a = ,amount", "test.ini:2:5: [baselines] a: a list of features is expected"},
        {"a = amount night", "test.ini:2:5: [baselines] a: a list of features is expected"},
        {"a = amount,\n    nihgt", "test.ini:2: [baselines] a: there is no feature 'nihgt', did"},
        {"constant = amount", "test.ini:2: [baselines] constant: " BAD_NAME},
        {"model = amount", "test.ini:2: [baselines] model: " BAD_NAME},
        {"Amount = amount", "test.ini:2: [baselines] Amount: " BAD_NAME},
        {"../a = amount", "test.ini:2: [baselines] ../a: " BAD_NAME},
        {"a/b = amount", "test.ini:2: [baselines] a/b: " BAD_NAME},
        {"a.b = amount", "test.ini:2: [baselines] a.b: " BAD_NAME},
        {"a b = amount", "test.ini:2: [baselines] a b: " BAD_NAME},
        {"a-b = amount", "test.ini:2: [baselines] a-b: " BAD_NAME},
        {"é = amount", "test.ini:2: [baselines] é: " BAD_NAME},
        {"a2345678901234567890123456789012345678901 = amount", BAD_NAME},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct err err = {""};
        if (read_baselines(mistakes[i].lines, &err) == 0)
            fail_msg("taken: %s", mistakes[i].lines);
        assert_contains(err.msg, mistakes[i].message);
        assert_null(list);
        assert_int_equal(n, 0);
    }
}

static void a_baseline_without_a_name_is_refused(void **state)
{
    (void)state;
    struct err err = {""};
    assert_int_equal(read_baselines("= amount", &err), -1);
    assert_contains(err.msg, "test.ini:2: [baselines] : " BAD_NAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(the_model_has_all_inputs),
        scratch_test(the_constant_is_always_there_and_has_no_input),
        scratch_test(baselines_stand_as_they_are_written_with_their_inputs_in_order),
        scratch_test(a_onehots_name_takes_all_its_inputs_and_no_longer_name),
        scratch_test(a_list_goes_on_in_indented_lines),
        scratch_test(a_name_of_40_characters_is_taken),
        scratch_test(mistakes_are_named_with_file_line_and_value),
        scratch_test(a_baseline_without_a_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
