// Runs are filtered and counted, and two that are ticked are shown side by side.
const rows = Array.from(document.querySelectorAll("tr[data-run]"));
const points = new Map(Array.from(document.querySelectorAll(".timeline .run"), (one) => [one.dataset.run, one]));
const texts = new Map(rows.map((row) => [row, searched(row)]));
const [filter, slug, state, count, panel, verdict, differences] =
  ["filter", "slug", "state", "count", "compare", "verdict", "differences"].map((id) => document.getElementById(id));
const bar = document.querySelector(".bar");
let picked = [];

function nameOf(row) {
  return row.querySelector("th").firstElementChild.textContent;
}

// What the filter looks in: all cells, and of the details what the user chose, not the versions of libraries.
function searched(row) {
  const parts = Array.from(row.cells).slice(0, -1).map((cell) => cell.textContent);
  for (const one of row.querySelectorAll("dl div")) {
    if (/^(run|note|model|option|check) ?/.test(one.textContent)) parts.push(one.textContent);
  }
  return parts.join(" ").toLowerCase();
}

function headings(row) {
  return Array.from(row.closest("table").tHead.rows[0].cells, (cell) => cell.textContent);
}

function isShown(row) {
  const section = row.closest("section");
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (slug.value && section.dataset.slug !== slug.value) return false;
  if (state.value === "good" && row.querySelector(".badge.fail")) return false;
  if (state.value === "sent") {
    const place = headings(row).indexOf("public");
    if (place < 0 || row.cells[place].dataset.value === undefined) return false;
  }
  return words.every((word) => texts.get(row).includes(word) || section.dataset.slug.includes(word));
}

function update() {
  let shown = 0;
  for (const row of rows) {
    row.hidden = !isShown(row);
    shown += row.hidden ? 0 : 1;
    points.get(row.dataset.run)?.classList.toggle("away", row.hidden);
  }
  for (const section of document.querySelectorAll("section.group")) {
    section.hidden = !section.querySelector("tr[data-run]:not([hidden])");
  }
  const number = shown === rows.length ? `${shown} runs` : `${shown} of ${rows.length} runs`;
  count.textContent = rows.length > 1 ? `${number}. Tick two to compare them.` : "";
}

// What a run shows in its row, and in its details: name → text.
function facts(row) {
  const found = new Map();
  headings(row).forEach((heading, place) => {
    if (!["compare", "details", "run"].includes(heading)) found.set(heading, row.cells[place].textContent.trim().replace(/\s+/g, " "));
  });
  for (const one of row.querySelectorAll("dl div")) found.set(one.children[0].textContent, one.children[1].textContent);
  return found;
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function compareScores(a, b) {
  const [one, two] = [a, b].map((row) => row.closest("section"));
  if (one !== two) return "These runs are of different competitions, files or metrics: their scores do not compare.";
  if (!a.dataset.score || !b.dataset.score) return "One of the scores is unknown.";
  const gain = (Number(b.dataset.score) - Number(a.dataset.score)) * ("greater" in one.dataset ? 1 : -1);
  const better = gain > 0 ? `${nameOf(b)} is better by` : gain < 0 ? `${nameOf(a)} is better by` : "Both scores are equal:";
  return `${better} ${Number(Math.abs(gain).toPrecision(3))}. Whether that is more than chance, on the same rows: `;
}

function showComparison() {
  const [a, b] = picked;
  const [first, second] = [facts(a), facts(b)];
  panel.classList.toggle("all", !differences.checked);
  const head = document.createElement("tr");
  for (const text of ["", nameOf(a), nameOf(b)]) {
    const cell = element("th", text);
    cell.scope = "col";
    head.append(cell);
  }
  panel.querySelector("thead").replaceChildren(head);
  const lines = [];
  for (const key of new Set([...first.keys(), ...second.keys()])) {
    const values = [first.get(key) ?? "–", second.get(key) ?? "–"];
    const differs = values[0] !== values[1];
    if (!differs && differences.checked) continue;
    const line = element("tr", "", differs ? "differs" : "");
    const heading = element("th", key);
    heading.scope = "row";
    line.append(heading, ...values.map((value) => element("td", value)));
    lines.push(line);
  }
  panel.querySelector("tbody").replaceChildren(...lines);
  const text = compareScores(a, b);
  verdict.replaceChildren(text);
  if (text.endsWith(": ")) {
    verdict.append(element("code", `kpipe compare ${a.dataset.run} ${b.dataset.run}`, "command"));
  }
}

function clear() {
  const last = picked.at(-1)?.querySelector("input");
  for (const row of [...picked]) pick(row, false);
  last?.focus();
}

function showBar() {
  bar.hidden = picked.length === 0;
  const again = element("button", "Clear");
  again.type = "button";
  again.addEventListener("click", clear);
  if (picked.length === 1) {
    bar.replaceChildren(element("span", `${nameOf(picked[0])} is ticked. Tick another run to compare it with.`), again);
  } else if (picked.length === 2) {
    const link = element("a", `Show ${nameOf(picked[0])} and ${nameOf(picked[1])} side by side`);
    link.href = "#compare";
    link.addEventListener("click", () => setTimeout(() => panel.focus({ preventScroll: true })));
    bar.replaceChildren(link, again);
  }
}

// The earlier one of two runs is unticked when a third one is ticked.
function pick(row, ticked) {
  picked = picked.filter((one) => one !== row);
  if (ticked) picked.push(row);
  for (const old of picked.splice(0, Math.max(picked.length - 2, 0))) mark(old, false);
  mark(row, ticked);
  panel.hidden = picked.length < 2;
  if (!panel.hidden) showComparison();
  showBar();
}

function mark(row, ticked) {
  row.querySelector(".pick input").checked = ticked;
  row.classList.toggle("picked", ticked);
  points.get(row.dataset.run)?.classList.toggle("picked", ticked);
}

for (const row of rows) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.setAttribute("aria-label", `Compare ${nameOf(row)}`);
  box.addEventListener("change", () => pick(row, box.checked));
  row.querySelector(".pick").append(box);
}
for (const one of [filter, slug, state]) one.addEventListener("input", update);
differences.addEventListener("change", showComparison);
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
document.documentElement.classList.add("scripted");
document.querySelector(".filters").hidden = false;
update();
