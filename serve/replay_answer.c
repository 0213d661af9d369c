// Answers are checked before anything of them is counted.
#include "serve/replay_answer.h"

#include "serve/replay_output.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fail(struct replay_tally *t, const char *what, const char *kind, size_t n,
                 const char *text)
{
    char name[TALLY_NAME];
    snprintf(name, sizeof name, "%s: %s", what, kind);
    tally_error(t, name, n, text);
}

// An error that the server told, or none that arrived: a problem's detail (RFC 9457), else what
// there is.
static void fail_status(const struct call *call, struct replay_tally *t, const char *what, size_t n)
{
    char kind[TALLY_NAME - 16];
    if (call->status == 0) {
        fail(t, what, "no answer", n, call->why);
        return;
    }
    json_t *problem =
        json_loadb(call->answer.text ? call->answer.text : "", call->answer.n, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    snprintf(kind, sizeof kind, "%d %s", call->status,
             reply_statuses[reply_status(call->status)].phrase);
    fail(t, what, kind, n, detail ? detail : call->answer.text ? call->answer.text : "");
    json_decref(problem);
}

// The document of an answer 200; NULL where it is none, which has been counted.
static json_t *parse(const struct call *call, struct replay_tally *t, const char *what, size_t n)
{
    json_error_t why;
    if (call->status != 200) {
        fail_status(call, t, what, n);
        return NULL;
    }
    json_t *json = json_loadb(call->answer.text ? call->answer.text : "", call->answer.n,
                              JSON_REJECT_DUPLICATES, &why);
    if (!json)
        fail(t, what, "not understood", n, why.text);
    return json;
}

// ---- decisions ------------------------------------------------------------------------------------

struct answered {
    const char *decision, *model;
    double probability;
};

static int read_decision(const json_t *json, const char *id, struct answered *d, struct err *err)
{
    const json_t *probability = json_object_get(json, "probability");
    const char *echo = json_string_value(json_object_get(json, "id"));
    d->decision = json_string_value(json_object_get(json, "decision"));
    d->model = json_string_value(json_object_get(json, "model"));
    d->probability = json_number_value(probability);
    if (!json_is_number(probability) || !(d->probability >= 0 && d->probability <= 1))
        return err_set(err, "no probability");
    if (!d->decision || !*d->decision || strlen(d->decision) >= TALLY_NAME)
        return err_set(err, "no decision");
    if (!d->model)
        return err_set(err, "no model");
    if (*id && (!echo || strcmp(echo, id) != 0))
        return err_set(err, "id '%.40s' is answered as '%.40s'", id, echo ? echo : "");
    return 0;
}

static const json_t *element(const json_t *json, bool array, size_t i)
{
    return array ? json_array_get(json, i) : json;
}

static int check(const json_t *json, const char *ids, size_t n, bool array, struct err *err)
{
    struct answered d;
    if (array ? json_array_size(json) != n : !json_is_object(json))
        return err_set(err, "%zu transactions were sent, and the answer does not hold as many", n);
    for (size_t i = 0; i < n; i++, ids += strlen(ids) + 1)
        if (read_decision(element(json, array, i), ids, &d, err))
            return err_prefix(err, "decision %zu", i);
    return 0;
}

static void write_lines(struct reply *lines, const json_t *json, const char *ids, size_t n,
                        bool array)
{
    struct err ignored;
    struct answered d;
    for (size_t i = 0; i < n; i++, ids += strlen(ids) + 1) {
        csv_text(lines, ids);
        reply_bytes(lines, ",", 1);
        if (json && read_decision(element(json, array, i), ids, &d, &ignored) == 0) {
            reply_number(lines, d.probability, 17);
            reply_bytes(lines, ",", 1);
            csv_text(lines, d.decision);
            reply_bytes(lines, ",", 1);
            csv_text(lines, d.model);
            reply_bytes(lines, "\n", 1);
        } else {
            reply_bytes(lines, ",,\n", 3);
        }
    }
}

bool replay_answer_decisions(const struct call *call, const char *ids, size_t n, bool array,
                             struct replay_tally *t, struct reply *lines)
{
    struct err why;
    json_t *json = parse(call, t, "predict", n);
    if (json && check(json, ids, n, array, &why)) {
        fail(t, "predict", "not understood", n, why.msg);
        json_decref(json);
        json = NULL;
    }
    for (size_t i = 0; json && i < n; i++)
        tally_decision(t, json_string_value(json_object_get(element(json, array, i), "decision")))
            ->n++;
    t->answered += json ? n : 0;
    write_lines(lines, json, ids, n, array);
    const bool answered = json != NULL;
    json_decref(json);
    return answered;
}

// ---- labels ---------------------------------------------------------------------------------------

bool replay_answer_labels(const struct call *call, size_t n, struct replay_tally *t)
{
    uint64_t changed = 0;
    json_t *json = parse(call, t, "feedback", n);
    bool good = json && json_is_array(json) && json_array_size(json) == n;
    for (size_t i = 0; good && i < n; i++) {
        const json_t *flag = json_object_get(json_array_get(json, i), "changed");
        good = json_is_boolean(flag);
        changed += json_is_true(flag);
    }
    if (json && !good)
        fail(t, "feedback", "not understood", n,
             "not an array of {\"changed\": ...} for the labels");
    t->labels += good ? n : 0;
    t->labels_changed += good ? changed : 0;
    t->labels_failed += good ? 0 : n;
    json_decref(json);
    return good;
}
