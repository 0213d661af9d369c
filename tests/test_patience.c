// patience: how long poll waits for a client, on pairs of sockets.
#include "serve/http.h"

#include "base/progress.h"
#include "tests/scratch.h"

#include <poll.h>
#include <sys/socket.h>

// What poll returns for that side of a pair whose other side says and reads nothing, and whether it
// then takes a byte.
static int waits(short events, bool *open)
{
    int fds[2];
    char data[4096] = "";
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    while (send(fds[0], data, sizeof data, MSG_DONTWAIT) > 0)
        ;
    struct pollfd p = {fds[0], events, 0};
    const int rc = poll(&p, 1, 200);
    recv(fds[1], data, sizeof data, 0);
    *open = send(fds[0], data, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 || errno == EAGAIN;
    close(fds[0]);
    close(fds[1]);
    return rc;
}

TEST_CASE(only_the_time_between_requests_is_not_counted)
{
    bool open;
    patience.left = 0.5;
    for (int i = 0; i < 4; i++) { // 0.2 s idle each
        patience_for(10, true);
        assert_int_equal(waits(POLLIN, &open), 0);
    }
    assert_true(patience.left == 0.5);
    for (int i = 0; i < 3; i++) { // and 0.2 s after the first bytes
        patience_for(10, false);
        assert_int_equal(waits(POLLIN, &open), 0);
    }
    assert_true(patience.left < 0.05);
    patience_for(10, false);
    assert_int_equal(waits(POLLIN, &open), -1);
}

TESTS(NULL, NULL)
