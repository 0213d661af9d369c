// replay: sends the transactions of a CSV to a running server and reports how it answered.
//
// Each connection is a thread that takes the next rows, posts them with blocking libcurl and counts
// the answer. Requests leave in the order of the rows, strictly so with one connection.
//
// With --rate, transaction k is due k / rate seconds after the first, and a request when its first
// transaction is. Latency counts from then, even if all connections were busy and the request left
// late: a slow server cannot hide its delay (Gil Tene's "coordinated omission").
//
// With --labels, a row's label is posted, with nothing else in flight, before the first transaction
// that is that much later. So the server knows the labels that `features` knew with this delay.
#include "base/memory.h"
#include "base/option.h"
#include "base/output.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "ingest/convert.h"
#include "ingest/value.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

enum { POST_LABELS = 1000, ANSWER_SECONDS = 60, SHOWN_REJECTS = 10 };

static const char *config = "datasets/simulated.ini", *input, *server = "http://127.0.0.1:8080";
static const char *token_file, *output_path;
static int64_t connections = 8, batch = 1, rate, from = INT64_MIN, until = INT64_MAX;
static int64_t delay_days = -1, retry; // -1: no labels; seconds

// The CSV, read one row at a time, so that a pipe's rows are sent when they come.
static struct dataset dataset;
static const struct schema *const schema = &dataset.schema;
static struct csv csv;
static struct csv_block block;
static struct convert convert;
static struct progress progress;
static int time_column, label_column = -1;
static const char *id_name = ""; // of the id's column

// Workers take rows one after the other; `lock` guards what follows.
static pthread_mutex_t taking = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER; // in_flight is 0
static size_t in_flight;
static atomic_bool failed;
static int64_t silences; // requests without an answer before the first with one; then negative

static json_t *row; // the transaction that was read and is in no request yet, or NULL
static int64_t row_time, clock_time = INT64_MIN; // clock: the latest time of the period's rows
static struct label {
    int64_t time;
    json_t *json; // {"id", "label"}; emptied if the transaction is not answered
} * labels;       // [first_label .. n_labels) are not due yet, in order of time
static size_t first_label, n_labels, labels_size;

static struct output output;
static char **lines; // of each transaction that was sent; NULL: not answered yet, or written
static size_t lines_size, written;

static size_t seen, rejected;                  // rows
static size_t sent, answered, requests, again; // transactions, and the requests that hold them
static size_t labels_posted, labels_changed, labels_failed;
static json_t *decisions, *errors, *first_errors; // numbers by kind; the first text of a kind
static double start, end;                         // of the first request, of the latest answer
static double *seconds;                           // latency of each answered request
static size_t n_seconds, seconds_size;

struct worker {
    struct err *err; // if failed
    bool failed;
    CURL *easy;
    json_t *rows, *labels; // the request: transactions, and those of their labels that are known
    size_t first;          // number of the first transaction among all that are sent
    double due, end;
    char *answer; // answer_n bytes, then a 0 byte
    size_t answer_n;
    long status; // of HTTP; 0: no whole answer
    char curl_error[CURL_ERROR_SIZE], why[512];
    size_t again;
};

// The run ends after the requests that are in flight.
static void fail(struct worker *w)
{
    w->failed = true;
    failed = true;
}

// ---- rows ---------------------------------------------------------------------------------------

static int open_input(struct err *err)
{
    if (dataset_load(&dataset, config, input, err))
        return -1;
    const int id = schema_find_kind(schema, COLUMN_ID);
    id_name = id < 0 ? "" : schema->columns[id].name;
    time_column = schema_find_kind(schema, COLUMN_TIME);
    label_column = schema_find_kind(schema, COLUMN_LABEL);
    if (delay_days >= 0 && (id < 0 || label_column < 0))
        return err_set(err, "--labels: %s: [columns] has no column of kind %s", config,
                       id < 0 ? "id" : "label");
    if (csv_open(&csv, dataset.file, dataset.delimiter, err) ||
        convert_open(&convert, &csv, schema, NULL, err))
        return -1;
    progress_init(&progress, "replay", csv.size);
    return 0;
}

