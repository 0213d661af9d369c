// Runs pages.py, the tests of the pages in a browser, in two halves, each with a server of its own.
#include "tests/server.h"

TEST_CASE(the_pages_work_in_a_browser)
{
    server_begin(&own, "16", NULL);
    succeed("pages() { /usr/bin/python3 -B tests/pages.py $F %s http://127.0.0.1:\"$@\"; }; "
            "pages %d Dashboard & pages %d Shells Report Drift; first=$?; wait $! && exit $first",
            bin, shared.port, own.port);
}

TESTS(server_artifacts, server_remove)
