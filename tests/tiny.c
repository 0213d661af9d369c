// tiny: the whole idea of Assay in one file. Start here.
//
// It reads card transactions from a CSV, computes the fifteen features of the Fraud Detection
// Handbook by brute force, fits a logistic regression by Newton's method, scores a later week, and
// measures ranking and drift. The real pipeline computes the same numbers (tests/test_tiny.c holds
// one against the other) and adds what makes it fit for production: any CSV, features as
// expressions, constant time per window, threads, artifacts, a server with a durable state, a
// registry, monitoring.
//
//     build/bin/tiny datasets/sample.csv 2018-04-15 2018-04-29 1e-2
//
// trains on the seven days from the first date on and tests on the seven days from the second date
// on. The last number is the penalty l2.
//
// Only libc and OpenBLAS. Any error prints a message and ends the program.
#define _DEFAULT_SOURCE // timegm
#include <cblas.h>
#include <f77blas.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_INPUTS = 15, K = N_INPUTS + 1, MAX_ID = 1 << 20, BINS = 10, KNOWN_CARD = -1 };
static const long long DAY = 86400; // seconds

static const char *const names[N_INPUTS] = {
    "amount",
    "weekend",
    "night",
    "customer_count_1d",
    "customer_mean_1d",
    "customer_count_7d",
    "customer_mean_7d",
    "customer_count_30d",
    "customer_mean_30d",
    "terminal_count_1d",
    "terminal_risk_1d",
    "terminal_count_7d",
    "terminal_risk_7d",
    "terminal_count_30d",
    "terminal_risk_30d",
};

struct row {
    long long time; // seconds since 1970, UTC
    unsigned customer, terminal;
    double amount;
    int fraud;               // 1 or 0; known seven days later
    long before_of_customer; // the customer's row before this one, -1 if none
    long before_of_terminal; // the same for the terminal
    float x[N_INPUTS];       // float32, as the model sees them
    double margin, score;    // log odds and probability of fraud
};

struct data {
    struct row *rows; // in time order
    long n;
};

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("tiny: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);
    if (!p)
        die("out of memory");
    return p;
}

// ---- ingest: text to numbers ----

// "2018-04-15" or "2018-04-15 08:30:00", in UTC.
static long long parse_time(const char *text)
{
    struct tm t = {0};
    // NOLINTNEXTLINE(cert-err34-c): numbers too large for an int are no times of these files
    int fields = sscanf(text, "%d-%d-%d %d:%d:%d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
                        &t.tm_min, &t.tm_sec);
    if (fields != 3 && fields != 6)
        die("'%s' is not a time such as 2018-04-15 08:30:00", text);
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    return timegm(&t);
}

// The columns of the Handbook: id, time, customer, terminal, amount, two times more, fraud.
static void parse_row(struct row *row, const char *line, const char *path, long number)
{
    char time[20];
    // NOLINTNEXTLINE(cert-err34-c): the same, and ids are checked below
    if (sscanf(line, "%*[^,],%19[^,],%u,%u,%lf,%*[^,],%*[^,],%d", time, &row->customer,
               &row->terminal, &row->amount, &row->fraud) != 5)
        die("%s:%ld: is not a row of the Handbook's transactions", path, number);
    if (row->customer >= MAX_ID || row->terminal >= MAX_ID)
        die("%s:%ld: customers and terminals are numbers below %d", path, number, MAX_ID);
    row->time = parse_time(time);
}

static struct data read_csv(const char *path)
{
    struct data d = {0};
    char line[512];
    long capacity = 0;
    FILE *f = fopen(path, "r");
    if (!f || !fgets(line, sizeof line, f))
        die("%s: cannot read", path);
    while (fgets(line, sizeof line, f)) {
        if (d.n == capacity) {
            capacity = 2 * capacity + 1024;
            d.rows = realloc(d.rows, (size_t)capacity * sizeof *d.rows);
            if (!d.rows)
                die("out of memory");
        }
        d.rows[d.n] = (struct row){0};
        parse_row(&d.rows[d.n], line, path, d.n + 2);
        if (d.n > 0 && d.rows[d.n].time < d.rows[d.n - 1].time)
            die("%s:%ld: is earlier than the row before it", path, d.n + 2);
        d.n++;
    }
    if (ferror(f))
        die("%s: cannot read", path);
    fclose(f);
    return d;
}

