// dashboard: the page at GET / and the files that it loads, out of the program itself.
//
//     if (dashboard_get("/dashboard.css", &x->worker->reply)) ...
//
//     /                 the page; it asks GET /metrics, /model and /decisions, and sends POST /predict
//     /dashboard.css    /dashboard.svg
//     /dashboard.js, and what it imports: /dashboard_base.js  /dashboard_charts.js  /dashboard_form.js
//     /dashboard_metrics.js
//     /chart.js         Chart.js, as Debian's libjs-chart.js has it
//
// They hold nothing of the service, so they want no token; what the page asks for does. Their head says
// what the page may do: load from this server alone, and run no script or style that stands in the page.
// Ownership: the reply borrows the bytes, which are constant.
#ifndef SERVE_DASHBOARD_H
#define SERVE_DASHBOARD_H

#include "serve/reply.h"

// Fill the reply with the file at the path; false, and nothing is done, where there is none.
bool dashboard_get(const char *path, struct reply *r);

#endif
