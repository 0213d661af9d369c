// signals: SIGTERM, SIGINT and SIGHUP come to the main thread, where sigwait takes them.
//
//     sigset_t signals; int number;
//     signals_block(&signals, &err)        in main's thread, before it starts others
//     sigwait(&signals, &number)
#ifndef SERVE_SIGNALS_H
#define SERVE_SIGNALS_H

#include "base/err.h"

#include <signal.h>

int signals_block(sigset_t *signals, struct err *err);

#endif
