// labels: what a label that comes later changes in a state.
//
// When an event is served its label is not known and counts as 0, genuine. What it added to the
// windows may depend on the label: label * amount, say. So each event has two values for every lane
// that depends on the label, as genuine and as fraud; whoever may be told the label later keeps both,
// and changes one for the other then. Windows over the label have a delay, so a label that comes
// within it changes nothing that was computed already, and all that follows has the bits of a batch
// that knew the label from the start.
//
//     state_run(&s, &events, out, &err)
//     labels_values(&s, &events, genuine, fraud)     of the block that ran last
//     labels_change(&s, &one, genuine, fraud)        it was fraud: later, for one event
//
// Ownership: everything is borrowed.
#ifndef FEATURES_LABELS_H
#define FEATURES_LABELS_H

#include "features/state.h"

// How many lanes depend on the label: in the order of tracks, and of lanes in a track.
size_t labels_count(const struct plan *p);

// genuine[e][l], fraud[e][l]: what event e of the block that state_run has just run adds to lane l
// with label 0 and with label 1; l < labels_count.
void labels_values(struct state *s, const struct events *events, double *genuine, double *fraud);

// One event that ran earlier, as its time and keys: its values change from was[l] to is[l].
void labels_change(struct state *s, const struct events *one, const double *was, const double *is);

#endif
