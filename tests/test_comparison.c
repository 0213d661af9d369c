// Rows in memory, of which one input, the labels or nothing changes from some week on: weeks, bounds
// and alarms are held against the same rules written out slowly; drift.json and its companions are
// read back.
#define EACH setup, teardown
#include "monitor/comparison.h"

#include "tests/release.h"
#include "tests/training.h"
#include "train/evaluate.h"

// Training is five weeks, the test the seventh, the period the six weeks after it.
enum { DAY_ROWS = 96, WEEK = 7, TRAIN = 35, TEST = 42, PERIOD = 49, DAYS = 91 };
enum { ROWS = DAYS * DAY_ROWS, WEEKS = 6 };
static const int64_t START = 1532476800; // 2018-07-25
#define DATASET                                                                                    \
    "[input]\ntime_format = epoch\n[columns]\ntime = T, time\nmoving = M, number\n"                \
    "risk = R, number\nlabel = L, label\n[features]\nmoving = moving\nrisk = risk\n"               \
    "night = hour(time) <= 6\n"
#define MONITOR DATASET "[monitor]\nmin_rows = 300\n"

enum { MOVING, RISK, NIGHT, INPUTS };
static int64_t seconds[ROWS];
static float moving[ROWS], risk[ROWS], night[ROWS];
static int8_t label[ROWS];
static const float *const x[INPUTS] = {moving, risk, night};
static struct examples rows, other;
static struct model_input inputs[INPUTS];
static struct model model;
static struct comparison asked, c; // asked: what the caller says
static json_t *drift;
static bool learnt; // else each comparison is with a model of its rows

static double random_share(void)
{
    return (double)draw(1 << 24) / (1 << 24);
}

// Frauds come with the probability that the model gives them.
static void fill(void)
{
    seed = 3;
    for (size_t i = 0; i < ROWS; i++) {
        seconds[i] = START + (int64_t)i * DAY / DAY_ROWS;
        moving[i] = (float)random_share();
        risk[i] = (float)random_share();
        night[i] = seconds[i] % DAY < 7 * HOUR;
        label[i] = random_share() < 1 / (1 + exp(3 - 8 * ((double)risk[i] - 0.5)));
    }
}

static void make_model(void)
{
    const struct histogram quarters = {.n_edges = 3, .edges = {0.25, 0.5, 0.75}};
    struct config config = config_of(DATASET);
    struct err err;
    model = (struct model){.inputs = inputs, .n_inputs = INPUTS, .intercept = -3, .threshold = 0.4};
    must(plan_from_config(&model.plan, &config, &err), &err);
    config_release(&config);
    inputs[MOVING] = (struct model_input){"moving", 0.5, 1, 0, -1e9, 1e9, quarters};
    inputs[RISK] = (struct model_input){"risk", 0.5, 1, 8, -1e9, 1e9, quarters};
    inputs[NIGHT] = (struct model_input){"night", 0.5, 1, 0, 0, 1, {.n_edges = 1, .edges = {0.5}}};
    model.score_reference = (struct histogram){.n_edges = 1, .edges = {0.5}};
    model.train = (struct period_times){START, START + TRAIN * DAY};
    model.test = (struct period_times){START + TEST * DAY, START + PERIOD * DAY};
    model.training = json_pack("{s:s}", "train", "2018-07-25 .. 2018-08-28");
    snprintf(model.sha256, sizeof model.sha256, "5e1f");
}

static int setup(void **state)
{
    if (scratch_make(state))
        return -1;
    asked = (struct comparison){0};
    learnt = false;
    fill();
    make_model();
    rows = (struct examples){.table.path = "a/table",
                             .rows = ROWS,
                             .x = (const float **)x,
                             .time = seconds,
                             .label = label,
                             .labels_as_of = INT64_MAX};
    return 0;
}

static void release_period(struct period *p)
{
    free(p->weeks);
    free(p->score);
    free(p->judged);
}

