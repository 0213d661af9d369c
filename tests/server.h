// server: the real server as a process, spoken to over raw sockets, on artifacts that the real
// programs make from the committed sample. ASSAY_BIN names the folder of the programs.
//
// server_artifacts is a group's setup and leaves `shared` running, server_remove its teardown. A
// server that a test starts as `own` is ended after it, in case it fails.
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

#ifndef EACH
#define EACH NULL, server_end_own
#endif
#include "ingest/table.h"
#include "tests/scratch.h"
#include "train/model.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define DAY        "2018-05-03" // replayed: snapshot at its start, batch scores from the full run
#define WAIT_MS    60000        // no answer in this time fails a test; never a measure of speed
#define GET(path)  "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define JSON_POST  "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
#define TOKEN      "0123456789abcdef"
#define ANSWER_MAX ((size_t)1 << 20)

static char *const folder = scratch;
static const char *bin;

struct server {
    pid_t pid;
    int port;
    char line[512];      // its first line on stdout
    const char *more[8]; // further arguments, ended by NULL
    char database[300];  // "": a new one; kept, so that the next start goes on from it
};

static struct server shared; // for tests that change nothing of it
static struct server own;    // of the test that runs; pid 0: none

// A shell command, its output in folder/log; returns its exit status. $F is the folder, and the PATH has
// the programs.
static inline int __attribute__((format(printf, 1, 2))) run(const char *fmt, ...)
{
    char command[8400];
    va_list args;
    va_start(args, fmt);
    int n = snprintf(command, sizeof command, "exec >%s/log 2>&1; ", folder);
    vsnprintf(command + n, sizeof command - (size_t)n, fmt, args);
    va_end(args);
    int status = system(command); // NOLINT(cert-env33-c): programs and a folder of ours
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The text of a file of the folder, "" where it cannot be read; valid until the next call.
static inline const char *folder_text(const char *name)
{
    static char *text;
    free(text);
    text = scratch_read(scratch_path(name), NULL);
    return text ? text : "";
}

static inline const char *log_text(void)
{
    return folder_text("log");
}

// How often the access log of the server that runs has the words.
static inline int logged(const char *words)
{
    int n = 0;
    for (const char *at = folder_text("access.log"); (at = strstr(at, words)); at++)
        n++;
    return n;
}

static inline void wait_for_log(const char *words, int n)
{
    for (int ms = 0; ms < WAIT_MS && logged(words) < n; ms += 10)
        poll(NULL, 0, 10);
    assert_int_equal(logged(words), n);
}

// A command that exits with 0.
static inline void __attribute__((format(printf, 1, 2))) succeed(const char *fmt, ...)
{
    char command[8192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    if (run("%s", command))
        fail_msg("%s\n%s", command, log_text());
}

// The path of a file with TOKEN in it.
static inline const char *token_file(void)
{
    const char *path = scratch_text("token", TOKEN);
    assert_int_equal(chmod(path, 0600), 0);
    return path;
}

static inline bool readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, WAIT_MS) == 1;
}

static inline void server_begin(struct server *s, const char *threads, const char *token)
{
    static int databases;
    char command[4096];
    int fds[2];
    if (!*s->database)
        snprintf(s->database, sizeof s->database, "%s/served-%d.db", folder, ++databases);
    assert_int_equal(pipe(fds), 0);
    int k = snprintf(command, sizeof command,
                     "exec serve --models $F/models --drift $F/drift.json --state "
                     "$F/before/state.bin --key $F/key --database %s --port 0 --threads %s "
                     "--allow-host x --access-log 2>$F/access.log >&%d",
                     s->database, threads, fds[1]);
    if (token)
        k += snprintf(command + k, sizeof command - (size_t)k, " --token-file %s", token);
    for (size_t i = 0; s->more[i]; i++)
        k += snprintf(command + k, sizeof command - (size_t)k, " '%s'", s->more[i]);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *out = fdopen(fds[0], "r");
    if (!readable(fds[0]) || !fgets(s->line, sizeof s->line, out))
        *s->line = '\0';
    fclose(out);
    const char *at = strstr(s->line, "http://127.0.0.1:");
    s->port = at ? (int)strtol(at + strlen("http://127.0.0.1:"), NULL, 10) : 0;
    if (s->port == 0)
        fail_msg("the server did not start: '%s'", s->line);
}

static inline int health_port(const struct server *s)
{
    const char *at = strstr(s->line, "health on port ");
    assert_non_null(at);
    return (int)strtol(at + strlen("health on port "), NULL, 10);
}

