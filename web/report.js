// The report: metrics.json, from the file itself or from the server, as tiles, tables and plots. train/report.h describes it.
"use strict";

let report, test, data, folds, about, titles, rivals, frauds, genuine;
let words, others, rows; // of the class, of the other one, and of both
let daily, unit;         // whether alerts are counted by the day, and in how many days or rows

const isDated = () => data.daily.at(-1)?.[0] > 3652; // times before 1980 count from 0, or are the numbers of rows
const day = (n) => (isDated() ? new Date(864e5 * n).toISOString().slice(0, 10) : `day ${number(n)}`); // n: days since 1970

// ---- words ----

function showWords() {
  const { text, bootstrap: b } = report;
  document.title = `Assay: ${about.dataset}, version ${about.version}`;
  put("title", `${about.dataset}, version ${about.version}`);
  put("lead", text.lead.join(" "));
  put("policy", text.policy.join(" "));
  list("warnings", text.warnings);
  $("warnings").hidden = text.warnings.length === 0;
  list("comparisons", text.comparisons);
  put("bootstrap", b ? `The intervals come from a bootstrap over the ${b.units} ${b.unit}s of the test (${b.replicates} draws).
    ${report.counts_rows ? "They treat rows as independent." : `With few ${b.unit}s they tend to be too short.`}`
    : `There are no intervals: the test has ${report.counts_rows ? "fewer than five rows" : "rows in fewer than five hours"}.`);
  for (const key of ["intended_use", "limits", "risks", "on_failure", "data", "contact", "licence"]) put(`card-${key}`, text[key]);
  put("identity", `Version ${about.version} of ${about.dataset}, SHA-256 ${about.sha256.slice(0, 12)}…, trained on ${folds[0].train},
    tested on ${folds[0].test}${isDated() ? `, of data from ${day(data.daily[0][0])} to ${day(data.daily.at(-1)[0])}` : ""}`);
  $("identity").title = about.sha256;
  put("definitions", about.features.map((f) => `${f.name} = ${f.expression}`).join("\n"));
  put("reproduce", `make pipeline CONFIG=${about.config} with ${about.program}. The input's XXH3 checksum is ${about.data_xxh3},
    that of the settings ${about.config_xxh3}, the model's SHA-256 ${about.sha256}; the same input and settings give the same model to the last bit.`);
}

function showTiles() {
  const interval = (name) => `95 %: ${range(test.intervals[name], 3)}`;
  fillTiles([
    [titles.average_precision, fixed(test.average_precision, 3), interval("average_precision")],
    [titles.roc_auc, fixed(test.roc_auc, 3), interval("roc_auc")],
    [`${capital(words.short)} caught`, share(test.recall, 0), `${count(test.confusion.true_positives)} of ${count(frauds)}`],
    daily ? ["Alerts a day", fixed(data.test.alerts_per_day, 1), `${share(test.precision, 0)} are ${words.many}`]
          : ["Rows alerted", share(test.selection_rate), `${share(test.precision, 0)} are ${words.many}`],
    [`${capital(others)} alerted`, share(test.false_positive_rate), `${count(test.confusion.false_positives)} of ${count(genuine)}`],
  ]);
}

// ---- tables ----

