// The dashboard: asks /metrics, /loop and /decisions every two seconds, and /model when it changes, and shows what they say.
//
// Charts are in chart.js, the form that sends a transaction is in form.js.
"use strict";

const INTERVAL = 2000, PAUSE = 50, TYPING = 400; // ms: between requests, and after a slider moved or a key was pressed
const MAX_DRIFTS = 24, FIRST_DECISIONS = 12; // as in the style sheet
const SCORE = "the score itself"; // in the list of drifts
const MIN_DRIFT = 1000, MIN_LABELS = 10; // small samples drift by chance; the first as min_rows of [monitor]

// ---- metrics, as Prometheus writes them (text format 0.0.4) ----

const sampleValue = (text) => (/^[+-]?Inf$/.test(text) ? Number(`${text}inity`) : Number(text));

// The samples of a scrape by name, each with its labels.
class Metrics {
  constructor(text) {
    this.samples = new Map(); // name: [{labels, value}]
    for (const [, name, inside = "", number] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +(\S+)/gm)) {
      const labels = {};
      for (const [, key, quoted] of inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key] = unquote(quoted);
      if (!this.samples.has(name)) this.samples.set(name, []);
      this.samples.get(name).push({ labels, value: sampleValue(number) });
    }
  }
  all(name) { return this.samples.get(name) ?? []; }
  get(name) { return this.all(name)[0]?.value; }
  sum(name, wanted = {}) {
    const fits = ({ labels }) => Object.entries(wanted).every(([key, text]) => labels[key] === text);
    return this.all(name).filter(fits).reduce((sum, s) => sum + s.value, 0);
  }
  // A histogram as {edges, counts}, the counts not cumulative; the last edge is Infinity.
  histogram(name) {
    const buckets = this.all(`${name}_bucket`).map((s) => ({ edge: sampleValue(s.labels.le), n: s.value })).sort((a, b) => a.edge - b.edge);
    return { edges: buckets.map((b) => b.edge), counts: buckets.map((b, i) => b.n - (i ? buckets[i - 1].n : 0)) };
  }
}

// The quantile q, linear within its bucket, at most the last finite edge; null without counts.
function quantile(edges, counts, q) {
  const total = counts.reduce((a, b) => a + b, 0);
  let rank = q * total;
  if (!(total > 0)) return null;
  for (let i = 0; i < counts.length; i++) {
    const low = i ? edges[i - 1] : 0;
    if (rank <= counts[i] && counts[i] > 0) return edges[i] === Infinity ? low : low + (edges[i] - low) * (rank / counts[i]);
    rank -= counts[i];
  }
  return edges[edges.length - 2];
}

// ---- traffic since the page was opened, in bins ----

const BIN = 10, MAX_BINS = 90; // seconds, and how many complete ones are shown
const SENT = /^\/(predict|feedback|admin\/reload)$|\/infer$/; // the paths that take POST
const polls = []; // {time: seconds since 1970, counts: [requests, errors, approve, review, ...latency]}, the newest last

function keepPoll(metrics, time) {
  const answers = metrics.all("assay_http_requests_total"), total = (fits) => answers.filter(fits).reduce((n, s) => n + s.value, 0);
  const errors = total((s) => s.labels.code >= 400), good = total((s) => s.labels.code === "200" && SENT.test(s.labels.path));
  const decided = ["approve", "review"].map((decision) => metrics.sum("assay_predictions_total", { decision }));
  const counts = [good + errors, errors, ...decided, ...metrics.histogram("assay_predict_duration_seconds").counts];
  if (polls.at(-1)?.counts.some((n, i) => counts[i] < n)) polls.length = 0; // the server was started again
  polls.push({ time, counts });
  while (polls.length > 2 && polls[1].time <= time - BIN * MAX_BINS) polls.shift();
}

// The counts at a time between the first poll and the last. They are taken to grow evenly from one poll to the next.
function countsAt(time) {
  const i = polls.findIndex((p) => p.time >= time), b = polls[i], a = polls[Math.max(0, i - 1)];
  const part = a === b ? 1 : (time - a.time) / (b.time - a.time);
  return a.counts.map((n, k) => Math.round(n + (b.counts[k] - n) * part));
}