static void release(void)
{
    struct period *const periods[] = {&c.train, &c.test, &c.current};
    for (size_t i = 0; i < LENGTH(periods); i++)
        release_period(periods[i]);
    for (size_t i = 0; c.columns && i < c.n; i++)
        free(c.columns[i].weeks);
    for (size_t w = 0; c.weeks && w < c.current.n_weeks; w++)
        free(c.weeks[w].bootstrap.values);
    free(c.reference.bootstrap.values);
    free(c.now.bootstrap.values);
    free(c.columns);
    free(c.weeks);
    free(c.differences);
    free(c.falls);
    json_decref(drift);
    drift = NULL;
    c = (struct comparison){0};
}

static int teardown(void **state)
{
    release();
    plan_release(&model.plan);
    json_decref(model.training);
    return scratch_remove(state);
}

// The references of the inputs, as train counts them, of the first training days.
static void learn(void)
{
    for (size_t k = 0; k < INPUTS; k++) {
        struct histogram *h = &inputs[k].reference;
        memset(h->counts, 0, sizeof h->counts);
        for (size_t i = 0; i < rows.rows && seconds[i] < model.train.until; i++)
            if (seconds[i] >= model.train.from)
                h->counts[histogram_bin(h, (double)x[k][i])]++;
    }
}

static int try(const char *ini, unsigned threads, struct err *err)
{
    struct config config = config_of(ini);
    release();
    if (!learnt)
        learn();
    c = asked;
    c.model = &model;
    c.features = &rows;
    if (c.within.until == 0)
        c.within = (struct period_times){model.test.until, INT64_MAX};
    const int rc = comparison_run(&c, &config, threads, err);
    if (rc == 0)
        drift = comparison_json(&c, "small");
    config_release(&config);
    return rc;
}

static void compare(const char *ini)
{
    struct err err = {""};
    must(try(ini, 2, &err), &err);
}

static const struct comparison_column *column(const char *name)
{
    for (size_t i = 0; i < c.n; i++)
        if (strcmp(c.columns[i].name, name) == 0)
            return &c.columns[i];
    fail_msg("no column %s", name);
    return NULL;
}

// Moves an input in days from .. until.
static void move(float *input, size_t from, size_t until, float by)
{
    for (size_t i = from * DAY_ROWS; i < until * DAY_ROWS; i++)
        input[i] += by;
}

// ---- columns ----

// Counts between the edges by definition, and the sorted values, of the days from .. until.
static size_t pick(const float *from, size_t day, size_t until, double *out, uint64_t counts[4])
{
    memset(counts, 0, 4 * sizeof *counts);
    for (size_t i = day * DAY_ROWS; i < until * DAY_ROWS; i++) {
        out[i - day * DAY_ROWS] = (double)from[i];
        counts[(from[i] >= 0.25F) + (from[i] >= 0.5F) + (from[i] >= 0.75F)]++;
    }
    const size_t n = (until - day) * DAY_ROWS;
    sort_doubles(out, n);
    return n;
}

// By hand: the threshold is 0.4.
static bool is_alert(size_t row)
{
    return 8 * ((double)risk[row] - 0.5) - 3 >= log(0.4 / 0.6);
}

// A day.
static double alerts_of(size_t day, size_t until)
{
    double alerts = 0;
    for (size_t i = day * DAY_ROWS; i < until * DAY_ROWS; i++)
        alerts += is_alert(i);
    return alerts / (double)(until - day);
}

TEST_CASE(columns_are_measured_on_the_rows_of_both_periods_with_any_number_of_threads)
{
    rows.label = NULL;
    static double before[ROWS], after[ROWS];
    struct err err;
    move(moving, PERIOD, DAYS, 0.2F);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t p[4], q[4];
        must(try(MONITOR, i < 2 ? 1 : 7, &err), &err);
        const struct comparison_column *k = column(inputs[i % 2].name);
        const size_t n = pick(x[i % 2], 0, TRAIN, before, p);
        const size_t m = pick(x[i % 2], PERIOD, DAYS, after, q);
        const struct drift expected = drift_measure(before, n, after, m, p, q, 4);
        assert_memory_equal(&k->drift, &expected, sizeof expected);
        assert_memory_equal(k->reference.counts, p, sizeof p);
        assert_memory_equal(k->current.counts, q, sizeof q);
    }
    // The probability increases with `risk` alone, so ranks, and with them KS, are the same.
    assert_is(column("score")->drift.ks, column("risk")->drift.ks);
    assert_near(column("decision")->drift.mean_current, alerts_of(PERIOD, DAYS) / DAY_ROWS, 1e-12);
}

