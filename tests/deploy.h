// deploy: what the tests of deploy/ share. Daemons run on copies of its files in which sed replaces
// paths, ports and names; their files are in the test's folder.
#ifndef TESTS_DEPLOY_H
#define TESTS_DEPLOY_H

#include "base/memory.h"
#include "tests/server.h"

// Programs come from the PATH, or from build/tools, where the Makefile unpacks them.
static inline int tools_to_path(void)
{
    char here[4096]; // in full, since commands may change the folder
    char *path = xasprintf("%s:/usr/sbin:%s/build/tools", getenv("PATH"),
                           getcwd(here, sizeof here) ? here : "");
    const int rc = setenv("PATH", path, 1);
    free(path);
    return rc;
}

// A loopback address of this process alone: the daemons cannot say which port they got, and a port
// that was free a moment ago may be taken.
static inline const char *own_address(void)
{
    static char text[32];
    const unsigned pid = (unsigned)getpid();
    snprintf(text, sizeof text, "127.%u.%u.%u", 64 + (pid >> 16) % 64, pid >> 8 & 255, pid & 255);
    return text;
}

#endif
