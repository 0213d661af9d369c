// The report: metrics.json, which is in the file or comes from the server, as tiles, tables and plots. train/report.h describes it.
"use strict";

let report, test, data, folds, about, titles, rivals, days, frauds, genuine;

function take(text) {
  report = JSON.parse(text);
  ({ test, data, folds, about, titles } = report);
  rivals = report.baselines.filter((b) => b.inputs.length > 0); // the constant ranks nothing
  days = data.test.days;
  frauds = test.frauds;
  genuine = test.rows - frauds;
}

const isKnown = (x) => x !== null && x !== undefined;
const dash = (x, show) => (isKnown(x) ? show(x).replace("-", "−") : "–");
const fixed = (x, digits) => dash(x, (x) => x.toFixed(digits));
const count = (x) => dash(x, (x) => x.toLocaleString("en"));
const share = (x, digits = 2) => dash(x, (x) => `${(100 * x).toFixed(digits)} %`);
const brief = (x) => dash(x, (x) => `${Number((100 * x).toPrecision(2))} %`);
const range = ([low, high], digits) => (isKnown(low) && isKnown(high) ? `${fixed(low, digits)} to ${fixed(high, digits)}` : "–");

// ---- words ----

const list = (id, lines) => $(id).replaceChildren(...lines.map((textContent) => element("li", { textContent })));

function showWords() {
  const { text, card: words, bootstrap: b } = report;
  document.title = `Assay: ${about.dataset}, version ${about.version}`;
  put("title", `${about.dataset}, version ${about.version}`);
  put("lead", text.lead.join(" "));
  put("policy", text.policy.join(" "));
  list("warnings", text.warnings);
  $("warnings").hidden = text.warnings.length === 0;
  list("comparisons", text.comparisons);
  put("bootstrap", b ? `The intervals come from a bootstrap over the ${b.units} ${b.unit}s of the test (${b.replicates} draws).
    With few ${b.unit}s they tend to be too short.` : "There are no intervals: the test has rows in fewer than five hours.");
  for (const [key, own] of Object.entries(words)) put(`card-${key}`, own); // in place of the general text
  put("definitions", about.features.map((f) => `${f.name} = ${f.expression}`).join("\n"));
  put("reproduce", `make pipeline CONFIG=${about.config} with ${about.program}. The input's XXH3 checksum is ${about.data_xxh3},
    that of the settings ${about.config_xxh3}; the same input and settings give the same model to the last bit.`);
}

function showTiles() {
  const interval = (name) => `95 %: ${range(test.intervals[name], 3)}`;
  const tiles = [
    [titles.average_precision, fixed(test.average_precision, 3), interval("average_precision")],
    [titles.roc_auc, fixed(test.roc_auc, 3), interval("roc_auc")],
    ["Frauds caught", share(test.recall, 0), `${count(test.confusion.true_positives)} of ${count(frauds)}`],
    ["Alerts a day", fixed(data.test.alerts_per_day, 1), `${share(test.precision, 0)} are frauds`],
    ["Genuine payments alerted", share(test.false_positive_rate), `${count(test.confusion.false_positives)} of ${count(genuine)}`],
  ];
  $("tiles").replaceChildren(...tiles.map(([name, shown, note]) => element("div", {}, element("dt", { textContent: name }),
    element("dd", { textContent: shown }), element("dd", { className: "note", textContent: note }))));
}

// ---- tables ----

// columns: [heading, text of a row]; the first `texts` of them are left-aligned.
function table(id, texts, columns, rows) {
  const one = (tag, i, textContent) => element(tag, { textContent, className: i < texts ? "" : "number", scope: tag === "th" ? "col" : undefined });
  $(id).replaceChildren(element("thead", {}, element("tr", {}, ...columns.map(([heading], i) => one("th", i, heading)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...columns.map(([, text], i) => one("td", i, text(row)))))));
}

