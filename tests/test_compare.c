// compare: two versions against brute force, on rows made here and through the programs.
#include "train/evaluate.h"

#include "tests/release.h"
#include "tests/stages.h"
#include "tests/training.h"

#include "base/memory.h"
#include "base/value.h"

enum { DAYS = 64, PER_DAY = 50, ROWS = DAYS * PER_DAY, CARDS = 400, CHANNELS = 3 };
enum { TRAINED = 40, FIRST = TRAINED * PER_DAY, N = DAYS - TRAINED }; // days, rows, days

static uint64_t ids[ROWS], card[ROWS];
static int64_t seconds[ROWS];
static float amount[ROWS], noise[ROWS];
static uint32_t channel[ROWS];
static int8_t label[ROWS];
static struct table_column columns[] = {
    {.name = "id", .kind = COLUMN_ID, .data = ids},
    {.name = "time", .kind = COLUMN_TIME, .data = seconds},
    {.name = "customer", .kind = COLUMN_KEY, .data = card},
    {.name = "channel", .kind = COLUMN_CATEGORY, .data = channel},
    {.name = "label", .kind = COLUMN_LABEL, .data = label},
    {.name = "amount", .kind = COLUMN_FEATURE, .data = amount},
    {.name = "noise", .kind = COLUMN_FEATURE, .data = noise},
};
static char *channels[] = {"chip", "web", "phone"};
static struct plan plan;
static struct config config;
static struct model models[2];
static const struct period_times always = {INT64_MIN, INT64_MAX};
static struct err err;

#define ROWS_CASE(name) TEST_CASE_WITH(name, make_rows, remove_rows)

// Version 8 has learnt the noise.
static int make_rows(void **state __attribute__((unused)))
{
    struct config described = config_of(
        "[input]\ntime_format = epoch\n[columns]\nid = I, id\ntime = T, time\ncustomer = C, key\n"
        "channel = H, category\nlabel = L, label\nx = X, number\n[features]\namount = x\n"
        "noise = x * 2\n");
    static struct model_input inputs[2][2];
    must(plan_from_config(&plan, &described, &err), &err);
    config_release(&described);
    seed = 3;
    for (int r = 0; r < ROWS; r++) {
        ids[r] = draw(UINT64_C(1) << 31) * UINT64_C(0x9e3779b97f4a7c15);
        seconds[r] = (int64_t)(r / PER_DAY) * DAY + r % PER_DAY * (DAY / PER_DAY);
        card[r] = draw(CARDS);
        channel[r] = (uint32_t)draw(CHANNELS);
        amount[r] = (float)draw(100); // ties
        noise[r] = (float)draw(100);
        label[r] = draw(100) < (amount[r] > 85 ? 45U : 2U);
        if (draw(30) == 0)
            label[r] = -1;
    }
    for (int i = 0; i < 2; i++) {
        inputs[i][0] =
            (struct model_input){.name = "amount", .scale = 10, .weight = 0.5, .max = 90};
        inputs[i][1] =
            (struct model_input){.name = "noise", .scale = 10, .weight = i ? 0.3 : 0.05, .max = 90};
        models[i] = (struct model){.plan = plan,
                                   .inputs = inputs[i],
                                   .n_inputs = 2,
                                   .intercept = -6,
                                   .threshold = i ? 0.45 : 0.2,
                                   .training = json_object(),
                                   .train = {0, (TRAINED - 4 * i) * DAY},
                                   .sha256 = "a",
                                   .version = 7 + i};
    }
    return 0;
}

static int remove_rows(void **state __attribute__((unused)))
{
    plan_release(&plan);
    json_decref(models[0].training);
    json_decref(models[1].training);
    config_release(&config);
    return 0;
}

static void configure(const char *sections)
{
    config_release(&config);
    config = config_of(sections);
}

