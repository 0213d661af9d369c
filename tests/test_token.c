// token: what a file must hold, and which headers fit.
#include "serve/token.h"

#include "tests/scratch.h"

#include <sys/stat.h>

static int read_text(struct token *t, const char *text, mode_t mode, struct err *err)
{
    const char *path = scratch_text("token", text);
    assert_int_equal(chmod(path, mode), 0);
    return token_read(t, path, err);
}

#define GOOD "aZ09-._~+/==aZ09"

static void only_the_token_behind_bearer_fits(void **state)
{
    (void)state;
    struct token t;
    struct err err = {""};
    static const char *const ends[] = {"", "\n", "\r\n"};
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, GOOD "%s", ends[i]);
        if (read_text(&t, text, 0600, &err))
            fail_msg("%s", err.msg);
        assert_true(token_fits(&t, "Bearer " GOOD));
        assert_true(token_fits(&t, "bearer  " GOOD));
        assert_false(token_fits(&t, NULL));
        assert_false(token_fits(&t, ""));
        assert_false(token_fits(&t, GOOD));
        assert_false(token_fits(&t, "Bearer"));
        assert_false(token_fits(&t, "Bearer "));
        assert_false(token_fits(&t, "Basic " GOOD));
        assert_false(token_fits(&t, "Bearer " GOOD "x"));
        assert_false(token_fits(&t, "Bearer aZ09-._~+/==aZ0"));
        assert_false(token_fits(&t, "Bearer AZ09-._~+/==aZ09"));
    }
}

static void a_file_that_holds_no_token_is_refused_and_not_quoted(void **state)
{
    (void)state;
    struct token t;
    struct err err;
    char longest[300];
    static const char *const bad[] = {"",
                                      "\n",
                                      "short",
                                      "fifteen-letters",
                                      GOOD " ",
                                      GOOD "\nmore",
                                      "sixteen letters!",
                                      "\xc3\xa4" GOOD};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_text(&t, bad[i], 0600, &err), -1);
        assert_contains(err.msg, "token: a token is 16 to 256");
        assert_null(strstr(err.msg, "aZ09"));
    }
    memset(longest, 'x', sizeof longest);
    longest[256] = '\0';
    assert_int_equal(read_text(&t, longest, 0600, &err), 0);
    longest[256] = 'x';
    longest[257] = '\0';
    assert_int_equal(read_text(&t, longest, 0600, &err), -1);
}

static void a_file_that_others_may_read_or_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct token t;
    struct err err;
    assert_int_equal(read_text(&t, GOOD, 0640, &err), -1);
    assert_contains(err.msg, "chmod 600");
    assert_int_equal(read_text(&t, GOOD, 0604, &err), -1);
    assert_int_equal(token_read(&t, scratch_path("none"), &err), -1);
    assert_contains(err.msg, "none: cannot open the token");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(only_the_token_behind_bearer_fits),
        scratch_test(a_file_that_holds_no_token_is_refused_and_not_quoted),
        scratch_test(a_file_that_others_may_read_or_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