function showQuality() {
  const many = folds.length > 1, mean = ({ mean, folds: n }) => (n > 0 && n < folds.length ? `${fixed(mean, 4)} of ${n}` : fixed(mean, 4));
  table("table-metrics", 1, [
    ["", (name) => titles[name]], ["test", (name) => fixed(test[name], 4)], ["95 % interval", (name) => range(test.intervals[name], 4)],
    ...(many ? [[`mean of ${folds.length}`, (name) => mean(report.summary[name])], ["sd", (name) => fixed(report.summary[name].sd, 4)],
                ["worst", (name) => fixed(report.summary[name].worst, 4)]] : []),
  ], Object.keys(report.summary));
  const model = { ...report, name: "model", inputs: report.weights };
  table("table-baselines", 1, [
    ["", (c) => c.name], ["inputs", (c) => count(c.inputs.length)], [titles.roc_auc, (c) => fixed(c.test.roc_auc, 4)],
    [titles.average_precision, (c) => fixed(c.test.average_precision, 4)], [titles.card_precision_at_100, (c) => fixed(c.test.card_precision_at_100, 4)],
    ...(many ? [[`mean of ${folds.length}`, (c) => mean(c.summary.average_precision)]] : []),
    ["more by (95\u00a0%)", (c) => (c.difference ? range(c.difference.average_precision.slice(1), 3) : "–")],
    ["FP at equal recall", (c) => count(c.false_positives_at_recall)],
  ], [model, ...report.baselines]);
}

function showTables() {
  const parts = test.brier_parts;
  table("table-folds", 1, [["test", (f) => f.test], ["rows", (f) => count(f.rows)], ["frauds", (f) => count(f.frauds)],
    [titles.roc_auc, (f) => fixed(f.roc_auc, 4)], [titles.average_precision, (f) => fixed(f.average_precision, 4)], [titles.card_precision_at_100, (f) => fixed(f.card_precision_at_100, 4)],
    [titles.precision, (f) => fixed(f.precision, 4)], [titles.recall, (f) => fixed(f.recall, 4)], ["threshold", (f) => fixed(f.threshold, 4)]], folds);
  table("table-calibration", 2, [["", (r) => r[0]], ["", (r) => r[1]], ["test", (r) => r[2]]], [
    ["mean probability", "expected by the model", share(test.mean_probability, 3)], ["fraud share", "found", share(data.test.fraud_share, 3)],
    [titles.ece, "over ten ranges of probability", fixed(test.ece, 5)],
    [titles.brier, "reliability − resolution + uncertainty + within", fixed(test.brier, 6)],
    ["reliability", "how far probabilities are off; 0 is best", fixed(parts.reliability, 6)],
    ["resolution", "how well they separate the rows; more is better", fixed(parts.resolution, 6)],
    ["uncertainty", "of the data, whatever the model", fixed(parts.uncertainty, 6)],
    ["within", "differences inside the ten ranges", fixed(parts.within, 6)]]);
  const train = { name: "training", when: folds[0].train, ...data.train, cards: 0 };
  const tested = { name: "test", when: folds[0].test, ...data.test, unknown: test.unknown_labels, cards: test.known_cards };
  table("table-data", 2, [["", (d) => d.name], ["when", (d) => d.when], ["days", (d) => fixed(d.days, 1)], ["rows", (d) => count(d.rows)],
    ["label not known", (d) => count(d.unknown)], ["blocked", (d) => count(d.cards)], ["frauds of the rest", (d) => count(d.frauds)],
    ["share", (d) => share(d.fraud_share, 3)]], [train, tested]);
}

// ---- curves ----

