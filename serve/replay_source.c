// One row at a time, so that a pipe's rows are sent when they come. Each is checked and converted
// by ingest's convert_row; what is written here is its texts again, as JSON.
#include "serve/replay_source.h"

#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { TOLD = 10 }; // rejected rows that are told one by one

int replay_source_open(struct replay_source *s, const char *config, const char *input, int64_t from,
                       int64_t until, struct err *err)
{
    *s = (struct replay_source){
        .csv.input.fd = -1, .from = from, .until = until, .newest = INT64_MIN};
    struct dataset *d = &s->dataset;
    if (dataset_load(d, config, input, err))
        return -1;
    s->id = schema_find_kind(&d->schema, COLUMN_ID);
    s->time = schema_find_kind(&d->schema, COLUMN_TIME);
    s->label = schema_find_kind(&d->schema, COLUMN_LABEL);
    if (csv_open(&s->csv, d->file, d->delimiter, err) ||
        convert_open(&s->convert, s->csv.input.name, &d->schema, NULL, NULL, NULL, err) ||
        csv_next(&s->csv, &s->block, 1, err) || convert_header(&s->convert, &s->block, err)) {
        replay_source_release(s);
        return -1;
    }
    csv_select(&s->csv, s->convert.wanted, s->convert.n_wanted);
    return 0;
}

void replay_source_release(struct replay_source *s)
{
    convert_release(&s->convert);
    csv_block_release(&s->block);
    csv_release(&s->csv);
    dataset_release(&s->dataset);
}

// ---- rows -----------------------------------------------------------------------------------------

static const struct csv_field *field_of(const struct replay_source *s, size_t i)
{
    return &s->block.fields[s->block.rows[0].first + i];
}

static const struct schema_column *column_of(const struct replay_source *s, size_t i)
{
    return &s->dataset.schema.columns[s->convert.order[i]];
}

static bool is_utf8(const struct replay_source *s, struct reject *why)
{
    for (size_t i = 0; i < s->convert.n_order; i++) {
        const struct csv_field *f = field_of(s, i);
        if (value_utf8(s->block.text + f->at, f->n))
            continue;
        *why = (struct reject){
            .line = s->block.rows[0].line, .column = column_of(s, i)->name, .reason = "not UTF-8"};
        return false;
    }
    return true;
}

static void reject(struct replay_source *s, const struct reject *why)
{
    char text[sizeof s->first];
    int n = snprintf(text, sizeof text, "%s:%" PRIu64 ": %s%s%s", s->csv.input.name, why->line,
                     why->column, *why->column ? ": " : "", why->reason);
    if (why->value && n > 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": \"%.80s\"", why->value);
    if (s->rejected++ == 0)
        memcpy(s->first, text, sizeof text);
    if (s->rejected <= TOLD)
        fprintf(stderr, "replay: %s; not sent\n", text);
    if (s->rejected == TOLD)
        fprintf(stderr, "replay: further rows that break the schema are only counted\n");
}

static int64_t time_of(const struct replay_source *s)
{
    bool made = !*s->dataset.schema.columns[s->time].header; // the row's number
    return made ? (int64_t)s->seen : *(const int64_t *)convert_values(&s->convert, (size_t)s->time);
}

static const char *text_of(const struct replay_source *s, int column)
{
    for (size_t i = 0; i < s->convert.n_order; i++)
        if (column >= 0 && s->convert.order[i] == (size_t)column)
            return s->block.text + field_of(s, i)->at;
    return "";
}

bool replay_source_ready(const struct replay_source *s)
{
    struct pollfd p = {s->csv.input.fd, POLLIN, 0};
    return s->csv.ended || s->csv.at < s->csv.n || poll(&p, 1, 0) != 0;
}