// With outside = review a row is an alert whatever its score.
TEST_CASE(an_input_outside_its_range_is_an_alert_where_the_model_says_so)
{
    rows.label = NULL;
    model.review_outside = true;
    inputs[MOVING].max = 0.5;
    compare(MONITOR);
    double alerts = 0;
    for (size_t i = 0; i < TRAIN * DAY_ROWS; i++)
        alerts += moving[i] > 0.5F || is_alert(i);
    assert_near(column("decision")->drift.mean_reference, alerts / (TRAIN * DAY_ROWS), 1e-12);
}

// ---- weeks ----

// Whole days of the rows first .. end - 1, by day since START, and from them the weeks.
static void assert_weeks(size_t first, size_t end, int64_t from, int64_t until)
{
    int64_t whole[DAYS + 2] = {0}, n = 0;
    const int64_t earliest = seconds[first] / DAY * DAY,
                  latest = seconds[end - 1] / DAY * DAY + DAY;
    for (int64_t day = -1; day <= DAYS; day++) {
        const int64_t begin = START + day * DAY;
        size_t in = 0;
        for (size_t i = first; i < end; i++)
            in += seconds[i] >= begin && seconds[i] < begin + DAY;
        const bool begun = from >= earliest ? begin >= from : begin + 2 * HOUR >= seconds[first];
        const bool ended =
            until <= latest ? begin + DAY <= until : begin + DAY - 2 * HOUR <= seconds[end - 1];
        if (in > 0 && begun && ended)
            whole[n++] = day;
    }
    assert_int_equal(c.current.n_weeks, n / WEEK);
    for (int64_t w = 0; w < n / WEEK; w++) {
        const struct week *week = &c.current.weeks[w];
        const int64_t day = whole[n - 1] - WEEK * (n / WEEK - w) + 1;
        assert_int_equal(week->from, START / DAY + day);
        for (size_t i = first; i < end; i++) {
            const bool in = i >= week->rows.first && i < week->rows.end;
            assert_int_equal(in, seconds[i] >= START + day * DAY &&
                                     seconds[i] < START + (day + WEEK) * DAY);
        }
    }
}

TEST_CASE(weeks_are_seven_whole_days_and_end_with_the_last_whole_day)
{
    rows.label = NULL;
    const int64_t midnight = START + 80 * DAY, noon = midnight + DAY / 2, never = INT64_MAX;
    const struct {
        int64_t from, until;
        size_t rows; // of the table
    } cases[] = {
        {model.test.until, never, ROWS},
        {model.test.until, never, ROWS - 7},              // to 22:00
        {model.test.until, never, ROWS - 8},              // to 21:45
        {model.test.until, START + 500 * DAY, ROWS - 40}, // cut behind the rows, so not cut
        {START + 50 * DAY, midnight, ROWS},
        {START + 50 * DAY + 1, midnight - 1, ROWS},
        {START + 50 * DAY, noon, ROWS},
        {INT64_MIN, noon, ROWS},
        {START + 74 * DAY, midnight, ROWS}, // six days
        {START + 73 * DAY, midnight, ROWS}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        rows.rows = cases[i].rows;
        asked.within = (struct period_times){cases[i].from, cases[i].until};
        compare(MONITOR);
        assert_weeks((size_t)c.current.rows.first, (size_t)c.current.rows.end, cases[i].from,
                     cases[i].until);
    }
    assert_int_equal(c.current.n_weeks, 1);
    rows.rows = ROWS;
    for (size_t skip = 0; skip <= 60; skip += 5) { // quarters of an hour of a table's first day
        other = rows;
        other.time += skip;
        other.rows -= skip;
        const int64_t from = skip % 2 ? INT64_MIN : START - 10 * DAY; // nothing is cut there
        asked = (struct comparison){.other = &other, .within = {from, INT64_MAX}};
        compare(MONITOR);
        const size_t first = skip <= 8 ? 0 : 1; // two hours after midnight
        assert_int_equal(c.current.n_weeks, (DAYS - first) / WEEK);
    }
}

