// access: the name of each request, and a line about it on stderr.
//
// A request is known by the client's X-Request-Id where that is 1 to 64 letters, digits, '.', '_' or
// '-', else by 16 hexadecimal digits of our own. The answer carries it, and so does the log:
//
//     {"time":"2026-11-25T10:00:00Z","id":"7f…","method":"POST","path":"/predict","status":200,
//      "bytes":412,"seconds":0.000231}
//
// No line holds what a client sent but that id: a method or path that the server does not know is
// "-", and bodies and headers are never logged. One write a line, so lines of threads do not mix.
#ifndef SERVE_ACCESS_H
#define SERVE_ACCESS_H

#include <stddef.h>

enum { REQUEST_ID = 65 }; // bytes, with the 0 at the end

// header: X-Request-Id as it was sent; NULL where it was not. Any thread.
void access_id(char id[REQUEST_ID], const char *header);

struct access {
    const char *id, *method, *path; // NULL: not known
    int status;
    size_t bytes;   // of the answer's body
    double seconds; // from the head's arrival to the answer's
};

void access_log(const struct access *a);

#endif
