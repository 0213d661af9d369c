// Kill -9 under load, several times: every acknowledged transaction and label is there once, with
// the answer that it had. ASSAY_KILLS sets the number of kills (3 by default, 50 in `make soak`).
#include "tests/database.h"
#include "tests/server.h"

enum { CLIENTS = 4, MOST = 200000 };

struct client {
    pthread_t thread;
    int name;
    int sent;            // ids name-0 .. name-(sent - 1) were acknowledged
    int told;            // labels that were
    bool is_told[MOST];  // which
    char *answers[MOST]; // to each id
};

static struct client clients[CLIENTS];
static atomic_bool stop;

static void transaction(char *body, size_t size, const struct client *c, int i)
{
    // Each client has a customer of its own; terminals are shared.
    snprintf(body, size,
             "{\"id\":\"%d-%d\",\"time\":\"" DAY "T%02d:%02d:%02dZ\",\"customer\":\"c%d\","
             "\"terminal\":%d,\"amount\":%d.5}",
             c->name, i, 8 + i / 3600 % 8, i / 60 % 60, i % 60, c->name, i % 7, 1 + i % 90);
}

static int post(int fd, const char *path, const char *body, struct answer *a)
{
    char head[256];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     path, strlen(body), body);
    say(fd, head, (size_t)n);
    return try_hear(fd, a, true);
}

// A transaction without an answer is sent again after the restart: it must count once.
static void *load(void *arg)
{
    struct client *c = arg;
    char body[256];
    struct answer a;
    int fd = dial(own.port);
    while (!atomic_load(&stop) && c->sent < MOST) {
        transaction(body, sizeof body, c, c->sent);
        if (post(fd, "/predict", body, &a) || a.status != 200) {
            answer_free(&a);
            break;
        }
        c->answers[c->sent++] = a.text;
        if (c->sent % 3 != 0)
            continue;
        snprintf(body, sizeof body, "{\"id\":\"%d-%d\",\"label\":%d}", c->name, c->sent - 2,
                 c->sent % 2);
        if (post(fd, "/feedback", body, &a) || a.status != 200) {
            answer_free(&a);
            break;
        }
        answer_free(&a);
        c->told++;
        c->is_told[c->sent - 2] = true;
    }
    close(fd);
    return NULL;
}

static int64_t query(const char *sql)
{
    return database_number(own.database, sql);
}

// Answers that were on their way when the server was killed: one transaction more for each client,
// and one label more for each client and kill.
static void check_counts(int kills)
{
    int64_t sent = 0, told = 0;
    for (int i = 0; i < CLIENTS; i++) {
        sent += clients[i].sent;
        told += clients[i].told;
    }
    const int64_t rows = query("SELECT count(*) FROM prediction"),
                  ids = query("SELECT count(DISTINCT t_id) FROM prediction"),
                  labels = query("SELECT count(*) FROM feedback");
    assert_int_equal(rows, ids);
    if (rows < sent || rows > sent + CLIENTS || labels < told || labels > told + CLIENTS * kills)
        fail_msg("%lld transactions and %lld labels are there of %lld and %lld", (long long)rows,
                 (long long)labels, (long long)sent, (long long)told);
}

static void check_label(int fd, const struct client *c, int i)
{
    char body[256];
    struct answer a;
    snprintf(body, sizeof body, "{\"id\":\"%d-%d\",\"label\":%d}", c->name, i, (i + 2) % 2);
    assert_int_equal(post(fd, "/feedback", body, &a), 0);
    if (!a.text || !strstr(a.text, "\"changed\":false"))
        fail_msg("%s: %s", body, a.text ? a.text : "");
    answer_free(&a);
}

// Some transactions of each client, the newest included, get the same bytes again and no new row.
static void check_answers(void)
{
    const int64_t rows =
        query("SELECT count(*) FROM prediction") + query("SELECT count(*) FROM feedback");
    for (int k = 0; k < CLIENTS; k++) {
        struct client *c = &clients[k];
        int fd = dial(own.port);
        for (int i = c->sent - 1; i >= 0; i -= 1 + (c->sent - i) / 4) {
            char body[256];
            struct answer a;
            transaction(body, sizeof body, c, i);
            assert_int_equal(post(fd, "/predict", body, &a), 0);
            assert_string_equal(a.text, c->answers[i]);
            answer_free(&a);
            if (c->is_told[i])
                check_label(fd, c, i);
        }
        close(fd);
    }
    assert_int_equal(
        query("SELECT count(*) FROM prediction") + query("SELECT count(*) FROM feedback"), rows);
}

static void everything_acknowledged_is_there_once_after_every_kill(void **state)
{
    const char *text = getenv("ASSAY_KILLS");
    const int kills = text ? (int)strtol(text, NULL, 10) : 3;
    unsigned seed = 1;
    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        clients[i].name = i;
    for (int k = 0; k < kills; k++) {
        server_begin(&own, "16", NULL);
        if (k > 0)
            check_answers();
        atomic_store(&stop, false);
        for (int i = 0; i < CLIENTS; i++) {
            assert_int_equal(pthread_create(&clients[i].thread, NULL, load, &clients[i]), 0);
        }
        seed = seed * 1103515245 + 12345;
        poll(NULL, 0, 20 + (int)(seed >> 16) % 300);
        kill(own.pid, SIGKILL);
        waitpid(own.pid, NULL, 0);
        own.pid = 0;
        atomic_store(&stop, true);
        for (int i = 0; i < CLIENTS; i++)
            pthread_join(clients[i].thread, NULL);
        check_counts(k + 1);
    }
    server_begin(&own, "16", NULL);
    check_answers();
    assert_int_equal(server_end(&own), 0);
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(clients[i].sent > 0);
        for (int k = 0; k < clients[i].sent; k++)
            free(clients[i].answers[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(everything_acknowledged_is_there_once_after_every_kill,
                                  server_end_own),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
