"use strict";
// Headings of sortable tables become buttons, a button collapses all sections, wide tables scroll by keyboard, and the
// link of the section that is read is marked.
const collator = new Intl.Collator(undefined, { numeric: true });

function key(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  return value === undefined ? { text: cell.textContent } : { number: Number(value) };
}

function compare(a, b) {
  if ("number" in a && "number" in b) return a.number - b.number;
  if ("number" in a || "number" in b) return "number" in a ? -1 : 1;
  return collator.compare(a.text, b.text);
}

function sort(table, heading) {
  const column = heading.cellIndex;
  const numeric = heading.classList.contains("n");
  const before = heading.getAttribute("aria-sort");
  const first = numeric ? "descending" : "ascending";
  const second = numeric ? "ascending" : "descending";
  const order = before === first ? second : first;
  for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, key: key(row, column) }));
  const empty = (one) => !("number" in one.key) && ["", "–"].includes(one.key.text.trim());
  const sign = order === "ascending" ? 1 : -1;
  rows.sort((a, b) => empty(a) - empty(b) || sign * compare(a.key, b.key));
  body.append(...rows.map((one) => one.row));
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  if (table.tBodies[0].rows.length < 2) continue;
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(table, heading));
  }
}

function makeFocusable() {
  for (const box of document.querySelectorAll(".scroll")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

const sections = Array.from(document.querySelectorAll("details.section"));
const collapse = document.createElement("button");
collapse.type = "button";
collapse.className = "collapse";

function label() {
  collapse.textContent = sections.some((section) => section.open) ? "Collapse all sections" : "Expand all sections";
  makeFocusable();
}

collapse.addEventListener("click", () => {
  const open = !sections.some((section) => section.open);
  for (const section of sections) section.open = open;
});
document.querySelector("nav").append(collapse);
for (const section of sections) section.addEventListener("toggle", label);

function expand() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

addEventListener("hashchange", expand);
addEventListener("resize", makeFocusable);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
for (const link of document.querySelectorAll('a[href^="#"]')) link.addEventListener("click", () => setTimeout(expand));
expand();
label();

const links = new Map(Array.from(document.querySelectorAll("nav a"), (link) => [link.hash.slice(1), link]));

function mark() {
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const named = atEnd ? sections.find((section) => `#${section.id}` === location.hash) : undefined;
  const current = named ?? sections.findLast((section) => section.getBoundingClientRect().top <= innerHeight / 4);
  for (const [name, link] of links) {
    if (current && current.id === name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

addEventListener("scroll", mark, { passive: true });
addEventListener("hashchange", mark);
