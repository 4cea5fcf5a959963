// Two runs side by side, by the places of their conversations.

import { el, text, get, count, score, grade } from "./dom.js";
import { address } from "./view.js";
import { asked, dialogue } from "./conversation.js";

const PAGE = 50;

export async function show(frame) {
  const { main, parameters, folders } = frame;
  const runs = [];
  for (const [number, folder] of folders.entries()) {
    const { figures } = await get(`/api/${number}/overview`);
    for (const [run, conversations] of figures.runs) runs.push({ value: `${number}:${run}`, told: `${folders.length > 1 ? `${folder}: ` : ""}${run} (${count(conversations)})` });
  }
  if (!frame.isCurrent()) return;
  if (runs.length < 2) {
    main.replaceChildren(el("p", { class: "quiet" }, "There is one run: make another one in this folder, or name two folders (dlgforge view outputs other)."));
    return;
  }
  const a = parameters.a ?? runs.at(-2).value;
  const b = parameters.b ?? runs.at(-1).value;
  const parts = (side) => [Number(side.split(":")[0]), side.slice(side.indexOf(":") + 1)];
  const [[folderA, runA], [folderB, runB]] = [parts(a), parts(b)];
  const here = (more) => address("compare", { folder: parameters.folder, a, b, ...more });
  const choose = (name, title, value) => el("label", {}, title,
    el("select", { onchange: (event) => { location.hash = here({ [name]: event.target.value }); } },
      ...runs.map((run) => el("option", { value: run.value, selected: run.value === value }, run.told))));
  const chosen = el("div", { class: "pair" }, choose("a", "left", a), choose("b", "right", b));
  const page = el("div", { class: "compare" }, chosen);
  if (parameters.left || parameters.right) {
    const side = async (folder, id) => {
      if (!id) return el("p", { class: "quiet" }, "There is none in this place.");
      const told = await asked(`/api/${folder}`, id);
      return el("div", {}, el("h2", {}, el("a", { href: address("conversation", { folder, id }) }, id)), dialogue(told));
    };
    const both = await Promise.all([side(folderA, parameters.left), side(folderB, parameters.right)]);
    page.append(el("p", {}, el("a", { href: here({ offset: parameters.offset }) }, "↑ all pairs")), el("div", { class: "sides" }, ...both));
  } else {
    const found = await get("/api/compare", { folder_a: folderA, a: runA, folder_b: folderB, b: runB, offset: parameters.offset });
    page.append(...pairs(found, parameters, here));
  }
  if (frame.isCurrent()) main.replaceChildren(page);
}

function pairs(found, parameters, here) {
  const offset = Number(parameters.offset ?? 0);
  const [higher, same, lower] = found.higher_same_lower;
  const sign = (number) => (number > 0 ? "+" : "") + score(number);
  const told = found.scored === 0 ? "no place has a score on both sides"
    : `of ${count(found.scored)} with scores on both sides the right one is higher in ${count(higher)}, the same in ${count(same)}, lower in ${count(lower)}; ` +
      `mean difference ${sign(found.mean_difference)}`;
  const side = (one) => (one ? el("span", { class: "what" },
    el("span", { class: `score ${grade(one.score)}` }, score(one.score)),
    one.status === "dropped" && el("span", { class: "tag poor" }, `dropped: ${one.reason}`), text(one.opening, { class: "opening" }))
    : el("span", { class: "what quiet" }, "none"));
  const pair = (one) => el("a", { class: "sides item", href: here({ left: one.a?.id ?? "", right: one.b?.id ?? "", offset: parameters.offset }) },
    el("span", { class: "where" }, `${one.language} ${one.slot}`, one.difference !== null && el("strong", {}, ` ${sign(one.difference)}`)), side(one.a), side(one.b));
  const last = offset + found.pairs.length;
  return [
    el("p", {}, `${count(found.total)} places; ${told}; ${count(found.status_differs)} dropped on one side alone.`),
    ...found.pairs.map(pair),
    el("p", { class: "head" }, offset > 0 && el("a", { href: here({ offset: Math.max(offset - PAGE, 0) || "" }) }, "← before"),
      last < found.total && el("a", { href: here({ offset: last }) }, "after →")),
  ];
}
