// CivetWeb waits in poll(2) only, and bounds each wait alone: a client that sends or takes a byte
// now and then would hold its worker for ever, and the library hands out no socket to bound it
// otherwise. So this poll takes the place of libc's in the whole program. Threads that have no
// patience wait as ever.
#define _GNU_SOURCE // ppoll
#include "serve/http.h"

#include "base/progress.h"

#include <math.h>
#include <poll.h>
#include <sys/socket.h>

_Thread_local struct patience patience;
atomic_bool patience_scarce;

void patience_for(double seconds, bool idle)
{
    patience.start = seconds_now();
    patience.seconds = idle ? seconds : fmin(seconds, patience.left);
    patience.idle = idle;
}

double patience_remaining(void)
{
    const double most = atomic_load(&patience_scarce) ? SCARCE_SECONDS : INFINITY;
    return patience.start + fmin(patience.seconds, most) - seconds_now();
}

// At the end: -1, and a socket that takes no more bytes is shut down, since the library would go on
// trying.
int poll(struct pollfd *fds, nfds_t n, int ms)
{
    const double start = seconds_now(), left = patience.start > 0 ? patience_remaining() : INFINITY;
    if (left <= 0) {
        if (fds->events & POLLOUT)
            shutdown(fds->fd, SHUT_RDWR);
        errno = ETIMEDOUT;
        return -1;
    }
    const double seconds = fmin(left, ms < 0 ? 1e9 : ms / 1e3);
    const struct timespec limit = {(time_t)seconds, (long)(1e9 * fmod(seconds, 1))};
    const int rc = ppoll(fds, n, &limit, NULL);
    if (!patience.idle)
        patience.left -= seconds_now() - start;
    patience.idle = false;
    return rc;
}
