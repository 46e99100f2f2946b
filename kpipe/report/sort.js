"use strict";
// Headings of sortable tables become buttons.
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
  const numeric = heading.classList.contains("n") || heading.dataset.first === "descending";
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
    if ("fixed" in heading.dataset) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(table, heading));
  }
}
