// join: several tables as one, against a list that is searched and sorted the slow way.
#include "ingest/table.h"
#include "tests/training.h"

#include "base/memory.h"

enum { TABLES = 4, MOST = 60, IDS = 100 };

static struct made {
    uint64_t id[MOST];
    int64_t time[MOST];
    double number[MOST];
    uint32_t code[MOST];
    int8_t label[MOST];
    char *texts[4];
    struct table_column columns[6];
} made[TABLES];
static struct table tables[TABLES], joined;
static uint64_t rows[TABLES]; // that are joined of each
static struct err err;

struct expected {
    uint64_t id;
    int64_t time;
    double number;
    const char *text;
    int8_t label;
};

// The codes of each table are those of its own dictionary; ids are once in a table.
static void make_table(size_t i, uint64_t n, int64_t from, uint64_t seconds)
{
    static char *const texts[] = {"chip", "web", "phone", "mail", "chip", "web", "phone"};
    static char path[TABLES][8];
    struct made *m = &made[i];
    for (size_t r = 0; r < n; r++) {
        bool again = true;
        while (again) {
            m->id[r] = draw(IDS) * UINT64_C(0x9e3779b97f4a7c15);
            again = false;
            for (size_t k = 0; k < r; k++)
                again |= m->id[k] == m->id[r];
        }
        m->time[r] = from + (int64_t)draw(seconds);
        m->number[r] = (double)draw(1000) / 7;
        m->code[r] = (uint32_t)draw(4);
        m->label[r] = (int8_t)((int)draw(3) - 1);
    }
    memcpy(m->texts, texts + i, sizeof m->texts);
    const struct table_column columns[] = {
        {"id", COLUMN_ID, m->id, 1, NULL, 0},
        {"time", COLUMN_TIME, m->time, 1, NULL, 0},
        {i == 1 ? "other" : "extra", COLUMN_NUMBER, m->number, 1, NULL, 0},
        {"channel", COLUMN_CATEGORY, m->code, 1, m->texts, 4},
        {"label", COLUMN_LABEL, m->label, 1, NULL, 0},
        {"amount", COLUMN_NUMBER, m->number, 1, NULL, 0},
    };
    memcpy(m->columns, columns, sizeof columns);
    snprintf(path[i], sizeof path[i], "t%zu", i);
    tables[i] = (struct table){.path = path[i], .rows = n, .columns = m->columns, .n = 6};
    rows[i] = n;
}

static void forget(void)
{
    for (size_t c = 0; joined.columns != tables->columns && c < joined.n; c++) {
        struct table_column *k = &joined.columns[c];
        while (k->dictionary_size > 0)
            free(k->dictionary[--k->dictionary_size]);
        free(k->dictionary);
        free((void *)k->data);
    }
    free(joined.columns == tables->columns ? NULL : joined.columns);
    free(joined.path == tables->path ? NULL : joined.path);
    json_decref(joined.provenance);
}

// What is joined of n tables; how many rows.
static size_t join_slowly(struct expected *e, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < rows[i]; r++) {
            const struct made *m = &made[i];
            size_t k = 0;
            while (k < found && e[k].id != m->id[r])
                k++;
            if (k == found)
                e[found++] = (struct expected){m->id[r], m->time[r], m->number[r],
                                               m->texts[m->code[r]], m->label[r]};
            else if (e[k].label == -1)
                e[k].label = m->label[r];
        }
    for (size_t i = 1; i < found; i++)
        for (size_t k = i; k > 0 && e[k].time < e[k - 1].time; k--) {
            const struct expected later = e[k];
            e[k] = e[k - 1];
            e[k - 1] = later;
        }
    return found;
}

static const void *column(const char *name, enum column_kind kind)
{
    const void *data = table_data(&joined, name, kind, &err);
    must(!data, &err);
    return data;
}

TEST_CASE(an_id_counts_once_with_a_label_of_any_table_and_rows_are_in_stable_time_order)
{
    static struct expected e[TABLES * MOST];
    for (seed = 1; seed < 400; seed++) {
        const uint64_t began = seed;
        const size_t n = 1 + draw(TABLES);
        for (size_t i = 0; i < n; i++) {
            make_table(i, draw(MOST + 1), (int64_t)draw(30), 1 + draw(40)); // with equal times
            rows[i] -= draw(2) ? draw(rows[i] + 1) : 0;
        }
        must(table_join(&joined, tables, n, rows, &err), &err);
        assert_int_equal(joined.rows, join_slowly(e, n));
        assert_int_equal(joined.n, n == 1 ? 6 : 5); // "extra" is not in the second one
        const uint64_t *id = column("id", COLUMN_ID);
        const int64_t *time = column("time", COLUMN_TIME);
        const double *number = column("amount", COLUMN_NUMBER);
        const int8_t *label = column("label", COLUMN_LABEL);
        const uint32_t *code = column("channel", COLUMN_CATEGORY);
        char **texts = joined.columns[table_find(&joined, "channel")].dictionary;
        for (size_t r = 0; r < joined.rows; r++)
            if (id[r] != e[r].id || time[r] != e[r].time || number[r] != e[r].number ||
                label[r] != e[r].label || strcmp(texts[code[r]], e[r].text) != 0)
                fail_msg("seed %d, %zu tables, row %zu", (int)began, n, r);
        forget();
        seed = began;
    }
}

