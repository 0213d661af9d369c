// slices: which rows belong to which slice, against those picked by hand, and names. What [slices] refuses is in test_evaluate.c.
#define EACH set_up, tear_down
#include "train/metrics.h"

#include "tests/release.h"
#include "tests/training.h"

// The test rows begin at FIRST: an index that is not moved by it gives other rows.
enum { FIRST = 70, ROWS = 470, DICTIONARY = 40 };
static const struct row_range test_rows = {FIRST, ROWS};

static float amount[ROWS], night[ROWS];
static uint32_t channel[ROWS];
static int8_t judged[ROWS];
static char *texts[DICTIONARY];
static struct table_column column = {
    .name = "channel", .kind = COLUMN_CATEGORY, .data = channel, .dictionary = texts};
static struct slicing *slicings;
static size_t n_slicings;
static struct config config;

// Amounts of 0, 5, ..., 120, of which edges are multiples; some rows are not judged.
static int set_up(void **state)
{
    static char written[DICTIONARY][8];
    seed = 7;
    for (size_t r = 0; r < ROWS; r++) {
        amount[r] = (float)(5 * draw(25));
        night[r] = r < FIRST ? 99 : 2.5F * (float)draw(3) - 2.5F; // 99 is in no test row
        channel[r] = (uint32_t)draw(3);
        judged[r] = draw(4) ? draw(3) == 0 : -(int8_t)draw(3);
    }
    for (size_t k = 0; k < DICTIONARY; k++) {
        snprintf(written[k], sizeof written[k], "c%zu", k);
        texts[k] = written[k];
    }
    column.dictionary_size = 3;
    return scratch_make(state);
}

static int tear_down(void **state)
{
    free(slicings);
    config_release(&config);
    return scratch_remove(state);
}

static void read_slices(const char *lines)
{
    static const float *x[] = {amount, night};
    static const char *names[] = {"amount", "night"};
    const struct examples e = {.table = {.columns = &column, .n = 1, .rows = ROWS},
                               .rows = ROWS,
                               .n_inputs = 2,
                               .x = x,
                               .names = names};
    struct err err;
    config = config_of(formatted("[slices]\n%s\n", lines));
    must(slices_from_config(&slicings, &n_slicings, &e, test_rows, &config, &err), &err);
}

// names: with " | " between them.
static void assert_names(const struct slicing *s, const char *names)
{
    char found[1024] = "";
    for (size_t k = 0; k < s->n; k++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", k ? " | " : "",
                 s->names[k]);
    assert_string_equal(found, names);
}

// Slice k of slicing i has the test rows r for which the condition holds, and no other.
#define ASSERT_SLICE(i, k, condition)                                                              \
    do {                                                                                           \
        int8_t labels[ROWS];                                                                       \
        for (size_t r = 0; r < ROWS; r++)                                                          \
            labels[r] = (condition) ? judged[r] : LABEL_ELSEWHERE;                                 \
        assert_slice(&slicings[i], k, labels);                                                     \
    } while (0)

static void assert_slice(const struct slicing *s, size_t k, const int8_t *labels)
{
    int8_t *found = slice_judged(s, k, test_rows, judged + FIRST);
    assert_memory_equal(found, labels + FIRST, ROWS - FIRST);
    free(found);
}

TEST_CASE(a_band_holds_its_lower_edge_and_each_value_of_the_test_rows_is_a_slice)
{
    read_slices("by = amount: 20, 50, 100\nb = amount:0\nc = night");
    assert_int_equal(n_slicings, 3);
    assert_string_equal(slicings[0].name, "by");
    assert_names(&slicings[0], "under 20 | 20 to under 50 | 50 to under 100 | 100 and over");
    ASSERT_SLICE(0, 0, amount[r] < 20);
    ASSERT_SLICE(0, 1, amount[r] >= 20 && amount[r] < 50);
    ASSERT_SLICE(0, 3, amount[r] >= 100);
    assert_names(&slicings[1], "under 0 | 0 and over");
    ASSERT_SLICE(1, 0, false);
    assert_names(&slicings[2], "-2.5 | 0 | 2.5");
    ASSERT_SLICE(2, 0, night[r] < 0);
    ASSERT_SLICE(2, 2, night[r] > 0);
}

