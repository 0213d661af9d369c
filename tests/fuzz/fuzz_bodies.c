// Any bytes as the body of /predict, stored or not, /feedback or an inference request, or as the id
// of /decisions, by the first byte: the reply is valid JSON with a status that the endpoint's header
// names. Transaction "T1" exists for feedback, with order 1.
#include "serve/http.h"
#include "tests/small_service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct small_service small;

static void end(void)
{
    small_service_remove(&small);
}

static void begin(struct reply *r)
{
    static const char known[] = "{\"id\":\"T1\",\"time\":1538381700,\"customer\":1,\"amount\":1}";
    struct err err;
    if (small_service_make(&small, &err))
        abort();
    atexit(end);
    predict(&small.service, known, sizeof known - 1, true, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply r;
    const char *body = (const char *)data + 1;
    struct request q = {.service = &small.service, .reply = &r, .path = "/v2/models/models/infer"};
    if (r.size == 0)
        begin(&r);
    if (size == 0)
        return 0;
    reply_reset(&r);
    if (data[0] % 5 == 0 || data[0] % 5 == 3)
        predict(&small.service, body, size - 1, data[0] % 5 == 0, &r);
    else if (data[0] % 5 == 1)
        feedback(&small.service, body, size - 1, &r);
    else if (data[0] % 5 == 4)
        record(&small.service, body, size - 1, &r);
    else
        inference(&q, body, size - 1);
    json_t *answer = json_loadb(r.text, r.n, JSON_REJECT_DUPLICATES, NULL);
    if (!answer || (r.status != 200 && r.status != 400 && r.status != 404 && r.status != 409 &&
                    r.status != 413 && r.status != 422))
        abort();
    json_decref(answer);
    return 0;
}