const at = "the threshold in use";
const lines = (points, more) => [
  lineOf("model", "approve", points(report), { ...more, borderWidth: 2.5 }),
  ...rivals.map((b, i) => lineOf(b.name, `baseline-${i % 4}`, points(b), { ...more, ...(i > 3 && { borderDash: [6, 3] }) })),
];
const spot = (x, y, text) => (isKnown(x) && isKnown(y) ? [dotsOf("", "approve", [{ x, y }], { texts: [text], order: -1 })] : []);
const says = (x, y) => (item) => ` ${item.dataset.label || at}: ${y(item.parsed.y)}, ${x(item.parsed.x)}`
  + (item.raw.threshold === undefined ? "" : `, threshold ${number(item.raw.threshold)}`);

// The points of a candidate's curve, f(frauds, genuine rows) at or above each threshold.
const curve = (c, f) => (frauds > 0 && genuine > 0 ? c.curve.frauds.map((n, i) => ({ ...f(n, c.curve.genuine[i]), threshold: c.curve.threshold[i] })) : []);
const clamp = (x, low, high) => Math.max(low, Math.min(high, x));
const decadeBelow = (x) => 10 ** Math.floor(Math.log10(x) + 1e-9);

function showCurves() {
  const alerts = data.test.alerts_per_day, budget = report.threshold.alerts_per_day;
  const chance = (points) => lineOf("chance", "idle", points, { borderDash: [2, 4], borderWidth: 1.25 });
  drawPlot("plot-pr", `Share of the alerts that are frauds against share of frauds caught. At ${at}: ${brief(test.precision)} and ${brief(test.recall)}`,
    [...lines((c) => curve(c, (f, g) => ({ x: f / frauds, y: f / (f + g) }))),
     chance(frauds > 0 ? [0, 1].map((x) => ({ x, y: data.test.fraud_share })) : []),
     ...spot(test.recall, test.precision, `${brief(test.recall)} of frauds,\n${brief(test.precision)} of alerts`)],
    { x: shareAxis("frauds caught (recall)"), y: shareAxis("alerts that are frauds (precision)") },
    says((x) => `${brief(x)} of frauds`, (y) => `${brief(y)} of alerts are frauds`));

  const most = test.rows / days, middle = alerts > 0 ? alerts : most / 100;
  drawPlot("plot-tradeoff", `Share of frauds caught against alerts a day. At ${at}: ${brief(test.recall)} with ${fixed(alerts, 1)} a day`,
    [...lines((c) => curve(c, (f, g) => ({ x: (f + g) / days, y: f / frauds }))),
     ...spot(alerts > 0 ? alerts : null, test.recall, `${brief(test.recall)} of frauds\nat ${fixed(alerts, alerts < 10 ? 1 : 0)} a day`)],
    { x: decadeAxis("alerts a day", decadeBelow(middle / 60), clamp(most, 10 * middle, 100 * middle), short), y: shareAxis("frauds caught") },
    says((x) => `${number(x)} alerts a day`, (y) => `${brief(y)} of frauds`),
    budget > 0 ? [{ at: budget, text: `budget ${budget}`, colour: muted }] : []);

  const first = report.curve.genuine.find((g) => g > 0) / genuine, least = clamp(decadeBelow(first || 1), 1e-5, 1e-2);
  const steps = Array.from({ length: 41 }, (_, i) => least ** (1 - i / 40));
  drawPlot("plot-roc", `Share of frauds caught against share of genuine payments alerted. At ${at}: ${brief(test.recall)} and ${brief(test.false_positive_rate)}`,
    [...lines((c) => curve(c, (f, g) => ({ x: Math.max(g / genuine, least), y: f / frauds })), { stepped: "before" }),
     chance(frauds > 0 && genuine > 0 ? steps.map((x) => ({ x, y: x })) : []),
     ...spot(isKnown(test.false_positive_rate) ? Math.max(test.false_positive_rate, least) : null, test.recall,
             `${brief(test.recall)} of frauds,\n${brief(test.false_positive_rate)} of genuine`)],
    { x: decadeAxis("genuine payments alerted (false positive rate)", least, 1, shareTick), y: shareAxis("frauds caught (true positive rate)") },
    says((x) => `${brief(x)} of genuine payments`, (y) => `${brief(y)} of frauds`));
}

