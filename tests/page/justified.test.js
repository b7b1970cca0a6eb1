// Rows of pictures that fill the width.

import assert from "node:assert/strict";
import { test } from "node:test";
import { justify, ratio } from "../../server/page/js/components/justified.js";

test("rows fill the width", () => {
  // Four squares at 100 and three gaps of 4 are 412 wide: in 420 they are (420 - 12) / 4 = 102 high, which is
  // nearer to 100 than the 80.8 of five.
  const [first, second] = justify([1, 1, 1, 1, 1, 2], 420, 100, 4);
  assert.equal(first.height, 102);
  assert.deepEqual(first.boxes.map(({ at, x, width }) => [at, x, width]), [
    [0, 0, 102],
    [1, 106, 102],
    [2, 212, 102],
    [3, 318, 102],
  ]);
  // The last row is not stretched: as high as was wanted, and as wide as that makes it.
  assert.equal(second.height, 100);
  assert.deepEqual(second.boxes.map(({ at, x, width }) => [at, x, width]), [
    [4, 0, 100],
    [5, 104, 200],
  ]);
});

test("a row that would change is kept back", () => {
  const rows = justify([1, 1, 1, 1, 1, 2], 420, 100, 4, true);
  assert.deepEqual(rows.map((row) => row.boxes.length), [4]);
});

for (const width of [300, 777, 1883]) {
  test(`no edge is ragged at ${width} pixels`, () => {
    const ratios = Array.from({ length: 60 }, (_, number) => 0.5 + ((number * 7) % 11) / 4);
    const rows = justify(ratios, width, 180, 4);
    assert.deepEqual(rows.flatMap((row) => row.boxes.map((box) => box.at)), ratios.map((_, at) => at));
    for (const { boxes } of rows.slice(0, -1)) {
      assert.equal(boxes.at(-1).x + boxes.at(-1).width, width);
      for (const [at, box] of boxes.slice(1).entries()) {
        const gap = box.x - boxes[at].x - boxes[at].width;
        assert.ok(gap >= 3 && gap <= 5, `a gap of ${gap}`); // 4, in whole pixels
      }
    }
  });
}

test("a panorama is cropped and an unknown shape guessed", () => {
  assert.deepEqual([ratio(9000, 1000), ratio(100, 900), ratio(null, null), ratio(4, 2)], [3, 0.5, 1.5, 2]);
});
