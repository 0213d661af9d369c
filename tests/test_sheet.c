// sheet: each format to the last byte, what is escaped, and how columns stand.
#include "tests/scratch.h"
#include "train/sheet.h"

#include <math.h>

// What a sheet prints, to be freed.
static char *printed(const struct sheet *s, enum sheet_format format)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    assert_int_equal(sheet_print(s, format, f), 0);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void assert_printed(const struct sheet *s, enum sheet_format format, const char *expected)
{
    char *text = printed(s, format);
    assert_string_equal(text, expected);
    free(text);
}

static void make_small(struct sheet *s)
{
    sheet_init(s, 3, 1);
    sheet_cell(s, "%s", "name");
    sheet_cell(s, "rows");
    sheet_cell(s, "share");
    sheet_cell(s, "café");
    sheet_number(s, 0, 1200);
    sheet_number(s, 3, 0.0625);
    sheet_cell(s, "%s %d", "a", 1);
    sheet_number(s, 0, 7);
    sheet_number(s, 3, NAN);
}

static void text_has_columns_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct sheet s;
    make_small(&s);
    assert_printed(&s, SHEET_TEXT,
                   "name  rows  share\n"
                   "café  1200  0.062\n"
                   "a 1      7      -\n");
    sheet_release(&s);
}

static void markdown_has_a_ruler_that_aligns_numbers(void **state)
{
    (void)state;
    struct sheet s;
    make_small(&s);
    assert_printed(&s, SHEET_MARKDOWN,
                   "| name | rows | share |\n"
                   "| --- | ---: | ---: |\n"
                   "| café | 1200 | 0.062 |\n"
                   "| a 1 | 7 | - |\n");
    sheet_release(&s);
}

static void html_has_headings_and_marks_numbers(void **state)
{
    (void)state;
    struct sheet s;
    make_small(&s);
    char *text = printed(&s, SHEET_HTML);
    const char *table = strstr(text, "<table class=\"sheet\">\n"), *end = strstr(text, "</table>");
    assert_true(table && end);
    table += strlen("<table class=\"sheet\">\n");
    *strstr(text, "</table>") = '\0';
    assert_string_equal(
        table,
        "<tr><th>name</th><th class=\"number\">rows</th><th class=\"number\">share</th></tr>\n"
        "<tr><td>café</td><td class=\"number\">1200</td><td class=\"number\">0.062</td></tr>\n"
        "<tr><td>a 1</td><td class=\"number\">7</td><td class=\"number\">-</td></tr>\n");
    free(text);
    sheet_release(&s);
}

static void a_text_in_the_last_column_has_no_blanks_behind_it(void **state)
{
    (void)state;
    struct sheet s;
    sheet_init(&s, 2, 2);
    sheet_cell(&s, "a");
    sheet_cell(&s, "heading");
    sheet_cell(&s, "long");
    sheet_cell(&s, "b");
    assert_printed(&s, SHEET_TEXT, "a     heading\nlong  b\n");
    sheet_release(&s);
}

static void a_character_is_one_wide_however_many_bytes_it_has(void **state)
{
    (void)state;
    struct sheet s;
    sheet_init(&s, 3, 1);
    sheet_cell(&s, "£€𝄞");
    sheet_cell(&s, "±");
    sheet_cell(&s, "z");
    sheet_cell(&s, "abcd");
    sheet_cell(&s, "12");
    sheet_cell(&s, "−3");
    assert_printed(&s, SHEET_TEXT, "£€𝄞    ±   z\nabcd  12  −3\n");
    sheet_release(&s);
}

static void a_number_that_is_not_finite_is_a_dash(void **state)
{
    (void)state;
    struct sheet s;
    sheet_init(&s, 5, 0);
    sheet_number(&s, 2, NAN);
    sheet_number(&s, 2, INFINITY);
    sheet_number(&s, 2, -INFINITY);
    sheet_number(&s, 2, -0.125);
    sheet_number(&s, 0, 1e15);
    assert_printed(&s, SHEET_TEXT, "-  -  -  -0.12  1000000000000000\n");
    sheet_release(&s);
}

static void assert_escaped(enum sheet_format format, const char *text, const char *expected)
{
    char *found = NULL;
    size_t n;
    FILE *f = open_memstream(&found, &n);
    assert_non_null(f);
    sheet_escape(text, format, f);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(found, expected);
    free(found);
}

static void what_html_and_markdown_would_take_as_marks_is_escaped(void **state)
{
    (void)state;
    const char *text = "<b a=\"1\">&amp; x|y *z* `c` \\n";
    assert_escaped(SHEET_TEXT, text, text);
    assert_escaped(SHEET_HTML, text, "&lt;b a=&quot;1&quot;&gt;&amp;amp; x|y *z* `c` \\n");
    assert_escaped(SHEET_MARKDOWN, text, "\\<b a=\"1\">\\&amp; x\\|y \\*z\\* \\`c\\` \\\\n");
}

static void cells_are_escaped(void **state)
{
    (void)state;
    struct sheet s;
    sheet_init(&s, 1, 1);
    sheet_cell(&s, "a|<b>");
    sheet_cell(&s, "c|&");
    assert_printed(&s, SHEET_TEXT, "a|<b>\nc|&\n");
    assert_printed(&s, SHEET_MARKDOWN, "| a\\|\\<b> |\n| --- |\n| c\\|\\& |\n");
    char *html = printed(&s, SHEET_HTML);
    assert_contains(html, "<th>a|&lt;b&gt;</th>");
    assert_contains(html, "<td>c|&amp;</td>");
    free(html);
    sheet_release(&s);
}

static void a_sheet_that_lacks_a_cell_is_not_printed(void **state)
{
    (void)state;
    struct sheet s;
    make_small(&s);
    s.failed = true; // as when out of memory
    assert_int_equal(sheet_print(&s, SHEET_TEXT, stderr), -1);
    sheet_release(&s);
}

static void a_write_that_fails_is_an_error(void **state)
{
    (void)state;
    struct sheet s;
    make_small(&s);
    for (int format = SHEET_TEXT; format <= SHEET_HTML; format++) {
        FILE *f = fopen("/dev/full", "w");
        assert_non_null(f);
        setvbuf(f, NULL, _IONBF, 0);
        assert_int_equal(sheet_print(&s, (enum sheet_format)format, f), -1);
        fclose(f);
    }
    sheet_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_has_columns_as_wide_as_their_widest_cell),
        cmocka_unit_test(markdown_has_a_ruler_that_aligns_numbers),
        cmocka_unit_test(html_has_headings_and_marks_numbers),
        cmocka_unit_test(a_text_in_the_last_column_has_no_blanks_behind_it),
        cmocka_unit_test(a_character_is_one_wide_however_many_bytes_it_has),
        cmocka_unit_test(a_number_that_is_not_finite_is_a_dash),
        cmocka_unit_test(what_html_and_markdown_would_take_as_marks_is_escaped),
        cmocka_unit_test(cells_are_escaped),
        cmocka_unit_test(a_sheet_that_lacks_a_cell_is_not_printed),
        cmocka_unit_test(a_write_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