static void reject(const struct reject *why)
{
    const char *value = why->value ? why->value : "", *quote = why->value ? "\"" : "";
    if (++rejected <= SHOWN_REJECTS)
        fprintf(stderr, "replay: %s:%" PRIu64 ": %s%s%s%s%s%.80s%s; not sent\n", csv.name,
                why->row->line, why->column, *why->column ? ": " : "", why->reason,
                why->value ? ": " : "", quote, value, quote);
    if (rejected == SHOWN_REJECTS)
        fprintf(stderr, "replay: further rows that break the schema are only counted\n");
}

// The row without its label and its empty fields, which the server fills in; NULL, after a reject,
// if a text is not UTF-8.
static json_t *transaction(void)
{
    const struct csv_field *fields = block.fields + block.rows[0].first;
    char time[TIME_TEXT];
    json_t *json = json_object(), *value;
    for (const struct convert_column *c = convert.columns; c < convert.columns + schema->n; c++) {
        const char *name = c->schema->name;
        const enum column_kind kind = c->schema->kind;
        if (kind == COLUMN_LABEL || (c->field != SIZE_MAX && fields[c->field].n == 0))
            continue;
        if (kind == COLUMN_NUMBER)
            value = json_real(*(const double *)c->values);
        else if (kind != COLUMN_TIME)
            value = json_stringn(block.text + fields[c->field].at, fields[c->field].n);
        else if (schema_times_are_numbers(schema))
            value = json_integer(row_time);
        else
            value = json_string(time_text(time, row_time));
        if (json_object_set_new(json, name, value) == 0)
            continue;
        reject(&(struct reject){&block.rows[0], name, "not UTF-8", NULL, 0});
        json_decref(json);
        return NULL;
    }
    return json;
}

// Read on until `row` is one of the period: 1, 0 at the end of the file, or -1.
static int next_row(struct err *err)
{
    struct reject why;
    while (!row) {
        if (csv_next(&csv, &block, 1, err))
            return -1;
        if (block.n_rows == 0)
            return 0;
        progress_set(&progress, csv.bytes);
        seen++;
        if (!convert_row(&convert, &block, &block.rows[0], 0, &why)) {
            reject(&why);
            continue;
        }
        row_time = *(const int64_t *)convert.columns[time_column].values;
        if (row_time >= from && row_time < until)
            row = transaction();
    }
    clock_time = row_time > clock_time ? row_time : clock_time;
    return 1;
}

static int check_rows(struct err *err)
{
    char time[TIME_TEXT];
    const double share = (double)rejected / (double)seen;
    if (seen == 0)
        return err_set(err, "%s: no rows after the header", csv.name);
    if (rejected == seen || share > dataset.max_reject_rate)
        return err_set(err, "%s: %.3g %% of the rows break the schema, %.3g %% are allowed",
                       csv.name, 100 * share, 100 * dataset.max_reject_rate);
    if (sent == 0)
        return err_set(err, "%s: no row is between --from and --until; the last one is of %s",
                       csv.name, time_text(time, row_time));
    return 0;
}

// ---- requests -----------------------------------------------------------------------------------

static void sleep_until(double moment)
{
    const struct timespec t = {(time_t)moment, (long)(fmod(moment, 1) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static FILE *open_text(char **text, size_t *n)
{
    FILE *f = open_memstream(text, n);
    if (!f)
        exit(err_report("replay", &(struct err){"out of memory"}));
    return f;
}

static void perform(struct worker *w)
{
    free(w->answer);
    FILE *f = open_text(&w->answer, &w->answer_n);
    curl_easy_setopt(w->easy, CURLOPT_WRITEDATA, f);
    const CURLcode code = curl_easy_perform(w->easy);
    fclose(f);
    w->end = seconds_now();
    curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &w->status);
    w->status = code ? 0 : w->status;
    if (code && !*w->curl_error)
        snprintf(w->curl_error, sizeof w->curl_error, "%s", curl_easy_strerror(code));
}

// What meets no answer, 503 or 429 is sent again, the same bytes, for --retry seconds; the server
// recognises a transaction by its id.
static void post(struct worker *w, const char *path, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17));
    char *url = path_join(server, path);
    curl_easy_setopt(w->easy, CURLOPT_URL, url);
    curl_easy_setopt(w->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(text));
    curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, text);
    if (rate > 0)
        sleep_until(w->due);
    else
        w->due = seconds_now();
    const double last = seconds_now() + (double)retry;
    perform(w);
    for (double backoff = 0.05; w->status == 0 || w->status == 503 || w->status == 429;) {
        curl_off_t after = 0;
        curl_easy_getinfo(w->easy, CURLINFO_RETRY_AFTER, &after);
        const double now = seconds_now();
        const double again_at = fmax(now + (double)after, fmin(now + backoff, last));
        if (now >= last || again_at > last || failed)
            break;
        sleep_until(again_at);
        backoff = fmin(2 * backoff, 1);
        w->again++;
        perform(w);
    }
    free(text);
    free(url);
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

