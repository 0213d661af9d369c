// replay: sends the transactions of a CSV to a running server and reports how it answered.
//
// Each connection is a thread that takes the next rows and waits for the answer, so requests leave in
// the order of the rows, strictly so with one connection. With --rate, transaction k is due k / rate
// seconds after the first, and latency counts from then: a slow server can't hide its delay if requests
// leave late (Gil Tene's "coordinated omission").
//
// With --labels, a row's label is posted, with nothing else in flight, before the first transaction
// that is that much later, and with --batch before the request of that transaction. So the server
// knows the labels that `features` knew with this delay.
#include "base/memory.h"
#include "base/option.h"
#include "base/output.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/value.h"
#include "ingest/convert.h"

#include <csv.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum { POST_LABELS = 1000, ANSWER_SECONDS = 60, SHOWN = 10 }; // messages of a kind

static const char *config = "datasets/simulated.ini", *input, *server = "http://127.0.0.1:8080";
static const char *token_file, *output_path;
static int64_t connections = 8, batch = 1, rate, from = INT64_MIN, until = INT64_MAX;
static int64_t delay_days = -1, retry, labels_from = INT64_MIN; // -1: no labels; seconds

static struct dataset dataset;
static const struct schema *const schema = &dataset.schema;
static struct csv_block block;
static struct convert convert;
static const struct csv *const csv = &convert.csv;
static int id, label; // columns of the schema, or -1
static struct progress progress;

static struct row {
    int64_t time;
    size_t number;  // in the file, of those in the period
    char *id;       // "" where the schema has none
    char *json;     // the transaction, as it is sent
    char *decision; // its line of the output without the id; NULL until it is answered
    int label;      // -1: none, or none that is to be posted
} * rows;           // [n_rows] of the period, by time
static size_t n_rows, rows_size;
static struct curl_slist *headers;

// Workers take rows one after the other; `lock` guards all that follows and the rows' labels and
// decisions.
static pthread_mutex_t taking = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER; // in_flight is 0
static size_t in_flight;
static atomic_bool failed; // the run ends after the requests in flight
static struct err err;     // if failed
static int64_t silences;   // requests without an answer before the first with one; then negative

static struct output output;
static size_t sent, answered, reviews; // transactions; rows[sent] is the next
static size_t earlier;                 // rows that an earlier replay has sent; `sent` counts them
static size_t next_label;              // rows before it have no label that is still to be posted
static size_t requests, n_seconds, seconds_size; // all, and those that were answered
static double *seconds, start, end;              // latencies; first request, latest answer
static atomic_size_t again;                      // requests that were sent again
static size_t labels_posted, labels_changed, labels_failed;
static uint64_t failures; // of requests

struct worker {
    CURL *easy;
    size_t first, n; // the rows of the request
    double due, end;
    char *answer; // answer_n bytes, then a 0 byte
    size_t answer_n;
    CURLcode code;
    long status; // of HTTP; 0: no whole answer
    char why[512];
};

static int open_input(void)
{
    if (dataset_load(&dataset, config, input, &err))
        return -1;
    id = schema_find_kind(schema, COLUMN_ID);
    label = schema_find_kind(schema, COLUMN_LABEL);
    if (delay_days >= 0 && (id < 0 || label < 0))
        return err_set(&err, "--labels: %s: [columns] has no column of kind %s", config,
                       id < 0 ? "id" : "label");
    return convert_open(&convert, &dataset, NULL, &err);
}

// The row without its label and its empty fields, which the server fills in. It is a reject if a
// text is not UTF-8.
static void add_row(int64_t time)
{
    const struct csv_field *fields = block.fields + block.rows[0].first;
    char text[TIME_TEXT];
    json_t *json = json_object(), *value;
    for (const struct convert_column *c = convert.columns; c < convert.columns + schema->n; c++) {
        const enum column_kind kind = c->schema->kind;
        if (kind == COLUMN_LABEL ||
            (c->field != SIZE_MAX &&
             convert_missing(&convert, c->schema, block.text + fields[c->field].at)))
            continue;
        if (kind == COLUMN_NUMBER)
            value = json_real(*(const double *)c->values);
        else if (kind != COLUMN_TIME)
            value = json_stringn(block.text + fields[c->field].at, fields[c->field].n);
        else if (schema_times_are_numbers(schema))
            value = json_integer(time);
        else
            value = json_string(time_text(text, time));
        if (json_object_set_new(json, c->schema->name, value) == 0)
            continue;
        convert.rows--;
        json_decref(json);
        return;
    }
    ARRAY_GROW(rows, n_rows + 1, rows_size);
    rows[n_rows] =
        (struct row){.time = time,
                     .number = n_rows,
                     .id = xstrdup(id < 0 ? "" : block.text + fields[convert.columns[id].field].at),
                     .json = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)),
                     .label = delay_days < 0 || time < labels_from
                                  ? -1
                                  : *(const int8_t *)convert.columns[label].values};
    n_rows++;
    earlier += time < from;
    json_decref(json);
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->time != y->time ? ORDER(x->time, y->time) : ORDER(x->number, y->number);
}

