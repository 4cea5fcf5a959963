// The frame of all pages: which one the address names, what is told above it, keys.

import { el, get, count } from "./dom.js";
import * as browse from "./browse.js";
import * as conversation from "./conversation.js";
import * as overview from "./overview.js";
import * as compare from "./compare.js";
import * as help from "./help.js";

const PAGES = { browse, conversation, overview, compare, help };
/** Milliseconds between two looks at how the files are. */
const LOOK = 2000;

const header = document.getElementById("header");
const notices = document.getElementById("notices");
const main = document.getElementById("main");

let folders = [];
let shown = null;
let revision = null;

/** What the address names: the page, and its parameters. */
function place() {
  const [path, query] = location.hash.replace(/^#\/?/u, "").split("?");
  const parameters = Object.fromEntries(new URLSearchParams(query ?? ""));
  return { page: PAGES[path] ? path : "browse", parameters };
}

/** The address of a page; what is empty is left out. */
export function address(page, parameters) {
  const told = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(told).toString();
  return `#/${page}${query ? `?${query}` : ""}`;
}

function drawHeader(page, parameters) {
  const folder = Number(parameters.folder ?? 0);
  const link = (name, title) => el("a", { href: address(name, { folder: parameters.folder }), "aria-current": page === name ? "page" : null }, title);
  const choose = el("select", { "aria-label": "folder", onchange: (event) => { location.hash = address("browse", { folder: event.target.value }); } },
    ...folders.map((name, number) => el("option", { value: number, selected: number === folder }, name)));
  header.replaceChildren(
    el("strong", {}, "dlgforge"),
    el("nav", {}, link("browse", "Browse"), link("overview", "Overview"), link("compare", "Compare"), link("help", "Help")),
    folders.length > 1 ? choose : el("span", { class: "quiet folder" }, folders[0] ?? ""));
}

async function show() {
  const { page, parameters } = place();
  drawHeader(page, parameters);
  const frame = { main, parameters, api: `/api/${parameters.folder ?? 0}`, folders, isCurrent: () => shown === frame };
  shown = frame;
  document.title = `${page} – dlgforge`;
  try {
    await PAGES[page].show(frame);
  } catch (error) {
    if (shown === frame) main.replaceChildren(el("p", { class: "failure" }, error.message));
  }
}

/** Tells how far the index is and what is wrong, and has the page follow. */
async function look() {
  const { page, parameters } = place();
  try {
    const told = await get(`/api/${parameters.folder ?? 0}/runs`);
    const { indexed, trouble } = told.state;
    const lines = trouble.filter(Boolean).map((line) => el("p", { class: "failure" }, line));
    if (told.unknown) lines.push(el("p", { class: "failure" }, told.unknown));
    if (indexed.done < indexed.total) {
      const share = Math.floor((100 * indexed.done) / indexed.total);
      lines.unshift(el("p", {}, `indexing: ${share} % of ${count(Math.ceil(indexed.total / 1e6))} MB`));
    }
    notices.replaceChildren(...lines);
    const now = `${parameters.folder ?? 0} ${told.state.revision} ${indexed.done}`;
    const isNew = revision !== null && now !== revision;
    revision = now;
    await PAGES[page].follow?.(shown, { isNew, runs: told.runs ?? [] });
  } catch (error) {
    notices.replaceChildren(el("p", { class: "failure" }, `${error.message}: has \`dlgforge view\` ended?`));
  }
  setTimeout(look, LOOK);
}

addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape" && isTyping) event.target.blur();
  else if (!isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) PAGES[place().page].key?.(shown, event);
});

folders = (await get("/api/folders").catch((error) => {
  main.replaceChildren(el("p", { class: "failure" }, error.message));
  return { folders: [] };
})).folders;
await show();
look();