// The exit status after SIGTERM, -1 where it had to be killed.
static inline int server_end(struct server *s)
{
    int status = -1;
    pid_t pid = s->pid;
    s->pid = 0;
    kill(pid, SIGTERM);
    for (int ms = 0; ms < WAIT_MS; ms += 10) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        poll(NULL, 0, 10);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

static inline int server_end_own(void **state)
{
    (void)state;
    if (own.pid > 0)
        server_end(&own);
    memset(own.more, 0, sizeof own.more);
    return 0;
}

// The folder, and commands that know it and the programs.
static inline int server_folder(void **state)
{
    char here[2048]; // commands may change the folder
    bin = getenv("ASSAY_BIN") ? getenv("ASSAY_BIN") : "build/bin";
    return !getcwd(here, sizeof here) || scratch_make(state) || setenv("F", folder, 1) ||
           setenv("PATH", formatted("%s/%s:%s:%s", here, bin, bin, getenv("PATH")), 1);
}

// The artifacts of a dataset, with the snapshot of a day's beginning; `shared` is not started.
static inline int server_artifacts_of(void **state, const char *config, const char *day)
{
    if (server_folder(state) || run("ingest --config %s --key $F/key --output $F/table", config) ||
        run("features --config %s --output $F/features $F/table", config) ||
        run("features --config %s --until %s --output $F/before $F/table", config, day) ||
        run("train --config %s --output $F/models --promote $F/features", config)) {
        fprintf(stderr, "%s\n", log_text());
        return -1;
    }
    return 0;
}

static inline int server_artifacts(void **state)
{
    if (server_artifacts_of(state, "datasets/sample.ini", DAY))
        return -1;
    server_begin(&shared, "16", NULL);
    return 0;
}

static inline int server_remove(void **state)
{
    if (shared.pid > 0)
        server_end(&shared);
    return scratch_remove(state);
}

static inline int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int one = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

// The server may close before all is sent; its answer tells then.
static inline void say(int fd, const char *data, size_t n)
{
    for (ssize_t k; n > 0 && (k = send(fd, data, n, MSG_NOSIGNAL)) > 0; n -= (size_t)k)
        data += k;
}

struct answer {
    int status;
    size_t n;               // bytes of text
    char head[2048], *text; // text: Content-Length bytes and a 0; to be freed by answer_free
};

// Whether the server has nothing more to say and closes.
static inline bool is_closed(int fd)
{
    char c;
    return readable(fd) && recv(fd, &c, 1, 0) <= 0;
}

// One answer; with_text is false after a HEAD. Thread-safe: no assertion.
static inline int try_hear(int fd, struct answer *a, bool with_text)
{
    size_t n = 0;
    *a = (struct answer){0};
    while (n + 1 < sizeof a->head && !strstr(a->head, "\r\n\r\n"))
        if (!readable(fd) || recv(fd, a->head + n++, 1, 0) != 1)
            return -1;
    a->status = strncmp(a->head, "HTTP/1.1 ", 9) == 0 ? (int)strtol(a->head + 9, NULL, 10) : -1;
    const char *length = strstr(a->head, "Content-Length:");
    n = length ? strtoul(length + 15, NULL, 10) : 0;
    a->text = calloc(1, n + 1);
    if (!a->text || n > ANSWER_MAX)
        return -1;
    while (with_text && a->n < n) {
        ssize_t k = readable(fd) ? recv(fd, a->text + a->n, n - a->n, 0) : 0;
        if (k <= 0)
            return -1;
        a->n += (size_t)k;
    }
    return 0;
}

static inline void answer_free(struct answer *a)
{
    free(a->text);
    a->text = NULL;
}

// The answer that hear and the functions below took last, until the next one.
static struct answer heard;

static inline void hear(int fd)
{
    answer_free(&heard);
    if (try_hear(fd, &heard, true))
        fail_msg("no whole answer: '%s'", heard.head);
}

static inline void say_post(int fd, const char *body)
{
    char head[256];
    int n = snprintf(head, sizeof head, JSON_POST "Content-Length: %zu\r\n\r\n", strlen(body));
    say(fd, head, (size_t)n);
    say(fd, body, strlen(body));
}

static inline const char *json_post(const char *body)
{
    return formatted(JSON_POST "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
}

// A whole request on a connection of its own.
static inline void ask_at(int port, const char *request)
{
    int fd = dial(port);
    say(fd, request, strlen(request));
    answer_free(&heard);
    if (try_hear(fd, &heard, strncmp(request, "HEAD ", 5) != 0))
        fail_msg("%s: no whole answer: '%s'", request, heard.head);
    close(fd);
}

static inline bool is_heard(const char *words)
{
    return strstr(heard.head, words) || strstr(heard.text, words);
}

// The answer has the status, and the words in its head or text.
static inline void check_answer_at(int port, const char *request, int status, const char *words)
{
    ask_at(port, request);
    if (heard.status != status || !is_heard(words))
        fail_msg("%s\n%s%s", request, heard.head, heard.text);
}

// Asks until the answer has the words.
static inline void await_answer(int port, const char *request, const char *words)
{
    for (int ms = 0; ms < WAIT_MS; ms += 10) {
        ask_at(port, request);
        if (strstr(heard.text, words))
            break;
        poll(NULL, 0, 10);
    }
    check_answer_at(port, request, 200, words);
}

#endif
