// template: texts with fields that are filled from JSON.
//
// A field is {{path}} or {{path:FORMAT}}. A path has names, indices and *, and starts at the current
// item, or after "$." at the root.
//
//     FORMAT             printf's width and precision, % after them for per cent, p for percentage
//                        points without a sign; raw: no escapes
//     {{#path}}...{{/}}  for each item of a list, or each member of an object, whose name is *, with
//                        {{#path:N}} for the first N; else once, unless the value is missing, null,
//                        false or 0
//     {{^path}}...{{/}}  if the value is one of these
#ifndef BASE_TEMPLATE_H
#define BASE_TEMPLATE_H

#include <jansson.h>

// The template with its fields filled, to be freed. Texts are escaped for what they stand in.
enum template_mode { TEMPLATE_PLAIN, TEMPLATE_MARKDOWN, TEMPLATE_PAGE, TEMPLATE_PROMETHEUS };
char *template_fill(const char *template, enum template_mode mode, const json_t *root);
// Prints the filled template in lines of 80 columns.
void template_print(const char *template, const json_t *results);

#endif