// One point for each bin, the oldest first. x is in seconds from the beginning of the last bin; rates are per second. The last
// bin, and the one in which the page was opened, are open: they are not complete, and the last one has no rates. Points before
// the first poll have only an x; with them the axis covers whole minutes.
function points(edges) {
  const start = polls[0].time, now = polls.at(-1).time, last = Math.floor(now / BIN);
  const n = Math.min(MAX_BINS, last - Math.floor(start / BIN)), shown = 60 / BIN * Math.max(1, Math.ceil(n * BIN / 60));
  return Array.from({ length: shown + 1 }, (_, i) => {
    const begin = BIN * (last - shown + i), x = begin - BIN * last;
    if (i < shown - n) return { x };
    const from = Math.max(begin, start), to = Math.min(begin + BIN, now), before = countsAt(from);
    const [requests, errors, approve, review, ...latency] = countsAt(to).map((count, k) => count - before[k]);
    const open = to - from < BIN, rate = (count) => (i === shown ? null : count / (to - from));
    const [p50, p99] = [0.5, 0.99].map((q) => quantile(edges, latency, q)).map((s) => (s === null ? null : 1000 * s));
    return { x, open, requests: rate(requests), errors: rate(errors), decisions: rate(approve + review), p50, p99, approve, review };
  });
}

// ---- tiles ----

function showTiles(metrics, traffic) {
  const now = traffic.at(-2), timed = traffic.findLast((p) => p.p99 != null);
  const sum = (key) => traffic.reduce((n, p) => n + (p[key] ?? 0), 0);
  const approved = metrics.sum("assay_predictions_total", { decision: "approve" });
  const reviewed = metrics.sum("assay_predictions_total", { decision: "review" });
  const recent = [sum("review"), sum("review") + sum("approve")];
  const refused = metrics.sum("assay_requests_refused_total"), labels = metrics.get("assay_live_labels") ?? 0;
  const precision = metrics.get("assay_live_precision"), recall = metrics.get("assay_live_recall");

  put("tile-rate", now.decisions == null ? "–" : number(now.decisions));
  put("tile-rate-note", `${short(approved + reviewed)} since the start`);
  put("tile-latency", timed ? `${number(timed.p50, 2)} · ${number(timed.p99, 2)} ms` : "–");
  put("tile-latency-note", !timed ? "no decision lately" : timed.x >= -BIN ? "of the last seconds" : `of ${-timed.x} s ago`);
  put("tile-review", approved + reviewed ? percent(reviewed / (approved + reviewed)) : "–");
  put("tile-review-note", recent[1] ? `${percent(recent[0] / recent[1])} of the last minutes` : "since the start");
  // One of the requests is this page's own.
  put("tile-load", `${short(Math.max(0, (metrics.get("assay_http_requests_in_flight") ?? 0) - 1))} · ${short(metrics.get("assay_queue_requests") ?? 0)}`);
  put("tile-load-note", `${refused ? short(refused) : "none"} refused since the start`);
  put("tile-labels", short(labels));
  put("tile-labels-note", labels ? `${positives(metrics.get("assay_live_frauds"))} among them` : "none yet");
  const shown = [precision, recall].map((x) => (x === undefined || labels < MIN_LABELS ? "–" : percent(x, 0)));
  put("tile-quality", shown.every((x) => x === "–") ? "–" : shown.join(" · "));
  put("tile-quality-note", labels < MIN_LABELS ? `from ${MIN_LABELS} labels on` : `of the newest ${plural(labels, "label")}`);
}

// ---- charts ----

const span = (seconds) => (seconds < 60 ? plural(seconds, "second") : plural(Math.floor(seconds / 60), "minute"));

