// replay: sends the transactions of a CSV to a running server and reports how it answered.
//
// Each connection is a thread that takes the next rows and waits for the answer. Requests leave in
// the order of the rows, strictly so with one connection.
//
// With --rate, transaction k is due k / rate seconds after the first. Latency counts from then, so
// a slow server can't hide its delay if requests leave late (Gil Tene's "coordinated omission").
//
// With --labels, a row's label is posted, with nothing else in flight, before the first transaction
// that is that much later. So the server knows the labels that `features` knew with this delay.
#include "base/memory.h"
#include "base/option.h"
#include "base/output.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/value.h"
#include "ingest/convert.h"

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
static int64_t delay_days = -1, retry; // -1: no labels; seconds

// The CSV, read one row at a time. A file whose rows are out of time order is read first, into sorted.
static struct dataset dataset;
static const struct schema *const schema = &dataset.schema;
static struct csv csv;
static struct csv_block block;
static struct convert convert;
static struct progress progress;
static const char *id_name = ""; // of the id's column
static const int64_t *row_time;  // of the latest row
static const int8_t *row_label;  // NULL without --labels
static struct sorted_row {
    int64_t time;
    size_t number;
    char *json;
    int8_t label;
} * sorted; // [n_sorted], those before next_sorted were taken
static size_t n_sorted, next_sorted, sorted_size;
static struct curl_slist *headers;

// Workers take rows one after the other; `lock` guards all that follows.
static pthread_mutex_t taking = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER; // in_flight is 0
static size_t in_flight;
static atomic_bool failed; // the run ends after the requests in flight
static struct err err;     // if failed
static int64_t silences;   // requests without an answer before the first with one; then negative

static json_t *row; // the transaction that was read and is in no request yet, or NULL
static struct label {
    int64_t time;
    json_t *id; // emptied if the transaction is not answered
    int value;
} * labels; // [first_label .. n_labels) are not due yet, or wait for one before them
static size_t first_label, n_labels, labels_size, lines_size;

static struct output output;
static char **lines;                   // [requests] each holds the lines of its transactions
static size_t sent, answered, reviews; // transactions
static size_t requests, n_seconds, seconds_size; // all, and those that were answered
static double *seconds, start, end;              // latencies; first request, latest answer
static atomic_size_t again;                      // requests that were sent again
static size_t labels_posted, labels_changed, labels_failed;
static uint64_t failures; // of requests

struct worker {
    CURL *easy;
    json_t *rows;  // the transactions of the request
    size_t number; // of the request
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
    const int id = schema_find_kind(schema, COLUMN_ID);
    id_name = id < 0 ? "" : schema->columns[id].name;
    const int label = schema_find_kind(schema, COLUMN_LABEL);
    if (delay_days >= 0 && (id < 0 || label < 0))
        return err_set(&err, "--labels: %s: [columns] has no column of kind %s", config,
                       id < 0 ? "id" : "label");
    if (csv_open(&csv, dataset.file, dataset.delimiter, &err) ||
        convert_open(&convert, &csv, &dataset, NULL, &err))
        return -1;
    row_time = convert.columns[schema_find_kind(schema, COLUMN_TIME)].values;
    row_label = delay_days < 0 ? NULL : convert.columns[label].values;
    progress_init(&progress, "replay", csv.size);
    return 0;
}

static void reject(const struct reject *why)
{
    const char *value = why->value ? why->value : "", *quote = why->value ? "\"" : "";
    if (convert_broken(&convert) <= SHOWN)
        fprintf(stderr, "replay: %s:%" PRIu64 ": %s%s%s%s%s%.80s%s; not sent\n", csv.name,
                why->row->line, why->column, *why->column ? ": " : "", why->reason,
                why->value ? ": " : "", quote, value, quote);
}

