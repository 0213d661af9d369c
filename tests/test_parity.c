// Two weeks over HTTP, with labels posted as they become known and the server killed on the way:
// every probability must have the bits of the batch.
//
// On the committed sample; on another dataset by ASSAY_PARITY="CONFIG FROM UNTIL KILLS" (`make
// soak`).
#include "tests/batch_scores.h"
#include "tests/database.h"

static char config[256] = "datasets/sample.ini", from[32] = "2018-04-28", until[32] = "2018-05-12";
static int kills = 2;

static pid_t start_replay(void)
{
    char command[2048];
    snprintf(command, sizeof command,
             "exec %s/replay --config %s --url http://127.0.0.1:%d --from %s --until %s --labels 7 "
             "--connections 1 --batch 9 --retry 60 --output %s/decisions.csv >%s/replay.txt 2>&1",
             bin, config, own.port, from, until, folder, folder);
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid;
}

// Kill -9 when about so many rows are in, and start again on the same port.
static void kill_at(int64_t rows, pid_t replay)
{
    static char port[16];
    while (database_number(own.database, "SELECT max(seq) FROM prediction") < rows) {
        if (waitpid(replay, NULL, WNOHANG) != 0)
            fail_msg("replay ended before it was to be disturbed");
        poll(NULL, 0, 1);
    }
    kill(own.pid, SIGKILL);
    waitpid(own.pid, NULL, 0);
    snprintf(port, sizeof port, "%d", own.port);
    own.more[2] = "--port";
    own.more[3] = port;
    server_begin(&own, "16", NULL);
}

// Neither is NaN or -0, so equal numbers have equal bits.
static void compare(const struct batch_scores *e)
{
    char path[300], line[512] = "";
    uint64_t n = 0;
    snprintf(path, sizeof path, "%s/decisions.csv", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f)); // the header
    for (; fgets(line, sizeof line, f); n++) {
        const char *comma = strchr(line, ',');
        if (n >= e->n || !comma || strtod(comma + 1, NULL) != e->probability[n])
            fail_msg("row %llu is not the batch's: %s", (unsigned long long)n, line);
    }
    fclose(f);
    assert_true(n == e->n);
    printf("note: %llu probabilities equal the batch's to the bit, across %d kills\n",
           (unsigned long long)n, kills);
}

static void every_probability_has_the_bits_of_the_batch_across_kills(void **state)
{
    struct batch_scores e = {0};
    int status;
    (void)state;
    batch_scores(&e, from, until);
    assert_true(e.n > 500);
    own.more[0] = "--clock";
    own.more[1] = "data";
    server_begin(&own, "16", NULL);
    const pid_t replay = start_replay();
    for (int k = 1; k <= kills; k++)
        kill_at((int64_t)e.n * k / (kills + 1), replay);
    assert_int_equal(waitpid(replay, &status, 0), replay);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    compare(&e);
    free(e.probability);
    assert_int_equal(server_end(&own), 0);
}

static int setup(void **state)
{
    const char *other = getenv("ASSAY_PARITY");
    if (!other)
        return server_artifacts_of(state, config, from);
    char number[16];
    if (sscanf(other, "%255s %31s %31s %15s", config, from, until, number) != 4)
        return -1;
    kills = (int)strtol(number, NULL, 10);
    return server_artifacts_of(state, config, from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_probability_has_the_bits_of_the_batch_across_kills,
                                  server_end_own),
    };
    return cmocka_run_group_tests(tests, setup, server_remove);
}
