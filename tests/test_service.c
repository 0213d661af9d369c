// service: another champion replaces the one that serves.
#include "tests/server.h"

#include <stdatomic.h>

#define RELOAD "POST /admin/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

static void promote(int version)
{
    succeed("registry --models $F/models promote %d", version);
}

static void assert_decides(const char *version)
{
    const char *words = formatted("\"model\":\"%s\"", version);
    check_answer_at(shared.port, GET("/model"), 200, words);
    check_answer_at(shared.port, GET("/readyz"), 200, words);
}

// The setup has trained a version since the server started.
TEST_CASE(a_promoted_model_is_loaded_by_itself_by_request_and_by_sighup)
{
    await_answer(shared.port, GET("/loop"), "\"action\":\"train\",\"version\":2,");
    assert_int_equal(logged("decides now"), 0);
    assert_decides("1");
    promote(2);
    await_answer(shared.port, GET("/metrics"), "assay_model_info{version=\"2\",");
    assert_decides("2");
    check_answer_at(shared.port, GET("/loop"), 200, "\"action\":\"promote\",\"version\":2,");
    succeed("registry --models $F/models rollback");
    await_answer(shared.port, GET("/readyz"), "\"1\"");
    assert_decides("1");
    assert_int_equal(logged("decides now"), 2);
    check_answer_at(shared.port, RELOAD, 200, "{\"model\":\"1\",\"sha256\":\"");
    assert_int_equal(kill(shared.pid, SIGHUP), 0);
    wait_for_log("decides now", 4);
}

TEST_CASE(a_damaged_ledger_is_told_once_and_the_model_goes_on)
{
    succeed("cd $F/models && cp ledger.jsonl kept && echo '{}' >>ledger.jsonl");
    wait_for_log("the present model goes on", 1);
    poll(NULL, 0, 1500);
    assert_int_equal(logged("the present model goes on"), 1);
    check_answer_at(shared.port, GET("/loop"), 200, "\"challenger\":null,\"ledger\":null");
    assert_decides("1");
    succeed("mv $F/models/kept $F/models/ledger.jsonl");
    await_answer(shared.port, GET("/loop"), "\"ledger\":[{");
}

TEST_CASE(the_loop_has_the_newest_drift_and_comparison_or_says_that_they_are_damaged)
{
    static const char drift[] =
        "{\"columns\":[],\"model\":{\"version\":1},\"verdict\":{\"sentence\":\"-\"},"
        "\"periods\":{},\"performance\":{}}";
    static const char comparison[] = "{\"verdict\":{\"sentence\":\"-\"},\"flips\":{\"rows\":[1]}}";
    check_answer_at(shared.port, GET("/loop"), 200, "{\"drift\":null,\"challenger\":null,\"l");
    scratch_text("drift.json", drift + 1);
    await_answer(shared.port, GET("/loop"), "\"drift\":null,");
    await_answer(shared.port, GET("/loop"), "\"drift_error\":\"its file is damaged");
    scratch_text("drift.json", drift);
    await_answer(shared.port, GET("/loop"),
                 "{\"drift\":{\"model\":{\"version\":1},\"verdict\":{\"sentence\":\"-\"},"
                 "\"periods\":{}},\"challenger\":null,");
    scratch_text("models/2/comparison.json", comparison + 1);
    promote(1); // a line, but no other champion
    await_answer(shared.port, GET("/loop"), "\"challenger_error\":\"its file is damaged");
    scratch_text("models/2/comparison.json", comparison);
    promote(1);
    await_answer(shared.port, GET("/loop"),
                 "\"challenger\":{\"verdict\":{\"sentence\":\"-\"}},\"ledger\":[{");
}

