// The form, built from the model's schema, and the decision that the server returns.
"use strict";

const FIRST_FIELDS = 12; // more are folded

// ---- the decision ----

function showReasons(reasons) {
  const largest = Math.max(...reasons.map((r) => Math.abs(r.contribution)), 1e-9);
  $("reasons").replaceChildren(...reasons.map((r) => {
    const part = element("i", { className: r.contribution < 0 ? "approve" : "review" });
    const bar = element("div", { className: "bar" }, part);
    bar.setAttribute("aria-hidden", "true");
    part.style.width = `${50 * Math.abs(r.contribution) / largest}%`;
    return row(cell(r.feature), cell(number(r.value, 4), "number"), cell(bar), cell(signed(r.contribution), "number"));
  }));
}

function showResult(d) {
  const place = (p) => `${100 * Math.max(0, Math.min(1, 1 + Math.log10(Math.max(p, 1e-9)) / 4))}%`; // the rail shows 0.0001 to 1
  $("result-empty").hidden = true;
  $("result-full").hidden = false;
  badge($("result-decision"), d.decision);
  put("result-probability", probability(d.probability));
  put("result-ratio", `probability of fraud, ${number(d.probability / d.threshold, 2)} times the threshold of ${number(d.threshold)}`);
  $("scale-review").style.left = place(d.threshold);
  $("scale-dot").style.left = place(d.probability);
  $("scale").setAttribute("aria-label", `Probability ${probability(d.probability)} on a scale on which review begins at ${number(d.threshold)}`);
  showReasons(d.reasons);
  put("result-model", `Decided by model ${d.model}${d.id === undefined ? "" : `, transaction ${d.id}`}.`);
}

// ---- the form ----

const form = { columns: [], model: null, touched: new Set(), newest: null };
const KEYS = ["1000", "3195", "27"];
const HINTS = { id: "any text", key: "any text", category: "text" };

const field = (name) => $(`field-${name}`);
const counted = () => form.model.plan.schema.time_format === "epoch" || form.model.plan.schema.time_format === "row";
const round = (x) => Number(x.toPrecision(4));

function hint(column) {
  const { kind, min, max, missing } = column, low = min > -1e14, high = max < 1e14;
  if (missing !== undefined) return "may be left out";
  if (kind === "time") return counted() ? "number" : "UTC";
  if (kind === "number") return low && high ? `${number(min)} to ${number(max)}` : low ? `from ${number(min)}` : high ? `up to ${number(max)}` : "number";
  return HINTS[kind];
}

// The fitted expression has the known values of a category: onehot(name, "a", "b").
function knownValues(column) {
  const call = form.model.plan.features.find((f) => new RegExp(`^onehot\\(${column.name},`).test(f.expression));
  return [...(call?.expression.matchAll(/"((?:[^"\\]|\\.)*)"/g) ?? [])].map(([, text]) => unquote(text));
}

// deviations: distance from the training mean in standard deviations, for numbers that are inputs themselves.
function example(column, deviations) {
  const { kind, name, min = -Infinity, max = Infinity } = column;
  if (kind === "id") return `try-${Date.now().toString(36)}`;
  if (kind === "key") return KEYS[form.columns.filter((c) => c.kind === "key").indexOf(column) % KEYS.length];
  if (kind === "category") return knownValues(column)[0] ?? "";
  if (kind === "time") return exampleTime();
  const same = form.model.plan.features.find((f) => f.expression === name);
  const input = form.model.inputs.find((i) => i.name === same?.name);
  return String(round(Math.min(max, Math.max(min, input ? input.mean + deviations * input.scale : 1))));
}

// After the newest event that the server knows, because it may refuse an older one of the same keys.
function exampleTime() {
  const { time_format: format } = form.model.plan.schema, next = (form.newest ?? Date.now() / 1000) + (format === "row" ? 1 : 60);
  return counted() ? String(Math.floor(next)) : new Date(1000 * Math.floor(next)).toISOString().replace(".000", "");
}

