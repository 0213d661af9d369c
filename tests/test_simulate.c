// Runs the simulator and checks what it wrote against the rules of the process, from the CSV alone.
//
// The world of most tests has 1000 customers, 2000 terminals and 40 days (about 77 000 rows). The
// random numbers are checked against values that the authors of the generators published. Needs
// build/bin/simulate (ASSAY_BIN names another folder) and runs in the root of the project.
#define _GNU_SOURCE // timegm
#include "datasets/random.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WORLD "--customers 1000 --terminals 2000 --days 40 --radius 8"
enum { CUSTOMERS = 1000, TERMINALS = 2000, DAYS = 40 };

struct row {
    long id, customer, terminal, second, day;
    long cents;
    int hour, fraud, scenario;
};

struct rows {
    struct row *at;
    size_t n;
};

static char dir[256];
static struct rows world;

static const char *in_dir(const char *name)
{
    static char path[4][512];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof *path, "%s/%s", dir, name);
    return p;
}

// Run `<before> simulate <options> --output dir/<name>` in a shell; returns the exit code. What it
// says is in dir/out and dir/err.
static int run(const char *before, const char *options, const char *name)
{
    const char *bin = getenv("ASSAY_BIN");
    char command[2048];
    snprintf(command, sizeof command, "%s %s/simulate %s --output %s >%s 2>%s", before,
             bin ? bin : "build/bin", options, in_dir(name), in_dir("out"), in_dir("err"));
    int status = system(command); // NOLINT(cert-env33-c): the shell sets limits
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void simulate(const char *options, const char *name)
{
    assert_int_equal(run("", options, name), 0);
}

// The whole file with a 0 behind it, to be freed.
static char *contents(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(n + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, n, f), n);
    text[n] = '\0';
    fclose(f);
    return text;
}

