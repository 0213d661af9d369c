// base/output: artifacts are whole or not there, whoever dies, fails or comes second.
#include "base/output.h"
#include "tests/scratch.h"

#include <fcntl.h>
#include <signal.h>

static struct err err;

static void write_file(const char *path, const char *text)
{
    struct output o;
    if (output_open(&o, path, 0644, &err) || output_write(&o, text, strlen(text), &err) ||
        output_commit(&o, &err))
        fail_msg("%s", err.msg);
    output_release(&o);
}

// A folder with a marker and one file more.
static void write_dir(const char *path, const char *name, const char *text)
{
    struct output_dir d;
    if (output_dir_open(&d, path, "marker", &err) || output_dir_file(&d, "marker", "", 0, &err) ||
        output_dir_file(&d, name, text, strlen(text), &err) || output_dir_commit(&d, &err))
        fail_msg("%s", err.msg);
    output_dir_release(&d);
}

static void a_file_takes_its_name_only_when_committed(void **state)
{
    (void)state;
    struct output o;
    struct stat st;
    const char *path = scratch_path("new/folder/a.txt");
    assert_int_equal(output_open(&o, path, 0600, &err), 0);
    assert_int_equal(output_write(&o, "abc", 3, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(output_commit(&o, &err), 0);
    output_release(&o);
    assert_file_is(path, "abc");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(scratch_count(scratch_path("new/folder")), 1);
}

static void a_file_given_up_leaves_the_old_one(void **state)
{
    (void)state;
    struct output o;
    write_file(scratch_path("a.txt"), "old");
    assert_int_equal(output_open(&o, scratch_path("a.txt"), 0644, &err), 0);
    assert_int_equal(output_write(&o, "new", 3, &err), 0);
    output_release(&o);
    assert_file_is(scratch_path("a.txt"), "old");
    assert_int_equal(scratch_count(scratch), 1);
}

static void a_folder_replaces_the_old_one_whole(void **state)
{
    (void)state;
    write_dir(scratch_path("d/"), "old", "1");
    write_dir(scratch_path("d"), "new", "2");
    assert_int_equal(scratch_count(scratch_path("d")), 2);
    assert_file_is(scratch_path("d/new"), "2");
    assert_int_equal(scratch_count(scratch), 1);
}

static void an_empty_folder_is_replaced(void **state)
{
    (void)state;
    mkdir(scratch_path("d"), 0777);
    write_dir(scratch_path("d"), "new", "1");
    assert_file_is(scratch_path("d/new"), "1");
    assert_int_equal(scratch_count(scratch), 1);
}

static void refuse_dir(const char *name, const char *marker)
{
    struct output_dir d;
    assert_int_equal(output_dir_open(&d, scratch_path(name), marker, &err), -1);
    assert_contains(err.msg, "d: holds files that are not ours to remove; name another folder");
    output_dir_release(&d);
    assert_int_equal(scratch_count(scratch), 1);
}

static void a_folder_of_somebody_elses_files_is_not_replaced(void **state)
{
    (void)state;
    mkdir(scratch_path("d"), 0777);
    scratch_text("d/notes.txt", "mine");
    refuse_dir("d", "marker");
    refuse_dir("d/", "marker");
    scratch_text("d/marker", "");
    refuse_dir("d", NULL);
    mkdir(scratch_path("d/folder"), 0777);
    refuse_dir("d", "marker");
    rmdir(scratch_path("d/folder"));
    assert_int_equal(symlink("notes.txt", scratch_path("d/link")), 0);
    refuse_dir("d", "marker");
    assert_file_is(scratch_path("d/notes.txt"), "mine");
}

// The old folder stands under the temporary's name then, for the next writer to take over.
static void an_old_folder_that_cannot_be_removed_does_not_undo_the_new_one(void **state)
{
    (void)state;
    struct output_dir d;
    write_dir(scratch_path("d"), "old", "1");
    assert_int_equal(output_dir_open(&d, scratch_path("d"), "marker", &err), 0);
    assert_int_equal(output_dir_file(&d, "new", "2", 1, &err), 0);
    mkdir(scratch_path("d/late"), 0777); // what is no file stays
    assert_int_equal(output_dir_commit(&d, &err), 0);
    output_dir_release(&d);
    assert_file_is(scratch_path("d/new"), "2");
    assert_int_equal(scratch_count(scratch_path("d")), 1);
}

static void a_link_to_a_folder_is_not_replaced(void **state)
{
    (void)state;
    struct output_dir d;
    write_dir(scratch_path("d"), "old", "1");
    assert_int_equal(symlink("d", scratch_path("link")), 0);
    assert_int_equal(output_dir_open(&d, scratch_path("link"), "marker", &err), -1);
    assert_contains(err.msg, "link: cannot rename a folder to it");
    output_dir_release(&d);
    assert_file_is(scratch_path("link/old"), "1");
    assert_int_equal(scratch_count(scratch), 2);
}

static void a_ninth_output_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    struct output o[9];
    for (int i = 0; i < 8; i++)
        assert_int_equal(output_open(&o[i], scratch_path(names[i]), 0644, &err), 0);
    assert_int_equal(output_open(&o[8], scratch_path("9"), 0644, &err), -1);
    assert_contains(err.msg, "9: more than 8 outputs open at once");
    output_release(&o[0]);
    assert_int_equal(output_open(&o[8], scratch_path("9"), 0644, &err), 0);
    for (int i = 0; i < 9; i++)
        output_release(&o[i]);
    assert_int_equal(scratch_count(scratch), 0);
}

static void a_folder_that_is_missing_or_none_cannot_be_synced(void **state)
{
    (void)state;
    scratch_text("file", "x");
    assert_int_equal(sync_parent(scratch_path("file"), &err), 0);
    assert_int_equal(sync_parent("name-without-a-folder", &err), 0);
    assert_int_equal(sync_parent(scratch_path("file/x"), &err), -1);
    assert_contains(err.msg, "file/x: cannot write its folder to disk: Not a directory");
    assert_int_equal(sync_parent(scratch_path("missing/x"), &err), -1);
}

static void a_folder_given_up_leaves_the_old_one(void **state)
{
    (void)state;
    struct output_dir d;
    write_dir(scratch_path("d"), "old", "1");
    assert_int_equal(output_dir_open(&d, scratch_path("d"), "marker", &err), 0);
    assert_int_equal(output_dir_file(&d, "new", "2", 1, &err), 0);
    output_dir_release(&d);
    assert_file_is(scratch_path("d/old"), "1");
    assert_int_equal(scratch_count(scratch), 1);
}

static void a_second_writer_is_refused_and_does_no_harm(void **state)
{
    (void)state;
    struct output o, o2;
    struct output_dir d, d2;
    assert_int_equal(output_open(&o, scratch_path("a.txt"), 0644, &err), 0);
    assert_int_equal(output_write(&o, "abc", 3, &err), 0);
    assert_int_equal(output_open(&o2, scratch_path("a.txt"), 0644, &err), -1);
    assert_contains(err.msg, "a.txt: another program is writing it now");
    output_release(&o2);
    assert_int_equal(output_commit(&o, &err), 0);
    output_release(&o);
    assert_file_is(scratch_path("a.txt"), "abc");

    assert_int_equal(output_dir_open(&d, scratch_path("d"), "marker", &err), 0);
    assert_int_equal(output_dir_file(&d, "x", "1", 1, &err), 0);
    assert_int_equal(output_dir_open(&d2, scratch_path("d"), "marker", &err), -1);
    assert_contains(err.msg, "d: another program is writing it now");
    output_dir_release(&d2);
    assert_int_equal(output_dir_commit(&d, &err), 0);
    output_dir_release(&d);
    assert_file_is(scratch_path("d/x"), "1");
}

static void what_a_killed_program_left_is_taken_over(void **state)
{
    (void)state;
    scratch_text("a.txt.tmp", "a longer leftover");
    write_file(scratch_path("a.txt"), "abc");
    assert_file_is(scratch_path("a.txt"), "abc");
    mkdir(scratch_path("d.tmp"), 0777);
    scratch_text("d.tmp/leftover", "x");
    write_dir(scratch_path("d"), "new", "1");
    assert_int_equal(scratch_count(scratch_path("d")), 2);
    assert_int_equal(scratch_count(scratch), 2);
}

// Start a child that holds a file and a folder open, and waits.
static pid_t start_writer(int *ready)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct output o;
        struct output_dir d;
        if (output_open(&o, scratch_path("a.txt"), 0644, &err) ||
            output_dir_open(&d, scratch_path("d"), "marker", &err) ||
            output_dir_file(&d, "x", "1", 1, &err) || write(ends[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ends[1]);
    *ready = read(ends[0], &byte, 1) == 1;
    close(ends[0]);
    return child;
}

static void a_signal_leaves_no_temporary(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < 3; i++) {
        int ready, status;
        pid_t child = start_writer(&ready);
        assert_true(ready);
        assert_int_equal(scratch_count(scratch), 2);
        kill(child, signals[i]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
        assert_int_equal(scratch_count(scratch), 0);
    }
}

static void after_sigkill_the_next_writer_goes_on(void **state)
{
    (void)state;
    int ready, status;
    pid_t child = start_writer(&ready);
    assert_true(ready);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(scratch_count(scratch), 2);
    write_file(scratch_path("a.txt"), "abc");
    write_dir(scratch_path("d"), "y", "2");
    assert_int_equal(scratch_count(scratch_path("d")), 2);
    assert_int_equal(scratch_count(scratch), 2);
}

static void what_cannot_be_made_is_named(void **state)
{
    (void)state;
    struct output o;
    struct output_dir d;
    scratch_text("file", "x");
    assert_int_equal(output_open(&o, scratch_path("file/a.txt"), 0644, &err), -1);
    assert_contains(err.msg, "file/a.txt: cannot create");
    assert_int_equal(output_dir_open(&d, scratch_path("file/d"), "marker", &err), -1);
    assert_contains(err.msg, "file/d: cannot create");
    assert_int_equal(output_dir_open(&d, scratch_path("file"), "marker", &err), -1);
    assert_contains(err.msg, "file: cannot rename a folder to it: Not a directory");
    output_dir_release(&d);
    assert_file_is(scratch_path("file"), "x");
    assert_int_equal(scratch_count(scratch), 1);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        skip();
    assert_int_equal(write_all(fd, "abc", 3, "a.txt", &err), -1);
    assert_string_equal(err.msg, "a.txt: cannot write: No space left on device");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_file_takes_its_name_only_when_committed),
        scratch_test(a_file_given_up_leaves_the_old_one),
        scratch_test(a_folder_replaces_the_old_one_whole),
        scratch_test(an_empty_folder_is_replaced),
        scratch_test(a_folder_of_somebody_elses_files_is_not_replaced),
        scratch_test(an_old_folder_that_cannot_be_removed_does_not_undo_the_new_one),
        scratch_test(a_link_to_a_folder_is_not_replaced),
        scratch_test(a_ninth_output_is_refused),
        scratch_test(a_folder_that_is_missing_or_none_cannot_be_synced),
        scratch_test(a_folder_given_up_leaves_the_old_one),
        scratch_test(a_second_writer_is_refused_and_does_no_harm),
        scratch_test(what_a_killed_program_left_is_taken_over),
        scratch_test(a_signal_leaves_no_temporary),
        scratch_test(after_sigkill_the_next_writer_goes_on),
        scratch_test(what_cannot_be_made_is_named),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
