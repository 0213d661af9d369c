// ingest/pseudonym: the key's file is made once and kept secret; the hash is SipHash-2-4.
#include "ingest/pseudonym.h"
#include "tests/scratch.h"

// The vectors of the SipHash paper (Aumasson, Bernstein 2012, appendix A, and its reference code):
// key 00 01 .. 0f, messages 00 01 .. of growing length.
static void the_hash_is_siphash_2_4_of_column_0_text(void **state)
{
    (void)state;
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

static void columns_keys_and_texts_give_different_pseudonyms(void **state)
{
    (void)state;
    struct pseudonym p = {{1}}, q = {{2}};
    uint64_t h = pseudonym_hash(&p, "customer", "596", 3);
    assert_true(h == pseudonym_hash(&p, "customer", "596", 3));
    assert_true(h != pseudonym_hash(&p, "terminal", "596", 3));
    assert_true(h != pseudonym_hash(&p, "customer", "597", 3));
    assert_true(h != pseudonym_hash(&q, "customer", "596", 3));
}

static void long_texts_differ_in_every_byte(void **state)
{
    (void)state;
    struct pseudonym p = {{1}};
    static char text[70000];
    uint64_t before = pseudonym_hash(&p, "customer", text, sizeof text);
    for (size_t i = 0; i < sizeof text; i += 6999) {
        text[i] = 'x';
        uint64_t h = pseudonym_hash(&p, "customer", text, sizeof text);
        assert_true(h != before);
        before = h;
    }
    assert_true(pseudonym_hash(&p, "customer", text, 256) !=
                pseudonym_hash(&p, "customer", text, 257));
}

static void the_key_is_made_once_and_for_its_owner_alone(void **state)
{
    (void)state;
    struct pseudonym p, again, other;
    struct err err = {""};
    struct stat st;
    if (pseudonym_load(&p, scratch_path("var/secret.key"), true, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(pseudonym_load(&again, scratch_path("var/secret.key"), true, &err), 0);
    assert_memory_equal(p.key, again.key, sizeof p.key);
    assert_int_equal(stat(scratch_path("var/secret.key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 16);
    assert_int_equal(scratch_count(scratch_path("var")), 1);
    assert_int_equal(pseudonym_load(&other, scratch_path("var/other.key"), true, &err), 0);
    assert_memory_not_equal(p.key, other.key, sizeof p.key);
}

static void programs_that_start_together_end_with_one_key(void **state)
{
    (void)state;
    enum { PROGRAMS = 8 };
    struct pseudonym p, mine;
    struct err err;
    const char *path = scratch_path("secret.key");
    for (int i = 0; i < PROGRAMS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char out[16];
            snprintf(out, sizeof out, "key%d", i);
            int rc = pseudonym_load(&mine, path, true, &err);
            scratch_bytes(out, mine.key, sizeof mine.key);
            _exit(rc ? 1 : 0);
        }
    }
    for (int i = 0, status; i < PROGRAMS; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(pseudonym_load(&p, path, true, &err), 0);
    for (int i = 0; i < PROGRAMS; i++) {
        char name[16];
        size_t n;
        snprintf(name, sizeof name, "key%d", i);
        char *key = scratch_read(scratch_path(name), &n);
        assert_int_equal(n, sizeof p.key);
        assert_memory_equal(key, p.key, sizeof p.key);
        free(key);
    }
    assert_int_equal(scratch_count(scratch), PROGRAMS + 1);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
    (void)state;
    struct pseudonym p;
    struct err err;
    const char *path = scratch_text("secret.key", "0123456789abcdef");
    chmod(path, 0640);
    assert_int_equal(pseudonym_load(&p, path, true, &err), -1);
    assert_contains(err.msg, "secret.key: group or others may read the secret key; chmod 600 it");
}

static void a_key_of_another_length_is_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {"", "0123456789abcde", "0123456789abcdef0"};
    for (size_t i = 0; i < 3; i++) {
        struct pseudonym p;
        struct err err;
        const char *path = scratch_text("secret.key", keys[i]);
        chmod(path, 0600);
        assert_int_equal(pseudonym_load(&p, path, true, &err), -1);
        assert_contains(err.msg, "secret.key: not a secret key of exactly 16 bytes");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash_2_4_of_column_0_text),
        cmocka_unit_test(columns_keys_and_texts_give_different_pseudonyms),
        cmocka_unit_test(long_texts_differ_in_every_byte),
        scratch_test(the_key_is_made_once_and_for_its_owner_alone),
        scratch_test(programs_that_start_together_end_with_one_key),
        scratch_test(a_key_that_others_may_read_is_refused),
        scratch_test(a_key_of_another_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
