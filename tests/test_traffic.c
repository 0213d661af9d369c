// counters: the bins of the last minutes while the clock runs, rests and is set.
#include "base/value.h"
#include "serve/counters.h"
#include "tests/support.h"

enum { NOON = 1790000000 }; // a multiple of TRAFFIC_SECONDS

static time_t clock_now;

time_t time(time_t *t) // in place of the C library's
{
    if (t)
        *t = clock_now;
    return clock_now;
}

static struct traffic begin(void)
{
    return (struct traffic){.first = NOON / TRAFFIC_SECONDS, .last = NOON / TRAFFIC_SECONDS};
}

// The answer to GET /history at that moment, to be released.
static json_t *ask_history(struct traffic *t, int64_t after)
{
    struct reply reply = {0};
    clock_now = NOON + after;
    traffic_write(t, &reply);
    json_t *json = json_loadb(reply.text, reply.n, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "seconds")), TRAFFIC_SECONDS);
    reply_release(&reply);
    return json;
}

TEST_CASE(bins_follow_the_clock)
{
    static const struct {
        const char *what;
        int64_t events[5];    // seconds after NOON, each counts a request; ended by -1
        int64_t asked;        // and when the history is asked for
        int64_t first;        // start of the first bin, seconds after NOON
        const char *requests; // of each bin
    } cases[] = {
        {"nothing came", {-1}, 0, 0, "0"},
        {"an event is in the bin of its moment", {0, 9, 10, 29, -1}, 29, 0, "2 1 1"},
        {"bins without an event are there", {5, 35, -1}, 59, 0, "1 0 0 1 0 0"},
        {"the oldest go", {0, 905, -1}, 915, 10, NULL},
        {"a long rest leaves nothing", {0, 5, -1}, 100000, 99100, NULL},
        {"a corrected clock counts in the last bin", {25, 18, 15, 31, -1}, 31, 0, "0 0 3 1"},
        {"and as long as it is behind", {65, 5, 10, -1}, 12, 0, "0 0 0 0 0 0 3"},
        {"a clock that was set back begins again", {35, 500, 75, 85, -1}, 85, 70, "1 1"},
        {"even before the start", {500, -1}, -305, -310, "0"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct traffic t = begin();
        char start[TIME_TEXT], is[1024] = "", *end = is;
        size_t requests = 0;
        for (const int64_t *e = cases[i].events; *e != -1; e++) {
            clock_now = NOON + *e;
            traffic_count(&t, BIN_GOOD);
        }
        json_t *json = ask_history(&t, cases[i].asked), *bins = json_object_get(json, "bins"), *bin;
        size_t k;
        json_array_foreach(bins, k, bin)
        {
            const json_int_t n = json_integer_value(json_object_get(bin, "requests"));
            end += sprintf(end, "%s%d", k ? " " : "", (int)n);
            requests += (size_t)n;
            assert_string_equal(
                json_string_value(json_object_get(bin, "start")),
                time_text(start, NOON + cases[i].first + (int64_t)k * TRAFFIC_SECONDS));
        }
        if (cases[i].requests ? strcmp(is, cases[i].requests) != 0
                              : k != TRAFFIC_BINS || requests != (cases[i].asked < 1000))
            fail_msg("%s: %s", cases[i].what, is);
        json_decref(json);
    }
}

TEST_CASE(each_count_has_its_name)
{
    static const char *const names[] = {NULL, "errors_4xx", "errors_5xx", "approve", "review"};
    struct traffic t = begin();
    clock_now = NOON;
    for (size_t what = 0; what < TRAFFIC_COUNTS; what++)
        for (size_t n = 0; n <= what; n++)
            traffic_count(&t, what);
    json_t *json = ask_history(&t, 0), *bin = json_array_get(json_object_get(json, "bins"), 0);
    const json_t *latency = json_object_get(bin, "latency");
    assert_int_equal(json_integer_value(json_object_get(bin, "requests")), 1 + 2 + 3);
    for (size_t i = BIN_4XX; i < BIN_LATENCY; i++)
        assert_int_equal(json_integer_value(json_object_get(bin, names[i])), i + 1);
    assert_int_equal(json_array_size(latency), COUNTERS_BOUNDS + 1);
    for (size_t i = 0; i <= COUNTERS_BOUNDS; i++)
        assert_int_equal(json_integer_value(json_array_get(latency, i)), BIN_LATENCY + i + 1);
    json_decref(json);
}

TESTS(NULL, NULL)
