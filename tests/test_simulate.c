// datasets/simulate, the program: what it writes keeps the rules of the process, as the CSV alone
// shows, and the random numbers are those that the authors of the generators published.
//
// The world of most tests has 1000 customers, 2000 terminals and 40 days (about 77 000 rows), once
// as usual and once with a shift after 20 days. Runs in the root of the project.
#include "datasets/random.h"
#include "tests/training.h"

#include <stdbool.h>
#include <time.h>

#define WORLD "--customers 1000 --terminals 2000 --days 40 --radius 8"
enum { CUSTOMERS = 1000, TERMINALS = 2000, DAYS = 40, SHIFT = 20 };

struct row {
    long id, customer, terminal, second, day, cents;
    int fraud, scenario;
};

enum { MOST_ROWS = 100000 };
static struct row world[MOST_ROWS], shifted[MOST_ROWS]; // [n_rows]
static size_t n_rows;
static char out[4096]; // what the program printed

// Run simulate into a file of the scratch folder; the exit status.
static int run(const char *options, const char *name)
{
    return run_command(out, sizeof out, "${ASSAY_BIN:-build/bin}/simulate %s --output %s", options,
                       scratch_path(name));
}

// The rows as the data card describes them; the date repeats the seconds from 2018-04-01 on.
static size_t load(const char *name, struct row *rows)
{
    char date[32], expected[32];
    int cents, fields;
    size_t n = 0;
    FILE *f = fopen(scratch_path(name), "r");
    assert_non_null(f);
    while (getc(f) != '\n')
        ;
    for (struct row *r = rows; // NOLINTNEXTLINE(cert-err34-c): the conversions are counted
         (fields = fscanf(f, "%ld,%31[^,],%ld,%ld,%ld.%2d,%ld,%ld,%d,%d\n", &r->id, date,
                          &r->customer, &r->terminal, &r->cents, &cents, &r->second, &r->day,
                          &r->fraud, &r->scenario)) != EOF;
         r++) {
        const time_t time = 1522540800 + r->second; // 2018-04-01, by date -d ... +%s
        assert_int_equal(fields, 10);
        strftime(expected, sizeof expected, "%F %T", gmtime(&time));
        assert_string_equal(date, expected);
        r->cents = 100 * r->cents + cents;
        assert_in_range(++n, 1, MOST_ROWS - 1);
    }
    fclose(f);
    return n;
}

// Mean amount of a scenario from a day on.
static double mean_cents(const struct row *rows, int scenario, long first_day)
{
    double sum = 0, n = 0;
    for (const struct row *r = rows; r < rows + n_rows; r++)
        if (r->scenario == scenario && r->day >= first_day) {
            sum += (double)r->cents;
            n++;
        }
    return sum / n;
}

TEST_CASE(the_random_numbers_are_the_published_ones)
{
    static const uint64_t splitmix[] = {6457827717110365317U, 3203168211198807973U,
                                        9817491932198370423U, 4593380528125082431U};
    static const uint64_t xoshiro[] = {41943041, 58720359, 3588806011781223, 3591011842654386};
    struct rng r = rng_stream(1234567, 0);
    assert_memory_equal(r.s, splitmix, sizeof splitmix);
    r = (struct rng){{1, 2, 3, 4}};
    for (size_t i = 0; i < LENGTH(xoshiro); i++)
        assert_true(rng_next(&r) == xoshiro[i]);
}

TEST_CASE(rows_are_in_order_and_an_amount_is_fraud_by_itself_exactly_above_the_limit)
{
    size_t n[4] = {0};
    for (size_t i = 0; i < n_rows; i++) {
        const struct row *r = &world[i], *before = r - (i > 0), *s = &shifted[i];
        assert_int_equal(r->id, i);
        assert_int_equal(r->day, r->second / DAY);
        assert_in_range(r->second % DAY, 1, DAY - 1);
        assert_true(r->second >= before->second);
        assert_true(r->second > before->second || r->customer >= before->customer);
        assert_true(r->customer < CUSTOMERS && r->terminal < TERMINALS && r->day < DAYS);
        assert_int_equal(r->fraud, r->scenario != 0);
        assert_in_range(r->scenario, 0, 3);
        n[r->scenario]++;
        assert_true(r->scenario > 1 || r->scenario == (r->cents > 22000));
        assert_true(s->scenario > 1 ||
                    s->scenario == (s->cents > (s->day < SHIFT ? 22000 : 33000)));
    }
    assert_in_range(n[1], 1, n_rows / 200);
    assert_in_range(n[2], 1, n_rows / 10);
    assert_in_range(n[3], 1, n_rows / 10);
}

// The expected values are integrals over the process of the data card; tolerances are three to four
// standard errors, most of which comes from the customers' means.
TEST_CASE(counts_amounts_and_times_follow_their_distributions)
{
    double n = (double)n_rows, mean = 0, square = 0, free_of_charge = 0;
    for (size_t i = 0; i < n_rows; i++) {
        mean += (double)(world[i].second % DAY) / n;
        square += pow((double)(world[i].second % DAY), 2) / n;
        free_of_charge += (world[i].cents == 0) / n;
    }
    assert_near(n / CUSTOMERS / DAYS, 2 * 0.96923, 0.13);         // U(0, 4) and P(|z| < 2.16)
    assert_near(mean, 43200, 280);                                // N(43200, 20000), cut off
    assert_near(sqrt(square - mean * mean), 0.9097 * 20000, 150); // at 2.16 standard deviations
    assert_near(free_of_charge, 0, 0.001);                        // negative ones are drawn again
    assert_near(mean_cents(world, 0, 0) / 5250, 1.02, .06);       // U(5, 100), N cut off at 0
}

// The frauds of a scenario at one terminal or of one customer, and all rows between the first and
// the last of them.
struct span {
    long first, last; // days
    int frauds, rows;
};

