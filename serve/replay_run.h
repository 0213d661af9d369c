// replay_run: a file of transactions through a running server, from open to commit.
//
// Requests of `batch` transactions go out in the order of the rows, `connections` of them at a
// time at most. With a rate transaction k is due k / rate seconds after the start, and a request
// when its first transaction is; it goes out late where all connections are taken, and its latency
// counts from when it was due, so that a slow server cannot hide its delay (Tene's "coordinated
// omission"). Without a rate, latency counts from the sending.
//
// With labels >= 0 the label of a row is posted before the first transaction whose time is the
// row's time + labels days or later. For that a batch may end early, and nothing else is in flight
// meanwhile: what the server knows at each transaction is what a batch of features knew that
// delays its labels by as much.
//
// Errors: -1 where the replay could not go on, as where the server wants another token or none is there,
// where too many rows broke the schema, or none is of the time asked for; what a server did not answer is
// in the tally and not an error here. The tally is filled either way; output is committed only with 0.
#ifndef SERVE_REPLAY_RUN_H
#define SERVE_REPLAY_RUN_H

#include "base/err.h"
#include "serve/replay_tally.h"

#include <stdint.h>

struct replay {
    const char *config, *input;       // input: NULL for the .ini's
    const char *url, *token, *output; // token: its file; token and output may be NULL
    int64_t connections, batch;       // at least 1
    int64_t rate;                     // transactions a second; 0: as fast as they are answered
    int64_t from, until;              // seconds since 1970
    int64_t labels;                   // days; -1: none are posted
    int64_t retry;                    // seconds

    struct replay_tally tally; // set by replay_run
};

int replay_run(struct replay *r, struct err *err);

#endif
