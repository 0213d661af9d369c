// openapi: the answer to GET /openapi.json, a description of the server in OpenAPI 3.1.
//
// serve/openapi.json is part of the program. It is complete except for what depends on the dataset,
// which is filled in here: info.version; the schema Transaction, from the columns; the examples
// Transaction, Transactions and InferenceRequest, which the running server accepts; and the
// examples of the parameters Model and Version. No reload changes a column or the number of inputs,
// so the text stays true.
#ifndef SERVE_OPENAPI_H
#define SERVE_OPENAPI_H

#include "serve/service.h"

// To be freed; NULL and err where memory ran out.
char *openapi_text(struct service *s, struct err *err);

#endif