// ---- features: what is known about a transaction when it has to be decided ----

// Link each row to the row before it of the same customer, and of the same terminal.
static void link_histories(struct data *d)
{
    long *customer = allocate(MAX_ID, sizeof *customer);
    long *terminal = allocate(MAX_ID, sizeof *terminal);
    for (long r = 0; r < d->n; r++) {
        struct row *row = &d->rows[r]; // the arrays hold row + 1, so that 0 means none
        row->before_of_customer = customer[row->customer] - 1;
        row->before_of_terminal = terminal[row->terminal] - 1;
        customer[row->customer] = terminal[row->terminal] = r + 1;
    }
    free(customer);
    free(terminal);
}

// Customers: their rows of the last `days`, the current one included.
static void customer_window(const struct data *d, long r, int days, float *count, float *mean)
{
    const long long now = d->rows[r].time;
    long double sum = 0; // more bits than a double, so that rounding to float32 is exact
    long n = 0;
    for (long i = r; i >= 0; i = d->rows[i].before_of_customer) {
        if (d->rows[i].time <= now - days * DAY)
            break;
        sum += d->rows[i].amount;
        n++;
    }
    *count = (float)n;
    *mean = (float)((double)sum / (double)n);
}

// Terminals: their rows of `days`, up to seven days ago. Frauds become known a week late, so a
// window that reaches closer would use what nobody knows yet.
static void terminal_window(const struct data *d, long r, int days, float *count, float *risk)
{
    const long long known = d->rows[r].time - 7 * DAY;
    long n = 0, frauds = 0;
    for (long i = r; i >= 0; i = d->rows[i].before_of_terminal) {
        if (d->rows[i].time <= known - days * DAY)
            break;
        if (d->rows[i].time > known)
            continue;
        frauds += d->rows[i].fraud;
        n++;
    }
    *count = (float)n;
    *risk = n > 0 ? (float)((double)frauds / (double)n) : 0;
}

static void compute_features(struct data *d)
{
    static const int windows[] = {1, 7, 30}; // days
    link_histories(d);
    for (long r = 0; r < d->n; r++) {
        struct row *row = &d->rows[r];
        const long long day = row->time / DAY, hour = row->time % DAY / 3600;
        row->x[0] = (float)row->amount;
        row->x[1] = (day + 3) % 7 >= 5; // 1970-01-01 was a Thursday
        row->x[2] = hour <= 6;
        for (int w = 0; w < 3; w++) {
            float *customer = &row->x[3 + 2 * w], *terminal = &row->x[9 + 2 * w];
            customer_window(d, r, windows[w], &customer[0], &customer[1]);
            terminal_window(d, r, windows[w], &terminal[0], &terminal[1]);
        }
    }
}

// ---- train: logistic regression ----

// Rows [first, end) of the data.
struct range {
    long first, end;
};

static struct range rows_between(const struct data *d, long long from, long long to)
{
    struct range r = {0, 0};
    while (r.first < d->n && d->rows[r.first].time < from)
        r.first++;
    r.end = r.first;
    while (r.end < d->n && d->rows[r.end].time < to)
        r.end++;
    return r;
}

struct model {
    double mean[N_INPUTS], scale[N_INPUTS], min[N_INPUTS], max[N_INPUTS]; // of the training rows
    double w[K]; // weights of the standardised inputs, then intercept
};

// To 7 significant digits, far below a weight's standard error. The digits behind them depend on
// how the processor adds.
static double rounded(double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.6e", x);
    return strtod(text, NULL);
}

