// The program features on the committed sample: the same bytes however they are computed, and what
// goes wrong. test_tiny.c holds the sample's features against their definition.
#include "ingest/table.h"
#include "tests/release.h"
#include "tests/stages.h"

#include <math.h>
#include <stdlib.h>

#define COMPARE "diff -r -x manifest.json features "

TEST_CASE(the_rows_are_kept_and_threads_keys_and_their_order_change_no_feature)
{
    succeed(
        "for c in id time customer terminal label; do cmp table/$c.npy features/$c.npy || exit; "
        "done; [ $(ls features | wc -l) = 22 ]"); // with 15 features, manifest and state
    succeed("for n in 1 3 16; do features " SAMPLE "--threads $n --output other table && "
            "diff -r features other || exit; done");
    succeed("ingest " SAMPLE "--key other.key --output other && features " SAMPLE
            "--output others other && ! cmp -s table/customer.npy other/customer.npy && " COMPARE
            "others -x state.bin -x id.npy -x customer.npy -x terminal.npy");
    succeed("{ head -n 1 datasets/sample.csv; "
            "tail -n +2 datasets/sample.csv | sort -s -t , -k 7,7nr; } >shuffled.csv\n"
            "ingest " SAMPLE "--key key --output shuffled shuffled.csv && "
            "features " SAMPLE "--output sorted shuffled && " COMPARE "sorted");
}

TEST_CASE(label_windows_that_no_feedback_will_reach_are_warned_of)
{
    static const char warning[] = "features: windows over the label will go stale";
    expect(0, warning,
           "sed '/^id /d' datasets/sample.ini >no.ini; ingest --config no.ini --output other && "
           "features --config no.ini --output features other");
    succeed(FEATURES);
    assert_null(strstr(out, warning));
    succeed("sed -i '/label,/d' no.ini; features --config no.ini --output features other");
    assert_null(strstr(out, warning));
}

TEST_CASE(until_leaves_out_rows_from_that_moment_on)
{
    // The last of these is the very second of a transaction.
    succeed("moment=$(sed -n '2000s/^[^,]*,\\([^,]*\\),.*/\\1/p' datasets/sample.csv)\n"
            "for until in 2018-04-01 2018-04-21 2038-01-01 \"$moment\"; do "
            "n=$(tail -n +2 datasets/sample.csv | awk -F , -v u=\"$until\" '$2 < u' | wc -l); "
            "features " SAMPLE "--until \"$until\" --output part table >line || exit; "
            "grep -q \"^features *$n \" line || exit; done");
}

static const float *column(const struct table *t, const char *name)
{
    struct err err = {""};
    const float *x = table_data(t, name, COLUMN_FEATURE, &err);
    must(!x, &err);
    return x;
}

// 200 rows, 10 s apart; the shops of the first half decide what onehot keeps.
TEST_CASE(onehot_is_fitted_to_training_and_unknown_labels_count_as_genuine)
{
    struct table t;
    struct err err;
    scratch_text("work/small.ini",
                 "[input]\nfile = small.csv\ntime_format = epoch\n[columns]\nid = id, id\n"
                 "time = time, time\ncard = card, key\namount = amount, number\n"
                 "shop = shop, category\nlabel = fraud, label, missing=-1\n"
                 "[split]\ntrain = 0% .. 50%\ntest = 50% .. 100%\nlabel_delay = 1s\n[features]\n"
                 "at = onehot(shop)\nlog = log1p(amount)\n"
                 "frauds = sum(card, label, all, delay=1s)\n");
    succeed("awk 'BEGIN { print \"id,time,card,amount,shop,fraud\"; for (i = 0; i < 200; i++) "
            "print i \",\" 10 * i \",c\" i % 3 \",\" i - 1 \",\" (i >= 100 ? \"late\" : "
            "i % 10 ? \"web\" : \"\\\"a \\\"\\\"b\\\"\\\",/c\\\"\") \",\" "
            "(i % 4 == 0 ? \"\" : i % 4 == 1) }' >small.csv; "
            "ingest --config small.ini --key key --output small");
    expect(0, "1 values were not finite and became 0",
           "features --config small.ini --output smalls small");
    must(table_open(&t, scratch_path("work/smalls"), &err), &err);
    assert_int_equal(table_find(&t, "at[*]"), -1);
    const float *web = column(&t, "at[web]"), *quoted = column(&t, "at[a %22b%22,%2Fc]"),
                *frauds = column(&t, "frauds"), *log = column(&t, "log");
    for (int i = 0; i < 200; i++) {
        int expected = 0;
        for (int j = i % 3; j < i; j += 3)
            expected += j % 4 == 1;
        assert_true(frauds[i] == (float)expected);
        assert_true(log[i] == (i ? (float)log1p(i - 1) : 0));
        assert_true(web[i] == (i < 100 && i % 10 != 0));
        assert_true(quoted[i] == (i < 100 && i % 10 == 0));
    }
    table_release(&t);
}

