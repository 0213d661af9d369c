// ingest/pseudonym: the key's file is made once and kept secret; the hash is SipHash-2-4.
#define EACH scratch_make, scratch_remove
#include "ingest/pseudonym.h"
#include "tests/scratch.h"

// The vectors of the SipHash paper (Aumasson, Bernstein 2012, appendix A, and its reference code):
// key 00 01 .. 0f, messages 00 01 .. of growing length.
TEST_CASE(the_hash_is_siphash_2_4_of_column_0_text)
{
    struct pseudonym p;
    char message[15];
    for (int i = 0; i < PSEUDONYM_KEY_BYTES; i++)
        p.key[i] = (unsigned char)i;
    for (int i = 0; i < 15; i++)
        message[i] = (char)i;
    // An empty column name leaves the separating 0 byte, which is the vectors' first byte.
    assert_true(pseudonym_hash(&p, "", message + 1, 0) == 0x74f839c593dc67fd);
    assert_true(pseudonym_hash(&p, "", message + 1, 6) == 0xab0200f58b01d137);
    assert_true(pseudonym_hash(&p, "", message + 1, 14) == 0xa129ca6149be45e5);
}

TEST_CASE(columns_keys_and_texts_give_different_pseudonyms)
{
    struct pseudonym p = {{1}}, q = {{2}};
    const uint64_t h = pseudonym_hash(&p, "customer", "596", 3);
    assert_true(h != pseudonym_hash(&p, "terminal", "596", 3));
    assert_true(h != pseudonym_hash(&p, "customer", "597", 3));
    assert_true(h != pseudonym_hash(&q, "customer", "596", 3));
    // Longer texts are hashed in two steps.
    static char text[70000];
    const uint64_t zeros = pseudonym_hash(&p, "customer", text, sizeof text);
    assert_true(pseudonym_hash(&p, "customer", text, 256) !=
                pseudonym_hash(&p, "customer", text, 257));
    text[sizeof text - 1] = 'x';
    assert_true(zeros != pseudonym_hash(&p, "customer", text, sizeof text));
}

TEST_CASE(programs_that_start_together_end_with_one_key)
{
    enum { PROGRAMS = 8 };
    struct pseudonym p, other;
    struct err err;
    struct stat st;
    const char *path = scratch_path("var/secret.key");
    for (int i = 0; i < PROGRAMS; i++)
        if (fork() == 0)
            _exit(pseudonym_load(&p, path, true, &err) ? 0 : 1 + p.key[0] % 255);
    int status[PROGRAMS];
    for (int i = 0; i < PROGRAMS; i++)
        assert_true(wait(&status[i]) > 0);
    assert_int_equal(pseudonym_load(&p, path, false, &err), 0);
    for (int i = 0; i < PROGRAMS; i++)
        assert_int_equal(WEXITSTATUS(status[i]), 1 + p.key[0] % 255);
    assert_int_equal(scratch_count(scratch_path("var")), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(pseudonym_load(&other, scratch_path("var/other.key"), true, &err), 0);
    assert_memory_not_equal(p.key, other.key, sizeof p.key);
}

TEST_CASE(a_key_that_is_missing_readable_or_of_another_length_is_refused)
{
    static const struct {
        const char *key;
        mode_t mode;
        const char *message;
    } cases[] = {
        {NULL, 0, "the key that ingest made: "},
        {"0123456789abcde", 0600, "secret.key: not a secret key of exactly 16 bytes"},
        {"0123456789abcdef0", 0600, "secret.key: not a secret key of exactly 16 bytes"},
        {"0123456789abcdef", 0640, "secret.key: is a secret that others may read: chmod 600"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct pseudonym p;
        struct err err;
        if (cases[i].key)
            chmod(scratch_text("secret.key", cases[i].key), cases[i].mode);
        assert_int_equal(pseudonym_load(&p, scratch_path("secret.key"), i > 0, &err), -1);
        assert_contains(err.msg, cases[i].message);
    }
}

TESTS(NULL, NULL)
