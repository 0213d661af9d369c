// scripted: a small HTTP server in a thread, that answers as a test has written down and remembers
// what it was asked. One thread, raw sockets, 127.0.0.1, a free port.
//
//     scripted_start(turns, n)    turn i is of request i of all; behind them, answers as the real
//                                 server's: probability = amount / 1000, review from 0.5 on
//     ... requests to scripted.port ...
//     scripted_stop()                then scripted.requests[0 .. n_requests)
//
// It ends by itself when nothing has happened for SCRIPTED_MS.
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include "tests/scratch.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { SCRIPTED_MS = 20000, SCRIPTED_PEERS = 32, SCRIPTED_REQUESTS = 4096 };

enum turn_kind {
    TURN_ANSWER, // as the real server
    TURN_TELL,   // status, headers and body as given
    TURN_CLOSE,  // the connection, without a byte
    TURN_CUT,    // the connection, in the middle of a good answer
    TURN_SLOW,   // a good answer after `ms`
    TURN_HOLD,   // a good answer after the next request's, or when `ms`, if not 0, pass without one
};

struct turn {
    enum turn_kind kind;
    int status;
    const char *headers; // each ended by CRLF
    const char *body;
    int ms;
};

struct scripted_request {
    char path[64], *head, *body;
    int peer;      // connection, counted from 0
    bool overtook; // it came while an answer was held
};

struct scripted_peer {
    int fd, number;
    char *data;
    size_t n;
};

static struct {
    int port, listener, stop[2];
    pthread_t thread;
    const struct turn *turns;
    size_t n_turns;
    struct scripted_request requests[SCRIPTED_REQUESTS];
    size_t n_requests;
    struct scripted_peer peers[SCRIPTED_PEERS];
    size_t n_peers;
    int accepted, held, held_ms;
    char *held_text;
} scripted;

// ---- answers ----

static inline json_t *scripted_decision(const json_t *transaction)
{
    double amount = fmax(0, json_number_value(json_object_get(transaction, "amount")));
    json_t *d = json_pack("{s:f, s:s, s:s}", "probability", amount / 1000, "decision",
                          amount < 500 ? "approve" : "review", "model", "7");
    json_t *id = json_object_get(transaction, "id");
    if (id)
        json_object_set(d, "id", id);
    return d;
}

static inline json_t *scripted_label(const json_t *label)
{
    return json_pack("{s:O, s:O, s:b}", "id", json_object_get(label, "id"), "label",
                     json_object_get(label, "label"), "changed", 1);
}

// What the real server would say, allocated.
static inline char *scripted_answer(const struct scripted_request *q)
{
    bool predict = strcmp(q->path, "/predict") == 0;
    json_t *in = json_loads(q->body, 0, NULL), *answer = NULL;
    if (json_is_array(in)) {
        answer = json_array();
        for (size_t i = 0; i < json_array_size(in); i++) {
            const json_t *one = json_array_get(in, i);
            json_array_append_new(answer, predict ? scripted_decision(one) : scripted_label(one));
        }
    } else if (in) {
        answer = predict ? scripted_decision(in) : scripted_label(in);
    }
    char *body = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(17));
    size_t size = (body ? strlen(body) : 0) + 128;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                 body ? strlen(body) : 0, body ? body : "");
    free(body);
    json_decref(answer);
    json_decref(in);
    return text;
}

static inline void scripted_say(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, text, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        text += k;
        n -= (size_t)k;
    }
}

static inline void scripted_tell(int fd, const struct turn *t)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d Told\r\n%sContent-Length: %zu\r\n\r\n%s",
                     t->status, t->headers ? t->headers : "", t->body ? strlen(t->body) : 0,
                     t->body ? t->body : "");
    scripted_say(fd, text, (size_t)n);
}

static inline void scripted_let(void)
{
    if (scripted.held_text)
        scripted_say(scripted.held, scripted.held_text, strlen(scripted.held_text));
    free(scripted.held_text);
    scripted.held_text = NULL;
}

// False where the connection is to be closed.
static inline bool scripted_act(int fd, const struct scripted_request *q, const struct turn *t)
{
    if (t->kind == TURN_CLOSE)
        return false;
    if (t->kind == TURN_TELL) {
        scripted_tell(fd, t);
        return true;
    }
    if (t->kind == TURN_SLOW)
        poll(NULL, 0, t->ms);
    char *text = scripted_answer(q);
    if (t->kind == TURN_HOLD) {
        scripted.held = fd;
        scripted.held_ms = t->ms;
        scripted.held_text = text;
        return true;
    }
    if (text)
        scripted_say(fd, text, t->kind == TURN_CUT ? strlen(text) - 5 : strlen(text));
    free(text);
    scripted_let();
    return t->kind != TURN_CUT;
}

