// Boxes over a photo, as left, top, right and bottom.

import assert from "node:assert/strict";
import { test } from "node:test";
import { between, grown, middle, moved, resized } from "../../server/page/js/components/frames.js";

test("boxes stay inside the photo", () => {
  assert.deepEqual(between({ x: 90, y: -5 }, { x: 20.4, y: 70 }, 80, 60), [20, 0, 80, 60]);
  assert.deepEqual(moved([10, 10, 30, 30], -15, 45, 80, 60), [0, 40, 20, 60]);
  assert.deepEqual(resized([10, 10, 30, 30], -30, 40, 80, 60, 8), [10, 10, 18, 60]);
  assert.deepEqual(grown([78, 0, 80, 60], 80, 60, 8), [72, 0, 80, 60]);
  assert.deepEqual(middle(81, 60), [20, 15, 61, 45]);
});
