// The page of a review: a list of utterances, the one that is looked at, and what is said about it.
// Texts are shown as text nodes only, so that no transcript can act on the page.

import { Drawing } from "./drawing.js";

const element = (id) => document.getElementById(id);
const audio = element("audio");
const filters = element("filters");
const state = { rows: [], total: 0, start: 0, line: null, row: null, words: [], word: null, stretch: null, loading: 0 };
const PAGE = 50;

const drawing = new Drawing(
  element("picture"),
  element("words"),
  (seconds) => { chooseStretch(null); audio.currentTime = seconds; },
  (start, end, word = null) => { chooseStretch([start, end], word); playStretch(); },
);

async function ask(address, body) {
  const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer: start winnow review again. What was decided is saved.");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof content.detail === "string" ? content.detail : `error ${answer.status}`);
  return content;
}

function say(error) {
  element("message").textContent = error ? error.message : "";
  element("message").hidden = !error;
}

const attempt = (work) => work().then(() => say(null), say);

function make(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const number = (value, digits) => (value === null || value === undefined ? "" : value.toFixed(digits));
const percent = (value) => (value === null || value === undefined ? "" : `${(100 * value).toFixed(0)} %`);

// the list

function query() {
  const chosen = new URLSearchParams();
  for (const [name, value] of new FormData(filters)) if (value !== "") chosen.set(name, value);
  chosen.set("start", state.start);
  chosen.set("size", PAGE);
  return chosen;
}

async function loadRows(choose = "first") {
  const loading = (state.loading += 1);
  const answer = await ask(`api/rows?${query()}`);
  if (loading !== state.loading) return;
  Object.assign(state, { rows: answer.rows, total: answer.total });
  showRows();
  const line = choose === "last" ? state.rows.at(-1)?.id : state.rows.some((row) => row.id === choose) ? choose : state.rows[0]?.id;
  await open(line ?? null);
}

function showRows() {
  element("rows").replaceChildren(...state.rows.map(listRow));
  const first = state.start;
  const to = `${(first + 1).toLocaleString("en")}–${(first + state.rows.length).toLocaleString("en")}`;
  element("total").textContent = state.total ? `${to} of ${state.total.toLocaleString("en")}` : "no utterance fits";
  element("page-back").disabled = first === 0;
  element("page-on").disabled = first + PAGE >= state.total;
}

function listRow(row) {
  const line = make("tr");
  line.dataset.line = row.id;
  line.setAttribute("aria-selected", row.id === state.line);
  const cells = [
    make("td", row.id, "number"),
    make("td", row.reason ?? row.decision, row.decision),
    make("td", `${row.verdict ?? ""}${row.flagged ? " ⚑" : ""}`, row.verdict),
    make("td", number(row.doubt, 1), "number"),
    make("td", percent(row.wer), "number"),
    make("td", row.edited ?? row.text ?? ""),
  ];
  cells[5].dir = "auto";
  line.append(...cells);
  line.addEventListener("click", () => attempt(() => open(row.id)));
  return line;
}

async function go(step) {
  const at = state.rows.findIndex((row) => row.id === state.line);
  const next = state.rows[at + step];
  if (next) return open(next.id);
  return turn(step);
}

// Rows that were decided since the list was loaded are not in it any more, if it has only those that were not.
async function turn(step, choose = step > 0 ? "first" : "last") {
  const openOnly = filters.elements.state.value === "open";
  const left = openOnly ? state.rows.filter((row) => !row.verdict).length : state.rows.length;
  const start = step > 0 ? state.start + left : Math.max(0, state.start - PAGE);
  if (step > 0 ? state.start + state.rows.length >= state.total : state.start === 0) return;
  state.start = start;
  return loadRows(choose);
}

// the utterance

async function open(line) {
  audio.pause();
  hideEditor();
  Object.assign(state, { line, row: null, words: [], word: null, stretch: null });
  for (const row of element("rows").children) row.setAttribute("aria-selected", Number(row.dataset.line) === line);
  document.querySelector('tr[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  drawing.show(null, []);
  element("detail").hidden = line === null;
  showActions();
  if (line === null) return;
  const row = await ask(`api/rows/${line}`);
  if (state.line !== line) return;
  state.row = row;
  state.words = row.words;
  showRow();
  audio.src = `api/rows/${line}/audio.wav`;
  try {
    const picture = await ask(`api/rows/${line}/picture`);
    if (state.line !== line) return;
    drawing.show(picture, row.words);
    element("no-sound").hidden = true;
    showTime();
  } catch (error) {
    if (state.line !== line) return;
    element("no-sound").textContent = `No audio: ${error.message}`;
    element("no-sound").hidden = false;
  }
}

function showRow() {
  const { row } = state;
  const place = element("place");
  place.replaceChildren(make("b", `Line ${row.id}`), ` · ${row.audio_filepath ?? ""} · `);
  place.append(make("span", row.decision, row.decision));
  if (row.reasons ?? row.reason) place.append(` (${(row.reasons ?? [row.reason]).join(", ")})`);
  if (row.detail) place.append(` · ${row.detail}`);
  if (row.verdict) place.append(" · ", make("span", row.verdict, row.verdict), ` by ${row.reviewer}`);
  if (row.flagged) place.append(" · ⚑");
  showTexts(row);
  showFacts(row);
  showActions();
}

function showTexts(row) {
  const texts = [];
  const add = (heading, shown, note) => {
    shown.dir = "auto";
    const title = make("h2", heading);
    if (note) title.append(make("small", note));
    texts.push(title, shown);
  };
  if (row.edited !== null && row.edited !== row.text) add("Your text", make("p", row.edited));
  add("Reference", make("p", row.text ?? "(none)"), row.input_text !== null && row.input_text !== undefined ? `was: ${row.input_text}` : "");
  if (row.proposal !== null) add("Proposal", marked(row.proposal_marks), `${number(row.proposal_margin, 1)} nats likelier`);
  for (const model of row.models) {
    const scores = [model.wer === null || model.wer === undefined ? "" : `WER ${percent(model.wer)}`,
      model.doubt === null || model.doubt === undefined ? "" : `doubt ${number(model.doubt, 1)}`];
    add(model.role, marked(model.marks), scores.filter(Boolean).join(" · "));
    texts.at(-1).append(...(model.doubtful_words ?? []).map(doubtfulWords));
  }
  element("texts").replaceChildren(...texts);
}

function marked(marks) {
  const line = make("p");
  for (const mark of marks) {
    if (mark.read === null) line.append(make("span", mark.reference), " ");
    else {
      if (mark.reference) line.append(make("del", mark.reference), " ");
      if (mark.read) line.append(make("ins", mark.read), " ");
    }
  }
  return line;
}

// A stretch that a model doubts, as a button that plays it where its time is known.
function doubtfulWords(part) {
  const gap = part.gap === null ? "" : ` ${number(part.gap, 1)} nats`;
  const button = make("button", `${part.text || "∅"} → ${part.read || "∅"}${gap}`, "doubtful");
  button.type = "button";
  button.disabled = part.start === null || part.end === null;
  button.addEventListener("click", () => { chooseStretch([part.start, part.end]); playStretch(); });
  return button;
}

function showFacts(row) {
  const facts = [["duration", `${number(row.duration, 2)} s`], ["offset", row.offset], ["language", row.language]];
  for (const model of row.models) {
    facts.push([`${model.role}: model`, model.model], [`${model.role}: confidence`, number(model.confidence, 3)]);
    facts.push([`${model.role}: nats for each word`, number(model.evidence, 3)], [`${model.role}: no evidence`, model.no_evidence]);
  }
  facts.push(...Object.entries(row.fields).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]));
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  element("facts").replaceChildren(...shown.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
}

function showActions() {
  const { row } = state;
  for (const button of document.querySelectorAll("[data-say]")) {
    const kind = button.dataset.say;
    const judged = row && row.decision !== "quarantine";
    button.disabled = !row || (kind === "proposal" && row.proposal === null) || (kind === "undo" && !row.can_undo)
      || (["keep", "drop", "edit", "proposal"].includes(kind) && !judged);
  }
}

// audio

function chooseStretch(stretch, word = null) {
  Object.assign(state, { stretch, word });
  drawing.mark(stretch, word);
}

const play = () => audio.play().catch(() => say(new Error("This audio cannot be played.")));

function playStretch() {
  if (!state.stretch) return chooseStretch([0, audio.duration || 0]), play();
  audio.currentTime = state.stretch[0];
  return play();
}

function playWord(step) {
  const count = state.words.length || Math.ceil(audio.duration || 0);
  if (!count) return;
  const next = Math.min(count - 1, Math.max(0, state.word === null ? 0 : state.word + step));
  const word = state.words[next] ?? { start: next, end: next + 1 };
  chooseStretch([word.start, word.end], next);
  playStretch();
}

function showTime() {
  drawing.at = audio.currentTime;
  drawing.draw();
  element("time").textContent = `${audio.currentTime.toFixed(2)} of ${(audio.duration || 0).toFixed(2)} s`;
}

function follow() {
  if (state.stretch && audio.currentTime >= state.stretch[1]) audio.pause();
  showTime();
  if (!audio.paused) requestAnimationFrame(follow);
}

audio.addEventListener("play", () => requestAnimationFrame(follow));
for (const name of ["pause", "seeked", "loadedmetadata", "ended"]) audio.addEventListener(name, showTime);

// what is said

async function decide(kind, text) {
  const { line, row } = state;
  if (!row) return;
  if (kind === "edit" && text === undefined) return showEditor();
  const said = kind === "flag" && row.flagged ? "unflag" : kind;
  Object.assign(row, await ask("api/verdicts", { line, kind: said, ...(text === undefined ? {} : { text }) }));
  const listed = state.rows.find((other) => other.id === line);
  if (listed) {
    Object.assign(listed, { verdict: row.verdict, flagged: row.flagged, edited: row.edited });
    document.querySelector(`tr[data-line="${line}"]`)?.replaceWith(listRow(listed));
  }
  if (state.line === line) showRow();
  attempt(showProgress);
  if (["keep", "drop", "edit", "proposal"].includes(kind) && state.line === line) await go(1);
}

function showEditor() {
  const { row } = state;
  if (row.decision === "quarantine") return;
  element("editor").hidden = false;
  element("new-text").value = row.edited ?? row.text ?? "";
  element("new-text").focus();
}

function hideEditor() {
  element("editor").hidden = true;
}

const save = () => attempt(() => decide("edit", element("new-text").value));

async function showProgress() {
  const done = await ask("api/progress");
  const people = Object.entries(done.reviewers).map(([name, count]) => `${name} ${count}`).join(", ");
  const { keep, drop, edit } = done.kinds;
  element("progress").textContent = `${done.decided} decided: ${keep} keep, ${drop} drop, ${edit} edit${people ? ` (${people})` : ""}`;
  const shares = Object.entries({ keep: "kept", drop: "dropped" }).map(([name, word]) => {
    const { reviewed, share, low, high } = done.estimates[name];
    return reviewed ? `${word} rightly ${percent(share)} (${percent(low)} to ${percent(high)}, ${reviewed} sampled)` : "";
  });
  element("estimates").textContent = shares.filter(Boolean).join(" · ");
}

// keys and buttons

const KEYS = {
  k: () => decide("keep"), d: () => decide("drop"), p: () => state.row?.proposal && decide("proposal"),
  e: () => decide("edit"), f: () => decide("flag"), u: () => state.row?.can_undo && decide("undo"),
  ArrowDown: () => go(1), n: () => go(1), ArrowUp: () => go(-1), b: () => go(-1),
  " ": () => (audio.paused ? (chooseStretch(null), play()) : audio.pause()),
  s: playStretch, "[": () => playWord(-1), "]": () => playWord(1),
  "/": () => filters.elements.search.focus(), "?": () => element("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (element("keys").open) {
    if (event.key === "?") element("keys").close();
    return;
  }
  if (target === element("new-text")) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    if (event.key === "Escape") hideEditor();
    return;
  }
  if (target.closest("input, select, textarea")) {
    if (event.key === "Escape") target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && target.closest("button, summary")) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || event.repeat && !event.key.startsWith("Arrow")) return;
  event.preventDefault();
  attempt(async () => act());
});

