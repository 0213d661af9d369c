// The real programs report on the committed sample: the files are complete and agree with each
// other (report.py). test_page.c opens report.html.
#include "tests/stages.h"
#include "tests/training.h"

#define CHECK "/usr/bin/python3 -B datasets/../tests/report.py "
#define AGAIN "rm -rf models; train --output models features --config "

TEST_CASE(a_version_has_its_model_metrics_report_and_card)
{
    succeed("ls models/1");
    assert_string_equal(out, "card.md\nmetrics.json\nmodel.json\nmodel.onnx\nreport.html\n");
    expect(1, "", "cd models/1; grep -nwiE 'nan|inf|infinity' *.json *.md");
    expect(1, "", "grep -rnF '{{' models/1");
}

// Neither language, time zone, threads nor folder change a byte.
TEST_CASE(the_same_input_gives_the_same_bytes_of_every_file)
{
    succeed("mkdir home && export HOME=$PWD/home LANG=de_DE.UTF-8 LC_ALL=C.UTF-8 TZ=Asia/Tokyo; "
            "for n in 1 3; do rm -rf again; train " SAMPLE
            "--threads $n --output again features && "
            "diff -r models/1 again/1 || exit 1; done");
}

// Curves end with all rows and have the area of the metrics; ranges hold all rows; NumPy finds the same
// metrics, decisions, distributions and days; card and terminal have the figures.
TEST_CASE(the_files_agree_with_each_other_and_with_numpy)
{
    succeed(CHECK "curves && " CHECK "ranges && " CHECK "recomputed && " CHECK "figures");
}

TEST_CASE(the_card_states_what_the_test_costs)
{
    succeed("sed 's/^alerts_per_day.*/cost_fraud = 50\\ncost_alert = 2/' datasets/sample.ini "
            ">c.ini;" AGAIN "c.ini && " CHECK "costs");
}

// A text of the .ini must not end the JSON or the script that holds it.
TEST_CASE(the_page_holds_metrics_json_whatever_its_texts_are)
{
    succeed("{ cat datasets/sample.ini; echo '[card]'; echo 'limits = </script><script>alert(1)"
            "</script><!-- \"\\ & {{x}} | *'; } >x.ini;" AGAIN "x.ini && " CHECK "page");
}

TESTS(stages_make, scratch_remove)
