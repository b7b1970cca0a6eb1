// Where in a photo the words of a search are: a map of heat and boxes over the picture, and chips to choose the words.

import { html, nothing } from "../../../vendor/lit-html.js";
import { ask, heat, where } from "../../api/client.js";
import { frame } from "../../components/frames.js";
import { WHERE } from "../../components/icons.js";
import { count, percent } from "../../components/words.js";

const ON = "twobranch-where"; // in the session: each begins without maps
const SLOW_MS = 400; // after which one is told that it takes its time

/**
 * The maps of one lightbox. `changed()` is called when there is something else to draw.
 * What is drawn is that of the photo and the question of the last `look`.
 */
export function mountWhere(changed) {
  let on = sessionStorage.getItem(ON) !== null;
  let able = null; // whether the model has cells; null: not known yet
  let learning = false;
  let subject = null; // {photo, content, phrases, language}
  let chosen = null; // the phrase or word whose map is shown
  let pointed = null; // the one that is pointed at or has the focus; it comes first
  let asking = null; // {key, control} of the map that is on its way
  const maps = new Map(); // key -> {regions, element} or {problem}

  const texts = () => [...new Set(subject.phrases.flatMap(({ text, words }) => [text, ...words]))];
  const shown = () => pointed ?? chosen;
  const keyOf = (text) => JSON.stringify([subject.photo, subject.content, subject.language, text]);
  const isPossible = () => Boolean(able && subject?.phrases.length);

  async function learn() {
    if (able !== null || learning) return;
    learning = true;
    try {
      able = (await ask("api/status")).has_cells;
    } catch {
      // The next photo asks again.
    }
    learning = false;
    fetchMap();
    changed();
  }

  /** Ask for the map that is shown. What is no longer shown need not be answered. */
  async function fetchMap() {
    if (!on || !isPossible()) return;
    const text = shown();
    const key = keyOf(text);
    if (asking?.key === key) return;
    stop();
    if (maps.has(key)) return;
    const mine = (asking = { key, control: new AbortController(), slow: false });
    const late = setTimeout(() => {
      mine.slow = true;
      changed();
    }, SLOW_MS);
    const { photo, language } = subject;
    try {
      const { width, height, phrases } = await where(photo, text, language, mine.control.signal);
      maps.set(key, { regions: phrases[0].regions, element: drawn(photo, text, language, width, height, phrases[0].regions) });
    } catch (error) {
      if (error.name !== "AbortError") maps.set(key, { problem: error.message });
    } finally {
      clearTimeout(late);
      if (asking === mine) asking = null;
    }
    changed();
  }

  function stop() {
    asking?.control.abort();
    asking = null;
  }

  function show(changes) {
    if (!subject) return;
    if ("pointed" in changes) pointed = changes.pointed;
    if ("chosen" in changes) chosen = changes.chosen;
    fetchMap();
    changed();
  }

  function chip(text) {
    // A finger that taps chooses; a mouse or the focus only looks. A chip that is taken away loses the focus in the middle
    // of drawing, so what follows from that comes after it.
    return html`<button class="word" aria-pressed=${chosen === text ? "true" : "false"} title=${text}
      @pointerenter=${(event) => event.pointerType === "mouse" && show({ pointed: text })}
      @pointerleave=${(event) => event.pointerType === "mouse" && show({ pointed: null })}
      @focus=${(event) => event.target.matches(":focus-visible") && show({ pointed: text })}
      @blur=${() => queueMicrotask(() => show({ pointed: null }))}
      @click=${() => show({ chosen: text })}>${text}</button>`;
  }

  const sure = (map) => map.regions.map((region) => percent(region.confidence)).join(", ");

  /** What there is to say about the map. It lies over the picture: chips that move would flee from the mouse. */
  function note() {
    const text = shown();
    const map = maps.get(keyOf(text));
    const found = map?.regions?.length;
    const said = !map
      ? asking?.slow && `Looking for “${text}”…`
      : (map.problem ?? (found ? `“${text}” in ${count(found, "place")}: ${sure(map)}` : `Nothing here fits “${text}”`));
    return html`<p class=${said ? "map-note told" : "map-note"} role="status">${said || nothing}</p>`;
  }

  return {
    /** Look at a photo, or at another question; null: at nothing. */
    look(its) {
      subject = its;
      if (!subject?.phrases.length) return stop();
      if (!texts().includes(chosen)) chosen = subject.phrases[0].text;
      if (!texts().includes(pointed)) pointed = null;
      learn();
      fetchMap();
    },
    toggle() {
      if (able === false || !subject?.phrases.length) return;
      on = !on;
      if (on) sessionStorage.setItem(ON, "on");
      else sessionStorage.removeItem(ON);
      if (on) fetchMap();
      else stop();
      changed();
    },
    /** The best box of the map that is shown, in pixels of the photo; null if there is none. */
    get best() {
      return on && isPossible() ? (maps.get(keyOf(shown()))?.regions?.[0]?.box ?? null) : null;
    },
    /** The switch; nothing where there is nothing to look for. */
    button() {
      if (!isPossible()) return nothing;
      return html`<button class="tool" aria-pressed=${on ? "true" : "false"} aria-keyshortcuts="w" title="Show where it is (w)"
        @click=${this.toggle}>${WHERE}<span>Where</span></button>`;
    },
    /** What lies over the picture. */
    layer: () => (on && isPossible() ? (maps.get(keyOf(shown()))?.element ?? nothing) : nothing),
    /** The words below the picture, and what there is to say about them. */
    bar() {
      if (!on || !isPossible()) return nothing;
      return html`${note()}<div class="bar" role="group" aria-label="Show where">
          ${texts().map(chip)}</div>`;
    },
  };
}

/** The heat and the boxes of a phrase; nothing is drawn where nothing fits. */
function drawn(photo, text, language, width, height, regions) {
  const element = document.createElement("div");
  element.className = "map";
  element.setAttribute("aria-hidden", "true"); // the note says it
  if (!regions.length) return element;
  const image = document.createElement("img");
  image.alt = "";
  image.src = heat(photo, text, language);
  element.append(image, frame(width, height, regions.map(({ box }) => box)));
  return element;
}
