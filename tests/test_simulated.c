// What holds of the model on the simulated data: other kernels give the same files, the monitor sees
// the simulator's shift and nothing without it, and no extreme value gets past it. On a fifth of the customers; ASSAY_SIMULATE, options of simulate, for others
// (`make soak`: all).
#define EACH NULL, NULL
#include "tests/stages.h"

#define CONFIG "--config datasets/simulated.ini "

static int make_model(void **state)
{
    const char *options = getenv("ASSAY_SIMULATE");
    char here[2048];
    if (scratch_make(state) || !getcwd(here, sizeof here))
        return -1;
    if (run_in(".",
               formatted("mkdir work && cd work && ln -s '%s/datasets' datasets && "
                         "simulate %s --output data.csv && ingest " CONFIG
                         "--key key --output table data.csv && "
                         "features " CONFIG "--output features table && "
                         "train " CONFIG "--output models --promote features && "
                         "monitor " CONFIG "--models models --output drift.json features",
                         here,
                         options ? options : "--customers 1000 --terminals 2000 --radius 11")) == 0)
        return 0;
    fprintf(stderr, "%s", out);
    return -1;
}

// Tested, not proven: a number may lie on the edge between two roundings.
TEST_CASE(every_kernel_of_openblas_gives_the_same_files_to_the_last_byte)
{
    static const struct {
        const char *kernel, *needs; // a flag of /proc/cpuinfo
    } kernels[] = {{"Haswell", "avx2"}, {"SkylakeX", "avx512vl"}, {"Nehalem", "sse4_2"}};
    for (size_t i = 0; i < LENGTH(kernels); i++) {
        char command[1024];
        snprintf(command, sizeof command, "grep -qw %s /proc/cpuinfo", kernels[i].needs);
        if (run(command)) {
            printf("note: OpenBLAS's kernel %s was not compared: this processor has no %s\n",
                   kernels[i].kernel, kernels[i].needs);
            continue;
        }
        snprintf(command, sizeof command,
                 "export OPENBLAS_CORETYPE=%s OPENBLAS_VERBOSE=2; rm -rf again; "
                 "train " CONFIG "--output again --promote features && "
                 "for f in model.json model.onnx metrics.json report.html card.md; do "
                 "cmp models/1/$f again/1/$f || exit 1; done && "
                 "monitor " CONFIG "--models again --output again.json features >/dev/null && "
                 "cmp drift.json again.json",
                 kernels[i].kernel);
        expect(0, kernels[i].kernel, command);
    }
}

static json_t *moved_column(const json_t *drift, const char *name)
{
    size_t i;
    json_t *column;
    json_array_foreach(json_object_get(drift, "columns"), i, column)
    {
        if (strcmp(json_string_value(json_object_get(column, "name")), name) == 0)
            return column;
    }
    fail_msg("no column %s", name);
    return NULL;
}

// Prices rise by half, frauds change, and a tenth of the purchases moves into the night.
TEST_CASE(the_shift_is_named_and_the_estimate_does_not_see_that_average_precision_falls)
{
    static const char *const stay[] = {"customer_count_7d", "terminal_count_7d",
                                       "terminal_risk_30d", "weekend"};
    const char *options = getenv("ASSAY_SIMULATE");
    expect(3, "DRIFT: ",
           formatted(
               "mkdir shift && cd shift && ln -s ../datasets . && simulate %s --shift 2018-09-03 "
               "--output data.csv && "
               "ingest " CONFIG "--key key --output table data.csv && "
               "features " CONFIG "--output features table && cd .. && "
               "monitor " CONFIG "--models models --output shift/drift.json --fail-on-drift "
               "shift/features",
               options ? options : "--customers 1000 --terminals 2000 --radius 11"));
    assert_contains(out, "customer_spikes_14d ");
    assert_contains(out, " in the week to 2018-09-30.");
    json_t *drift = load_json("shift/drift.json");
    double before, now, estimate;
    assert_int_equal(json_unpack(drift, "{s:{s:{s:f}, s:{s:f}, s:{s:f}}}", "performance",
                                 "reference", "average_precision", &before, "current",
                                 "average_precision", &now, "estimate", "average_precision",
                                 &estimate),
                     0);
    assert_true(before > 0.5 && now < before - 0.2 && estimate > before - 0.1);
    assert_true(json_is_true(json_object_get(moved_column(drift, "amount"), "alarm")));
    assert_true(json_is_true(json_object_get(moved_column(drift, "score"), "alarm")));
    for (size_t i = 0; i < LENGTH(stay); i++)
        assert_true(json_is_false(json_object_get(moved_column(drift, stay[i]), "alarm")));
    json_decref(drift);
    expect(0, "No drift: 0 of 20 inputs moved; AP 0.",
           "monitor " CONFIG "--models models --output drift.json --fail-on-drift features");
}

// 400 new customers, each at a terminal of its own, pay an amount that training has never seen.
static const char pay[] =
    "import json, sys, urllib.request as u\n"
    "approved = []\n"
    "for a in 1209, 1210, 5e3, 1e6, 1e9, 1e15:\n"
    "    body = [{'id': f'{a} {i}', 'time': '2018-10-01T12:00:00Z', 'customer': f'new {a} {i}',\n"
    "             'terminal': i, 'amount': a} for i in range(400)]\n"
    "    r = u.Request(sys.argv[1] + '/predict', json.dumps(body).encode(),\n"
    "                  {'Content-Type': 'application/json'})\n"
    "    approved.append([d['decision'] for d in json.load(u.urlopen(r))].count('approve'))\n"
    "print(approved)\n"
    "sys.exit(max(approved) > approved[0])\n";

TEST_CASE(no_amount_beyond_training_is_approved_more_often_than_the_largest_of_training)
{
    scratch_text("pay.py", pay);
    succeed("serve --models models --state features/state.bin --key key --database pay.db --port 0 "
            "--threads 4 >line &\nfor i in $(seq 200); do [ -s line ] && break; sleep 0.05; done\n"
            "/usr/bin/python3 ../pay.py $(sed -n 's/.*\\(http:[^,]*\\),.*/\\1/p' line); rc=$?\n"
            "kill $!; wait $!; exit $rc");
}

TESTS(make_model, scratch_remove)