// The row without its label and its empty fields, which the server fills in; NULL, after a reject,
// if a text is not UTF-8.
static json_t *transaction(void)
{
    const struct csv_field *fields = block.fields + block.rows[0].first;
    char time[TIME_TEXT];
    json_t *json = json_object(), *value;
    for (const struct convert_column *c = convert.columns; c < convert.columns + schema->n; c++) {
        const enum column_kind kind = c->schema->kind;
        if (kind == COLUMN_LABEL || (c->field != SIZE_MAX && fields[c->field].n == 0))
            continue;
        if (kind == COLUMN_NUMBER)
            value = json_real(*(const double *)c->values);
        else if (kind != COLUMN_TIME)
            value = json_stringn(block.text + fields[c->field].at, fields[c->field].n);
        else if (schema_times_are_numbers(schema))
            value = json_integer(*row_time);
        else
            value = json_string(time_text(time, *row_time));
        if (json_object_set_new(json, c->schema->name, value) == 0)
            continue;
        convert.rows--;
        reject(&(struct reject){&block.rows[0], c->schema->name, "not UTF-8", NULL, 0});
        json_decref(json);
        return NULL;
    }
    return json;
}

// Read on until `row` is one of the period; false if there is none or the run has failed.
static bool read_row(void)
{
    struct reject why;
    while (!row && !failed) {
        failed = csv_next(&csv, &block, 1, &err) != 0;
        if (failed || block.n_rows == 0)
            return false;
        progress_set(&progress, csv.bytes);
        if (!convert_row(&convert, &block, &block.rows[0], 0, &why))
            reject(&why);
        else if (*row_time >= from && *row_time < until)
            row = transaction();
    }
    return !failed;
}

// As read_row.
static bool next_row(void)
{
    if (!sorted || row)
        return read_row();
    if (next_sorted == n_sorted || failed)
        return false;
    const struct sorted_row *s = &sorted[next_sorted++];
    progress_set(&progress, next_sorted);
    row = json_loads(s->json, 0, NULL);
    free(s->json);
    row_time = &s->time;
    row_label = row_label ? &s->label : NULL;
    return true;
}

// Whether the file's rows are in time order. A pipe cannot be read twice.
static bool is_in_order(void)
{
    static struct csv second;
    static struct convert rows;
    struct reject why;
    struct err ignored; // it will happen again
    int64_t before = INT64_MIN;
    if (csv.size == 0 || strcmp(dataset.file, "-") == 0 ||
        csv_open(&second, dataset.file, dataset.delimiter, &ignored) ||
        convert_open(&rows, &second, &dataset, NULL, &ignored))
        return true;
    const int64_t *time = rows.columns[schema_find_kind(schema, COLUMN_TIME)].values;
    for (; csv_next(&second, &block, 1, &ignored) == 0 && block.n_rows > 0; before = *time)
        if (convert_row(&rows, &block, block.rows, 0, &why) && *time < before)
            return false;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct sorted_row *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static void sort_rows(void)
{
    for (; read_row(); row = NULL) {
        ARRAY_GROW(sorted, n_sorted + 1, sorted_size);
        sorted[n_sorted] = (struct sorted_row){
            *row_time, n_sorted, json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(17)),
            row_label ? *row_label : -1};
        n_sorted++;
        json_decref(row);
    }
    if (n_sorted > 0)
        qsort(sorted, n_sorted, sizeof *sorted, by_time);
    progress_init(&progress, "replay", n_sorted);
}

static int check_rows(void)
{
    char time[TIME_TEXT];
    if (convert.seen == 0)
        return err_set(&err, "%s: no rows after the header", csv.name);
    if (convert_check(&convert, dataset.max_reject_rate, &err))
        return -1;
    if (sent == 0)
        return err_set(&err, "%s: no row is between --from and --until; the last one is of %s",
                       csv.name, time_text(time, *row_time));
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
// the server recognises a transaction by its id.
static void post(struct worker *w, const char *path, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17));
    char *url = path_join(server, path);
    curl_easy_setopt(w->easy, CURLOPT_URL, url);
    curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, text);
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
    free(text);
    free(url);
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

static bool is_answer(const json_t *json, const json_t *items, bool feedback)
{
    size_t i = json_array_size(json);
    bool good = i == json_array_size(items);
    while (good && i-- > 0) {
        const json_t *one = json_array_get(json, i), *asked = json_array_get(items, i);
        good = feedback ? json_is_boolean(json_object_get(one, "changed"))
                        : json_is_number(json_object_get(one, "probability")) &&
                              *text_of(one, "decision", "") &&
                              strcmp(text_of(one, "id", ""), text_of(asked, id_name, "")) == 0;
    }
    return good;
}

