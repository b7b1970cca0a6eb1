// The scrubber beside all photos: years from top to bottom, and where one is. To be dragged, clicked and used by keys.

import { html, render } from "../../../vendor/lit-html.js";
import { sectionAt, yearMarks, yearStep } from "../../components/marks.js";
import { sectionName } from "./browse.js";

const LEAST = 22; // pixels between the names of two years
const SHOWN_MS = 1500; // after scrolling, on a phone

/**
 * The scrubber in `element` over a grid.
 * @param {HTMLElement} element
 * @param {ReturnType<typeof import("../search/grid.js").mountGrid>} grid
 */
export function mountScrubber(element, grid) {
  let keys = []; // of the sections
  let sort = "date";
  let tops = new Float64Array(0);
  let height = 0; // of all photos, in pixels of the grid
  let room = 0; // of the scrubber, in pixels of the screen
  let hidden = 0; // the timer after which it is no longer shown on a phone
  let isDragged = false;
  element.innerHTML = "";
  const [marks, thumb, bubble] = ["years", "thumb", "bubble"].map((name) => {
    const part = document.createElement("span");
    part.className = name;
    element.append(part);
    return part;
  });

  const name = (at) => (keys[at] === undefined ? "" : sectionName(keys[at], sort));
  const here = () => sectionAt(tops, grid.extent.position + grid.extent.inset + 1);

  /** The grid has other places, or one is elsewhere. */
  function follow() {
    if (element.hidden) return;
    const extent = grid.extent;
    if (height !== extent.height || room !== element.clientHeight) place(extent);
    const at = here();
    thumb.style.transform = `translateY(${pixelOf(extent.position + extent.inset)}px)`;
    if (!isDragged) sayAt(pixelOf(extent.position + extent.inset), name(at));
    element.setAttribute("aria-valuenow", String(keys.length - 1 - at)); // up is more, as sliders have it
    element.setAttribute("aria-valuetext", name(at));
    element.classList.add("moving");
    clearTimeout(hidden);
    hidden = setTimeout(() => element.classList.remove("moving"), SHOWN_MS);
  }

  function place(extent) {
    height = extent.height;
    room = element.clientHeight;
    tops = grid.sectionTops();
    element.setAttribute("aria-valuemax", String(Math.max(0, keys.length - 1)));
    const years = sort === "date" ? yearMarks(keys, tops, room / Math.max(1, height), LEAST) : [];
    render(years.map(({ text }) => html`<span>${text}</span>`), marks);
    for (const [at, { y }] of years.entries()) {
      const mark = /** @type {HTMLElement} */ (marks.children[at]);
      mark.style.top = `${y}px`;
    }
  }

  const pixelOf = (position) => (Math.min(Math.max(position, 0), height) / Math.max(1, height)) * room;

  function sayAt(y, text) {
    bubble.textContent = text;
    bubble.style.transform = `translateY(${Math.min(Math.max(y - 16, 0), Math.max(0, room - 32))}px)`;
  }

  // The pointer.

  const pointed = (event) => {
    const y = Math.min(Math.max(event.clientY - element.getBoundingClientRect().top, 0), room);
    return { y, pixel: (y / Math.max(1, room)) * height };
  };

  function point(event) {
    const { y, pixel } = pointed(event);
    sayAt(y, name(sectionAt(tops, pixel)));
    if (isDragged) grid.goTo(pixel);
  }

  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    isDragged = true;
    element.classList.add("held");
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    point(event);
    event.preventDefault();
  });
  element.addEventListener("pointermove", point);
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, () => {
      isDragged = false;
      element.classList.remove("held");
    });
  }
  element.addEventListener("pointerleave", follow);

  // The keyboard.

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = here();
    const to = {
      ArrowUp: at - 1,
      ArrowRight: at - 1,
      ArrowDown: at + 1,
      ArrowLeft: at + 1,
      PageUp: yearStep(keys, at, -1),
      PageDown: yearStep(keys, at, 1),
      Home: 0,
      End: keys.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = Math.min(Math.max(to, 0), keys.length - 1);
    grid.goTo(next ? tops[next] : -Infinity);
  });

  element.setAttribute("role", "slider");
  element.setAttribute("aria-orientation", "vertical");
  element.setAttribute("aria-valuemin", "0");
  element.tabIndex = 0;
  grid.watch(follow);
  addEventListener("resize", follow);

  return {
    /**
     * Be beside these sections of an answer of /api/timeline; null for none.
     * @param {{sections: {key: string}[], sort: string} | null} answer
     */
    show(answer) {
      const isShown = answer !== null && answer.sections.length > 0 && grid.extent.height > 2 * innerHeight;
      keys = isShown ? answer.sections.map((section) => section.key) : [];
      sort = answer?.sort ?? sort;
      element.setAttribute("aria-label", { date: "Month", folder: "Folder", size: "Size" }[sort]);
      element.hidden = !isShown;
      height = -1; // its places are to be looked at
      follow();
      element.classList.remove("moving");
    },
  };
}
