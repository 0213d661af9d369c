// patience: how long a worker thread waits for the client of the connection that it serves.
//
//     patience_begin(10)      a connection; seconds for all waits but those between its requests
//     patience_for(2, true)   from now on, for its next request, which may not have begun
//     patience_for(2, false)  from now on, for a body, or for an answer to be taken
//
// A wait ends when the seconds of either are over, or SCARCE_SECONDS while workers are scarce; the
// library then gives the request up.
#ifndef SERVE_PATIENCE_H
#define SERVE_PATIENCE_H

#include <stdbool.h>

enum { SCARCE_SECONDS = 2 };

void patience_begin(double seconds);
void patience_for(double seconds, bool idle);
void patience_scarce(bool is); // for all threads
double patience_left(void);
bool patience_ended(void);

#endif