function showQuality() {
  const many = folds.length > 1, mean = ({ mean, folds: n }) => (n > 0 && n < folds.length ? `${fixed(mean, 4)} of ${n}` : fixed(mean, 4));
  table("table-metrics", 1, [
    ["", (name) => titles[name]], ["training", (name) => fixed(report.training[name], 4)],
    ["test", (name) => fixed(test[name], 4)], ["95 % interval", (name) => range(test.intervals[name], 4)],
    ...(many ? [[`mean of ${folds.length}`, (name) => mean(report.summary[name])], ["sd", (name) => fixed(report.summary[name].sd, 4)],
                ["worst", (name) => fixed(report.summary[name].worst, 4)]] : []),
  ], Object.keys(report.summary));
  const { true_positives: tp, false_positives: fp, false_negatives: fn, true_negatives: tn } = test.confusion;
  table("table-confusion", 1, [["", ([name]) => name], ["review", ([, alerts]) => count(alerts)], ["approve", ([, , passed]) => count(passed)],
    ["total", ([, alerts, passed]) => count(alerts + passed)]], [[words.name, tp, fn], [words.other, fp, tn], ["total", tp + fp, fn + tn]]);
  put("confusion", `${plural(tp, words.one, words.many)} found, ${plural(fn, words.one, words.many)} missed; ${plural(fp, others.slice(0, -1))} alerted for nothing.`);
  const model = { ...report, name: "model", inputs: report.weights };
  table("table-baselines", 1, [
    ["", (c) => c.name], ["inputs", (c) => count(c.inputs.length)], [titles.roc_auc, (c) => fixed(c.test.roc_auc, 4)],
    [titles.average_precision, (c) => fixed(c.test.average_precision, 4)], ...(report.summary.card_precision_at_100 ? [[titles.card_precision_at_100, (c) => fixed(c.test.card_precision_at_100, 4)]] : []),
    ...(many ? [[`${titles.average_precision}, mean of ${folds.length}`, (c) => mean(c.summary.average_precision)]] : []),
    [`${titles.average_precision} more by (95\u00a0%)`, (c) => (c.difference ? range(c.difference.average_precision.slice(1), 3) : "–")],
    ["False alarms, same recall", (c) => count(c.false_positives_at_recall)],
  ], [model, ...report.baselines]);
}

function showTables() {
  table("table-folds", 1, [["test", (f) => f.test], ["rows", (f) => count(f.rows)], [words.short, (f) => count(f.frauds)],
    ...["roc_auc", "average_precision", "card_precision_at_100", "precision", "recall"].filter((key) => report.summary[key]).map((key) => [titles[key], (f) => fixed(f[key], 4)]),
    ["threshold", (f) => fixed(f.threshold, 4)]], folds);
  table("table-calibration", 2, [["", (r) => r[0]], ["", (r) => r[1]], ["test", (r) => r[2]]], [
    ["mean probability", "expected by the model", share(test.mean_probability, 3)], [`${words.name} share`, "found", share(data.test.fraud_share, 3)],
    [titles.ece, "over ten ranges of probability", fixed(test.ece, 5)],
    [titles.brier, "mean squared distance to the labels", fixed(test.brier, 6)]]);
  const span = (low, high) => `${fine(low).replace(" %", "")} to ${fine(high)}`;
  table("table-reliability", 1, [["probability", (b) => span(b.from, b.to)], ["rows", (b) => count(b.rows)],
    [words.short, (b) => count(b.frauds)], ["predicted", (b) => fine(b.mean_probability)], ["found", (b) => fine(b.fraud_share)],
    ["95 % interval", (b) => span(b.low, b.high)]], report.reliability);
}

// ---- curves ----

const at = "the threshold in use";
const lines = (points, more) => [
  lineOf("model", "approve", points(report), { ...more, borderWidth: 2.5 }),
  ...rivals.map((b, i) => lineOf(b.name, `baseline-${i % 4}`, points(b), { ...more, ...(i > 3 && { borderDash: [6, 3] }) })),
];
const spot = (x, y, text, more) => (isKnown(x) && isKnown(y) ? [dotsOf("", "approve", [{ x, y }], { texts: [text], order: -1, ...more })] : []);
const says = (x, y) => (item) => ` ${item.dataset.label || at}: ${y(item.parsed.y)}, ${x(item.parsed.x)}`
  + (item.raw.threshold === undefined ? "" : `, threshold ${number(item.raw.threshold)}`);

// The points of a candidate's curve, f(frauds, genuine rows) at or above each threshold.
const curve = (c, f) => (frauds > 0 && genuine > 0 ? c.curve.frauds.map((n, i) => ({ ...f(n, c.curve.genuine[i]), threshold: c.curve.threshold[i] })) : []);
const decadeBelow = (x) => 10 ** Math.floor(Math.log10(x) + 1e-9);

