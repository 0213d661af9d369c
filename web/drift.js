// The drift page: drift.json, which the file holds, as words, tiles, tables and plots. monitor/comparison.h describes it.
"use strict";

const drift = JSON.parse($("embedded").textContent);
const { model, settings, periods, weeks, threshold, performance: quality, verdict } = drift, { current } = periods;
const { reference: before, current: now, estimate } = quality, [least, last] = settings.alarm;
const columns = drift.columns.map((c) => ({ ...c, ratio: excess(c) })).sort((a, b) => b.ratio - a.ratio);
const inputs = columns.filter((c) => c.kind === "input"), moved = inputs.filter((c) => c.alarm);
const score = columns.find((c) => c.kind === "score"), decision = columns.find((c) => c.kind === "decision");
const counting = weeks.filter((w) => w.counts).length;
const fellOnce = verdict.week && !quality.alarm, near = columns.filter((c) => c.over && !c.alarm && c.kind !== "calendar");
const shares = Boolean(drift.alert_share), { many, one, is_fraud: isFraud } = drift.class ?? FRAUD;
const { cards, reference: alertsThen, current: alertsNow } = drift.alert_share ?? drift.alerts_per_day; // cards: whose alerts, on both sides

const triple = (x) => x ?? [null, null, null]; // value, and the ends of its interval
const ap = (side) => side?.average_precision, change = triple(quality.difference?.average_precision);
const hasFallen = isKnown(change[2]) && change[2] < -settings.ap_drop;
// The estimate does not see the fall.
const isBlind = Boolean(verdict.limits?.estimate_blind) || (hasFallen && ap(estimate) - ap(now) > settings.ap_drop);

// How many times PSI is the bound, at most: that of the period, and those of the weeks that count.
function excess({ psi, bound, weeks: list }) {
  const known = [psi, ...list.filter((_, i) => weeks[i].counts)].filter(isKnown);
  return Math.max(-1, ...known.map((x) => x / (bound || settings.psi_alert)));
}

const two = (x) => fixed(x, 2), three = (x) => fixed(x, 3), four = (x) => dash(x, (x) => number(x, 4));
const newest = (c) => c.weeks.findLast((psi, i) => isKnown(psi) && weeks[i].counts) ?? c.psi, ofNewest = counting ? "newest week" : "whole period";
const date = (time) => (time ? time.slice(0, 10) : "–"), day = (week) => week.to.slice(5); // weeks are named by their last day
const daily = (x) => (shares ? share(x) : x < 10 ? fixed(x, 1) : count(Math.round(x)));
const then = (a, b, show) => `${show(a)} → ${show(b)}`;
const spread = ([, low, high], digits) => range([low, high], digits);
const isCalendar = (c) => c.kind === "calendar", named = (c) => `${c.name}${isCalendar(c) ? CALENDAR : ""}`;
const warned = (textContent) => element("b", { className: "alarm", textContent });

// ---- words ----

function showWords() {
  const days = `${date(current.from)} to ${date(current.to)}`, few = `* fewer than ${count(settings.min_rows)} rows: the week does not count.`;
  document.title = `Assay: drift of ${drift.dataset}, ${days}`;
  put("title", `Drift of ${drift.dataset}`);
  put("verdict", verdict.sentence);
  list("notes", current.rows ? verdict.notes : []); // else the advice says it
  $("outcome").classList.toggle("good", verdict.possible && !verdict.drift && !hasFallen && !fellOnce && !near.length);
  put("identity", `${current.rows ? `${days}: ${count(current.rows)} rows` : "A period without rows"}, held against version ${model.version},
    SHA-256 ${model.sha256.slice(0, 12)}…`);
  $("identity").title = model.sha256;
  put("rule", `An input has moved where its PSI reaches its bound in ${least} of the last ${last} weeks. The bound ${columns.some((c) => c.bound_from === "training")
    ? `comes from how much the input varied between the weeks of training, and is never under ${settings.psi_alert} or over ${2 * settings.psi_alert}`
    : `is psi_alert = ${settings.psi_alert}, because fewer than four weeks of training have at least ${count(settings.min_rows)} rows each`}. Grey inputs
    follow the calendar: they differ in any part of a week, so they do not count. ${counting < weeks.length ? few : ""}`);
  put("reproduce", "All figures of this page are in drift.json beside it. Times are UTC.");
  (!current.rows ? ["weeks", "worst", "quality", "score", "measures"] : weeks.length ? [] : ["weeks"]).forEach(leaveOut);
  $("outcome").classList.toggle("idle", !current.rows);
  $("tiles").hidden = !current.rows;
}