// ---- bounds ----

// Mean + 3 sd of each week of training against the other four, of moving.
static double slow_bound(void)
{
    enum { TRAINED = TRAIN / WEEK };
    static double values[ROWS];
    double psi[TRAINED], mean = 0, squares = 0;
    for (size_t w = 0; w < TRAINED; w++) {
        uint64_t all[4], week[4];
        pick(moving, 0, TRAIN, values, all);
        pick(moving, w * WEEK, (w + 1) * WEEK, values, week);
        for (size_t b = 0; b < 4; b++)
            all[b] -= week[b];
        psi[w] = drift_psi(all, week, 4);
        mean += psi[w] / TRAINED;
    }
    for (size_t w = 0; w < TRAINED; w++)
        squares += (psi[w] - mean) * (psi[w] - mean);
    return mean + 3 * sqrt(squares / (TRAINED - 1));
}

#define PSI_ALERT(x) MONITOR "psi_alert = " #x "\n"

TEST_CASE(a_bound_is_three_sd_above_the_mean_of_the_weeks_in_training_within_its_limits)
{
    rows.label = NULL;
    move(moving, 7, 14, 0.12F);
    const double bound = slow_bound();
    assert_near(bound, 0.15, 0.045);
    compare(PSI_ALERT(0.1));
    assert_near(column("moving")->bound, bound, 1e-12);
    assert_true(c.usual);
    compare(PSI_ALERT(0.2)); // never below psi_alert
    assert_is(column("moving")->bound, 0.2);
    compare(PSI_ALERT(0.05)); // nor above twice that
    assert_is(column("moving")->bound, 0.1);
    assert_is(column("night")->bound, NAN);
    // One week with too few rows leaves four: still enough.
    compare(MONITOR "psi_alert = 0.01\n");
    assert_true(c.usual);
}

TEST_CASE(with_too_few_weeks_in_training_the_bounds_are_psi_alert)
{
    rows.label = NULL;
    move(moving, 7, 14, 0.12F);
    model.train = (struct period_times){START + 14 * DAY, START + TRAIN * DAY}; // three weeks
    compare(PSI_ALERT(0.1));
    assert_true(!c.usual && column("moving")->bound == 0.1);
}

// ---- alarms ----

// Moves the input in the weeks of the period that are marked; '-': a week with too few rows.
static void mark(float *input, const char *weeks)
{
    size_t kept = PERIOD * DAY_ROWS;
    for (size_t i = kept; i < ROWS; i++) {
        const char week = weeks[(seconds[i] - START) / DAY / WEEK - WEEK];
        if (week == '-' && i % DAY_ROWS > 20)
            continue;
        seconds[kept] = seconds[i];
        for (size_t k = 0; k < INPUTS; k++)
            ((float *)x[k])[kept] = x[k][i];
        input[kept] += week == '0' ? 0 : 0.5F;
        label[kept++] = label[i];
    }
    rows.rows = kept;
}

// 2 of the last 3 unless it is set; weeks with too few rows are no weeks.
TEST_CASE(an_alarm_needs_k_of_the_last_n_weeks_that_count)
{
    rows.label = NULL;
    static const struct {
        const char *weeks, *setting;
        bool alarm;
    } cases[] = {{"000011", "", true},
                 {"000101", "", true},
                 {"001001", "", false},
                 {"111100", "", false},
                 {"000001", "", false},
                 {"000001", "alarm = 1 of 1\n", true},
                 {"111110", "alarm = 1 of 1\n", false},
                 {"00011-", "", true},
                 {"00100-", "", false},
                 {"----01", "", false},
                 {"-----1", "", false},
                 {"-----1", "alarm = 1 of 3\n", true}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *ini = formatted(MONITOR "%s", cases[i].setting);
        fill();
        mark(moving, cases[i].weeks);
        compare(ini);
        if (column("moving")->alarm != cases[i].alarm || c.drift != cases[i].alarm)
            fail_msg("weeks %s, %s: alarm %d", cases[i].weeks, cases[i].setting, c.drift);
        assert_false(column("risk")->alarm || column("score")->alarm || c.performance_alarm);
    }
}