function showCurves() {
  const alerts = daily ? data.test.alerts_per_day : test.selection_rate, { alerts_per_day: budget, alert_share: part } = report.threshold;
  const chance = (points) => lineOf("chance", "idle", points, { borderDash: [2, 4], borderWidth: 1.25 });
  drawPlot("plot-pr", `Share of the alerts that are ${words.many} against share of ${words.many} caught. At ${at}: ${brief(test.precision)} and ${brief(test.recall)}`,
    [...lines((c) => curve(c, (f, g) => ({ x: f / frauds, y: f / (f + g) }))),
     chance(frauds > 0 ? [0, 1].map((x) => ({ x, y: data.test.fraud_share })) : []),
     ...spot(test.recall, test.precision, `${brief(test.recall)} of ${words.short},\n${brief(test.precision)} of alerts`, { falls: true })],
    { x: shareAxis(`${words.short} caught (recall)`), y: shareAxis("alerts that are right (precision)") },
    says((x) => `${brief(x)} of ${words.short}`, (y) => `${brief(y)} of alerts are ${words.many}`));

  const most = test.rows / unit, middle = alerts > 0 ? alerts : most / 100;
  const many = (x) => (daily ? `${fixed(x, x < 10 ? 1 : 0)} a day` : `${brief(x)} of the rows`);
  drawPlot("plot-tradeoff", `Share of ${words.many} caught against alerts. At ${at}: ${brief(test.recall)} with ${many(alerts)}`,
    [...lines((c) => curve(c, (f, g) => ({ x: (f + g) / unit, y: f / frauds }))),
     ...spot(alerts > 0 ? alerts : null, test.recall, `${brief(test.recall)} of ${words.short}\nat ${many(alerts)}`)],
    { x: decadeAxis(daily ? "alerts a day" : "alerts, share of the rows", decadeBelow(middle / 60), clamp(most, 10 * middle, 100 * middle), daily ? short : shareTick),
      y: shareAxis(`${words.short} caught`) },
    says((x) => (daily ? `${number(x)} alerts a day` : `alerts for ${brief(x)} of the rows`), (y) => `${brief(y)} of ${words.short}`),
    budget ?? part ? [{ at: budget ?? part, text: `budget ${budget ?? brief(part)}`, colour: muted }] : []);

  const first = report.curve.genuine.find((g) => g > 0) / genuine, least = clamp(decadeBelow(first || 1), 1e-5, 1e-2);
  const steps = Array.from({ length: 41 }, (_, i) => least ** (1 - i / 40));
  drawPlot("plot-roc", `Share of ${words.many} caught against share of ${others} alerted. At ${at}: ${brief(test.recall)} and ${brief(test.false_positive_rate)}`,
    [...lines((c) => curve(c, (f, g) => ({ x: Math.max(g / genuine, least), y: f / frauds })), { stepped: "before" }),
     chance(frauds > 0 && genuine > 0 ? steps.map((x) => ({ x, y: x })) : []),
     ...spot(isKnown(test.false_positive_rate) ? Math.max(test.false_positive_rate, least) : null, test.recall,
             `${brief(test.recall)} of ${words.short},\n${brief(test.false_positive_rate)} of ${words.other}`)],
    { x: decadeAxis(`${others} alerted (false positive rate)`, least, 1, shareTick), y: shareAxis(`${words.short} caught`) },
    says((x) => `${brief(x)} of ${others}`, (y) => `${brief(y)} of ${words.short}`));
}

function showWeeks(id, key, title, show) {
  const begins = folds.map((f) => f.test.split(" ")[0]), few = folds.length < 13;
  const weeks = (c) => c.folds.map((f, x) => ({ x, y: f[key] ?? NaN }));
  const sets = lines(weeks, { pointRadius: 3 });
  if (few) Object.assign(sets[0], { centred: true, texts: folds.map((f) => (isKnown(f[key]) ? show(f[key]) : "")) });
  drawPlot(id, `${title} in each test period: ${folds.map((f) => `${f.test} ${fixed(f[key], 3)}`).join(", ")}`, sets,
    { x: weekAxis(begins), y: shareAxis(title, { ticks: { stepSize: 0.5, padding: 6, callback: key === "recall" ? shareTick : (y) => y } }) },
    says((x) => folds[x].test, show));
}

// ---- probabilities ----

