// simulate: card transactions with known frauds, as a CSV.
//
// The transaction process of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot, Bontempi:
// Reproducible Machine Learning for Credit Card Fraud Detection, ULB 2022, chapter 3), written from
// its description; datasets/README.md is the data card. All transactions are kept in memory (32
// bytes each, twice while they are sorted).
#include "base/memory.h"
#include "base/option.h"
#include "base/output.h"
#include "base/progress.h"
#include "base/value.h"
#include "datasets/random.h"

#include <stdlib.h>

enum {
    DAY = SECONDS_PER_DAY,
    START = 17622,    // 2018-04-01, in days since 1970-01-01
    NIGHT = 7 * 3600, // when the night ends
    GRID = 100,       // side of the square that holds customers and terminals
};

// The fraud pattern, and what --shift makes of it.
struct pattern {
    double price;          // factor of all amounts
    bool nights;           // a tenth of the purchases is made at night
    int64_t limit;         // cents; scenario 1: more is fraud
    uint32_t terminals;    // scenario 2: compromised per day
    int64_t stolen_factor; // scenario 3: amounts of a stolen card
};
static const struct pattern usual = {1, false, 22000, 2, 5};
static const struct pattern shifted = {1.5, true, 33000, 4, 2};
enum { MAX_HITS = 4, TERMINAL_DAYS = 28, CUSTOMERS_A_DAY = 3, CUSTOMER_DAYS = 14 };

struct transaction {
    size_t number; // in the order of customers, days and draws
    int64_t cents;
    uint32_t second; // since the start
    uint32_t customer, terminal;
    uint8_t scenario; // 0: genuine
};

struct simulation {
    int64_t customers, terminals, days, radius, seed;
    const char *output;
    int64_t shift; // the first shifted day, counted from START; beyond the last where there is none
    struct transaction *rows;
    size_t n, capacity;
};

// Each has a stream of random numbers of its own: customer c has CUSTOMER_STREAMS + c.
enum { TERMINAL_STREAM, SCENARIO_2_STREAM, SCENARIO_3_STREAM, CUSTOMER_STREAMS };

static const struct pattern *pattern_of(const struct simulation *s, uint32_t day)
{
    return day >= s->shift ? &shifted : &usual;
}

// ---- transactions ----

struct point {
    double x, y;
};

struct customer {
    uint32_t id;
    double mean;    // of the amounts
    uint32_t *near; // [n_near] the terminals it uses
    uint32_t n_near;
};

static struct point random_point(struct rng *r)
{
    double x = rng_uniform(r, 0, GRID);
    return (struct point){x, rng_uniform(r, 0, GRID)};
}

// The draws are the same ones before and after the shift, so it changes no row before its date, not
// even through scenario 3, which picks from the transactions of many days.
static void purchase(struct simulation *s, struct rng *r, const struct customer *c, uint32_t day)
{
    const struct pattern *pattern = pattern_of(s, day);
    double z[2];
    rng_normal(r, z);
    int32_t second = (int32_t)(43200 + 20000 * z[0]);
    if (second <= 0 || second >= DAY)
        return;
    double amount = 1 + z[1] / 2; // in means: the standard deviation is half of the mean
    if (amount < 0)
        amount = rng_uniform(r, 0, 2);
    int32_t night = (int32_t)rng_below(r, 10 * NIGHT);
    if (pattern->nights && night > 0 && night < NIGHT)
        second = night;
    ARRAY_GROW(s->rows, s->n + 1, s->capacity);
    s->rows[s->n] =
        (struct transaction){.number = s->n,
                             .cents = (int64_t)(100 * c->mean * pattern->price * amount + 0.5),
                             .second = day * DAY + (uint32_t)second,
                             .customer = c->id,
                             .terminal = c->near[rng_below(r, c->n_near)]};
    s->n++;
}