function showTiles() {
  const was = triple(alertsThen), is = triple(alertsNow), worst = inputs[0];
  const interval = (side) => [ap(side), ...(side?.intervals?.average_precision ?? [])];
  const fallen = quality.weeks[weeks.findIndex((w) => w.to === verdict.week)]?.average_precision; // the week that the verdict names
  const both = (sides, digits) => `95 %: ${sides.filter(([x]) => isKnown(x)).map((x) => spread(x, digits)).join(" → ")}`;
  fillTiles([
    ["Inputs moved", verdict.possible ? `${moved.length} of ${inputs.length}` : "–", (verdict.possible ? "" : "no verdict; ")
     + (worst?.ratio >= 0 ? `most: ${worst.name}, ${two(newest(worst))} in the ${ofNewest}` : "nothing was measured")],
    [`PSI of the score, ${ofNewest}`, score ? two(newest(score)) : "–", `bound ${two(score?.bound)}: ${score?.alarm ? "moved"
     : !isKnown(score?.psi) ? "not measured" : score.over ? `reached in ${score.over} of the last ${last} weeks` : newest(score) < score.bound ? "below it" : "reached"}`],
    [`Average precision${fallen ? `, week to ${verdict.week.slice(5)}` : ""}`, then(ap(before), fallen ? fallen[0] : ap(now), two),
     !now ? `no mature labels; estimated: ${two(ap(estimate))}`
       : both([interval(before), fallen ?? interval(now)], 2) + (fallen ? `; period: ${two(ap(now))}` : "")],
    shares ? ["Rows alerted", then(was[0], is[0], daily), `95 %: ${[was, is].filter(([x]) => isKnown(x)).map(([, low, high]) => `${share(low)} to ${share(high)}`).join(" → ")}`]
    : [`Alerts a day${isFraud || cards !== "all" ? `, ${isFraud ? "cards" : "rows"} ${cards === "all" ? "blocked or not" : cards}` : ""}`, then(was[0], is[0], daily),
     both([was, is], was[0] < 10 && is[0] < 10 ? 1 : 0)],
  ]);
}

// ---- what to do ----

const code = (textContent) => element("code", { textContent });

const listed = (some) => some.slice(0, 3).map((c) => c.name).join(", ");

function trainAgain() {
  const earlier = isBlind ? [`An earlier version cannot help: it has not seen the new ${many} either.`]
                          : ["If an earlier version was better, go back to it with ", code("build/bin/registry rollback"), "."];
  return ["The ranking is worse on rows whose labels are known. ", code("make retrain"), " trains a version on the newest days that were served, compares it with this one, and promotes it if it is better. Without a server, move train and test of [split] to the newest weeks with labels, with fewer folds if they are few, and type ",
          code("make pipeline"), ", which does the same. ", ...earlier];
}

