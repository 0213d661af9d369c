// Blocked here, and passed on from threads that do not block them.
#include "serve/signals.h"

#include <pthread.h>
#include <stddef.h>

// Signals are blocked in this thread and in all that it starts, and taken by sigwait. But a library may
// have started threads before main, which block none and would end the process: from there they are
// passed on to this thread, where they wait.
static pthread_t main_thread;

static void pass_on(int number)
{
    pthread_kill(main_thread, number);
}

int signals_block(sigset_t *signals, struct err *err)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    main_thread = pthread_self();
    sigemptyset(&action.sa_mask);
    sigemptyset(signals);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        sigaddset(signals, handled[i]);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        if (sigaction(handled[i], &action, NULL))
            return err_sys(err, "cannot handle signals");
    return 0;
}
