// slices: which rows fall into which, their metrics against those of rows picked by hand, names, and
// what [slices] refuses.
#include "tests/scratch.h"
#include "train/slices.h"

#include <math.h>

// The test rows begin behind FIRST: an index that is not moved by it gives other rows.
enum { FIRST = 70, ROWS = 470, DICTIONARY = 40 };
static const struct row_range test_rows = {FIRST, ROWS};
static const double threshold = 0.6;

static float amount[ROWS], night[ROWS];
static uint32_t channel[ROWS];
static double score[ROWS];
static int8_t judged[ROWS];
static char *texts[DICTIONARY];
static struct table_column column = {
    .name = "channel", .kind = COLUMN_CATEGORY, .data = channel, .dictionary = texts};
static struct examples examples;
static struct slicing *slicings;
static size_t n_slicings;

static uint64_t draw(uint64_t m)
{
    static uint64_t state = 7;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % m;
}

// Amounts of 0, 5, ..., 120, of which edges are multiples; some rows are not judged.
static int set_up(void **state)
{
    static const float *x[] = {amount, night};
    static const char *names[] = {"amount", "night"};
    static char written[DICTIONARY][8];
    for (size_t r = 0; r < ROWS; r++) {
        amount[r] = (float)(5 * draw(25));
        night[r] = (float)draw(2);
        channel[r] = (uint32_t)draw(3);
        score[r] = (double)draw(50) / 50;
        judged[r] = draw(4) ? draw(3) == 0 : -(int8_t)draw(3);
    }
    for (size_t k = 0; k < DICTIONARY; k++) {
        snprintf(written[k], sizeof written[k], "c%zu", k);
        texts[k] = written[k];
    }
    column.dictionary_size = 3;
    examples = (struct examples){.table = {.columns = &column, .n = 1, .rows = ROWS},
                                 .rows = ROWS,
                                 .n_inputs = 2,
                                 .x = x,
                                 .names = names};
    return scratch_make(state);
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < n_slicings; i++)
        slicing_release(&slicings[i]);
    free(slicings);
    slicings = NULL;
    n_slicings = 0;
    return scratch_remove(state);
}

static int read_slices(const char *lines, struct err *err)
{
    char text[1024];
    struct config c;
    snprintf(text, sizeof text, "[slices]\n%s\n", lines);
    if (config_load(&c, scratch_text("test.ini", text), err))
        fail_msg("%s", err->msg);
    int rc = slices_from_config(&slicings, &n_slicings, &examples, test_rows, &c, err);
    config_release(&c);
    return rc;
}

