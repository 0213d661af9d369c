// GET /docs: openapi.json in words, a form that sends each request, and the same request for curl.
"use strict";

let api;
const resolve = (node) => (node?.$ref ? resolve(node.$ref.slice(2).split("/").reduce((at, name) => at[name], api)) : node ?? {});
const code = (textContent) => element("code", { textContent });
const note = (text) => element("p", { className: "note", textContent: (text ?? "").replace(/`([^`]*)`/g, "“$1”") });
const heading = (textContent) => element("h3", { textContent });

// ---- schemas ----

const choices = ({ const: only, enum: some, type }) => (only !== undefined ? [only] : some ?? (type === "boolean" ? [true, false] : null));

function kind(node) {
  const { const: only, enum: some, items, oneOf, type } = resolve(node);
  if (only !== undefined || some) return choices(resolve(node)).map((x) => JSON.stringify(x)).join(" or ");
  if (oneOf && !type) return oneOf.map(kind).join(" or ");
  return [type ?? "any"].flat().map((t) => (t === "array" ? `array of ${kind(items).replace(/^[a-z]+$/, "$&s")}` : t)).join(" or ");
}

// The meaning of a value and its limits, besides its type.
function meaning(s) {
  const length = bounds(s.minItems, s.maxItems);
  return [s.description?.replaceAll("`", ""), bounds(s.minimum, s.maximum), "exclusiveMinimum" in s && `above ${s.exclusiveMinimum}`,
    length && `length ${length}`, s.minLength && "not empty", s.pattern && `like ${s.pattern}`, s.format,
    "default" in s && `${s.default} if absent`, s.examples && `such as ${s.examples.join(", ")}`].filter(Boolean).join("; ");
}

// The fields of a schema, each followed by its own fields one level deeper; a schema with several references is shown once.
function fields(node, example, depth = 0, seen = new Set()) {
  const s = resolve(node);
  if (node.$ref && seen.has(node.$ref)) return [];
  seen.add(node.$ref);
  if (Array.isArray(example)) [example] = example;
  if (s.items) return fields(s.items, example, depth, seen);
  if (!s.properties) return (s.oneOf ?? []).flatMap((one) => fields(one, example, depth, seen));
  return Object.entries(s.properties).flatMap(([name, p]) => [
    { name, depth, schema: resolve(p), optional: !s.required?.includes(name), example: example?.[name] },
    ...fields(p, example?.[name], depth + 1, seen),
  ]);
}

const fieldTable = (all) => sheet(["Field", "Type", "Meaning"], all.map(({ name, depth, schema, optional, example }) => {
  const shown = code(name);
  shown.style.marginLeft = `${depth}rem`;
  return [[shown, element("small", { textContent: optional ? "optional" : "" })], kind(schema),
          [meaning(schema), element("small", { textContent: ["string", "number"].includes(typeof example) ? `example ${JSON.stringify(example)}` : "" })]];
}));

// The examples of 4XX and 5XX name the single statuses.
function answers(responses) {
  const rows = Object.entries(responses).flatMap(([status, node]) => {
    const { description, content = {} } = resolve(node), parts = status.endsWith("XX") ? Object.values(content)[0]?.examples : {};
    const single = Object.entries(parts ?? {}).filter(([s]) => !(s in responses));
    return [[status, note(description)], ...single.map(([s, { summary }]) => [s, note(summary)])];
  });
  const [type, { schema, example } = {}] = Object.entries(resolve(responses[200]).content)[0], all = fields(schema, example);
  return [heading("Answers"), sheet(["Status", "Meaning"], rows.sort(([a], [b]) => a.localeCompare(b))),
          all.length ? element("details", {}, element("summary", { textContent: "Fields of the answer 200" }), fieldTable(all))
                     : note(`The answer 200 is ${type}.`)];
}