function showTraffic(traffic) {
  const kept = Math.round(polls.at(-1).time - polls[0].time), from = traffic[0].x, last = traffic.at(-2);
  const total = (key) => traffic.reduce((n, p) => n + (p[key] ?? 0), 0);
  const series = (key, list = traffic.slice(0, -1)) => list.map((p) => ({ x: p.x + BIN / 2, y: p[key] ?? null, open: p.open }));
  const said = (x, unit) => (x == null ? "not measured" : `${number(x)}${unit}`);
  put("traffic-note", `The last ${span(kept)}, measured while this page is open, in steps of ${BIN} seconds. `
    + "Only POST requests, and all that fail, are counted as requests.");
  drawLines("chart-rate", `Per second: ${said(last.requests, " requests")}, ${said(last.decisions, " decisions")}, ${said(last.errors, " errors")}`,
            ["requests", "decisions", "errors"], " /s", from, [series("requests"), series("decisions"), series("errors")]);
  drawLines("chart-latency", `Latency: p50 ${said(last.p50, " ms")}, p99 ${said(last.p99, " ms")}`,
            ["p50", "p99"], " ms", from, [series("p50"), series("p99")]);
  drawDecisions(`Decisions of the last ${span(kept)}: ${total("approve")} approved, ${total("review")} sent to review`, from,
                [series("approve", traffic), series("review", traffic)]);
}

function showScores(metrics) {
  const { edges, counts } = metrics.histogram("assay_score"), threshold = metrics.get("assay_model_threshold");
  const finite = edges.filter(Number.isFinite), n = counts.reduce((a, b) => a + b, 0);
  if (!finite.length || threshold === undefined) return;
  const text = `${plural(n, "decision")} by score, on logarithmic axes`;
  put("scores-note", text);
  drawScores(`${text}; review from ${number(threshold)}`, finite, counts.slice(0, finite.length), threshold);
}

function showDrift(metrics, { calendar }) {
  const drifts = metrics.all("assay_feature_drift_psi").map((s) => ({ name: s.labels.feature, psi: s.value }));
  const score = metrics.get("assay_score_drift_psi"), n = metrics.get("assay_drift_window_predictions") ?? 0;
  const known = [...drifts, { name: SCORE, psi: score }].filter((d) => Number.isFinite(d.psi)).sort((a, b) => b.psi - a.psi);
  const counted = known.filter((d) => !calendar.includes(d.name)), inputs = counted.filter((d) => d.name !== SCORE);
  const [drifted, moved] = [0.2, 0.1].map((limit) => inputs.filter((d) => d.psi >= limit).length);
  const scores = inputs.length === counted.length ? "" : `; the score ${score >= 0.2 ? "drifted" : score >= 0.1 ? "moved" : "did not move"}`;
  const others = known.filter((d) => calendar.includes(d.name)).map((d) => ({ name: d.name + CALENDAR, psi: d.psi }));
  const of = `Stability index against training, newest ${plural(n, "decision")}`;
  const text = !known.length ? "Not measured yet: no decisions"
             : n < MIN_DRIFT ? `${of}: too few to judge by, ${MIN_DRIFT} are enough`
             : `${of}: ${drifted || "none"} of ${plural(inputs.length, "input")} drifted, ${moved - drifted || "none"} moved${scores}`;
  const not = others.length ? ". Grey bars follow the calendar: they differ in any part of a week, so they do not count" : "";
  put("drift-note", `${text}${known.length > MAX_DRIFTS ? `; the ${MAX_DRIFTS} largest are shown` : ""}${not}.`);
  drawDrift(`${text}. ${counted.slice(0, 5).map((d) => `${d.name} ${number(d.psi)}`).join(", ")}${not}`,
            [...counted, ...others].slice(0, MAX_DRIFTS), n >= MIN_DRIFT);
}

// ---- the champion ----

const METRICS = ["roc_auc", "average_precision", "precision", "recall", "brier"];

// "A .. B" as "A to B"; a line may break next to "to", but not within a day.
const period = (text) => text.split(" .. ").flatMap((day, i) => [i ? " to " : "", element("span", { className: "day", textContent: day })]);

const fact = ([name, ...shown]) => element("div", {}, element("dt", { textContent: name }), element("dd", {}, ...shown));
const facts = (id, pairs) => $(id).replaceChildren(...pairs.map(fact));