TEST_CASE(shuffled_rows_stay_whole_and_every_range_has_the_classes_shares)
{
    uint64_t last[MOST] = {0}, found = 0, all[3] = {0};
    seed = 5;
    make_table(0, MOST, 7, 50);
    for (size_t r = 0; r < MOST; r++)
        all[1 + made->label[r]]++;
    for (uint64_t of = 0; of < 20; of++) {
        joined = *tables;
        must(table_shuffle(&joined, of / 2, &err), &err);
        const uint64_t *id = column("id", COLUMN_ID);
        const double *number = column("amount", COLUMN_NUMBER);
        const uint32_t *code = column("channel", COLUMN_CATEGORY);
        const int64_t *time = column("time", COLUMN_TIME);
        const int8_t *label = column("label", COLUMN_LABEL);
        char **texts = joined.columns[table_find(&joined, "channel")].dictionary;
        double count[3] = {0};
        for (size_t r = 0; r < MOST; r++) {
            size_t k = 0;
            while (k < MOST && made->id[k] != id[r])
                k++;
            assert_true(k < MOST && time[r] == (int64_t)r && number[r] == made->number[k] &&
                        label[r] == made->label[k] &&
                        strcmp(texts[code[r]], made->texts[made->code[k]]) == 0);
            count[label[r] + 1]++;
            for (size_t c = 0; c < 3; c++)
                assert_near(count[c], (double)(all[c] * (r + 1)) / MOST, 1.01);
        }
        found += memcmp(last, id, sizeof last) != 0;
        memcpy(last, id, sizeof last);
        forget();
    }
    assert_int_equal(found, 10); // the same seed gives the same order, others do not
}

TEST_CASE(one_table_in_time_order_is_not_copied)
{
    seed = 1;
    make_table(0, 10, 5, 1);
    must(table_join(&joined, tables, 1, rows, &err), &err);
    for (size_t c = 0; c < 6; c++)
        assert_ptr_equal(joined.columns[c].data, made->columns[c].data);
    forget();
}

// Ids are the first column.
TEST_CASE(tables_without_ids_have_to_follow_each_other)
{
    seed = 1;
    for (int begin = 10; begin >= 9; begin--) { // the first one's last second is 9
        for (size_t i = 0; i < 2; i++) {
            make_table(i, 20, i ? begin : 0, 10);
            made[i].time[3] = i ? begin : 9;
            tables[i].columns++;
            tables[i].n--;
        }
        assert_int_equal(table_join(&joined, tables, 2, rows, &err), begin == 10 ? 0 : -1);
        assert_true(begin == 9 || joined.rows == 40);
        forget();
    }
    assert_contains(err.msg, "t1: begins before t0 has ended, and no id column");
}

// The last one is a feature table.
TEST_CASE(tables_of_different_keys_are_refused_and_the_checksum_is_of_all)
{
    static const char *const of[][3] = {{"a", "b", "1"}, {"a", "c", "1"}, {"a", "b", "1"}};
    char sums[3][17];
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < 2; i++) {
            make_table(i, 5, 0, 10);
            json_t *about = json_pack("{s:s, s:s}", "input_xxh3", k < 3 ? of[k][i] : "",
                                      "key_fingerprint", k == 3 && i ? "2" : "1");
            tables[i].provenance =
                k == 2 ? json_pack("{s:i, s:o}", "plan", i, "table", about) : about;
        }
        const int rc = table_join(&joined, tables, 2, rows, &err);
        assert_int_equal(rc, k == 3 ? -1 : 0);
        const json_t *about = joined.provenance;
        if (k == 2) {
            assert_int_equal(json_integer_value(json_object_get(about, "plan")), 0);
            about = json_object_get(about, "table");
        }
        if (rc == 0) {
            assert_string_equal(json_string_value(json_object_get(about, "key_fingerprint")), "1");
            assert_int_equal(json_array_size(json_object_get(about, "tables")), 2);
            snprintf(sums[k], 17, "%s", json_string_value(json_object_get(about, "input_xxh3")));
            forget();
        }
        json_decref(tables[0].provenance);
        json_decref(tables[1].provenance);
    }
    assert_contains(err.msg, "t1: its ids and keys were made under another pseudonym key than");
    assert_string_not_equal(sums[0], sums[1]);
    assert_string_equal(sums[0], sums[2]);
}

TESTS(NULL, NULL)
