// release: what programs open once and use until they end has no release function. Tests open many.
#ifndef TESTS_RELEASE_H
#define TESTS_RELEASE_H

#include "base/config.h"
#include "ingest/table.h"

#include <stdlib.h>
#include <sys/mman.h>

static inline void config_release(struct config *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->entries[i].section);
        free(c->entries[i].key);
        free(c->entries[i].value);
    }
    free(c->entries);
    free(c->path);
    *c = (struct config){0};
}

static inline void table_release(struct table *t)
{
    enum { HEADER = 128 };
    for (size_t i = 0; i < t->n; i++) {
        struct table_column *c = &t->columns[i];
        if (c->data)
            munmap((char *)c->data - HEADER, HEADER + t->rows * column_size(c->kind));
        for (size_t k = 0; k < c->dictionary_size; k++)
            free(c->dictionary[k]);
        free(c->dictionary);
        free(c->name);
    }
    free(t->columns);
    free(t->path);
    json_decref(t->summary);
    json_decref(t->provenance);
    *t = (struct table){0};
}

#endif
