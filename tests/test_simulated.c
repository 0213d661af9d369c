// What holds of the model on the simulated data: other kernels give the same files, and no extreme
// value gets past it. On a fifth of the customers; ASSAY_SIMULATE, options of simulate, for others
// (`make soak`: all).
#include "tests/stages.h"

#define CONFIG "--config datasets/simulated.ini "

static int make_model(void **state)
{
    const char *options = getenv("ASSAY_SIMULATE");
    char here[2048], command[4096];
    if (scratch_make(state) || !getcwd(here, sizeof here))
        return -1;
    snprintf(command, sizeof command,
             "mkdir work && cd work && ln -s '%s/datasets' datasets && "
             "simulate %s --output data.csv && ingest " CONFIG
             "--key key --output table data.csv && "
             "features " CONFIG "--output features table && "
             "train " CONFIG "--output models --promote features && "
             "monitor " CONFIG "--models models --output drift.json features",
             here, options ? options : "--customers 1000 --terminals 2000 --radius 11");
    if (run_in(".", command) == 0)
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
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
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
            ">line &\nfor i in $(seq 200); do [ -s line ] && break; sleep 0.05; done\n"
            "/usr/bin/python3 ../pay.py $(sed -n 's/.*\\(http:[^,]*\\),.*/\\1/p' line); rc=$?\n"
            "kill $!; wait $!; exit $rc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_of_openblas_gives_the_same_files_to_the_last_byte),
        cmocka_unit_test(
            no_amount_beyond_training_is_approved_more_often_than_the_largest_of_training),
    };
    return cmocka_run_group_tests(tests, make_model, scratch_remove);
}
