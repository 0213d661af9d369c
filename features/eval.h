// eval: the nodes of a plan that need nothing but the event itself, over a block of events.
#ifndef FEATURES_EVAL_H
#define FEATURES_EVAL_H

#include "features/state.h"

// What a block is evaluated on. values[node][event]: results, for events [0, n).
struct block {
    const struct plan *plan;
    const struct events *events;
    double **values;
    const uint32_t *text_codes; // [node]: the code of an IS_TEXT node's text, UINT32_MAX where none
    int label;                  // 0 or 1: what all events count as; -1: what the label column says
};

// Compute a node that is no window, for events [first, end). Its operands are there already.
void eval_node(const struct block *b, size_t node, size_t first, size_t end);

#endif