// The slices of these lines, measured.
static void measure(const char *lines)
{
    struct err err = {""};
    if (read_slices(lines, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < n_slicings; i++)
        if (slicing_measure(&slicings[i], test_rows, score + FIRST, judged + FIRST, threshold,
                            &err))
            fail_msg("%s", err.msg);
}

static void assert_names(const struct slicing *s, size_t n, const char *const *names)
{
    assert_int_equal(s->n, n);
    for (size_t k = 0; k < n; k++)
        assert_string_equal(s->slices[k].name, names[k]);
}
#define ASSERT_NAMES(s, ...)                                                                       \
    assert_names(s, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                   \
                 (const char *const[]){__VA_ARGS__})

// The slice is that of the test rows r for which the condition holds, not one more.
#define ASSERT_SLICE(slice, condition)                                                             \
    do {                                                                                           \
        bool in[ROWS];                                                                             \
        for (size_t r = 0; r < ROWS; r++)                                                          \
            in[r] = condition;                                                                     \
        assert_slice(slice, in);                                                                   \
    } while (0)

static void assert_slice(const struct slice *s, const bool in[ROWS])
{
    double scores[ROWS];
    int8_t labels[ROWS];
    size_t n = 0;
    struct metrics expected;
    struct err err = {""};
    for (size_t r = FIRST; r < ROWS; r++)
        if (in[r]) {
            scores[n] = score[r];
            labels[n++] = judged[r];
        }
    assert_int_equal(metrics_compute(&expected, scores, labels, n, threshold, &err), 0);
    assert_memory_equal(&s->metrics, &expected, sizeof expected);
}

static uint64_t rows_in(const struct slice *s)
{
    const struct tally *t = &s->metrics.tally;
    return t->rows + t->unknown_labels + t->known_cards;
}

// ---- bands -----------------------------------------------------------------------------------------

static void a_band_holds_its_lower_edge_but_not_its_upper_one(void **state)
{
    (void)state;
    measure("by = amount: 20, 50, 100");
    assert_int_equal(n_slicings, 1);
    assert_string_equal(slicings[0].name, "by");
    ASSERT_NAMES(&slicings[0], "under 20", "20 to under 50", "50 to under 100", "100 and over");
    ASSERT_SLICE(&slicings[0].slices[0], amount[r] < 20);
    ASSERT_SLICE(&slicings[0].slices[1], amount[r] >= 20 && amount[r] < 50);
    ASSERT_SLICE(&slicings[0].slices[2], amount[r] >= 50 && amount[r] < 100);
    ASSERT_SLICE(&slicings[0].slices[3], amount[r] >= 100);
}

// 0.7 as a float32 is less than 0.7: with the edge as a double the rows would be under it.
static void an_edge_is_rounded_as_its_feature_is(void **state)
{
    (void)state;
    for (size_t r = 0; r < ROWS; r++)
        amount[r] = r % 3 == 0 ? 0.7F : r % 3 == 1 ? nextafterf(0.7F, 0) : 0.1F;
    measure("a = amount: 0.7\nb = amount: 0.1");
    ASSERT_NAMES(&slicings[0], "under 0.7", "0.7 and over");
    ASSERT_SLICE(&slicings[0].slices[1], r % 3 == 0);
    ASSERT_SLICE(&slicings[1].slices[0], false);
}

static void negative_edges_and_one_edge_alone_are_bands_too(void **state)
{
    (void)state;
    for (size_t r = 0; r < ROWS; r++)
        amount[r] -= 60;
    measure("a = amount: -1e1, 0.5\nb = amount:0");
    ASSERT_NAMES(&slicings[0], "under -10", "-10 to under 0.5", "0.5 and over");
    ASSERT_SLICE(&slicings[0].slices[1], amount[r] >= -10 && amount[r] <= 0);
    ASSERT_NAMES(&slicings[1], "under 0", "0 and over");
}

static void thirty_one_edges_are_taken(void **state)
{
    (void)state;
    char line[256] = "a = amount: 1";
    for (int k = 2; k <= SLICES_MAX - 1; k++)
        snprintf(line + strlen(line), sizeof line - strlen(line), ",%d", k);
    measure(line);
    assert_int_equal(slicings[0].n, SLICES_MAX);
    ASSERT_SLICE(&slicings[0].slices[SLICES_MAX - 1], amount[r] >= 31);
}

// Six digits, as %g has them, would give all of these one name.
static void names_have_as_many_digits_as_tell_numbers_apart(void **state)
{
    (void)state;
    for (size_t r = 0; r < ROWS; r++)
        amount[r] = r % 2 ? 1234567 : 1234568;
    measure("a = amount: 1234567, 1234568\nb = amount");
    ASSERT_NAMES(&slicings[0], "under 1234567", "1234567 to under 1234568", "1234568 and over");
    ASSERT_NAMES(&slicings[1], "1234567", "1234568");
}

// ---- values ----------------------------------------------------------------------------------------

static void each_value_in_the_test_rows_is_a_slice_in_rising_order(void **state)
{
    (void)state;
    for (size_t r = 0; r < ROWS; r++)
        amount[r] = r < FIRST ? 99 : 2.5F * (float)(r % 3) - 2.5F; // 99 is in no test row
    measure("by = amount\nnight = night");
    ASSERT_NAMES(&slicings[0], "-2.5", "0", "2.5");
    ASSERT_SLICE(&slicings[0].slices[0], r % 3 == 0);
    ASSERT_SLICE(&slicings[0].slices[2], r % 3 == 2);
    ASSERT_NAMES(&slicings[1], "0", "1");
    ASSERT_SLICE(&slicings[1].slices[1], night[r] == 1);
}

static void thirty_two_values_are_taken_and_no_more(void **state)
{
    (void)state;
    struct err err = {""};
    for (size_t r = 0; r < ROWS; r++)
        amount[r] = (float)(r % SLICES_MAX);
    measure("by = amount");
    assert_int_equal(slicings[0].n, SLICES_MAX);
    ASSERT_SLICE(&slicings[0].slices[31], r % SLICES_MAX == 31);
    slicing_release(slicings);
    free(slicings);
    amount[ROWS - 1] = 0.5;
    assert_int_equal(read_slices("by = amount", &err), -1);
    assert_contains(err.msg,
                    "test.ini:2:6: [slices] by: 'amount' has more than 32 different values "
                    "in the test rows: give edges, such as amount: 20, 50, 100");
}

// ---- categories ------------------------------------------------------------------------------------

static void each_text_of_a_category_is_a_slice(void **state)
{
    (void)state;
    measure("by = channel");
    ASSERT_NAMES(&slicings[0], "c0", "c1", "c2");
    for (size_t k = 0; k < 3; k++)
        ASSERT_SLICE(&slicings[0].slices[k], channel[r] == k);
}

static void thirty_two_texts_need_no_others(void **state)
{
    (void)state;
    column.dictionary_size = SLICES_MAX;
    for (size_t r = 0; r < ROWS; r++)
        channel[r] = (uint32_t)(r % SLICES_MAX);
    measure("by = channel");
    assert_int_equal(slicings[0].n, SLICES_MAX);
    assert_string_equal(slicings[0].slices[31].name, "c31");
    ASSERT_SLICE(&slicings[0].slices[31], channel[r] == 31);
}

// The 31 texts from c9 on are frequent in the test rows, and the nine before them in the others.
static void of_many_texts_the_rare_ones_share_a_slice(void **state)
{
    (void)state;
    enum { OTHERS = DICTIONARY - (SLICES_MAX - 1) };
    bool seen[DICTIONARY] = {false};
    column.dictionary_size = DICTIONARY;
    for (size_t r = 0; r < ROWS; r++) {
        const bool rare = r < FIRST || r % 10 == 0;
        channel[r] = (uint32_t)(rare ? r / 10 % OTHERS : OTHERS + r % (SLICES_MAX - 1));
    }
    measure("by = channel");
    assert_int_equal(slicings[0].n, SLICES_MAX);
    for (size_t k = 0; k < SLICES_MAX - 1; k++) {
        const uint32_t code = (uint32_t)strtoul(slicings[0].slices[k].name + 1, NULL, 10);
        assert_in_range(code, OTHERS, DICTIONARY - 1);
        assert_false(seen[code]);
        seen[code] = true;
        ASSERT_SLICE(&slicings[0].slices[k], channel[r] == code);
    }
    assert_string_equal(slicings[0].slices[SLICES_MAX - 1].name, "(others)");
    ASSERT_SLICE(&slicings[0].slices[SLICES_MAX - 1], channel[r] < OTHERS);
}

// A pound sign takes two bytes; the 79 that a name holds end within one or behind one.
static void a_long_text_is_cut_at_a_whole_character(void **state)
{
    (void)state;
    char odd[1 + 2 * 60 + 1] = "x", *even = odd + 1, exact[SLICE_NAME];
    for (int k = 0; k < 60; k++)
        memcpy(even + 2 * k, "£", 3);
    memset(exact, 'y', SLICE_NAME - 1);
    exact[SLICE_NAME - 1] = '\0';
    texts[0] = even;
    texts[1] = odd;
    texts[2] = exact;
    measure("by = channel");
    assert_int_equal(strlen(slicings[0].slices[0].name), 78);
    assert_memory_equal(slicings[0].slices[0].name, even, 78);
    assert_int_equal(strlen(slicings[0].slices[1].name), 79);
    assert_memory_equal(slicings[0].slices[1].name, odd, 79);
    assert_string_equal(slicings[0].slices[2].name, exact);
}

static void control_characters_of_a_text_become_blanks(void **state)
{
    (void)state;
    texts[0] = (char[]){"a\tb\nc\x01 d\x1f"};
    texts[1] = (char[]){""};
    measure("by = channel");
    ASSERT_NAMES(&slicings[0], "a b c  d ", "", "c2");
}

// ---- all slicings ----------------------------------------------------------------------------------

static void the_slices_of_a_slicing_add_up_to_all_rows(void **state)
{
    (void)state;
    column.dictionary_size = DICTIONARY;
    for (size_t r = 0; r < ROWS; r++)
        channel[r] = (uint32_t)draw(DICTIONARY);
    measure("bands = amount: 20, 50\nvalues = amount\nmany = channel");
    struct metrics all;
    struct err err = {""};
    assert_int_equal(
        metrics_compute(&all, score + FIRST, judged + FIRST, ROWS - FIRST, threshold, &err), 0);
    for (size_t i = 0; i < n_slicings; i++) {
        struct tally sum = {0};
        for (size_t k = 0; k < slicings[i].n; k++)
            tally_add(&sum, &slicings[i].slices[k].metrics.tally, 1);
        assert_int_equal(sum.rows, all.tally.rows);
        assert_int_equal(sum.frauds, all.tally.frauds);
        assert_int_equal(sum.unknown_labels, all.tally.unknown_labels);
        assert_int_equal(sum.known_cards, all.tally.known_cards);
        assert_int_equal(sum.true_positives, all.tally.true_positives);
        assert_int_equal(sum.false_positives, all.tally.false_positives);
        assert_int_equal(sum.rows + sum.unknown_labels + sum.known_cards, ROWS - FIRST);
    }
}

static void an_empty_slice_has_counts_of_0_and_no_metrics(void **state)
{
    (void)state;
    column.dictionary_size = 4;
    measure("bands = amount: 20, 1000\ntexts = channel"); // nothing costs 1000, c3 is in no row
    const struct slice *empty[] = {&slicings[0].slices[2], &slicings[1].slices[3]};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rows_in(empty[i]), 0);
        assert_int_equal(empty[i]->metrics.tally.frauds, 0);
        for (size_t k = 0; k < N_METRICS; k++)
            assert_true(isnan(metrics_get(&empty[i]->metrics, k)));
        assert_true(empty[i]->small);
    }
}

