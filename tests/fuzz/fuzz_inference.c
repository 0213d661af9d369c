// Any bytes as the body of an inference request: a valid JSON reply with a status that inference.h
// knows.
#include "serve/inference.h"
#include "tests/small_service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct small_service small;

static void clean_up(void)
{
    small_service_remove(&small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply reply;
    struct err err;
    if (!small.service.model_text) {
        if (small_service_make(&small, &err)) {
            fprintf(stderr, "%s\n", err.msg);
            abort();
        }
        atexit(clean_up);
    }
    inference(&small.service, "models", NULL, (const char *)data, size, &reply);
    json_t *answer = json_loadb(reply.text, reply.n, JSON_REJECT_DUPLICATES, NULL);
    bool known =
        reply.status == 200 || reply.status == 400 || reply.status == 413 || reply.status == 422;
    if (!answer || !known)
        abort();
    json_decref(answer);
    return 0;
}