// Mean and standard deviation of each input. Inputs of one scale make the penalty fair.
static void standardise(struct model *m, const struct data *d, struct range train)
{
    const double n = (double)(train.end - train.first);
    for (int i = 0; i < N_INPUTS; i++) {
        double sum = 0, squares = 0;
        m->min[i] = INFINITY;
        m->max[i] = -INFINITY;
        for (long r = train.first; r < train.end; r++) {
            sum += (double)d->rows[r].x[i];
            m->min[i] = fmin(m->min[i], (double)d->rows[r].x[i]);
            m->max[i] = fmax(m->max[i], (double)d->rows[r].x[i]);
        }
        for (long r = train.first; r < train.end; r++)
            squares += pow((double)d->rows[r].x[i] - sum / n, 2);
        m->mean[i] = rounded(sum / n);
        m->scale[i] = squares > 0 ? rounded(sqrt(squares / n)) : 1;
    }
}

// z[K]: the standardised inputs of a row and a 1 for the intercept. A value outside the range of
// training counts as the end of the range: a linear model extrapolates, and no data supports that.
static void inputs_of(const struct model *m, const struct row *row, double *z)
{
    for (int i = 0; i < N_INPUTS; i++)
        z[i] = (fmin(fmax((double)row->x[i], m->min[i]), m->max[i]) - m->mean[i]) / m->scale[i];
    z[N_INPUTS] = 1;
}

// Training minimises (1/n) sum log(1 + exp(-s m)) + (l2/2) |w|^2 with margin m = z w and
// s = +1 for fraud, -1 for genuine. The intercept is not penalised.
static double objective(const double *z, const double *y, long n, double l2, const double *w)
{
    double loss = 0;
    for (long r = 0; r < n; r++) {
        const double margin = cblas_ddot(K, z + r * K, 1, w, 1);
        loss += (margin > 0 ? margin : 0) + log1p(exp(-fabs(margin))) - y[r] * margin;
    }
    return loss / (double)n + l2 / 2 * cblas_ddot(N_INPUTS, w, 1, w, 1);
}

// Gradient g[K] and Hessian h[K][K] of the objective:
// g = Z'(p - y) / n + l2 w and H = Z' diag(p (1 - p)) Z / n + l2 I. scratch: [n][K].
static void derivatives(const double *z, const double *y, long n, double l2, const double *w,
                        double *g, double *h, double *scratch)
{
    for (int i = 0; i < K; i++)
        g[i] = i < N_INPUTS ? l2 * w[i] : 0;
    for (long r = 0; r < n; r++) {
        const double *row = z + r * K;
        const double p = 1 / (1 + exp(-cblas_ddot(K, row, 1, w, 1)));
        cblas_daxpy(K, (p - y[r]) / (double)n, row, 1, g, 1);
        for (int i = 0; i < K; i++)
            scratch[r * K + i] = sqrt(p * (1 - p)) * row[i];
    }
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, K, (blasint)n, 1 / (double)n, scratch, K,
                0, h, K);
    for (int i = 0; i < N_INPUTS; i++)
        h[i * K + i] += l2;
}

// Newton's method: w -= H^-1 g, with the step halved while it does not lower the objective.
static void minimise(const double *z, const double *y, long n, double l2, double *w)
{
    double *scratch = allocate((size_t)n * K, sizeof *scratch);
    double value = objective(z, y, n, l2, w);
    for (int pass = 0; pass < 100; pass++) {
        double g[K], h[K * K], next[K];
        derivatives(z, y, n, l2, w, g, h, scratch);
        const int last = cblas_dnrm2(K, g, 1) < 1e-10; // one more step, to all digits
        blasint size = K, failed = 0;
        dpotrf_((char[]){'U'}, &size, h, &size, &failed); // h becomes U of H = U'U
        if (failed)
            break;
        cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, K, h, K, g, 1);
        cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, K, h, K, g, 1);
        // g is H^-1 g now, the step.
        if (last) {
            cblas_daxpy(K, -1, g, 1, w, 1);
            free(scratch);
            return;
        }
        double step = 1, found;
        do {
            for (int i = 0; i < K; i++)
                next[i] = w[i] - step * g[i];
            found = objective(z, y, n, l2, next);
            step /= 2;
        } while (found > value + 1e-14 && step > 1e-12);
        memcpy(w, next, sizeof next);
        value = found;
    }
    die("no optimum with l2 = %g: give a larger one", l2);
}