static void a_slice_is_small_below_ten_judged_rows_of_either_class(void **state)
{
    (void)state;
    static const int frauds[] = {10, 9, 10, 0}, genuine[] = {10, 10, 9, 100};
    static const bool small[] = {false, true, true, true};
    size_t r = FIRST;
    column.dictionary_size = 5;
    for (uint32_t k = 0; k < 4; k++)
        for (int i = 0; i < frauds[k] + genuine[k]; i++, r++) {
            channel[r] = k;
            judged[r] = i < frauds[k];
        }
    for (size_t i = 0; r < ROWS; r++, i++) { // what is not judged makes no slice larger
        channel[r] = (uint32_t)(i % 5);
        judged[r] = i % 2 ? LABEL_UNKNOWN : LABEL_KNOWN_CARD;
    }
    measure("by = channel");
    for (size_t k = 0; k < 4; k++)
        assert_int_equal(slicings[0].slices[k].small, small[k]);
    assert_true(slicings[0].slices[4].small);
}

// ---- mistakes --------------------------------------------------------------------------------------

static void mistakes_are_named_with_file_line_and_value(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *message;
    } mistakes[] = {
        {"ok = night\nby = amuont: 1, 2",
         "test.ini:3:6: [slices] by: there is no feature and no category 'amuont', did you mean "
         "'amount'?"},
        {"by = hour", "test.ini:2:6: [slices] by: there is no feature and no category 'hour'\n"},
        {"by = amount: 20, 20", "test.ini:2:18: [slices] by: the edges must rise"},
        {"by = amount: 20, 5", "test.ini:2:18: [slices] by: the edges must rise"},
        {"by = amount: 0.1, 0.1000000001", "test.ini:2:19: [slices] by: the edges must rise"},
        {"by = amount: 1, x2", "test.ini:2:17: [slices] by: 'x2' is not a list of numbers"},
        {"by = amount: 1, nan", "test.ini:2:17: [slices] by: 'nan' is not a list of numbers"},
        {"by = amount: 1 2", "test.ini:2:14: [slices] by: '1 2' is not a list of numbers"},
        {"by = amount: 1,", "test.ini:2:16: [slices] by: '' is not a list of numbers"},
        {"by = amount:", "test.ini:2:13: [slices] by: '' is not a list of numbers"},
        {"by = amount: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,"
         "29,30,31,32",
         "test.ini:2:98: [slices] by: more than 31 edges"},
        {"by = channel: 1, 2", "test.ini:2:13: [slices] by: a category has no edges"},
        {"by = amount 20", "test.ini:2:6: [slices] by: a feature or category is expected"},
        {"by = : 20", "test.ini:2:6: [slices] by: a feature or category is expected"},
        {"by =", "test.ini:2:1: [slices] by: a feature or category is expected"},
        {"a\tb = night", "test.ini:2: [slices] a\tb: "}, // it would be two columns of slices.tsv
        {"caf\xe9 = night", "test.ini:2: [slices] caf\xe9: "},
        {"by = amount: 10,\n    5", "test.ini:2: [slices] by: the edges must rise"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct err err = {""};
        if (read_slices(mistakes[i].lines, &err) == 0)
            fail_msg("taken: %s", mistakes[i].lines);
        assert_contains(err.msg, mistakes[i].message);
        for (size_t k = 0; k < n_slicings; k++)
            slicing_release(&slicings[k]);
        free(slicings);
    }
    slicings = NULL;
    n_slicings = 0;
}

