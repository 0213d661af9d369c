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
    int label;
};

static void describe(struct table *t, const char *input, const char *key)
{
    t->provenance = json_pack("{s:s, s:s*}", "input_xxh3", input, "key_fingerprint", key);
}

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

static void forget(size_t n)
{
    for (size_t c = 0; c < joined.n && (n > 1 || joined.columns[c].data != made->id); c++) {
        struct table_column *k = &joined.columns[c];
        for (size_t t = 0; n > 1 && t < k->dictionary_size; t++)
            free(k->dictionary[t]);
        free(n > 1 ? k->dictionary : NULL);
        free((void *)k->data);
    }
    free(joined.columns);
    free(joined.path == tables->path ? NULL : joined.path);
    if (joined.provenance != tables->provenance)
        json_decref(joined.provenance);
    for (size_t i = 0; i < TABLES; i++)
        json_decref(tables[i].provenance);
    memset(tables, 0, sizeof tables);
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
    if (!data)
        fail_msg("%s", err.msg);
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
        assert_int_equal(joined.n, n == 1 ? 6 : 5);
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
        forget(n);
        seed = began;
    }
}

TEST_CASE(one_table_in_time_order_is_not_copied)
{
    seed = 1;
    make_table(0, 10, 5, 1);
    must(table_join(&joined, tables, 1, rows, &err), &err);
    for (size_t c = 0; c < 6; c++)
        assert_ptr_equal(joined.columns[c].data, made->columns[c].data);
    forget(1);
}

// Ids are the first column.
TEST_CASE(tables_without_ids_have_to_follow_each_other)
{
    seed = 1;
    for (int begin = 10; begin >= 9; begin--) { // the first one's last second is 9
        make_table(0, 20, 0, 10);
        make_table(1, 20, begin, 10);
        made[0].time[3] = 9;
        made[1].time[7] = begin;
        for (size_t i = 0; i < 2; i++) {
            tables[i].columns++;
            tables[i].n--;
        }
        assert_int_equal(table_join(&joined, tables, 2, rows, &err), begin == 10 ? 0 : -1);
        assert_int_equal(joined.rows, 40);
        forget(2);
    }
    assert_contains(err.msg, "t1: begins before t0 has ended, and has no id column");
}

TEST_CASE(tables_of_different_keys_are_refused_and_the_checksum_is_of_all)
{
    char sums[3][17];
    for (int i = 0; i < 3; i++) {
        seed = 1;
        make_table(0, 5, 0, 10);
        make_table(1, 5, 0, 10);
        describe(&tables[0], "a", "1");
        describe(&tables[1], i == 1 ? "c" : "b", "1");
        if (i == 2) // a feature table
            for (size_t k = 0; k < 2; k++)
                tables[k].provenance = json_pack("{s:s, s:o}", "plan", k ? "two" : "one", "table",
                                                 tables[k].provenance);
        must(table_join(&joined, tables, 2, rows, &err), &err);
        const json_t *plan = json_object_get(joined.provenance, "plan");
        const json_t *about = i == 2 ? json_object_get(joined.provenance, "table") : NULL;
        about = about ? about : joined.provenance;
        assert_true(i < 2 || strcmp(json_string_value(plan), "one") == 0);
        assert_string_equal(json_string_value(json_object_get(about, "key_fingerprint")), "1");
        assert_int_equal(json_array_size(json_object_get(about, "tables")), 2);
        snprintf(sums[i], 17, "%s", json_string_value(json_object_get(about, "input_xxh3")));
        forget(2);
    }
    assert_string_not_equal(sums[0], sums[1]);
    assert_string_equal(sums[0], sums[2]);
    make_table(0, 5, 0, 10);
    make_table(1, 5, 0, 10);
    describe(&tables[0], "a", "1");
    describe(&tables[1], "b", "2");
    assert_int_equal(table_join(&joined, tables, 2, rows, &err), -1);
    assert_contains(err.msg, "t1: its ids and keys were made under another pseudonym key than");
    json_decref(tables[0].provenance);
    json_decref(tables[1].provenance);
}

TESTS(NULL, NULL)