int replay_source_next(struct replay_source *s, struct replay_row *row, struct err *err)
{
    struct reject why;
    *row = (struct replay_row){.id = "", .label = -1};
    if (csv_next(&s->csv, &s->block, 1, err))
        return -1;
    if (s->block.n_rows == 0)
        return 0;
    if (!convert_row(&s->convert, &s->block, &s->block.rows[0], 0, &why) || !is_utf8(s, &why)) {
        reject(s, &why);
    } else {
        row->time = time_of(s);
        row->wanted = row->time >= s->from && row->time < s->until;
        s->wanted += row->wanted;
        s->newest = row->time > s->newest ? row->time : s->newest;
        row->id = text_of(s, s->id);
        if (s->label >= 0)
            row->label = *(const int8_t *)convert_values(&s->convert, (size_t)s->label);
    }
    s->seen++;
    return 1;
}

static int refuse_rejected(const struct replay_source *s, struct err *err)
{
    return err_set(err,
                   "%" PRIu64 " of %" PRIu64 " rows (%.3g %%) break the schema, allowed are %.3g "
                   "%%; the first: %s",
                   s->rejected, s->seen, 100.0 * (double)s->rejected / (double)s->seen,
                   100.0 * s->dataset.max_reject_rate, s->first);
}

int replay_source_check(const struct replay_source *s, struct err *err)
{
    if (s->seen == 0)
        return err_set(err, "%s: no rows behind the header", s->csv.input.name);
    if (s->rejected == s->seen ||
        (double)s->rejected > s->dataset.max_reject_rate * (double)s->seen)
        return refuse_rejected(s, err);
    if (s->wanted > 0)
        return 0;
    char newest[TIME_TEXT];
    return err_set(err,
                   "%s: none of its %" PRIu64
                   " rows is of the time that --from and --until leave; the newest is of %s",
                   s->csv.input.name, s->seen, time_text(newest, s->newest));
}

// ---- JSON -----------------------------------------------------------------------------------------

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

// Whether the text of a number is one of JSON's (RFC 8259, section 6), and no integer that a parser
// would refuse for its size or take for +0.
static bool is_json_number(const char *text)
{
    const bool negative = *text == '-';
    text += negative;
    size_t whole = digits(text);
    if (whole == 0 || (*text == '0' && whole > 1))
        return false;
    const bool zero = *text == '0';
    text += whole;
    if (*text == '\0')
        return whole <= 18 && !(zero && negative);
    if (*text == '.') {
        size_t fraction = digits(++text);
        if (fraction == 0)
            return false;
        text += fraction;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        return digits(text) > 0;
    }
    return true;
}

static void write_number(struct reply *body, const char *text, double value)
{
    if (is_json_number(text))
        reply_bytes(body, text, strlen(text));
    else if (value == 0 && signbit(value))
        reply_add(body, "-0.0");
    else
        reply_number(body, value);
}

static void write_time(const struct replay_source *s, struct reply *body, int64_t time)
{
    char text[TIME_TEXT];
    if (schema_times_are_numbers(&s->dataset.schema))
        reply_add(body, "%" PRId64, time);
    else
        reply_add(body, "\"%s\"", time_text(text, time));
}

static void write_name(struct reply *body, const char *name)
{
    reply_add(body, "%s\"%s\":", body->text[body->n - 1] == '{' ? "" : ",", name);
}

static void write_field(const struct replay_source *s, struct reply *body, size_t i)
{
    const struct schema_column *c = column_of(s, i);
    const struct csv_field *f = field_of(s, i);
    const char *text = s->block.text + f->at;
    const void *value = convert_values(&s->convert, s->convert.order[i]);
    if (c->kind == COLUMN_LABEL || f->n == 0)
        return;
    write_name(body, c->name);
    if (c->kind == COLUMN_TIME)
        write_time(s, body, *(const int64_t *)value);
    else if (c->kind == COLUMN_NUMBER)
        write_number(body, text, *(const double *)value);
    else
        reply_string(body, text, f->n);
}

void replay_source_json(const struct replay_source *s, struct reply *body)
{
    const struct schema_column *time = &s->dataset.schema.columns[s->time];
    reply_add(body, "{");
    for (size_t i = 0; i < s->convert.n_order && !body->failed; i++)
        write_field(s, body, i);
    if (!*time->header && !body->failed) { // made of the row's number
        write_name(body, time->name);
        write_time(s, body, (int64_t)s->seen - 1);
    }
    reply_add(body, "}");
}