function showAdvice() {
  const is = triple(alertsNow), was = triple(alertsThen), fell = quality.alarm;
  const alerts = shares ? `alerts for ${daily(is[0])} of the rows, not ${daily(was[0])}` : `${daily(is[0])} alerts a day, not ${daily(was[0])}`, of = (key) => `${brief(now?.[key])} (before: ${brief(before?.[key])})`;
  const learn = fell || hasFallen ? "a new version has to learn it." : isKnown(change[0])
    ? `the model bears it so far: its average precision is not lower by more than ${settings.ap_drop}. Train a new version at the next occasion.`
    : "only labels can tell whether the model bears it.";
  const cases = [
    [!current.rows, "Nothing yet.", ...(drift.counts_rows
      ? ["The test window reaches to the end of the table. To have rows to compare, let test of [split] end sooner, such as at 80%, and type ", code("make pipeline"), "."]
      : ["This page compares rows later than the test, and there are none so far. Start ", code("make serve"), ", send the new rows and their labels to it, and type ", code("make retrain"),
         ": it exports them and draws this page of them. Or add later rows to the file and type ", code("make pipeline"), ". If the period should have rows, check its dates."])],
    [fell, "Train a new version.", ...trainAgain()],
    [!fell && (near.length || hasFallen || fellOnce), "Look again next week.", `${near.length ? `Lately ${listed(near)} reached ${near.length > 1 ? "their bounds" : "its bound"}. ` : ""}${fellOnce ? `In the week to ${verdict.week} the average precision was
     ${two(verdict.ap)}. ` : ""}${hasFallen ? `Over the whole period the average precision is lower than in the test by ${range([-change[2], -change[1]], 2)}. ` : ""}That is no alarm yet, which takes ${least} of the last ${last} weeks. If the next week is like this, it may be one.`],
    [cards && is[1] > 1.25 * was[2], "Prepare the reviewers.", `They get ${alerts}${isKnown(now?.precision) ? `, of which ${of("precision")} are ${many}` : ""}.
     Until a new version decides, let them begin with the highest scores.`],
    [cards && isKnown(is[2]) && is[2] < 0.8 * was[1], "Check what is missed.",
     `There are ${alerts}${isKnown(now?.recall) ? `; ${of("recall")} of the ${many} are caught` : ""}.`],
    [moved.length, "Find out why the inputs moved.", `Begin with ${listed(moved)}. First rule out a fault:
     another unit or currency, a field that a client no longer fills, a new default. If behaviour has changed, ${learn}`],
    [score?.alarm && !moved.length, "Look at the score.",
     "It moved although no single input did: inputs may have moved together, or several by a little. See the weeks below."],
    [current.rows && !now, "Get labels.", `No row of the period has a label that is old enough (${number(settings.label_delay / 86400)} days),
     so nobody knows yet whether the model still finds the ${many}. Send labels to `, code("POST /feedback"), ` and run the monitor again.
     Until then there is an estimate, which cannot see new kinds of ${many}.`],
    [!isKnown(ap(before)) && current.rows, "Label the test window.",
     `No ${one} is known in the test window of this version, so there is nothing to hold the period's quality against.`],
    [current.rows && counting < least, ...(drift.counts_rows ? ["Judge the figures yourself.", ""]
      : ["Wait for more weeks.", `An alarm needs ${least} of the last ${last} weeks with at least ${count(settings.min_rows)} rows each; ${counting}
         of this period ${counting === 1 ? "has" : "have"} them. Judge the figures yourself until then: `]),
     `${inputs.filter((c) => c.ratio >= 1).length} of the inputs are at or beyond their bounds.`],
  ].filter(([applies]) => applies);
  if (!cases.length) cases.push([true, "Nothing.", `Inputs, score and quality are as the model knew them. Run the monitor again next week, when more
    labels are known.`]);
  list("actions", cases.map(([, head, ...text]) => [element("b", { textContent: head }), " ", ...text]));
}

// ---- tables ----

function showPeriods() {
  table("table-periods", 6, [["period", (p) => p.name], ["reference", (p) => p.what], ["table", (p) => p.table ?? "–"],
    ["model", () => `version ${model.version}`], ["from", (p) => date(p.from)], ["to", (p) => date(p.to)], ["rows", (p) => count(p.rows)]],
    [{ name: "training", what: "of inputs and score", ...periods.train }, { name: "test", what: "of quality and alerts", ...periods.test },
     { name: "current", what: "held against both", ...current }]);
  const missing = current.unlabelled_rows ? `, of which ${count(current.unlabelled_rows)} have no label and are left out` : "";
  const known = current.labels_as_of ? `Labels are those known on ${date(current.labels_as_of)}. Rows up to ${date(current.mature_until)} are old
    enough to be judged: ` : "The table has all labels, so all rows are old enough to be judged: ";
  put("labels", now ? `${known}${count(current.mature_rows)}${missing}.` : "No row of the current period has a mature label.");
}

