// fuzz_snapshot: snapshots with any numbers in them, and with the right checksum, into a state that
// must refuse them or go on without reading outside its histories.
//
// The bytes are edits of a snapshot that the state itself wrote: 10 bytes each, the word (2 bytes,
// modulo the length; its highest bit: cut the file there) and what is added to it.
#define _GNU_SOURCE // memfd_create
#include "tests/support.h"

#include <sys/mman.h>
#include <xxhash.h>

static const struct definition definitions[] = {
    {"a", "sum(customer, amount, 60s) + count(customer, 7d, past)"},
    {"b", "mean(customer, amount / 2, all, delay=30s)"},
    {"c", "since(customer)"},
    {"d", "sum(customer, mean(customer, amount, 1d), 1h)"},
};

enum { N_EVENTS = 24, MAX_WORDS = 4096, EDIT = 10 };

static struct plan plan;

// Events from a time on, of three keys; late or refused where the forged history is newer.
static int run(struct state *s, int64_t from)
{
    double results[N_EVENTS * LENGTH(definitions)];
    struct row rows[N_EVENTS];
    struct err err;
    for (int i = 0; i < N_EVENTS; i++)
        rows[i] = (struct row){
            .customer = (uint64_t)i % 3, .time = from + i * i * i, .amount = i / 100.0};
    return run_block(s, rows, N_EVENTS, results, &err);
}

// The words of a snapshot after the first events.
static size_t make_base(uint64_t *words)
{
    struct state s;
    struct err err;
    int fd = memfd_create("base", 0);
    plan_make(&plan, definitions, LENGTH(definitions));
    state_init(&s, &plan, 1);
    if (run(&s, 0) || snapshot_save(&s, fd, "base", &err))
        abort();
    ssize_t n = pread(fd, words, MAX_WORDS * sizeof *words, 0);
    if (n <= 0 || (size_t)n == MAX_WORDS * sizeof *words)
        abort();
    close(fd);
    state_release(&s);
    return (size_t)n / sizeof *words;
}

static void load_and_run(const uint64_t *words, size_t n)
{
    static const int64_t from[] = {
        0, 20000, 15000, 86400 * 30, 86400 * 26, 253402200000, 253402200000 - LATE_SECONDS / 2};
    char path[64];
    struct state s;
    struct err err;
    int fd = memfd_create("forged", 0);
    if (fd < 0 || pwrite(fd, words, n * sizeof *words, 0) != (ssize_t)(n * sizeof *words))
        abort();
    state_init(&s, &plan, 2);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (size_t i = 0; i < LENGTH(from) && (i > 0 || snapshot_load(&s, path, &err) == 0); i++)
        (void)run(&s, from[i]); // may be refused, must not read astray
    state_release(&s);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t base[MAX_WORDS];
    static size_t base_n;
    uint64_t words[MAX_WORDS];
    if (base_n == 0)
        base_n = make_base(base);
    size_t n = base_n;
    memcpy(words, base, sizeof words);
    for (; size >= EDIT && n > 1; data += EDIT, size -= EDIT) {
        uint16_t where;
        uint64_t change;
        memcpy(&where, data, sizeof where);
        memcpy(&change, data + sizeof where, sizeof change);
        if (where & 0x8000)
            n = 1 + (where & 0x7fff) % n;
        else
            words[where % n] += change;
    }
    words[n - 1] = XXH3_64bits(words, (n - 1) * sizeof *words);
    load_and_run(words, n);
    return 0;
}
