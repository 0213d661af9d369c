// A CSV of your own: files of every kind go from draft to server untouched, and what a draft guesses.
#include "tests/server.h"

enum { ROWS = 400 };
static uint64_t seed = 1;

static uint64_t draw(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

// The pattern's capitals are fields: I the row's number, N a number, B the same or a blank, D with a
// decimal comma, M as money, W 120 numbers, some of them missing, C a category, T and S times, L label.
static void write_row(FILE *f, const char *pattern, int i, const char *label)
{
    char text[8][64], wide[1024] = "";
    const double x =
        (double)draw(1000) / 40 + (*label == 'y' || *label == 'T' || *label == '1' ? 9 : 0);
    for (int k = 0; k < 120 && strchr(pattern, 'W'); k++)
        snprintf(wide + strlen(wide), 8, draw(10) ? "%s%d" : "%s", k ? "," : "", (int)draw(1000));
    const char *const categories[] = {"web", "shop", "phone"};
    const char *fields[128] = {['W'] = wide, ['C'] = categories[draw(3)], ['L'] = label};
    for (size_t k = 0; k < 7; k++)
        fields[(int)"INBDMTS"[k]] = text[k];
    snprintf(text[0], 64, "%d", i);
    snprintf(text[1], 64, "%.2f", x);
    snprintf(text[2], 64, i % 20 ? "%.2f" : " ", x);
    snprintf(text[3], 64, "%d,%02d", (int)x, (int)(100 * x) % 100);
    snprintf(text[4], 64, "\"$%d,%03d.50\"", 1 + (int)x / 9, (int)(100 * x) % 900);
    snprintf(text[5], 64, "%d/%d/2015 %d:%02d", 1 + i / 100, 1 + i % 100 / 4, i % 4 * 5, i % 60);
    snprintf(text[6], 64, "2015-%02d-%02dT%02d:30:00.123Z", 1 + i / 100, 1 + i % 100 / 4,
             i % 4 * 5);
    for (; *pattern; pattern++)
        if (fields[(int)*pattern])
            fputs(fields[(int)*pattern], f);
        else
            putc(*pattern, f);
}

// The rows of the last one are sorted by their label.
static const struct kind {
    const char *header, *row, *no, *yes, *label, *parts; // parts of the draft
} kinds[] = {
    {"nr;betrag;art;betrug\r\n", "I;D;C;L\r\n", "no", "yes", "betrug",
     "delimiter = semicolon|decimal = comma|id = nr, id|betrag = hinges(betrag, 5)|art = "
     "onehot(art)|"
     "positive=yes"},
    {"n,c,is_fraud\n", "N,C,L\n", "False", "True", NULL,
     "positive=True|shuffle = 42|class = fraud"},
    {"n,c,target\n", "N,C,L\n", "0.0", "1.0", NULL, "label = target, label, positive=1.0"},
    {"customerID,charges,plan,Churn\n", "c-I,B,C,L\n", "no", "yes", NULL,
     "id = customerID, id|charges = charges, number, missing=flag|class = churn|alert_share = 2"},
    {"", "I,N,C,L\n", "no", "yes", NULL,
     "header = none|label = #4, label|column_2 = hinges(column_2, 5)"},
    {"money,c,y\n", "M,C,L\n", "0", "1", NULL, "thousands = comma|money = money, number, strip=$"},
    {"when,n,y\n", "T,N,L\n", "0", "1", NULL,
     "time_format = %m/%d/%Y %H:%M\n|train = 2015-01-01 .. 2015-03-|label_delay = 7d|hour(time)"},
    {"created,n,y\n", "S,N,L\n", "0", "1", NULL,
     "time_format = %Y-%m-%dT%H:%M:%S%z\n|time = created, time"},
    {",n,c,y\n", "I,N,C,L\n", "0", "1", NULL, "id = #1, id"},
    {"", "N,W,L\n", "0", "1", "#122", "column_100 = #100, number, missing=flag|label = #122"},
    {"n,c,y\n", "N,C,L\n", "0", "1", NULL, "shuffle = 42"},
};

TEST_CASE(files_of_every_kind_go_from_a_draft_to_a_server_untouched)
{
    for (const struct kind *k = kinds; k < kinds + LENGTH(kinds); k++) {
        FILE *f = fopen(scratch_path("my.csv"), "w");
        assert_non_null(f);
        fputs(k->header, f);
        for (int i = 0; i < ROWS; i++)
            write_row(f, k->row, i,
                      (k == kinds + LENGTH(kinds) - 1 ? i >= ROWS - 100 : draw(4) == 0) ? k->yes
                                                                                        : k->no);
        fclose(f);
        if (run("cd $F && rm -rf table features before models && o='--config x.ini' && "
                "ingest --label='%s' --draft my.csv >x.ini && "
                "ingest $o --key key --output table && features $o --output features table && "
                "mkdir before && cp features/state.bin before && "
                "train $o --output models --promote features",
                k->label ? k->label : ""))
            fail_msg("%s: %s", k->header, log_text());
        assert_parts(folder_text("x.ini"), k->parts);
        *own.database = '\0';
        server_begin(&own, "2", NULL);
        assert_int_equal(run("cd $F && replay --config x.ini --url http://127.0.0.1:%d", own.port),
                         0);
        assert_contains(log_text(), "requests        400, 0 sent again");
        server_end_own(NULL);
    }
}

// Rows "%d" of a loop in awk: i is the row's number, y its label.
static const struct {
    const char *header, *row, *label, *parts;
} guesses[] = {
    // the day stands first where a value says so; a birthday is not the row's time
    {"dob,at,n,y", "\"1990-01-0\" 1+i%9 \",\" 1+i%28 \"/3/2020,\" i%7 \",\" y", "",
     "time_format = %d/%m/%Y\n|; dob = dob"},
    {"at,n,y", "1+i%12 \"/3/2020,\" i%7 \",\" y", "", "is the month where it should be?"},
    {"step,amount,orig,y", "int(i/10) \",\" i%97 \",c\" int(i*7%400/2) \",\" y", "",
     "unit = 1h|orig = orig, key|orig_amount_30d = mean(orig, amount, 30d)"},
    {"time,n,y", "\"15000000\" 10000+i \",\" i%9 \",\" y", "",
     "time_format = epoch_ms\n|train = 0% .. 70%"},
    {"moment,n,y", "\"15\" 10000+i*4 \"000000,\" i%9 \",\" y", "",
     "time = moment, time|time_format = epoch_ms\n"},
    {"moment,n,y", "\"15\" 10000+i*4 \"000,\" i%9 \",\" y", "",
     "time = moment, time|time_format = epoch\n"},
    {"phone,n,y", "\"15\" 10000+i*4 \"000,\" i%9 \",\" y", "",
     "time_format = row   ; no column is the time of a row\n"},
    {"year,arrival_month,n,y", "2015+i%5 \",\" 1+i%12 \",\" i%9 \",\" y", "",
     "row, but year and month are columns"},
    {"at,shop,city,y", "1+i%28 \"/\" 1+int(i/100) \"/2020,s\" int(i/100) \",c\" i%3 \",\" y", "",
     "; shop = shop, category   ; of the later rows|; shop = onehot(shop)|\ncity = onehot(city)"},
    {"n,m,y", "i%9 (i%5?\"\":\"?\") \",\" (i%8?i%37:\"NA\") \",\" y", "",
     "na = NA|m = m, number, missing=flag"},
    {"same,text,leak,refund,and,a b,a-b,\"x,y\",y",
     "\"1,t\" i \",\" y*5+i%3 \",\" (y?i:\"\") \",\" i%9 \",1,\" i%4 \",\" i%3 \",\" y", "",
     "; same = same, number   ; the same value|; text = text, category   ; another value|; leak = "
     "leak, number   ; it alone|"
     "; refund = refund, number, missing=flag   ; filled only|; leak = hinges(leak, 5)|and_5 = "
     "and, number|; a_b = a b|a_b_7 = a-b|x_y = \"x,y\", number"},
    {"quality,n", "i%3 \",\" i%9", "quality",
     "column 'quality' has 3 (0 34%, 1 33%, 2 33%)|LABEL='quality=VALUE"},
    {"quality,n", "i%3 \",\" i%9", "quality=1|2",
     "label = quality, label, positive=1|alert_share = 66%"},
    {"n,left,right,m", "i%9 \",\" y \",\" i%2 \",\" i%9", "",
     "which column is the label, 'left' (#2), 'right' (#3) or another? Pass LABEL=COLUMN"},
    {"text,y", "\"text \" i \",\" y", "",
     "no column is left for the features, |'text' is left out (another value in every row)"},
    {"n,y", "\"caf\\351\" i%2 \",\" y", "", "encoding = windows-1252   ; line 2 is not UTF-8"},
    // of 1600 rows one is a few
    {"n,c,y", "i%9 (i==5?\",\\351,\":\",\\303\\251,\") y \"\\n3,e,0\\n4,e,1\\n5,e,0\"", "",
     "rows that are not UTF-8 are rejected: 1, the first in line 22|\u00e9|rejected  up to 0.0625 "
     "% of the "
     "rows; not UTF-8: 1, the first in line 22\n"},
    // a name too few; a comma at the end of each row
    {"c,n,y", "i \",u\" i%3 \",\" i%9 \",\" y", "",
     "header = none   ; the header has 3 names and the rows have 4 fields|skip = 1|id = #1, id|c = "
     "#2, category|n = hinges(n, 5)|label = "
     "#4"},
    {"c,n,y", "\"u\" i%3 \",\" i%9 \",\" y \",\"", "y",
     "skip = 1|c = #1, category|n = #2, number|label = #3|column_4             (out)"},
    // a row with another number of fields in the middle; none that most rows have
    {"a,b,y", "i%9 \",\" i%7 (i==200?\",7,\":\",\") y", "",
     "max_reject_rate = 0.005|rejected  up to 0.25 % of the rows; with another number of fields: "
     "1, the first in line 202\n"},
    {"a,b,y", "i%9 \",\" i%7 (i%3?\",7,\":\",\") y", "", "no delimiter (, ; "},
    {"n,n,time,id,late,y", "i%9 \",\" i%8 \",\" i%7 \",\" i%6 (y?\",1/2/2020,\":\",,\") y", "",
     "n = #1, number|n_2 = #2, number|time_3 = time, number|id_4 = id, number|; late = "
     "late, |filled only where the label is positive"},
    {"c,n,y",
     "\"a category of far more than sixty bytes as the test says of drafts \" i%3 \",1\" i%9 \",\" "
     "y",
     "", "; c = c, category   ; texts that are"},
    {"n,y", "i%9 \",\" y", "y=hi", "no row has y=hi; the values of the column are 0 75%, 1 25%"},
    {"n,y", "\"1,\" i%9", "n", "column 'n' has 1 (1 100%): pass another one\n"},
    {"n,y", "i%9 \",\" (y?\"a|b\":\"c\")", "y", "positive=a|alert_share = 25%"},
    {"n,status", "i%9 \",\" (y?\"N\":\"Y\")", "",
     "positive=N\n; positive=Y makes the other|class = positive"},
    {"n,y", "i%9 \",\" (i==399?\"Total\":y) \"\\n1,0\\n2,0\\n3,1\"", "",
     "positive=1\n; positive=0 makes"},
    {"at,card,y", "1+i*5%28 \"/\" 1+int(i/100) \"/2020,u\" i%150 \",\" y", "",
     "; a server learns labels by an id, and no column is one:\n; card_risk_30d = "},
    {"at,sorted,card,churn", "1+i*5%28 \"/3/2020,\" i \",u\" i%150 \",\" (i%23==0)", "",
     "sorted = sorted, number|card = card, key"},
    {"at,sorted,card,fraud", "1+int(i/15) \"/3/2020,\" i \",u\" i%150 \",\" (i%23==0)", "",
     "; sorted = sorted, number   ; it only rises"},
    // a value of 21 bytes, whose tenth accent is cut off; a class by the label's header
    {"t,late_payment",
     "\"x\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\" i%2 \",\" y",
     "late_payment",
     "x\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9 50%|class = late payment"},
    {"a,empty,y", "i \",,\" y", "empty=1", "column 'empty' has 0"},
};

TEST_CASE(a_draft_guesses_or_says_what_to_pass)
{
    for (size_t i = 0; i < LENGTH(guesses); i++) {
        run("cd $F && { echo '%s'; LC_ALL=C awk 'BEGIN { for (i = 0; i < 400; i++) { y = i %% 4 == "
            "1; print %s } }'; } >g.csv && "
            "ingest --draft g.csv --label '%s' || :",
            guesses[i].header, guesses[i].row, guesses[i].label);
        assert_parts(log_text(), guesses[i].parts);
    }
}

TESTS(server_folder, server_remove)