static bool is_decision(json_t *json, const json_t *asked)
{
    const char *id = "", *decision, *model;
    double p;
    return json_unpack(json, "{s:F, s:s, s:s, s?s}", "probability", &p, "decision", &decision,
                       "model", &model, "id", &id) == 0 &&
           p >= 0 && p <= 1 && *decision && strcmp(id, text_of(asked, id_name, "")) == 0;
}

// Whether there is an answer to each item, a transaction or a label.
static bool is_answer(const json_t *json, const json_t *items, bool feedback)
{
    bool good = json_array_size(json) == json_array_size(items);
    for (size_t i = 0; i < json_array_size(items) && good; i++) {
        json_t *one = json_array_get(json, i);
        good = feedback ? json_is_boolean(json_object_get(one, "changed"))
                        : is_decision(one, json_array_get(items, i));
    }
    return good;
}

// Post transactions or labels and return the answers to them, which count as a whole or not at all;
// NULL, and why, if they don't.
static json_t *ask(struct worker *w, const char *path, const json_t *items)
{
    const bool feedback = strcmp(path, "feedback") == 0, array = feedback || batch > 1;
    post(w, path, array ? items : json_array_get(items, 0));
    json_t *json = json_loadb(w->answer, w->answer_n, JSON_REJECT_DUPLICATES, NULL);
    const char *detail = text_of(json, "detail", w->answer);
    if (w->status == 200 && json && !array)
        json = json_pack("[o]", json);
    if (w->status == 200 && is_answer(json, items, feedback))
        return json;
    if (w->status == 0)
        snprintf(w->why, sizeof w->why, "%s: no answer: %s", path, w->curl_error);
    else if (w->status == 200)
        snprintf(w->why, sizeof w->why, "%s: not understood: %s", path, detail);
    else
        snprintf(w->why, sizeof w->why, "%s: %ld %s: %s", path, w->status,
                 text_of(json, "title", "Unknown"), detail);
    for (char *c = w->why; *c; c++) // it goes to a terminal
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    json_decref(json);
    return NULL;
}

// ---- answers ------------------------------------------------------------------------------------

static void count(json_t *numbers, const char *name, size_t n)
{
    const json_int_t before = json_integer_value(json_object_get(numbers, name));
    json_object_set_new(numbers, name, json_integer(before + (json_int_t)n));
}

// 401 and silence on all connections end the run: all further requests would meet the same.
static void count_error(struct worker *w, const char *path, size_t n)
{
    char kind[32];
    snprintf(kind, sizeof kind, "%s %ld", path, w->status);
    count(errors, kind, n);
    if (!json_object_get(first_errors, kind))
        json_object_set_new(first_errors, kind, json_string_nocheck(w->why));
    if (w->status == 401 && token_file)
        err_set(w->err, "%s: is not the token of the server at %s (401)", token_file, server);
    else if (w->status == 401)
        err_set(w->err, "the server at %s wants a token (401): use --token-file", server);
    else if (silences >= connections)
        err_set(w->err, "no answer from %s: %s; is the server running?%s", server, w->curl_error,
                retry > 0 ? "" : " --retry SECONDS waits for it");
    if (w->status == 401 || silences >= connections)
        fail(w);
}

