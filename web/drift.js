// The drift page: drift.json, which the file holds, as words, tiles, tables and plots. monitor/comparison.h describes it.
"use strict";

let drift;

function showWords() {
  const { dataset, model, verdict } = drift;
  document.title = `Assay: drift of ${dataset}`;
  put("title", `Drift of ${dataset}`);
  put("verdict", verdict.sentence);
  $("notes").replaceChildren(...verdict.notes.map((textContent) => element("li", { textContent })));
  put("identity", `Version ${model.version}, SHA-256 ${model.sha256.slice(0, 12)}…`);
}

function showPeriods() {
  const { train, test, current } = drift.periods;
  fillTable($("table-periods"), ["period", "table", "from", "to", "rows"],
    [["training", train], ["test", test], ["current", current]].map(([name, p]) =>
      [name, p.table ?? "–", p.from ?? "–", p.to ?? "–", p.rows.toLocaleString("en")]), ["", "", "", "", "number"]);
}

drift = JSON.parse($("embedded").textContent);
enter("live");
showWords();
showPeriods();
fitTables();
