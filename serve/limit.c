// A table of LIMIT_WAYS places for each hash; the longest unheard makes room.
#include "serve/limit.h"

#include <arpa/inet.h>
#include <string.h>

void limit_init(struct limit *l, double rate)
{
    memset(l, 0, sizeof *l);
    l->rate = rate;
    pthread_mutex_init(&l->lock, NULL); // cannot fail without attributes
}

void limit_release(struct limit *l)
{
    if (l->rate > 0)
        pthread_mutex_destroy(&l->lock);
    l->rate = 0;
}

// Its place, made where it is new: full of tokens.
static size_t find(struct limit *l, uint32_t address, double now)
{
    // Knuth's multiplicative hash; its high bits depend on all of the address.
    const size_t first = (size_t)(address * UINT32_C(2654435761) >> 23) * LIMIT_WAYS;
    size_t oldest = first;
    for (size_t i = first; i < first + LIMIT_WAYS; i++) {
        if (l->clients[i].address == address)
            return i;
        if (l->clients[i].heard < l->clients[oldest].heard)
            oldest = i;
    }
    l->clients[oldest].address = address;
    l->clients[oldest].tokens = l->rate;
    l->clients[oldest].heard = now;
    return oldest;
}

bool limit_take(struct limit *l, const char *address, double now)
{
    struct in_addr a;
    if (l->rate <= 0 || inet_pton(AF_INET, address, &a) != 1)
        return true;
    pthread_mutex_lock(&l->lock);
    const size_t i = find(l, a.s_addr, now);
    double tokens = l->clients[i].tokens + (now - l->clients[i].heard) * l->rate;
    tokens = tokens > l->rate ? l->rate : tokens;
    const bool may = tokens >= 1;
    l->clients[i].tokens = may ? tokens - 1 : tokens;
    l->clients[i].heard = now;
    pthread_mutex_unlock(&l->lock);
    return may;
}
