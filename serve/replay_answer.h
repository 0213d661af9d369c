// replay_answer: what a server answered, checked against what was asked, and counted.
//
//     replay_answer_decisions(call, ids, n, &tally, &lines)    POST /predict of n transactions
//     replay_answer_labels(call, n, &tally)                    POST /feedback of n labels
//
// An answer counts whole or not at all: status 200, JSON, a decision for each transaction, in
// order, with its id. Anything else is an error of all n, and its lines hold the ids alone.
#ifndef SERVE_REPLAY_ANSWER_H
#define SERVE_REPLAY_ANSWER_H

#include "serve/replay_client.h"
#include "serve/replay_tally.h"

#include <stdbool.h>

// ids: n texts, each ended by 0, one behind the other; all empty where the schema has none. array:
// an array was sent. lines: appended to, n lines of replay_output's CSV. True where the
// transactions are answered.
bool replay_answer_decisions(const struct call *call, const char *ids, size_t n, bool array,
                             struct replay_tally *t, struct reply *lines);
// n labels as an array.
bool replay_answer_labels(const struct call *call, size_t n, struct replay_tally *t);

#endif
