// Choosing photos in the grid: by its check mark, with Ctrl, Cmd or Shift, by a long press, and by keys.

import { closest } from "../../components/dom.js";

const LONG_PRESS_MS = 450;
const STILL = 10; // pixels that a finger may move in a long press
const CHOSEN = "is-chosen"; // id of the text that says so to screen readers

/**
 * What the grid in `element` asks about its tiles: decorate(tile, photo), press(event, photo), key(event, photo).
 * `list()` is what is shown: {length, photoAt(at)}.
 * @param {HTMLElement} element
 * @param {ReturnType<typeof import("../../state/selection.js").openSelection>} selection
 * @param {() => {length: number, photoAt: (at: number) => number}} list
 */
export function mountChoosing(element, selection, list) {
  let extends_ = false; // the next photo that gets the focus ends a range
  let pressed = 0; // timer of a long press
  let start = { x: 0, y: 0 };
  let wasLong = false; // the click that follows a long press opens nothing
  let byTouch = false;
  element.setAttribute("aria-multiselectable", "true");
  element.after(said());

  const order = () => orderOf(list());

  function decorate(tile, photo) {
    if (!tile.querySelector(".check")) tile.append(checkMark());
    const isChosen = selection.has(photo);
    tile.classList.toggle("chosen", isChosen);
    tile.closest("[role=gridcell]")?.setAttribute("aria-selected", String(isChosen));
    if (isChosen) tile.setAttribute("aria-describedby", CHOSEN);
    else tile.removeAttribute("aria-describedby");
  }

  /** True where a click chooses: beside the usual keys, any click while photos are chosen. */
  function press(event, photo) {
    if (wasLong) {
      wasLong = false;
      event.preventDefault();
      return true;
    }
    const isChoosing = selection.size && event.detail > 0; // with keys one chooses by x, and Enter opens
    const isWanted = event.shiftKey || event.ctrlKey || event.metaKey || isChoosing || event.target.closest(".check");
    if (!isWanted) return false;
    event.preventDefault();
    if (event.shiftKey) selection.extend(order(), photo);
    else selection.toggle(photo);
    return true;
  }

  function key(event, photo) {
    if (event.key === "x" && !hasModifier(event)) selection.toggle(photo);
    else if (event.key === "Escape" && selection.size) selection.clear();
    else if (event.shiftKey && event.key.startsWith("Arrow")) {
      selection.from(photo);
      extends_ = true; // the grid moves the focus
      return false;
    } else return false;
    event.preventDefault();
    return true;
  }

  element.addEventListener("focusin", (event) => {
    const tile = closest(event, "a[data-photo]");
    if (extends_ && tile) selection.extend(order(), Number(tile.dataset.photo));
    extends_ = false;
  });

  element.addEventListener("pointerdown", (event) => {
    wasLong = false;
    byTouch = event.pointerType !== "mouse";
    const tile = closest(event, "a[data-photo]");
    clearTimeout(pressed);
    if (!tile || !byTouch || !event.isPrimary) return;
    start = { x: event.clientX, y: event.clientY };
    pressed = setTimeout(() => {
      wasLong = true;
      selection.toggle(Number(tile.dataset.photo));
      navigator.vibrate?.(15);
    }, LONG_PRESS_MS);
  });
  element.addEventListener("pointermove", (event) => {
    if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > STILL) clearTimeout(pressed);
  });
  for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => clearTimeout(pressed));
  element.addEventListener("contextmenu", (event) => {
    if (byTouch && closest(event, "a[data-photo]")) event.preventDefault(); // the browser's menu of a long press
  });

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || closest(event, "input, select, textarea, dialog, [popover]")) return;
    if (event.key === "Escape" && selection.size) selection.clear();
    else if (event.key === "a" && (event.ctrlKey || event.metaKey) && list().length && !element.hidden) selection.all(order());
    else return;
    event.preventDefault();
  });

  return { decorate, press, key };
}

/** The photos of a list, in order. */
export function orderOf(list) {
  const order = new Int32Array(list.length);
  for (let at = 0; at < order.length; at++) order[at] = list.photoAt(at);
  return order;
}

const hasModifier = (event) => event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;

/** Only for the pointer: keys have `x`, and a link may not have a button inside. */
function checkMark() {
  const mark = document.createElement("span");
  mark.className = "check";
  mark.setAttribute("aria-hidden", "true");
  return mark;
}

function said() {
  const text = document.createElement("span");
  text.id = CHOSEN;
  text.hidden = true;
  text.textContent = "selected";
  return text;
}