function showProbabilities() {
  drawReliability("plot-reliability", [{ label: "", tone: "approve", bins: report.reliability }], test.threshold, words.many);
  const { scores } = report, n = scores.genuine.length, edge = (i) => scores.from + (i / n) * (scores.to - scores.from);
  const steps = (counts, all) => (all > 0 ? [...counts, counts[n - 1]].map((y, i) => ({ x: edge(i), y: y / all })) : []);
  const area = { stepped: "before", fill: "origin", borderWidth: 1.5 };
  drawPlot("plot-scores", `Distribution of the probabilities of ${count(genuine)} ${others} and ${count(frauds)} ${words.many}`,
    [lineOf(words.other, "idle", steps(scores.genuine, genuine), { ...area, backgroundColor: tint("idle") }),
     lineOf(words.short, "review", steps(scores.frauds, frauds), { ...area, backgroundColor: tint("review") })],
    { x: logitAxis("probability that the model gives", scores.from, scores.to),
      y: { ...valueAxis, title: titled("share of each class"), ticks: { ...valueAxis.ticks, callback: shareTick } } },
    (item) => ` ${share(item.parsed.y, 1)} of ${item.dataset.label}`, thresholdMark(test.threshold));
}

// ---- decisions ----

// The log-odds of a decision as a sum: its five largest contributions, and the rest.
function explain(id, { contributions }) {
  const all = contributions.map(({ feature: name, value, contribution: x }) => {
    const { min, max } = report.weights.find((w) => w.feature === name), limit = clamp(value, min, max);
    return { name, value: number(value, 4) + (limit === value ? "" : `, counts as ${number(limit, 4)}`), x };
  }).sort((a, b) => Math.abs(b.x) - Math.abs(a.x));
  const sum = (list) => list.reduce((total, { x }) => total + x, 0), others = all.slice(5), intercept = report.intercept.weight;
  const named = ({ name, x, plain }) => (plain ? name : [name, contributionBar(x, all[0].x)]);
  table(id, 1, [["feature", named], ["value", ({ value = "" }) => value], ["log-odds", ({ x }) => signed(x)]],
    [...all.slice(0, 5), ...(others.length ? [{ name: plural(others.length, "other feature"), x: sum(others) }] : []),
     { name: "intercept", x: intercept, plain: true }, { name: "sum", x: sum(all) + intercept, plain: true }]);
}

function showDecisions() {
  const { highest_fraud: top, highest_genuine: genuine, lowest_fraud: low } = report.decisions;
  const fraud = ({ review }) => `A ${words.one} that it ${review ? "found" : "missed"}`, other = others.slice(0, -1);
  const cases = [[top, fraud, `the ${words.one} with the highest probability`],
                 [genuine, ({ review }) => (review ? "A false alarm" : `${words.is_fraud ? "A" : "An"} ${other} that it approved`),
                  `the ${other} with the highest probability`],
                 [JSON.stringify(low) !== JSON.stringify(top) && low, fraud, `the ${words.one} with the lowest probability`]].filter(([decision]) => decision);
  $("explained").replaceChildren(...cases.map(([decision, title, which], i) => element("div", { className: "card" },
    element("h3", { textContent: title(decision) }),
    element("p", { className: "verdict" }, badge(element("span"), decision.review ? "review" : "approve"), `probability ${probability(decision.probability)}`),
    element("p", { className: "note", textContent: `Of the test, ${which}${isDated() ? `. ${decision.time.replace("T", " ").replace("Z", " UTC")}` : ""}.` }),
    element("div", { className: "scroll" }, element("table", { id: `table-decision-${i}` })))));
  cases.forEach(([decision], i) => explain(`table-decision-${i}`, decision));
}

// ---- weights and slices ----

