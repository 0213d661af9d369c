// Any bytes as the body of an inference request: a valid JSON reply with a status that inference.h
// knows.
#include "serve/inference.h"
#include "tests/small_service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply r;
    inference(&small_shared()->service, "models", "", (const char *)data, size, &r);
    small_check_json(&r);
    if (r.status != 200 && r.status != 400 && r.status != 413 && r.status != 422)
        abort();
    return 0;
}
