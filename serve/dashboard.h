// dashboard: the page at GET / and the files that it loads, web/ of this repository, out of the program
// itself.
//
//     if (dashboard_get("style.css", q->reply)) ...
//
// The page asks GET /metrics, /model and /decisions, and sends POST /predict. The files contain nothing
// of the service, so they need no token. Their headers restrict the page: it may load from this server
// only, and run no inline script or style.
// Ownership: the reply borrows the bytes, which are constant.
#ifndef SERVE_DASHBOARD_H
#define SERVE_DASHBOARD_H

#include "serve/reply.h"

// Fill the reply with the file of that name, "" for the page; false, and nothing is done, if there is none.
bool dashboard_get(const char *name, struct reply *r);

#endif
