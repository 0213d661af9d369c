// The form, built from the model's schema, and the decision that the server returns.
"use strict";

const FIRST_FIELDS = 12; // more are folded
const STEPS = 200;       // of a slider

// ---- the decision ----

// body: the tbody of a table of reasons.
function showReasons(body, reasons) {
  const largest = Math.max(...reasons.map((r) => Math.abs(r.contribution)));
  body.replaceChildren(...reasons.map(({ feature, value, contribution: x }) =>
    row(cell(feature), cell(number(value, 4), "number"), cell(contributionBar(x, largest)), cell(signed(x), "number"))));
}

// stored: false if it is the answer to "what if".
function showResult(d, stored) {
  const place = (p) => `${100 * clamp(1 + Math.log10(Math.max(p, 1e-9)) / 4, 0, 1)}%`; // the rail shows 0.0001 to 1
  $("result-empty").hidden = true;
  $("result-full").hidden = false;
  $("result-kind").hidden = stored;
  $("result").classList.toggle("what-if", !stored);
  badge($("result-decision"), d.decision);
  put("result-probability", probability(d.probability));
  put("result-ratio", `probability of ${form.model.training?.class ?? "fraud"}, ${number(d.probability / d.threshold, 2)} times the threshold of ${number(d.threshold)}`);
  $("scale-review").style.left = place(d.threshold);
  $("scale-dot").style.left = place(d.probability);
  $("scale").setAttribute("aria-label", `Probability ${probability(d.probability)} on a scale on which review begins at ${number(d.threshold)}`);
  showReasons($("reasons"), d.reasons);
  put("result-model", stored ? `Decided by model ${d.model}${d.id === undefined ? "" : `, transaction ${d.id}`}.`
                             : `What model ${d.model} would answer now. Nothing was stored or counted.`);
}

// ---- the form ----

const form = { columns: [], model: null, touched: new Set(), newest: null, asked: 0, sent: "" }; // asked: requests; sent: newest id
const KEYS = ["1000", "3195", "27"];
const HINTS = { id: "any text", key: "any text", category: "text" };

const field = (name) => $(`field-${name}`);
const identity = () => form.columns.filter((c) => c.kind === "id").map((c) => field(c.name).value.trim()).join();
const counted = () => form.model.plan.schema.time_format === "epoch";
const round = (x, whole) => (whole ? Math.round(x) : Number(x.toPrecision(4)));

function hint(column) {
  const { kind, min, max, missing } = column;
  if (missing !== undefined) return "may be left out";
  if (kind === "time") return counted() ? "number" : "UTC";
  if (kind === "number") return bounds(min, max, number) || "number";
  return HINTS[kind];
}

// The known values of a category are in its expression: onehot(name, "a", "b").
function knownValues(column) {
  const call = form.model.plan.features.find((f) => new RegExp(`^onehot\\(${column.name},`).test(f.expression));
  return [...(call?.expression.matchAll(/"((?:[^"\\]|\\.)*)"/g) ?? [])].map(([, text]) => unquote(text));
}

// The range of a column in training, and at(n): its value n standard deviations above the mean. They are known if the
// column or its log1p is an input, also the first one of hinges. whole: all edges of its histogram are whole numbers.
function training(column) {
  const { name, min = -1e15, max = 1e15 } = column, inside = (x) => clamp(x, min, max);
  const back = { [name]: (x) => x, [`log1p(${name})`]: Math.expm1 }, of = (f) => back[f.expression.replace(/^hinges\((.*?)(, [-+.e\d, ]*)?\)$/, "$1")];
  const same = form.model.plan.features.find(of);
  const input = form.model.inputs.find((i) => i.name === same?.name), value = same && of(same);
  if (!input) return { low: min > -1e14 ? min : 0, high: max < 1e14 ? max : 1000, at: () => inside(1) };
  const whole = [input.min, input.max, ...input.reference.edges].every(Number.isInteger);
  const at = (deviations) => input.mean + deviations * input.scale;
  return { low: inside(value(input.min)), high: inside(value(input.max)), whole,
           at: (deviations) => inside(whole ? Math.round(clamp(at(deviations), input.min, input.max)) : value(at(deviations))) };
}

// A slider covers the range of training, because a value outside counts as the nearer end. The mean is in its middle:
// value = low + (high - low) * expm1(k * place) / expm1(k), place from 0 to 1.
function makeSlider(column, input) {
  const { low, high, whole, at } = training(column), share = clamp((at(0) - low) / (high - low) || 0.5, 0.001, 0.999);
  const k = 2 * Math.log(1 / share - 1) || 1e-9, slider = element("input", { type: "range", max: STEPS, ariaLabel: `${column.name}, what if` });
  const follow = () => {
    const value = input.value === "" ? at(0) : Number(input.value), part = clamp((value - low) / (high - low) || 0, 0, 1);
    slider.value = STEPS * Math.log1p(part * Math.expm1(k)) / k;
    slider.ariaValueText = input.value;
  };
  slider.addEventListener("input", () => {
    input.value = clamp(round(low + (high - low) * Math.expm1(k * slider.value / STEPS) / Math.expm1(k), whole), low, high);
    slider.ariaValueText = input.value;
  });
  input.addEventListener("input", follow);
  input.addEventListener("change", follow);
  return slider;
}

