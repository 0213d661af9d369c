// overload: idle and slow clients, and too many requests.
#include "tests/server.h"

#include "base/progress.h"

#include <sqlite3.h>
#include <sys/resource.h>

// A client that hangs on has sent nothing, half a head, half a body, or a whole request.
static const char *const beginnings[] = {
    "",
    "POST /predict HTTP/1.1\r\nHost: x\r\nContent-",
    JSON_POST "Content-Length: 100\r\n\r\n{\"id\":",
    GET("/healthz"),
};

TEST_CASE(health_is_answered_at_once_while_1000_clients_hang_on)
{
    enum { CLIENTS = 1000, PROBES = 21 };
    static int clients[CLIENTS];
    struct rlimit files;
    int slow = 0;
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

TEST_CASE(a_client_that_hangs_on_is_cut_off)
{
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

// One may wait, for a second; the other is told at once when to try again.
TEST_CASE(a_short_hold_of_the_database_is_waited_for_by_as_many_as_the_queue_takes)
{
    static const char body[] =
        "{\"id\":\"1\",\"time\":\"" DAY "T08:00:00Z\",\"customer\":1,\"terminal\":1,\"amount\":1}";
    sqlite3 *db;
    struct pollfd waiting[2];
    struct answer a;
    own.more[0] = "--queue";
    own.more[1] = "1";
    server_begin(&own, "16", NULL);
    assert_int_equal(sqlite3_open(own.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 2; i++) {
        waiting[i] = (struct pollfd){dial(own.port), POLLIN, 0};
        say_post(waiting[i].fd, body);
    }
    assert_int_equal(poll(waiting, 2, WAIT_MS), 1);
    const int refused = waiting[0].revents ? 0 : 1;
    hear(waiting[refused].fd, &a);
    sqlite3_close(db); // rolls back
    assert_true(a.status == 503 && strstr(a.head, "\r\nRetry-After: 1\r\n"));
    answer_free(&a);
    hear(waiting[!refused].fd, &a);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    close(waiting[0].fd);
    close(waiting[1].fd);
    assert_int_equal(server_end(&own), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OWN(health_is_answered_at_once_while_1000_clients_hang_on),
        OWN(a_client_that_hangs_on_is_cut_off),
        OWN(a_short_hold_of_the_database_is_waited_for_by_as_many_as_the_queue_takes),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