// Rows first .. end of a table in memory.
static struct examples rows_of(uint64_t first, uint64_t end)
{
    static const float *x[8][2];
    static const char *names[] = {"amount", "noise"};
    static struct table_column made[8][7];
    static size_t used;
    struct table_column *c = memcpy(made[used % 8], columns, sizeof columns);
    for (size_t i = 0; i < 7; i++)
        c[i].data = (const char *)c[i].data + first * column_size(c[i].kind);
    c[3].dictionary = channels;
    c[3].dictionary_size = CHANNELS;
    x[used % 8][0] = amount + first;
    x[used % 8][1] = noise + first;
    return (struct examples){.table = {.path = "t", .rows = end - first, .columns = c, .n = 7},
                             .plan = plan,
                             .rows = end - first,
                             .n_inputs = 2,
                             .x = x[used++ % 8],
                             .names = names,
                             .label = label + first,
                             .time = seconds + first,
                             .labels_as_of = INT64_MAX};
}

static json_t *compare(const struct examples *tables, size_t n, struct period_times within)
{
    static struct examples all;
    if (n > 1)
        must(examples_join(&all, tables, n, 7 * DAY, &err), &err);
    json_t *j = compare_new(&models[0], &models[1], n > 1 ? &all : tables, &config, within, &err);
    must(!j, &err);
    return j;
}

// ---- the slow way -------------------------------------------------------------------------------

static double score[2][ROWS];
static int8_t judged[ROWS];

// A card is blocked on the days that begin when a fraud of it of the 35 days before the block of seven
// days has been known since the day before.
static void judge(void)
{
    for (int r = 0; r < ROWS; r++) {
        const int day = r / PER_DAY, block = TRAINED + (day - TRAINED) / 7 * 7;
        judged[r] = r < FIRST ? (int8_t)-9 : label[r];
        for (int f = 0; f < r && judged[r] > -9; f++)
            if (label[f] == 1 && card[f] == card[r] && f / PER_DAY >= block - 35 &&
                f / PER_DAY + 7 < day)
                judged[r] = LABEL_KNOWN_CARD;
        const float x[] = {amount[r], noise[r]};
        for (int i = 0; i < 2; i++)
            score[i][r] = model_probability(model_margin(&models[i], x));
    }
}

static int day_at(int r)
{
    return r / PER_DAY;
}

// Σ over the frauds of the precision at their score / frauds; each row times[day] times.
static double slow_ap(const double *s, const int8_t *labels, const int *times)
{
    double sum = 0, frauds = 0;
    for (int r = FIRST; r < ROWS; r++) {
        double above[2] = {0, 0};
        if (labels[r] != 1 || times[day_at(r)] == 0)
            continue;
        for (int k = FIRST; k < ROWS; k++)
            if (labels[k] >= 0 && s[k] >= s[r])
                above[labels[k]] += times[day_at(k)];
        sum += times[day_at(r)] * above[1] / (above[0] + above[1]);
        frauds += times[day_at(r)];
    }
    return sum / frauds;
}

static double slow_loss(const double *s, const int *times)
{
    double sum = 0, n = 0;
    for (int r = 0; r < ROWS; r++)
        if (judged[r] >= 0) {
            sum -= times[day_at(r)] * log(judged[r] == 1 ? s[r] : 1 - s[r]);
            n += times[day_at(r)];
        }
    return sum / n;
}

// Of the alerts (of = false) or of the frauds: the share that is both.
static double slow_share(int side, bool of_frauds, const int *times)
{
    double both = 0, n = 0;
    for (int r = FIRST; r < ROWS; r++) {
        const bool alert = score[side][r] >= models[side].threshold, fraud = judged[r] == 1;
        if (judged[r] >= 0) {
            both += times[day_at(r)] * (alert && fraud);
            n += times[day_at(r)] * (of_frauds ? fraud : alert);
        }
    }
    return both / n;
}