// spans: [n]. How many have frauds that last no longer than those days.
static int find_spans(int scenario, long days, struct span *spans, int n)
{
    int good = 0;
    for (int pass = 0; pass < 2; pass++)
        for (const struct row *r = world; r < world + n_rows; r++) {
            struct span *s = &spans[scenario == 2 ? r->terminal : r->customer];
            if (pass == 0 && r->scenario == scenario) {
                s->first = s->frauds++ > 0 ? s->first : r->day; // rows are in the order of time
                s->last = r->day;
            }
            s->rows += pass == 1 && r->day >= s->first && r->day <= s->last;
        }
    for (int i = 0; i < n; i++)
        good += spans[i].frauds > 0 && spans[i].last - spans[i].first < days;
    return good;
}

TEST_CASE(a_compromised_terminal_sees_nothing_but_fraud_for_28_days)
{
    static struct span spans[TERMINALS];
    int whole = 0;
    // Two terminals are drawn a day; some are never used or are drawn twice.
    assert_in_range(find_spans(2, 28, spans, TERMINALS), DAYS * 2 - 12, DAYS * 2);
    for (int i = 0; i < TERMINALS; i++) {
        const struct span *s = &spans[i];
        assert_true(s->frauds == 0 || s->last - s->first >= 28 ||
                    s->rows - s->frauds < 3); // thefts
        whole += s->last - s->first == 27;
    }
    assert_in_range(whole, 5, DAYS * 2);
}

TEST_CASE(a_third_of_a_stolen_cards_purchases_is_fraud_of_five_times_the_amount)
{
    static struct span spans[CUSTOMERS];
    double frauds = 0, rows = 0;
    // 120 thefts of 1000 cards: 113 different cards, a few of which are not used enough.
    assert_in_range(find_spans(3, 14, spans, CUSTOMERS), 90, 116);
    for (int i = 0; i < CUSTOMERS; i++) {
        frauds += spans[i].frauds;
        rows += spans[i].frauds > 0 ? spans[i].rows : 0;
    }
    assert_near(frauds / rows, 0.36, 0.03); // the span of the frauds is a bit under 14 days
    for (const struct row *r = world; r < world + n_rows; r++)
        assert_true(r->scenario != 3 || r->cents % 5 == 0);
}

// A circle of radius 8 holds π · 64 / 10000 of the 2000 terminals: 40, fewer at the edge.
TEST_CASE(customers_buy_within_the_radius_or_not_at_all)
{
    static bool seen[CUSTOMERS][TERMINALS];
    int n[CUSTOMERS] = {0}, most = 0;
    for (const struct row *r = world; r < world + n_rows; r++) {
        n[r->customer] += !seen[r->customer][r->terminal];
        seen[r->customer][r->terminal] = true;
        most = n[r->customer] > most ? n[r->customer] : most;
    }
    assert_in_range(most, 30, 66);
    assert_int_equal(run("--customers 1 --terminals 1 --radius 1", "none.csv"), 1);
}

TEST_CASE(a_shift_changes_amounts_nights_terminals_and_thefts_from_its_day_on)
{
    double n[2] = {0}, night[2] = {0}, compromised[2] = {0}; // from the shift on
    for (size_t i = 0; i < n_rows && world[i].day < SHIFT; i++)
        assert_memory_equal(&world[i], &shifted[i], sizeof world[i]);
    for (size_t i = 0; i < 2 * n_rows; i++) {
        const struct row *r = i < n_rows ? &world[i] : &shifted[i - n_rows];
        n[i >= n_rows] += r->day >= SHIFT;
        night[i >= n_rows] += r->day >= SHIFT && r->second % DAY < 7 * HOUR;
        compromised[i >= n_rows] += r->day >= SHIFT && r->scenario == 2;
    }
    assert_near(night[1] / n[1], 0.1 + 0.9 * night[0] / n[0], 0.01);
    // On average 10 of the 20 days' attacks are under way then: 20 more bad terminals of 2000.
    assert_near(compromised[1] / n[1] - compromised[0] / n[0], 0.0105, 0.004);
    assert_near(mean_cents(shifted, 0, 20) / mean_cents(world, 0, 20), 1.5, 0.01);
    // A theft doubles amounts from the shift on; one from before goes on with the factor of five.
    assert_near(mean_cents(shifted, 3, 34) / mean_cents(shifted, 0, 34), 2, 0.5);
    assert_near(mean_cents(world, 3, 34) / mean_cents(world, 0, 34), 5, 1.2);
}

// Repeated runs and machines give the same bytes, another seed others.
TEST_CASE(the_committed_sample_is_what_the_data_cards_last_command_writes)
{
    char *card = scratch_read("datasets/README.md", NULL);
    char *end = strstr(card, " --output datasets/sample.csv"), *start = end;
    assert_non_null(end);
    *end = '\0';
    for (char *p = card; (p = strstr(p, "simulate ")); p++)
        start = p + strlen("simulate ");
    for (int other = 0; other < 2; other++) {
        strstr(start, "--seed ")[7] = (char)('0' + other);
        assert_int_equal(run(start, "sample.csv"), 0);
        assert_memory_equal(out, "simulate  ", 10);
        assert_int_equal(
            run_command(out, sizeof out, "cmp %s datasets/sample.csv", scratch_path("sample.csv")),
            other);
    }
    free(card);
}

static int make_worlds(void **state)
{
    if (scratch_make(state) || run(WORLD, "world.csv") ||
        run(WORLD " --shift 2018-04-21", "shift.csv"))
        return -1;
    n_rows = load("world.csv", world);
    return load("shift.csv", shifted) == n_rows ? 0 : -1;
}

TESTS(make_worlds, scratch_remove)