static bool same_files(const char *a, const char *b)
{
    char *x = contents(a), *y = contents(b);
    bool same = strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

static bool says(const char *name, const char *words)
{
    char *text = contents(in_dir(name));
    bool found = strstr(text, words) != NULL;
    if (!found)
        print_message("expected '%s' in: %s\n", words, text);
    free(text);
    return found;
}

static int files_in_dir(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

// Read one line, and see that it is written exactly as the data card says.
static struct row read_row(const char *line, size_t length)
{
    struct row r;
    char copy[160], again[160]; // sscanf takes the length of all that is left, line by line
    assert_in_range(length, 1, sizeof copy - 1);
    memcpy(copy, line, length);
    copy[length] = '\0';
    long long whole;
    int cents, minute, second;
    struct tm tm = {0};
    // NOLINTNEXTLINE(cert-err34-c): printed again and compared
    int n = sscanf(copy, "%ld,%d-%d-%d %d:%d:%d,%ld,%ld,%lld.%d,%ld,%ld,%d,%d", &r.id, &tm.tm_year,
                   &tm.tm_mon, &tm.tm_mday, &r.hour, &minute, &second, &r.customer, &r.terminal,
                   &whole, &cents, &r.second, &r.day, &r.fraud, &r.scenario);
    assert_int_equal(n, 15);
    int m = snprintf(again, sizeof again,
                     "%ld,%04d-%02d-%02d %02d:%02d:%02d,%ld,%ld,%lld.%02d,%ld,%ld,%d,%d\n", r.id,
                     tm.tm_year, tm.tm_mon, tm.tm_mday, r.hour, minute, second, r.customer,
                     r.terminal, whole, cents, r.second, r.day, r.fraud, r.scenario);
    assert_int_equal(m, length);
    assert_string_equal(again, copy);
    tm.tm_year -= 1900;
    tm.tm_mon--;
    tm.tm_hour = r.hour;
    tm.tm_min = minute;
    tm.tm_sec = second;
    assert_int_equal(timegm(&tm), 1522540800 + r.second); // 2018-04-01, by date -d ... +%s
    r.cents = (long)(100 * whole + cents);
    return r;
}

static struct rows load(const char *name)
{
    char *text = contents(in_dir(name));
    static const char header[] = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,"
                                 "TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO\n";
    assert_memory_equal(text, header, sizeof header - 1);
    size_t lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    struct rows rows = {.at = calloc(lines + 1, sizeof *rows.at)};
    assert_non_null(rows.at);
    for (const char *p = text + sizeof header - 1; *p;) {
        const char *end = strchr(p, '\n');
        assert_non_null(end);
        rows.at[rows.n++] = read_row(p, (size_t)(end + 1 - p));
        p = end + 1;
    }
    free(text);
    return rows;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%g is not within %g of %g", value, tolerance, expected);
}

// Mean of a property of the rows from a day on, over those of one scenario.
static double mean_cents(const struct rows *rows, int scenario, long first_day)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (rows->at[i].scenario == scenario && rows->at[i].day >= first_day) {
            sum += (double)rows->at[i].cents;
            n++;
        }
    return sum / n;
}

static void the_random_numbers_are_the_published_ones(void **state)
{
    (void)state;
    static const uint64_t splitmix[] = {6457827717110365317U, 3203168211198807973U,
                                        9817491932198370423U, 4593380528125082431U};
    static const uint64_t xoshiro[] = {41943041,
                                       58720359,
                                       3588806011781223,
                                       3591011842654386,
                                       9228616714210784205U,
                                       9973669472204895162U};
    struct rng r = rng_stream(1234567, 0);
    assert_memory_equal(r.s, splitmix, sizeof splitmix);
    r = (struct rng){{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof xoshiro / sizeof *xoshiro; i++)
        assert_true(rng_next(&r) == xoshiro[i]);
}

static void a_sample_has_no_number_twice(void **state)
{
    (void)state;
    struct rng r = rng_stream(0, 0);
    bool seen[4] = {false};
    for (int i = 0; i < 1000; i++) {
        uint32_t out[3];
        assert_int_equal(rng_sample(&r, 4, 3, out), 3);
        assert_true(out[0] != out[1] && out[0] != out[2] && out[1] != out[2]);
        for (int k = 0; k < 3; k++) {
            assert_in_range(out[k], 0, 3);
            seen[out[k]] = true;
        }
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
    assert_int_equal(rng_sample(&r, 2, 3, (uint32_t[3]){0}), 2);
}

static void rows_are_numbered_in_the_order_of_time_and_customer(void **state)
{
    (void)state;
    for (size_t i = 0; i < world.n; i++) {
        const struct row *r = &world.at[i], *before = r - (i > 0);
        assert_int_equal(r->id, i);
        assert_int_equal(r->day, r->second / 86400);
        assert_in_range(r->second % 86400, 1, 86399);
        assert_true(r->second >= before->second);
        assert_true(r->second > before->second || r->customer >= before->customer);
        assert_in_range(r->customer, 0, CUSTOMERS - 1);
        assert_in_range(r->terminal, 0, TERMINALS - 1);
        assert_in_range(r->day, 0, DAYS - 1);
    }
}

// The expected values are integrals over the process of the data card; tolerances are three to four
// standard errors, most of which comes from the customers' means.
static void counts_amounts_and_times_follow_their_distributions(void **state)
{
    (void)state;
    double n = (double)world.n, mean = 0, var = 0, free_of_charge = 0;
    for (size_t i = 0; i < world.n; i++) {
        mean += (double)(world.at[i].second % 86400) / n;
        free_of_charge += (world.at[i].cents == 0) / n;
    }
    for (size_t i = 0; i < world.n; i++)
        var += pow((double)(world.at[i].second % 86400) - mean, 2) / n;
    assert_near(n / CUSTOMERS / DAYS, 2 * 0.96923, 0.13);    // U(0, 4) and P(|z| < 2.16)
    assert_near(mean, 43200, 280);                           // N(43200, 20000), cut off
    assert_near(sqrt(var), 0.9097 * 20000, 150);             // at 2.16 standard deviations
    assert_near(free_of_charge, 0, 0.001);                   // negative ones are drawn anew
    assert_near(mean_cents(&world, 0, 0) / 5250, 1.02, .06); // U(5, 100), N cut off at 0
}

static void the_same_seed_gives_the_same_bytes_and_another_others(void **state)
{
    (void)state;
    simulate("--customers 50 --terminals 500 --days 9 --radius 20", "a.csv"); // by default 2
    simulate("--customers 50 --terminals 500 --days 9 --radius 20 --seed 2", "b.csv");
    simulate("--customers 50 --terminals 500 --days 9 --radius 20 --seed 1", "c.csv");
    assert_true(same_files(in_dir("a.csv"), in_dir("b.csv")));
    assert_false(same_files(in_dir("a.csv"), in_dir("c.csv")));
}

static void an_amount_is_fraud_by_itself_exactly_above_220(void **state)
{
    (void)state;
    int n[4] = {0};
    for (size_t i = 0; i < world.n; i++) {
        const struct row *r = &world.at[i];
        assert_int_equal(r->fraud, r->scenario != 0);
        assert_in_range(r->scenario, 0, 3);
        n[r->scenario]++;
        if (r->scenario < 2)
            assert_int_equal(r->scenario, r->cents > 22000);
    }
    assert_in_range(n[1], 1, world.n / 200);
    assert_in_range(n[2], 1, world.n / 10);
    assert_in_range(n[3], 1, world.n / 10);
}

// Is there a first day such that [first, first + length) holds the day and nothing genuine?
static bool all_fraud_around(const bool *genuine, int day, int length)
{
    for (int first = day < length ? 0 : day - length + 1; first <= day; first++) {
        int d = first;
        while (d < DAYS && d < first + length && !genuine[d])
            d++;
        if (d == DAYS || d == first + length)
            return true;
    }
    return false;
}

static void a_compromised_terminal_sees_nothing_but_fraud_for_28_days(void **state)
{
    (void)state;
    static bool genuine[TERMINALS][DAYS], hit[TERMINALS][DAYS];
    for (size_t i = 0; i < world.n; i++) {
        const struct row *r = &world.at[i];
        genuine[r->terminal][r->day] |= r->scenario < 2;
        hit[r->terminal][r->day] |= r->scenario == 2;
    }
    int terminals = 0, longer = 0;
    for (int t = 0; t < TERMINALS; t++) {
        int first = DAYS, last = -1;
        for (int d = 0; d < DAYS; d++)
            if (hit[t][d]) {
                assert_true(all_fraud_around(genuine[t], d, 28));
                first = d < first ? d : first;
                last = d;
            }
        terminals += last >= 0;
        longer += last - first >= 28;
    }
    assert_in_range(terminals, DAYS * 2 - 12, DAYS * 2); // some never used, or drawn twice
    assert_in_range(longer, 0, 3);                       // only those drawn twice
}

// How many days' windows [first, first + 14) hold a frauds of scenario 3 that are a third of all.
static bool a_third_within_14_days(const int *all, const int *frauds, int total)
{
    for (int first = 0; first < DAYS; first++) {
        int n = 0, k = 0;
        for (int d = first; d < DAYS && d < first + 14; d++) {
            n += all[d];
            k += frauds[d];
        }
        if (k == total && k == n / 3)
            return true;
    }
    return false;
}

static void a_third_of_a_stolen_cards_purchases_within_14_days_is_fraud(void **state)
{
    (void)state;
    static int all[CUSTOMERS][DAYS], frauds[CUSTOMERS][DAYS];
    for (size_t i = 0; i < world.n; i++) {
        const struct row *r = &world.at[i];
        all[r->customer][r->day]++;
        frauds[r->customer][r->day] += r->scenario == 3;
    }
    int stolen = 0, as_one_theft = 0;
    for (int c = 0; c < CUSTOMERS; c++) {
        int total = 0;
        for (int d = 0; d < DAYS; d++)
            total += frauds[c][d];
        stolen += total > 0;
        as_one_theft += total > 0 && a_third_within_14_days(all[c], frauds[c], total);
    }
    // 120 thefts of 1000 cards: 113 different cards, a few of which are not used enough.
    assert_in_range(stolen, 95, 116);
    assert_in_range(as_one_theft, stolen * 90 / 100, stolen);
}

static void a_stolen_card_pays_five_times_as_much(void **state)
{
    (void)state;
    static double sum[CUSTOMERS], n[CUSTOMERS];
    double paid = 0, usual = 0;
    for (size_t i = 0; i < world.n; i++)
        if (world.at[i].scenario == 0) {
            sum[world.at[i].customer] += (double)world.at[i].cents;
            n[world.at[i].customer]++;
        }
    for (size_t i = 0; i < world.n; i++)
        if (world.at[i].scenario == 3) {
            assert_int_equal(world.at[i].cents % 5, 0);
            paid += (double)world.at[i].cents;
            usual += sum[world.at[i].customer] / n[world.at[i].customer];
        }
    assert_near(paid / usual, 5, 0.5);
}

static int distinct_terminals(const struct rows *rows, long customer)
{
    static bool seen[TERMINALS];
    memset(seen, 0, sizeof seen);
    int n = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (rows->at[i].customer == customer) {
            n += !seen[rows->at[i].terminal];
            seen[rows->at[i].terminal] = true;
        }
    return n;
}

// A circle of radius 8 holds π · 64 / 10000 of the 2000 terminals: 40, fewer at the edge.
static void customers_stay_within_the_radius(void **state)
{
    (void)state;
    int most = 0;
    for (long c = 0; c < 100; c++) {
        int n = distinct_terminals(&world, c);
        most = n > most ? n : most;
    }
    assert_in_range(most, 30, 62);
    simulate("--customers 100 --terminals 2000 --days 40 --radius 150", "far.csv");
    struct rows far = load("far.csv");
    most = 0;
    for (long c = 0; c < 100; c++) {
        int n = distinct_terminals(&far, c);
        most = n > most ? n : most;
    }
    assert_in_range(most, 120, 200); // nearly every purchase at another terminal
    free(far.at);
}

// Five circles of radius 5 cover at most 4 % of the square.
static void customers_without_a_terminal_buy_nothing(void **state)
{
    (void)state;
    simulate("--customers 1000 --terminals 5 --days 20 --radius 5", "lonely.csv");
    struct rows rows = load("lonely.csv");
    static bool buys[CUSTOMERS];
    int n = 0;
    for (size_t i = 0; i < rows.n; i++) {
        n += !buys[rows.at[i].customer];
        buys[rows.at[i].customer] = true;
    }
    assert_in_range(n, 8, 65);
    free(rows.at);
    assert_int_equal(run("", "--customers 1 --terminals 1 --radius 1", "none.csv"), 1);
    assert_true(says("err", "no customer has a terminal within --radius 1"));
}

static void a_shift_changes_nothing_before_its_date(void **state)
{
    (void)state;
    simulate(WORLD " --shift 2018-04-21", "shift.csv");
    char *a = contents(in_dir("world.csv")), *b = contents(in_dir("shift.csv"));
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    while (n > 0 && a[n - 1] != '\n')
        n--; // the first line that differs
    struct row before = read_row(a + n, strcspn(a + n, "\n") + 1);
    struct row shifted = read_row(b + n, strcspn(b + n, "\n") + 1);
    assert_int_equal(before.day, 20);
    assert_int_equal(shifted.day, 20);
    free(a);
    free(b);
}

static double share(const struct rows *rows, bool (*test)(const struct row *))
{
    double hits = 0, n = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (rows->at[i].day >= 20) {
            hits += test(&rows->at[i]);
            n++;
        }
    return hits / n;
}

static bool at_night(const struct row *r)
{
    return r->hour < 7;
}

static bool at_bad_terminal(const struct row *r)
{
    return r->scenario == 2;
}

static void a_shift_raises_amounts_nights_and_bad_terminals(void **state)
{
    (void)state;
    simulate(WORLD " --shift 2018-04-21", "shift.csv");
    struct rows shifted = load("shift.csv");
    assert_int_equal(shifted.n, world.n);
    assert_near(mean_cents(&shifted, 0, 20) / mean_cents(&world, 0, 20), 1.5, 0.01);
    double night = share(&world, at_night);
    assert_near(share(&shifted, at_night), night + 0.1 * (1 - night), 0.01);
    // On average 10 of the 20 days' attacks are under way then: 20 more bad terminals of 2000.
    assert_near(share(&shifted, at_bad_terminal) - share(&world, at_bad_terminal), 0.0105, 0.004);
    for (size_t i = 0; i < shifted.n; i++) {
        const struct row *r = &shifted.at[i];
        if (r->day >= 20 && r->scenario < 2)
            assert_int_equal(r->scenario, r->cents > 33000);
    }
    free(shifted.at);
}

// A theft doubles amounts from the shift on; one from before it goes on with the factor of five.
static void thefts_after_a_shift_are_of_smaller_amounts(void **state)
{
    (void)state;
    simulate(WORLD " --shift 2018-04-21", "shift.csv");
    struct rows shifted = load("shift.csv");
    double ratio = mean_cents(&shifted, 3, 34) / mean_cents(&shifted, 0, 34);
    assert_near(ratio, 2, 0.5);
    assert_near(mean_cents(&world, 3, 34) / mean_cents(&world, 0, 34), 5, 1.2);
    free(shifted.at);
}

// The data card's last command, with another output.
static void the_committed_sample_is_what_the_documented_command_writes(void **state)
{
    (void)state;
    char *card = contents("datasets/README.md"), options[256];
    const char *end = strstr(card, " --output datasets/sample.csv");
    assert_non_null(end);
    const char *start = end;
    while (start > card && start[-1] != '\n')
        start--;
    start = strstr(start, "simulate ");
    assert_non_null(start);
    start += strlen("simulate ");
    snprintf(options, sizeof options, "%.*s", (int)(end - start), start);
    free(card);
    simulate(options, "sample.csv");
    assert_true(same_files(in_dir("sample.csv"), "datasets/sample.csv"));
}

static void a_wrong_command_line_exits_with_2_and_says_why(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"--sed 1", "did you mean 'seed'?"},
        {"--seed one", "--seed: 'one' is not a whole number"},
        {"--seed -1", "--seed: -1 is not within 0"},
        {"--customers 0", "--customers: 0 is not within 1"},
        {"--terminals 0", "--terminals: 0 is not within 1"},
        {"--days 36501", "--days: 36501 is not within 1 .. 36500"},
        {"--radius 0", "--radius: 0 is not within 1"},
        {"--start 2018-02-30", "--start: '2018-02-30' is not a date like 2018-04-01"},
        {"--start 2018-4-1", "--start: '2018-4-1' is not a date"},
        {"--start 1969-12-31", "--start: '1969-12-31' is not a date like 2018-04-01, from 1970"},
        {"--start 9999-12-31 --days 2", "--days: 2 days from 9999-12-31 on go beyond"},
        {"--shift soon", "--shift: 'soon' is not a date"},
        {"--shift 2018-03-31", "--shift: 2018-03-31 is not within 2018-04-01 .. 2018-09-30"},
        {"--shift 2018-10-01", "--shift: 2018-10-01 is not within 2018-04-01 .. 2018-09-30"},
        {"data.csv", "unexpected argument 'data.csv'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run("", cases[i][0], "wrong.csv"), 2);
        assert_true(says("err", cases[i][1]));
        assert_int_not_equal(access(in_dir("wrong.csv"), F_OK), 0);
    }
}

static void a_full_disk_fails_and_leaves_the_old_file_alone(void **state)
{
    (void)state;
    simulate("--customers 50 --terminals 500 --days 9 --radius 20", "old.csv");
    simulate("--customers 50 --terminals 500 --days 9 --radius 20", "copy.csv");
    int files = files_in_dir();
    const char *limit = "trap '' XFSZ; ulimit -f 8; exec";
    assert_int_equal(run(limit, "--customers 100 --days 60", "old.csv"), 1);
    assert_true(says("err", "old.csv: cannot write: File too large"));
    assert_true(same_files(in_dir("old.csv"), in_dir("copy.csv")));
    assert_int_equal(files_in_dir(), files);
}

static void an_output_that_cannot_be_made_fails(void **state)
{
    (void)state;
    int files = files_in_dir();
    assert_int_equal(run("", "--customers 9", "out/x.csv"), 1); // out is a file
    assert_true(says("err", "out/x.csv: cannot create"));
    assert_int_equal(files_in_dir(), files);
}

static void it_closes_with_one_line_of_rows_seconds_and_speed(void **state)
{
    (void)state;
    simulate("--customers 50 --terminals 500 --days 9 --radius 20", "a.csv"); // by default 2
    struct rows rows = load("a.csv");
    char *out = contents(in_dir("out")), unit[8], path[512];
    unsigned long long n;
    double seconds, rate;
    // NOLINTNEXTLINE(cert-err34-c): only rows are compared
    int fields = sscanf(out, "simulate %llu %lf %lf %7s %511s", &n, &seconds, &rate, unit, path);
    assert_int_equal(fields, 5);
    assert_int_equal(n, rows.n);
    assert_string_equal(unit, "MB/s");
    assert_string_equal(path, in_dir("a.csv"));
    free(out);
    free(rows.at);
}

static int make_world(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/test_simulate.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir) || run("", WORLD, "world.csv"))
        return -1;
    world = load("world.csv");
    return 0;
}

