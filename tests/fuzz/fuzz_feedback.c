// Any bytes as the body of /feedback: a valid JSON reply with a status that feedback.h knows. One
// transaction, "T1", is there to be told of.
#include "serve/feedback.h"
#include "tests/small_service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char known[] = "{\"id\":\"T1\",\"time\":1538381700,\"customer\":1,\"amount\":1}";
    static struct reply r;
    if (r.size == 0)
        predict(&small_shared()->service, known, sizeof known - 1, &r);
    feedback(&small_shared()->service, (const char *)data, size, &r);
    small_check_json(&r);
    if (r.status != 200 && r.status != 400 && r.status != 404 && r.status != 413 && r.status != 422)
        abort();
    return 0;
}
