// embedded: files that the linker puts into the program as they are (Makefile, EMBEDDED): the
// dashboard's page, style, scripts and icon, the charting library that Debian ships, and the template of
// /openapi.json.
#ifndef SERVE_EMBEDDED_H
#define SERVE_EMBEDDED_H

#define EMBEDDED(name)                                                                             \
    extern const char _binary_serve_##name##_start[], _binary_serve_##name##_end[]
EMBEDDED(chart_js);
EMBEDDED(dashboard_base_js);
EMBEDDED(dashboard_charts_js);
EMBEDDED(dashboard_css);
EMBEDDED(dashboard_form_js);
EMBEDDED(dashboard_html);
EMBEDDED(dashboard_js);
EMBEDDED(dashboard_metrics_js);
EMBEDDED(dashboard_svg);
EMBEDDED(openapi_json);

// The bytes of name, without a 0 behind them, and where they end.
#define embedded(name)     _binary_serve_##name##_start
#define embedded_end(name) _binary_serve_##name##_end

#endif