TEST_CASE(a_model_that_does_not_fit_or_was_altered_leaves_the_old_one)
{
    kill(shared.pid, SIGSTOP);
    promote(2);
    succeed("cd $F && cp models/2/model.json kept && sed -i 's/\"l2\": [^,]*/\"l2\": "
            "0.25/' models/2/model.json");
    kill(shared.pid, SIGCONT);
    wait_for_log("was altered since its training", 1);
    check_answer_at(shared.port, RELOAD, 409, "the present model goes on");
    assert_decides("1");
    succeed("grep -q '^{.*\"level\":\"notice\".*the present model goes on\"}$' "
            "$F/access.log");
    // Other features: another plan than that of the state.
    succeed("cd $F && cp kept models/2/model.json && cd - "
            "&& sed '/^night .*hour/d; /^night  = night/d' datasets/sample.ini "
            ">$F/fewer.ini && features --config $F/fewer.ini --output $F/fewer "
            "$F/table && train --config $F/fewer.ini --output $F/models --promote "
            "$F/fewer");
    check_answer_at(shared.port, RELOAD, 409, "was trained on other [columns] or [features]");
    assert_decides("1");
}

struct asker {
    pthread_t thread;
    int number, wrong;
    int decided[2]; // by each model
};
static atomic_bool stop;

// On a slow machine a connection's time runs out, and its last answer says so.
static int dial_again(int fd, const struct answer *a)
{
    if (!strstr(a->head, "Connection: close"))
        return fd;
    close(fd);
    return dial(shared.port);
}

// Sends a new transaction each time; every answer must be complete and from one of the two models.
static void *ask_on(void *arg)
{
    struct asker *c = arg;
    char body[160];
    int fd = dial(shared.port);
    for (int i = 0; !atomic_load(&stop); i++) {
        struct answer a;
        snprintf(body, sizeof body,
                 "{\"id\":\"%d-%d\",\"time\":\"2018-05-20T00:00:00Z\",\"customer\":\"7\","
                 "\"terminal\":\"7\",\"amount\":5}",
                 c->number, i);
        say_post(fd, body);
        const bool whole = try_hear(fd, &a, true) == 0 && a.status == 200;
        const bool first = whole && strstr(a.text, "\"model\":\"1\"");
        if (first || (whole && strstr(a.text, "\"model\":\"2\"")))
            c->decided[!first]++;
        else
            c->wrong++;
        fd = dial_again(fd, &a);
        answer_free(&a);
    }
    close(fd);
    return NULL;
}

static void *reload_on(void *arg)
{
    struct asker *c = arg;
    int fd = dial(shared.port);
    while (!atomic_load(&stop)) {
        struct answer a;
        say(fd, RELOAD, strlen(RELOAD));
        c->wrong += try_hear(fd, &a, true) || a.status != 200;
        fd = dial_again(fd, &a);
        answer_free(&a);
    }
    close(fd);
    return NULL;
}

// A reload that read the champion before a promotion must not replace the newer one.
TEST_CASE(racing_reloads_under_load_lose_no_request_and_bring_no_older_model_back)
{
    enum { ASKERS = 4, ALL = 7, PROMOTIONS = 40 };
    static struct asker askers[ALL]; // a failed assertion leaves the threads running
    promote(1);
    for (int i = 0; i < ALL; i++) {
        askers[i].number = i;
        assert_int_equal(
            pthread_create(&askers[i].thread, NULL, i < ASKERS ? ask_on : reload_on, &askers[i]),
            0);
    }
    for (int i = 0; i < PROMOTIONS; i++) {
        const char *words = i % 2 ? "\"model\":\"2\"" : "\"model\":\"1\"";
        promote(1 + i % 2);
        check_answer_at(shared.port, RELOAD, 200, words);
        for (int k = 0; k < 5; k++)
            check_answer_at(shared.port, GET("/readyz"), 200, words);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < ALL; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].wrong, 0);
        assert_true(i >= ASKERS || (askers[i].decided[0] > 0 && askers[i].decided[1] > 0));
    }
}

// A second version, with another l2.
static int setup(void **state)
{
    return server_artifacts(state) ||
           run("sed 's/^l2 = .*/l2 = 0.5/' datasets/sample.ini >$F/other.ini && train --config "
               "$F/other.ini --output $F/models $F/features && rm $F/models/2/comparison.json");
}

TESTS(setup, server_remove)
