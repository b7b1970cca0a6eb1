// Rows of pictures that fill the width.

import assert from "node:assert/strict";
import { test } from "node:test";
import { boxesOf, layOut, lineAt, nearest, rowOf, shownRatio } from "../../server/page/js/components/justified.js";

const HOW = { width: 420, target: 100, gap: 4 };
const boxes = (layout, line, ratios) => boxesOf(layout, line, ratios).map(({ at, x, width }) => [at, x, width]);

/** Numbers from 0 to 1 that are the same each time. */
function* numbers(seed) {
  for (let value = seed; ; ) yield (value = (value * 16807) % 2147483647) / 2147483647;
}

test("rows fill the width", () => {
  // Four squares at 100 and three gaps of 4 are 412 wide: in 420 they are (420 - 12) / 4 = 102 high, which is
  // nearer to 100 than the 80.8 of five.
  const ratios = [1, 1, 1, 1, 1, 2];
  const layout = layOut(ratios, [{ photos: 6, heading: 0 }], HOW);
  assert.deepEqual([...layout.heights], [102, 100]);
  assert.deepEqual([...layout.top], [0, 106]); // 102 and the gap
  assert.equal(layout.height, 210);
  assert.deepEqual(boxes(layout, 0, ratios), [[0, 0, 102], [1, 106, 102], [2, 212, 102], [3, 318, 102]]);
  // The last row is not stretched: as high as was wanted, and as wide as that makes it.
  assert.deepEqual(boxes(layout, 1, ratios), [[4, 0, 100], [5, 104, 200]]);
});

test("each section begins a row, under its heading", () => {
  const layout = layOut([1, 1, 1], [{ photos: 2, heading: 50 }, { photos: 1, heading: 30 }], HOW);
  assert.deepEqual([...layout.count], [0, 2, 0, 1]);
  assert.deepEqual([...layout.sections], [0, 0, 1, 1]);
  assert.deepEqual([...layout.top], [0, 50, 154, 184]); // headings have no gap below, rows of 100 one of 4
});

test("a row that would change is kept back, in the last section alone", () => {
  const sections = [{ photos: 6, heading: 0 }, { photos: 1, heading: 20 }];
  const layout = layOut([1, 1, 1, 1, 1, 2, 1], sections, { ...HOW, more: true });
  assert.deepEqual([...layout.count], [4, 2, 0]);
  assert.equal(rowOf(layout, 6), -1);
  assert.equal(rowOf(layout, -1), -1); // a photo that is not in the list
});

for (const width of [300, 777, 1883]) {
  test(`each picture once and no ragged edge at ${width} pixels`, () => {
    const random = numbers(width);
    const ratios = Float32Array.from({ length: 5000 }, () => shownRatio(0.4 + 3 * random.next().value));
    const sections = [];
    for (let left = ratios.length; left; left -= sections.at(-1).photos) {
      sections.push({ photos: Math.min(left, 1 + Math.floor(80 * random.next().value)), heading: 40 });
    }
    const layout = layOut(ratios, sections, { width, target: 180, gap: 4 });
    const seen = [];
    for (let line = 0; line < layout.lines; line++) {
      const row = layout.count[line] ? boxesOf(layout, line, ratios) : [];
      seen.push(...row.map((box) => box.at));
      const end = row.length ? row.at(-1).x + row.at(-1).width : 0;
      assert.ok(layout.full[line] ? end === width : end <= width, `ends at ${end}`);
      for (const [at, box] of row.slice(1).entries()) {
        const gap = box.x - row[at].x - row[at].width;
        assert.ok(gap >= 3 && gap <= 5, `a gap of ${gap}`); // 4, in whole pixels
      }
    }
    assert.deepEqual(seen, Array.from(ratios.keys()));
    // Found by halving as by looking at each line.
    for (let tries = 0; tries < 300; tries++) {
      const y = Math.floor(layout.height * random.next().value);
      assert.equal(lineAt(layout, y), layout.top.findLastIndex((top) => top <= y));
      const at = Math.floor(ratios.length * random.next().value);
      assert.equal(rowOf(layout, at), layout.first.findIndex((first, line) => first <= at && at < first + layout.count[line]));
    }
    assert.deepEqual([lineAt(layout, -5), lineAt(layout, 1e9)], [0, layout.lines - 1]);
  });
}

test("no pictures are no lines", () => {
  const layout = layOut([], [], HOW);
  assert.deepEqual([layout.lines, layout.height, rowOf(layout, 0)], [0, 0, -1]);
});

test("100,000 pictures are placed within a second, wherever this runs", () => {
  // About 10 ms on a machine of 2020; the limit only notices what grows with the square.
  const ratios = new Float32Array(100_000).fill(1.5);
  const began = performance.now();
  layOut(ratios, [{ photos: 100_000, heading: 0 }], HOW);
  assert.ok(performance.now() - began < 1000);
});

test("a panorama is cropped", () => {
  assert.deepEqual([shownRatio(9), shownRatio(0.1), shownRatio(2)], [3, 0.5, 2]);
});

test("up and down lead to the box with the nearest middle", () => {
  assert.equal(nearest([{ at: 0, x: 0, width: 100 }, { at: 1, x: 104, width: 50 }], 110).at, 1);
});