static void simulate_customer(struct simulation *s, struct customer *c,
                              const struct point *terminals)
{
    struct rng r = rng_stream(s->seed, CUSTOMER_STREAMS + (uint64_t)c->id);
    const struct point home = random_point(&r);
    c->n_near = 0;
    for (uint32_t i = 0; i < s->terminals; i++) {
        const double dx = terminals[i].x - home.x, dy = terminals[i].y - home.y;
        c->near[c->n_near] = i; // stays only if n_near moves on: no branch to mispredict
        c->n_near += dx * dx + dy * dy < (double)(s->radius * s->radius);
    }
    c->mean = rng_uniform(&r, 5, 100);
    double exp_minus_rate = exp(-rng_uniform(&r, 0, 4));
    for (uint32_t day = 0; c->n_near > 0 && day < s->days; day++)
        for (int n = rng_poisson(&r, exp_minus_rate); n > 0; n--)
            purchase(s, &r, c, day);
}

// All rows, ordered by customer, day and draw; genuine so far.
static void simulate_customers(struct simulation *s)
{
    struct customer c = {.near = xcalloc((size_t)s->terminals, sizeof *c.near)};
    struct point *terminals = xcalloc((size_t)s->terminals, sizeof *terminals);
    struct rng r = rng_stream(s->seed, TERMINAL_STREAM);
    for (int64_t i = 0; i < s->terminals; i++)
        terminals[i] = random_point(&r);
    for (; c.id < s->customers; c.id++)
        simulate_customer(s, &c, terminals);
    free(terminals);
    free(c.near);
}

// ---- frauds ----

// Scenario 1: a high amount.
static void mark_amounts(struct simulation *s)
{
    for (struct transaction *row = s->rows; row < s->rows + s->n; row++)
        if (row->cents > pattern_of(s, row->second / DAY)->limit)
            row->scenario = 1;
}

// Scenario 2: all transactions of a terminal from its compromise until its repair.
static void mark_terminals(struct simulation *s)
{
    bool *compromised = xcalloc((size_t)s->days, (size_t)s->terminals); // [days, terminals]
    struct rng r = rng_stream(s->seed, SCENARIO_2_STREAM);
    for (uint32_t day = 0; day < s->days; day++) {
        uint32_t hit[MAX_HITS];
        uint32_t k = rng_sample(&r, (uint32_t)s->terminals, pattern_of(s, day)->terminals, hit);
        for (int64_t d = day; d < day + TERMINAL_DAYS && d < s->days; d++)
            for (uint32_t i = 0; i < k; i++)
                compromised[d * s->terminals + hit[i]] = true;
    }
    for (struct transaction *row = s->rows; row < s->rows + s->n; row++)
        if (compromised[row->second / DAY * s->terminals + row->terminal])
            row->scenario = 2;
    free(compromised);
}

// The first row that is not before this customer's day.
static size_t first_row(const struct simulation *s, uint32_t customer, uint32_t day)
{
    size_t i;
    LOWER_BOUND(i, 0, s->n,
                s->rows[i].customer < customer ||
                    (s->rows[i].customer == customer && s->rows[i].second / DAY < day));
    return i;
}

// A random third of n rows. Selection sampling: Algorithm S of Knuth, The Art of Computer
// Programming 2, 3.4.2.
static void mark_third(struct transaction *rows, size_t n, int64_t factor, struct rng *r)
{
    for (size_t wanted = n / 3; wanted > 0; rows++, n--)
        if (rng_below(r, (uint32_t)n) < wanted) {
            rows->cents *= factor;
            rows->scenario = 3;
            wanted--;
        }
}

// Scenario 3: some transactions of a compromised customer, with the amount multiplied.
static void mark_customers(struct simulation *s)
{
    struct rng r = rng_stream(s->seed, SCENARIO_3_STREAM);
    for (uint32_t day = 0; day < s->days; day++) {
        uint32_t hit[CUSTOMERS_A_DAY];
        uint32_t k = rng_sample(&r, (uint32_t)s->customers, CUSTOMERS_A_DAY, hit);
        for (uint32_t i = 0; i < k; i++) {
            size_t first = first_row(s, hit[i], day);
            size_t end = first_row(s, hit[i], day + CUSTOMER_DAYS);
            mark_third(s->rows + first, end - first, pattern_of(s, day)->stolen_factor, &r);
        }
    }
}

// ---- the CSV ----

