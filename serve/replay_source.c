// One row at a time, so that a pipe's rows are sent when they come. Each is checked and converted
// by ingest's convert_row; what is written here is its texts again, as JSON.
#include "serve/replay_source.h"

#include "ingest/value.h"

#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { TOLD = 10 }; // rejected rows that are told one by one

int replay_source_open(struct replay_source *s, const char *config, const char *input, int64_t from,
                       int64_t until, struct err *err)
{
    *s = (struct replay_source){.from = from, .until = until, .newest = INT64_MIN};
    struct dataset *d = &s->dataset;
    if (dataset_load(d, config, input, err))
        return -1;
    s->id = schema_find_kind(&d->schema, COLUMN_ID);
    s->time = schema_find_kind(&d->schema, COLUMN_TIME);
    s->label = schema_find_kind(&d->schema, COLUMN_LABEL);
    if (csv_open(&s->csv, d->file, d->delimiter, err) ||
        convert_open(&s->convert, &s->csv, &d->schema, NULL, err)) {
        replay_source_release(s);
        return -1;
    }
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

// The field of a schema column; NULL for row numbers.
static const struct csv_field *field_of(const struct replay_source *s, size_t column)
{
    const size_t field = s->convert.columns[column].field;
    return field == SIZE_MAX ? NULL : &s->block.fields[s->block.rows[0].first + field];
}

static bool is_utf8(const struct replay_source *s, struct reject *why)
{
    for (size_t i = 0; i < s->dataset.schema.n; i++) {
        const struct csv_field *f = field_of(s, i);
        if (!f || value_utf8(s->block.text + f->at, f->n))
            continue;
        *why = (struct reject){.line = s->block.rows[0].line,
                               .column = s->dataset.schema.columns[i].name,
                               .reason = "not UTF-8"};
        return false;
    }
    return true;
}

static void reject(struct replay_source *s, const struct reject *why)
{
    char text[sizeof s->first];
    int n = snprintf(text, sizeof text, "%s:%" PRIu64 ": %s%s%s", s->csv.name, why->line,
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

bool replay_source_ready(const struct replay_source *s)
{
    struct pollfd p = {s->csv.fd, POLLIN, 0};
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
        row->time = *(const int64_t *)s->convert.columns[s->time].values;
        row->wanted = row->time >= s->from && row->time < s->until;
        s->wanted += row->wanted;
        s->newest = row->time > s->newest ? row->time : s->newest;
        if (s->id >= 0)
            row->id = s->block.text + field_of(s, (size_t)s->id)->at;
        if (s->label >= 0)
            row->label = *(const int8_t *)s->convert.columns[s->label].values;
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
        return err_set(err, "%s: no rows behind the header", s->csv.name);
    if (s->rejected == s->seen ||
        (double)s->rejected > s->dataset.max_reject_rate * (double)s->seen)
        return refuse_rejected(s, err);
    if (s->wanted > 0)
        return 0;
    char newest[TIME_TEXT];
    return err_set(err,
                   "%s: none of its %" PRIu64
                   " rows is of the time that --from and --until leave; the newest is of %s",
                   s->csv.name, s->seen, time_text(newest, s->newest));
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
        reply_number(body, value, 17);
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

static void write_field(const struct replay_source *s, struct reply *body, size_t column)
{
    const struct schema_column *c = &s->dataset.schema.columns[column];
    const struct csv_field *f = field_of(s, column);
    const char *text = f ? s->block.text + f->at : "";
    const void *value = s->convert.columns[column].values;
    if (c->kind == COLUMN_LABEL || (f && f->n == 0))
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
    reply_add(body, "{");
    for (size_t i = 0; i < s->dataset.schema.n; i++)
        write_field(s, body, i);
    reply_add(body, "}");
}