function showModel(model, metrics) {
  const measured = model.metrics ?? {}, training = model.training ?? {}, loaded = metrics.get("assay_model_loaded_timestamp_seconds");
  put("serving", `model ${model.model} decides`);
  document.querySelector(".decisions").classList.toggle("untimed", isUntimed());
  $("model-lead").replaceChildren(`Version ${model.model}`,
    ...(training.test ? [", measured on ", ...period(training.test), `, ${training.test.includes("%") ? "rows" : "days"} it was not trained or tuned on`] : []));
  facts("metrics", METRICS.filter((key) => measured[key] != null).map((key) => [model.titles?.[key] ?? key, number(measured[key])]));
  facts("facts", [
    ["SHA-256", element("code", { textContent: `${model.sha256.slice(0, 12)}…`, title: model.sha256 })],
    ["Threshold", number(model.threshold, 4)],
    ["Inputs", String(model.inputs.length)],
    ["Trained on", ...period(training.train ?? "–")],
    ["Training rows", training.rows === undefined ? "–" : `${number(training.rows, 9)}, ${positives(training.frauds)}`],
    ["Loaded", loaded ? `${new Date(1000 * loaded).toISOString().slice(0, 16).replace("T", " ")}` : "–"],
  ]);
}

// ---- decisions ----

function inputs(numbers) {
  const all = Object.entries(numbers ?? {}), shown = all.slice(0, 3).map(([name, x]) => `${name} ${number(x, 6)}`).join(", ");
  return all.length > 3 ? `${shown}, ${all.length - 3} more` : shown;
}

const className = () => model.training?.class ?? "fraud", isFraud = () => className() === "fraud";
const positives = (n) => (isFraud() ? plural(n, "fraud") : `${short(n)} of class ${className()}`);
const truth = (label) => (isFraud() ? ["genuine", "fraud"][label] : `${label ? "" : "not "}${className()}`);
const isUntimed = () => model.plan?.schema.time_format === "row"; // times are the numbers of rows
const when = (d) => isUntimed() ? `row ${d.time}` : String(d.time).replace("T", " ").replace("Z", "");

// Sends the label of a decision and puts the result into words; the pressed button shows the label.
async function tell(d, label, said, show) {
  said.textContent = "Sending …";
  try {
    const answer = await post("/feedback", { order: d.order, label }), body = await answer.json();
    said.textContent = answer.ok ? `${body.changed ? "Stored" : "That is known already"}: it was ${truth(label)}.` : sentence(body.detail);
    if (answer.ok) show(d.label = label);
  } catch (e) {
    said.textContent = e instanceof Locked ? "Not stored: the server needs its token."
                                           : "The server did not answer. Press the button again: a label counts once.";
    if (e instanceof Locked) locked();
  }
}

// The row below an open one: reasons, numbers, and the buttons that give the label. show(label) shows it in the row above.
function details(d, show) {
  const reasons = document.querySelector("#result .reasons").cloneNode(true), said = element("p", { className: "note", role: "status" });
  reasons.tBodies[0].removeAttribute("id");
  showReasons(reasons.tBodies[0], d.reasons);
  const buttons = [1, 0].map((label, i) =>
    element("button", { type: "button", textContent: `Was ${truth(label)}`, onclick: () => tell(d, 1 - i, said, press) }));
  const press = (label) => {
    buttons.forEach((button, i) => { button.ariaPressed = String(label === 1 - i); });
    show(label);
  };
  press(d.label);
  const td = cell(element("div", { className: "pair try" }, reasons, element("div", {},
    element("dl", { className: "facts small" }, fact(["time", when(d)]), ...Object.entries(d.numbers ?? {}).map(([name, x]) => fact([name, number(x, 9)]))),
    element("p", { className: "presets" }, ...buttons), said)));
  td.colSpan = 8;
  return Object.assign(row(td), { className: "more" });
}