TEST_CASE(missing_numbers_become_what_the_training_rows_say)
{
    static const float expected[4][4] = {
        {1, 3, 3, 10}, {1, 2, (float)(7.0 / 3), 4}, {1, 2.5F, 4, 2.5F}, {0, 0, 0, 0}};
    static const char *const names[] = {"m", "a", "f", "n"};
    struct table t;
    struct err err;
    succeed("printf 'm,a,f,n,y\\n1,1,1,,0\\n,2,,,1\\n3,,4,,0\\n10,4,,,1\\n' >gaps.csv; "
            "for i in 1 2 3 4; do echo 90,90,90,90,$((i % 2)) >>gaps.csv; done\n"
            "printf '[input]\\nfile = gaps.csv\\ntime_format = row\\n[columns]\\n"
            "m = m, number, missing=median\\na = a, number, missing=mean\\n"
            "f = f, number, missing=flag\\nn = n, number, missing=mean\\n"
            "y = y, label\\n"
            "[features]\\nm = m\\na = a\\nf = f\\nn = n\\n[split]\\ntrain = 0%% .. 50%%\\n"
            "test = 50%% .. 100%%\\n' >gaps.ini; ingest --config gaps.ini --key key "
            "--output gaps && features --config gaps.ini --output filled gaps");
    must(table_open(&t, scratch_path("work/filled"), &err), &err);
    for (size_t k = 0; k < 4; k++)
        assert_memory_equal(column(&t, names[k]), expected[k], sizeof expected[k]);
    const float flags[] = {0, 1, 0, 1, 0, 0, 0, 0};
    assert_memory_equal(column(&t, "f[missing]"), flags, sizeof flags);
    assert_int_equal(table_find(&t, "m[missing]"), -1);
    table_release(&t);
}

static int by_value(const void *x, const void *y)
{
    return (*(const float *)x > *(const float *)y) - (*(const float *)x < *(const float *)y);
}

TEST_CASE(knots_are_quantiles_of_the_training_rows_whose_windows_know_the_rows_before)
{
    struct table t;
    struct err err;
    char name[64];
    succeed(
        "sed 's/^night.*/&\\nx = hinges(count(customer, all) + amount, 3)/' datasets/sample.ini "
        ">x.ini; features --config x.ini --output one table && "
        "features --config x.ini --threads 3 --output three table && diff -r one three");
    must(table_open(&t, scratch_path("work/one"), &err), &err);
    const int64_t *time = table_first(&t, COLUMN_TIME);
    const float *x = column(&t, "x");
    float *training = calloc(t.rows, sizeof *training);
    size_t n = 0;
    for (size_t r = 0; r < t.rows; r++) // 2018-04-15 .. 2018-04-21
        if (time[r] >= 1523750400 && time[r] < 1524355200)
            training[n++] = x[r];
    qsort(training, n, sizeof *training, by_value);
    for (size_t k = 1; k <= 3; k++) {
        snprintf(name, sizeof name, "x[%.7g]", (double)training[n * k / 4]);
        assert_true(table_find(&t, name) >= 0);
    }
    free(training);
    table_release(&t);
}

TEST_CASE(shuffle_is_for_rows_without_time_and_its_seed_stays_with_the_features)
{
    succeed("{ echo amount,fraud; seq 400 | awk '{ print $1 \",\" (int($1 / 10) == 39) }'; } "
            ">rows.csv; printf '[input]\nfile = rows.csv\ntime_format = row\n"
            "[columns]\namount = amount, number\nfraud = fraud, label\n[split]\nshuffle = 7\n"
            "train = 0%% .. 75%%\ntest = 75%% .. 100%%\n[features]\nx = hinges(amount, 2)\n' "
            ">rows.ini; ingest --config rows.ini --key key --output rows && "
            "features --config rows.ini --output rows2 rows && "
            "grep -q '\"shuffle\": 7' rows2/manifest.json && ls rows2");
    assert_contains(out, "x[1"); // not of the first rows alone, which end at 300
    assert_contains(out, "x[2");
    struct table t;
    struct err err;
    must(table_open(&t, scratch_path("work/rows2"), &err), &err);
    const int8_t *label = table_first(&t, COLUMN_LABEL);
    int tested = 0;
    for (size_t r = 300; r < 400; r++)
        tested += label[r] == 1;
    assert_in_range(tested, 2, 3); // of ten
    table_release(&t);
    expect(1, "train and test must be in percent",
           "sed 's/^train.*/train = 2018-01-01 .. 2018-01-02/; s/^test.*/test = 2018-01-03 .. "
           "2018-01-04/' rows.ini >bad.ini; features --config bad.ini --output features rows");
    expect(1, "shuffle is for time_format = row",
           "sed 's/^\\[split]/&\\nshuffle = 1/' datasets/sample.ini >bad.ini; "
           "features --config bad.ini --output features table");
    expect(1, "[features] has windows",
           "sed 's/^x.*/x = count(card, 7d)/; s/^amount.*/card = amount, key/' rows.ini >bad.ini; "
           "features --config bad.ini --output features rows");
}

// test_plan.c has the mistakes that a description can have.
TEST_CASE(a_wrong_option_or_description_is_refused_and_the_old_features_stand)
{
    static const char *const cases[][2] = {
        {"s/^night.*/night = hour(time) <= amonut/", "hour(time) <= amonut\n                ^"},
        {"s/^label .*/&\\nextra = TX_EXTRA, number/", "run ingest again"},
    };
    expect(2, "--until: 'yesterday' is neither", FEATURES "--until yesterday");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        succeed(formatted("sed '%s' datasets/sample.ini >bad.ini", cases[i][0]));
        refused(cases[i][1], "features --config bad.ini --output features table");
    }
}

TESTS(stages_make, scratch_remove)