TEST_CASE(neither_the_calendar_nor_a_part_of_a_day_nor_few_training_rows_raise_an_alarm)
{
    rows.label = NULL;
    move(night, PERIOD, DAYS, 1);
    move(moving, DAYS - 1, DAYS, 100);
    rows.rows -= 30; // the last day ends at 16:30
    compare(MONITOR);
    assert_true(column("night")->drift.psi > 1 && column("moving")->drift.out_of_range > 0);
    assert_false(c.drift);
    move(moving, PERIOD, DAYS, 1);
    compare(MONITOR);
    assert_true(c.drift && column("moving")->alarm && !column("night")->alarm);
    model.train = (struct period_times){START, START + 3 * DAY}; // 288 rows
    compare(MONITOR);
    assert_false(c.drift);
    assert_int_equal(weeks_counting(&c.current), 0);
}

// ---- performance ----

// Labels of these weeks of the period tell nothing of the risk any more.
static void shuffle_labels(const char *weeks)
{
    for (size_t i = PERIOD * DAY_ROWS; i < ROWS; i++)
        if (weeks[i / DAY_ROWS / WEEK - WEEK] == '1')
            label[i] = draw(6) == 0;
}

static void assert_performance(const struct performance *p, size_t day, size_t until)
{
    const size_t first = day * DAY_ROWS, n = (until - day) * DAY_ROWS;
    double *score = scores_new(&rows, &model, (struct row_range){first, first + n});
    const struct metrics m = metrics_compute(score, label + first, n, model.threshold);
    assert_is(p->metrics.average_precision, m.average_precision);
    assert_memory_equal(&p->metrics.tally, &m.tally, sizeof m.tally);
    const struct interval i =
        bootstrap_interval(&p->bootstrap, NULL, METRIC(average_precision), PAIRED);
    assert_true(i.low < m.average_precision && m.average_precision < i.high);
    free(score);
}

TEST_CASE(performance_is_that_of_the_test_of_the_period_and_of_each_week)
{
    for (size_t i = 0; i < ROWS; i += 7)
        label[i] = LABEL_UNKNOWN;
    compare(MONITOR);
    assert_performance(&c.reference, TEST, PERIOD);
    assert_performance(&c.now, PERIOD, DAYS);
    assert_true(c.now.metrics.tally.unknown_labels > 0);
    for (size_t w = 0; w < WEEKS; w++)
        assert_performance(&c.weeks[w], PERIOD + WEEK * w, PERIOD + WEEK * (w + 1));
    assert_true(c.reference.metrics.average_precision > 0.4);
    assert_false(c.performance_alarm);
}

TEST_CASE(only_rows_whose_labels_have_had_their_delay_count)
{
    other = rows;
    other.labels_as_of = START + 84 * DAY; // mature: until day 77
    asked.other = &other;
    asked.within = (struct period_times){model.test.until, INT64_MAX};
    compare(MONITOR);
    assert_int_equal(c.mature.end, 77 * DAY_ROWS + 1); // that of the last second, too
    assert_true(c.weeks[3].metrics.tally.rows > 0 && c.weeks[4].metrics.tally.rows == 0);
    assert_true(json_is_null(
        json_array_get(json_object_get(json_object_get(drift, "performance"), "weeks"), 4)));
    other.labels_as_of = START + 84 * DAY - 2 * HOUR; // the last two hours of a week may miss
    compare(MONITOR);
    assert_int_equal(c.weeks[3].metrics.tally.rows, WEEK * DAY_ROWS - 7);
    other.labels_as_of--;
    compare(MONITOR);
    assert_int_equal(c.weeks[3].metrics.tally.rows, 0);
    double estimates[2];
    for (size_t i = 0; i < 2; i++) { // none, and then not even a column
        other.labels_as_of = START;
        other.label = i ? NULL : label;
        compare(MONITOR);
        assert_true(c.now.metrics.tally.rows == 0 && !c.performance_alarm);
        estimates[i] = c.estimate.average_precision;
    }
    assert_is(estimates[0], estimates[1]);
}

