// The search page: ties the address, the field, the server's answers and what is shown together.

import { nothing, render } from "../vendor/lit-html.js";
import { facets, Gone, handIn, search } from "./api/client.js";
import { byId, closest } from "./components/dom.js";
import { mountPicture } from "./components/picture.js";
import { address, filtersOf, isQuery, judged, openHistory, question, withoutLast } from "./state/search.js";
import { mountIndexing } from "./views/indexing/indexing.js";
import { mountSession } from "./views/session/session.js";
import { mountLightbox } from "./views/lightbox/lightbox.js";
import { showCaptions, walkCaptions } from "./views/search/captions.js";
import { mountFilters } from "./views/search/filters.js";
import { showGiven } from "./views/search/given.js";
import { mountGrid } from "./views/search/grid.js";
import { countOf, emptiness, matching, notes, trouble } from "./views/search/notes.js";

const STEPS = [50, 200, 500]; // hits, as one scrolls
const DEBOUNCE_MS = 25; // a search takes a few milliseconds; this is for keys that come in bursts
const PERHAPS = "These perhaps match";
const WEAK = "Nothing below here matches well";

/** @type {HTMLInputElement} */
const field = byId("q");
/** @type {HTMLSelectElement} */
const sorting = byId("sort");
/** @type {HTMLInputElement[]} */
const galleries = Array.from(document.querySelectorAll("[name=in]"));
const page = openHistory(changed, () => ({ scroll: scrollY, top: answer?.hits.length ?? 0 }));
let answer = null; // what is shown
let asked = ""; // the question it answers, or that is on its way
let steps = 0; // which of STEPS it had
let running = null; // AbortController of the search that is on its way
let waiting = 0; // timer of the next search
let counted = null; // the filters that the counts were made for

const change = (changes) => page.change(changes);
const filters = mountFilters(byId("filters"), change);
const grid = mountGrid(byId("grid"), {
  addressOf: (hit) => address({ ...page.state, photo: String(hit.photo) }),
  open: (hit) => page.show(hit.photo),
  leave: toField,
});
walkCaptions(byId("captions"), toField);
const lightbox = mountLightbox(byId("lightbox"), {
  show: (id) => page.show(id),
  hide: () => page.hide(),
  more: (id) => judge("like", "unlike", id),
  less: (id) => judge("unlike", "like", id),
  part: (id, box) =>
    change({ q: "", in: "images", picture: "", like: [id], unlike: [], box: box.join(), correct: "true", dates: "true", language: "", photo: "" }),
  mayLess: () => isQuery(page.state),
  asked: () => ({ phrases: answer?.phrases ?? [], language: answer?.language ?? null }),
});
mountPicture({ button: byId("choose"), input: byId("file"), drop: byId("drop"), take });

function toField() {
  field.focus({ preventScroll: true });
}

/** A change by something that is gone with it, and with it the focus. On a phone the keyboard stays away. */
function changeFromField(changes) {
  change(changes);
  if (matchMedia("(hover: hover)").matches) toField();
}

function judge(name, other, id) {
  change({ ...judged(page.state, name, other, id), photo: "" });
}

async function take(file) {
  byId("asking").classList.add("busy");
  try {
    const picture = await handIn(file);
    change({ picture, photo: "" });
  } catch (error) {
    say(error, () => take(file));
  } finally {
    byId("asking").classList.remove("busy");
  }
}

// From the state to what is seen.

function changed(state, before, kept) {
  showState(state);
  const another = String(question(state)) !== asked;
  if (another) {
    clearTimeout(waiting);
    const typed = state.q !== before.q && document.activeElement === field && !kept;
    if (typed) waiting = setTimeout(find, DEBOUNCE_MS);
    else find(kept);
  }
  showPhoto(before.photo, !another || kept);
}

function showState(state) {
  if (field.value !== state.q) field.value = state.q;
  showGiven(byId("given"), state, changeFromField, answer?.part);
  filters.show(state);
  for (const radio of galleries) radio.checked = radio.value === state.in;
  sorting.value = state.sort;
  sorting.disabled = !isQuery(state); // without a query the newest come first in any case
  document.title = state.q.trim() ? `${state.q.trim()} – twobranch` : "twobranch";
}

function showPhoto(before, giveBack) {
  const { photo } = page.state;
  lightbox.show(photo, photosOf(answer?.hits ?? []));
  if (before && !photo && giveBack) grid.tileOf(before)?.focus();
  // Whoever walks from photo to photo comes to the end of the hits as well.
  if (answer?.hits.slice(-5).some((hit) => String(hit.photo) === photo)) grow();
}

/** Hits with a photo, each photo once: several captions may be about one. */
function photosOf(hits) {
  const first = new Map();
  for (const hit of hits) if (hit.photo !== null && !first.has(hit.photo)) first.set(hit.photo, hit);
  return [...first.values()];
}

/** Ask for what the address says. `kept` is how far one had come, when one comes back to it. */
async function find(kept = null) {
  const { state } = page;
  const another = asked !== String(question(state));
  asked = String(question(state));
  steps = Math.max(0, STEPS.findIndex((top) => top >= (kept?.top ?? 0)));
  // By date it is not known what comes first until all that may come is known.
  if (state.sort === "date" && isQuery(state)) steps = STEPS.length - 1;
  const its = await ask(state, showTrouble);
  if (!its) return;
  answer = its;
  if (another) grid.rewind();
  showAnswer();
  scrollTo(0, kept?.scroll ?? 0);
  if (state.photo) showPhoto(state.photo, false);
  countFilters();
  if (kept) growIfNear();
  else growIfShort();
}

