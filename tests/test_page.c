// Runs pages.py, the tests of the pages in a browser, on artifacts and a server of the fixture.
#include "tests/server.h"

TEST_CASE(the_pages_work_in_a_browser)
{
    if (run("/usr/bin/python3 -B tests/pages.py %s %s http://127.0.0.1:%d", folder, bin,
            shared.port))
        fail_msg("%s", log_text());
}

TESTS(server_artifacts, server_remove)
