// Where pictures go: rows that fill the width, all pictures of a row equally high, none cut off or moved later.

const NARROWEST = 0.5; // width / height: beyond these a picture is cropped in the grid, as a panorama
const WIDEST = 3;

/** The proportion in which a photo of this size is shown; 3:2 where nobody knows its size. */
export function ratio(width, height) {
  if (!width || !height) return 1.5;
  return Math.min(WIDEST, Math.max(NARROWEST, width / height));
}

/**
 * Rows of boxes for pictures of these proportions, as [{height, boxes: [{at, x, width}]}] in whole pixels; `at` is
 * the position of the picture. Each row but the last fills `width` and is about `target` high. A last row that is
 * not full is `target` high, and left out if `more` pictures are to come: it would change when they do.
 */
export function justify(ratios, width, target, gap, more = false) {
  const rows = [];
  const heightOf = (sum, n) => (width - gap * (n - 1)) / sum;
  let start = 0;
  let sum = 0;
  for (let at = 0; at < ratios.length; at++) {
    const n = at - start;
    const height = heightOf(sum + ratios[at], n + 1);
    if (height > target) {
      sum += ratios[at];
      continue;
    }
    // The row is full with this picture; without it, it may be nearer to what is wanted.
    const without = n ? heightOf(sum, n) : Infinity;
    if (without / target < target / height) {
      rows.push(row(ratios, start, at, without, width, gap));
      start = at--;
    } else {
      rows.push(row(ratios, start, at + 1, height, width, gap));
      start = at + 1;
    }
    sum = 0;
  }
  if (start < ratios.length && !more) {
    const height = Math.min(target, heightOf(sum, ratios.length - start));
    rows.push(row(ratios, start, ratios.length, height, Infinity, gap));
  }
  return rows;
}

/** A row of the pictures from `start` to before `end`; rounding must not leave a ragged edge. */
function row(ratios, start, end, height, width, gap) {
  const boxes = [];
  let x = 0;
  for (let at = start; at < end; at++) {
    const right = x + ratios[at] * height;
    const edge = at === end - 1 ? Math.min(width, Math.round(right)) : Math.round(right);
    boxes.push({ at, x: Math.round(x), width: (at === end - 1 && width < Infinity ? width : edge) - Math.round(x) });
    x = right + gap;
  }
  return { height: Math.round(height), boxes };
}

/** The box of a row (its boxes) whose middle is nearest to `x`. */
export function nearest(boxes, x) {
  const away = (box) => Math.abs(box.x + box.width / 2 - x);
  return boxes.reduce((best, box) => (away(box) < away(best) ? box : best));
}