// A cell of the heat map: its colour says again what its number is to the bound.
function heat(c, psi, counts = true) {
  const times = psi / (c.bound || settings.psi_alert), level = times >= 3 ? "far" : times >= 1 ? "moved" : times >= 0.5 ? "near" : "";
  return element("span", { className: `heat-cell ${isCalendar(c) || !counts ? "" : level}`, textContent: two(psi) });
}

function showWeeks() {
  const order = ({ kind }) => ["input", "calendar"].indexOf(kind), rows = [...columns].sort((a, b) => order(a) - order(b));
  table("table-weeks", 1, [["", (c) => (c.alarm ? [named(c), " ", warned("moved")] : named(c))],
    ["bound", (c) => (isCalendar(c) ? "–" : two(c.bound))],
    ...weeks.map((w, i) => [`${day(w)}${w.counts ? "" : " *"}`, (c) => heat(c, c.weeks[i], w.counts)]),
    ["period", (c) => heat(c, c.psi)]], rows);
  $("table-weeks").style.setProperty("--columns", weeks.length + 2);
  $("table-weeks").parentElement.classList.add(weeks.length < 7 ? "few" : weeks.length > 24 ? "many" : "some"); // for phones and paper
  rows.forEach((c, i) => { $("table-weeks").tBodies[0].rows[i].classList.toggle("calendar", isCalendar(c)); });
}

const BOUND_FROM = { training: "training weeks", psi_alert: "psi_alert" };
// heading, value, how it is shown, definition
const MEASURES = [
  ["input", named],
  ["PSI", (c) => c.psi, three,
   "population stability index: differences of shares, weighted by the logarithm of their ratio; 0 is no difference"],
  ["bound", (c) => c.bound, three, "PSI from which on a week counts as moved"],
  ["bound from", (c) => BOUND_FROM[c.bound_from], (x) => x ?? "–",
   "the weeks of the training window whose variation set the bound; else psi_alert of [monitor]"],
  ["KS", (c) => c.ks, three, "Kolmogorov–Smirnov: the largest difference of the cumulative shares, 0 to 1"],
  ["JS", (c) => c.jensen_shannon, three, "Jensen–Shannon distance of the shares, 0 to 0.83"],
  ["Wasserstein / sd", (c) => c.wasserstein_normalised, three,
   "how far values have moved on average, in standard deviations of the training rows"],
  ["out of range", (c) => c.out_of_range, share, "share of rows below the least or above the largest value of training"],
  ["mean then", (c) => c.mean_reference, four, "mean of the training rows"],
  ["mean now", (c) => c.mean_current, four, "mean of the current rows"],
];

// Turns the headings into buttons that sort the rows: texts rising at first, numbers falling, unknown ones last.
function makeSortable(table, values) {
  const body = table.tBodies[0], rows = [...body.rows].map((tr, i) => ({ tr, values: values[i] })), heads = [...table.tHead.rows[0].cells];
  heads.forEach((th, i) => {
    const isText = rows.some(({ values }) => typeof values[i] === "string");
    th.replaceChildren(element("button", { type: "button", textContent: th.textContent, onclick() {
      const rises = th.ariaSort ? th.ariaSort === "descending" : isText, order = (a, b) => (isText ? a.localeCompare(b) : a - b);
      for (const other of heads) other.ariaSort = null;
      th.ariaSort = rises ? "ascending" : "descending";
      rows.sort(({ values: { [i]: a } }, { values: { [i]: b } }) =>
        isKnown(b) - isKnown(a) || (isKnown(a) ? (rises ? order(a, b) : order(b, a)) : 0));
      body.append(...rows.map(({ tr }) => tr));
    } }));
  });
  return heads.map((th) => th.firstChild);
}