static struct model fit(const struct data *d, struct range train, double l2)
{
    struct model m = {0};
    const long n = train.end - train.first;
    double *z = allocate((size_t)n * K, sizeof *z), *y = allocate((size_t)n, sizeof *y);
    double frauds = 0;
    standardise(&m, d, train);
    for (long r = 0; r < n; r++) {
        inputs_of(&m, &d->rows[train.first + r], z + r * K);
        frauds += y[r] = d->rows[train.first + r].fraud;
    }
    if (frauds == 0 || frauds == (double)n)
        die("%ld training rows with %g frauds: training needs both kinds", n, frauds);
    m.w[N_INPUTS] = log(frauds / ((double)n - frauds)); // the optimum without inputs
    minimise(z, y, n, l2, m.w);
    for (int i = 0; i < K; i++)
        m.w[i] = rounded(m.w[i]);
    free(z);
    free(y);
    return m;
}

// ---- score and measure ----

static void score(struct data *d, const struct model *m)
{
    for (long r = 0; r < d->n; r++) {
        double z[K];
        inputs_of(m, &d->rows[r], z);
        d->rows[r].margin = cblas_ddot(K, z, 1, m->w, 1);
        d->rows[r].score = 1 / (1 + exp(-d->rows[r].margin));
    }
}

// The label that a test row is judged by. A card with a fraud from the first training row on that
// is known by now is blocked and needs no model, so its rows do not count: KNOWN_CARD.
static int judged(const struct data *d, long r, struct range train)
{
    const long long today = d->rows[r].time / DAY;
    for (long i = d->rows[r].before_of_customer; i >= train.first;
         i = d->rows[i].before_of_customer)
        if (d->rows[i].fraud && d->rows[i].time / DAY < today - 7)
            return KNOWN_CARD;
    return d->rows[r].fraud;
}

struct scored {
    double score;
    int label;
};

static int by_falling_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

// ROC AUC: the chance that a fraud scores above a genuine row, ties count half. Average precision:
// the sum over falling thresholds of (gain in recall) x (precision). Sorts the rows.
static void rank_metrics(struct scored *rows, long n, double *auc, double *average_precision)
{
    double frauds = 0, genuine = 0, pairs = 0, precisions = 0;
    qsort(rows, (size_t)n, sizeof *rows, by_falling_score);
    for (long i = 0, end; i < n; i = end) { // [i, end): rows of one score
        double tied_frauds = 0;
        for (end = i; end < n && rows[end].score == rows[i].score; end++)
            tied_frauds += rows[end].label;
        const double tied_genuine = (double)(end - i) - tied_frauds;
        pairs += tied_genuine * (frauds + tied_frauds / 2);
        frauds += tied_frauds;
        genuine += tied_genuine;
        precisions += tied_frauds * frauds / (frauds + genuine);
    }
    *auc = pairs / (frauds * genuine);
    *average_precision = precisions / frauds;
}

// ---- monitor: has the data moved? ----

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The population stability index of two samples: sum (q - p) ln(q / p) over the reference's ten
// quantile bins. Half a row is added to each bin, so that an empty one stays finite. Sorts the
// reference.
static double stability_index(double *reference, long n, const double *current, long m)
{
    double edges[BINS - 1], p[BINS], q[BINS], psi = 0;
    qsort(reference, (size_t)n, sizeof *reference, by_value);
    for (int b = 1; b < BINS; b++)
        edges[b - 1] = reference[n / BINS * b + n % BINS * b / BINS];
    for (int b = 0; b < BINS; b++)
        p[b] = q[b] = 0.5;
    for (long i = 0; i < n + m; i++) {
        const double value = i < n ? reference[i] : current[i - n];
        int b = 0;
        while (b < BINS - 1 && value >= edges[b])
            b++;
        (i < n ? p : q)[b]++;
    }
    for (int b = 0; b < BINS; b++) {
        const double before = p[b] / ((double)n + 0.5 * BINS);
        const double now = q[b] / ((double)m + 0.5 * BINS);
        psi += (now - before) * log(now / before);
    }
    return psi;
}

