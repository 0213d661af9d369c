// CivetWeb waits in poll(2) only, and bounds each wait alone: a client that sends or takes a byte
// now and then would hold its worker for ever, and the library hands out no socket to bound it
// otherwise. So this poll takes the place of libc's in the whole program. Threads that have called
// nothing here wait as ever.
#define _GNU_SOURCE // ppoll
#include "serve/patience.h"

#include "base/progress.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

static atomic_bool scarce;
static _Thread_local struct {
    double left;           // seconds that the connection may still be waited for
    double start, seconds; // of what is waited for now; start 0: there is no limit
    bool idle;             // no byte of the next request has come
} patience;

void patience_begin(double seconds)
{
    patience.left = seconds;
}

void patience_for(double seconds, bool idle)
{
    patience.start = seconds_now();
    patience.seconds = idle ? seconds : fmin(seconds, patience.left);
    patience.idle = idle;
}

void patience_scarce(bool is)
{
    atomic_store(&scarce, is);
}

double patience_left(void)
{
    return patience.left;
}

static double remaining(double now)
{
    const double seconds = patience.seconds;
    return patience.start - now + (atomic_load(&scarce) ? fmin(seconds, SCARCE_SECONDS) : seconds);
}

bool patience_ended(void)
{
    return remaining(seconds_now()) <= 0;
}

// At the end: -1, and a socket that takes no more bytes is shut down, since the library would go on
// trying.
int poll(struct pollfd *fds, nfds_t n, int ms)
{
    const double start = patience.start > 0 ? seconds_now() : 0;
    double seconds = ms / 1e3;
    if (start > 0 && remaining(start) <= 0) {
        if (fds->events & POLLOUT)
            shutdown(fds->fd, SHUT_RDWR);
        errno = ETIMEDOUT;
        return -1;
    }
    if (start > 0 && (ms < 0 || seconds > remaining(start)))
        seconds = fmax(0, remaining(start));
    const struct timespec limit = {(time_t)seconds, (long)(1e9 * fmod(seconds, 1))};
    const int rc = ppoll(fds, n, seconds < 0 ? NULL : &limit, NULL);
    if (start > 0 && !patience.idle)
        patience.left -= seconds_now() - start;
    patience.idle = false;
    return rc;
}
