// Checks of test_page.c that run inside a page.

// The contrast of two colours, [red, green, blue] of 0 to 255 (WCAG 2.1).
function contrast(one, other) {
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => c.map((v) => linear(v / 255)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const [a, b] = [light(one), light(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

// Colours of the style sheet with less contrast to a background on which they are used than text (4.5) or lines, dots
// and borders that carry meaning need (3); and those that are not listed here. --line only separates what stands apart anyway.
function palette() {
  const uses = {
    ink: [4.5, "paper card field approve-soft review-soft heat-1 heat-2 heat-3"], muted: [4.5, "paper card field"], idle: [4.5, "card"],
    approve: [4.5, "paper card field approve-soft"], review: [4.5, "paper card field review-soft"], "on-primary": [4.5, "approve"],
    rule: [3, "paper card field approve-soft"], second: [3, "card"], bar: [3, "card"], moved: [3, "card"],
    "baseline-0": [3, "card"], "baseline-1": [3, "card"], "baseline-2": [3, "card"], "baseline-3": [3, "card"],
  };
  const style = getComputedStyle(document.documentElement), value = (name) => style.getPropertyValue(`--${name}`).trim();
  const rgb = (name) => value(name).match(/^#(..)(..)(..)$/).slice(1).map((hex) => parseInt(hex, 16));
  const names = [...document.styleSheets[0].cssRules[0].style].map((name) => name.slice(2)).filter((name) => value(name).startsWith("#"));
  const unlisted = names.filter((name) => !uses[name] && !/^(line|paper|card|field|.*-soft|heat-.)$/.test(name));
  const dim = Object.entries(uses).flatMap(([name, [least, grounds]]) => grounds.split(" ").map((ground) => [name, ground, contrast(rgb(name), rgb(ground)), least]))
    .filter(([, , is, least]) => !(is >= least)).map(([name, ground, is]) => `--${name} on --${ground}: ${is.toFixed(2)}`);
  return names.length < 20 ? "too few colours" : [...dim, ...unlisted].join("\n");
}

// Elements with less contrast than 4.5 to the background behind them (WCAG 2.1, 1.4.3), those outside of
// the page's width, and those without a name for people who do not see them.
function flaws() {
  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const behind = (e) => {
    const c = rgb(getComputedStyle(e).backgroundColor);
    return c.length === 3 || c[3] === 1 ? c.slice(0, 3) : behind(e.parentElement);
  };
  const isDim = (e) => contrast(rgb(getComputedStyle(e).color).slice(0, 3), behind(e)) < 4.5;
  const isWide = ({ left, right }) => right > innerWidth + 0.5 || left < -0.5;
  const all = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility());
  const texts = all.filter((e) => !e.closest("canvas, svg, :disabled")
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  const unnamed = all.filter((e) => (e.matches("input, select, textarea") && !e.labels.length && !e.ariaLabel)
    || (e.matches("canvas") && !(e.getAttribute("aria-label") && e.textContent))
    || (e.matches("table") && e.tHead.querySelectorAll("th[scope=col]").length !== e.tHead.rows[0].cells.length));
  const wide = all.filter((e) => !e.closest(".unseen, thead, .scroll, pre") && isWide(e.getBoundingClientRect()));
  const described = [...texts.filter(isDim), ...wide, ...unnamed].map((e) => e.outerHTML.slice(0, 80));
  return texts.length < 50 ? "too few texts" : described.join("\n");
}

// Prometheus' own definitions: of its text format and of histogram_quantile.
function prometheus() {
  const m = new Metrics('# HELP a {x="1"} 2\na{k="q\\"} \\n",v="1"} 3 17\na{v="2"} 4e1\nb NaN\n'
    + 'h_bucket{le="+Inf"} 9\nh_bucket{le="0.5"} 4\n');
  const found = [m.sum("a"), m.sum("a", { v: "1" }), m.get("none"), m.all("a")[0].labels.k, m.get("b"), ...m.histogram("h").counts,
                 m.histogram("h").edges[1], quantile([1, 2, 4, Infinity], [0, 10, 10, 0], 0.5),
                 quantile([1, 2, 4, Infinity], [0, 10, 10, 0], 0.75), quantile([1, 2, Infinity], [4, 0, 0], 0.5),
                 quantile([1, 2, Infinity], [0, 0, 4], 0.99), quantile([1, Infinity], [0, 0], 0.5)];
  const expected = [43, 3, undefined, 'q"} \n', NaN, 4, 5, Infinity, 2, 3, 0.5, 2, null];
  return found.map((x, i) => (Object.is(x, expected[i]) ? "" : `${i}: ${x}, not ${expected[i]}`)).join("");
}

// The drift that is drawn is that of the server, the largest first, and those that follow the calendar last.
async function drawnDrift() {
  const text = await (await fetch("/metrics")).text();
  const of = (...labels) => [...text.matchAll(/^assay_(?:feature|score)_drift_psi(\S*) (\S+)/gm)].filter((m) => labels.includes(m[1].includes("calendar=")))
    .map((m) => Number(m[2])).filter(Number.isFinite).sort((a, b) => b - a);
  const told = [...of(false), ...of(true)].slice(0, 24), chart = Chart.getChart("chart-drift"), drawn = chart?.data.datasets[0].data;
  const grey = chart?.getDatasetMeta(0).data.filter((bar) => bar.options.backgroundColor === colour("idle")()).length;
  if (grey !== 2) return `${grey} bars are grey`;
  const alarming = chart.getDatasetMeta(0).data.filter((bar) => ["review", "moved"].some((name) => bar.options.backgroundColor === colour(name)())).length;
  const few = document.getElementById("drift-note").textContent.includes("too few to judge by");
  if (few !== (alarming === 0)) return `${alarming} bars alarm`;
  return told.length > 0 && JSON.stringify(told) === JSON.stringify(drawn) ? "" : `${told} is drawn as ${drawn}`;
}

// Lines of one chart, and bars of one stack, differ in more than their colour.
function unlike() {
  const dashes = (id) => Chart.getChart(id).data.datasets.map((_, i) => String(Chart.getChart(id).getDatasetMeta(i).dataset.options.borderDash));
  const striped = (i) => Chart.getChart("chart-decisions").getDatasetMeta(i).data.some((bar) => bar.options.backgroundColor instanceof CanvasPattern);
  const same = ["chart-rate", "chart-latency"].filter((id) => new Set(dashes(id)).size !== dashes(id).length);
  return same.join() + (striped(0) || !striped(1) ? "chart-decisions" : "");
}

// The reasons' bars have the length and side of their contributions.
function reasons() {
  const wrong = [...document.querySelectorAll("#reasons i")].filter((bar, i) => (i === 0 && bar.offsetWidth <= 20)
    || bar.className !== (bar.closest("tr").lastChild.textContent[0] === "+" ? "review" : "approve"));
  const rows = document.querySelectorAll("#reasons tr").length;
  return rows === 4 ? wrong.map((bar) => bar.outerHTML).join() : `${rows} reasons`;
}

// An open row shows the reasons and the numbers of the decision.
function opened(decision) {
  const more = document.querySelector(".more"), rows = [...more.querySelectorAll(".reasons tbody tr")];
  const names = rows.map((tr) => `${tr.cells[0].textContent} ${tr.cells[3].textContent}`).join();
  const expected = decision.reasons.map((r) => `${r.feature} ${signed(r.contribution)}`).join();
  const numbers = [...more.querySelectorAll("dl > div")].map((e) => e.textContent).join();
  return names === expected && numbers === [["time", when(decision)], ...Object.entries(decision.numbers)].map((pair) => pair.join("")).join() ? "" : `${names}, not ${expected}; ${numbers}`;
}

// The figures of the report's tables are those of metrics.json, and its curve ends with all frauds.
function figures() {
  const cells = (id) => [...document.querySelectorAll(`#${id} tbody tr`)].map((tr) => [...tr.cells].map((td) => td.textContent));
  const rows = cells("table-metrics"), keys = Object.keys(report.titles), four = (x) => x?.toFixed(4) ?? "–";
  const wrong = rows.filter(([title, training, test], i) => title !== report.titles[keys[i]] || training !== four(report.training[keys[i]])
    || test !== four(report.test[keys[i]]));
  const curve = Chart.getChart("plot-pr").data.datasets[0].data, frauds = curve.at(-1).x * report.test.frauds;
  const { true_positives: tp, false_negatives: fn, false_positives: fp, true_negatives: tn } = report.test.confusion;
  const counts = [tp, fn, tp + fn, fp, tn, fp + tn, tp + fp, fn + tn, report.test.rows].map((n) => n.toLocaleString("en"));
  if (cells("table-confusion").flatMap((row) => row.slice(1)).join(" ") !== counts.join(" ")) wrong.push("confusion");
  const dots = Chart.getChart("plot-reliability").data.datasets[0].data.length;
  if (dots !== report.reliability.length || cells("table-reliability").length !== dots) wrong.push(`${dots} dots`);
  if (Chart.getChart("plot-daily").data.datasets[0].data.length !== report.data.daily.length) wrong.push("days");
  return rows.length === 11 && Math.abs(frauds - report.test.frauds) < 1e-9 ? wrong.join() : `${rows.length} rows, ${frauds} frauds`;
}

// The card has nothing but these elements, the text as it was written, and tables with the same number of cells in each row.
function card(text) {
  const known = "H1 H2 H3 P UL LI PRE DIV TABLE THEAD TBODY TR TH TD".split(" "), all = [...document.querySelectorAll("article *")];
  const uneven = [...document.querySelectorAll("article tr")].filter((tr) => tr.cells.length !== tr.closest("table").tHead.rows[0].cells.length);
  const found = all.filter((e) => e.tagName === "P" && e.textContent === text).length;
  return [...all.filter((e) => !known.includes(e.tagName)), ...uneven].map((e) => e.outerHTML).join() || (found === 1 ? "" : `${found} times`);
}

// The contributions that are shown add up to the log-odds, and these to the probability; the longest bar is half of its box.
function explained() {
  const cards = [...document.querySelectorAll("#explained > .card")], shown = Object.values(report.decisions);
  const wrong = cards.filter((card, i) => {
    const numbers = [...card.querySelectorAll("tbody tr")].map((tr) => Number(tr.lastChild.textContent.replace("−", "-").replace("±", "")));
    const total = numbers.pop(), added = numbers.reduce((sum, x) => sum + x, 0), p = shown[i].probability;
    const bars = [...card.querySelectorAll(".bar i")].map((bar) => bar.offsetWidth / bar.parentElement.offsetWidth);
    return Math.abs(total - added) > 0.06 || Math.abs(total - Math.log(p / (1 - p))) > 0.006 || Math.abs(Math.max(...bars) - 0.5) > 0.02
      || card.querySelector(".decision").textContent !== (shown[i].review ? "review" : "approve");
  });
  return cards.length === 3 ? wrong.map((card) => card.innerText).join() : `${cards.length} decisions`;
}

// Tables that are wider than their box; on paper, also those that are higher.
function cut(paper = false) {
  return [...document.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth || (paper && box.scrollHeight > box.clientHeight))
    .map((box) => `${box.firstElementChild.id || box.textContent.slice(0, 40)} ${box.scrollWidth} ${box.clientWidth}`).join();
}

// A row for each column of drift.json, with its PSI of each week and of the period; colours and words say what the numbers do; calendar last.
function heatMap() {
  const rows = [...document.querySelectorAll("#table-weeks tbody tr")], two = (x) => x?.toFixed(2) ?? "–", calendar = rows.map((tr) => tr.className === "calendar");
  const wrong = rows.filter((tr) => {
    const name = tr.cells[0].textContent.replace(/ moved$/, ""), c = drift.columns.find((one) => named(one) === name), psi = [...c.weeks, c.psi];
    const level = (x, i) => (x >= c.bound && c.bound !== null && (i === c.weeks.length || drift.weeks[i].counts) ? /(moved|far)$/ : /( |near)$/);
    return [...tr.cells].slice(2).map((td) => td.textContent).join() !== psi.map(two).join() || tr.cells[1].textContent !== two(c.bound)
      || [...tr.querySelectorAll(".heat-cell")].some((e, i) => !level(psi[i], i).test(e.className)) || c.alarm !== / moved$/.test(tr.cells[0].textContent);
  });
  const heads = [...document.querySelectorAll("#table-weeks th")].slice(2, -1).map((th) => th.textContent);
  if (heads.join() !== drift.weeks.map((w) => `${w.to.slice(5)}${w.counts ? "" : " *"}`).join()) wrong.push({ innerText: heads.join() });
  const ordered = calendar.indexOf(true) === drift.columns.filter((c) => c.kind !== "calendar").length && rows.length === drift.columns.length;
  return drift.weeks.length && ordered ? wrong.map((tr) => tr.innerText).join() : `${rows.length} rows, ${calendar}`;
}

// Charts on paper are small and light.
function watchPrint() {
  addEventListener("beforeprint", () => { window.onPaper = `${charts["plot-pr"].width} ${ink()}`; });
  return "";
}

function printed() {
  const now = `${charts["plot-pr"].width} ${ink()}`;
  return onPaper === "420 #18212b" && now.endsWith(" #e5e9ed") && parseInt(now) > 400 ? "" : `${onPaper} on paper, then ${now}`;
}

// An inline script does not run.
function inlined() {
  const script = document.createElement("script");
  script.textContent = "window.ran = true";
  document.body.append(script);
  return window.ran === undefined ? "" : "it ran";
}

// The charts over time have the decisions since the page was opened, at equal distances up to now; bins that are not complete are hollow.
function traffic(decisions) {
  const bars = Chart.getChart("chart-decisions"), sets = bars.data.datasets.map((set) => set.data), x = sets[0].map((point) => point.x);
  const n = sets.flat().reduce((sum, point) => sum + (point.y ?? 0), 0), hollow = bars.getDatasetMeta(0).data.filter((bar, i) =>
    sets[0][i].y !== null && bar.options.backgroundColor === "transparent").length;
  const even = x.every((at, i) => at === 5 - 10 * (x.length - 1 - i)) && x[0] === bars.options.scales.x.min + 5;
  const rates = Chart.getChart("chart-rate").data.datasets.map((set) => set.data.length - x.length).join();
  return n === decisions && even && (hollow === 1 || hollow === 2) && rates === "-1,-1,-1" ? "" : `${n} at ${x}, ${hollow} hollow, ${rates}`;
}

// How much two charts and the table have grown since.
function remember() {
  const points = (id) => Chart.getChart(id).data.datasets.flatMap((set) => set.data).reduce((sum, point) => sum + (point.y ?? 0), 0);
  const now = () => [points("chart-scores"), points("chart-decisions"), document.querySelectorAll("#decisions tr").length];
  const before = now();
  window.grown = () => now().map((n, i) => n - before[i]).join(" ");
  return "";
}