// ---- requests ----

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`; // for a POSIX shell

const curlLine = ({ url, headers, body }) => [
  "curl -sS", quoted(location.origin + url), ...Object.entries(headers).map(([name, text]) => `-H ${quoted(`${name}: ${text}`)}`),
  sessionStorage.getItem("token") && '-H "Authorization: Bearer $TOKEN"', body !== undefined && `--data-raw ${quoted(body)}`].filter(Boolean).join(" ");

const labelled = (input, name, hint, ...more) => element("div", { className: "field" },
  element("label", { htmlFor: input.id }, name, element("span", { className: "note", textContent: hint })), input, ...more);

// The form of POST /predict begins with store=false, so that a trial stores nothing.
function parameterField(id, p) {
  const some = choices(resolve(p.schema)), own = { id: `${id}-${p.name}`, name: p.name };
  const input = some ? element("select", own, ...["", ...some].map((x) => element("option", { textContent: String(x) })))
                     : element("input", { ...own, autocomplete: "off", spellcheck: false, placeholder: p.example ?? "" });
  input.value = p.required || p.name === "store" ? p.example : "";
  return labelled(input, p.name, p.required ? p.in : `${p.in}, optional`, note(p.description));
}

function requestForm(path, method, { operationId: id, parameters = [] }, media, example) {
  const known = parameters.map(resolve), body = element("textarea", { id: `${id}-body`, rows: 9, spellcheck: false });
  const [line, text] = ["curl", "body"].map((className) => element("pre", { className, tabIndex: 0, hidden: className === "body" }));
  const state = element("b"), head = note(""), button = (textContent, more) => element("button", { type: "button", textContent, ...more });
  const send = button("Send", { type: "submit", className: "primary" }), copy = button("Copy");
  const form = element("form", { className: "request", noValidate: true }, ...known.map((p) => parameterField(id, p)));
  if (media) {
    const fill = (value) => { body.value = JSON.stringify(value, null, 2); };
    const presets = Object.values(media.examples).map(resolve).map(({ summary, value }) =>
      button(summary, { onclick: () => { fill(value); renew(); } }));
    fill(example);
    form.append(labelled(body, "Body", "application/json", element("p", { className: "presets" }, ...presets)));
  }
  if (path === "/predict") form.append(note("Without store=false this is a real transaction: the server keeps it and counts it."));
  form.append(element("div", { className: "foot" }, send), element("p", { ariaLive: "polite" }, state), head, text,
              heading("The same with curl"), line, copy);

  const given = (place) => known.filter((p) => p.in === place && form.elements[p.name].value).map((p) => [p.name, form.elements[p.name].value]);
  function request() {
    const query = new URLSearchParams(given("query")).toString();
    const own = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(form.elements[name].value));
    return { url: query ? `${own}?${query}` : own, method: method.toUpperCase(), body: media ? body.value : method === "post" ? "" : undefined,
             headers: { ...Object.fromEntries(given("header")), ...(media && { "Content-Type": "application/json" }) } };
  }
  function renew() { line.textContent = curlLine(request()); }
  function show(words, headers, got) {
    state.textContent = words;
    head.textContent = ["Content-Type", "X-Request-Id", "Retry-After"].filter((name) => headers?.has(name))
      .map((name) => `${name}: ${headers.get(name)}`).join(" · ");
    text.textContent = headers?.get("Content-Type")?.includes("json") ? JSON.stringify(JSON.parse(got), null, 2) : got;
    text.hidden = !got;
  }
  function submit() {
    const { url, ...options } = request(), start = performance.now();
    ask(url, options).then(async (answer) => {
      show(`${answer.status} ${answer.statusText}, ${Math.round(performance.now() - start)} ms`, answer.headers, await answer.text());
    }).catch((e) => {
      if (e instanceof Locked) lock(() => { enter("live"); renew(); submit(); });
      else show(e.name === "TimeoutError" ? "The server did not answer within five seconds."
                                          : "The server cannot be reached, or a header has letters that cannot be sent.");
    });
  }
  copy.onclick = () => {
    getSelection().selectAllChildren(line); // some browsers let no script write to the clipboard
    navigator.clipboard?.writeText(line.textContent).then(() => { copy.textContent = "Copied"; }, () => {});
  };
  renew();
  return Object.assign(form, { oninput: renew, onsubmit: (event) => { event.preventDefault(); submit(); } });
}

function operation(path, method, op) {
  const body = resolve(op.requestBody), media = body.content?.["application/json"], example = resolve(Object.values(media?.examples ?? {})[0]).value;
  const words = media ? [heading("Body"), note(body.description), fieldTable(fields(media.schema, example))] : [];
  return element("details", { id: op.operationId, className: "card operation" },
    element("summary", {}, element("b", { className: method, textContent: method.toUpperCase() }), code(path), op.summary),
    element("div", {}, note(op.description), element("div", { className: "two" }, requestForm(path, method, op, media, example),
                                                     element("div", {}, ...words, ...answers(op.responses)))));
}

if (location.pathname === "/docs") visit("/openapi.json", (text) => {
  api = JSON.parse(text);
  const all = Object.entries(api.paths).flatMap(([path, item]) => Object.entries(item).map(([method, op]) => [path, method, op]));
  document.title = "Assay: API";
  $("content").replaceChildren(element("h1", { textContent: "API" }),
    element("p", { className: "lead", textContent: `${api.info.summary}. ${api.info.description}.` }),
    note("This page shows `GET /openapi.json`. Send sends the request to this server, with the token if the server asks for one."),
    ...api.tags.map(({ name, description }) => element("section", {}, element("h2", { textContent: capital(name) }), note(description),
      ...all.filter(([, , op]) => op.tags.includes(name)).map((one) => operation(...one)))));
  const open = () => { ($(location.hash.slice(1)) ?? $("post_predict")).open = true; };
  open();
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((e) => { e.open = true; }));
});
