// One conversation: what was said, what it rests on, what was thought of it, and how it came about.

import { el, text, spans, get, post, score, grade, count, time } from "./dom.js";
import { address } from "./view.js";
import { filterOf } from "./browse.js";

/** How far from its place in the list a conversation is looked for: others may have come meanwhile. */
const NEAR = 50;
/** Milliseconds and times to wait for an index that follows its files. */
const WAIT = 1000;
const TIMES = 5;

let around = {};
let setLabel = null;

export async function show(frame) {
  const { main, parameters, api } = frame;
  around = {};
  const told = await asked(api, parameters.id);
  if (!frame.isCurrent()) return;
  const bar = el("div", { class: "steps" });
  main.replaceChildren(el("article", { class: "conversation" }, bar, head(told), labels(api, told), ...turns(told), end(told)));
  scrollTo(0, 0);
  around = await neighbours(frame);
  if (!frame.isCurrent()) return;
  const step = (to, title) => (to ? el("a", { href: to }, title) : el("span", { class: "quiet" }, title));
  bar.replaceChildren(step(around.list, "↑ list"), step(around.before, "← before"), step(around.after, "after →"),
    el("span", { class: "quiet hint" }, "j k or ← → step · u list · y keep · n reject · 0 neither"));
}

/** What is known of a conversation; waits where the files have just changed. */
export async function asked(api, id, times = TIMES) {
  try {
    return await get(`${api}/conversation`, { id });
  } catch (error) {
    if (times === 0 || !error.message.includes("have changed")) throw error;
    await new Promise((done) => { setTimeout(done, WAIT); });
    return asked(api, id, times - 1);
  }
}

async function neighbours({ parameters, api }) {
  const filter = filterOf(parameters);
  const of = (page, more) => address(page, { ...filter, folder: parameters.folder, ...more });
  const place = Number(parameters.at ?? 0);
  const offset = Math.max(place - NEAR, 0);
  const { conversations } = await get(`${api}/list`, { ...filter, offset, limit: 2 * NEAR + 1 });
  const now = conversations.findIndex((one) => one.id === parameters.id);
  const page = Math.floor(Math.max(now < 0 ? place : offset + now, 0) / 50) * 50;
  const at = now < 0 ? place : offset + now;
  const to = (number) => conversations[number] && now >= 0 && of("conversation", { id: conversations[number].id, at: offset + number });
  return { list: of("browse", { offset: page || "", at }), before: to(now - 1), after: to(now + 1) };
}

/** What a row tells, be it of the training files or of a table. */
const told = (row) => row.metadata ?? row;

function head({ id, row, explained }) {
  const meta = told(row);
  const mean = row.judge?.avg_score ?? row.judge?.conversation?.score ?? null;
  const dropped = meta.conversation_status === "dropped";
  const detail = row.drop_detail ?? explained?.drop_detail;
  const persona = (title, said) => said && el("details", { class: "persona" }, el("summary", {}, title), text(said));
  return el("header", {},
    el("h1", {}, el("span", { class: `score ${grade(mean)}` }, score(mean)), el("span", { class: "id" }, id)),
    el("p", { class: "facts" },
      el("span", { class: `tag ${dropped ? "poor" : "good"}` }, dropped ? `dropped: ${meta.drop_reason}` : "accepted"),
      el("span", {}, meta.language), el("span", {}, `run ${meta.run_id}`),
      el("span", {}, String(meta.timestamp ?? "").slice(0, 19).replace("T", " ")),
      meta.register && el("span", {}, `register ${meta.register}`)),
    dropped && detail && text(detail, { class: "quiet" }),
    meta.whole_need && text(meta.whole_need, { class: "quiet" }),
    persona(`the user: ${meta.personas?.user_id ?? ""}`, meta.personas?.user),
    persona(`the assistant: ${meta.personas?.assistant_id ?? ""}`, meta.personas?.assistant));
}