function showMeasures() {
  const rows = columns.filter((c) => c !== decision);
  table("table-measures", 1, MEASURES.map(([heading, of, show = String]) => [heading, (c) => show(of(c))]), rows);
  makeSortable($("table-measures"), rows.map((c) => MEASURES.map(([, of]) => of(c))))[1].click();
  $("definitions").replaceChildren(...MEASURES.slice(1).map(([name, , , text]) =>
    element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: text }))));
}

// ---- plots ----

const weekEnds = [-0.4, Math.max(0, weeks.length - 1) + 0.4];
const level = (label, tone, y, borderDash) =>
  lineOf(label, tone, isKnown(y) ? weekEnds.map((x) => ({ x, y })) : [], { borderDash, pointHitRadius: 0 });

function showInput(c, i) {
  const hollow = ({ raw }) => (weeks[raw?.x]?.counts === false ? card : colour("approve"))();
  drawShares(`plot-shares-${i}`, `Shares of ${c.name}`, [-Infinity, ...c.edges],
    [["training", c.reference, colour("idle")], ["now", c.current, striped("bar")]], true);
  if (weeks.length) drawPlot(`plot-psi-${i}`, `PSI of ${c.name} by week: ${weeks.map((w, k) => `${w.to} ${two(c.weeks[k])}`).join(", ")}`,
    [lineOf("", "approve", c.weeks.map((y, x) => ({ x, y: y ?? NaN })), { pointRadius: 3.5, pointBackgroundColor: hollow }),
     level("bound", "review", c.bound, [5, 4])],
    { x: weekAxis(weeks.map(day)), y: { ...valueAxis, suggestedMax: 1.2 * (c.bound ?? settings.psi_alert), ticks: { maxTicksLimit: 4, padding: 6 } } },
    (item) => ` to ${weeks[item.raw.x]?.to}: PSI ${number(item.raw.y)}`);
  $(`plot-psi-${i}`).parentElement.hidden = !weeks.length;
  $(`plot-psi-${i}`).closest("figure").querySelector(".legend").prepend(
    element("li", { className: "filled idle", textContent: "training" }), element("li", { className: "filled approve striped", textContent: "now" }));
}

function showInputs() {
  const six = inputs.slice(0, 6), canvas = (id) => element("div", { className: "plot small" }, element("canvas", { id, role: "img" }));
  $("inputs").replaceChildren(...six.map((c, i) => element("figure", { className: "card" }, element("h3", { textContent: c.name }),
    element("p", { className: "note", textContent: `PSI ${two(c.psi)}, bound ${two(c.bound)}; mean ${then(c.mean_reference, c.mean_current, four)}` }),
    element("ul", { className: "legend" }), canvas(`plot-shares-${i}`), canvas(`plot-psi-${i}`))));
  six.forEach(showInput);
}

function showScore() {
  const edges = (score?.edges ?? []).map((p) => logit(clamp(p, 1e-9, 1 - 1e-9))), line = thresholdMark(threshold)[0]?.at ?? 0;
  const low = Math.min(line, ...edges) - 1, high = Math.max(line, ...edges) + 1.5, ends = [low, ...edges, high];
  const steps = (counts = []) => {
    const all = counts.reduce((sum, n) => sum + n, 0);
    return all ? [...counts, counts.at(-1)].map((n, i) => ({ x: ends[i], y: n / all })) : [];
  };
  drawPlot("plot-score", `Shares of rows in ranges of the score; the threshold is ${number(threshold)}`,
    [lineOf("now", "approve", steps(score?.current), { stepped: "before", borderWidth: 2.5 }),
     lineOf("training", "idle", steps(score?.reference), { stepped: "before", fill: "origin", backgroundColor: tint("idle") })],
    { x: logitAxis("probability that the model gives", low, high),
      y: { ...valueAxis, title: titled("share of rows"), ticks: { ...valueAxis.ticks, callback: shareTick } } },
    (item) => ` ${brief(item.parsed.y)} of ${item.dataset.label}`, thresholdMark(threshold));
  const part = (counts) => (counts[0] + counts[1] > 0 ? brief(counts[1] / (counts[0] + counts[1])) : "–");
  put("alerts", decision ? `: ${part(decision.reference)} of the training rows, ${part(decision.current)} of the current ones` : "");
}