// Post transactions or labels and return the answers to them, which count as a whole or not at all;
// NULL, and why, if they don't.
static json_t *ask(struct worker *w, bool feedback, const json_t *items)
{
    const char *path = feedback ? "feedback" : "predict";
    const bool array = feedback || batch > 1;
    post(w, path, array ? items : json_array_get(items, 0));
    json_t *json = json_loadb(w->answer, w->answer_n, JSON_REJECT_DUPLICATES, NULL);
    const char *detail = text_of(json, "detail", w->answer);
    if (w->status == 200 && !array)
        json = json_pack("[o]", json);
    if (w->status == 200 && is_answer(json, items, feedback))
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
static void fail(const struct worker *w, bool feedback, size_t n)
{
    if (++failures <= SHOWN)
        fprintf(stderr, "replay: %s: %s\n", server, w->why);
    labels_failed += feedback ? n : 0;
    if (w->status != 401 && silences < connections)
        return;
    failed = true;
    err_set(&err, "%s: %s; %s", server, w->why,
            w->status == 401 ? "use --token-file with its token"
                             : "is the server running? --retry SECONDS waits for it");
}

// The id is in quotes where RFC 4180 wants them, or where ingest would drop its blanks.
static void write_line(FILE *f, const json_t *asked, const json_t *decision)
{
    const char *id = text_of(asked, id_name, "");
    if (strpbrk(id, ",\"\r\n \t"))
        csv_fwrite(f, id, strlen(id));
    else
        fputs(id, f);
    if (decision)
        fprintf(f, ",%.17g,%s,%s\n", json_number_value(json_object_get(decision, "probability")),
                text_of(decision, "decision", ""), text_of(decision, "model", ""));
    else
        fputs(",,,\n", f);
}

static void keep_lines(const struct worker *w, const json_t *answer)
{
    size_t n;
    ARRAY_GROW(lines, requests, lines_size);
    FILE *f = xchecked(open_memstream(&lines[w->number], &n));
    for (size_t i = 0; i < json_array_size(w->rows); i++)
        write_line(f, json_array_get(w->rows, i), json_array_get(answer, i));
    fclose(f);
}

static void finish(const struct worker *w, const json_t *answer)
{
    const size_t n = json_array_size(w->rows);
    end = w->end;
    silences = w->status ? INT64_MIN : silences + 1;
    if (output_path)
        keep_lines(w, answer);
    if (answer) {
        answered += n;
        for (size_t i = 0; i < n; i++)
            reviews += strcmp(text_of(json_array_get(answer, i), "decision", ""), "review") == 0;
        ARRAY_GROW(seconds, n_seconds + 1, seconds_size);
        seconds[n_seconds++] = fmax(w->end - w->due, 0);
    } else {
        fail(w, false, n);
        for (size_t i = 0; i < n; i++)
            json_string_set(json_object_get(json_array_get(w->rows, i), id_name), "");
    }
    if (--in_flight == 0)
        pthread_cond_signal(&idle);
}

static bool is_label_due(void)
{
    return first_label < n_labels &&
           labels[first_label].time <= *row_time - delay_days * SECONDS_PER_DAY;
}

static void post_labels(struct worker *w)
{
    json_t *due = json_array(), *answer = NULL;
    while (in_flight > 0)
        pthread_cond_wait(&idle, &lock);
    for (; is_label_due() && json_array_size(due) < POST_LABELS; first_label++) {
        const struct label *l = &labels[first_label];
        if (json_string_length(l->id) > 0)
            json_array_append_new(due, json_pack("{s:O, s:i}", "id", l->id, "label", l->value));
        json_decref(l->id);
    }
    if (json_array_size(due) > 0 && !(answer = ask(w, true, due)))
        fail(w, true, json_array_size(due));
    for (size_t i = 0; i < json_array_size(answer); i++)
        labels_changed += json_is_true(json_object_get(json_array_get(answer, i), "changed"));
    labels_posted += json_array_size(answer);
    json_decref(answer);
    json_decref(due);
}

static void add_row(struct worker *w)
{
    if (row_label && *row_label >= 0) {
        json_t *id = json_incref(json_object_get(row, id_name));
        ARRAY_GROW(labels, n_labels + 1, labels_size);
        labels[n_labels++] = (struct label){*row_time, id, *row_label};
    }
    json_array_append_new(w->rows, row);
    row = NULL;
}

// Fill the request with rows; false if there are none. One that has to wait for labels is left to
// the next request.
static bool take(struct worker *w)
{
    json_array_clear(w->rows);
    while (json_array_size(w->rows) < (size_t)batch && next_row()) {
        if (!is_label_due())
            add_row(w);
        else if (json_array_size(w->rows) > 0)
            break;
        else
            post_labels(w);
    }
    const size_t n = json_array_size(w->rows);
    if (n == 0)
        return false;
    if (requests == 0)
        start = end = seconds_now();
    w->due = rate ? start + (double)sent / (double)rate : seconds_now();
    w->number = requests++;
    sent += n;
    in_flight++;
    return true;
}

static int work(void *none, unsigned number, struct err *ignored)
{
    struct worker w = {.easy = curl_easy_init(), .rows = json_array()};
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
        json_t *answer = ask(&w, false, w.rows);
        pthread_mutex_lock(&lock);
        finish(&w, answer);
        pthread_mutex_unlock(&lock);
        json_decref(answer);
    }
    curl_easy_cleanup(w.easy);
    json_decref(w.rows);
    free(w.answer);
    return 0;
}

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
    if (n_seconds > 0)
        qsort(seconds, n_seconds, sizeof *seconds, compare_doubles);
    printf("transactions    %zu sent, %zu answered, %zu failed; %" PRIu64
           " rows that break the schema\n"
           "requests        %zu, %zu sent again\n"
           "seconds         %.2f: %.0f transactions/s, %.0f requests/s\n"
           "latency ms      p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n"
           "decisions       approve %zu  review %zu\n"
           "labels          %zu posted, %zu new to the server, %zu failed, %zu not yet due\n",
           sent, answered, sent - answered, convert_broken(&convert), requests, again, took,
           per_second * (double)answered, per_second * (double)requests, quantile(0.5),
           quantile(0.9), quantile(0.99), quantile(0.999), quantile(1), answered - reviews, reviews,
           labels_posted, labels_changed, labels_failed, n_labels - first_label);
}

