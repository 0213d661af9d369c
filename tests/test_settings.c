// settings: the [model] section, its defaults, and its mistakes.
#include "train/settings.h"

#include "tests/scratch.h"

static int parse(struct settings *s, const char *text, struct err *err)
{
    struct config c;
    assert_int_equal(config_load(&c, scratch_text("x.ini", text), err), 0);
    int rc = settings_from_config(s, &c, err);
    config_release(&c);
    return rc;
}

static void settings_are_read_and_have_defaults(void **state)
{
    (void)state;
    struct settings s;
    struct err err;
    assert_int_equal(parse(&s, "[model]\nl2 = 1e-4 ,0, 0.5\nalerts_per_day = 7\n", &err), 0);
    assert_int_equal(s.n_l2, 3);
    assert_true(s.l2[0] == 1e-4 && s.l2[1] == 0 && s.l2[2] == 0.5);
    assert_int_equal(s.alerts_per_day, 7);
    assert_int_equal(parse(&s, "[input]\nfile = x\n", &err), 0);
    assert_int_equal(s.n_l2, 1);
    assert_true(s.l2[0] == 1e-3);
    assert_int_equal(s.alerts_per_day, 100);
    assert_false(s.by_cost);
    assert_int_equal(parse(&s, "[model]\ncost_fraud = 200\ncost_alert = 2.5\n", &err), 0);
    assert_true(s.by_cost && s.cost_fraud == 200 && s.cost_alert == 2.5);
}

static void mistakes_in_settings_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"l2 = ", "is not a list"},
        {"l2 = 1,", "is not a list"},
        {"l2 = 1 2", "is not a list"},
        {"l2 = -1", "is not a list"},
        {"l2 = 1, nan", "'nan' is not"},
        {"l2 = 1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8", "more than 16"},
        {"alerts_per_day = 0", "not within"},
        {"alerts = 3", "unknown key 'alerts'"},
        {"cost_fraud = 3", "cost_fraud and cost_alert go together"},
        {"cost_alert = 3", "cost_fraud and cost_alert go together"},
        {"cost_fraud = 3\ncost_alert = 0", "not within"},
        {"cost_fraud = 3\ncost_alert = 1\nalerts_per_day = 7", "leave out alerts_per_day"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        struct settings s;
        struct err err = {""};
        snprintf(text, sizeof text, "[model]\n%s\n", cases[i][0]);
        assert_int_equal(parse(&s, text, &err), -1);
        assert_contains(err.msg, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(settings_are_read_and_have_defaults),
        scratch_test(mistakes_in_settings_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
