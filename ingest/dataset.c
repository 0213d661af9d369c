// The keys of [input]; [columns] is schema.c's.
#include "ingest/dataset.h"

#include <string.h>

static int read_delimiter(struct dataset *d, struct err *err)
{
    const struct config_entry *e = config_find(&d->config, "input", "delimiter");
    d->delimiter = ',';
    if (!e)
        return 0;
    // An .ini cannot hold these two: the one is blank, the other begins a comment.
    const bool tab = strcmp(e->value, "tab") == 0, semicolon = strcmp(e->value, "semicolon") == 0;
    if (!tab && !semicolon &&
        (strlen(e->value) != 1 || strchr("\" ", e->value[0]) || (unsigned char)e->value[0] > 126))
        return config_error(&d->config, e, 0, err,
                            "'%s' is neither one character nor tab or semicolon", e->value);
    d->delimiter = tab ? '\t' : semicolon ? ';' : e->value[0];
    return 0;
}

static int read_file(struct dataset *d, const char *input, struct err *err)
{
    const struct config_entry *file = config_find(&d->config, "input", "file");
    d->file = input ? input : file ? file->value : NULL;
    if (!d->file)
        return err_set(err, "%s: [input] file is missing, and no INPUT is given", d->config.path);
    return 0;
}

int dataset_load(struct dataset *d, const char *config, const char *input, struct err *err)
{
    static const char *const keys[] = {"file", "time_format", "max_reject_rate", "delimiter"};
    *d = (struct dataset){.max_reject_rate = 0.001};
    if (config_load(&d->config, config, err) == 0 &&
        config_check_keys(&d->config, "input", keys, sizeof keys / sizeof *keys, err) == 0 &&
        config_number(&d->config, "input", "max_reject_rate", 0, 1, &d->max_reject_rate, err) ==
            0 &&
        read_delimiter(d, err) == 0 && schema_from_config(&d->schema, &d->config, err) == 0 &&
        read_file(d, input, err) == 0)
        return 0;
    dataset_release(d);
    return -1;
}

void dataset_release(struct dataset *d)
{
    schema_release(&d->schema);
    config_release(&d->config);
    *d = (struct dataset){0};
}
