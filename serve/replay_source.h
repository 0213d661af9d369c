// replay_source: the rows of a CSV, one after the other, as transactions for POST /predict.
//
//     replay_source_open(&s, config, input, from, until, &err)    input: NULL for the .ini's
//     while ((rc = replay_source_next(&s, &row, &err)) > 0)
//         if (row.wanted)
//             replay_source_json(&s, &body)         appends the row's transaction
//     replay_source_check(&s, &err)                 at the end: did too many rows break the schema?
//     replay_source_release(&s)
//
// The file is read by ingest's reader under ingest's schema, so the rows that it takes are the
// rows that ingest takes, but for an id or a key that is not UTF-8, which JSON cannot carry. Rows
// that break the schema are counted, and the first of them told on stderr with file, line, column
// and value (not of ids and keys); they are not sent.
//
// A transaction has the schema's columns but the label; an empty field is left out, since the
// server knows what `missing` stands for. Time is "2018-10-01T08:15:00Z", or the number where
// time_format is epoch or row. A number is written as the CSV has it where JSON allows that, else
// with 17 digits, and reads back to the same bits either way.
//
// Ownership: texts of a row belong to the source until the next call of replay_source_next.
#ifndef SERVE_REPLAY_SOURCE_H
#define SERVE_REPLAY_SOURCE_H

#include "ingest/convert.h"
#include "serve/reply.h"

struct replay_source {
    struct dataset dataset;
    struct csv csv;
    struct convert convert;
    struct csv_block block; // one row
    int64_t from, until;
    int id, time, label; // columns; -1 where there is none
    uint64_t seen, rejected, wanted;
    int64_t newest;  // time of all rows; INT64_MIN: none was read
    char first[512]; // the first rejected row, as a message
};

struct replay_row {
    bool wanted;    // not rejected, and from <= time < until
    const char *id; // "" where the schema has none
    int64_t time;
    int8_t label; // 0 or 1; -1: not known
};

int replay_source_open(struct replay_source *s, const char *config, const char *input, int64_t from,
                       int64_t until, struct err *err);
// Whether the next row can be read without waiting for a slow pipe; the begin of a row counts as
// one.
bool replay_source_ready(const struct replay_source *s);
// 1, 0 at the end, or -1.
int replay_source_next(struct replay_source *s, struct replay_row *row, struct err *err);
// The row of the latest call, which must be wanted.
void replay_source_json(const struct replay_source *s, struct reply *body);
// -1 where more rows than [input] max_reject_rate allows broke the schema, or none was wanted.
int replay_source_check(const struct replay_source *s, struct err *err);
void replay_source_release(struct replay_source *s);

#endif
