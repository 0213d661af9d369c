// deploy: the daemons that stand around the server, as processes of a test, on copies of the files of
// deploy/ in which nothing but named places differs.
//
// Programs come from the PATH, or from build/tools, where the Makefile unpacks them. Every file of
// theirs is in the test's folder; each listens on loopback on a free port, and ends by its own pid.
#ifndef TESTS_DEPLOY_H
#define TESTS_DEPLOY_H

#include "tests/server.h"

#include <fcntl.h>

enum { FILE_MAX = 8 << 20 };

struct place {
    const char *from, *to;
};

static inline int tools_to_path(void)
{
    char path[4096];
    const char *old = getenv("PATH");
    int n = snprintf(path, sizeof path, "%s:/usr/sbin:build/tools", old ? old : "/usr/bin:/bin");
    return n > 0 && n < (int)sizeof path ? setenv("PATH", path, 1) : -1;
}

// ---- files ----

// A file's text, allocated; fails the test where there is none.
static inline char *file_text(const char *path)
{
    char *text = calloc(1, FILE_MAX);
    FILE *f = fopen(path, "r");
    if (!f || !text)
        fail_msg("%s: cannot be read", path);
    size_t n = fread(text, 1, FILE_MAX - 1, f);
    fclose(f);
    assert_true(n + 1 < FILE_MAX);
    return text;
}

static inline void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

// Replace the one occurrence of a place; fails the test where it does not stand exactly once.
static inline char *replaced(char *text, const struct place *p)
{
    const char *at = strstr(text, p->from);
    if (!at || strstr(at + 1, p->from))
        fail_msg("'%s' does not stand there once", p->from);
    const size_t size = strlen(text) + strlen(p->to) + 1;
    char *out = malloc(size);
    assert_non_null(out);
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, p->to, at + strlen(p->from));
    free(text);
    return out;
}

static inline void copy_with(const char *from, const char *to, const struct place *places, size_t n)
{
    char *text = file_text(from);
    for (size_t i = 0; i < n; i++)
        text = replaced(text, &places[i]);
    write_file(to, text);
    free(text);
}

// ---- processes ----

// A port that was free a moment ago: these daemons cannot say which one they took.
static inline int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static inline pid_t background(const char *log, char *const argv[])
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0)
        execvp(argv[0], argv);
    _exit(127);
}

static inline bool listens(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        close(fd);
    return yes;
}

// 0 when it listens, -1 where it ended before that or took too long.
static inline int await_port(pid_t pid, int port)
{
    for (int ms = 0; ms < WAIT_MS; ms += 20) {
        if (listens(port))
            return 0;
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return -1;
        poll(NULL, 0, 20);
    }
    return -1;
}

// The exit status after SIGTERM, -1 where it had to be killed.
static inline int end_process(pid_t pid)
{
    struct server s = {.pid = pid};
    return server_end(&s);
}

#endif