function labels(api, { id, label }) {
  let now = label?.label ?? null;
  const note = el("textarea", { "aria-label": "note", rows: 1, dir: "auto", placeholder: "a note" });
  note.value = label?.note ?? "";
  const said = el("span", { class: "quiet", role: "status" });
  const choices = [["keep", "keep"], ["reject", "reject"], [null, "neither"]].map(([value, title]) =>
    [value, el("button", { type: "button", class: "choice", onclick: () => set(value) }, title)]);
  const draw = () => choices.forEach(([value, button]) => button.setAttribute("aria-pressed", String(value === now)));
  const set = async (value) => {
    try {
      const kept = await post(`${api}/label`, { conversation_id: id, label: value, note: note.value });
      now = kept.label;
      said.textContent = `in labels.jsonl at ${kept.labelled_at}`;
    } catch (error) {
      said.textContent = `not kept: ${error.message}`;
    }
    draw();
  };
  setLabel = set;
  note.addEventListener("change", () => set(now));
  draw();
  return el("div", { class: "labels" }, ...choices.map(([, button]) => button), note, said);
}

/** The turns of a conversation, with what each rests on. */
function turns(all) {
  const { row, explained } = all;
  const spoken = row.messages ?? [];
  const turnsOf = explained?.turns ?? [];
  const asks = row.user_reasoning ?? [];
  const number = Math.max(turnsOf.length, asks.length);
  return Array.from({ length: number }, (_, at) => turn(all, at, spoken.slice(2 * at, 2 * at + 2), turnsOf[at] ?? {}));
}

// Whose text a question was too close to.
function by({ asked_by, held_out }) {
  if (held_out) return `the held-out ${held_out}`;
  return asked_by ? `turn ${asked_by[1]} of ${asked_by[0]}` : "what was asked before";
}

function turn({ row, explained }, at, [question, answer], known) {
  const ask = row.user_reasoning?.[at] ?? {};
  const reply = row.assistant_reasoning?.[at] ?? {};
  const index = ask.turn_index ?? known.turn_index ?? at + 1;
  const verdict = row.judge?.per_turn?.find((one) => one.turn_index === index) ?? known.judge;
  const replies = (explained?.replies ?? []).filter((one) => one.turn_index === index);
  const asked = question?.content ?? known.question;
  const said = answer?.content ?? known.answer;
  const left = el("div", { class: "said" },
    ...(known.duplicates ?? []).map((one) => rejected("a duplicate, asked again", one)),
    ...(known.near_duplicates ?? []).map((one) => rejected(`${one.similarity == null ? "words of" : `too close (${one.similarity.toFixed(2)}) to`} ${by(one)}: ${one.close_to}`, one.question)),
    ...(known.regenerated ?? []).map((one) => rejected("made again", one.answer, one)),
    asked && el("div", { class: "message user" }, el("h3", {}, "user", facts([ask.intent, ask.difficulty, ask.seed_topic])), text(asked)),
    ...(known.rejected ?? []).map((one) => rejected("a rejected answer", one.answer, one)),
    said && el("div", { class: "message assistant" }, el("h3", {}, "assistant", facts([answer?.agent])), text(said)),
    (known.labels || known.unsupported_numbers?.length > 0) && el("p", { class: "quiet" },
      [known.labels, known.unsupported_numbers?.length ? `numbers that no passage has: ${known.unsupported_numbers.join(", ")}` : ""].filter(Boolean).join("; ")),
    verdict && judged(verdict, known.judge_votes),
    reasoning(ask, reply),
    journal(replies));
  const title = el("h2", {}, `turn ${index}`, facts([known.question_mode ?? ask.question_mode, known.finished === false ? "never finished" : ""]),
    verdict && el("span", { class: `score ${grade(verdict.score)}` }, score(verdict.score)));
  return el("section", { class: "turn" }, title, el("div", { class: "beside" }, left, passages(row, at, index, known, reply)));
}

const facts = (list) => el("span", { class: "quiet facts" }, ...list.filter(Boolean).map((one) => el("span", {}, one)));

function rejected(title, said, { question, labels: found, judge } = {}) {
  return el("details", { class: "message rejected" }, el("summary", {}, title, judge && ` (score ${score(judge.score)})`),
    question && text(question), text(said), found && el("p", { class: "quiet" }, found), judge && judged(judge));
}

