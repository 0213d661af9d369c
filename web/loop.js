// The page of tests/demo.py: weeks {to, psi, estimated, found}, the day of the shift, and the promotions.
"use strict";

const { weeks, shift, promotions } = JSON.parse($("embedded").textContent);
document.body.dataset.state = "live";
document.title = "Assay: the closed loop";

// A week is drawn from half before its point to half behind it.
const at = (day) => (Date.parse(day) - Date.parse(weeks[0].to)) / 6048e5 + 0.5 - 1 / 7;
const psi = weeks.map(({ psi: y }, x) => ({ x, y: y ?? NaN }));
// The last week before a promotion has no estimate: the monitor watches the new version when its labels are mature.
const ap = (label, tone, key, more) => lineOf(label, tone, weeks.map(({ [key]: y }, x) => ({ x, y: y ?? NaN })), { pointRadius: 4, borderWidth: 2.5, ...more });
const spoken = weeks.map((w) => `${w.to}: PSI ${fixed(w.psi, 2)}, estimated ${fixed(w.estimated, 2)}, found ${fixed(w.found, 2)}`);

drawPlot("plot-loop", `Drift and average precision by week: ${spoken.join("; ")}`,
  [lineOf("PSI of the input that moved most (right)", "idle", psi, { yAxisID: "psi", pointRadius: 3, borderDash: [2, 3], borderWidth: 2 }),
   ap("average precision, estimated", "second", "estimated", { borderDash: [7, 3] }), ap("average precision, found", "approve", "found")],
  { x: weekAxis(weeks.map((w) => w.to.slice(5))), y: shareAxis("average precision", { ticks: { stepSize: 0.2, padding: 6 } }),
    psi: { ...valueAxis, position: "right", title: titled("PSI"), grid: { display: false, drawBorder: false } } },
  ({ dataset, parsed: { y }, raw: { x } }) => ` to ${weeks[x].to}: ${dataset.label.split(" (")[0]} ${fixed(y, 2)}`,
  [{ at: at(shift), text: "frauds change", colour: colour("review") },
   ...promotions.map(([version, day]) => ({ at: at(day), text: `version ${version}`, colour: ink }))]);