/** The answer of the server; null if it is no longer wanted, or it failed: then `failed` is told. */
async function ask(state, failed) {
  running?.abort();
  const mine = (running = new AbortController());
  const late = setTimeout(() => byId("asking").classList.add("busy"), 250);
  try {
    return await search(question(state, STEPS[steps]), mine.signal);
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
    return null;
  } finally {
    clearTimeout(late);
    if (mine === running) {
      running = null;
      byId("asking").classList.remove("busy");
    }
  }
}

/** Says what went wrong; `again` is offered where nobody answered. */
function say(error, again) {
  render(trouble(error, error instanceof Gone ? again : null), byId("notes"));
}

/** Instead of an answer. What was found before is of another question. */
function showTrouble(error) {
  say(error, () => find());
  byId("count").textContent = "";
  asked = ""; // the same may be asked again
  if (document.activeElement === field) {
    byId("found").classList.add("stale"); // an unfinished word, perhaps
    return;
  }
  answer = null;
  grid.show([], false);
  for (const id of ["grid", "captions"]) byId(id).hidden = true;
  render(nothing, byId("empty"));
}

function showAnswer() {
  const { state } = page;
  const inCaptions = answer.in === "captions";
  const sections = sectionsOf(answer.hits, matching(answer));
  byId("found").classList.remove("stale");
  byId("count").textContent = countOf(answer, state);
  showGiven(byId("given"), state, changeFromField, answer.part); // it has the name
  render(notes(answer, state, change), byId("notes"));
  render(emptiness(answer, state, change), byId("empty"));
  byId("grid").hidden = inCaptions || !answer.hits.length;
  byId("captions").hidden = !inCaptions;
  grid.show(inCaptions ? [] : sections, mayGrow());
  showCaptions(byId("captions"), inCaptions ? sections : [], {
    addressOf: (changes) => address({ ...state, ...changes }),
    open: (hit) => page.show(hit.photo),
    lookFor: (q) => change({ q, in: "images", picture: "", like: [], unlike: [], box: "", correct: "true", dates: "true", language: "" }),
  });
}

/** The first `n` hits, those that perhaps match, and the rest, each under its line. */
function sectionsOf(hits, n) {
  if (n === null || n >= hits.length) return [{ hits, line: null }];
  const end = Math.max(n, hits.findLastIndex((hit) => hit.tier === "perhaps") + 1);
  return [
    { hits: hits.slice(0, n), line: null },
    { hits: hits.slice(n, end), line: PERHAPS },
    { hits: hits.slice(end), line: WEAK },
  ].filter((section) => section.hits.length);
}

// More hits, as one comes near the end of those that there are.

const mayGrow = () => answer !== null && steps < STEPS.length - 1 && answer.hits.length >= STEPS[steps];

async function grow() {
  const mine = String(question(page.state));
  if (running || !mayGrow() || mine !== asked) return;
  steps += 1;
  const its = await ask(page.state, () => (steps -= 1)); // the next scroll tries again
  if (!its || mine !== asked) return;
  // The line stays where it is once it is seen, even if one of the new hits is found likely by its words.
  const line = answer.n_matching;
  answer = line !== null && line < answer.hits.length ? { ...its, n_matching: line } : its;
  showAnswer();
  if (page.state.photo) showPhoto("", false);
  growIfNear(); // whoever scrolled to the end meanwhile does not scroll again
}

/** A screen that all hits do not fill has nothing to scroll. */
function growIfShort() {
  if (document.documentElement.scrollHeight <= innerHeight * 1.2) grow();
}

/** Two screens ahead, so that nobody sees the end before it is there. */
function growIfNear() {
  if (scrollY + 3 * innerHeight > document.documentElement.scrollHeight) grow();
}

addEventListener("scroll", growIfNear, { passive: true });

async function countFilters() {
  const wanted = String(filtersOf(page.state));
  if (counted === wanted) return;
  counted = wanted;
  try {
    const its = await facets(wanted);
    if (counted === wanted) filters.count(its);
  } catch {
    counted = null; // the search says what is wrong; the chips work without numbers
  }
}

// The field and the keyboard.

field.addEventListener("input", () => page.type(field.value));
field.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" && enter()) event.preventDefault();
  else if (event.key === "Backspace" && !field.value && withoutLast(page.state)) change(withoutLast(page.state));
});
field.addEventListener("blur", page.settle);

/** Go from the field to the hits; false if there are none. */
function enter() {
  /** @type {HTMLElement} */
  const caption = byId("captions").hidden ? null : byId("captions").querySelector(".caption");
  caption?.focus();
  return caption !== null || grid.enter();
}

byId("asking").addEventListener("submit", (event) => {
  event.preventDefault();
  page.settle();
  if (matchMedia("(pointer: coarse)").matches) field.blur(); // puts the keyboard of a phone away
  if (String(question(page.state)) === asked) return;
  clearTimeout(waiting);
  find();
});
document.addEventListener("keydown", (event) => {
  const typing = closest(event, "input, select, textarea, dialog");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  toField();
  field.select();
});
for (const radio of galleries) {
  radio.addEventListener("change", () => change({ in: radio.value }));
}
sorting.addEventListener("change", () => change({ sort: sorting.value }));

showState(page.state);
if (matchMedia("(hover: hover)").matches && !page.state.photo) field.focus();
find(page.kept);
mountSession();
mountIndexing(byId("library"), {
  onChange() {
    counted = null;
    find({ scroll: scrollY, top: answer?.hits.length ?? 0 }); // one stays where one is when photos come or go
  },
});
