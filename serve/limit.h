// limit: so many requests a second from one address, as a token bucket (RFC 2697's committed rate, with
// a burst of one second's worth).
//
//     limit_init(&l, 100)
//     if (!limit_take(&l, "10.0.0.7", seconds_now())) ... 429, try again in a second ...
//
// It remembers LIMIT_CLIENTS addresses; of more, those that were heard last. Behind a proxy all requests
// come from its address: limit there instead (deploy/nginx.conf).
// Ownership: nothing is allocated; zeroed, there is no limit. Any thread.
#ifndef SERVE_LIMIT_H
#define SERVE_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { LIMIT_WAYS = 8, LIMIT_CLIENTS = 512 * LIMIT_WAYS }; // 9 bits of a hash

struct limit {
    double rate; // requests a second; 0: no limit
    pthread_mutex_t lock;
    struct {
        uint32_t address;     // IPv4; 0: free
        double tokens, heard; // what it may still send, and when that was so
    } clients[LIMIT_CLIENTS];
};

void limit_init(struct limit *l, double rate);
bool limit_take(struct limit *l, const char *address, double now);
void limit_release(struct limit *l);

#endif