function judged(verdict, votes = []) {
  const vote = (one) => el("li", {}, `${one.model}: ${one.verdict ? `${score(one.verdict.score)} – ${one.verdict.notes}` : "no verdict"}`);
  return el("div", { class: `judge ${grade(verdict.score)}` },
    el("strong", {}, `judge: ${score(verdict.score)} of 10`, verdict.accepted === false ? ", below what is accepted" : ""), " ",
    verdict.reasons?.length > 0 && el("span", { class: "facts" }, ...verdict.reasons.map((one) => el("span", { class: "tag" }, one))),
    verdict.notes && text(verdict.notes),
    votes.length > 0 && el("ul", {}, ...votes.map(vote)));
}

/** The passages that the assistant was shown, with what it cites of them marked. */
function passages(row, at, index, known, reply) {
  const evidence = reply.reasoning_trace?.evidence ?? [];
  const of = (ids) => evidence.filter((one) => ids.includes(one.id)).map((one) => [one.content, one.id]);
  const shown = known.passages?.length ? known.passages : fromRow(row, at);
  const one = (passage, number) => {
    const ids = passage.evidence_ids ?? [];
    const content = passage.text ?? "";
    const marks = spans(content, of(ids));
    const missing = of(ids).filter(([, id]) => !marks.some(([, , title]) => title === id));
    return el("li", { class: ids.length ? "cited" : "" },
      el("div", { class: "source" }, el("span", { class: "quiet" }, `${number + 1} `), el("bdi", {}, passage.source),
        passage.heading && el("span", { class: "quiet" }, " › ", el("bdi", {}, passage.heading)),
        ...ids.map((id) => el("span", { class: "tag good" }, id))),
      content && text(content, {}, marks),
      ...missing.map(([said, id]) => text(`${id}: ${said}`, { class: "quiet" })));
  };
  const calls = known.searches ?? reply.reasoning_trace?.retrieval_queries?.vector_db_search ?? [];
  return el("div", { class: "passages" },
    el("h3", {}, shown.length === 1 ? "1 passage" : `${shown.length} passages`),
    ...calls.map((query) => el("p", { class: "quiet" }, "searched for", text(query))),
    el("ol", {}, ...shown.map(one)),
    shown.some((passage) => !passage.text) && results(row, index));
}

/** Places without texts, where nothing else is known. */
function fromRow(row, at) {
  const { passages: all = [], turns: of = [] } = told(row).provenance ?? {};
  return (of[at] ?? []).map((number) => all[number]).filter(Boolean);
}

/** What tools returned in a turn, as the model read it. */
function results(row, index) {
  let turn = 0;
  const found = [];
  for (const message of row.messages_with_tools ?? []) {
    turn = message.turn_index ?? turn;
    if (message.role === "tool" && turn === index) found.push(text(message.content));
  }
  return found.length > 0 && el("details", {}, el("summary", {}, "what the searches returned"), ...found);
}

function reasoning(ask, reply) {
  const trace = reply.reasoning_trace ?? {};
  const lines = [
    ...(ask.grounding_facts ?? []).map((fact) => ["the question rests on", fact.fact]),
    ...(ask.notes_for_assistant ?? []).map((note) => ["note for the assistant", note]),
    ["the user model thought", ask.model_reasoning], ["the assistant thought", reply.model_reasoning],
    ...(trace.premises ?? []).map((one) => [`premise ${one.id} (${(one.evidence_refs ?? []).join(", ")})`, one.text]),
    ...(trace.thinking ?? []).map((one) => ["step", one.text]),
    ["confidence", trace.confidence], ...(trace.known_limits ?? []).map((one) => ["limit", one]),
  ].filter(([, said]) => said);
  return lines.length > 0 && el("details", {}, el("summary", {}, "reasoning"),
    ...lines.map(([title, said]) => el("div", {}, el("span", { class: "quiet" }, title), text(said))));
}

/** The replies as the journal has them. */
function journal(replies) {
  if (replies.length === 0) return null;
  const one = (reply) => {
    const [read, written] = reply.tokens ?? [];
    const price = reply.cost_usd === null ? "" : `${reply.cost_usd.toFixed(5)} USD`;
    const title = [reply.pass && `pass ${reply.pass}`, reply.stage, `attempt ${reply.attempt + 1}`, `request ${reply.round + 1}`, reply.model,
      read !== null && `${count(read)} tokens read`, written !== null && `${count(written)} written`, price].filter(Boolean).join(" · ");
    return el("details", {}, el("summary", {}, title), prompt(reply), el("pre", { dir: "auto" }, pretty(reply.text)));
  };
  return el("details", {}, el("summary", {}, replies.length === 1 ? "1 reply in the journal" : `${replies.length} replies in the journal`), ...replies.map(one));
}

