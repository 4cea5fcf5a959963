// How far runs are, what they have cost, and what the conversations are like.

import { el, svg, get, bars, columns, count, score } from "./dom.js";
import { address } from "./view.js";

let redraw = null;

export async function show(frame) {
  const runs = el("section", { class: "runs" });
  const charts = el("section", { class: "charts" });
  const { figures } = await get(`${frame.api}/overview`);
  const told = await get(`${frame.api}/runs`);
  if (!frame.isCurrent()) return;
  frame.main.replaceChildren(el("div", { class: "overview" }, runs, charts));
  drawRuns(runs, told.runs ?? []);
  drawCharts(charts, frame, figures, told.runs ?? []);
  redraw = async (now) => {
    drawRuns(runs, now);
    const again = await get(`${frame.api}/overview`);
    if (frame.isCurrent()) drawCharts(charts, frame, again.figures, now);
  };
}

export async function follow(frame, { isNew, runs }) {
  const isRunning = runs.some((run) => run.state === "running");
  if ((isNew || isRunning) && frame?.isCurrent() && redraw) await redraw(runs);
}

function drawRuns(section, runs) {
  const one = (run) => {
    const language = ({ language: name, wanted, accepted, dropped }) => {
      const share = wanted ? Math.min((100 * accepted) / wanted, 100) : 0;
      return el("div", { class: "bar" }, el("span", { class: "label", dir: "auto" }, name),
        svg("svg", { class: "track", height: 14, role: "img", "aria-label": `${name}: ${accepted} of ${wanted}` },
          svg("rect", { height: 14, rx: 2, width: `${share}%` })),
        el("span", { class: "number" }, `${count(accepted)} of ${wanted === null ? "?" : count(wanted)}`, dropped > 0 && `, ${count(dropped)} dropped`));
    };
    const spent = run.spent.map((one) => el("tr", {},
      el("td", {}, one.agent), el("td", {}, one.model), el("td", {}, count(one.calls)), el("td", {}, count(one.prompt_tokens)),
      el("td", {}, count(one.completion_tokens)), el("td", {}, one.seconds.toFixed(2)),
      el("td", {}, one.unpriced === one.calls ? "unknown" : one.usd.toFixed(4), one.unpriced > 0 && one.unpriced < one.calls && " and more")));
    const head = ["agent", "model", "calls", "tokens read", "written", "seconds each", "USD"];
    const wasOpen = section.querySelector(`[data-run="${CSS.escape(run.id)}"]`)?.open;
    return el("details", { class: "run", "data-run": run.id, open: wasOpen ?? (run === runs.at(-1) || run.state === "running") },
      el("summary", {}, `${run.kind} ${run.id}: ${run.state.replace("_", " ")}`),
      el("p", { class: "quiet" }, `began ${run.began.slice(0, 19).replace("T", " ")}, last written ${run.updated.slice(0, 19).replace("T", " ")}`),
      ...(run.kind === "pass" ? [] : run.languages.map(language)),
      run.health && endpoints(run.health),
      spent.length > 0 && el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, ...head.map((name) => el("th", {}, name)))), el("tbody", {}, ...spent))));
  };
  section.replaceChildren(...runs.map(one));
}

/** How the endpoints of a run are, or were when it ended. */
function endpoints({ at, endpoints: all }) {
  const seconds = (number) => (number === null ? "–" : number.toFixed(2));
  const words = { up: "up", down: "down", left_out: "left out" };
  const row = ([name, one]) => el("tr", {},
    el("td", {}, name), el("td", {}, el("span", { class: `tag ${one.state === "up" ? "good" : "poor"}` }, words[one.state])),
    ...[one.requests, one.failed, one.rate_limited, one.in_flight].map((number) => el("td", {}, count(number))),
    el("td", {}, one.limit === null ? "–" : count(one.limit)), el("td", {}, seconds(one.p50_s)), el("td", {}, seconds(one.p95_s)),
    el("td", { class: "quiet" }, one.error));
  const head = ["endpoint", "", "requests", "failed", "no room", "on their way", "limit", "p50 s", "p95 s", "last trouble"];
  return el("div", { class: "wide endpoints" }, el("table", {},
    el("caption", { class: "quiet" }, `endpoints, as of ${at.slice(0, 19).replace("T", " ")}`),
    el("thead", {}, el("tr", {}, ...head.map((title) => el("th", {}, title)))), el("tbody", {}, ...Object.entries(all).map(row))));
}

function drawCharts(section, { parameters }, figures, runs) {
  const to = (filter) => address("browse", { folder: parameters.folder, ...filter });
  const linked = (rows, name) => rows.map(([value, number]) => [value, number, to({ [name]: value })]);
  const cost = new Map();
  for (const { agent, usd } of runs.flatMap((run) => run.spent)) cost.set(agent, (cost.get(agent) ?? 0) + usd);
  const calls = new Map();
  for (const one of runs.flatMap((run) => run.spent)) calls.set(one.agent, (calls.get(one.agent) ?? 0) + one.calls);
  const isPriced = [...cost.values()].some((usd) => usd > 0);
  const unit = (rows) => rows.map(([label, number]) => [label, number]);
  section.replaceChildren(
    bars(`${count(figures.conversations)} conversations`, figures.statuses.map(([value, number]) => [value === "completed" ? "accepted" : value, number, to({ status: value })])),
    figures.reasons.length > 0 ? bars("dropped for", linked(figures.reasons, "reason")) : "",
    columns("accepted, by score", unit(figures.scores)),
    figures.mean_scores.length > 0 ? bars("mean score, by language", figures.mean_scores.map(([value, number]) => [value, number, to({ language: value })]), score, 10) : "",
    bars("languages", linked(figures.languages, "language")),
    bars("question modes, in turns", linked(figures.modes, "mode")),
    columns("accepted, by turns", unit(figures.turns)),
    columns("accepted, by words", unit(figures.words)),
    isPriced ? bars("cost by agent, in USD", [...cost], (usd) => usd.toFixed(4)) : bars("calls by agent", [...calls]),
    bars(`documents shown: ${count(figures.documents_shown)}`, linked(figures.documents.slice(0, 20), "document")),
    bars("personas", linked(figures.personas.slice(0, 20), "persona")),
    figures.labels.length > 0 ? bars("labels", linked(figures.labels, "label")) : "");
}
