// base/: messages, options, configuration, threads, and artifacts that are complete or absent.
#define EACH scratch_make, scratch_remove
#include "base/config.h"
#include "base/memory.h"
#include "base/option.h"
#include "base/output.h"
#include "base/parallel.h"
#include "tests/release.h"
#include "tests/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>

static struct err err;

// ---- memory ----

TEST_CASE(an_array_grows_and_keeps_its_items)
{
    size_t *items = NULL, n = 0, capacity = 0, i;
    for (; n < 1000; n++) {
        ARRAY_GROW(items, n + 1, capacity);
        assert_non_null(items);
        items[n] = 2 * n;
    }
    for (size_t key = 0; key < 2001; key++) {
        LOWER_BOUND(i, 0, n, items[i] < key);
        assert_int_equal(i, (key + 1) / 2);
    }
    LOWER_BOUND(i, 7, 7, items[i] < 14);
    assert_int_equal(i, 7);
    free(items);
}

// ---- err ----

TEST_CASE(messages_are_built_from_the_inside_out_and_cut_not_overrun)
{
    static const char text[3000] = {[0 ... 2998] = 'x'};
    assert_int_equal(err_set(&err, "row %d", 7), -1);
    assert_int_equal(err_prefix(&err, "%s", "a.csv"), -1);
    assert_string_equal(err.msg, "a.csv: row 7");
    errno = ENOENT;
    assert_int_equal(err_sys(&err, "%s", "a.csv"), -1);
    assert_string_equal(err.msg, "a.csv: No such file or directory");
    err_set(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    err_prefix(&err, "%s", "front");
    assert_memory_equal(err.msg, "front: xxx", 10);
    err_prefix(&err, "%s", text);
    err_sys(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

TEST_CASE(the_hint_is_a_name_within_a_third_of_the_letters)
{
    static const char *const known[] = {"count", "sum", "mean", "since", "weekday"};
    static const char *const cases[][2] = {
        {"cuont", "count"},    {"cont", "count"}, {"countt", "count"}, {"sun", "sum"},
        {"wekdya", "weekday"}, {"minimum", NULL}, {"", NULL},          {"xyz", NULL},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char expected[64] = "";
        if (cases[i][1])
            snprintf(expected, sizeof expected, ", did you mean '%s'?", cases[i][1]);
        assert_string_equal(err_did_you_mean(cases[i][0], known, 5).text, expected);
    }
}

// ---- option ----

static const char *config;
static int64_t threads;
static bool force;
static const char *names[3];

// The result of option_parse for a line of words, which leaves argv in words.
static char *words[16];
static int n_words;

static int parse(const char *line)
{
    static char text[256];
    const struct program program = {
        "prog",
        "INPUT [OUTPUT]",
        "Do it.",
        "prog a b",
        {
            {"config", "FILE", "the description", .text = &config},
            {"threads", "N", "worker threads", .number = &threads, 1, 8},
            {"force", NULL, "do it all the same", .flag = &force},
            {"name", "NAME", "a name, may be repeated", .list = names, .max = 2},
        }};
    memset(names, 0, sizeof names);
    config = "default.ini";
    threads = 2;
    force = false;
    snprintf(text, sizeof text, "prog %s", line);
    n_words = 0;
    for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
        words[n_words++] = w;
    words[n_words] = NULL;
    return option_parse(&program, n_words, words, &err);
}

TEST_CASE(options_come_before_or_after_the_arguments_and_keep_their_defaults_where_absent)
{
    int first = parse("a --config=x.ini --name n b --threads 8 --force --name=m");
    assert_int_equal(n_words - first, 2);
    assert_string_equal(words[first], "a");
    assert_string_equal(words[first + 1], "b");
    assert_string_equal(config, "x.ini");
    assert_true(threads == 8 && force);
    assert_string_equal(names[0], "n");
    assert_string_equal(names[1], "m");
    assert_int_equal(parse("a"), 1);
    assert_string_equal(config, "default.ini");
    assert_true(threads == 2 && !force);
    assert_int_equal(parse("--help"), 0);
    assert_int_equal(parse("--version"), 0);
    assert_int_equal(option_exit(NULL, 0, &err), 0);
}

TEST_CASE(defaults_follow_the_name_of_the_dataset)
{
    static const char *const cases[][2] = {{"sets/my.shop.ini", "build/my.shop/table"},
                                           {"my/", "build/simulated/table"}};
    const char *output;
    const struct program program = {"prog",
                                    "",
                                    "Do it.",
                                    "prog",
                                    {{"config", "FILE", "the description", .text = &config},
                                     {"output", "DIR", "the table", .text = &output}}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char *line[] = {"prog", "--config", (char *)cases[i][0], NULL};
        output = "build/simulated/table";
        assert_int_equal(option_parse(&program, 3, line, &err), 3);
        assert_string_equal(output, cases[i][1]);
        if (i == 0)
            free((char *)output);
    }
}

TEST_CASE(wrong_command_lines_are_explained)
{
    static const char *const cases[][2] = {
        {"a --confg x", "unknown option --confg, did you mean 'config'? (see --help)"},
        {"a -x", "unknown option -x"},
        {"a -config x", "unknown option -c: options begin with --"},
        {"a --config", "--config needs a value"},
        {"a --threads 2x", "--threads: '2x' is not a whole number"},
        {"a --threads=", "--threads: '' is not a whole number"},
        {"a --threads 9", "--threads: 9 is not within 1 .. 8"},
        {"a --threads 99999999999999999999", "is not within 1 .. 8"},
        {"a --name 1 --name 2 --name 3", "--name: is given more than 2 times"},
        {"a --force=yes", "--force takes no value"},
        {"", "missing argument: usage: prog [OPTIONS] INPUT [OUTPUT]"},
        {"a b c", "unexpected argument 'c': usage: prog [OPTIONS] INPUT [OUTPUT]"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(parse(cases[i][0]), -1);
        if (!strstr(err.msg, cases[i][1]))
            fail_msg("'%s' gave: %s", cases[i][0], err.msg);
    }
}

// ---- parallel ----

static atomic_int runs[PARALLEL_MAX];

// Runs that piece; arg: the first piece that fails, and every second one after it.
static int run_piece(void *arg, unsigned i, struct err *e)
{
    const unsigned first = *(const unsigned *)arg;
    atomic_fetch_add(&runs[i], 1);
    return i >= first && (i - first) % 2 == 0 ? err_set(e, "piece %u", i) : 0;
}

TEST_CASE(every_piece_runs_once_and_the_first_failure_is_reported)
{
    static const unsigned sizes[] = {0, 1, 2, 7, PARALLEL_MAX};
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        unsigned first = k == 3 ? 1 : PARALLEL_MAX; // one round with failures
        for (unsigned i = 0; i < PARALLEL_MAX; i++)
            atomic_store(&runs[i], 0);
        assert_int_equal(parallel_run(sizes[k], run_piece, &first, &err), k == 3 ? -1 : 0);
        for (unsigned i = 0; i < PARALLEL_MAX; i++)
            assert_int_equal(atomic_load(&runs[i]), i < sizes[k]);
    }
    assert_string_equal(err.msg, "piece 1");
}

// ---- config ----

static int load(struct config *c, const char *text)
{
    const int rc = config_load(c, scratch_text("test.ini", text), &err);
    if (rc)
        config_release(c);
    return rc;
}

TEST_CASE(entries_know_their_line_and_column)
{
    struct config c;
    assert_int_equal(load(&c,
                          "; a comment\n[input]\nfile =  a=b ; why\n\n[features]\n  x= log1p(x)\n"
                          "y = a +\n    b\n    + c\n"),
                     0);
    assert_int_equal(c.n, 3);
    assert_string_equal(c.entries[2].value, "a + b + c"); // indented lines continue it
    const struct config_entry *e = config_find(&c, "input", "file");
    assert_string_equal(e->value, "a=b");
    assert_int_equal(e->line, 3);
    assert_int_equal(e->column, 9);
    e = config_find(&c, "features", "x");
    assert_int_equal(e->line, 6);
    assert_int_equal(e->column, 6);
    assert_null(config_find(&c, "features", "file"));
    assert_null(config_find(&c, "split", "x"));
    config_release(&c);
}

TEST_CASE(a_0_byte_is_an_error_wherever_it_stands)
{
    static const char text[] = "[slices]\nx = 1\ny = 22\n\n[columns]\nz";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        struct config c;
        char with_0[sizeof text];
        size_t lines = 1;
        memcpy(with_0, text, sizeof text);
        with_0[i] = '\0';
        for (size_t k = 0; k < i; k++)
            lines += text[k] == '\n';
        const char *line = formatted("test.ini:%zu: a 0 byte", lines);
        scratch_bytes("test.ini", with_0, sizeof text - 1);
        assert_int_equal(config_load(&c, scratch_path("test.ini"), &err), -1);
        config_release(&c);
        assert_contains(err.msg, line);
    }
}

TEST_CASE(a_long_line_is_an_error_and_is_not_cut)
{
    for (int n = 180; n < 1200; n += n < 205 ? 1 : 200) {
        struct config c;
        int rc = load(&c, formatted("[input]\nfile = %0*d\n[slices]\nx = 1\n", n - 7, 0));
        if (rc == 0) {
            assert_true(n <= 198);
            assert_int_equal(strlen(config_find(&c, "input", "file")->value), n - 7);
            config_release(&c);
        } else {
            assert_true(n > 198);
            assert_contains(err.msg, "test.ini:2: the line is longer than 198 bytes");
        }
    }
}

TEST_CASE(mistakes_are_reported_with_their_line)
{
    struct config none;
    assert_int_equal(config_load(&none, scratch_path("none.ini"), &err), -1);
    config_release(&none);
    assert_contains(err.msg, "none.ini: cannot open: No such file or directory");
    static const char *const cases[][2] = {
        {"[input]\nfile = a\nfile = b\n", "test.ini:3: 'file' is in [input] already, at line 2"},
        {"[inputs]\nfile = a\n", "test.ini:1: unknown section [inputs], did you mean 'input'?"},
        {"[input]\n\n[splits]\n", "test.ini:3: unknown section [splits]"},
        {"file = a\n", "test.ini:1: 'file' is in no [section]"},
        {"[input]\nfile\n", "test.ini:2: neither '[section]' nor 'key = value'"},
        {"[split]\nfold = 1\n", "test.ini:2: unknown key 'fold' in [split], did you mean 'folds'?"},
        {"[monitor]\n\npsi = 1\n", "test.ini:3: unknown key 'psi' in [monitor]"},
        {"[input\n", "test.ini:1: neither '[section]' nor 'key = value'"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct config c;
        assert_int_equal(load(&c, cases[i][0]), -1);
        assert_contains(err.msg, cases[i][1]);
    }
}

// With no column where the value stands on several lines.
TEST_CASE(an_error_points_a_caret_at_its_byte)
{
    static const char *const cases[][2] = {{"x = a + bb\n", ":9"}, {"x = a +\n  bb\n", ""}};
    for (size_t i = 0; i < 2; i++) {
        struct config c;
        assert_int_equal(load(&c, formatted("[features]\n%s", cases[i][0])), 0);
        assert_int_equal(config_error(&c, &c.entries[0], 4, &err, "no '%s'", "bb"), -1);
        assert_contains(err.msg, formatted("test.ini:2%s: [features] x: no 'bb'\n  a + bb\n      ^",
                                           cases[i][1]));
        config_error(&c, &c.entries[0], -1, &err, "is missing");
        assert_contains(err.msg, "test.ini:2: [features] x: is missing");
        config_release(&c);
    }
}

TEST_CASE(numbers_are_checked_against_their_limits)
{
    static const struct {
        const char *key;
        double low, high, value;
        const char *words; // NULL: the value
    } cases[] = {{"none", 0, 1, 7, NULL},
                 {"a", 0, 1, 1e-3, NULL},
                 {"a", 1, 2, 0, "test.ini:2:5: [slices] a: 1e-3 is not within 1 .. 2"},
                 {"b", 0, 1, 0, "'x' is not a number"},
                 {"d", 0, 1, 0, "'0x1' is not a number"},
                 {"f", 0, 1, 0, "'' is not a number"}};
    struct config c;
    int64_t i = 7;
    assert_int_equal(load(&c, "[slices]\na = 1e-3\nb = x\nc = 2.5\nd = 0x1\ne = 12\nf = \n"), 0);
    for (size_t k = 0; k < LENGTH(cases); k++) {
        double v = 7;
        const int rc =
            config_number(&c, "slices", cases[k].key, cases[k].low, cases[k].high, &v, &err);
        assert_int_equal(rc, cases[k].words ? -1 : 0);
        assert_true(cases[k].words ? strstr(err.msg, cases[k].words) != NULL : v == cases[k].value);
    }
    assert_int_equal(config_int(&c, "slices", "e", 0, 99, &i, &err), 0);
    assert_int_equal(i, 12);
    assert_int_equal(config_int(&c, "slices", "c", 0, 99, &i, &err), -1);
    assert_contains(err.msg, "'2.5' is not a whole number");
    config_release(&c);
}

static uint64_t checksum(const char *text)
{
    static const char *const sections[] = {"input", "columns", NULL};
    struct config c;
    assert_int_equal(load(&c, text), 0);
    uint64_t h = config_checksum(&c, sections);
    config_release(&c);
    return h;
}

TEST_CASE(the_checksum_depends_on_settings_and_not_on_layout)
{
    uint64_t h = checksum("[input]\nfile = a\n[columns]\nx = X, id\n");
    assert_true(
        h ==
        checksum("; new\n[input]\nfile=a ; why\n\n[columns]\nx   =   X, id\n[model]\nl2 = 1\n"));
    assert_true(h != checksum("[input]\nfile = b\n[columns]\nx = X, id\n"));
    assert_true(h != checksum("[input]\nfile = a\n[columns]\ny = X, id\n"));
}

// ---- output ----

static void write_file(const char *path, const char *text)
{
    struct output o;
    must(output_open(&o, path, 0644, &err) || fputs(text, o.file) < 0 || output_commit(&o, &err),
         &err);
    output_release(&o);
}

// A folder with a marker and one file more.
static void write_dir(const char *path, const char *name, const char *text)
{
    struct output d;
    must(output_dir_open(&d, path, "marker", &err) || output_dir_file(&d, "marker", "", 0, &err) ||
             output_dir_file(&d, name, text, strlen(text), &err) || output_commit(&d, &err),
         &err);
    output_release(&d);
}

TEST_CASE(a_file_takes_its_name_only_when_committed_and_has_one_writer)
{
    struct output o, second;
    struct stat st;
    const char *path = scratch_path("new/folder/a.txt");
    assert_int_equal(output_open(&o, path, 0600, &err), 0);
    assert_true(fputs("abc", o.file) >= 0);
    assert_int_equal(output_open(&second, path, 0644, &err), -1);
    assert_contains(err.msg, "a.txt: another program is writing it now");
    output_release(&second);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(output_commit(&o, &err), 0);
    assert_file_is(path, "abc");
    output_release(&o);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(scratch_count(scratch_path("new/folder")), 1);
}

TEST_CASE(an_abandoned_output_leaves_the_old_one)
{
    struct output o, d;
    write_file(scratch_path("a.txt"), "old");
    write_dir(scratch_path("d"), "old", "1");
    assert_int_equal(output_open(&o, scratch_path("a.txt"), 0644, &err), 0);
    assert_true(fputs("new", o.file) >= 0);
    assert_int_equal(output_dir_open(&d, scratch_path("d"), "marker", &err), 0);
    assert_int_equal(output_dir_file(&d, "new", "2", 1, &err), 0);
    output_release(&o);
    output_release(&d);
    assert_file_is(scratch_path("a.txt"), "old");
    assert_file_is(scratch_path("d/old"), "1");
    assert_int_equal(scratch_count(scratch), 2);
}

TEST_CASE(a_folder_replaces_the_whole_old_one)
{
    mkdir(scratch_path("d"), 0777); // an empty folder may be replaced, too
    write_dir(scratch_path("d/"), "old", "1");
    write_dir(scratch_path("d"), "new", "2");
    assert_int_equal(scratch_count(scratch_path("d")), 2);
    assert_file_is(scratch_path("d/new"), "2");
    assert_int_equal(scratch_count(scratch), 1);
}

static void refuse_dir(const char *name, const char *marker)
{
    struct output d;
    assert_int_equal(output_dir_open(&d, scratch_path(name), marker, &err), -1);
    assert_contains(err.msg, "d: holds files of others");
    output_release(&d);
    assert_int_equal(scratch_count(scratch), 1);
}

TEST_CASE(a_folder_of_other_files_is_not_replaced)
{
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

TEST_CASE(what_stands_under_the_temporary_name_is_not_written_to)
{
    struct output o;
    const char *victim = scratch_text("victim", "precious");
    assert_int_equal(link(victim, scratch_path("a.txt.tmp")), 0);
    write_file(scratch_path("a.txt"), "abc");
    assert_int_equal(link(victim, scratch_path("d.tmp")), 0);
    write_dir(scratch_path("d"), "x", "1");
    assert_int_equal(symlink("victim", scratch_path("a.txt.tmp")), 0);
    assert_int_equal(output_open(&o, scratch_path("a.txt"), 0644, &err), -1);
    assert_contains(err.msg, "a.txt: cannot create ");
    output_release(&o);
    assert_file_is(scratch_path("a.txt"), "abc");
    assert_file_is(victim, "precious");
}

TEST_CASE(an_output_that_cannot_be_created_is_an_error)
{
    static const char *const cases[][2] = {
        {"file/d", "file/d: cannot create"},
        {"file", "file: cannot be replaced by a folder: Not a directory"},
        {"link", "link: cannot be replaced by a folder: Not a directory"}};
    struct output o, d;
    scratch_text("file", "x");
    write_dir(scratch_path("d"), "old", "1");
    assert_int_equal(symlink("d", scratch_path("link")), 0);
    assert_int_equal(output_open(&o, scratch_path("file/a.txt"), 0644, &err), -1);
    assert_contains(err.msg, "file/a.txt: cannot create");
    assert_int_equal(output_dir_open(&d, "", "marker", &err), -1);
    assert_contains(err.msg, "the name of the output is empty");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(output_dir_open(&d, scratch_path(cases[i][0]), "marker", &err), -1);
        assert_contains(err.msg, cases[i][1]);
        output_release(&d);
    }
    assert_file_is(scratch_path("file"), "x");
    assert_file_is(scratch_path("link/old"), "1");
    assert_int_equal(scratch_count(scratch), 3);
}

TEST_CASE(a_full_disk_is_an_error)
{
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        skip();
    assert_int_equal(write_all(fd, "abc", 3, "a.txt", &err), -1);
    assert_string_equal(err.msg, "a.txt: cannot write: No space left on device");
    struct output o;
    assert_int_equal(output_open(&o, scratch_path("a.txt"), 0644, &err), 0);
    dup2(fd, o.fd);
    fputs("abc", o.file);
    assert_int_equal(output_commit(&o, &err), -1);
    assert_contains(err.msg, "a.txt: cannot write: No space left on device");
    output_release(&o);
    assert_int_equal(scratch_count(scratch), 0);
    close(fd);
}

TESTS(NULL, NULL)