// Drift of the score from one range of rows to another.
static double score_drift(const struct data *d, struct range from, struct range to)
{
    const long n = from.end - from.first, m = to.end - to.first;
    double *reference = allocate((size_t)n, sizeof *reference);
    double *current = allocate((size_t)m, sizeof *current);
    for (long i = 0; i < n; i++)
        reference[i] = d->rows[from.first + i].score;
    for (long i = 0; i < m; i++)
        current[i] = d->rows[to.first + i].score;
    const double psi = stability_index(reference, n, current, m);
    free(reference);
    free(current);
    return psi;
}

// ---- the chain ----

struct result {
    struct range train, test, later; // later: everything after the test week
    struct model model;
    long judged, frauds; // test rows that count
    double auc, average_precision, psi;
};

static struct result run_all(struct data *d, const char *train_from, const char *test_from,
                             double l2)
{
    const long long train = parse_time(train_from), test = parse_time(test_from);
    struct result r = {.train = rows_between(d, train, train + 7 * DAY),
                       .test = rows_between(d, test, test + 7 * DAY)};
    r.later = (struct range){r.test.end, d->n};
    if (r.test.first == r.test.end)
        die("there are no rows in the week from %s on", test_from);
    compute_features(d);
    r.model = fit(d, r.train, l2);
    score(d, &r.model);
    struct scored *rows = allocate((size_t)(r.test.end - r.test.first), sizeof *rows);
    for (long i = r.test.first; i < r.test.end; i++) {
        const int label = judged(d, i, r.train);
        if (label == KNOWN_CARD)
            continue;
        rows[r.judged++] = (struct scored){d->rows[i].score, label};
        r.frauds += label;
    }
    rank_metrics(rows, r.judged, &r.auc, &r.average_precision);
    r.psi = score_drift(d, r.train, r.later);
    free(rows);
    return r;
}

static void print(const struct result *r)
{
    printf("%-20s %12s %12s %10s\n", "input", "mean", "scale", "weight");
    for (int i = 0; i < N_INPUTS; i++)
        printf("%-20s %12.6g %12.6g %10.6f\n", names[i], r->model.mean[i], r->model.scale[i],
               r->model.w[i]);
    printf("%-20s %36.6f\n\n", "intercept", r->model.w[N_INPUTS]);
    printf("train              %8ld rows\n", r->train.end - r->train.first);
    printf("test               %8ld rows judged, %ld frauds\n", r->judged, r->frauds);
    printf("ROC AUC            %8.4f\n", r->auc);
    printf("average precision  %8.4f   (%.4f by chance)\n", r->average_precision,
           (double)r->frauds / (double)r->judged);
    printf("drift of the score %8.4f   (PSI of %ld later rows; 0.2 and more is much)\n", r->psi,
           r->later.end - r->later.first);
}

int main(int argc, char **argv)
{
    char *end;
    if (argc != 5) {
        fprintf(stderr, "usage: tiny FILE.csv TRAIN_FROM TEST_FROM L2\n"
                        "example: build/bin/tiny datasets/sample.csv 2018-04-15 2018-04-29 1e-2\n");
        return 2;
    }
    const double l2 = strtod(argv[4], &end);
    if (*end != '\0' || end == argv[4] || !(l2 >= 0))
        die("'%s' is not a penalty of 0 or more", argv[4]);
    struct data d = read_csv(argv[1]);
    const struct result r = run_all(&d, argv[2], argv[3], l2);
    print(&r);
    free(d.rows);
    return fflush(stdout) ? 1 : 0;
}