function showWeeks(id, key, title, show) {
  const begins = folds.map((f) => f.test.split(" ")[0]), last = folds.length - 1, few = last < 12;
  const weeks = (c) => c.folds.map((f, x) => ({ x, y: f[key] ?? NaN }));
  const sets = lines(weeks, { pointRadius: 3 });
  if (few) Object.assign(sets[0], { centred: true, texts: folds.map((f) => (isKnown(f[key]) ? show(f[key]) : "")) });
  const x = { type: "linear", min: -0.4, max: last + 0.4, grid: { display: false, drawBorder: false },
              afterBuildTicks: (axis) => { axis.ticks = begins.map((_, value) => ({ value })); },
              ticks: { maxRotation: 0, autoSkipPadding: 16, callback: (i) => begins[i] } };
  drawPlot(id, `${title} in each test period: ${folds.map((f) => `${f.test} ${fixed(f[key], 3)}`).join(", ")}`, sets,
    { x, y: shareAxis(title, { ticks: { stepSize: 0.5, padding: 6, callback: key === "recall" ? shareTick : (y) => y } }) },
    says((x) => folds[x].test, show));
}

// ---- probabilities ----

const logit = (p) => Math.log(p / (1 - p));

function showProbabilities() {
  const bins = report.reliability, point = (bin, y) => ({ x: bin.mean_probability, y, bin });
  drawPlot("plot-reliability", `Share of frauds against mean probability: ${bins.map((b) => `${share(b.mean_probability, 1)} ${share(b.fraud_share, 1)}`).join(", ")}`,
    [dotsOf("", "approve", bins.map((b) => point(b, b.fraud_share))),
     lineOf("", "approve", bins.flatMap((b) => [point(b, b.low), point(b, b.high), { x: NaN, y: NaN }])),
     lineOf("", "idle", bins.length ? [{ x: 0, y: 0 }, { x: 1, y: 1 }] : [], { borderDash: [2, 4], borderWidth: 1.25, pointHitRadius: 0 }),
     dotsOf("", "idle", bins.map((b) => ({ x: (b.from + b.to) / 2, y: 1 })),
            { pointRadius: 0, pointHitRadius: 0, centred: true, texts: bins.map((b) => short(b.rows)) })],
    { x: shareAxis("probability that the model gives"), y: shareAxis("share that are frauds") },
    ({ raw: { bin } }) => (bin ? ` ${share(bin.fraud_share, 1)} of ${count(bin.rows)} rows are frauds (${share(bin.low, 1)} to ${share(bin.high, 1)})` : ""));

  const { scores } = report, n = scores.genuine.length, edge = (i) => scores.from + (i / n) * (scores.to - scores.from);
  const steps = (counts, all) => (all > 0 ? [...counts, counts[n - 1]].map((y, i) => ({ x: edge(i), y: y / all })) : []);
  const area = { stepped: "before", fill: "origin", borderWidth: 1.5 };
  const tint = (tone) => () => `${colour(tone)()}40`;
  const marks = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999];
  const x = { type: "linear", min: scores.from, max: scores.to, grid, title: titled("probability that the model gives"),
              afterBuildTicks: (axis) => { axis.ticks = marks.map((p) => ({ value: logit(p) })); },
              ticks: { maxRotation: 0, autoSkipPadding: 6, callback: (v) => `${Number((100 / (1 + Math.exp(-v))).toPrecision(4))} %` } };
  drawPlot("plot-scores", `Distribution of the probabilities of ${count(genuine)} genuine payments and ${count(frauds)} frauds`,
    [lineOf("genuine", "idle", steps(scores.genuine, genuine), { ...area, backgroundColor: tint("idle") }),
     lineOf("frauds", "review", steps(scores.frauds, frauds), { ...area, backgroundColor: tint("review") })],
    { x, y: { ...valueAxis, title: titled("share of each class"), ticks: { ...valueAxis.ticks, callback: shareTick } } },
    (item) => ` ${share(item.parsed.y, 1)} of ${item.dataset.label}`,
    test.threshold > 0 && test.threshold < 1 ? [{ at: logit(test.threshold), text: `alerts from ${number(test.threshold)}`, colour: ink }] : []);
}

