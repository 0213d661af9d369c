// A binary heap (Knuth, The Art of Computer Programming 3, 5.2.3) by time and order of adding.
#include "serve/replay_labels.h"

#include <stdlib.h>
#include <string.h>

static bool is_before(const struct label *a, const struct label *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static int grow(struct replay_labels *l)
{
    if (l->n < l->size)
        return 0;
    size_t size = l->size ? 2 * l->size : 1024;
    struct label **heap = realloc(l->heap, size * sizeof *heap);
    if (!heap)
        return -1;
    l->heap = heap;
    l->size = size;
    return 0;
}

struct label *replay_labels_add(struct replay_labels *l, const char *id, int64_t time, int value,
                                struct err *err)
{
    size_t n = strlen(id) + 1, at = l->n;
    struct label *label = malloc(sizeof *label + n);
    if (!label || grow(l)) {
        free(label);
        err_set(err, "out of memory for labels");
        return NULL;
    }
    *label = (struct label){.time = time, .order = l->added++, .value = value};
    memcpy(label->id, id, n);
    for (; at > 0 && is_before(label, l->heap[(at - 1) / 2]); at = (at - 1) / 2)
        l->heap[at] = l->heap[(at - 1) / 2];
    l->heap[at] = label;
    l->n++;
    return label;
}

bool replay_labels_due(const struct replay_labels *l, int64_t clock)
{
    return l->n > 0 && l->heap[0]->time <= clock - l->delay;
}

// Remove the earliest; the caller frees it.
static struct label *pop(struct replay_labels *l)
{
    struct label *top = l->heap[0], *last = l->heap[--l->n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < l->n; at = child) {
        if (child + 1 < l->n && is_before(l->heap[child + 1], l->heap[child]))
            child++;
        if (!is_before(l->heap[child], last))
            break;
        l->heap[at] = l->heap[child];
    }
    l->heap[at] = last;
    return top;
}

size_t replay_labels_take(struct replay_labels *l, int64_t clock, size_t max, struct reply *body)
{
    size_t n = 0;
    reply_add(body, "[");
    while (n < max && replay_labels_due(l, clock)) {
        struct label *label = pop(l);
        if (!label->lost) {
            reply_add(body, "%s{\"id\":", n++ ? "," : "");
            reply_string(body, label->id, strlen(label->id));
            reply_add(body, ",\"label\":%d}", label->value);
        }
        free(label);
    }
    reply_add(body, "]");
    return n;
}

void replay_labels_release(struct replay_labels *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->heap[i]);
    free(l->heap);
    *l = (struct replay_labels){0};
}
