// Suggestions below the field while one types: an ARIA combobox. The hits keep coming at every key, whatever is
// suggested; Enter without a suggestion chosen searches.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { suggest } from "../../api/collections.js";
import { ALBUM, CALENDAR, CAMERA, CLOCK, FOLDER, LENS, PLACE, STAR } from "../../components/icons.js";
import { number } from "../../components/words.js";
import { openRecent } from "../../state/recent.js";
import { chosen } from "../../state/suggestion.js";

const PAUSE_MS = 60; // after a key: the hits of that key go first
const MOST = 6; // more would hide the hits
const KINDS = {
  recent: [CLOCK, "searched before"],
  folder: [FOLDER, "folder"],
  month: [CALENDAR, "month"],
  camera: [CAMERA, "camera"],
  place: [PLACE, "place"],
  album: [ALBUM, "album"],
  search: [STAR, "saved search"],
  word: [LENS, "word"],
};

/**
 * Suggestions of `field` in `element`. `state()` is that of the page, `change(changes)` sets it, `openSaved(query)` goes
 * to a saved search.
 * @param {HTMLInputElement} field
 * @param {HTMLElement} element
 */
export function mountSuggest(field, element, { state, change, openSaved }) {
  const recent = openRecent(storageOf());
  let shown = []; // {kind, label, photos, filter}
  let active = -1; // the suggestion that Enter chooses
  let isOpen = false;
  let isThere = true; // whether the server has suggestions
  let isEscaping = false; // the last key was Escape
  let waiting = 0;
  let asking = null;

  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-controls": "suggestion-list", "aria-haspopup": "listbox" };
  for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
  const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
  render(html`<ul role="listbox" id="suggestion-list" aria-label="Suggestions"></ul><div class="suggestion-foot"></div>`, element);

  function draw() {
    const isOff = !recent.isOn && !field.value;
    const isSeen = isOpen && (shown.length > 0 || isOff);
    element.hidden = !isSeen;
    field.setAttribute("aria-expanded", String(isSeen));
    if (isSeen && active >= 0) field.setAttribute("aria-activedescendant", `suggestion-${active}`);
    else field.removeAttribute("aria-activedescendant");
    render(shown.map(option), part("ul"));
    render(foot(), part(".suggestion-foot"));
  }

  function option(suggestion, at) {
    const [icon, kind] = KINDS[suggestion.kind] ?? KINDS.word;
    return html`<li role="option" id="suggestion-${at}" aria-selected=${String(at === active)}
      @mousedown=${(event) => event.preventDefault()} @click=${() => choose(suggestion)}>
      ${icon}<span class="value">${suggestion.label}</span>
      <span class="soft">${kind}${suggestion.photos ? html` · ${number(suggestion.photos)}` : nothing}</span>
    </li>`;
  }

  /** What one can say about recent searches, where there are some or might be. */
  function foot() {
    const button = (name, act) => html`<button type="button" class="plain" @click=${() => {
      field.focus({ preventScroll: true }); // the button goes away, and must not take the focus with it
      act();
      update();
    }}>${name}</button>`;
    if (shown.some(({ kind }) => kind === "recent")) {
      return html`${button("Clear recent searches", recent.forget)} ${button("Keep no searches", () => recent.turn(false))}`;
    }
    if (recent.isOn || field.value) return nothing;
    return html`<span class="soft">Recent searches are not kept.</span> ${button("Keep them", () => recent.turn(true))}`;
  }

  /** What was searched for before is there at once; the server's come when they come. */
  function update() {
    const text = field.value;
    const before = recent.like(text, text.trim() ? 2 : 4).map((q) => ({ kind: "recent", label: q, photos: null, filter: { q } }));
    const others = text === updatedFor ? shown.filter(({ kind }) => kind !== "recent") : [];
    shown = [...before, ...others].slice(0, MOST);
    active = -1;
    draw();
    clearTimeout(waiting);
    if (isThere) waiting = setTimeout(() => askServer(text, before), PAUSE_MS);
  }

  let updatedFor = null; // the text that the server's suggestions are for
  async function askServer(text, before) {
    asking?.abort();
    asking = new AbortController();
    try {
      const its = await suggest(text, MOST, asking.signal);
      if (!isOpen || text !== field.value) return;
      updatedFor = text;
      const was = shown[active];
      shown = [...before, ...its].slice(0, MOST);
      active = was ? shown.findIndex((one) => one.kind === was.kind && one.label === was.label) : -1;
      draw();
    } catch (error) {
      if (error.status === 404) isThere = false; // a server without them; what else is wrong, the search says
    }
  }

  function open() {
    if (!isOpen) updatedFor = null; // albums and searches may have come meanwhile
    isOpen = true;
    update();
  }

  function close() {
    clearTimeout(waiting);
    asking?.abort();
    isOpen = false;
    active = -1;
    draw();
  }

  function choose(suggestion) {
    close();
    if (suggestion.kind === "search") openSaved(suggestion.filter.query);
    else change(chosen(state(), suggestion));
    if (suggestion.kind === "recent") recent.keep(suggestion.filter.q);
    field.focus({ preventScroll: true });
  }

  function step(by) {
    const n = shown.length;
    active = (active + 1 + by + n + 1) % (n + 1) - 1; // beyond either end, the text itself
    draw();
    element.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  /** True if the key was for the suggestions. */
  function take(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey) return false;
    if (event.altKey) return event.key === "ArrowDown" && !isOpen && (open(), true);
    if (element.hidden) return false;
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" && active >= 0) choose(shown[active]);
    else return false;
    return true;
  }

  field.addEventListener("keydown", (event) => {
    isEscaping = event.key === "Escape";
    if (take(event)) {
      event.preventDefault();
      event.stopImmediatePropagation(); // the page would go to the hits
    } else if (event.key === "Enter") {
      recent.keep(field.value);
      close();
    } else if (isEscaping) close(); // they may be on their way
  }, { capture: true });
  // Escape clears a field for searching: that is no wish to see what was searched for before.
  field.addEventListener("input", () => (isEscaping ? close() : open()));
  field.addEventListener("click", open);
  for (const one of [field, element]) {
    one.addEventListener("focusout", (event) => {
      const to = /** @type {Node | null} */ (event.relatedTarget);
      if (to !== field && !element.contains(to)) close();
    });
  }
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    field.focus();
    close();
  });
  draw();

  return {
    /** Keep a query that led to a photo. */
    keep: recent.keep.bind(recent),
    close,
  };
}

/** The browser's storage, or null where it refuses. */
function storageOf() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
