// Kill -9 under load, several times: every acknowledged transaction and label is there once, with
// the answer that it had. ASSAY_KILLS sets the number of kills (3 by default, 50 in `make soak`).
#include "tests/database.h"
#include "tests/server.h"

enum { CLIENTS = 4, MOST = 200000 };

// Sends the ids name-0, name-1, ..., and after every third one the label of the one before it.
struct client {
    pthread_t thread;
    int name, sent, labelled; // both acknowledged
    char *answers[MOST];      // to each id
};

static struct client clients[CLIENTS];
static atomic_bool stop;

// The text of the answer, to be freed; NULL where none came.
static char *post(int fd, const char *path, const char *body)
{
    char head[256];
    struct answer a;
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     path, strlen(body), body);
    say(fd, head, (size_t)n);
    if (try_hear(fd, &a, true) == 0 && a.status == 200)
        return a.text;
    answer_free(&a);
    return NULL;
}

// Each client has a customer of its own; terminals are shared.
static char *post_transaction(int fd, const struct client *c, int i)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"id\":\"%d-%d\",\"time\":\"" DAY "T%02d:%02d:%02dZ\",\"customer\":\"c%d\","
             "\"terminal\":%d,\"amount\":%d.5}",
             c->name, i, 8 + i / 3600 % 8, i / 60 % 60, i % 60, c->name, i % 7, 1 + i % 90);
    return post(fd, "/predict", body);
}

static char *post_label(int fd, const struct client *c, int k)
{
    char body[64];
    snprintf(body, sizeof body, "{\"id\":\"%d-%d\",\"label\":%d}", c->name, 3 * k + 1, k % 2);
    return post(fd, "/feedback", body);
}

// A request without an answer is sent again after the restart: it must count once.
static void *load(void *arg)
{
    struct client *c = arg;
    char *text = "";
    int fd = dial(own.port);
    while (text && !atomic_load(&stop) && c->sent < MOST)
        if (c->labelled < c->sent / 3) {
            text = post_label(fd, c, c->labelled);
            c->labelled += text != NULL;
            free(text);
        } else {
            text = c->answers[c->sent] = post_transaction(fd, c, c->sent);
            c->sent += text != NULL;
        }
    close(fd);
    return NULL;
}

static int64_t query(const char *sql)
{
    return database_number(own.database, sql);
}

// The answer to one request of each client may have been on its way.
static void check_counts(void)
{
    const int64_t rows = query("SELECT count(*) FROM prediction"),
                  labels = query("SELECT count(*) FROM feedback");
    int64_t sent = 0, labelled = 0;
    for (int i = 0; i < CLIENTS; i++) {
        sent += clients[i].sent;
        labelled += clients[i].labelled;
    }
    assert_int_equal(rows, query("SELECT count(DISTINCT t_id) FROM prediction"));
    assert_in_range(rows, sent, sent + CLIENTS);
    assert_in_range(labels, labelled, labelled + CLIENTS);
}

// Some requests of each client, the newest included, get the same bytes again and make no new row.
static void check_answers(void)
{
    const int64_t rows = query("SELECT max(seq) FROM prediction");
    for (int k = 0; k < CLIENTS; k++) {
        const struct client *c = &clients[k];
        int fd = dial(own.port);
        for (int i = c->sent - 1; i >= 0; i -= 1 + (c->sent - i) / 4) {
            char *text = post_transaction(fd, c, i);
            assert_non_null(text);
            assert_string_equal(text, c->answers[i]);
            free(text);
        }
        for (int i = c->labelled - 1; i >= 0; i -= 1 + (c->labelled - i) / 4) {
            char *text = post_label(fd, c, i);
            assert_true(text && strstr(text, "\"changed\":false"));
            free(text);
        }
        close(fd);
    }
    assert_int_equal(query("SELECT max(seq) FROM prediction"), rows);
    check_counts();
}

TEST_CASE(everything_acknowledged_is_there_once_after_every_kill)
{
    const char *text = getenv("ASSAY_KILLS");
    const int kills = text ? (int)strtol(text, NULL, 10) : 3;
    unsigned seed = 1;
    for (int k = 0; k < kills; k++) {
        server_begin(&own, "16", NULL);
        check_answers();
        atomic_store(&stop, false);
        for (int i = 0; i < CLIENTS; i++) {
            clients[i].name = i;
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
    }
    server_begin(&own, "16", NULL);
    check_answers();
    assert_int_equal(server_end(&own), 0);
    int sent = 0, labelled = 0;
    for (int i = 0; i < CLIENTS; i++) {
        sent += clients[i].sent;
        labelled += clients[i].labelled;
        assert_true(clients[i].sent > 0);
        for (int k = 0; k < clients[i].sent; k++)
            free(clients[i].answers[k]);
    }
    printf("note: %d kills, %d transactions and %d labels acknowledged, all there once\n", kills,
           sent, labelled);
}

TESTS(server_artifacts, server_remove)
