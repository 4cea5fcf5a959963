// Elements, requests and figures. Texts become text nodes and nothing else: no function here reads HTML.

/** Makes an element; `on…` properties are listeners, others are attributes, and false or null leaves one out. */
export function el(name, properties = {}, ...children) {
  return filled(document.createElement(name), properties, children);
}

/** Makes an element of SVG. */
export function svg(name, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), properties, children);
}

function filled(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** What turns the direction of what follows, which would make a text look like another one. */
const CONTROLS = /([\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/u;

/** A text of the dataset, in its own direction; marks of direction that nobody would see are shown by number. */
export function text(content, properties = {}, marks = []) {
  const parts = (said) => String(said).split(CONTROLS).map((part) => {
    if (!CONTROLS.test(part)) return part;
    const number = part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return el("span", { class: "control", title: "a mark of direction" }, `U+${number}`);
  });
  const children = [];
  let at = 0;
  for (const [start, end, title] of marks) {
    if (start < at) continue;
    children.push(...parts(content.slice(at, start)), el("mark", { title }, ...parts(content.slice(start, end))));
    at = end;
  }
  children.push(...parts(String(content ?? "").slice(at)));
  return el("div", { dir: "auto", ...properties, class: `text ${properties.class ?? ""}` }, ...children);
}

/** Where pieces of a text stand in it, white space apart, in order and without overlaps. */
export function spans(content, pieces) {
  const found = [];
  for (const [piece, title] of pieces) {
    const words = piece.trim().split(/\s+/u).filter(Boolean);
    if (words.length === 0) continue;
    const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")).join("\\s+");
    const match = new RegExp(pattern, "u").exec(content);
    if (match) found.push([match.index, match.index + match[0].length, title]);
  }
  return found.sort((one, other) => one[0] - other[0]);
}

/** Asks the server for JSON; a failure has its text. */
export async function get(path, parameters = {}) {
  const told = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(told).toString();
  return answered(await fetch(query ? `${path}?${query}` : path));
}

/** Tells the server. */
export async function post(path, body) {
  const headers = { "content-type": "application/json" };
  return answered(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function answered(response) {
  const said = await response.text();
  let told = null;
  try {
    told = JSON.parse(said);
  } catch {
    // Refusals are plain text.
  }
  if (!response.ok) throw new Error(told?.error ?? (said.trim() || `status ${response.status}`));
  return told;
}

/** A number as people write it. */
export const count = (number) => Number(number).toLocaleString("en-GB");
/** A score with one decimal at most. */
export const score = (number) => (number === null || number === undefined ? "–" : String(Math.round(number * 10) / 10));
/** A time in microseconds since 1970. */
export const time = (micros) => (micros ? new Date(micros / 1000).toISOString().slice(0, 16).replace("T", " ") : "");

/** The colour class of a score. */
export function grade(number) {
  if (number === null || number === undefined) return "none";
  return number >= 7 ? "good" : number >= 5 ? "fair" : "poor";
}

/** Bars that lie, as they come: [label, number, address]. The longest one is as long as can be, unless it is said what is. */
export function bars(title, rows, told = count, longest = null) {
  const most = longest ?? (Math.max(...rows.map(([, number]) => number), 0) || 1);
  const row = ([label, number, address]) => el("div", { class: "bar" },
    el(address ? "a" : "span", { class: "label", dir: "auto", href: address, title: label }, label || "none"),
    svg("svg", { class: "track", height: 14, role: "img", "aria-label": `${label}: ${told(number)}` },
      svg("rect", { height: 14, rx: 2, width: `${(100 * number) / most}%` })),
    el("span", { class: "number" }, told(number)));
  return chart(title, rows.length ? rows.map(row) : [el("p", { class: "quiet" }, "nothing yet")]);
}

/** Columns of a distribution: [label, number]. */
export function columns(title, rows) {
  if (rows.length === 0) return chart(title, [el("p", { class: "quiet" }, "nothing yet")]);
  const most = Math.max(...rows.map(([, number]) => number));
  const width = 100 / Math.max(rows.length, 5);
  const every = Math.ceil(rows.length / 10);
  const column = ([label, number], at) => {
    const height = Math.max((100 * number) / most, 1);
    return [
      svg("rect", { x: `${at * width + width * 0.1}%`, width: `${width * 0.8}%`, y: 118 - height, height, rx: 2 },
        svg("title", {}, `${label}: ${count(number)}`)),
      at % every === 0 && svg("text", { x: `${(at + 0.5) * width}%`, y: 134, "text-anchor": "middle" }, label),
      rows.length <= 12 && svg("text", { x: `${(at + 0.5) * width}%`, y: 114 - height, "text-anchor": "middle" }, count(number)),
    ];
  };
  return chart(title, [svg("svg", { class: "columns", height: 140, role: "img", "aria-label": title }, ...rows.map(column).flat())]);
}

function chart(title, content) {
  return el("section", { class: "chart" }, el("h3", {}, title), ...content);
}