// The id is in quotes where RFC 4180 wants them, or where ingest would drop its blanks.
static char *output_line(const json_t *asked, const json_t *decision)
{
    char *text;
    size_t n;
    FILE *f = open_text(&text, &n);
    const char *id = text_of(asked, id_name, "");
    const char *quote = strpbrk(id, ",\"\r\n \t") ? "\"" : "";
    for (fputs(quote, f); *id; id++)
        fprintf(f, *id == '"' ? "\"\"" : "%c", *id);
    fprintf(f, "%s,", quote);
    if (decision)
        fprintf(f, "%.17g", json_number_value(json_object_get(decision, "probability")));
    fprintf(f, ",%s,%s\n", text_of(decision, "decision", ""), text_of(decision, "model", ""));
    fclose(f);
    return text;
}

// Answers come in any order; lines are written in the order of the rows.
static void write_lines(struct worker *w, const json_t *answer)
{
    for (size_t i = 0; i < json_array_size(w->rows); i++)
        lines[w->first + i] = output_line(json_array_get(w->rows, i), json_array_get(answer, i));
    for (char *line; written < sent && (line = lines[written]); free(line)) {
        if (output_write(&output, line, strlen(line), w->err))
            fail(w);
        lines[written++] = NULL;
    }
}

static void finish(struct worker *w, const json_t *answer)
{
    const size_t n = json_array_size(w->rows);
    silences = w->status ? INT64_MIN : silences + 1;
    for (size_t i = 0; i < json_array_size(answer); i++)
        count(decisions, text_of(json_array_get(answer, i), "decision", ""), 1);
    for (size_t i = 0; i < json_array_size(w->labels) && !answer; i++)
        json_object_clear(json_array_get(w->labels, i));
    if (answer) {
        answered += n;
        ARRAY_GROW(seconds, n_seconds + 1, seconds_size);
        seconds[n_seconds++] = fmax(w->end - w->due, 0);
    } else {
        count_error(w, "predict", n);
    }
    end = w->end;
    if (output_path)
        write_lines(w, answer);
    again += w->again;
    w->again = 0;
    if (--in_flight == 0)
        pthread_cond_signal(&idle);
}

// ---- labels -------------------------------------------------------------------------------------

static void add_label(struct worker *w)
{
    const int8_t *value = convert.columns[label_column].values;
    size_t i;
    if (*value < 0)
        return;
    json_t *json = json_pack("{s:O, s:i}", "id", json_object_get(row, id_name), "label", *value);
    LOWER_BOUND(i, first_label, n_labels, labels[i].time <= row_time);
    ARRAY_GROW(labels, n_labels + 1, labels_size);
    memmove(labels + i + 1, labels + i, (n_labels++ - i) * sizeof *labels);
    labels[i] = (struct label){row_time, json};
    json_array_append(w->labels, json);
}

static bool is_label_due(void)
{
    return first_label < n_labels &&
           labels[first_label].time <= clock_time - delay_days * SECONDS_PER_DAY;
}

static void post_labels(struct worker *w)
{
    json_t *due = json_array();
    while (is_label_due() && json_array_size(due) < POST_LABELS) {
        json_t *label = labels[first_label++].json;
        if (json_object_size(label) > 0)
            json_array_append(due, label);
        json_decref(label);
    }
    const size_t n = json_array_size(due);
    json_t *answer = n > 0 ? ask(w, "feedback", due) : NULL;
    for (size_t i = 0; i < json_array_size(answer); i++)
        labels_changed += json_is_true(json_object_get(json_array_get(answer, i), "changed"));
    labels_posted += answer ? n : 0;
    labels_failed += answer ? 0 : n;
    end = n > 0 ? w->end : end;
    if (n > 0 && !answer)
        count_error(w, "feedback", n);
    json_decref(answer);
    json_decref(due);
}

// ---- connections --------------------------------------------------------------------------------

// Fill the request with rows; one that has to wait for labels is left to the next request.
static void fill(struct worker *w)
{
    int rc = 0;
    while (json_array_size(w->rows) < (size_t)batch && !failed && (rc = next_row(w->err)) > 0) {
        if (is_label_due() && json_array_size(w->rows) > 0)
            return;
        while (is_label_due() && !failed) {
            while (in_flight > 0)
                pthread_cond_wait(&idle, &lock);
            post_labels(w);
        }
        if (failed)
            break;
        if (delay_days >= 0)
            add_label(w);
        json_array_append_new(w->rows, row);
        row = NULL;
    }
    if (rc < 0)
        fail(w);
}

