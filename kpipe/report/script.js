// A button collapses all sections, wide tables scroll by keyboard, and the link of the section that is read is marked.
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