/** What the model was asked, as it was sent: OpenAI's messages, Anthropic's with the system beside them, or Gemini's contents. */
function prompt({ request, model }) {
  if (!request) {
    return model?.startsWith("builtin") && el("p", { class: "quiet" }, "The built-in model is asked with the plan of the turn, not with a text.");
  }
  const { system, systemInstruction, messages, contents, tools, response_format: form, ...settings } = request;
  const first = system ?? systemInstruction?.parts;
  const all = [...(first ? [{ role: "system", content: first }] : []), ...(messages ?? contents ?? [])];
  const message = (one) => {
    const { role, content, parts, ...more } = one;
    const rest = Object.entries(more).filter(([, value]) => value !== null);
    return el("div", { class: "message asked" }, el("h3", {}, String(role ?? "user")), ...words(content ?? parts).map((said) => text(said)),
      rest.length > 0 && el("pre", { dir: "auto" }, JSON.stringify(Object.fromEntries(rest), null, 2)));
  };
  const folded = (title, value) => value && el("details", {}, el("summary", {}, title), el("pre", { dir: "auto" }, JSON.stringify(value, null, 2)));
  return el("details", { class: "prompt" }, el("summary", {}, all.length === 1 ? "prompt, 1 message" : `prompt, ${all.length} messages`),
    ...all.map(message), folded("tools", tools), folded("the form of the reply", form), folded("settings", settings), copied("raw request", request));
}

/** The texts of a message, whatever protocol it is of. */
function words(content) {
  if (content === null || content === undefined) return [];
  if (typeof content === "string") return content ? [content] : [];
  return content.map((part) => typeof part.text === "string" ? part.text : JSON.stringify(part, null, 2));
}

/** JSON in full, with a button that copies it. */
function copied(title, value) {
  const raw = JSON.stringify(value, null, 2);
  const said = el("span", { class: "quiet", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(raw);
      said.textContent = "copied";
    } catch (error) {
      said.textContent = `not copied: ${error.message}`;
    }
  };
  return el("details", {}, el("summary", {}, title),
    el("p", {}, el("button", { type: "button", onclick: copy }, "copy"), " ", said), el("pre", {}, raw));
}

function pretty(said) {
  try {
    return JSON.stringify(JSON.parse(said), null, 2);
  } catch {
    return said;
  }
}

function end({ row, explained, unexplained }) {
  const whole = row.judge?.conversation?.score === undefined ? explained?.conversation_judge : row.judge.conversation;
  return el("section", { class: "end" },
    whole && el("div", {}, el("h2", {}, "the whole conversation"), judged(whole, explained?.conversation_judge_votes)),
    unexplained && el("p", { class: "quiet" }, `What runs know of it can't be told: ${unexplained}`),
    explained && explained.replies.length === 0 && el("p", { class: "quiet" }, "The journal has none of its replies (any more)."),
    explained?.log?.length > 0 && el("details", {}, el("summary", {}, "lines of the log"), el("pre", {}, explained.log.join("\n"))),
    copied("raw JSON", row));
}

/** What was said with the scores, for two conversations side by side. */
export function dialogue({ row }) {
  const verdict = (at) => row.judge?.per_turn?.[at];
  return el("div", { class: "said" }, ...(row.messages ?? []).map((message, at) => el("div", { class: `message ${message.role}` },
    el("h3", {}, message.role, message.role === "assistant" && verdict((at - 1) / 2) &&
      el("span", { class: `score ${grade(verdict((at - 1) / 2).score)}` }, score(verdict((at - 1) / 2).score))),
    text(message.content),
    message.role === "assistant" && verdict((at - 1) / 2)?.notes && text(verdict((at - 1) / 2).notes, { class: "quiet" }))));
}

export function key(frame, event) {
  const to = { j: around.after, ArrowRight: around.after, k: around.before, ArrowLeft: around.before, u: around.list, Escape: around.list }[event.key];
  if (to) {
    event.preventDefault();
    location.hash = to;
  } else if (["y", "n", "0"].includes(event.key)) {
    setLabel?.({ y: "keep", n: "reject", 0: null }[event.key]);
  }
}