// False if there are no more rows.
static bool take(struct worker *w)
{
    json_array_clear(w->rows);
    json_array_clear(w->labels);
    fill(w);
    const size_t n = json_array_size(w->rows);
    if (n == 0)
        return false;
    if (requests++ == 0)
        start = end = seconds_now();
    w->due = rate ? start + (double)sent / (double)rate : 0;
    w->first = sent;
    sent += n;
    in_flight++;
    if (output_path) {
        ARRAY_GROW(lines, sent, lines_size);
        memset(lines + w->first, 0, n * sizeof *lines);
    }
    return true;
}

static int work(void *headers, unsigned number, struct err *err)
{
    struct worker w = {.err = err, .rows = json_array(), .labels = json_array()};
    (void)number;
    w.easy = curl_easy_init();
    curl_easy_setopt(w.easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(w.easy, CURLOPT_HTTPHEADER, (struct curl_slist *)headers);
    curl_easy_setopt(w.easy, CURLOPT_PROXY, "");
    curl_easy_setopt(w.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(w.easy, CURLOPT_TIMEOUT, (long)ANSWER_SECONDS);
    curl_easy_setopt(w.easy, CURLOPT_MAXFILESIZE, 16L << 20);
    curl_easy_setopt(w.easy, CURLOPT_ERRORBUFFER, w.curl_error);
    for (;;) {
        pthread_mutex_lock(&taking);
        pthread_mutex_lock(&lock);
        const bool more = take(&w);
        pthread_mutex_unlock(&lock);
        pthread_mutex_unlock(&taking);
        if (!more)
            break;
        json_t *answer = ask(&w, "predict", w.rows);
        pthread_mutex_lock(&lock);
        finish(&w, answer);
        pthread_mutex_unlock(&lock);
        json_decref(answer);
    }
    curl_easy_cleanup(w.easy);
    json_decref(w.rows);
    json_decref(w.labels);
    free(w.answer);
    return w.failed ? -1 : 0;
}

// ---- the program --------------------------------------------------------------------------------

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// In milliseconds, of sorted latencies.
static double quantile(double share)
{
    return n_seconds ? 1e3 * seconds[(size_t)ceil(share * (double)n_seconds) - 1] : 0;
}

static void print_counts(void)
{
    const double took = end - start, per_second = took > 0 ? 1 / took : 0;
    const char *name;
    json_t *n;
    if (n_seconds > 0)
        qsort(seconds, n_seconds, sizeof *seconds, compare_doubles);
    printf("transactions    %zu sent, %zu answered, %zu failed; %zu rows that break the schema\n"
           "requests        %zu, %zu sent again\n"
           "seconds         %.2f: %.0f transactions/s, %.0f requests/s\n"
           "latency ms      p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n"
           "decisions     %s",
           sent, answered, sent - answered, rejected, requests, again, took,
           per_second * (double)answered, per_second * (double)requests, quantile(0.5),
           quantile(0.9), quantile(0.99), quantile(0.999), quantile(1), answered ? "" : "  none");
    json_object_foreach(decisions, name, n)
    {
        printf("  %s %" JSON_INTEGER_FORMAT, name, json_integer_value(n));
    }
    printf("\nlabels          %zu posted, %zu new to the server, %zu failed, %zu not yet due\n",
           labels_posted, labels_changed, labels_failed, n_labels - first_label);
    json_object_foreach(errors, name, n)
    {
        printf("error           %" JSON_INTEGER_FORMAT " %s\n", json_integer_value(n),
               text_of(first_errors, name, ""));
    }
}

static int add_token(struct curl_slist *headers, struct err *err)
{
    struct stat st;
    char line[320] = "Authorization: Bearer ";
    FILE *f = fopen(token_file, "r");
    int rc = 0;
    if (!f || fstat(fileno(f), &st) || !fgets(line + strlen(line), 280, f))
        rc = err_sys(err, "%s: cannot read the token", token_file);
    else if (st.st_mode & (S_IRWXG | S_IRWXO))
        rc = err_set(err, "%s: others may read this token: chmod 600 it", token_file);
    line[strcspn(line, "\r\n")] = '\0';
    curl_slist_append(headers, line);
    if (f)
        fclose(f);
    return rc;
}

static int replay(struct err *err)
{
    static const char columns[] = "id,probability,decision,model\n";
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_slist_append(headers, "Expect:");
    decisions = json_object();
    errors = json_object();
    first_errors = json_object();
    int rc = open_input(err);
    if (rc == 0 && token_file)
        rc = add_token(headers, err);
    if (rc == 0 && output_path)
        rc = output_open(&output, output_path, 0644, err) ||
             output_write(&output, columns, sizeof columns - 1, err);
    if (rc == 0)
        rc = parallel_run((unsigned)connections, work, headers, err);
    progress_done(&progress);
    curl_slist_free_all(headers);
    if (rc || check_rows(err))
        return -1;
    return output_path ? output_commit(&output, err) : 0;
}

static int read_moment(const char *name, const char *text, int64_t *moment, struct err *err)
{
    if (!text || value_moment(text, strlen(text), moment) == 0)
        return 0;
    return err_set(err, "--%s: '%s' is neither YYYY-MM-DD nor 'YYYY-MM-DD HH:MM:SS'", name, text);
}

static int check_url(struct err *err)
{
    if ((strncmp(server, "http://", 7) == 0 || strncmp(server, "https://", 8) == 0) &&
        !strpbrk(server, "?# "))
        return 0;
    return err_set(err, "--url: '%s' is not an address like http://127.0.0.1:8080", server);
}

int main(int argc, char **argv)
{
    const char *lower = NULL, *upper = NULL;
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &config, "the dataset's description", 0, 0},
        {"url", "URL", OPTION_STRING, &server, "the server", 0, 0},
        {"token-file", "FILE", OPTION_STRING, &token_file, "token to show to the server", 0, 0},
        {"connections", "N", OPTION_INT, &connections, "requests in flight, 1: strictly in order",
         1, PARALLEL_MAX},
        {"batch", "N", OPTION_INT, &batch, "transactions a request", 1, 1000},
        {"rate", "N", OPTION_INT, &rate, "transactions a second, 0: as fast as answered", 0,
         10000000},
        {"from", "TIME", OPTION_STRING, &lower, "only rows from this date or time on, UTC", 0, 0},
        {"until", "TIME", OPTION_STRING, &upper, "only rows before this date or time, UTC", 0, 0},
        {"labels", "DAYS", OPTION_INT, &delay_days,
         "post each row's label that many days of the file after it, -1: none", -1, 36500},
        {"retry", "SECONDS", OPTION_INT, &retry,
         "send again for so long what meets no answer, 503 or 429", 0, 86400},
        {"output", "FILE", OPTION_STRING, &output_path, "CSV of the decisions", 0, 0},
    };
    static const char purpose[] =
        "Send the transactions of a CSV, plain, .gz or .zst, to a running server. FILE replaces "
        "the\nfile that the description names; - is standard input.";
    static const char example[] =
        "build/bin/replay --config datasets/simulated.ini --from 2018-08-15 --until 2018-08-16";
    const struct program program = {
        "replay", "[FILE]", purpose, example, specs, sizeof specs / sizeof *specs, 0, 1};
    struct err err;
    int first = option_parse(&program, argc, argv, &err);
    if (first > 0 && (read_moment("from", lower, &from, &err) ||
                      read_moment("until", upper, &until, &err) || check_url(&err)))
        first = -1;
    if (first <= 0)
        return option_exit(&program, first, &err);
    input = first < argc ? argv[first] : NULL;
    json_set_alloc_funcs(xmalloc, free);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    prctl(PR_SET_TIMERSLACK, 1); // nanoseconds: --rate measures tens of microseconds

    const int rc = replay(&err) ? err_report("replay", &err) : 0;
    output_release(&output);
    if (answered > 0 || rc == 0)
        print_counts();
    if (stdout_close(&err))
        return err_report("replay", &err);
    return rc || answered < sent || labels_failed > 0;
}
