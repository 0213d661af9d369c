// serve: load the champion and the state, answer until SIGTERM or SIGINT, end with 0. SIGHUP: load the
// champion anew.
#define _GNU_SOURCE // SCHED_BATCH
#include "base/option.h"
#include "base/progress.h"
#include "ingest/value.h"
#include "serve/http.h"
#include "serve/signals.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *models, *state, *key, *database, *durability, *host, *token;
    int64_t port, threads, retain, queue;
    enum store_durability level; // of durability
    bool access_log;
};

// "state of 1754155 events up to 2018-09-30T23:59:58Z"
static void describe_state(const struct state *s, char *text, size_t size)
{
    char last[TIME_TEXT];
    int n = snprintf(text, size, "state of %" PRIu64 " events", s->events);
    if (s->events > 0)
        snprintf(text + n, size - (size_t)n, " up to %s", time_text(last, s->last_time));
}

// ---- the server ------------------------------------------------------------------------------------

static int read_durability(const char *word, enum store_durability *durability, struct err *err)
{
    *durability = strcmp(word, "full") == 0 ? STORE_FULL : STORE_NORMAL;
    if (strcmp(word, "full") == 0 || strcmp(word, "normal") == 0)
        return 0;
    return err_set(err, "--durability %s: is neither normal nor full", word);
}

// What a write that failed leaves is a state that cannot go on: end, for a supervisor to start again.
static atomic_bool failed;

static void report(const char *what, bool fatal)
{
    char line[1300]; // fprintf would take more of a worker's small stack; and it is one write
    const int n = snprintf(line, sizeof line, "serve: %s\n", what);
    if (n > 0 && (size_t)n < sizeof line)
        fwrite(line, 1, (size_t)n, stderr);
    if (fatal) {
        atomic_store(&failed, true);
        kill(getpid(), SIGTERM);
    }
}

// Threads that wake go behind the one that runs instead of in its place, so that more requests meet
// in one commit: a third more of them a second, measured on two cores. All threads inherit it.
static void prefer_throughput(void)
{
    const struct sched_param none = {0};
    sched_setscheduler(0, SCHED_BATCH, &none); // in vain where it is not allowed
}

// What waits for this process knows from its one line on stdout that requests are answered.
static int run(struct service *service, const struct server_settings *settings,
               const sigset_t *signals, struct err *err)
{
    char state[128];
    int number;
    // From the start on the state and the order are the writer's.
    const bool new = service->store.next == 1;
    describe_state(&service->state, state, sizeof state);
    struct server *server = server_start(service, settings, err);
    if (!server)
        return -1;
    const struct champion *c = service_hold(service);
    printf("serve: model %s (sha256 %.8s…) on http://%s:%d, %s, %sdatabase %s\n", c->version,
           c->model.sha256, settings->host, server_port(server), state, new ? "new " : "",
           service->store.path);
    service_let(service);
    int rc = stdout_close(err);
    while (rc == 0 && sigwait(signals, &number) == 0 && number == SIGHUP)
        service_reload(service, err); // which reports how it went
    server_stop(server);
    return rc;
}

// Whether main goes on; where it does not, *code is what it returns.
static bool read_options(struct options *o, int argc, char **argv, int *code)
{
    const struct option_spec specs[] = {
        {"models", "DIR", OPTION_STRING, &o->models, "registry whose champion decides", 0, 0},
        {"state", "FILE", OPTION_STRING, &o->state, "snapshot that features wrote", 0, 0},
        {"key", "FILE", OPTION_STRING, &o->key, "pseudonym key that ingest used", 0, 0},
        {"database", "FILE", OPTION_STRING, &o->database,
         "SQLite file of decisions and labels; made where it is missing", 0, 0},
        {"durability", "WORD", OPTION_STRING, &o->durability,
         "normal: what is acknowledged survives the process; full: a power cut too", 0, 0},
        {"retain", "DAYS", OPTION_INT, &o->retain,
         "drop transactions that are older than the newest by so much, 0: none", 0, 36500},
        {"queue", "N", OPTION_INT, &o->queue, "requests that may wait to be written, 503 for more",
         1, 1000000},
        {"host", "ADDRESS", OPTION_STRING, &o->host,
         "address to listen on; other than loopback only with a token", 0, 0},
        {"token-file", "FILE", OPTION_STRING, &o->token,
         "token that clients must show but for their health checks", 0, 0},
        {"port", "N", OPTION_INT, &o->port, "port to listen on, 0: any free one", 0, 65535},
        {"threads", "N", OPTION_INT, &o->threads, "connections served at a time", 1, 4096},
        {"access-log", NULL, OPTION_FLAG, &o->access_log,
         "a line of JSON for each request, on stderr", 0, 0},
    };
    const struct program program = {
        "serve",
        "",
        "Decide on transactions with the champion model, over HTTP, and keep what was decided.",
        "serve --models models/simulated --state build/simulated/features/state.bin --port 8080",
        specs,
        sizeof specs / sizeof *specs,
        0,
        0};
    struct err err;
    int first = option_parse(&program, argc, argv, &err);
    if (first > 0 && read_durability(o->durability, &o->level, &err))
        first = -1;
    if (first <= 0)
        *code = option_exit(&program, first, &err);
    return first > 0;
}

int main(int argc, char **argv)
{
    struct options o = {.models = "models/simulated",
                        .state = "build/simulated/features/state.bin",
                        .key = "var/pseudonym.key",
                        .database = "var/assay.db",
                        .durability = "normal",
                        .queue = 1024,
                        .host = "127.0.0.1",
                        .port = 8080,
                        .threads = 2048};
    struct err err;
    static struct service service; // with its counters it is large
    struct token token;
    sigset_t signals;
    int code;
    if (!read_options(&o, argc, argv, &code))
        return code;
    if (o.token && token_read(&token, o.token, &err))
        return err_report("serve", &err);
    const struct service_files files = {.models = o.models,
                                        .state = o.state,
                                        .key = o.key,
                                        .database = o.database,
                                        .durability = o.level,
                                        .retain = o.retain,
                                        .queue = (size_t)o.queue,
                                        .report = report};
    prefer_throughput();
    if (signals_block(&signals, &err) || service_load(&service, &files, &err))
        return err_report("serve", &err);
    const struct server_settings settings = {.host = o.host,
                                             .port = (int)o.port,
                                             .threads = (int)o.threads,
                                             .token = o.token ? &token : NULL,
                                             .access_log = o.access_log};
    int rc = run(&service, &settings, &signals, &err);
    service_release(&service);
    if (atomic_load(&failed))
        return 1; // it was said why
    return rc ? err_report("serve", &err) : 0;
}