TEST_CASE(a_fall_alarms_in_k_of_the_last_n_weeks_and_the_estimate_does_not_see_it)
{
    static const struct {
        const char *weeks, *setting;
        bool alarm;
    } cases[] = {{"000000", "", false}, {"000011", "", true},
                 {"000101", "", true},  {"111100", "", false},
                 {"001001", "", false}, {"111111", "ap_drop = 0.9\n", false}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *ini = formatted(MONITOR "%s", cases[i].setting);
        fill();
        shuffle_labels(cases[i].weeks);
        compare(ini);
        if (c.performance_alarm != cases[i].alarm || c.drift != cases[i].alarm)
            fail_msg("weeks %s, %s: alarm %d", cases[i].weeks, cases[i].setting, c.drift);
        for (size_t w = 0; w < WEEKS; w++) {
            const struct interval d = c.differences[w];
            assert_is(c.falls[w], -d.high);
            assert_near(c.weeks[w].estimate.average_precision,
                        c.reference.metrics.average_precision, 0.15);
        }
    }
}

// ---- verdict and files ----

static void assert_said(const char *text)
{
    const json_t *verdict = json_object_get(drift, "verdict");
    char *all = json_dumps(verdict, JSON_INDENT(1));
    assert_contains(all, text);
    free(all);
}

static char *print(void)
{
    fflush(stdout);
    const char *path = scratch_text("out", "");
    const int saved = dup(STDOUT_FILENO);
    assert_non_null(freopen(path, "w", stdout));
    comparison_print(drift, "some/drift.json");
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    return scratch_read(path, NULL);
}

static void assert_printed(const char *text)
{
    char *printed = print();
    assert_contains(printed, text);
    free(printed);
}

