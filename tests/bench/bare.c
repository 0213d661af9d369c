// bare: CivetWeb's own speed, for tests/bench/serve.py. Reads each request's body and answers BYTES
// constant bytes, head and body in one write, with the settings of serve/http.c.
//
//     bare THREADS BYTES         prints "bare: http://127.0.0.1:PORT"; SIGTERM ends it with 0
#include <civetweb.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 4096, LEAST_BYTES = 256, MOST_BYTES = 65536 };

static char answer[MOST_BYTES];
static size_t answer_bytes;

// A head, and a JSON string that fills the rest.
static void make_answer(size_t bytes)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Connection: keep-alive\r\nContent-Length: %05zu\r\n\r\n";
    const size_t head_bytes = sizeof head - 1; // %05zu and its five digits are as long
    memset(answer, 'x', bytes);
    snprintf(answer, bytes, head, bytes - head_bytes);
    answer[head_bytes] = answer[bytes - 1] = '"';
    answer_bytes = bytes;
}

static int begin_request(struct mg_connection *connection)
{
    char body[4096];
    long long left = mg_get_request_info(connection)->content_length;
    while (left > 0) {
        int n = mg_read(connection, body, sizeof body);
        if (n <= 0)
            break;
        left -= n;
    }
    mg_write(connection, answer, answer_bytes);
    return 200;
}

static struct mg_context *start(const char *threads)
{
    const char *options[] = {"listening_ports",
                             "127.0.0.1:0",
                             "num_threads",
                             threads,
                             "request_timeout_ms",
                             "2000",
                             "keep_alive_timeout_ms",
                             "2000",
                             "enable_keep_alive",
                             "yes",
                             "tcp_nodelay",
                             "1",
                             "decode_url",
                             "no",
                             "enable_directory_listing",
                             "no",
                             "access_control_allow_origin",
                             "",
                             "access_control_allow_methods",
                             "",
                             NULL};
    const struct mg_callbacks callbacks = {.begin_request = begin_request};
    return mg_start(&callbacks, NULL, options);
}

// The number of a command-line argument, -1 where it is none of first to last.
static long number(const char *text, long first, long last)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    return errno || end == text || *end || n < first || n > last ? -1 : n;
}

int main(int argc, char **argv)
{
    long threads = argc == 3 ? number(argv[1], 1, MAX_THREADS) : -1;
    long bytes = argc == 3 ? number(argv[2], LEAST_BYTES, MOST_BYTES) : -1;
    struct mg_server_port port;
    sigset_t signals;
    int signal;
    if (threads < 0 || bytes < 0) {
        fprintf(stderr, "usage: bare THREADS BYTES, 1 to %d and %d to %d\n", MAX_THREADS,
                LEAST_BYTES, MOST_BYTES);
        return 2;
    }
    make_answer((size_t)bytes);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct mg_context *context = start(argv[1]);
    if (!context || mg_get_server_ports(context, 1, &port) != 1) {
        fprintf(stderr, "bare: cannot listen on 127.0.0.1\n");
        return 1;
    }
    printf("bare: http://127.0.0.1:%d\n", port.port);
    if (fflush(stdout))
        return 1;
    sigwait(&signals, &signal);
    mg_stop(context);
    return 0;
}
