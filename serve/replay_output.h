// replay_output: the CSV of decisions, id,probability,decision,model, a line per transaction that
// was sent, in the order of the rows however the answers came.
//
//     replay_output_open(&o, "decisions.csv", &err)    NULL: nothing is written, ever
//     while (replay_output_full(&o, sequence)) ... wait for answers ...
//     replay_output_put(&o, sequence, &lines, &err)    of request 0, 1, 2 ..., in any order
//     replay_output_commit(&o, &err)
//     replay_output_release(&o)
//
// Requests that were answered before an earlier one wait here, REPLAY_WINDOW at most; that is why
// one asks replay_output_full before a request is sent. Written atomically (base/output.h).
#ifndef SERVE_REPLAY_OUTPUT_H
#define SERVE_REPLAY_OUTPUT_H

#include "base/output.h"
#include "serve/reply.h"

#include <stdint.h>

enum { REPLAY_WINDOW = 4096 };

struct replay_output {
    struct output file;
    struct reply
        *waiting; // [REPLAY_WINDOW], of request i at i % REPLAY_WINDOW; without text: none yet
    struct reply buffer; // in order, not yet written
    uint64_t next;       // request whose lines are written next
};

int replay_output_open(struct replay_output *o, const char *path, struct err *err);
bool replay_output_full(const struct replay_output *o, uint64_t sequence);
// Takes over the text of lines, which is empty then; at least a line.
int replay_output_put(struct replay_output *o, uint64_t sequence, struct reply *lines,
                      struct err *err);
int replay_output_commit(struct replay_output *o, struct err *err);
void replay_output_release(struct replay_output *o);

// A field of a CSV: in quotes where it must be (RFC 4180), or would lose its blanks to ingest.
void csv_text(struct reply *r, const char *text);

#endif
