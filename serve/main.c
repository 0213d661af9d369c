// serve: loads the champion and the state, and answers until SIGTERM or SIGINT. A champion that
// the registry names later is loaded within a second, or at once after SIGHUP.
#define _GNU_SOURCE // SCHED_BATCH
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "base/value.h"
#include "serve/http.h"

#include <inttypes.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

enum { WATCH_NS = 400 * 1000 * 1000 }; // from one look at the registry to the next

static struct service service; // large, with its counters
static struct service_files files = {.models = "models/simulated",
                                     .drift = "build/simulated/monitor/drift.json",
                                     .state = "build/simulated/features/state.bin",
                                     .key = "var/pseudonym.key",
                                     .database = "var/assay.db",
                                     .queue = 1024};
static const char *durability = "normal", *time_limit = "wall", *token_file,
                  *allowed[33] = {"localhost", "[::1]"};
static struct http server = {.service = &service,
                             .host = "127.0.0.1",
                             .allowed = allowed,
                             .port = 8080,
                             .health_port = -1,
                             .threads = 2048};

static const struct program program = {
    "serve",
    "",
    "Decide on transactions with the champion model, over HTTP, and store the decisions.",
    "build/bin/serve --port 8080",
    {
        {"models", "DIR", "registry whose champion decides", .text = &files.models},
        {"drift", "FILE", "what monitor wrote last, for the dashboard", .text = &files.drift},
        {"state", "FILE", "snapshot that features wrote", .text = &files.state},
        {"key", "FILE", "pseudonym key that ingest used", .text = &files.key},
        {"database", "FILE", "SQLite file of decisions and labels; created if missing",
         .text = &files.database},
        {"durability", "WORD",
         "normal: acknowledged requests survive the process; full: a power cut too",
         .text = &durability},
        {"clock", "WORD",
         "times may be a day ahead of, wall: the clock; data: the newest transaction, too, so that "
         "clients can move it on and on",
         .text = &time_limit},
        {"queue", "N", "requests that may wait for the writer, 503 for more",
         .number = &files.queue, 1, 1000000},
        {"host", "ADDRESS", "address to listen on; other than loopback only with a token",
         .text = &server.host},
        {"token-file", "FILE", "token that clients must send, except for health checks",
         .text = &token_file},
        {"allow-host", "NAME",
         "without a token: a name that clients may use for this server besides loopback's; may be "
         "repeated",
         .list = allowed, .max = sizeof allowed / sizeof *allowed - 1},
        {"port", "N", "port to listen on, 0: any free one", .number = &server.port, 0, 65535},
        {"health-port", "N",
         "port for health checks and metrics only, which answers whatever clients do on the other; "
         "0: any free one, -1: none",
         .number = &server.health_port, -1, 65535},
        {"threads", "N", "connections served at a time", .number = &server.threads, 1, 4096},
        {"access-log", NULL,
         "a line of JSON for each request, on stderr, and messages there as JSON too",
         .flag = &server.access_log},
    }};

// The signals are blocked in this thread and in all that it starts, and taken by sigtimedwait. But a
// library may have started threads before main, which do not block them: those pass them on to
// here.
static pthread_t main_thread;

static void pass_on(int number)
{
    pthread_kill(main_thread, number);
}

static sigset_t block_signals(void)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP};
    const struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigset_t signals;
    main_thread = pthread_self();
    sigemptyset(&signals);
    for (size_t i = 0; i < 3; i++)
        sigaddset(&signals, handled[i]);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (size_t i = 0; i < 3; i++)
        sigaction(handled[i], &action, NULL);
    return signals;
}

// After a failed write the state may hold what the database does not: end, for a supervisor to
// start the server again.
static atomic_bool failed;

static void print_message(const char *level, const char *message)
{
    struct reply line = {0};
    char now[TIME_TEXT];
    if (server.access_log) {
        reply_add(&line, "{\"time\":\"%s\",\"level\":\"%s\"", time_text(now, (int64_t)time(NULL)),
                  level);
        reply_member(&line, "message", message);
        reply_text(&line, "}\n");
    } else {
        reply_add(&line, "serve: %s\n", message);
    }
    fwrite(line.text, 1, line.n, stderr); // one write, since stderr has no buffer
    reply_release(&line);
}

static int fail(int status, const struct err *err)
{
    print_message("error", err->msg);
    return status;
}

static void report(const char *what, bool fatal)
{
    print_message(fatal ? "error" : "notice", what);
    if (fatal) {
        atomic_store(&failed, true);
        kill(getpid(), SIGTERM);
    }
}

// The line on stdout says that the server answers from now on.
static int run(const sigset_t *signals, struct err *err)
{
    // Read before requests change them:
    const bool new = service.store.next == 1;
    const uint64_t events = service.state.events;
    char time[TIME_TEXT];
    const char *last = events ? time_text(time, service.state.last_time) : "";
    if (events && schema_counts_rows(&service.plan->schema)) {
        snprintf(time, sizeof time, "row %" PRId64, service.state.last_time);
        last = time;
    }
    int number = 0;
    if (plan_warning(service.plan))
        report(plan_warning(service.plan), false);
    service_watch(&service);
    int rc = http_start(&server, err);
    if (rc == 0) {
        const struct champion *c = service_hold(&service);
        printf("serve: model %s (sha256 %.8s…) on http://%s:%d, state of %" PRIu64
               " events%s%s, %sdatabase %s",
               c->version, c->model.sha256, server.host, (int)server.port, events,
               events ? " up to " : "", last, new ? "new " : "", service.store.path);
        if (server.health_port >= 0)
            printf(", health on port %d", (int)server.health_port);
        puts("");
        service_let(&service);
        rc = stdout_close(err);
    }
    while (rc == 0 && number != SIGTERM && number != SIGINT) {
        number = sigtimedwait(signals, NULL, &(struct timespec){0, WATCH_NS});
        if (number == SIGHUP)
            service_reload(&service, err); // reports how it went
        service_watch(&service);
    }
    http_stop(&server);
    return rc;
}

static int is_second(bool *is, const char *option, const char *word, const char *first,
                     const char *second, struct err *err)
{
    *is = strcmp(word, second) == 0;
    return *is || strcmp(word, first) == 0
               ? 0
               : err_set(err, "--%s %s: is neither %s nor %s", option, word, first, second);
}

int main(int argc, char **argv)
{
    struct err err;
    // Found first, so that a mistake in any other option is reported in this form.
    for (int i = 1; i < argc; i++)
        server.access_log |= strcmp(argv[i], "--access-log") == 0;
    if (server.access_log)
        memory_message = "{\"level\":\"error\",\"message\":\"out of memory\"}";
    const int first = option_parse(&program, argc, argv, &err);
    if (first == 0)
        return option_exit(&program, first, &err);
    if (first < 0 || is_second(&files.full, "durability", durability, "normal", "full", &err) ||
        is_second(&files.data_clock, "clock", time_limit, "wall", "data", &err))
        return fail(2, &err);
    // glibc would raise this threshold otherwise, and its arenas keep the memory of large bodies and
    // answers.
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    // Threads that wake then queue behind the one that runs, so more requests meet in one commit: a
    // third more of them a second, measured on two cores. If it is not allowed, nothing changes.
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    const sigset_t signals = block_signals();
    files.report = report;
    if ((token_file && token_read(server.token, token_file, &err)) ||
        service_load(&service, &files, &err))
        return fail(1, &err);
    const int rc = run(&signals, &err);
    service_release(&service);
    if (atomic_load(&failed))
        return 1; // report has said why
    return rc ? fail(1, &err) : 0;
}
