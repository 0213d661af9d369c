// GET /card: the Markdown of train/card.md as elements. Only the Markdown of that template is read, and every text becomes
// a text node, so a text of a dataset's .ini cannot become an element.
"use strict";

const plain = (text) => text.trim().replace(/\\([!-/:-@[-`{-~])/g, "$1");
// A heading, code, or lines of a table, a list or a paragraph.
const BLOCK = /^(#{1,4}) (.*)|^```.*\n([^]*?)^```|(?:^\|.*\n?)+|(?:^- .*\n?)+|(?:^(?!#{1,4} |```|\||- ).+\n?)+/gm;

function cardTable([head, rule, ...body]) {
  const cells = (line) => [...line.matchAll(/\|((?:\\.|[^|\\])*)(?=\|)/g)].map(([, text]) => plain(text));
  return sheet(cells(head), body.map(cells), cells(rule).map((text) => (text.endsWith(":") ? "number" : "")));
}

function cardBlock([block, level, title, code]) {
  const lines = block.trim().split("\n");
  if (level) return element(`h${level.length}`, { textContent: plain(title) });
  if (code !== undefined) return element("pre", { tabIndex: 0, textContent: code });
  if (block.startsWith("|")) return cardTable(lines);
  if (block.startsWith("- ")) return element("ul", {}, ...lines.map((text) => element("li", { textContent: plain(text.slice(2)) })));
  return element("p", { textContent: plain(lines.join(" ")) });
}

if (location.pathname === "/card") visit("/model/card.md", (text) => {
  document.title = "Assay: model card";
  $("content").replaceChildren(element("article", { className: "card" }, ...[...text.matchAll(BLOCK)].map(cardBlock)));
  fitTables();
});