// deviations: how many standard deviations a number is above the mean of training.
function example(column, deviations) {
  const { kind } = column;
  if (kind === "id") return `try-${Date.now().toString(36)}`;
  if (kind === "key") return KEYS[form.columns.filter((c) => c.kind === "key").indexOf(column) % KEYS.length];
  if (kind === "category") return knownValues(column)[0] ?? "";
  if (kind === "time") return exampleTime();
  const { whole, at } = training(column);
  return String(round(at(deviations), whole));
}

// Later than the newest event that the server knows, because it may refuse an older one of the same keys.
function exampleTime() {
  const next = (form.newest ?? Date.now() / 1000) + 60;
  return counted() ? String(Math.floor(next)) : new Date(1000 * Math.floor(next)).toISOString().replace(".000", "");
}

function makeField(column) {
  const { name, kind } = column, values = kind === "category" ? knownValues(column) : [];
  const input = element("input", { id: `field-${name}`, name, autocomplete: "off", spellcheck: false, required: column.missing === undefined,
                                   inputMode: kind === "number" ? "decimal" : "text" });
  input.setAttribute("aria-describedby", `error-${name}`);
  input.addEventListener("input", () => form.touched.add(name));
  const label = element("label", { htmlFor: input.id }, name, element("span", { className: "note", textContent: hint(column) }));
  const box = element("div", { className: kind === "time" || kind === "id" ? "field wide" : "field" }, label, input,
                      ...(kind === "number" ? [makeSlider(column, input)] : []), element("p", { className: "error", id: `error-${name}` }));
  if (values.length) {
    input.setAttribute("list", `list-${name}`);
    box.append(element("datalist", { id: `list-${name}` }, ...values.map((text) => element("option", { value: text }))));
  }
  return box;
}

function makeForm(model) {
  const { time_format: format, columns: all } = model.plan.schema; // the server counts rows
  const columns = all.filter((c) => c.kind !== "label" && (c.kind !== "time" || format !== "row"));
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

// Fills all fields with examples. deviations: as in example().
function fill(deviations) {
  form.touched.clear();
  for (const c of form.columns) {
    field(c.name).value = example(c, deviations);
    field(c.name).dispatchEvent(new Event("change", { bubbles: true })); // for its slider, and for "what if"
  }
  clearErrors();
}

// Shows the form of this model. newest: time of the newest event in seconds since 1970, or null; examples are later.
// A time that was sent stays with its id, so that the same transaction can be sent again.
function follow(model, newest) {
  form.newest = newest;
  makeForm(model);
  if (!form.sent || identity() !== form.sent) renew("time");
}

function clearErrors() {
  put("try-error", "");
  for (const { name } of form.columns) {
    put(`error-${name}`, "");
    field(name).removeAttribute("aria-invalid");
  }
}

const numeric = (kind) => kind === "number" || (kind === "time" && counted());

// Text that is not a number is sent unchanged: the server refuses it.
function transaction() {
  return Object.fromEntries(form.columns.map(({ name, kind }) => [name, kind, field(name).value.trim()]).filter(([, , text]) => text !== "")
    .map(([name, kind, text]) => [name, numeric(kind) && Number.isFinite(Number(text)) ? Number(text) : text]));
}

// Says in a person's words what is wrong with the text in a column; null if the server's message is better.
function words(column, text) {
  const { kind, name, min, max } = column, title = capital(name.replaceAll("_", " ")), x = Number(text);
  const what = numeric(kind) ? "a number" : { time: "a date with its time", category: "a text" }[kind] ?? "a name or a number";
  const fits = text !== "" && (numeric(kind) ? Number.isFinite(x) : kind !== "time" || Date.parse(text));
  if (!fits) return `${title} needs ${what}, such as ${example(column, 0) || "web"}.`;
  if (kind === "number" && x < min) return `${title} cannot be less than ${number(min, 6)}.`;
  return kind === "number" && x > max ? `${title} cannot be more than ${number(max, 6)}.` : null;
}

function showProblem(problem, stored) {
  $("result-full").hidden = true; // the result is that of another transaction
  $("result-empty").hidden = false;
  $("result-kind").hidden = stored;
  const at = form.columns.findIndex((c) => c.name === problem.field), column = form.columns[at];
  put(column ? `error-${column.name}` : "try-error", (column && words(column, field(column.name).value.trim())) ?? sentence(problem.detail));
  if (!column) return;
  if (at >= FIRST_FIELDS) $("more").open = true;
  field(column.name).setAttribute("aria-invalid", "true");
  if (stored) field(column.name).focus();
}

// Sends the form, and shows the answer unless a newer request was sent meanwhile. Returns true for a decision.
// stored: false asks what if. The caller handles Locked.
async function send(stored) {
  const mine = ++form.asked;
  clearErrors();
  if (stored) $("send").disabled = true;
  if (stored) form.sent = identity();
  try {
    const answer = await post(stored ? "/predict" : "/predict?store=false", transaction()), body = await answer.json();
    if (mine === form.asked) answer.ok ? showResult(body, stored) : showProblem(body, stored);
    if (stored && answer.ok) renew("id");
    if (stored && answer.status === 422) form.sent = ""; // it is not stored
    return answer.ok;
  } catch (e) {
    if (e instanceof Locked) throw e;
    const detail = `the server did not answer. ${stored ? "Send it again: one id counts once" : "Move a slider to ask again"}`;
    if (stored || mine === form.asked) showProblem({ detail }, stored);
    return false;
  } finally {
    if (stored) $("send").disabled = false;
  }
}
