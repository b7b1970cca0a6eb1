// Zooming into the photo, by mouse, wheel, fingers and keys.

import { WHOLE, clickScale, frameOf, isOnPhoto, isTooSmall, isZoomed, limited, panned, pinched, zoomedAt } from "../../components/zoom.js";
import { VIEW } from "./picture.js";

const STEP = 1.5; // of a key
const WHEEL = 0.0022; // per pixel that a wheel turns
const PINCH = 5; // a trackpad's pinch comes as small turns of the wheel
const LINE = 16; // pixels of a line, where a wheel turns by lines
const PAN = 80; // pixels of a key
const DRAG = 4; // pixels, below which a mouse has not moved
const TWICE_MS = 300;
const TWICE = 30; // pixels
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Tells the first tap from the second of two, which are near to each other in time and place. */
function makeTaps() {
  let last = null;
  return (event) => {
    const first = last;
    last = { time: event.timeStamp, x: event.clientX, y: event.clientY };
    const isSecond =
      first && last.time - first.time < TWICE_MS && Math.hypot(last.x - first.x, last.y - first.y) < TWICE;
    if (isSecond) last = null;
    return isSecond;
  };
}

/**
 * The zoom of the photo in `.frame > .canvas` of a lightbox. `photo()` gives its size in pixels (null if there is no
 * photo to zoom, or not now), `close()` is for a click on the dark around it, `sharpen()` for when the view is too small,
 * and `changed()` is called when it is zoomed and was not, or the other way round.
 */
export function mountZoom(dialog, { photo, close, sharpen, changed }) {
  let zoom = WHOLE;
  const pointers = new Map(); // id -> its last place
  let dragged = false; // since the pointer went down
  const isSecondTap = makeTaps();

  const stage = () => dialog.querySelector(".frame");

  /** The stage with the photo; null where there is nothing to zoom. */
  function frame() {
    const [size, box] = [photo(), stage()];
    if (!size || !box?.clientWidth || !box.clientHeight) return null;
    return frameOf(size, { width: box.clientWidth, height: box.clientHeight }, devicePixelRatio);
  }

  /** From the middle of the stage. */
  function pointOf({ clientX, clientY }) {
    const box = stage().getBoundingClientRect();
    return { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
  }

  function become(next, isSmooth = false) {
    const was = isZoomed(zoom);
    zoom = next;
    place(isSmooth);
    const its = frame();
    if (its && isTooSmall(VIEW, zoom, its, devicePixelRatio)) sharpen();
    if (was !== isZoomed(zoom)) changed();
  }

  function place(isSmooth) {
    const canvas = dialog.querySelector(".canvas");
    if (!canvas) return;
    canvas.classList.toggle("smooth", isSmooth);
    canvas.style.transform = isZoomed(zoom) ? `translate(${zoom.x}px, ${zoom.y}px) scale(${zoom.scale})` : "";
    canvas.style.setProperty("--zoom", String(zoom.scale)); // lines over the photo stay thin
  }

  function zoomTo(scale, point = { x: 0, y: 0 }, isSmooth = true) {
    const its = frame();
    if (its) become(zoomedAt(zoom, scale, point, its), isSmooth);
  }

  /** In to where one pointed, or out again. */
  function toggle(point) {
    const its = frame();
    if (its) zoomTo(isZoomed(zoom) ? 1 : clickScale(its), point);
  }

  const onStage = (event) => event.target instanceof Element && event.target.closest(".frame");

  dialog.addEventListener("wheel", (event) => {
    const its = onStage(event) && !event.altKey && frame();
    if (!its || (!isZoomed(zoom) && event.deltaY >= 0 && !event.ctrlKey)) return; // the page below may scroll
    event.preventDefault();
    const turned = event.deltaY * (event.deltaMode ? LINE : 1) * (event.ctrlKey ? PINCH : 1);
    become(zoomedAt(zoom, zoom.scale * Math.exp(-turned * WHEEL), pointOf(event), its));
  }, { passive: false });

  dialog.addEventListener("pointerdown", (event) => {
    if (!pointers.size) dragged = false;
    if (!onStage(event) || event.button || !frame()) return;
    pointers.set(event.pointerId, pointOf(event));
  });

  dialog.addEventListener("pointermove", (event) => {
    const from = pointers.get(event.pointerId);
    const its = from && frame();
    if (!its) return;
    const to = pointOf(event);
    if (pointers.size === 1) {
      if (!isZoomed(zoom) || (!dragged && Math.hypot(to.x - from.x, to.y - from.y) < DRAG)) return;
      if (!dragged) stage().setPointerCapture(event.pointerId); // also beyond the edge
      become(panned(zoom, to.x - from.x, to.y - from.y, its));
    } else {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      const middle = (point) => ({ x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 });
      become(pinched(zoom, middle(from), middle(to), apart(to) / apart(from), its));
    }
    dragged = true;
    pointers.set(event.pointerId, to);
  });

  function lifted(event) {
    pointers.delete(event.pointerId);
  }
  dialog.addEventListener("pointerup", lifted);
  dialog.addEventListener("pointercancel", lifted);

  // A finger that moves a zoomed photo, or two of them, must not scroll the page as well.
  dialog.addEventListener("touchmove", (event) => {
    if (event.cancelable && onStage(event) && frame() && (event.touches.length > 1 || isZoomed(zoom))) event.preventDefault();
  }, { passive: false });

  dialog.addEventListener("click", (event) => {
    const its = onStage(event) && frame();
    if (!onStage(event) || dragged) return;
    const point = pointOf(event);
    if (!its || !isOnPhoto(point, zoom, its)) close();
    else if (event.pointerType !== "touch") toggle(point);
    else if (isSecondTap(event)) toggle(point); // a single tap is how one finds out whether anything happens: nothing
  });

  new ResizeObserver(() => {
    const its = dialog.open && frame();
    if (its && isZoomed(zoom)) become(limited(zoom, its));
  }).observe(dialog);

  return {
    get isOn() {
      return isZoomed(zoom);
    },
    /** The whole photo, as for another one. */
    reset() {
      pointers.clear();
      if (isZoomed(zoom)) become(WHOLE);
    },
    toggle: () => toggle({ x: 0, y: 0 }),
    /** Do what a key says; false if it says nothing. */
    key(event) {
      if (!frame()) return false;
      const arrow = event.shiftKey && isZoomed(zoom) ? ARROWS[event.key] : null;
      if (event.key === "+" || event.key === "=") zoomTo(zoom.scale * STEP);
      else if (event.key === "-") zoomTo(zoom.scale / STEP);
      else if (event.key === "0") zoomTo(1);
      else if (arrow) become(panned(zoom, PAN * arrow[0], PAN * arrow[1], frame()), true);
      else return false;
      return true;
    },
  };
}
