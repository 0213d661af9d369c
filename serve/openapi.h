// openapi: what GET /openapi.json answers, a description of all that the server does in OpenAPI 3.1.
//
//     char *text = openapi_text(&service, &err);     before requests are answered
//     free(text);
//
// serve/openapi.json is a template that the linker puts into the program (Makefile, rule for
// %.embedded.o). It is whole but for what depends on the dataset, which is filled in here:
//
//     info.version                            of the program
//     components.schemas.Transaction          properties, required and examples: the schema's columns
//     components.examples                     Transaction, Transactions, InferenceRequest: values that
//                                             the running server accepts
//     components.parameters                   Model and Version: the example
//
// A reload changes no column and no number of inputs, so the text stays true until the server ends.
#ifndef SERVE_OPENAPI_H
#define SERVE_OPENAPI_H

#include "serve/service.h"

// Allocated, to be freed by the caller; NULL and err where memory ran out.
char *openapi_text(struct service *s, struct err *err);

#endif
