// Shared by the pages: elements, formats, and requests to the server.
"use strict";

const TIMEOUT = 5000, RETRY = 2000; // ms: for an answer, and from an attempt to the next

const $ = (id) => document.getElementById(id);
const put = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
const short = (n) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(n);
const number = (n, digits = 3) => n === null ? "–" : new Intl.NumberFormat("en", { maximumSignificantDigits: digits }).format(n);
const percent = (x, digits = 1) => `${(100 * x).toFixed(digits)} %`;
const plural = (n, one, many = `${one}s`) => `${short(n)} ${n === 1 ? one : many}`;
const probability = (p) => (p < 0.00005 ? "< 0.0001" : p > 0.99995 ? "> 0.9999" : p.toFixed(4));
const unquote = (text) => text.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
const clock = (date) => date.toISOString().slice(11, 19);
const clamp = (x, low, high) => Math.max(low, Math.min(high, x));
const isKnown = (x) => x !== null && x !== undefined;
const dash = (x, show) => (isKnown(x) ? show(x).replace("-", "−") : "–");
const fixed = (x, digits) => dash(x, (x) => (Number(x.toFixed(digits)) + 0).toFixed(digits)); // + 0: no −0
const count = (x) => dash(x, (x) => x.toLocaleString("en"));
const share = (x, digits = 2) => dash(x, (x) => percent(x, digits));
const brief = (x) => dash(x, (x) => `${Number((100 * x).toPrecision(2))} %`);
const fine = (x) => (x > 0.5 ? `${Number((100 - Number((100 * (1 - x)).toPrecision(2))).toPrecision(9))} %` : brief(x)); // near 0 and 1
const range = ([low, high], digits) => (isKnown(low) && isKnown(high) ? `${fixed(low, digits)} to ${fixed(high, digits)}` : "–");
const capital = (text) => text[0].toUpperCase() + text.slice(1);

// The values between two bounds in words; "" without bounds. A column without a bound has ±1e15.
function bounds(low = -1e15, high = 1e15, show = String) {
  if (low === high) return show(low);
  if (low > -1e15 && high < 1e15) return `${show(low)} to ${show(high)}`;
  return low > -1e15 ? `from ${show(low)}` : high < 1e15 ? `up to ${show(high)}` : "";
}

function element(tag, properties = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}

// Words of the markup in place of others.
function reword(root, pairs) {
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) for (const [from, to] of pairs) text.data = text.data.replaceAll(from, to);
}

// The words of the markup are about frauds; these are about another class. what: words of the class.
const classWords = ({ is_fraud, what, one, many, capital: begins }) => (is_fraud ? [] : [
  [" of that fraud, and fraudsters may find out", " of this class"], ["honest customers are disturbed", "rows are alerted"], ["so much fraud", "so much of the class"], ["of fraud up", `${what} up`], ["more suspicious, to the left less", `more likely ${what}, to the left less`],
  ["Genuine payments", "Other rows"], ["genuine payments", "other rows"], ["genuine", "other"], ["Frauds", begins], ["frauds", many], ["fraud", one],
  ["payments", "rows"], ["payment", "row"]]);
const FRAUD = { name: "fraud", is_fraud: true, what: "fraud", one: "fraud", many: "frauds", short: "frauds", other: "genuine" };

// ---- tables ----

// With these roles a table stays one for screen readers where the style sheet makes blocks of its rows.
const cell = (content, className = "") => element("td", { role: "cell", className }, ...[content].flat());
const row = (...cells) => element("tr", { role: "row" }, ...cells);

// A cell is a text or a list of texts and elements. sides: the class of each column's cells.
function fillTable(table, headings, rows, sides = []) {
  const head = headings.map((text, i) => element("th", { role: "columnheader", scope: "col", className: sides[i] ?? "" }, text));
  const body = rows.map((cells) => row(...cells.map((content, i) => {
    const td = cell(content, sides[i]);
    td.dataset.heading = headings[i];
    return td;
  })));
  table.role = "table";
  table.replaceChildren(element("thead", { role: "rowgroup" }, row(...head)), element("tbody", { role: "rowgroup" }, ...body));
  return table;
}

// columns: [heading, the cell's content of a row]; the first `texts` of them are left-aligned.
function table(id, texts, columns, rows) {
  fillTable($(id), columns.map(([heading]) => heading), rows.map((row) => columns.map(([, content]) => content(row))),
            columns.map((_, i) => (i < texts ? "" : "number")));
}

const list = (id, lines) => $(id).replaceChildren(...lines.map((content) => element("li", {}, ...[content].flat())));

// tiles: [name, value, note].
const fillTiles = (tiles) => $("tiles").replaceChildren(...tiles.map(([name, shown, note]) => element("div", {}, element("dt", { textContent: name }),
  element("dd", { textContent: shown }), element("dd", { className: "note", textContent: note }))));

