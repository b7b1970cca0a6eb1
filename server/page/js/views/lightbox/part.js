// A box that is drawn over a photo, to search for what is in it.

import { html, nothing } from "../../../vendor/lit-html.js";
import { between, grown, isInside, middle, moved, resized } from "../../components/frames.js";
import { PART } from "../../components/icons.js";

export const LEAST = 8; // pixels of a side; the server refuses less
const STEP = 0.02; // of the photo's longer side: how far an arrow key goes
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * The box of one lightbox. `changed()` is called when there is something else to draw, `search(box)` when one has
 * decided, and `left()` when one has not.
 */
export function mountPart({ changed, search, left }) {
  let size = null; // [width, height] of the photo, while a box is drawn
  let box = null; // left, top, right, bottom in its pixels
  let drag = null; // {from: a point, box: what was there, moving}
  let drawn = false; // the box is the user's, not the one that was offered
  let said = ""; // for screen readers

  function say() {
    const [left, top, right, bottom] = box;
    said = `${right - left} by ${bottom - top} pixels, ${left} from the left, ${top} from the top`;
  }

  function point(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(event.currentTarget.getScreenCTM().inverse());
    return { x, y };
  }

  function down(event) {
    if (!event.isPrimary || event.button) return;
    const from = point(event);
    event.currentTarget.setPointerCapture(event.pointerId);
    drag = { from, box, moving: drawn && isInside(from, box) };
  }

  function move(event) {
    if (!drag || !event.isPrimary) return;
    const to = point(event);
    box = drag.moving
      ? moved(drag.box, to.x - drag.from.x, to.y - drag.from.y, ...size)
      : between(drag.from, to, ...size);
    changed();
  }

  function up(event) {
    if (!drag || !event.isPrimary) return;
    const [left, top, right, bottom] = box;
    // A tap draws nothing, and what the system takes away (a gesture, say) was not meant.
    if (event.type === "pointercancel" || Math.min(right - left, bottom - top) < LEAST) box = drag.box;
    else drawn = true;
    drag = null;
    say();
    changed();
  }

  function leave() {
    size = box = drag = null;
    changed();
    left();
  }

  const decide = () => {
    const its = box;
    size = box = drag = null;
    search(its);
  };

  return {
    get isOn() {
      return size !== null;
    },
    /** Begin with a box, or with the middle of a photo of this size. */
    begin(width, height, its) {
      if (Math.min(width, height) < LEAST) return;
      size = [width, height];
      drawn = Boolean(its);
      box = grown(its ?? middle(width, height), width, height, LEAST);
      say();
      changed();
    },
    /** Forget the box, as for another photo. */
    end() {
      size = box = drag = null;
    },
    leave,
    button: (begin) => html`<button class="tool" aria-pressed=${size ? "true" : "false"} aria-keyshortcuts="r"
      title="More like a part of it (r)" @click=${size ? leave : begin}>${PART}<span>Part</span></button>`,
    layer() {
      if (!size) return nothing;
      const [width, height] = size;
      const [left, top, right, bottom] = box;
      const inside = `M${left} ${top}H${right}V${bottom}H${left}Z`;
      return html`<svg class="drawing" viewBox="0 0 ${width} ${height}" tabindex="0" role="application"
        aria-label="A box over the photo: arrow keys move it, with Shift they resize it, Enter searches, Escape leaves"
        @pointerdown=${down} @pointermove=${move} @pointerup=${up} @pointercancel=${up}>
        <path class="shade" fill-rule="evenodd" d="M0 0H${width}V${height}H0Z${inside}"></path>
        <path class="under" d=${inside}></path><path class="over" d=${inside}></path></svg>`;
    },
    bar() {
      if (!size) return nothing;
      return html`<div class="bar"><p>Drag a box around what you look for<span class="keys">; arrow keys move it, with Shift they resize it</span></p>
        <button class="button strong" @click=${decide}>Search for this part</button>
        <button class="button" @click=${leave}>Cancel</button>
        <span class="visually-hidden" role="status">${said}</span></div>`;
    },
    /** True for a key that was for the box. */
    key(event) {
      if (!size) return false;
      const arrow = ARROWS[event.key];
      if (event.key === "Escape") leave();
      else if (event.key === "Enter" && !event.target.closest("button, a")) decide();
      else if (arrow) {
        const step = Math.max(1, Math.round(Math.max(...size) * STEP));
        const [x, y] = arrow.map((sign) => sign * step);
        drawn = true;
        box = event.shiftKey ? resized(box, x, y, ...size, LEAST) : moved(box, x, y, ...size);
        say();
        changed();
      } else return false;
      return true;
    },
  };
}