static int read_rows(void)
{
    const int64_t *time = convert.columns[schema_find_kind(schema, COLUMN_TIME)].values;
    char last[TIME_TEXT];
    int rc;
    progress_init(&progress, "replay", csv->size);
    while ((rc = csv_next(&convert.csv, &block, 1, &err)) == 0 && block.n_rows > 0) {
        progress_set(&progress, csv->bytes);
        if (convert_row(&convert, &block, block.rows, 0) &&
            (*time >= from || *time >= labels_from) && *time < until)
            add_row(*time);
    }
    progress_done(&progress);
    if (rc == 0 && convert.seen == 0)
        rc = err_set(&err, "%s: no rows after the header", csv->name);
    if (rc || convert_check(&convert, &err))
        return -1;
    if (earlier == n_rows)
        return err_set(&err, "%s: no row is between --from and --until; the last one is of %s",
                       csv->name, time_text(last, *time));
    qsort(rows, n_rows, sizeof *rows, by_time);
    sent = earlier;
    progress_init(&progress, "replay", n_rows);
    return 0;
}

static void sleep_until(double moment)
{
    const struct timespec t = {(time_t)moment, (long)(fmod(moment, 1) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void perform(struct worker *w)
{
    free(w->answer);
    FILE *f = xchecked(open_memstream(&w->answer, &w->answer_n));
    curl_easy_setopt(w->easy, CURLOPT_WRITEDATA, f);
    w->code = curl_easy_perform(w->easy);
    fclose(f);
    w->end = seconds_now();
    if (w->code || curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &w->status))
        w->status = 0;
}

// A request that meets no answer, 503 or 429 is sent again, the same bytes, for --retry seconds;
// the server recognises a transaction by its id. body is freed.
static void post(struct worker *w, const char *path, char *body)
{
    char *url = path_join(server, path);
    curl_easy_setopt(w->easy, CURLOPT_URL, url);
    curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, body);
    if (rate > 0)
        sleep_until(w->due);
    const double last = seconds_now() + (double)retry;
    for (double wait = 0.05;; wait = fmin(2 * wait, 1), again++) {
        perform(w);
        curl_off_t after = 0;
        curl_easy_getinfo(w->easy, CURLINFO_RETRY_AFTER, &after);
        const double moment = seconds_now() + fmax((double)after, wait);
        if ((w->status && w->status != 503 && w->status != 429) || moment > last || failed)
            break;
        sleep_until(moment);
    }
    free(body);
    free(url);
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

// asked: [n] transactions, or NULL for labels.
static bool is_answer(const json_t *json, const struct row *asked, size_t n)
{
    bool good = json_array_size(json) == n;
    for (size_t i = 0; good && i < n; i++) {
        const json_t *one = json_array_get(json, i);
        good = asked ? json_is_number(json_object_get(one, "probability")) &&
                           *text_of(one, "decision", "") &&
                           strcmp(text_of(one, "id", ""), asked[i].id) == 0
                     : json_is_boolean(json_object_get(one, "changed"));
    }
    return good;
}

// Post n transactions, asked, or labels (asked is NULL) and return the answers to them, which count
// as a whole or not at all; NULL, and why, if they don't. body is freed.
static json_t *ask(struct worker *w, char *body, const struct row *asked, size_t n)
{
    const char *path = asked ? "predict" : "feedback";
    post(w, path, body);
    json_t *json = json_loadb(w->answer, w->answer_n, JSON_REJECT_DUPLICATES, NULL);
    const char *detail = text_of(json, "detail", w->answer);
    if (w->status == 200 && asked && batch == 1)
        json = json_pack("[o]", json);
    if (w->status == 200 && is_answer(json, asked, n))
        return json;
    if (w->status == 0)
        snprintf(w->why, sizeof w->why, "%s: no answer: %s", path, curl_easy_strerror(w->code));
    else
        snprintf(w->why, sizeof w->why, "%s: %ld %s: %s", path, w->status,
                 w->status == 200 ? "not understood" : text_of(json, "title", "Unknown"), detail);
    for (char *c = w->why; *c; c++) // it goes to a terminal
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    json_decref(json);
    return NULL;
}

// 401 and silence on all connections end the run: all further requests would meet the same.
static void fail(const struct worker *w)
{
    if (++failures <= SHOWN)
        fprintf(stderr, "replay: %s: %s\n", server, w->why);
    if (w->status != 401 && silences < connections)
        return;
    failed = true;
    err_set(&err, "%s: %s; %s", server, w->why,
            w->status == 401 ? "use --token-file with its token"
                             : "is the server running? --retry SECONDS waits for it");
}

static void finish(const struct worker *w, const json_t *answer)
{
    end = w->end;
    silences = w->status ? INT64_MIN : silences + 1;
    for (size_t i = 0; i < w->n; i++) {
        struct row *r = &rows[w->first + i];
        const json_t *one = json_array_get(answer, i);
        const char *decision = text_of(one, "decision", "");
        reviews += strcmp(decision, "review") == 0;
        if (!answer)
            r->label = -1;
        else if (output_path)
            r->decision =
                xasprintf(",%.17g,%s,%s\n", json_number_value(json_object_get(one, "probability")),
                          decision, text_of(one, "model", ""));
    }
    if (answer) {
        answered += w->n;
        ARRAY_GROW(seconds, n_seconds + 1, seconds_size);
        seconds[n_seconds++] = fmax(w->end - w->due, 0);
    } else {
        fail(w);
    }
    if (--in_flight == 0)
        pthread_cond_signal(&idle);
}

// Before row number `before`, of those that are sent.
static bool is_label_due(size_t before)
{
    while (next_label < sent && rows[next_label].label < 0)
        next_label++;
    return next_label < sent &&
           rows[next_label].time <= rows[before].time - delay_days * SECONDS_PER_DAY;
}

static void post_labels(struct worker *w, size_t before)
{
    json_t *due = json_array(), *answer = NULL;
    while (in_flight > 0)
        pthread_cond_wait(&idle, &lock);
    for (; is_label_due(before) && json_array_size(due) < POST_LABELS; next_label++)
        json_array_append_new(due, json_pack("{s:s, s:i}", "id", rows[next_label].id, "label",
                                             rows[next_label].label));
    const size_t n = json_array_size(due);
    if (n > 0 && !(answer = ask(w, json_dumps(due, JSON_COMPACT), NULL, n))) {
        fail(w);
        labels_failed += n;
    }
    for (size_t i = 0; i < json_array_size(answer); i++)
        labels_changed += json_is_true(json_object_get(json_array_get(answer, i), "changed"));
    labels_posted += json_array_size(answer);
    json_decref(answer);
    json_decref(due);
}

// Fill the request with rows; false if there are none. The labels due within it come before it, and a
// row that has to wait for one of its own labels is left to the next request.
static bool take(struct worker *w)
{
    w->first = sent;
    const size_t end_row = n_rows - sent > (size_t)batch ? sent + (size_t)batch : n_rows;
    while (!failed && sent < end_row && is_label_due(end_row - 1))
        post_labels(w, end_row - 1);
    while (!failed && sent < end_row && (sent == w->first || !is_label_due(sent)))
        sent++;
    w->n = sent - w->first;
    if (w->n == 0)
        return false;
    progress_set(&progress, sent);
    if (requests++ == 0)
        start = end = seconds_now();
    w->due = rate ? start + (double)(w->first - earlier) / (double)rate : seconds_now();
    in_flight++;
    return true;
}

static char *body_of(const struct row *r, size_t n)
{
    char *body;
    size_t size;
    FILE *f = xchecked(open_memstream(&body, &size));
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%s", i > 0 ? "," : batch > 1 ? "[" : "", r[i].json);
    fputs(batch > 1 ? "]" : "", f);
    fclose(f);
    return body;
}

static int work(void *none, unsigned number, struct err *ignored)
{
    struct worker w = {.easy = curl_easy_init()};
    (void)none, (void)number, (void)ignored;
    curl_easy_setopt(w.easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(w.easy, CURLOPT_PROXY, "");
    curl_easy_setopt(w.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(w.easy, CURLOPT_TIMEOUT, (long)ANSWER_SECONDS);
    for (;;) {
        pthread_mutex_lock(&taking);
        pthread_mutex_lock(&lock);
        const bool more = take(&w);
        pthread_mutex_unlock(&lock);
        pthread_mutex_unlock(&taking);
        if (!more)
            break;
        const struct row *asked = &rows[w.first];
        json_t *answer = ask(&w, body_of(asked, w.n), asked, w.n);
        pthread_mutex_lock(&lock);
        finish(&w, answer);
        pthread_mutex_unlock(&lock);
        json_decref(answer);
    }
    curl_easy_cleanup(w.easy);
    free(w.answer);
    return 0;
}

// In milliseconds, of sorted latencies.
static double quantile(double share)
{
    return n_seconds ? 1e3 * seconds[(size_t)ceil(share * (double)n_seconds) - 1] : 0;
}

static void print_counts(void)
{
    const double took = end - start, per_second = took > 0 ? 1 / took : 0;
    size_t waiting = 0;
    for (size_t i = next_label; i < sent; i++)
        waiting += rows[i].label >= 0;
    sort_doubles(seconds, n_seconds);
    printf("transactions    %zu sent, %zu answered, %zu failed; %" PRIu64
           " rows that break the schema%s\n"
           "requests        %zu, %zu sent again\n"
           "seconds         %.2f: %.0f transactions/s, %.0f requests/s\n"
           "latency ms      p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n"
           "decisions       approve %zu  review %zu\n"
           "labels          %zu posted, %zu new to the server, %zu failed, %zu not yet due\n",
           sent - earlier, answered, sent - earlier - answered, convert_broken(&convert),
           convert_broken(&convert) ? " (ingest says why)" : "", requests, again, took,
           per_second * (double)answered, per_second * (double)requests, quantile(0.5),
           quantile(0.9), quantile(0.99), quantile(0.999), quantile(1), answered - reviews, reviews,
           labels_posted, labels_changed, labels_failed, waiting);
}

static int add_token(void)
{
    char line[320] = "Authorization: Bearer ";
    FILE *f = file_open(token_file, true, &err);
    if (!f)
        return -1;
    const int rc = fscanf(f, "%256s", line + strlen(line)) == 1 // NOLINT(cert-err34-c): a text
                       ? 0
                       : err_set(&err, "%s: has no token", token_file);
    fclose(f);
    curl_slist_append(headers, line);
    return rc;
}

static int write_output(void)
{
    FILE *f = output.file;
    fputs("id,probability,decision,model\n", f);
    for (const struct row *r = rows + earlier; r < rows + n_rows; r++) {
        // In quotes where RFC 4180 wants them, or where ingest would drop its blanks.
        if (strpbrk(r->id, ",\"\r\n \t"))
            csv_fwrite(f, r->id, strlen(r->id));
        else
            fputs(r->id, f);
        fputs(r->decision ? r->decision : ",,,\n", f);
    }
    return output_commit(&output, &err);
}

static int replay(void)
{
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (open_input() || (token_file && add_token()) ||
        (output_path && output_open(&output, output_path, 0600, &err)) || read_rows() ||
        parallel_run((unsigned)connections, work, NULL, &err))
        return -1;
    progress_done(&progress);
    if (failed)
        return -1;
    return output_path ? write_output() : 0;
}

int main(int argc, char **argv)
{
    const struct program program = {
        "replay",
        "[FILE]",
        "Send the transactions of a CSV, plain, .gz or .zst, to a running server. FILE replaces "
        "the file that the description names; - is standard input. The rows of the period are "
        "read into memory and sorted by time first.",
        "build/bin/replay --from 2018-08-15 --until 2018-08-16",
        {
            {"config", "FILE", "the dataset's description", .text = &config},
            {"url", "URL", "the server", .text = &server},
            {"token-file", "FILE", "token to show to the server", .text = &token_file},
            {"connections", "N", "requests in flight, 1: strictly in order", .number = &connections,
             1, PARALLEL_MAX},
            {"batch", "N", "transactions a request", .number = &batch, 1, 1000},
            {"rate", "N", "transactions a second, 0: as fast as answered", .number = &rate, 0,
             10000000},
            {"from", "TIME", "only rows from this date or time on, UTC", .time = &from},
            {"until", "TIME", "only rows before this date or time, UTC", .time = &until},
            {"labels", "DAYS",
             "post each row's label that many days of the file after it, -1: none",
             .number = &delay_days, -1, 36500},
            {"labels-from", "TIME",
             "only labels of rows from this time on, also of those sent before --from",
             .time = &labels_from},
            {"retry", "SECONDS", "send again for so long what meets no answer, 503 or 429",
             .number = &retry, 0, 86400},
            {"output", "FILE", "CSV of the decisions", .text = &output_path},
        }};
    int first = option_parse(&program, argc, argv, &err);
    if (first > 0 && labels_from != INT64_MIN && delay_days < 0)
        first = err_set(&err, "--labels-from goes with --labels");
    if (first <= 0)
        return option_exit(&program, first, &err);
    if (labels_from == INT64_MIN)
        labels_from = from;
    input = first < argc ? argv[first] : NULL;
    json_set_alloc_funcs(xmalloc, free);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    prctl(PR_SET_TIMERSLACK, 1); // nanoseconds: --rate measures tens of microseconds

    const int rc = replay() ? err_report("replay", &err) : 0;
    output_release(&output);
    if (answered > 0 || rc == 0)
        print_counts();
    if (stdout_close(&err))
        return err_report("replay", &err);
    return rc || answered < sent - earlier || labels_failed > 0;
}
