// The search page: ties the address, the field, what is found and the photo seen large together.

import { render } from "../vendor/lit-html.js";
import { facets, Gone, handIn } from "./api/client.js";
import { foldAway } from "./components/bar.js";
import { byId, closest } from "./components/dom.js";
import { mountPicture } from "./components/picture.js";
import { why } from "./components/why.js";
import { around } from "./state/photolist.js";
import { address, ANEW, filtersOf, isBrowsing, isQuery, judged, onlyFilters, openHistory, read, withoutLast } from "./state/search.js";
import { mountJump } from "./views/browse/jump.js";
import { mountScrubber } from "./views/browse/scrubber.js";
import { mountCollections } from "./views/collections/collections.js";
import { mountKeys } from "./views/help/keys.js";
import { mountIndexing } from "./views/indexing/indexing.js";
import { mountSession } from "./views/session/session.js";
import { mountLightbox } from "./views/lightbox/lightbox.js";
import { mapLater } from "./views/map/later.js";
import { showChips } from "./views/search/chips.js";
import { mountFilters } from "./views/search/filters.js";
import { mountFound } from "./views/search/found.js";
import { showGiven } from "./views/search/given.js";
import { trouble } from "./views/search/notes.js";
import { showSorting, sortingOf } from "./views/search/sorting.js";
import { mountSuggest } from "./views/search/suggest.js";
import { offerToAdd } from "./views/start/adding.js";
import { filesOf, isMany } from "./views/start/dropped.js";
import { mountStart } from "./views/start/start.js";

const DEBOUNCE_MS = 25; // a search takes a few milliseconds; this is for keys that come in bursts

/** @type {HTMLInputElement} */
const field = byId("q");
/** @type {HTMLSelectElement} */
const sorting = byId("sort");
/** @type {HTMLInputElement[]} */
const galleries = Array.from(document.querySelectorAll("[name=in]"));
let waiting = 0; // timer of the next search
let counted = null; // the filters that the counts were made for
let isMarked = false; // marks or albums were changed while a photo was seen large
let library = { status: null, run: null, problem: "" }; // how it stands, as the bar knows

const page = openHistory(changed, () => ({
  anchor: found.anchor(),
  top: found.answer?.hits?.length ?? 0,
  focus: page.state.photo || tileWithFocus()?.dataset.photo,
}));
const change = (changes) => page.change(changes);
/** The same where albums or a map are seen, which know of no query. */
const look = (changes) => change({ view: "photos", ...changes });
const go = (to) => change(read(new URL(to, location.href).search));
const filters = mountFilters(byId("filters"), change);
const collections = mountCollections({
  list: () => found.list,
  redecorate: () => found.grid.redecorate(),
  state: () => page.state,
  go,
  changed: again,
});
const found = mountFound({
  state: () => page.state,
  change,
  open(photo) {
    suggestions.keep(page.state.q);
    page.show(photo);
  },
  toField,
  failed: say,
  shown: afterShown,
  grid: { ...collections.grid, title: (facts) => why(facts, found.answer) },
  views: {
    albums: collections.view,
    map: mapLater(byId("map"), {
      open: (photo) => page.show(photo),
      choose: (around) => change({ view: "photos", ...around }),
      failed: say,
    }),
  },
});
const lightbox = mountLightbox(byId("lightbox"), {
  show: (id) => page.show(id),
  hide: () => page.hide(),
  more: (id) => judge("like", "unlike", id),
  less: (id) => judge("unlike", "like", id),
  part: (id, box) => change({ ...ANEW, like: [id], box: box.join() }),
  mayLess: () => isQuery(page.state),
  answer: () => found.answer,
  linkTo: (filters) => address(onlyFilters(filters)),
  go: (filters) => change(onlyFilters(filters)),
  marked(photo, changes) {
    Object.assign(around(found.list, photo).hit ?? {}, changes);
    found.grid.redecorate();
    if (page.state.photo) isMarked = true;
    else again(); // it was closed before the server had answered
  },
  help: mountKeys(),
});
const scrubber = mountScrubber(byId("scrubber"), found.grid);
/** @type {HTMLDetailsElement} */
const jump = byId("jump");
mountJump(jump, { state: () => page.state, change, failed: say, go: (photo) => found.grid.focusPhoto(photo ?? found.list.photoAt(found.list.length - 1)) });
foldAway(document.querySelector(".top"));
const suggestions = mountSuggest(field, byId("suggestions"), {
  state: () => page.state,
  change: look,
  openSaved: (query) => go(`?${query}`),
});
const start = mountStart(byId("start"), {
  index: (folder) => indexing.start(folder),
  indexIn: (path) => indexing.startIn(path),
  stop: () => indexing.stop(),
  add: (files) => offerToAdd(files, { added: () => indexing.look(), ask: false }),
});
mountPicture({
  button: byId("choose"),
  input: byId("file"),
  drop: byId("drop"),
  take,
  isForLibrary: (data) => library.status?.adding !== false && (start.isShown || isMany(data)),
  takeAll: async (data) => offerToAdd(await filesOf(data), { added: () => indexing.look(), ask: !start.isShown }),
});