function decisionRow(d, i) {
  const first = d.reasons?.[0], time = clock(new Date(d.received)), label = cell("", "truth");
  const open = element("button", { type: "button", className: "open", textContent: time, ariaLabel: `${time}, details`, ariaExpanded: "false" });
  const show = (is) => { label.textContent = is === undefined ? "" : `was ${truth(is)}`; };
  const tr = row(cell(open), cell(when(d)), cell(inputs(d.numbers), "wrap"),
                 cell(probability(d.probability), "number"), cell(badge(element("span"), d.decision)),
                 cell(first ? `${first.feature} ${signed(first.contribution)}` : "–", "wrap"), label, cell(d.model, "number"));
  show(d.label);
  tr.classList.toggle("later", i >= FIRST_DECISIONS);
  tr.addEventListener("click", () => {
    if (!getSelection().isCollapsed) return; // the user selects its text
    open.ariaExpanded = String(open.ariaExpanded !== "true");
    open.ariaExpanded === "true" ? tr.after(details(d, show)) : tr.nextSibling.remove();
    noteDecisions();
  });
  return tr;
}

let shown = "", only = "", pointed = false; // only: the query of the filter

// The list does not change while somebody uses it, so that a click never meets another row than the one that was there.
const held = () => pointed || $("decisions").querySelector("[aria-expanded=true], :focus-visible");

function noteDecisions() {
  put("decisions-note", !shown ? "These are the rows from before: the server has not answered yet." :
                        held() ? "The list waits while a row is open, has the focus or is under the pointer." :
                        $("decisions").rows.length ? "The newest first; identifiers are not kept here." :
                        only ? "No review among the newest 10,000 decisions." : "None yet.");
}

function showDecisions(text) {
  if ((shown && held()) || text === shown) return; // keeps a selection and the scroll position
  shown = text;
  const { decisions } = JSON.parse(text);
  put("all", `Show all ${decisions.length}`);
  $("all").hidden = decisions.length <= FIRST_DECISIONS || $("all").ariaExpanded === "true";
  $("decisions").replaceChildren(...decisions.map(decisionRow));
}

async function listDecisions() {
  const query = only, text = await read(`/decisions${query}`);
  if (query === only) showDecisions(text);
  noteDecisions();
}

function filterDecisions(query) {
  only = query;
  shown = ""; // the rows stay until others are there
  $("every").ariaPressed = String(!query);
  $("reviews").ariaPressed = String(Boolean(query));
  listDecisions().catch((e) => { noteDecisions(); failed(e); });
}

// ---- the loop: monitor, comparison, ledger ----

const day = (time) => String(time ?? "–").slice(0, 10), minute = (time) => String(time ?? "–").slice(0, 16).replace("T", " ");
const absent = (what, error, none) => (error ? `${what} cannot be shown: ${error}.` : none);
const notes = (id, verdict) => list(id, verdict?.notes ?? []);

function showMonitor(drift, error) {
  const current = drift?.periods?.current, { version } = drift?.model ?? {};
  const tone = !drift ? "note" : drift.verdict.drift ? "banner" : drift.verdict.possible ? "banner good" : "banner idle";
  put("drift-verdict", drift?.verdict.sentence ?? absent("The monitor's result", error, "The monitor has not run yet: make pipeline runs it."));
  $("drift-verdict").className = tone;
  notes("drift-notes", drift?.verdict);
  facts("drift-facts", !drift ? [] : [
    ["Version watched", `${version}${String(version) === model.model ? ", which decides" : `; ${model.model} decides now`}`],
    ["Rows watched", count(current?.rows)],
    ["Up to", minute(current?.to)],
    ["With mature labels", `${count(current?.mature_rows)}${current?.mature_until ? `, up to ${day(current.mature_until)}` : ""}`],
  ]);
}

function showComparison(challenger, error) {
  const { a, b, period, differences = [], worst_slice: slice } = challenger ?? {};
  const digits = ({ metric }) => (metric === "alerts_per_day" ? 1 : 4), rows = slice ? [...differences, slice] : differences;
  put("compared", challenger?.verdict.sentence ?? absent("The newest comparison", error, "No comparison yet: a version is compared with the champion when it is trained."));
  $("compared").className = challenger ? "" : "note";
  table("table-compared", 1, !rows.length ? [] : [["", (d) => (d === slice ? `Worst slice: ${d.slicing} ${d.name}` : d.title)],
    [`version\u00a0${a?.version}`, (d) => fixed(d.a, digits(d))], [`version\u00a0${b?.version}`, (d) => fixed(d.b, digits(d))],
    ["difference", (d) => `${d.value > 0 ? "+" : ""}${fixed(d.value, digits(d))}`], ["95\u00a0% interval", (d) => range([d.low, d.high], digits(d))]], rows);
  put("compared-rows", period ? `On ${count(a.metrics?.rows)} rows${isKnown(period.days) ? ` of ${plural(period.days, "day")}` : ""}, ${day(period.from)} to ${day(period.to)}, which neither was trained on.` : "");
  notes("compared-notes", challenger?.verdict);
}

