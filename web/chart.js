// The charts of all pages, on Chart.js 3. The functions draw numbers; none of them sends a request.
//
// Colours are read from the style sheet when they are used, so a change of the colour scheme is a redraw.
"use strict";

const root = document.documentElement;
const colour = (name) => () => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const ink = colour("ink"), muted = colour("muted"), line = colour("line"), card = colour("card");
const charts = {};

Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;
Chart.defaults.font.family = getComputedStyle(root).getPropertyValue("--sans");
Chart.defaults.color = muted;
Object.assign(Chart.defaults.plugins.legend, { display: false }); // the page has its own, in text
Object.assign(Chart.defaults.plugins.tooltip, {
  backgroundColor: ink, titleColor: card, bodyColor: card, cornerRadius: 6, padding: 9, boxPadding: 4,
});

// Dashed lines at values of the x axis: options.plugins.marks = {list: [{at, text, colour}]}.
Chart.register({
  id: "marks",
  afterDatasetsDraw(chart, _, { list = [] }) {
    const { ctx, chartArea: area, scales: { x } } = chart;
    for (const mark of list) {
      const at = Math.round(x.getPixelForValue(mark.at)) + 0.5;
      if (at < area.left || at > area.right + 1) continue;
      ctx.save();
      ctx.font = `12px ${Chart.defaults.font.family}`;
      // Right of its line if it is the last and there is room.
      const left = mark !== list.at(-1) || at + 5 + ctx.measureText(mark.text).width > chart.width;
      ctx.strokeStyle = ctx.fillStyle = mark.colour();
      ctx.lineWidth = 1;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(at, area.top - 16);
      ctx.lineTo(at, area.bottom);
      ctx.stroke();
      ctx.textAlign = left ? "right" : "left";
      ctx.fillText(mark.text, at + (left ? -5 : 5), area.top - 7);
      ctx.restore();
    }
  },
});