function makeField(column) {
  const { name, kind } = column, values = kind === "category" ? knownValues(column) : [];
  const input = element("input", { id: `field-${name}`, name, autocomplete: "off", spellcheck: false, required: column.missing === undefined,
                                   inputMode: kind === "number" ? "decimal" : "text" });
  input.setAttribute("aria-describedby", `error-${name}`);
  input.addEventListener("input", () => form.touched.add(name));
  const label = element("label", { htmlFor: input.id }, name, element("span", { className: "note", textContent: hint(column) }));
  const box = element("div", { className: kind === "time" || kind === "id" ? "field wide" : "field" }, label, input, element("p", { className: "error", id: `error-${name}` }));
  if (values.length) {
    input.setAttribute("list", `list-${name}`);
    box.append(element("datalist", { id: `list-${name}` }, ...values.map((text) => element("option", { value: text }))));
  }
  return box;
}

function makeForm(model) {
  const columns = model.plan.schema.columns.filter((c) => c.kind !== "label");
  const same = JSON.stringify(columns) === JSON.stringify(form.columns);
  form.model = model;
  if (same) return;
  Object.assign(form, { columns, touched: new Set() });
  $("fields").replaceChildren(...columns.slice(0, FIRST_FIELDS).map(makeField));
  $("more-fields").replaceChildren(...columns.slice(FIRST_FIELDS).map(makeField));
  $("more").hidden = columns.length <= FIRST_FIELDS;
  $("more").firstElementChild.textContent = `${columns.length - FIRST_FIELDS} more fields`;
  fill(0);
  $("send").disabled = false;
}

// Fields that nobody typed in follow the server: a new id, the newest time.
function renew(kind) {
  for (const c of form.columns) if (c.kind === kind && !form.touched.has(c.name)) field(c.name).value = example(c);
}

// Fills all fields with example values, that many standard deviations above the training mean.
function fill(deviations) {
  form.touched.clear();
  for (const c of form.columns) field(c.name).value = c.missing === undefined ? example(c, deviations) : "";
  clearErrors();
}

// Shows the form of this model. newest: time of the newest event in seconds since 1970, or null; examples are later.
function follow(model, newest) {
  form.newest = newest;
  makeForm(model);
  renew("time");
}

function clearErrors() {
  put("try-error", "");
  for (const { name } of form.columns) {
    put(`error-${name}`, "");
    field(name).removeAttribute("aria-invalid");
  }
}

// Text that is not a number is sent unchanged: the server's error says what it expects.
function transaction() {
  const numeric = (kind) => kind === "number" || (kind === "time" && counted());
  return Object.fromEntries(form.columns.map(({ name, kind }) => [name, kind, field(name).value.trim()]).filter(([, , text]) => text !== "")
    .map(([name, kind, text]) => [name, numeric(kind) && Number.isFinite(Number(text)) ? Number(text) : text]));
}

function showProblem(problem) {
  $("result-full").hidden = true; // it belongs to another transaction
  $("result-empty").hidden = false;
  const at = form.columns.some((c) => c.name === problem.field) ? problem.field : null;
  put(at ? `error-${at}` : "try-error", problem.detail ?? "the server refused it");
  if (!at) return;
  if (form.columns.findIndex((c) => c.name === at) >= FIRST_FIELDS) $("more").open = true;
  field(at).setAttribute("aria-invalid", "true");
  field(at).focus();
}

// Sends the form and shows the answer; true if it was decided. The caller handles Locked.
async function send() {
  clearErrors();
  $("send").disabled = true;
  try {
    const answer = await ask("/predict", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(transaction()) });
    const body = await answer.json();
    if (answer.ok) {
      showResult(body);
      renew("id");
    } else showProblem(body);
    return answer.ok;
  } catch (e) {
    if (e instanceof Locked) throw e;
    put("try-error", "The server did not answer. Send it again: one id counts once.");
    return false;
  } finally {
    $("send").disabled = false;
  }
}
