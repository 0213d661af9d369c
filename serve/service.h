// service: the champion model, the state of its windows and the pseudonym key, loaded and checked.
//
//     struct service s;
//     service_load(&s, "models/simulated", "build/simulated/features/state.bin",
//                  "var/pseudonym.key", &err)
//     service_latest_time(&s)                  any thread, here and below
//     service_run(&s, &events, out, &err)
//     service_ready(&s)
//     service_hold(&s); ... s.model, s.version, s.model_text ...; service_let(&s)
//     service_reload(&s, &err)                 the champion of now, without a stop
//     service_release(&s)
//
// The snapshot's keys were made under the pseudonym key, so the key file must be the one that
// ingest used: it is read and never made here.
//
// There is one order of events: the first three take a mutex around the state. A reload changes the
// model, its version and its description, so these are read between service_hold and service_let; but
// for the plan, which stays what and where it is. All else is constant after service_load and may be
// read by any thread. Ownership: a service owns all it points to
// until service_release; it must not be moved in memory, since the state borrows the model's plan.
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "features/state.h"
#include "ingest/dictionary.h"
#include "ingest/pseudonym.h"
#include "train/model.h"

#include <pthread.h>

struct service {
    char *models; // the registry's folder
    char *name;   // the model's: the last component of that folder's path, links followed
    struct model model;
    char version[24];             // of the registry, decimal
    char *model_text;             // what GET /model answers
    pthread_rwlock_t replacement; // around the three above, but for model.plan
    struct state state;
    pthread_mutex_t lock; // around state
    struct pseudonym pseudonym;
    struct dictionary *dictionaries; // [model.plan.schema.n]: of categories, what the plan asks for
};

int service_load(struct service *s, const char *models, const char *state, const char *key,
                 struct err *err);
void service_release(struct service *s);

// The latest time that an event may have, seconds since 1970: a day after the wall clock or after
// the newest event, whichever is later. One event with a wrong clock would have all later ones of its keys
// refused. Times that count seconds from a start of their own (time_format epoch) lie far before
// the wall clock; numbers of rows have no clock: INT64_MAX.
int64_t service_latest_time(struct service *s);

// state_run in the one order of events. Where it fails and the service is ready still, nothing has
// been counted.
int service_run(struct service *s, const struct events *events, float *const *out, struct err *err);

// Nothing is replaced between these two. Not to be nested.
void service_hold(struct service *s);
void service_let(struct service *s);

// Load the registry's champion and put it in the old model's place. Refused, and the old one stays,
// where its file is not the one that was trained, or where it was trained on other columns or
// features than those of the running state.
int service_reload(struct service *s, struct err *err);

// False from when memory ran out in the middle of a block: every service_run fails from then on.
bool service_ready(struct service *s);

#endif
