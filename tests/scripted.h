// scripted: a small HTTP server on a free port that answers as a test says and records the
// requests. Each connection has a thread.
//
//     scripted_start("503 {}|cut")   the first two requests get these answers, all others good ones
//     ... requests to scripted.port ...
//     scripted_stop()                then scripted.requests[0 .. n)
//
// A good answer is that of the real server, with probability = amount / 1000 and review from 0.5
// on. The script has an item for each request:
//
//     ok            a good answer
//     503 BODY      this status and body; 503@9 BODY: with Retry-After: 9
//     close, cut    end the connection without a byte, or within a good answer
//     slow 300      a good answer after 300 ms
//     hold 300      a good answer after that to the next request, or after 300 ms
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include "base/memory.h"
#include "tests/scratch.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { SCRIPTED_PEERS = 256, SCRIPTED_REQUESTS = 4096 };

struct scripted_request {
    char path[64], *head;
    json_t *body;
    bool overtook; // it came while an answer was held
};

static struct {
    int port, listener;
    pthread_mutex_t lock;
    const char *script; // the rest of it
    struct scripted_request requests[SCRIPTED_REQUESTS];
    size_t n, answered, held;
    pthread_t thread, peers[SCRIPTED_PEERS];
    int fds[SCRIPTED_PEERS];
    size_t n_peers;
} scripted;

static inline json_t *scripted_item(const json_t *in)
{
    const double amount = fmax(0, json_number_value(json_object_get(in, "amount")));
    if (json_object_get(in, "label"))
        return json_pack("{s:b}", "changed", 1);
    return json_pack("{s:f, s:s, s:s, s:O*}", "probability", amount / 1000, "decision",
                     amount < 500 ? "approve" : "review", "model", "7", "id",
                     json_object_get(in, "id"));
}

// The real server's answer, allocated.
static inline char *scripted_answer(const json_t *in)
{
    json_t *answer = json_is_array(in) ? json_array() : scripted_item(in);
    for (size_t i = 0; i < json_array_size(in); i++)
        json_array_append_new(answer, scripted_item(json_array_get(in, i)));
    char *body = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(answer);
    return body;
}

// Act by an item of the script; false if the connection is to be closed.
static inline bool scripted_act(int fd, const char *item, const json_t *in)
{
    int status = 200, retry = 0, used = 0, ms = 0;
    const bool cut = strcmp(item, "cut") == 0, close = strcmp(item, "close") == 0;
    sscanf(item, "%d%n@%d%n", &status, &used, &retry, &used); // NOLINT(cert-err34-c)
    char *good = scripted_answer(in), *after = xasprintf("Retry-After: %d\r\n", retry);
    const char *body = used ? item + used + 1 : good;
    char *text = xasprintf("HTTP/1.1 %d Told\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                           retry > 0 ? after : "", strlen(body), body);
    if (sscanf(item, "slow %d", &ms) == 1) // NOLINT(cert-err34-c)
        poll(NULL, 0, ms);
    pthread_mutex_lock(&scripted.lock);
    const size_t before = scripted.answered;
    scripted.held += sscanf(item, "hold %d", &ms) == 1; // NOLINT(cert-err34-c)
    for (; *item == 'h' && ms > 0 && scripted.answered == before; ms--) {
        pthread_mutex_unlock(&scripted.lock);
        poll(NULL, 0, 1);
        pthread_mutex_lock(&scripted.lock);
    }
    scripted.held -= *item == 'h';
    const char *at = text;
    size_t left = close ? 0 : strlen(text) - (cut ? 5 : 0);
    for (ssize_t k; left > 0 && (k = send(fd, at, left, MSG_NOSIGNAL)) > 0; left -= (size_t)k)
        at += k;
    scripted.answered++;
    pthread_mutex_unlock(&scripted.lock);
    free(text);
    free(after);
    free(good);
    return !close && !cut;
}

// Record a request and copy its item of the script.
static inline json_t *scripted_take(const char *head, const char *body, char item[256])
{
    pthread_mutex_lock(&scripted.lock);
    struct scripted_request *q = &scripted.requests[scripted.n++ % SCRIPTED_REQUESTS];
    *q = (struct scripted_request){.head = strndup(head, (size_t)(body - head)),
                                   .body = json_loads(body, 0, NULL),
                                   .overtook = scripted.held > 0};
    sscanf(head, "POST /%63s", q->path); // NOLINT(cert-err34-c): a word
    const size_t n = strcspn(scripted.script, "|");
    snprintf(item, 256, "%.*s", (int)n, scripted.script);
    scripted.script += n + (scripted.script[n] == '|');
    pthread_mutex_unlock(&scripted.lock);
    return q->body;
}

static inline void *scripted_peer(void *arg)
{
    const int fd = *(int *)arg;
    size_t n = 0, size = 1 << 20;
    char *data = calloc(1, size);
    for (ssize_t k; data && (k = recv(fd, data + n, size - n - 1, 0)) > 0;) {
        data[n += (size_t)k] = '\0';
        const char *end = strstr(data, "\r\n\r\n"), *length = strstr(data, "Content-Length: ");
        if (!end || !length || strlen(end + 4) < strtoul(length + 16, NULL, 10))
            continue;
        char item[256];
        const json_t *in = scripted_take(data, end + 4, item);
        if (!scripted_act(fd, item, in))
            break;
        n = 0;
    }
    free(data);
    shutdown(fd, SHUT_RDWR);
    return NULL;
}

static inline void *scripted_run(void *arg)
{
    for (int fd; (fd = accept(scripted.listener, NULL, NULL)) >= 0;) {
        const size_t i = scripted.n_peers;
        if (i == SCRIPTED_PEERS)
            break;
        scripted.fds[i] = fd;
        pthread_create(&scripted.peers[scripted.n_peers++], NULL, scripted_peer, &scripted.fds[i]);
    }
    return arg;
}

static inline void scripted_stop(void)
{
    if (!scripted.port)
        return;
    shutdown(scripted.listener, SHUT_RDWR);
    pthread_join(scripted.thread, NULL);
    for (size_t i = 0; i < scripted.n_peers; i++) {
        shutdown(scripted.fds[i], SHUT_RDWR);
        pthread_join(scripted.peers[i], NULL);
        close(scripted.fds[i]);
    }
    close(scripted.listener);
    scripted.port = 0;
}

static inline void scripted_forget(void)
{
    scripted_stop();
    for (size_t i = 0; i < scripted.n; i++) {
        free(scripted.requests[i].head);
        json_decref(scripted.requests[i].body);
    }
    scripted.n = 0;
}

static inline void scripted_start(const char *script)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    scripted_forget();
    memset(&scripted, 0, sizeof scripted);
    pthread_mutex_init(&scripted.lock, NULL);
    scripted.script = script;
    scripted.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(scripted.listener, (struct sockaddr *)&a, size), 0);
    assert_int_equal(listen(scripted.listener, 64), 0);
    assert_int_equal(getsockname(scripted.listener, (struct sockaddr *)&a, &size), 0);
    scripted.port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&scripted.thread, NULL, scripted_run, NULL), 0);
}

#endif