// Each bar's value at the right edge: options.plugins.values = {draw: true}. Bars end with the axis, values do not.
Chart.register({
  id: "values",
  afterDatasetsDraw(chart, _, { draw }) {
    if (!draw) return;
    const { ctx } = chart;
    ctx.save();
    ctx.fillStyle = muted();
    ctx.font = `12px ${Chart.defaults.font.family}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    chart.getDatasetMeta(0).data.forEach((bar, i) => ctx.fillText(chart.data.datasets[0].data[i].toFixed(3), chart.width, bar.y));
    ctx.restore();
  },
});

const grid = { color: line, drawBorder: false, drawTicks: false };
const valueAxis = { beginAtZero: true, grid, ticks: { maxTicksLimit: 5, padding: 6, callback: short } };
const decade = (y) => Math.abs(Math.log10(y) - Math.round(Math.log10(y))) < 1e-9;
const logAxis = (min, suggestedMax) => ({ ...valueAxis, type: "logarithmic", beginAtZero: false, min, suggestedMax,
                                          ticks: { padding: 6, callback: (y) => (decade(y) ? short(y) : null) } });
const timeAxis = {
  type: "linear", min: -300, max: 10, offset: false, grid: { display: false, drawBorder: false }, // the last bin is open
  afterBuildTicks: (axis) => {
    const step = axis.min < -60 ? 60 * Math.ceil(-axis.min / 300) : 30, n = Math.floor(-axis.min / step);
    axis.ticks = Array.from({ length: n + 1 }, (_, i) => ({ value: step * (i - n) }));
  },
  ticks: { maxRotation: 0, autoSkipPadding: 12, callback: (x) => (x === 0 ? "now" : x % 60 ? `${-x} s` : `${-x / 60} min`) },
};
const ago = ([{ parsed: { x }, raw: { open } }]) => (x > 0 ? "now" : x > -120 ? `${-x} s ago` : `${number(-x / 60, 2)} min ago`) + (open ? ", incomplete" : "");
const said = (unit) => (item) => ` ${item.dataset.label}: ${number(item.parsed.y)}${unit}`;

// Creates the chart with its first data and replaces the data later. `text` describes it in words.
function show(id, text, data, make) {
  const canvas = document.getElementById(id);
  canvas.setAttribute("aria-label", text);
  canvas.textContent = text;
  const chart = (charts[id] ??= new Chart(canvas, make()));
  chart.data.labels = data.labels;
  data.sets.forEach((points, i) => { chart.data.datasets[i].data = points; });
  for (const [key, value] of Object.entries(data.marks ?? {})) chart.options.plugins.marks[key] = value;
  if (data.from !== undefined) chart.options.scales.x.min = data.from;
  chart.update("none");
}

// A point without neighbours is drawn as a dot.
const alone = ({ dataset: { data }, dataIndex: i }) => data[i - 1]?.y == null && data[i + 1]?.y == null;
const lineSet = (label, stroke) => ({
  label, borderColor: stroke, backgroundColor: stroke, borderWidth: 1.75, pointRadius: (c) => (alone(c) ? 2.5 : 0), pointHitRadius: 12, data: [],
});

// from: the left end of the axis, in seconds from now. sets: lists of {x: seconds from now, y}; y is null if nothing
// was measured. The axis of milliseconds is logarithmic, so that p50 is visible below p99.
function drawLines(id, text, labels, unit, from, sets) {
  const y = unit === " ms" ? logAxis(0.05, 20) : { ...valueAxis, suggestedMax: 1 };
  show(id, text, { sets, from }, () => ({
    type: "line",
    data: { datasets: labels.map((label, i) => ({ ...lineSet(label, colour(["approve", "second", "review"][i])), borderDash: [[], [7, 2], [2, 3]][i] })) },
    options: {
      interaction: { mode: "index", intersect: false }, scales: { x: timeAxis, y },
      plugins: { tooltip: { callbacks: { title: ago, label: said(unit) } } },
    },
  }));
}

// Striped and plain bars differ even for readers who do not see their colours.
const striped = (name) => () => {
  const tile = element("canvas", { width: 6, height: 6 }), pen = tile.getContext("2d");
  pen.fillStyle = colour(name)();
  pen.fillRect(0, 0, 6, 6);
  pen.strokeStyle = card();
  pen.stroke(new Path2D("M-1 1 1-1M0 6 6 0M5 7 7 5"));
  return pen.createPattern(tile, "repeat");
};

// sets: lists of {x: seconds from now, y: decisions, open}, approved and reviewed, at equal distances. Bars of open bins are hollow.
function drawDecisions(text, from, sets) {
  const bars = (label, name, fill) => ({
    label, backgroundColor: (c) => (c.raw?.open ? "transparent" : fill()), borderColor: colour(name),
    borderWidth: (c) => (c.raw?.open ? 1 : 0), barPercentage: 0.85, categoryPercentage: 1, data: [],
  });
  show("chart-decisions", text, { sets, from }, () => ({
    type: "bar",
    data: { datasets: [bars("approve", "bar", colour("bar")), bars("review", "review", striped("review"))] },
    options: {
      interaction: { mode: "index", intersect: false },
      scales: { x: { ...timeAxis, stacked: true }, y: { ...valueAxis, stacked: true, suggestedMax: 4 } },
      plugins: { tooltip: { callbacks: { title: ago, label: said("") } } },
    },
  }));
}

// edges: upper bounds, ascending and above 0, one for each count. Bars have equal width as on a logarithmic
// axis, and the threshold is placed between the edges accordingly.
function drawScores(text, edges, counts, threshold) {
  const i = Math.max(0, edges.findIndex((e) => threshold <= e));
  const low = i > 0 ? edges[i - 1] : edges[0] / 10;
  const at = i + Math.log(Math.max(threshold, low) / low) / Math.log(edges[i] / low);
  const tick = (x) => (x === 0 ? "0" : String(edges[x - 1] ?? ""));
  const points = counts.map((n, k) => ({ x: k + 0.5, y: n || null }));
  const marks = { list: [{ at, text: `review from ${number(threshold)}`, colour: colour("review") }] };
  show("chart-scores", text, { sets: [points], marks }, () => ({
    type: "bar",
    data: { datasets: [{ label: "decisions", backgroundColor: colour("bar"), barPercentage: 0.94, categoryPercentage: 1, data: [] }] },
    options: {
      layout: { padding: { top: 20, right: 10 } },
      scales: {
        x: { type: "linear", min: 0, max: edges.length, offset: false, grid: { display: false, drawBorder: false },
             ticks: { stepSize: 1, maxRotation: 0, autoSkipPadding: 8, callback: tick } },
        y: logAxis(0.7, 10),
      },
      plugins: {
        marks: {},
        tooltip: { callbacks: {
          title: ([item]) => `score ${tick(Math.floor(item.parsed.x))} to ${tick(Math.ceil(item.parsed.x))}`,
          label: said(""),
        } },
      },
    },
  }));
}

// Names may take up to three fifths of the width: the library would cut them sooner.
function fitNames(axis, names) {
  axis.ctx.font = `12px ${Chart.defaults.font.family}`;
  axis.width = Math.min(0.6 * axis.chart.width, 14 + Math.max(...names.map((name) => axis.ctx.measureText(name).width)));
}

// The name as its axis has room for it: of a long one the middle is left out.
function fitName(axis, name) {
  const half = Math.floor((axis.width - 14) / axis.ctx.measureText(name).width * name.length / 2) - 1;
  return 2 * half + 2 < name.length ? `${name.slice(0, half)}…${name.slice(-half)}` : name;
}

const CALENDAR = " · calendar"; // after the names of inputs that follow the calendar

// drifts: {name, psi}, from top to bottom.
// judged: false where the decisions are too few for an alarm.
function drawDrift(text, drifts, judged) {
  const paint = (c) => {
    const psi = c.chart.options.plugins.marks.judged ? c.raw ?? 0 : 0;
    return colour(c.chart.data.labels[c.dataIndex]?.endsWith(CALENDAR) ? "idle" : psi >= 0.2 ? "review" : psi >= 0.1 ? "moved" : "bar")();
  };
  $("drift-plot").hidden = !drifts.length;
  $("drift-plot").style.height = `${drifts.length * 23 + 60}px`;
  show("chart-drift", text, { labels: drifts.map((d) => d.name), sets: [drifts.map((d) => d.psi)], marks: { judged } }, () => ({
    type: "bar",
    data: { datasets: [{ label: "PSI", backgroundColor: paint, barPercentage: 0.72, categoryPercentage: 1, data: [] }] },
    options: {
      indexAxis: "y", layout: { padding: { top: 20, right: 46 } },
      scales: {
        x: { ...valueAxis, max: 0.3, ticks: { ...valueAxis.ticks, stepSize: 0.1 } }, // larger values are cut
        y: { grid: { display: false, drawBorder: false }, afterFit: (axis) => fitNames(axis, axis.getLabels()),
             ticks: { autoSkip: false, padding: 4, color: ink, callback(value) { return fitName(this, this.getLabelForValue(value)); } } },
      },
      plugins: {
        values: { draw: true },
        marks: { list: [{ at: 0.1, text: "0.1 moved", colour: muted }, { at: 0.2, text: "0.2 drifted", colour: colour("review") }] },
        tooltip: { callbacks: { label: (item) => ` PSI ${number(item.parsed.x)}` } },
      },
    },
  }));
}

// ---- the report ----

// Whether a line of the text's colour, which is in steps or nearly straight from point to point, crosses the box.
const crosses = (chart, tone, [left, top, right, bottom]) => chart.data.datasets.some((set, k) => set.tone === tone && set.showLine
  && chart.getDatasetMeta(k).data.some((b, i, { [i - 1]: a }) => a && Math.min(a.x, b.x) < right && Math.max(a.x, b.x) > left
    && Math.min(a.y, b.y) < bottom && Math.max(a.y, b.y) > top));

// Text next to points: dataset.texts[i], with \n between lines. If dataset.centred: above them, or below if dataset.under. Else on the side of
// a rising line that is free, or of one that falls, and further up or down where the line would be covered.
Chart.register({
  id: "texts",
  afterDatasetsDraw(chart) {
    const { ctx, chartArea: area } = chart;
    ctx.save();
    ctx.font = `12px ${Chart.defaults.font.family}`;
    ctx.lineWidth = 4;
    chart.data.datasets.forEach((set, k) => set.texts?.forEach((text, i) => {
      const { x, y } = chart.getDatasetMeta(k).data[i], lines = text.split("\n");
      const reach = 9 + Math.max(...lines.map((text) => ctx.measureText(text).width)), fits = x + reach <= area.right;
      const above = y >= area.top + 30 && (set.falls ? fits : x - reach >= area.left);
      const end = above !== Boolean(set.falls) || !fits, below = set.centred ? set.under : !above;
      const left = end ? x - reach : x + 9, first = (step) => (below ? y + 18 + step : y - 9 - 15 * (lines.length - 1) - step);
      const isFree = (step) => !crosses(chart, set.tone, [left, first(step) - 11, left + reach - 9, first(step) + 15 * (lines.length - 1) + 3]);
      const from = first(set.centred ? 0 : [0, 8, 16, 24, 32].find((step) => (below || first(step) > area.top) && isFree(step)) ?? 0);
      ctx.textAlign = set.centred ? "center" : end ? "right" : "left";
      ctx.strokeStyle = card();
      ctx.fillStyle = set.borderColor();
      lines.forEach((text, n) => {
        const at = [text, x + (set.centred ? 0 : end ? -9 : 9), from + 15 * n];
        ctx.strokeText(...at);
        ctx.fillText(...at);
      });
    }));
    ctx.restore();
  },
});

const titled = (text) => ({ display: true, text, color: muted, padding: { top: 2, bottom: 0 } });
const shareTick = (x) => `${Number((100 * x).toPrecision(3))} %`;
const shareAxis = (title, more = {}) => ({ type: "linear", min: 0, max: 1, grid, title: titled(title),
                                           ticks: { stepSize: 0.2, maxRotation: 0, padding: 6, callback: shareTick }, ...more });
const decadeAxis = (title, min, max, label) => ({ type: "logarithmic", min, max, grid, title: titled(title),
  ticks: { maxRotation: 0, padding: 6, autoSkip: false, callback: (x) => (decade(x) ? label(x) : null) } });

const LOGIT_TICKS = [1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999];
const logit = (p) => Math.log(p / (1 - p));
const logitAxis = (title, min, max) => ({ type: "linear", min, max, grid, title: titled(title),
  afterBuildTicks: (axis) => { axis.ticks = LOGIT_TICKS.map((p) => ({ value: logit(p) })).filter(({ value }) => value >= min && value <= max); },
  ticks: { maxRotation: 0, autoSkipPadding: 6, padding: 6, callback: (v) => `${Number((100 / (1 + Math.exp(-v))).toPrecision(4))} %` } });
const tint = (tone) => () => `${colour(tone)()}40`;

// Datasets: a line through points, and points alone. tone: a colour of the style sheet.
const lineOf = (label, tone, data, more = {}) => ({ label, tone, data, borderColor: colour(tone), backgroundColor: colour(tone),
  showLine: true, borderWidth: 1.75, pointRadius: 0, pointHitRadius: 6, ...more });
const dotsOf = (label, tone, data, more = {}) => lineOf(label, tone, data,
  { showLine: false, pointRadius: 4.5, pointHoverRadius: 4.5, borderWidth: 2, clip: false, ...more });

// says(item): the tooltip's text. The figure's legend lists the datasets that have a label.
function drawPlot(id, text, datasets, scales, says, marks = []) {
  const figure = $(id).closest("figure"), legend = figure.querySelector(".legend");
  const padding = { top: marks.length || datasets.some((set) => set.centred) ? 20 : 8, right: 10 };
  legend?.replaceChildren(...datasets.filter((set) => set.label).map((set) => {
    const li = element("li", { className: set.borderDash ? "dashed" : set.fill ? "filled" : "", textContent: set.label });
    li.style.setProperty("--mark", `var(--${set.tone})`);
    return li;
  }));
  $(id).parentElement.classList.toggle("empty", !datasets.some((set) => set.data.some((point) => Number.isFinite(point.y))));
  show(id, text, { sets: [] }, () => ({
    type: "scatter", data: { datasets },
    options: { scales, layout: { padding }, plugins: { marks: { list: marks }, tooltip: { callbacks: { label: says } } } },
  }));
}

// The x axis of weeks 0, 1, ..., which are named by their beginnings.
const weekAxis = (days) => ({ type: "linear", min: -0.4, max: Math.max(0, days.length - 1) + 0.4, grid: { display: false, drawBorder: false },
  afterBuildTicks: (axis) => { axis.ticks = days.map((_, value) => ({ value })); },
  ticks: { maxRotation: 0, autoSkipPadding: 16, callback: (i) => days[i] } });
const gap = { x: NaN, y: NaN };
const thresholdMark = (p) => (p > 0 && p < 1 ? [{ at: logit(p), text: `review from ${fine(p)}`, colour: ink }] : []);

// Groups of {label, tone, bins}, with bins as "reliability" of train/report.h. One group alone has the numbers of its rows.
function drawReliability(id, groups, threshold, many = "frauds") {
  const bins = groups.flatMap((g) => g.bins), known = [threshold, ...bins.flatMap((b) => [b.mean_probability, b.low, b.high])].filter((p) => p > 0 && p < 1);
  const end = (p) => logit(clamp(p, 1e-6, 1 - 1e-4)), low = end(Math.min(...known, 0.1)) - 0.6, high = end(Math.max(...known, 0.1)) + 1.2;
  const at = (p) => clamp(p > 0 ? p < 1 ? logit(p) : high : low, low, high), point = (bin, y) => ({ x: at(bin.mean_probability), y: at(y), bin });
  const numbers = [[], []]; // of rows, above and below the intervals, where there is room
  if (groups.length === 1) bins.forEach((b, i) => {
    const isFree = (texts) => !bins.some((other, j) => texts[j] && Math.abs(at(other.mean_probability) - at(b.mean_probability)) < (high - low) / 11);
    const texts = numbers.slice(at(b.high) > high - 0.7 ? 1 : 0).find(isFree); // at the top is the threshold's
    if (texts) texts[i] = short(b.rows);
  });
  drawPlot(id, `Share of ${many} against mean probability: ${bins.map((b) => `${brief(b.mean_probability)} ${brief(b.fraud_share)}`).join(", ")}`,
    [...groups.flatMap(({ label, tone, bins, ...more }) => [
       dotsOf(label, tone, bins.map((b) => point(b, b.fraud_share)),
              { backgroundColor: ({ raw }) => (raw && [0, 1].includes(raw.bin.fraud_share) ? card : colour(tone))(), ...more }),
       lineOf("", tone, bins.flatMap((b) => [point(b, b.low), point(b, b.high), gap]))]),
     lineOf("", "idle", bins.length ? [{ x: low, y: low }, { x: high, y: high }] : [], { borderDash: [2, 4], borderWidth: 1.25, pointHitRadius: 0 }),
     ...["high", "low"].map((end, k) => dotsOf("", "muted", bins.map((b) => ({ x: at(b.mean_probability), y: at(b[end]) })),
       { pointRadius: 0, pointHitRadius: 0, centred: true, under: k === 1, texts: numbers[k] }))],
    { x: logitAxis("probability that the model gives", low, high), y: logitAxis("share found", low, high) },
    ({ raw: { bin: b } }) => (b ? ` ${b.frauds} of ${count(b.rows)} rows are ${many}: ${fine(b.fraud_share)} (${fine(b.low)} to ${fine(b.high)})` : ""),
    thresholdMark(threshold));
}

// The shares of samples in the same ranges, whose lower ends are given. sets: [name, counts, colour]; overlaid: one in front of the other.
function drawShares(id, text, edges, sets, overlaid = false) {
  const texts = (digits) => edges.map((x) => number(x, digits)); // no two alike:
  const labels = [3, 4, 5, 6].map(texts).find((list) => new Set(list).size === edges.length) ?? texts(6);
  if (edges[0] === -Infinity) labels[0] = edges.length > 1 ? "less" : "all";
  const shares = (counts) => counts.map((n) => n / Math.max(1, counts.reduce((sum, x) => sum + x, 0)));
  const bars = sets.map(([label, counts, backgroundColor], i) => ({ label, data: shares(counts), backgroundColor, grouped: !overlaid, order: overlaid ? -i : 0,
    barPercentage: overlaid && i > 0 ? 0.5 : 1, categoryPercentage: overlaid ? 0.9 : 0.8 }));
  show(id, `${text}, in ranges from ${labels.join(", ")}`, { labels, sets: [] }, () => ({
    type: "bar",
    data: { datasets: bars },
    options: {
      scales: {
        x: { grid: { display: false, drawBorder: false }, ticks: { maxRotation: 0, autoSkipPadding: 8, font: { size: 10 } } },
        y: { display: false, beginAtZero: true },
      },
      plugins: { tooltip: { callbacks: {
        title: ([item]) => `${/\d/.test(item.label) ? "from " : ""}${item.label}`,
        label: (item) => ` ${shareTick(item.parsed.y)} of ${item.dataset.label}`,
      } } },
    },
  }));
}

// rows: {name, value, low, high, hollow, heading}, one below the other; a heading has no value.
function drawRows(id, text, rows, x, says, marks, named = true) {
  const at = (key) => rows.map((row, y) => ({ x: row[key] ?? NaN, y }));
  const low = at("low"), high = at("high"), intervals = low.flatMap((point, i) => [point, high[i], gap]);
  const names = rows.map((row) => row.name), fill = (c) => (rows[c.dataIndex]?.hollow ? card : colour("approve"))();
  const y = { type: "linear", reverse: true, min: -0.7, max: rows.length - 0.3, grid,
              afterBuildTicks: (axis) => { axis.ticks = rows.map((_, value) => ({ value })); },
              afterFit: (axis) => { named ? fitNames(axis, names) : axis.width = 8; },
              ticks: { display: named, autoSkip: false, padding: 4, callback(value) { return fitName(this, names[value]); },
                       color: (c) => (rows[c.index]?.heading ? ink : muted)(), font: (c) => (rows[c.index]?.heading ? { weight: "600" } : {}) } };
  drawPlot(id, text, [dotsOf("", "approve", at("value"), { backgroundColor: fill }), lineOf("", "approve", intervals)],
           { x, y }, (item) => ` ${says(rows[Math.round(item.parsed.y)])}`, marks);
}

// On paper charts have the light colours and a fixed size (data-print-width, in px), which the style sheet
// scales to the page.
function forPrint(on) {
  root.classList.toggle("printing", on);
  for (const chart of Object.values(charts)) {
    const box = chart.canvas.parentElement;
    chart.options.devicePixelRatio = on ? 3 : undefined;
    on ? chart.resize(Number(box.dataset.printWidth ?? (box.closest(".multiples") ? 160 : box.closest(".three") ? 260 : 420)), 0.9 * box.clientHeight) : chart.resize();
    chart.update("none");
  }
}
addEventListener("beforeprint", () => forPrint(true));
addEventListener("afterprint", () => forPrint(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of Object.values(charts)) chart.update("none");
});
