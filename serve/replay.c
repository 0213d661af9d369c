// replay: sends a CSV of transactions through a running server and tells how it answered.
//
// Only the command line is here; the work is replay_run.c's.
#include "base/option.h"
#include "base/progress.h"
#include "ingest/value.h"
#include "serve/replay_client.h"
#include "serve/replay_run.h"

#include <stdio.h>
#include <string.h>

static int read_moment(const char *name, const char *text, int64_t *moment, struct err *err)
{
    if (!text || value_moment(text, strlen(text), moment) == 0)
        return 0;
    return err_set(err, "--%s: '%s' is neither YYYY-MM-DD nor 'YYYY-MM-DD HH:MM:SS'", name, text);
}

int main(int argc, char **argv)
{
    static struct replay r = {.config = "datasets/simulated.ini",
                              .url = "http://127.0.0.1:8080",
                              .connections = 8,
                              .batch = 1,
                              .from = INT64_MIN,
                              .until = INT64_MAX,
                              .labels = -1};
    const char *from = NULL, *until = NULL;
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &r.config, "the dataset's description", 0, 0},
        {"url", "URL", OPTION_STRING, &r.url, "the server", 0, 0},
        {"token-file", "FILE", OPTION_STRING, &r.token, "token to show to the server", 0, 0},
        {"connections", "N", OPTION_INT, &r.connections, "requests in flight, 1: strictly in order",
         1, 1024},
        {"batch", "N", OPTION_INT, &r.batch, "transactions a request", 1, 1000},
        {"rate", "N", OPTION_INT, &r.rate, "transactions a second, 0: as fast as answered", 0,
         10000000},
        {"from", "TIME", OPTION_STRING, &from, "only rows from this date or time on, UTC", 0, 0},
        {"until", "TIME", OPTION_STRING, &until, "only rows before this date or time, UTC", 0, 0},
        {"labels", "DAYS", OPTION_INT, &r.labels,
         "post each row's label that many days of the file after it, -1: none", -1, 36500},
        {"retry", "SECONDS", OPTION_INT, &r.retry,
         "send again for so long what meets no answer, 503 or 429", 0, 86400},
        {"output", "FILE", OPTION_STRING, &r.output, "CSV of the decisions", 0, 0},
    };
    const struct program program = {
        "replay",
        "[FILE]",
        "Send the transactions of a CSV, plain, .gz or .zst, to a running server. FILE replaces "
        "the\n"
        "file that the description names; - is standard input.",
        "build/bin/replay --config datasets/simulated.ini --from 2018-08-15 --until 2018-08-16",
        specs,
        sizeof specs / sizeof *specs,
        0,
        1};
    struct err err;
    int first = option_parse(&program, argc, argv, &err);
    if (first > 0 &&
        (read_moment("from", from, &r.from, &err) || read_moment("until", until, &r.until, &err) ||
         replay_client_url(r.url, &err)))
        first = -1;
    if (first <= 0)
        return option_exit(&program, first, &err);
    if (first < argc)
        r.input = argv[first];

    int rc = replay_run(&r, &err) ? err_report("replay", &err) : 0;
    if (r.tally.answered > 0 || rc == 0)
        tally_print(&r.tally);
    if (stdout_close(&err))
        return err_report("replay", &err);
    return rc || r.tally.answered < r.tally.sent || r.tally.labels_failed > 0;
}