// A float32 ends at 3.4e38.
static void an_edge_that_no_feature_can_reach_is_refused(void **state)
{
    (void)state;
    struct err err = {""};
    assert_int_equal(read_slices("by = amount: 1, 1e39", &err), -1);
    assert_contains(err.msg, "test.ini:2:17: [slices] by: ");
}

static void no_section_is_no_slices(void **state)
{
    (void)state;
    struct err err = {""};
    assert_int_equal(read_slices("[model]\nl2 = 1", &err), 0);
    assert_int_equal(n_slicings, 0);
}

#define slices_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        slices_test(a_band_holds_its_lower_edge_but_not_its_upper_one),
        slices_test(an_edge_is_rounded_as_its_feature_is),
        slices_test(negative_edges_and_one_edge_alone_are_bands_too),
        slices_test(thirty_one_edges_are_taken),
        slices_test(names_have_as_many_digits_as_tell_numbers_apart),
        slices_test(each_value_in_the_test_rows_is_a_slice_in_rising_order),
        slices_test(thirty_two_values_are_taken_and_no_more),
        slices_test(each_text_of_a_category_is_a_slice),
        slices_test(thirty_two_texts_need_no_others),
        slices_test(of_many_texts_the_rare_ones_share_a_slice),
        slices_test(a_long_text_is_cut_at_a_whole_character),
        slices_test(control_characters_of_a_text_become_blanks),
        slices_test(the_slices_of_a_slicing_add_up_to_all_rows),
        slices_test(an_empty_slice_has_counts_of_0_and_no_metrics),
        slices_test(a_slice_is_small_below_ten_judged_rows_of_either_class),
        slices_test(mistakes_are_named_with_file_line_and_value),
        slices_test(an_edge_that_no_feature_can_reach_is_refused),
        slices_test(no_section_is_no_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