/** @returns {HTMLElement | null} */
const tileWithFocus = () => document.activeElement.closest("#grid [data-photo]");

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
    look({ picture, photo: "" });
  } catch (error) {
    say(error, () => take(file));
  } finally {
    byId("asking").classList.remove("busy");
  }
}

// From the state to what is seen.

let focusAfter = null; // the photo whose tile gets the focus when it is there again

function changed(state, before, kept) {
  showState(state);
  const isOther = found.isOther(state);
  if (isOther) {
    collections.rewind();
    clearTimeout(waiting);
    focusAfter = state.photo ? null : (kept?.focus ?? null);
    const typed = state.q !== before.q && document.activeElement === field && !kept;
    if (typed) waiting = setTimeout(found.find, DEBOUNCE_MS);
    else found.find(kept);
  }
  showPhoto();
  if (before.photo && !state.photo && !isOther) {
    found.grid.focusPhoto(before.photo);
    if (isMarked) again(); // not before: one would step through another list than one opened
    isMarked = false;
  }
}

function showState(state) {
  if (field.value !== state.q) field.value = state.q;
  showGiven(byId("given"), state, changeFromField, found.answer?.part);
  filters.show(state);
  showChips(byId("chips"), state, change);
  collections.show(state);
  for (const radio of galleries) radio.checked = radio.value === state.in;
  showSorting(sorting, state);
  jump.hidden = !isBrowsing(state);
  document.body.classList.toggle("browsing", isBrowsing(state));
  document.body.classList.add("ready");
  document.title = state.q.trim() ? `${state.q.trim()} – twobranch` : "twobranch";
}

function showPhoto() {
  const { photo } = page.state;
  const its = around(found.list, photo);
  lightbox.show(photo, its);
  // Whoever walks from photo to photo comes to the end of the hits as well.
  if (its.index >= 0) found.list.want(its.index - 3, its.index + 5);
}

/** Another list is shown, or more is known of it. */
function afterShown() {
  const { state } = page;
  scrubber.show(isBrowsing(state) ? found.answer : null);
  showGiven(byId("given"), state, changeFromField, found.answer?.part); // it has the name
  if (state.photo) lightbox.show(state.photo, around(found.list, state.photo));
  else if (focusAfter && found.grid.focusPhoto(focusAfter)) focusAfter = null;
  collections.grown();
  countFilters();
}

/** Says what went wrong; `again` is offered where nobody answered. */
function say(error, again) {
  render(trouble(error, error instanceof Gone ? again : null), byId("notes"));
}

/** The library has changed: what is shown of it is asked for again. */
function again() {
  counted = null;
  return found.again();
}

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

byId("to-map").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  change({ ...ANEW, view: "map" }); // the filters stay
});

// The field and the keyboard.

field.addEventListener("input", () => page.type(field.value));
field.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" && found.enter()) event.preventDefault();
  else if (event.key === "Backspace" && !field.value && withoutLast(page.state)) change(withoutLast(page.state));
});
field.addEventListener("blur", page.settle);

byId("asking").addEventListener("submit", (event) => {
  event.preventDefault();
  page.settle();
  if (matchMedia("(pointer: coarse)").matches) field.blur(); // puts the keyboard of a phone away
  if (!found.isOther(page.state)) return;
  clearTimeout(waiting);
  found.find();
});
document.addEventListener("keydown", (event) => {
  const typing = closest(event, "input, select, textarea, dialog");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  toField();
  field.select();
});
for (const radio of galleries) {
  radio.addEventListener("change", () => change({ in: radio.value, view: "photos" }));
}
sorting.addEventListener("change", () => change(sortingOf(sorting.value)));

showState(page.state);
if (matchMedia("(hover: hover)").matches && !page.state.photo) field.focus();
found.find(page.kept);
showPhoto();
mountSession();
const indexing = mountIndexing(byId("library"), {
  onChange: again,
  onState(its) {
    library = its;
    start.show(its);
  },
});