TEST_CASE(the_verdict_names_what_moved_and_what_limits_it)
{
    struct examples cut;
    compare(MONITOR);
    assert_said("\"No drift: 0 of 2 inputs moved; AP 0.");
    assert_said("\"notes\": []");
    move(moving, PERIOD, DAYS, 1);
    shuffle_labels("111111");
    compare(MONITOR);
    char *text = print();
    assert_parts(text, "DRIFT: 1 of 2 inputs moved (moving |some/drift.html\n|  MOVED moving\n");
    assert_null(strstr(text, "nan"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    free(text);
    assert_said("\"DRIFT: 1 of 2 inputs moved (moving ");
    assert_said(" in the week to 2018-10-23.\"");
    assert_said("The probabilities alone promise an AP of 0.");
    compare(DATASET "[monitor]\nmin_rows = 673\n"); // a week has 672
    assert_said(
        "\"No verdict: an alarm needs 2 weeks and a training window, each with at least min_rows "
        "= 673 rows.\"");
    assert_said(
        "\"Fewer than 4 weeks of training have at least min_rows = 673 rows each, so a column "
        "moves where its PSI reaches psi_alert = 0.20.\"\n ]");
    asked.within = (struct period_times){START + 45 * DAY, INT64_MAX};
    compare(MONITOR);
    assert_said("The period begins before the test window ends");
    cut = rows;
    cut.x = NULL;
    cut.rows = 0;
    asked.other = &cut;
    compare(MONITOR);
    assert_said("\"No verdict: the period has no rows, so there is nothing to compare yet.\"");
    text = print();
    assert_null(strstr(text, "PSI "));
    free(text);
    asked.other = NULL;
    for (size_t i = 0; i < ROWS; i++)
        label[i] = LABEL_UNKNOWN;
    compare(MONITOR);
    assert_said("No label of the period is mature");
    assert_said("The test window has no fraud with a label");
}

TEST_CASE(the_score_and_the_decisions_alarm_too_and_are_named_after_the_inputs)
{
    move(risk, PERIOD + 28, DAYS, 0.4F);
    move(moving, PERIOD + 28, DAYS, 0.2F);
    compare(MONITOR);
    const struct comparison_column *k[] = {column("risk"), column("moving"), column("score"),
                                           column("decision")};
    assert_true(k[0]->moved > k[1]->moved && k[2]->moved > k[3]->moved);
    assert_true(k[0]->alarm && k[2]->alarm && k[3]->alarm);
    assert_string_equal(k[2]->kind, "score");
    assert_string_equal(k[3]->kind, "decision");
    assert_string_equal(column("night")->kind, "calendar");
    assert_is(k[0]->moved, k[0]->weeks[WEEKS - 1]);
    assert_said(formatted(
        "\"DRIFT: 2 of 2 inputs moved (risk %.2f, moving %.2f), and score %.2f, decision %.2f; ",
        k[0]->moved, k[1]->moved, k[2]->moved, k[3]->moved));
}

TEST_CASE(what_is_beyond_its_bound_in_too_few_weeks_is_no_alarm_but_is_said)
{
    move(moving, DAYS - WEEK, DAYS, 0.5F);
    shuffle_labels("000001");
    compare(MONITOR);
    assert_said("\"No drift yet: 0 of 2 inputs moved; AP 0.");
    assert_said(formatted(
        "\"Beyond the bound in fewer than 2 of the last 3 weeks, so no alarm: moving %.2f.\"",
        column("moving")->weeks[WEEKS - 1]));
    assert_printed("  once  moving\n");
    assert_said(
        "\"AP is lower by more than 0.10 in fewer than 2 of the last 3 weeks, so no alarm.\"");
    assert_said(formatted("The probabilities alone promise an AP of %.2f, and %.2f was found",
                          c.weeks[WEEKS - 1].estimate.average_precision,
                          c.weeks[WEEKS - 1].metrics.average_precision));
    fill();
    move(moving, DAYS - 5 * WEEK, DAYS - 4 * WEEK, 0.5F); // long ago
    shuffle_labels("010000");
    compare(MONITOR);
    assert_said("\"No drift: 0 of 2 inputs moved; AP 0.");
    assert_said("\"notes\": []");
}

static void draw_cards(void)
{
    static uint64_t card[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        card[i] = draw(500);
    rows.card = card;
}

TEST_CASE(a_table_that_does_not_reach_back_to_the_frauds_of_its_cards_says_so)
{
    static const float *later[INPUTS];
    const size_t needed = (PERIOD - TEST) * DAY_ROWS + 1; // 42 days before the period
    draw_cards();
    asked.other = &other;
    asked.within = (struct period_times){model.test.until, INT64_MAX};
    double known[2];
    for (size_t i = 0; i < 3; i++) { // the training table knows the frauds before in the third
        const size_t from = needed + (i > 0 ? DAY_ROWS : 0);
        other = (struct examples){.table = rows.table,
                                  .rows = ROWS - from,
                                  .x = later,
                                  .time = seconds + from,
                                  .label = label + from,
                                  .card = rows.card + from,
                                  .labels_as_of = INT64_MAX};
        for (size_t k = 0; k < INPUTS; k++)
            later[k] = x[k] + from;
        rows.rows = i == 1 ? needed - 1 - DAY_ROWS : ROWS;
        compare(MONITOR);
        assert_said(i == 1 ? "The table begins on 2018-08-02, so cards with an earlier fraud are "
                             "not left out; with the rows from 2018-08-01 on they would be."
                           : "\"notes\": []");
        known[i > 1] = c.now.metrics.tally.known_cards;
    }
    assert_true(known[0] > 0 && known[1] > known[0]);
}

TEST_CASE(without_labels_alerts_are_counted_of_all_cards_on_both_sides)
{
    static int8_t unknown[ROWS];
    const char *const sides[] = {"reference", "current"};
    const double all[] = {alerts_of(TEST, PERIOD), alerts_of(PERIOD, DAYS)};
    memset(unknown, LABEL_UNKNOWN, sizeof unknown);
    draw_cards();
    for (int labels = 0; labels < 2; labels++) {
        other = rows;
        other.label = labels ? label : unknown;
        asked.other = &other;
        asked.within = (struct period_times){model.test.until, INT64_MAX};
        compare(MONITOR);
        const json_t *alerts = json_object_get(drift, "alerts_per_day");
        assert_string_equal(json_string_value(json_object_get(alerts, "cards")),
                            labels ? "not blocked" : "all");
        assert_printed(labels ? "cards: not blocked.\n" : "cards: all.\n");
        for (size_t i = 0; i < 2; i++) {
            const double found =
                json_number_value(json_array_get(json_object_get(alerts, sides[i]), 0));
            assert_true(labels ? found < all[i] - 1 : fabs(found - all[i]) < 1e-9);
        }
    }
}

TEST_CASE(what_is_found_of_a_week_does_not_depend_on_the_first_day_of_the_period)
{
    struct tally tally = {0};
    draw_cards();
    for (int64_t day = 0; day < 9; day++) {
        asked.within = (struct period_times){model.test.until + day * DAY + HOUR, INT64_MAX};
        compare(MONITOR);
        const struct tally *newest = &c.weeks[c.current.n_weeks - 1].metrics.tally;
        assert_true(newest->known_cards > 0);
        if (day > 0)
            assert_memory_equal(newest, &tally, sizeof tally);
        tally = *newest;
    }
}

// The metrics that are written with drift.json, which Prometheus must be able to read.
static void assert_metrics(const char *parts)
{
    char printed[4096];
    struct err err;
    must(comparison_write(drift, scratch_path("d.json"), &err), &err);
    char *metrics = scratch_read(scratch_path("d.prom"), NULL);
    assert_parts(metrics, parts);
    free(metrics);
    if (run_command(printed, sizeof printed, "build/tools/promtool check metrics <'%s'",
                    scratch_path("d.prom")))
        fail_msg("%s", printed);
}

TEST_CASE(drift_json_and_its_page_and_its_metrics_are_written_and_prometheus_reads_them)
{
    inputs[MOVING].name = "mov\"ing\\\n\xc3\xa4";
    move(moving, PERIOD, DAYS, 1);
    compare(MONITOR);
    assert_metrics("assay_drift_psi{column=\"mov\\\"ing\\\\\\n\xc3\xa4\",kind=\"input\"} |"
                   "assay_drift_verdict_possible{version=\"0\"} 1\n|"
                   "\nassay_drift_detected{version=\"0\"} 1\n|"
                   "\nassay_drift_rows{period=\"current\"} 4032\n");
    json_t *read = json_load_file(scratch_path("d.json"), 0, NULL);
    assert_true(json_equal(read, drift));
    json_decref(read);
    char *page = scratch_read(scratch_path("d.html"), NULL);
    assert_contains(page, "\"format\":\"assay drift\",\"version\":2");
    free(page);
    assert_int_equal(scratch_count(scratch), 4); // and test.ini
    rows.label = NULL;
    compare(MONITOR);
    assert_metrics("\nassay_drift_average_precision{period=\"current\"} NaN\n");
    compare(DATASET "[monitor]\nmin_rows = 673\n");
    assert_metrics("assay_drift_verdict_possible{version=\"0\"} 0\n");
    char *metrics = scratch_read(scratch_path("d.prom"), NULL);
    assert_null(strstr(metrics, "assay_drift_detected"));
    free(metrics);
}

TEST_CASE(settings_and_tables_that_make_no_sense_are_refused)
{
    static const char *const cases[][2] = {
        {MONITOR "ap_drop = 1.5\n", "1.5 is not within 0"},
        {MONITOR "alarm = 3 of 2\n", "[monitor] alarm: '3 of 2' is not K of N"},
        {MONITOR "alarm = 2\n", "alarm: '2'"}};
    struct err err = {""};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(try(cases[i][0], 2, &err), -1);
        assert_contains(err.msg, cases[i][1]);
    }
    compare(MONITOR);
    learnt = true;
    for (int i = 0; i < DAY_ROWS / 10; i++) { // one row, as a late one would, is no other table
        risk[DAY_ROWS + i] = risk[DAY_ROWS + i] < 0.5F ? 0.9F : 0.1F;
        if (i == 0)
            assert_int_equal(try(MONITOR, 2, &err), 0);
    }
    assert_int_equal(try(MONITOR, 2, &err), -1);
    assert_contains(err.msg, "a/table: its rows of 2018-07-25 .. 2018-08-28, the training window, "
                             "are not those that trained the model: compute features of the same");
    model.train = (struct period_times){START - 9 * DAY, START};
    assert_int_equal(try(MONITOR, 2, &err), -1);
    assert_contains(err.msg, "the training window, are not those that trained the model");
    learnt = false;
    model.train = (struct period_times){START, START + DAY};
    rows.table.path = "a/\xff";
    compare(MONITOR);
    assert_null(drift);
}

TESTS(NULL, NULL)