// 0.7 as a float32 is less than 0.7, and %g would give both large numbers one name.
TEST_CASE(edges_and_names_are_those_of_the_feature_as_a_float)
{
    for (size_t r = 0; r < ROWS; r++) {
        amount[r] = r % 3 == 0 ? 0.7F : r % 3 == 1 ? nextafterf(0.7F, 0) : -0.1F;
        night[r] = r % 2 ? 1234567 : 1234568;
    }
    read_slices("a = amount: 0.7\nb = amount: -1e-1\nc = night: 1234567, 1234568\nd = night");
    assert_names(&slicings[0], "under 0.7 | 0.7 and over");
    ASSERT_SLICE(0, 1, r % 3 == 0);
    ASSERT_SLICE(1, 0, false);
    assert_names(&slicings[2], "under 1234567 | 1234567 to under 1234568 | 1234568 and over");
    assert_names(&slicings[3], "1234567 | 1234568");
}

// The 31 texts from c9 on are frequent in the test rows, and the nine before them in the others.
TEST_CASE(the_rare_ones_of_many_texts_share_a_slice)
{
    enum { OTHERS = DICTIONARY - (SLICES_MAX - 1) };
    bool seen[DICTIONARY] = {false};
    column.dictionary_size = DICTIONARY;
    for (size_t r = 0; r < ROWS; r++) {
        const bool rare = r < FIRST || r % 10 == 0;
        channel[r] = (uint32_t)(rare ? r / 10 % OTHERS : OTHERS + r % (SLICES_MAX - 1));
    }
    read_slices("by = channel");
    assert_int_equal(slicings[0].n, SLICES_MAX);
    for (size_t k = 0; k < SLICES_MAX - 1; k++) {
        const uint32_t code = (uint32_t)strtoul(slicings[0].names[k] + 1, NULL, 10);
        assert_in_range(code, OTHERS, DICTIONARY - 1);
        assert_false(seen[code]);
        seen[code] = true;
        ASSERT_SLICE(0, k, channel[r] == code);
    }
    assert_string_equal(slicings[0].names[SLICES_MAX - 1], "(others)");
    ASSERT_SLICE(0, SLICES_MAX - 1, channel[r] < OTHERS);
}

// A pound sign has two bytes; the 79 that a name holds end within one or after one.
TEST_CASE(a_text_becomes_a_name_without_control_characters_and_half_characters)
{
    char odd[1 + 2 * 60 + 1] = "x", *even = odd + 1, exact[SLICE_NAME], expected[512];
    for (int k = 0; k < 60; k++)
        memcpy(even + 2 * k, "£", 3);
    memset(exact, 'y', SLICE_NAME - 1);
    exact[SLICE_NAME - 1] = '\0';
    char *cases[] = {even, odd, exact, (char[]){"a\tb\nc\x01 d\x1f"}, (char[]){""}};
    memcpy(texts, cases, sizeof cases);
    column.dictionary_size = 5;
    read_slices("by = channel");
    snprintf(expected, sizeof expected, "%.78s | %.79s | %s | a b c  d  | ", even, odd, exact);
    assert_names(&slicings[0], expected);
}

TEST_CASE(a_slice_is_small_below_ten_judged_rows_of_either_class_and_may_be_empty)
{
    static const int frauds[] = {10, 9, 10, 0}, genuine[] = {10, 10, 9, 100};
    size_t r = FIRST;
    column.dictionary_size = 6; // the last is in no row
    for (uint32_t k = 0; k < 4; k++)
        for (int i = 0; i < frauds[k] + genuine[k]; i++, r++) {
            channel[r] = k;
            judged[r] = i < frauds[k];
        }
    for (size_t i = 0; r < ROWS; r++, i++) { // rows that are not judged make no slice larger
        channel[r] = (uint32_t)(i % 5);
        judged[r] = i % 2 ? LABEL_UNKNOWN : LABEL_KNOWN_CARD;
    }
    read_slices("by = channel");
    for (size_t k = 0; k < 6; k++) {
        struct tally t = {0};
        int8_t *labels = slice_judged(&slicings[0], k, test_rows, judged + FIRST);
        for (size_t i = 0; i < ROWS - FIRST; i++)
            tally_row(&t, 0, labels[i], 1);
        assert_int_equal(slice_is_small(&t), k > 0);
        if (k == 5)
            assert_is(t.rows + t.unknown_labels + t.known_cards, 0);
        free(labels);
    }
}

TESTS(NULL, NULL)