static int add_token(void)
{
    char line[320] = "Authorization: Bearer ";
    FILE *f = file_open(token_file, true, &err);
    if (!f)
        return -1;
    const bool good = fgets(line + strlen(line), 280, f);
    fclose(f);
    if (!good)
        return err_sys(&err, "%s: cannot read the token", token_file);
    line[strcspn(line, "\r\n")] = '\0';
    curl_slist_append(headers, line);
    return 0;
}

static int write_lines(void)
{
    static const char columns[] = "id,probability,decision,model\n";
    int rc = output_write(&output, columns, sizeof columns - 1, &err);
    for (size_t i = 0; i < requests && rc == 0; i++)
        rc = output_write(&output, lines[i], strlen(lines[i]), &err);
    return rc ? rc : output_commit(&output, &err);
}

static int replay(void)
{
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (open_input())
        return -1;
    if (!is_in_order())
        sort_rows();
    if ((token_file && add_token()) ||
        (output_path && output_open(&output, output_path, 0600, &err)) ||
        parallel_run((unsigned)connections, work, NULL, &err))
        return -1;
    progress_done(&progress);
    if (failed || check_rows())
        return -1;
    return output_path ? write_lines() : 0;
}

int main(int argc, char **argv)
{
    const struct program program = {
        "replay",
        "[FILE]",
        "Send the transactions of a CSV, plain, .gz or .zst, to a running server. FILE replaces "
        "the file that the description names; - is standard input. A file out of time order is "
        "sorted in memory first; the rows of a pipe are sent as they come.",
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
            {"retry", "SECONDS", "send again for so long what meets no answer, 503 or 429",
             .number = &retry, 0, 86400},
            {"output", "FILE", "CSV of the decisions", .text = &output_path},
        }};
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
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
    return rc || answered < sent || labels_failed > 0;
}