function showLedger(ledger, error) {
  put("ledger-note", ledger ? "The newest lines, the newest first." : absent("The ledger", error, "There is no ledger."));
  table("table-ledger", 5, !ledger ? [] : [["time", (line) => minute(line.time)], ["action", (line) => line.action], ["version", (line) => String(line.version)],
    ["by", (line) => line.by || "–"], ["reason", (line) => line.reason || "–"]], ledger ?? []);
}

let told = "";

function showLoop(text) {
  if (text + model.model === told) return; // keeps a selection
  told = text + model.model;
  const loop = JSON.parse(text);
  showMonitor(loop.drift, loop.drift_error);
  showComparison(loop.challenger, loop.challenger_error);
  showLedger(loop.ledger, loop.ledger_error);
  fitTables();
}

// ---- polling ----

let timer = 0, polling = false, model = null, answered = null;

function say(word) {
  put("status-word", word);
  put("status-time", word === "Live" ? clock(new Date()) : "");
}

const locked = () => { lock(poll); say("Locked"); };

function failed(e) {
  if (e instanceof Locked) return locked();
  fail(e, answered ? ` and shows ${clock(answered)}` : "");
  say("No answer");
}

async function refresh() {
  const metrics = new Metrics(await read("/metrics"));
  const info = metrics.all("assay_model_info")[0]?.labels;
  if (!model || !info || info.sha256 !== model.sha256 || info.version !== model.model) model = JSON.parse(await read("/model"));
  follow(model, metrics.get("assay_state_newest_event_timestamp_seconds") ?? null);
  keepPoll(metrics, Date.now() / 1000);
  const traffic = points(metrics.histogram("assay_predict_duration_seconds").edges);
  showTiles(metrics, traffic);
  showTraffic(traffic);
  showScores(metrics);
  showDrift(metrics, model);
  showModel(model, metrics);
  showLoop(await read("/loop"));
  await listDecisions();
  answered = new Date();
  const ready = metrics.get("assay_ready") !== 0;
  enter(ready ? "live" : "away", ready ? "" : "The server answers, but cannot decide now.");
  say(ready ? "Live" : "Not ready");
}

async function poll() {
  if (polling || document.hidden) return;
  polling = true;
  clearTimeout(timer);
  try {
    await refresh();
  } catch (e) {
    failed(e);
  }
  polling = false;
  if (document.body.dataset.state !== "locked") timer = setTimeout(poll, INTERVAL);
}

let pause = 0;
$("try").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(pause);
  send(true).then((decided) => decided && poll()).catch(failed);
});
for (const event of ["input", "change"]) $("try").addEventListener(event, ({ target: { type } }) => {
  if (type !== "range" && $("result-kind").hidden) return; // an answer to "what if" follows all fields
  clearTimeout(pause);
  pause = setTimeout(() => send(false).catch(failed), type === "range" ? PAUSE : TYPING);
});
$("decisions").addEventListener("pointerenter", ({ pointerType }) => { pointed = pointerType === "mouse"; }); // a finger does not stay on it
$("decisions").addEventListener("pointerleave", () => { pointed = false; });
$("every").addEventListener("click", () => filterDecisions(""));
$("reviews").addEventListener("click", () => filterDecisions("?decision=review"));
$("usual").addEventListener("click", () => fill(0));
$("unusual").addEventListener("click", () => fill(6));
$("all").addEventListener("click", () => {
  document.querySelector(".decisions").classList.add("all");
  $("all").ariaExpanded = "true";
  $("all").hidden = true;
});
document.addEventListener("visibilitychange", poll);
poll();