static int remove_world(void **state)
{
    (void)state;
    free(world.at);
    DIR *d = opendir(dir);
    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlink(in_dir(e->d_name));
    closedir(d);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_random_numbers_are_the_published_ones),
        cmocka_unit_test(a_sample_has_no_number_twice),
        cmocka_unit_test(rows_are_numbered_in_the_order_of_time_and_customer),
        cmocka_unit_test(counts_amounts_and_times_follow_their_distributions),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_and_another_others),
        cmocka_unit_test(an_amount_is_fraud_by_itself_exactly_above_220),
        cmocka_unit_test(a_compromised_terminal_sees_nothing_but_fraud_for_28_days),
        cmocka_unit_test(a_third_of_a_stolen_cards_purchases_within_14_days_is_fraud),
        cmocka_unit_test(a_stolen_card_pays_five_times_as_much),
        cmocka_unit_test(customers_stay_within_the_radius),
        cmocka_unit_test(customers_without_a_terminal_buy_nothing),
        cmocka_unit_test(a_shift_changes_nothing_before_its_date),
        cmocka_unit_test(a_shift_raises_amounts_nights_and_bad_terminals),
        cmocka_unit_test(thefts_after_a_shift_are_of_smaller_amounts),
        cmocka_unit_test(the_committed_sample_is_what_the_documented_command_writes),
        cmocka_unit_test(a_wrong_command_line_exits_with_2_and_says_why),
        cmocka_unit_test(a_full_disk_fails_and_leaves_the_old_file_alone),
        cmocka_unit_test(an_output_that_cannot_be_made_fails),
        cmocka_unit_test(it_closes_with_one_line_of_rows_seconds_and_speed),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
