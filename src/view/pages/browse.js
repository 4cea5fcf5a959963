// The list of conversations: filtered, searched, sorted, and where one left it.

import { el, text, get, count, score, time, grade } from "./dom.js";
import { address } from "./view.js";

const PAGE = 50;
/** The parameters that a list is made of. */
export const FILTERS = ["q", "language", "mode", "status", "reason", "persona", "document", "run", "label", "min", "max", "sort"];

let selected = 0;
let scrolled = { hash: "", y: 0 };
let redraw = null;

/** The parameters of a list among those of an address. */
export function filterOf(parameters) {
  return Object.fromEntries(FILTERS.filter((name) => parameters[name]).map((name) => [name, parameters[name]]));
}

export async function show(frame) {
  const { main, parameters, api } = frame;
  const kept = scrolled.hash === location.hash ? scrolled.y : 0;
  const list = el("section", { class: "list", "aria-live": "polite" });
  // Figures of many conversations take longer than the list.
  const figures = get(`${api}/overview`);
  const side = el("div", {});
  main.replaceChildren(el("div", { class: "browse" }, side, list));
  redraw = async () => {
    const found = await get(`${api}/list`, { ...filterOf(parameters), offset: parameters.offset, limit: PAGE });
    if (frame.isCurrent()) draw(list, parameters, found);
  };
  selected = Number(parameters.at ?? -1);
  await redraw();
  scrollTo(0, kept);
  side.replaceWith(filters(parameters, (await figures).figures));
}

/** New conversations come into the list while it is looked at. */
export async function follow(frame, { isNew }) {
  if (isNew && frame?.isCurrent() && redraw) await redraw();
}

function filters(parameters, figures) {
  const go = (changed) => {
    location.hash = address("browse", { ...parameters, ...changed, offset: "", at: "" });
  };
  const select = (name, title, options, all = "all") => el("label", {}, title,
    el("select", { name, onchange: (event) => go({ [name]: event.target.value }) },
      el("option", { value: "" }, all),
      ...options.map(([value, told]) => el("option", { value, selected: parameters[name] === value }, told))));
  const counted = (rows) => rows.map(([value, number]) => [value, `${value || "none"} (${count(number)})`]);
  const number = (name, title) => el("label", {}, title,
    el("input", { name, type: "number", min: 0, max: 10, step: 0.1, value: parameters[name] ?? "", onchange: (event) => go({ [name]: event.target.value }) }));
  const documents = el("label", {}, "document",
    el("input", { name: "document", list: "documents", value: parameters.document ?? "", placeholder: "any", onchange: (event) => go({ document: event.target.value }) }),
    el("datalist", { id: "documents" }, ...figures.documents.map(([name]) => el("option", { value: name }))));
  const isSet = FILTERS.some((name) => name !== "q" && parameters[name]);
  const rest = el("details", { class: "filters", open: isSet || matchMedia("(min-width: 800px)").matches },
    el("summary", {}, "filters"),
    select("language", "language", counted(figures.languages)),
    select("status", "state", figures.statuses.map(([value, n]) => [value, `${value === "completed" ? "accepted" : value} (${count(n)})`])),
    figures.reasons.length > 0 && select("reason", "dropped for", counted(figures.reasons)),
    select("mode", "question mode", counted(figures.modes)),
    select("persona", "persona", counted(figures.personas)),
    documents,
    el("div", { class: "pair" }, number("min", "score from"), number("max", "to")),
    select("label", "label", [["keep", "keep"], ["reject", "reject"], ["note", "with a note"], ["none", "not labelled"]]),
    figures.runs.length > 1 && select("run", "run", counted(figures.runs)),
    select("sort", "order", [["oldest", "oldest first"], ["lowest", "lowest score first"], ["highest", "highest score first"], ["longest", "longest first"]], "newest first"),
    isSet && el("a", { href: address("browse", { folder: parameters.folder }) }, "take all filters off"));
  const search = el("form", { role: "search", onsubmit: (event) => { event.preventDefault(); go({ q: event.target.q.value }); } },
    el("input", { name: "q", type: "search", dir: "auto", value: parameters.q ?? "", placeholder: "words, or “a phrase”", "aria-label": "search" }),
    el("button", {}, "search"));
  return el("aside", {}, search, rest);
}

function draw(list, parameters, { total, offset, conversations }) {
  const last = offset + conversations.length;
  const page = (to, title, is) => is && el("a", { href: address("browse", { ...parameters, offset: to || "", at: "" }) }, title);
  const head = el("div", { class: "head" },
    el("span", {}, total === 1 ? "1 conversation" : `${count(total)} conversations`),
    total > 0 && el("span", { class: "quiet" }, `${count(offset + 1)} to ${count(last)}`),
    page(Math.max(offset - PAGE, 0), "← before", offset > 0),
    page(last, "after →", last < total),
    el("span", { class: "quiet hint" }, "/ search · j k choose · Enter opens"));
  const items = conversations.map((one, at) => item(one, offset + at, parameters));
  list.replaceChildren(head, ...items);
  if (total === 0) list.append(el("p", { class: "quiet" }, "No conversation passes these filters."));
  list.querySelector(".selected")?.scrollIntoView({ block: "nearest" });
}

function item(one, at, parameters) {
  const state = one.status === "dropped" ? el("span", { class: "tag poor" }, `dropped: ${one.reason}`) : null;
  return el("a", {
    class: `item ${at === selected ? "selected" : ""}`,
    "data-at": at,
    href: address("conversation", { ...filterOf(parameters), folder: parameters.folder, id: one.id, at }),
    onclick: leave,
  },
  el("span", { class: `score ${grade(one.score)}` }, score(one.score)),
  el("span", { class: "what" },
    text(one.opening, { class: "opening" }),
    el("span", { class: "facts quiet" },
      el("span", {}, one.language), el("span", {}, one.turns === 1 ? "1 turn" : `${one.turns} turns`), state,
      one.label && el("span", { class: `tag ${one.label === "keep" ? "good" : "poor"}` }, one.label),
      one.note && el("span", { class: "tag", title: one.note }, "note"),
      el("span", {}, one.persona), el("span", {}, time(one.recorded)), el("span", { class: "id" }, one.id))));
}

function leave() {
  scrolled = { hash: location.hash, y: scrollY };
}

export function key(frame, event) {
  const items = [...frame.main.querySelectorAll(".item")];
  const now = items.findIndex((one) => one.classList.contains("selected"));
  if (event.key === "/") {
    event.preventDefault();
    frame.main.querySelector("input[type=search]").focus();
  } else if (event.key === "Enter" && now >= 0 && !event.target.closest?.("a, button, summary")) {
    leave();
    location.hash = items[now].getAttribute("href");
  } else if (["j", "k"].includes(event.key) && items.length > 0) {
    const to = now < 0 ? 0 : Math.min(Math.max(now + (event.key === "j" ? 1 : -1), 0), items.length - 1);
    items[now]?.classList.remove("selected");
    items[to].classList.add("selected");
    selected = Number(items[to].dataset.at);
    items[to].scrollIntoView({ block: "nearest" });
  }
}