for (const button of document.querySelectorAll("[data-say]")) button.addEventListener("click", () => attempt(() => decide(button.dataset.say)));
for (const button of document.querySelectorAll("[data-go]")) button.addEventListener("click", () => attempt(() => go(Number(button.dataset.go))));
element("play").addEventListener("click", KEYS[" "]);
element("play-stretch").addEventListener("click", playStretch);
element("show-keys").addEventListener("click", KEYS["?"]);
element("hide-keys").addEventListener("click", () => element("keys").close());
element("editor").addEventListener("submit", (event) => { event.preventDefault(); save(); });
element("cancel-edit").addEventListener("click", hideEditor);
element("page-back").addEventListener("click", () => attempt(() => turn(-1, "first")));
element("page-on").addEventListener("click", () => attempt(() => turn(1)));
filters.addEventListener("submit", (event) => event.preventDefault());
let waiting;
filters.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { state.start = 0; attempt(() => loadRows()); }, 200);
});

function fillChoices(choices) {
  for (const [name, values] of Object.entries(choices)) {
    const select = filters.elements[name];
    const options = Object.entries(values).map(([value, count]) => {
      const option = make("option", `${value} (${count.toLocaleString("en")})`);
      option.value = value;
      return option;
    });
    const any = make("option", "any");
    any.value = "";
    select.replaceChildren(any, ...options);
    select.parentElement.hidden = options.length < 2;
  }
}

async function showRun() {
  const run = await ask("api/run");
  element("run-name").textContent = run.name;
  element("summary").textContent = run.summary;
  document.title = `Review of ${run.name}`;
  fillChoices(run.choices);
  return run.warnings;
}

attempt(async () => {
  const [warnings] = await Promise.all([showRun(), loadRows(), showProgress()]);
  if (warnings.length) throw new Error(warnings.join("; "));
});
