// Builds elements. Text from outside is only ever set as text, and a link leads to http or https only.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element with attributes and children; children that are no nodes become text, null is left out. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Return a link, or the text alone if the address is none that may be opened. */
export function link(address, text, attributes = {}) {
  const url = web(address);
  if (url === null) return el("span", attributes, text);
  return el("a", { ...attributes, href: url, click: follow, auxclick: follow }, text);
}

function web(address) {
  if (typeof address !== "string") return null;
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

// Airflow shows this page in a sandboxed frame, whose links may open nothing outside of it. Airflow's own document may.
function follow(event) {
  if (window.parent === window || event.button > 1) return;
  event.preventDefault();
  const opener = window.parent.document;
  const anchor = opener.createElement("a");
  anchor.href = event.currentTarget.href;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  opener.body.append(anchor);
  anchor.click();
  anchor.remove();
}

/** Return a table with a caption for screen readers; each row is a list of cells. */
export function table(caption, columns, rows) {
  const heads = columns.map(({ title, number }) => el("th", { scope: "col", class: number ? "number" : null }, title));
  const body = rows.map((cells) =>
    el("tr", {}, cells.map((cell, place) => el("td", { class: columns[place].number ? "number" : null }, cell ?? "–"))),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, body)),
  );
}

export const note = (...text) => el("p", { class: "note" }, ...text);

export const more = (text, onClick) => el("button", { type: "button", class: "more", click: onClick }, text);

export function show(section, children, count = "") {
  const place = document.getElementById(section);
  const counted = place.querySelector(".count");
  if (counted) counted.textContent = count;
  place.querySelector(".content").replaceChildren(...children);
}

const numbers = new Intl.NumberFormat("en");

/** Return a number with separators; null for what is no number. */
export const number = (value) => (typeof value === "number" ? numbers.format(value) : null);

const units = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** Return a moment as people say it, with the exact time as its title. */
export function moment(iso) {
  const date = new Date(iso);
  if (!iso || Number.isNaN(date.getTime())) return null;
  const seconds = (date.getTime() - Date.now()) / 1000;
  const [unit, length] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  const words = Math.abs(seconds) < 45 ? "now" : relative.format(Math.round(seconds / length), unit);
  return el("time", { datetime: date.toISOString(), title: date.toLocaleString() }, words);
}
