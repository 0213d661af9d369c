// A ring of finished requests behind the first that is not finished.
#include "serve/replay_output.h"

#include <stdlib.h>
#include <string.h>

enum { FLUSH_BYTES = 1 << 15 };

static int flush(struct replay_output *o, struct err *err)
{
    if (o->buffer.failed)
        return err_set(err, "%s: out of memory", o->file.path);
    if (o->buffer.n > 0 && output_write(&o->file, o->buffer.text, o->buffer.n, err))
        return -1;
    reply_reset(&o->buffer);
    return 0;
}

int replay_output_open(struct replay_output *o, const char *path, struct err *err)
{
    *o = (struct replay_output){0};
    if (!path)
        return 0;
    o->waiting = calloc(REPLAY_WINDOW, sizeof *o->waiting);
    if (!o->waiting)
        return err_set(err, "%s: out of memory", path);
    if (output_open(&o->file, path, 0644, err)) {
        replay_output_release(o);
        return -1;
    }
    reply_add(&o->buffer, "id,probability,decision,model\n");
    return 0;
}

bool replay_output_full(const struct replay_output *o, uint64_t sequence)
{
    return o->waiting && sequence - o->next >= REPLAY_WINDOW;
}

int replay_output_put(struct replay_output *o, uint64_t sequence, struct reply *lines,
                      struct err *err)
{
    if (!o->waiting)
        return 0;
    if (lines->failed)
        return err_set(err, "%s: out of memory", o->file.path);
    o->waiting[sequence % REPLAY_WINDOW] = *lines;
    *lines = (struct reply){0};
    for (struct reply *r; (r = &o->waiting[o->next % REPLAY_WINDOW])->text; o->next++) {
        reply_bytes(&o->buffer, r->text, r->n);
        reply_release(r);
        if (o->buffer.n >= FLUSH_BYTES && flush(o, err))
            return -1;
    }
    return 0;
}

int replay_output_commit(struct replay_output *o, struct err *err)
{
    if (!o->waiting)
        return 0;
    return flush(o, err) ? -1 : output_commit(&o->file, err);
}

void replay_output_release(struct replay_output *o)
{
    for (size_t i = 0; o->waiting && i < REPLAY_WINDOW; i++)
        reply_release(&o->waiting[i]);
    free(o->waiting);
    reply_release(&o->buffer);
    output_release(&o->file);
    *o = (struct replay_output){0};
}

void csv_text(struct reply *r, const char *text)
{
    if (!strpbrk(text, ",\"\r\n \t")) {
        reply_bytes(r, text, strlen(text));
        return;
    }
    reply_bytes(r, "\"", 1);
    for (; *text; text++)
        reply_bytes(r, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    reply_bytes(r, "\"", 1);
}