static double slow_alerts(int side, const int *times, int days)
{
    double sum = 0;
    for (int r = 0; r < ROWS; r++)
        if (judged[r] >= 0 && score[side][r] >= models[side].threshold)
            sum += times[day_at(r)];
    return sum / days;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double member(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

// xorshift64* (Vigna, ACM TOMS 42, 2016) from the seed 1; its upper half as a share of the days.
static void slow_draw(uint64_t *x, int *times, int first, int days)
{
    memset(times, 0, DAYS * sizeof *times);
    for (int i = 0; i < days; i++) {
        *x ^= *x >> 12;
        *x ^= *x << 25;
        *x ^= *x >> 27;
        times[first + (int)((*x * UINT64_C(2685821657736338717) >> 32) * (uint64_t)days >> 32)]++;
    }
}

// values: of 1000 draws. numpy.percentile's linear interpolation: 24.975 and 974.025.
static void assert_difference(const json_t *j, const char *metric, double a, double b,
                              double *values)
{
    double mean = 0, squares = 0;
    for (int r = 0; r < 1000; r++)
        mean += values[r] / 1000;
    for (int r = 0; r < 1000; r++)
        squares += (values[r] - mean) * (values[r] - mean);
    qsort(values, 1000, sizeof *values, by_value);
    assert_string_equal(json_string_value(json_object_get(j, "metric")), metric);
    assert_near(member(j, "a"), a, 1e-12);
    assert_near(member(j, "b"), b, 1e-12);
    assert_near(member(j, "value"), b - a, 1e-12);
    assert_near(member(j, "low"), values[24] + 0.975 * (values[25] - values[24]), 1e-12);
    assert_near(member(j, "high"), values[974] + 0.025 * (values[975] - values[974]), 1e-12);
    assert_near(member(j, "detectable"), 2.8 * sqrt(squares / 999), 1e-12);
}

ROWS_CASE(differences_and_intervals_are_those_of_the_drawn_days_by_brute_force)
{
    static double values[6][1000];
    static const char *const names[] = {"chip", "web", "phone", "under 50", "50 and over"};
    const char *name = NULL;
    int8_t slice[ROWS];
    int once[DAYS], times[DAYS];
    uint64_t x = 1;
    const struct examples all = rows_of(0, ROWS);
    configure("[slices]\nchannel = channel\nnoise = noise: 50\n");
    json_t *j = compare(&all, 1, always);
    judge();
    const json_t *worst = json_object_get(j, "worst_slice"), *d = json_object_get(j, "differences");
    for (int i = 0; i < DAYS; i++)
        once[i] = i >= TRAINED;
    // The worst slice is the lowest difference of all five, of which none is small.
    double lowest = INFINITY;
    for (int k = 0; k < 5; k++) {
        int8_t of[ROWS];
        for (int r = 0; r < ROWS; r++)
            of[r] = (k < 3 ? channel[r] == (uint32_t)k : (noise[r] >= 50) == (k == 4)) ? judged[r]
                                                                                       : (int8_t)-3;
        const double change = slow_ap(score[1], of, once) - slow_ap(score[0], of, once);
        if (change < lowest) {
            lowest = change;
            memcpy(slice, of, sizeof slice);
            name = names[k];
        }
    }
    for (int r = 0; r < 1000; r++) {
        slow_draw(&x, times, TRAINED, N);
        values[0][r] = slow_ap(score[1], judged, times) - slow_ap(score[0], judged, times);
        values[1][r] = slow_loss(score[1], times) - slow_loss(score[0], times);
        values[2][r] = slow_alerts(1, times, N) - slow_alerts(0, times, N);
        values[3][r] = slow_ap(score[1], slice, times) - slow_ap(score[0], slice, times);
        for (int k = 0; k < 2; k++)
            values[4 + k][r] = slow_share(1, k, times) - slow_share(0, k, times);
    }
    assert_difference(json_array_get(d, 0), "average_precision", slow_ap(score[0], judged, once),
                      slow_ap(score[1], judged, once), values[0]);
    assert_difference(json_array_get(d, 1), "log_loss", slow_loss(score[0], once),
                      slow_loss(score[1], once), values[1]);
    for (int k = 0; k < 2; k++)
        assert_difference(json_array_get(d, 2 + (size_t)k), k ? "recall" : "precision",
                          slow_share(0, k, once), slow_share(1, k, once), values[4 + k]);
    assert_difference(json_array_get(d, 4), "alerts_per_day", slow_alerts(0, once, N),
                      slow_alerts(1, once, N), values[2]);
    assert_difference(worst, "average_precision", slow_ap(score[0], slice, once),
                      slow_ap(score[1], slice, once), values[3]);
    assert_string_equal(json_string_value(json_object_get(worst, "name")), name);
    json_decref(j);
}

// ---- flips, rows and the verdict ----------------------------------------------------------------

static int row_of(const char *id)
{
    for (int r = 0; r < ROWS; r++)
        if (ids[r] == (uint64_t)strtoll(id, NULL, 10)) // as SQLite has it
            return r;
    fail_msg("no row has the id %s", id);
    return 0;
}

ROWS_CASE(flips_are_the_judged_rows_on_different_sides_of_the_thresholds_farthest_first)
{
    json_int_t rows[2] = {0}, frauds[2] = {0}, counted[4] = {0};
    const struct examples all = rows_of(0, ROWS);
    configure("");
    json_t *j = compare(&all, 1, always), *flips = json_object_get(j, "flips"), *flip;
    const json_t *list = json_object_get(flips, "rows"), *m;
    size_t k;
    judge();
    for (int r = FIRST; r < ROWS; r++) {
        const bool b = score[1][r] >= models[1].threshold;
        const bool flips_it = b != (score[0][r] >= models[0].threshold) && judged[r] >= 0;
        rows[b] += flips_it;
        frauds[b] += flips_it && judged[r] == 1;
        counted[judged[r] + 2]++;
    }
    assert_true(frauds[0] > 0 && frauds[1] > 0); // or nothing is tested
    assert_is(member(json_object_get(flips, "to_review"), "rows"), (double)rows[1]);
    assert_is(member(json_object_get(flips, "to_review"), "frauds"), (double)frauds[1]);
    assert_is(member(json_object_get(flips, "to_approve"), "rows"), (double)rows[0]);
    assert_is(member(json_object_get(flips, "to_approve"), "frauds"), (double)frauds[0]);
    assert_int_equal(json_array_size(list), rows[0] + rows[1]);
    double before = INFINITY;
    json_array_foreach(list, k, flip)
    {
        const char *id = json_string_value(json_object_get(flip, "id"));
        const int r = row_of(id);
        assert_true(judged[r] >= 0);
        assert_is(member(flip, "a"), score[0][r]);
        assert_is(member(flip, "b"), score[1][r]);
        assert_true((score[0][r] >= models[0].threshold) != (score[1][r] >= models[1].threshold));
        assert_int_equal(json_is_true(json_object_get(flip, "fraud")), label[r] == 1);
        assert_true(fabs(score[1][r] - score[0][r]) <= before);
        before = fabs(score[1][r] - score[0][r]);
    }
    assert_true(counted[0] > 50);
    for (int i = 0; i < 2; i++) { // one set of rows for both
        m = json_object_get(json_object_get(j, i ? "b" : "a"), "metrics");
        assert_is(member(m, "known_cards"), (double)counted[0]);
        assert_is(member(m, "unknown_labels"), (double)counted[1]);
        assert_is(member(m, "rows"), (double)(counted[2] + counted[3]));
        assert_is(member(m, "frauds"), (double)counted[3]);
    }
    json_decref(j);
}

static void assert_text(const json_t *j, const char *object, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(json_object_get(j, object), key));
    if (!found || strcmp(found, expected) != 0)
        fail_msg("%s.%s is %s, not %s", object, key, found, expected);
}

static void assert_verdict(const char *code, struct period_times within)
{
    const struct examples all = rows_of(0, ROWS);
    json_t *j = compare(&all, 1, within);
    assert_text(j, "verdict", "code", code);
    json_decref(j);
}

ROWS_CASE(the_verdict_follows_the_interval_and_needs_fourteen_days_with_frauds)
{
    const struct period_times last = {(DAYS - 13) * DAY, INT64_MAX},
                              whole = {(DAYS - 14) * DAY, INT64_MAX};
    configure("");
    models[1].inputs[1].weight = 2;
    assert_verdict("worse", always);
    assert_verdict("worse", whole);
    assert_verdict("few_days", last);
    models[1].inputs[1].weight = 0.05;
    assert_verdict("none", always); // the same model
    models[0].inputs[1].weight = 2;
    assert_verdict("better", always);
    for (int r = FIRST; r < ROWS; r++) // frauds on one day only: some draws have none
        label[r] = label[r] == 1 && r / PER_DAY != TRAINED ? 0 : label[r];
    assert_verdict("few_frauds", always);
}

ROWS_CASE(a_version_against_itself_differs_by_nothing_at_all)
{
    const struct examples all = rows_of(0, ROWS);
    configure("[slices]\nchannel = channel\n");
    struct model same = models[0];
    same.version = 8;
    json_t *j = compare_new(&models[0], &same, &all, &config, always, &err), *d;
    size_t k;
    assert_non_null(j);
    json_array_foreach(json_object_get(j, "differences"), k, d)
    {
        assert_is(member(d, "value"), 0);
        assert_is(member(d, "low"), 0);
        assert_is(member(d, "high"), 0);
    }
    assert_int_equal(k, 5);
    assert_is(member(json_object_get(j, "worst_slice"), "high"), 0);
    assert_int_equal(json_array_size(json_object_get(json_object_get(j, "flips"), "rows")), 0);
    assert_text(j, "verdict", "code", "none");
    json_decref(j);
}

static size_t notes_but_of_alerts(const json_t *j)
{
    const json_t *verdict = json_object_get(j, "verdict");
    return json_array_size(json_object_get(verdict, "notes")) -
           json_is_string(json_object_get(verdict, "alerts"));
}

ROWS_CASE(rows_begin_after_both_trainings_and_end_where_labels_are_mature)
{
    struct examples all = rows_of(0, ROWS);
    configure("[split]\nlabel_delay = 7d\n");
    json_t *j = compare(&all, 1, always);
    assert_text(j, "period", "from", "1970-02-10T00:00:00Z"); // day 40
    assert_text(j, "period", "to", "1970-03-05T23:31:12Z");
    assert_int_equal(notes_but_of_alerts(j), 0);
    json_decref(j);
    models[1].train.until = (TRAINED + 1) * DAY;
    j = compare(&all, 1, (struct period_times){3 * DAY, (TRAINED + 20) * DAY});
    assert_text(j, "period", "from", "1970-02-11T00:00:00Z");
    assert_text(j, "period", "to", "1970-03-01T23:31:12Z");
    assert_is(member(json_object_get(j, "period"), "days"), 19);
    assert_is(member(json_object_get(j, "period"), "young"), 0);
    json_decref(j);
    all.labels_as_of = DAYS * DAY - 1;
    j = compare(&all, 1, (struct period_times){(TRAINED + 1) * DAY + 1, INT64_MAX});
    assert_text(j, "period", "from", "1970-02-11T00:28:48Z");
    assert_text(j, "period", "to", "1970-02-26T23:31:12Z"); // a week before
    assert_is(member(json_object_get(j, "period"), "young"), 7 * PER_DAY);
    json_decref(j);
    all = rows_of(7 * PER_DAY, ROWS); // 34 days before the period, not 35
    j = compare(&all, 1, always);
    assert_text(j, "period", "cards_from", "1970-01-07");
    assert_int_equal(notes_but_of_alerts(j), 1);
    json_decref(j);
}

ROWS_CASE(the_metric_is_one_of_two)
{
    static const char *const wrong[][2] = {
        {"[retrain]\nmetric = roc_auc\n",
         "test.ini:2:10: [retrain] metric: 'roc_auc' is neither average_precision"},
        {"[retrain]\nmetric = card_precision_at_100\n[split]\nblocked = none\n",
         "with a key in [split] blocked"}};
    const struct examples all = rows_of(0, ROWS);
    configure("[retrain]\nmetric = card_precision_at_100\n");
    json_t *j = compare(&all, 1, always);
    const json_t *d = json_array_get(json_object_get(j, "differences"), 0);
    assert_string_equal(json_string_value(json_object_get(d, "metric")), "card_precision_at_100");
    const json_t *m = json_object_get(json_object_get(j, "b"), "metrics");
    assert_true(member(m, "card_precision_at_100") > 0);
    assert_is(member(d, "b"), member(m, "card_precision_at_100"));
    json_decref(j);
    for (size_t i = 0; i < 2; i++) {
        configure(wrong[i][0]);
        assert_null(compare_new(&models[0], &models[1], &all, &config, always, &err));
        assert_contains(err.msg, wrong[i][1]);
    }
}

// ---- several tables -----------------------------------------------------------------------------

static struct examples joined;

static void forget(void)
{
    for (size_t i = 0; i < joined.table.n; i++) {
        struct table_column *c = &joined.table.columns[i];
        for (size_t k = 0; k < c->dictionary_size; k++)
            free(c->dictionary[k]);
        free(c->dictionary);
        free((void *)c->data);
    }
    free(joined.table.columns);
    json_decref(joined.table.provenance);
    free(joined.x);
    free(joined.names);
}

ROWS_CASE(tables_have_one_plan_and_labels_that_were_not_mature_are_left_out)
{
    struct examples parts[] = {rows_of(0, 1000), rows_of(1000, ROWS)};
    parts[1].plan = (struct plan){0};
    assert_int_equal(examples_join(&joined, parts, 2, 7 * DAY, &err), -1);
    assert_contains(err.msg, "t: has other [columns] or [features] than t");
    parts[1] = rows_of(1000, ROWS);
    parts[0].labels_as_of = 20 * DAY - 1; // on day 13 the last mature row
    must(examples_join(&joined, parts, 2, 7 * DAY, &err), &err);
    assert_int_equal(joined.rows, ROWS - 1000 + 13 * PER_DAY);
    assert_int_equal(joined.time[13 * PER_DAY], 20 * DAY);
    free(joined.table.path);
    forget();
}

// ---- the programs -------------------------------------------------------------------------------

// The sample's training ends before April 22, its rows on May 12.
#define COMPARE "registry --config datasets/sample.ini --models models compare "
#define SECOND(edit)                                                                               \
    "sed '" edit "' datasets/sample.ini >second.ini && features --config second.ini --output "     \
    "features2 table && train --config second.ini --output models features2"

TEST_CASE(a_version_that_learnt_wrong_labels_is_worse)
{
    succeed(
        "awk -F, -v OFS=, 'NR > 1 && NR % 3 == 0 { $8 = 1 - $8 } 1' datasets/sample.csv >wrong.csv"
        " && ingest " SAMPLE "--key key --output wrong wrong.csv && features " SAMPLE
        "--output wrong-features wrong");
    succeed("train " SAMPLE "--output models wrong-features");
    expect(0, "Worse: version 2 against 1. Average precision -", COMPARE "1 2 features");
    assert_parts(out, "2018-04-22 to 2018-05-12 (days: 21): |\nPrecision |\nRecall |Note: "
                      "The tables do not reach back to "
                      "2018-03-18|\nWorst slice |\n  night: 1");
    expect(0, "Better: version 1 against 2.", COMPARE "latest champion features");
    expect(0, "Too few days to judge: version 1 against 2.",
           COMPARE "2 1 features --from 2018-04-30");
    succeed(COMPARE "1 2 features >said; [ $(wc -l <said) -le 24 ] && ! grep '.\\{81\\}' said");
}

TEST_CASE(train_compares_with_the_champion_before_its_summary_unless_it_is_the_same_model)
{
    expect(0, "\ntrain ", SECOND("s/^l2 = .*/l2 = 1e-1/") " | tail -n 24");
    assert_parts(out, "Worse: version 2 against 1.|\nAlerts a day |\nWorst slice |\nRows that only "
                      "version 2 reviews: |models/2\n");
    assert_null(strstr(strstr(out, "\ntrain "), "\n\n"));
    succeed("train " SAMPLE "--output models features");
    assert_int_equal(strncmp(out, "train ", 6), 0); // the champion again
}

TEST_CASE(versions_that_cannot_be_compared_are_refused_with_the_reason_and_trained_all_the_same)
{
    expect(0,
           "Not compared with the champion: version 1 was trained on other [columns] or "
           "[features] than features2 has",
           SECOND("/^night /d; s/^night  *= night//"));
    assert_contains(out, " models/2\n");
    refused("registry: version 2 was trained on other [columns] or [features] than features has",
            COMPARE "1 2 features --output c.json");
    succeed("sed 's/^l2 = .*/l2 = 1e-1/' datasets/sample.ini >third.ini && "
            "train --config third.ini --output models features"); // version 3
    refused(
        "registry: features2: no row counts: it must be later than the training of both versions",
        "features " SAMPLE "--until 2018-04-20 --output features2 table >said; rm said; "
        "before=$(all); " COMPARE "1 3 features2");
    refused("registry: models: there is no version 4", COMPARE "1 4 features");
    refused("rename this table: its name is not UTF-8",
            "cp -r features \"$(printf 'f\\377')\"; before=$(all); " COMPARE
            "1 3 \"$(printf 'f\\377')\"");
    refused("second.ini:", "echo '[retrain]\nmetric = recall' >>second.ini; before=$(all); "
                           "registry --config second.ini --models models compare 1 3 features");
    expect(1, "version 1 is named twice: compare two different ones",
           COMPARE "champion 1 features");
    expect(2, "compare what? give two versions and a feature table", COMPARE "1 2");
    expect(2, "--from, --until and --output are for compare only", "registry list --output x");
}

// The rows first .. end of a table as a table of its own.
static void cut(const char *from, const char *to, uint64_t first, uint64_t end)
{
    struct table t;
    struct table_writer w;
    must(table_open(&t, from, &err), &err);
    must(table_writer_open(&w, to, t.columns, t.n, &err), &err);
    for (size_t i = 0; i < t.n; i++)
        must(table_writer_append(
                 &w, i, (const char *)t.columns[i].data + first * column_size(t.columns[i].kind),
                 end - first, &err),
             &err);
    must(table_writer_finish(&w, json_incref(t.provenance), &err), &err);
    must(output_commit(&w.dir, &err), &err);
    table_writer_release(&w);
    table_release(&t);
}

TEST_CASE(several_tables_give_the_same_json_as_the_one_they_were_cut_from_and_again_the_same)
{
    const char *whole = scratch_path("work/features");
    succeed(SECOND("s/^l2 = .*/l2 = 1e-1/"));
    cut(whole, scratch_path("work/early"), 0, 3000);
    cut(whole, scratch_path("work/late"), 2500, 5512);
    succeed(COMPARE "1 2 features --output one && " COMPARE
                    "1 2 early late --output many && " COMPARE
                    "1 2 early late --output again && cmp many again");
    succeed("monitor " SAMPLE "--models models --output a.json features && "
            "monitor " SAMPLE "--models models --output b.json early late && "
            "sed 's,early + late,features,' b.json | cmp - a.json");
    for (int i = 0; i < 2; i++)
        succeed(
            i ? "awk '/\"tables\"/ { n = 1 } n && /\\]/ { n = 0 } !n' many >left; cmp left right"
              : "awk '/\"tables\"/ { n = 1 } n && /\\]/ { n = 0 } !n' one >right");
    succeed("grep -q \"$(sha256sum <models/2/model.json | head -c 64)\" one && "
            "[ $(grep -c '\"xxh3\"' many) = 2 ] && "
            "grep -q \"$(tail -n 2 late/manifest.json | grep -o '[0-9a-f]\\{16\\}')\" many");
}

TESTS(stages_make, scratch_remove)
