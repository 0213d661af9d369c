// overload: idle and slow clients, and too many requests.
#include "tests/server.h"

#include "base/progress.h"

#include <sys/resource.h>

// A client that hangs on has sent nothing, half a head, half a body, or a whole request.
static const char *const beginnings[] = {
    "",
    "POST /predict HTTP/1.1\r\nHost: x\r\nContent-",
    JSON_POST "Content-Length: 100\r\n\r\n{\"id\":",
    GET("/healthz"),
};

static void health_is_answered_at_once_while_1000_clients_hang_on(void **state)
{
    enum { CLIENTS = 1000, PROBES = 21 };
    static int clients[CLIENTS];
    struct rlimit files;
    int slow = 0;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < CLIENTS + 100)
        skip(); // no descriptors for so many clients here
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    server_begin(&own, "2048", NULL);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = dial(own.port);
        say(clients[i], beginnings[i % 4], strlen(beginnings[i % 4]));
    }
    for (int i = 0; i < PROBES; i++) {
        const double start = seconds_now();
        check_answer_at(own.port, GET("/healthz"), 200, "ok");
        slow += seconds_now() - start > 0.1;
    }
    if (slow > PROBES / 2)
        fail_msg("%d of %d probes took longer than 0.1 s", slow, PROBES);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    assert_int_equal(server_end(&own), 0);
}

static void a_client_that_hangs_on_is_cut_off(void **state)
{
    (void)state;
    server_begin(&own, "16", NULL);
    for (size_t i = 0; i < 4; i++) {
        int fd = dial(own.port);
        struct answer a;
        say(fd, beginnings[i], strlen(beginnings[i]));
        // Half a head is answered with 400 or not at all; the connection ends either way.
        if (try_hear(fd, &a, true) == 0)
            assert_int_equal(a.status, i == 3 ? 200 : i == 2 ? 408 : 400);
        else
            assert_true(i < 2);
        answer_free(&a);
        assert_true(is_closed(fd));
        close(fd);
    }
    assert_int_equal(server_end(&own), 0);
}

struct pusher {
    int answered, refused, other;
    char name;
};

static void *push(void *arg)
{
    struct pusher *p = arg;
    int fd = dial(own.port);
    for (int i = 0; i < 300; i++) {
        struct answer a;
        char body[200];
        snprintf(body, sizeof body,
                 "{\"id\":\"%c%d\",\"time\":\"" DAY
                 "T08:00:00Z\",\"customer\":1,\"terminal\":%d,\"amount\":1}",
                 p->name, i, i);
        say_post(fd, body);
        try_hear(fd, &a, true);
        if (a.status == 200)
            p->answered++;
        else if (a.status == 503 && strstr(a.head, "\r\nRetry-After: 1\r\n"))
            p->refused++;
        else
            p->other++;
        answer_free(&a);
    }
    close(fd);
    return NULL;
}

// Of many requests at once, all are answered where all may wait, and some refused where one may.
static void a_full_queue_refuses_requests(void **state)
{
    enum { PUSHERS = 8 };
    static const char *const limits[] = {"1000", "1"};
    (void)state;
    for (size_t l = 0; l < 2; l++) {
        pthread_t threads[PUSHERS];
        struct pusher pushers[PUSHERS];
        int answered = 0, refused = 0;
        own.more[0] = "--queue";
        own.more[1] = limits[l];
        server_begin(&own, "16", NULL);
        for (int i = 0; i < PUSHERS; i++) {
            pushers[i] = (struct pusher){.name = (char)('a' + i)};
            assert_int_equal(pthread_create(&threads[i], NULL, push, &pushers[i]), 0);
        }
        for (int i = 0; i < PUSHERS; i++) {
            pthread_join(threads[i], NULL);
            answered += pushers[i].answered;
            refused += pushers[i].refused;
        }
        assert_int_equal(answered + refused, PUSHERS * 300);
        assert_true(answered > 0);
        assert_int_equal(refused > 0, l == 1);
        assert_int_equal(server_end(&own), 0);
        *own.database = '\0';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(health_is_answered_at_once_while_1000_clients_hang_on,
                                  server_end_own),
        cmocka_unit_test_teardown(a_client_that_hangs_on_is_cut_off, server_end_own),
        cmocka_unit_test_teardown(a_full_queue_refuses_requests, server_end_own),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
