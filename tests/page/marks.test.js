// Marks along a scrubber.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sectionAt, yearMarks, yearStep } from "../../server/page/js/components/marks.js";

const KEYS = ["2023-02", "2023-01", "2022-11", "2021-05", ""];
const TOPS = [0, 100, 400, 420, 900];

test("the section at a pixel", () => {
  assert.deepEqual([-5, 0, 99, 100, 419, 5000].map((pixel) => sectionAt(TOPS, pixel)), [0, 0, 0, 1, 2, 4]);
  assert.equal(sectionAt([], 3), 0);
});

test("years that have room", () => {
  // At half the size 2022 begins at 200 and 2021 at 210, which is too near.
  assert.deepEqual(yearMarks(KEYS, TOPS, 0.5, 20), [{ text: "2023", y: 0 }, { text: "2022", y: 200 }]);
  assert.deepEqual(yearMarks(KEYS, TOPS, 0.5, 10).map(({ text }) => text), ["2023", "2022", "2021"]);
});

test("from year to year", () => {
  assert.deepEqual([yearStep(KEYS, 1, 1), yearStep(KEYS, 2, -1), yearStep(KEYS, 0, -1), yearStep(KEYS, 4, 1)], [2, 0, 0, 4]);
});
