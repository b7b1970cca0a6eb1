// Marks along a scrubber: which section is where, and which of their names there is room for.

/** The last of sorted `tops` that is not beyond a pixel; 0 before the first. */
export function sectionAt(tops, pixel) {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tops[middle] <= pixel) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The year of a month such as 2023-06; "" for what is none. */
export const yearOf = (key) => (/^\d{4}-\d\d$/.test(key) ? key.slice(0, 4) : "");

/**
 * Where each year begins, as {text, y}, of those that have `least` pixels to themselves, from top to bottom. `tops` are
 * the first pixels of the sections with these `keys`, and `scale` the pixels of the scrubber for each of theirs.
 * @param {ArrayLike<number>} tops
 */
export function yearMarks(keys, tops, scale, least) {
  const marks = [];
  let before = "";
  for (const [at, key] of keys.entries()) {
    const text = yearOf(key);
    const y = tops[at] * scale;
    if (!text || text === before) continue;
    before = text;
    if (!marks.length || y - marks.at(-1).y >= least) marks.push({ text, y });
  }
  return marks;
}

/** The first section of the year before or after (`by` -1 or 1) that of section `at`. */
export function yearStep(keys, at, by) {
  const year = yearOf(keys[at]);
  let to = at;
  while (to >= 0 && to < keys.length && yearOf(keys[to]) === year) to += by;
  if (to < 0) return 0;
  if (to >= keys.length) return keys.length - 1;
  if (by < 0) while (to > 0 && yearOf(keys[to - 1]) === yearOf(keys[to])) to--;
  return to;
}
