// Ids count up from a random number, so that those of two runs seldom meet.
#include "serve/access.h"

#include "ingest/value.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static atomic_uint_least64_t next_id;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin_ids(void)
{
    uint64_t first;
    randombytes_buf(&first, sizeof first);
    atomic_store(&next_id, first);
}

void access_id(char id[REQUEST_ID], const char *header)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t n = header ? strlen(header) : 0;
    if (n > 0 && n < REQUEST_ID && strspn(header, allowed) == n) {
        memcpy(id, header, n + 1);
        return;
    }
    pthread_once(&once, begin_ids);
    const uint64_t number = atomic_fetch_add(&next_id, 1);
    for (int i = 0; i < 16; i++)
        id[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
    id[16] = '\0';
}

void access_log(const struct access *a)
{
    char line[512], now[TIME_TEXT];
    int n = snprintf(line, sizeof line,
                     "{\"time\":\"%s\",\"id\":\"%s\",\"method\":\"%s\",\"path\":\"%s\","
                     "\"status\":%d,\"bytes\":%zu,\"seconds\":%.6f}\n",
                     time_text(now, (int64_t)time(NULL)), a->id, a->method ? a->method : "-",
                     a->path ? a->path : "-", a->status, a->bytes, a->seconds);
    if (n > 0 && (size_t)n < sizeof line)
        fwrite(line, 1, (size_t)n, stderr); // stderr has no buffer: one write
}