function showWeights() {
  const rows = report.weights.map((w) => ({ ...w, name: w.feature, value: w.weight, hollow: !(w.low > 0 || w.high < 0) }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  $("plot-weights-box").style.height = `${22 * rows.length + 70}px`;
  drawRows("plot-weights", `Weights, the largest first: ${rows.slice(0, 5).map((w) => `${w.name} ${fixed(w.weight, 2)}`).join(", ")}`, rows,
    { type: "linear", grid, title: titled("weight"),
      min: 1.05 * Math.min(0, ...rows.map((w) => w.low ?? w.weight)), max: 1.05 * Math.max(0, ...rows.map((w) => w.high ?? w.weight)) || 1,
      ticks: { includeBounds: false, maxTicksLimit: 7, padding: 6 } },
    (w) => `${w.name}: ${fixed(w.weight, 3)}, ${range([w.low, w.high], 3)}`, [{ at: 0, text: "", colour: muted }]);
  table("table-weights", 1, [["feature", (w) => w.name], ["weight", (w) => fixed(w.weight, 3)], ["95 % interval", (w) => range([w.low, w.high], 3)],
    ["standard error", (w) => fixed(w.standard_error, 3)], ["z", (w) => fixed(w.z, 1)], ["odds ratio", (w) => fixed(w.odds_ratio, 2)]], rows);
}

function showSlices() {
  const cut = (name) => (name.length > 32 ? `${name.slice(0, 31)}…` : name);
  const slices = report.slices.flatMap((s) => s.slices);
  if (!slices.length) return leaveOut("slices");
  const rows = report.slices.flatMap((s) => [{ name: cut(s.name), heading: true }, ...s.slices]);
  const panel = (id, key, title, axis, named) => {
    const values = slices.map((s) => `${s.slicing} ${s.name} ${share(s[key])}`).join(", ");
    $(id).parentElement.style.height = `${22 * rows.length + 70}px`;
    drawRows(id, `${title} by slice: ${values}`, rows.map((s) => ({ ...s, name: cut(s.name), value: s[key], hollow: s.small })), axis,
      (s) => `${s.slicing} = ${s.name}: ${share(s.value)}`,
      isKnown(test[key]) ? [{ at: test[key], text: `all ${brief(test[key])}`, colour: muted }] : [], named);
  };
  const ticks = { maxTicksLimit: 4, maxRotation: 0, padding: 6, callback: shareTick };
  const largest = Math.max(...slices.map((s) => s.false_positive_rate ?? 0), test.false_positive_rate ?? 0, 1e-4);
  panel("plot-slices-recall", "recall", `${words.short} caught`, shareAxis(`${words.short} caught`, { ticks: { ...ticks, stepSize: 0.5 } }), true);
  panel("plot-slices-fpr", "false_positive_rate", `${others} alerted`,
    { type: "linear", min: 0, suggestedMax: Math.min(1, 1.1 * largest), grid, title: titled(`${words.other} alerted`), ticks }, false);

  table("table-slices", 1, [["slice", (s) => `${s.slicing} ${s.name}${s.small ? " *" : ""}`], ["rows", (s) => count(s.rows)],
    [words.short, (s) => count(s.frauds)], [`${words.name} share`, (s) => share(s.fraud_share)], ["mean probability", (s) => share(s.mean_probability)],
    [titles.roc_auc, (s) => fixed(s.roc_auc, 3)], [titles.average_precision, (s) => fixed(s.average_precision, 3)],
    ["alerts", (s) => share(s.selection_rate)], [`${words.short} found`, (s) => share(s.recall)], ["false alarms", (s) => share(s.false_positive_rate)]],
    [{ ...test, slicing: `all ${rows}`, name: "", fraud_share: data.test.fraud_share }, ...slices]);
}

// ---- data ----

function showData() {
  const { train, test: tested, daily, columns = [] } = data, last = daily.at(-1)?.[0], first = daily[0]?.[0];
  const known = daily.filter(([, rows]) => rows > 0), most = Math.max(...known.map(([, rows, n]) => n / rows), 1e-4);
  const band = (label, tone, part) => lineOf(label, tone, [part.first_day, part.last_day + 1].map((x) => ({ x, y: 1.15 * most })),
    { fill: "origin", backgroundColor: tint(tone), borderWidth: 0, pointHitRadius: 0, order: 1 });
  $("plot-daily").closest("figure").hidden = !daily.length;
  if (daily.length) drawPlot("plot-daily", `Share of ${words.many} from ${day(first)} to ${day(last)}, at most ${brief(most)} of a day`,
    [lineOf(words.short, "review", known.map(([x, rows, n]) => ({ x: x + 0.5, y: n / rows, n, rows })), { pointRadius: known.length < 60 ? 2.5 : 0 }),
     band("training", "approve", train), band("test", "second", tested)],
    { x: { type: "linear", min: first, max: last + 1, grid: { display: false, drawBorder: false },
           ticks: { precision: 0, maxRotation: 0, autoSkipPadding: 16, callback: (x) => (x > last ? null : day(x)) } },
      y: { ...valueAxis, max: 1.15 * most, title: titled(words.short), ticks: { ...valueAxis.ticks, includeBounds: false, callback: shareTick } } },
    ({ raw, dataset }) => (raw.rows ? ` ${day(Math.floor(raw.x))}: ${raw.n} of ${count(raw.rows)} ${rows} are ${words.many}, ${brief(raw.y)}` : ` ${dataset.label}`));
  const parts = [{ name: "training", when: folds[0].train, ...train, cards: 0 },
                 { name: "test", when: folds[0].test, ...tested, unknown: test.unknown_labels, cards: test.known_cards }];
  table("table-data", 1, [["", (d) => d.name], ["when", (d) => d.when], ["days", (d) => fixed(d.days, 1)], ["rows", (d) => count(d.rows)],
    ["label not known", (d) => count(d.unknown)], ["blocked", (d) => count(d.cards)], [`${words.short} of the rest`, (d) => count(d.frauds)],
    ["share", (d) => share(d.fraud_share, 3)]], parts);
  const values = { id: () => "pseudonyms", key: () => "pseudonyms", category: (c) => plural(c.distinct, "text"), label: () => `0 ${words.other}, 1 ${words.name}`,
                   time: (c) => (isDated() ? [c.min, c.max].map((x) => day(x / 86400)).join(" to ") : values.number(c)),
                   number: (c) => [c.min, c.max].map((x) => number(x, 6)).join(" to ") };
  table("table-columns", 3, [["column", (c) => c.name], ["kind", (c) => c.kind], ["values", (c) => values[c.kind](c)],
    ["missing", (c) => count(c.nulls)]], columns.filter((c) => c.kind !== "time" || !report.counts_rows)); // else a row's number
  $("distributions").replaceChildren(...report.weights.map((w, i) => element("div", {}, element("h4", { textContent: w.feature }),
    element("div", { className: "plot" }, element("canvas", { id: `plot-input-${i}` })))));
  report.weights.forEach(({ feature, min, genuine, frauds }, i) => drawShares(`plot-input-${i}`, `${feature} of ${others} and of ${words.many}`,
    [min, ...genuine.edges], [[words.other, genuine.counts, colour("idle")], [words.short, frauds.counts, striped("review")]]));
}

function showReport(text) {
  report = JSON.parse(text);
  ({ test, data, folds, about, titles } = report);
  rivals = report.baselines.filter((b) => b.inputs.length > 0); // the constant ranks nothing
  const { name } = words = report.class ?? FRAUD; // a long one would cover the axes
  if (name.length > 24) words = Object.fromEntries(Object.entries(words).map(([key, text]) => [key, text.replace?.(name, `${name.slice(0, 23)}…`) ?? text]));
  [rows, others] = words.is_fraud ? ["payments", "genuine payments"] : ["rows", "other rows"];
  frauds = test.frauds;
  genuine = test.rows - frauds;
  daily = isKnown(data.test.alerts_per_day);
  unit = daily ? data.test.days : test.rows;
  reword(document.querySelector("main"), [...(genuine < 10 * frauds ? [[", although genuine payments are far more", ""]] : []), ...classWords(words), ...(daily ? [] : [["a day of reviewing", "reviewing"], [" in a day;", ";"]])]);
  if (report.counts_rows || folds.length === 1) { // one test cannot tell whether quality lasts
    reword(document.body.querySelector("header nav[aria-label=Sections]"), [["Weeks", "Ranking"]]);
    reword($("ranking"), [["Ranking and weeks", "Ranking"]]);
    $("weeks").hidden = true;
  }
  for (const show of [showWords, showTiles, showQuality, showTables, showCurves, showProbabilities, showDecisions,
    showWeights, showSlices, showData]) show();
  showWeeks("plot-weeks-ap", "average_precision", "average precision", (x) => fixed(x, 2));
  showWeeks("plot-weeks-recall", "recall", `${words.short} caught`, (x) => share(x, 0));
  fitTables();
}

const held = $("embedded")?.textContent;
if (held) {
  enter("live");
  showReport(held);
  $("identity").append(`. This file was written on ${new Date(document.lastModified).toISOString().slice(0, 10)}`); // its bytes have no date
} else visit("/model/metrics.json", (text) => {
  if (!JSON.parse(text).training)
    return enter("away", "An older program wrote this version's metrics.json, and this page cannot show it: open report.html beside it.");
  showReport(text);
  read("/model").then((model) => {
    if (JSON.parse(model).sha256 === about.sha256) $("champion").hidden = false;
    else enter("live", "This report is of another model than the one that decides: the SHA-256 in its metrics.json differs from GET /model.");
  }, () => {}); // no answer, no claim
});
