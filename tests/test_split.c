// features/split: what [split] may say, and which rows that is.
#include "features/split.h"

#include "tests/release.h"
#include "tests/scratch.h"

static int parse(struct split *s, const char *text, struct err *err)
{
    struct config c;
    const char *ini = formatted("[split]\n%s", text);
    assert_int_equal(config_load(&c, scratch_text("x.ini", ini), err), 0);
    int rc = split_from_config(s, &c, err);
    config_release(&c);
    return rc;
}

static struct split parsed(const char *text)
{
    struct split s;
    struct err err;
    must(parse(&s, text, &err), &err);
    return s;
}

static void assert_rows(struct row_range rows, uint64_t first, uint64_t end)
{
    assert_int_equal(rows.first, first);
    assert_int_equal(rows.end, end);
}

TEST_CASE(days_are_whole_and_both_included_and_move_by_days)
{
    int64_t twice_a_day[100]; // from before 1970 on
    const struct split s =
        parsed("train = 1970-01-02 .. 1970-01-03\ntest = 1970-01-05 .. 1970-01-05\nfolds = 4");
    assert_int_equal(s.folds, 4);
    assert_string_equal(s.test.text, "1970-01-05 .. 1970-01-05");
    for (int i = 0; i < 100; i++)
        twice_a_day[i] = (i - 50) * 43200;
    for (int64_t days = -20; days <= 20; days++)
        assert_rows(split_rows(&s.train, days * 86400, twice_a_day, 100), (uint64_t)(52 + 2 * days),
                    (uint64_t)(56 + 2 * days));
    assert_rows(split_rows(&s.train, 70 * 86400, twice_a_day, 100), 100, 100);
}

TEST_CASE(shares_that_touch_share_no_row_and_leave_none_out)
{
    const struct split s = parsed("train = 0% .. 62.5%\ntest = 62.5% .. 100%");
    int64_t time[50];
    assert_int_equal(s.folds, 1);
    for (int64_t i = 0; i < 50; i++)
        time[i] = i;
    for (uint64_t rows = 0; rows < 50; rows++) {
        const struct row_range train = split_rows(&s.train, 7, time, rows);
        assert_int_equal(train.first, 0);
        assert_rows(split_rows(&s.test, 7, time, rows), train.end, rows);
    }
    assert_rows(split_rows(&s.train, 0, time, 16), 0, 10);
}

TEST_CASE(a_share_is_cut_between_different_times)
{
    const struct split s = parsed("train = 0% .. 50%\ntest = 50% .. 100%");
    static const int64_t time[] = {1, 2, 3, 3, 3, 3, 4, 5}, same[] = {1, 1, 1};
    assert_rows(split_rows(&s.train, 0, time, 8), 0, 2);
    assert_rows(split_rows(&s.test, 0, time, 8), 2, 8);
    assert_rows(split_rows(&s.train, 0, same, 3), 0, 0);
    assert_rows(split_rows(&s.test, 0, same, 3), 0, 3);
}

TEST_CASE(mistakes_are_refused_and_named)
{
    static const char *const cases[][2] = {
        {"train = 2018-07-25 .. 2018-07-31", "no test"},
        {"train = 2018-07-25..2018-07-26\ntest = 0% .. 1%", "not FROM .. TO"},
        {"train = 2018-02-30 .. 2018-03-26\ntest = 0% .. 1%", "'2018-02-30' is not a date"},
        {"test = 0% .. 1%\ntrain = 0% ..  x%", ":3:16: [split] train: 'x%' is not a percentage"},
        {"train = -1% .. 10%\ntest = 0% .. 1%", "'-1%' is not"},
        {"train = 0% .. 2018-07-25\ntest = 0% .. 1%", "'2018-07-25' is not a percentage"},
        {"train = 60% .. 60%\ntest = 0% .. 1%", "ends before it begins"},
        {"train = 2018-07-25 .. 2018-07-26\ntest = 0% .. 1%", "both be days"},
        {"train = 2018-07-25 .. 2018-07-31\ntest = 2018-07-31 .. 2018-08-01", "begins before"},
        {"train = 0% .. 60%\ntest = 60% .. 70%\nfolds = 2", "folds move by weeks"},
        {"train = 0% .. 60%\ntest = 60% .. 70%\nfolds = 0", "not within 1"},
    };
    struct split s;
    struct err err;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(parse(&s, cases[i][0], &err), -1);
        assert_contains(err.msg, cases[i][1]);
    }
}

#define ONE  "card = C, key\n"
#define TWO  "terminal = S, key\ncustomer = C, key\n"
#define RISK TWO "[features]\nrisk = 2 * mean(customer, label, 28d, delay=7d)\n"
#define NONE "blocked = none\n"

// words: of the error; where there is none, what is blocked and the seconds until labels are known.
static const char *input = "epoch\n[columns]\ntime = T, time\n";
static void assert_labels(const char *columns, const char *split, const char *words)
{
    struct split s;
    struct config c;
    struct plan p;
    struct err err;
    const char *ini = formatted(
        "[input]\ntime_format = %slabel = L, label\nx = X, number\n%s%s[split]\n%s", input, columns,
        strstr(columns, "[features]") ? "" : "[features]\nx = x\n", split);
    assert_int_equal(config_load(&c, scratch_text("x.ini", ini), &err), 0);
    if (plan_from_config(&p, &c, &err) == 0 && split_labels(&s, &c, &p.schema, &err) == 0)
        err_set(&err, "%s %lld", s.blocked ? s.blocked : "-", (long long)s.label_delay);
    plan_release(&p);
    assert_contains(err.msg, words);
    config_release(&c);
}

TEST_CASE(the_only_key_is_blocked_or_the_one_that_is_named_and_labels_come_after_seven_days)
{
    assert_labels("", "", "- 604800");
    assert_labels(ONE, "", "card 604800");
    assert_labels(ONE, NONE "label_delay = 36h", "- 129600");
    assert_labels(TWO, "blocked = customer\nlabel_delay = 0d", "customer 0");
    assert_labels(TWO, "blocked = terminal", "terminal 604800");
    assert_labels(TWO, "", "add blocked = KEY, one of terminal, customer, or blocked = none");
    assert_labels(TWO, "blocked = custmer",
                  "[split] blocked: 'custmer' is neither a key (terminal, customer) nor none; "
                  "--config FILE says whose settings are read");
    assert_labels("", "label_delay = 7", "[split] label_delay: '7' is not a length of time");
    assert_labels("", "label_delay = 1d 2", "'1d 2' is not");
    const char *with_a_clock = input;
    input = "row\n[columns]\n"; // a row's number is no time
    assert_labels(ONE, "", "- 0");
    assert_labels(TWO, NONE, "- 0");
    assert_labels(ONE, "blocked = card", "(row numbers have no day to block one from) nor none");
    input = with_a_clock;
}

TEST_CASE(a_window_over_labels_that_are_not_known_yet_is_refused)
{
    assert_labels(RISK, NONE, "- 604800");
    assert_labels(RISK, NONE "label_delay = 8d", "[features] risk: the label is not known yet");
    assert_labels(RISK, NONE "label_delay = 604801s",
                  "whose delay is [split] label_delay (7d if not set) or more");
}

TESTS(scratch_make, scratch_remove)
