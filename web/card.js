// The model card: the Markdown of train/card.md as elements. Only what that template uses is read, and every text becomes a text
// node, so whatever a dataset's .ini says, it cannot become an element.
"use strict";

const plain = (text) => text.trim().replace(/\\([!-/:-@[-`{-~])/g, "$1");
const special = /^(#{1,4} |```|\||- )/;

function cardTable([head, rule, ...body]) {
  const cells = (line) => [...line.matchAll(/\|((?:\\.|[^|\\])*)(?=\|)/g)].map(([, text]) => plain(text));
  const sides = cells(rule).map((text) => (text.endsWith(":") ? "number" : ""));
  const one = (tag) => (textContent, i) => element(tag, { textContent, className: sides[i], scope: tag === "th" ? "col" : undefined });
  return element("div", { className: "scroll", tabIndex: 0 }, element("table", {}, element("thead", {}, element("tr", {}, ...cells(head).map(one("th")))),
    element("tbody", {}, ...body.map((line) => element("tr", {}, ...cells(line).map(one("td")))))));
}

function cardBlocks(lines) {
  const blocks = [], take = (fits) => {
    const n = lines.findIndex((line) => !fits(line));
    return lines.splice(0, n < 0 ? lines.length : n);
  };
  while (lines.length) {
    const [, level, title] = lines[0].match(/^(#{1,4}) (.*)/) ?? [];
    if (level) blocks.push(element(`h${level.length}`, { textContent: plain(title) })), lines.shift();
    else if (lines[0].startsWith("```")) {
      lines.shift();
      blocks.push(element("pre", { tabIndex: 0, textContent: take((line) => !line.startsWith("```")).join("\n") }));
      lines.shift();
    } else if (lines[0].startsWith("|")) blocks.push(cardTable(take((line) => line.startsWith("|"))));
    else if (lines[0].startsWith("- ")) {
      blocks.push(element("ul", {}, ...take((line) => line.startsWith("- ")).map((line) => element("li", { textContent: plain(line.slice(2)) }))));
    } else if (lines[0].trim()) blocks.push(element("p", { textContent: plain(take((line) => line.trim() && !special.test(line)).join(" ")) }));
    else lines.shift();
  }
  return blocks;
}

visit("/model/card.md", (text) => {
  $("card").replaceChildren(...cardBlocks(text.split("\n")));
  document.title = `Assay: ${$("card").querySelector("h1")?.textContent ?? "model card"}`;
});
