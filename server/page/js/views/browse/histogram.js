// When photos were taken, as bars, of which one takes a span as a filter: by clicking or dragging over them, or with a
// slider for each end.

import { html, nothing, svg } from "../../../vendor/lit-html.js";
import { bucketsOf, chosenBuckets, spanOfBuckets } from "../../components/buckets.js";
import { count, monthAndYear } from "../../components/words.js";

const HEIGHT = 40; // of the tallest bar, in units of the picture; a bar is 10 wide

/**
 * The bars for the `months` of an answer of /api/facets and the filter `after` to `before`; `choose({after, before})` is
 * called with another.
 * @param {{months: {value: string, photos: number}[], after: string, before: string, choose: (span: {after: string, before: string}) => void}} what
 */
export function histogram({ months, after, before, choose }) {
  const buckets = bucketsOf(months);
  if (buckets.length < 2) return nothing;
  const [first, last] = chosenBuckets(buckets, after, before);
  const isChosen = Boolean(after || before);
  const take = (one, other) => choose(spanOfBuckets(buckets, one, other));
  return html`<div class="histogram">
    ${bars(buckets, isChosen ? [first, last] : [0, -1], take)}
    <div class="range">
      ${end("From", buckets, first, (at) => take(at, Math.max(at, last)))}
      ${end("To", buckets, last, (at) => take(Math.min(first, at), at))}
    </div>
    <div class="ends" aria-hidden="true"><span>${monthAndYear(buckets[0].key)}</span><span>${monthAndYear(buckets.at(-1).key)}</span></div>
  </div>`;
}

const wordsOf = ({ key, photos }) => `${monthAndYear(key)}, ${count(photos, "photo")}`;

function end(name, buckets, at, choose) {
  return html`<input type="range" aria-label=${name} aria-valuetext=${wordsOf(buckets[at])} min="0" max=${buckets.length - 1} .value=${String(at)}
    @change=${(event) => choose(Number(event.target.value))}
    @input=${(event) => event.target.setAttribute("aria-valuetext", wordsOf(buckets[Number(event.target.value)]))}>`;
}

function bars(buckets, [first, last], take) {
  const most = buckets.reduce((sum, { photos }) => Math.max(sum, photos), 1);
  const tall = (photos) => (photos ? Math.max(1.5, (HEIGHT * photos) / most) : 0);
  return svg`<svg viewBox="0 0 ${10 * buckets.length} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true"
    @pointerdown=${down} @pointermove=${(event) => mark(event, buckets.length)} @pointerup=${(event) => up(event, buckets.length, take)}>
    ${buckets.map((bucket, at) => svg`<g><title>${wordsOf(bucket)}</title>
      <rect class="all" x=${10 * at} y="0" width="10" height=${HEIGHT}></rect>
      <rect class=${at >= first && at <= last ? "bar on" : "bar"} x=${10 * at + 0.5} width="9"
        y=${HEIGHT - tall(bucket.photos)} height=${tall(bucket.photos)}></rect></g>`)}
  </svg>`;
}

/** The bar under the pointer. */
function barAt(event, n) {
  const box = event.currentTarget.getBoundingClientRect();
  return Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * n), 0), n - 1);
}

function down(event) {
  event.currentTarget.setPointerCapture(event.pointerId);
  event.currentTarget.dataset.x = String(event.clientX);
  event.preventDefault();
}

/** The bar where the drag began. */
const beganAt = (event, n) => barAt({ currentTarget: event.currentTarget, clientX: Number(event.currentTarget.dataset.x) }, n);

function mark(event, n) {
  if (event.currentTarget.dataset.x === undefined) return;
  const [one, other] = [beganAt(event, n), barAt(event, n)];
  for (const [at, bar] of [...event.currentTarget.querySelectorAll(".bar")].entries()) {
    bar.classList.toggle("on", at >= Math.min(one, other) && at <= Math.max(one, other));
  }
}

function up(event, n, take) {
  if (event.currentTarget.dataset.x === undefined) return;
  const one = beganAt(event, n);
  delete event.currentTarget.dataset.x;
  take(one, barAt(event, n));
}
