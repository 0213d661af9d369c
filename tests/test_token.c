// token: what the file must contain, and which headers fit.
#include "serve/http.h"

#include "tests/scratch.h"

#include <sys/stat.h>

#define GOOD "aZ09-._~+/==aZ09"
#define TEN  "xxxxxxxxxx"
#define C255                                                                                       \
    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN    \
        TEN TEN "xxxxx"

static void a_file_holds_one_token_that_only_its_owner_may_read(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *error; // NULL: it is read
    } cases[] = {
        {GOOD, 0600, NULL},
        {GOOD "\n", 0600, NULL},
        {GOOD "\r\n", 0400, NULL},
        {C255 "x", 0600, NULL},
        {C255 "xx", 0600, "token: a token is 16 to 256"},
        {C255 C255, 0600, "16 to 256"},
        {"", 0600, "16 to 256"},
        {"\n", 0600, "16 to 256"},
        {"fifteen-letters", 0600, "16 to 256"},
        {GOOD " ", 0600, "16 to 256"},
        {GOOD "\nmore", 0600, "16 to 256"},
        {"sixteen letters!", 0600, "16 to 256"},
        {"\xc3\xa4" GOOD, 0600, "16 to 256"},
        {GOOD, 0640, "chmod 600"},
        {GOOD, 0604, "chmod 600"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char token[TOKEN_TEXT];
        struct err err = {""};
        const char *path = scratch_text("token", cases[i].text);
        assert_int_equal(chmod(path, cases[i].mode), 0);
        const int rc = token_read(token, path, &err);
        chmod(path, 0600);
        if ((rc == 0) != !cases[i].error || (rc && !strstr(err.msg, cases[i].error)) ||
            strstr(err.msg, "aZ09"))
            fail_msg("case %zu: %d, %s", i, rc, err.msg);
        if (rc == 0)
            assert_memory_equal(token, cases[i].text, strlen(token));
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    char token[TOKEN_TEXT];
    struct err err;
    (void)state;
    assert_int_equal(token_read(token, scratch_path("none"), &err), -1);
    assert_contains(err.msg, "none: cannot open the token");
}

static void only_the_token_after_bearer_fits(void **state)
{
    static const struct {
        const char *header;
        bool fits;
    } cases[] = {
        {"Bearer " GOOD, true},
        {"bearer  " GOOD, true},
        {NULL, false},
        {"", false},
        {GOOD, false},
        {"Bearer", false},
        {"Bearer ", false},
        {"Basic " GOOD, false},
        {"Bearer " GOOD "x", false},
        {"Bearer aZ09-._~+/==aZ0", false},
        {"Bearer AZ09-._~+/==aZ09", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(token_fits(GOOD, cases[i].header), cases[i].fits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_file_holds_one_token_that_only_its_owner_may_read),
        scratch_test(a_file_that_is_not_there_is_named),
        scratch_test(only_the_token_after_bearer_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