static int by_time(const void *a, const void *b)
{
    const struct transaction *x = a, *y = b;
    if (x->second != y->second)
        return x->second < y->second ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static int write_csv(const struct simulation *s, uint64_t *bytes, struct err *err)
{
    char date[TIME_TEXT];
    struct progress progress;
    struct output o;
    if (output_open(&o, s->output, 0644, err))
        return -1;
    FILE *f = o.file;
    fputs("TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,"
          "TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO\n",
          f);
    progress_init(&progress, "simulate", s->n);
    for (size_t i = 0; i < s->n && !ferror(f); i++) {
        const struct transaction *t = &s->rows[i];
        const uint32_t day = t->second / DAY, second = t->second % DAY;
        const lldiv_t amount = lldiv(t->cents, 100);
        if (i == 0 || day != s->rows[i - 1].second / DAY)
            date_text(date, START + day);
        fprintf(f, "%zu,%s %02u:%02u:%02u,%u,%u,%lld.%02lld,%u,%u,%d,%d\n", i, date, second / 3600,
                second / 60 % 60, second % 60, t->customer, t->terminal, amount.quot, amount.rem,
                t->second, day, t->scenario > 0, t->scenario);
        progress_set(&progress, i);
    }
    progress_done(&progress);
    *bytes = (uint64_t)ftell(f);
    const int rc = output_commit(&o, err);
    output_release(&o);
    return rc;
}

// ---- program ----

static int simulate(struct simulation *s, struct err *err)
{
    double start = seconds_now();
    uint64_t bytes;
    simulate_customers(s);
    if (s->n == 0)
        return err_set(err, "no transactions: no customer has a terminal within --radius %lld",
                       (long long)s->radius);
    mark_amounts(s);
    mark_terminals(s);
    mark_customers(s);
    qsort(s->rows, s->n, sizeof *s->rows, by_time);
    if (write_csv(s, &bytes, err))
        return -1;
    return summary_print("simulate", s->n, start, 1e-6 * (double)bytes, "MB/s", s->output, err);
}

// From a time to a day.
static int check_shift(struct simulation *s, struct err *err)
{
    char is[TIME_TEXT], first[TIME_TEXT], last[TIME_TEXT];
    const int64_t day = day_of(s->shift);
    const bool given = s->shift < INT64_MAX;
    s->shift = day - START;
    if (!given || (s->shift >= 0 && s->shift < s->days))
        return 0;
    return err_set(err, "--shift: %s is not within %s .. %s", date_text(is, day),
                   date_text(first, START), date_text(last, START + s->days - 1));
}

int main(int argc, char **argv)
{
    struct simulation s = {.customers = 5000,
                           .terminals = 10000,
                           .days = 183,
                           .radius = 5,
                           .seed = 2, // a typical draw: datasets/README.md compares some
                           .output = "build/data/simulated.csv",
                           .shift = INT64_MAX};
    struct program program = {
        "simulate",
        "",
        "Simulate card transactions and frauds; datasets/README.md says how. With --shift, from "
        "that day on: amounts are 1.5 times as high, a tenth of the purchases moves to the night, "
        "amounts over 330 are fraud (before: 220), four terminals a day are compromised (two), "
        "and a stolen card's amounts double (fivefold).",
        "build/bin/simulate --shift 2018-08-15 --output build/data/shifted.csv",
        {
            {"output", "FILE", "the CSV", .text = &s.output},
            {"customers", "N", "customers", .number = &s.customers, 1, 10000000},
            {"terminals", "N", "terminals", .number = &s.terminals, 1, 10000000},
            {"days", "N", "days from 2018-04-01 on", .number = &s.days, 1, 36500},
            {"radius", "N", "customers use terminals nearer than this, on a square of 100 x 100",
             .number = &s.radius, 1, 150},
            {"seed", "N", "another seed, other transactions", .number = &s.seed, 0, INT64_MAX},
            {"shift", "DATE", "the day on which the change begins", .time = &s.shift},
        }};
    struct err err;
    int first = option_parse(&program, argc, argv, &err);
    if (first > 0 && check_shift(&s, &err))
        first = -1;
    if (first <= 0)
        return option_exit(&program, first, &err);
    int rc = simulate(&s, &err) ? err_report(program.name, &err) : 0;
    free(s.rows);
    return rc;
}