// ---- requests ----

// A whole request in front of the peer's data is taken out; false where there is none.
static inline bool scripted_take(struct scripted_peer *p, struct scripted_request *q)
{
    char *end = p->n ? strstr(p->data, "\r\n\r\n") : NULL;
    char *length = end ? strstr(p->data, "Content-Length: ") : NULL;
    if (!end || !length)
        return false;
    size_t head = (size_t)(end - p->data) + 4, n = strtoul(length + 16, NULL, 10);
    if (p->n < head + n)
        return false;
    *q = (struct scripted_request){
        .head = strndup(p->data, head), .body = strndup(p->data + head, n), .peer = p->number};
    sscanf(p->data, "POST %63s", q->path); // NOLINT(cert-err34-c): a word
    p->n -= head + n;
    memmove(p->data, p->data + head + n, p->n + 1);
    return true;
}

static inline bool scripted_read(struct scripted_peer *p)
{
    static const struct turn good = {.kind = TURN_ANSWER};
    char *grown = realloc(p->data, p->n + 65537);
    if (!grown)
        return false;
    p->data = grown;
    ssize_t k = recv(p->fd, p->data + p->n, 65536, 0);
    if (k <= 0)
        return false;
    p->n += (size_t)k;
    p->data[p->n] = '\0';
    while (scripted.n_requests < SCRIPTED_REQUESTS) {
        size_t i = scripted.n_requests;
        struct scripted_request *q = &scripted.requests[i];
        if (!scripted_take(p, q))
            return true;
        q->overtook = scripted.held_text != NULL;
        scripted.n_requests++;
        if (!scripted_act(p->fd, q, i < scripted.n_turns ? &scripted.turns[i] : &good))
            return false;
    }
    return false;
}

static inline void scripted_accept(void)
{
    const int one = 1;
    int fd = accept(scripted.listener, NULL, NULL);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (scripted.n_peers == SCRIPTED_PEERS) {
        close(fd);
        return;
    }
    scripted.peers[scripted.n_peers++] =
        (struct scripted_peer){.fd = fd, .number = scripted.accepted++};
}

static inline void scripted_close(size_t i)
{
    close(scripted.peers[i].fd);
    free(scripted.peers[i].data);
    scripted.peers[i] = scripted.peers[--scripted.n_peers];
}

static inline void *scripted_run(void *arg)
{
    (void)arg;
    for (;;) {
        struct pollfd p[SCRIPTED_PEERS + 2] = {{scripted.stop[0], POLLIN, 0},
                                               {scripted.listener, POLLIN, 0}};
        size_t n = scripted.n_peers;
        for (size_t i = 0; i < n; i++)
            p[2 + i] = (struct pollfd){scripted.peers[i].fd, POLLIN, 0};
        const bool held = scripted.held_text && scripted.held_ms > 0;
        const int ready = poll(p, 2 + n, held ? scripted.held_ms : SCRIPTED_MS);
        if (ready == 0 && held)
            scripted_let();
        else if (ready <= 0 || p[0].revents)
            break;
        for (size_t i = n; i-- > 0;)
            if (p[2 + i].revents && !scripted_read(&scripted.peers[i]))
                scripted_close(i);
        if (p[1].revents)
            scripted_accept();
    }
    while (scripted.n_peers > 0)
        scripted_close(0);
    return NULL;
}

// ---- start and stop ----

static inline void scripted_start(const struct turn *turns, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    memset(&scripted, 0, sizeof scripted);
    scripted.turns = turns;
    scripted.n_turns = n;
    scripted.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(scripted.listener >= 0);
    assert_int_equal(bind(scripted.listener, (struct sockaddr *)&a, size), 0);
    assert_int_equal(listen(scripted.listener, 64), 0);
    assert_int_equal(getsockname(scripted.listener, (struct sockaddr *)&a, &size), 0);
    scripted.port = ntohs(a.sin_port);
    assert_int_equal(pipe(scripted.stop), 0);
    assert_int_equal(pthread_create(&scripted.thread, NULL, scripted_run, NULL), 0);
}

// Also twice, and where it was not started: a test that failed has left it running.
static inline void scripted_stop(void)
{
    if (!scripted.port)
        return;
    close(scripted.stop[1]);
    pthread_join(scripted.thread, NULL);
    close(scripted.stop[0]);
    close(scripted.listener);
    scripted.port = 0;
}

static inline void scripted_forget(void)
{
    scripted_stop();
    for (size_t i = 0; i < scripted.n_requests; i++) {
        free(scripted.requests[i].head);
        free(scripted.requests[i].body);
    }
    free(scripted.held_text);
    scripted.held_text = NULL;
    scripted.n_requests = 0;
}

#endif
