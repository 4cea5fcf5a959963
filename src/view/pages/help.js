// The pages of `dlgforge help`.

import { el, get } from "./dom.js";
import { address } from "./view.js";

/** What a page is made of; another element than these is a span. */
const ELEMENTS = new Set(["h1", "h2", "h3", "p", "pre", "code", "ul", "ol", "li", "table", "tr", "th", "td", "em", "strong", "a", "blockquote"]);

export async function show(frame) {
  const { pages, pieces } = await get("/api/help", { topic: frame.parameters.topic });
  if (!frame.isCurrent()) return;
  const { topic = pages[0].topic, folder } = frame.parameters;
  const link = (page) => el("li", {}, el("a",
    { href: address("help", { folder, topic: page.topic }), "aria-current": page.topic === topic ? "page" : null }, page.title));
  const drawn = (piece) => {
    if (typeof piece === "string") return piece;
    const name = ELEMENTS.has(piece.tag) ? piece.tag : "span";
    return el(name, name === "a" ? { href: to(piece.href, folder), rel: "noreferrer" } : {}, ...piece.content.map(drawn));
  };
  frame.main.replaceChildren(el("div", { class: "help" },
    el("nav", { "aria-label": "topics" }, el("ul", {}, ...pages.map(link))), el("article", {}, ...pieces.map(drawn))));
  scrollTo(0, 0);
}

/** Where a link of a page leads: to another page, or to an address of the web; nowhere else. */
function to(href, folder) {
  const page = /^([a-z]+)\.md$/u.exec(href);
  if (page) return address("help", { folder, topic: page[1] });
  return /^https?:\/\//u.test(href) ? href : null;
}