// ---- weights and slices ----

function showWeights() {
  const rows = report.weights.map((w) => ({ ...w, name: w.feature, value: w.weight, hollow: !(w.low > 0 || w.high < 0) }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  $("plot-weights-box").style.height = `${22 * rows.length + 70}px`;
  drawRows("plot-weights", `Weights, the largest first: ${rows.slice(0, 5).map((w) => `${w.name} ${fixed(w.weight, 2)}`).join(", ")}`, rows,
    { type: "linear", grid, title: titled(["log-odds for one standard deviation", "← less suspicious      more suspicious →"]),
      min: 1.05 * Math.min(0, ...rows.map((w) => w.low ?? w.weight)), max: 1.05 * Math.max(0, ...rows.map((w) => w.high ?? w.weight)) || 1,
      ticks: { includeBounds: false, maxTicksLimit: 7, padding: 6 } },
    (w) => `${w.name}: ${fixed(w.weight, 3)}, ${range([w.low, w.high], 3)}`, [{ at: 0, text: "", colour: muted }]);
  table("table-weights", 1, [["feature", (w) => w.name], ["weight", (w) => fixed(w.weight, 3)], ["95 % interval", (w) => range([w.low, w.high], 3)],
    ["standard error", (w) => fixed(w.standard_error, 3)], ["z", (w) => fixed(w.z, 1)], ["odds ratio", (w) => fixed(w.odds_ratio, 2)]], rows);
}

function showSlices() {
  const cut = (name) => (name.length > 32 ? `${name.slice(0, 31)}…` : name);
  const slices = report.slices.flatMap((s) => s.slices);
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
  panel("plot-slices-recall", "recall", "frauds caught", shareAxis("frauds caught", { ticks: { ...ticks, stepSize: 0.5 } }), true);
  panel("plot-slices-fpr", "false_positive_rate", "genuine payments alerted",
    { type: "linear", min: 0, suggestedMax: Math.min(1, 1.1 * largest), grid, title: titled("genuine alerted"), ticks }, false);

  const signed = (x) => `${x < 0 ? "" : "+"}${fixed(100 * x, 2)}`;
  const rate = (key) => (s) => share(s[key]) + (isKnown(s.difference?.[key]) ? ` (${signed(s.difference[key])}, ${fixed(s.ratio[key], 2)})` : "");
  table("table-slices", 2, [["by", (s) => s.slicing], ["slice", (s) => `${s.name}${s.small ? " *" : ""}`], ["rows", (s) => count(s.rows)],
    ["frauds", (s) => count(s.frauds)], ["fraud share", (s) => share(s.fraud_share)], ["mean probability", (s) => share(s.mean_probability)],
    [titles.roc_auc, (s) => fixed(s.roc_auc, 3)], [titles.average_precision, (s) => fixed(s.average_precision, 3)],
    ["alerts", rate("selection_rate")], ["frauds found", rate("recall")], ["false alarms", rate("false_positive_rate")]],
    [{ ...test, slicing: "all", name: "", fraud_share: data.test.fraud_share }, ...slices]);
}

function showReport(text) {
  take(text);
  for (const show of [showWords, showTiles, showQuality, showTables, showCurves, showProbabilities, showWeights, showSlices]) show();
  showWeeks("plot-weeks-ap", "average_precision", "average precision", (x) => fixed(x, 2));
  showWeeks("plot-weeks-recall", "recall", "frauds caught", (x) => share(x, 0));
}

const held = $("metrics")?.textContent;
if (held) {
  enter("live");
  showReport(held);
} else visit("/model/metrics.json", showReport);