// ---- quality ----

function showFall() {
  const known = ` The estimate from the probabilities is an average precision of ${two(ap(estimate))}, a precision of ${brief(estimate?.precision)}
    and a recall of ${brief(estimate?.recall)}.`;
  $("unknown").hidden = Boolean(now);
  put("unknown", `There are no mature labels of this period: whether the model still finds the ${many} is not known.${isKnown(ap(estimate)) ? known : ""}`);
  $("concept").hidden = !isBlind;
  put("concept", `The concept has probably changed. From the probabilities one would expect an average precision of ${two(ap(estimate))}, but the labels show
    ${verdict.week ? `${two(verdict.ap)} in the week to ${verdict.week}` : two(ap(now))}: what used to be the sign of a ${one} no longer is, or ${many} have signs that the model never learnt. The estimate cannot see
    this, because it believes the model's own probabilities; only labels can show it, and only training on newer rows can repair it.`);
}

function showQuality() {
  const found = quality.weeks.map((w) => triple(w?.average_precision)), point = (y, x) => ({ x, y: y ?? NaN });
  const spoken = weeks.map((w, i) => `${w.to} ${two(found[i][0])} and ${two(quality.weeks[i]?.estimate)}`);
  for (const id of ["by-week", "quality-weeks", "psi-weeks"]) $(id).hidden = !weeks.length;
  if (weeks.length) drawPlot("plot-quality", `Average precision by week, found and estimated: ${spoken.join(", ")}`,
    [lineOf("found", "approve", found.map(([y], x) => point(y, x)), { pointRadius: 4.5, borderWidth: 2.5 }),
     lineOf("", "approve", found.flatMap(([, low, high], x) => [point(low, x), point(high, x), gap])),
     lineOf("estimated", "second", quality.weeks.map((w, x) => point(w?.estimate, x)), { borderDash: [7, 3], pointRadius: 3 }),
     level("test window", "idle", ap(before), [2, 4])],
    { x: weekAxis(weeks.map(day)), y: shareAxis("average precision", { ticks: { stepSize: 0.2, padding: 6 } }) },
    (item) => ` ${item.dataset.label || "95 %"}: ${three(item.parsed.y)}`);
  drawReliability("plot-reliability", [
    { label: "test window", tone: "idle", bins: quality.calibration.reference ?? [], pointStyle: "triangle" },
    { label: "now", tone: "approve", bins: quality.calibration.current ?? [] }], threshold, many);
  table("table-quality", 1, [["week to", (w) => day(w.week)], ["rows judged", (w) => count(w.rows)], [many, (w) => count(w.frauds)],
    ["average precision", (w) => three(triple(w.average_precision)[0])], ["95 % interval", (w) => spread(triple(w.average_precision), 3)],
    ["difference to the test (95\u00a0%)", (w) => (w.difference ? `${two(w.difference[0])} (${spread(w.difference, 2)})` : "–")],
    ["estimated", (w) => three(w.estimate)], ["precision", (w) => share(w.precision, 0)], ["recall", (w) => share(w.recall, 0)],
    ["", (w) => (w.alarm ? warned("fell") : "")]], weeks.map((week, i) => ({ week, ...quality.weeks[i] })));
}

enter("live");
reword(document.querySelector("main"), classWords(drift.class ?? FRAUD));
for (const show of [showWords, showTiles, showAdvice, showPeriods, showWeeks, showMeasures, showInputs, showScore, showFall, showQuality]) show();
fitTables();