// A section that has nothing to show goes, and its link.
function leaveOut(id) {
  $(id).hidden = true;
  document.querySelector(`nav a[href="#${id}"]`).hidden = true;
}

const sheet = (...content) => element("div", { className: "scroll", tabIndex: 0 }, fillTable(element("table"), ...content));

// The rows of a table that is wider than its box become blocks. Paper has room for all but those of many columns.
function fitTables({ type } = {}) {
  for (const box of document.querySelectorAll(".scroll")) {
    box.classList.remove("stacked");
    box.classList.toggle("stacked", type === "beforeprint" ? box.classList.contains("many") : box.scrollWidth > box.clientWidth);
  }
}
addEventListener("beforeprint", fitTables);
addEventListener("afterprint", fitTables);
addEventListener("resize", fitTables);
addEventListener("toggle", fitTables, true); // a closed <details> has no width

// ---- the server ----

for (const a of document.querySelectorAll(".site a")) if (a.pathname === location.pathname) a.ariaCurrent = "page";

class Locked extends Error {}
class Refused extends Error {}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem("token");
  if (/[^\x20-\xff]/.test(token ?? "")) throw new Locked(); // no header can have such a letter
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
  if (answer.status === 401) throw new Locked();
  return answer;
}

const post = (path, value) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

async function read(path) {
  const answer = await ask(path);
  if (answer.ok) return answer.text();
  const { detail = "no reason is given" } = await answer.json().catch(() => ({}));
  throw new Refused(`GET ${path} is answered with ${answer.status}: ${detail}`);
}

// ---- the page's state: starting, live, away or locked; the style sheet shows what belongs to it ----

function enter(state, alarm = "") {
  document.body.dataset.state = state;
  put("alarm", alarm);
  $("alarm").hidden = !alarm;
}

// more: what the page does meanwhile.
const fail = (e, more = "") => enter("away",
  `${e instanceof Refused ? e.message : "The server does not answer"}. The page tries again every two seconds${more}.`);

// Asks for the token, and calls again() each time one is given.
function lock(again) {
  const tried = sessionStorage.getItem("token") !== null;
  const input = element("input", { id: "token", type: "password", autocomplete: "off", required: true });
  sessionStorage.removeItem("token");
  input.setAttribute("aria-describedby", "token-error");
  if (!$("access")) $("alarm").after(element("form", { id: "access", className: "card" },
    element("h2", { textContent: "This server asks for its token" }),
    element("p", { className: "note", textContent: "It is kept for this tab only and sent to this server only." }),
    element("div", { className: "field" }, element("label", { htmlFor: "token", textContent: "Token" }), input,
            element("p", { id: "token-error", className: "error" })),
    element("button", { className: "primary", textContent: "Open the page" })));
  $("access").onsubmit = (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", $("token").value);
    $("token").value = "";
    again();
  };
  if (tried) put("token-error", "The server does not take this token.");
  enter("locked");
}

// Shows what GET path answers, as soon as the server answers and accepts the token, from the part on that the address names.
function visit(path, show) {
  const again = () => visit(path, show);
  read(path).then((text) => {
    enter("live"); // what is hidden has no size to draw in
    show(text);
    $(location.hash.slice(1))?.scrollIntoView();
  }, (e) => {
    if (e instanceof Locked) return lock(again);
    fail(e);
    setTimeout(again, RETRY);
  }).catch((e) => {
    console.info(e);
    enter("away", `This page cannot read what GET ${path} answers: the file is damaged. Restore it, then load the page again.`);
  });
}

// ---- decisions ----

// Colour, word and shape say the same, because some readers cannot use one of them.
function badge(target, decision) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(svg.namespaceURI, "path");
  const d = decision === "review" ? "M8 2v7M8 12.6v.4" : "M3 8.5 6.5 12 13 4.5";
  const style = { d, fill: "none", stroke: "currentColor", "stroke-width": 2.4, "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [key, text] of Object.entries(style)) path.setAttribute(key, text);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  target.className = `decision ${decision}`;
  target.replaceChildren(svg, decision);
  return target;
}

// A contribution: to the right it speaks for a review, to the left for approval. The largest one takes half of the box.
function contributionBar(x, largest) {
  const part = element("i", { className: x < 0 ? "approve" : "review" });
  part.style.width = `${Math.min(50, 50 * Math.abs(x / (largest || 1)))}%`;
  return element("div", { className: "bar", ariaHidden: "true" }, part);
}

// The server's messages begin in lower case and have no full stop.
const sentence = (text = "the server does not say why") => `${capital(text)}.`;
const signed = (x) => `${Math.abs(x) < 0.005 ? "±" : x < 0 ? "−" : "+"}${Math.abs(x).toFixed(2)}`;
