// Where pictures go: rows that fill the width, all pictures of a row equally high, none cut off or moved later. All of
// 100,000 pictures are placed at once, so that any of them can be gone to: one number a row, and no object.

const NARROWEST = 0.5; // width / height: beyond these a picture is cropped in the grid, as a panorama
const WIDEST = 3;

/** The proportion in which a picture is shown. */
export const shownRatio = (ratio) => Math.min(WIDEST, Math.max(NARROWEST, ratio));

/**
 * Lines from top to bottom: rows of pictures, and headings, which have a `count` of 0. Line i begins at `top[i]`, is
 * `heights[i]` pixels high and has the pictures from `first[i]` on; it is of section `sections[i]`. A row that is not
 * `full` ends before the right edge.
 * @typedef {{lines: number, top: Float64Array, heights: Float64Array, first: Int32Array, count: Int32Array,
 *   sections: Int32Array, full: Uint8Array, height: number, width: number, gap: number}} Layout
 */

/**
 * Lay pictures of these proportions out. Each section has so many `photos`, which follow those of the one before, and a
 * `heading` of so many pixels, 0 for none. Rows are about `target` pixels high and fill `width`, but for the last of each
 * section; the last of all is left out if `more` pictures are to come: it would change when they do.
 * @param {ArrayLike<number>} ratios as `shownRatio` gives them
 * @param {{photos: number, heading: number}[]} sections
 * @param {{width: number, target: number, gap: number, more?: boolean}} how
 * @returns {Layout}
 */
export function layOut(ratios, sections, { width, target, gap, more = false }) {
  const lines = new Lines(ratios.length + sections.length, width, gap);
  let start = 0;
  for (const [number, { photos, heading }] of sections.entries()) {
    if (heading) lines.add(number, start, 0, heading, 0);
    const end = start + photos;
    const rest = fillRows(lines, number, ratios, start, end, target);
    if (rest < end && !(more && number === sections.length - 1)) lines.add(number, rest, end - rest, target, 0);
    start = end;
  }
  return lines.layout();
}

/** Add full rows of the pictures from `start` to before `end`; the first one that is in none. */
function fillRows(lines, section, ratios, start, end, target) {
  const heightOf = (sum, n) => (lines.width - lines.gap * (n - 1)) / sum;
  let sum = 0;
  for (let at = start; at < end; at++) {
    const n = at - start;
    const height = heightOf(sum + ratios[at], n + 1);
    if (height > target) {
      sum += ratios[at];
      continue;
    }
    // The row is full with this picture; without it, it may be nearer to what is wanted.
    const without = n ? heightOf(sum, n) : Infinity;
    if (without / target < target / height) {
      lines.add(section, start, n, without, 1);
      start = at--;
    } else {
      lines.add(section, start, n + 1, height, 1);
      start = at + 1;
    }
    sum = 0;
  }
  return start;
}

class Lines {
  constructor(most, width, gap) {
    this.n = 0;
    this.y = 0;
    this.width = width;
    this.gap = gap;
    this.top = new Float64Array(most);
    this.heights = new Float64Array(most);
    this.first = new Int32Array(most);
    this.count = new Int32Array(most);
    this.sections = new Int32Array(most);
    this.full = new Uint8Array(most);
  }

  add(section, first, count, height, full) {
    const at = this.n++;
    this.top[at] = this.y;
    this.heights[at] = Math.round(height);
    this.first[at] = first;
    this.count[at] = count;
    this.sections[at] = section;
    this.full[at] = full;
    this.y += Math.round(height) + (count ? this.gap : 0);
  }

  /** @returns {Layout} */
  layout() {
    const { n: lines, width, gap } = this;
    const [top, heights] = [this.top.slice(0, lines), this.heights.slice(0, lines)];
    const [first, count, sections] = [this.first.slice(0, lines), this.count.slice(0, lines), this.sections.slice(0, lines)];
    return { lines, top, heights, first, count, sections, full: this.full.slice(0, lines), height: this.y, width, gap };
  }
}

/**
 * The boxes of a row as [{at, x, width}] in whole pixels; rounding leaves no ragged edge.
 * @param {Layout} layout
 */
export function boxesOf(layout, line, ratios) {
  const { width, gap } = layout;
  const [start, n] = [layout.first[line], layout.count[line]];
  const end = start + n;
  let sum = 0;
  for (let at = start; at < end; at++) sum += ratios[at];
  const isFull = layout.full[line] === 1;
  const height = isFull ? (width - gap * (n - 1)) / sum : layout.heights[line];
  const boxes = [];
  let x = 0;
  for (let at = start; at < end; at++) {
    const right = x + ratios[at] * height;
    const edge = isFull && at === end - 1 ? width : Math.round(right);
    boxes.push({ at, x: Math.round(x), width: edge - Math.round(x) });
    x = right + gap;
  }
  return boxes;
}

/** The last of the first `n` positions for which `isReached` holds, of which it holds up to some; 0 if for none. */
function lastOf(n, isReached) {
  let [low, high] = [0, n - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (isReached(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The line at so many pixels from the top: the first or last one beyond the ends. */
export const lineAt = (layout, y) => lastOf(layout.lines, (line) => layout.top[line] <= y);

/** The row that has a picture; -1 if none does, as while it waits for more, or `at` is -1. */
export function rowOf(layout, at) {
  if (at < 0) return -1;
  const line = lastOf(layout.lines, (one) => layout.first[one] <= at);
  return layout.lines && at < layout.first[line] + layout.count[line] ? line : -1;
}

/** The box (of those of a row) whose middle is nearest to `x`. */
export function nearest(boxes, x) {
  const away = (box) => Math.abs(box.x + box.width / 2 - x);
  return boxes.reduce((best, box) => (away(box) < away(best) ? box : best));
}
